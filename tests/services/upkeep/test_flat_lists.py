"""A page of a list costs the same however long the list is, also before the database knows its tables.

What is counted is work, not time: instructions of SQLite, and rows that PostgreSQL touches. PostgreSQL may
know nothing of its tables yet, right after a restore, or only what they were before much was written. It may
read a list whole then, by an index and in the order that is wanted, and never another for each row of it.
"""

import json
import logging
from datetime import timedelta

import pytest
from peewee import fn

from portal.database.connecting import database, is_postgresql, transaction
from portal.domain.vocabulary import HistoryKind, MemberStatus
from portal.models import (
    AuditEntry,
    BalanceEntry,
    Invoice,
    Licence,
    Member,
    NonprofitRequest,
    Order,
    Payment,
    Person,
    Subscription,
    Workspace,
    table_names,
)
from portal.services import operator
from portal.services.invoices import history, movements
from portal.services.invoices.movements import Cursor
from portal.services.members import roster
from portal.services.people import own_orders
from portal.services.renewals import run
from portal.services.subscriptions import agreement, licences, nonprofit
from tests import factories
from tests.conftest import TODAY
from tests.licensed import tried
from tests.paying import buy

MANY = 20_000
FEW = 3_000
"""Rows, or tens of SQLite's instructions: some dozen for each row that is shown, and the list of plans."""
WHOLE = 3 * MANY
"""A list read by an index, its rows, and their order; no other list beside it."""
OWN_ORDERS_WHOLE = WHOLE + 2 * MANY
"""Two indexes are read, and who may enter where is asked of each order."""
WITHOUT_A_LICENCE_WHOLE = WHOLE + 2 * MANY
"""Members and licences are read, and put together."""
MOVEMENTS_WHOLE = 2 * WHOLE + 4 * MANY
"""Ledger and audit log are read, and of each payment the document is looked up in whose row it is told."""
SIZE = 50
LATER = TODAY + timedelta(days=1000)


def copies(model, row, count, **different):
    """So many copies of a row, made by the database. `different`: SQL over `k` for some columns."""
    columns = [field.column_name for field in model._meta.sorted_fields if field.name != "id"]
    values = ", ".join(different.get(column, f't."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    series = f"generate_series(1, {count}) AS s(k)"
    if not is_postgresql():
        numbers = f"WITH RECURSIVE s(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM s WHERE k < {count})"
        series = f"({numbers} SELECT k FROM s)"
    database.execute_sql(
        f'INSERT INTO "{model._meta.table_name}" ({names}) '
        f'SELECT {values} FROM "{model._meta.table_name}" AS t, {series} WHERE t.id = {row.id}'
    )


@pytest.fixture
def no_other_statistics(database):
    """None but those that the test gathers: autovacuum would gather some at any moment."""
    if is_postgresql():
        for name in table_names():
            database.execute_sql(f'ALTER TABLE "{name}" SET (autovacuum_enabled = off)')
    yield
    if is_postgresql():
        for name in table_names():
            database.execute_sql(f'ALTER TABLE "{name}" RESET (autovacuum_enabled)')


@pytest.fixture
def long_lists(no_other_statistics, place):
    """Acme has 20 000 of everything, and stands among as many other workspaces, people and requests.

    What PostgreSQL knows of its tables it learnt while they were short.
    """
    payment = buy(place)
    if is_postgresql():
        # Other tests leave long files of rows that are gone: their emptiness would be learnt, and kept.
        tables = ", ".join(f'"{name}"' for name in table_names())
        database.execute_sql(f"VACUUM (FULL, ANALYZE) {tables}")
    order, invoice = payment.order, Invoice.get()
    member = Member.get(Member.workspace == place.workspace)
    copies(Order, order, MANY, number="'o' || k")
    first = Order.select().where(Order.number == "o1").get().id
    its_order = f"{first} + k - 1"
    copies(Payment, payment, MANY, key="'k' || k", order_id=its_order)
    copies(
        Invoice,
        invoice,
        MANY,
        order_id=its_order,
        number="'INV-' || k",
        sequence="k + 10",
        series="'LONG'",
    )
    first_payment = Payment.get(Payment.key == "k1").id
    first_invoice = Invoice.get(Invoice.number == "INV-1").id
    of_payment, of_invoice = BalanceEntry.get(kind="payment"), BalanceEntry.get(kind="invoice")
    copies(BalanceEntry, of_payment, MANY, payment_id=f"{first_payment} + k - 1")
    copies(BalanceEntry, of_invoice, MANY, invoice_id=f"{first_invoice} + k - 1")
    copies(Person, Person.get_by_id(member.person_id), MANY, email="'p' || k || '@x.test'")
    first = Person.get(Person.email == "p1@x.test").id
    copies(Member, member, MANY, person_id=f"{first} + k - 1", role="'member'")
    first = Member.select(fn.MAX(Member.id)).scalar() - MANY + 1
    trial = tried(place)
    Subscription.update(quantity=MANY).where(Subscription.id == trial.id).execute()
    licence = Licence.create(subscription=trial, member=member, assigned_at=TODAY)
    copies(Licence, licence, MANY // 2, member_id=f"{first} + 2 * k - 1")
    copies(
        Workspace, place.workspace, MANY, slug="'w' || k", customer_number="'W-' || k", name="'Other ' || k"
    )
    first = Workspace.get(Workspace.slug == "w1").id
    subscription = Subscription.get(Subscription.workspace == place.workspace)
    copies(Subscription, subscription, MANY, workspace_id=f"{first} + k - 1")
    entry = AuditEntry.select().order_by(AuditEntry.id).first()
    copies(AuditEntry, entry, MANY, sequence="k + 1000", workspace_id=f"{first} + k - 1")
    copies(
        AuditEntry,
        entry,
        MANY,
        sequence="k + 1000",
        workspace_id=str(place.workspace.id),
        action="'member.invited'",
        subject=f"'{member.id}'",
    )
    request = factories.a_nonprofit_request()
    copies(NonprofitRequest, request, MANY, email="'n' || k || '@x.test'")
    return place


class Work(logging.Handler):
    """Keeps the statements of an act."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.sent = []

    def emit(self, record):
        if isinstance(record.msg, tuple):
            self.sent.append(record.msg)


def work_of(act):
    return _rows_touched(act) if is_postgresql() else _instructions(act)


def _instructions(act):
    steps = 0

    def count():
        nonlocal steps
        steps += 1
        return 0

    connection = database.connection()
    connection.set_progress_handler(count, 100)
    try:
        found = act()
    finally:
        connection.set_progress_handler(None, 0)
    return found, steps * 10


def _rows_touched(act):
    work, logger = Work(), logging.getLogger("peewee")
    before = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(work)
    try:
        found = act()
    finally:
        logger.removeHandler(work)
        logger.setLevel(before)
    touched = 0
    for sql, params in work.sent:
        [[plan]] = database.execute_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params).fetchall()
        plan = json.loads(plan) if isinstance(plan, str) else plan
        touched += sum(_touched(node) for node in _nodes(plan[0]["Plan"]))
    return found, touched


def _nodes(node):
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _touched(node):
    removed = (node.get(f"Rows Removed by {how}", 0) for how in ("Filter", "Join Filter", "Index Recheck"))
    return (node["Actual Rows"] + sum(removed)) * node["Actual Loops"]


def the_history(place, before):
    return history.page_of(place.workspace, size=SIZE, before=before).rows


def the_movements(place, before, **wanted):
    """Documents, members, and both; what was paid at once has no row of its own."""
    entry = BalanceEntry.select(fn.MAX(BalanceEntry.id)).scalar()
    event = AuditEntry.select(fn.MAX(AuditEntry.id)).scalar()
    cursor = Cursor(entry - before, event - before) if before else None
    return movements.page_of(place.workspace, size=SIZE, before=cursor, **wanted).rows


def the_charges_of_a_year(place, before):
    return the_movements(place, before, kind=HistoryKind.CHARGES, year=TODAY.year)


def the_changes_of_members(place, before):
    return the_movements(place, before, kind=HistoryKind.MEMBERS)


def the_own_orders(place, before):
    return own_orders.orders_of(place.member.person, size=SIZE, before=before).rows


def the_members(place, before):
    return roster.list_members(place.workspace, before=before, limit=SIZE).rows


def the_users(place, before):
    return roster.list_members(place.workspace, status=MemberStatus.ACTIVE, before=before, limit=SIZE).rows


def the_licences(place, before, **asked):
    meetings = agreement.all_of(place.workspace)[1]
    return licences.list_members(meetings, before=before, limit=SIZE, **asked).rows


def the_licences_held(place, before):
    return the_licences(place, before, holds=True)


def the_members_without_a_licence(place, before):
    return the_licences(place, before, holds=False)


def the_workspaces(place, before):
    return operator.workspaces(search="", before=before, size=SIZE, now=TODAY).rows


def the_attempts(place, before):
    return operator.attempts(place.workspace, limit=SIZE)


def the_requests(place, before):
    return nonprofit.requests(state=None, before=before, size=SIZE)


def the_undecided_requests(place, before):
    return nonprofit.requests(state=nonprofit.NonprofitState.RECEIVED, before=before, size=SIZE)


def the_due(place, before):
    """What a run takes at once, the longest waiting first."""
    with transaction():
        return list(run.free_to_change(run.subscriptions_due(LATER).limit(SIZE)))


LISTS = [
    the_history,
    the_movements,
    the_charges_of_a_year,
    the_changes_of_members,
    the_own_orders,
    the_members,
    the_users,
    the_licences,
    the_licences_held,
    the_members_without_a_licence,
    the_workspaces,
    the_attempts,
    the_requests,
    the_undecided_requests,
    the_due,
]


def costs_of(place):
    """The first page of each list and one in the middle."""
    cost = {}
    for one_list in LISTS:
        for before in (None, MANY // 2):
            rows, cost[one_list.__name__, before] = work_of(
                lambda one_list=one_list, before=before: one_list(place, before)
            )
            assert len(rows) == SIZE, one_list
    return cost


def above(limit, cost):
    return {name: work for name, work in cost.items() if work > limit}


def above_whole(cost):
    limits = {
        the_movements.__name__: MOVEMENTS_WHOLE,
        the_charges_of_a_year.__name__: MOVEMENTS_WHOLE,
        the_own_orders.__name__: OWN_ORDERS_WHOLE,
        the_members_without_a_licence.__name__: WITHOUT_A_LICENCE_WHOLE,
    }
    return {key: work for key, work in cost.items() if work > limits.get(key[0], WHOLE)}


def forget_statistics():
    """As right after a restore."""
    ours = "SELECT oid FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    with transaction():
        database.execute_sql("SET LOCAL allow_system_table_mods = on")
        database.execute_sql(f"DELETE FROM pg_statistic WHERE starelid IN ({ours})")
        database.execute_sql(f"UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid IN ({ours})")


def test_each_page_of_a_list_costs_the_same_at_any_length(long_lists):
    if is_postgresql():
        assert above_whole(costs_of(long_lists)) == {}, "by statistics of short tables"
        forget_statistics()
        assert above_whole(costs_of(long_lists)) == {}, "without statistics"
        database.execute_sql("ANALYZE")
    assert above(FEW, costs_of(long_lists)) == {}


def test_orders_that_nobody_finished_make_no_page_dearer(long_lists):
    """They are newer than all others, and fill each page that is asked for here."""
    newest = Order.select().order_by(Order.id.desc()).get()
    copies(Order, newest, MANY, number="'u' || k", state="'open'")
    if is_postgresql():
        database.execute_sql("ANALYZE")
    person = long_lists.member.person
    for before in (None, newest.id + MANY // 2):
        hidden, work = work_of(lambda before=before: own_orders.orders_of(person, size=SIZE, before=before))
        assert (hidden.rows, hidden.not_finished, hidden.older is None) == ([], 2 * SIZE, False)
        assert work <= FEW
        shown, work = work_of(
            lambda before=before: own_orders.orders_of(
                person, size=SIZE, before=before, with_not_finished=True
            )
        )
        assert (len(shown.rows), shown.not_finished) == (SIZE, SIZE)
        assert work <= FEW


def test_deletions_are_found_without_reading_the_whole_log(long_lists):
    workspace = Workspace.get(Workspace.slug == "w7")
    Workspace.update(deleted_at=TODAY).where(Workspace.id == workspace.id).execute()
    last = AuditEntry.get(AuditEntry.workspace == workspace)
    AuditEntry.update(action="workspace.deleted", changes={"why": "owner"}).where(
        AuditEntry.id == last.id
    ).execute()
    for before in (None, last.id):
        rows, work = work_of(lambda before=before: operator.deletions(before=before, size=SIZE))
        assert len(rows) == (before is None)
        assert work <= FEW
