"""Who fits into a plan, and who becomes a guest: the overflow of source-systems §2.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.capacity import (
    ActiveUser,
    Admitted,
    Capacity,
    admit,
    capacity_in,
    tightest,
    who_become_guests,
)
from portal.domain.plans import PlanLimits
from portal.domain.vocabulary import Role


def a_room(users, of, guests=0, guests_of=None):
    """`users` of so many, `guests` of so many: two for each user that the plan allows, unless said."""
    return Capacity(
        users=users,
        guests=guests,
        max_users=of,
        max_guests=guests_of if guests_of is not None or of is None else 2 * of,
    )


SEATINGS = {
    # (room, coming, as guests): users, guests, refused.
    "everybody is a user while there is room": (a_room(1, of=3), 2, False, (2, 0, 0)),
    "one too many becomes a guest": (a_room(1, of=3), 3, False, (2, 1, 0)),
    "a full plan makes guests of all": (a_room(3, of=3), 6, False, (0, 6, 0)),
    "3 users: the 7th guest is refused": (a_room(3, of=3), 7, False, (0, 6, 1)),
    "3 users, 6 guests: nobody fits": (a_room(3, of=3, guests=6), 1, False, (0, 0, 1)),
    "users, guests and one too many": (a_room(2, of=3, guests=5), 3, False, (1, 1, 1)),
    "a trial has no limit": (a_room(500, of=None, guests=70), 50, False, (50, 0, 0)),
    "nor for guests": (a_room(500, of=None, guests=70), 50, True, (0, 50, 0)),
    "the free plan has no guests": (a_room(4, of=5, guests_of=0), 2, False, (1, 0, 1)),
    "wanted as guests, though users would fit": (a_room(1, of=3), 2, True, (0, 2, 0)),
    "wanted as guests and too many": (a_room(1, of=3, guests=5), 2, True, (0, 1, 1)),
    "more users than the plan allows leave no admit": (a_room(20, of=10), 1, False, (0, 1, 0)),
    "more guests than the plan allows leave none either": (a_room(20, of=10, guests=25), 1, False, (0, 0, 1)),
    "nobody comes": (a_room(3, of=3, guests=6), 0, False, (0, 0, 0)),
}


@pytest.mark.parametrize(("capacity", "coming", "as_guests", "admitted"), SEATINGS.values(), ids=SEATINGS)
def test_seats_are_given_to_users_first(capacity, coming, as_guests, admitted):
    assert admit(capacity, coming, as_guests=as_guests) == Admitted(*admitted)


NEARLY_FULL = {0: True, 4: True, 5: False}


@pytest.mark.parametrize(("left", "proposed"), NEARLY_FULL.items())
def test_a_larger_plan_comes_first_with_fewer_than_five_seats_left(left, proposed):
    capacity = a_room(10 - left, of=10)
    assert (capacity.free_users, capacity.is_full, capacity.is_nearly_full) == (left, left == 0, proposed)


def test_without_a_limit_nothing_is_ever_full():
    capacity = a_room(10_000, of=None, guests=10_000)
    assert (capacity.free_users, capacity.free_guests) == (None, None)
    assert not (capacity.is_full or capacity.is_full_of_guests or capacity.is_nearly_full)


def test_two_guests_for_each_user_allowed_not_for_each_user_present():
    plan = PlanLimits(
        code="business-5",
        position=1,
        max_users=5,
        guests_per_user=2,
        max_administrators=None,
        storage_bytes=None,
        services=frozenset(),
        free=False,
        hidden=False,
    )
    assert capacity_in(plan, users=1, guests=3) == Capacity(users=1, guests=3, max_users=5, max_guests=10)


limits = st.none() | st.integers(min_value=0, max_value=40)
people = st.integers(min_value=0, max_value=60)


@given(people, people, limits, limits, people, st.booleans())
def test_nobody_is_lost_and_no_limit_is_passed(users, guests, max_users, max_guests, coming, as_guests):
    capacity = Capacity(users=users, guests=guests, max_users=max_users, max_guests=max_guests)
    given_ = admit(capacity, coming, as_guests=as_guests)
    assert given_.users + given_.guests + given_.refused == coming
    assert min(given_.users, given_.guests, given_.refused) >= 0
    after_users, after_guests = users + given_.users, guests + given_.guests
    assert max_users is None or after_users <= max(users, max_users)
    assert max_guests is None or after_guests <= max(guests, max_guests)
    # Somebody is refused only when there is no admit left, and a guest is made only when no user fits.
    if given_.refused:
        assert max_guests is not None and after_guests >= max_guests
    if (given_.guests or given_.refused) and not as_guests:
        assert max_users is not None and after_users >= max_users


TIGHTEST = {(): None, (None, None): None, (3, None): 3, (5, 3): 3, (0, 3): 0}


@pytest.mark.parametrize(("limits", "smallest"), TIGHTEST.items())
def test_of_several_limits_the_smallest_counts(limits, smallest):
    assert tightest(limits) == smallest


OWNER, OLD, PAYER, ADMIN, NEW = (
    ActiveUser(1, Role.OWNER, has_billing_access=True),
    ActiveUser(2, Role.MEMBER, has_billing_access=False),
    ActiveUser(3, Role.MEMBER, has_billing_access=True),
    ActiveUser(4, Role.ADMIN, has_billing_access=False),
    ActiveUser(5, Role.MEMBER, has_billing_access=False),
)
SEATS = [OWNER, OLD, PAYER, ADMIN, NEW]
WITHOUT_A_SEAT = {None: [], 9: [], 5: [], 4: [5], 3: [5, 4], 2: [5, 4, 2], 1: [5, 4, 2, 3], 0: [5, 4, 2, 3]}


@pytest.mark.parametrize(("max_users", "guests"), WITHOUT_A_SEAT.items())
def test_the_newest_lose_their_seats_first_billing_people_last_and_owners_never(max_users, guests):
    assert who_become_guests(SEATS, max_users=max_users) == guests


@given(
    st.lists(st.tuples(st.sampled_from(Role), st.booleans()), max_size=12),
    st.one_of(st.none(), st.integers(0, 12)),
)
def test_no_more_lose_their_users_than_must_and_the_rest_fit_where_they_can(people, max_users):
    users = [ActiveUser(number, role, pays) for number, (role, pays) in enumerate(people)]
    gone = who_become_guests(users, max_users=max_users)
    left = [user for user in users if user.member_id not in gone]
    too_many = 0 if max_users is None else max(0, len(users) - max_users)
    assert len(gone) == min(too_many, sum(user.role != Role.OWNER for user in users))
    assert all(user in left for user in users if user.role == Role.OWNER)
