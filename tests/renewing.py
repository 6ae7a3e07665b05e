"""Many workspaces whose renewal is due on one day, made by copying the rows of one real purchase."""

from typing import Any

from peewee import ModelSelect

from portal.database.columns import Model
from portal.database.connecting import transaction
from portal.database.rows import chunks, take_ids
from portal.domain.pricing import facts_hash
from portal.domain.vocabulary import OrderKind, PaymentMethodKind
from portal.gateways.base import ChargeRequest, Succeeded
from portal.models import (
    Allocation,
    BalanceEntry,
    BillingDetails,
    Invoice,
    Member,
    NumberSeries,
    Order,
    OrderLine,
    OutboxMessage,
    Payment,
    PaymentMethod,
    Person,
    Subscription,
    SubscriptionPeriod,
    Workspace,
)
from portal.services.demo.rows import insert
from portal.services.places import Place
from tests.paying import RETURN_URL, a_card, a_place, an_order, pay, the_sandbox

COPIED = (
    Person,
    Workspace,
    Member,
    BillingDetails,
    PaymentMethod,
    Subscription,
    Order,
    OrderLine,
    SubscriptionPeriod,
    Payment,
    Invoice,
    BalanceEntry,
    Allocation,
    OutboxMessage,
)


def renewal_orders() -> "ModelSelect[Order]":
    """Every order that the portal made for an automatic charge."""
    return Order.select().join(OrderLine).where(OrderLine.kind == OrderKind.RENEWAL)


def many_renewing(count: int, *, in_the_ledger: bool = True) -> Place:
    """So many workspaces with a paid plan and auto-renewal, all due in a month; the first one is returned.

    The copies' first payments and cards are in the sandbox's ledger too, unless another gateway is used.
    """
    place = a_place()
    pay(an_order(place), auto_renewal=True)
    rows = {model: list(model.select().order_by(model.id).dicts()) for model in COPIED}
    rows[OutboxMessage] = [row for row in rows[OutboxMessage] if row["topic"] == "prepare_documents"]
    [payment] = Payment.select()
    for chunk in chunks(range(1, count)):
        references = _import(chunk, payment) if in_the_ledger else {n: f"method_{n}" for n in chunk}
        with transaction():
            _copy(chunk, rows, references)
    return place


def _import(numbers: list[int], payment: Payment) -> dict[int, str]:
    """The copies' charges, with a saved card each; the cards' references."""
    past = [
        (
            ChargeRequest(
                key=f"{payment.key[:20]}-{n}",
                amount_minor=payment.amount_minor,
                currency=payment.currency,
                description="copied",
                metadata={},
                source=a_card(),
                save=True,
                return_url=RETURN_URL,
                off_session=False,
            ),
            payment.created_at,
        )
        for n in numbers
    ]
    found = {}
    for n, outcome in zip(numbers, the_sandbox().import_paid(past), strict=True):
        assert isinstance(outcome, Succeeded)
        assert outcome.method is not None
        found[n] = str(outcome.method.reference)
    return found


def _copy(
    numbers: list[int], rows: dict[type[Model], list[dict[str, Any]]], references: dict[int, str]
) -> None:
    ids: dict[tuple[type[Model], int, int], int] = {}
    for model in COPIED:
        for row in rows[model]:
            for n, new_id in zip(numbers, take_ids(model, len(numbers)), strict=True):
                ids[model, row["id"], n] = new_id
            insert(model, [_of_copy(model, row, n, ids, references) for n in numbers])
    invoice = rows[Invoice][0]
    NumberSeries.update(next_number=NumberSeries.next_number + len(numbers)).where(
        NumberSeries.name == invoice["series"]
    ).execute()


def _of_copy(
    model: type[Model],
    row: dict[str, Any],
    n: int,
    ids: dict[tuple[type[Model], int, int], int],
    references: dict[int, str],
) -> dict[str, Any]:
    copy = dict(row)
    for field in model._meta.sorted_fields:
        other = getattr(field, "rel_model", None)
        if other in COPIED and row[field.name] is not None:
            copy[field.name] = ids[other, row[field.name], n]
    copy["id"] = ids[model, row["id"], n]
    match model.__name__:
        case "Person":
            copy["email"] = f"{n}-{row['email']}"
        case "Workspace":
            copy |= {"slug": f"{row['slug']}-{n}", "customer_number": f"C-{1_000_000 + n}"}
        case "PaymentMethod":
            copy |= {"reference": references[n], "kind": PaymentMethodKind.CARD}
        case "Order":
            copy["number"] = f"{row['number'][:8]}{n}"
        case "Payment":
            copy |= {"key": f"{row['key'][:20]}-{n}", "reference": f"charge_{n}"}
        case "Invoice":
            number = f"{row['series']}-{row['sequence'] + n:06d}"
            facts = {
                **row["facts"],
                "number": number,
                "customer_number": f"C-{1_000_000 + n}",
                "order_number": f"{row['facts']['order_number'][:8]}{n}",
            }
            copy |= {
                "sequence": row["sequence"] + n,
                "number": number,
                "facts": facts,
                "facts_hash": facts_hash(facts),
            }
        case "OutboxMessage":
            copy |= {
                "key": f"{row['key'].rpartition('-')[0]}-{int(row['key'].rpartition('-')[2]) + n:06d}",
                "payload": {"invoice_id": copy["id"]},
                "attempts": 1,
                "done_at": row["run_at"],
            }
    return copy
