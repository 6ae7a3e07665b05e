"""Looking at one subscription on one day: the letters that are due, and the acts.

domain/timeline.py says what is due; this carries it out, inside the transaction of run.py that holds
the workspace's lock. Nobody is asked here: a renewal ends with its intent recorded.
"""

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from portal.database import rows
from portal.database.connecting import require_transaction, write_postponed
from portal.domain.errors import CannotBeInvoiced
from portal.domain.plans import PlanNotOffered, PlanTooSmall
from portal.domain.timeline import NOTICE_DAYS, Act, Step, look_again_on, steps_due
from portal.domain.vocabulary import NoticeKind, PaymentState
from portal.models import Notice, Payment, Subscription
from portal.services import exchange_rates, ledger
from portal.services.payments import on_account, renewal_outcomes
from portal.services.subscriptions import agreement, charged_methods, free_plan, licence_keys, next_charge
from portal.services.subscriptions.next_charge import NoBillingDetails
from portal.services.workspace import deletion

from . import calendar_letters, placing
from .facts import RenewalFacts

WAIT_FOR_MONEY = timedelta(minutes=5)
LEADS_TO_DELETION = (NoticeKind.DELETION_AHEAD, Act.DELETE)

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Examined:
    """What came of looking at one subscription: the steps that did something; an intent to be asked for.

    `is_paid`: it was renewed from the balance, and its row says so already.
    """

    steps: list[Step]
    payment: Payment | None = None
    to_close: Payment | None = None
    is_paid: bool = False


def look_at(subscription: Subscription, facts: RenewalFacts, *, now: datetime) -> Examined:
    """Take every step that is due today, and write down when to look again.

    `subscription` is loaded with workspace, product, plan and price, as they are under the lock.
    """
    require_transaction()
    workspace = subscription.workspace
    today = workspace.day(now)
    examined = Examined(steps=[])
    again_at: datetime | None = None
    if subscription.unpaid_on is not None:
        on_account.withdraw_if_changed(subscription, now=now)
    next_charge.take_lower_price(subscription, now=now)
    licence_keys.give(subscription, now=now)
    if facts.open_payment is not None:
        subscription.open_payment_state = facts.open_payment.state
    dates = agreement.dates_of(subscription, said=facts.said, today=today)
    taken: set[Step] = set()
    # No step is taken twice, so this ends.
    while step := next((each for each in steps_due(dates, today=today) if each not in taken), None):
        taken.add(step)
        if step in LEADS_TO_DELETION:
            # A payment that another subscription of the workspace has begun in this batch has to be seen.
            write_postponed()
        if step is Act.RENEW:
            again_at = _renew(subscription, facts, examined, now=now, today=today)
            did_something = again_at is None
            if examined.is_paid:
                examined.steps.append(step)
                return examined
        elif step is Act.INVOICE_AHEAD:
            again_at = _invoice_ahead(subscription, facts, now=now)
            did_something = again_at is None
        elif step is Act.BEGIN_FREE_PLAN and (facts.open_payment is not None or facts.refund_is_open):
            # What is paid is given: nothing else begins before that is known.
            again_at, did_something = now + WAIT_FOR_MONEY, False
        elif step is Act.BEGIN_FREE_PLAN:
            did_something = free_plan.begin_scheduled(subscription, now)
            if not did_something:
                subscription.renewal_failed_on = subscription.renewal_failed_on or today
        elif step in LEADS_TO_DELETION and agreement.has_another_in_good_standing(subscription, today=today):
            # The workspace lives on for what else it pays for; the letter comes once that is over too.
            again_at = agreement.first_moment(workspace, today + timedelta(days=1))
            did_something = False
        elif step is Act.DELETE:
            deletion.delete_for_not_paying(workspace, now=now)
            examined.steps.append(step)
            return examined
        else:
            did_something = calendar_letters.LETTERS[step](subscription, dates, now)
            if did_something:
                notice = Notice(subscription=subscription, kind=step, about_on=dates.due_on, said_on=today)
                rows.save_later(notice)
                facts.said[step] = today
        if did_something:
            examined.steps.append(step)
        dates = agreement.dates_of(subscription, said=facts.said, today=today)
    day = look_again_on(dates, today=today)
    subscription.look_at = again_at or (agreement.first_moment(workspace, day) if day else None)
    rows.save_later(subscription)
    return examined


def _invoice_ahead(subscription: Subscription, facts: RenewalFacts, *, now: datetime) -> datetime | None:
    """Issue the open invoice of the next period, or say when to look again. Where nothing can be invoiced the
    period is paid by hand, as by everybody else.
    """
    if facts.open_payment is not None or facts.refund_is_open:
        return now + WAIT_FOR_MONEY
    workspace, product = subscription.workspace, subscription.product
    try:
        if not on_account.is_offered(workspace, [product]):
            raise PlanNotOffered(wanted=(subscription.plan.code, None, None))
        details = next_charge.details_of(workspace, facts.billing_details)
        quote = next_charge.upcoming(subscription, details=details, now=now)
        exchange_rates.require_for(quote.tax_amount, now=now)
    except (PlanTooSmall, PlanNotOffered):
        subscription.pays_by_transfer = False
        return None
    except (CannotBeInvoiced, NoBillingDetails) as fault:
        # Ours to mend: nobody is late for it.
        log.error("subscription %s: the next invoice waits: %r", subscription.id, fault)
        return now + timedelta(days=1)
    if quote.currency in facts.kept_in:
        quote = ledger.beside_balance(quote, workspace)
    on_account.invoice_ahead(subscription, quote, details, payer=placing.last_payer(subscription), now=now)
    return None


def _renew(
    subscription: Subscription, facts: RenewalFacts, examined: Examined, *, now: datetime, today: date
) -> datetime | None:
    """Record the intent to charge, or say why that cannot be. When to look again, if not by the calendar."""
    waiting = facts.open_payment
    if waiting is not None and waiting.state == PaymentState.ACTION_REQUIRED and waiting.tried_on:
        if not renewal_outcomes.request_is_over(waiting, subscription, facts.declined, today=today):
            return agreement.first_moment(subscription.workspace, today + timedelta(days=1))
        waiting.workspace = subscription.workspace
        examined.to_close = waiting
    if waiting is not None:
        return now + WAIT_FOR_MONEY
    if facts.refund_is_open:
        return now + WAIT_FOR_MONEY
    order = facts.renewal
    try:
        details = next_charge.details_of(subscription.workspace, facts.billing_details)
        quote = next_charge.upcoming(subscription, details=details, now=now)
        exchange_rates.require_for(quote.tax_amount, now=now)
    except (PlanTooSmall, PlanNotOffered) as refusal:
        reason, limits = calendar_letters.why_not(refusal)
        renewal_outcomes.fail_without_asking(
            subscription, subscription.workspace, reason=reason, limits=limits, now=now
        )
        return None
    except (CannotBeInvoiced, NoBillingDetails) as fault:
        # Ours to mend: nobody is late for it.
        log.error("subscription %s: the renewal waits: %r", subscription.id, fault)
        return now + timedelta(days=1)
    if next_charge.exceeds_what_was_told(subscription, quote):
        renew_on = today + timedelta(days=NOTICE_DAYS)
        calendar_letters.announce(subscription, quote, renew_on=renew_on, today=today)
        return None
    if quote.currency in facts.kept_in:
        # Asked anew: another renewal of this run may have taken it.
        quote = ledger.beside_balance(quote, subscription.workspace)
    if quote.due.minor == 0:
        subscription.renewal_failed_on = None
        next_charge.tell(subscription, quote)
        rows.save(subscription)
        placing.place(subscription, quote, details, order, method=None, now=now)
        examined.is_paid = True
        return None
    methods = charged_methods.in_order(facts.methods, subscription)
    left = charged_methods.round_of(methods, facts.declined, today=today, currency=quote.currency).left
    if not left:
        renewal_outcomes.fail_without_asking(
            subscription, subscription.workspace, reason="no_method", order=order, now=now
        )
        return None
    next_charge.tell(subscription, quote)
    examined.payment = placing.place(subscription, quote, details, order, method=left[0], now=now)
    # Nobody is late while their bank is being asked.
    subscription.renewal_failed_on = None
    return None
