"""The plans page (« Paiements »): use, the table, the one button, the history below."""

from flask import Blueprint, Response, request, url_for
from flask_login import current_user

from portal.domain.buying import AlreadySubscribed, LicencesBelowAssigned, LicencesOutOfRange
from portal.domain.choices import Choice
from portal.domain.errors import (
    CannotBeInvoiced,
    CurrencyMismatch,
    ExtensionTooLong,
    InvoiceIsOpen,
    NothingDue,
    PortalError,
    SmallerPlanWaits,
    TooEarlyToProlong,
)
from portal.domain.plans import PlanChoice, PlanNotOffered, PlanTooSmall
from portal.domain.pricing import ChangeWaits
from portal.domain.proration import NothingChanges
from portal.domain.vocabulary import Right
from portal.routes.invoices.rows import payment_rows
from portal.runtime import current
from portal.services import plans
from portal.services.checkout import ordering
from portal.services.members.roster import people_with
from portal.services.payments.coming_charge import coming_charge
from portal.services.payments.on_account import TransfersNotOffered
from portal.services.people import signing_in
from portal.services.places import Place
from portal.services.subscriptions import plan_table
from portal.services.subscriptions.present_licences import NotChangeable
from portal.web.access import sold_here, workspace_right
from portal.web.htmx import redirect_after_write, render, wanted_block
from portal.web.place import on_sale_here, status_here, usage_here
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.money import not_invoiced_words
from portal.words.plans import order_later

from .refusals import refusals_of
from .view import plans_view

blueprint = Blueprint("plans", __name__, url_prefix="/w/<slug>")
TEMPLATE = "plans/page.html"
ROWS_OF_HISTORY = 10
NAMES_SHOWN = 5
CANNOT_BE_ORDERED = (
    PlanNotOffered,
    CurrencyMismatch,
    SmallerPlanWaits,
    TooEarlyToProlong,
    ExtensionTooLong,
    CannotBeInvoiced,
    LicencesOutOfRange,
    LicencesBelowAssigned,
    AlreadySubscribed,
    NotChangeable,
    NothingChanges,
    ChangeWaits,
    NothingDue,
    InvoiceIsOpen,
    TransfersNotOffered,
)
"""Without PlanTooSmall, which has figures to show."""
REFUSALS = (PlanTooSmall, *CANNOT_BE_ORDERED)
"""Whatever `ordering` raises of something that was chosen."""


@blueprint.get("/plans")
@workspace_right(Right.SEE_PLANS)
def show(place: Place) -> Response:
    return plans_page(place, wanted=request.args.get("price", ""), currency=request.args.get("currency", ""))


@blueprint.post("/plans")
@workspace_right(Right.BUY)
@sold_here
def choose(place: Place) -> Response:
    """Make the order of the chosen price; without a script, the "Buy" page comes first.

    A smaller plan that waits for the due date is no order: its own page says what will be.
    """
    wanted, currency = request.form.get("price", ""), request.form.get("currency", "")
    if request.form.get("show"):
        return _show_chosen(place, wanted=wanted, currency=currency)
    subscription = status_here(place).subscription
    if subscription.has_open_money:
        problem = order_later(refund=subscription.waits_for_refund)
        return plans_page(place, wanted=wanted, currency=currency, status=409, problem=problem)
    now = current().clock.now()
    try:
        choices = [_choice(place, wanted, currency)]
        if not request.form.get("confirmed") and asks_first(place):
            ordering.quote_of_order(place, choices=choices, currency=currency, now=now)
            return render("plans/buy.html", price=wanted, currency=currency)
        if request.form.get("skip_dialog"):
            signing_in.skip_buy_dialog(current_user)
        order = ordering.open_order(place, choices=choices, currency=currency, now=now)
    except SmallerPlanWaits:
        return redirect_after_write(url_for("scheduled_change.show", slug=place.workspace.slug, price=wanted))
    except PlanTooSmall as refusal:
        return refused(place, refusal, wanted=wanted, currency=currency)
    except CANNOT_BE_ORDERED as refusal:
        return plans_page(
            place, wanted=wanted, currency=currency, status=422, problem=refusal_sentence(refusal)
        )
    return redirect_after_write(url_for("checkout.details", slug=place.workspace.slug, number=order.number))


def _choice(place: Place, wanted: str, currency: str) -> Choice:
    """What was chosen of this table; licences of other products have pages of their own."""
    chosen = PlanChoice.read(wanted)
    if all(sold.plan.code != chosen.plan_code for sold in on_sale_here(place)):
        raise PlanNotOffered(wanted=(*chosen, currency))
    return Choice(*chosen)


def _show_chosen(place: Place, *, wanted: str, currency: str) -> Response:
    """The page with another choice, for a browser without scripts; a word that is none is refused."""
    on_sale = on_sale_here(place)
    try:
        code = PlanChoice.read(wanted).plan_code if wanted else None
    except PlanNotOffered:
        code = ""
    known_plan = code is None or any(sold.plan.code == code for sold in on_sale)
    if known_plan and (not currency or currency in plans.currencies_of(on_sale)):
        return plans_page(place, wanted=wanted, currency=currency)
    refusal = PlanNotOffered(wanted=(wanted, None, currency))
    return plans_page(place, wanted="", currency="", status=422, problem=refusal_sentence(refusal))


def refusal_sentence(refusal: PortalError) -> str:
    """Why the plan cannot be ordered now, and what can be done."""
    if isinstance(refusal, CurrencyMismatch):
        return _(
            "Your current plan is paid for in another currency. You can change the currency when it ends."
        )
    if isinstance(refusal, SmallerPlanWaits):
        until = formatting.day(refusal.due_on)
        return _("A smaller plan cannot begin before the paid period ends, on %(date)s.", date=until)
    if isinstance(refusal, TooEarlyToProlong):
        return _("It is too early to prolong, or automatic renewal will do it. Nothing was changed.")
    if isinstance(refusal, ExtensionTooLong):
        return _(
            "What is left of your current plan would extend this one beyond the last date that we can "
            "record. Please contact us."
        )
    if isinstance(refusal, CannotBeInvoiced):
        return not_invoiced_words(refusal)
    if isinstance(refusal, NotChangeable):
        return _("These licences can no longer be changed. Nothing was charged.")
    if isinstance(refusal, NothingChanges):
        return _("This is what you have already. Nothing was charged.")
    if isinstance(refusal, ChangeWaits):
        until = formatting.day(refusal.due_on)
        return _("Fewer licences, or a lower plan, begin when the paid period ends, on %(date)s.", date=until)
    if isinstance(refusal, LicencesOutOfRange):
        return _("That number of licences is not sold.")
    if isinstance(refusal, LicencesBelowAssigned):
        return _(
            "Licences assigned to members: %(assigned)s. To buy only %(wanted)s, take some back first.",
            wanted=refusal.wanted,
            assigned=refusal.assigned,
        )
    if isinstance(refusal, NothingDue):
        return _("Nothing more was charged: nothing is due now.")
    if isinstance(refusal, InvoiceIsOpen):
        return _("Pay the open invoice first: you can find it in the payment history. Nothing was ordered.")
    if isinstance(refusal, TransfersNotOffered):
        return _("This cannot be paid by bank transfer any more. Choose another way to pay.")
    if isinstance(refusal, AlreadySubscribed):
        return _("This workspace already has that product. Nothing was ordered.")
    return _("This plan is not on sale in this form today. Choose one from the table.")


def asks_first(place: Place) -> bool:
    """Whether the "Buy" dialog stands before the checkout: until it was waved off or renewal is on."""
    status = status_here(place)
    return not current_user.skips_buy_dialog and not status.subscription.auto_renewal


def refused(place: Place, refusal: PlanTooSmall, *, wanted: str, currency: str) -> Response:
    """The plan is too small: the page again with both figures of each limit."""
    return plans_page(place, wanted=wanted, currency=currency, status=422, refusal=refusal)


def plans_page(
    place: Place,
    *,
    wanted: str,
    currency: str,
    status: int = 200,
    problem: str = "",
    refusal: PlanTooSmall | None = None,
) -> Response:
    decided = plan_table.decide(
        place,
        status_here(place),
        usage_here(place),
        wanted=wanted,
        currency=currency,
        skips_dialog=current_user.skips_buy_dialog,
        now=current().clock.now(),
    )
    # No part of the page holds the history or the next charge: they are not read for one.
    is_whole = wanted_block(TEMPLATE) is None
    shows_history = Right.SEE_HISTORY in place.may and is_whole
    view = plans_view(
        place,
        decided,
        charge=coming_charge(decided.status, decided.usage, now=current().clock.now()) if is_whole else None,
        buyers=_buyers(place) if is_whole else (),
        history=payment_rows(place, size=ROWS_OF_HISTORY) if shows_history else None,
        problem=problem,
        refusals=refusals_of(refusal.exceeded_limits) if refusal else None,
    )
    return render(TEMPLATE, view, status=status)


def _buyers(place: Place) -> list[str]:
    """Who may buy here, for somebody who may not."""
    if Right.BUY in place.may or place.workspace.is_corporate:
        return []
    return [person.name for person in people_with(place.workspace, Right.BUY)][:NAMES_SHOWN]
