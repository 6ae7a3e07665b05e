"""Exchange rates: what the VAT of an invoice in another currency is in the seller's own.

Directive 2006/112/EC, articles 91(2) and 230: the VAT payable is told in the seller's currency, at the latest
rate that was published when it became due.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from .errors import CannotBeInvoiced
from .money import Money, exponent

RATE_PLACES = 6
"""Digits after the mark of a rate; a rate is kept as that many times ten of its units."""
WHOLE_RATE = 10**RATE_PLACES
LONGEST_RATE = 9
"""Digits before the mark that somebody may type."""
VALID_FOR = timedelta(days=7)


class MissingExchangeRate(CannotBeInvoiced):
    """No rate of `currency` holds on the day `on`: the order stops, never a wrong figure by accident."""

    currency: str
    on: date


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """One unit of `base`, the seller's currency, was worth so many millionths of `currency` on a day.

    As the European Central Bank publishes them: 1 EUR = 1.1612 USD is 1_161_200 of USD. `source` is printed.
    """

    base: str
    currency: str
    on: date
    millionths: int
    source: str

    def in_base(self, amount: Money) -> Money:
        """The amount in the seller's currency, its one rounding half up. Raises ValueError for another's."""
        if amount.currency != self.currency:
            raise ValueError(f"a rate of {self.currency} turns no {amount.currency}")
        digits = exponent(self.base) - exponent(self.currency)
        exact = Fraction(amount.minor * WHOLE_RATE, self.millionths) * Fraction(10) ** digits
        return Money.nearest(exact, self.base)


def rate_on(rates: Iterable[ExchangeRate], on: date) -> ExchangeRate | None:
    """That of the day, or the last before it that is at most VALID_FOR old; None where there is none.

    Of two for one day the later one in `rates` counts: a slip is mended by adding the right one.
    """
    found: ExchangeRate | None = None
    for rate in rates:
        if on - VALID_FOR <= rate.on <= on and (found is None or rate.on >= found.on):
            found = rate
    return found


def rate_text(millionths: int) -> str:
    """The machine's form, without zeros that say nothing: 1161200 is '1.1612'."""
    whole, after = divmod(millionths, WHOLE_RATE)
    return f"{whole}.{after:0{RATE_PLACES}d}".rstrip("0").rstrip(".")


def read_rate(text: str) -> int | None:
    """Millionths of what somebody typed, `1.1612` or `1,1612`; None for what is no rate, or is none."""
    whole, mark, after = "".join(text.split()).replace(",", ".").partition(".")
    parts = [whole, after] if mark else [whole]
    if not all(part.isascii() and part.isdigit() for part in parts):
        return None
    if len(whole) > LONGEST_RATE or len(after) > RATE_PLACES:
        return None
    return int(whole + after.ljust(RATE_PLACES, "0")) or None


OF_THE_SANDBOX = "bac à sable / sandbox"
"""The source of the make-believe rates."""
PER_EURO = {
    "EUR": 1_000_000, "USD": 1_160_000, "GBP": 870_000, "CHF": 930_000, "JPY": 176_500_000, "CAD": 1_620_000,
    "AUD": 1_770_000, "CZK": 24_300_000, "DKK": 7_460_000, "HUF": 388_000_000, "KWD": 355_000,
    "NOK": 11_700_000, "PLN": 4_250_000, "RON": 5_080_000, "SEK": 11_000_000,
}  # fmt: skip
"""Make-believe rates in millionths, for a sandbox whose clock may stand on any day."""


def sandbox_rate(base: str, currency: str, on: date) -> ExchangeRate | None:
    """What holds in the sandbox where nobody has added a rate; None for a currency that it has none of."""
    if base not in PER_EURO or currency not in PER_EURO:
        return None
    millionths = Money.nearest(Fraction(PER_EURO[currency] * WHOLE_RATE, PER_EURO[base]), currency).minor
    return ExchangeRate(base, currency, on, millionths, OF_THE_SANDBOX)
