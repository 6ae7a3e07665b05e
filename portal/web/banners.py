"""The one banner above a page: what needs the reader's attention most."""

from dataclasses import dataclass
from datetime import date, timedelta

from flask import g, request, url_for
from flask_babel import ngettext

from portal.domain.dunning import was_not_confirmed
from portal.domain.lifecycle import OVERDUE, days_left
from portal.domain.timeline import DAYS_OF_WARNING
from portal.domain.vocabulary import (
    NoticeKind,
    PaymentMethodKind,
    PaymentState,
    Right,
    SubscriptionState,
)
from portal.models import Notice, Payment, Refund, Subscription
from portal.runtime import current
from portal.services.checkout import amount_due
from portal.services.payments import charging, renewal_outcomes
from portal.services.places import Place
from portal.services.subscriptions import agreement, charged_methods, scheduled_change
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.words import formatting
from portal.words.debits import debit_words
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import method_words
from portal.words.plans import order_later

from .payment_due import PaymentDue, payment_due
from .place import (
    is_blocked_here,
    may_open_order,
    open_payment_here,
    open_refund_here,
    status_here,
    usage_here,
)

TRIAL_BANNER_DAYS = 5
WHERE_ONE_PAYS = ("checkout.details", "checkout.review")
"""Pages from which nothing in a banner leads away."""


STORAGE_BANNER_BYTES = 300 * 1024**2


@dataclass(frozen=True, slots=True)
class Banner:
    """What is true of the whole workspace; `action` is (label, address), or else `payment` stands."""

    title: str
    text: str
    state: str
    action: tuple[str, str] | None
    payment: PaymentDue | None = None


Action = tuple[str, str] | None


def banner_above() -> Banner | None:
    """What stands above the page; None where the page has taken it into a list of its own."""
    return None if "banner_taken" in g else banner()


def take_banner() -> Banner | None:
    """The banner, for a page that shows it among what else needs the reader."""
    g.banner_taken = True
    return banner()


def banner() -> Banner | None:
    """The state that every page of a workspace must tell, if there is one (source-systems.md §1.9).

    For those who may see the plans: not for guests, nor for members whom they are hidden from.
    """
    place: Place | None = g.get("place")
    if place is None or Right.SEE_PLANS not in place.may:
        return None
    status = status_here(place)
    action = None
    if request.endpoint not in ("plans.show", *WHERE_ONE_PAYS):
        action = (_("See the plans"), url_for("plans.show", slug=place.workspace.slug))
    if status.subscription.open_payment_state is not None and Right.BUY in place.may:
        payment = open_payment_here(place)
        if payment is not None:
            return _open_payment_banner(payment, status, place)
    if status.subscription.waits_for_refund and Right.BUY in place.may:
        refund = open_refund_here(place)
        if refund is not None:
            return _open_refund_banner(refund, place)
    if status.subscription.unpaid_on is not None:
        return _open_invoice_banner(status, place)
    match status.state:
        case SubscriptionState.TRIAL if status.due_on:
            return _trial_banner(days_left(status.due_on, status.today), action)
        case SubscriptionState.BLOCKED:
            return _blocked_banner(status, place, action)
        case SubscriptionState.PAID | SubscriptionState.LATE:
            return (
                _schedule_banner(status, place, action)
                or _failed_banner(status, place, action)
                or _late_banner(status, place, action)
                or _storage_banner(status, place, action)
            )
    return None


def _open_invoice_banner(status: SubscriptionStatus, place: Place) -> Banner | None:
    """Of the plan itself, which is paid by bank transfer: once its invoice is overdue."""
    unpaid_on = status.subscription.unpaid_on
    if unpaid_on is None or status.state not in OVERDUE:
        return None
    action = None
    if Right.SEE_HISTORY in place.may:
        action = (_("See the open invoice"), url_for("open_invoices.oldest", slug=place.workspace.slug))
    is_blocked = status.state == SubscriptionState.BLOCKED
    title = _("Access is blocked.") if is_blocked else _("Your payment is late.")
    return Banner(title, open_invoice_words(status, unpaid_on), status.state.value, action)


def open_invoice_words(status: SubscriptionStatus, unpaid_on: date) -> str:
    """Until when the invoice of a subscription is to be paid, and what comes of it where it is not."""
    day = formatting.day(unpaid_on)
    if status.state not in OVERDUE:
        return _("An invoice is to be paid by %(date)s.", date=day)
    was_due = _("An invoice was to be paid by %(date)s.", date=day)
    if status.state == SubscriptionState.BLOCKED:
        return f"{was_due} {_('Access is blocked until it is paid.')}"
    return f"{was_due} {_blocked_sentence(status)}"


def _blocked_banner(status: SubscriptionStatus, place: Place, action: Action) -> Banner:
    if agreement.began_without_trial(status.subscription):
        title = _("This workspace begins without a free trial.")
        text = _(
            "Its owner had one in a workspace that was deleted less than 12 months ago. "
            "Choose a plan to begin."
        )
        return Banner(title, text, "blocked", action)
    if status.plan.trial:
        title = _("The free trial is over.")
    elif is_blocked_here(place):
        title = _("Access is blocked.")
    else:
        title = _("The %(plan)s plan is blocked.", plan=translated(status.plan.names))
    deleted_on = _deleted_on(status)
    payment = _payment_due(status, place)
    if deleted_on is not None:
        day = formatting.day(deleted_on)
        text = _("The workspace will be deleted on %(date)s. Choose a plan before then.", date=day)
    elif status.plan.trial:
        text = _("Choose a plan to keep working. Your data is kept.")
    else:
        until = formatting.day(status.due_on) if status.due_on else ""
        text = _("The payment was due on %(date)s. Paying restores everything.", date=until)
    return Banner(title, text, "blocked", action, payment)


def _deleted_on(status: SubscriptionStatus) -> date | None:
    """The day of deletion, once the owners were warned of it. One query."""
    warning = Notice.get_or_none(
        Notice.subscription == status.subscription,
        Notice.about_on == status.due_on,
        Notice.kind == NoticeKind.DELETION_AHEAD,
    )
    if warning is None:
        return None
    # An open payment or an absence of the run delays it.
    return max(warning.said_on + timedelta(days=DAYS_OF_WARNING), status.today)


def _open_payment_banner(payment: Payment, status: SubscriptionStatus, place: Place) -> Banner | None:
    """A payment waits for its result, or for its payer; none on its own page, which says it itself.

    Where one pays it says what that means there, before anything is typed for nothing.
    """
    order, action = payment.order, None
    later = f" {order_later()}" if request.endpoint in WHERE_ONE_PAYS else ""
    result = url_for("checkout.result", slug=place.workspace.slug, number=order.number)
    is_theirs = order.person_id == place.member.person_id
    may_open = may_open_order(place, order)
    is_here = request.path == result
    total = formatting.money(payment.amount)
    if payment.state != PaymentState.ACTION_REQUIRED:
        if is_here:
            return None
        if may_open:
            action = (_("See the payment"), result)
        if payment.state == PaymentState.PENDING:
            title = _("The bank debit of %(total)s is on its way.", total=total)
            text = debit_words(order.frozen_lines, days=charging.debit_days())
            return Banner(title, text + later, "waiting", action)
        title = _("The payment of %(total)s is being confirmed.", total=total)
        text = _(
            "You do not need to do anything and you will not be charged twice. We will write to you "
            "with the result."
        )
        return Banner(title, text + later, "waiting", action)
    if not may_open or (payment.tried_on is None and not is_theirs):
        # Only whoever began it can confirm it with their bank.
        if may_open and not is_here:
            action = (_("See the payment"), result)
        title = _("A payment for this workspace is waiting to be confirmed.")
        return Banner(title, _("Nothing else can be paid until it is settled."), "waiting", action)
    if not is_here:
        action = (_("Confirm"), result)
    if payment.method_kind == PaymentMethodKind.CARD:
        title = _("Your bank asks you to confirm the payment of %(total)s.", total=total)
    else:
        method = method_words(payment.method_kind, payment.brand, payment.last4)
        title = _(
            "%(method)s is waiting for you to confirm the payment of %(total)s.", method=method, total=total
        )
    if payment.tried_on is None or not status.subscription.auto_renewal:
        return Banner(title, _("Nothing is charged until you do.") + later, "waiting", action)
    until = renewal_outcomes.confirmable_until(payment, status.subscription)
    text = _(
        "Nothing is charged until you do. You can confirm until the end of %(date)s.",
        date=formatting.day(until),
    )
    return Banner(title, text + later, "waiting", action)


def _open_refund_banner(refund: Refund, place: Place) -> Banner | None:
    """A refund waits for its result; none on its own page, which says it itself."""
    later = f" {order_later(refund=True)}" if request.endpoint in WHERE_ONE_PAYS else ""
    if Right.REFUND not in place.may:
        title = _("A refund for this workspace is being confirmed.")
        return Banner(title, _("Nothing can be paid until its result is known."), "waiting", None)
    result = url_for("refunds.show", slug=place.workspace.slug, key=refund.payment.key)
    if request.path == result:
        return None
    title = _("The refund of %(total)s is being confirmed.", total=formatting.money(refund.amount))
    text = _("You do not need to do anything. We will write to you with the result.")
    return Banner(title, text + later, "waiting", (_("See the refund"), result))


def _schedule_banner(status: SubscriptionStatus, place: Place, action: Action) -> Banner | None:
    """A smaller plan was to begin, and the workspace has outgrown it meanwhile."""
    waiting = scheduled_change.waiting_plan(status)
    if waiting is None or not scheduled_change.obstacles(waiting, usage_here(place)):
        return None
    name, due_on = translated(waiting.plan.names), formatting.day(status.due_on) if status.due_on else ""
    text = _("Your usage is over its limits. Reduce your usage, or withdraw the change.")
    if status.state == SubscriptionState.LATE:
        title = _("The %(plan)s plan could not begin on %(date)s.", plan=name, date=due_on)
        return Banner(title, f"{text} {_blocked_sentence(status)}", "late", action)
    title = _("The %(plan)s plan cannot begin on %(date)s.", plan=name, date=due_on)
    return Banner(title, text, "late", action)


def _failed_banner(status: SubscriptionStatus, place: Place, action: Action) -> Banner | None:
    """An automatic payment failed, or could not be tried: when it is tried again, and what can be done."""
    subscription = status.subscription
    if not subscription.renewal_has_failed or subscription.awaits_a_result:
        return None
    payment = _payment_due(status, place)
    next_on = subscription.renew_on
    if payment is not None and not payment.method:
        text = _why_no_method(subscription)
    elif next_on is None:
        text = _("We will not try again automatically.")
    elif next_on <= status.today:
        text = _("We will try again today.")
    else:
        text = _("We will try again on %(date)s.", date=formatting.day(next_on))
    if Right.MANAGE_PAYMENT_METHODS in place.may:
        methods = url_for("payment_methods.show", slug=place.workspace.slug)
        action = None if request.path == methods else (_("Choose another card"), methods)
    failure = renewal_outcomes.newest_failure(subscription)
    if failure is None:
        title = _("The renewal is not paid yet.")
    elif was_not_confirmed(failure.decline_code):
        title = _("The payment was not confirmed with your bank.")
    else:
        title = _("The payment failed.")
    return Banner(title, f"{text} {_blocked_sentence(status)}", "late", action, payment)


def _why_no_method(subscription: Subscription) -> str:
    """No saved method could be charged, now or by a round: what can be said of the reason. One query."""
    if any(method.stopped_at is not None for method in charged_methods.methods_of(subscription)):
        return _("A payment with a saved method was disputed, so that method is no longer charged.")
    return _("No saved method can be charged.")


def _late_banner(status: SubscriptionStatus, place: Place, action: Action) -> Banner | None:
    if status.state != SubscriptionState.LATE:
        return None
    until = formatting.day(status.due_on) if status.due_on else ""
    payment = _payment_due(status, place)
    if payment is None:
        text = _("The payment was due on %(date)s. Prolong the plan or choose another in time.", date=until)
    else:
        text = _("The payment was due on %(date)s.", date=until)
    return Banner(_("Your payment is late."), f"{text} {_blocked_sentence(status)}", "late", action, payment)


def _payment_due(status: SubscriptionStatus, place: Place) -> PaymentDue | None:
    """The button that pays what is due, for whoever may; None where there is no one amount, or one pays."""
    if request.endpoint in WHERE_ONE_PAYS:
        return None
    due = amount_due.amount_due(place, status, now=current().clock.now())
    return payment_due(place, due) if due is not None else None


def _blocked_sentence(status: SubscriptionStatus) -> str:
    if status.blocked_on is None:
        return ""
    return _("Access will be blocked on %(date)s.", date=formatting.day(status.blocked_on))


def _trial_banner(days: int, action: tuple[str, str] | None) -> Banner | None:
    if days > TRIAL_BANNER_DAYS:
        return None
    text = _("Choose the plan that suits you best to continue without a break.")
    if days == 0:
        return Banner(_("The free trial ends today."), text, "trial", action)
    title = ngettext("Free trial: %(num)d day left", "Free trial: %(num)d days left", days)
    return Banner(title, text, "trial", action)


def _storage_banner(
    status: SubscriptionStatus, place: Place, action: tuple[str, str] | None
) -> Banner | None:
    limit = status.plan.storage_bytes
    if status.state != SubscriptionState.PAID or limit is None:
        return None
    used = place.workspace.used_storage_bytes
    if limit - used >= STORAGE_BANNER_BYTES:
        return None
    figures = {"used": formatting.storage(used), "limit": formatting.storage(limit)}
    return Banner(
        _("The storage is over its limit: %(used)s of %(limit)s.", **figures)
        if used > limit
        else _("The storage is almost full: %(used)s of %(limit)s.", **figures),
        _("Delete files that you no longer need, or choose a larger plan."),
        "late",
        action,
    )
