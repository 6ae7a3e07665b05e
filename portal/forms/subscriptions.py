"""Switching automatic renewal on, and starting a trial."""

from collections.abc import Sequence
from typing import Any

from portal.words.i18n import Choices, Sentence
from portal.words.i18n import lazy_gettext as _l

from .base import HiddenTextField, PortalForm, QuantityField, RadioField


class AutoRenewalForm(PortalForm):
    """`shown` identifies the next charge that was shown."""

    shown = HiddenTextField(max_length=64)
    method = RadioField(_l("Pay with"), required=_l("Choose a payment method."))

    def __init__(self, *args: Any, methods: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.method.offer(methods)


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
