"""No page asks the database more often when there is more to show (performance.md, goal 6)."""

import logging

import pytest

from portal.database.connecting import connection
from portal.domain.vocabulary import Interval, OrderState
from portal.models import Invoice, Licence, Member, Order, Session, Workspace
from portal.services import demo
from portal.services.subscriptions import scheduled_change
from tests.conftest import TODAY
from tests.factories import a_catalogue, owner_of, seen_by
from tests.licensed import tried
from tests.pages import by_testid, parse
from tests.paying import a_place, an_order, pay
from tests.visiting import visit_as
from tests.visitors import Visitor

MOST_QUERIES = 6

pytestmark = pytest.mark.either_engine


class Statements(logging.Handler):
    """What Peewee sends to the database, in order."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.sent: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # A statement is logged with its parameters; the pool logs plain sentences.
        if isinstance(record.msg, tuple):
            self.sent.append(record.msg[0])


@pytest.fixture
def statements():
    counted, logger = Statements(), logging.getLogger("peewee")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(counted)
    logger.propagate = False
    yield counted
    logger.propagate = True
    logger.removeHandler(counted)
    logger.setLevel(level)


@pytest.fixture
def large(app, monkeypatch) -> Workspace:
    """A workspace of 120 members and 150 invoices, three pages of each, beside the small one on trial."""
    monkeypatch.setattr(demo, "WORKSPACES", {"L": 1})
    monkeypatch.setattr(demo, "LARGE_MEMBERS", 120)
    monkeypatch.setattr(demo, "LARGE_INVOICES", 150)
    with connection():
        a_catalogue()
        demo.build(size="L", seed=1, now=TODAY)
        return Workspace.get(Workspace.slug == "large")


def queries_of(path: str, visitor: Visitor, statements: Statements) -> list[str]:
    """Those of a page that is not the first of its session, which keeps the token of its forms."""
    assert visitor.get(path).status_code == 200
    statements.sent.clear()
    assert visitor.get(path).status_code == 200
    return list(statements.sent)


def test_a_page_makes_at_most_six_queries_at_any_size(app, large, statements) -> None:
    with connection():
        newest = Invoice.select().where(Invoice.workspace == large).order_by(Invoice.id.desc()).first()
    pages = {
        "atelier-lumen": ["plans", "history", "members", "members?status=guest", "services"],
        "large": ["plans", "history", "members", "payment-methods", f"invoices/{newest.number}"],
    }
    for slug, names in pages.items():
        visitor = Visitor(app)
        visitor.sign_in(f"owner@{slug}.example", demo.PASSWORD)
        for name in names:
            sent = queries_of(f"/w/{slug}/{name}", visitor, statements)
            assert 0 < len(sent) <= MOST_QUERIES, "\n".join([f"{name} of {slug}", *sent])


def test_an_older_page_of_the_history_costs_what_the_first_one_costs(app, large, statements) -> None:
    visitor = Visitor(app)
    visitor.sign_in("owner@large.example", demo.PASSWORD)
    first = queries_of("/w/large/history", visitor, statements)
    with connection():
        oldest = Invoice.select().where(Invoice.workspace == large).order_by(Invoice.id).first()
    later = queries_of(f"/w/large/history?before={oldest.id + 60}", visitor, statements)
    assert len(later) == len(first)


def test_the_orders_of_a_person_cost_the_same_whatever_was_finished(app, large, statements) -> None:
    visitor = Visitor(app)
    visitor.sign_in("owner@large.example", demo.PASSWORD)
    counts = set()
    for state in (OrderState.PAID, OrderState.PLACED):
        with connection():
            Order.update(state=state).where(Order.workspace == large).execute()
        counts.add(len(queries_of("/me/orders", visitor, statements)))
    assert max(counts) <= MOST_QUERIES


def test_one_s_own_page_costs_the_same_however_many_sessions_there_are(app, large, statements) -> None:
    visitor = Visitor(app)
    visitor.sign_in("owner@large.example", demo.PASSWORD)
    few = queries_of("/me", visitor, statements)
    with connection():
        mine = Session.get(Session.person == owner_of(large))
        kept = {name: value for name, value in mine.__data__.items() if name != "id"}
        Session.insert_many([{**kept, "token_hash": f"s{number}"} for number in range(45)]).execute()
    many = queries_of("/me", visitor, statements)
    assert len(many) == len(few) <= MOST_QUERIES
    assert len(by_testid(parse(visitor.get("/me").text), "session-row")) == 20
    later = queries_of(f"/me?before={mine.id + 30}", visitor, statements)
    assert len(later) <= len(few) + 1


def test_what_waits_for_the_due_date_costs_no_page_more_than_six(app, statements) -> None:
    """A smaller plan is scheduled, automatic renewal is on: the banner looks at the limits on every page."""
    with connection():
        place = a_place()
        pay(an_order(place, "business-10"), auto_renewal=True)
        now = TODAY
        shown = scheduled_change.preview(
            place.workspace, plan_code="business-3", interval=Interval.MONTH, now=now
        )
        scheduled_change.schedule(
            place, plan_code="business-3", interval=Interval.MONTH, shown_hash=shown.hash, now=now
        )
        owner = owner_of(place.workspace)
        visitor = Visitor(app)
        visit_as(visitor.client, owner)
    for name in ("plans", "history", "members", "services", "settings", "plans/free"):
        sent = queries_of(f"/w/acme/{name}", visitor, statements)
        assert 0 < len(sent) <= MOST_QUERIES, "\n".join([name, *sent])
    # It reads what the charge itself will read: methods, details, price.
    assert len(queries_of("/w/acme/auto-renewal", visitor, statements)) <= 10


def test_the_licences_cost_the_same_however_many_members_there_are(app, large, statements) -> None:
    with connection():
        place = seen_by(owner_of(large), large)
        bought = [tried(place, quantity=100), tried(place, "webinar-standard", quantity=5)]
        members = list(
            Member.select().where(Member.workspace == large, Member.status != "disabled").limit(60)
        )
        Licence.insert_many(
            [{"subscription": bought[0], "member": member, "assigned_at": TODAY} for member in members]
        ).execute()
    visitor = Visitor(app)
    visitor.sign_in("owner@large.example", demo.PASSWORD)
    first = queries_of("/w/large/licences", visitor, statements)
    assert len(first) <= MOST_QUERIES, "\n".join(first)
    for query in ("?product=webinar", "?holds=with", "?holds=without&q=a", f"?before={members[-1].id}"):
        assert len(queries_of(f"/w/large/licences{query}", visitor, statements)) == len(first), query
