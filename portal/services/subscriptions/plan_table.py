"""The plans page decided: what is had, recommended and selected in the table, and what the one button does.

Decided once, here, over one reading of the workspace; routes/plans writes it out.
"""

from dataclasses import dataclass
from datetime import date, datetime

from portal.domain import plans as rules
from portal.domain.money import Money
from portal.domain.plans import ActionLabel, ExceededLimit, PlanAction, PlanCell, PlanChoice, Usage
from portal.domain.price_lock import PriceLock, renewal_price
from portal.domain.vocabulary import Right, SubscriptionState
from portal.models import Plan
from portal.services import plans
from portal.services.places import Place
from portal.services.plans import PriceList

from . import agreement, next_charge, scheduled_change
from .agreement import SubscriptionStatus
from .scheduled_change import Waiting

PAID_STATES = (SubscriptionState.PAID, SubscriptionState.LATE)


@dataclass(frozen=True, slots=True)
class PlanTable:
    """`selected` None: no plan is large enough. `own_price`: what the next period of the own plan costs.

    `exceeded`: the limits of the selected plan that use is above. `asks_before`: the "Buy" dialog stands
    between the button and the checkout.
    """

    listed: PriceList
    currencies: tuple[str, ...]
    current: PlanCell
    recommended: PlanCell | None
    selected: PlanCell | None
    own_price: Money | None
    exceeded: tuple[ExceededLimit, ...]
    action: PlanAction
    asks_before: bool


@dataclass(frozen=True, slots=True)
class PlansDecided:
    """Everything that the plans page rests on.

    `waiting` is the plan for the due date, `obstacles` what keeps it from beginning as things are now;
    `did_not_begin`: its day has passed. `prolongable_from`: when that is still to come.
    `free_plan`: the one that this person may continue with. `may_renew`: there is automatic renewal for them
    to switch; `may_change_what_waits`: what waits is theirs to take back, though not beside open money.
    """

    status: SubscriptionStatus
    usage: Usage
    table: PlanTable
    lock: PriceLock | None
    waiting: Waiting | None
    did_not_begin: bool
    prolongable_from: date | None
    obstacles: tuple[ExceededLimit, ...]
    free_plan: Plan | None
    may_renew: bool
    may_change_what_waits: bool

    @property
    def may_withdraw(self) -> bool:
        return self.may_change_what_waits and not self.money_is_open

    @property
    def money_is_open(self) -> bool:
        """A payment or a refund of the workspace waits for its result."""
        return self.status.subscription.has_open_money

    @property
    def ends_what_waits(self) -> bool:
        """Whether ordering what is selected takes the place of the plan for the due date.

        Prolonging leaves it waiting, and so does a smaller plan, which is scheduled in its place.
        """
        action, selected, waiting = self.table.action, self.table.selected, self.waiting
        if waiting is None or selected is None or not action.enabled or action.refused or action.waits:
            return False
        is_the_same = (selected.plan.code, selected.interval) == (waiting.plan.code, waiting.interval)
        return action.label is not ActionLabel.PROLONG and not is_the_same


def decide(
    place: Place,
    status: SubscriptionStatus,
    usage: Usage,
    *,
    wanted: str,
    currency: str,
    skips_dialog: bool,
    now: datetime,
) -> PlansDecided:
    """`wanted` is the cell that the person chose, as PlanChoice writes it; empty for the one chosen for them.

    A `currency` that not every plan has a price in becomes the workspace's.
    """
    waiting = scheduled_change.waiting_plan(status)
    may_change = may_change_what_waits(place, status)
    sale_day = plans.sale_day(now)
    on_sale = plans.plans_on_sale(status.subscription.product, on=sale_day)
    currencies = tuple(plans.currencies_of(on_sale))
    takes_another = may_change and not status.subscription.has_open_money
    free_plan = plans.free_plan_of(on_sale) if takes_another else None
    return PlansDecided(
        status=status,
        usage=usage,
        table=_table(
            status,
            usage,
            sale_day=sale_day,
            currencies=currencies,
            currency=currency if currency in currencies else _own_currency(place, status, currencies),
            wanted=wanted or _preselected(status, waiting),
            skips_dialog=skips_dialog,
        ),
        lock=lock_charged(status),
        waiting=waiting,
        did_not_begin=waiting is not None and status.due_on is not None and status.due_on < status.today,
        prolongable_from=_prolongable_from(status),
        obstacles=scheduled_change.obstacles(waiting, usage) if waiting else (),
        free_plan=free_plan if status.state != SubscriptionState.FREE else None,
        may_renew=_may_renew(place, status, waiting),
        may_change_what_waits=may_change,
    )


def _table(
    status: SubscriptionStatus,
    usage: Usage,
    *,
    sale_day: date,
    currencies: tuple[str, ...],
    currency: str,
    wanted: str,
    skips_dialog: bool,
) -> PlanTable:
    subscription = status.subscription
    listed = plans.price_list(subscription.product, on=sale_day, currency=currency)
    current = PlanCell(plans.limits_of(subscription.plan), status.interval)
    # What is had and still fits needs no recommendation, and the non-profit plan never does.
    fits = not rules.exceeded_limits(current.plan, usage)
    needs_none = (status.state in PAID_STATES and fits) or status.plan.nonprofit
    recommended = None if needs_none else rules.recommended(listed.cells, usage)
    selected = _selected(listed, wanted=wanted, current=current if fits else None, recommended=recommended)
    exceeded = rules.exceeded_limits(selected.plan, usage) if selected else ()
    action = rules.plan_action(
        selected=selected,
        current=current,
        state=status.state,
        fits=not exceeded,
        prolongable=rules.is_prolongable(
            status.due_on, today=status.today, on_trial=status.state == SubscriptionState.TRIAL
        ),
        auto_renewal=status.renews_by_itself,
        blocked=status.is_blocked,
        days_left=rules.has_days_left(status.state, status.due_on, today=status.today),
    )
    if subscription.has_open_money:
        action = rules.beside_open_payment(action)
    goes_to_checkout = action.enabled and not action.refused and not action.waits
    return PlanTable(
        listed=listed,
        currencies=currencies,
        current=current,
        recommended=recommended,
        selected=selected,
        own_price=_own_price(status, listed, current),
        exceeded=exceeded,
        action=action,
        asks_before=goes_to_checkout and not subscription.auto_renewal and not skips_dialog,
    )


def _selected(
    listed: PriceList, *, wanted: str, current: PlanCell | None, recommended: PlanCell | None
) -> PlanCell | None:
    """What the person chose, else what they have, where that still fits, else what is recommended."""
    by_choice = {str(PlanChoice.of(cell)): cell for cell in listed.cells}
    if wanted in by_choice:
        return by_choice[wanted]
    own = str(PlanChoice.of(current)) if current and current.interval is not None else ""
    return by_choice.get(own, recommended)


def _own_price(status: SubscriptionStatus, listed: PriceList, current: PlanCell) -> Money | None:
    """By hand the list price; of automatic renewal, also of one that failed, no more than was told.

    None where the plan is not sold like that, in this currency.
    """
    if current.interval is None or current.plan.code not in {row.plan.code for row in listed.rows}:
        return None
    amount = listed.row(current.plan.code).amounts.get(current.interval)
    own = status.subscription.price
    if amount is None or own is None or status.due_on is None:
        return amount
    if not status.subscription.auto_renewal or own.currency != amount.currency:
        return amount
    told = None if status.subscription.scheduled_plan_id else next_charge.told_price(status.subscription)
    return renewal_price(list_price=amount, lock=lock_charged(status), told=told, on=status.due_on)


def lock_charged(status: SubscriptionStatus) -> PriceLock | None:
    """The guaranteed price while automatic renewal is on: without it paying by hand costs the list price."""
    lock = agreement.lock_of(status.subscription)
    return lock if lock is not None and lock.holds(status.today) else None


def _preselected(status: SubscriptionStatus, waiting: Waiting | None) -> str:
    """On the due date the plan that is to begin. Once that day is past it did not, and is one of many."""
    if waiting is None or waiting.interval is None or status.due_on != status.today:
        return ""
    return str(PlanChoice(waiting.plan.code, waiting.interval))


def _prolongable_from(status: SubscriptionStatus) -> date | None:
    if status.state != SubscriptionState.PAID or status.due_on is None:
        return None
    first_day = rules.prolongable_from(status.due_on)
    return first_day if status.today < first_day else None


def _own_currency(place: Place, status: SubscriptionStatus, currencies: tuple[str, ...]) -> str:
    """The currency that is being paid, else the workspace's, else the first on sale."""
    price = status.subscription.price
    paid = price.currency if price is not None else place.workspace.currency
    return paid if paid in currencies else (currencies[0] if currencies else paid)


def may_change_what_waits(place: Place, status: SubscriptionStatus) -> bool:
    """While automatic renewal is on, what begins on the due date decides about the next charge.

    A member who buys no further than the ceiling only buys.
    """
    needed = Right.AUTO_RENEWAL if status.subscription.auto_renewal else Right.APPROVE
    return needed in place.may


def _may_renew(place: Place, status: SubscriptionStatus, waiting: Waiting | None) -> bool:
    """Whether there is something to renew for this person to switch; a free plan that waits is not."""
    if Right.AUTO_RENEWAL not in place.may or status.interval is None:
        return False
    if waiting is not None and waiting.plan.free:
        return False
    return status.state in (SubscriptionState.PAID, SubscriptionState.LATE)
