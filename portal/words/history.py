"""What the history, the statements and their lists call what happened."""

from collections.abc import Mapping
from typing import Any

from portal.domain.vocabulary import BalanceEntryKind, HistoryEvent, HistoryKind, Role

from .i18n import Sentence, translated
from .i18n import gettext as _
from .i18n import lazy_gettext as _l
from .licences import licences_words
from .people import ROLE_WORDS

ENTRY_WORDS: dict[BalanceEntryKind, Sentence] = {
    BalanceEntryKind.INVOICE: _l("Invoice"),
    BalanceEntryKind.CREDIT_NOTE: _l("Credit note"),
    BalanceEntryKind.PAYMENT: _l("Payment"),
    BalanceEntryKind.REFUND: _l("Money sent back"),
    BalanceEntryKind.CREDIT: _l("Credit"),
    BalanceEntryKind.WITHDRAWAL: _l("Credit taken back"),
    BalanceEntryKind.TRANSFER: _l("Bank transfer received"),
    BalanceEntryKind.TRANSFER_RETURN: _l("Bank transfer taken back"),
}
KIND_WORDS: dict[HistoryKind, Sentence] = {
    HistoryKind.CHARGES: _l("Charges"),
    HistoryKind.CREDITS: _l("Credits and refunds"),
    HistoryKind.PLANS: _l("Plan changes"),
    HistoryKind.MEMBERS: _l("Members and licences"),
}


def event_words(
    event: HistoryEvent,
    changes: Mapping[str, Any],
    *,
    plan_names: Mapping[str, str] | None,
    names_before: Mapping[str, str] | None,
    who: str,
) -> str:
    """What happened, in one sentence. The names are of the plans that `changes` has; `who` is a member's."""
    plan = translated(plan_names) if plan_names else str(changes.get("plan", ""))

    match event:
        case HistoryEvent.PLAN_BEGUN:
            before = translated(names_before) if names_before else str(changes["before"])
            return _begun(plan, before, changes)
        case HistoryEvent.PLAN_SCHEDULED:
            return _("%(plan)s was scheduled", plan=plan)
        case HistoryEvent.PLAN_SCHEDULE_WITHDRAWN:
            return _("The change to %(plan)s was withdrawn", plan=plan)
        case HistoryEvent.FREE_PLAN_BEGUN:
            return _("%(plan)s began", plan=plan)
        case HistoryEvent.TRIAL_STARTED:
            return _("A trial of %(plan)s began", plan=plan)
        case HistoryEvent.TRIAL_EXTENDED:
            return _("The trial was extended")
        case HistoryEvent.CANCELLED:
            return _("%(plan)s was cancelled", plan=plan)
        case HistoryEvent.CANCELLATION_TAKEN_BACK:
            return _("The cancellation of %(plan)s was taken back", plan=plan)
        case HistoryEvent.AUTO_RENEWAL_ON:
            return _("Automatic renewal was switched on")
        case HistoryEvent.AUTO_RENEWAL_OFF:
            return _("Automatic renewal was switched off")
        case HistoryEvent.NONPROFIT_ACCEPTED:
            return _("The non-profit plan was granted")
        case HistoryEvent.MEMBER_INVITED:
            return _("%(who)s was invited", who=who)
        case HistoryEvent.MEMBER_JOINED:
            return _("%(who)s joined", who=who)
        case HistoryEvent.MEMBER_ENABLED:
            return _("%(who)s was enabled", who=who)
        case HistoryEvent.MEMBER_DISABLED:
            return _("%(who)s was disabled", who=who)
        case HistoryEvent.MEMBER_MADE_GUEST:
            return _("%(who)s became a guest", who=who)
        case HistoryEvent.MEMBER_MADE_USER:
            return _("%(who)s became a user", who=who)
        case HistoryEvent.MEMBER_REMOVED:
            return _("%(who)s was removed", who=who)
        case HistoryEvent.MEMBER_ROLE_CHANGED:
            role = str(ROLE_WORDS[Role(changes["role.after"])])
            return _("%(who)s has another role: %(role)s", who=who, role=role)
        case HistoryEvent.LICENCE_ASSIGNED:
            return _("%(who)s got a licence", who=who)
        case HistoryEvent.LICENCE_TAKEN_BACK:
            return _("The licence of %(who)s was taken back", who=who)


def _begun(plan: str, before: str, changes: Mapping[str, Any]) -> str:
    now = _with_licences(plan, changes["licences"])
    if changes["before"] is None:
        return _("%(plan)s began", plan=now)
    return _(
        "%(before)s became %(plan)s", before=_with_licences(before, changes["licences.before"]), plan=now
    )


def _with_licences(plan: str, number: int | None) -> str:
    if number is None:
        return plan
    return _("%(plan)s, %(licences)s", plan=plan, licences=licences_words(number))
