"""Settings of the workspace itself, and its end."""

from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, abort, flash, g, session, url_for
from flask_login import current_user

from portal.domain.money import Money
from portal.domain.vocabulary import Right, SessionBinding, SubscriptionState
from portal.forms.workspace import DeleteWorkspaceForm, WorkspaceSettingsForm
from portal.runtime import current
from portal.services import ledger, plans
from portal.services.members.roster import OwnersOnly
from portal.services.open_money import MoneyOnItsWay
from portal.services.places import Place
from portal.services.subscriptions import agreement
from portal.services.workspace import deletion, export
from portal.services.workspace import settings as service
from portal.services.workspace.settings import SettingsChanged, WorkspaceSettings
from portal.web import limits, sessions
from portal.web.access import limited, workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.lists import part_or_404
from portal.web.navigation import LANGUAGE_NAMES
from portal.web.place import on_sale_here, status_here
from portal.words import formatting
from portal.words.formatting import amount_as_typed
from portal.words.i18n import gettext as _
from portal.words.i18n import locale_code, translated

blueprint = Blueprint("workspace", __name__, url_prefix="/w/<slug>")
PREPARED_IN_SECONDS = 5


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
            place.workspace, _wanted(form, place), shown_version=form.version.data, now=current().clock.now()
        )
    except SettingsChanged as refusal:
        return _page(place, form, status=409, now=refusal.current)
    flash(_("The settings are saved.") if changed else _("Nothing was changed."), "done")
    return redirect_after_write(url_for("workspace.show", slug=place.workspace.slug))


def _form(place: Place) -> WorkspaceSettingsForm:
    workspace = place.workspace
    shown = service.settings_of(workspace)
    currencies = sorted({*plans.currencies_of(on_sale_here(place)), workspace.currency})
    languages = dict.fromkeys((*current().settings.locales, workspace.language))
    return WorkspaceSettingsForm(
        obj=shown,
        ceiling=_ceiling_as_typed(shown),
        languages=[(code, LANGUAGE_NAMES[code]) for code in languages],
        currencies=[(code, formatting.currency_label(code)) for code in currencies],
        time_zone=workspace.time_zone,
        installed_binding=SessionBinding(current().settings.session_binding),
    )


def _wanted(form: WorkspaceSettingsForm, place: Place) -> WorkspaceSettings:
    binding = place.workspace.session_binding
    if form.session_binding:
        binding = SessionBinding(form.session_binding.data) if form.session_binding.data else None
    return WorkspaceSettings(
        name=form.name.data,
        time_zone=form.time_zone.data,
        language=form.language.data,
        currency=form.currency.data,
        session_binding=binding,
        ceiling_minor=form.ceiling.minor,
    )


def _ceiling_as_typed(values: WorkspaceSettings) -> str:
    """As it is typed into the field; empty for none."""
    if values.ceiling_minor is None:
        return ""
    return amount_as_typed(Money(values.ceiling_minor, values.currency))


def _page(
    place: Place, form: WorkspaceSettingsForm, *, status: int = 200, now: WorkspaceSettings | None = None
) -> Response:
    """`now`: what somebody else made of the settings meanwhile; saving again replaces it knowingly."""
    if now is not None:
        form.version.data = now.version
    return render(
        "workspace/settings.html",
        status=status,
        form=form,
        customer_number=place.workspace.customer_number,
        conflicts=_conflicts(form, now) if now else [],
    )


def _conflicts(form: WorkspaceSettingsForm, now: WorkspaceSettings) -> list[tuple[str, str, str]]:
    """(label, what stands now, what this person wrote) of each field where the two differ."""
    rows = []
    for name in ("name", "time_zone", "language", "currency", "session_binding"):
        if name not in form:
            continue
        field, theirs = form[name], str(getattr(now, name) or "")
        if field.data != theirs:
            words = {choice.value: choice.label for choice in getattr(field, "choices", ())}
            rows.append((field.label.text, words.get(theirs, theirs), words.get(field.data, field.data)))
    if form.ceiling.data != (theirs := _ceiling_as_typed(now)):
        rows.append((form.ceiling.label.text, theirs or _("none"), form.ceiling.data or _("none")))
    return rows


# --- the end --------------------------------------------------------------------------------------


@blueprint.route("/settings/delete", methods=["GET", "POST"])
@workspace_right(Right.DELETE_WORKSPACE)
def delete(place: Place) -> Response:
    """What goes, what stays and what may be taken away; then the name of the workspace, and it is gone."""
    form = DeleteWorkspaceForm(workspace_name=place.workspace.name)
    if not form.validate_on_submit():
        return _deletion_page(place, form)
    try:
        is_forgotten = deletion.delete_by_owner(place, now=current().clock.now())
    except MoneyOnItsWay:
        form.add_error(
            None,
            _(
                "The result of a payment or refund is not known yet, so nothing was deleted. Please try "
                "again once it is: usually within an hour, and within a day at the latest."
            ),
        )
        return _deletion_page(place, form)
    except OwnersOnly:
        g.missing_right = Right.DELETE_WORKSPACE
        abort(403)
    if is_forgotten:
        _forget_browser()
    flash(_("The workspace %(workspace)s is deleted.", workspace=place.workspace.name), "done")
    return redirect_after_write(url_for("public.home"))


@dataclass(frozen=True, slots=True)
class DeletionPage:
    """What is lost. `renews_on`, where `is_renewed`: the day of the next payment; `paid_until`: or None.

    `products`: the licensed ones that end with it, empty for none. `balance`: what is kept for the
    workspace, empty for nothing; `parts`: the numbers of the archives.
    """

    form: DeleteWorkspaceForm
    is_renewed: bool
    renews_on: date | None
    paid_until: date | None
    products: str
    balance: str
    parts: range


def _deletion_page(place: Place, form: DeleteWorkspaceForm) -> Response:
    standing = status_here(place)
    return render(
        "workspace/delete.html",
        DeletionPage(
            form=form,
            is_renewed=standing.subscription.auto_renewal,
            renews_on=standing.subscription.renew_on or standing.due_on,
            paid_until=standing.due_on if standing.interval and not standing.is_blocked else None,
            products=_products(place, today=standing.today),
            balance=_balance(place),
            parts=range(1, export.count_parts(place.workspace) + 1),
        ),
        status=422 if form.is_submitted() else 200,
    )


def _products(place: Place, *, today: date) -> str:
    """Names of the licensed products that the workspace has or tries; empty for none."""
    licensed = (each for each in agreement.all_of(place.workspace) if agreement.is_licensed(each))
    return ", ".join(
        translated(each.product.names)
        for each in licensed
        if agreement.status_of(each, today=today).state is not SubscriptionState.ENDED
    )


def _balance(place: Place) -> str:
    """What is kept for the workspace; empty for nothing."""
    return ", ".join(formatting.money(each) for each in ledger.balances(place.workspace) if each.minor > 0)


def _forget_browser() -> None:
    """The account is gone: what remains is a visitor who reads the same language."""
    language = locale_code()
    sessions.sign_out()
    session["language"] = language


@blueprint.get("/settings/export")
@workspace_right(Right.DELETE_WORKSPACE)
@limited("document")
def download(place: Place) -> Response:
    """Part `?part=` of everything that the workspace may take away; documents never made are made first."""
    limits.count("document", account=current_user.id)
    last = export.count_parts(place.workspace)
    part = part_or_404(last)
    missing = export.promise_missing(place.workspace, part=part)
    if missing:
        response = render("workspace/export_preparing.html", status=202, missing=missing)
        response.headers["Refresh"] = f"{PREPARED_IN_SECONDS}"
        return response
    name = place.workspace.slug if last == 1 else f"{place.workspace.slug}-{part}"
    content = export.make_part(place.workspace, part=part, language=locale_code(), now=current().clock.now())
    response = Response(content, mimetype="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.zip"'
    return response
