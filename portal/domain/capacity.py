"""Who fits into a plan: users up to its limit, guests beside them, and what becomes of those too many.

Source of the rules: the pricing FAQ of the source system (source-systems §2.1). A limit that is None is no
limit. People who are invited and have not joined hold their seats already.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .plans import PlanLimits
from .vocabulary import Role

FEW_LEFT = 5
"""With fewer left than these, a larger plan is what the page proposes first."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many active users and guests there are, and how many the plan allows.

    `is_between_plans`: another plan is being paid for, and its limits count as well.
    """

    users: int
    guests: int
    max_users: int | None
    max_guests: int | None
    is_between_plans: bool = False

    @property
    def free_users(self) -> int | None:
        """Seats left for users; 0 too when there are more users than the plan allows."""
        return None if self.max_users is None else max(0, self.max_users - self.users)

    @property
    def free_guests(self) -> int | None:
        return None if self.max_guests is None else max(0, self.max_guests - self.guests)

    @property
    def is_full(self) -> bool:
        """No more users; perhaps guests."""
        return self.free_users == 0

    @property
    def is_full_of_guests(self) -> bool:
        return self.free_guests == 0

    @property
    def is_nearly_full(self) -> bool:
        return self.free_users is not None and self.free_users < FEW_LEFT


@dataclass(frozen=True, slots=True)
class Admitted:
    """Of so many who come in turn: the first are users, the next guests, for the last there is no seat."""

    users: int
    guests: int
    refused: int


def capacity_in(*plans: PlanLimits, users: int, guests: int) -> Capacity:
    """What fits into every one of `plans`: the present one, and the one that is being paid for."""
    return Capacity(
        users=users,
        guests=guests,
        max_users=tightest(plan.max_users for plan in plans),
        max_guests=tightest(plan.max_guests for plan in plans),
        is_between_plans=len(plans) > 1,
    )


def tightest(limits: Iterable[int | None]) -> int | None:
    """The smallest; None, no limit, where none of them is one."""
    return min((limit for limit in limits if limit is not None), default=None)


@dataclass(frozen=True, slots=True)
class ActiveUser:
    """An active user. Members come in the order of `member_id`."""

    member_id: int
    role: Role
    has_billing_access: bool


def who_become_guests(users: Sequence[ActiveUser], *, max_users: int | None) -> list[int]:
    """The members who become guests in a plan for `max_users`: the newest first, billing people last.

    Owners stay users whatever the plan holds: nobody else could set things right.
    """
    too_many = 0 if max_users is None else max(0, len(users) - max_users)
    can_go = [user for user in users if user.role != Role.OWNER]
    can_go.sort(key=lambda user: (user.has_billing_access, -user.member_id))
    return [user.member_id for user in can_go[:too_many]]


def admit(capacity: Capacity, coming: int, *, as_guests: bool = False) -> Admitted:
    """Whoever finds no seat as a user becomes a guest; `as_guests`: nobody wants to be a user."""
    users = 0 if as_guests else _at_most(capacity.free_users, coming)
    guests = _at_most(capacity.free_guests, coming - users)
    return Admitted(users=users, guests=guests, refused=coming - users - guests)


def _at_most(free: int | None, wanted: int) -> int:
    return wanted if free is None else min(free, wanted)
