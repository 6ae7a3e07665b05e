"""What the plans page decides: what fits, what to recommend, and what the one button does.

Source of the rules: the Payments page of the source system (docs: source-systems §1.2), whose tests keep
their order here. A limit that is None is no limit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from .errors import PortalError
from .money import Money
from .vocabulary import Interval, Service, SubscriptionState


@dataclass(frozen=True, slots=True)
class Usage:
    """What a workspace holds today. The owner counts as an administrator and as an active user.

    `services` are those that are switched on.
    """

    active_users: int
    guests: int
    administrators: int
    storage_bytes: int
    services: frozenset[Service] = frozenset()


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """A plan without its prices; `guests_per_user` is per user that the plan allows, not per user present."""

    code: str
    position: int
    max_users: int | None
    guests_per_user: int
    max_administrators: int | None
    storage_bytes: int | None
    services: frozenset[Service]
    free: bool
    hidden: bool
    trial: bool = False

    @property
    def max_guests(self) -> int | None:
        if self.guests_per_user == 0:
            return 0
        return None if self.max_users is None else self.max_users * self.guests_per_user


class PlanCell(NamedTuple):
    """A cell of the pricing table; `interval` is None where nothing is paid: a trial or free plan."""

    plan: PlanLimits
    interval: Interval | None


class PlanNotOffered(PortalError):
    """The plan, interval or currency `wanted` has no price on sale today."""

    wanted: tuple[str, str | None, str | None]


class PlanChoice(NamedTuple):
    """A plan as it is chosen in the table, written `business-5:month` in forms and addresses."""

    plan_code: str
    interval: Interval

    def __str__(self) -> str:
        return f"{self.plan_code}:{self.interval}"

    @classmethod
    def of(cls, cell: PlanCell) -> "PlanChoice":
        """Of a cell with a price; what is free is not chosen in the table."""
        assert cell.interval is not None, "only what has a price is chosen"
        return cls(cell.plan.code, cell.interval)

    @classmethod
    def read(cls, text: str) -> "PlanChoice":
        """Raises PlanNotOffered for a text that is none: nothing is guessed."""
        plan_code, _colon, interval = text.partition(":")
        if interval not in list(Interval):
            raise PlanNotOffered(wanted=(plan_code, interval, None))
        return cls(plan_code, Interval(interval))


class LimitKind(StrEnum):
    USERS = "users"
    STORAGE = "storage"
    GUESTS = "guests"
    ADMINISTRATORS = "administrators"


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that a plan asks for. Storage is in bytes; a service counts 1 where it is on."""

    limit: LimitKind | Service
    allowed: int | None
    used: int

    @property
    def is_met(self) -> bool:
        return self.allowed is None or self.used <= self.allowed


@dataclass(frozen=True, slots=True)
class ExceededLimit:
    """Use above a limit. Storage is in bytes; a service that is on and must not be is 1 above 0."""

    limit: LimitKind | Service
    allowed: int
    used: int


class PlanTooSmall(PortalError):
    """`plan_code` cannot hold the workspace: `exceeded_limits` names each limit with both figures."""

    plan_code: str
    plan_names: dict[str, str]
    exceeded_limits: tuple[ExceededLimit, ...]


class ActionLabel(StrEnum):
    BUY_NOW = "buy_now"
    PROLONG = "prolong"
    CHANGE = "change"
    AUTO_RENEWAL_ON = "auto_renewal_on"
    CONTACT_US = "contact_us"


class ActionNote(StrEnum):
    """The footnote of the button."""

    AUTO_RENEWAL_CAN_BE_SWITCHED_OFF = "auto_renewal_can_be_switched_off"
    AUTO_RENEWAL_IS_OFF = "auto_renewal_is_off"
    TOO_EARLY_TO_PROLONG = "too_early_to_prolong"
    BEGINS_ON_DUE_DATE = "begins_on_due_date"
    FREE_PLAN_HAS_NO_END = "free_plan_has_no_end"
    PAYMENT_IS_OPEN = "payment_is_open"


@dataclass(frozen=True, slots=True)
class PlanAction:
    """The button under the pricing table.

    `refused`: it looks enabled and opens the refusal, never the checkout. `urgent`: red, because paying is
    what ends the blocking. `waits`: it leads to what a smaller plan will be on the due date; nothing is paid.
    """

    label: ActionLabel
    enabled: bool
    refused: bool = False
    note: ActionNote | None = None
    urgent: bool = False
    waits: bool = False


def conditions(plan: PlanLimits, usage: Usage) -> tuple[Condition, ...]:
    """Everything that `plan` asks of the workspace, met or not, in the order in which it is told.

    Guests, administrators and services stand in the way of a free plan only: on the others guests stay within
    their cap by themselves and administrators are not limited (source-systems §1.3, §2.2).
    """
    asked = [
        Condition(LimitKind.USERS, plan.max_users, usage.active_users),
        Condition(LimitKind.STORAGE, plan.storage_bytes, usage.storage_bytes),
    ]
    if plan.free:
        asked += [
            Condition(LimitKind.GUESTS, plan.max_guests, usage.guests),
            Condition(LimitKind.ADMINISTRATORS, plan.max_administrators, usage.administrators),
            *(
                Condition(each, 0, int(each in usage.services))
                for each in Service
                if each not in plan.services
            ),
        ]
    return tuple(asked)


def exceeded_limits(plan: PlanLimits, usage: Usage) -> tuple[ExceededLimit, ...]:
    """Each condition of `plan` that is not met; use equal to a limit is allowed."""
    return tuple(
        ExceededLimit(asked.limit, asked.allowed, asked.used)
        for asked in conditions(plan, usage)
        if asked.allowed is not None and not asked.is_met
    )


def has_days_left(state: SubscriptionState, due_on: date | None, *, today: date) -> bool:
    """Whether something that was paid is still to be used, so that a smaller plan waits for its end.

    On the due date itself nothing is left: a smaller plan can be bought.
    """
    runs = state in (SubscriptionState.PAID, SubscriptionState.CANCELLED)
    return runs and due_on is not None and today < due_on


def recommended(on_sale: Iterable[PlanCell], usage: Usage) -> PlanCell | None:
    """The smallest paid offer with room to spare, by the month before by the year; None: contact us.

    Strictly more users and storage than used: 3 users on a plan for 3 are sent to the next one, though they
    may choose it by hand (source-systems §1.2-5).
    """
    roomy = [
        offer
        for offer in _tiers(on_sale)
        if offer.interval is not None
        and _is_above(offer.plan.max_users, usage.active_users)
        and _is_above(offer.plan.storage_bytes, usage.storage_bytes)
    ]
    return min(roomy, key=_by_size_then_month_first, default=None)


def user_range(
    plan: PlanLimits, interval: Interval | None, on_sale: Iterable[PlanCell]
) -> tuple[int, int | None]:
    """The numbers of active users, both included, that `plan` is for; (4, None) is "4 and more".

    It begins one above the next smaller plan sold by the same interval, so that a plan sold by the year only
    leaves no gap in the monthly column (source-systems §1.2-3). Free plans begin at 1 and are no smaller plan
    of another.
    """
    if plan.free or plan.trial:
        return 1, plan.max_users
    smaller = (
        offer.plan.max_users
        for offer in _tiers(on_sale)
        if offer.interval == interval
        and offer.plan.max_users is not None
        and (plan.max_users is None or offer.plan.max_users < plan.max_users)
    )
    return max(smaller, default=0) + 1, plan.max_users


def is_prolongable(due_on: date | None, *, today: date, on_trial: bool) -> bool:
    """Whether the next period may be paid already: due this calendar month, next month, or before.

    Months are compared, not days (source-systems §1.2), so nobody pays more than about two months ahead.
    """
    if due_on is None or on_trial:
        return True
    return _month_number(due_on) <= _month_number(today) + 1


def prolongable_from(due_on: date) -> date:
    """The first day on which is_prolongable says yes: the first of the month before the due date's."""
    first = due_on.replace(day=1)
    return (first - timedelta(days=1)).replace(day=1)


@dataclass(frozen=True, slots=True)
class YearlySaving:
    """What paying by the year costs less. `months`: that amount in months, where it is a whole number."""

    amount: Money
    months: int | None


def yearly_saving(*, monthly: Money, yearly: Money) -> YearlySaving | None:
    """Of one plan, without VAT; None where the year costs as much as twelve months, or more."""
    saved = monthly * 12 - yearly
    if saved.minor <= 0:
        return None
    months, rest = divmod(saved.minor, monthly.minor)
    return YearlySaving(saved, months if rest == 0 else None)


def plan_action(
    *,
    selected: PlanCell | None,
    current: PlanCell | None,
    state: SubscriptionState | None,
    fits: bool,
    prolongable: bool,
    auto_renewal: bool,
    blocked: bool,
    days_left: bool = False,
) -> PlanAction:
    """The button for the `selected` offer, tested in the order of source-systems §1.2.

    `selected` None: no plan is large enough. `current` and `state` None: no subscription yet. `fits`: the
    selected plan has no violation. `blocked`: the whole workspace is, which another subscription may prevent.
    `days_left`: what is paid lasts, so that a smaller plan waits.
    """
    if selected is None:
        return PlanAction(ActionLabel.CONTACT_US, enabled=True)
    pays_nothing = current is None or current.plan.trial or current.plan.free
    # A free plan is never bought, whatever comes before it.
    other_label = ActionLabel.BUY_NOW if pays_nothing and not selected.plan.free else ActionLabel.CHANGE
    if not fits:
        return PlanAction(other_label, enabled=True, refused=True)
    if current is not None and _is_same(selected, current):
        return _action_on_current(
            current, state, prolongable=prolongable, auto_renewal=auto_renewal, blocked=blocked
        )
    if days_left and current is not None and selected.plan.position < current.plan.position:
        return PlanAction(other_label, enabled=True, note=ActionNote.BEGINS_ON_DUE_DATE, waits=True)
    is_paid_change = other_label is ActionLabel.CHANGE and not selected.plan.free
    note = ActionNote.AUTO_RENEWAL_IS_OFF if is_paid_change and prolongable and not auto_renewal else None
    return PlanAction(other_label, enabled=True, note=note, urgent=blocked)


def beside_open_payment(action: PlanAction) -> PlanAction:
    """The button while a payment of the workspace waits for its result: nothing is ordered beside it.

    What is refused is refused all the same, and whoever needs more than is sold may still ask.
    """
    if action.refused or action.label is ActionLabel.CONTACT_US:
        return action
    return replace(action, enabled=False, urgent=False, waits=False, note=ActionNote.PAYMENT_IS_OPEN)


def _action_on_current(
    current: PlanCell,
    state: SubscriptionState | None,
    *,
    prolongable: bool,
    auto_renewal: bool,
    blocked: bool,
) -> PlanAction:
    if current.plan.free or current.plan.trial:
        return PlanAction(ActionLabel.PROLONG, enabled=False, note=ActionNote.FREE_PLAN_HAS_NO_END)
    # Late or blocked in spite of auto-renewal: its tries are over, and paying by hand is the way out.
    if auto_renewal and state not in {SubscriptionState.LATE, SubscriptionState.BLOCKED}:
        note = ActionNote.AUTO_RENEWAL_CAN_BE_SWITCHED_OFF
        return PlanAction(ActionLabel.AUTO_RENEWAL_ON, enabled=False, note=note)
    if not prolongable:
        return PlanAction(ActionLabel.PROLONG, enabled=False, note=ActionNote.TOO_EARLY_TO_PROLONG)
    return PlanAction(ActionLabel.PROLONG, enabled=True, urgent=blocked)


def _tiers(on_sale: Iterable[PlanCell]) -> list[PlanCell]:
    return [offer for offer in on_sale if not (offer.plan.free or offer.plan.hidden or offer.plan.trial)]


def _by_size_then_month_first(offer: PlanCell) -> tuple[bool, int, int, bool]:
    plan = offer.plan
    return plan.max_users is None, plan.max_users or 0, plan.position, offer.interval is not Interval.MONTH


def _is_above(limit: int | None, used: int) -> bool:
    return limit is None or limit > used


def _is_same(one: PlanCell, other: PlanCell) -> bool:
    """A free plan has no interval that counts."""
    return one.plan.code == other.plan.code and (one.interval == other.interval or one.plan.free)


def _month_number(day: date) -> int:
    return day.year * 12 + day.month
