"""Who fits into a plan: users up to its limit, guests beside them, and what becomes of those too many.

Source of the rules: the pricing FAQ of the source system (source-systems §2.1). A limit that is None is no
limit. People who are invited and have not joined hold their seats already.
"""

from dataclasses import dataclass

from .plans import PlanLimits

FEW_LEFT = 5
"""With fewer left than these, a larger plan is what the page proposes first."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many active users and guests there are, and how many the plan allows."""

    users: int
    guests: int
    max_users: int | None
    max_guests: int | None

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


def capacity_in(plan: PlanLimits, *, users: int, guests: int) -> Capacity:
    return Capacity(users=users, guests=guests, max_users=plan.max_users, max_guests=plan.max_guests)


def admit(capacity: Capacity, coming: int, *, as_guests: bool = False) -> Admitted:
    """Whoever finds no seat as a user becomes a guest; `as_guests`: nobody wants to be a user."""
    users = 0 if as_guests else _at_most(capacity.free_users, coming)
    guests = _at_most(capacity.free_guests, coming - users)
    return Admitted(users=users, guests=guests, refused=coming - users - guests)


def _at_most(free: int | None, wanted: int) -> int:
    return wanted if free is None else min(free, wanted)
