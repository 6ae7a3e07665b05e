"""Careful corruptions: one row changed so that the database takes it, and what the books must say of it.

Hashes are made anew and sums are kept where somebody who knows the code would. Where a fact is written in
several places each of them is named.
"""

import copy
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from portal.domain.money import Money
from portal.domain.pricing import facts_hash
from portal.domain.vocabulary import (
    BalanceEntryKind,
    DocumentKind,
    Interval,
    MemberStatus,
    OrderState,
    PaymentState,
    RefundState,
    VatStatus,
)
from portal.models import (
    Allocation,
    AuditEntry,
    AuditTrace,
    BalanceEntry,
    BankTransfer,
    Credit,
    CreditedLine,
    Dispute,
    Document,
    Invoice,
    Licence,
    LicenceKey,
    Member,
    NumberSeries,
    Order,
    OrderLine,
    OutboxMessage,
    Payment,
    PaymentMethod,
    Plan,
    Price,
    Product,
    Refund,
    Subscription,
    SubscriptionPeriod,
    Workspace,
)
from portal.runtime import current
from portal.services.payments import given_credits, refund_quotes, refunds
from portal.services.subscriptions import agreement
from tests.correcting import corrected
from tests.crediting import credit
from tests.factories import CATALOGUE, a_contact, a_member, a_person
from tests.licensed import tried
from tests.passing import pass_days
from tests.paying import SILENT_CHARGED, a_place, an_order, apply_catalogue, buy, pay
from tests.transferring import bring, camt, paying

A_DAY = timedelta(days=1)
A_LONG_TIME_AGO = datetime(2026, 1, 1, tzinfo=UTC)
LICENCE_KEYS = "keyed_subscriptions_have_their_key"
LICENCES = "licences_are_of_members_and_no_more_than_paid"


def a_past_of_everything(clock: Any, *, transfers: bool = True) -> None:
    """Two months with a change, a renewal at its locked price, a yearly plan, taxes of four kinds, a refund,
    money on its way, a document, an order that nobody paid, and money that came by transfer.
    """
    acme = a_place("Acme")
    pay(an_order(acme), auto_renewal=True)
    german = a_place("Berlin", owner="Bea Berg")
    buy(german, country="DE", vat_number="DE136695976", vat_status=VatStatus.VALID)
    person = a_place("Wien", owner="Willi Wien")
    pay(an_order(person, interval=Interval.YEAR, is_business=False, company_name="", country="AT"))
    in_part = a_place("Part", owner="Pia Part")
    buy(in_part)
    abroad = a_place("Bern", owner="Beat Bern")
    pay(an_order(abroad, country="CH"), auto_renewal=True)
    tried(abroad)
    clock.advance(days=4)
    buy(german, "business-10", country="DE", vat_number="DE136695976", vat_status=VatStatus.VALID)
    given_back = a_place("Back", owner="Bob Back")
    buy(given_back)
    for left in (10, 14):
        part = of(Invoice, "Part")
        credit(part, date.fromisoformat(part.facts["lines"][0]["period"]["end"]) - left * A_DAY)
    clock.advance(days=1)
    buy(given_back, "business-10")
    _refund(given_back)
    text = CATALOGUE.read_text()
    head, mark, tail = text.partition('code = "business-5"')
    apply_catalogue(head + mark + tail.replace("amount_minor = 2800", "amount_minor = 4000", 1))
    pass_days(clock, 30)
    waits = a_place("Waits", owner="Wanda Waits")
    pay(an_order(waits), SILENT_CHARGED)
    an_order(a_place("Looks", owner="Lou Looks"))
    invoice = Invoice.select().order_by(Invoice.id).first()
    content = b"%PDF"
    sha256 = hashlib.sha256(content).hexdigest()
    Document.create(invoice=invoice, locale="fr", content=content, sha256=sha256, created_at=clock.now())
    if transfers:
        _transfers()


def _transfers() -> None:
    """Paid once more by transfer, which is kept; and a transfer that the bank took back again."""
    kept, taken = paying(of(Invoice, "Wien")), paying(of(Invoice, "Bern"), end_to_end="E2E-1")
    bring(camt(kept, taken, replace(taken, is_debit=True, is_return=True)))


def _refund(place: Any) -> None:
    last, now = refund_quotes.last_payment(place.workspace).payment, current().clock.now()
    refunds.ask_refund(place, last, shown_hash=refund_quotes.preview(last, now=now).hash, now=now)


# --- finding and changing one row -----------------------------------------------------------------


def of(model: Any, name: str, *, newest: bool = False, **columns: Any) -> Any:
    """The first (or newest) row of the workspace of that name with these values."""
    workspace = Workspace.get(Workspace.name == name)
    query = model.select()
    if model is SubscriptionPeriod:
        query = query.join(Subscription).where(Subscription.workspace == workspace)
    else:
        query = query.where(model.workspace == workspace)
    for column, value in columns.items():
        query = query.where(getattr(model, column) == value)
    return query.order_by(model.id.desc() if newest else model.id).get()


def changed(row: Any, **columns: Any) -> None:
    model = type(row)
    assert model.update(**columns).where(model.id == row.id).execute() == 1


def invoice_facts(change: Callable[[dict[str, Any]], object], name: str = "Acme", **columns: Any) -> None:
    """Change the facts of an invoice, and their hash with them."""
    row = of(Invoice, name, kind=columns.pop("kind", DocumentKind.INVOICE))
    facts = row.facts
    change(facts)
    changed(row, facts=facts, facts_hash=facts_hash(facts), **columns)


def quote(change: Callable[[dict[str, Any]], object], name: str = "Acme", *, newest: bool = False) -> None:
    """Change the quote of an order that was paid, and its hash with it."""
    row = of(Order, name, newest=newest, state=OrderState.PAID)
    facts = row.quote
    change(facts)
    changed(row, quote=facts, quote_hash=facts_hash(facts))


def period(name: str = "Acme", *, newest: bool = False) -> Any:
    """The first or newest period of the workspace that was paid for."""
    workspace = Workspace.get(Workspace.name == name)
    paid = SubscriptionPeriod.select().join(Subscription)
    paid = paid.where(Subscription.workspace == workspace, SubscriptionPeriod.line.is_null(False))
    return paid.order_by(SubscriptionPeriod.id.desc() if newest else SubscriptionPeriod.id).get()


def line(name: str = "Acme") -> Any:
    """The line of the first order of the workspace that was paid."""
    return OrderLine.get(OrderLine.order == of(Order, name, state=OrderState.PAID))


def entry(kind: BalanceEntryKind, name: str = "Acme", *, newest: bool = False) -> Any:
    return of(BalanceEntry, name, newest=newest, kind=kind)


def allocation(kind: BalanceEntryKind = BalanceEntryKind.PAYMENT, name: str = "Acme") -> Any:
    """What the first payment, or credit note, of the workspace covers."""
    return Allocation.get(Allocation.entry == entry(kind, name))


def again(row: Any, **columns: Any) -> None:
    """The same row once more, under another id."""
    model = type(row)
    model.create(**{name: value for name, value in row.__data__.items() if name != "id"} | columns)


def credited_line(*, newest: bool = False) -> Any:
    """The first or second credit of the only line of Part's invoice."""
    return CreditedLine.select().order_by(CreditedLine.id.desc() if newest else CreditedLine.id).get()


def credit_note_facts(change: Callable[[dict[str, Any]], object], **columns: Any) -> None:
    """Change the facts of the first partial credit note, and their hash with them."""
    invoice_facts(change, "Part", kind=DocumentKind.CREDIT_NOTE, **columns)


def higher_credit(facts: dict[str, Any]) -> None:
    """Thirty times the days, and all that follows from it but for what was left."""
    line = facts["lines"][0]
    line["net_minor"], line["tax_minor"] = 9000, 1800
    for sums in (facts["totals"], facts["totals"]["by_rate"][0]):
        sums["net_minor"], sums["tax_minor"] = 9000, 1800
    facts["totals"]["gross_minor"] = 10800


def credits_too_much() -> None:
    """In the note, its columns and its line alike."""
    columns = {"net_minor": 9000, "tax_minor": 1800}
    credit_note_facts(higher_credit, **columns, total_minor=10800)
    changed(credited_line(), **columns)


def subscription(name: str = "Acme") -> Any:
    return agreement.of_workspace(Workspace.get(Workspace.name == name))


def licences(name: str) -> Any:
    """The subscription of the workspace to a licensed product."""
    return of(Subscription, name, newest=True)


def assign(name: str, *members: Any) -> None:
    """A licence of that workspace's newest subscription for each of the members."""
    for member in members:
        Licence.create(subscription=licences(name), member=member, assigned_at=current().clock.now())


def a_key(subscription: Any, **moments: Any) -> None:
    LicenceKey.create(subscription=subscription, seed="s", digest="d", made_at=A_LONG_TIME_AGO, **moments)


def others(name: str, number: int, *, status: str = "guest") -> list[Any]:
    """So many more members of the workspace."""
    workspace = Workspace.get(Workspace.name == name)
    people = [a_person(f"other{n}@{workspace.slug}.test", password=False) for n in range(number)]
    return [a_member(workspace, person, status=MemberStatus(status)) for person in people]


def other_price() -> int:
    return Price.get(Price.plan == Plan.get(Plan.code == "business-50")).id


def moved(facts: dict[str, Any], name: str, days: int) -> None:
    facts[name] = (date.fromisoformat(facts[name]) + days * A_DAY).isoformat()


def shift_tax(facts: dict[str, Any]) -> None:
    """A unit less of net and a unit more of tax: the total stays."""
    totals = facts["totals"]
    for sums in (totals, totals["by_rate"][0]):
        sums["net_minor"] -= 1
        sums["tax_minor"] += 1
    facts["lines"][0]["net_minor"] -= 1
    facts["lines"][0]["unit_minor"] -= 1


def delete(row: Any) -> None:
    if isinstance(row, AuditEntry):
        AuditTrace.delete().where(AuditTrace.entry == row).execute()
    if isinstance(row, Invoice):
        Allocation.delete().where(Allocation.invoice == row).execute()
        BalanceEntry.delete().where(BalanceEntry.invoice == row).execute()
    if isinstance(row, BalanceEntry):
        Allocation.delete().where(Allocation.entry == row).execute()
    row.delete_instance()


def make_balances_anew(database: Any) -> None:
    """As somebody would who takes care that each balance is still the sum of the entries up to it."""
    database.execute_sql(
        """UPDATE balance_entry SET after_minor = (
             SELECT SUM(other.amount_minor) FROM balance_entry AS other
             WHERE other.workspace_id = balance_entry.workspace_id AND other.currency = balance_entry.currency
               AND other.id <= balance_entry.id)"""
    )


def give_credits(clock: Any) -> None:
    """Two credits of Bern in one currency; the first is taken back."""
    bern = Workspace.get(Workspace.name == "Bern")
    first, second = Money(500, "EUR"), Money(700, "EUR")
    given = given_credits.give(bern, amount=first, reason="An outage", key="c1", now=clock.now())
    given_credits.give(bern, amount=second, reason="Another", key="c2", now=clock.now())
    given_credits.take_back(given, shown=first, reason="A mistake", key="c3", now=clock.now())


def correct_details(clock: Any) -> None:
    """Wrong bought, and an hour later its invoice was replaced by one with the right name."""
    wrong = a_place("Wrong", owner="Wilma Wrong")
    buy(wrong)
    clock.advance(hours=1)
    corrected(wrong, of(Invoice, "Wrong"))


def replacing(**columns: Any) -> Any:
    return of(Invoice, "Wrong", newest=True, kind=DocumentKind.INVOICE, **columns)


def its_credit_note() -> Any:
    return of(Invoice, "Wrong", kind=DocumentKind.CREDIT_NOTE)


def other_facts(document: Any, change: Callable[[dict[str, Any]], object]) -> None:
    """Its hash too."""
    facts = copy.deepcopy(document.facts)
    change(facts)
    changed(document, facts=facts, facts_hash=facts_hash(facts))


def covering(kind: BalanceEntryKind, invoice: Any, *, uncovers: bool = False) -> Any:
    """The allocation of the workspace Wrong from its entry of that kind to the invoice."""
    sign = Allocation.amount_minor < 0 if uncovers else Allocation.amount_minor > 0
    return Allocation.get(Allocation.entry == entry(kind, "Wrong"), Allocation.invoice == invoice, sign)


def set_in(*path: Any, to: Any) -> Callable[[dict[str, Any]], None]:
    def change(facts: Any) -> None:
        for step in path[:-1]:
            facts = facts[step]
        assert facts[path[-1]] != to
        facts[path[-1]] = to

    return change


INVOICED, PAID = BalanceEntryKind.INVOICE, BalanceEntryKind.PAYMENT
CREDITED = BalanceEntryKind.CREDIT_NOTE

CORRUPTIONS: dict[str, tuple[Callable[[], object], set[str]]] = {
    # Documents.
    "a unit moved from net to tax in the columns": (
        lambda: changed(row := of(Invoice, "Acme"), net_minor=row.net_minor - 1, tax_minor=row.tax_minor + 1),
        {"issued_invoices_are_unchanged", "paid_orders_have_their_invoice"},
    ),
    "a unit moved from net to tax in columns and facts": (
        lambda: invoice_facts(shift_tax, net_minor=2799, tax_minor=561),
        {"invoices_add_up", "paid_orders_have_their_invoice"},
    ),
    "another rate on the line": (
        lambda: invoice_facts(set_in("lines", 0, "rate_bp", to=1000)),
        {"invoices_add_up", "invoices_are_of_their_sale"},
    ),
    "another unit price on the line": (
        lambda: invoice_facts(set_in("lines", 0, "unit_minor", to=1400)),
        {"invoices_add_up"},
    ),
    "a quantity of two": (
        lambda: invoice_facts(set_in("lines", 0, "quantity", to=2)),
        {"invoices_add_up", "invoices_are_of_their_sale"},
    ),
    "another sum of a rate": (
        lambda: invoice_facts(set_in("totals", "by_rate", 0, "tax_minor", to=1)),
        {"invoices_add_up"},
    ),
    "no line at all": (
        lambda: invoice_facts(set_in("lines", to=[])),
        {"invoices_add_up", "invoices_are_of_their_sale"},
    ),
    "another buyer": (
        lambda: invoice_facts(set_in("buyer", "name", to="Evil SARL")),
        {"invoices_are_of_their_sale"},
    ),
    "another VAT number": (
        lambda: invoice_facts(set_in("buyer", "vat_number", to="DE129273398"), "Berlin"),
        {"invoices_are_of_their_sale"},
    ),
    "another reason for no tax": (
        lambda: invoice_facts(set_in("tax", "reason", to="outside_eu"), "Berlin"),
        {"invoices_are_of_their_sale"},
    ),
    "a longer period on the invoice": (
        lambda: invoice_facts(lambda facts: moved(facts["lines"][0]["period"], "end", 1)),
        {"invoices_are_of_their_sale"},
    ),
    "another plan on the invoice": (
        lambda: invoice_facts(set_in("lines", 0, "description", "fr", to="Office 100 – mensuel")),
        {"invoices_are_of_their_sale"},
    ),
    "another card on the invoice": (
        lambda: invoice_facts(set_in("payment", "last4", to="0000")),
        {"invoices_are_of_their_sale"},
    ),
    "another customer number": (
        lambda: invoice_facts(set_in("customer_number", to="C-999999")),
        {"invoices_are_of_their_sale"},
    ),
    "a seller renamed without the hash": (
        lambda: changed(row := of(Invoice, "Acme"), facts={**row.facts, "workspace_name": "Another"}),
        {"issued_invoices_are_unchanged"},
    ),
    "an invoice dated a day later, its facts too": (
        lambda: invoice_facts(lambda facts: moved(facts, "issued_on", 3), issued_on=date(2026, 11, 24)),
        {"invoices_are_of_their_day"},
    ),
    "an invoice dated a year earlier, its facts too": (
        lambda: invoice_facts(set_in("issued_on", to="2025-11-21"), issued_on=date(2025, 11, 21)),
        {"invoices_are_of_their_day", "numbers_follow_the_order_of_issue"},
    ),
    "an invoice issued an hour later": (
        lambda: changed(row := of(Invoice, "Acme"), issued_at=row.issued_at + timedelta(hours=1)),
        {"invoices_are_of_their_day", "entries_repeat_their_cause"},
    ),
    "an invoice taken out": (
        lambda: delete(of(Invoice, "Berlin")),
        {"numbers_have_no_gap", "paid_orders_have_their_invoice"},
    ),
    "a number that was never used": (
        lambda: changed(NumberSeries.get(name="INV-2026"), next_number=NumberSeries.next_number + 1),
        {"numbers_have_no_gap"},
    ),
    "a credit note over another tax": (
        lambda: invoice_facts(set_in("tax", "rate_bp", to=0), "Back", kind=DocumentKind.CREDIT_NOTE),
        {"credit_notes_mirror_their_invoice"},
    ),
    "a credit note that amends another invoice": (
        lambda: invoice_facts(
            set_in("corrects", "number", to="INV-2026-000001"), "Back", kind=DocumentKind.CREDIT_NOTE
        ),
        {"credit_notes_mirror_their_invoice"},
    ),
    "a credit note for another buyer": (
        lambda: invoice_facts(set_in("buyer", "name", to="Evil"), "Back", kind=DocumentKind.CREDIT_NOTE),
        {"credit_notes_mirror_their_invoice"},
    ),
    "a partial credit note over a unit more, its line too": (
        lambda: (
            changed(row := credited_line(), net_minor=row.net_minor + 1),
            changed(note := row.credit_note, net_minor=note.net_minor + 1, total_minor=note.total_minor + 1),
        ),
        {
            "issued_invoices_are_unchanged",
            "partial_credit_notes_are_of_their_lines",
            "entries_repeat_their_cause",
        },
    ),
    "more credited than was charged": (
        credits_too_much,
        {
            "credits_never_exceed_their_invoice_lines",
            "invoices_add_up",
            "partial_credit_notes_are_of_their_lines",
            "entries_repeat_their_cause",
        },
    ),
    "more credited than the line of the order": (
        lambda: changed(line("Part"), net_minor=933),
        {
            "credits_never_exceed_their_invoice_lines",
            "order_lines_repeat_their_quote",
            "orders_have_all_their_lines",
            "paid_orders_gave_what_was_quoted",
        },
    ),
    "a credit of a line that is not there": (
        lambda: changed(credited_line(), position=2),
        {"credits_never_exceed_their_invoice_lines", "partial_credit_notes_are_of_their_lines"},
    ),
    "a credit of a line of another invoice": (
        lambda: changed(credited_line(), invoice=of(Invoice, "Wien")),
        {"partial_credit_notes_have_all_their_lines", "partial_credit_notes_are_of_their_lines"},
    ),
    "a credit from an earlier day on": (
        lambda: changed(row := credited_line(), start_on=row.start_on - A_DAY),
        {"partial_credit_notes_are_of_their_lines"},
    ),
    "another amount of a credited line": (
        lambda: changed(credited_line(), net_minor=1),
        {"partial_credit_notes_have_all_their_lines", "partial_credit_notes_are_of_their_lines"},
    ),
    "another tax of a credited line": (
        lambda: changed(credited_line(newest=True), tax_minor=0),
        {"partial_credit_notes_have_all_their_lines", "partial_credit_notes_are_of_their_lines"},
    ),
    "a credit note of lines without its line": (
        lambda: delete(credited_line(newest=True)),
        {"invoices_are_of_paid_orders", "refunds_have_their_credit_note"},
    ),
    "a credit that is not remembered by the next": (
        lambda: credit_note_facts(set_in("lines", 0, "credits", "credited_net_minor", to=1)),
        {"partial_credit_notes_are_of_their_lines"},
    ),
    "a credit over another tax": (
        lambda: credit_note_facts(set_in("tax", "reason", to="eu_consumer")),
        {"partial_credit_notes_are_of_their_lines"},
    ),
    "a credit of another number of licences": (
        lambda: credit_note_facts(set_in("lines", 0, "quantity", to=2)),
        {"partial_credit_notes_are_of_their_lines"},
    ),
    "a credit at another rate": (
        lambda: credit_note_facts(set_in("lines", 0, "rate_bp", to=1900)),
        {"invoices_add_up", "partial_credit_notes_are_of_their_lines"},
    ),
    "a credit of more days than it says": (
        lambda: credit_note_facts(set_in("lines", 0, "share", "days", to=11)),
        {"invoices_add_up"},
    ),
    "a credit for another buyer": (
        lambda: credit_note_facts(set_in("buyer", "name", to="Evil")),
        {"partial_credit_notes_are_of_their_lines"},
    ),
    "a credit of another invoice": (
        lambda: credit_note_facts(set_in("corrects", "number", to="INV-2026-000001")),
        {"partial_credit_notes_are_of_their_lines"},
    ),
    "a whole invoice credited twice": (
        lambda: again(
            of(Invoice, "Back", kind=DocumentKind.CREDIT_NOTE),
            number="CN-2026-000005",
            sequence=5,
        ),
        {
            "credits_never_exceed_their_invoice_lines",
            "numbers_have_no_gap",
            "invoices_promised_their_documents",
            "issued_invoices_are_unchanged",
            "every_document_and_payment_has_its_entry",
        },
    ),
    "other bytes of a document": (
        lambda: changed(Document.get(), content=b"%PDF-1.7"),
        {"documents_are_unchanged"},
    ),
    "documents that were never promised": (
        lambda: delete(OutboxMessage.get(OutboxMessage.topic == "prepare_documents")),
        {"invoices_promised_their_documents"},
    ),
    # Orders and quotes.
    "another country of the buyer": (
        lambda: changed(
            row := of(Order, "Acme", state=OrderState.PAID), details={**row.details, "country": "DE"}
        ),
        {
            "orders_are_as_they_were_quoted",
            "invoices_are_of_their_sale",
            "taxes_are_as_the_law_says",
        },
    ),
    "another address of the buyer's mail": (
        lambda: changed(
            row := of(Order, "Acme", state=OrderState.PAID), details={**row.details, "email": "x@y.example"}
        ),
        {"orders_are_as_they_were_quoted", "invoices_are_of_their_sale"},
    ),
    "a tax decision that the law does not make": (
        lambda: quote(set_in("tax", "reason", to="eu_consumer")),
        {"invoices_are_of_their_sale", "taxes_are_as_the_law_says"},
    ),
    "another rate in the quote": (
        lambda: quote(set_in("tax", "rate_bp", to=0)),
        {"quotes_add_up", "invoices_are_of_their_sale", "taxes_are_as_the_law_says"},
    ),
    "another kind of order": (
        lambda: changed(line(), kind="change"),
        {"order_lines_repeat_their_quote"},
    ),
    "another kind in the quote": (
        lambda: quote(set_in("lines", 0, "kind", to="prolong")),
        {"order_lines_repeat_their_quote", "quotes_follow_from_what_was_running"},
    ),
    "another interval of the order": (
        lambda: changed(line(), interval="year"),
        {"order_lines_repeat_their_quote"},
    ),
    "another plan of the order": (
        lambda: changed(line(), plan=Plan.get(Plan.code == "business-3")),
        {"order_lines_repeat_their_quote", "paid_orders_gave_what_was_quoted"},
    ),
    "more licences than were quoted": (
        lambda: changed(line(), quantity=2),
        {"order_lines_repeat_their_quote"},
    ),
    "a line of another subscription": (
        lambda: changed(line(), subscription=subscription("Looks")),
        {"order_lines_repeat_their_quote", "paid_orders_gave_what_was_quoted"},
    ),
    "a line of no subscription that was paid": (
        lambda: changed(line(), subscription=None),
        {"paid_orders_gave_what_was_quoted"},
    ),
    "a purchase that renews a due date": (
        lambda: changed(line(), renews_on=date(2026, 12, 1)),
        {"order_lines_repeat_their_quote"},
    ),
    "a line that was paid back, of an order that was not": (
        lambda: changed(line(), refunded_at=current().clock.now()),
        {
            "refunded_lines_were_paid_back_once",
            "periods_touch_and_never_overlap",
            "quotes_follow_from_what_was_running",
        },
    ),
    "another amount of a line": (
        lambda: changed(line(), net_minor=1),
        {
            "order_lines_repeat_their_quote",
            "orders_have_all_their_lines",
            "paid_orders_gave_what_was_quoted",
        },
    ),
    "a line twice": (
        lambda: again(line(), position=2),
        {
            "order_lines_repeat_their_quote",
            "orders_have_all_their_lines",
            "paid_orders_gave_what_was_quoted",
        },
    ),
    "an order of another workspace": (
        lambda: changed(
            of(Order, "Acme", state=OrderState.PAID), workspace=Workspace.get(Workspace.name == "Looks")
        ),
        {
            "payments_ask_for_what_their_order_costs",
            "paid_orders_have_their_invoice",
            "invoices_are_of_their_sale",
            "order_lines_repeat_their_quote",
        },
    ),
    "an order paid an hour earlier": (
        lambda: changed(
            row := of(Order, "Acme", state=OrderState.PAID), given_at=row.given_at - timedelta(hours=1)
        ),
        {"invoices_are_of_their_day"},
    ),
    "an open order that was paid": (
        lambda: changed(of(Order, "Looks"), given_at=current().clock.now()),
        {"orders_say_when_they_were_given", "paid_orders_gave_what_was_quoted"},
    ),
    "another anchor in the quote": (
        lambda: quote(set_in("lines", 0, "anchor_day", to=20)),
        {"periods_are_as_long_as_was_sold", "order_lines_repeat_their_quote"},
    ),
    "a day more of extra days": (
        lambda: quote(set_in("lines", 0, "extension", "extra_days", to=99), "Berlin", newest=True),
        {
            "periods_are_as_long_as_was_sold",
            "paid_orders_gave_what_was_quoted",
            "invoices_are_of_their_sale",
        },
    ),
    "another price per day": (
        lambda: quote(set_in("lines", 0, "extension", "rate_old_exact", to="1"), "Berlin", newest=True),
        {"periods_are_as_long_as_was_sold", "invoices_are_of_their_sale"},
    ),
    # Periods.
    "a hole before the next period": (
        lambda: changed(row := period(), end_on=row.end_on - A_DAY),
        {"periods_touch_and_never_overlap"},
    ),
    "a period into the next one": (
        lambda: changed(row := period(), end_on=row.end_on + A_DAY),
        {"periods_touch_and_never_overlap"},
    ),
    "a month more at the end": (
        lambda: changed(row := period("Wien"), end_on=row.end_on + 30 * A_DAY),
        {"periods_touch_and_never_overlap"},
    ),
    "what was given back still runs": (
        lambda: changed(row := period("Back", newest=True), end_on=row.start_on + A_DAY),
        {"periods_touch_and_never_overlap"},
    ),
    "a trial that was not cut": (
        lambda: changed(row := of(SubscriptionPeriod, "Acme"), end_on=row.end_on + A_DAY),
        {"periods_touch_and_never_overlap"},
    ),
    "a shorter base period": (
        lambda: changed(row := period("Wien"), base_end_on=row.base_end_on - A_DAY),
        {"paid_orders_gave_what_was_quoted"},
    ),
    "a period that begins earlier": (
        lambda: changed(row := period("Wien"), start_on=row.start_on - A_DAY),
        {
            "paid_orders_gave_what_was_quoted",
            "subscriptions_are_as_their_last_period",
        },
    ),
    "another amount of a period": (
        lambda: changed(period(), net_minor=1),
        {"paid_orders_gave_what_was_quoted"},
    ),
    "another price of a period": (
        lambda: changed(period(), price=other_price()),
        {"paid_orders_gave_what_was_quoted"},
    ),
    "a trial that has a price": (
        lambda: changed(of(SubscriptionPeriod, "Acme"), price=other_price()),
        {"periods_are_as_long_as_was_sold"},
    ),
    # Prices.
    "a price that was edited": (
        lambda: changed(Price.get_by_id(period("Wien").price_id), amount_minor=1),
        {"orders_cost_a_price_of_their_day"},
    ),
    "a price of another interval": (
        lambda: changed(
            Price.get_by_id(period("Wien").price_id), interval="month", valid_from=date(2020, 1, 1)
        ),
        {"orders_cost_a_price_of_their_day"},
    ),
    "a price that begins after its sale": (
        lambda: changed(Price.get_by_id(period("Wien").price_id), valid_from=date(2026, 12, 1)),
        {"orders_cost_a_price_of_their_day"},
    ),
    "a price that ended before its sale": (
        lambda: changed(
            Price.get_by_id(period("Wien").price_id),
            valid_from=date(2026, 1, 1),
            valid_until=date(2026, 11, 1),
        ),
        {"orders_cost_a_price_of_their_day"},
    ),
    # Subscriptions.
    "a later due date": (
        lambda: changed(row := subscription("Wien"), due_on=row.due_on + A_DAY),
        {"subscriptions_are_as_their_last_period"},
    ),
    "an earlier due date": (
        lambda: changed(row := subscription("Wien"), due_on=row.due_on - A_DAY),
        {"subscriptions_are_as_their_last_period"},
    ),
    "no due date at all": (
        lambda: changed(subscription("Wien"), due_on=None),
        {"subscriptions_are_as_their_last_period"},
    ),
    "another anchor day": (
        lambda: changed(subscription("Wien"), anchor_day=31),
        {"subscriptions_are_as_their_last_period"},
    ),
    "another first day": (
        lambda: changed(row := subscription("Wien"), started_on=row.started_on - A_DAY),
        {"subscriptions_are_as_their_last_period"},
    ),
    "another plan": (
        lambda: changed(subscription("Looks"), plan=Plan.get(Plan.code == "business-100")),
        {"subscriptions_are_as_their_last_period"},
    ),
    "another price of the same plan": (
        lambda: changed(
            row := subscription("Wien"),
            price=Price.get(Price.plan == row.plan, Price.interval == "month", Price.currency == "EUR"),
        ),
        {"subscriptions_are_as_their_last_period"},
    ),
    "a lower locked price": (
        lambda: changed(subscription(), locked_price_minor=1),
        {"price_locks_are_of_a_payment"},
    ),
    "a lock that lasts longer": (
        lambda: changed(row := subscription(), locked_until=row.locked_until + 3 * A_DAY),
        {"price_locks_are_of_a_payment"},
    ),
    "a lock without its end": (
        lambda: changed(subscription(), locked_until=None),
        {"price_locks_are_of_a_payment"},
    ),
    "a charge before the due date": (
        lambda: changed(row := subscription(), renew_on=row.due_on - A_DAY),
        {"renewals_wait_for_their_due_date"},
    ),
    "a renewal that never comes": (
        lambda: changed(subscription(), renew_on=None),
        {"renewals_wait_for_their_due_date"},
    ),
    "a charge though renewal is off": (
        lambda: changed(subscription(), auto_renewal=False),
        {"renewals_wait_for_their_due_date"},
    ),
    "somebody else's card": (
        lambda: changed(subscription(), payment_method=of(PaymentMethod, "Bern")),
        {"renewals_wait_for_their_due_date"},
    ),
    "a cancelled workspace plan": (
        lambda: changed(row := subscription("Wien"), cancelled_at=row.created_at),
        {"cancelled_subscriptions_wait_for_nothing"},
    ),
    "a renewal of what was cancelled": (
        lambda: changed(row := subscription(), cancelled_at=row.created_at),
        {"cancelled_subscriptions_wait_for_nothing"},
    ),
    "fewer licences of what was cancelled": (
        lambda: changed(row := licences("Bern"), cancelled_at=row.created_at, scheduled_quantity=1),
        {"cancelled_subscriptions_wait_for_nothing"},
    ),
    "what was cancelled would be charged too early": (
        lambda: changed(row := licences("Bern"), cancelled_at=row.created_at, renew_on=row.due_on - A_DAY),
        {"renewals_wait_for_their_due_date"},
    ),
    "a subscription to another product": (
        lambda: changed(subscription("Looks"), product=Product.get(Product.kind == "licensed")),
        {"workspaces_have_one_subscription_a_product"},
    ),
    # Payments and refunds.
    "a payment of less": (
        lambda: changed(of(Payment, "Wien"), amount_minor=1),
        {
            "payments_ask_for_what_their_order_costs",
            "paid_orders_have_one_succeeded_payment",
            "charges_are_in_the_books",
            "entries_repeat_their_cause",
        },
    ),
    "a payment of another workspace": (
        lambda: changed(of(Payment, "Wien"), workspace=Workspace.get(Workspace.name == "Looks")),
        {"payments_ask_for_what_their_order_costs", "entries_repeat_their_cause"},
    ),
    "a payment under another key": (
        lambda: changed(of(Payment, "Wien"), key="another"),
        {"charges_are_in_the_books", "succeeded_payments_are_charges"},
    ),
    "a payment by another card": (
        lambda: changed(of(Payment, "Wien"), last4="0000"),
        {"invoices_are_of_their_sale"},
    ),
    "a payment by somebody else's card": (
        lambda: changed(of(Payment, "Acme", newest=True), method=of(PaymentMethod, "Bern")),
        {"payments_charge_methods_of_their_workspace"},
    ),
    "a dispute that stopped nothing": (
        lambda: Dispute.create(
            workspace=(paid := of(Payment, "Acme", newest=True)).workspace,
            payment=paid,
            event_id="event",
            payload="{}",
            opened_at=A_LONG_TIME_AGO,
            created_at=A_LONG_TIME_AGO,
        ),
        {"disputes_are_as_the_gateway_has_them", "disputed_methods_are_stopped"},
    ),
    "a payment that was never settled": (
        lambda: changed(of(Payment, "Wien"), settled_at=None),
        {"open_money_is_asked_about"},
    ),
    "an open payment that nobody asks about": (
        lambda: changed(of(Payment, "Waits"), look_up_at=None),
        {"open_money_is_asked_about"},
    ),
    "an open payment that is forgotten": (
        lambda: changed(
            of(Payment, "Waits"),
            state=PaymentState.DECLINED,
            look_up_at=None,
            settled_at=current().clock.now(),
        ),
        {"placed_orders_have_a_waiting_payment", "charges_are_in_the_books"},
    ),
    "a refund of less": (
        lambda: changed(of(Refund, "Back"), amount_minor=1),
        {
            "refunds_are_of_what_their_lines_cost",
            "refunds_are_as_the_gateway_has_them",
            "entries_repeat_their_cause",
            "allocations_cover_no_more_than_both_sides",
        },
    ),
    "a refund that was refused after all": (
        lambda: changed(of(Refund, "Back"), state=RefundState.REFUSED),
        {
            "refunded_lines_were_paid_back_once",
            "refunds_have_their_credit_note",
            "refunds_are_as_the_gateway_has_them",
            "entries_repeat_their_cause",
        },
    ),
    "a refund that is still asked for": (
        lambda: changed(row := of(Refund, "Back"), ask_again_at=row.created_at),
        {"open_money_is_asked_about"},
    ),
    "a payment taken out, and out of the ledger": (
        lambda: (delete(entry(PAID, "Wien")), delete(of(Payment, "Wien"))),
        {
            "paid_orders_have_one_succeeded_payment",
            "charges_are_in_the_books",
            "paid_invoices_are_allocated_in_full",
        },
    ),
    # The ledger.
    "an entry of less, and what it covers": (
        lambda: [changed(row, amount_minor=row.amount_minor - 1) for row in (entry(PAID), allocation())],
        {"entries_repeat_their_cause", "paid_invoices_are_allocated_in_full"},
    ),
    "a unit moved from one invoice's entry to the next": (
        lambda: [
            changed(row, amount_minor=row.amount_minor + more)
            for row, more in ((entry(INVOICED), 1), (entry(INVOICED, newest=True), -1))
        ],
        {"entries_repeat_their_cause"},
    ),
    "an entry in another currency": (
        lambda: changed(entry(PAID), currency="USD"),
        {"entries_repeat_their_cause", "allocations_cover_no_more_than_both_sides"},
    ),
    "an entry of another workspace": (
        lambda: changed(entry(PAID), workspace=Workspace.get(Workspace.name == "Looks")),
        {"entries_repeat_their_cause", "allocations_cover_no_more_than_both_sides"},
    ),
    "an invoice's entry of another workspace": (
        lambda: changed(entry(INVOICED), workspace=Workspace.get(Workspace.name == "Looks")),
        {"entries_repeat_their_cause"},
    ),
    "a credit note's entry of another workspace": (
        lambda: changed(entry(CREDITED, "Back"), workspace=Workspace.get(Workspace.name == "Looks")),
        {"entries_repeat_their_cause", "allocations_cover_no_more_than_both_sides"},
    ),
    "an entry of an hour earlier": (
        lambda: changed(row := entry(INVOICED), made_at=row.made_at - timedelta(hours=1)),
        {"entries_repeat_their_cause"},
    ),
    "an entry of a payment on its way": (
        lambda: BalanceEntry.create(
            workspace=(row := of(Payment, "Waits")).workspace,
            currency=row.currency,
            amount_minor=row.amount_minor,
            kind=PAID,
            payment=row,
            after_minor=0,
            made_at=row.created_at,
        ),
        {"entries_repeat_their_cause"},
    ),
    "a credit note as an invoice": (
        lambda: changed(row := entry(CREDITED, "Back"), kind=INVOICED, amount_minor=-row.amount_minor),
        {"entries_repeat_their_cause", "allocations_cover_no_more_than_both_sides"},
    ),
    "a credit of more": (
        lambda: changed(
            row := of(Credit, "Bern", newest=True, takes_back=None), amount_minor=row.amount_minor + 1
        ),
        {"entries_repeat_their_cause"},
    ),
    "a credit without its entry": (
        lambda: delete(of(BalanceEntry, "Bern", kind=BalanceEntryKind.CREDIT, newest=True)),
        {"every_document_and_payment_has_its_entry"},
    ),
    "a credit of an hour later": (
        lambda: changed(row := of(Credit, "Bern"), made_at=row.made_at + timedelta(hours=1)),
        {"entries_repeat_their_cause"},
    ),
    "a withdrawal that takes another credit": (
        lambda: changed(
            Allocation.get(Allocation.withdrawal.is_null(False)),
            entry=of(BalanceEntry, "Bern", kind=BalanceEntryKind.CREDIT, newest=True),
        ),
        {"withdrawals_take_back_their_own_credit"},
    ),
    "a withdrawal that takes nothing": (
        lambda: Allocation.delete().where(Allocation.withdrawal.is_null(False)).execute(),
        {"withdrawals_take_back_their_own_credit"},
    ),
    "a withdrawal of another credit": (
        lambda: changed(of(Credit, "Bern", newest=True), takes_back=of(Credit, "Bern", amount_minor=700)),
        {"withdrawals_take_back_their_own_credit"},
    ),
    "a payment out of the ledger": (
        lambda: delete(entry(PAID)),
        {"every_document_and_payment_has_its_entry", "paid_invoices_are_allocated_in_full"},
    ),
    "a credit note out of the ledger": (
        lambda: delete(entry(CREDITED, "Back")),
        {"every_document_and_payment_has_its_entry", "refunds_are_allocated_in_full"},
    ),
    "a refund out of the ledger": (
        lambda: delete(entry(BalanceEntryKind.REFUND, "Back")),
        {"every_document_and_payment_has_its_entry"},
    ),
    "an invoice covered by somebody else's payment": (
        lambda: changed(allocation(), entry=entry(PAID, "Wien")),
        {"allocations_cover_no_more_than_both_sides"},
    ),
    "an invoice covered by the payment of another": (
        lambda: changed(allocation(), entry=entry(PAID, newest=True)),
        {"allocations_cover_no_more_than_both_sides"},
    ),
    "an invoice covered by itself": (
        lambda: changed(allocation(), entry=entry(INVOICED)),
        {"allocations_cover_no_more_than_both_sides"},
    ),
    "a credit note that is covered": (
        lambda: changed(allocation(name="Back"), invoice=of(Invoice, "Back", kind=DocumentKind.CREDIT_NOTE)),
        {"allocations_cover_no_more_than_both_sides", "paid_invoices_are_allocated_in_full"},
    ),
    "a refund of what covers an invoice": (
        lambda: changed(allocation(CREDITED, "Back"), entry=entry(PAID, "Back")),
        {"allocations_cover_no_more_than_both_sides"},
    ),
    "an invoice covered by its payment and by its credit note": (
        lambda: changed(allocation(CREDITED, "Back"), refund=None, invoice=of(Invoice, "Back")),
        {"allocations_cover_no_more_than_both_sides", "refunds_are_allocated_in_full"},
    ),
    "half of a refund from nowhere": (
        lambda: changed(row := allocation(CREDITED, "Back"), amount_minor=row.amount_minor // 2),
        {"refunds_are_allocated_in_full"},
    ),
    # Transfers.
    "a transfer out of the ledger": (
        lambda: delete(entry(BalanceEntryKind.TRANSFER, "Wien")),
        {"every_document_and_payment_has_its_entry"},
    ),
    "a transfer over a unit more": (
        lambda: changed(row := of(BankTransfer, "Wien"), amount_minor=row.amount_minor + 1),
        {"entries_repeat_their_cause"},
    ),
    "a transfer of another workspace": (
        lambda: changed(of(BankTransfer, "Wien"), workspace=Workspace.get(Workspace.name == "Looks")),
        {"entries_repeat_their_cause", "every_document_and_payment_has_its_entry"},
    ),
    "a transfer in the ledger that is parked": (
        lambda: changed(of(BankTransfer, "Wien"), state="parked"),
        {"entries_repeat_their_cause"},
    ),
    "a transfer that was taken back by nobody": (
        lambda: changed(of(BankTransfer, "Bern", is_debit=True), takes_back=None),
        {"returned_transfers_are_taken_back_in_full"},
    ),
    "a transfer that was taken back and is matched": (
        lambda: changed(of(BankTransfer, "Bern"), state="matched"),
        {"returned_transfers_are_taken_back_in_full"},
    ),
    "a transfer that was taken back and is kept": (
        lambda: delete(Allocation.get(Allocation.transfer.is_null(False))),
        {"returned_transfers_are_taken_back_in_full"},
    ),
    "a transfer taken back out of the ledger": (
        lambda: delete(entry(BalanceEntryKind.TRANSFER_RETURN, "Bern")),
        {"allocations_cover_no_more_than_both_sides", "every_document_and_payment_has_its_entry"},
    ),
    "an invoice uncovered by a payment": (
        lambda: again(row := allocation(), amount_minor=-row.amount_minor),
        {"allocations_cover_no_more_than_both_sides", "paid_invoices_are_allocated_in_full"},
    ),
    # Corrections.
    "a replaced invoice that names another one": (
        lambda: changed(of(Invoice, "Wrong"), replaced_by=of(Invoice, "Acme")),
        {
            "replaced_invoices_are_credited_whole_at_once",
            "replacing_invoices_say_what_they_replace",
        },
    ),
    "invoices that replace each other": (
        lambda: changed(replacing(), replaced_by=of(Invoice, "Wrong")),
        {
            "paid_orders_have_their_invoice",
            "replaced_invoices_are_credited_whole_at_once",
            "replaced_invoices_are_covered_by_their_credit_note",
            "replacing_invoices_say_what_they_replace",
        },
    ),
    "a replaced invoice that is credited later": (
        lambda: changed(row := its_credit_note(), issued_at=row.issued_at + timedelta(minutes=1)),
        {"replaced_invoices_are_credited_whole_at_once", "entries_repeat_their_cause"},
    ),
    "a replaced invoice that is credited again": (
        lambda: again(its_credit_note(), number="CN-2026-000005", sequence=5),
        {
            "replaced_invoices_are_credited_whole_at_once",
            "credits_never_exceed_their_invoice_lines",
            "numbers_have_no_gap",
            "invoices_promised_their_documents",
            "issued_invoices_are_unchanged",
            "every_document_and_payment_has_its_entry",
        },
    ),
    "an invoice that forgot whose details it has": (
        lambda: changed(replacing(), details=None),
        {
            "replacing_invoices_say_what_they_replace",
            "invoices_are_of_their_sale",
            "invoices_are_of_their_day",
        },
    ),
    "an invoice with other corrected details": (
        lambda: changed(row := replacing(), details={**row.details, "company_name": "Evil SARL"}),
        {"replacing_invoices_say_what_they_replace", "invoices_are_of_their_sale"},
    ),
    "corrected details that the law taxes otherwise": (
        lambda: changed(row := replacing(), details={**row.details, "vat_status": "valid", "country": "DE"}),
        {
            "replacing_invoices_say_what_they_replace",
            "invoices_are_of_their_sale",
            "taxes_are_as_the_law_says",
        },
    ),
    "an invoice that says it replaces another one": (
        lambda: other_facts(replacing(), set_in("replaces", "number", to="INV-2026-000001")),
        {"replacing_invoices_say_what_they_replace"},
    ),
    "an invoice that replaces one of another seller": (
        lambda: other_facts(replacing(), set_in("seller", "name", to="Another")),
        {"replacing_invoices_say_what_they_replace"},
    ),
    "a replaced invoice whose credit note names another new one": (
        lambda: other_facts(its_credit_note(), set_in("replaced_by", to="INV-2026-000001")),
        {"replacing_invoices_say_what_they_replace"},
    ),
    "a replaced invoice whose credit note sends money back": (
        lambda: other_facts(
            its_credit_note(),
            lambda facts: facts.update(payment=of(Invoice, "Wrong").facts["payment"], due_minor=0),
        ),
        {"credit_notes_mirror_their_invoice"},
    ),
    "a payment that covers the replaced invoice still": (
        lambda: delete(covering(PAID, of(Invoice, "Wrong"), uncovers=True)),
        {
            "allocations_cover_no_more_than_both_sides",
            "replaced_invoices_are_covered_by_their_credit_note",
        },
    ),
    "a payment that covers neither of the two": (
        lambda: delete(covering(PAID, replacing())),
        {"paid_invoices_are_allocated_in_full"},
    ),
    "a replaced invoice that its credit note does not cover": (
        lambda: delete(covering(CREDITED, of(Invoice, "Wrong"))),
        {"paid_invoices_are_allocated_in_full", "replaced_invoices_are_covered_by_their_credit_note"},
    ),
    # Licences.
    "more licences than were paid": (
        lambda: assign("Bern", *others("Bern", 2)),
        {LICENCES},
    ),
    "a licence of another workspace": (
        lambda: assign("Bern", of(Member, "Acme")),
        {LICENCES},
    ),
    "a licence of somebody who is disabled": (
        lambda: assign("Bern", *others("Bern", 1, status="disabled")),
        {LICENCES},
    ),
    "a licence of a workspace plan": (
        lambda: assign("Acme", of(Member, "Acme")),
        {LICENCES},
    ),
    "a licensed subscription without its key": (
        lambda: changed(Product.get(Product.code == "meetings"), licence_keys=True),
        {LICENCE_KEYS},
    ),
    "a licence key of a workspace plan": (
        lambda: a_key(subscription("Acme")),
        {LICENCE_KEYS},
    ),
    "a licence key that was activated after its end": (
        lambda: a_key(licences("Bern"), activated_at=current().clock.now(), replaced_at=A_LONG_TIME_AGO),
        {LICENCE_KEYS},
    ),
    # People, promises, the log.
    "a contact who is a member of another workspace": (
        lambda: a_contact(Workspace.get(Workspace.name == "Wien"), of(Member, "Acme")),
        {"contacts_are_of_their_own_workspace"},
    ),
    "a workspace without an owner": (
        lambda: changed(of(Member, "Looks"), role="admin"),
        {"workspaces_have_an_owner"},
    ),
    "an owner who is disabled": (
        lambda: changed(of(Member, "Looks"), status="disabled"),
        {"workspaces_have_an_owner"},
    ),
    "a letter that was given up": (
        lambda: changed(row := OutboxMessage.get(OutboxMessage.topic == "mail"), parked_at=row.created_at),
        {"promises_are_kept_or_tried_again"},
    ),
    "another amount in the log": (
        lambda: changed(
            row := of(AuditEntry, "Wien", action="payment.succeeded"),
            changes={**row.changes, "amount_minor": 1},
        ),
        {"audit_entries_are_chained"},
    ),
    "another time in the log": (
        lambda: changed(row := of(AuditEntry, "Wien"), at=row.at + A_DAY),
        {"audit_entries_are_chained"},
    ),
    "an act taken out of the log": (
        lambda: delete(of(AuditEntry, "Wien", action="order.placed")),
        {"audit_entries_are_chained"},
    ),
}
