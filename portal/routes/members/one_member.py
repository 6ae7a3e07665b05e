"""One member of a workspace: the page about them, and everything that an administrator may do to them.

A GET asks, the POST of the same address does it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec

from flask import Blueprint, Response, abort, flash, request, url_for
from flask_login import current_user

from portal.domain.capacity import Capacity
from portal.domain.vocabulary import MemberStatus, Right, Role
from portal.forms.members import HandOverForm, RoleForm
from portal.models import Member
from portal.runtime import current
from portal.services.members import changes, invitations, roster
from portal.services.members.roster import MemberGone
from portal.services.places import Place
from portal.services.subscriptions import licences
from portal.web import limits
from portal.web.access import limited, workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.place import status_here
from portal.words.i18n import Sentence
from portal.words.i18n import gettext as _
from portal.words.people import ROLE_WORDS

from .refusals import REFUSALS, sentence_of
from .roster import BILLING_ROLES, name_of, state_of, to_list

blueprint = Blueprint("member", __name__, url_prefix=f"/w/<slug>/members/<int(max={2**31 - 1}):member_id>")
Rest = ParamSpec("Rest")


def with_member(
    view: Callable[Concatenate[Place, Member, Rest], Response],
) -> Callable[Concatenate[Place, int, Rest], Response]:
    """The view gets the workspace's member; 404 for any other number, and when they were removed meanwhile.

    What a service refuses becomes a page of its own with the reason: the list may be another one by now.
    """

    @wraps(view)
    def found(place: Place, member_id: int, *args: Rest.args, **kwargs: Rest.kwargs) -> Response:
        member = roster.find_member(place.workspace, member_id)
        if member is None:
            abort(404)
        try:
            return view(place, member, *args, **kwargs)
        except MemberGone:
            abort(404)
        except REFUSALS as refusal:
            status_here(place)
            return render("members/refused.html", status=422, sentence=sentence_of(refusal))

    return found


def asks_first(template: str) -> Callable[[Callable[[Place, Member], Response]], Callable[..., Response]]:
    """Whatever is no POST shows the question of `template`; a HEAD must not act either."""

    def decorate(act: Callable[[Place, Member], Response]) -> Callable[..., Response]:
        @wraps(act)
        def asked(place: Place, member: Member) -> Response:
            if request.method == "POST":
                return act(place, member)
            status_here(place)
            holds_licences = bool(licences.products_held_by(member))
            return render(template, member=member, name=name_of(member), holds_licences=holds_licences)

        return asked

    return decorate


# --- the page and the role ------------------------------------------------------------------------


@blueprint.route("", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_MEMBERS)
@with_member
def show(place: Place, member: Member) -> Response:
    """Who it is, with the form of their role and the way to every other act."""
    roles = roster.roles_to_give(place)
    form = RoleForm(data={"role": member.role}, roles=[(role, ROLE_WORDS[role]) for role in roles])
    if not form.validate_on_submit():
        return _page(place, member, form)
    changes.change_role(place, member, Role(form.role.data), now=current().clock.now())
    flash(
        _(
            "%(name)s now has this role: %(role)s.",
            name=name_of(member),
            role=ROLE_WORDS[Role(form.role.data)],
        ),
        "done",
    )
    return _to_member(place, member)


@dataclass(frozen=True, slots=True)
class MemberPage:
    """Who it is, and each act that the server would let the reader do now."""

    member: Member
    name: str
    role: Sentence
    state: str
    state_label: str
    form: RoleForm
    capacity: Capacity
    wanted_role: Sentence
    has_billing_access: bool
    may_change_role: bool
    may_end_billing_access: bool
    may_hand_over: bool
    may_make_guest: bool
    may_make_user: bool
    may_invite_again: bool
    may_disable: bool
    may_enable: bool
    may_remove: bool


def _page(place: Place, member: Member, form: RoleForm) -> Response:
    """Each act is shown only to whom the server would let do it now."""
    capacity = roster.capacity_of(status_here(place).plan, roster.counts_of(place.workspace))
    is_owner, is_you = place.member.role == Role.OWNER, member.id == place.member.id
    may_give = member.role in roster.roles_to_give(place)
    may_take = not is_you and (member.role != Role.OWNER or is_owner)
    has_joined, is_disabled = member.joined_at is not None, member.status == MemberStatus.DISABLED
    state, state_label = state_of(MemberStatus(member.status), has_joined=has_joined)
    return render(
        "members/one_member.html",
        MemberPage(
            member=member,
            name=name_of(member),
            role=ROLE_WORDS[Role(member.role)],
            state=state,
            state_label=state_label,
            form=form,
            capacity=capacity,
            wanted_role=ROLE_WORDS[Role(member.wanted_role)] if member.wanted_role else "",
            has_billing_access=member.is_upgrader and member.role not in BILLING_ROLES,
            may_change_role=not is_you and member.is_active and may_give,
            may_end_billing_access=is_owner,
            may_hand_over=is_owner and not is_you and member.is_active and has_joined,
            may_make_guest=may_take and member.is_active,
            may_make_user=member.status == MemberStatus.GUEST,
            may_invite_again=not is_disabled and not has_joined,
            may_disable=may_take and not is_disabled,
            may_enable=is_disabled and may_give,
            may_remove=may_take,
        ),
        status=422 if form.is_submitted() else 200,
    )


@blueprint.route("/hand-over", methods=["GET", "POST"])
@workspace_right(Right.DELETE_WORKSPACE)  # One row of the table of rights (product.md §2).
@with_member
def hand_over(place: Place, member: Member) -> Response:
    """Another owner; whoever does it may step down at the same time."""
    # Chosen for the reader of the page only: what is sent says itself what the owner becomes.
    chosen = {"own_role": Role.OWNER.value} if request.method != "POST" else None
    form = HandOverForm(data=chosen)
    if not form.validate_on_submit():
        status_here(place)
        return render(
            "members/hand_over.html",
            status=422 if form.is_submitted() else 200,
            member=member,
            name=name_of(member),
            form=form,
        )
    changes.hand_over(place, member, own_role=Role(form.own_role.data), now=current().clock.now())
    flash(_("%(name)s is now an owner.", name=name_of(member)), "done")
    return redirect_after_write(url_for("public.enter", slug=place.workspace.slug))


@blueprint.route("/billing-access", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_WORKSPACE)
@with_member
@asks_first("members/end_billing_access.html")
def end_billing_access(place: Place, member: Member) -> Response:
    """What a member keeps who paid for the plan, until an owner takes it away."""
    changes.end_billing_access(place, member, now=current().clock.now())
    flash(_("%(name)s no longer has access to billing.", name=name_of(member)), "done")
    return _to_member(place, member)


# --- coming and going -----------------------------------------------------------------------------


@blueprint.route("/disable", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_MEMBERS)
@with_member
@asks_first("members/disable.html")
def disable(place: Place, member: Member) -> Response:
    """The POST ends the member's access and sessions."""
    changes.disable(place, member, now=current().clock.now())
    flash(_("%(name)s is disabled.", name=name_of(member)), "done")
    return to_list(place)


@blueprint.post("/enable")
@workspace_right(Right.MANAGE_MEMBERS)
@with_member
def enable(place: Place, member: Member) -> Response:
    """As a user, or as a guest where `status` says so. Another word is refused, never guessed."""
    status = request.form.get("status", MemberStatus.ACTIVE)
    if status not in (MemberStatus.ACTIVE, MemberStatus.GUEST):
        abort(422)
    as_guest = status == MemberStatus.GUEST
    changes.enable(place, member, as_guest=as_guest, now=current().clock.now())
    if as_guest:
        flash(_("%(name)s is back as a guest.", name=name_of(member)), "done")
    else:
        flash(_("%(name)s is active again.", name=name_of(member)), "done")
    return to_list(place)


@blueprint.route("/guest", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_MEMBERS)
@with_member
@asks_first("members/make_guest.html")
def make_guest(place: Place, member: Member) -> Response:
    """A user who gives the seat back and goes on looking."""
    changes.make_guest(place, member, now=current().clock.now())
    flash(_("%(name)s is now a guest.", name=name_of(member)), "done")
    return to_list(place)


@blueprint.route("/remove", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_MEMBERS)
@with_member
@asks_first("members/remove.html")
def remove(place: Place, member: Member) -> Response:
    changes.remove(place, member, now=current().clock.now())
    flash(_("%(name)s is no longer a member.", name=name_of(member)), "done")
    return to_list(place)


@blueprint.post("/invite")
@workspace_right(Right.MANAGE_MEMBERS)
@limited("invite")
@with_member
def invite_again(place: Place, member: Member) -> Response:
    limits.count("invite", account=current_user.id)
    invitations.invite_again(place, member, now=current().clock.now())
    flash(_("We are sending the invitation to %(email)s.", email=member.person.email), "done")
    return to_list(place)


def _to_member(place: Place, member: Member) -> Response:
    return redirect_after_write(url_for("member.show", slug=place.workspace.slug, member_id=member.id))
