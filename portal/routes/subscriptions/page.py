"""The subscriptions page: a card for each product that the workspace has or had, the workspace plan first."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, Response, url_for
from flask_babel import ngettext

from portal.domain.lifecycle import CANCELLABLE, RENEWABLE, days_left
from portal.domain.timeline import INVOICE_AHEAD_DAYS
from portal.domain.vocabulary import DocumentKind, Interval, PriceUnit, Right, SubscriptionState
from portal.models import Invoice, Price
from portal.routes.checkout.cart import deciders_of
from portal.runtime import current
from portal.services import requests
from portal.services.checkout import amount_due
from portal.services.checkout.amount_due import AmountDue
from portal.services.places import Place
from portal.services.subscriptions import next_charge, products
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.services.subscriptions.products import OwnProduct, OwnSubscription
from portal.web.access import workspace_right
from portal.web.banners import open_invoice_words
from portal.web.htmx import render
from portal.web.payment_due import PaymentDue, payment_due
from portal.web.place import know_status
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.licences import amount_words, assigned_words
from portal.words.methods import method_words
from portal.words.renewal import amount_charged
from portal.words.states import state_words

from .licensed import buying_page, may_change, what_waits

blueprint = Blueprint("subscriptions", __name__, url_prefix="/w/<slug>/subscriptions")


@dataclass(frozen=True, slots=True)
class DocumentLink:
    label: str
    number: str
    url: str


@dataclass(frozen=True, slots=True)
class Card:
    """One subscription. `state` is the style's word and `state_words` the reader's.

    `sentence` says what `facts` do not. `payment` pays the period of licences that is due, in one amount;
    else `order_address`, empty where that cannot be, is where somebody orders it who pays with a card of
    their own. `actions`: each with its label, its address and its mark.
    """

    code: str
    name: str
    state: str
    state_words: str
    sentence: str
    facts: tuple[tuple[str, str, str], ...]
    payment: PaymentDue | None
    order_address: str
    actions: tuple[tuple[str, str, str], ...]
    documents: tuple[DocumentLink, ...]


@dataclass(frozen=True, slots=True)
class SubscriptionsPage:
    """`deciders`: who decides, for a reader who has to ask. `in_cart`: how many lines it holds.

    `waiting`: how many purchase requests wait that the reader may see; None where there is nothing to see.
    """

    in_cart: int
    cards: tuple[Card, ...]
    deciders: str
    waiting: int | None


@blueprint.get("")
@workspace_right(Right.SEE_PLANS)
def show(place: Place) -> Response:
    now = current().clock.now()
    found = products.subscriptions_of(place, now=now)
    due = amount_due.amounts_due(place, _statuses_of_licences(found), now=now)
    know_status(next(each.own.status for each in found if each.own.is_workspace_plan and each.own.status))
    asks = Right.BUY not in place.may or (place.workspace.is_corporate and Right.APPROVE not in place.may)
    counted = requests.count(place, now=now)
    view = SubscriptionsPage(
        in_cart=counted.in_cart,
        cards=tuple(_card(place, each, due) for each in found),
        deciders=deciders_of(place) if asks else "",
        waiting=counted.waiting if counted.all or Right.APPROVE not in place.may else None,
    )
    return render("subscriptions/page.html", view)


def _statuses_of_licences(found: Iterable[OwnSubscription]) -> list[SubscriptionStatus]:
    """What the workspace plan needs stands in the banner."""
    return [each.own.status for each in found if each.own.status and not each.own.is_workspace_plan]


def _card(place: Place, each: OwnSubscription, due: Mapping[int, AmountDue]) -> Card:
    own, status, code = each.own, each.own.status, each.own.product.code
    state, words = state_of(own)
    amount = due.get(status.subscription.id) if status else None
    return Card(
        code=code,
        name=translated(own.product.names),
        state=state,
        state_words=words,
        sentence=sentence_of(own),
        facts=_facts(each, status) if status and _is_described(own, status) else (),
        payment=payment_due(place, amount, product=code) if amount else None,
        order_address="" if amount else _order_address(place, own),
        actions=tuple(_actions(place, own)),
        documents=tuple(_document(place, invoice) for invoice in each.documents),
    )


def _is_described(own: OwnProduct, status: SubscriptionStatus) -> bool:
    """Of a trial that is over nothing is said but that; that of the workspace plan stands on its own page."""
    if own.is_bought:
        return True
    return not own.is_workspace_plan and status.state is SubscriptionState.TRIAL


def _order_address(place: Place, own: OwnProduct) -> str:
    """Where the period of licences that is due is ordered; empty where it is not, or the reader may not."""
    status = own.status
    if status is None or own.is_workspace_plan:
        return ""
    if not amount_due.may_order(place, status, now=current().clock.now()):
        return ""
    return url_for("licences_due.order", slug=place.workspace.slug, product=own.product.code)


def state_of(own: OwnProduct) -> tuple[str, str]:
    """The style's word and the reader's."""
    if own.status is None:
        return "waiting", _("Payment being confirmed")
    if not own.is_bought and own.trial_until:
        return ("ended", _("Trial over")) if _trial_is_over(own.status) else ("trial", _("On trial"))
    if own.status.state is SubscriptionState.PAID and own.status.subscription.unpaid_on is not None:
        return "waiting", _("To be paid")
    return str(own.status.state), state_words(own.status.state)


def _trial_is_over(status: SubscriptionStatus) -> bool:
    return status.state is not SubscriptionState.TRIAL


def _actions(place: Place, own: OwnProduct) -> Iterator[tuple[str, str, str]]:
    """What may be done. Whatever the workspace plan needs stands on its own page."""
    slug, code = place.workspace.slug, own.product.code
    if own.is_workspace_plan:
        yield _("See the plans"), url_for("plans.show", slug=slug), f"act-{code}"
        return
    may_be_bought = own.standing.may_be_bought and not own.order_being_paid and not own.product.withdrawn
    if may_be_bought and Right.ASK in place.may:
        label = _("Subscribe again") if own.is_bought else _("Subscribe now")
        if not place.buys:
            label = _("Ask for licences")
        yield label, buying_page(place, own.product, own.status), f"act-{code}"
    if own.has_licences_to_assign and Right.MANAGE_MEMBERS in place.may:
        yield _("Assign licences"), url_for("licences.index", slug=slug, product=code), f"assign-{code}"
    if own.status is not None and own.product.licence_keys and Right.MANAGE_MEMBERS in place.may:
        yield _("Licence key"), url_for("licence_key.show", slug=slug, product=code), f"key-{code}"
    if own.status is None or own.status.subscription.has_open_money:
        return
    if own.status.subscription.unpaid_on is not None:
        if Right.SEE_HISTORY in place.may:
            yield _("See the open invoice"), url_for("open_invoices.oldest", slug=slug), f"invoice-{code}"
    elif (
        own.is_bought
        and own.status.state is SubscriptionState.PAID
        and may_change(place, own.status.subscription)
    ):
        yield (
            _("Change the subscription"),
            url_for("licence_change.show", slug=slug, product=code),
            f"change-{code}",
        )
    if Right.AUTO_RENEWAL not in place.may:
        return
    if own.status.state is SubscriptionState.CANCELLED:
        address = url_for("cancellation.ask_to_take_back", slug=slug, product=code)
        yield _("Take the cancellation back"), address, f"take-back-{code}"
        return
    if own.is_bought and own.status.state in RENEWABLE and own.status.subscription.unpaid_on is None:
        is_on = own.status.subscription.auto_renewal
        label = _("Switch automatic renewal off") if is_on else _("Switch automatic renewal on")
        yield label, url_for("licence_renewal.show", slug=slug, product=code), f"renewal-{code}"
        if is_on and Right.MANAGE_PAYMENT_METHODS in place.may:
            yield _("Payment"), url_for("payment_methods.show", slug=slug), f"methods-{code}"
    if own.is_bought and own.status.state in CANCELLABLE:
        yield (
            _("Cancel the subscription"),
            url_for("cancellation.ask", slug=slug, product=code),
            f"cancel-{code}",
        )


def sentence_of(own: OwnProduct) -> str:
    """What is true of it today and stands in no fact; empty for nothing."""
    status = own.status
    if status is None:
        return _("It begins as soon as the payment is confirmed.")
    if status.subscription.has_open_money or own.order_being_paid:
        return _("A payment or a refund for it is being confirmed.")
    if not own.is_bought:
        return _trial_sentence(own, status)
    due_on = formatting.day(status.due_on) if status.due_on else ""
    if (unpaid_on := status.subscription.unpaid_on) is not None:
        return open_invoice_words(status, unpaid_on)
    match status.state:
        case SubscriptionState.FREE:
            return _("There is nothing to pay.")
        case SubscriptionState.LATE if status.blocked_on:
            until = formatting.day(status.blocked_on)
            was_due = _("The payment was due on %(date)s.", date=due_on)
            return " ".join(
                (was_due, _("Access will be blocked on %(date)s.", date=until), *_not_sold(status))
            )
        case SubscriptionState.BLOCKED:
            is_blocked = _("The payment was due on %(date)s. Access is blocked.", date=due_on)
            return " ".join((is_blocked, *_not_sold(status)))
        case SubscriptionState.CANCELLED:
            return _("It ends on %(date)s, and nothing more is charged.", date=due_on)
        case SubscriptionState.ENDED if status.blocked_on:
            return _("It ended on %(date)s.", date=formatting.day(status.blocked_on - timedelta(days=1)))
    return what_waits(status)


def _not_sold(status: SubscriptionStatus) -> Iterator[str]:
    """Why what is due cannot be paid by hand."""
    if not amount_due.is_still_sold(status, now=current().clock.now()):
        yield _("This plan is no longer sold and cannot be renewed.")


def _trial_sentence(own: OwnProduct, status: SubscriptionStatus) -> str:
    until = own.trial_until
    if until is None:
        # A first purchase that was paid back, or a trial of the workspace plan without an end.
        return _("It was paid back.") if own.has_ended else ""
    if _trial_is_over(status):
        return _("The free trial ended on %(date)s.", date=formatting.day(until))
    left = days_left(until, status.today)
    if left == 0:
        return _("The free trial ends today.")
    return ngettext(
        "%(num)d day left: the free trial ends on %(date)s.",
        "%(num)d days left: the free trial ends on %(date)s.",
        left,
        date=formatting.day(until),
    )


def _facts(each: OwnSubscription, status: SubscriptionStatus) -> tuple[tuple[str, str, str], ...]:
    """Each with its mark."""
    is_workspace_plan = each.own.is_workspace_plan
    rows = [(_("Plan"), translated(status.plan.names), "tier")]
    subscription, price = status.subscription, status.subscription.price
    if not is_workspace_plan:
        rows.append((_("Licences"), _licences(each.own, subscription.quantity), "licences"))
    if price is None or status.state is SubscriptionState.ENDED:
        return tuple(rows)
    interval = Interval(price.interval)
    rows.append((_("Billing cycle"), _("Yearly") if interval is Interval.YEAR else _("Monthly"), "cycle"))
    rows.append((_("Price"), _price(price, subscription.quantity), "rate"))
    if status.state is not SubscriptionState.CANCELLED:
        rows.append((_("Next payment"), next_payment(status), "next-payment"))
    if each.method is not None:
        method = method_words(each.method.kind, each.method.brand, each.method.last4)
        rows.append((_("Payment method"), method, "method"))
    return tuple(rows)


def _licences(own: OwnProduct, paid: int) -> str:
    if not own.has_licences_to_assign:
        return formatting.number(paid)
    return assigned_words(own.assigned, paid)


def _price(price: Price, licences: int) -> str:
    """Of one period; with the rate of a licence where there are several."""
    volume, interval = price.volume_price, Interval(price.interval)
    amount = amount_words(volume.amount(licences), interval)
    if licences == 1 or volume.unit is PriceUnit.FLAT:
        return _("%(amount)s excl. VAT", amount=amount)
    each = formatting.money(volume.unit_amount(licences))
    return _("%(amount)s excl. VAT (%(each)s per licence)", amount=amount, each=each)


def next_payment(status: SubscriptionStatus) -> str:
    """The day and the amount that were told; without automatic renewal, until when it is paid."""
    subscription, on = status.subscription, status.subscription.renew_on
    if subscription.unpaid_on is not None:
        return _("By bank transfer, by %(date)s", date=formatting.day(subscription.unpaid_on))
    if subscription.pays_by_transfer and status.due_on is not None:
        ahead = status.due_on - timedelta(days=INVOICE_AHEAD_DAYS)
        return _("By bank transfer: the next invoice comes on %(date)s", date=formatting.day(ahead))
    if not subscription.auto_renewal:
        if status.due_on is None or status.due_on <= status.today:
            return _("Automatic renewal is off.")
        return _("Automatic renewal is off. Paid until %(date)s.", date=formatting.day(status.due_on))
    if subscription.renewal_has_failed:
        return _("The renewal is not paid yet.")
    if on is None or on < status.today:
        return _("The next payment is made automatically.")
    told = next_charge.told_total(subscription)
    if told is None:
        return _("Automatically on %(date)s", date=formatting.day(on))
    has_vat = subscription.announced_minor != subscription.announced_net_minor
    total = amount_charged(told, has_vat=has_vat)
    return _("%(total)s on %(date)s", total=total, date=formatting.day(on))


def _document(place: Place, invoice: Invoice) -> DocumentLink:
    kinds = {DocumentKind.INVOICE: _("Invoice"), DocumentKind.CREDIT_NOTE: _("Credit note")}
    return DocumentLink(
        label=kinds[DocumentKind(invoice.kind)],
        number=invoice.number,
        url=url_for("history.statement", slug=place.workspace.slug, number=invoice.number),
    )
