"""Purchase requests: a member asks for what is in the cart, whoever may approve orders it or says no.

An approver makes an order of it at today's prices; the request is approved once that order is paid, and open
as before while it is not, or when it is given up (docs/adr/0031). Every act holds the workspace's lock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from peewee import JOIN, Case, Expression, ModelSelect, fn

from portal.database.connecting import transaction
from portal.domain.cart import CartNotAsShown
from portal.domain.choices import Choice
from portal.domain.money import Money, total
from portal.domain.requests import (
    MOST_OPEN,
    AlreadyDecided,
    BeingOrdered,
    TooManyRequests,
    expires_at,
)
from portal.domain.vocabulary import OrderState, RequestState, Right
from portal.models import (
    CartLine,
    Order,
    OrderLine,
    Person,
    PurchaseRequest,
    PurchaseRequestLine,
    Workspace,
)
from portal.services import audit, letters, orders, request_ends
from portal.services.checkout import cart, ordering
from portal.services.checkout.cart import Cart
from portal.services.places import Place

# --- asking ---------------------------------------------------------------------------------------


def ask(place: Place, *, shown: str, note: str, now: datetime) -> PurchaseRequest:
    """Ask for everything in the cart, which is empty then, and tell those who may approve.

    `shown` is the fingerprint of the cart that was shown: sent twice, it is one request. Raises
    CartNotAsShown, TooManyRequests, and what `ordering.open_order` raises where a line cannot be had.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        read = cart.read(place, now=now)
        if not read.lines and (known := _asked_before(place, shown, now=now)):
            return known
        for each in read.lines:
            if each.refusal is not None:
                raise each.refusal
        if not read.lines or read.fingerprint != shown:
            raise CartNotAsShown()
        request = _open(place, currency=read.currency, fingerprint=shown, note=note, now=now)
        _write_lines(
            request,
            [
                PurchaseRequestLine(
                    product=each.line.product_id,
                    plan=each.line.plan_id,
                    price=each.offer.price_id,
                    interval=each.line.interval,
                    quantity=each.line.quantity,
                    unit_minor=each.offer.amount.minor,
                )
                for each in read.lines
                if each.offer is not None
            ],
        )
        _tell_approvers(place, request)
    return request


def ask_for_order(place: Place, order: Order, *, note: str, now: datetime) -> PurchaseRequest:
    """Ask for what a member's own open order is for; sent twice, it is one request.

    Raises TooManyRequests, and OrderAlreadyPlaced and the others as `ordering.refresh_quote` does.
    """
    workspace = place.workspace
    shown = order.quote_hash[:32]
    with transaction(lock=workspace):
        if known := _asked_before(place, shown, now=now):
            return known
        order = ordering.refresh_quote(order, now=now)
        orders.read_lines([order])
        request = _open(place, currency=order.currency, fingerprint=shown, note=note, now=now)
        _write_lines(request, [_line_of(line) for line in order.lines])
        _tell_approvers(place, request)
    return request


def _asked_before(place: Place, shown: str, *, now: datetime) -> PurchaseRequest | None:
    """The person's own open request for just that."""
    same = (
        request_ends.with_asker()
        .where(_is_open_by(place, now=now), PurchaseRequest.fingerprint == shown)
        .order_by(PurchaseRequest.id.desc())
    )
    return same.first() if shown else None


def _is_open_by(place: Place, *, now: datetime) -> Expression:
    return (
        (PurchaseRequest.workspace == place.workspace)
        & (PurchaseRequest.asker == place.member.person_id)
        & (PurchaseRequest.state == RequestState.OPEN)
        & (PurchaseRequest.expires_at > now)
    )


def _open(place: Place, *, currency: str, fingerprint: str, note: str, now: datetime) -> PurchaseRequest:
    waiting = PurchaseRequest.select().where(_is_open_by(place, now=now))
    if waiting.count() >= MOST_OPEN:
        raise TooManyRequests(most=MOST_OPEN)
    request = PurchaseRequest.create(
        number=orders.new_order_number(),
        workspace=place.workspace,
        asker=place.member.person_id,
        note=note,
        currency=currency,
        fingerprint=fingerprint,
        created_at=now,
        expires_at=expires_at(now),
    )
    audit.record("request.asked", workspace=place.workspace, subject=request.number, now=now)
    return request


def _line_of(line: OrderLine) -> PurchaseRequestLine:
    return PurchaseRequestLine(
        product=line.plan.product_id,
        plan=line.plan_id,
        price=line.price_id,
        interval=line.interval,
        quantity=line.quantity,
        unit_minor=line.frozen.unit.minor,
    )


def _write_lines(request: PurchaseRequest, lines: Sequence[PurchaseRequestLine]) -> None:
    for line in lines:
        line.request = request
        line.save()
    cart.forget(request.workspace, [line.product_id for line in lines])


def _tell_approvers(place: Place, request: PurchaseRequest) -> None:
    """Owners, billing managers and upgraders, whoever else may approve; never the asker."""
    asker = Person.get_by_id(place.member.person_id)
    lines = request_ends.lines_of([request])
    letters.send(
        "request_to_decide",
        to=[person for person in letters.billing_people(place.workspace) if person.id != asker.id],
        workspace=place.workspace,
        key=f"request-to-decide-{request.number}",
        context={
            "asker": asker.name,
            "number": request.number,
            "note": request.note,
            "lines": request_ends.facts_of(lines),
            "net_minor": net_of(lines, request.currency).minor,
            "currency": request.currency,
            "expires_at": request.expires_at.isoformat(),
            "is_corporate": place.workspace.is_corporate,
        },
    )


# --- looking --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A request as it stands at one moment. `net` is what was shown to the asker, without VAT.

    `ordered_by` is the name of who has opened it as an order that is not paid yet; empty for nobody.
    """

    request: PurchaseRequest
    state: RequestState
    lines: tuple[PurchaseRequestLine, ...]
    net: Money

    @property
    def is_open(self) -> bool:
        return self.state is RequestState.OPEN

    @property
    def ordered_by(self) -> str:
        order = self.request.order
        return order.person.name if self.is_open and order is not None else ""


def net_of(lines: Iterable[PurchaseRequestLine], currency: str) -> Money:
    """What the lines cost when they were asked for."""
    return total((line.net for line in lines), currency)


def find(place: Place, number: str, *, now: datetime) -> ReadRequest | None:
    """The workspace's request, for whoever may approve it and for who asked; else None."""
    request = _visible(place).where(PurchaseRequest.number == number).first()
    return _read([request], place.workspace, now=now)[0] if request is not None else None


def list_requests(place: Place, *, before: int | None, size: int, now: datetime) -> list[ReadRequest]:
    """The newest first, or those older than the one whose id is `before`. Two queries."""
    found = _visible(place).order_by(PurchaseRequest.id.desc()).limit(size)
    if before is not None:
        found = found.where(PurchaseRequest.id < before)
    return _read(list(found), place.workspace, now=now)


@dataclass(frozen=True, slots=True)
class Counted:
    """Of the requests that somebody may see, and of the lines in the cart."""

    all: int
    waiting: int
    in_cart: int


def count(place: Place, *, now: datetime) -> Counted:
    """With the lines of the cart, which stand beside them. One query."""
    waits = (PurchaseRequest.state == RequestState.OPEN) & (PurchaseRequest.expires_at > now)
    query = PurchaseRequest.select(
        fn.COUNT(PurchaseRequest.id),
        fn.COALESCE(fn.SUM(Case(None, [(waits, 1)], 0)), 0),
        cart.number_of_lines(place.workspace),
    ).where(PurchaseRequest.workspace == place.workspace)
    if Right.APPROVE not in place.may:
        query = query.where(PurchaseRequest.asker == place.member.person_id)
    every, waiting, in_cart = query.tuples()[0]
    return Counted(all=int(every), waiting=int(waiting), in_cart=int(in_cart))


def todays(place: Place, read: ReadRequest, *, now: datetime) -> Cart:
    """What was asked for at today's prices, as a cart would show it."""
    return cart.read_lines(place, [_as_cart_line(place, line, read) for line in read.lines], now=now)


def _as_cart_line(place: Place, line: PurchaseRequestLine, read: ReadRequest) -> CartLine:
    """Never saved."""
    return CartLine(
        workspace=place.workspace,
        product=line.product,
        plan=line.plan,
        price=line.price,
        interval=line.interval,
        quantity=line.quantity,
        currency=read.request.currency,
        unit_minor=line.unit_minor,
    )


def _visible(place: Place) -> "ModelSelect[PurchaseRequest]":
    """With who asked, who decided, and its order with who opened it."""
    decider, buyer = Person.alias(), Person.alias()
    found = (
        PurchaseRequest.select(PurchaseRequest, Person, decider, Order, buyer)
        .join_from(PurchaseRequest, Person, JOIN.LEFT_OUTER, on=PurchaseRequest.asker)
        .join_from(PurchaseRequest, decider, JOIN.LEFT_OUTER, on=(PurchaseRequest.decided_by == decider.id))
        .join_from(PurchaseRequest, Order, JOIN.LEFT_OUTER, on=PurchaseRequest.order)
        .join_from(Order, buyer, JOIN.LEFT_OUTER, on=(Order.person == buyer.id))
        .where(PurchaseRequest.workspace == place.workspace)
    )
    if Right.APPROVE not in place.may:
        found = found.where(PurchaseRequest.asker == place.member.person_id)
    return found


def _read(requests: Sequence[PurchaseRequest], workspace: Workspace, *, now: datetime) -> list[ReadRequest]:
    lines: dict[int, list[PurchaseRequestLine]] = {request.id: [] for request in requests}
    for line in request_ends.lines_of(requests):
        lines[line.request_id].append(line)
    read = []
    for request in requests:
        request.workspace = workspace
        theirs = tuple(lines[request.id])
        state = request.state_at(now)
        read.append(ReadRequest(request, state, theirs, net_of(theirs, request.currency)))
    return read


# --- deciding -------------------------------------------------------------------------------------


def open_as_order(place: Place, number: str, *, now: datetime) -> Order:
    """An order of what was asked for, at today's quote; the one that is open already, where there is one.

    Raises AlreadyDecided, BeingOrdered where a colleague's order is not this person's to see or is being
    paid, and what `ordering.open_order` raises where something cannot be bought any more.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        read = _still_open(place, number, now=now)
        order = read.request.order
        if order is not None and order.state == OrderState.OPEN:
            if order.person_id != place.member.person_id and Right.SEE_BILLING_DETAILS not in place.may:
                raise BeingOrdered(by=order.person.name)
            order.workspace = workspace
            return ordering.refresh_quote(order, now=now)
        if order is not None and order.state == OrderState.PLACED:
            raise BeingOrdered(by=order.person.name)
        choices = [Choice(line.plan.code, line.interval, line.quantity) for line in read.lines]
        order = ordering.open_order(place, choices=choices, currency=read.request.currency, now=now)
        PurchaseRequest.update(order=order).where(PurchaseRequest.id == read.request.id).execute()
        audit.record(
            "request.ordered",
            workspace=workspace,
            subject=read.request.number,
            changes={"order": order.number},
            now=now,
        )
    return order


def approve_without_order(place: Place, number: str, *, by: Person, now: datetime) -> None:
    """Say yes where nothing is bought here: a corporate workspace orders from its adviser.

    Raises AlreadyDecided, BeingOrdered.
    """
    _decide(place, number, RequestState.APPROVED, by=by, reason="", now=now)


def decline(place: Place, number: str, *, by: Person, reason: str, now: datetime) -> None:
    """An order that was opened for it stays an open order. Raises AlreadyDecided, BeingOrdered."""
    _decide(place, number, RequestState.DECLINED, by=by, reason=reason, now=now)


def withdraw(place: Place, number: str, *, by: Person, now: datetime) -> None:
    """By who asked. Raises AlreadyDecided, BeingOrdered."""
    _decide(place, number, RequestState.WITHDRAWN, by=by, reason="", now=now)


def _decide(
    place: Place, number: str, state: RequestState, *, by: Person, reason: str, now: datetime
) -> None:
    with transaction(lock=place.workspace):
        read = _still_open(place, number, now=now)
        order = read.request.order
        if order is not None and order.state == OrderState.PLACED:
            raise BeingOrdered(by=order.person.name)
        request_ends.end(read.request, state, by=by, reason=reason, now=now)


def _still_open(place: Place, number: str, *, now: datetime) -> ReadRequest:
    """As it is now that the lock is held. Raises AlreadyDecided."""
    read = find(place, number, now=now)
    assert read is not None, "the page has found it"
    if not read.is_open:
        raise AlreadyDecided(state=read.state)
    return read
