"""Demo data: the same for the same seed, in books that are in order, and never beside real money."""

import pytest

from portal.domain.vocabulary import MemberStatus, Role
from portal.models import Document, Invoice, Member, Order, Payment, Person, Subscription, Workspace
from portal.runtime import Runtime
from portal.runtime import install as install_runtime
from portal.services import demo
from portal.services.people import passwords
from portal.services.subscriptions import agreement
from portal.services.upkeep import books
from portal.settings import SettingsError, read_settings
from tests.conftest import TODAY
from tests.paying import paid_charges

FORTY = {"S": 1, "M": 40, "L": 2}


@pytest.fixture
def small(monkeypatch) -> None:
    """Size M is 40 workspaces, and the large one of size L has 120 members and 150 invoices."""
    monkeypatch.setattr(demo, "WORKSPACES", FORTY)
    monkeypatch.setattr(demo, "LARGE_MEMBERS", 120)
    monkeypatch.setattr(demo, "LARGE_INVOICES", 150)


def broken_books() -> dict[str, int]:
    return {result.name: result.broken for result in books.check() if result.broken}


def told() -> list[tuple]:
    """Everything that the seed decides; references and hashes of passwords are random."""
    orders = Order.select(Order.number, Order.quote_hash, Order.created_at, Order.details).order_by(
        Order.number
    )
    invoices = Invoice.select(Invoice.number, Invoice.total_minor, Invoice.issued_at).order_by(Invoice.number)
    members = (
        Member.select(Person.email, Person.name, Member.role, Member.status)
        .join(Person)
        .order_by(Person.email)
    )
    keys = Payment.select(Payment.key, Payment.amount_minor, Payment.brand).order_by(Payment.key)
    return [list(query.tuples()) for query in (orders, invoices, members, keys)]


def test_size_s_is_one_workspace_on_trial_with_a_person_of_each_role(runtime) -> None:
    report = demo.build(size="S", seed=1, now=TODAY)
    workspace = Workspace.get()
    assert report.workspace_ids == {workspace.slug: workspace.id}
    assert [(user.role, user.email) for user in report.users] == [
        ("owner", "owner@atelier-lumen.example"),
        ("billing_manager", "billing@atelier-lumen.example"),
        ("admin", "admin@atelier-lumen.example"),
        ("member", "member@atelier-lumen.example"),
        ("guest", "guest@atelier-lumen.example"),
        ("operator", "operator@portal.example"),
    ]
    status = agreement.status_of(agreement.of_workspace(workspace), today=workspace.day(TODAY))
    assert status.plan.trial
    assert not status.is_blocked
    assert workspace.used_storage_bytes > 0
    assert broken_books() == {}


def test_everybody_signs_in_with_the_password_that_is_printed(runtime) -> None:
    report = demo.build(size="S", seed=1, now=TODAY)
    hashes = {person.password_hash for person in Person.select()}
    assert len(hashes) == 1
    assert len(report.password) >= 12
    assert passwords.verify(hashes.pop(), report.password)
    assert Person.get(Person.email == "operator@portal.example").is_operator


def test_the_books_of_many_customers_are_in_order(runtime, small) -> None:
    report = demo.build(size="M", seed=1, now=TODAY)
    assert report.workspaces_added == Workspace.select().count() == 40
    assert report.invoices_added == Invoice.select().count() > 40
    assert broken_books() == {}
    charges = {
        charge.key: (charge.reference, charge.amount_minor, charge.currency) for charge in paid_charges()
    }
    payments = Payment.select(Payment.key, Payment.reference, Payment.amount_minor, Payment.currency)
    assert charges == {key: tuple(rest) for key, *rest in payments.tuples()}


@pytest.mark.engine("sqlite", "postgresql")
def test_the_large_customer_has_its_members_and_invoices(runtime, small) -> None:
    demo.build(size="L", seed=1, now=TODAY)
    large = Workspace.get(Workspace.slug == "large")
    assert Member.select().where(Member.workspace == large).count() == 120
    assert Member.owners(large).count() == 1
    assert Invoice.select().where(Invoice.workspace == large).count() == 150
    assert Document.select().count() == 0, "documents are made at the first download"
    assert Subscription.get(Subscription.workspace == large).due_on > TODAY.date()
    assert broken_books() == {}


def test_accounts_differ_and_stand_in_every_state(runtime, small) -> None:
    demo.build(size="M", seed=1, now=TODAY)
    states = {
        agreement.status_of(agreement.of_workspace(workspace), today=workspace.day(TODAY)).state.value
        for workspace in Workspace.select()
    }
    assert states >= {"trial", "free", "paid", "blocked"}
    assert Member.select().where(Member.status == MemberStatus.GUEST).exists()
    assert Member.select().where(Member.role == Role.BILLING_MANAGER).exists()
    assert Subscription.select().where(Subscription.auto_renewal).exists()
    assert len({order.details["country"] for order in Order.select(Order.details)}) > 3


def test_the_same_seed_tells_the_same_story(runtime, small, empty_again) -> None:
    """Emptied and filled again, everything is as it was, for the sandbox too."""
    demo.build(size="M", seed=7, now=TODAY)
    first = told()
    assert first[0]
    empty_again()
    demo.build(size="M", seed=7, now=TODAY)
    assert told() == first
    assert broken_books() == {}


@pytest.fixture
def empty_again(runtime, database):
    """A function that takes the demo away; the ledger of the sandbox keeps its charges."""
    from portal.models import ALL_MODELS, LimitBucket, Plan, Price, Product, VendorLink

    kept = {Plan, Price, Product, VendorLink, LimitBucket}

    def empty() -> None:
        for model in reversed(ALL_MODELS):
            if model not in kept:
                model.delete().execute()

    return empty


def test_a_second_run_adds_nothing(runtime, small) -> None:
    demo.build(size="M", seed=1, now=TODAY)
    before = told()
    again = demo.build(size="M", seed=1, now=TODAY)
    assert (again.workspaces_added, again.members_added, again.invoices_added) == (0, 0, 0)
    assert told() == before


def test_a_larger_size_keeps_the_smaller_one(runtime, small) -> None:
    demo.build(size="S", seed=1, now=TODAY)
    report = demo.build(size="M", seed=1, now=TODAY)
    assert report.workspaces_added == 39
    assert broken_books() == {}


def test_another_seed_stands_beside_the_first(runtime) -> None:
    demo.build(size="S", seed=1, now=TODAY)
    report = demo.build(size="S", seed=2, now=TODAY)
    assert report.workspace_ids.keys() == {"atelier-lumen-s2"}
    assert Workspace.select().count() == 2
    assert broken_books() == {}


def test_a_past_that_would_be_numbered_after_the_present_is_refused(runtime, small) -> None:
    demo.build(size="M", seed=1, now=TODAY)
    with pytest.raises(demo.InvoicesCameFirst):
        demo.build(size="M", seed=2, now=TODAY)
    assert Workspace.select().count() == 40
    assert len(paid_charges()) == Invoice.select().count()


def test_a_run_that_was_killed_before_it_wrote_is_repeated_without_a_second_charge(
    runtime, small, monkeypatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(demo, "write_accounts", None)
        with pytest.raises(TypeError):
            demo.build(size="M", seed=1, now=TODAY)
    charged = len(paid_charges())
    assert charged
    assert Workspace.select().count() == 0
    demo.build(size="M", seed=1, now=TODAY)
    assert len(paid_charges()) == charged == Payment.select().count()
    assert broken_books() == {}


@pytest.mark.engine("sqlite")
def test_demo_data_is_refused_where_real_money_moves(runtime, environment, clock, monkeypatch) -> None:
    from dataclasses import replace

    real = replace(read_settings(environment), gateways=("sandbox", "stripe"))
    install_runtime(Runtime(real, clock, runtime.gateways))
    with pytest.raises(SettingsError, match="PORTAL_GATEWAYS"):
        demo.build(size="S", seed=1, now=TODAY)
    assert Workspace.select().count() == 0
