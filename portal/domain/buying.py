"""Buying and trying a licensed product: whether it may be, and how many licences (source-systems §4).

A purchase begins today. During a trial it ends the trial, whose other days are not added. A trial is had
once, costs nothing and ends by itself.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from .errors import PortalError
from .licence_terms import LicenceTerms
from .periods import Period
from .proration import Proration, first_period
from .tax import TaxDecision


class LicencesOutOfRange(PortalError):
    """`wanted` licences are none, or more than `most`; None: any number is sold."""

    wanted: int
    most: int | None


class LicencesBelowAssigned(PortalError):
    """`assigned` licences are in use: take some back before there are only `wanted`."""

    wanted: int
    assigned: int


class AlreadySubscribed(PortalError):
    """The workspace has the product: its subscription is changed, no second one begun."""

    product_code: str


class AlreadyTried(PortalError):
    """The workspace has had the trial of the product, or is having it."""

    product_code: str


class TrialNotOffered(PortalError):
    """The product is not given to try."""

    product_code: str


@dataclass(frozen=True, slots=True)
class ProductStanding:
    """What a workspace has of a licensed product, and had. `trial_days` 0: there is nothing to try.

    `is_subscribed`: it was bought and has not ended, though it may be late or blocked. A trial is no such
    thing: `was_tried` says that there was one, running or over.
    """

    product_code: str
    trial_days: int
    is_subscribed: bool = False
    was_tried: bool = False

    @property
    def may_be_bought(self) -> bool:
        return not self.is_subscribed

    @property
    def may_be_tried(self) -> bool:
        return self.trial_days > 0 and not self.is_subscribed and not self.was_tried


def check_licences(wanted: int, *, most: int | None, assigned: int = 0) -> None:
    """Raises LicencesOutOfRange unless `wanted` is 1 to `most`, and LicencesBelowAssigned.

    A scheduled reduction is checked when it is asked for and again when it begins.
    """
    if wanted < 1 or (most is not None and wanted > most):
        raise LicencesOutOfRange(wanted=wanted, most=most)
    if wanted < assigned:
        raise LicencesBelowAssigned(wanted=wanted, assigned=assigned)


def buy(
    standing: ProductStanding,
    *,
    wanted: LicenceTerms,
    most: int | None,
    assigned: int = 0,
    tax: TaxDecision | None,
    on: date,
) -> Proration:
    """A whole period from `on`. `assigned` licences of a trial stay with their members, and count.

    Raises AlreadySubscribed, LicencesOutOfRange, LicencesBelowAssigned.
    """
    if not standing.may_be_bought:
        raise AlreadySubscribed(product_code=standing.product_code)
    check_licences(wanted.quantity, most=most, assigned=assigned)
    return first_period(wanted=wanted, tax=tax, on=on)


def start_trial(standing: ProductStanding, *, licences: int, most: int, on: date) -> Period:
    """The days of the trial from `on`; like any due date its end is still usable. `most` may be tried.

    Raises AlreadySubscribed, AlreadyTried, TrialNotOffered, LicencesOutOfRange.
    """
    if standing.is_subscribed:
        raise AlreadySubscribed(product_code=standing.product_code)
    if standing.was_tried:
        raise AlreadyTried(product_code=standing.product_code)
    if not standing.may_be_tried:
        raise TrialNotOffered(product_code=standing.product_code)
    check_licences(licences, most=most)
    return Period(on, on + timedelta(days=standing.trial_days))
