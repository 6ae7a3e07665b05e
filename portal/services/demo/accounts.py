"""What a demo customer consists of: people, address, card, orders. Told by a random generator of its own."""

import unicodedata
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from portal.domain.billing_details import Details
from portal.domain.plans import PlanLimits
from portal.domain.pricing import Offer, PresentTerms, Quote, WantedLine, make_quote
from portal.domain.tax import Buyer
from portal.domain.vat_numbers import vat_example
from portal.domain.vocabulary import Interval, MemberStatus, PaymentMethodKind, Role, Service, VatStatus
from portal.gateways.base import CardData, DebitAccount
from portal.gateways.sandbox.methods import MAGIC_CARDS, MAGIC_IBANS, Behaviour
from portal.services.orders import ORDER_ALPHABET, ORDER_NUMBER_LENGTH

from .names import Country

KEYS = uuid.UUID("7b0a6a52-6f7e-4b5e-9a53-0f1a3d0c7a11")
CARDS = tuple(card for card in MAGIC_CARDS if card.behaviour is Behaviour.PAID)
IBANS = tuple(iban for iban in MAGIC_IBANS if iban.behaviour is Behaviour.PAID)

Team = list[tuple[Role, MemberStatus]]


@dataclass(frozen=True, slots=True)
class DatedOffer:
    """A price with the days `[since, until)` on which it is on sale."""

    offer: Offer
    since: date
    until: date | None

    def is_sold_on(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day < self.until)


@dataclass(frozen=True, slots=True)
class Shop:
    """What is sold. `paid` is smallest first; `offers` by plan, interval and currency, with their days."""

    seller_country: str
    trial_days: int
    trial: PlanLimits
    free: PlanLimits | None
    paid: tuple[PlanLimits, ...]
    offers: Mapping[tuple[str, Interval, str], Sequence[DatedOffer]]

    def offer(self, plan: PlanLimits, currency: str, wanted: Interval, *, on: date) -> Offer | None:
        """The plan in that currency on that day: by the wanted interval if it is sold so, else the other."""
        found = [self._offer_on(on, plan.code, interval, currency) for interval in (wanted, *Interval)]
        return next(filter(None, found), None)

    def _offer_on(self, day: date, *key: Any) -> Offer | None:
        offers = self.offers.get(key, ())
        return next((each.offer for each in offers if each.is_sold_on(day)), None)

    def trial_end(self, first_day: date) -> date | None:
        return first_day + timedelta(days=self.trial_days) if self.trial_days else None


@dataclass(frozen=True, slots=True)
class DemoMember:
    name: str
    email: str
    role: Role
    status: MemberStatus
    since: datetime


@dataclass(frozen=True, slots=True)
class DemoMethod:
    """How an account pays, with what the sandbox knows of it."""

    kind: PaymentMethodKind
    source: CardData | DebitAccount
    brand: str
    last4: str


@dataclass(slots=True)
class Account:
    """One workspace. `plan` is the one it has today; `purchases` are oldest first.

    `trial` and `trial_ends_on` are what it began with, before anything was bought.
    """

    slug: str
    name: str
    language: str
    currency: str
    created_at: datetime
    plan: PlanLimits
    trial: PlanLimits
    trial_ends_on: date | None
    members: list[DemoMember] = field(default_factory=list)
    used_storage_bytes: int = 0
    services: tuple[Service, ...] = ()
    details: Details | None = None
    method: DemoMethod | None = None
    renews: bool = False
    purchases: "list[Purchase]" = field(default_factory=list)

    @property
    def owner(self) -> DemoMember:
        return self.members[0]


@dataclass(slots=True)
class Purchase:
    """An order that was paid at once. `saves`: the gateway keeps the method for renewals.

    `cut_on` is the day on which the next purchase of the account begins; `then_on` is the code of the plan,
    free of charge, that it has between the two.
    """

    account: Account
    number: str
    at: datetime
    quote: Quote
    saves: bool = False
    cut_on: date | None = None
    then_on: str | None = None

    @property
    def key(self) -> str:
        """The same at every run: a run that was killed after the gateway was told finds its charges again."""
        return uuid.uuid5(KEYS, f"{self.number} {self.quote.total.minor} {self.quote.total.currency}").hex


def team(plan: PlanLimits, rng: Random) -> Team:
    """Roles and statuses that the plan allows, the owner first."""
    roomy = plan.max_users if plan.max_users is not None else 6
    active = rng.randint(max(1, roomy // 2), roomy)
    team: Team = [(Role.OWNER, MemberStatus.ACTIVE)]
    if plan.max_administrators is None:
        team += [(role, MemberStatus.ACTIVE) for role in (Role.BILLING_MANAGER, Role.ADMIN)]
    team = team[:active] + [(Role.MEMBER, MemberStatus.ACTIVE)] * (active - len(team))
    guests = rng.randint(0, 2) if plan.guests_per_user else 0
    team += [(Role.MEMBER, MemberStatus.GUEST)] * guests
    return team + [(Role.MEMBER, MemberStatus.DISABLED)] * (rng.random() < 0.2)


def large_team(plan: PlanLimits, members: int) -> Team:
    active = min(members, plan.max_users or members)
    guests = min(members - active, active * plan.guests_per_user * 9 // 10)
    team: Team = [(Role.OWNER, MemberStatus.ACTIVE)]
    team += [(Role.BILLING_MANAGER, MemberStatus.ACTIVE)] * 3 + [(Role.ADMIN, MemberStatus.ACTIVE)] * 6
    team = team[:active] + [(Role.MEMBER, MemberStatus.ACTIVE)] * (active - len(team))
    team += [(Role.MEMBER, MemberStatus.GUEST)] * guests
    return team + [(Role.MEMBER, MemberStatus.DISABLED)] * (members - len(team))


def people(account: Account, country: Country, team: Team, rng: Random) -> Iterator[DemoMember]:
    for place, (role, status) in enumerate(team):
        first, last = rng.choice(country.first_names), rng.choice(country.last_names)
        mailbox = "owner" if place == 0 else f"{plain(first)}.{plain(last)}.{place}"
        since = account.created_at + timedelta(minutes=3 * place)
        yield DemoMember(f"{first} {last}", f"{mailbox}@{account.slug}.example", role, status, since)


def billing_details(account: Account, country: Country, rng: Random) -> Details:
    postal_code, city = rng.choice(country.places)
    first, _, last = account.owner.name.partition(" ")
    is_business = rng.random() < 0.85
    vat_number = vat_example(country.code) if is_business else ""
    return Details(
        is_business=is_business,
        company_name=account.name if is_business else "",
        vat_number=vat_number,
        vat_status=VatStatus.VALID if vat_number else VatStatus.NONE,
        first_name=first,
        last_name=last,
        street=_street(country, rng),
        street2="",
        postal_code=postal_code,
        city=city,
        region="",
        country=country.code,
        email=account.owner.email,
    )


def _street(country: Country, rng: Random) -> str:
    number, street = rng.randint(1, 120), rng.choice(country.streets)
    return f"{number} {street}" if country.code in ("FR", "GB", "BE") else f"{street} {number}"


def payment_method(account: Account, rng: Random, *, today: date) -> DemoMethod:
    holder = account.owner.name
    if account.currency == "EUR" and rng.random() < 0.12:
        iban = rng.choice(IBANS)
        return DemoMethod(PaymentMethodKind.SEPA_DEBIT, DebitAccount(iban.value, holder), "", iban.last4)
    card = rng.choice(CARDS)
    brand = card.brand.value if card.brand else ""
    source = CardData(
        number=card.value,
        exp_month=rng.randint(1, 12),
        exp_year=today.year + rng.randint(1, 4),
        security_code="1234" if brand == "amex" else "123",
        holder=holder,
    )
    return DemoMethod(PaymentMethodKind.CARD, source, brand, card.last4)


def quote_for(shop: Shop, offer: Offer, details: Details, present: PresentTerms, *, on: date) -> Quote:
    return make_quote(
        [WantedLine(present, offer)],
        buyer=Buyer.of(asdict(details)),
        seller_country=shop.seller_country,
        unchecked_counts_as_valid=True,
        on=on,
    )


def order_number(rng: Random) -> str:
    return "".join(rng.choices(ORDER_ALPHABET, k=ORDER_NUMBER_LENGTH))


def office_hour(day: date, rng: Random) -> datetime:
    """Some second of that day's office hours, on the same calendar day in all of Europe."""
    return datetime.combine(day, time(7), UTC) + timedelta(seconds=rng.randrange(36_000))


def plain(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join("".join(c if c.isalnum() else " " for c in ascii_text).split())


def generator(seed: int, name: str) -> Random:
    return Random(f"{seed}:{name}")  # noqa: S311


def suffix(seed: int) -> str:
    """Accounts of another seed stand beside those of the first."""
    return "" if seed == 1 else f"-s{seed}"
