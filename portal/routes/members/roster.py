"""The members of a workspace: the list, the invitation, and guests who become users."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, flash, request, url_for
from flask_babel import ngettext
from flask_login import current_user

from portal.domain.capacity import Capacity
from portal.domain.vocabulary import MemberStatus, Right, Role
from portal.forms.base import CARD_NUMBER_SENTENCE, TEXT_LENGTH, clean_text
from portal.forms.members import InviteForm, listed
from portal.models import Member
from portal.runtime import current
from portal.services.members import changes, invitations, roster
from portal.services.members.changes import Promoted
from portal.services.members.invitations import AlreadyMembers, CapacityReached, Invited
from portal.services.members.roster import AdministratorsFull, Counts, MemberRow, OwnersOnly
from portal.services.places import Place
from portal.web import limits
from portal.web.access import limited, workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.lists import page_cursor, whole_number
from portal.web.place import status_here
from portal.words.i18n import Sentence
from portal.words.i18n import gettext as _
from portal.words.people import ROLE_WORDS

from .refusals import administrators_full, owners_only

blueprint = Blueprint("members", __name__, url_prefix="/w/<slug>/members")
ROWS_OF_A_PAGE = 50
BILLING_ROLES = (Role.OWNER, Role.BILLING_MANAGER)


# --- the list -------------------------------------------------------------------------------------


@blueprint.route("", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_MEMBERS)
@limited("invite")
def index(place: Place) -> Response:
    counts = roster.counts_of(place.workspace)
    capacity = roster.capacity_of(status_here(place).plan, counts)
    form = InviteForm(
        roles=[(role, ROLE_WORDS[role]) for role in roster.roles_to_give(place)], capacity=capacity
    )
    if not form.validate_on_submit():
        return _page(place, form, capacity, counts)
    limits.count("invite", account=current_user.id)
    try:
        invited = invitations.invite(
            place,
            emails=form.emails.data,
            names=form.emails.names,
            role=Role(form.role.data),
            as_guests=form.status.data == MemberStatus.GUEST,
            now=current().clock.now(),
        )
    except (AlreadyMembers, CapacityReached) as refusal:
        form.add_error("emails", _no_invitation(refusal))
        return _page(place, form, capacity, counts)
    except AdministratorsFull as refusal:
        form.add_error("role", administrators_full(refusal))
        return _page(place, form, capacity, counts)
    except OwnersOnly:
        form.add_error("role", owners_only())
        return _page(place, form, capacity, counts)
    _tell_of_invitations(invited, wanted_guests=form.status.data == MemberStatus.GUEST)
    return to_list(place)


@dataclass(frozen=True, slots=True)
class RosterRow:
    """A member ready to print. `name` falls back on the address."""

    member_id: int
    name: str
    email: str
    role: str
    state: str
    state_label: str
    is_you: bool
    is_guest: bool
    has_billing_access: bool
    may_disable: bool
    may_enable: bool
    may_invite_again: bool


@dataclass(frozen=True, slots=True)
class RosterPage:
    """The list. `older` is the cursor of the next page; `tabs` are (key, label, address)."""

    form: InviteForm
    rows: list[RosterRow]
    older: int | None
    search: str
    search_problem: Sentence | None
    chosen_status: str
    tabs: list[tuple[str, str, str]]
    capacity: Capacity
    capacity_note: str
    status_notes: dict[str, str]
    role_notes: list[tuple[str, str]]


def _page(place: Place, form: InviteForm, capacity: Capacity, counts: Counts) -> Response:
    search, fault = clean_text(request.args.get("q", ""), max_length=TEXT_LENGTH)
    holds_card_number = fault is CARD_NUMBER_SENTENCE
    search = search[:TEXT_LENGTH]
    wanted = request.args.get("status", "")
    status = MemberStatus(wanted) if wanted in list(MemberStatus) else None
    cursor = page_cursor()
    found = roster.list_members(
        place.workspace, search=search, status=status, before=cursor, limit=ROWS_OF_A_PAGE
    )
    return render(
        "members/roster.html",
        RosterPage(
            form=form,
            search_problem=fault if holds_card_number else None,
            rows=[_row(place, row) for row in found.rows],
            older=found.older,
            search=search,
            chosen_status=status.value if status else "",
            tabs=list(_tabs(place, counts, search)),
            capacity=capacity,
            capacity_note=_capacity_note(capacity),
            status_notes=_status_notes(capacity),
            role_notes=_role_notes(),
        ),
        status=422 if form.is_submitted() or holds_card_number else 200,
    )


def _row(place: Place, row: MemberRow) -> RosterRow:
    is_you = row.person_id == place.member.person_id
    is_disabled = row.status == MemberStatus.DISABLED
    may_give = row.role in roster.roles_to_give(place)
    state, label = state_of(row.status, has_joined=row.has_joined)
    return RosterRow(
        member_id=row.member_id,
        name=row.name or row.email,
        email=row.email if row.name else "",
        role=str(ROLE_WORDS[row.role]),
        state=state,
        state_label=label,
        is_you=is_you,
        is_guest=row.status == MemberStatus.GUEST,
        has_billing_access=row.is_upgrader and row.role not in BILLING_ROLES,
        may_disable=not is_you and not is_disabled and (row.role != Role.OWNER or may_give),
        may_enable=is_disabled and may_give,
        may_invite_again=not is_disabled and not row.has_joined,
    )


def state_of(status: MemberStatus, *, has_joined: bool) -> tuple[str, str]:
    """The server's word for the badge, and what it says. Who never joined had an invitation and no more."""
    if status == MemberStatus.DISABLED:
        return "disabled", _("Disabled") if has_joined else _("Invitation withdrawn")
    if status == MemberStatus.GUEST:
        return ("guest", _("Guest")) if has_joined else ("invited", _("Invited as a guest"))
    return ("active", _("Active")) if has_joined else ("invited", _("Invited"))


def _tabs(place: Place, counts: Counts, search: str) -> Iterator[tuple[str, str, str]]:
    """(key, label, address) of everybody and of each status."""
    for key, label in (
        ("", _("Everyone (%(number)s)", number=counts.everybody)),
        (MemberStatus.ACTIVE, _("Active (%(number)s)", number=counts.active)),
        (MemberStatus.GUEST, _("Guests (%(number)s)", number=counts.guest)),
        (MemberStatus.DISABLED, _("Disabled (%(number)s)", number=counts.disabled)),
    ):
        yield (
            str(key),
            label,
            url_for("members.index", slug=place.workspace.slug, status=key or None, q=search or None),
        )


# --- the invitation -------------------------------------------------------------------------------


def _capacity_note(capacity: Capacity) -> str:
    """What will become of those who are invited now, said before they are."""
    if capacity.is_between_plans:
        waiting = _(
            "A payment for another plan is in progress: until its result is known, the limits of both "
            "plans apply."
        )
        return f"{waiting} {_room_note(capacity)}".strip()
    return _room_note(capacity)


def _room_note(capacity: Capacity) -> str:
    if capacity.free_users is None:
        return ""
    if capacity.is_full and capacity.max_guests == 0:
        return _("All user places are taken, and your plan does not include guests.")
    if capacity.is_full and capacity.is_full_of_guests:
        return _("All places in your plan are taken, for users and for guests.")
    if capacity.is_full:
        return _(
            "All user places are taken. Anyone you invite now joins as a guest, "
            "who can view but not change anything."
        )
    if capacity.is_full_of_guests:
        return ngettext(
            "There is room for %(num)d more user, but for no guests.",
            "There is room for %(num)d more users, but for no guests.",
            capacity.free_users,
        )
    return ngettext(
        "There is room for %(num)d more user. Anyone after that joins as a "
        "guest, who can view but not change anything.",
        "There is room for %(num)d more users. Anyone after that joins as a "
        "guest, who can view but not change anything.",
        capacity.free_users,
    )


def _status_notes(capacity: Capacity) -> dict[str, str]:
    """A sentence under each choice: what it means, or why it cannot be made."""
    users, guests = (
        _("They use the workspace with the role below."),
        _("They can view, but not change anything."),
    )
    if capacity.is_full:
        users = _("All user places are taken.")
    if capacity.max_guests == 0:
        guests = _("Your plan does not include guests.")
    elif capacity.is_full_of_guests:
        guests = _("All guest places are taken.")
    return {MemberStatus.ACTIVE: users, MemberStatus.GUEST: guests}


def _role_notes() -> list[tuple[str, str]]:
    """What each role may do, in one sentence."""
    return [
        (str(ROLE_WORDS[Role.OWNER]), _("Can do everything.")),
        (str(ROLE_WORDS[Role.ADMIN]), _("Manages members; sees plans, payments and invoices.")),
        (str(ROLE_WORDS[Role.BILLING_MANAGER]), _("Manages payments, invoices and billing details.")),
        (str(ROLE_WORDS[Role.MEMBER]), _("Uses the workspace.")),
        (_("Guest"), _("Can view, but not change anything. Has no role.")),
    ]


def _no_invitation(refusal: AlreadyMembers | CapacityReached) -> str:
    if isinstance(refusal, AlreadyMembers):
        return " ".join(_known(refusal.members))
    capacity, places = refusal.capacity, {"addresses": listed(refusal.refused)}
    if capacity.max_guests == 0:
        return _(
            "Nobody was invited. Your plan is for %(limit)s active users and no guests, and you have "
            "%(used)s users. There is no place for: %(addresses)s.",
            limit=capacity.max_users,
            used=capacity.users,
            **places,
        )
    return _(
        "Nobody was invited. Your plan is for %(users)s active users and %(guests)s guests; you have "
        "%(used_users)s and %(used_guests)s. There is no place for: %(addresses)s.",
        users=capacity.max_users,
        guests=capacity.max_guests,
        used_users=capacity.users,
        used_guests=capacity.guests,
        **places,
    )


def _known(found: Sequence[Member]) -> Iterator[str]:
    """A sentence for each way in which some of the addresses are members already."""

    def those(*, disabled: bool, joined: bool) -> str:
        return listed(
            [
                member.person.email
                for member in found
                if (member.status == MemberStatus.DISABLED) == disabled
                and (member.joined_at is not None) == joined
            ]
        )

    if addresses := those(disabled=False, joined=True):
        yield _("Already members: %(addresses)s.", addresses=addresses)
    if addresses := those(disabled=False, joined=False):
        yield _("Already invited: %(addresses)s. Invite them again from the list.", addresses=addresses)
    if addresses := those(disabled=True, joined=True):
        yield _("Disabled members: %(addresses)s. Enable them in the list.", addresses=addresses)
    if addresses := those(disabled=True, joined=False):
        yield _(
            "Invitation withdrawn: %(addresses)s. Enable them in the list, then send the invitation again.",
            addresses=addresses,
        )


def _tell_of_invitations(invited: Invited, *, wanted_guests: bool) -> None:
    if len(invited.users) == 1:
        flash(_("We are sending the invitation to %(email)s.", email=invited.users[0].person.email), "done")
    elif invited.users:
        flash(
            ngettext(
                "%(num)d person is invited as a user.",
                "%(num)d people are invited as users.",
                len(invited.users),
            ),
            "done",
        )
    if invited.guests and wanted_guests:
        flash(
            ngettext(
                "%(num)d person is invited as a guest.",
                "%(num)d people are invited as guests.",
                len(invited.guests),
            ),
            "done",
        )
    elif invited.guests:
        flash(
            ngettext(
                "%(num)d person is invited as a guest, because all user places are taken: %(addresses)s.",
                "%(num)d people are invited as guests, because all user places are taken: %(addresses)s.",
                len(invited.guests),
                addresses=listed([member.person.email for member in invited.guests]),
            ),
            "done",
        )
    if invited.repeated:
        flash(_("Listed twice, invited once: %(addresses)s.", addresses=listed(invited.repeated)), "done")


# --- guests who become users ----------------------------------------------------------------------


@blueprint.post("/users")
@workspace_right(Right.MANAGE_MEMBERS)
def make_users(place: Place) -> Response:
    """Of the guests that were ticked, as many as fit; the rest are named."""
    ticked = [int(text) for text in request.form.getlist("member")[:ROWS_OF_A_PAGE] if is_number(text)]
    promoted = changes.make_users(place, ticked, now=current().clock.now())
    _tell_of_users(promoted)
    return to_list(place)


def _tell_of_users(promoted: Promoted) -> None:
    if promoted.without_role:
        flash(
            _(
                "Your plan does not allow more administrators, so these people became ordinary members: "
                "%(names)s.",
                names=listed([name_of(member) for member in promoted.without_role]),
            ),
            "error",
        )
    if not promoted.users and not promoted.guests:
        flash(_("Nothing was changed: tick the guests who are to become users."), "error")
    if len(promoted.users) == 1:
        flash(_("%(name)s is now a user.", name=name_of(promoted.users[0])), "done")
    elif promoted.users:
        flash(_("%(number)s guests are now users.", number=len(promoted.users)), "done")
    if promoted.guests:
        flash(
            _(
                "All user places are taken, so these people stay guests: %(names)s. "
                "Choose a larger plan, then try again.",
                names=listed([name_of(member) for member in promoted.guests]),
            ),
            "error",
        )


def is_number(text: str) -> bool:
    return whole_number(text, digits=9) is not None


def name_of(member: Member) -> str:
    return str(member.person.name if member.joined_at else member.person.email)


def to_list(place: Place) -> Response:
    return redirect_after_write(url_for("members.index", slug=place.workspace.slug))
