"""The cart of a workspace: a line for each product that is chosen and not yet ordered, in one currency.

It is the workspace's, not the browser's: whoever may buy sees the same lines on every device. Prices are
read again each time it is shown and once more when it is ordered. Every act holds the workspace's lock.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from peewee import JOIN, ModelSelect, fn

from portal.database.connecting import require_transaction, transaction
from portal.database.prepared import Parameter, Prepared
from portal.domain.cart import CartChanged, CartNotAsShown, PriceDifference, fingerprint, price_difference
from portal.domain.choices import Choice
from portal.domain.errors import CurrencyMismatch, OrderAlreadyPlaced, PortalError
from portal.domain.money import Money, total
from portal.domain.plans import PlanNotOffered
from portal.domain.pricing import Offer
from portal.domain.vocabulary import OrderState, ProductKind
from portal.models import CartLine, Order, Plan, Product, Subscription, Workspace
from portal.services import audit, open_money, plans
from portal.services.places import Place
from portal.services.plans import PlanOffers
from portal.services.subscriptions import agreement, licences

from . import ordering, quoting

NOTHING = ""
"""The version of a line that is not there."""


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line at today's price. `offer` None: it is not for sale like that today.

    `refusal`: why it cannot be ordered now. `difference`: another price than when it was chosen. `on_sale`:
    what of the product can be chosen instead.
    """

    line: CartLine
    offer: Offer | None
    refusal: PortalError | None
    difference: PriceDifference | None
    on_sale: tuple[PlanOffers, ...]

    @property
    def net(self) -> Money | None:
        """None where it cannot be ordered."""
        if self.offer is None or self.refusal is not None:
            return None
        return self.offer.amount * self.offer.billed(self.line.quantity)


@dataclass(frozen=True, slots=True)
class Cart:
    """What is in it today; `currency` is that of all its lines, empty where there are none."""

    lines: tuple[ReadLine, ...]
    currency: str

    @property
    def net(self) -> Money:
        """Of what can be ordered."""
        return total((line.net for line in self.lines if line.net is not None), self.currency)

    @property
    def is_orderable(self) -> bool:
        return bool(self.lines) and all(line.refusal is None for line in self.lines)

    @property
    def fingerprint(self) -> str:
        """Tells what is shown of it from what was shown before."""
        return fingerprint(
            (each.line.version, each.offer.amount if each.offer else None) for each in self.lines
        )


# --- reading --------------------------------------------------------------------------------------


def number_of_lines(workspace: Workspace) -> "ModelSelect[CartLine]":
    """For a part of another query, or by itself."""
    return _lines_in_cart(workspace, fn.COUNT(CartLine.id))


def is_empty(workspace: Workspace) -> bool:
    """One query."""
    return not _lines_in_cart(workspace, CartLine.id).exists()


def currency_of(workspace: Workspace) -> str | None:
    """In which currency something may be added; None: in any, nothing is there. One query."""
    line = _lines_in_cart(workspace, CartLine.currency).first()
    return line.currency if line is not None else None


def find_product(code: str) -> Product | None:
    """A product that may be in a cart; whether it is on sale is another question."""
    return Product.get_or_none(Product.code == code)


def find_plan(choice: Choice) -> Plan:
    """The plan that was chosen, on sale or not, with its product."""
    return Plan.select(Plan, Product).join(Product).where(Plan.code == choice.plan_code).get()


def read(place: Place, *, now: datetime) -> Cart:
    """The cart at today's prices, in the order in which its lines were added.

    As many queries for twenty lines as for two.
    """
    return read_lines(place, _lines_with_plans.rows(workspace=place.workspace.id), now=now)


def read_lines(place: Place, lines: Sequence[CartLine], *, now: datetime) -> Cart:
    """These lines at today's prices, whether they are kept in the cart or not; all in one currency."""
    workspace = place.workspace
    if not lines:
        return Cart((), "")
    in_the_way = open_money.orders_in_the_way(workspace)
    subscriptions = {each.product_id: each for each in agreement.all_of(workspace)}
    assigned = licences.assigned_by_product(workspace)
    return Cart(
        tuple(
            _read_line(
                place,
                line,
                subscription=subscriptions.get(line.product_id),
                assigned=assigned.get(line.product_id, 0),
                order_in_the_way=in_the_way.get(line.product_id),
                now=now,
            )
            for line in lines
        ),
        lines[0].currency,
    )


def _read_line(
    place: Place,
    line: CartLine,
    *,
    subscription: Subscription | None,
    assigned: int,
    order_in_the_way: str | None,
    now: datetime,
) -> ReadLine:
    on_sale = plans.plans_on_sale(line.product, on=plans.sale_day(now))
    offer, refusal = _listed_offer(on_sale, line), None
    try:
        if order_in_the_way is not None:
            raise OrderAlreadyPlaced(order=order_in_the_way)
        if line.product.kind != ProductKind.LICENSED:
            quote = ordering.quote_of_order(place, choices=[line.choice], currency=line.currency, now=now)
            offer = quote.only_line.offer
        else:
            today = place.workspace.day(now)
            quoting.refuse_licences(
                line.product, line.choice, subscription=subscription, assigned=assigned, today=today
            )
        if offer is None:
            raise PlanNotOffered(wanted=(line.plan.code, line.interval, line.currency))
    except PortalError as raised:
        refusal = raised
    return ReadLine(
        line,
        offer,
        refusal,
        price_difference(line.seen, offer.amount) if offer is not None else None,
        on_sale,
    )


def _listed_offer(on_sale: Sequence[PlanOffers], line: CartLine) -> Offer | None:
    try:
        return plans.offer_of(
            on_sale,
            plan_code=line.plan.code,
            interval=line.interval,
            currency=line.currency,
            quantity=line.quantity,
        )
    except PlanNotOffered:
        return None


def _lines_in_cart(workspace: Workspace | Parameter, *selected: object) -> "ModelSelect[CartLine]":
    """Without those that a placed order took along."""
    return (
        CartLine.select(*selected)
        .join_from(CartLine, Order, JOIN.LEFT_OUTER)
        .where(CartLine.workspace == workspace, Order.id.is_null() | (Order.state == OrderState.OPEN))
    )


_lines_with_plans = Prepared(
    lambda: (
        _lines_in_cart(Parameter("workspace"), CartLine, Plan, Product)
        .join_from(CartLine, Plan)
        .join_from(CartLine, Product)
        .order_by(CartLine.id)
    )
)


# --- changing -------------------------------------------------------------------------------------


def add(place: Place, *, choice: Choice, currency: str, now: datetime) -> CartLine:
    """One line more. The same choice added twice is one line.

    Raises CartChanged where the cart has another line of the product, CurrencyMismatch where it is in
    another currency (`currency_of`), OrderAlreadyPlaced while the product is being paid for, and whatever
    `ordering.open_order` raises for the choice.
    """
    return put(place, choice=choice, shown=NOTHING, currency=currency, now=now)


def put(place: Place, *, choice: Choice, shown: str, currency: str, now: datetime) -> CartLine:
    """Let the line of the choice's product say what was chosen, if it still says what was `shown` of it.

    `shown` is the line's version, NOTHING for none. What the same person has made of the line since is no
    surprise to them: a page may send a second change before the first one was answered. Raises as `add` does.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        quote = ordering.quote_of_order(place, choices=[choice], currency=currency, now=now)
        plan = find_plan(choice)
        open_money.refuse_beside_open_money(workspace, [plan.product_id])
        line = _line_of(workspace, plan.product)
        before = line.choice if line is not None else None
        if before != choice and not _was_seen(line, shown, place):
            raise CartChanged(product_code=plan.product.code, mine=choice, theirs=before)
        _refuse_other_currency(workspace, plan.product, currency)
        line = line or CartLine(workspace=workspace, product=plan.product)
        _write(place, line, plan, choice, offer=quote.only_line.offer, now=now)
        if before != choice:
            audit.record(
                "cart.added" if before is None else "cart.changed",
                workspace=workspace,
                subject=plan.product.code,
                changes=_changes(before, choice),
                now=now,
            )
    return line


def _write(place: Place, line: CartLine, plan: Plan, choice: Choice, *, offer: Offer, now: datetime) -> None:
    """With the price of this moment, which whoever chose it has seen."""
    line.plan, line.price_id = plan, offer.price_id
    line.interval, line.quantity = choice.interval, choice.quantity
    line.currency, line.unit_minor = offer.amount.currency, offer.amount.minor
    line.order, line.added_by_id, line.changed_at = None, place.member.person_id, now
    line.save()


def remove(place: Place, *, product_code: str, shown: str, now: datetime) -> bool:
    """Take the product out, if its line still says what was `shown`, as for `put`. Raises CartChanged.

    False: it was gone already.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        product = find_product(product_code)
        line = _line_of(workspace, product) if product is not None else None
        if line is None:
            return False
        if not _was_seen(line, shown, place):
            raise CartChanged(product_code=product_code, mine=None, theirs=line.choice)
        line.delete_instance()
        audit.record(
            "cart.removed",
            workspace=workspace,
            subject=product_code,
            changes=_changes(line.choice, None),
            now=now,
        )
    return True


def _was_seen(line: CartLine | None, shown: str, place: Place) -> bool:
    """Whether the person knows what they write over."""
    if line is None or shown == NOTHING:
        return line is None and shown == NOTHING
    return line.version == shown or line.added_by_id == place.member.person_id


def _line_of(workspace: Workspace, product: Product) -> CartLine | None:
    lines = _lines_with_plans.rows(workspace=workspace.id)
    return next((line for line in lines if line.product_id == product.id), None)


def _refuse_other_currency(workspace: Workspace, product: Product, currency: str) -> None:
    """Lines that a placed order took along count: they come back when its payment is declined."""
    others = CartLine.select(CartLine.currency).where(
        CartLine.workspace == workspace, CartLine.product != product, CartLine.currency != currency
    )
    other = others.first()
    if other is not None:
        raise CurrencyMismatch(left=other.currency, right=currency)


def _changes(before: Choice | None, after: Choice | None) -> dict[str, audit.JSONValue]:
    """`plan.before` and `plan.after`, and so on, of what differs; of what is new or gone, all of it."""
    changes: dict[str, audit.JSONValue] = {}
    for name in ("plan_code", "interval", "quantity"):
        old, new = getattr(before, name, None), getattr(after, name, None)
        if old != new:
            changes |= {f"{name}.before": old, f"{name}.after": new}
    return changes


def forget(workspace: Workspace, products: Iterable[Product | int]) -> None:
    """Take out what somebody has asked for. Inside the workspace's lock."""
    require_transaction()
    CartLine.delete().where(
        CartLine.id << _lines_in_cart(workspace, CartLine.id).where(CartLine.product << list(products))
    ).execute()


# --- ordering -------------------------------------------------------------------------------------


def open_order(place: Place, *, shown: str, now: datetime) -> Order:
    """One order for all lines, at the prices of this moment. They stay in the cart until it is placed.

    `shown` is the fingerprint of the cart that was shown: raises CartNotAsShown when a line or a price is
    no longer the same, and what `ordering.open_order` raises where a line cannot be ordered.
    """
    workspace = place.workspace
    with transaction(lock=workspace):
        cart = read(place, now=now)
        for each in cart.lines:
            if each.refusal is not None:
                raise each.refusal
        if not cart.lines or cart.fingerprint != shown:
            raise CartNotAsShown()
        order = ordering.open_order(
            place, choices=[each.line.choice for each in cart.lines], currency=cart.currency, now=now
        )
        for each in cart.lines:
            if each.difference is not None and each.offer is not None:
                # The difference was said, and the order repeats the new price.
                CartLine.update(price=each.offer.price_id, unit_minor=each.offer.amount.minor).where(
                    CartLine.id == each.line.id
                ).execute()
    return order
