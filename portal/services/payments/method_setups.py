"""Adding a payment method without a charge: record the set-up, ask the gateway, record the answer.

A cut connection means that we do not know: the set-up waits as `unknown` and is looked up by its key, never
asked anew. What follows from the answer is written with it, in one transaction.
"""

import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial

from portal.database.connecting import transaction
from portal.database.prepared import Parameter, Prepared
from portal.domain.debits import is_charged_in
from portal.domain.errors import PortalError
from portal.domain.lifecycle import OPEN_SETUP_STATES
from portal.domain.money import Money
from portal.domain.vocabulary import DeclineCode, PaymentMethodKind, SetupState
from portal.gateways.base import (
    ActionRequired,
    CardData,
    DebitAccount,
    Declined,
    MethodFacts,
    NeverMade,
    Outcome,
    ResultUnknown,
    SetupRequest,
    Succeeded,
)
from portal.models import MethodSetup, Payment, PaymentMethod, Subscription, Workspace
from portal.runtime import current
from portal.services import audit, ledger
from portal.services.places import Place
from portal.services.subscriptions import agreement, charged_methods, next_charge

from . import asking, first_method
from .charging import gateway_for
from .first_method import Offered
from .mandates import refuse_another_mandate
from .methods import charge_first, known_method, new_method, record_act, take_away
from .waiting import (
    ABANDONED_AFTER,
    LOOK_UP_AFTER,
    ReconcileReport,
    longest_answer,
    longest_on_its_way,
    may_have_been_looked_up,
    next_look,
    settle_each,
)


def find_setup(workspace: Workspace, key: str) -> MethodSetup | None:
    setup = MethodSetup.get_or_none(MethodSetup.workspace == workspace, MethodSetup.key == key)
    if setup is not None:
        setup.workspace = workspace
    return setup


OFFERED = (PaymentMethodKind.CARD, PaymentMethodKind.PAYPAL, PaymentMethodKind.SEPA_DEBIT)
"""In this order. Bank transfer is none: nothing can be asked of it, so it is never preferred."""


def kinds_on_offer(plan: Subscription) -> list[PaymentMethodKind]:
    """What can be saved here and charged by itself afterwards; debits only where euros are paid.

    `plan`: the subscription to the workspace plan. Without a query.
    """
    can_be_saved: set[PaymentMethodKind] = set()
    for gateway in current().gateways.values():
        capabilities = gateway.capabilities()
        entered_here = capabilities.kinds - capabilities.hosted
        if not capabilities.takes_card_here:
            entered_here -= {PaymentMethodKind.CARD}
        can_be_saved |= capabilities.off_session & (entered_here | capabilities.hosted)
    currency = charged_methods.currency_of(plan)
    return [kind for kind in OFFERED if kind in can_be_saved and is_charged_in(kind, currency)]


def begin_adding(
    place: Place,
    source: CardData | DebitAccount | None,
    *,
    kind: PaymentMethodKind = PaymentMethodKind.CARD,
    mandate: str = "",
    renews: Sequence[Offered] = (),
    result_address: Callable[[str], str],
    now: datetime,
) -> MethodSetup:
    """Record the set-up, then ask the gateway to save the method, once; it is not charged here.

    `source` is None for a kind that is entered on the gateway's own page. `mandate` is the reference that
    was shown to whoever gave it, for a debit. `renews` is what it pays by itself once it is saved.
    `result_address` gives the absolute address of the result page
    for a set-up's key: there the payer comes back from the page of their bank or of the gateway
    (`action_url`, in state `action_required`). The set-up is `created` still where the gateway takes its
    time. Raises GatewayBusy, MandateChanged.
    """
    asking.refuse_when_busy()
    workspace, wall = place.workspace, current().clock.wall()
    is_debit = kind == PaymentMethodKind.SEPA_DEBIT
    with transaction(lock=workspace):
        if is_debit:
            refuse_another_mandate(workspace, mandate)
        setup = MethodSetup.create(
            key=uuid.uuid4().hex,
            workspace=workspace,
            person=place.member.person_id,
            gateway=gateway_for(kind).name,
            kind=kind,
            mandate_reference=mandate if is_debit else "",
            mandate_on=workspace.day(now) if is_debit else None,
            renews=first_method.as_agreed(renews) or None,
            look_up_at=wall + longest_on_its_way(),
            created_at=wall,
        )
        audit.record("payment_method.asked", workspace=workspace, subject=setup.key, now=now)
        currency = charged_methods.currency_of(agreement.of_workspace(workspace))
    request = SetupRequest(
        key=setup.key,
        currency=currency,
        description=f"{workspace.name} ({workspace.customer_number})",
        metadata={
            "workspace": workspace.customer_number,
            **({"mandate": setup.mandate_reference} if is_debit else {}),
        },
        kind=kind,
        source=source,
        return_url=result_address(setup.key),
    )
    return asking.in_time(
        lambda _request: _ask(setup, request, now=now),
        otherwise=lambda: MethodSetup.get_by_id(setup.id),
    )


def _ask(setup: MethodSetup, request: SetupRequest, *, now: datetime) -> MethodSetup:
    if may_have_been_looked_up(setup):
        # Held up for so long that it may have been looked up meanwhile: it is not asked for any more.
        return look_up(setup, now=now)
    outcome: Outcome | None
    try:
        outcome = current().gateways[setup.gateway].begin_setup(request)
    except ResultUnknown:
        outcome = None
    return record_answer(setup, outcome, now=now)


def charged_at_once(subscriptions: Iterable[Subscription], *, now: datetime) -> list[Money]:
    """What is charged to a card that is added now: each renewal that failed and waits."""
    charges = (_charged_at_once(each, now=now) for each in subscriptions if each.renewal_has_failed)
    return [charge for charge in charges if charge is not None]


def _charged_at_once(subscription: Subscription, *, now: datetime) -> Money | None:
    """None too while a method that is there is asked for it."""
    today, renew_on = subscription.workspace.day(now), subscription.renew_on
    if renew_on is not None and renew_on <= today:
        methods = charged_methods.methods_of(subscription)
        if charged_methods.asked_next(subscription, methods, on=today) is not None:
            return None
    return waiting_renewal(subscription, now=now)


def waiting_renewal(subscription: Subscription, *, now: datetime) -> Money | None:
    """What of a renewal that failed is charged to a card that is added now, beside the balance.

    None where it could not be charged, is to be announced anew, or is paid by the balance.
    """
    scheduled = subscription.scheduled_plan
    free_plan_waits = scheduled is not None and scheduled.free
    if not subscription.renewal_has_failed or free_plan_waits:
        return None
    try:
        quote = next_charge.upcoming(subscription, is_charged_today=True, now=now)
    except PortalError:
        return None
    if next_charge.exceeds_what_was_told(subscription, quote):
        return None
    due = ledger.beside_balance(quote, subscription.workspace).due
    return due if due.minor else None


def is_being_charged(setup: MethodSetup, *, now: datetime) -> bool:
    """Whether the method that was saved is charged, has been, or was declined."""
    subscriptions = agreement.all_of(setup.workspace)
    if any(waiting_renewal(each, now=now) is not None for each in subscriptions):
        return True
    return bool(Payment.select().where(Payment.method == setup.method).exists())


# --- looking up -----------------------------------------------------------------------------------


def look_up(setup: MethodSetup, *, now: datetime) -> MethodSetup:
    """Ask the gateway how a waiting set-up stands; one that its payer left for a day is closed.

    That it was never made is believed only when the request can no longer be on its way.
    """
    gateway, wall = current().gateways[setup.gateway], current().clock.wall()
    is_left = setup.state == SetupState.ACTION_REQUIRED and wall - setup.created_at > ABANDONED_AFTER
    outcome: Outcome | None
    try:
        outcome = gateway.cancel(setup.key) if is_left else gateway.fetch(setup.key)
    except ResultUnknown:
        outcome = None
    if isinstance(outcome, NeverMade) and wall < setup.created_at + longest_answer():
        outcome = None
    return record_answer(setup, outcome, now=now)


def look_up_reference(gateway: str, reference: str, *, now: datetime) -> None:
    """Look up the set-up that the gateway knows by this reference, if it is one."""
    setup = (
        MethodSetup.select(MethodSetup, Workspace)
        .join(Workspace)
        .where(MethodSetup.gateway == gateway, MethodSetup.reference == reference)
        .first()
    )
    if setup is not None:
        look_up(setup, now=now)


def look_up_due_setups(*, limit: int, now: datetime) -> ReconcileReport:
    """Ask about the waiting set-ups whose next look-up has come, a bounded number of them."""
    return settle_each(
        _due.rows(wall=current().clock.wall(), limit=limit),
        partial(look_up, now=now),
        record_silence=lambda setup: record_answer(setup, None, now=now),
        still_open=OPEN_SETUP_STATES,
    )


_due = Prepared(
    lambda: (
        MethodSetup.select(MethodSetup, Workspace)
        .join(Workspace)
        .where(MethodSetup.state << OPEN_SETUP_STATES, MethodSetup.look_up_at <= Parameter("wall"))
        .order_by(MethodSetup.look_up_at, MethodSetup.id)
        .limit(Parameter("limit"))
    )
)


# --- the answer -----------------------------------------------------------------------------------


def record_answer(setup: MethodSetup, outcome: Outcome | None, *, now: datetime) -> MethodSetup:
    """Write down what the gateway said, with everything that follows; None: it did not say.

    Does nothing when the set-up no longer waits: two roads to one answer have one effect.
    """
    with transaction(lock=setup.workspace):
        setup = (
            MethodSetup.select(MethodSetup, Workspace).join(Workspace).where(MethodSetup.id == setup.id).get()
        )
        if not setup.is_open:
            return setup
        match outcome:
            case Succeeded() if setup.workspace.deleted_at is not None:
                _settle_declined(setup, DeclineCode.WITHDRAWN, now=now)
            case Succeeded(method=MethodFacts(reference=str()) as facts):
                setup.method = _keep(setup, facts, now=now)
                setup.state, setup.look_up_at = SetupState.DONE, None
                first_method.switch_on_agreed(setup, now=now)
            case Declined(code=code):
                _settle_declined(setup, code.value, now=now)
            case NeverMade():
                _settle_declined(setup, DeclineCode.NEVER_MADE, now=now)
            case ActionRequired(url=url, reference=reference):
                setup.state = SetupState.ACTION_REQUIRED
                setup.action_url, setup.reference = url, reference
                _look_up_later(setup)
            case _:
                if setup.state == SetupState.CREATED:
                    setup.state = SetupState.UNKNOWN
                _look_up_later(setup)
        setup.save()
    return setup


def _settle_declined(setup: MethodSetup, code: str, *, now: datetime) -> None:
    setup.state, setup.decline_code, setup.look_up_at = SetupState.DECLINED, code, None
    audit.record(
        "payment_method.declined",
        workspace=setup.workspace,
        subject=setup.key,
        changes={"code": code},
        now=now,
    )


def _keep(setup: MethodSetup, facts: MethodFacts, *, now: datetime) -> PaymentMethod:
    """The saved method; the same card saved before gives way to it. A failed renewal is tried with it.

    A renewal asks no method again that was declined for good: the same card, added anew, has another chance.
    """
    known = known_method(setup.gateway, facts)
    if known is not None:
        return known
    workspace = setup.workspace
    subscriptions = agreement.all_of(workspace)
    before = {each.id: charged_methods.methods_of(each) for each in subscriptions}
    method = new_method(facts, workspace=workspace, added_by=setup.person_id, gateway=setup.gateway, now=now)
    method.mandate_reference, method.mandate_on = setup.mandate_reference, setup.mandate_on
    saved = before[subscriptions[0].id]
    same = next((each for each in saved if _looks_of(each) == _looks_of(method)), None)
    if same is not None:
        method.rank = same.rank
        take_away(same, now=now)
    method.save(only=[PaymentMethod.rank, PaymentMethod.mandate_reference, PaymentMethod.mandate_on])
    for subscription in subscriptions:
        if not saved or before[subscription.id][0] == same:
            charge_first(subscription, method, now=now)
    record_act("payment_method.added", workspace, method, now=now)
    agreement.retry_with_new_method(workspace, now=now)
    return method


def _looks_of(method: PaymentMethod) -> tuple[object, ...]:
    return (
        method.gateway,
        method.kind,
        method.brand,
        method.last4,
        method.exp_month,
        method.exp_year,
        method.holder,
    )


def _look_up_later(setup: MethodSetup) -> None:
    """Later and later, once a day in the end and never forgotten."""
    setup.look_up_at = current().clock.wall() + next_look(LOOK_UP_AFTER, setup.look_ups)
    setup.look_ups += 1
