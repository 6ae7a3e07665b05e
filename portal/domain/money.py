"""Amounts: an integer in the currency's minor unit, with its currency. No float, no Decimal.

`Money.split` and `Money.allocate` are the only divisions of an amount, `Money.nearest` the only rounding:
half up, ties away from zero, so that a credit note mirrors its invoice (docs/adr/0001).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType

from .errors import CurrencyMismatch

# ISO 4217 list one, 2026: currencies whose minor unit is not a hundredth.
EXPONENTS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(
        (
            "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG",
            "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF",
        ),
        0,
    )
    | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
    | dict.fromkeys(("CLF", "UYW"), 4)
)  # fmt: skip


def exponent(currency: str) -> int:
    """Digits after the decimal mark of `currency` in ISO 4217: 2 unless EXPONENTS says otherwise."""
    return EXPONENTS.get(currency, 2)


@lru_cache
def _is_code(text: str) -> bool:
    return len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()


@dataclass(frozen=True, slots=True)
class Money:
    """`minor` units of `currency` (ISO 4217, three capitals); may be negative.

    Sums, differences and order of two currencies raise CurrencyMismatch; equality is plainly False.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units are an int, not {type(self.minor).__name__}")
        if not _is_code(self.currency):
            raise ValueError(f"not a currency code: {self.currency!r}")

    @classmethod
    def zero(cls, currency: str) -> "Money":
        return cls(0, currency)

    @classmethod
    def nearest(cls, exact_minor: Fraction, currency: str) -> "Money":
        """The amount closest to `exact_minor` (minor units); half a unit goes away from zero."""
        numerator, denominator = exact_minor.numerator, exact_minor.denominator
        magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
        return cls(magnitude if numerator >= 0 else -magnitude, currency)

    @property
    def is_negative(self) -> bool:
        return self.minor < 0

    def __add__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.minor + self._minor_of(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.minor - self._minor_of(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __mul__(self, quantity: int) -> "Money":
        if type(quantity) is not int:
            return NotImplemented
        return Money(self.minor * quantity, self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: "Money") -> bool:
        return self.minor < self._minor_of(other)

    def __le__(self, other: "Money") -> bool:
        return self.minor <= self._minor_of(other)

    def __gt__(self, other: "Money") -> bool:
        return self.minor > self._minor_of(other)

    def __ge__(self, other: "Money") -> bool:
        return self.minor >= self._minor_of(other)

    def split(self, *, part: int, whole: int) -> "Money":
        """`part` / `whole` of the amount, rounded once. 20 % tax is `net.split(part=2000, whole=10_000)`."""
        return Money.nearest(Fraction(self.minor * part, whole), self.currency)

    def allocate(self, weights: Sequence[int]) -> "list[Money]":
        """Shares in proportion to `weights` (none negative, not all 0) that sum exactly to the amount.

        Largest remainder: each share is the exact one rounded down or up; the earlier weight wins a tie.
        """
        whole = sum(weights)
        if whole <= 0 or min(weights) < 0:
            raise ValueError(f"weights must be 0 or more, and one of them more: {list(weights)}")
        sign = -1 if self.minor < 0 else 1
        shares, remainders = [], []
        for weight in weights:
            share, remainder = divmod(abs(self.minor) * weight, whole)
            shares.append(share)
            remainders.append(remainder)
        missing = abs(self.minor) - sum(shares)
        for place in sorted(range(len(weights)), key=lambda i: -remainders[i])[:missing]:
            shares[place] += 1
        return [Money(sign * share, self.currency) for share in shares]

    def _minor_of(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise CurrencyMismatch(left=self.currency, right=other.currency)
        return other.minor


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Sum of `amounts`, all in `currency`; zero when there are none."""
    return sum(amounts, start=Money.zero(currency))


LONGEST_AMOUNT = 12
"""Digits before the decimal mark that somebody may type; with any minor unit a column holds them."""


def read_amount(text: str, currency: str) -> Money | None:
    """What somebody typed: `1000`, `1 000,50`, `18.00`; None for what is no amount of the currency.

    One decimal mark, `,` or `.`, with no more digits after it than the currency has. Blanks alone group
    digits: nobody has to guess whether the mark of `1,000` did.
    """
    digits = "".join(text.split())
    whole, mark, after = digits.replace(",", ".").partition(".")
    places = exponent(currency)
    is_number = all(part.isascii() and part.isdigit() for part in ([whole, after] if mark else [whole]))
    if not is_number or len(whole) > LONGEST_AMOUNT or len(after) > places:
        return None
    return Money(int(whole + after.ljust(places, "0")), currency)


def major_string(money: Money) -> str:
    """The machine's form, as in XML, CSV and QR codes: '18.00', '-0.05', '18' for JPY, '1.250' for KWD."""
    places = exponent(money.currency)
    digits = str(abs(money.minor)).rjust(places + 1, "0")
    sign = "-" if money.is_negative else ""
    if places == 0:
        return sign + digits
    return f"{sign}{digits[:-places]}.{digits[-places:]}"
