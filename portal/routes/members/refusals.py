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
                "Your plan holds %(limit)s active users and %(used)s are there. "
                "Choose a larger plan, or disable a member.",
                **facts,
            )
        case GuestsFull() if facts["limit"] == 0:
            return _("Your plan has no guests.")
        case GuestsFull():
            return _(
                "Your plan holds %(limit)s guests and %(used)s are there. "
                "Choose a larger plan, or remove a guest.",
                **facts,
            )
        case AdministratorsFull():
            return administrators_full(refusal)
        case LastOwner():
            return _("A workspace needs an owner, and this is the only one.")
        case NotOnYourself():
            return _("You cannot do this to yourself. Another administrator can.")
        case OwnersOnly():
            return owners_only()
        case NotAUser():
            return _("Guests and disabled members have no role to change: make them users first.")
        case NotJoined():
            return _("This person has not accepted the invitation yet, and can own the workspace only then.")
    raise refusal


def administrators_full(refusal: AdministratorsFull) -> str:
    return _(
        "Your plan allows %(limit)s administrators, owners included, and %(used)s are there. "
        "Choose a larger plan or another role.",
        **vars(refusal),
    )


def owners_only() -> str:
    return _("Only an owner can do this for a member with this role.")
