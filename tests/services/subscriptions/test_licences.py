"""Licences assigned, taken back and given to another: never more than are paid for, whoever asks at once."""

import pytest

from portal.domain.buying import AlreadySubscribed, LicencesBelowAssigned
from portal.domain.choices import Choice
from portal.domain.licences import NotAssignable, NotEnoughLicences, Saving
from portal.domain.money import Money
from portal.domain.vocabulary import Interval, MemberStatus, PaymentState, SubscriptionState
from portal.models import AuditEntry, Licence, Member, Person, Product, Subscription, Workspace
from portal.runtime import current
from portal.services.checkout import ordering
from portal.services.members import changes
from portal.services.subscriptions import agreement, licences
from portal.services.subscriptions.cancellation import NotLicensed
from portal.services.subscriptions.licences import CannotHoldLicence, HasLicence, LicenceGone
from tests import paying
from tests.books import assert_books_clean
from tests.factories import a_member, a_person, a_workspace, owner_of
from tests.licensed import TRIAL_DAYS, bought, tried
from tests.paying import a_place, buy
from tests.services.payments.test_concurrency import at_once, faults_of

ASSIGNED, TAKEN_BACK = "licence.assigned", "licence.taken_back"


@pytest.fixture
def acme(place):
    """On a plan for ten, so that there may be other members."""
    buy(place, "business-10")
    return place


@pytest.fixture
def meetings(acme) -> Subscription:
    """Three licences, paid until 21 December."""
    return with_workspace(bought(acme, quantity=3))


@pytest.fixture
def team(acme) -> list[Member]:
    """A user, a guest, one who was invited, and another user."""
    return [
        a_member(acme.workspace, a_person("ana@acme.test", password=False)),
        a_member(acme.workspace, a_person("gus@acme.test", password=False), status=MemberStatus.GUEST),
        a_member(acme.workspace, a_person("ina@acme.test", password=False), joined=False),
        a_member(acme.workspace, a_person("ugo@acme.test", password=False)),
    ]


def with_workspace(subscription: Subscription) -> Subscription:
    subscription.workspace = Workspace.get_by_id(subscription.workspace_id)
    return subscription


def now():
    return current().clock.now()


def assign(subscription, members) -> list[int]:
    given = licences.assign(
        subscription,
        [member.id for member in members],
        by=owner_of(subscription.workspace),
        now=now(),
    )
    return [member.id for member in given]


def take_back(subscription, members) -> list[int]:
    taken = licences.take_back(subscription, [member.id for member in members], now=now())
    return [member.id for member in taken]


def reassign(subscription, holder, to) -> None:
    licences.reassign(subscription, holder.id, to.id, by=owner_of(subscription.workspace), now=now())


def holders(subscription) -> set[int]:
    return {row.member_id for row in Licence.select().where(Licence.subscription == subscription)}


def acts(action) -> list[str]:
    entries = AuditEntry.select().where(AuditEntry.action == action).order_by(AuditEntry.id)
    return [entry.subject for entry in entries]


def ids(members) -> list[int]:
    return [member.id for member in members]


# --- assigning ------------------------------------------------------------------------------------


def test_users_guests_and_the_invited_get_one(meetings, team):
    assert assign(meetings, team[:3]) == ids(team[:3])
    assert holders(meetings) == {*ids(team[:3])}
    assert licences.assigned(meetings) == 3
    assert acts(ASSIGNED) == [str(member.id) for member in team[:3]]
    entry = AuditEntry.get(AuditEntry.action == ASSIGNED)
    assert entry.changes == {"product": "meetings"}
    given = Licence.get(Licence.member == team[0])
    assert (given.assigned_at, given.assigned_by_id) == (now(), owner_of(meetings.workspace).id)
    assert_books_clean()


def test_whoever_has_one_is_left_alone_and_takes_no_second(meetings, team):
    assign(meetings, team[:2])
    assert assign(meetings, team[:3]) == [team[2].id]
    assert assign(meetings, team[:3]) == []
    assert len(acts(ASSIGNED)) == 3


def test_nobody_chosen_changes_nothing(meetings):
    assert assign(meetings, []) == take_back(meetings, []) == []
    assert acts(ASSIGNED) == []


def test_all_or_nobody_with_both_figures(meetings, team):
    assign(meetings, team[:1])
    with pytest.raises(NotEnoughLicences) as refused:
        assign(meetings, team)
    assert (refused.value.wanted, refused.value.free) == (3, 2)
    assert holders(meetings) == {team[0].id}
    assert len(acts(ASSIGNED)) == 1


def test_of_another_workspace_or_disabled_is_like_nobody(acme, meetings, team):
    stranger = a_member(a_workspace("Other"), a_person("stranger@other.test", password=False))
    changes.disable(acme, team[3], now=now())
    for chosen in ([stranger], [team[3]], [team[0], stranger]):
        with pytest.raises(CannotHoldLicence) as refused:
            assign(meetings, chosen)
        assert refused.value.members == 1
    with pytest.raises(CannotHoldLicence):
        licences.assign(meetings, [2**31 - 1], by=owner_of(acme.workspace), now=now())
    assert holders(meetings) == set()


def test_the_workspace_plan_has_no_licences(acme, team):
    plan = agreement.of_workspace(acme.workspace)
    with pytest.raises(NotLicensed):
        assign(plan, team[:1])
    with pytest.raises(NotLicensed):
        take_back(plan, team[:1])


def test_once_it_is_blocked_nothing_is_assigned_and_taking_back_works(meetings, team, clock):
    assign(meetings, team[:2])
    clock.advance(days=60)
    [found] = licences.all_of(meetings.workspace, today=meetings.workspace.day(now()))
    assert (found.status.state, found.is_assignable) == (SubscriptionState.BLOCKED, False)
    with pytest.raises(NotAssignable) as refused:
        assign(meetings, team[2:3])
    assert refused.value.state == SubscriptionState.BLOCKED
    with pytest.raises(NotAssignable):
        reassign(meetings, team[0], team[2])
    assert take_back(meetings, team[:1]) == [team[0].id]
    assert holders(meetings) == {team[1].id}


def test_while_fewer_are_being_paid_for_no_more_than_those_are_assigned(acme, team):
    """What is paid is given: a trial of three of which two are bought keeps two."""
    trial = with_workspace(tried(acme, quantity=3))
    assign(trial, team[:1])
    choices = [Choice("meetings-essential", Interval.MONTH, 2)]
    order = ordering.open_order(acme, choices=choices, currency="EUR", now=now())
    payment = paying.pay(paying.with_details(order, acme), paying.ASKS_ONCE)
    assert payment.state == PaymentState.ACTION_REQUIRED
    [found] = licences.all_of(acme.workspace, today=acme.workspace.day(now()))
    assert (found.paid, found.assigned, found.free) == (3, 1, 1)
    with pytest.raises(NotEnoughLicences) as refused:
        assign(trial, team[1:3])
    assert (refused.value.wanted, refused.value.free) == (2, 1)
    assert assign(trial, team[1:2]) == [team[1].id]


# --- taking back, giving to another ---------------------------------------------------------------


def test_taken_back_they_are_free_again(meetings, team):
    assign(meetings, team[:3])
    assert take_back(meetings, team[1:]) == ids(team[1:3])
    assert take_back(meetings, team[1:]) == []
    assert acts(TAKEN_BACK) == [str(member.id) for member in team[1:3]]
    assert assign(meetings, team[3:]) == [team[3].id]
    assert_books_clean()


def test_a_licence_is_given_to_another_even_where_none_is_free(meetings, team):
    assign(meetings, team[:3])
    reassign(meetings, team[0], team[3])
    assert holders(meetings) == {*ids(team[1:])}
    assert acts(TAKEN_BACK) == [str(team[0].id)]
    assert acts(ASSIGNED)[-1] == str(team[3].id)


def test_what_cannot_be_given_to_another(acme, meetings, team):
    stranger = a_member(a_workspace("Other"), a_person("stranger@other.test", password=False))
    assign(meetings, team[:2])
    with pytest.raises(LicenceGone):
        reassign(meetings, team[2], team[3])
    with pytest.raises(HasLicence):
        reassign(meetings, team[0], team[1])
    with pytest.raises(HasLicence):
        reassign(meetings, team[0], team[0])
    with pytest.raises(CannotHoldLicence):
        reassign(meetings, team[0], stranger)
    assert holders(meetings) == {*ids(team[:2])}


# --- members who come and go ----------------------------------------------------------------------


def test_disabled_they_lose_it_and_get_none_back(acme, meetings, team):
    webinar = with_workspace(bought(acme, "webinar-standard", quantity=1))
    assign(meetings, team[:2])
    assign(webinar, team[:1])
    changes.disable(acme, team[0], now=now())
    assert (holders(meetings), holders(webinar)) == ({team[1].id}, set())
    assert acts(TAKEN_BACK) == [str(team[0].id)] * 2
    changes.enable(acme, team[0], now=now())
    assert holders(meetings) == {team[1].id}
    assert_books_clean()


def test_removed_they_lose_it(acme, meetings, team):
    assign(meetings, team[:2])
    changes.remove(acme, team[0], now=now())
    assert holders(meetings) == {team[1].id}
    assert acts(TAKEN_BACK) == [str(team[0].id)]


def test_a_guest_keeps_it(acme, meetings, team):
    assign(meetings, team[:1])
    changes.make_guest(acme, team[0], now=now())
    assert holders(meetings) == {team[0].id}


def test_who_assigned_it_may_be_forgotten(acme, meetings, team):
    helper = a_person("helper@acme.test", password=False)
    licences.assign(meetings, [team[0].id], by=helper, now=now())
    Person.delete().where(Person.id == helper.id).execute()
    assert Licence.get().assigned_by_id is None


# --- buying fewer ---------------------------------------------------------------------------------


def order_of(place, quantity):
    choices = [Choice("meetings-essential", Interval.MONTH, quantity)]
    return ordering.open_order(place, choices=choices, currency="EUR", now=now())


def test_licences_of_a_trial_count_when_it_is_bought(acme, team):
    trial = with_workspace(tried(acme, quantity=3))
    assign(trial, team[:2])
    with pytest.raises(LicencesBelowAssigned) as refused:
        order_of(acme, 1)
    assert (refused.value.wanted, refused.value.assigned) == (1, 2)
    kept = with_workspace(bought(acme, quantity=2))
    assert (kept.id, holders(kept)) == (trial.id, {*ids(team[:2])})
    with pytest.raises(AlreadySubscribed):
        order_of(acme, 1)
    assert_books_clean()


def test_licences_assigned_after_the_review_stop_the_order(acme, team):
    trial = with_workspace(tried(acme, quantity=3))
    order = paying.with_details(order_of(acme, 1), acme)
    assign(trial, team[:2])
    with pytest.raises(LicencesBelowAssigned):
        paying.pay(order)


def test_licences_of_a_trial_that_ended_count_too(acme, team, clock):
    trial = with_workspace(tried(acme, quantity=2))
    assign(trial, team[:2])
    clock.advance(days=TRIAL_DAYS + 1)
    with pytest.raises(LicencesBelowAssigned):
        order_of(acme, 1)
    assert take_back(trial, team[:1]) == [team[0].id]
    assert order_of(acme, 1).number


# --- looking --------------------------------------------------------------------------------------


def of_meetings(workspace):
    return licences.all_of(workspace, today=workspace.day(now()))[0]


def test_each_product_says_what_is_paid_assigned_and_free(acme, meetings, team):
    bought(acme, "webinar-standard", quantity=2)
    assign(meetings, team[:1])
    found = licences.all_of(acme.workspace, today=acme.workspace.day(now()))
    figures = [(each.product.code, each.paid, each.assigned, each.free, each.idle) for each in found]
    assert figures == [("meetings", 3, 1, 2, 2), ("webinar", 2, 0, 2, 2)]
    # 3 × 11.00 − 1 × 11.00
    assert found[0].saving == Saving(2, Money(2200, "EUR"))


def test_what_has_keys_is_not_listed(acme, meetings):
    Product.update(licence_keys=True).where(Product.code == "meetings").execute()
    assert licences.all_of(acme.workspace, today=acme.workspace.day(now())) == []


def test_nothing_is_saved_of_a_trial_nor_of_what_ends(acme, clock):
    trial = with_workspace(tried(acme, quantity=3))
    assert of_meetings(acme.workspace).saving is None
    bought(acme, quantity=3)
    assert of_meetings(acme.workspace).saving is not None
    Subscription.update(scheduled_quantity=1).where(Subscription.id == trial.id).execute()
    assert of_meetings(acme.workspace).saving is None, "so few are renewed already"
    Subscription.update(scheduled_quantity=None, cancelled_at=now()).where(
        Subscription.id == trial.id
    ).execute()
    assert of_meetings(acme.workspace).saving is None


def test_the_list_has_whoever_may_hold_one(acme, meetings, team):
    changes.disable(acme, team[3], now=now())
    assign(meetings, [team[0], team[2]])
    owner = Member.get(Member.workspace == acme.workspace, Member.person == owner_of(acme.workspace))

    def listed(**asked) -> list[int]:
        return [row.member_id for row in licences.list_members(meetings, **asked).rows]

    everybody = [team[2].id, team[1].id, team[0].id, owner.id]
    assert listed() == everybody
    assert listed(holds=True) == [team[2].id, team[0].id]
    assert listed(holds=False) == [team[1].id, owner.id]
    assert listed(search="ANÀ") == [team[0].id]
    assert listed(holds=False, before=team[1].id) == [owner.id]
    first = licences.list_members(meetings, limit=3)
    assert ([row.member_id for row in first.rows], first.older) == (everybody[:3], team[0].id)
    second = licences.list_members(meetings, limit=3, before=first.older)
    assert ([row.member_id for row in second.rows], second.older) == (everybody[3:], None)
    [ina] = licences.list_members(meetings, search="ina@").rows
    assert (ina.name, ina.email, ina.has_joined, ina.holds) == ("", "ina@acme.test", False, True)


def test_a_member_knows_what_they_hold(acme, meetings, team):
    assign(meetings, team[:1])
    assert licences.products_held_by(team[0]) == {meetings.id}
    assert licences.products_held_by(team[1]) == set()


# --- many at once ---------------------------------------------------------------------------------


@pytest.fixture
def twenty(acme) -> list[Member]:
    return [
        a_member(acme.workspace, a_person(f"m{number}@acme.test", password=False), status=MemberStatus.GUEST)
        for number in range(20)
    ]


def test_twenty_assignments_of_three_licences_at_once_are_three(meetings, twenty):
    results = at_once([lambda member=member: assign(meetings, [member]) for member in twenty])
    assert faults_of(results) == []
    assert sum(isinstance(result, list) and len(result) == 1 for result in results) == 3
    assert sum(isinstance(result, NotEnoughLicences) for result in results) == 17
    assert licences.assigned(meetings) == 3
    assert_books_clean()


def test_one_member_asked_for_by_many_gets_one(meetings, twenty):
    results = at_once([lambda: assign(meetings, twenty[:1])] * 8)
    assert faults_of(results) == []
    assert sorted(map(len, results)) == [0] * 7 + [1]
    assert holders(meetings) == {twenty[0].id}


def test_a_licence_is_given_on_once_whoever_wants_it(meetings, twenty):
    assign(meetings, twenty[:1])
    results = at_once([lambda member=member: reassign(meetings, twenty[0], member) for member in twenty[1:9]])
    assert faults_of(results) == []
    assert results.count(None) == 1
    assert sum(isinstance(result, LicenceGone) for result in results) == 7
    assert licences.assigned(meetings) == 1
    assert_books_clean()


def test_nobody_who_is_disabled_meanwhile_keeps_one(acme, meetings, twenty):
    gone = twenty[:3]
    results = at_once(
        [
            *[lambda member=member: assign(meetings, [member]) for member in gone],
            *[lambda member=member: changes.disable(acme, member, now=now()) for member in gone],
        ]
    )
    assert faults_of(results) == []
    assert holders(meetings) == set()
    assert_books_clean()


def test_a_purchase_of_fewer_and_an_assignment_at_once_never_leave_too_few(acme, twenty, clock):
    trial = with_workspace(tried(acme, quantity=3))
    orders = [paying.with_details(order_of(acme, 1), acme)]
    results = at_once(
        [
            *[lambda order=order: paying.pay(order) for order in orders],
            *[lambda member=member: assign(trial, [member]) for member in twenty[:3]],
        ]
    )
    assert faults_of(results) == []
    assert licences.assigned(trial) <= Subscription.get_by_id(trial.id).quantity
    assert_books_clean()


def test_the_place_of_another_owner_is_another_s(acme, meetings, team):
    """By the subscription of one workspace no member of another is found, nor freed."""
    other = a_place("Other", owner="Otto Other")
    theirs = with_workspace(bought(other, quantity=1))
    assign(meetings, team[:1])
    assert take_back(theirs, team[:1]) == []
    assert holders(meetings) == {team[0].id}
