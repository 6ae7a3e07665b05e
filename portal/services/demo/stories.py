"""The demo's customers, told by the seed and the day before a row is written.

Each has a random generator of its own, so that customer 7 is the same in size M and in size L. What they
paid is quoted by domain/pricing.py like any order.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum, auto
from itertools import pairwise
from random import Random

from portal.domain.plans import PlanLimits
from portal.domain.pricing import PresentTerms, Quote
from portal.domain.vocabulary import Interval, MemberStatus, Role, Service, SubscriptionState

from .accounts import (
    Account,
    DemoMember,
    Purchase,
    Shop,
    billing_details,
    generator,
    large_team,
    office_hour,
    order_number,
    payment_method,
    people,
    plain,
    quote_for,
    suffix,
    team,
)
from .names import BY_CODE, COUNTRIES, Country

LARGE_SINCE_DAYS = 1_500
"""Within the years that domain/vat_rates.py knows."""
LONGEST_PAST_DAYS = LARGE_SINCE_DAYS + 100
"""Nothing of the demo happened earlier."""


class Story(Enum):
    """How an account stands today."""

    ON_TRIAL = auto()
    TRIAL_OVER = auto()
    FREE = auto()
    MONTHLY = auto()
    YEARLY = auto()
    LAPSED = auto()


WEIGHTS = {
    Story.ON_TRIAL: 22,
    Story.TRIAL_OVER: 10,
    Story.FREE: 12,
    Story.MONTHLY: 32,
    Story.YEARLY: 14,
    Story.LAPSED: 10,
}


def first_account(shop: Shop, *, seed: int, now: datetime) -> Account:
    """The workspace of size S: on trial for six days, one person of each role."""
    created_at = office_hour(now.date() - timedelta(days=6), generator(seed, "first"))
    slug = f"atelier-lumen{suffix(seed)}"
    people = (
        ("owner", "Jeanne Carvallon", Role.OWNER, MemberStatus.ACTIVE),
        ("billing", "Étienne Pradel", Role.BILLING_MANAGER, MemberStatus.ACTIVE),
        ("admin", "Nour Bellanger", Role.ADMIN, MemberStatus.ACTIVE),
        ("member", "Rémi Kerbrat", Role.MEMBER, MemberStatus.ACTIVE),
        ("guest", "Léa Valcourt", Role.MEMBER, MemberStatus.GUEST),
    )
    return Account(
        slug=slug,
        name="Atelier Lumen",
        language="fr",
        currency="EUR",
        created_at=created_at,
        plan=shop.trial,
        trial=shop.trial,
        trial_ends_on=shop.trial_end(created_at.date()),
        used_storage_bytes=1_395_864_371,
        services=(Service.AUTOMATIC_BACKUP,),
        members=[
            DemoMember(name, f"{mailbox}@{slug}.example", role, status, created_at)
            for mailbox, name, role, status in people
        ],
    )


def accounts(shop: Shop, *, count: int, seed: int, now: datetime) -> Iterator[Account]:
    """The first `count` accounts, that of size S at their head."""
    yield first_account(shop, seed=seed, now=now)
    for index in range(1, count):
        yield _ordinary_account(shop, seed=seed, index=index, now=now)


def _ordinary_account(shop: Shop, *, seed: int, index: int, now: datetime) -> Account:
    rng, today = generator(seed, str(index)), now.date()
    country = rng.choices(COUNTRIES, weights=[each.weight for each in COUNTRIES])[0]
    story = rng.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]
    if story is Story.FREE and shop.free is None:
        story = Story.TRIAL_OVER
    plan = _plan_of(story, shop, rng)
    name = rng.choice(country.company_forms).format(rng.choice(country.last_names))
    first_day = _first_day(story, shop, rng, today)
    account = Account(
        slug=f"{plain(name)}-{index:04d}{suffix(seed)}",
        name=name,
        language=country.language,
        currency=country.currency,
        created_at=office_hour(first_day, rng),
        plan=plan,
        trial=shop.trial,
        trial_ends_on=shop.trial_end(first_day),
        used_storage_bytes=rng.randrange((plan.storage_bytes or 50 * 1024**3) * 9 // 10 + 1),
    )
    account.members = list(people(account, country, team(plan, rng), rng))
    if story in (Story.MONTHLY, Story.YEARLY, Story.LAPSED):
        _buy_and_prolong(account, story, country, shop, rng, today=today)
    return account


def _plan_of(story: Story, shop: Shop, rng: Random) -> PlanLimits:
    if story is Story.FREE and shop.free is not None:
        return shop.free
    if story in (Story.ON_TRIAL, Story.TRIAL_OVER):
        return shop.trial
    # Small companies are many: each tier has half as many accounts as the one below.
    return rng.choices(shop.paid, weights=[2**-place for place in range(len(shop.paid))])[0]


def _first_day(story: Story, shop: Shop, rng: Random, today: date) -> date:
    """The day the workspace was made; those that pay bought some days later."""
    match story:
        case Story.ON_TRIAL:
            days = rng.randint(1, max(1, shop.trial_days - 2))
        case Story.TRIAL_OVER:
            days = shop.trial_days + rng.randint(3, 200)
        case Story.FREE:
            days = rng.randint(40, 700)
        case Story.MONTHLY:
            days = 30 * rng.randint(0, 6) + rng.randint(30, 40)
        case Story.YEARLY:
            days = 365 * rng.randint(0, 2) + rng.randint(40, 330)
        case Story.LAPSED:
            days = rng.randint(150, 500)
    return today - timedelta(days=days)


def _buy_and_prolong(
    account: Account, story: Story, country: Country, shop: Shop, rng: Random, *, today: date
) -> None:
    """Bought in the trial, prolonged a few days before each due date; a lapsed account stopped doing so."""
    wanted = Interval.YEAR if story is Story.YEARLY else Interval.MONTH
    if shop.offer(account.plan, account.currency, wanted, on=today) is None:
        account.plan = shop.trial
        return
    account.details = billing_details(account, country, rng)
    account.method = payment_method(account, rng, today=today)
    account.renews = story is not Story.LAPSED and rng.random() < 0.4
    stop_on = today - timedelta(days=rng.randint(40, 120)) if story is Story.LAPSED else today
    day = account.created_at.date() + timedelta(days=rng.randint(2, 20))
    present = PresentTerms(account.plan.code, None, SubscriptionState.TRIAL, None, day.day)
    while day < stop_on and (offer := shop.offer(account.plan, account.currency, wanted, on=day)):
        quote = quote_for(shop, offer, account.details, present, on=day)
        account.purchases.append(Purchase(account, order_number(rng), office_hour(day, rng), quote))
        line = quote.only_line
        present = PresentTerms(
            account.plan.code, offer.interval, SubscriptionState.PAID, line.due_on, line.anchor_day
        )
        day = line.due_on - timedelta(days=rng.randint(0, 4))
    _link(account.purchases)
    account.purchases[-1].saves = account.renews


def large_account(shop: Shop, *, seed: int, now: datetime, members: int, invoices: int) -> Account:
    """The one large customer: a page of any length, a long series of numbers.

    It went back to the free plan and bought again, some thirty times a day for years: so each order is a
    purchase with a period of its own, cut short by the next one. Most of its members have left.
    """
    rng, country = generator(seed, "large"), BY_CODE["FR"]
    first_day = now.date() - timedelta(days=LARGE_SINCE_DAYS)
    slug = f"large{suffix(seed)}"
    account = Account(
        slug=slug,
        name="Large",
        language="fr",
        currency="EUR",
        created_at=office_hour(first_day - timedelta(days=9), rng),
        plan=shop.paid[-1],
        trial=shop.trial,
        trial_ends_on=shop.trial_end(first_day - timedelta(days=9)),
        used_storage_bytes=(shop.paid[-1].storage_bytes or 2**40) * 62 // 100,
    )
    account.members = list(people(account, country, large_team(account.plan, members), rng))
    account.details = billing_details(account, country, rng)
    account.method = payment_method(account, rng, today=now.date())
    quotes: dict[tuple[str, date], Quote] = {}
    for place in range(invoices):
        day = first_day + timedelta(days=place * (LARGE_SINCE_DAYS - 2) // invoices)
        offers = [shop.offer(plan, account.currency, Interval.MONTH, on=day) for plan in shop.paid]
        smaller = [offer for offer in offers[:-1] if offer] or [offer for offer in offers if offer]
        offer = (offers[-1] or smaller[-1]) if place == invoices - 1 else rng.choice(smaller)
        if (offer.plan_code, day) not in quotes:
            present = PresentTerms(account.plan.code, None, SubscriptionState.FREE, None, day.day)
            quotes[offer.plan_code, day] = quote_for(shop, offer, account.details, present, on=day)
        part = place * (LARGE_SINCE_DAYS - 2) % invoices / invoices
        at = datetime.combine(day, time(7), UTC) + timedelta(seconds=int(part * 36_000))
        quote = quotes[offer.plan_code, day]
        account.purchases.append(Purchase(account, order_number(rng), at, quote))
    _link(account.purchases)
    for purchase in account.purchases[:-1]:
        purchase.then_on = (shop.free or shop.trial).code
    return account


def _link(purchases: list[Purchase]) -> None:
    for earlier, later in pairwise(purchases):
        earlier.cut_on = later.quote.only_line.period.start
