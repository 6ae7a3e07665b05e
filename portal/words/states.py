"""Names of states, as operators read them."""

from portal.domain.vocabulary import OrderState, PaymentState, SubscriptionState

from .i18n import gettext as _


def state_words(state: SubscriptionState) -> str:
    return {
        SubscriptionState.TRIAL: _("Trial"),
        SubscriptionState.FREE: _("Free"),
        SubscriptionState.PAID: _("Paid"),
        SubscriptionState.LATE: _("Late"),
        SubscriptionState.BLOCKED: _("Blocked"),
    }[state]


def order_words(state: OrderState) -> str:
    return {
        OrderState.OPEN: _("Not ordered yet"),
        OrderState.PLACED: _("Ordered"),
        OrderState.PAID: _("Paid"),
        OrderState.REFUNDED: _("Refunded"),
    }[state]


def payment_words(state: PaymentState) -> str:
    return {
        PaymentState.CREATED: _("Being asked"),
        PaymentState.ACTION_REQUIRED: _("Waits for the payer"),
        PaymentState.PENDING: _("Waits for the bank"),
        PaymentState.UNKNOWN: _("Result unknown"),
        PaymentState.SUCCEEDED: _("Paid"),
        PaymentState.DECLINED: _("Declined"),
    }[state]
