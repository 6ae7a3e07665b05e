"""Licences and who holds them: who may, how many are free, what idle ones cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.licences import (
    NotAssignable,
    NotEnoughLicences,
    Saving,
    check_assignment,
    free_licences,
    may_hold,
    saving_of,
)
from portal.domain.money import Money
from portal.domain.vocabulary import MemberStatus, PriceUnit, SubscriptionState
from portal.domain.volume_price import VolumePrice, VolumeTier

PAID, TRIAL, LATE = SubscriptionState.PAID, SubscriptionState.TRIAL, SubscriptionState.LATE


def by_licence(amount_minor, *tiers):
    return VolumePrice(
        PriceUnit.LICENCE, Money(amount_minor, "EUR"), tuple(VolumeTier(*tier) for tier in tiers)
    )


PLAIN, TIERED = by_licence(2000), by_licence(2000, (10, 1500))
WHOLE = VolumePrice(PriceUnit.FLAT, Money(2000, "EUR"))


# --- who may hold one -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "may"),
    [(MemberStatus.ACTIVE, True), (MemberStatus.GUEST, True), (MemberStatus.DISABLED, False)],
)
def test_every_member_may_hold_one_who_is_not_disabled(status, may):
    assert may_hold(status) is may


# --- how many are free ----------------------------------------------------------------------------

# Paid for, being paid for, assigned; free.
FREE = {
    "none is assigned": (3, None, 0, 3),
    "some are assigned": (3, None, 2, 1),
    "all are assigned": (3, None, 3, 0),
    "more are being paid for": (3, 5, 2, 1),
    "fewer are being paid for": (3, 2, 1, 1),
    "as few as are assigned are being paid for": (3, 2, 2, 0),
    "fewer are being paid for than are assigned": (3, 1, 2, 0),
}


@pytest.mark.parametrize(("quantity", "being_paid", "held", "free"), FREE.values(), ids=FREE)
def test_how_many_are_free(quantity, being_paid, held, free):
    assert free_licences(quantity=quantity, being_paid=being_paid, assigned=held) == free


some = st.integers(0, 50)


@given(quantity=st.integers(1, 50), being_paid=st.none() | st.integers(1, 50), held=some)
def test_what_is_free_fits_what_is_paid_and_what_is_being_paid(quantity, being_paid, held):
    free = free_licences(quantity=quantity, being_paid=being_paid, assigned=held)
    assert free >= 0
    if free:
        assert held + free <= quantity
        assert being_paid is None or held + free <= being_paid


@pytest.mark.parametrize("state", [PAID, TRIAL, LATE, SubscriptionState.CANCELLED, SubscriptionState.FREE])
def test_while_it_can_be_used_all_that_are_free_may_be_assigned(state):
    check_assignment(wanted=3, free=3, state=state)
    with pytest.raises(NotEnoughLicences) as refused:
        check_assignment(wanted=4, free=3, state=state)
    assert (refused.value.wanted, refused.value.free) == (4, 3)


@pytest.mark.parametrize("state", [SubscriptionState.BLOCKED, SubscriptionState.ENDED])
def test_once_it_cannot_be_used_nothing_is_assigned(state):
    with pytest.raises(NotAssignable) as refused:
        check_assignment(wanted=1, free=3, state=state)
    assert refused.value.state == state


# --- what idle ones cost --------------------------------------------------------------------------

# The price, paid for, assigned; how many to return and what it saves each period.
SAVINGS = {
    "none is idle": (PLAIN, 3, 3, None),
    "two are idle": (PLAIN, 5, 3, (2, 4000)),  # 5 × 20.00 − 3 × 20.00
    "nobody has one, and one stays": (PLAIN, 5, 0, (4, 8000)),
    "the last one is not returned": (PLAIN, 1, 0, None),
    "more are assigned than are renewed": (PLAIN, 2, 3, None),
    "below the tier": (TIERED, 9, 5, (4, 8000)),
    "within the tier": (TIERED, 14, 12, (2, 3000)),  # 14 × 15.00 − 12 × 15.00
    "out of the tier it would cost more": (TIERED, 12, 9, (2, 3000)),  # ten for 150.00, nine for 180.00
    "the first of the tier is the cheapest": (TIERED, 10, 9, None),
    "far enough out of the tier": (TIERED, 12, 7, (5, 4000)),  # 12 × 15.00 − 7 × 20.00
    "equal: more are kept": (by_licence(1500, (4, 1125)), 5, 3, (1, 1125)),  # 3 × 15.00 = 45.00 = 4 × 11.25
    "a flat price": (WHOLE, 5, 1, None),
    "nothing to pay": (by_licence(0), 5, 1, None),
}


@pytest.mark.parametrize(("price", "quantity", "held", "saving"), SAVINGS.values(), ids=SAVINGS)
def test_what_returning_idle_licences_saves(price, quantity, held, saving):
    expected = saving and Saving(saving[0], Money(saving[1], "EUR"))
    assert saving_of(price, quantity=quantity, assigned=held) == expected


@st.composite
def prices(draw):
    """By licence, with up to three tiers that go up and get cheaper."""
    firsts = sorted(draw(st.sets(st.integers(2, 60), max_size=3)))
    amounts = sorted(draw(st.sets(st.integers(0, 5000), min_size=4, max_size=4)), reverse=True)
    return by_licence(amounts[0], *zip(firsts, amounts[1:], strict=False))


@given(price=prices(), quantity=st.integers(1, 80), held=st.integers(0, 80))
def test_no_other_number_of_idle_licences_saves_more(price, quantity, held):
    saving = saving_of(price, quantity=quantity, assigned=held)
    possible = range(max(held, 1), quantity)
    savings = {quantity - left: (price.amount(quantity) - price.amount(left)).minor for left in possible}
    if saving is None:
        assert all(amount <= 0 for amount in savings.values())
    else:
        assert saving.amount.minor == savings[saving.returned] == max(savings.values()) > 0
        assert saving.returned == min(n for n, amount in savings.items() if amount == saving.amount.minor)
