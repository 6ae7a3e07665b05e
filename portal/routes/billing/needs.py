"""What needs the reader: all that banners and pages know, in one list, the most urgent first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flask import url_for
from flask_babel import ngettext

from portal.domain.forecast import Charge, Milestone, MilestoneKind, UnpaidInvoice
from portal.domain.lifecycle import OVERDUE, days_left
from portal.domain.vocabulary import PaymentState, Right, SubscriptionState
from portal.routes.payments.expiring import banner as expiring_banner
from portal.routes.subscriptions.page import sentence_of
from portal.runtime import current
from portal.services.billing.overview import Overview
from portal.services.checkout import amount_due
from portal.services.payments import expiring
from portal.services.places import Place
from portal.services.subscriptions.products import OwnProduct
from portal.web.banners import TRIAL_BANNER_DAYS, Banner, open_invoice_words, take_banner
from portal.web.payment_due import payment_due
from portal.words import formatting
from portal.words.forecast import milestone_words, unpaid_words
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import method_words
from portal.words.plans import priced_name

Action = tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Need:
    """`mark` is its test id."""

    mark: str
    banner: Banner


URGENCY = {"blocked": 0, "late": 1, "waiting": 2, "expiring": 3, "request": 4, "trial": 5}
"""By the style's word. What is only being confirmed has no act, and comes last."""


def needs_of(place: Place, found: Overview) -> tuple[Need, ...]:
    """Mostly without a query: what is due costs those of its button."""
    needs = [*_of_the_plan(), *_of_licences(place, found), *_of_the_forecast(place, found)]
    if found.requests_waiting:
        needs.append(_requests(place, found.requests_waiting))
    return tuple(sorted(needs, key=_urgency))


def _urgency(need: Need) -> tuple[bool, int]:
    banner = need.banner
    has_no_act = banner.action is None and banner.payment is None
    return banner.state == "waiting" and has_no_act, URGENCY.get(banner.state, len(URGENCY))


def _of_the_plan() -> Iterator[Need]:
    banner = take_banner()
    if banner is not None:
        yield Need("state-banner", banner)


def _of_licences(place: Place, found: Overview) -> Iterator[Need]:
    own = [each for each in found.own if not each.is_workspace_plan]
    statuses = [each.status for each in own if each.status is not None]
    due = amount_due.amounts_due(place, statuses, now=current().clock.now())
    for each in own:
        code, status = each.product.code, each.status
        if each.is_being_paid:
            yield Need(f"need-{code}", _being_paid(place, each))
        elif status is not None and status.subscription.unpaid_on is not None:
            yield Need(f"need-{code}", _open_invoice(place, each, found.unpaid))
        elif status is not None and (status.is_to_be_paid or _is_about_to_end(each)):
            amount = due.get(status.subscription.id)
            button = payment_due(place, amount, product=code) if amount else None
            action = None if button else (_("See the subscription"), _card(place, each))
            title, state = _title(each)
            yield Need(f"need-{code}", Banner(title, sentence_of(each), state, action, button))


def _open_invoice(place: Place, own: OwnProduct, unpaid: Sequence[UnpaidInvoice]) -> Banner:
    status, product = own.status, translated(own.product.names)
    assert status is not None, "it owes an invoice"
    assert status.subscription.unpaid_on is not None, "it owes an invoice"
    action = None
    if Right.SEE_HISTORY in place.may:
        action = (_("See the open invoice"), url_for("open_invoices.oldest", slug=place.workspace.slug))
    if status.state in OVERDUE:
        title, state = _title(own)
    else:
        title, state = _("An invoice for %(product)s is to be paid.", product=product), "waiting"
    due_on = status.subscription.unpaid_on
    amounts = [unpaid_words(each) for each in unpaid if each.due_on == due_on]
    text = " ".join(amounts) if amounts and state == "waiting" else open_invoice_words(status, due_on)
    return Banner(title, text, state, action)


def _is_about_to_end(own: OwnProduct) -> bool:
    status, until = own.status, own.trial_until
    if status is None or until is None or status.state is not SubscriptionState.TRIAL:
        return False
    return days_left(until, status.today) <= TRIAL_BANNER_DAYS


def _title(own: OwnProduct) -> tuple[str, str]:
    """With the style's word."""
    assert own.status is not None, "something is to be said of it"
    product = translated(own.product.names)
    match own.status.state:
        case SubscriptionState.BLOCKED:
            return _("%(product)s is blocked.", product=product), "blocked"
        case SubscriptionState.TRIAL:
            return _("The free trial of %(product)s is about to end.", product=product), "trial"
        case SubscriptionState.LATE if not own.status.subscription.renewal_has_failed:
            return _("The payment for %(product)s is late.", product=product), "late"
    return _("The payment for %(product)s failed.", product=product), "late"


def _being_paid(place: Place, own: OwnProduct) -> Banner:
    """A payment or a refund for licences, until its result is known."""
    product = translated(own.product.names)
    subscription = own.status.subscription if own.status else None
    if not own.order_being_paid:
        title = _("A refund for %(product)s is being confirmed.", product=product)
        return Banner(title, _("You do not need to do anything."), "waiting", None)
    action: Action = None
    if Right.SEE_BILLING_DETAILS in place.may:
        address = url_for("checkout.result", slug=place.workspace.slug, number=own.order_being_paid)
        action = (_("See the payment"), address)
    if subscription is not None and subscription.open_payment_state == PaymentState.ACTION_REQUIRED:
        title = _("A payment for %(product)s is waiting to be confirmed.", product=product)
        return Banner(title, _("Nothing is charged until it is."), "waiting", action)
    if subscription is not None and subscription.open_payment_state == PaymentState.PENDING:
        title = _("The bank debit for %(product)s is on its way.", product=product)
        return Banner(title, _("You do not need to do anything."), "waiting", action)
    title = _("A payment for %(product)s is being confirmed.", product=product)
    return Banner(title, _("You do not need to do anything."), "waiting", action)


def _of_the_forecast(place: Place, found: Overview) -> Iterator[Need]:
    """The first charge that no method could pay, and what cannot be renewed."""
    products = {each.status.subscription.id: each for each in found.own if each.status}
    yield from _without_method(place, found)
    yield from _expiring(place, found)
    for milestone in found.forecast.milestones:
        own = products[milestone.subscription]
        if milestone.kind is MilestoneKind.NOT_SOLD:
            yield Need(f"not-sold-{own.product.code}", _not_sold(place, milestone, own))


def _without_method(place: Place, found: Overview) -> Iterator[Need]:
    """Once the next charge of a subscription is one: until then there is time."""
    if Right.MANAGE_PAYMENT_METHODS not in place.may:
        return
    charge = _without_a_method(found)
    if charge is None:
        return
    words = {
        "total": formatting.money(charge.total),
        "date": formatting.day(charge.on),
        "plan": priced_name(charge.terms.plan_names, charge.terms.interval, charge.terms.licences),
    }
    expiring = method_names(found).get(charge.expiring or 0)
    if expiring:
        title = _("%(method)s expires before it is charged.", method=expiring)
    else:
        title = _("There is no payment method for a coming charge.")
    text = _("%(total)s will be charged on %(date)s for %(plan)s.", **words)
    action = (
        _("Add a payment method"),
        url_for("new_method.show", slug=place.workspace.slug),
    )
    yield Need("need-method", Banner(title, text, "expiring", action))


def _without_a_method(found: Overview) -> Charge | None:
    """The first charge that nothing could pay, where it is the next one of a subscription."""
    next_ones = (found.forecast.next_of(each.status.subscription.id) for each in found.own if each.status)
    if not any(each is not None and each.lacks_method and not each.is_retry for each in next_ones):
        return None
    return next(each for each in found.forecast.charges if each.lacks_method and not each.is_retry)


def _expiring(place: Place, found: Overview) -> Iterator[Need]:
    """Cards that expire within a month and are charged, but for the one that is spoken of already."""
    if Right.MANAGE_PAYMENT_METHODS not in place.may:
        return
    statuses = [each.status for each in found.own if each.status is not None]
    methods, spoken_of = list(found.methods.values()), _without_a_method(found)
    if not statuses or not methods:
        return
    soon = expiring.expiring([each.subscription for each in statuses], methods, today=statuses[0].today)
    for method_id, paid in soon.items():
        if spoken_of is not None and spoken_of.expiring == method_id:
            continue
        method = found.methods[method_id]
        action = (_("Add a payment method"), url_for("new_method.show", slug=place.workspace.slug))
        banner = expiring_banner(method, paid, methods, action=action)
        yield Need(f"need-expiring-{method.last4}", banner)


def _not_sold(place: Place, milestone: Milestone, own: OwnProduct) -> Banner:
    said = milestone_words(milestone, product=translated(own.product.names), methods={})
    title = _("%(what)s on %(date)s.", what=said.what, date=formatting.day(milestone.on))
    if own.is_workspace_plan:
        action = (_("See the plans"), url_for("plans.show", slug=place.workspace.slug))
    else:
        action = (_("See the subscription"), _card(place, own))
    return Banner(title, said.note, "late", action)


def _requests(place: Place, waiting: int) -> Need:
    title = ngettext(
        "%(num)d purchase request is waiting for a decision.",
        "%(num)d purchase requests are waiting for a decision.",
        waiting,
    )
    action = (_("See the requests"), url_for("requests.index", slug=place.workspace.slug))
    return Need("need-requests", Banner(title, "", "request", action))


def _card(place: Place, own: OwnProduct) -> str:
    address = url_for("subscriptions.show", slug=place.workspace.slug)
    return f"{address}#subscription-{own.product.code}"


def method_names(found: Overview) -> Mapping[int, str]:
    """By id, of those that the reader may know."""
    return {key: method_words(each.kind, each.brand, each.last4) for key, each in found.methods.items()}
