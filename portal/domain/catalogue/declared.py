"""What the vendor declares for sale, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from portal.domain.vocabulary import ChangePolicy, Interval, PriceUnit, ProductKind, Service


@dataclass(frozen=True, slots=True)
class DeclaredTier:
    """From this many licences on, *each* licence of the order costs `amount_minor`, the first ones too."""

    from_licences: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class DeclaredPrice:
    """A net amount per interval: of the whole plan (`flat`) or of one licence.

    Sold on the days `[valid_from, valid_until)`; None is open on that side.
    """

    interval: Interval
    currency: str
    unit: PriceUnit
    amount_minor: int
    tiers: tuple[DeclaredTier, ...]
    valid_from: date | None
    valid_until: date | None

    def is_sold_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_until is None or day < self.valid_until
        )


@dataclass(frozen=True, slots=True)
class DeclaredPlan:
    """A limit that is None is no limit. `code` is unique in the whole catalogue."""

    code: str
    names: Mapping[str, str]
    position: int
    hidden: bool
    free: bool
    trial: bool
    nonprofit: bool
    max_users: int | None
    guests_per_user: int
    max_administrators: int | None
    storage_bytes: int | None
    services: tuple[Service, ...]
    prices: tuple[DeclaredPrice, ...]

    @property
    def is_sold(self) -> bool:
        return not (self.hidden or self.free or self.trial)

    def currencies_on(self, day: date) -> frozenset[str]:
        return frozenset(price.currency for price in self.prices if price.is_sold_on(day))


@dataclass(frozen=True, slots=True)
class DeclaredProduct:
    """`grace_days` None: the installation's setting decides; `trial_days` 0: nothing to try."""

    code: str
    names: Mapping[str, str]
    kind: ProductKind
    change: ChangePolicy
    trial_days: int
    grace_days: int | None
    bank_transfer: bool
    plans: tuple[DeclaredPlan, ...]


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of the vendor that the pages point to; https: or mailto:."""

    help: str
    contact: str
    editors: str
    education: str
    nonprofit: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    products: tuple[DeclaredProduct, ...]
    links: Links
