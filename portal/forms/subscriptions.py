"""Switching automatic renewal on, adding a subscription, starting a trial."""

import re
from collections.abc import Sequence
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms.validators import StopValidation

from portal.domain.volume_price import MAX_LICENCES
from portal.words import formatting
from portal.words.i18n import Choices, Sentence
from portal.words.i18n import lazy_gettext as _l

from .base import HiddenTextField, PortalForm, QuantityField, RadioField

LONGEST_CODE = 60


class AutoRenewalForm(PortalForm):
    """`shown` identifies the next charge that was shown. Without `methods` there is nothing to choose."""

    shown = HiddenTextField(max_length=64)
    method = RadioField(_l("Pay with"), required=_l("Choose a payment method."))

    def __init__(self, *args: Any, methods: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if methods:
            self.method.offer(methods)
        else:
            del self.method


class LicencesField(QuantityField):
    """A number of licences. One that is right, but more than are sold here, has a sentence of its own.

    `are_sold`: not where they are only tried, of which nobody gives more.
    """

    are_sold = True

    def pre_validate(self, form: PortalForm) -> None:
        is_one = self.fault is None and len(self.raw_data or ()) == 1
        if self.are_sold and is_one and self.is_above_maximum:
            raise StopValidation(
                _l(
                    "At most %(most)s licences can be ordered here. Contact us if you need more.",
                    most=formatting.number(self.maximum),
                )
            )
        super().pre_validate(form)

    @property
    def is_above_maximum(self) -> bool:
        """Whatever was typed in digits; compared as text, since it may be long."""
        digits, most = self.typed.lstrip("0"), str(self.maximum)
        return bool(re.fullmatch("[0-9]+", digits)) and (len(digits), digits) > (len(most), most)


class AddingForm(PortalForm):
    """The choices of a subscription to be added, out of an address or out of the form that orders it.

    What depends on what was chosen before is offered its choices as the conversation goes on.
    """

    product = HiddenTextField(max_length=LONGEST_CODE, required=_l("Choose a product."))
    how = RadioField(_l("Buy or try"), required=_l("Choose whether to buy or to try."))
    plan = RadioField(_l("Plan"), required=_l("Choose a plan."))
    licences = LicencesField(
        _l("Number of licences"), maximum=MAX_LICENCES, required=_l("Enter how many licences you want.")
    )
    interval = RadioField(_l("Month or year"), required=_l("Choose how often to pay."))
    currency = HiddenTextField(max_length=3)

    def __init__(self, sent: MultiDict[str, str]) -> None:
        # Whatever is sent to be kept has a token of its own in the page.
        super().__init__(formdata=sent, meta={"csrf": False})


class LicenceChangeForm(PortalForm):
    """What licences that run are to become, out of an address or out of the form that confirms it.

    `shown` identifies what was shown of it. At most `most` licences; None: any number.
    """

    plan = RadioField(_l("Plan"), required=_l("Choose a plan."))
    licences = LicencesField(_l("Number of licences"), required=_l("Enter how many licences you want."))
    interval = RadioField(_l("Month or year"), required=_l("Choose how often to pay."))
    shown = HiddenTextField(max_length=64)

    def __init__(
        self,
        sent: MultiDict[str, str] | None,
        *,
        plans: Choices,
        intervals: Choices,
        most: int | None,
        **kwargs: Any,
    ) -> None:
        # What is confirmed has a token of its own in the page.
        super().__init__(formdata=sent, meta={"csrf": False}, **kwargs)
        self.plan.offer(plans)
        self.interval.offer(intervals)
        self.licences.maximum = MAX_LICENCES if most is None else most


class TrialForm(PortalForm):
    """One of `plans`, and 1 to `most` licences. Where there is one plan only, it need not be sent."""

    plan = RadioField(_l("Plan"), required=_l("Choose a plan."))
    licences = QuantityField(
        _l("Number of licences"), required=_l("Enter how many licences you want to try.")
    )

    def __init__(self, *args: Any, plans: Sequence[tuple[str, Sentence]], most: int, **kwargs: Any) -> None:
        only = plans[0][0] if len(plans) == 1 else ""
        super().__init__(*args, data={"plan": only, "licences": 1}, **kwargs)
        self.plan.offer(plans)
        self.licences.maximum = most
