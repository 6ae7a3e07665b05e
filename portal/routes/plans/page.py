"""The plans page (« Paiements »): use, the table, the one button, the history below."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, request, url_for
from flask_login import current_user

from portal.domain.errors import (
    CurrencyMismatch,
    ExtensionTooLong,
    MissingVatRate,
    PortalError,
    SmallerPlanWaits,
    TooEarlyToProlong,
)
from portal.domain.plans import (
    PlanChoice,
    PlanNotOffered,
    PlanTooSmall,
    Usage,
    exceeded_limits,
    has_days_left,
)
from portal.domain.vocabulary import Interval, Right, SubscriptionState
from portal.routes.invoices.rows import payment_rows
from portal.runtime import current
from portal.services import checkout, plans
from portal.services.people import signing_in
from portal.services.places import Place
from portal.services.plans import PlanOffers
from portal.services.subscriptions import scheduled_change
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.services.subscriptions.scheduled_change import Waiting
from portal.web.access import workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.place import status_here
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.plans import priced_name

from .limits import Refusal, refusals_of
from .table import lock_charged, plan_table

blueprint = Blueprint("plans", __name__, url_prefix="/w/<slug>")
ROWS_OF_HISTORY = 10
CANNOT_BE_ORDERED = (
    PlanNotOffered,
    CurrencyMismatch,
    SmallerPlanWaits,
    TooEarlyToProlong,
    ExtensionTooLong,
    MissingVatRate,
)


@blueprint.get("/plans")
@workspace_right(Right.SEE_PLANS)
def show(place: Place) -> Response:
    return plans_page(place, wanted=request.args.get("price", ""), currency=request.args.get("currency", ""))


@blueprint.post("/plans")
@workspace_right(Right.BUY)
def choose(place: Place) -> Response:
    """Make the order of the chosen price; without a script, the "Buy" page comes first.

    A smaller plan that waits for the due date is no order: its own page says what will be.
    """
    wanted, currency = request.form.get("price", ""), request.form.get("currency", "")
    if request.form.get("show"):
        return plans_page(place, wanted=wanted, currency=currency)
    now = current().clock.now()
    try:
        code, interval = PlanChoice.read(wanted)
        if not request.form.get("confirmed") and asks_first(place):
            checkout.refuse_what_cannot_be_ordered(
                place, plan_code=code, interval=interval, currency=currency, now=now
            )
            return render("plans/buy.html", price=wanted, currency=currency)
        if request.form.get("skip_dialog"):
            signing_in.skip_buy_dialog(current_user)
        order = checkout.open_order(place, plan_code=code, interval=interval, currency=currency, now=now)
    except SmallerPlanWaits:
        return redirect_after_write(url_for("scheduled_change.show", slug=place.workspace.slug, price=wanted))
    except PlanTooSmall as refusal:
        return refused(place, refusal, wanted=wanted, currency=currency)
    except CANNOT_BE_ORDERED as refusal:
        return plans_page(
            place, wanted=wanted, currency=currency, status=422, problem=refusal_sentence(refusal)
        )
    return redirect_after_write(url_for("checkout.details", slug=place.workspace.slug, number=order.number))


def refusal_sentence(refusal: PortalError) -> str:
    """Why the plan cannot be ordered now, and what can be done."""
    if isinstance(refusal, CurrencyMismatch):
        return _("Your current plan is paid in another currency. The currency can change when it is over.")
    if isinstance(refusal, SmallerPlanWaits):
        until = formatting.day(refusal.due_on)
        return _(
            "A smaller plan can begin when the paid period is over, on %(date)s, and not before.", date=until
        )
    if isinstance(refusal, TooEarlyToProlong):
        return _("It is too early to prolong, or automatic renewal will do it. Nothing was changed.")
    if isinstance(refusal, ExtensionTooLong):
        return _(
            "What is left of your current plan would pay for this one beyond any date that we can write. "
            "Please contact us."
        )
    if isinstance(refusal, MissingVatRate):
        return _("We do not know the VAT rate of this country yet. Please contact us.")
    return _("This plan is not sold like that today. Choose one of the table.")


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
    standing = status_here(place)
    usage = plans.usage_of(place.workspace)
    waiting = scheduled_change.waiting_plan(standing)
    on_sale = plans.plans_on_sale(standing.subscription.product, on=standing.today)
    currencies = plans.currencies_of(on_sale)
    shown_currency = currency if currency in currencies else _own_currency(place, standing, currencies)
    table = plan_table(
        on_sale=on_sale,
        status=standing,
        usage=usage,
        currency=shown_currency,
        wanted=wanted or _preselected(standing, waiting),
        skips_dialog=current_user.skips_buy_dialog,
    )
    return render(
        "plans/page.html",
        status=status,
        table=table,
        currencies=[(code, formatting.currency_label(code)) for code in currencies],
        usage=usage,
        plan=standing.plan,
        is_trial=standing.state == SubscriptionState.TRIAL,
        sentences=current_plan_sentences(standing),
        is_late=standing.state in (SubscriptionState.LATE, SubscriptionState.BLOCKED),
        may_leave=standing.state == SubscriptionState.BLOCKED and Right.DELETE_WORKSPACE in place.may,
        lock_sentence=_lock_sentence(standing),
        scheduled=_scheduled(standing, waiting, usage) if waiting else None,
        free_code=_free_code(place, standing, on_sale),
        may_renew=_may_renew(place, standing, waiting),
        may_withdraw=_may_change_what_waits(place, standing),
        renews=standing.subscription.auto_renewal,
        problem=problem,
        refusal_open=refusal is not None,
        refusals=refusals_of(refusal.exceeded_limits) if refusal else table.refusals,
        may_buy=Right.BUY in place.may,
        sees_payers=Right.SEE_BILLING_DETAILS in place.may,
        may_download=Right.DOWNLOAD_DOCUMENTS in place.may,
        sees_history=Right.SEE_HISTORY in place.may,
        # Read where it is shown: a new choice in the table alone does not show it.
        read_history=lambda: payment_rows(place, size=ROWS_OF_HISTORY),
    )


@dataclass(frozen=True, slots=True)
class Scheduled:
    """The plan that begins on the due date, and what stands in its way, as sentences."""

    title: str
    text: str
    obstacles: tuple[Refusal, ...]


def _scheduled(status: SubscriptionStatus, waiting: Waiting, usage: Usage) -> Scheduled:
    obstacles = refusals_of(exceeded_limits(plans.limits_of(waiting.plan), usage))
    day = formatting.day(status.due_on) if status.due_on else ""
    title = _("From %(date)s: %(plan)s", date=day, plan=priced_name(waiting.plan.names, waiting.interval))
    if waiting.interval is None:
        return Scheduled(title, _("There is nothing to pay then. Nothing changes before."), obstacles)
    if status.subscription.auto_renewal:
        return Scheduled(title, _("It is paid by automatic renewal. Nothing changes before."), obstacles)
    text = _("Automatic renewal is off, so you pay then by hand. Nothing changes before.")
    return Scheduled(title, text, obstacles)


def _preselected(status: SubscriptionStatus, waiting: Waiting | None) -> str:
    """From the due date on, the plan that was to begin and is not paid yet."""
    if waiting is None or waiting.interval is None:
        return ""
    if has_days_left(status.state, status.due_on, today=status.today):
        return ""
    return str(PlanChoice(waiting.plan.code, waiting.interval))


def _lock_sentence(status: SubscriptionStatus) -> str:
    """Which price automatic renewal charges, and until when; empty where nothing is guaranteed."""
    lock = lock_charged(status)
    if lock is None:
        return ""
    words = {"price": formatting.money(lock.amount), "date": formatting.day(lock.until)}
    if status.interval == Interval.YEAR:
        return _("Your price, %(price)s a year excl. VAT, is guaranteed until %(date)s.", **words)
    return _("Your price, %(price)s a month excl. VAT, is guaranteed until %(date)s.", **words)


def _renewal_sentence(status: SubscriptionStatus) -> str:
    """With the next payment, where one is to come: of one that has failed the banner tells."""
    on = status.subscription.renew_on
    if on is None or on < status.today or not status.renews_by_itself:
        return _("Automatic renewal is on.")
    return _("Automatic renewal is on: the next payment is made on %(date)s.", date=formatting.day(on))


def _free_code(place: Place, status: SubscriptionStatus, on_sale: Sequence[PlanOffers]) -> str | None:
    """The free plan that this person may continue with, if it is not theirs already."""
    plan = plans.free_plan_of(on_sale)
    if plan is None or status.state == SubscriptionState.FREE or not _may_change_what_waits(place, status):
        return None
    return plan.code


def _may_change_what_waits(place: Place, status: SubscriptionStatus) -> bool:
    """While automatic renewal is on, what begins on the due date decides about the next charge."""
    needed = Right.AUTO_RENEWAL if status.subscription.auto_renewal else Right.BUY
    return needed in place.may


def _may_renew(place: Place, status: SubscriptionStatus, waiting: Waiting | None) -> bool:
    """Whether there is something to renew for this person to switch; a free plan that waits is not."""
    if Right.AUTO_RENEWAL not in place.may or status.interval is None:
        return False
    if waiting is not None and waiting.plan.free:
        return False
    return status.state in (SubscriptionState.PAID, SubscriptionState.LATE)


def _own_currency(place: Place, status: SubscriptionStatus, currencies: list[str]) -> str:
    """The currency that is being paid, else the workspace's, else the first on sale."""
    price = status.subscription.price
    paid = price.currency if price is not None else place.workspace.currency
    return paid if paid in currencies else (currencies[0] if currencies else paid)


def current_plan_sentences(status: SubscriptionStatus) -> list[str]:
    """What is used now and until when, by state (source-systems.md §1.2)."""
    name = translated(status.plan.names)
    until = formatting.day(status.due_on) if status.due_on else ""
    choose = _("Choose the plan that suits you best. The recommended one is marked below.")
    if status.plan.nonprofit:
        return [_("You are using the plan for non-profit organisations.")]
    match status.state:
        case SubscriptionState.TRIAL:
            return [_("You are using the free trial plan. It ends on %(date)s.", date=until), choose]
        case SubscriptionState.FREE:
            return [_("You are using the free plan."), choose]
        case SubscriptionState.PAID if status.subscription.auto_renewal:
            return [
                _("You are using the plan %(plan)s.", plan=name),
                _renewal_sentence(status),
            ]
        case SubscriptionState.PAID:
            return [
                _("You are using the plan %(plan)s. It ends on %(date)s.", plan=name, date=until),
                _("You can prolong it or change it with the table below."),
            ]
    if status.plan.trial:
        return [_("Thank you for trying us! The free trial is over."), choose]
    return [
        _("You are using the plan %(plan)s.", plan=name),
        _("The payment is late."),
        _("To go on, prolong the current plan or choose another one in the table below."),
    ]
