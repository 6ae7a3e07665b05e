"""The way to the free plan: the whole checklist, each line with both figures, and the one button."""

from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, flash, request, url_for

from portal.domain.errors import OrderAlreadyPlaced, QuoteChanged
from portal.domain.plans import PlanNotOffered, PlanTooSmall
from portal.domain.vocabulary import Right, SubscriptionState
from portal.routes.plans.page import plans_page, refusal_sentence
from portal.routes.plans.refusals import ChecklistLine, checklist_of
from portal.runtime import current
from portal.services.places import Place
from portal.services.subscriptions import free_plan, scheduled_change
from portal.services.subscriptions.free_plan import FreePlan
from portal.web.access import sold_here, workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.place import status_here
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated

from .scheduled_change import beside_open_money, later_of, refuse_spending_by_others

blueprint = Blueprint("free_plan", __name__, url_prefix="/w/<slug>/plans/free")


@blueprint.get("")
@workspace_right(Right.BUY)
def show(place: Place) -> Response:
    refuse_spending_by_others(place)
    return _page(place)


@blueprint.post("")
@workspace_right(Right.BUY)
@sold_here
def take(place: Place) -> Response:
    refuse_spending_by_others(place)
    try:
        taken = free_plan.take(
            place, shown_begins_on=request.form.get("begins_on", ""), now=current().clock.now()
        )
    except PlanTooSmall:
        return _page(
            place, problem=_("Nothing was changed: not all the conditions in the list are met."), status=422
        )
    except QuoteChanged:
        return _page(
            place, problem=_("Nothing was changed: the plan no longer begins on the day you saw."), status=409
        )
    except OrderAlreadyPlaced:
        return beside_open_money(place)
    except PlanNotOffered as refusal:
        return _not_offered(place, refusal)
    flash(_done(taken), "done")
    return redirect_after_write(url_for("plans.show", slug=place.workspace.slug))


@dataclass(frozen=True, slots=True)
class FreePlanPage:
    """`begins_on` None: at once. `is_open`: the whole checklist is met; `is_waiting`: it is scheduled.

    `replaced`: another plan that was to begin on that day, empty for none. `later`: why it cannot be taken
    now in spite of that, empty where it can.
    """

    problem: str
    name: str
    checklist: tuple[ChecklistLine, ...]
    is_open: bool
    begins_on: date | None
    is_waiting: bool
    current_name: str
    replaced: str
    renews: bool
    on_trial: bool
    later: str


def _page(place: Place, *, problem: str = "", status: int = 200) -> Response:
    standing = status_here(place)
    try:
        found = free_plan.free_plan_for(place.workspace, standing)
    except PlanNotOffered as refusal:
        return _not_offered(place, refusal)
    waiting = scheduled_change.waiting_plan(standing)
    is_waiting = standing.subscription.scheduled_plan_id == found.plan.id
    return render(
        "subscriptions/free_plan.html",
        FreePlanPage(
            problem=problem,
            name=translated(found.plan.names),
            checklist=checklist_of(found.checklist, place),
            is_open=found.is_open,
            begins_on=found.begins_on,
            is_waiting=is_waiting,
            current_name=translated(standing.plan.names),
            replaced=translated(waiting.plan.names) if waiting and found.begins_on and not is_waiting else "",
            renews=standing.subscription.auto_renewal,
            on_trial=standing.state == SubscriptionState.TRIAL,
            later=later_of(place),
        ),
        status=status,
    )


def _not_offered(place: Place, refusal: PlanNotOffered) -> Response:
    """To the plans where nothing is paid already; else why the plan cannot be had."""
    standing = status_here(place)
    if standing.state != SubscriptionState.FREE:
        return plans_page(place, wanted="", currency="", status=422, problem=refusal_sentence(refusal))
    if standing.plan.nonprofit:
        flash(_("Your plan for non-profit organisations is free already."), "done")
    else:
        flash(_("You already use the free plan."), "done")
    return redirect_after_write(url_for("plans.show", slug=place.workspace.slug))


def _done(taken: FreePlan) -> str:
    name = translated(taken.plan.names)
    if taken.begins_on is None:
        return _("The %(plan)s plan has begun. There is nothing to pay.", plan=name)
    day = formatting.day(taken.begins_on)
    return _("The %(plan)s plan begins on %(date)s.", plan=name, date=day)
