"""The pricing table and its one button, ready to print: formatted once, decided by domain/plans.py."""

from collections.abc import Sequence
from dataclasses import dataclass

from .. import formatting
from ..domain import plans as rules
from ..domain.plans import ActionLabel, ActionNote, LimitKind, PlanAction, Usage, Violation
from ..domain.vocabulary import Interval, SubscriptionState
from ..i18n import gettext as _
from ..i18n import translated
from ..models import Price
from ..services.plans import PlanOffers, limits_of
from ..services.subscriptions import Status

PAID_STATES = (SubscriptionState.PAID, SubscriptionState.LATE)


@dataclass(frozen=True, slots=True)
class Cell:
    """One price. `value` is what the form sends; `amount` None where the plan is not sold that way."""

    interval: Interval
    value: str
    testid: str
    amount: str | None
    is_current: bool
    is_recommended: bool
    is_selected: bool


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    users: str
    size: str
    free: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A limit with both figures, as sentences."""

    kind: str
    allowed: str
    used: str


@dataclass(frozen=True, slots=True)
class PlanTable:
    currency: str
    rows: tuple[Row, ...]
    selected: Cell | None
    selected_name: str
    selected_text: str
    action: PlanAction
    action_label: str
    action_note: str
    refusals: tuple[Refusal, ...]
    asks_before: bool


def plan_table(
    *,
    on_sale: Sequence[PlanOffers],
    status: Status,
    usage: Usage,
    currency: str,
    wanted: str,
    skips_dialog: bool,
) -> PlanTable:
    """`wanted` is the value of the cell that the person chose; empty for the one chosen for them."""
    offers = [rules.Offer(sold.limits, price.interval) for sold in on_sale for price in _in(sold, currency)]
    recommended = None if status.state in PAID_STATES else rules.recommended(offers, usage)
    subscription = status.subscription
    current = None
    if subscription.plan:
        current = rules.Offer(limits_of(subscription.plan), status.interval)
    selected = _selected(offers, wanted=wanted, current=current, recommended=recommended, status=status)
    rows = tuple(
        _row(sold, currency, offers, current=current, recommended=recommended, selected=selected)
        for sold in on_sale
    )
    cells = {cell.value: (row, cell) for row in rows for cell in row.cells if cell.amount}
    chosen = cells.get(value_of(selected)) if selected else None
    exceeded = rules.violations(selected.plan, usage) if selected else ()
    prolongable = rules.is_prolongable(
        status.due_on, today=status.today, on_trial=status.state == SubscriptionState.TRIAL
    )
    action = rules.plan_action(
        selected=selected,
        current=current,
        state=status.state,
        fits=not exceeded,
        prolongable=prolongable,
        auto_renewal=subscription.auto_renewal,
        blocked=status.is_blocked,
    )
    return PlanTable(
        currency=currency,
        rows=rows,
        selected=chosen[1] if chosen else None,
        selected_name=chosen[0].name if chosen else "",
        selected_text=_summary(*chosen) if chosen else "",
        action=action,
        action_label=label_of(action),
        action_note=note_of(action),
        refusals=refusals_of(exceeded),
        asks_before=action.enabled
        and not action.refused
        and not subscription.auto_renewal
        and not skips_dialog,
    )


def value_of(offer: rules.Offer) -> str:
    return f"{offer.plan.code}:{offer.interval}"


def _selected(
    offers: Sequence[rules.Offer],
    *,
    wanted: str,
    current: rules.Offer | None,
    recommended: rules.Offer | None,
    status: Status,
) -> rules.Offer | None:
    by_value = {value_of(offer): offer for offer in offers}
    if wanted in by_value:
        return by_value[wanted]
    if current is not None and value_of(current) in by_value:
        return by_value[value_of(current)]
    return recommended


def _row(
    sold: PlanOffers,
    currency: str,
    offers: Sequence[rules.Offer],
    *,
    current: rules.Offer | None,
    recommended: rules.Offer | None,
    selected: rules.Offer | None,
) -> Row:
    cells = []
    for interval in Interval:
        price = sold.price(interval, currency)
        here = rules.Offer(sold.limits, interval)
        cells.append(
            Cell(
                interval=interval,
                value=value_of(here),
                testid=f"plan-{sold.plan.code}-{interval}",
                amount=formatting.money(price.amount) if price else None,
                is_current=_same(here, current),
                is_recommended=_same(here, recommended),
                is_selected=_same(here, selected),
            )
        )
    sold_interval = Interval.MONTH if sold.price(Interval.MONTH, currency) else Interval.YEAR
    low, high = rules.user_range(sold.limits, None if sold.plan.free else sold_interval, offers)
    return Row(
        name=translated(sold.plan.names),
        users=_users(low, high),
        size=formatting.storage(sold.plan.storage_bytes) if sold.plan.storage_bytes is not None else "",
        free=sold.plan.free,
        cells=tuple(cells),
    )


def _same(one: rules.Offer, other: rules.Offer | None) -> bool:
    return other is not None and (one.plan.code, one.interval) == (other.plan.code, other.interval)


def _in(sold: PlanOffers, currency: str) -> list[Price]:
    return [price for price in sold.prices if price.currency == currency]


def _users(low: int, high: int | None) -> str:
    if high is None:
        return _("%(low)s and more active users", low=low)
    if low == high:
        return _("%(number)s active users", number=low) if low != 1 else _("1 active user")
    return _("%(low)s–%(high)s active users", low=low, high=high)


def _summary(row: Row, cell: Cell) -> str:
    if cell.interval == Interval.MONTH:
        return _(
            "%(users)s, %(size)s, %(amount)s a month excl. VAT",
            users=row.users,
            size=row.size,
            amount=cell.amount,
        )
    return _(
        "%(users)s, %(size)s, %(amount)s a year excl. VAT", users=row.users, size=row.size, amount=cell.amount
    )


def label_of(action: PlanAction) -> str:
    return {
        ActionLabel.BUY_NOW: _("Buy now"),
        ActionLabel.PROLONG: _("Prolong"),
        ActionLabel.CHANGE: _("Change"),
        ActionLabel.AUTO_RENEWAL_ON: _("Automatic renewal is on"),
        ActionLabel.CONTACT_US: _("Contact us"),
    }[action.label]


def note_of(action: PlanAction) -> str:
    if action.note is None:
        return ""
    return {
        ActionNote.AUTO_RENEWAL_CAN_BE_SWITCHED_OFF: _("The next payment is made by itself on the due date."),
        ActionNote.AUTO_RENEWAL_IS_OFF: _(
            "For automatic prolongation, switch automatic renewal on when you pay."
        ),
        ActionNote.TOO_EARLY_TO_PROLONG: _(
            "You can prolong from the first day of the month before the due date."
        ),
        ActionNote.FREE_PLAN_HAS_NO_END: _("The free plan has no end date: there is nothing to prolong."),
    }[action.note]


def refusals_of(exceeded: Sequence[Violation]) -> tuple[Refusal, ...]:
    return tuple(_refusal(violation) for violation in exceeded)


def _refusal(violation: Violation) -> Refusal:
    if violation.limit == LimitKind.STORAGE:
        return Refusal(
            kind=violation.limit,
            allowed=_("Maximum storage: %(size)s.", size=formatting.storage(violation.allowed)),
            used=_("Storage used now: %(size)s.", size=formatting.storage(violation.used)),
        )
    allowed, used = {
        LimitKind.USERS: (_("Maximum number of users: %(number)s."), _("Active users now: %(number)s.")),
        LimitKind.GUESTS: (_("Maximum number of guests: %(number)s."), _("Guests now: %(number)s.")),
        LimitKind.ADMINISTRATORS: (
            _("Maximum number of administrators: %(number)s."),
            _("Administrators now: %(number)s."),
        ),
    }[violation.limit]
    return Refusal(
        kind=violation.limit,
        allowed=allowed % {"number": violation.allowed},
        used=used % {"number": violation.used},
    )


def price_rows(on_sale: Sequence[PlanOffers], *, currency: str) -> tuple[Row, ...]:
    """The table for somebody without a workspace: nothing is current, recommended or selected."""
    offers = [rules.Offer(sold.limits, price.interval) for sold in on_sale for price in _in(sold, currency)]
    return tuple(
        _row(sold, currency, offers, current=None, recommended=None, selected=None) for sold in on_sale
    )
