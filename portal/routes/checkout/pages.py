"""The checkout: billing details → review and pay → a result that tells the truth."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, request, session, url_for
from flask_babel import ngettext
from flask_login import current_user

from portal.domain import open_invoices as open_invoice_rules
from portal.domain.billing_details import first_and_last
from portal.domain.debits import CURRENCY_OF_DEBITS
from portal.domain.errors import (
    CannotBeInvoiced,
    CurrencyMismatch,
    OrderAlreadyPlaced,
    PortalError,
    QuoteChanged,
)
from portal.domain.exchange_rates import MissingExchangeRate
from portal.domain.frozen_quote import FrozenLine
from portal.domain.money import Money
from portal.domain.plans import PlanChoice, PlanNotOffered, PlanTooSmall
from portal.domain.pricing import Quote
from portal.domain.requests import AboveCeiling
from portal.domain.vocabulary import (
    OrderKind,
    OrderState,
    PaymentMethodKind,
    PaymentState,
    Right,
    SubscriptionState,
)
from portal.forms.billing_details import BillingDetailsForm
from portal.forms.cards import (
    NEW_ACCOUNT,
    NEW_CARD,
    CardForm,
    CardOrSavedForm,
    DebitForm,
    DebitOrSavedForm,
    PlaceOrderForm,
)
from portal.forms.requests import AskForm
from portal.models import Order, OrderLine, Payment, PaymentMethod
from portal.routes.plans.page import CANNOT_BE_ORDERED, REFUSALS, plans_page, refusal_sentence, refused
from portal.routes.plans.view import renewal_of
from portal.runtime import current
from portal.services import open_money, plans
from portal.services.checkout import ceiling, ordering, quoting
from portal.services.invoices import history, issuing
from portal.services.members import overflow
from portal.services.members.roster import people_with
from portal.services.payments import asking, charging, mandates, on_account, refunds
from portal.services.payments.coming_charge import coming_charge
from portal.services.payments.mandates import MandateChanged, NotInEuros
from portal.services.places import Place
from portal.services.subscriptions import agreement, charged_methods, scheduled_change
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.services.subscriptions.scheduled_change import Waiting
from portal.web import limits, patience
from portal.web.access import limited, refuse_corporate, refuse_without, workspace_right
from portal.web.htmx import htmx, redirect_after_write, render
from portal.web.mandate import mandate_of
from portal.web.navigation import sandbox_cards_url, stand_under_subscriptions
from portal.web.place import (
    may_open_order,
    on_sale_here,
    status_here,
    today_here,
    usage_here,
)
from portal.web.to_pay import to_pay_of
from portal.words import formatting
from portal.words.debits import debit_words
from portal.words.declines import decline_sentence
from portal.words.i18n import gettext as _
from portal.words.i18n import locale_code, translated
from portal.words.methods import method_words
from portal.words.money import not_invoiced_words
from portal.words.requests import allowance_sentence

from .cart import deciders_of
from .order import (
    ReviewPage,
    assigning_words,
    cancelled_by,
    managers_of,
    method_name_of,
    methods_on_offer,
    recap_of,
    renewal_after,
    renewal_hint_of,
    result_of,
    result_on_account,
    summary_before_tax,
    summary_of,
)

ON_ACCOUNT = (OrderState.INVOICED, OrderState.PAID, OrderState.WITHDRAWN)
blueprint = Blueprint("checkout", __name__, url_prefix="/w/<slug>/checkout/<number>")
REFRESH_SECONDS = 3
READING_SECONDS = 20
"""A sentence that is shown once is not refreshed away before it is read."""


# --- 1. billing details ---------------------------------------------------------------------------


@blueprint.route("", methods=["GET", "POST"])
@workspace_right(Right.BUY)
def details(place: Place, number: str) -> Response:
    order = order_or_404(place, number)
    if order.state != OrderState.OPEN:
        return _to("result", place, order)
    if _takes_a_card_at_once(place, order):
        return redirect(adding_a_card(place), 303)  # type: ignore[return-value]
    if request.method == "POST":
        _refuse_what_is_sold_elsewhere(place, order)
    form = _details_form(place, order)
    if form.validate_on_submit():
        return _keep_details(place, order, form)
    if request.method != "POST" or form.wants_update:
        quote_or_page = _quote_or_refusal(place, order)
        if isinstance(quote_or_page, Response):
            return quote_or_page
    return _details_page(place, order, form, status=422 if form.errors else 200)


def _details_form(place: Place, order: Order) -> BillingDetailsForm:
    """Filled with the order's details, else the workspace's where the buyer may see them, else one's own."""
    kept = order.details or _remembered(place)
    known = kept or _of_the_person(place)
    on_sale = plans.currencies_of(on_sale_here(place))
    currencies = [(code, formatting.currency_label(code)) for code in on_sale]
    return BillingDetailsForm(
        currencies=currencies,
        payment_methods=methods_on_offer(
            with_debits=CURRENCY_OF_DEBITS in on_sale, with_transfers=on_account.is_offered_for(order)
        ),
        payment_currencies=currencies,
        known_email=str(kept["email"]) if kept else "",
        locale=locale_code(),
        data={
            **known,
            "display_currency": order.display_currency,
            "payment_currency": order.currency,
            "payment_method": order.method_kind,
        },
    )


def _remembered(place: Place) -> dict[str, object] | None:
    if Right.SEE_BILLING_DETAILS not in place.may:
        return None
    return ordering.remembered_details(place.workspace)


def _of_the_person(place: Place) -> dict[str, object]:
    first_name, last_name = first_and_last(current_user.name)
    return {
        "first_name": first_name,
        "last_name": last_name,
        "email": current_user.email,
        "country": _usual_country(place),
    }


def _usual_country(place: Place) -> str:
    return "FR" if place.workspace.language == "fr" else ""


def _keep_details(place: Place, order: Order, form: BillingDetailsForm) -> Response:
    try:
        ordering.save_details(
            order,
            place=place,
            details=form.answers,
            method_kind=PaymentMethodKind(form.payment_method.data),
            currency=form.payment_currency.data,
            display_currency=form.display_currency.data,
            now=current().clock.now(),
        )
    except OrderAlreadyPlaced:
        return _to("result", place, order)
    except PlanTooSmall as refusal:
        return refused(place, refusal, wanted=_value(order), currency=order.currency)
    except CurrencyMismatch:
        form.add_error(
            "payment_currency", _("Your current plan is paid for in another currency; choose that currency.")
        )
    except NotInEuros:
        form.add_error(
            "payment_currency",
            _("A bank account is debited in euros: pay in euros, or choose another payment method."),
        )
    except CannotBeInvoiced as refusal:
        of_currency = isinstance(refusal, MissingExchangeRate)
        form.add_error("payment_currency" if of_currency else "country", not_invoiced_words(refusal))
    except CANNOT_BE_ORDERED as refusal:
        return not_orderable(place, order, refusal)
    else:
        return redirect_after_write(
            url_for("checkout.review", slug=place.workspace.slug, number=order.number)
        )
    return _details_page(place, order, form, status=422)


def _details_page(place: Place, order: Order, form: BillingDetailsForm, *, status: int) -> Response:
    """The price in the display currency that is chosen now, recomputed from the catalogue."""
    chosen = form.display_currency.data
    shown = _prices_in(order, chosen if chosen in form.display_currency.offered else order.display_currency)
    refresh = {
        "hx-post": address("details", place, order.number),
        "hx-trigger": "change",
        "hx-target": "#details",
        "hx-vals": '{"update": "y"}',
    }
    return render(
        "checkout/details.html",
        status=status,
        form=form,
        order=order,
        summary=summary_before_tax(order, shown),
        edit=_edit(place, order),
        refresh=refresh,
    )


def _prices_in(order: Order, currency: str) -> list[Money]:
    """What each line costs in the currency; in that of the order where one of them has no price in it."""
    try:
        now = current().clock.now()
        wanted = quoting.wanted_again(order, currency=currency, now=now)
    except REFUSALS:
        return [line.unit for line in order.frozen_lines]
    return [line.offer.amount for line in wanted.lines]


# --- 2. review and pay ----------------------------------------------------------------------------


@blueprint.route("/review", methods=["GET", "POST"])
@workspace_right(Right.BUY)
@limited("payment")
def review(place: Place, number: str) -> Response:
    order = order_or_404(place, number)
    if order.state != OrderState.OPEN:
        return _to("result", place, order)
    if order.details is None:
        return _to("details", place, order)
    if _takes_a_card_at_once(place, order):
        return redirect(adding_a_card(place), 303)  # type: ignore[return-value]
    _refuse_change_by_others(place, order)
    form = _payment_form(place, order)
    if request.method != "POST":
        return _offer_to_pay(place, order, form)
    _refuse_what_is_sold_elsewhere(place, order)
    if not form.validate():
        return _review_page(place, order, form, status=422)
    return _pay(place, order, form)


def _payment_form(place: Place, order: Order) -> PlaceOrderForm:
    """The fields of a card or a bank account, unless it is typed elsewhere or nothing is charged."""
    if not order.due.minor or order.method_kind == PaymentMethodKind.BANK_TRANSFER:
        return PlaceOrderForm()
    gateway = charging.gateway_for(order.method_kind)
    if order.method_kind in gateway.capabilities().hosted:
        return PlaceOrderForm()
    saved = ordering.payable_methods(place, order, now=current().clock.now())
    names = [(str(each.id), method_words(each.kind, each.brand, each.last4)) for each in saved]
    if order.method_kind == PaymentMethodKind.SEPA_DEBIT:
        mandate = {"mandate": mandates.next_mandate(place.workspace)}
        return DebitOrSavedForm(saved=names, data=mandate) if saved else DebitForm(data=mandate)
    if saved:
        return CardOrSavedForm(today=today_here(place), saved=names)
    return CardForm(today=today_here(place))


def _offer_to_pay(place: Place, order: Order, form: PlaceOrderForm) -> Response:
    """Show what the order costs now; say so when that is not what it was."""
    quote = _quote_or_refusal(place, order)
    if isinstance(quote, Response):
        return quote
    changed = quote.hash != order.quote_hash
    if changed:
        order = ordering.refresh_quote(order, now=current().clock.now())
    if decline := _last_decline(order):
        if isinstance(form, CardOrSavedForm):
            form.method.data = NEW_CARD
        if isinstance(form, DebitOrSavedForm):
            form.method.data = NEW_ACCOUNT
        form.add_error(form.first_field, decline)
    return _review_page(place, order, form, changed=changed)


def _pay(place: Place, order: Order, form: PlaceOrderForm) -> Response:
    limits.count("payment", account=current_user.id)
    try:
        payment = ordering.place_order(
            order,
            person=current_user._get_current_object(),
            card=form.source,
            method=_saved_method(place, order, form),
            mandate=form.mandate.data if isinstance(form, DebitForm) else "",
            auto_renewal=form.auto_renewal.data,
            shown_quote_hash=form.quote.data,
            return_url=address("result", place, order.number, external=True),
            now=current().clock.now(),
        )
    except OrderAlreadyPlaced as placed:
        return _paying_already(place, order, form, paid=placed.order)
    except QuoteChanged:
        # What changed may be the method, and the fields with it.
        order = order_or_404(place, order.number)
        return _review_page(place, order, _payment_form(place, order), status=409, changed=True)
    except MandateChanged:
        assert isinstance(form, DebitForm), "only a debit has a mandate"
        form.ask_anew(mandates.next_mandate(place.workspace))
        said = _("Nothing was charged: the mandate has a new reference. Check it, and tick the box again.")
        form.add_error("agreed", said)
        return _review_page(place, order, form, status=422)
    except AboveCeiling:
        said = _("Nothing was charged: this is more than you can buy without asking.")
        return _review_page(place, order, form, status=409, problem=said)
    except PlanTooSmall as refusal:
        return refused(place, refusal, wanted=_value(order), currency=order.currency)
    except CANNOT_BE_ORDERED as refusal:
        return not_orderable(place, order, refusal)
    if payment is None:
        return redirect_after_write(address("result", place, order.number))
    if payment.state == PaymentState.DECLINED:
        order = order_or_404(place, order.number)
        field = "method" if payment.method_id is not None else form.first_field
        form.add_error(field, decline_sentence(payment.decline_code, payment.method_kind))
        if isinstance(form, DebitForm):
            # It was shown to somebody, who gave it.
            form.ask_anew(mandates.next_mandate(place.workspace))
        return _review_page(place, order, form, status=422)
    return after_asking(place, payment)


def asking_page(place: Place, number: str, asking: AskForm, *, problem: str = "", status: int) -> Response:
    """The review of an order that a member has to ask for, with the form that could not be taken."""
    order = order_or_404(place, number)
    return _review_page(
        place, order, _payment_form(place, order), asking=asking, problem=problem, status=status
    )


def _paying_already(place: Place, order: Order, form: PlaceOrderForm, *, paid: str) -> Response:
    """To the result of the order `paid`; where that is a colleague's, say who can see it."""
    if _visible_order(place, paid) is not None:
        if paid != order.number:
            flash(_not_placed(place, order), "error")
        return redirect_after_write(address("result", place, paid))
    names = [person.name for person in people_with(place.workspace, Right.SEE_BILLING_DETAILS)]
    sentence = _(
        "Nothing was charged: another payment for this workspace is being confirmed. Please try "
        "again later. These people can see it: %(names)s.",
        names=", ".join(names),
    )
    return _review_page(place, order, form, status=409, problem=sentence)


def _not_placed(place: Place, order: Order) -> str:
    """To be said on the page of the payment that stood in the way, which is about another order."""
    name = ", ".join(translated(line.plan_names) for line in order.frozen_lines)
    products = [line.plan.product_id for line in order.lines]
    if open_money.open_payment(place.workspace, products) is None:
        return _("Your order for %(plan)s was not placed: a refund is being confirmed.", plan=name)
    return _("Your order for %(plan)s was not placed: another payment is being confirmed.", plan=name)


def _saved_method(place: Place, order: Order, form: PlaceOrderForm) -> PaymentMethod | None:
    """The saved method that was chosen. Raises QuoteChanged for one that was removed meanwhile."""
    if not isinstance(form, CardOrSavedForm | DebitOrSavedForm) or not form.saved_method:
        return None
    for method in ordering.payable_methods(place, order, now=current().clock.now()):
        if str(method.id) == form.saved_method:
            return method
    raise QuoteChanged(shown=form.quote.data, current=order.quote_hash)


def _review_page(
    place: Place,
    order: Order,
    form: PlaceOrderForm,
    *,
    status: int = 200,
    changed: bool = False,
    problem: str = "",
    asking: AskForm | None = None,
) -> Response:
    standing = status_here(place)
    total = Money(order.total_minor, order.currency)
    allowance = ceiling.allowance_here(place, now=current().clock.now())
    has_to_ask = allowance is not None and not allowance.covers(total)
    waiting = scheduled_change.waiting_plan(standing)
    renewal_stays_on = _renewal_that_stays_on(place, order, standing, waiting)
    form.quote.data = order.quote_hash
    is_transfer = order.method_kind == PaymentMethodKind.BANK_TRANSFER
    processor = ""
    if not is_transfer:
        processor = charging.gateway_for(order.method_kind).capabilities().processor_name
    page = ReviewPage(
        form=form,
        number=order.number,
        summary=summary_of(order.quote),
        edit=_edit(place, order),
        recap=recap_of(order),
        renewal_hint=renewal_hint_of(order, waiting),
        is_card=isinstance(form, CardForm),
        mandate=mandate_of(form.mandate.data, place, processor=processor)
        if isinstance(form, DebitForm)
        else None,
        method=method_name_of(order),
        when_paid=debit_words(order.frozen_lines, days=charging.debit_days())
        if isinstance(form, DebitForm)
        else "",
        total=formatting.money(order.due) if order.due.minor else "",
        changed=changed,
        problem=problem,
        replaces_trial=standing.state == SubscriptionState.TRIAL and order.plan_line is not None,
        cancels=cancelled_by(order, waiting, due_on=standing.due_on, today=standing.today),
        renewal_stays_on=renewal_stays_on,
        ends_renewal_at=_ends_renewal_at(place, order) if renewal_stays_on else "",
        transfer=_transfer_words(order),
        processor=processor,
        sandbox_cards=sandbox_cards_url(),
        allowance=allowance_sentence(allowance, total) if allowance is not None else "",
        asking=(asking or AskForm(formdata=None)) if has_to_ask else None,
        deciders=deciders_of(place) if has_to_ask else "",
    )
    return render("checkout/review.html", page, status=status)


def _transfer_words(order: Order) -> tuple[str, ...]:
    """How an order that is paid by bank transfer is paid; empty for any other."""
    if order.method_kind != PaymentMethodKind.BANK_TRANSFER or not order.due.minor:
        return ()
    now = current().clock.now()
    begins_on = min(line.start_on for line in order.frozen_lines)
    pay_by = open_invoice_rules.pay_by(issuing.sellers_day(now), begins_on=begins_on)
    return (
        _(
            "Nothing is charged now. You get an invoice of %(amount)s, to be paid by bank transfer by "
            "%(date)s.",
            amount=formatting.money(order.due),
            date=formatting.day(pay_by),
        ),
        _("You can use what you order at once. The next invoice comes 30 days before the next period."),
    )


def _renewal_that_stays_on(
    place: Place, order: Order, standing: SubscriptionStatus, waiting: Waiting | None
) -> str:
    """As the page after the payment will say it: with the saved method, whatever card pays this order.

    Without the method for whoever may not use saved ones.
    """
    line = order.plan_line or _changed_line(order)
    if line is not None and line.is_licensed:
        [of_order] = order.lines
        standing = next(iter(_statuses([of_order], place)))
    if line is None or not standing.renews_by_itself:
        return ""
    sees_method = Right.USE_SAVED_METHODS in place.may
    method = charged_methods.asked_on(standing.subscription, on=line.due_on) if sees_method else None
    return renewal_after(line, waiting, method=method)


def _ends_renewal_at(place: Place, order: Order) -> str:
    """The address of where the renewal that stays on is switched off; empty for who may not."""
    slug = place.workspace.slug
    if Right.AUTO_RENEWAL not in place.may:
        return ""
    if order.plan_line is not None:
        return url_for("auto_renewal.show", slug=slug)
    return url_for("licence_renewal.show", slug=slug, product=order.lines[0].plan.product.code)


def _refuse_change_by_others(place: Place, order: Order) -> None:
    """As where it was chosen: licences may renew themselves only since then."""
    if _changed_line(order) is None:
        return
    [standing] = _statuses(list(order.lines), place)
    if standing.subscription.auto_renewal:
        refuse_without(Right.AUTO_RENEWAL, place)


def _changed_line(order: Order) -> FrozenLine | None:
    """Of an order that changes licences that run, which is for nothing else."""
    line, *others = order.frozen_lines
    return line if not others and line.changes_licences else None


# --- 3. the result --------------------------------------------------------------------------------


@blueprint.get("/result")
@workspace_right(Right.BUY)
def result(place: Place, number: str) -> Response:
    """What is known of the order's newest payment. Only shows; asking the gateway is the worker's work."""
    order = order_or_404(place, number)
    payment = order.newest_payment
    if order.state in ON_ACCOUNT and (payment is None or payment.state == PaymentState.DECLINED):
        return _result_on_account(place, order)
    if payment is None:
        return _to("details", place, order)
    is_of_plan = not any(line.is_licensed for line in order.frozen_lines)
    if Right.REFUND in place.may and is_of_plan and refunds.live_refund(payment) is not None:
        return redirect(url_for("refunds.show", slug=place.workspace.slug, key=payment.key), 303)  # type: ignore[return-value]
    if payment.state == PaymentState.ACTION_REQUIRED and patience.has_followed(payment.key):
        return redirect_after_write(payment.action_url)
    is_paid = payment.state == PaymentState.SUCCEEDED
    must_confirm = payment.state == PaymentState.ACTION_REQUIRED
    lines = list(order.lines)
    statuses = _statuses(lines, place) if is_paid else []
    is_present = is_paid and _is_present(lines, statuses)
    page = result_of(
        order,
        payment,
        invoice=history.invoice_of(order),
        is_present=is_present,
        new_guests=_new_guests(order) if is_present else "",
        may_download=Right.DOWNLOAD_DOCUMENTS in place.may or order.person_id == current_user.id,
        renewal=_next_charges(statuses, place) if is_present else "",
        takes_a_card_at_once=_takes_a_card_at_once(place, order)
        or (payment.tried_on is not None and must_confirm and Right.MANAGE_PAYMENT_METHODS in place.may),
    )
    if is_present and any(line.is_licensed for line in order.frozen_lines):
        managers = managers_of(place)
        page = replace(
            page,
            assigning=assigning_words(managers) if _gave_licences(statuses) else "",
            keys=tuple(_keys_of(place, statuses)),
            managers=managers,
        )
    says_more = "_flashes" in session
    response = render("checkout/result.html", page)
    if page.waits:
        response.headers["Refresh"] = str(READING_SECONDS if says_more else REFRESH_SECONDS)
    elif htmx:
        # Settled while the page was polling: its title changes too, so the whole page is loaded.
        response.headers["HX-Redirect"] = address("result", place, order.number)
    return response


def _result_on_account(place: Place, order: Order) -> Response:
    """What was ordered and is paid by bank transfer, or was since."""
    invoice = history.invoice_of(order)
    assert invoice is not None, "what is on account is invoiced"
    invoice.workspace = place.workspace
    left = on_account.open_part(invoice)
    lines = list(order.lines)
    is_given = order.given_at is not None
    statuses = _statuses(lines, place) if is_given else []
    managers = managers_of(place)
    page = result_on_account(
        order,
        invoice,
        to_pay=to_pay_of(invoice, left, place=place) if order.state == OrderState.INVOICED else None,
        may_download=Right.DOWNLOAD_DOCUMENTS in place.may or order.person_id == current_user.id,
        new_guests=_new_guests(order) if is_given else "",
    )
    if is_given and any(line.is_licensed for line in order.frozen_lines):
        page = replace(
            page,
            assigning=assigning_words(managers) if _gave_licences(statuses) else "",
            keys=tuple(_keys_of(place, statuses)),
            managers=managers,
        )
    return render("checkout/result.html", page)


def _new_guests(order: Order) -> str:
    """Who lost a seat when the order was paid, in a sentence; empty for nobody."""
    names = overflow.told_guests(order, current_user._get_current_object())
    if not names:
        return ""
    return ngettext(
        "There was no place left in the plan for %(num)d person, who is now a guest: %(names)s.",
        "There was no place left in the plan for %(num)d people, who are now guests: %(names)s.",
        len(names),
        names=", ".join(names),
    )


def _is_present(lines: Sequence[OrderLine], statuses: Sequence[SubscriptionStatus]) -> bool:
    """Whether the workspace lives on this paid order today: nothing was paid after it, and it is not over."""
    return all(
        line.end_on == status.due_on and status.today < line.end_on
        for line, status in zip(lines, statuses, strict=True)
    )


def _statuses(lines: Sequence[OrderLine], place: Place) -> list[SubscriptionStatus]:
    """How the subscriptions of a paid order's lines stand today; the workspace plan's as the page has it."""
    own = status_here(place)
    if all(line.subscription_id == own.subscription.id for line in lines):
        return [own for _line in lines]
    by_id = {each.id: each for each in agreement.all_of(place.workspace)}
    found = (by_id[line.subscription_id] for line in lines if line.subscription_id is not None)
    return [agreement.status_of(each, today=own.today) for each in found]


def _gave_licences(statuses: Sequence[SubscriptionStatus]) -> bool:
    """Whether licences were bought that members hold; those with keys are not assigned."""
    bought = (status.subscription for status in statuses)
    return any(agreement.is_licensed(each) and not each.product.licence_keys for each in bought)


def _keys_of(place: Place, statuses: Sequence[SubscriptionStatus]) -> Iterator[tuple[str, str]]:
    """Name and address of each key that came with the order; no address for who may not see it."""
    sees_keys = Right.MANAGE_MEMBERS in place.may
    for product in (status.subscription.product for status in statuses):
        if product.licence_keys:
            address = url_for("licence_key.show", slug=place.workspace.slug, product=product.code)
            yield translated(product.names), address if sees_keys else ""


def _next_charges(statuses: Sequence[SubscriptionStatus], place: Place) -> str:
    """The sentences of automatic renewal, or that nothing is charged by itself."""
    now, names_method = current().clock.now(), Right.USE_SAVED_METHODS in place.may
    renewing = [each for each in statuses if each.renews_by_itself]
    if not renewing:
        return _("Nothing is charged automatically: automatic renewal is off.")
    charges = (coming_charge(each, usage_here(place), now=now) for each in renewing)
    return " ".join(renewal_of(charge, names_method=names_method) for charge in charges)


@blueprint.post("/leave")
@workspace_right(Right.BUY)
def leave(place: Place, number: str) -> Response:
    """Give up a payment that waits for the payer, to pay another way."""
    order = order_or_404(place, number)
    payment = order.newest_payment
    if payment is not None and payment.state == PaymentState.ACTION_REQUIRED:
        now = current().clock.now()
        asking.in_time(lambda _request: charging.give_up(payment, now=now), otherwise=lambda: payment)
    order = order_or_404(place, number)
    if order.state != OrderState.OPEN:
        return redirect_after_write(address("result", place, order.number))
    return redirect_after_write(other_ways(place, order.number))


# --- shared ---------------------------------------------------------------------------------------


def _edit(place: Place, order: Order) -> tuple[str, str]:
    """Label and address of where what is ordered is changed: several lines in their cart."""
    slug, lines = place.workspace.slug, order.frozen_lines
    if len(lines) > 1:
        return _("Change the order"), url_for("cart.show", slug=slug)
    [line] = lines
    if not line.is_licensed:
        return _("Change the plan"), url_for("plans.show", slug=slug)
    chosen: dict[str, Any] = {
        "plan": line.plan_code,
        "licences": line.quantity,
        "interval": line.interval.value,
    }
    if line.kind is OrderKind.CHANGE:
        product = order.lines[0].plan.product.code
        return _("Change the order"), url_for("licence_change.show", slug=slug, product=product, **chosen)
    if line.prolongs_licences:
        return _("Back to the subscriptions"), url_for("subscriptions.show", slug=slug)
    address = url_for("add_subscription.show", slug=slug, step="licences", currency=order.currency, **chosen)
    return _("Change the order"), address


def _refuse_what_is_sold_elsewhere(place: Place, order: Order) -> None:
    """A corporate workspace pays here what it has already, and buys nothing more."""
    keeps = {OrderKind.RENEWAL, OrderKind.PROLONG}
    if not all(line.kind in keeps for line in order.frozen_lines):
        refuse_corporate(place)


def _quote_or_refusal(place: Place, order: Order) -> Quote | Response:
    """The quote of this moment, or the page that says why there is none."""
    try:
        return ordering.current_quote(order, now=current().clock.now())
    except PlanTooSmall as refusal:
        return refused(place, refusal, wanted=_value(order), currency=order.currency)
    except CANNOT_BE_ORDERED as refusal:
        return not_orderable(place, order, refusal)


def not_orderable(place: Place, order: Order | None, refusal: PortalError) -> Response:
    """The plans with the reason; of licences alone a page that leads back to what there is of them.

    `order` None: one for the workspace plan that could not be made.
    """
    if order is None or order.plan_line is not None:
        return plans_page(place, wanted="", currency="", status=422, problem=refusal_sentence(refusal))
    is_gone = isinstance(refusal, PlanNotOffered)
    return render(
        "subscriptions/nothing_to_do.html",
        heading=_("This order can no longer be placed"),
        why=_("This plan is not on sale today.") if is_gone else refusal_sentence(refusal),
        action=None,
        back=(_("Back to the subscriptions"), url_for("subscriptions.show", slug=place.workspace.slug)),
        status=422,
    )


def _takes_a_card_at_once(place: Place, order: Order) -> bool:
    """The automatic charge that waits: a card that is added pays it, for the price that was told."""
    if not order.is_renewal or Right.MANAGE_PAYMENT_METHODS not in place.may:
        return False
    lines = list(order.lines)
    return any(
        status.subscription.renewal_has_failed and line.renews_on == status.due_on
        for line, status in zip(lines, _statuses(lines, place), strict=True)
    )


def adding_a_card(place: Place) -> str:
    return url_for("payment_methods.show", slug=place.workspace.slug, _anchor="adding")


def _last_decline(order: Order) -> str:
    """Why what was typed last was declined; empty once another method is chosen."""
    payment = order.newest_payment
    if payment is None or payment.state != PaymentState.DECLINED or payment.method_kind != order.method_kind:
        return ""
    if payment.method_id is not None:
        return ""
    return decline_sentence(payment.decline_code, payment.method_kind)


def order_or_404(place: Place, number: str) -> Order:
    order = _visible_order(place, number)
    if order is None:
        abort(404)
    if order.plan_line is None:
        stand_under_subscriptions()
    return order


def _visible_order(place: Place, number: str) -> Order | None:
    order = ordering.find_order(place.workspace, number)
    return order if order is not None and may_open_order(place, order) else None


def _value(order: Order) -> str:
    """The cell of the table that the order is for, empty where it is for licences alone."""
    line = order.plan_line
    return str(PlanChoice(line.plan_code, line.interval)) if line else ""


def address(page: str, place: Place, number: str, *, external: bool = False) -> str:
    return url_for(f"checkout.{page}", slug=place.workspace.slug, number=number, _external=external)


def after_asking(place: Place, payment: Payment) -> Response:
    """To where the payer confirms, else to the result, which leads on there if the gateway takes its time."""
    if payment.state == PaymentState.ACTION_REQUIRED:
        return redirect_after_write(payment.action_url)
    if payment.state == PaymentState.CREATED:
        patience.follow(payment.key)
    return redirect_after_write(address("result", place, payment.order.number))


def other_ways(place: Place, number: str) -> str:
    """Where the method is chosen, among the billing details."""
    return url_for("checkout.details", slug=place.workspace.slug, number=number, _anchor="pay-with")


def _to(page: str, place: Place, order: Order) -> Response:
    return redirect(address(page, place, order.number), 303)  # type: ignore[return-value]
