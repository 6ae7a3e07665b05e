"""Contacts of a workspace: the list, somebody new, another link, removal, and the link itself."""

from dataclasses import dataclass

from flask import Blueprint, Response, abort, flash, request, url_for
from flask_login import current_user

from portal.domain.errors import LinkUnusable
from portal.domain.vocabulary import Right, Role
from portal.forms.contacts import ContactForm
from portal.models import Contact, Member
from portal.routes.people.signing_in import link_unusable
from portal.runtime import current
from portal.services.billing import contacts
from portal.services.billing.contacts import (
    AlreadyContact,
    ContactRow,
    ContactsFull,
    MemberDisabled,
    NoSuchMember,
)
from portal.services.members import invitations, roster
from portal.services.members.invitations import AlreadyMembers, CapacityReached
from portal.services.members.roster import AdministratorsFull, OwnersOnly
from portal.services.places import Place
from portal.web import limits
from portal.web.access import limited, public, refuse_without, workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.navigation import LANGUAGE_NAMES
from portal.words.i18n import gettext as _

blueprint = Blueprint("contacts", __name__, url_prefix="/w/<slug>/contacts")
links = Blueprint("contact_link", __name__)
links.register_error_handler(LinkUnusable, link_unusable)
CONTACT = f"/<int(max={2**31 - 1}):contact_id>"


# --- the list, and somebody new -------------------------------------------------------------------


@blueprint.route("", methods=["GET", "POST"])
@workspace_right(Right.BILLING_SETTINGS)
@limited("contact")
def show(place: Place) -> Response:
    form = _form(place)
    if not form.validate_on_submit():
        return _page(place, form)
    limits.count("contact", account=current_user.id)
    try:
        contact = _add(place, form)
    except (AlreadyContact, MemberDisabled, NoSuchMember, ContactsFull) as refusal:
        form.add_error("member" if form.member.data else "email", _why_not(refusal))
        return _page(place, form)
    flash(_added(contact), "done")
    return _to_list(place)


def _form(place: Place) -> ContactForm:
    workspace = place.workspace
    languages = dict.fromkeys((*current().settings.locales, workspace.language))
    return ContactForm(
        data={"language": workspace.language},
        members=[(str(member.id), _named(member)) for member in contacts.members_to_add(workspace)],
        languages=[(code, LANGUAGE_NAMES[code]) for code in languages],
    )


def _named(member: Member) -> str:
    """A name is theirs to tell, once they have joined."""
    if member.joined_at is None:
        return str(member.person.email)
    return _("%(name)s (%(email)s)", name=member.person.name, email=member.person.email)


def _add(place: Place, form: ContactForm) -> Contact:
    now = current().clock.now()
    if form.member.data:
        return contacts.add_member(place, int(form.member.data), now=now)
    return contacts.add_address(place, form.email.data, language=form.language.data, now=now)


def _why_not(refusal: AlreadyContact | MemberDisabled | NoSuchMember | ContactsFull) -> str:
    match refusal:
        case AlreadyContact():
            return _("This address is a billing contact already.")
        case MemberDisabled():
            return _("This is the address of a disabled member. Enable them first, or choose somebody else.")
        case NoSuchMember():
            return _("They are not a member any more. Choose somebody else.")
    return _("There can be at most %(most)s billing contacts. Remove one first.", most=refusal.most)


def _added(contact: Contact) -> str:
    if contact.gets_mail:
        return _("%(email)s now gets every billing e-mail.", email=contact.address)
    return _(
        "We are sending a link to %(email)s. They get the billing e-mails once they have used it.",
        email=contact.address,
    )


@dataclass(frozen=True, slots=True)
class ContactLine:
    """A contact ready to print. `name` is empty for an address; `trouble` says why nothing is sent there.

    `manages`: what they may do here, if they may manage billing; `change_url`: where they can be made to.
    """

    contact_id: int
    name: str
    address: str
    language: str
    state: str
    state_label: str
    trouble: str
    manages: str
    change_label: str
    change_url: str
    may_send_link: bool


@dataclass(frozen=True, slots=True)
class ContactsPage:
    """The list and the form. `missing`: (name, address) of billing people whose mail came back."""

    form: ContactForm
    rows: list[ContactLine]
    missing: list[tuple[str, str]]


def _page(place: Place, form: ContactForm) -> Response:
    return render(
        "billing/contacts.html",
        ContactsPage(
            form=form,
            rows=[_line(place, row) for row in contacts.list_contacts(place.workspace)],
            missing=[
                (person.name, person.email) for person in contacts.people_who_miss_mail(place.workspace)
            ],
        ),
        status=422 if form.is_submitted() else 200,
    )


def _line(place: Place, row: ContactRow) -> ContactLine:
    contact = row.contact
    state, label = _state(contact)
    change_label, change_url = _change(place, row)
    language = contact.reads_in(place.workspace)
    return ContactLine(
        contact_id=contact.id,
        name=contact.name if contact.member and contact.member.joined_at else "",
        address=contact.address,
        language=LANGUAGE_NAMES.get(language, language),
        state=state,
        state_label=label,
        trouble=_trouble(contact),
        manages=_manages(row),
        change_label=change_label,
        change_url=change_url,
        may_send_link=not contact.gets_mail and not contact.is_disabled,
    )


def _state(contact: Contact) -> tuple[str, str]:
    """The server's word for the badge, and what it says."""
    if contact.is_disabled:
        return "disabled", _("Disabled member")
    if contact.came_back_at is not None:
        return "failed", _("E-mail came back")
    if not contact.is_confirmed:
        return "invited", _("Not confirmed yet")
    return "active", _("Gets every e-mail")


def _trouble(contact: Contact) -> str:
    if contact.is_disabled:
        return _("Nothing is sent there while they are disabled.")
    if contact.came_back_at is not None and contact.came_back_because:
        return _(
            "Nothing is sent there until the address is confirmed again. What the mail server there said: "
            "%(reason)s",
            reason=contact.came_back_because,
        )
    if contact.came_back_at is not None:
        return _("Nothing is sent there until the address is confirmed again.")
    return ""


def _manages(row: ContactRow) -> str:
    if not row.may_manage_billing or row.membership is None:
        return ""
    return _("Manages billing") if row.membership.joined_at else _("Invited to manage billing")


def _change(place: Place, row: ContactRow) -> tuple[str, str]:
    """Label and address of where the contact can be made a billing manager; empty where that cannot be."""
    if row.may_manage_billing or Role.BILLING_MANAGER not in roster.roles_to_give(place):
        return "", ""
    slug = place.workspace.slug
    if row.membership is not None:
        return _("Change their role"), url_for("member.show", slug=slug, member_id=row.membership.id)
    return _("Let them manage billing"), url_for("contacts.invite", slug=slug, contact_id=row.contact.id)


# --- one contact ----------------------------------------------------------------------------------


@blueprint.post(f"{CONTACT}/link")
@workspace_right(Right.BILLING_SETTINGS)
@limited("contact")
def send_link(place: Place, contact_id: int) -> Response:
    contact = _contact_or_404(place, contact_id)
    limits.count("contact", account=current_user.id)
    if contacts.send_link_again(place, contact, now=current().clock.now()):
        flash(_("We are sending another link to %(email)s.", email=contact.address), "done")
    return _to_list(place)


@blueprint.route(f"{CONTACT}/remove", methods=["GET", "POST"])
@workspace_right(Right.BILLING_SETTINGS)
def remove(place: Place, contact_id: int) -> Response:
    contact = _contact_or_404(place, contact_id)
    if request.method != "POST":
        return render("billing/remove_contact.html", contact=contact, address=contact.address)
    contacts.remove(place, contact, now=current().clock.now())
    flash(_("%(email)s is no longer a billing contact.", email=contact.address), "done")
    return _to_list(place)


@blueprint.route(f"{CONTACT}/invite", methods=["GET", "POST"])
@workspace_right(Right.BILLING_SETTINGS)
@limited("invite")
def invite(place: Place, contact_id: int) -> Response:
    """An invitation as billing manager, like any other; a member's role is changed on their own page."""
    refuse_without(Right.MANAGE_MEMBERS, place)
    contact = _contact_or_404(place, contact_id)
    if contact.email is None:
        abort(404)
    if request.method != "POST":
        return _ask_to_invite(contact)
    limits.count("invite", account=current_user.id)
    try:
        invited = invitations.invite(
            place, emails=[contact.email], role=Role.BILLING_MANAGER, now=current().clock.now()
        )
    except (AlreadyMembers, CapacityReached, AdministratorsFull, OwnersOnly) as refusal:
        return _ask_to_invite(contact, problem=_no_invitation(refusal), status=422)
    if invited.guests:
        flash(
            _(
                "All user places are taken, so %(email)s is invited as a guest for now. They can manage "
                "billing once there is a place for a user.",
                email=contact.email,
            ),
            "done",
        )
    else:
        flash(_("We are sending the invitation to %(email)s.", email=contact.email), "done")
    return _to_list(place)


def _ask_to_invite(contact: Contact, *, problem: str = "", status: int = 200) -> Response:
    return render(
        "billing/invite_contact.html",
        status=status,
        contact=contact,
        address=contact.address,
        problem=problem,
    )


def _no_invitation(refusal: AlreadyMembers | CapacityReached | AdministratorsFull | OwnersOnly) -> str:
    match refusal:
        case AlreadyMembers():
            return _("They are a member already. You can change their role on the Members page.")
        case OwnersOnly():
            return _("Only an owner can invite somebody to manage billing.")
    return _("All places in your plan are taken, for users and for guests.")


def _contact_or_404(place: Place, contact_id: int) -> Contact:
    contact = contacts.find_contact(place.workspace, contact_id)
    if contact is None:
        abort(404)
    return contact


def _to_list(place: Place) -> Response:
    return redirect_after_write(url_for("contacts.show", slug=place.workspace.slug))


# --- the link of the mail -------------------------------------------------------------------------


@links.route("/contact/<token>", methods=["GET", "POST"])
@public
@limited("token")
def confirm(token: str) -> Response:
    """Opening it shows a button; only the button uses the link up, since mail scanners open links too."""
    limits.count("token")
    if request.method != "POST":
        contact = contacts.open_confirmation(token)
        return render(
            "billing/confirm_contact.html",
            token=token,
            address=contact.address,
            workspace_name=contact.workspace.name,
        )
    contacts.confirm(token, now=current().clock.now())
    return redirect_after_write(url_for("contact_link.confirmed"))


@links.get("/contact-confirmed")
@public
def confirmed() -> Response:
    return render("billing/contact_confirmed.html")
