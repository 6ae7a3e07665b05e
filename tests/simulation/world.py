"""A small world of workspaces that lives for a year and more: people act, gateways fail, the clock runs.

Everything that happens is drawn from the seed, day by day, so that a broken promise can be lived through
again with `python -m tests.simulation --first SEED --seeds 1 --story`. Threads of a run may not draw: what a
gateway does to a request follows from the seed, the day and whose request it is.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from random import Random
from typing import Any

from portal.clock import FixedClock
from portal.domain.choices import Choice
from portal.domain.errors import OrderAlreadyPlaced, PortalError, QuoteChanged
from portal.domain.money import Money
from portal.domain.vocabulary import (
    Interval,
    MemberStatus,
    OrderKind,
    PaymentMethodKind,
    PaymentState,
    RequestState,
    Role,
    Service,
    TransferReason,
    TransferState,
)
from portal.gateways.base import (
    ChargeRequest,
    Outcome,
    RateLimited,
    RefundOutcome,
    RefundRequest,
    ResultUnknown,
)
from portal.gateways.sandbox.gateway import Sandbox
from portal.models import (
    AuditEntry,
    BalanceEntry,
    BankTransfer,
    BillingDetails,
    Contact,
    Dispute,
    Invoice,
    Member,
    Order,
    OrderLine,
    OutboxMessage,
    Payment,
    PaymentMethod,
    Person,
    Plan,
    Product,
    PurchaseRequest,
    Refund,
    Subscription,
    Workspace,
)
from portal.runtime import Runtime, current, install
from portal.services import catalogue, ledger, letters, plans, requests
from portal.services.billing import contacts
from portal.services.checkout import amount_due, cart, open_invoices, ordering
from portal.services.invoices import corrections
from portal.services.members import changes, invitations
from portal.services.payments import (
    charging,
    given_credits,
    line_refunds,
    on_account,
    refund_quotes,
    refunds,
    transfers,
    undone_matches,
)
from portal.services.places import Place, enter
from portal.services.renewals import run
from portal.services.subscriptions import (
    agreement,
    auto_renewal,
    cancellation,
    free_plan,
    licences,
    product_trials,
    scheduled_change,
)
from portal.services.upkeep import books
from tests import factories
from tests.paying import (
    ASKS_ALWAYS,
    ASKS_ONCE,
    DECLINED,
    DECLINED_WHEN_CHARGED,
    DISPUTED,
    NOT_ENOUGH_FUNDS,
    PAID,
    RETURN_URL,
    SILENT_CHARGED,
    SILENT_NOT_CHARGED,
    a_buyer,
    a_card,
    an_order,
    line_of,
    make_runtime,
    pay,
    with_details,
)
from tests.transferring import Line, bring, camt
from tests.transferring import paying as transferred

DAYS = 400
MOST_WORKSPACES = 6
CARDS = (
    *(PAID,) * 8,
    "5555555555554444",
    ASKS_ONCE,
    ASKS_ALWAYS,
    DECLINED,
    DECLINED_WHEN_CHARGED,
    DISPUTED,
    NOT_ENOUGH_FUNDS,
)
SILENT_CARDS = (SILENT_CHARGED, SILENT_NOT_CHARGED)
PLANS = ("business-3", "business-5", "business-10", "business-20", "business-50")
LICENSED = ("meetings-essential", "meetings-professional", "webinar-standard", "training-standard")
REMOTE = "remote-licence"
WEEK = 7
TELLS_A_TOTAL = ("renewal_ahead", "auto_renewal_on", "renewed", "price_rise", "cancellation_taken_back")
UNTOLD = 2**60
"""No letter says it: the page on which the change was confirmed did."""


class PromiseBroken(AssertionError):
    """Something that must never happen did; the text says what, on which day of which seed."""


class Troubled:
    """The sandbox behind a line that fails: before the request, after it, or with "too many requests"."""

    def __init__(self, sandbox: Sandbox, world: "World") -> None:
        self.sandbox = sandbox
        self.world = world
        self.asked: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sandbox, name)

    def charge(self, request: ChargeRequest) -> Outcome:
        return self._through(request.metadata["workspace"], lambda: self.sandbox.charge(request))

    def refund(self, request: RefundRequest) -> RefundOutcome:
        return self._through(request.charge, lambda: self.sandbox.refund(request))

    def fetch(self, key: str) -> Outcome:
        if self.world.trouble == "away":
            raise ResultUnknown("the gateway does not answer")
        return self.sandbox.fetch(key)

    def _through(self, whose: str, act: Callable[[], Any]) -> Any:
        times = self.asked[whose] = self.asked.get(whose, 0) + 1
        chance = Random(f"{self.world.seed} {self.world.day} {whose} {times}")
        match self.world.trouble:
            case "away":
                raise ResultUnknown("the gateway does not answer")
            case "flaky" if chance.random() < 0.4:
                if chance.random() < 0.5:
                    act()
                raise ResultUnknown("the line was cut")
            case "busy" if chance.random() < 0.3:
                raise RateLimited(0.01)
        return act()


@dataclass(slots=True)
class World:
    """One seed's world. `live()` goes through it and raises PromiseBroken where a promise breaks."""

    seed: int
    clock: FixedClock
    tell: Callable[[str], None] = lambda _text: None
    day: int = 0
    trouble: str = ""
    worker_away_until: int = 0
    places: list[Place] = field(default_factory=list)
    touched: set[int] = field(default_factory=set)
    shown_minor: dict[str, int] = field(default_factory=dict)
    weighed: set[str] = field(default_factory=set)
    entries_seen: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    agreed: dict[int, set[date]] = field(default_factory=dict)
    chance: Random = field(init=False)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        runtime = current()
        sandbox = runtime.gateways["sandbox"]
        assert isinstance(sandbox, Sandbox)
        install(Runtime(runtime.settings, self.clock, {"sandbox": Troubled(sandbox, self)}))

    # Time.

    def live(self, days: int = DAYS) -> None:
        while self.day < days:
            self._pass_time()
            self._choose_trouble()
            for _ in range(self.chance.choice((0, 0, 1, 1, 2, 3))):
                self._somebody_acts()
            if self.day >= self.worker_away_until:
                self._run()
            self._check_touched()
            if self.day % WEEK == 0:
                self._check_books()
        self.trouble = ""
        self._settle_everything()

    def _pass_time(self) -> None:
        """Usually a day; sometimes the clock jumps."""
        jump = self.chance.choice((2, 5, 20, 45)) if self.chance.random() < 0.01 else 1
        self.day += jump
        self.clock.advance(days=jump, hours=self.chance.choice((0, 0, 1, -1)))
        self.clock.advance_wall(days=jump)
        if jump > 1:
            self.tell(f"the clock jumps {jump} days")

    def _choose_trouble(self) -> None:
        if self.chance.random() < 0.05:
            self.trouble = self.chance.choice(("away", "flaky", "busy"))
            self.tell(f"the gateway is {self.trouble}")
        elif self.trouble and self.chance.random() < 0.4:
            self.trouble = ""
        if self.day >= self.worker_away_until and self.chance.random() < 0.01:
            self.worker_away_until = self.day + self.chance.choice((2, 4, 10, 40))
            self.tell(f"the worker is away until day {self.worker_away_until}")

    def _run(self) -> None:
        report = run.run_due(now=self.clock.now())
        if report.get("faults"):
            self._broken(f"{report['faults']} subscriptions cannot be settled")
        done = {name: count for name, count in report.items() if count and not name.startswith("swept")}
        if done:
            self.tell(f"run-due: {done}")
            self.touched |= {place.workspace.id for place in self.places}
        self._deliver()

    def _deliver(self) -> None:
        """Letters are kept promises once written; how they travel is tested elsewhere."""
        OutboxMessage.update(done_at=self.clock.wall()).where(OutboxMessage.done_at.is_null()).execute()

    # People.

    def _somebody_acts(self) -> None:
        if len(self.places) < MOST_WORKSPACES and self.chance.random() < 0.1:
            self._sign_up()
            return
        if self.chance.random() < 0.03:
            self._change_prices()
            return
        if not self.places:
            return
        place = self.chance.choice(self.places)
        act = self.chance.choice(
            (
                self._buy,
                self._buy,
                self._buy,
                self._prolong,
                self._prolong,
                self._schedule,
                self._withdraw,
                self._renewal_on,
                self._renewal_on,
                self._renewal_on,
                self._renewal_off,
                self._refund,
                self._refund_line,
                self._give_credit,
                self._take_credit_back,
                self._invite,
                self._disable_somebody,
                self._add_or_remove_contact,
                self._use_storage,
                self._go_free,
                self._confirm,
                self._buy_licences,
                self._buy_licences,
                self._buy_plan_and_licences,
                self._cancel,
                self._cancel,
                self._take_back,
                self._change_licences,
                self._change_licences,
                self._schedule_licences,
                self._withdraw_licences,
                self._assign_licences,
                self._assign_licences,
                self._free_licences,
                self._try_product,
                self._ask_for_licences,
                self._ask_for_licences,
                self._decide,
                self._decide,
                self._pay_for_licences,
                self._pay_for_licences,
                self._order_on_account,
                self._order_on_account,
                self._pay_open_invoice,
                self._pay_open_invoice,
                self._pay_open_invoice,
                self._undo_match,
                self._correct_details,
                self._correct_details,
            )
        )
        if Workspace.get_by_id(place.workspace.id).deleted_at is not None:
            self.places.remove(place)
            self.tell(f"{place.workspace.slug} is gone")
            return
        with self._refusals(act.__name__, place):
            act(place)
        self.touched.add(place.workspace.id)

    @contextlib.contextmanager
    def _refusals(self, act: str, place: Place) -> Iterator[None]:
        """A named refusal is an answer; anything else is a fault."""
        try:
            yield
        except PortalError as refusal:
            self.tell(f"{place.workspace.slug} {act}: refused, {type(refusal).__name__}")
        else:
            self.tell(f"{place.workspace.slug} {act}")

    def _sign_up(self) -> None:
        number = Workspace.select().count()
        owner = a_buyer(f"Owner {number}")
        workspace = factories.a_workspace(f"World {number}", owner=owner)
        zone = self.chance.choice(("Europe/Paris", "America/New_York", "Pacific/Auckland", "UTC"))
        Workspace.update(time_zone=zone).where(Workspace.id == workspace.id).execute()
        self.places.append(factories.seen_by(owner, workspace))
        self.tell(f"{workspace.slug} signs up in {zone}")

    def _change_prices(self) -> None:
        """The vendor's new catalogue: every price up or down by up to a third, as of today."""
        factor = self.chance.choice((80, 90, 110, 133))
        text = factories.CATALOGUE.read_text()
        changed = re.sub(
            r"amount_minor = (\d+)", lambda found: f"amount_minor = {int(found[1]) * factor // 100}", text
        )
        catalogue.apply(changed, filename="catalogue.toml", now=self.clock.now())
        self.tell(f"prices are {factor} % of the first ones")

    def _buy(self, place: Place) -> None:
        self._order(place, self.chance.choice(PLANS), self.chance.choice(tuple(Interval)))

    def _prolong(self, place: Place) -> None:
        subscription = agreement.of_workspace(place.workspace)
        if subscription.price is not None:
            self._order(place, subscription.plan.code, subscription.price.interval)

    def _order(self, place: Place, plan: str, interval: Interval) -> None:
        subscription = agreement.of_workspace(place.workspace)
        currency = subscription.price.currency if subscription.price else self.chance.choice(("EUR", "USD"))
        order = an_order(
            place,
            plan,
            interval,
            currency=currency,
            country=self.chance.choice(("FR", "FR", "DE", "US")),
        )
        self.shown_minor[order.number] = order.due.minor
        card = self.chance.choice(CARDS if self.chance.random() < 0.95 else SILENT_CARDS)
        payment = pay(order, card, auto_renewal=self.chance.random() < 0.6)
        if self.chance.random() < 0.2:
            # A second click.
            with contextlib.suppress(OrderAlreadyPlaced, QuoteChanged):
                pay(order, card)
        self.tell(
            f"{place.workspace.slug} pays {line_of(order).kind} {line_of(order).plan_code}: {payment.state}"
        )

    def _buy_licences(self, place: Place) -> None:
        """Again, where they have ended; refused while they run."""
        self._order_together(place, [self._some_licences()])

    def _try_product(self, place: Place) -> None:
        plan = Plan.get(Plan.code == self.chance.choice(LICENSED))
        count = self.chance.choice((1, 1, 1, 2))
        product_trials.start(
            place, product_code=plan.product.code, plan_code=plan.code, licences=count, now=self.clock.now()
        )

    def _ask_for_licences(self, place: Place) -> None:
        """A member puts them into the cart, where something may lie already, and sends it to be approved."""
        members = Member.select(Member, Person).join(Person).order_by(Member.id)
        active = members.where(Member.workspace == place.workspace, Member.status == MemberStatus.ACTIVE)
        asker = enter(person=self.chance.choice(list(active)).person, slug=place.workspace.slug)
        if asker is None:
            return
        now = self.clock.now()
        currency = cart.currency_of(place.workspace) or self.chance.choice(("EUR", "USD"))
        cart.add(asker, choice=self._some_licences(), currency=currency, now=now)
        requests.ask(asker, shown=cart.read(asker, now=now).fingerprint, note="", now=now)

    def _decide(self, _place: Place) -> None:
        """An owner declines what was asked for in whatever workspace, or orders and pays it."""
        waiting = PurchaseRequest.select().where(PurchaseRequest.state == RequestState.OPEN)
        by_workspace = {place.workspace.id: place for place in self.places}
        asked = [each for each in waiting.order_by(PurchaseRequest.id) if each.workspace_id in by_workspace]
        if not asked:
            return
        chosen, now = self.chance.choice(asked), self.clock.now()
        place, number = by_workspace[chosen.workspace_id], chosen.number
        self.touched.add(place.workspace.id)
        if self.chance.random() < 0.2:
            requests.decline(place, number, by=place.member.person, reason="", now=now)
            return
        order = with_details(requests.open_as_order(place, number, now=now), place)
        self.shown_minor[order.number] = order.due.minor
        payment = pay(order, self.chance.choice(CARDS), person=place.member.person)
        self.tell(f"{place.workspace.slug} approves {number}: {payment.state}")

    def _buy_plan_and_licences(self, place: Place) -> None:
        plan = Choice(self.chance.choice(PLANS), self.chance.choice(tuple(Interval)))
        self._order_together(place, [plan, self._some_licences()])

    def _order_on_account(self, place: Place) -> None:
        """Remote, by bank transfer; refused while an invoice of it is open."""
        choice = Choice(REMOTE, Interval.YEAR, self.chance.choice((1, 2, 5)))
        opened = ordering.open_order(place, choices=[choice], currency="EUR", now=self.clock.now())
        by_transfer = PaymentMethodKind.BANK_TRANSFER
        order = with_details(opened, place, method_kind=by_transfer, country=self.chance.choice(("FR", "DE")))
        self.shown_minor[order.number] = order.due.minor
        payment = pay(order, None)
        self.tell(f"{place.workspace.slug} orders {REMOTE} × {choice.quantity} on account: {payment}")

    def _pay_open_invoice(self, place: Place) -> None:
        """The oldest: by transfer (in full, in part, too much, one that goes back), by card or by a credit.

        The credit may come while the gateway is silent about a card.
        """
        found = on_account.open_of(place.workspace)
        if not found:
            return
        invoice, left = found[0]
        way = self.chance.choice(("all", "all", "part", "more", "card", "silent", "back", "credit", "credit"))
        self.tell(f"{place.workspace.slug} pays {invoice.number}, {left}: {way}")
        if way == "credit":
            self._credit(
                place, Money(self.chance.choice((left.minor // 3 + 1, left.minor + 777)), left.currency)
            )
            return
        if way in ("card", "silent"):
            self.shown_minor[invoice.order.number] = left.minor
            open_invoices.pay(
                place.workspace,
                invoice.number,
                person=place.member.person,
                card=a_card(self.chance.choice(CARDS if way == "card" else SILENT_CARDS)),
                method=None,
                shown=open_invoices.shown_as(left),
                return_url=RETURN_URL,
                now=self.clock.now(),
            )
            if way == "silent" and self.chance.random() < 0.5:
                self._credit(place, left)
            return
        minor = {"part": max(left.minor // 3, 1), "more": left.minor + 1234}.get(way, left.minor)
        named = self._reference()
        self._transfer(transferred(invoice, minor, currency=invoice.currency, bank_reference=named))
        if way == "back":
            taken = BankTransfer.select().order_by(BankTransfer.id.desc()).get()
            back = transferred(
                invoice, minor, is_debit=True, is_return=True, bank_reference=self._reference()
            )
            self._transfer(back)
            taking = BankTransfer.select().order_by(BankTransfer.id.desc()).get()
            if taking.state != TransferState.MATCHED and taken.state == TransferState.MATCHED:
                transfers.take_back(taking, taken=taken, reason=TransferReason.OPERATOR, now=self.clock.now())

    def _undo_match(self, place: Place) -> None:
        """Of one of the newest transfers, which somebody may match again, with whatever workspace."""
        came = BankTransfer.select().where(
            BankTransfer.workspace == place.workspace,
            BankTransfer.state == TransferState.MATCHED,
            ~BankTransfer.is_debit,
        )
        newest = list(came.order_by(BankTransfer.id.desc()).limit(3))
        if not newest:
            return
        chosen, now = self.chance.choice(newest), self.clock.now()
        shown = undone_matches.preview(chosen)
        undone_matches.undo(chosen, reason="Somebody else's", shown_hash=shown.hash, now=now)
        self.tell(f"{place.workspace.slug}: a match of {chosen.amount} is undone")
        if self.chance.random() < 0.7:
            owner = self.chance.choice(self.places).workspace
            again = BankTransfer.get_by_id(chosen.id)
            transfers.receive(again, workspace=owner, invoices=[], now=now)
            self.touched.add(owner.id)
            self.tell(f"{owner.slug}: it is matched again")

    def _correct_details(self, place: Place) -> None:
        """Of one of the newest invoices, replaced ones too, whose country the settings name again."""
        newest = Invoice.select(Invoice, Order).join(Order).where(Invoice.workspace == place.workspace)
        newest = newest.where(Invoice.credits.is_null()).order_by(Invoice.id.desc()).limit(4)
        if not newest:
            return
        invoice, now = self.chance.choice(list(newest)), self.clock.now()
        named = self.chance.choice(("Acme SARL", "Acme Europe SARL", f"Acme {self.day}"))
        BillingDetails.update(company_name=named, country=invoice.facts["buyer"]["country"]).where(
            BillingDetails.workspace == place.workspace
        ).execute()
        shown = corrections.preview(place.workspace, invoice, now=now)
        newer = corrections.correct(place.workspace, invoice, shown_hash=shown.hash, now=now)
        self.tell(f"{place.workspace.slug}: {newer.number} replaces {invoice.number}")

    def _transfer(self, line: Line) -> None:
        bring(camt(line, opening=None), f"{self.day}-{line.bank_reference}.xml")

    def _reference(self) -> str:
        return f"R{self.chance.randrange(10**12)}"

    def _some_licences(self) -> Choice:
        interval = self.chance.choice(tuple(Interval))
        return Choice(self.chance.choice(LICENSED), interval, self.chance.choice((1, 2, 9, 10, 11)))

    def _order_together(self, place: Place, choices: list[Choice]) -> None:
        currency = self.chance.choice(("EUR", "USD"))
        opened = ordering.open_order(place, choices=choices, currency=currency, now=self.clock.now())
        order = with_details(opened, place, country=self.chance.choice(("FR", "FR", "DE", "US")))
        self.shown_minor[order.number] = order.due.minor
        card = self.chance.choice(CARDS if self.chance.random() < 0.95 else SILENT_CARDS)
        payment = pay(order, card, auto_renewal=self.chance.random() < 0.6)
        names = ", ".join(f"{choice.plan_code} × {choice.quantity}" for choice in choices)
        self.tell(f"{place.workspace.slug} pays {names}: {payment.state}")

    def _change_licences(self, place: Place) -> None:
        """More of them, another plan or cycle, in the middle of a period; what is smaller is refused here."""
        product = self._subscribed_product(place)
        if product is None:
            return
        runs = agreement.of_product(place.workspace, product)
        choice = self._another_choice(product)
        currency = runs.price.currency if runs.price else "EUR"
        choices = [replace(choice, kind=OrderKind.CHANGE)]
        opened = ordering.open_order(place, choices=choices, currency=currency, now=self.clock.now())
        order = with_details(opened, place, country=self.chance.choice(("FR", "FR", "DE", "US")))
        self.shown_minor[order.number] = order.due.minor
        card = self.chance.choice(CARDS if self.chance.random() < 0.95 else SILENT_CARDS)
        payment = pay(order, card)
        self.tell(
            f"{place.workspace.slug} changes to {choice.plan_code} × {choice.quantity}: {payment.state}"
        )

    def _pay_for_licences(self, place: Place) -> None:
        """What is due, late or blocked or after a renewal that failed: by the button, or with a card."""
        today, now = place.workspace.day(self.clock.now()), self.clock.now()
        for subscription in agreement.all_of(place.workspace):
            status = agreement.status_of(subscription, today=today)
            product, due = status.licensed_product, amount_due.amount_due(place, status, now=now)
            if product is None or due is None:
                continue
            if due.method is None or self.chance.random() < 0.3:
                order = amount_due.order_for_another_card(
                    place,
                    place.member.person,
                    product=product,
                    shown_quote_hash=due.quote.hash,
                    now=now,
                )
                self.shown_minor[order.number] = order.due.minor
                payment = pay(order, self.chance.choice(CARDS), auto_renewal=self.chance.random() < 0.5)
            else:
                payment = amount_due.pay(
                    place,
                    place.member.person,
                    product=product,
                    method_id=str(due.method.id),
                    shown_quote_hash=due.quote.hash,
                    return_url=lambda number: f"http://127.0.0.1:8000/{number}",
                    now=now,
                )
                if not due.is_renewal:
                    # That of a renewal which is declined is charged later for what its letter said.
                    self.shown_minor[payment.order.number] = due.quote.due.minor
                elif payment.order.due.minor != due.quote.due.minor:
                    self._broken(f"{payment.order.number}: another amount than the button's")
            self.tell(f"{place.workspace.slug} pays what is due of {product.code}: {payment.state}")

    def _schedule_licences(self, place: Place) -> None:
        """Fewer of them or a lower plan, on the due date; what begins at once is refused here."""
        product, now = self._subscribed_product(place), self.clock.now()
        if product is None:
            return
        choice = self._another_choice(product)
        shown = scheduled_change.preview(place.workspace, choice, product=product, now=now)
        scheduled_change.schedule(place, choice, product=product, shown_hash=shown.hash, now=now)

    def _withdraw_licences(self, place: Place) -> None:
        product = self._subscribed_product(place)
        if product is not None:
            scheduled_change.withdraw(place, product=product, now=self.clock.now())

    def _another_choice(self, product: Product) -> Choice:
        sold = [plan.code for plan in Plan.select().where(Plan.product == product)]
        interval = self.chance.choice((Interval.MONTH, Interval.MONTH, Interval.MONTH, Interval.YEAR))
        return Choice(self.chance.choice(sold), interval, self.chance.choice((1, 2, 3, 9, 10, 11, 12)))

    def _cancel(self, place: Place) -> None:
        today = place.workspace.day(self.clock.now())
        for subscription in agreement.all_of(place.workspace):
            if agreement.is_licensed(subscription) and self.chance.random() < 0.7:
                ends_on = cancellation.ends_on(agreement.status_of(subscription, today=today))
                shown = ends_on.isoformat() if ends_on else ""
                cancellation.cancel(subscription, shown_ends_on=shown, now=self.clock.now())

    def _take_back(self, place: Place) -> None:
        for subscription in agreement.all_of(place.workspace):
            if agreement.is_licensed(subscription):
                cancellation.take_back(subscription, now=self.clock.now())

    def _assign_licences(self, place: Place) -> None:
        """To some of the members; a licence that somebody has may become another's."""
        for product in licences.all_of(place.workspace, today=place.workspace.day(self.clock.now())):
            members = licences.list_members(product.subscription).rows
            chosen = self.chance.sample(members, k=self.chance.randint(0, min(4, len(members))))
            by = {"by": place.member.person, "now": self.clock.now()}
            if len(chosen) == 2 and chosen[0].holds:
                licences.reassign(product.subscription, *[each.member_id for each in chosen], **by)
            else:
                licences.assign(product.subscription, [each.member_id for each in chosen], **by)

    def _free_licences(self, place: Place) -> None:
        for product in licences.all_of(place.workspace, today=place.workspace.day(self.clock.now())):
            held = licences.list_members(product.subscription, holds=True).rows
            chosen = self.chance.sample(held, k=self.chance.randint(0, len(held)))
            licences.take_back(
                product.subscription, [each.member_id for each in chosen], now=self.clock.now()
            )

    def _confirm(self, place: Place) -> None:
        """The payer comes back from their bank, having agreed or not."""
        for payment in Payment.select().where(
            Payment.workspace == place.workspace, Payment.state == PaymentState.ACTION_REQUIRED
        ):
            payment.workspace = place.workspace
            reference = payment.action_url.rpartition("/")[2]
            current().gateways["sandbox"].answer_challenge(reference, confirmed=self.chance.random() < 0.7)
            charging.look_up(payment, now=self.clock.now())

    def _schedule(self, place: Place) -> None:
        plan, interval = self.chance.choice(PLANS), self.chance.choice(tuple(Interval))
        now = self.clock.now()
        shown = scheduled_change.preview(place.workspace, Choice(plan, interval), now=now)
        scheduled_change.schedule(place, Choice(plan, interval), shown_hash=shown.hash, now=now)

    def _withdraw(self, place: Place) -> None:
        scheduled_change.withdraw(place, now=self.clock.now())

    def _renewal_on(self, place: Place) -> None:
        subscription = self.chance.choice(agreement.all_of(place.workspace))
        product = _licensed_product(subscription)
        methods = auto_renewal.methods_for(subscription)
        if methods:
            charge = auto_renewal.next_charge(place.workspace, product=product, now=self.clock.now())
            method = self.chance.choice(methods)
            auto_renewal.switch_on(
                place,
                product=product,
                method_id=method.id,
                shown_hash=charge.hash,
                now=self.clock.now(),
            )
            self.agreed.setdefault(place.workspace.id, set()).add(charge.on)

    def _renewal_off(self, place: Place) -> None:
        if self.chance.random() < 0.3:
            product = self._subscribed_product(place)
            auto_renewal.switch_off(place, product=product, now=self.clock.now())

    def _subscribed_product(self, place: Place) -> Product | None:
        """One of those that the workspace has or had; None for its plan."""
        return _licensed_product(self.chance.choice(agreement.all_of(place.workspace)))

    def _refund(self, place: Place) -> None:
        found = refund_quotes.refundable(place.workspace, now=self.clock.now())
        if isinstance(found, refund_quotes.Refundable) and self.chance.random() < 0.3:
            preview = refund_quotes.preview(found.payment, now=self.clock.now())
            refund = refunds.ask_refund(place, found.payment, shown_hash=preview.hash, now=self.clock.now())
            self.tell(f"{place.workspace.slug} refund: {refund.state}")

    def _refund_line(self, place: Place) -> None:
        """By the vendor's staff: one line of a payment, or all of it."""
        paid = Payment.select().where(
            Payment.workspace == place.workspace, Payment.state == PaymentState.SUCCEEDED
        )
        newest = list(paid.order_by(Payment.id.desc()).limit(3))
        if not newest or self.chance.random() < 0.5:
            return
        key = self.chance.choice(newest).key
        offered = line_refunds.of_payment(place.workspace.slug, key, now=self.clock.now())
        possible = [each.found for each in offered.lines if isinstance(each.found, line_refunds.LinesPreview)]
        if possible:
            chosen = self.chance.choice(possible)
            refund = refunds.ask_refund_of_line(
                offered.payment,
                chosen.line,
                by=place.member.person,
                shown_hash=chosen.hash,
                now=self.clock.now(),
            )
            which = f"line {chosen.line.position}" if chosen.line else "the whole"
            self.tell(f"{place.workspace.slug} refund of {which}: {refund.state}")

    def _give_credit(self, place: Place) -> None:
        """By the vendor's staff, mostly in euros; whoever clicks twice gives it once."""
        self._credit(
            place, Money(self.chance.randint(1, 5000), "USD" if self.chance.random() < 0.2 else "EUR")
        )

    def _credit(self, place: Place, amount: Money) -> None:
        key = f"credit-{self.day}-{self.chance.random()}"[:40]
        for _click in range(self.chance.randint(1, 2)):
            given_credits.give(
                place.workspace, amount=amount, reason="Goodwill", key=key, now=self.clock.now()
            )
        self.tell(f"{place.workspace.slug} credit of {amount}")

    def _take_credit_back(self, place: Place) -> None:
        """What is unused of the newest one."""
        for given in given_credits.of_workspace(place.workspace, most=1):
            if given.left.minor and self.chance.random() < 0.5:
                given_credits.take_back(
                    given.credit,
                    shown=given.left,
                    reason="A mistake",
                    key=given.next_key,
                    now=self.clock.now(),
                )
                self.tell(f"{place.workspace.slug} {given.left} of a credit taken back")

    def _invite(self, place: Place) -> None:
        some = [f"m{self.day}-{self.chance.random()}@world.example" for _ in range(self.chance.randint(1, 3))]
        invitations.invite(place, emails=some, role=Role.MEMBER, now=self.clock.now())

    def _disable_somebody(self, place: Place) -> None:
        member = (
            Member.select()
            .where(
                Member.workspace == place.workspace,
                Member.role != Role.OWNER,
                Member.status != MemberStatus.DISABLED,
            )
            .order_by(Member.id.desc())
            .first()
        )
        if member is not None:
            changes.disable(place, member, now=self.clock.now())

    def _add_or_remove_contact(self, place: Place) -> None:
        listed = contacts.list_contacts(place.workspace)
        if listed and self.chance.random() < 0.3:
            contacts.remove(place, self.chance.choice(listed).contact, now=self.clock.now())
            return
        member = self.chance.choice(list(Member.select().where(Member.workspace == place.workspace)))
        if self.chance.random() < 0.5:
            contacts.add_member(place, member.id, now=self.clock.now())
        else:
            email = f"c{self.day}@world.example"
            added = contacts.add_address(place, email, language="fr", now=self.clock.now())
            Contact.update(confirmed_at=self.clock.wall()).where(Contact.id == added.id).execute()

    def _use_storage(self, place: Place) -> None:
        used = self.chance.choice((0, 1, 5, 30)) * 1024**3
        services = [service.value for service in Service if self.chance.random() < 0.1]
        Workspace.update(used_storage_bytes=used, services=services).where(
            Workspace.id == place.workspace.id
        ).execute()

    def _go_free(self, place: Place) -> None:
        if self.chance.random() < 0.1:
            subscription = agreement.of_workspace(place.workspace)
            today = place.workspace.day(self.clock.now())
            status = agreement.status_of(subscription, today=today)
            found = free_plan.free_plan_for(place.workspace, status)
            begins_on = found.begins_on.isoformat() if found.begins_on else ""
            free_plan.take(place, shown_begins_on=begins_on, now=self.clock.now())

    # What must hold.

    def _check_touched(self) -> None:
        for workspace_id in sorted(self.touched):
            self._check(Workspace.get_by_id(workspace_id))
        self.touched.clear()

    def _check(self, workspace: Workspace) -> None:
        self._money_is_what_was_shown(workspace)
        self._automatic_charges_keep_their_distance(workspace)
        self._the_plan_holds_its_people(workspace)
        self._stopped_methods_are_left_alone(workspace)
        self._the_ledger_only_grows(workspace)

    def _money_is_what_was_shown(self, workspace: Workspace) -> None:
        """Each charge is one payment of an order's own total, never above what a page or a letter said."""
        orders = {order.number: order for order in Order.select().where(Order.workspace == workspace)}
        for charge in self._charges_of(workspace):
            order = orders[charge.metadata["order"]]
            payment = Payment.get(Payment.key == charge.key)
            if (charge.amount_minor, charge.currency) != (payment.amount_minor, payment.currency):
                self._broken(f"{order.number}: charged {charge.amount_minor}, asked {payment.amount_minor}")
            if charge.key in self.weighed:
                # A deleted workspace leaves no letters to weigh it by again.
                continue
            self.weighed.add(charge.key)
            shown = self.shown_minor.get(order.number)
            if order.is_renewal and order.method_kind != PaymentMethodKind.BANK_TRANSFER:
                shown = self._told_before(order, workspace, charged_on=payment.tried_on)
            if shown is None or charge.amount_minor > shown:
                self._broken(f"{order.number}: charged {charge.amount_minor}, shown {shown}")
        once: dict[str, int] = {}
        for charge in self._charges_of(workspace):
            once[charge.metadata["order"]] = once.get(charge.metadata["order"], 0) + 1
        twice = [number for number, times in once.items() if times > 1]
        if twice:
            self._broken(f"charged twice: {twice}")

    def _told_before(self, renewal: Order, workspace: Workspace, *, charged_on: date) -> int | None:
        """What the letters last said of the charge before it was made.

        A change that was withdrawn has no letter with an amount: the price that was paid stays, and its tax.
        """
        told: int | None = None
        [renewed] = OrderLine.select(OrderLine, Plan).join(Plan).where(OrderLine.order == renewal)
        mine = {plan.names["en"] for plan in Plan.select().where(Plan.product == renewed.plan.product_id)}
        for key, template, context in self._said(workspace):
            names = context.get("plan_names", {}).get("en")
            if names is not None and names not in mine:
                continue
            if template == "renewed" and key.startswith(f"renewed-{renewal.number}-"):
                return told
            if template in TELLS_A_TOTAL:
                if template == "price_rise" and date.fromisoformat(context["renew_on"]) > charged_on:
                    # It is about a later day than that of this charge.
                    continue
                # A letter that names an obstacle names no amount: what was told before still holds.
                told = told if context["total_minor"] is None else context["total_minor"]
                if template == "renewed":
                    # What the balance has paid of it was told as well.
                    number = key.removeprefix("renewed-").partition("-")[0]
                    told = Order.get(Order.number == number).total_minor
            elif template in ("plan_scheduled", "plan_schedule_withdrawn"):
                told = context.get("total_minor") or UNTOLD
            elif template == "order_confirmed":
                number = key.removeprefix("order-confirmed-").partition("-")[0]
                lines = OrderLine.select(OrderLine, Order).join(Order)
                ordered = lines.where(Order.number == number, OrderLine.subscription == renewed.subscription)
                # Of a change of licences the whole price is what comes next.
                told = next((line.frozen.price_with_tax.minor for line in ordered), told)
        return told

    def _said(self, workspace: Workspace) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Key, template and context of each letter to the workspace; changes in one letter one by one.

        What still waits to be mailed was said on a page.
        """
        for letter in OutboxMessage.select().where(OutboxMessage.topic == "mail").order_by(OutboxMessage.id):
            context = letter.payload["context"]
            if context.get("slug") != workspace.slug:
                continue
            for told in context.get("changes", ()):
                yield letter.key, told["template"], told["context"]
            yield letter.key, letter.payload["template"], context
        for notice in letters.waiting_notices(workspace):
            yield notice.key, notice.template, notice.context

    def _automatic_charges_keep_their_distance(self, workspace: Workspace) -> None:
        days: dict[int, list[date]] = {}
        for payment in (
            Payment.select(Payment, Order, OrderLine)
            .join(Order)
            .join(OrderLine, attr="line")
            .where(
                Payment.workspace == workspace,
                Payment.state == PaymentState.SUCCEEDED,
                # What was invoiced ahead somebody may pay by card, on whatever day.
                Payment.tried_on.is_null(False),
                OrderLine.kind == OrderKind.RENEWAL,
            )
            .order_by(Payment.id)
        ):
            line, before = payment.order.line, days.setdefault(payment.order.line.subscription_id, [])
            if payment.tried_on < line.renews_on:
                self._broken(f"{payment.order.number}: charged on {payment.tried_on}, before its due date")
            # Whoever switches it on is shown the day of the charge, which may be today.
            was_agreed = payment.tried_on in self.agreed.get(workspace.id, ())
            if before and not was_agreed and payment.tried_on - before[-1] < timedelta(days=WEEK):
                self._broken(f"{workspace.slug}: charged on {before[-1]} and on {payment.tried_on}")
            before.append(payment.tried_on)

    def _the_plan_holds_its_people(self, workspace: Workspace) -> None:
        """More people than the plan holds only where paying back or the end of a trial left them there."""
        subscription = agreement.of_workspace(workspace)
        usage = plans.usage_of(workspace)
        limit = subscription.plan.max_users
        refunded = Refund.select().where(Refund.workspace == workspace).exists()
        if limit is not None and usage.active_users > limit and not refunded:
            self._broken(f"{workspace.slug}: {usage.active_users} users on a plan for {limit}")

    def _stopped_methods_are_left_alone(self, workspace: Workspace) -> None:
        """After a dispute was read, nothing is charged to its method by itself."""
        for payment in (
            Payment.select(Payment, PaymentMethod)
            .join(PaymentMethod)
            .where(Payment.workspace == workspace, PaymentMethod.stopped_at.is_null(False))
        ):
            if payment.tried_on and payment.tried_on > workspace.day(payment.method.stopped_at):
                self._broken(f"{workspace.slug}: charged on {payment.tried_on} in spite of a dispute")

    def _the_ledger_only_grows(self, workspace: Workspace) -> None:
        """No entry changes or goes, nothing is owed but what is open of invoices, and nothing is open beside
        money that is kept and that no placed order counts on.
        """
        query = BalanceEntry.select().where(BalanceEntry.workspace == workspace).order_by(BalanceEntry.id)
        entries = list(query.dicts())
        before = self.entries_seen.get(workspace.id, [])
        if entries[: len(before)] != before:
            self._broken(f"{workspace.slug}: the ledger said {before}, and says {entries}")
        self.entries_seen[workspace.id] = entries
        for currency in {entry["currency"] for entry in entries}:
            balance = ledger.balance_of(workspace, currency)
            still_open = [left for _invoice, left in on_account.open_of(workspace)]
            owed = sum(left.minor for left in still_open if left.currency == currency)
            if balance.minor + owed < 0:
                self._broken(f"{workspace.slug}: a balance of {balance}, {owed} open")
            reserved = ledger.sum_reserved(workspace, currency).scalar() or 0
            if owed and workspace.deleted_at is None and balance.minor + owed > reserved:
                self._broken(
                    f"{workspace.slug}: {owed} open beside {balance.minor + owed}, {reserved} reserved"
                )

    def _charges_of(self, workspace: Workspace) -> list[Any]:
        return [
            charge
            for charge in current().gateways["sandbox"].charges()
            if charge.state == "succeeded" and charge.metadata["workspace"] == workspace.customer_number
        ]

    def _check_books(self) -> None:
        broken = {result.name: result.broken for result in books.check() if result.broken}
        if broken:
            self._broken(f"the books: {broken}")

    def _settle_everything(self) -> None:
        """The gateway answers again: nothing may stay unknown, and the books are clean."""
        for _ in range(4):
            self.clock.advance(days=1)
            self.clock.advance_wall(days=1)
            self._run()
        charging.reconcile(now=self.clock.now())
        refunds.reconcile(now=self.clock.now())
        unknown = Payment.select().where(Payment.state == PaymentState.UNKNOWN).count()
        if unknown:
            self._broken(f"{unknown} payments stay unknown")
        for place in self.places:
            self._check(place.workspace)
        self._check_books()

    def _broken(self, text: str) -> None:
        raise PromiseBroken(f"seed {self.seed}, day {self.day}: {text}")

    def summary(self) -> dict[str, int]:
        """What the world has seen, to know that it lived at all."""
        paid = OrderLine.select().join(Order).where(Order.given_at.is_null(False))
        return {
            **{kind.value: paid.where(OrderLine.kind == kind).count() for kind in OrderKind},
            "refunds": Refund.select().count(),
            "disputes": Dispute.select().count(),
            "invoices": Invoice.select().count(),
            "declined": Payment.select().where(Payment.state == PaymentState.DECLINED).count(),
            "deleted": Workspace.select().where(Workspace.deleted_at.is_null(False)).count(),
            "renewing": Subscription.select().where(Subscription.auto_renewal).count(),
            "licences": paid.where(OrderLine.plan << Plan.select().where(Plan.code << LICENSED)).count(),
            "cancelled": AuditEntry.select().where(AuditEntry.action == "subscription.cancelled").count(),
            "assigned": AuditEntry.select().where(AuditEntry.action == "licence.assigned").count(),
            "tried": AuditEntry.select().where(AuditEntry.action == "trial.started").count(),
            "on account": Invoice.select().where(Invoice.due_on.is_null(False)).count(),
            "from balance": AuditEntry.select().where(AuditEntry.action == "balance.used").count(),
            "transfers": BankTransfer.select().where(BankTransfer.state == TransferState.MATCHED).count(),
            "undone": AuditEntry.select().where(AuditEntry.action == "transfer.match_undone").count(),
            "corrected": Invoice.select().where(Invoice.replaced_by.is_null(False)).count(),
            "approved": PurchaseRequest.select()
            .where(PurchaseRequest.state == RequestState.APPROVED)
            .count(),
        }


def _licensed_product(subscription: Subscription) -> Product | None:
    return subscription.product if agreement.is_licensed(subscription) else None


def make_world(settings: Any, clock: FixedClock, *, seed: int) -> World:
    """A world on the bound, migrated and connected database."""
    install(make_runtime(settings, clock))
    factories.a_catalogue()
    return World(seed=seed, clock=clock)
