"""Why something cannot be done to a member: a sentence with the figures, and what would help."""

from portal.domain.errors import LastOwner, PlanFull, PortalError
from portal.services.members.changes import NotAUser, NotJoined, NotOnYourself
from portal.services.members.roster import AdministratorsFull, GuestsFull, OwnersOnly
from portal.words.i18n import gettext as _

REFUSALS = (
    AdministratorsFull,
    GuestsFull,
    LastOwner,
    NotAUser,
    NotJoined,
    NotOnYourself,
    OwnersOnly,
    PlanFull,
)
"""Whatever member_changes raises."""


def sentence_of(refusal: PortalError) -> str:
    facts = vars(refusal)
    match refusal:
        case PlanFull():
            return _(
                "Your plan is for %(limit)s active users, and you have %(used)s. Choose a larger plan, or "
                "disable a member.",
                **facts,
            )
        case GuestsFull() if facts["limit"] == 0:
            return _("Your plan does not include guests.")
        case GuestsFull():
            return _(
                "Your plan allows %(limit)s guests, and you have %(used)s. Choose a larger plan, or remove a "
                "guest.",
                **facts,
            )
        case AdministratorsFull():
            return administrators_full(refusal)
        case LastOwner():
            return _("A workspace needs an owner, and this is the only one.")
        case NotOnYourself():
            return _("You cannot do this to yourself. Ask another administrator.")
        case OwnersOnly():
            return owners_only()
        case NotAUser():
            return _("Guests and disabled members have no role to change: make them users first.")
        case NotJoined():
            return _(
                "This person has not accepted the invitation yet, and cannot become an owner until they do."
            )
    raise refusal


def administrators_full(refusal: AdministratorsFull) -> str:
    return _(
        "Administrators, owners included: %(used)s of %(limit)s. Your plan allows no more. Choose a "
        "larger plan or another role.",
        **vars(refusal),
    )


def owners_only() -> str:
    return _("Only an owner can do this for a member with this role.")
