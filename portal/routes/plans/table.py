"""The pricing table and its one button, ready to print: formatted once, decided by domain/plans.py."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from portal.domain import plans as rules
from portal.domain.money import Money
from portal.domain.plans import ActionLabel, ActionNote, PlanAction, Usage
from portal.domain.price_lock import PriceLock, renewal_price
from portal.domain.vocabulary import Interval, SubscriptionState
from portal.models import Price
from portal.services.plans import PlanOffers, limits_of
from portal.services.subscriptions.agreement import SubscriptionStatus, lock_of
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated

from .limits import Refusal, refusals_of

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
class PlanRow:
    code: str
    name: str
    users: str
    size: str
    free: bool
    is_current: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class PlanTable:
    """`rows` makes the rows when they are shown: a new choice shows only what stands below them."""

    currency: str
    rows: Callable[[], tuple[PlanRow, ...]]
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
    status: SubscriptionStatus,
    usage: Usage,
    currency: str,
    wanted: str,
    skips_dialog: bool,
) -> PlanTable:
    """`wanted` is the value of the cell that the person chose; empty for the one chosen for them."""
    offers = [
        rules.PlanCell(sold.limits, price.interval) for sold in on_sale for price in _in(sold, currency)
    ]
    needs_none = status.state in PAID_STATES or status.plan.nonprofit
    recommended = None if needs_none else rules.recommended(offers, usage)
    subscription = status.subscription
    current = None
    if subscription.plan:
        current = rules.PlanCell(limits_of(subscription.plan), status.interval)
    selected = _selected(offers, wanted=wanted, current=current, recommended=recommended, status=status)

    def row_of(sold: PlanOffers) -> PlanRow:
        return _row(
            sold,
            currency,
            offers,
            current=current,
            recommended=recommended,
            selected=selected,
            status=status,
        )

    chosen = None
    if selected:
        row = row_of(next(sold for sold in on_sale if sold.limits == selected.plan))
        chosen = (row, next(cell for cell in row.cells if cell.is_selected))
    exceeded = rules.exceeded_limits(selected.plan, usage) if selected else ()
    prolongable = rules.is_prolongable(
        status.due_on, today=status.today, on_trial=status.state == SubscriptionState.TRIAL
    )
    action = rules.plan_action(
        selected=selected,
        current=current,
        state=status.state,
        fits=not exceeded,
        prolongable=prolongable,
        auto_renewal=status.renews_by_itself,
        blocked=status.is_blocked,
        days_left=rules.has_days_left(status.state, status.due_on, today=status.today),
    )
    return PlanTable(
        currency=currency,
        rows=lambda: tuple(row_of(sold) for sold in on_sale),
        selected=chosen[1] if chosen else None,
        selected_name=chosen[0].name if chosen else "",
        selected_text=_summary(*chosen) if chosen else "",
        action=action,
        action_label=label_of(action),
        action_note=note_of(action, status),
        refusals=refusals_of(exceeded),
        asks_before=action.enabled
        and not action.refused
        and not action.waits
        and not subscription.auto_renewal
        and not skips_dialog,
    )


def lock_charged(status: SubscriptionStatus) -> PriceLock | None:
    """The guaranteed price while automatic renewal charges it: paying by hand costs the list price."""
    lock = lock_of(status.subscription) if status.renews_by_itself else None
    return lock if lock is not None and lock.holds(status.today) else None


def _price_of_own(listed: Price, status: SubscriptionStatus) -> Money:
    """What the next period of the own plan costs."""
    lock = lock_charged(status)
    if lock is None or status.due_on is None or lock.amount.currency != listed.currency:
        return listed.amount
    return renewal_price(list_price=listed.amount, lock=lock, on=status.due_on) or listed.amount


def value_of(offer: rules.PlanCell) -> str:
    """What the form sends; a free plan is no choice of the form, and has its code alone."""
    if offer.interval is None:
        return offer.plan.code
    return str(rules.PlanChoice(offer.plan.code, offer.interval))


def _selected(
    offers: Sequence[rules.PlanCell],
    *,
    wanted: str,
    current: rules.PlanCell | None,
    recommended: rules.PlanCell | None,
    status: SubscriptionStatus,
) -> rules.PlanCell | None:
    by_value = {value_of(offer): offer for offer in offers}
    if wanted in by_value:
        return by_value[wanted]
    if current is not None and value_of(current) in by_value:
        return by_value[value_of(current)]
    return recommended


def _row(
    sold: PlanOffers,
    currency: str,
    offers: Sequence[rules.PlanCell],
    *,
    current: rules.PlanCell | None,
    recommended: rules.PlanCell | None,
    selected: rules.PlanCell | None,
    status: SubscriptionStatus | None,
) -> PlanRow:
    cells = []
    for interval in Interval:
        price = sold.price(interval, currency)
        here = rules.PlanCell(sold.limits, interval)
        is_current = _same(here, current)
        amount = price.amount if price else None
        if price and status and is_current:
            amount = _price_of_own(price, status)
        cells.append(
            Cell(
                interval=interval,
                value=value_of(here),
                testid=f"plan-{sold.plan.code}-{interval}",
                amount=formatting.money(amount) if amount is not None else None,
                is_current=is_current,
                is_recommended=_same(here, recommended),
                is_selected=_same(here, selected),
            )
        )
    sold_interval = Interval.MONTH if sold.price(Interval.MONTH, currency) else Interval.YEAR
    low, high = rules.user_range(sold.limits, None if sold.plan.free else sold_interval, offers)
    return PlanRow(
        code=sold.plan.code,
        name=translated(sold.plan.names),
        users=_users(low, high),
        size=formatting.storage(sold.plan.storage_bytes) if sold.plan.storage_bytes is not None else "",
        free=sold.plan.free,
        is_current=current is not None and current.plan.code == sold.plan.code,
        cells=tuple(cells),
    )


def _same(one: rules.PlanCell, other: rules.PlanCell | None) -> bool:
    return other is not None and (one.plan.code, one.interval) == (other.plan.code, other.interval)


def _in(sold: PlanOffers, currency: str) -> list[Price]:
    return [price for price in sold.prices if price.currency == currency]


def _users(low: int, high: int | None) -> str:
    if high is None:
        return _("%(low)s and more active users", low=low)
    if low == high:
        return _("%(number)s active users", number=low) if low != 1 else _("1 active user")
    return _("%(low)s–%(high)s active users", low=low, high=high)


def _summary(row: PlanRow, cell: Cell) -> str:
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


def note_of(action: PlanAction, status: SubscriptionStatus) -> str:
    if status.plan.nonprofit:
        return _("Your plan for non-profit organisations ends when you buy this one.")
    if action.note is None:
        return ""
    due_on = formatting.day(status.due_on) if status.due_on else ""
    return {
        ActionNote.AUTO_RENEWAL_CAN_BE_SWITCHED_OFF: _("The next payment is made by itself on the due date."),
        ActionNote.AUTO_RENEWAL_IS_OFF: _(
            "For automatic prolongation, switch automatic renewal on when you pay."
        ),
        ActionNote.TOO_EARLY_TO_PROLONG: _(
            "You can prolong from the first day of the month before the due date."
        ),
        ActionNote.BEGINS_ON_DUE_DATE: _(
            "A smaller plan begins on the due date, %(date)s. Nothing is paid now.", date=due_on
        ),
        ActionNote.FREE_PLAN_HAS_NO_END: _("The free plan has no end date: there is nothing to prolong."),
    }[action.note]


def price_rows(on_sale: Sequence[PlanOffers], *, currency: str) -> tuple[PlanRow, ...]:
    """The table for somebody without a workspace: nothing is current, recommended or selected."""
    offers = [
        rules.PlanCell(sold.limits, price.interval) for sold in on_sale for price in _in(sold, currency)
    ]
    return tuple(
        _row(sold, currency, offers, current=None, recommended=None, selected=None, status=None)
        for sold in on_sale
    )
