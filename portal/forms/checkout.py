"""A line of the cart."""

from typing import Any

from portal.words.i18n import Choices
from portal.words.i18n import lazy_gettext as _l

from .base import ChoiceField, HiddenTextField, PortalForm, QuantityField


class CartLineForm(PortalForm):
    """What is wanted of one product. `shown` is the version of the line that was shown, empty for none.

    `currency` is that of the cart. `most` licences may be wanted; None: what is sold has no number.
    """

    shown = HiddenTextField(max_length=120)
    currency = HiddenTextField(max_length=3)
    plan = ChoiceField(_l("Plan"), required=_l("Choose an option from the list."))
    quantity = QuantityField(_l("Licences"))

    def __init__(
        self, *args: Any, product_code: str, choices: Choices, most: int | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, id_prefix=product_code, **kwargs)
        if self.plan.data not in dict(choices):
            # Nothing else is chosen for whoever does not look.
            self.plan.placeholder = _l("Choose a plan")
        self.plan.offer(choices)
        # Filled in from the start: no star has to say that they are required.
        self.plan.flags.required = self.quantity.flags.required = None
        if most is None:
            del self.quantity
        else:
            self.quantity.maximum = most
