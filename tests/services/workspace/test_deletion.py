"""The end of a workspace: what is erased, what the law keeps, and who is forgotten with it."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from portal.database.connecting import connection, transaction
from portal.domain.errors import PortalError
from portal.domain.vocabulary import MemberStatus, NonprofitState, Role
from portal.models import (
    ALL_MODELS,
    AuditEntry,
    AuditTrace,
    BillingDetails,
    Invoice,
    Licence,
    Member,
    MethodSetup,
    NonprofitRequest,
    Notice,
    Order,
    OutboxMessage,
    Payment,
    PaymentMethod,
    Person,
    Refund,
    Session,
    Subscription,
    Workspace,
)
from portal.services import audit
from portal.services import places as services_places
from portal.services.members import invitations
from portal.services.members.roster import OwnersOnly
from portal.services.open_money import MoneyOnItsWay
from portal.services.people import signing_in, signing_up
from portal.services.renewals import run as renewals_run
from portal.services.subscriptions import agreement, licences
from portal.services.workspace import deletion
from portal.worker.jobs import drain_outbox
from tests import paying
from tests.books import assert_books_clean
from tests.factories import (
    PASSWORD,
    a_member,
    a_nonprofit_request,
    a_person,
    a_workspace,
    letters,
    mailed_path,
    owner_of,
    seen_by,
)
from tests.licensed import bought
from tests.passing import pass_days

CANARIES = (
    "Kanarie",
    "kanarie@canary.test",
    "12 rue du Serin",
    "Serinville",
    "compta@canary.test",
    "203.0.113.77",
    "Kanarie GmbH",
    "Jeanne Martin",
)


def delete(place, clock):
    return deletion.delete_by_owner(place, now=clock.now())


@pytest.fixture
def canary(runtime):
    """A workspace whose owner left traces everywhere, paid once and was declined once."""
    owner = a_person("kanarie@canary.test", name="Kanarie Serin")
    place = seen_by(owner, a_workspace("Volière", owner=owner))
    details = {
        "first_name": "Kanarie",
        "last_name": "Serin",
        "street": "12 rue du Serin",
        "city": "Serinville",
        "email": "compta@canary.test",
        "company_name": "Kanarie GmbH",
    }
    paying.pay(paying.an_order(place, **details), auto_renewal=True)
    paying.pay(paying.an_order(place, "business-10", **details), paying.DECLINED)
    paying.an_order(place, "business-20", **details)
    Session.create(
        token_hash="0" * 64,
        person=owner,
        stored={"_user_id": str(owner.id)},
        ip_address="203.0.113.77",
        user_agent="Kanarie",
        created_at=runtime.clock.wall(),
        seen_at=runtime.clock.wall(),
    )
    mine = AuditEntry.select().where(AuditEntry.workspace == place.workspace)
    AuditTrace.update(ip_address="203.0.113.77").where(AuditTrace.entry << mine).execute()
    invitations.invite(place, emails=["finch@canary.test"], role=Role.MEMBER, now=runtime.clock.now())
    a_nonprofit_request("Kanarie e.V.", email="kanarie@canary.test", workspace=place.workspace)
    Notice.create(
        subscription=agreement.of_workspace(place.workspace),
        kind="due_soon",
        about_on="2026-12-21",
        said_on="2026-12-14",
    )
    return place


def everything(*, but=()):
    """Every stored value of every table as text, without the columns named in `but`."""
    for model in ALL_MODELS:
        fields = [field for field in model._meta.sorted_fields if field not in but]
        for row in model.select(*fields).dicts():
            for name, value in row.items():
                yield f"{model._meta.table_name}.{name}", json.dumps(value, default=str, ensure_ascii=False)


def found(canaries=CANARIES, *, but=()):
    return {column for column, text in everything(but=but) for canary in canaries if canary in text}


# --- what goes and what stays ---------------------------------------------------------------------


def test_nothing_of_the_person_is_left_but_on_documents(canary, clock):
    assert found() > {"person.email", "payment.payer_email", "audit_trace.actor", "outbox_message.payload"}
    assert delete(canary, clock)
    assert [letter["template"] for letter in letters()] == ["workspace_deleted"]
    OutboxMessage.delete().where(OutboxMessage.topic == "mail").execute()
    assert found() == {"invoice.facts", "purchase_order.details"}
    assert {order.state for order in Order.select().where(Order.details.is_null(False))} == {"paid"}


def test_everything_goes_but_documents_payments_and_the_audit_log(canary, clock):
    charged = len(paying.paid_charges())
    kept = (
        Invoice.get().facts_hash,
        Payment.select().count(),
        AuditEntry.select().where(AuditEntry.workspace == canary.workspace).count(),
    )
    delete(canary, clock)
    workspace = Workspace.get_by_id(canary.workspace.id)
    assert (workspace.name, workspace.deleted_at) == ("", clock.now())
    for model in (Member, BillingDetails, PaymentMethod, Session, Notice, NonprofitRequest):
        assert model.select().count() == 0, model
    subscription = Subscription.get()
    assert (subscription.auto_renewal, subscription.look_at, subscription.payment_method) == (
        False,
        None,
        None,
    )
    assert Invoice.get().facts_hash == kept[0]
    assert Payment.select().count() == kept[1]
    assert AuditEntry.select().where(AuditEntry.workspace == workspace).count() == kept[2] + 1
    assert Order.select().count() == 2, "the quote that nobody tried to pay is gone"
    assert len(paying.paid_charges()) == charged
    assert_books_clean()


def test_the_operators_find_it_in_the_audit_log_with_the_reason(canary, clock):
    delete(canary, clock)
    entry = AuditEntry.get(AuditEntry.action == "workspace.deleted")
    assert (entry.subject, entry.changes) == ("voliere", {"why": "owner"})
    assert AuditTrace.get(AuditTrace.entry == entry).actor == "erased"


def test_what_staff_did_stays_under_their_name(canary, clock):
    staff = a_person("staff@vendor.test", operator=True)
    with transaction(lock=canary.workspace):
        audit.record("test.act", workspace=canary.workspace, subject="x", actor=staff, now=clock.now())
    delete(canary, clock)
    entry = AuditEntry.get(AuditEntry.action == "test.act")
    assert AuditTrace.get(AuditTrace.entry == entry).actor == "staff@vendor.test"
    assert Person.get_by_id(staff.id).email == "staff@vendor.test"


def test_a_charged_method_stays_without_a_word(place, clock):
    paying.pay(paying.an_order(place), auto_renewal=True)
    clock.advance(days=30)
    renewals_run.run_due(now=clock.now())
    assert Payment.select().where(Payment.method.is_null(False)).exists()
    delete(place, clock)
    [method] = PaymentMethod.select()
    assert (method.brand, method.last4, method.holder, method.exp_year) == ("", "", "", None)
    assert method.removed_at is not None
    assert_books_clean()


def test_the_chain_of_the_audit_log_still_holds(canary, clock):
    delete(canary, clock)
    before = ""
    for entry in AuditEntry.select().where(AuditEntry.workspace == canary.workspace).order_by(AuditEntry.id):
        assert audit.holds(entry, previous=before)
        before = entry.digest


# --- who ------------------------------------------------------------------------------------------


def test_nobody_holds_a_licence_any_more(place, clock):
    member = a_member(place.workspace, a_person("finch@acme.test", password=False))
    licences.assign(bought(place), [member.id], by=owner_of(place.workspace), now=clock.now())
    delete(place, clock)
    assert Licence.select().count() == 0
    assert_books_clean()


def test_whoever_belongs_elsewhere_keeps_the_account(place, clock):
    both = a_person("both@acme.test", name="Both")
    a_member(place.workspace, both)
    a_workspace("Elsewhere", owner=both)
    delete(place, clock)
    assert signing_in.authenticate("both@acme.test", PASSWORD) == both
    assert services_places.home_of(both).name == "Elsewhere"
    assert Person.select().where(Person.email == "jeanne.martin@acme.example").count() == 0


def test_a_member_who_only_waits_for_an_invitation_elsewhere_is_kept(place, clock):
    invited = a_person("invited@acme.test", password=False)
    a_member(place.workspace, invited)
    a_member(a_workspace("Elsewhere"), invited, joined=False)
    delete(place, clock)
    assert Person.get_by_id(invited.id).email == "invited@acme.test"


def test_an_operator_is_no_account_of_the_workspace(place, clock):
    staff = a_person("staff@vendor.test", operator=True)
    a_member(place.workspace, staff)
    delete(place, clock)
    assert Person.get_by_id(staff.id).is_operator


def test_a_buyer_who_left_is_forgotten_too(place, clock):
    buyer = paying.as_seen_by(place, "Leo Buyer")
    paying.buy(buyer)
    Member.delete().where(Member.person == buyer.member.person_id).execute()
    delete(place, clock)
    assert found(("Leo Buyer", "leo.buyer@")) == set()


def test_the_same_address_signs_up_again_once_it_is_proved(canary, clock):
    delete(canary, clock)
    signing_up.sign_up(
        name="Kanarie",
        email="kanarie@canary.test",
        password=PASSWORD,
        workspace_name="Volière",
        language="en",
        time_zone="UTC",
        now=clock.now(),
    )
    assert signing_in.authenticate("kanarie@canary.test", PASSWORD) is None
    token = mailed_path("welcome_back").rpartition("/")[2]
    person = signing_in.reset_password(token, PASSWORD, now=clock.now())
    new = services_places.home_of(person)
    assert new.name == "Volière"
    assert new.slug != "voliere"
    assert services_places.enter(person=person, slug="voliere") is None


def test_a_card_that_somebody_began_to_save_keeps_nothing_from_going(place, clock):
    helper, waiting = (a_person(f"{name}@acme.test", name=name) for name in ("helper", "waiting"))
    for number, (person, state) in enumerate(
        ((helper, "declined"), (helper, "done"), (waiting, "action_required"))
    ):
        MethodSetup.create(
            key=str(number) * 32,
            workspace=place.workspace,
            person=person,
            gateway="sandbox",
            state=state,
            created_at=clock.wall(),
        )
    delete(place, clock)
    assert [setup.person.email for setup in MethodSetup.select()] == [Person.erased_address(waiting.id)]
    assert not Person.select().where(Person.id == helper.id).exists()


# --- mail -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("app")
def test_every_owner_is_told_though_nobody_knows_them_any_more(app, clock):
    with app.app_context(), connection():
        owner = a_person()
        acme = a_workspace(owner=owner)
        a_member(acme, a_person("second@acme.test", name="Second"), role=Role.OWNER)
        a_member(acme, a_person("member@acme.test"))
        delete(seen_by(owner, acme), clock)
        assert {letter["template"] for letter in letters()} == {"workspace_deleted"}
        drain_outbox(paying.current(), limit=10)
        texts = [path.read_text() for path in (paying.current().settings.data_dir / "mail").glob("*.eml")]
        assert len(texts) == 2
        assert {line for text in texts for line in text.splitlines() if line.startswith("To: ")} == {
            "To: jeanne@acme.test",
            "To: second@acme.test",
        }
        assert all("Jeanne Martin deleted the workspace Acme" in text.replace("\n", " ") for text in texts)
        assert found(("Jeanne", "jeanne@", "second@")) == set()


def test_a_letter_about_money_still_reaches_somebody_who_stays(place, clock):
    manager = a_person("both@acme.test", name="Both")
    a_member(place.workspace, manager, role=Role.OWNER)
    a_workspace("Elsewhere", owner=manager)
    paying.buy(place)
    delete(place, clock)
    assert [letter["to"] for letter in letters("order_confirmed")] == ["both@acme.test"]


# --- when not -------------------------------------------------------------------------------------


def test_an_open_payment_stops_the_owner_and_postpones_the_run(place, clock):
    paying.pay(paying.an_order(place), paying.SILENT_CHARGED)
    with pytest.raises(MoneyOnItsWay):
        delete(place, clock)
    before = clock.now() - timedelta(minutes=1)
    Subscription.update(look_at=before).execute()
    with transaction(lock=place.workspace):
        assert not deletion.delete_for_not_paying(place.workspace, now=clock.now())
    assert Subscription.get().look_at == clock.now() + deletion.POSTPONED_FOR
    assert Workspace.get_by_id(place.workspace.id).deleted_at is None


def test_an_open_refund_stops_it_too(place, clock):
    payment = paying.buy(place)
    Refund.create(
        key="r" * 32,
        workspace=place.workspace,
        payment=payment,
        person=place.member.person_id,
        amount_minor=payment.amount_minor,
        currency=payment.currency,
        created_at=clock.wall(),
    )
    with pytest.raises(MoneyOnItsWay):
        delete(place, clock)


def test_who_is_no_owner_any_more_deletes_nothing(place, clock):
    Member.update(role=Role.ADMIN).where(Member.id == place.member.id).execute()
    with pytest.raises(OwnersOnly):
        delete(place, clock)
    Member.update(role=Role.OWNER, status=MemberStatus.DISABLED).where(Member.id == place.member.id).execute()
    with pytest.raises(OwnersOnly):
        delete(place, clock)


def test_twice_is_once(place, clock):
    assert delete(place, clock)
    entries = AuditEntry.select().count()
    assert not delete(place, clock)
    with transaction(lock=place.workspace):
        assert not deletion.delete_for_not_paying(place.workspace, now=clock.now())
    assert AuditEntry.select().count() == entries


# --- the run --------------------------------------------------------------------------------------


def test_six_months_and_seven_days_after_the_trial_it_is_gone(place, clock):
    pass_days(clock, 30 + 6 * 31 + 7 + 2)
    assert Workspace.get_by_id(place.workspace.id).deleted_at is not None
    assert AuditEntry.get(AuditEntry.action == "workspace.deleted").changes == {"why": "not_paid"}
    assert letters("workspace_deleted") == [], "they were warned seven days before"
    assert not Person.select().where(Person.email.contains("acme")).exists()
    assert_books_clean()


def test_a_run_over_several_workspaces_forgets_who_was_in_both(runtime, clock):
    shared = a_person("shared@acme.test")
    first, second = (a_workspace(name, owner=shared) for name in ("First", "Second"))
    other = a_workspace("Third")
    with transaction():
        for workspace in (first, second):
            deletion.delete_for_not_paying(workspace, now=clock.now())
    assert not Person.select().where(Person.id == shared.id).exists()
    assert Person.select().where(Person.id == owner_of(other).id).exists()


def test_a_decided_request_of_somebody_else_is_left_alone(place, clock):
    staff = a_person("staff@vendor.test", operator=True)
    elsewhere = a_nonprofit_request("Elsewhere", email="else@where.test")
    NonprofitRequest.update(state=NonprofitState.REFUSED, decided_by=staff, reason="no").execute()
    delete(place, clock)
    assert NonprofitRequest.get_by_id(elsewhere.id).decided_by == staff


# --- at once --------------------------------------------------------------------------------------


def at_once(*acts):
    """Each act in a thread with a connection of its own, let go together; what each returned or raised."""
    barrier = threading.Barrier(len(acts))

    def run(act):
        with connection():
            barrier.wait()
            try:
                return act()
            except PortalError as refusal:
                return refusal

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def warned_and_due(place, clock):
    """The day on which the run deletes the workspace."""
    subscription = agreement.of_workspace(place.workspace)
    clock.set(datetime(2027, 7, 10, 9, tzinfo=UTC))
    Subscription.update(look_at=clock.now()).execute()
    Notice.create(
        subscription=subscription,
        kind="deletion_ahead",
        about_on=subscription.due_on,
        said_on="2027-06-21",
    )


def test_the_run_and_the_owner_at_once_delete_it_once(place, clock):
    warned_and_due(place, clock)
    results = at_once(*[lambda: renewals_run.run_due(now=clock.now()), lambda: delete(place, clock)] * 3)
    assert all(not isinstance(result, Exception) for result in results)
    assert AuditEntry.select().where(AuditEntry.action == "workspace.deleted").count() == 1
    assert Workspace.get_by_id(place.workspace.id).deleted_at == clock.now()
    assert_books_clean()


def test_two_workspaces_of_one_person_at_once_leave_nobody_behind(runtime, clock):
    shared = a_person("shared@acme.test")
    places = [seen_by(shared, a_workspace(name, owner=shared)) for name in ("First", "Second", "Third")]
    at_once(*[lambda place=place: delete(place, clock) for place in places])
    assert Workspace.select().where(Workspace.deleted_at.is_null()).count() == 0
    assert not Person.select().where(Person.id == shared.id).exists()


def test_paying_and_deleting_at_once_charges_nobody_without_a_workspace(place, clock):
    order = paying.an_order(place)
    paying.pay(order, paying.DECLINED)

    def buy():
        return paying.pay(paying.reloaded(order)).state

    bought, deleted = at_once(buy, lambda: delete(place, clock))
    gone = Workspace.get_by_id(place.workspace.id).deleted_at is not None
    charged = len(paying.paid_charges())
    assert gone == (deleted is True)
    assert charged == (bought == "succeeded")
    assert charged or gone
    assert_books_clean()
