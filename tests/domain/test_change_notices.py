"""When letters about changes that wait are mailed."""

from datetime import date

import pytest

from portal.domain.change_notices import mailed_from
from portal.domain.vocabulary import ChangeNotices


@pytest.mark.parametrize(
    ("noted_on", "frequency", "mailed"),
    [
        (date(2026, 12, 1), ChangeNotices.EACH, date(2026, 12, 2)),
        (date(2026, 12, 31), ChangeNotices.EACH, date(2027, 1, 1)),
        (date(2026, 12, 1), ChangeNotices.MONTHLY, date(2027, 1, 1)),
        (date(2027, 1, 31), ChangeNotices.MONTHLY, date(2027, 2, 1)),
        (date(2028, 2, 29), ChangeNotices.MONTHLY, date(2028, 3, 1)),
    ],
)
def test_a_notice_that_waits_is_mailed_the_next_day_or_the_next_month(noted_on, frequency, mailed) -> None:
    assert mailed_from(noted_on, frequency) == mailed
