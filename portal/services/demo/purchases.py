"""The rows of what the demo's customers bought: orders, payments, numbered invoices, periods."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from portal.database.rows import chunks, take_ids
from portal.documents.notes import notes_of
from portal.domain import ledger
from portal.domain.exchange_rates import ExchangeRate, sandbox_rate
from portal.domain.frozen_quote import frozen_lines
from portal.domain.invoicing import Paid, invoice_facts, needs_exchange_rate
from portal.domain.money import Money
from portal.domain.pricing import facts_hash
from portal.domain.vocabulary import BalanceEntryKind, DocumentKind, OrderState, PaymentState
from portal.gateways.base import Succeeded
from portal.models import (
    Allocation,
    BalanceEntry,
    Invoice,
    NumberSeries,
    Order,
    OrderLine,
    OutboxMessage,
    Payment,
    SubscriptionPeriod,
)
from portal.runtime import current
from portal.services.invoices import issuing

from .accounts import Account, DemoMethod, Purchase
from .customers import Written
from .rows import insert

Number = tuple[str, int]


def write_purchases(
    purchases: Iterable[Purchase],
    written: Written,
    *,
    plan_ids: Mapping[str, int],
    paid: Mapping[str, Succeeded],
) -> None:
    """Orders, payments, invoices numbered as they happened, periods, kept promises of their documents."""
    for chunk in chunks(purchases):
        order_ids, line_ids = take_ids(Order, len(chunk)), take_ids(OrderLine, len(chunk))
        invoice_ids = take_ids(Invoice, len(chunk))
        numbers = _take_numbers(chunk)
        insert(Order, [_order(each, i, written) for each, i in zip(chunk, order_ids, strict=True)])
        insert(
            OrderLine,
            [
                _line(purchase, line_id, order_id, written)
                for purchase, line_id, order_id in zip(chunk, line_ids, order_ids, strict=True)
            ],
        )
        payments = [
            _payment(each, payment_id, order_id, written, paid[each.number])
            for each, payment_id, order_id in zip(
                chunk, take_ids(Payment, len(chunk)), order_ids, strict=True
            )
        ]
        insert(Payment, payments)
        rows = [
            _invoice(purchase, invoice_id, order_id, number, written)
            for purchase, invoice_id, order_id, number in zip(
                chunk, invoice_ids, order_ids, numbers, strict=True
            )
        ]
        insert(Invoice, rows)
        insert(OutboxMessage, [_kept_promise(row) for row in rows])
        _write_ledger(rows, payments)
        insert(
            SubscriptionPeriod,
            [
                row
                for each, i in zip(chunk, line_ids, strict=True)
                for row in _periods(each, i, written, plan_ids)
            ],
        )


def _order(purchase: Purchase, order_id: int, written: Written) -> dict[str, Any]:
    account, quote = purchase.account, purchase.quote
    return {
        "id": order_id,
        "number": purchase.number,
        "workspace": written.workspaces[account.slug],
        "person": written.owners[account.slug],
        "state": OrderState.PAID,
        "display_currency": quote.currency,
        "currency": quote.currency,
        "method_kind": _method(account).kind,
        "details": _order_details(account),
        "quote": quote.facts,
        "quote_hash": quote.hash,
        "net_minor": quote.net.minor,
        "tax_minor": quote.tax_amount.minor,
        "total_minor": quote.total.minor,
        "auto_renewal": purchase.saves,
        "created_at": purchase.at,
        "given_at": purchase.at,
    }


def _line(purchase: Purchase, line_id: int, order_id: int, written: Written) -> dict[str, Any]:
    line = purchase.quote.only_line
    return {
        "id": line_id,
        "order": order_id,
        "position": 1,
        "kind": line.kind,
        "subscription": written.subscriptions[purchase.account.slug],
        "plan": line.offer.plan_id,
        "price": line.offer.price_id,
        "interval": line.offer.interval,
        "quantity": line.quantity,
        "start_on": line.period.start,
        "base_end_on": line.period.end,
        "end_on": line.due_on,
        "anchor_day": line.anchor_day,
        "net_minor": line.net.minor,
        "tax_minor": line.tax_amount.minor,
    }


def _payment(
    purchase: Purchase, payment_id: int, order_id: int, written: Written, outcome: Succeeded
) -> dict[str, Any]:
    account, method = purchase.account, _method(purchase.account)
    return {
        "id": payment_id,
        "key": purchase.key,
        "workspace": written.workspaces[account.slug],
        "order": order_id,
        "gateway": "sandbox",
        "amount_minor": outcome.amount_minor,
        "currency": outcome.currency,
        "state": PaymentState.SUCCEEDED,
        "reference": outcome.reference,
        "method_kind": method.kind,
        "brand": method.brand,
        "last4": method.last4,
        "payer_name": account.owner.name,
        "payer_email": account.owner.email,
        "created_at": purchase.at,
        "settled_at": purchase.at,
    }


def _invoice(
    purchase: Purchase, invoice_id: int, order_id: int, number: tuple[str, int], written: Written
) -> dict[str, Any]:
    account, quote, (series, sequence) = purchase.account, purchase.quote, number
    runtime, method = current(), _method(account)
    issued_on = issuing.sellers_day(purchase.at)
    facts = invoice_facts(
        number=f"{series}-{sequence:06d}",
        issued_on=issued_on,
        due_on=issued_on,
        quote=quote.facts,
        notes=[notes_of(line) for line in frozen_lines(quote.facts)],
        details=_order_details(account),
        seller=runtime.settings.seller.facts,
        workspace_name=account.name,
        customer_number=f"C-{written.workspaces[account.slug]:06d}",
        order_number=purchase.number,
        language=account.language,
        paid=Paid(
            method=method.kind,
            brand=method.brand,
            last4=method.last4,
            on=issued_on,
            processor=runtime.gateways["sandbox"].capabilities().processor_name,
        ),
        exchange_rate=_exchange_rate(quote.tax_amount, issued_on),
    )
    return {
        "id": invoice_id,
        "workspace": written.workspaces[account.slug],
        "order": order_id,
        "kind": DocumentKind.INVOICE,
        "series": series,
        "sequence": sequence,
        "number": facts["number"],
        "issued_on": issued_on,
        "issued_at": purchase.at,
        "currency": quote.currency,
        "net_minor": quote.net.minor,
        "tax_minor": quote.tax_amount.minor,
        "total_minor": quote.total.minor,
        "facts": facts,
        "facts_hash": facts_hash(facts),
    }


def _exchange_rate(tax: Money, issued_on: date) -> ExchangeRate | None:
    """A make-believe one, which says so in its source."""
    base = current().settings.seller.currency
    if not needs_exchange_rate(tax.currency, tax_minor=tax.minor, seller_currency=base):
        return None
    return sandbox_rate(base, tax.currency, issued_on)


def _write_ledger(invoices: Sequence[Mapping[str, Any]], payments: Sequence[Mapping[str, Any]]) -> None:
    """Each invoice, and the payment that covers the whole of it."""
    entry_ids = take_ids(BalanceEntry, 2 * len(invoices))
    entries, allocations = [], []
    for place, (invoice, payment) in enumerate(zip(invoices, payments, strict=True)):
        invoiced_id, paid_id = entry_ids[2 * place : 2 * place + 2]
        total = Money(invoice["total_minor"], invoice["currency"])
        for entry_id, kind, invoice_id, payment_id in (
            (invoiced_id, BalanceEntryKind.INVOICE, invoice["id"], None),
            (paid_id, BalanceEntryKind.PAYMENT, None, payment["id"]),
        ):
            entries.append(
                {
                    "id": entry_id,
                    "workspace": invoice["workspace"],
                    "currency": total.currency,
                    "amount_minor": ledger.signed(kind, total).minor,
                    # Each purchase is paid at once, and nothing is kept beside it.
                    "after_minor": -total.minor if kind == BalanceEntryKind.INVOICE else 0,
                    "kind": kind,
                    "invoice": invoice_id,
                    "payment": payment_id,
                    "made_at": invoice["issued_at"],
                }
            )
        allocations.append({"entry": paid_id, "invoice": invoice["id"], "amount_minor": total.minor})
    insert(BalanceEntry, entries)
    insert(Allocation, allocations)


def _kept_promise(invoice: Mapping[str, Any]) -> dict[str, Any]:
    """The promise of the documents, counted as kept: each is made when somebody first asks for it."""
    return {
        "topic": "prepare_documents",
        "key": invoice["number"],
        "payload": {"invoice_id": invoice["id"]},
        "run_at": invoice["issued_at"],
        "attempts": 1,
        "done_at": invoice["issued_at"],
        "created_at": invoice["issued_at"],
    }


def _periods(
    purchase: Purchase, line_id: int, written: Written, plan_ids: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    """What the order gave, cut where the next one begins; then what it had on that day free of charge."""
    line = purchase.quote.only_line
    paid = {
        "subscription": written.subscriptions[purchase.account.slug],
        "plan": line.offer.plan_id,
        "price": line.offer.price_id,
        "line": line_id,
        "start_on": line.period.start,
        "base_end_on": line.period.end,
        "end_on": min(line.due_on, purchase.cut_on or line.due_on),
        "net_minor": line.net.minor,
        "currency": line.net.currency,
        "created_at": purchase.at,
    }
    yield paid
    if purchase.then_on is not None:
        free = {"plan": plan_ids[purchase.then_on], "price": None, "line": None, "base_end_on": None}
        on = {"start_on": purchase.cut_on, "end_on": purchase.cut_on}
        yield {**paid, **free, **on, "net_minor": 0, "currency": None}


def _order_details(account: Account) -> dict[str, Any]:
    assert account.details is not None, "who bought has details"
    return account.details.as_ordered(account.language)


def _method(account: Account) -> DemoMethod:
    assert account.method is not None, "who bought has a method"
    return account.method


def _take_numbers(purchases: Sequence[Purchase]) -> list[Number]:
    """The next numbers of each year's series, whose rows stay locked until the transaction ends."""
    years = [issuing.sellers_day(purchase.at).year for purchase in purchases]
    series = [f"{issuing.PREFIXES[DocumentKind.INVOICE]}-{year}" for year in years]
    following = {name: _reserve(name, count) for name, count in Counter(series).items()}
    taken = []
    for name in series:
        taken.append((name, following[name]))
        following[name] += 1
    return taken


def _reserve(series: str, count: int) -> int:
    """The first of `count` numbers that are now this transaction's."""
    NumberSeries.insert(name=series).on_conflict(
        action="NOTHING", conflict_target=[NumberSeries.name]
    ).execute()
    [row] = (
        NumberSeries.update(next_number=NumberSeries.next_number + count)
        .where(NumberSeries.name == series)
        .returning(NumberSeries.next_number)
        .execute()
    )
    return int(row.next_number) - count
