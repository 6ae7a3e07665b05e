"""The services of a workspace: what is switched on, and what the plan allows to switch on."""

from flask import Blueprint, Response, flash, url_for

from portal.domain.vocabulary import Right, Service
from portal.forms.workspace import ServicesForm
from portal.runtime import current
from portal.services import plans
from portal.services.places import Place
from portal.services.workspace import features
from portal.services.workspace.features import ServicesNotIncluded
from portal.web.access import workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.place import status_here
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.plans import SERVICE_WORDS

blueprint = Blueprint("features", __name__, url_prefix="/w/<slug>")


@blueprint.route("/services", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_MEMBERS)  # One row of the table of rights (product.md §2).
def show(place: Place) -> Response:
    switched_on = features.services_of(place.workspace)
    form = ServicesForm(switched_on=switched_on)
    if not form.validate_on_submit():
        return _page(place, form, switched_on)
    try:
        changed = features.switch(
            place.workspace, shown=form.was_on, wanted=form.wanted, now=current().clock.now()
        )
    except ServicesNotIncluded as refusal:
        for service in refusal.services:
            form.add_error(service.value, _not_included(place, service))
        return _page(place, form, switched_on)
    flash(_("The services are saved.") if changed else _("Nothing was changed."), "done")
    return redirect_after_write(url_for("features.show", slug=place.workspace.slug))


def _page(place: Place, form: ServicesForm, switched_on: frozenset[Service]) -> Response:
    """`lacking`: what the plan does not include, by code: why it is locked, or can only be switched off."""
    missing = frozenset(Service) - plans.limits_of(status_here(place).plan).services
    return render(
        "workspace/features.html",
        status=422 if form.is_submitted() else 200,
        form=form,
        codes=[service.value for service in Service],
        lacking={service.value: _why(place, is_on=service in switched_on) for service in missing},
        locked=[service.value for service in missing - switched_on],
    )


def _why(place: Place, *, is_on: bool) -> str:
    plan = translated(status_here(place).plan.names)
    if is_on:
        return _(
            "Not included in the %(plan)s plan. Once it is off, you cannot switch it on again.",
            plan=plan,
        )
    return _("Not included in the %(plan)s plan.", plan=plan)


def _not_included(place: Place, service: Service) -> str:
    """For the summary, where no label stands beside it."""
    return _(
        "%(service)s: not included in the %(plan)s plan.",
        service=SERVICE_WORDS[service],
        plan=translated(status_here(place).plan.names),
    )
