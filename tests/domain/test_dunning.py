from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain.dunning import (
    last_usable_day,
    methods_left,
    next_round_on,
    request_stands_until,
    was_not_confirmed,
)
from portal.domain.vocabulary import DeclineCode

FAILED = date(2026, 2, 1)
DAYS = (1, 3, 7, 14)
property_test = settings(deadline=None)


def after(days):
    return FAILED + timedelta(days=days)


# product.md §5: retries on days 1, 3, 7 and 14 after the first failure.
ROUNDS = {
    "on the day of the failure: day 1": (0, DAYS, 1),
    "after day 1: day 3": (1, DAYS, 3),
    "between two rounds": (2, DAYS, 3),
    "after day 3: day 7": (3, DAYS, 7),
    "after day 7: day 14": (7, DAYS, 14),
    "after day 14: none": (14, DAYS, None),
    "long after": (200, DAYS, None),
    "away over days 1 and 3: one round for both": (5, DAYS, 7),
    "a setting in any order": (3, (14, 1, 7, 3), 7),
    "one round only": (0, (5,), 5),
    "no rounds at all": (0, (), None),
}


@pytest.mark.parametrize(("today", "days", "expected"), ROUNDS.values(), ids=ROUNDS)
def test_the_next_round(today, days, expected):
    found = next_round_on(failed_on=FAILED, today=after(today), days=days)
    assert found == (None if expected is None else after(expected))


SPANS = {
    "fourteen days": (DAYS, 14),
    "in any order": ((14, 3), 14),
    "one day": ((1,), 1),
    "no rounds: the day of the failure is still usable": ((), 0),
}


@pytest.mark.parametrize(("days", "expected"), SPANS.values(), ids=SPANS)
def test_the_last_usable_day(days, expected):
    assert last_usable_day(FAILED, days) == after(expected)


@property_test
@given(st.lists(st.integers(1, 60), unique=True, max_size=6), st.integers(0, 80))
def test_rounds_go_through_every_day_once_and_end_on_the_last_usable_one(days, wait):
    found, today = [], FAILED
    while (next_on := next_round_on(failed_on=FAILED, today=today, days=days)) is not None:
        assert next_on > today
        found.append((next_on - FAILED).days)
        today = next_on
    assert found == sorted(days)
    assert today == last_usable_day(FAILED, days)
    later = next_round_on(failed_on=FAILED, today=after(wait), days=days)
    assert later is None or after(wait) < later <= last_usable_day(FAILED, days)


# Methods 1 (preferred), 2 and 3.
METHODS = {
    "nothing tried: all, in their order": ([1, 2, 3], [], [], [1, 2, 3]),
    "a soft decline: the others today": ([1, 2, 3], [], [1], [2, 3]),
    "a soft decline: in the next round again": ([1, 2, 3], [], [], [1, 2, 3]),
    "a hard decline: never again": ([1, 2, 3], [1], [], [2, 3]),
    "hard today": ([1, 2, 3], [1], [1], [2, 3]),
    "each once a round": ([1, 2, 3], [], [1, 2, 3], []),
    "all refused for good: another card is asked for": ([1, 2], [1, 2], [], []),
    "a new card is asked at once": ([1, 2, 4], [1], [1, 2], [4]),
    "a new card, put first": ([4, 1, 2], [1], [2], [4]),
    "a method removed since": ([2], [1], [1], [2]),
    "nothing saved": ([], [], [], []),
}


@pytest.mark.parametrize(("methods", "hard", "today", "expected"), METHODS.values(), ids=METHODS)
def test_the_methods_that_a_round_may_still_ask(methods, hard, today, expected):
    assert methods_left(methods, refused_for_good=hard, tried_today=today) == expected


some_methods = st.lists(st.integers(1, 9), unique=True)


@property_test
@given(some_methods, st.dictionaries(st.integers(1, 9), st.booleans()), st.integers(1, 5))
def test_a_round_asks_each_method_once_and_a_hard_one_never_again(methods, hard, rounds):
    """`hard` says of each method whether its decline is final."""
    asked = []
    refused_for_good = set()
    for _ in range(rounds):
        tried_today = []
        while left := methods_left(methods, refused_for_good=refused_for_good, tried_today=tried_today):
            tried_today.append(left[0])
            if hard.get(left[0]):
                refused_for_good.add(left[0])
        assert tried_today == [method for method in methods if method in tried_today]
        asked += tried_today
    for method in methods:
        assert asked.count(method) == (1 if hard.get(method) else rounds)


# asked on this day after the first request, days of the rounds, last usable day: the last day to confirm.
REQUESTS = {
    "the first: until the first round": (0, DAYS, 14, 0),
    "the second: until the day before the third": (1, DAYS, 14, 2),
    "on a day between two rounds": (4, DAYS, 14, 6),
    "that of day 7": (7, DAYS, 14, 13),
    "the last: as long as access": (14, DAYS, 14, 14),
    "the last, with more grace than rounds": (14, DAYS, 20, 20),
    "long after: its own day": (40, DAYS, 14, 40),
    "no rounds: as long as access": (0, (), 5, 5),
    "no rounds and no grace": (0, (), 0, 0),
}


@pytest.mark.parametrize(("asked", "days", "usable", "until"), REQUESTS.values(), ids=REQUESTS)
def test_until_when_a_request_can_be_confirmed(asked, days, usable, until):
    found = request_stands_until(
        asked_on=after(asked), failed_on=FAILED, last_usable=after(usable), days=days
    )
    assert found == after(until)


@property_test
@given(st.lists(st.integers(1, 60), max_size=6), st.integers(0, 90), st.integers(0, 90))
def test_a_request_stands_a_day_at_least_and_never_into_the_next_round(days, asked, usable):
    until = request_stands_until(
        asked_on=after(asked), failed_on=FAILED, last_usable=after(usable), days=days
    )
    following = next_round_on(failed_on=FAILED, today=after(asked), days=days)
    assert until >= after(asked)
    assert following is None or until < following


@pytest.mark.parametrize("code", DeclineCode)
def test_what_was_not_confirmed_is_no_refusal_of_a_bank(code):
    expected = code in {
        DeclineCode.WITHDRAWN,
        DeclineCode.AUTHENTICATION_FAILED,
        DeclineCode.REFUSED_BY_PAYER,
    }
    assert was_not_confirmed(code.value) is expected
