"""While a payment is open both plans count; once it is paid, whoever does not fit becomes a guest."""

from datetime import timedelta

import pytest

from portal.domain.choices import Choice
from portal.domain.errors import OrderAlreadyPlaced, PlanFull, PortalError
from portal.domain.plans import PlanTooSmall
from portal.domain.vocabulary import Interval, MemberStatus, PaymentState, Role, Service
from portal.models import Member, Payment, Person, Plan, Subscription
from portal.runtime import current
from portal.services.members import changes, invitations, overflow, roster
from portal.services.members.invitations import CapacityReached, Invited
from portal.services.payments import charging
from portal.services.subscriptions import free_plan, scheduled_change
from portal.services.workspace import features
from portal.services.workspace.features import ServicesNotIncluded
from tests.books import assert_books_clean, broken_books
from tests.factories import a_member, a_person, letters, plan_of
from tests.paying import ASKS_ONCE, a_buyer, an_order, as_seen_by, buy, pay, reloaded, the_sandbox
from tests.services.payments.test_concurrency import at_once, faults_of

pytestmark = pytest.mark.both_engines


def now():
    return current().clock.now()


@pytest.fixture
def waiting(place):
    """On trial, without a limit: Business 3 is ordered and its payment waits for 3-D Secure."""
    payment = pay(an_order(place, "business-3"), ASKS_ONCE)
    assert payment.state == PaymentState.ACTION_REQUIRED
    return payment


def confirm(payment):
    the_sandbox().answer_challenge(Payment.get_by_id(payment.id).reference, confirmed=True)
    charging.look_up(Payment.get_by_id(payment.id), now=now())
    assert Payment.get_by_id(payment.id).state == PaymentState.SUCCEEDED


def invite(place, *mailboxes, as_guests=False):
    emails = [f"{mailbox}@acme.test" for mailbox in mailboxes]
    return invitations.invite(place, emails=emails, role=Role.MEMBER, as_guests=as_guests, now=now())


def counts(place):
    found = roster.counts_of(place.workspace)
    return found.active, found.guest


# --- while the payment is open --------------------------------------------------------------------


def test_an_invitation_fits_the_plan_that_is_being_paid_for(place, waiting):
    invited = invite(place, "a", "b", "c", "d")
    assert (len(invited.users), len(invited.guests)) == (2, 2)
    confirm(waiting)
    assert (plan_of(place.workspace).code, counts(place)) == ("business-3", (3, 2))
    assert letters("became_guests") == letters("made_guest") == []
    assert_books_clean()


def test_an_invitation_fits_the_present_plan_too(place):
    buy(place, "business-3")
    pay(an_order(place, "business-10"), ASKS_ONCE)
    assert len(invite(place, "a", "b", "c").users) == 2


def test_guests_are_counted_by_both_plans(place, waiting):
    invite(place, *"abcdef", as_guests=True)
    with pytest.raises(CapacityReached):
        invite(place, "g", as_guests=True)


def test_nobody_comes_back_or_becomes_a_user_who_become_guests_in_both_plans(place, waiting):
    gone = a_member(place.workspace, a_person("gone@acme.test"), status=MemberStatus.DISABLED)
    invite(place, "a", "b")
    guest = invite(place, "c").guests[0]
    with pytest.raises(PlanFull):
        changes.enable(place, gone, now=now())
    assert changes.make_users(place, [guest.id], now=now()).users == []
    confirm(waiting)
    assert_books_clean()


def test_a_service_that_the_plan_being_paid_for_lacks_stays_off(place):
    Plan.update(services=[]).where(Plan.code == "business-3").execute()
    pay(an_order(place, "business-3"), ASKS_ONCE)
    with pytest.raises(ServicesNotIncluded):
        features.switch(place.workspace, shown=[], wanted=[Service.LDAP], now=now())


def test_administrators_are_counted_by_both_plans(place):
    Plan.update(max_administrators=1).where(Plan.code == "business-3").execute()
    pay(an_order(place, "business-3"), ASKS_ONCE)
    leo = a_member(place.workspace, a_person("leo@acme.test"))
    with pytest.raises(roster.AdministratorsFull):
        changes.change_role(place, leo, Role.ADMIN, now=now())


def test_the_old_plan_alone_counts_again_once_the_payment_is_given_up(place, waiting):
    charging.give_up(waiting, now=now())
    assert len(invite(place, *"abcd").users) == 4
    assert_books_clean()


def test_no_other_plan_is_chosen_while_the_payment_is_open(place):
    buy(place, "business-10")
    pay(an_order(place, "business-20"), ASKS_ONCE)
    with pytest.raises(OrderAlreadyPlaced):
        scheduled_change.schedule(place, Choice("business-3", Interval.MONTH), shown_hash="", now=now())
    with pytest.raises(OrderAlreadyPlaced):
        free_plan.take(place, shown_begins_on="", now=now())


def test_a_free_plan_that_waits_does_not_begin_beside_an_open_payment(place, clock):
    from portal.services.renewals import run

    buy(place, "business-3")
    due_on = Subscription.get().due_on
    Subscription.update(scheduled_plan=Plan.get(Plan.code == "startup"), look_at=now()).execute()
    clock.advance(days=(due_on - place.workspace.day(now())).days - 1)
    payment = pay(an_order(place, "business-3"), ASKS_ONCE)
    clock.advance(days=1)
    run.run_due(now=now())
    assert plan_of(place.workspace).code == "business-3"
    assert Subscription.get().look_at < now() + timedelta(hours=1)
    confirm(payment)
    assert (plan_of(place.workspace).code, Subscription.get().due_on > due_on) == ("business-3", True)
    assert_books_clean()


# --- once it is paid ------------------------------------------------------------------------------


def test_what_was_paid_is_given_and_the_newest_users_become_guests(place, waiting):
    """As if somebody had slipped in: the vendor's limit was lowered after the order."""
    old = a_member(place.workspace, a_buyer("Old Hand"))
    payer = as_seen_by(place, "Billing Bo", role=Role.BILLING_MANAGER).member
    Plan.update(max_users=2).where(Plan.code == "business-3").execute()
    confirm(waiting)
    members = {member.id: member for member in Member.select()}
    assert plan_of(place.workspace).code == "business-3"
    assert members[place.member.id].status == MemberStatus.ACTIVE
    assert members[payer.id].status == MemberStatus.ACTIVE
    assert members[old.id].status == MemberStatus.GUEST
    assert_books_clean()


def test_they_are_told_and_so_is_who_pays(place, waiting):
    a_member(place.workspace, a_buyer("Old Hand"))
    a_member(place.workspace, a_person("new@acme.test", password=False), joined=False)
    Plan.update(max_users=1).where(Plan.code == "business-3").execute()
    confirm(waiting)
    [told] = letters("became_guests")
    assert told["to"] == "jeanne.martin@acme.example"
    assert told["context"]["people"] == ["new@acme.test", "Old Hand"]
    assert [letter["to"] for letter in letters("made_guest")] == ["old.hand@acme.example"]
    order = reloaded(waiting.order)
    owner = Person.get(Person.email == "jeanne.martin@acme.example")
    assert overflow.told_guests(order, owner) == ["new@acme.test", "Old Hand"]
    assert overflow.told_guests(order, Person.get(Person.email == "new@acme.test")) == []


def test_owners_keep_their_seats_whatever_was_paid(place, waiting):
    as_seen_by(place, "Second Owner", role=Role.OWNER)
    Plan.update(max_users=1).where(Plan.code == "business-3").execute()
    confirm(waiting)
    assert counts(place) == (2, 0)


def test_the_question_of_the_books_finds_users_whom_the_ordered_plan_does_not_hold(place, waiting):
    assert_books_clean()
    for number in range(3):
        a_member(place.workspace, a_buyer(f"User {number}"))
    assert broken_books() == {"users_fit_the_plan_being_paid": 1}


# --- at once --------------------------------------------------------------------------------------


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize("plan", ["business-3", "business-5"])
def test_an_order_and_six_invitations_at_once_leave_nobody_who_become_guests(place, plan):
    order = an_order(place, plan)
    acts = [lambda number=number: invite(place, f"new{number}") for number in range(6)]
    results = at_once([*acts[:3], lambda: pay(reloaded(order)), *acts[3:]])
    assert faults_of(results) == []
    assert all(isinstance(each, Payment | Invited | PlanTooSmall | PortalError) for each in results)
    paid = [each for each in results if isinstance(each, Payment)]
    assert [each.state for each in paid] == [PaymentState.SUCCEEDED] * len(paid)
    assert_books_clean()
