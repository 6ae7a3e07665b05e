"""Organisations that ask for the free plan for non-profits: their request, and the decision about it.

Whoever asks needs no account. An operator decides once; what is decided is told by mail.
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from peewee import JOIN, ModelSelect

from portal.database.connecting import is_postgresql, transaction
from portal.domain.errors import PortalError
from portal.domain.plans import PlanNotOffered
from portal.domain.vocabulary import MemberStatus, NonprofitState, Role
from portal.models import Member, NonprofitRequest, Person, Plan, Workspace
from portal.outbox import JSON
from portal.services import audit, letters, open_money, plans

from . import agreement, free_plan


class AlreadyDecided(PortalError):
    """Somebody decided about the request before."""

    request_id: int


class NoSuchWorkspace(PortalError):
    """There is no workspace `slug`, or it is deleted."""

    slug: str


# --- asking ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answers:
    """What the organisation says of itself; `website` is an address with its scheme, or empty."""

    organisation: str
    country: str
    contact_name: str
    email: str
    website: str
    registration_number: str
    purpose: str


def workspaces_to_choose(person: Person) -> list[Workspace]:
    """Those that the person owns, the oldest first."""
    return list(
        Workspace.select()
        .join(Member)
        .where(
            Member.person == person,
            Member.role == Role.OWNER,
            Member.status == MemberStatus.ACTIVE,
            Member.joined_at.is_null(False),
            Workspace.deleted_at.is_null(),
        )
        .order_by(Member.id)
    )


def ask(answers: Answers, *, workspace: Workspace | None, language: str, now: datetime) -> NonprofitRequest:
    """Keep the request and tell both sides by mail. The same one a second time, undecided, is kept once.

    `workspace` is one that the person who asks owns, or None.
    """
    with transaction(lock=workspace):
        known = NonprofitRequest.get_or_none(
            NonprofitRequest.email == answers.email,
            NonprofitRequest.organisation == answers.organisation,
            NonprofitRequest.registration_number == answers.registration_number,
            NonprofitRequest.state == NonprofitState.RECEIVED,
        )
        if known is not None:
            return known
        request = NonprofitRequest.create(
            **asdict(answers), workspace=workspace, language=language, created_at=now
        )
        audit.record("nonprofit.asked", workspace=workspace, subject=str(request.id), now=now)
        _tell(request, "nonprofit_received")
        letters.tell_operators(
            "nonprofit_to_decide",
            key=f"nonprofit-to-decide-{request.id}",
            context={"organisation": request.organisation, "request_id": request.id},
        )
    return request


# --- looking --------------------------------------------------------------------------------------


def requests(*, state: NonprofitState | None, before: int | None, size: int) -> list[NonprofitRequest]:
    """The newest first, or those older than the one whose id is `before`. One query.

    They are chosen first, so that no other request is joined with its workspace.
    """
    newest = NonprofitRequest.alias()
    chosen = newest.select(newest.id).order_by(newest.id.desc()).limit(size)
    if state is not None:
        chosen = chosen.where(newest.state == state)
    if before is not None:
        chosen = chosen.where(newest.id < before)
    return list(_with_workspace().where(NonprofitRequest.id << chosen).order_by(NonprofitRequest.id.desc()))


def count_undecided() -> int:
    return int(NonprofitRequest.select().where(NonprofitRequest.state == NonprofitState.RECEIVED).count())


def find(request_id: int) -> NonprofitRequest | None:
    """With its workspace and who decided."""
    return _with_workspace().where(NonprofitRequest.id == request_id).first()


def _with_workspace() -> "ModelSelect[NonprofitRequest]":
    return (
        NonprofitRequest.select(NonprofitRequest, Workspace, Person)
        .join_from(NonprofitRequest, Workspace, JOIN.LEFT_OUTER)
        .join_from(NonprofitRequest, Person, JOIN.LEFT_OUTER)
    )


# --- deciding -------------------------------------------------------------------------------------


def accept(request: NonprofitRequest, *, slug: str, by: Person, now: datetime) -> NonprofitRequest:
    """Give the workspace the plan for non-profits at once; what is left of a paid period is not paid back.

    Locks the workspace. Raises AlreadyDecided, NoSuchWorkspace, MoneyOnItsWay, PlanNotOffered where the
    catalogue has no such plan, PlanTooSmall.
    """
    workspace = Workspace.get_or_none(Workspace.slug == slug, Workspace.deleted_at.is_null())
    if workspace is None:
        raise NoSuchWorkspace(slug=slug)
    with transaction(lock=workspace):
        if Workspace.get_by_id(workspace.id).deleted_at is not None:
            raise NoSuchWorkspace(slug=slug)
        request = _undecided(request)
        open_money.refuse_while_money_moves(workspace)
        subscription = agreement.of_workspace(workspace)
        subscription.workspace = workspace
        plan = Plan.get_or_none(Plan.product == subscription.product, Plan.nonprofit, ~Plan.withdrawn)
        if plan is None:
            raise PlanNotOffered(wanted=("nonprofit", None, None))
        plans.refuse_if_too_small(plan, plans.usage_of(workspace))
        if subscription.plan_id != plan.id:
            free_plan.begin_free_plan(subscription, plan, now)
        request.workspace = workspace
        _decide(request, NonprofitState.ACCEPTED, by=by, now=now)
        _tell(request, "nonprofit_accepted")
    return request


def refuse(request: NonprofitRequest, *, reason: str, by: Person, now: datetime) -> NonprofitRequest:
    """Nothing changes; the reason goes into the mail. Raises AlreadyDecided."""
    with transaction(lock=request.workspace):
        request = _undecided(request)
        request.reason = reason
        _decide(request, NonprofitState.REFUSED, by=by, now=now)
        _tell(request, "nonprofit_refused", reason=reason)
    return request


def _undecided(request: NonprofitRequest) -> NonprofitRequest:
    """The request as it is now, held until the transaction ends."""
    if is_postgresql():
        NonprofitRequest.select(NonprofitRequest.id).where(
            NonprofitRequest.id == request.id
        ).for_update().execute()
    found = find(request.id)
    if found is None or found.state != NonprofitState.RECEIVED:
        raise AlreadyDecided(request_id=request.id)
    return found


def _decide(request: NonprofitRequest, state: NonprofitState, *, by: Person, now: datetime) -> None:
    request.state, request.decided_by, request.decided_at = state, by, now
    request.save()
    audit.record(
        f"nonprofit.{state}",
        workspace=request.workspace,
        subject=str(request.id),
        actor=by,
        now=now,
    )


# --- mail -----------------------------------------------------------------------------------------


def _tell(request: NonprofitRequest, template: str, **more: JSON) -> None:
    """To the address that the request came with."""
    workspace = request.workspace
    letters.promise(
        template,
        key=f"{template.replace('_', '-')}-{request.id}",
        to=request.email,
        locale=request.language,
        context={
            "name": request.contact_name,
            "organisation": request.organisation,
            "workspace": workspace.name if workspace else None,
            "slug": workspace.slug if workspace else None,
            **more,
        },
    )
