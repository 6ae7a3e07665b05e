"""What a number of licences costs: with tiers, the number of the whole order decides.

Each licence of an order costs the amount of the tier that the order reaches, the first licences too. So
ten may cost less than nine (product.md §3), and a change is priced by the number of licences after it. A
flat price is that of the plan, whatever the number.
"""

from dataclasses import dataclass
from typing import Final

from .money import Money
from .vocabulary import PriceUnit

MAX_LICENCES: Final = 1_000_000
"""The most that one order may hold, also where the vendor names no maximum: at the dearest amount of a
catalogue they cost 10**18 minor units, which a column of the database holds with any tax."""


@dataclass(frozen=True, slots=True)
class VolumeTier:
    """From this many licences on, *each* licence of the order costs `amount_minor`, the first ones too."""

    from_licences: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class VolumePrice:
    """Net, for one interval. `list_amount` is that of one licence below every tier, or of the whole plan."""

    unit: PriceUnit
    list_amount: Money
    tiers: tuple[VolumeTier, ...] = ()

    def unit_amount(self, quantity: int) -> Money:
        """What each licence costs in an order of `quantity`; a flat price has one unit, the plan.

        Raises ValueError for what is not a number of licences, TypeError for what is not a whole number.
        """
        if type(quantity) is not int:
            raise TypeError(f"a number of licences is an int, not {type(quantity).__name__}")
        if not 1 <= quantity <= MAX_LICENCES:
            raise ValueError(f"not a number of licences: {quantity}")
        reached = [tier for tier in self.tiers if tier.from_licences <= quantity]
        if self.unit is PriceUnit.FLAT or not reached:
            return self.list_amount
        highest = max(reached, key=lambda tier: tier.from_licences)
        return Money(highest.amount_minor, self.list_amount.currency)

    def amount(self, quantity: int) -> Money:
        """What an order of `quantity` licences costs. Raises as `unit_amount` does."""
        each = self.unit_amount(quantity)
        return each if self.unit is PriceUnit.FLAT else each * quantity
