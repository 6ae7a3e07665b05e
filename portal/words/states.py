"""Names of states, as operators read them, and how far an order has come, as its buyer does."""

from portal.domain.dunning import was_not_confirmed
from portal.domain.vocabulary import OrderProgress, OrderState, PaymentState, SubscriptionState

from .i18n import gettext as _


def state_words(state: SubscriptionState) -> str:
    return {
        SubscriptionState.TRIAL: _("Trial"),
        SubscriptionState.FREE: _("Free"),
        SubscriptionState.PAID: _("Paid"),
        SubscriptionState.CANCELLED: _("Cancellation pending"),
        SubscriptionState.LATE: _("Late"),
        SubscriptionState.BLOCKED: _("Blocked"),
        SubscriptionState.ENDED: _("Ended"),
    }[state]


def order_words(state: OrderState) -> str:
    return {
        OrderState.OPEN: _("Not ordered yet"),
        OrderState.PLACED: _("Ordered"),
        OrderState.INVOICED: _("Invoiced"),
        OrderState.PAID: _("Paid"),
        OrderState.REFUNDED: _("Refunded"),
        OrderState.WITHDRAWN: _("Withdrawn"),
    }[state]


def progress_words(progress: OrderProgress) -> str:
    return {
        OrderProgress.NOT_FINISHED: _("Not finished"),
        OrderProgress.TO_CONFIRM: _("Waiting for you to confirm"),
        OrderProgress.BEING_CONFIRMED: _("Being confirmed"),
        OrderProgress.NOT_CONFIRMED: _("Payment not confirmed"),
        OrderProgress.DECLINED: _("Payment declined"),
        OrderProgress.NOT_PAID: _("Not paid"),
        OrderProgress.TO_TRANSFER: _("To be paid by bank transfer"),
        OrderProgress.WITHDRAWN: _("Invoice cancelled"),
        OrderProgress.PAID: _("Paid in full"),
        OrderProgress.DISPUTED: _("Payment disputed"),
        OrderProgress.REFUNDED: _("Paid back"),
    }[progress]


def payment_words(state: PaymentState, decline_code: str = "") -> str:
    """Of one attempt; what was not confirmed is no decline."""
    if state == PaymentState.DECLINED and was_not_confirmed(decline_code):
        return _("Not confirmed")
    return {
        PaymentState.CREATED: _("Being requested"),
        PaymentState.ACTION_REQUIRED: _("Waiting for the payer"),
        PaymentState.PENDING: _("Waiting for the bank"),
        PaymentState.UNKNOWN: _("Result unknown"),
        PaymentState.SUCCEEDED: _("Paid"),
        PaymentState.DECLINED: _("Declined"),
    }[state]
