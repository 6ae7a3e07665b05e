"""A choice of licences: what it costs, and when a change from one to another begins (docs/adr/0023)."""

from dataclasses import dataclass
from enum import StrEnum

from .money import Money
from .periods import MONTHS
from .vocabulary import Interval, PriceUnit


class Begins(StrEnum):
    """When new terms begin: at once, or as a scheduled change once what is paid is over."""

    NOW = "now"
    ON_DUE_DATE = "on_due_date"


@dataclass(frozen=True, slots=True)
class LicenceTerms:
    """A choice and its price. `position` is that of the plan in its product: a later tier is larger.

    `unit` is what one licence costs each interval, without VAT, where `quantity` of them are taken: volume
    tiers have been applied. It is that of the whole plan where `price_unit` is flat.
    """

    plan_code: str
    position: int
    interval: Interval
    quantity: int
    unit: Money
    price_unit: PriceUnit = PriceUnit.LICENCE

    def __post_init__(self) -> None:
        if type(self.quantity) is not int or self.quantity < 1:
            raise ValueError(f"not a number of licences: {self.quantity!r}")
        if self.unit.is_negative:
            raise ValueError(f"licences cannot cost {self.unit}")

    @property
    def billed_quantity(self) -> int:
        """How many times `unit` stands on an invoice; a flat price stands there once."""
        return 1 if self.price_unit is PriceUnit.FLAT else self.quantity

    @property
    def price(self) -> Money:
        """Of one whole period, without VAT."""
        return self.unit * self.billed_quantity

    @property
    def price_per_year(self) -> Money:
        """To compare a month with a year: twelve months are one."""
        return self.price * (MONTHS[Interval.YEAR] // MONTHS[self.interval])

    def is_same_choice(self, other: "LicenceTerms") -> bool:
        """Whether plan, interval and licences are the same, whatever they cost."""
        return (self.plan_code, self.interval, self.quantity) == (
            other.plan_code,
            other.interval,
            other.quantity,
        )

    @property
    def facts(self) -> dict[str, object]:
        return {
            "plan": self.plan_code,
            "interval": self.interval.value,
            "quantity": self.quantity,
            "billed_quantity": self.billed_quantity,
            "unit_minor": self.unit.minor,
            "price_minor": self.price.minor,
        }


def change_begins(*, present: LicenceTerms, wanted: LicenceTerms) -> Begins:
    """When `wanted` begins while days are left of what was paid.

    No tier lower and no licence fewer: now, whatever the interval. No tier higher and no licence more: on the
    due date. A higher tier with fewer licences, or the reverse: now, unless a year of it costs less (twelve
    months being a year). Raises CurrencyMismatch for such a mix in two currencies.
    """
    smaller = wanted.position < present.position or wanted.quantity < present.quantity
    larger = wanted.position > present.position or wanted.quantity > present.quantity
    if smaller and larger:
        smaller = wanted.price_per_year < present.price_per_year
    return Begins.ON_DUE_DATE if smaller else Begins.NOW
