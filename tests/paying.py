"""Buying, told as facts: a workspace on trial, an order with its details, a card, a payment.

Uses the installed runtime; the scripts of test_concurrency.py and test_killed.py install their own with
`make_runtime`, so that several processes share one database and one ledger.
"""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast

from portal.clock import Clock
from portal.domain.billing_details import Details
from portal.domain.choices import Choice
from portal.domain.frozen_quote import FrozenLine
from portal.domain.vocabulary import Interval, PaymentMethodKind, Role, VatStatus
from portal.gateways.base import ActionRequired, CardData, MethodFacts, SetupRequest
from portal.gateways.sandbox.gateway import LedgerCharge, Sandbox
from portal.models import BillingDetails, Order, Payment, PaymentMethod, Person
from portal.runtime import Runtime, current
from portal.services import catalogue
from portal.services.checkout import ordering
from portal.services.places import Place
from portal.settings import Settings
from tests import factories

RETURN_URL = "http://127.0.0.1:8000/back"

PAID = "4242424242424242"
DECLINED = "4000000000000002"
NOT_ENOUGH_FUNDS = "4000000000009995"
EXPIRED = "4000000000000069"
DECLINED_WHEN_CHARGED = "4000000000000341"
ASKS_ONCE = "4000002500003155"
ASKS_ALWAYS = "4000000000003220"
SILENT_CHARGED = "4000000000000119"
SILENT_NOT_CHARGED = "4000000000000127"
DISPUTED = "4000000000000259"


def make_runtime(
    settings: Settings,
    clock: Clock,
    *,
    sleep: Callable[[float], None] = lambda seconds: None,
    timeout_seconds: float = 5.0,
) -> Runtime:
    """The runtime of a process that uses the ledger of `settings.data_dir`; nothing really waits."""
    sandbox = Sandbox(
        settings.data_dir / "sandbox.sqlite",
        base_url=settings.base_url,
        now=clock.now,
        timeout_seconds=timeout_seconds,
        sleep=sleep,
    )
    return Runtime(settings, clock, {"sandbox": sandbox})


def the_sandbox() -> Sandbox:
    return cast(Sandbox, current().gateways["sandbox"])


def paid_charges() -> list[LedgerCharge]:
    """What the gateway really took: the truth that every count is compared with."""
    return [charge for charge in the_sandbox().charges() if charge.state == "succeeded"]


def apply_catalogue(text: str) -> None:
    catalogue.apply(text, filename="catalogue.toml", now=current().clock.now())


def kept_at_the_gateway(number: str) -> MethodFacts:
    """A card that was saved there without a charge, confirmed where its bank asks."""
    key = f"setup-{uuid.uuid4().hex}"
    answer = the_sandbox().begin_setup(
        SetupRequest(
            key=key,
            currency="EUR",
            description="card",
            metadata={},
            kind=PaymentMethodKind.CARD,
            source=a_card(number),
            return_url=RETURN_URL,
        )
    )
    if isinstance(answer, ActionRequired):
        the_sandbox().answer_challenge(answer.url.rpartition("/")[2], confirmed=True)
        answer = the_sandbox().fetch(key)
    return answer.method


def charged_from_now_on(number: str) -> None:
    """What the gateway does with the one saved card: what it does with that number."""
    PaymentMethod.update(reference=kept_at_the_gateway(number).reference).execute()


# --- people and workspaces ------------------------------------------------------------------------


def a_buyer(name: str = "Jeanne Martin") -> Person:
    mailbox = name.lower().replace(" ", ".")
    return factories.a_person(f"{mailbox}@acme.example", name=name, password=False)


def a_place(name: str = "Acme", *, owner: str = "Jeanne Martin") -> Place:
    """A workspace on trial, as its owner sees it."""
    person = a_buyer(owner)
    return factories.seen_by(person, factories.a_workspace(name, owner=person))


def as_seen_by(place: Place, name: str, *, role: Role = Role.MEMBER) -> Place:
    """The same workspace with one active member more, as they see it."""
    person = a_buyer(name)
    factories.a_member(place.workspace, person, role=role)
    return factories.seen_by(person, place.workspace)


# --- orders ---------------------------------------------------------------------------------------


def some_details(**changed: Any) -> Details:
    """A French business: 20 % VAT."""
    facts: Mapping[str, Any] = {
        "is_business": True,
        "company_name": "Acme SARL",
        "vat_number": "",
        "vat_status": VatStatus.NONE,
        "first_name": "Jeanne",
        "last_name": "Martin",
        "street": "12 rue de la Paix",
        "street2": "",
        "postal_code": "75002",
        "city": "Paris",
        "region": "",
        "country": "FR",
        "email": "compta@acme.example",
    }
    return Details(**{**facts, **changed})


def an_open_order(
    place: Place, plan: str = "business-5", interval: Interval = Interval.MONTH, *, currency: str = "EUR"
) -> Order:
    """Chosen on the plans page; nobody has typed an address yet."""
    return ordering.open_order(
        place, choices=[Choice(plan, interval)], currency=currency, now=current().clock.now()
    )


def an_order(
    place: Place,
    plan: str = "business-5",
    interval: Interval = Interval.MONTH,
    *,
    currency: str = "EUR",
    method_kind: PaymentMethodKind = PaymentMethodKind.CARD,
    **details: Any,
) -> Order:
    """Ready to be reviewed and paid."""
    return with_details(
        an_open_order(place, plan, interval, currency=currency),
        place,
        method_kind=method_kind,
        **details,
    )


def with_details(
    order: Order,
    place: Place,
    *,
    method_kind: PaymentMethodKind = PaymentMethodKind.CARD,
    currency: str | None = None,
    **details: Any,
) -> Order:
    return ordering.save_details(
        order,
        place=place,
        details=some_details(**details),
        method_kind=method_kind,
        currency=currency or order.currency,
        display_currency=order.display_currency,
        now=current().clock.now(),
    )


def a_card(number: str = PAID, *, security_code: str = "123") -> CardData:
    return CardData(
        number=number, exp_month=12, exp_year=2030, security_code=security_code, holder="Jeanne Martin"
    )


def pay(
    order: Order,
    number: str | None = PAID,
    *,
    auto_renewal: bool = False,
    shown: str | None = None,
    person: Person | None = None,
) -> Payment:
    """Press "Order" under what `order` shows, or under the quote `shown`. `number` None: a hosted page."""
    return ordering.place_order(
        order,
        person=person or order.person,
        card=a_card(number) if number else None,
        auto_renewal=auto_renewal,
        shown_quote_hash=shown or order.quote_hash,
        return_url=RETURN_URL,
        now=current().clock.now(),
    )


def buy(
    place: Place,
    plan: str = "business-5",
    interval: Interval = Interval.MONTH,
    *,
    number: str = PAID,
    **options: Any,
) -> Payment:
    return pay(an_order(place, plan, interval, **options), number)


def reloaded(order: Order) -> Order:
    found = ordering.find_order(order.workspace, order.number)
    assert found is not None
    return found


def line_of(order: Order) -> FrozenLine:
    """Its only line, as it was quoted."""
    [line] = order.frozen_lines
    return line


def known_details(place: Place) -> BillingDetails | None:
    return BillingDetails.get_or_none(BillingDetails.workspace == place.workspace)
