"""What the vendor declares for sale, as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from portal.domain.money import Money
from portal.domain.vocabulary import ChangePolicy, Interval, PriceUnit, ProductKind, RenewalDay, Service
from portal.domain.volume_price import VolumePrice, VolumeTier


@dataclass(frozen=True, slots=True)
class DeclaredPrice:
    """A net amount per interval: of the whole plan (`flat`) or of one licence.

    Sold on the days `[valid_from, valid_until)`; None is open on that side.
    """

    interval: Interval
    currency: str
    unit: PriceUnit
    amount_minor: int
    tiers: tuple[VolumeTier, ...]
    valid_from: date | None
    valid_until: date | None

    @property
    def volume_price(self) -> VolumePrice:
        return VolumePrice(self.unit, Money(self.amount_minor, self.currency), self.tiers)

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
class DeclaredFeature:
    """A row of the compare table. `plans`: by each plan's code yes, no, or a text in each language."""

    names: Mapping[str, str]
    plans: Mapping[str, bool | Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class DeclaredProduct:
    """`grace_days` None: the installation's setting decides; `trial_days` 0: nothing to try.

    What stands after `plans` is of licensed products. `max_licences` None: the vendor sells any number.
    `trial_licences` is how many may be tried at most.
    """

    code: str
    names: Mapping[str, str]
    kind: ProductKind
    change: ChangePolicy
    trial_days: int
    grace_days: int | None
    bank_transfer: bool
    plans: tuple[DeclaredPlan, ...]
    max_licences: int | None
    trial_licences: int
    licence_keys: bool
    renewal_day: RenewalDay
    features: tuple[DeclaredFeature, ...]


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of the vendor that the pages point to; https: or mailto:. `corporate` may be empty.

    It is the FAQ of corporate workspaces, which buy from an adviser.
    """

    help: str
    contact: str
    editors: str
    education: str
    nonprofit: str
    corporate: str = ""


@dataclass(frozen=True, slots=True)
class Catalogue:
    products: tuple[DeclaredProduct, ...]
    links: Links
