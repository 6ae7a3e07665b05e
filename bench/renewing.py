"""A database with so many subscriptions whose renewal is due on one day: one real purchase, copied by SQL.

The copies' charges are in no ledger, and only what the run reads and the indexes weigh is copied.
"""

from datetime import UTC, datetime, time
from typing import Any

from portal import runtime
from portal.clock import ShiftedClock
from portal.database import connecting as database
from portal.database.columns import Model
from portal.database.connecting import is_postgresql, transaction
from portal.gateways.base import Gateway
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
    table_names,
)
from portal.settings import Settings
from tests import factories
from tests.paying import a_place, an_order, make_runtime, pay

# Each comes after those that it refers to.
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
# What may not be twice in a table, and how the copy number k makes it another.
UNLIKE = {
    (Person, "email"): "k || '-' || t.email",
    (Workspace, "slug"): "t.slug || '-' || k",
    (Workspace, "customer_number"): "'C-' || (1000000 + k)",
    (PaymentMethod, "reference"): "'method_' || k",
    (Order, "number"): "substr(t.number, 1, 8) || '-' || k",
    (Payment, "key"): "substr(t.key, 1, 20) || '-' || k",
    (Invoice, "sequence"): "t.sequence + k",
    (Invoice, "number"): "t.series || '-' || (t.sequence + k)",
    (OutboxMessage, "key"): "t.key || '-' || k",
    (OutboxMessage, "done_at"): "t.run_at",
}


def install(settings: Settings, gateway: Gateway | None = None) -> ShiftedClock:
    """This process's runtime on the real clock, movable; `gateway` in place of the sandbox."""
    clock = ShiftedClock(settings.data_dir / "clock.json")
    made = make_runtime(settings, clock)
    if gateway is not None:
        made.gateways["sandbox"] = gateway
    runtime.install(made)
    return clock


def fill(settings: Settings, count: int) -> None:
    """Migrate, and make so many workspaces with a paid plan and automatic renewal. Inside a connection."""
    install(settings)
    factories.a_catalogue()
    pay(an_order(a_place()), auto_renewal=True)
    with transaction():
        copy_each(count - 1)
    let_plan_anew()


def let_plan_anew() -> None:
    """What autovacuum does within minutes: PostgreSQL forgets plans that were made for empty tables."""
    if is_postgresql():
        database.database.execute_sql("ANALYZE")


def copy_each(count: int) -> None:
    """The rows of the only purchase there is, so many times more."""
    first_ids: dict[tuple[type[Model], int], int] = {}
    for model in COPIED:
        ids = [row_id for (row_id,) in model.select(model.id).order_by(model.id).tuples()]
        for place, row_id in enumerate(ids):
            first_ids[model, row_id] = max(ids) + 1 + place * count
            _copy(model, model.select().where(model.id == row_id).dicts().get(), first_ids, count)
    NumberSeries.update(next_number=NumberSeries.next_number + count).execute()
    if is_postgresql():
        for name in table_names(COPIED):
            database.database.execute_sql(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name}))"
            )


def _copy(
    model: type[Model], row: dict[str, Any], first_ids: dict[tuple[type[Model], int], int], count: int
) -> None:
    columns = {"id": f"{first_ids[model, row['id']]} + k - 1"}
    for field in model._meta.sorted_fields[1:]:
        refers_to = getattr(field, "rel_model", None)
        other = first_ids.get((refers_to, row[field.name])) if refers_to else None
        columns[field.column_name] = f"{other} + k - 1" if other else f"t.{field.column_name}"
    columns |= {name: unlike for (of, name), unlike in UNLIKE.items() if of is model}
    database.database.execute_sql(
        f"WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < {count})"
        f' INSERT INTO "{model._meta.table_name}" ({", ".join(columns)})'
        f' SELECT {", ".join(columns.values())} FROM "{model._meta.table_name}" t, n WHERE t.id = {row["id"]}'
    )


def go_to_the_due_date(clock: ShiftedClock) -> None:
    """Noon of the day on which every renewal is due that was not made yet."""
    due_on = Subscription.select(Subscription.due_on).order_by(Subscription.due_on.desc()).first().due_on
    clock.set(datetime.combine(due_on, time(12), tzinfo=UTC))
