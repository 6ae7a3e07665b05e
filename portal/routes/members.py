"""The members of a workspace: list, invite, disable, enable."""

from dataclasses import dataclass

from flask import Blueprint, Response, abort, flash, request, url_for
from flask_login import current_user

from .. import limits
from ..domain.errors import LastOwner, PlanFull, PortalError
from ..domain.vocabulary import MemberStatus, Right, Role
from ..forms.base import TEXT_LENGTH, clean_text
from ..forms.people import ROLE_WORDS, InviteForm
from ..htmx import redirect_after_write, render
from ..i18n import gettext as _
from ..models import Member
from ..runtime import current
from ..security import limited, workspace_right
from ..services import invitations, members
from ..services.invitations import AlreadyMember
from ..services.members import AdministratorsFull, CannotDisableYourself, MemberRow, OwnersOnly
from ..services.workspaces import Place
from .place import status_here

blueprint = Blueprint("members", __name__, url_prefix="/w/<slug>/members")
ROWS_OF_A_PAGE = 50
MEMBER = f"/<int(max={2**31 - 1}):member_id>"


# --- the list and the invitation ------------------------------------------------------------------


@blueprint.route("", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_MEMBERS)
@limited("invite")
def index(place: Place) -> Response:
    form = InviteForm(roles=[(role, ROLE_WORDS[role]) for role in members.roles_to_give(place)])
    if not form.validate_on_submit():
        return _page(place, form)
    limits.count("invite", account=current_user.id)
    try:
        invitations.invite(place, email=form.email.data, role=Role(form.role.data), now=current().clock.now())
    except (AlreadyMember, PlanFull, AdministratorsFull, OwnersOnly) as refusal:
        form.add_error("email" if isinstance(refusal, AlreadyMember) else "role", sentence_of(refusal))
        return _page(place, form)
    flash(_("The invitation is on its way to %(email)s.", email=form.email.data), "done")
    return _to_list(place)


@dataclass(frozen=True, slots=True)
class Row:
    """A member ready to print. `name` falls back on the address."""

    member_id: int
    name: str
    email: str
    role: str
    state: str
    state_label: str
    is_you: bool
    may_disable: bool
    may_enable: bool
    may_invite_again: bool


def _page(place: Place, form: InviteForm) -> Response:
    status = status_here(place)
    search, _fault = clean_text(request.args.get("q", ""), max_length=TEXT_LENGTH)
    before = request.args.get("before", "")
    cursor = int(before) if before.isascii() and before.isdigit() and len(before) < 10 else None
    found = members.list_members(
        place.workspace, search=search[:TEXT_LENGTH], before=cursor, limit=ROWS_OF_A_PAGE
    )
    return render(
        "members/page.html",
        status=422 if form.is_submitted() else 200,
        form=form,
        rows=[_row(place, row) for row in found.rows],
        older=found.older,
        search=search,
        is_first=cursor is None,
        room=members.room_of(place.workspace, status.plan),
        role_notes=_role_notes(),
    )


def _row(place: Place, row: MemberRow) -> Row:
    is_you = row.person_id == place.member.person_id
    is_disabled = row.status == MemberStatus.DISABLED
    may_give = row.role in members.roles_to_give(place)
    may_disable = not is_you and not is_disabled and (row.role != Role.OWNER or may_give)
    state, label = _state(row)
    return Row(
        member_id=row.member_id,
        name=row.name or row.email,
        email=row.email if row.name else "",
        role=str(ROLE_WORDS[row.role]),
        state=state,
        state_label=label,
        is_you=is_you,
        may_disable=may_disable,
        may_enable=is_disabled and may_give,
        may_invite_again=not is_disabled and not row.has_joined,
    )


def _state(row: MemberRow) -> tuple[str, str]:
    if row.status == MemberStatus.DISABLED:
        return "disabled", _("Disabled")
    if not row.has_joined:
        return "invited", _("Invited")
    return ("guest", _("Guest")) if row.status == MemberStatus.GUEST else ("active", _("Active"))


def _role_notes() -> list[tuple[str, str]]:
    """What each role may do, in one sentence."""
    return [
        (str(ROLE_WORDS[Role.OWNER]), _("May do everything.")),
        (str(ROLE_WORDS[Role.ADMIN]), _("Manages members; sees plans, payments and invoices.")),
        (str(ROLE_WORDS[Role.BILLING_MANAGER]), _("Manages payments, invoices and billing details.")),
        (str(ROLE_WORDS[Role.MEMBER]), _("Uses the workspace.")),
    ]


# --- one of them ----------------------------------------------------------------------------------


@blueprint.route(f"{MEMBER}/disable", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_MEMBERS)
def disable(place: Place, member_id: int) -> Response:
    """The GET asks; the POST ends the member's access and sessions."""
    member = _member_or_404(place, member_id)
    if request.method == "GET":
        status_here(place)
        return render("members/disable.html", member=member, name=_name(member))
    try:
        members.disable(place, member, now=current().clock.now())
    except (LastOwner, CannotDisableYourself, OwnersOnly) as refusal:
        return _refused(place, refusal)
    flash(_("%(name)s is disabled.", name=_name(member)), "done")
    return _to_list(place)


@blueprint.post(f"{MEMBER}/enable")
@workspace_right(Right.MANAGE_MEMBERS)
def enable(place: Place, member_id: int) -> Response:
    member = _member_or_404(place, member_id)
    try:
        members.enable(place, member, now=current().clock.now())
    except (PlanFull, AdministratorsFull, OwnersOnly) as refusal:
        return _refused(place, refusal)
    flash(_("%(name)s is active again.", name=_name(member)), "done")
    return _to_list(place)


@blueprint.post(f"{MEMBER}/invite")
@workspace_right(Right.MANAGE_MEMBERS)
@limited("invite")
def invite_again(place: Place, member_id: int) -> Response:
    member = _member_or_404(place, member_id)
    limits.count("invite", account=current_user.id)
    invitations.invite_again(place, member, now=current().clock.now())
    flash(_("The invitation is on its way to %(email)s.", email=member.person.email), "done")
    return _to_list(place)


def _refused(place: Place, refusal: PortalError) -> Response:
    """A page of its own with the reason: the list may be another one by now."""
    status_here(place)
    return render("members/refused.html", status=422, sentence=sentence_of(refusal))


def sentence_of(refusal: PortalError) -> str:
    """Why not, with the figures, and what would help."""
    facts = vars(refusal)
    match refusal:
        case PlanFull():
            return _(
                "Your plan holds %(limit)s active users and %(used)s are there. "
                "Choose a larger plan, or disable a member.",
                **facts,
            )
        case AdministratorsFull():
            return _(
                "Your plan allows %(limit)s administrators, owners included, and %(used)s are there. "
                "Choose a larger plan or another role.",
                **facts,
            )
        case LastOwner():
            return _("A workspace needs an owner, and this is the only one.")
        case CannotDisableYourself():
            return _("You cannot disable yourself. Another administrator can.")
        case OwnersOnly():
            return _("Only an owner can do this for a member with this role.")
        case AlreadyMember() if facts["status"] == MemberStatus.DISABLED:
            return _("This person is a disabled member: enable them in the list.")
        case AlreadyMember() if not facts["has_joined"]:
            return _("This person is invited already: send the invitation again from the list.")
        case AlreadyMember():
            return _("This person is a member already.")
    raise refusal


def _name(member: Member) -> str:
    return str(member.person.name if member.joined_at else member.person.email)


def _member_or_404(place: Place, member_id: int) -> Member:
    member = members.find_member(place.workspace, member_id)
    if member is None:
        abort(404)
    return member


def _to_list(place: Place) -> Response:
    return redirect_after_write(url_for("members.index", slug=place.workspace.slug))
