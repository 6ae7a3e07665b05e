"""Billing settings: company and address, what documents say, e-mail frequency, who buys and who sees."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from flask import Blueprint, Response, flash, url_for
from wtforms.fields import Field

from portal.domain.vocabulary import ChangeNotices, Right, WhoMayBuy
from portal.forms.base import CheckboxField
from portal.forms.billing import WHO_MAY_BUY, BillingSettingsForm
from portal.runtime import current
from portal.services.billing import settings as service
from portal.services.billing import vat_checks
from portal.services.billing.settings import BillingSettings, BillingSettingsChanged
from portal.services.places import Place
from portal.web.access import workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.vat_register import register_words
from portal.words.i18n import gettext as _
from portal.words.i18n import locale_code

blueprint = Blueprint("billing_settings", __name__, url_prefix="/w/<slug>/billing-settings")


@blueprint.route("", methods=["GET", "POST"])
@workspace_right(Right.BILLING_SETTINGS)
def show(place: Place) -> Response:
    known = service.settings_of(place.workspace)
    form = _form(place, known)
    if not form.validate_on_submit():
        return _page(place, form, known, status=422 if form.errors else 200)
    try:
        changed = service.change(
            place, _wanted(form, known), shown_version=form.version.data, now=current().clock.now()
        )
    except BillingSettingsChanged as refusal:
        return _page(place, form, known, status=409, now=refusal.current)
    flash(_("The settings are saved.") if changed else _("Nothing was changed."), "done")
    return redirect_after_write(url_for("billing_settings.show", slug=place.workspace.slug))


def _form(place: Place, known: BillingSettings) -> BillingSettingsForm:
    details = asdict(known.details) if known.details else _to_begin_with(place)
    return BillingSettingsForm(
        data={
            **details,
            "version": known.version,
            "change_notices": known.change_notices,
            "who_may_buy": known.who_may_buy,
            "hides_plans_from_members": known.hides_plans_from_members,
        },
        has_details=known.details is not None,
        may_decide=Right.MANAGE_WORKSPACE in place.may,
        known_email=known.details.email if known.details else "",
        locale=locale_code(),
    )


def _to_begin_with(place: Place) -> dict[str, object]:
    return {"is_business": True, "country": "FR" if place.workspace.language == "fr" else ""}


def _wanted(form: BillingSettingsForm, known: BillingSettings) -> BillingSettings:
    return BillingSettings(
        details=form.answers if form.gives_details else None,
        change_notices=ChangeNotices(form.change_notices.data),
        who_may_buy=WhoMayBuy(form.who_may_buy.data) if form.who_may_buy else known.who_may_buy,
        hides_plans_from_members=(
            form.hides_plans_from_members.data
            if form.hides_plans_from_members
            else known.hides_plans_from_members
        ),
    )


@dataclass(frozen=True, slots=True)
class BillingSettingsPage:
    """`conflicts`: (label, what stands now, what this person wrote) where somebody else was first.

    `decided`: (question, answer) of what only an owner decides, for the others; `refresh`: the attributes
    that ask for the form of the country just chosen; `register_says`: of the VAT number that is kept, or "".
    """

    form: BillingSettingsForm
    conflicts: list[tuple[str, str, str]]
    decided: list[tuple[str, str]]
    register_says: str
    refresh: Mapping[str, str]


def _page(
    place: Place,
    form: BillingSettingsForm,
    known: BillingSettings,
    *,
    status: int,
    now: BillingSettings | None = None,
) -> Response:
    """`now`: what somebody else made of the settings meanwhile; saving again replaces it knowingly."""
    if now is not None:
        form.version.data = now.version
    return render(
        "billing/settings.html",
        BillingSettingsPage(
            form=form,
            conflicts=_conflicts(form, now, _wanted(form, known)) if now else [],
            register_says=_register_says(place, known.details.vat_number) if known.details else "",
            decided=[] if Right.MANAGE_WORKSPACE in place.may else _decided(known),
            refresh={
                "hx-post": url_for("billing_settings.show", slug=place.workspace.slug),
                "hx-trigger": "change",
                "hx-target": "#billing_settings",
                "hx-vals": '{"update": "y"}',
            },
        ),
        status=status,
    )


def _register_says(place: Place, vat_number: str) -> str:
    return register_words(place.workspace, vat_number, vat_checks.newest_answer(place.workspace, vat_number))


def _conflicts(
    form: BillingSettingsForm, now: BillingSettings, mine: BillingSettings
) -> list[tuple[str, str, str]]:
    theirs_by_name, mine_by_name = _flat(now), _flat(mine)
    rows = []
    for field in form:
        theirs, ours = theirs_by_name.get(field.name, ""), mine_by_name.get(field.name, "")
        if theirs != ours:
            rows.append((field.label.text, _words(field, theirs), _words(field, ours)))
    return rows


def _flat(settings: BillingSettings) -> dict[str, object]:
    """By the names of the fields."""
    return {
        **(asdict(settings.details) if settings.details else {}),
        "change_notices": settings.change_notices.value,
        "who_may_buy": settings.who_may_buy.value,
        "hides_plans_from_members": settings.hides_plans_from_members,
    }


def _words(field: Field, value: object) -> str:
    if isinstance(field, CheckboxField):
        return _("yes") if value else _("no")
    named = {choice.value: str(choice.label) for choice in getattr(field, "choices", ())}
    return named.get(str(value), str(value)) or _("none")


def _decided(known: BillingSettings) -> list[tuple[str, str]]:
    hides = known.hides_plans_from_members
    return [
        (_("Who may buy"), str(dict(WHO_MAY_BUY)[known.who_may_buy.value])),
        (
            _("Who sees plans and history"),
            _("Administrators and people who manage billing") if hides else _("Every full member"),
        ),
    ]
