"""A smaller plan for the due date: what it will bring, confirmed, withdrawn."""

from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, flash, request, url_for

from portal.domain.choices import Choice
from portal.domain.errors import OrderAlreadyPlaced, PortalError, QuoteChanged
from portal.domain.plans import PlanChoice, PlanTooSmall
from portal.domain.vocabulary import Right
from portal.routes.plans.page import REFUSALS, plans_page, refusal_sentence, refused
from portal.runtime import current
from portal.services import open_money
from portal.services.places import Place
from portal.services.subscriptions import charged_methods, scheduled_change
from portal.services.subscriptions.next_charge import NoBillingDetails
from portal.services.subscriptions.scheduled_change import NothingWaits, ScheduledChange
from portal.web.access import refuse_without, sold_here, workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.place import status_here
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import method_words
from portal.words.plans import change_later, priced_name
from portal.words.renewal import amount_charged

blueprint = Blueprint("scheduled_change", __name__, url_prefix="/w/<slug>/plans/scheduled")


@blueprint.get("")
@workspace_right(Right.BUY)
def show(place: Place) -> Response:
    refuse_spending_by_others(place)
    if "price" not in request.args:
        return _to_plans(place)
    return _preview_page(place, request.args["price"])


@blueprint.post("")
@workspace_right(Right.BUY)
@sold_here
def confirm(place: Place) -> Response:
    refuse_spending_by_others(place)
    wanted = request.form.get("price", "")
    try:
        code, interval = PlanChoice.read(wanted)
        change = scheduled_change.schedule(
            place,
            Choice(code, interval),
            shown_hash=request.form.get("shown", ""),
            now=current().clock.now(),
        )
    except QuoteChanged:
        return _preview_page(place, wanted, changed=True)
    except OrderAlreadyPlaced:
        return beside_open_money(place)
    except (NothingWaits, NoBillingDetails, *REFUSALS) as refusal:
        return _refused(place, refusal, wanted)
    flash(_begins(change), "done")
    return _to_plans(place)


@blueprint.post("/withdraw")
@workspace_right(Right.BUY)
def withdraw(place: Place) -> Response:
    """Without asking: the plans page then has the plan selected, and its button brings it back."""
    refuse_spending_by_others(place)
    waiting = scheduled_change.waiting_plan(status_here(place))
    try:
        withdrawn = scheduled_change.withdraw(place, now=current().clock.now())
    except OrderAlreadyPlaced:
        return beside_open_money(place)
    if withdrawn is None or waiting is None:
        flash(_("There is no longer a change to withdraw."), "done")
        return _to_plans(place)
    name = translated(withdrawn.names)
    flash(
        _(
            "Change withdrawn: your plan stays as it is. To undo this, choose the %(plan)s plan again.",
            plan=name,
        ),
        "done",
    )
    if waiting.interval is None:
        # A free plan that waits has switched it off.
        flash(
            _("Automatic renewal is off. Switch it on again if you want the plan to renew automatically."),
            "done",
        )
        return _to_plans(place)
    return _to_plans(place, price=str(PlanChoice(withdrawn.code, waiting.interval)))


def refuse_spending_by_others(place: Place) -> None:
    """While automatic renewal is on, another plan is another charge on the saved method.

    Whoever buys no further than the ceiling does not decide which plan comes after either.
    """
    renews = status_here(place).subscription.auto_renewal
    refuse_without(Right.AUTO_RENEWAL if renews else Right.APPROVE, place)


@dataclass(frozen=True, slots=True)
class ChangePage:
    """What will be. `replaced`: what was to begin on that day; `price` and `shown` are sent by the form.

    `later`: why it cannot be confirmed now, empty where it can.
    """

    name: str
    begins_on: date
    facts: list[tuple[str, str]]
    current_name: str
    replaced: str
    price: str
    shown: str
    changed: bool
    later: str


def _preview_page(place: Place, wanted: str, *, changed: bool = False) -> Response:
    try:
        code, interval = PlanChoice.read(wanted)
        change = scheduled_change.preview(place.workspace, Choice(code, interval), now=current().clock.now())
    except (NothingWaits, NoBillingDetails, *REFUSALS) as refusal:
        return _refused(place, refusal, wanted)
    status = status_here(place)
    replaced = scheduled_change.waiting_plan(status)
    return render(
        "subscriptions/scheduled_change.html",
        ChangePage(
            name=translated(change.plan.names),
            begins_on=change.begins_on,
            facts=_facts(place, change),
            current_name=translated(status.plan.names),
            replaced=translated(replaced.plan.names) if replaced else "",
            price=wanted,
            shown=change.hash,
            changed=changed,
            later=later_of(place),
        ),
        status=409 if changed else 200,
    )


def _facts(place: Place, change: ScheduledChange) -> list[tuple[str, str]]:
    rows = [
        (_("Plan"), priced_name(change.plan.names, change.offer.interval)),
        (_("Begins on"), formatting.day(change.begins_on)),
    ]
    if change.charge is None or change.charged_on is None:
        price = formatting.money(change.offer.amount)
        return [
            *rows,
            (_("Next payment"), _("To be made by you: automatic renewal is off.")),
            (_("Price today"), _("%(amount)s excl. VAT", amount=price)),
        ]
    total = amount_charged(change.charge.total, has_vat=change.charge.tax_amount.minor > 0)
    day = formatting.day(change.charged_on)
    rows.append((_("Next payment"), _("%(total)s on %(date)s", total=total, date=day)))
    status = status_here(place)
    method = charged_methods.next_asked(status.subscription, today=status.today)
    if method is not None:
        rows.append((_("Paid with"), method_words(method.kind, method.brand, method.last4)))
    return rows


def _begins(change: ScheduledChange) -> str:
    name, day = translated(change.plan.names), formatting.day(change.begins_on)
    return _("The %(plan)s plan begins on %(date)s.", plan=name, date=day)


def _refused(place: Place, refusal: PortalError, wanted: str) -> Response:
    """The plans page with the reason, where the plan can be chosen anew."""
    if isinstance(refusal, PlanTooSmall):
        return refused(place, refusal, wanted=wanted, currency="")
    if isinstance(refusal, NothingWaits):
        # It is bought, not scheduled: the table knows.
        return _to_plans(place, price=wanted)
    return plans_page(place, wanted=wanted, currency="", status=422, problem=refusal_sentence(refusal))


def _to_plans(place: Place, price: str | None = None) -> Response:
    return redirect_after_write(url_for("plans.show", slug=place.workspace.slug, price=price))


def beside_open_money(place: Place) -> Response:
    """The plans page says what waits, in its banner to whoever may see it."""
    product = status_here(place).subscription.product
    problem = change_later(refund=open_money.open_payment(place.workspace, [product]) is None)
    return plans_page(place, wanted="", currency="", status=409, problem=problem)


def later_of(place: Place) -> str:
    """Why nothing can be changed now; empty where it can."""
    subscription = status_here(place).subscription
    return change_later(refund=subscription.waits_for_refund) if subscription.has_open_money else ""
