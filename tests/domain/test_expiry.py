"""When somebody is told that a card expires."""

from datetime import date

import pytest

from portal.domain.expiry import last_day, look_on, notice_due
from portal.domain.vocabulary import MethodNoticeKind

MONTH, WEEK = MethodNoticeKind.EXPIRES_IN_A_MONTH, MethodNoticeKind.EXPIRES_IN_A_WEEK
LAST = date(2026, 12, 31)


@pytest.mark.parametrize(
    ("month", "year", "day"),
    [(12, 2026, date(2026, 12, 31)), (2, 2027, date(2027, 2, 28)), (2, 2028, date(2028, 2, 29))],
)
def test_a_card_is_good_to_the_end_of_its_month(month, year, day):
    assert last_day(month=month, year=year) == day


# The 31st less 30 days is the 1st, less 7 the 24th.
@pytest.mark.parametrize(
    ("today", "kind", "unsaid", "said"),
    [
        (date(2026, 11, 30), None, date(2026, 12, 1), date(2026, 12, 1)),
        (date(2026, 12, 1), MONTH, date(2026, 12, 2), date(2026, 12, 24)),
        (date(2026, 12, 23), MONTH, date(2026, 12, 24), date(2026, 12, 24)),
        (date(2026, 12, 24), WEEK, date(2026, 12, 25), None),
        (date(2026, 12, 30), WEEK, date(2026, 12, 31), None),
        (date(2026, 12, 31), WEEK, None, None),
        (date(2027, 1, 1), None, None, None),
    ],
)
def test_a_month_and_a_week_before_its_last_day(today, kind, unsaid, said):
    assert notice_due(LAST, today=today) == kind
    assert look_on(LAST, today=today, is_said=False) == unsaid
    assert look_on(LAST, today=today, is_said=True) == said
