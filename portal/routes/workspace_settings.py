"""Settings of the workspace itself."""

from flask import Blueprint, Response, flash, url_for

from .. import formatting
from ..domain.vocabulary import Right, WhoMayBuy
from ..forms.workspace_settings import WorkspaceSettingsForm
from ..htmx import redirect_after_write, render
from ..i18n import gettext as _
from ..navigation import LANGUAGE_NAMES
from ..runtime import current
from ..security import workspace_right
from ..services import plans
from ..services import workspace_settings as service
from ..services.workspace_settings import SettingsChanged, WorkspaceSettings
from ..services.workspaces import Place
from .place import status_here

blueprint = Blueprint("settings", __name__, url_prefix="/w/<slug>")


@blueprint.get("/settings")
@workspace_right(Right.MANAGE_WORKSPACE)
def show(place: Place) -> Response:
    return _page(place, _form(place))


@blueprint.post("/settings")
@workspace_right(Right.MANAGE_WORKSPACE)
def save(place: Place) -> Response:
    form = _form(place)
    if not form.validate_on_submit():
        return _page(place, form, status=422)
    try:
        changed = service.change(
            place.workspace, _wanted(form), shown_version=form.version.data, now=current().clock.now()
        )
    except SettingsChanged as refusal:
        return _page(place, form, status=409, now=refusal.current)
    flash(_("The settings are saved.") if changed else _("Nothing was changed."), "done")
    return redirect_after_write(url_for("settings.show", slug=place.workspace.slug))


def _form(place: Place) -> WorkspaceSettingsForm:
    workspace = place.workspace
    shown = service.settings_of(workspace)
    on_sale = plans.plans_on_sale(status_here(place).subscription.product, on=status_here(place).today)
    currencies = sorted({*plans.currencies_of(on_sale), workspace.currency})
    languages = dict.fromkeys((*current().settings.locales, workspace.language))
    return WorkspaceSettingsForm(
        obj=shown,
        languages=[(code, LANGUAGE_NAMES[code]) for code in languages],
        currencies=[(code, formatting.currency_label(code)) for code in currencies],
        time_zone=workspace.time_zone,
    )


def _wanted(form: WorkspaceSettingsForm) -> WorkspaceSettings:
    return WorkspaceSettings(
        name=form.name.data,
        time_zone=form.time_zone.data,
        language=form.language.data,
        currency=form.currency.data,
        who_may_buy=WhoMayBuy(form.who_may_buy.data),
        hides_plans_from_members=form.hides_plans_from_members.data,
    )


def _page(
    place: Place, form: WorkspaceSettingsForm, *, status: int = 200, now: WorkspaceSettings | None = None
) -> Response:
    """`now`: what somebody else made of the settings meanwhile; saving again replaces it knowingly."""
    if now is not None:
        form.version.data = now.version
    return render(
        "settings/page.html",
        status=status,
        form=form,
        customer_number=place.workspace.customer_number,
        conflicts=_conflicts(form, now) if now else [],
    )


def _conflicts(form: WorkspaceSettingsForm, now: WorkspaceSettings) -> list[tuple[str, str, str]]:
    """(label, what stands now, what this person wrote) of each field where the two differ."""
    rows = []
    for name in ("name", "time_zone", "language", "currency", "who_may_buy"):
        field, theirs = form[name], str(getattr(now, name))
        if field.data != theirs:
            words = {choice.value: choice.label for choice in getattr(field, "choices", ())}
            rows.append((field.label.text, words.get(theirs, theirs), words.get(field.data, field.data)))
    hidden = form.hides_plans_from_members
    if hidden.data != now.hides_plans_from_members:
        rows.append((hidden.label.text, _yes_or_no(now.hides_plans_from_members), _yes_or_no(hidden.data)))
    return rows


def _yes_or_no(value: bool) -> str:
    return _("yes") if value else _("no")
