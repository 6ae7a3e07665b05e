"""An order: its number and the quote that it holds."""

import secrets

from portal.domain.pricing import Quote
from portal.models import Order

ORDER_ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"


ORDER_NUMBER_LENGTH = 12


def freeze(order: Order, quote: Quote) -> None:
    order.kind = quote.kind
    order.currency = quote.total.currency
    order.quote = quote.facts
    order.quote_hash = quote.hash
    order.net_minor = quote.net.minor
    order.tax_minor = quote.tax_amount.minor
    order.total_minor = quote.total.minor


def new_order_number() -> str:
    return "".join(secrets.choice(ORDER_ALPHABET) for _ in range(ORDER_NUMBER_LENGTH))
