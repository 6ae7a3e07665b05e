"""A workspace of one's own, for everybody who is signed in."""

from flask import Blueprint, Response, url_for
from flask_login import current_user

from portal.forms.workspace import NewWorkspaceForm
from portal.models import Person
from portal.runtime import current
from portal.services import plans
from portal.services.people import signing_up
from portal.services.subscriptions import agreement
from portal.web import limits
from portal.web.access import limited, signed_in
from portal.web.htmx import redirect_after_write, render
from portal.web.navigation import LANGUAGE_NAMES
from portal.web.place import proposed_time_zone
from portal.words import formatting
from portal.words.i18n import locale_code

blueprint = Blueprint("new_workspace", __name__, url_prefix="/me/workspaces")


@blueprint.route("/new", methods=["GET", "POST"])
@signed_in
@limited("new_workspace")
def create() -> Response:
    form = _form()
    if not form.validate_on_submit():
        return render("workspace/create.html", status=422 if form.is_submitted() else 200, form=form)
    me: Person = current_user._get_current_object()
    limits.count("new_workspace", account=me.id)
    workspace = signing_up.create_another(
        me,
        name=form.name.data,
        language=form.language.data,
        currency=form.currency.data,
        time_zone=form.time_zone.data,
        now=current().clock.now(),
    )
    return redirect_after_write(url_for("public.enter", slug=workspace.slug))


def _form() -> NewWorkspaceForm:
    zone = proposed_time_zone()
    sale_day = plans.sale_day(current().clock.now())
    on_sale = plans.currencies_of(plans.plans_on_sale(agreement.workspace_product(), on=sale_day))
    usual = signing_up.usual_currency()
    currencies = sorted(on_sale) or [usual]
    return NewWorkspaceForm(
        data={
            "language": locale_code(),
            "currency": usual if usual in currencies else currencies[0],
            "time_zone": zone,
        },
        languages=[(code, LANGUAGE_NAMES[code]) for code in current().settings.locales],
        currencies=[(code, formatting.currency_label(code)) for code in currencies],
        proposed_zone=zone,
    )
