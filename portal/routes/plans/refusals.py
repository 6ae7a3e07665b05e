"""What a plan asks of a workspace, in words: refusals with both figures, and the checklist of a free plan."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import url_for

from portal.domain.plans import Condition, ExceededLimit, LimitKind
from portal.domain.vocabulary import Right, Service
from portal.services.places import Place
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.plans import SERVICE_WORDS


@dataclass(frozen=True, slots=True)
class Refusal:
    """A limit with both figures, as sentences."""

    kind: str
    allowed: str
    used: str


@dataclass(frozen=True, slots=True)
class ChecklistLine:
    """A condition as sentences. `mend` is (label, address) of where an unmet one is put right."""

    kind: str
    is_met: bool
    allowed: str
    used: str
    mend: tuple[str, str] | None


def refusals_of(exceeded: Sequence[ExceededLimit]) -> tuple[Refusal, ...]:
    return tuple(
        Refusal(violation.limit, *_sentences(violation.limit, violation.allowed, violation.used))
        for violation in exceeded
    )


def checklist_of(conditions: Sequence[Condition], place: Place) -> tuple[ChecklistLine, ...]:
    """Every condition that is one: what has no limit is left out."""
    return tuple(
        ChecklistLine(
            condition.limit,
            condition.is_met,
            *_sentences(condition.limit, condition.allowed, condition.used),
            None if condition.is_met else _mend(condition.limit, place),
        )
        for condition in conditions
        if condition.allowed is not None
    )


def _sentences(limit: LimitKind | Service, allowed: int, used: int) -> tuple[str, str]:
    """What is allowed, and what is."""
    if isinstance(limit, Service):
        is_on = _("It is on.") if used else _("It is off.")
        return _("%(service)s: must be off.", service=SERVICE_WORDS[limit]), is_on
    match limit:
        case LimitKind.STORAGE:
            return (
                _("Maximum storage: %(size)s.", size=formatting.storage(allowed)),
                _("Storage used now: %(size)s.", size=formatting.storage(used)),
            )
        case LimitKind.USERS:
            return (
                _("Maximum number of users: %(number)s.", number=allowed),
                _("Active users now: %(number)s.", number=used),
            )
        case LimitKind.GUESTS:
            return _("Maximum number of guests: %(number)s.", number=allowed), _(
                "Guests now: %(number)s.", number=used
            )
    return (
        _("Maximum number of administrators: %(number)s.", number=allowed),
        _("Administrators now: %(number)s.", number=used),
    )


def _mend(limit: LimitKind | Service, place: Place) -> tuple[str, str] | None:
    """The page for those who may open it; storage is given back in the vendor's own product."""
    slug = place.workspace.slug
    if limit is LimitKind.STORAGE:
        return _("How to free storage"), url_for("public.vendor_link", name="help")
    if Right.MANAGE_MEMBERS not in place.may:
        return None
    if isinstance(limit, Service):
        return _("Go to the services"), url_for("features.show", slug=slug)
    return _("Go to the members"), url_for("members.index", slug=slug)
