"""Asking for the non-profit plan."""

from flask import Blueprint, Response, url_for
from flask_login import current_user

from portal.domain import addresses
from portal.forms.public import NonprofitForm
from portal.models import Workspace
from portal.runtime import current
from portal.services.people import signing_in
from portal.services.subscriptions import nonprofit
from portal.services.subscriptions.nonprofit import Answers
from portal.web import limits
from portal.web.access import limited, public
from portal.web.htmx import redirect_after_write, render
from portal.words.i18n import locale_code

blueprint = Blueprint("nonprofit", __name__)


@blueprint.route("/nonprofit", methods=["GET", "POST"])
@public
@limited("nonprofit")
def ask() -> Response:
    """Anybody may ask; an owner may name the workspace that is to get the plan."""
    owned = _owned()
    form = NonprofitForm(
        countries=addresses.countries(locale_code()),
        workspaces=[(workspace.slug, workspace.name) for workspace in owned],
        data=_known(owned),
    )
    if not form.validate_on_submit():
        return render("public/nonprofit.html", status=422 if form.is_submitted() else 200, form=form)
    email = signing_in.identity(form.email.data)
    limits.count("nonprofit", account=email)
    nonprofit.ask(
        Answers(
            organisation=form.organisation.data,
            country=form.country.data,
            contact_name=form.contact_name.data,
            email=email,
            website=form.website.data,
            registration_number=form.registration_number.data,
            purpose=form.purpose.data,
        ),
        workspace=_chosen(form, owned),
        language=locale_code(),
        now=current().clock.now(),
    )
    return redirect_after_write(url_for("nonprofit.sent"))


@blueprint.get("/nonprofit/sent")
@public
def sent() -> Response:
    return render("public/nonprofit_sent.html", owns_workspace=bool(_owned()))


def _owned() -> list[Workspace]:
    return (
        nonprofit.workspaces_to_choose(current_user._get_current_object())
        if current_user.is_authenticated
        else []
    )


def _known(owned: list[Workspace]) -> dict[str, str]:
    """What need not be typed by somebody who is signed in."""
    if not current_user.is_authenticated:
        return {}
    known = {"contact_name": current_user.name, "email": current_user.email}
    return known | ({"organisation": owned[0].name, "workspace": owned[0].slug} if len(owned) == 1 else {})


def _chosen(form: NonprofitForm, owned: list[Workspace]) -> Workspace | None:
    slug = form.workspace.data if form.workspace else ""
    return next((workspace for workspace in owned if workspace.slug == slug), None)
