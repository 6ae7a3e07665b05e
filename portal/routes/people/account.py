"""What a person sees of their own account: name, language, password, sessions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, abort, flash, request, session, url_for
from flask_babel import refresh
from flask_login import current_user

from portal.forms.people import CURRENT_NOT_RIGHT, ChangePasswordForm, NewEmailForm, ProfileForm
from portal.models import Person, Session, Workspace
from portal.runtime import current
from portal.services import places
from portal.services.people import account, signing_in
from portal.services.people.passwords import PasswordLengthWrong, PasswordTooCommon
from portal.services.people.signing_in import PasswordWrong
from portal.web import limits, sessions
from portal.web.access import limited, signed_in
from portal.web.htmx import redirect_after_write, render
from portal.web.lists import page_cursor
from portal.web.navigation import LANGUAGE_NAMES
from portal.web.sessions import ABSOLUTE_LIMIT, IDLE_LIMIT, IDLE_LIMIT_OF_OPERATORS
from portal.words.i18n import gettext as _
from portal.words.i18n import locale_code

from .signing_in import add_password_error

blueprint = Blueprint("account", __name__, url_prefix="/me")
LARGEST_ID = 2**31 - 1
SESSIONS_OF_A_PAGE = 20
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


# --- name, language, password ---------------------------------------------------------------------


@blueprint.route("", methods=["GET", "POST"])
@signed_in
def show() -> Response:
    me = _me()
    form = _profile_form(me, submitted=True)
    if not form.validate_on_submit():
        return page(me, profile=form)
    account.save_profile(me, name=form.name.data, language=form.language.data, now=current().clock.now())
    session["language"] = form.language.data
    refresh()
    flash(_("Your changes are saved."), "done")
    return redirect_after_write(url_for("account.show"))


@blueprint.route("/password", methods=["GET", "POST"])
@signed_in
@limited("sign_in")
def change_password() -> Response:
    me = _me()
    form = _password_form(submitted=True)
    if not form.validate_on_submit():
        return page(me, password=form)
    limits.count("sign_in", account=me.email)
    try:
        signing_in.change_password(
            me,
            current_password=form.current_password.data,
            new_password=form.new_password.data,
            keep_session=this_session(),
            now=current().clock.now(),
        )
    except PasswordWrong:
        form.add_error("current_password", CURRENT_NOT_RIGHT)
        return page(me, password=form)
    except (PasswordTooCommon, PasswordLengthWrong) as refusal:
        add_password_error(form, "new_password", refusal)
        return page(me, password=form)
    sessions.renew_token()
    flash(_("Your password is changed. Your other sessions have ended."), "done")
    return redirect_after_write(url_for("account.show"))


def _profile_form(me: Person, *, submitted: bool = False) -> ProfileForm:
    """`submitted`: read what was posted; the other form of the page is shown as it stands."""
    stored = {"name": me.name, "language": me.language or locale_code()}
    form = ProfileForm(**_formdata(submitted), id_prefix="profile", data=stored)
    form.language.offer([(code, LANGUAGE_NAMES[code]) for code in current().settings.locales])
    return form


def _password_form(*, submitted: bool = False) -> ChangePasswordForm:
    return ChangePasswordForm(**_formdata(submitted), id_prefix="password")


def email_form(*, submitted: bool = False) -> NewEmailForm:
    return NewEmailForm(**_formdata(submitted), id_prefix="email")


def _formdata(submitted: bool) -> dict[str, None]:
    """The other forms of a page that was sent read nothing; of one that is only looked at, each may."""
    return {} if submitted or request.method != "POST" else {"formdata": None}


@dataclass(frozen=True, slots=True)
class AccountPage:
    """`refused` is the form that was sent and comes back with its problems, if one was.

    `older_sessions` is the cursor of the sessions that follow, None where these are the last.
    """

    refused: ProfileForm | NewEmailForm | ChangePasswordForm | None
    profile: ProfileForm
    email_form: NewEmailForm
    password: ChangePasswordForm
    email: str
    has_password: bool
    sessions: "list[SessionRow]"
    older_sessions: int | None
    time_zone: str
    workspaces: Iterable[Workspace]


def page(
    me: Person,
    *,
    profile: ProfileForm | None = None,
    email: NewEmailForm | None = None,
    password: ChangePasswordForm | None = None,
) -> Response:
    """The whole page; the form that was sent, if one was, comes with its problems."""
    sent = (form for form in (profile, email, password) if form is not None and form.is_submitted())
    refused = next(sent, None)
    home = places.home_of(me)
    found = account.list_sessions(
        me,
        idle=IDLE_LIMIT_OF_OPERATORS if me.is_operator else IDLE_LIMIT,
        life=ABSOLUTE_LIMIT,
        size=SESSIONS_OF_A_PAGE,
        before=page_cursor(),
    )
    return render(
        "people/account.html",
        AccountPage(
            refused=refused,
            profile=profile or _profile_form(me),
            email_form=email or email_form(),
            password=password or _password_form(),
            email=me.email,
            has_password=me.password_hash is not None,
            sessions=_session_rows(found.rows),
            older_sessions=found.older,
            time_zone=home.time_zone if home else current().settings.seller.time_zone,
            workspaces=account.workspaces_of(me),
        ),
        status=422 if refused is not None else 200,
    )


# --- sessions -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SessionRow:
    session_id: int
    browser: str
    ip_address: str
    seen_at: datetime
    is_this: bool


@blueprint.post(f"/sessions/<int(max={LARGEST_ID}):session_id>/end")
@signed_in
def end_session(session_id: int) -> Response:
    if not account.end_session(_me(), session_id, now=current().clock.now()):
        abort(404)
    flash(_("The session has ended."), "done")
    return redirect_after_write(url_for("account.show"))


@blueprint.post("/sessions/end")
@signed_in
def end_other_sessions() -> Response:
    account.end_other_sessions(_me(), keep_session=this_session(), now=current().clock.now())
    flash(_("Your other sessions have ended."), "done")
    return redirect_after_write(url_for("account.show"))


def _session_rows(found: Iterable[Session]) -> list[SessionRow]:
    this = this_session()
    return [
        SessionRow(
            session_id=row.id,
            browser=browser_words(row.user_agent),
            ip_address=row.ip_address,
            seen_at=row.seen_at,
            is_this=this is not None and row.id == this.id,
        )
        for row in found
    ]


def browser_words(user_agent: str) -> str:
    """`Firefox, Linux`: what its owner knows it by."""
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    return ", ".join(part for part in (browser, system) if part) or _("Another program")


def this_session() -> Session | None:
    return session.row  # type: ignore[attr-defined]


# --- habits ---------------------------------------------------------------------------------------


@blueprint.post("/buy-dialog")
@signed_in
def buy_dialog() -> Response:
    """The "do not show this again" of the "Buy" dialog, kept as soon as it is ticked or unticked."""
    signing_in.skip_buy_dialog(_me(), skips=bool(request.form.get("skip_dialog")))
    return Response(status=204)


def _me() -> Person:
    return current_user._get_current_object()
