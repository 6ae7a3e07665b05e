"""Another address for one's account: asked on one's own page, confirmed by a link, undone by another."""

from flask import Blueprint, Response, flash, request, url_for
from flask_login import current_user

from portal.domain.errors import LinkUnusable
from portal.domain.vocabulary import LinkPurpose
from portal.forms.people import CURRENT_NOT_RIGHT, EMAIL_IS_OWN
from portal.models import Person
from portal.runtime import current
from portal.services.people import links, own_email, signing_in
from portal.services.people.own_email import AddressTaken, EmailUnchanged
from portal.services.people.signing_in import PasswordWrong
from portal.web import limits, sessions
from portal.web.access import limited, public, signed_in
from portal.web.htmx import redirect_after_write, render
from portal.words.i18n import gettext as _

from . import account
from .signing_in import link_unusable

blueprint = Blueprint("own_email", __name__)
blueprint.register_error_handler(LinkUnusable, link_unusable)


@blueprint.route("/me/email", methods=["GET", "POST"])
@signed_in
@limited("mail_link")
def change() -> Response:
    """Whether the new address has an account already is told there and not here."""
    me: Person = current_user._get_current_object()
    form = account.email_form(submitted=True)
    if not form.validate_on_submit():
        return account.page(me, email=form)
    limits.count("sign_in", account=me.email)
    limits.count("mail_link", account=signing_in.identity(form.email.data))
    try:
        own_email.ask(
            me, email=form.email.data, password=form.current_password.data, now=current().clock.now()
        )
    except PasswordWrong:
        form.add_error("current_password", CURRENT_NOT_RIGHT)
        return account.page(me, email=form)
    except EmailUnchanged:
        form.add_error("email", EMAIL_IS_OWN)
        return account.page(me, email=form)
    flash(
        _(
            "We are sending a message to %(email)s. Your address changes once you use the link in it.",
            email=form.email.data,
        ),
        "done",
    )
    return redirect_after_write(url_for("account.show"))


@blueprint.route("/email/new/<token>", methods=["GET", "POST"])
@public
@limited("token")
def confirm(token: str) -> Response:
    """Opening it shows a button; only the button uses the link up, since mail scanners open links too."""
    limits.count("token")
    if request.method != "POST":
        link = links.open_link(token, LinkPurpose.NEW_EMAIL)
        return render("people/confirm_email.html", token=token, email=link.email)
    keep_session = account.this_session() if current_user.is_authenticated else None
    person = own_email.confirm(token, keep_session=keep_session, now=current().clock.now())
    flash(
        _("Your e-mail address is now %(email)s. Your other sessions have ended.", email=person.email), "done"
    )
    is_them = current_user.is_authenticated and current_user.id == person.id
    return redirect_after_write(url_for("account.show" if is_them else "people.sign_in"))


@blueprint.route("/email/undo/<token>", methods=["GET", "POST"])
@public
@limited("token")
def undo(token: str) -> Response:
    """The way back that the old address was sent; asked first, like every link."""
    limits.count("token")
    if request.method != "POST":
        link = links.open_link(token, LinkPurpose.UNDO_EMAIL)
        return render("people/undo_email.html", token=token, email=link.email)
    person = own_email.undo(token, now=current().clock.now())
    if current_user.is_authenticated and current_user.id == person.id:
        sessions.sign_out()
    flash(
        _(
            "Your account has the address %(email)s again. Every session has ended, and the password no "
            "longer works: ask here for a link to choose a new one.",
            email=person.email,
        ),
        "done",
    )
    return redirect_after_write(url_for("people.ask_reset"))


@blueprint.errorhandler(AddressTaken)
def address_taken(error: AddressTaken) -> Response:
    return render("people/address_taken.html", status=409)
