"""The questions that people ask before they pay, answered with figures of the catalogue and of the domain."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from babel.numbers import format_decimal
from flask import Blueprint, Response, request
from peewee import DoesNotExist

from portal.domain.extension import Extension, PaidPeriod, extend
from portal.domain.money import Money
from portal.domain.periods import period_from
from portal.domain.price_lock import LOCK_MONTHS
from portal.domain.refunds import YEARLY_REFUND_DAYS
from portal.domain.timeline import DAYS_OF_WARNING, MONTHS_BEFORE_DELETION, NOTICE_DAYS
from portal.domain.vocabulary import ChangePolicy, Interval
from portal.models import Plan
from portal.routes.checkout.order import methods_on_offer
from portal.runtime import current
from portal.services.plans import limits_of, plans_of
from portal.services.subscriptions import agreement
from portal.web.access import public
from portal.web.htmx import render
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import locale_code, translated
from portal.words.plans import SERVICE_WORDS

blueprint = Blueprint("faq", __name__)
QUESTIONS = frozenset(f"q{number}" for number in range(1, 23))
RULES = {
    "lock_months": LOCK_MONTHS,
    "notice_days": NOTICE_DAYS,
    "refund_days": YEARLY_REFUND_DAYS,
    "months_kept": MONTHS_BEFORE_DELETION,
    "warning_days": DAYS_OF_WARNING,
}


@dataclass(frozen=True, slots=True)
class QuestionsPage:
    """`opened`: the questions whose answers stand open. `sold` is None before a catalogue was applied."""

    opened: frozenset[str]
    sold: "Sold | None"
    rules: Mapping[str, object]
    example: "Example"
    binding: str
    is_https: bool
    methods: list[str]
    processors: list[str]


@blueprint.get("/faq")
@public
def show() -> Response:
    """`?open=all` shows every answer, `?open=7` one; any other value none, as at first."""
    runtime = current()
    return render(
        "public/faq.html",
        QuestionsPage(
            opened=_opened(request.args.get("open", "")),
            sold=_sold(),
            rules=RULES,
            example=worked_example(),
            binding=runtime.settings.session_binding,
            is_https=runtime.settings.is_https,
            methods=[label for _kind, label in methods_on_offer()],
            processors=[gateway.capabilities().processor_name for gateway in runtime.gateways.values()],
        ),
    )


def _opened(asked: str) -> frozenset[str]:
    return QUESTIONS if asked == "all" else QUESTIONS & {f"q{asked}"}


# --- what is sold ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FreePlanFacts:
    """A plan without a price. `limits`: (what, at most) for each limit that it has."""

    name: str
    limits: list[tuple[str, str]]
    missing_services: list[str]


@dataclass(frozen=True, slots=True)
class Sold:
    """What the answers take from the catalogue. A plan that is None leaves its questions out."""

    trial: Plan | None
    trial_days: int
    trial_users: str | None
    startup: FreePlanFacts | None
    nonprofit: FreePlanFacts | None
    guests_per_user: int
    extends: bool


def _sold() -> Sold | None:
    """None before a catalogue was applied."""
    try:
        product = agreement.workspace_product()
    except DoesNotExist:
        return None
    plans = plans_of(product)
    trial = next((plan for plan in plans if plan.trial), None) if product.trial_days else None
    startup = next((plan for plan in plans if plan.free and not (plan.hidden or plan.trial)), None)
    nonprofit = next((plan for plan in plans if plan.nonprofit), None)
    return Sold(
        trial=trial,
        trial_days=product.trial_days,
        trial_users=_number(trial.max_users) if trial else None,
        startup=_free_plan(startup) if startup else None,
        nonprofit=_free_plan(nonprofit) if nonprofit else None,
        guests_per_user=max((plan.guests_per_user for plan in plans if plan.is_sold), default=0),
        extends=product.change_policy == ChangePolicy.EXTEND,
    )


def _free_plan(plan: Plan) -> FreePlanFacts:
    limits = [
        (_("Active users"), _number(plan.max_users)),
        (_("Administrators, owners included"), _number(plan.max_administrators)),
        (_("Guests"), _number(limits_of(plan).max_guests)),
        (_("Storage"), None if plan.storage_bytes is None else formatting.storage(plan.storage_bytes)),
    ]
    return FreePlanFacts(
        name=translated(plan.names),
        limits=[(what, most) for what, most in limits if most is not None],
        missing_services=[
            str(words) for service, words in SERVICE_WORDS.items() if service not in plan.services
        ],
    )


def _number(limit: int | None) -> str | None:
    """`1,000`, `1 000`; None stays no limit."""
    return None if limit is None else format_decimal(limit, locale=locale_code())


# --- the worked example ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Example:
    """The published change of plan: 18 USD a month paid on 1 January, 30 USD paid on the 3rd.

    `extension` is what the domain makes of it. The `cut` figures are the published ones, whose prices per
    day are cut to the cent. Dates, and days that are not whole (cut to a tenth), are ready to print.
    """

    old: PaidPeriod
    new_price: Money
    extension: Extension
    paid_on: str
    old_due_on: str
    changed_on: str
    base_end_on: str
    due_on: str
    extra_days: str
    cut_old_price_per_day: Money
    cut_new_price_per_day: Money
    cut_money_left: Money
    cut_extra_days: str
    old_users: int = 3
    new_users: int = 5


def worked_example() -> Example:
    """Its figures are the same in every year, so the dates have none (source-systems.md §3.1)."""
    old_price, new_price = Money(1800, "USD"), Money(3000, "USD")
    period = period_from(date(2026, 1, 1), Interval.MONTH)
    old = PaidPeriod(period=period, base_days=period.days, price=old_price)
    extension = extend(paid=[old], new_price=new_price, interval=Interval.MONTH, on=date(2026, 1, 3))
    cut_old, cut_new = math.floor(extension.old_price_per_day), math.floor(extension.new_price_per_day)
    cut_left = extension.unused_days * cut_old
    return Example(
        old=old,
        new_price=new_price,
        extension=extension,
        paid_on=formatting.day_of_any_year(period.start),
        old_due_on=formatting.day_of_any_year(period.end),
        changed_on=formatting.day_of_any_year(extension.base.start),
        base_end_on=formatting.day_of_any_year(extension.base.end),
        due_on=formatting.day_of_any_year(extension.due_on),
        extra_days=_tenths(extension.extra_days_exact),
        cut_old_price_per_day=Money(cut_old, "USD"),
        cut_new_price_per_day=Money(cut_new, "USD"),
        cut_money_left=Money(cut_left, "USD"),
        cut_extra_days=_tenths(Fraction(cut_left, cut_new)),
    )


def _tenths(days: Fraction) -> str:
    """`16.8`, `16,8`: what is beyond the first decimal is cut."""
    whole, tenth = divmod(math.floor(days * 10), 10)
    return format_decimal(f"{whole}.{tenth}", locale=locale_code())
