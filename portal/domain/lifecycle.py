"""What state a subscription is in today, which way a payment may go, and how far an order has come.

States of a subscription are derived from dates, never stored. Dates only, no times of day: both the due
date and the last grace day are days on which everything still works (product.md §5).
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from types import MappingProxyType

from .dunning import last_usable_day, was_not_confirmed
from .vocabulary import (
    DeclineCode,
    OrderProgress,
    OrderState,
    PaymentState,
    RefundState,
    SetupState,
    SubscriptionState,
    TransferState,
)

_ONE_DAY = timedelta(days=1)


def subscription_state(
    *,
    plan_is_trial: bool,
    plan_is_free: bool,
    due_on: date | None,
    grace_days: int,
    today: date,
    auto_renewal: bool = False,
    renewal_failed_on: date | None = None,
    awaits_a_result: bool = False,
    dunning_days: Sequence[int] = (),
    pays_by_transfer: bool = False,
    unpaid_on: date | None = None,
) -> SubscriptionState:
    """The one answer to "may it be used today?".

    `due_on` None: it never ends. A trial has no grace and no renewal. With auto-renewal on nobody is late
    before the first failed try (`renewal_failed_on`), nor while the result of a later one is open
    (`awaits_a_result`): untried or unanswered is our trouble, not theirs. After it the dunning days are
    usable, whatever the grace, though auto-renewal was switched off since. A trial plan may be free too: it
    is a trial, and ends.

    `unpaid_on` is the last day on which an open invoice for it can be paid in time: that day decides then,
    with the dunning days after it. With `pays_by_transfer` nobody is late before there is such an invoice.
    """
    over = due_on is not None and today > due_on
    if plan_is_trial:
        return SubscriptionState.BLOCKED if over else SubscriptionState.TRIAL
    if plan_is_free:
        return SubscriptionState.FREE
    if unpaid_on is not None:
        due_on, renewal_failed_on, over = unpaid_on, unpaid_on, today > unpaid_on
    elif pays_by_transfer or (auto_renewal and (renewal_failed_on is None or awaits_a_result)):
        return SubscriptionState.PAID
    if due_on is None or not over:
        return SubscriptionState.PAID
    ends_on = blocked_on(due_on, grace_days, renewal_failed_on=renewal_failed_on, dunning_days=dunning_days)
    return SubscriptionState.LATE if today < ends_on else SubscriptionState.BLOCKED


def licensed_state(
    *,
    plan_is_free: bool,
    is_bought: bool,
    trial_until: date | None,
    due_on: date | None,
    cancelled_on: date | None,
    grace_days: int,
    today: date,
    auto_renewal: bool = False,
    renewal_failed_on: date | None = None,
    awaits_a_result: bool = False,
    dunning_days: Sequence[int] = (),
    pays_by_transfer: bool = False,
    unpaid_on: date | None = None,
) -> SubscriptionState:
    """As subscription_state, of a licensed product; `trial_until` is the last usable day of its trial.

    `is_bought`: something that was paid runs, or did last. What was neither bought nor tried has ended too:
    its only payment was paid back. A cancelled one (`cancelled_on`) is neither late nor blocked, whatever
    became of a renewal: it ends with what is paid. What runs unpaid is late all the same.
    """
    if plan_is_free:
        return SubscriptionState.FREE
    over_on = ended_on(is_bought=is_bought, trial_until=trial_until, due_on=due_on, cancelled_on=cancelled_on)
    if not is_bought:
        is_running = over_on is not None and today < over_on
        return SubscriptionState.TRIAL if is_running else SubscriptionState.ENDED
    if cancelled_on is not None:
        if over_on is not None and today >= over_on:
            return SubscriptionState.ENDED
        if unpaid_on is None or today <= unpaid_on:
            return SubscriptionState.CANCELLED
    return subscription_state(
        plan_is_trial=False,
        plan_is_free=False,
        due_on=due_on,
        grace_days=grace_days,
        today=today,
        auto_renewal=auto_renewal,
        renewal_failed_on=renewal_failed_on,
        awaits_a_result=awaits_a_result,
        dunning_days=dunning_days,
        pays_by_transfer=pays_by_transfer,
        unpaid_on=unpaid_on,
    )


def ended_on(
    *, is_bought: bool, trial_until: date | None, due_on: date | None, cancelled_on: date | None
) -> date | None:
    """The first day on which a licensed subscription is over; None: no day is set.

    A trial ends by itself. What is cancelled ends with what is paid, or at once (`cancelled_on`) where that
    is over: days of grace are given to whoever goes on.
    """
    if not is_bought:
        return None if trial_until is None else trial_until + _ONE_DAY
    if cancelled_on is None or due_on is None:
        return None
    return max(due_on + _ONE_DAY, cancelled_on)


# By days and by acts. A refund gives a trial back. Nothing but a purchase leads out of the end.
LICENSED_TRANSITIONS: Mapping[SubscriptionState, frozenset[SubscriptionState]] = MappingProxyType(
    {
        SubscriptionState.TRIAL: frozenset({SubscriptionState.PAID, SubscriptionState.ENDED}),
        SubscriptionState.FREE: frozenset({SubscriptionState.PAID}),
        SubscriptionState.PAID: frozenset(
            {
                SubscriptionState.TRIAL,
                SubscriptionState.CANCELLED,
                SubscriptionState.LATE,
                SubscriptionState.BLOCKED,
                SubscriptionState.ENDED,
            }
        ),
        SubscriptionState.CANCELLED: frozenset(
            {
                SubscriptionState.TRIAL,
                SubscriptionState.PAID,
                SubscriptionState.LATE,
                SubscriptionState.BLOCKED,
                SubscriptionState.ENDED,
            }
        ),
        SubscriptionState.LATE: frozenset(
            {
                SubscriptionState.PAID,
                SubscriptionState.CANCELLED,
                SubscriptionState.BLOCKED,
                SubscriptionState.ENDED,
            }
        ),
        SubscriptionState.BLOCKED: frozenset(
            {SubscriptionState.PAID, SubscriptionState.CANCELLED, SubscriptionState.ENDED}
        ),
        SubscriptionState.ENDED: frozenset({SubscriptionState.PAID}),
    }
)

CANCELLABLE = (SubscriptionState.PAID, SubscriptionState.LATE, SubscriptionState.BLOCKED)
"""Those that go on without a decision. A trial ends by itself: there is nothing to cancel."""
RENEWABLE = (SubscriptionState.PAID, SubscriptionState.LATE)
"""Those of which a next payment renews what was paid."""
OVERDUE = (SubscriptionState.LATE, SubscriptionState.BLOCKED)
"""Those whose due date is over, and the next period not paid."""
WITHOUT_ACCESS = (SubscriptionState.BLOCKED, SubscriptionState.ENDED)
"""Those in which nobody may use the product."""


def may_follow(old: SubscriptionState, new: SubscriptionState) -> bool:
    """Whether a licensed subscription may go from `old` to `new`. Staying the same is none: False."""
    return new in LICENSED_TRANSITIONS[old]


def blocked_on(
    due_on: date,
    grace_days: int,
    *,
    renewal_failed_on: date | None = None,
    dunning_days: Sequence[int] = (),
) -> date:
    """The first day without access: the day after the last grace day, or after the last dunning day if later.

    `grace_days` is 0 for a trial. Whether a renewal is still untried is for subscription_state to say.
    """
    if grace_days < 0:
        raise ValueError(f"grace days: {grace_days}")
    last_day = due_on + timedelta(days=grace_days)
    if renewal_failed_on is not None:
        last_day = max(last_day, last_usable_day(renewal_failed_on, dunning_days))
    return last_day + _ONE_DAY


def days_left(due_on: date, today: date) -> int:
    """Days from `today` to the due date; 0 on the due date itself, which is usable, and ever after."""
    return max(0, (due_on - today).days)


# `unknown` is left by a look-up only. A pending payment that cannot be looked up stays pending. A refund or a
# dispute is money that moves back, with rows of its own: the payment did succeed, and says so for ever.
PAYMENT_TRANSITIONS: Mapping[PaymentState, frozenset[PaymentState]] = MappingProxyType(
    {
        PaymentState.CREATED: frozenset(
            {
                PaymentState.ACTION_REQUIRED,
                PaymentState.PENDING,
                PaymentState.UNKNOWN,
                PaymentState.SUCCEEDED,
                PaymentState.DECLINED,
            }
        ),
        PaymentState.ACTION_REQUIRED: frozenset(
            {PaymentState.PENDING, PaymentState.UNKNOWN, PaymentState.SUCCEEDED, PaymentState.DECLINED}
        ),
        PaymentState.PENDING: frozenset({PaymentState.SUCCEEDED, PaymentState.DECLINED}),
        PaymentState.UNKNOWN: frozenset(
            {
                PaymentState.ACTION_REQUIRED,
                PaymentState.PENDING,
                PaymentState.SUCCEEDED,
                PaymentState.DECLINED,
            }
        ),
        PaymentState.SUCCEEDED: frozenset(),
        PaymentState.DECLINED: frozenset(),
    }
)

OPEN_PAYMENT_STATES = tuple(state for state, after in PAYMENT_TRANSITIONS.items() if after)
"""Those of a payment whose result is open: created, with the payer, with the bank, or unknown."""
OPEN_REFUND_STATES = (RefundState.CREATED, RefundState.UNKNOWN)
OPEN_SETUP_STATES = (SetupState.CREATED, SetupState.ACTION_REQUIRED, SetupState.UNKNOWN)

TRANSFER_TRANSITIONS: Mapping[TransferState, frozenset[TransferState]] = MappingProxyType(
    {
        TransferState.RECEIVED: frozenset(TransferState) - {TransferState.RECEIVED},
        TransferState.TO_CONFIRM: frozenset(
            {TransferState.MATCHED, TransferState.PARKED, TransferState.RETURNED, TransferState.IGNORED}
        ),
        TransferState.PARKED: frozenset(
            {TransferState.MATCHED, TransferState.RETURNED, TransferState.IGNORED}
        ),
        # Set aside by mistake, or a debit that takes a transfer back after all.
        TransferState.IGNORED: frozenset({TransferState.MATCHED, TransferState.RETURNED}),
        # Taken back by the bank; or matched by mistake, so that somebody says anew whose it is.
        TransferState.MATCHED: frozenset({TransferState.RETURNED, TransferState.PARKED}),
        TransferState.RETURNED: frozenset(),
    }
)
WAITING_TRANSFER_STATES = (TransferState.TO_CONFIRM, TransferState.PARKED)
"""Those of which somebody has to say what becomes of the money."""


def may_become(old: PaymentState, new: PaymentState) -> bool:
    """Whether a payment may go from `old` to `new`. Staying the same is no transition: False."""
    return new in PAYMENT_TRANSITIONS[old]


def order_progress(
    state: OrderState,
    tries: Sequence[tuple[PaymentState, str]],
    *,
    is_renewal: bool,
    is_disputed: bool = False,
) -> OrderProgress:
    """`tries`: the attempts to pay the order, the newest last, each with its decline code, empty for none.

    `is_disputed`: the payment that succeeded was. A renewal is placed by the portal: nobody has left it
    unfinished.
    """
    if state == OrderState.PAID:
        return OrderProgress.DISPUTED if is_disputed else OrderProgress.PAID
    if state == OrderState.INVOICED:
        return OrderProgress.TO_TRANSFER
    if state == OrderState.WITHDRAWN:
        return OrderProgress.WITHDRAWN
    if state == OrderState.REFUNDED:
        return OrderProgress.REFUNDED
    newest, code = tries[-1] if tries else (None, "")
    if newest == PaymentState.ACTION_REQUIRED:
        return OrderProgress.TO_CONFIRM
    if state == OrderState.PLACED:
        return OrderProgress.BEING_CONFIRMED
    if not is_renewal and all(code == DeclineCode.WITHDRAWN for _state, code in tries):
        return OrderProgress.NOT_FINISHED
    if newest is None or code == DeclineCode.NEVER_MADE:
        return OrderProgress.NOT_PAID
    return OrderProgress.NOT_CONFIRMED if was_not_confirmed(code) else OrderProgress.DECLINED
