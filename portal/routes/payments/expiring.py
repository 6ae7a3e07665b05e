"""The banner about a card that expires while something is charged to it."""

from collections.abc import Sequence

from portal.models import PaymentMethod, Subscription
from portal.services.payments import expiring
from portal.services.subscriptions import charged_methods
from portal.web.banners import Banner
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import method_words


def banner(
    method: PaymentMethod,
    paid: Sequence[Subscription],
    methods: Sequence[PaymentMethod],
    action: tuple[str, str] | None = None,
) -> Banner:
    """What is charged to it, and to what afterwards: there is something to do only where nothing is left."""
    last = charged_methods.last_day_of(method)
    assert last is not None, "what expires has a day"
    title = _("%(method)s can be charged until %(date)s.", method=_name(method), date=formatting.day(last))
    products = ", ".join(translated(each.product.names) for each in paid)
    after = expiring.charged_after(paid, methods, last=last)
    if after.nothing_left:
        text = _("It pays for %(products)s. Add another payment method before then.", products=products)
    elif after.method is not None:
        text = _(
            "It pays for %(products)s. After that day %(method)s is charged instead.",
            products=products,
            method=_name(after.method),
        )
    else:
        text = _(
            "It pays for %(products)s. After that day the other saved payment methods are charged instead.",
            products=products,
        )
    return Banner(title, text, "expiring", action)


def _name(method: PaymentMethod) -> str:
    return method_words(method.kind, method.brand, method.last4)
