"""The way in and out: sign-up, sign-in, links by mail, invitations, sign-out."""

from flask import Blueprint, Response, current_app, flash, make_response, redirect, request, url_for
from flask_login import current_user
from flask_wtf.csrf import CSRFError

from portal.domain.errors import LinkUnusable
from portal.domain.vocabulary import LinkPurpose
from portal.forms.base import PortalForm
from portal.forms.people import (
    NO_COOKIE,
    NOT_RIGHT,
    OPEN_TOO_LONG,
    PASSWORD_LENGTH_WRONG,
    PASSWORD_TOO_COMMON,
    SHUT_OUT,
    EmailForm,
    JoinForm,
    NewPasswordForm,
    SignInForm,
    SignUpForm,
)
from portal.models import Person
from portal.runtime import current
from portal.services import places
from portal.services.members import invitations
from portal.services.members.invitations import Invitation, MustSignIn
from portal.services.people import links, signing_in, signing_up
from portal.services.people.passwords import PasswordLengthWrong, PasswordTooCommon
from portal.services.subscriptions.agreement import NoTrialPlan
from portal.web import limits, sessions
from portal.web.access import limited, public, safe_next
from portal.web.htmx import redirect_after_write, render
from portal.web.place import proposed_time_zone
from portal.words.i18n import gettext as _
from portal.words.i18n import locale_code

blueprint = Blueprint("people", __name__)
CLEARED_AT_SIGN_OUT = '"cache", "cookies", "storage"'


# --- signing up -----------------------------------------------------------------------------------


@blueprint.route("/sign-up", methods=["GET", "POST"])
@public
@limited("sign_up")
def sign_up() -> Response:
    """A known address gets the same answer as a new one."""
    if current_user.is_authenticated:
        return redirect_after_write(_landing(_me()))
    form = _sign_up_form()
    if not form.validate_on_submit():
        return _sign_up_page(form) if form.is_submitted() or signing_up.is_open() else _closed_page()
    limits.count("sign_up", account=signing_in.identity(form.email.data))
    try:
        signing_up.sign_up(
            name=form.name.data,
            email=form.email.data,
            password=form.password.data,
            workspace_name=form.workspace_name.data,
            language=locale_code(),
            time_zone=form.time_zone.data,
            now=current().clock.now(),
        )
    except (PasswordTooCommon, PasswordLengthWrong) as refusal:
        add_password_error(form, "password", refusal)
        return _sign_up_page(form)
    except NoTrialPlan:
        return _closed_page(status=409)
    return redirect_after_write(url_for("people.signed_up"))


def _closed_page(*, status: int = 200) -> Response:
    return render("people/sign_up_closed.html", status=status)


def _sign_up_form() -> SignUpForm:
    return SignUpForm(proposed_zone=proposed_time_zone())


def _sign_up_page(form: SignUpForm) -> Response:
    return render("people/sign_up.html", status=_status(form), form=form)


@blueprint.get("/sign-up/sent")
@public
def signed_up() -> Response:
    return render("people/signed_up.html")


# --- signing in and out ---------------------------------------------------------------------------


@blueprint.route("/sign-in", methods=["GET", "POST"])
@public
@limited("sign_in")
def sign_in() -> Response:
    if current_user.is_authenticated:
        return redirect_after_write(_landing(_me()))
    form = SignInForm()
    if not form.validate_on_submit():
        return _sign_in_page(form)
    limits.count("sign_in", account=signing_in.identity(form.email.data))
    person = signing_in.authenticate(form.email.data, form.password.data)
    if person is None:
        form.add_error(None, NOT_RIGHT)
        return _sign_in_page(form)
    if places.is_shut_out(person):
        form.add_error(None, SHUT_OUT)
        return _sign_in_page(form)
    return _let_in(person)


def _sign_in_page(form: SignInForm) -> Response:
    return render(
        "people/sign_in.html",
        status=_status(form),
        form=form,
        next=safe_next(request.args.get("next")),
        reason=request.args.get("reason", ""),
    )


@blueprint.post("/sign-out")
@public
def sign_out() -> Response:
    sessions.sign_out()
    response = redirect_after_write(url_for("people.sign_in", reason="signed-out"))
    response.headers["Clear-Site-Data"] = CLEARED_AT_SIGN_OUT
    return response


# --- links by mail --------------------------------------------------------------------------------


@blueprint.route("/sign-in/link", methods=["GET", "POST"])
@public
@limited("mail_link")
def ask_link() -> Response:
    return _ask(LinkPurpose.MAGIC)


@blueprint.route("/reset", methods=["GET", "POST"])
@public
@limited("mail_link")
def ask_reset() -> Response:
    return _ask(LinkPurpose.RESET)


def _ask(purpose: LinkPurpose) -> Response:
    """Send the link if the address is known; the answer is the same."""
    form = EmailForm()
    if not form.validate_on_submit():
        return render("people/ask_link.html", status=_status(form), form=form, purpose=purpose)
    is_slowed = limits.count("mail_link", account=signing_in.identity(form.email.data))
    signing_in.request_link(form.email.data, purpose, unless_one_waits=is_slowed)
    return redirect_after_write(url_for("people.link_sent"))


@blueprint.get("/sign-in/sent")
@public
def link_sent() -> Response:
    minutes = int(links.LIFE_OF_LINK[LinkPurpose.MAGIC].total_seconds() // 60)
    return render("people/link_sent.html", minutes=minutes)


@blueprint.route("/sign-in/link/<token>", methods=["GET", "POST"])
@public
@limited("token")
def sign_in_by_link(token: str) -> Response:
    """Opening it shows a button; only the button uses the link up, since mail scanners open links too."""
    limits.count("token")
    if request.method == "POST":
        person, lost_password = signing_in.sign_in_by_link(token, now=current().clock.now())
        if places.is_shut_out(person):
            flash(str(SHUT_OUT), "error")
            return redirect_after_write(url_for("people.sign_in"))
        answer = _let_in(person)
        if lost_password:
            flash(
                _(
                    "Your address is confirmed. The password chosen when the account was made no longer "
                    "works, in case it was not yours: choose one with “I have forgotten my password”."
                ),
                "done",
            )
        return answer
    links.open_link(token, LinkPurpose.MAGIC)
    return render("people/use_link.html", token=token)


@blueprint.route("/reset/<token>", methods=["GET", "POST"])
@public
@limited("token")
def reset(token: str) -> Response:
    limits.count("token")
    link = links.open_link(token, LinkPurpose.RESET)
    form = NewPasswordForm()
    if not form.validate_on_submit():
        return _reset_page(form, token, link.holder)
    try:
        signing_in.reset_password(token, form.password.data, now=current().clock.now())
    except (PasswordTooCommon, PasswordLengthWrong) as refusal:
        add_password_error(form, "password", refusal)
        return _reset_page(form, token, link.holder)
    flash(_("Your new password is saved. Sign in with it."), "done")
    return redirect_after_write(url_for("people.sign_in"))


def _reset_page(form: NewPasswordForm, token: str, person: Person) -> Response:
    return render("people/reset.html", status=_status(form), form=form, token=token, email=person.email)


# --- invitations ----------------------------------------------------------------------------------


@blueprint.route("/invitation/<token>", methods=["GET", "POST"])
@public
@limited("token")
def invitation(token: str) -> Response:
    """Somebody new chooses a name and a password; somebody known signs in first, then joins."""
    limits.count("token")
    found = invitations.open_invitation(token)
    form = JoinForm(data={"name": found.proposed_name}) if found.is_for_somebody_new else PortalForm()
    if not form.validate_on_submit():
        return _invitation_page(found, form, token)
    try:
        joined = invitations.accept_invitation(
            token,
            signed_in_as=_me() if current_user.is_authenticated else None,
            name=form.name.data if found.is_for_somebody_new else "",
            password=form.password.data if found.is_for_somebody_new else "",
            language=locale_code(),
            now=current().clock.now(),
        )
    except (PasswordTooCommon, PasswordLengthWrong) as refusal:
        add_password_error(form, "password", refusal)
        return _invitation_page(found, form, token)
    except MustSignIn:
        return redirect_after_write(url_for("people.sign_in", next=_path(token)))
    if found.is_for_somebody_new and not joined.person.is_operator:
        sessions.sign_in(joined.person)
    flash(_("Welcome to %(workspace)s.", workspace=joined.workspace.name), "done")
    return redirect_after_write(url_for("public.enter", slug=joined.workspace.slug))


def _invitation_page(found: Invitation, form: PortalForm, token: str) -> Response:
    is_them = current_user.is_authenticated and _me().id == found.person.id
    return render(
        "people/invitation.html",
        status=_status(form),
        form=form,
        token=token,
        invitation=found,
        is_them=is_them,
        sign_in_url=url_for("people.sign_in", next=_path(token)),
    )


def _path(token: str) -> str:
    return url_for("people.invitation", token=token)


# --- what they share ------------------------------------------------------------------------------


@blueprint.errorhandler(LinkUnusable)
def link_unusable(error: LinkUnusable) -> Response:
    """Wrong, used and expired get this one answer."""
    return render("people/link_unusable.html", status=404)


@blueprint.errorhandler(CSRFError)
def open_too_long(error: CSRFError) -> Response:
    """The visitor's session was over before they sent the form: the form again, with what they typed."""
    if request.endpoint == "people.sign_out" and not current_user.is_authenticated:
        return make_response(redirect(url_for("people.sign_in", reason="signed-out"), 303))
    reason = OPEN_TOO_LONG if current_app.config["SESSION_COOKIE_NAME"] in request.cookies else NO_COOKIE
    if request.endpoint == "people.sign_in":
        form = SignInForm()
        form.add_error(None, reason)
        return _sign_in_page(form)
    if request.endpoint == "people.sign_up":
        form = _sign_up_form()
        form.add_error(None, reason)
        return _sign_up_page(form)
    flash(str(reason), "error")
    page = url_for("account.show") if request.endpoint == "people.sign_out" else request.path
    return make_response(redirect(page, 303))


def add_password_error(
    form: PortalForm, field: str, refusal: PasswordTooCommon | PasswordLengthWrong
) -> None:
    """The sentence of a refused new password, beside its field."""
    if isinstance(refusal, PasswordTooCommon):
        sentence = str(PASSWORD_TOO_COMMON[refusal.reason])
        form.add_error(field, sentence % {"words": ", ".join(refusal.words)})
    else:
        form.add_error(field, PASSWORD_LENGTH_WRONG)


def _let_in(person: Person) -> Response:
    sessions.sign_in(person)
    return redirect_after_write(_landing(person))


def _landing(person: Person) -> str:
    """Where they wanted to go, else the workspace that they joined first."""
    wanted = safe_next(request.args.get("next"))
    if wanted is not None:
        return wanted
    workspace = places.home_of(person)
    if workspace is None or person.is_operator:
        return url_for("public.home")
    return url_for("public.enter", slug=workspace.slug)


def _me() -> Person:
    return current_user._get_current_object()


def _status(form: PortalForm) -> int:
    return 422 if form.is_submitted() else 200
