"""Switching automatic renewal on."""

from typing import Any

from portal.words.i18n import Choices
from portal.words.i18n import lazy_gettext as _l

from .base import HiddenTextField, PortalForm, RadioField


class AutoRenewalForm(PortalForm):
    """`shown` identifies the next charge that was shown."""

    shown = HiddenTextField(max_length=64)
    method = RadioField(_l("Pay with"), required=_l("Choose a payment method."))

    def __init__(self, *args: Any, methods: Choices, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.method.offer(methods)
