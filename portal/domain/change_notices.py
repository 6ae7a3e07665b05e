"""When letters about changes that wait are mailed."""

from datetime import date, timedelta

from .periods import add_months
from .vocabulary import ChangeNotices


def mailed_from(noted_on: date, frequency: ChangeNotices) -> date:
    """The workspace's first day on which what changed on `noted_on` is mailed, if it was not at once.

    The next one, so that there is one message a day, or the first day of the next month.
    """
    if frequency is ChangeNotices.EACH:
        return noted_on + timedelta(days=1)
    return add_months(noted_on, 1, anchor_day=1)
