"""Changing licences that run: the choice, what it costs and gives back now or on the due date, one button.

Looking writes nothing. What begins now is paid through the checkout, which shows it again; what waits for the
due date is confirmed here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from flask import Blueprint, Response, flash, request, url_for
from flask_babel import ngettext
from werkzeug.datastructures import MultiDict

from portal.domain.buying import LicencesBelowAssigned
from portal.domain.choices import Choice
from portal.domain.errors import OrderAlreadyPlaced, PortalError, QuoteChanged
from portal.domain.lifecycle import OVERDUE
from portal.domain.money import Money
from portal.domain.pricing import ChangeWaits, Quote
from portal.domain.proration import NothingChanges
from portal.domain.vocabulary import Interval, OrderKind, Right, SubscriptionState
from portal.forms.subscriptions import LicenceChangeForm
from portal.models import Subscription
from portal.routes.checkout.order import Summary, summary_of
from portal.routes.plans.page import REFUSALS, refusal_sentence
from portal.runtime import current
from portal.services import plans
from portal.services.checkout import ordering
from portal.services.places import Place
from portal.services.plans import PlanOffers
from portal.services.subscriptions import agreement, charged_methods, licences, scheduled_change
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.services.subscriptions.next_charge import NoBillingDetails
from portal.services.subscriptions.present_licences import NotChangeable, refuse_unless_changeable
from portal.services.subscriptions.scheduled_change import ScheduledChange
from portal.web.access import refuse_without, sold_here, workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.place import subscription_or_404, today_here
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.licences import amount_words, assigned_words, rate_words
from portal.words.methods import method_words
from portal.words.plans import change_later, priced_name
from portal.words.renewal import amount_charged

from .licensed import (
    buying_page,
    nothing_to_do,
    right_to_change,
    subscriptions_page,
    what_waits,
)

blueprint = Blueprint("licence_change", __name__, url_prefix="/w/<slug>/subscriptions/<product>/change")


@blueprint.get("")
@workspace_right(Right.BUY)
@sold_here
def show(place: Place, product: str) -> Response:
    """The choice; with what it would bring, once something is chosen."""
    status = _status(place, product)
    if (refused := _nothing_to_change(place, status)) is not None:
        return refused
    form = _form(status, request.args)
    return _page(place, status, form, asks=bool(request.args))


@blueprint.post("")
@workspace_right(Right.BUY)
@sold_here
def confirm(place: Place, product: str) -> Response:
    """An order to be paid for what begins now; else the change waits for the due date."""
    status = _status(place, product)
    if (refused := _nothing_to_change(place, status)) is not None:
        return refused
    form = _form(status, request.form)
    if not form.validate_on_submit():
        return _page(place, status, form, asks=False, code=422)
    choice, currency = _choice(form), _currency(status)
    try:
        order = ordering.open_change(place, choice, currency=currency, now=current().clock.now())
    except ChangeWaits:
        return _schedule(place, status, form, choice)
    except (NothingChanges, NoBillingDetails, *REFUSALS) as refusal:
        _say(form, refusal)
        return _page(place, status, form, asks=False, code=422)
    page = "review" if order.details else "details"
    return redirect_after_write(url_for(f"checkout.{page}", slug=place.workspace.slug, number=order.number))


def _schedule(place: Place, status: SubscriptionStatus, form: LicenceChangeForm, choice: Choice) -> Response:
    try:
        change = scheduled_change.schedule(
            place,
            choice,
            product=status.subscription.product,
            shown_hash=form.shown.data,
            now=current().clock.now(),
        )
    except QuoteChanged:
        form.add_error(None, _("Nothing was changed. This is no longer what you saw: please check it again."))
        return _page(place, status, form, asks=True, code=409)
    except OrderAlreadyPlaced:
        return _page(place, _status(place, status.subscription.product.code), form, asks=True, code=409)
    except (NoBillingDetails, *REFUSALS) as refusal:
        _say(form, refusal)
        return _page(place, status, form, asks=False, code=422)
    words = priced_name(change.plan.names, change.offer.interval, change.quantity)
    flash(
        _("From %(date)s you will have: %(plan)s.", date=formatting.day(change.begins_on), plan=words), "done"
    )
    return redirect_after_write(subscriptions_page(place)[1])


@blueprint.post("/withdraw")
@workspace_right(Right.BUY)
def withdraw(place: Place, product: str) -> Response:
    """What was to begin on the due date does not: the licences go on as they are."""
    status = _status(place, product)
    try:
        withdrawn = scheduled_change.withdraw(
            place, product=status.subscription.product, now=current().clock.now()
        )
    except OrderAlreadyPlaced:
        flash(change_later(refund=False), "error")
        return redirect_after_write(subscriptions_page(place)[1])
    if withdrawn is None:
        flash(_("There is no longer a change to withdraw."), "done")
    else:
        flash(_("Change withdrawn: %(product)s stays as it is.", product=_name(status)), "done")
    return redirect_after_write(subscriptions_page(place)[1])


def _status(place: Place, product: str) -> SubscriptionStatus:
    subscription = subscription_or_404(place, product)
    refuse_without(right_to_change(subscription), place)
    return agreement.status_of(subscription, today=today_here(place))


# --- the form ---------------------------------------------------------------------------------------


def _form(status: SubscriptionStatus, sent: MultiDict[str, str]) -> LicenceChangeForm:
    """Filled with what runs until something is sent."""
    subscription = status.subscription
    on_sale = _on_sale(status)
    intervals = {Interval(price.interval) for offers in on_sale for price in offers.prices}
    words = {Interval.MONTH: _("By the month"), Interval.YEAR: _("By the year")}
    return LicenceChangeForm(
        sent or None,
        plans=[(offers.plan.code, translated(offers.plan.names)) for offers in on_sale],
        intervals=[(each.value, words[each]) for each in Interval if each in intervals],
        most=subscription.product.most_licences,
        data={
            "plan": status.plan.code,
            "licences": subscription.quantity,
            "interval": str(status.interval),
        },
    )


def _on_sale(status: SubscriptionStatus) -> list[PlanOffers]:
    """What may be had of the product in the currency that was paid."""
    on_sale = plans.plans_on_sale(status.subscription.product, on=plans.sale_day(current().clock.now()))
    currency = _currency(status)
    return [offers for offers in on_sale if any(price.currency == currency for price in offers.prices)]


def _choice(form: LicenceChangeForm) -> Choice:
    return Choice(form.plan.data, Interval(form.interval.data), form.licences.data or 0, OrderKind.CHANGE)


def _currency(status: SubscriptionStatus) -> str:
    price = status.subscription.price
    assert price is not None, "what is changed was paid"
    return price.currency


def _say(form: LicenceChangeForm, refusal: PortalError) -> None:
    """Why it cannot be, beside its field where it is one field's."""
    if isinstance(refusal, LicencesBelowAssigned):
        form.add_error(
            "licences",
            ngettext(
                "%(num)d licence is assigned. Take it back before you have fewer.",
                "%(num)d licences are assigned. Take some back before you have fewer.",
                refusal.assigned,
            ),
        )
    elif isinstance(refusal, NoBillingDetails):
        form.add_error(None, _("We do not know whom to invoice. Fill in your billing details first."))
    else:
        form.add_error(None, refusal_sentence(refusal))


# --- the page ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LicenceChangePage:
    """`facts`: what runs. `waiting`: what is to begin on the due date, in a sentence; empty for nothing.

    `now`: what is charged and given back today; `later`: facts of what waits, with its day `begins_on`. Both
    None until something is chosen. `shown` identifies what is shown. `closed`: why nothing can be confirmed.
    """

    form: LicenceChangeForm
    product: str
    name: str
    facts: tuple[tuple[str, str, str], ...]
    notes: dict[str, str]
    waiting: str
    now: Summary | None
    next_charge: str
    later: tuple[tuple[str, str], ...] | None
    begins_on: date | None
    replaces: bool
    shown: str
    closed: str
    sends: dict[str, str]
    back: tuple[str, str]


def _page(
    place: Place, status: SubscriptionStatus, form: LicenceChangeForm, *, asks: bool, code: int = 200
) -> Response:
    """`asks`: what is chosen is reckoned and shown."""
    subscription = status.subscription
    page = LicenceChangePage(
        form=form,
        product=subscription.product.code,
        name=_name(status),
        facts=tuple(_facts(status)),
        notes=_notes(status),
        waiting=what_waits(status),
        now=None,
        next_charge="",
        later=None,
        begins_on=None,
        replaces=subscription.scheduled_plan_id is not None,
        shown="",
        closed=_closed(subscription),
        sends={},
        back=subscriptions_page(place),
    )
    if asks and form.validate():
        page = _with_preview(place, status, form, page)
    errors = bool(form.errors or form.form_errors)
    return render("subscriptions/licence_change.html", page, status=422 if errors and code == 200 else code)


def _with_preview(
    place: Place, status: SubscriptionStatus, form: LicenceChangeForm, page: LicenceChangePage
) -> LicenceChangePage:
    choice, now = _choice(form), current().clock.now()
    sends = {"plan": choice.plan_code, "licences": str(choice.quantity), "interval": str(choice.interval)}
    try:
        quote = ordering.quote_of_change(place, choice, currency=_currency(status), now=now)
    except ChangeWaits:
        return _with_waiting(place, status, form, replace(page, sends=sends))
    except NothingChanges:
        form.add_error(None, _("This is what you have already: choose something else to change it."))
        return page
    except (NoBillingDetails, *REFUSALS) as refusal:
        _say(form, refusal)
        return page
    return replace(page, now=summary_of(quote.facts), next_charge=_next_charge(status, quote), sends=sends)


def _with_waiting(
    place: Place, status: SubscriptionStatus, form: LicenceChangeForm, page: LicenceChangePage
) -> LicenceChangePage:
    product, now = status.subscription.product, current().clock.now()
    try:
        change = scheduled_change.preview(place.workspace, _choice(form), product=product, now=now)
    except (NoBillingDetails, *REFUSALS) as refusal:
        _say(form, refusal)
        return page
    return replace(
        page, later=tuple(_facts_of_waiting(status, change)), begins_on=change.begins_on, shown=change.hash
    )


def _facts(status: SubscriptionStatus) -> Iterator[tuple[str, str, str]]:
    subscription = status.subscription
    yield _("Plan"), translated(status.plan.names), "present-plan"
    held, paid = licences.assigned(subscription), subscription.quantity
    yield (
        _("Licences"),
        formatting.number(paid) if subscription.product.licence_keys else assigned_words(held, paid),
        "present-licences",
    )
    price = subscription.price
    if price is not None:
        amount = amount_words(price.volume_price.amount(subscription.quantity), Interval(price.interval))
        yield _("Price"), _("%(amount)s excl. VAT", amount=amount), "present-price"
    if status.due_on is not None:
        yield _("Paid until"), formatting.day(status.due_on), "present-due"


def _notes(status: SubscriptionStatus) -> dict[str, str]:
    """What a licence of each plan costs, beside it."""
    notes = {}
    for offers in _on_sale(status):
        prices = [offers.price(interval, _currency(status)) for interval in Interval]
        rates = [rate_words(price.volume_price, Interval(price.interval)) for price in prices if price]
        notes[offers.plan.code] = " · ".join(rates)
    return notes


def _next_charge(status: SubscriptionStatus, quote: Quote) -> str:
    """What comes after the change."""
    line = quote.only_line
    price = line.offer.price(line.quantity)
    tax = quote.tax.tax_on(price) if quote.tax else Money.zero(price.currency)
    words = {
        "date": formatting.day(line.due_on),
        "total": amount_charged(price + tax, has_vat=tax.minor > 0),
    }
    if status.renews_by_itself:
        return _("Then %(total)s on %(date)s, automatically.", **words)
    return _(
        "It is then paid until %(date)s. A whole period costs %(total)s; automatic renewal is off.", **words
    )


def _facts_of_waiting(status: SubscriptionStatus, change: ScheduledChange) -> Iterator[tuple[str, str]]:
    yield _("From then on"), priced_name(change.plan.names, change.offer.interval, change.quantity)
    yield _("Begins on"), formatting.day(change.begins_on)
    if change.charge is None or change.charged_on is None:
        price = formatting.money(change.offer.price(change.quantity))
        yield _("Price today"), _("%(amount)s excl. VAT", amount=price)
        yield _("Next payment"), _("None: automatic renewal is off, and the licences end on that day.")
        return
    total = amount_charged(change.charge.total, has_vat=change.charge.tax_amount.minor > 0)
    day = formatting.day(change.charged_on)
    yield _("Next payment"), _("%(total)s on %(date)s", total=total, date=day)
    method = charged_methods.next_asked(status.subscription, today=status.today)
    if method is not None:
        yield _("Paid with"), method_words(method.kind, method.brand, method.last4)


def _closed(subscription: Subscription) -> str:
    if not subscription.has_open_money:
        return ""
    return change_later(refund=subscription.waits_for_refund)


def _name(status: SubscriptionStatus) -> str:
    return translated(status.subscription.product.names)


# --- what cannot be -------------------------------------------------------------------------------


def _nothing_to_change(place: Place, status: SubscriptionStatus) -> Response | None:
    """What has ended is bought anew, what is cancelled is taken back, what is late is paid: first that."""
    heading = _("%(product)s cannot be changed now", product=_name(status))
    try:
        refuse_unless_changeable(status)
    except NotChangeable:
        pass
    else:
        why = _("It is no longer sold. What you have goes on as it is.")
        return None if _on_sale(status) else nothing_to_do(place, heading, why, None)
    slug, product = place.workspace.slug, status.subscription.product
    why, action = _("Only licences that are paid for can be changed."), None
    if status.state is SubscriptionState.CANCELLED:
        why = _("The subscription is cancelled. Take the cancellation back first.")
        address = url_for("cancellation.ask_to_take_back", slug=slug, product=product.code)
        action = (_("Take the cancellation back"), address)
    elif status.state in (SubscriptionState.TRIAL, SubscriptionState.ENDED):
        why = (
            _("It is a free trial. Buy licences: then you can change them.")
            if status.state is SubscriptionState.TRIAL
            else _("The subscription has ended. Buy licences again.")
        )
        if not product.withdrawn:
            action = (_("Subscribe now"), buying_page(place, product))
    elif status.state in OVERDUE:
        why = _("A payment is overdue. Pay it first: then you can change the licences.")
        card = url_for("subscriptions.show", slug=slug, _anchor=f"subscription-{product.code}")
        action = (_("See what is due"), card)
    return nothing_to_do(place, heading, why, action)
