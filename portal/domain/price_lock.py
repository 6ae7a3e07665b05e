"""The price that stays: as guaranteed, and as it was told.

Guaranteed twelve months by the month, twenty-four by the year, while auto-renewal is on (question 12 of the
pricing FAQ, source-systems §2.3). Told: what a page or a letter said of the coming charge is its ceiling,
unless a rise was mailed PRICE_RISE_DAYS ahead (product.md §4). A lower list price always wins.
"""

from dataclasses import dataclass, replace
from datetime import date

from .money import Money
from .periods import add_months
from .vocabulary import Interval

LOCK_MONTHS = {Interval.MONTH: 12, Interval.YEAR: 24}


@dataclass(frozen=True, slots=True)
class PriceLock:
    """`amount`, without VAT, is charged at most for every period that begins before `until`."""

    amount: Money
    until: date

    def holds(self, on: date) -> bool:
        return on < self.until


def lock_after_payment(
    *,
    before: PriceLock | None,
    same_terms: bool,
    same_quantity: bool = True,
    auto_renewal: bool,
    charged: Money,
    paid_on: date,
    interval: Interval,
) -> PriceLock | None:
    """The lock after a payment: begun by the first one with auto-renewal on, then kept; none without it.

    `same_terms`: plan and interval are those of the payment before; other terms begin another lock. With
    another number of licences its end stays, and `charged` is what they cost. One that is over is kept too,
    and holds nothing: the promise is made once and not anew every year.
    """
    if not auto_renewal:
        return None
    if before is not None and same_terms:
        return before if same_quantity else replace(before, amount=charged)
    until = add_months(paid_on, LOCK_MONTHS[interval], anchor_day=paid_on.day)
    return PriceLock(amount=charged, until=until)


def renewal_price(
    *, list_price: Money | None, lock: PriceLock | None, told: Money | None = None, on: date
) -> Money | None:
    """What a period that begins on `on` costs; None when the plan is no longer sold and nothing is locked.

    `told` is the price, without VAT, that was last told of this charge. It is a ceiling and sells nothing.
    """
    prices = [list_price, lock.amount if lock is not None and lock.holds(on) else None]
    price = min((each for each in prices if each is not None), default=None)
    return price if price is None or told is None else min(price, told)
