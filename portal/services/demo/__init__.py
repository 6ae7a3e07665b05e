"""Demo data: customers that look like real ones, with books that are in order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain

from portal.database.connecting import database, transaction
from portal.database.rows import chunks
from portal.domain.errors import PortalError
from portal.domain.pricing import Offer
from portal.domain.vocabulary import Interval, MemberStatus
from portal.gateways.base import ChargeRequest, Outcome, Succeeded
from portal.gateways.sandbox.gateway import Sandbox
from portal.models import Invoice, NonprofitRequest, Person, Plan, Price, Workspace
from portal.runtime import current
from portal.services import audit, operator, plans
from portal.services.people.passwords import hash_password
from portal.services.subscriptions import agreement
from portal.settings import SettingsError

from .accounts import Account, DatedOffer, Purchase, Shop
from .customers import write_accounts, write_contact
from .purchases import write_purchases
from .stories import LONGEST_PAST_DAYS, accounts, large_account

PASSWORD = "portal-demo-2026"  # noqa: S105
"""Everybody's, and no secret: demo data exists only where the sandbox alone is on."""
OPERATOR = "operator@portal.example"
NONPROFIT = "contact@amis-du-canal.example"
WORKSPACES = {"S": 1, "M": 200, "L": 9_999}
"""Size L has one more, the large one."""
LARGE_MEMBERS, LARGE_INVOICES = 10_000, 50_000


class InvoicesCameFirst(PortalError):
    """Documents of `issued_at` are there: those of the demo's past would be numbered after them.

    Nothing was made. Sizes M and L want a database in which nothing was bought.
    """

    issued_at: datetime


@dataclass(frozen=True, slots=True)
class DemoUser:
    """Somebody to sign in as. `workspace` is its slug, empty for the operator."""

    email: str
    role: str
    workspace: str


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What was added by this run, and whom to sign in as; `workspace_ids` by slug, those of the users."""

    size: str
    seed: int
    workspaces_added: int
    members_added: int
    invoices_added: int
    password: str
    users: tuple[DemoUser, ...]
    workspace_ids: Mapping[str, int]


def build(*, size: str, seed: int, now: datetime) -> DemoReport:
    """Make the demo customers of `size` that are not there yet: S one, M 200, L 10 000 with a large one.

    The same seed gives the same customers, and S is part of M is part of L. A second run adds what is
    missing, another seed adds others beside them, as long as that keeps invoice numbers in the order of
    issue. Everything but the prices of the past is written in one transaction, after the sandbox was told of
    the charges: a run that is killed has written nothing, and the next one finds its charges by their keys.
    Publishes nothing.

    Raises SettingsError where real money could move, InvoicesCameFirst.
    """
    if not current().settings.sandbox_only:
        raise SettingsError("Demo data is made only where PORTAL_GATEWAYS names the sandbox alone.")
    _write_past_prices(plans.sale_day(now))
    shop = _shop(plans.sale_day(now))
    wanted = list(_accounts(shop, size=size, seed=seed, now=now))
    missing = _missing(wanted)
    purchases = sorted(
        chain.from_iterable(account.purchases for account in missing),
        key=lambda purchase: (purchase.at, purchase.number),
    )
    _refuse_to_number_late(purchases)
    paid = _tell_sandbox(purchases)
    password_hash = hash_password(PASSWORD)
    product = agreement.workspace_product()
    with transaction():
        _write_operator(password_hash, now=now)
        _write_nonprofit_request(now=now)
        plan_ids = {plan.code: plan.id for plan in Plan.select(Plan.code, Plan.id)}
        written = write_accounts(
            missing, password_hash=password_hash, product_id=product.id, plan_ids=plan_ids, paid=paid
        )
        write_purchases(purchases, written, plan_ids=plan_ids, paid=paid)
        if wanted[0] in missing:
            write_contact(wanted[0], written, wall=current().clock.wall())
        if missing:
            audit.record(
                "demo.built", workspace=None, subject=size, changes={"workspaces": len(missing)}, now=now
            )
    if missing:
        # What the database guesses of its tables is that they are small.
        database.execute_sql("ANALYZE")
    shown = _shown(wanted, size=size)
    return DemoReport(
        size=size,
        seed=seed,
        workspaces_added=len(missing),
        members_added=sum(len(account.members) for account in missing),
        invoices_added=len(purchases),
        password=PASSWORD,
        users=(*chain.from_iterable(map(_users, shown)), DemoUser(OPERATOR, "operator", "")),
        workspace_ids=_ids([account.slug for account in shown]),
    )


def _shop(today: date) -> Shop:
    """The workspace plan as it is on sale today. Raises SettingsError before a catalogue was applied."""
    settings = current().settings
    product = agreement.workspace_product()
    on_sale = plans.plans_on_sale(product, on=today)
    paid = [sold for sold in on_sale if sold.prices and not sold.plan.free]
    trial = Plan.get_or_none(Plan.product == product, Plan.trial)
    if not paid or trial is None:
        raise SettingsError("The demo needs a trial and plans on sale: run `portal catalogue apply` first.")
    return Shop(
        seller_country=settings.seller.country,
        trial_days=product.trial_days,
        trial=plans.limits_of(trial),
        free=next((sold.limits for sold in on_sale if sold.plan.free), None),
        paid=tuple(sold.limits for sold in paid),
        offers=_offers([sold.plan for sold in paid]),
    )


def _offers(sold: Sequence[Plan]) -> dict[tuple[str, Interval, str], list[DatedOffer]]:
    """Every price that the plans ever had."""
    offers: dict[tuple[str, Interval, str], list[DatedOffer]] = {}
    plans_by_id = {plan.id: plan for plan in sold}
    for price in Price.select().where(Price.plan << list(plans_by_id)).order_by(Price.id):
        plan = plans_by_id[price.plan_id]
        offer = Offer(
            plan_id=plan.id,
            plan_code=plan.code,
            plan_names=plan.names,
            interval=Interval(price.interval),
            price_id=price.id,
            amount=price.amount,
        )
        dated = DatedOffer(offer, price.valid_from, price.valid_until)
        offers.setdefault((plan.code, offer.interval, price.currency), []).append(dated)
    return offers


def _write_past_prices(today: date) -> None:
    """The prices of today were on sale before too: a row of its own for the past of each that has none."""
    first_day = today - timedelta(days=LONGEST_PAST_DAYS)
    with transaction():
        known: dict[tuple[int, str, str], Price] = {}
        for price in Price.select().order_by(Price.valid_from, Price.id):
            known.setdefault((price.plan_id, price.interval, price.currency), price)
        for price in known.values():
            if price.valid_from > first_day:
                Price.create(
                    plan=price.plan_id,
                    interval=price.interval,
                    currency=price.currency,
                    unit=price.unit,
                    amount_minor=price.amount_minor,
                    tiers=price.tiers,
                    valid_from=first_day,
                    valid_until=price.valid_from,
                )


def _accounts(shop: Shop, *, size: str, seed: int, now: datetime) -> Iterator[Account]:
    yield from accounts(shop, count=WORKSPACES[size], seed=seed, now=now)
    if size == "L":
        yield large_account(shop, seed=seed, now=now, members=LARGE_MEMBERS, invoices=LARGE_INVOICES)


def _missing(wanted: Sequence[Account]) -> list[Account]:
    known: set[str] = set()
    for chunk in chunks(wanted):
        known |= _ids([account.slug for account in chunk]).keys()
    return [account for account in wanted if account.slug not in known]


def _ids(slugs: Sequence[str]) -> dict[str, int]:
    found = Workspace.select(Workspace.slug, Workspace.id).where(Workspace.slug << list(slugs))
    return {workspace.slug: workspace.id for workspace in found}


def _refuse_to_number_late(purchases: Sequence[Purchase]) -> None:
    newest = Invoice.select(Invoice.issued_at).order_by(Invoice.issued_at.desc()).first()
    if purchases and newest is not None and newest.issued_at > purchases[0].at:
        raise InvoicesCameFirst(issued_at=newest.issued_at)


def _tell_sandbox(purchases: Sequence[Purchase]) -> dict[str, Succeeded]:
    """The sandbox's own books of these charges, made before ours; its answers by order number."""
    sandbox = current().gateways["sandbox"]
    assert isinstance(sandbox, Sandbox), "the sandbox alone is on"
    paid: dict[str, Succeeded] = {}
    for chunk in chunks(purchases):
        outcomes = sandbox.import_paid((_charge(purchase), purchase.at) for purchase in chunk)
        for purchase, outcome in zip(chunk, outcomes, strict=True):
            paid[purchase.number] = _succeeded(outcome)
    return paid


def _charge(purchase: Purchase) -> ChargeRequest:
    account, total = purchase.account, purchase.quote.total
    assert account.method is not None, "who bought has a method"
    return ChargeRequest(
        key=purchase.key,
        amount_minor=total.minor,
        currency=total.currency,
        description=f"{purchase.quote.only_line.offer.plan_names['en']} ({purchase.number})",
        metadata={"order": purchase.number},
        source=account.method.source,
        save=purchase.saves,
        return_url=f"{current().settings.base_url}/w/{account.slug}/checkout/{purchase.number}/result",
        off_session=False,
    )


def _succeeded(outcome: Outcome) -> Succeeded:
    assert isinstance(outcome, Succeeded), "an imported charge is paid"
    return outcome


def _write_operator(password_hash: str, *, now: datetime) -> None:
    person = operator.add(OPERATOR, now=now)
    if person.password_hash is None:
        person.password_hash = password_hash
        person.name = "Portal operator"
        person.save(only=[Person.password_hash, Person.name])


def _write_nonprofit_request(*, now: datetime) -> None:
    """Something for the operator to decide; it is made once, whatever was decided."""
    if not NonprofitRequest.select().where(NonprofitRequest.email == NONPROFIT).exists():
        NonprofitRequest.create(
            organisation="Les Amis du canal",
            country="FR",
            contact_name="Claire Vasseur",
            email=NONPROFIT,
            website="https://amis-du-canal.example",
            registration_number="W751234567",
            purpose="Nous entretenons les berges du canal avec soixante bénévoles.\n"
            "L'espace servirait à nos plannings et aux comptes rendus de nos réunions.",
            language="fr",
            created_at=now,
        )


def _shown(wanted: Sequence[Account], *, size: str) -> list[Account]:
    return [wanted[0], wanted[-1]] if size == "L" else [wanted[0]]


def _users(account: Account) -> Iterator[DemoUser]:
    """The first person of each role, and a guest."""
    roles: set[str] = set()
    for member in account.members:
        role = "guest" if member.status == MemberStatus.GUEST else member.role.value
        if member.status != MemberStatus.DISABLED and role not in roles:
            roles.add(role)
            yield DemoUser(member.email, role, account.slug)
