"""What a transaction writes as its last act: all in one go, in the order of the acts, or not at all."""

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from portal import outbox
from portal.database import rows
from portal.database.connecting import (
    OutsideTransaction,
    make_database,
    postpone,
    require_transaction,
    transaction,
    write_postponed,
)
from portal.domain.vocabulary import PaymentState
from portal.models import AuditEntry, AuditTrace, OutboxMessage, Payment
from portal.services import audit
from tests.books import assert_books_clean
from tests.paying import a_place, an_order, pay

pytestmark = pytest.mark.both_engines


@pytest.fixture
def written(database):
    """What `note` has written so far, each time as one list."""
    return []


@pytest.fixture
def note(written):
    def write(items):
        written.append(list(items))

    return lambda item: postpone(write, item)


def test_a_transaction_writes_all_of_a_kind_at_its_end(note, written):
    with transaction():
        note("a")
        note("b")
        assert written == []
    assert written == [["a", "b"]]


def test_outside_a_transaction_it_is_written_at_once(note, written):
    note("a")
    assert written == [["a"]]


def test_an_inner_transaction_leaves_it_to_the_outer_one(note, written):
    with transaction():
        note("a")
        with transaction():
            note("b")
        assert written == []
    assert written == [["a", "b"]]


def test_what_fails_takes_its_own_with_it(note, written):
    with transaction():
        note("a")
        with pytest.raises(ValueError, match="inner"), transaction():
            note("b")
            raise ValueError("inner")
        note("c")
    assert written == [["a", "c"]]
    with pytest.raises(ValueError, match="outer"), transaction():
        note("d")
        raise ValueError("outer")
    note("e")
    assert written == [["a", "c"], ["e"]]


def test_whoever_must_read_it_has_it_written_before(note, written):
    with transaction():
        note("a")
        write_postponed()
        assert written == [["a"]]
        note("b")
    assert written == [["a"], ["b"]]


def test_what_cannot_be_written_undoes_the_transaction(runtime, clock):
    with pytest.raises(Exception, match=r"length|too long"), transaction():
        outbox.publish("note", key="fits", payload={}, now=clock.wall())
        outbox.publish("note", key="x" * 121, payload={}, now=clock.wall())
    assert OutboxMessage.select().where(OutboxMessage.topic == "note").count() == 0


def test_one_promise_made_twice_in_a_transaction_is_one(runtime, clock):
    with transaction():
        for n in (1, 2):
            outbox.publish("note", key="a", payload={"n": n}, now=clock.wall())
    assert [message.payload for message in OutboxMessage.select()] == [{"n": 1}]


def test_many_acts_of_one_transaction_are_chained_in_their_order(runtime, clock):
    places = [a_place("Acme"), a_place("Globex", owner="Ana Lima")]
    with transaction():
        for n in range(3):
            for place in places:
                audit.record(
                    "test.act",
                    workspace=place.workspace,
                    subject=str(n),
                    actor=place.member.person,
                    now=clock.now(),
                )
            audit.record("test.act", workspace=None, subject=str(n), now=clock.now())
    for workspace in (places[0].workspace, places[1].workspace, None):
        whose = AuditEntry.workspace == workspace if workspace else AuditEntry.workspace.is_null()
        acts = AuditEntry.select().where(whose, AuditEntry.action == "test.act").order_by(AuditEntry.sequence)
        assert [act.subject for act in acts] == ["0", "1", "2"]
    actors = (
        AuditTrace.select().join(AuditEntry).where(AuditEntry.action == "test.act").order_by(AuditTrace.id)
    )
    names = [trace.actor for trace in actors]
    assert names == ["jeanne.martin@acme.example", "ana.lima@acme.example", "portal"] * 3
    assert_books_clean()


def test_a_row_is_changed_only_if_it_stands_as_it_was_read(runtime):
    payment = pay(an_order(a_place()))
    payment.state, payment.brand = PaymentState.UNKNOWN, "other"
    assert not rows.save(payment, only_if=(Payment.state, PaymentState.CREATED))
    assert Payment.get_by_id(payment.id).brand == "visa"
    payment.brand = "other"
    assert rows.save(payment, only_if=(Payment.state, PaymentState.SUCCEEDED))
    kept = Payment.get_by_id(payment.id)
    # Only what was changed since is written.
    assert (kept.brand, kept.state) == ("other", PaymentState.SUCCEEDED)


def test_a_part_of_an_act_is_refused_on_its_own(database):
    with pytest.raises(OutsideTransaction):
        require_transaction()
    with transaction():
        require_transaction()
    with pytest.raises(OutsideTransaction):
        require_transaction()


def test_a_password_may_have_any_character_as_a_url_writes_it():
    """The queue reads the same URL by libpq's rules."""
    made = make_database("postgres://por%40tal:a%2Fb%23c@db.example/portal")
    assert made.database.startswith("postgresql://"), "else Peewee takes it for a name"
    read = conninfo_to_dict(made.database)
    assert (read["user"], read["password"], read["dbname"]) == ("por@tal", "a/b#c", "portal")


@pytest.mark.engine("postgresql")
def test_a_connection_that_the_server_has_ended_is_not_handed_out_again(database_url):
    pool = make_database(database_url)
    pool.connect()
    first = pool.execute_sql("SELECT pg_backend_pid()").fetchone()
    pool.close()
    with psycopg.connect(database_url, autocommit=True) as other:
        # Waits until it is gone.
        assert other.execute("SELECT pg_terminate_backend(%s, 5000)", first).fetchone() == (True,)
    pool.connect()
    again = pool.execute_sql("SELECT pg_backend_pid()").fetchone()
    pool.close()
    pool.connect()
    assert pool.execute_sql("SELECT pg_backend_pid()").fetchone() == again != first
    pool.close_all()
