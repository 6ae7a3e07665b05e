"""Forms of the vendor's staff."""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from wtforms.validators import ValidationError

from portal.domain.exchange_rates import read_rate
from portal.words.formatting import currency_label
from portal.words.i18n import Choices, Sentence
from portal.words.i18n import lazy_gettext as _l

from .base import (
    AmountField,
    ChoiceField,
    EmailField,
    HiddenTextField,
    ParagraphField,
    PortalForm,
    PrintedTextField,
    QuantityField,
    TextField,
)
from .public import is_website

LARGEST_STORAGE = 1_000_000
"""In either unit: more than a petabyte is a slip of the finger."""
MOST_TRIAL_DAYS = 90
OLDEST_RATE = timedelta(days=366)
PHONE = re.compile(r"[+(]?[0-9][0-9 ().+/-]{3,38}")


class UsedStorageForm(PortalForm):
    """A whole number and its unit."""

    amount = QuantityField(
        _l("Storage used"), minimum=0, maximum=LARGEST_STORAGE, required=_l("Enter how much is used.")
    )
    unit = ChoiceField(
        _l("Unit"),
        required=_l("Choose the unit."),
        choices=[("MB", _l("megabytes (MB)")), ("GB", _l("gigabytes (GB)"))],
    )


class ExtendTrialForm(PortalForm):
    """`due_on` is the day that was shown as the end of the trial."""

    days = QuantityField(
        _l("Days"), minimum=1, maximum=MOST_TRIAL_DAYS, required=_l("Enter the number of days.")
    )
    due_on = HiddenTextField()


class CorporateForm(PortalForm):
    """Who sells to a corporate workspace. With all of it empty the workspace buys on its own pages."""

    adviser_name = TextField(_l("Adviser"), description=_l("Name, as the pages show it."))
    adviser_email = EmailField(_l("E-mail address of the adviser"))
    corporate_portal_url = TextField(
        _l("Address of their portal"),
        max_length=500,
        description=_l("An address that begins with https://."),
        render_kw={"inputmode": "url", "autocomplete": "off", "spellcheck": "false"},
    )
    account_service_email = EmailField(_l("E-mail address of the account service"))
    account_service_phone = TextField(
        _l("Telephone number of the account service"),
        max_length=40,
        render_kw={"inputmode": "tel", "autocomplete": "off"},
    )

    def validate_corporate_portal_url(self, field: TextField) -> None:
        if not field.data:
            return
        if not field.data.startswith("https://") or not is_website(field.data):
            raise ValidationError(_l("Enter an address that begins with https://, like https://example.org."))

    def validate_account_service_phone(self, field: TextField) -> None:
        if field.data and not PHONE.fullmatch(field.data):
            raise ValidationError(_l("Enter a telephone number, like +33 1 23 45 67 89."))


def printed_reason(hint: Sentence) -> TextField:
    """What the customer reads of a credit."""
    return PrintedTextField(
        _l("Reason"),
        required=_l("Say why: the customer reads it."),
        description=hint,
        render_kw={"autocomplete": "off"},
    )


class CreditForm(PortalForm):
    """`currencies`: those to choose from. `key` is empty until the credit is shown to be confirmed."""

    amount = AmountField(
        _l("Amount"), required=_l("Enter the amount."), currency_of=lambda form: form.chosen_currency
    )
    currency = ChoiceField(_l("Currency"), required=_l("Choose the currency."))
    reason = printed_reason(
        _l(
            "The customer reads it word for word, in their history, statement and e-mail. Write it in "
            "their language."
        )
    )
    key = HiddenTextField(max_length=40)

    def __init__(self, *args: Any, currencies: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.currency.offer([(code, currency_label(code)) for code in currencies])

    @property
    def chosen_currency(self) -> str:
        """The first of the list in place of what is not in it, which is refused beside its own field."""
        offered = self.currency.offered
        return self.currency.data if self.currency.data in offered else offered[0]


class TakeCreditBackForm(PortalForm):
    """`shown`: how much the page said, in minor units."""

    reason = printed_reason(_l("The customer reads it word for word. Write it in their language."))
    shown = HiddenTextField(max_length=40)
    key = HiddenTextField(max_length=40)


class AcceptForm(PortalForm):
    slug = TextField(
        _l("Address of the workspace"),
        required=_l("Enter the workspace that will get the plan."),
        max_length=60,
        description=_l("The part after /w/ in its address."),
        render_kw={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"},
    )


class RefuseForm(PortalForm):
    reason = ParagraphField(
        _l("Reason"),
        required=_l("Say why the request is refused."),
        description=_l("The e-mail to the organisation quotes it word for word."),
        render_kw={"rows": 4},
    )


class ExchangeRateForm(PortalForm):
    """A day, a currency, what one unit of the seller's is worth in it, and who says so.

    `millionths` and `on` are what was typed, once it is valid.
    """

    currency = ChoiceField(_l("Currency"), required=_l("Choose the currency."))
    rate_on = TextField(
        _l("Day"),
        required=_l("Enter the day that the rate is of."),
        render_kw={"type": "date", "autocomplete": "off"},
    )
    rate = TextField(
        _l("Rate"),
        required=_l("Enter the rate."),
        max_length=20,
        render_kw={"inputmode": "decimal", "autocomplete": "off"},
    )
    source = PrintedTextField(
        _l("Source"),
        required=_l("Enter who publishes the rate."),
        description=_l("Printed on the invoices that use the rate."),
        render_kw={"autocomplete": "off"},
    )
    millionths: int = 0
    on: date = date.min

    def __init__(self, *args: Any, currencies: Choices, today: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        self.currency.offer(currencies)

    def validate_rate_on(self, field: TextField) -> None:
        try:
            self.on = date.fromisoformat(field.data)
        except ValueError:
            raise ValidationError(_l("Enter a day as year, month and day, like 2026-11-21.")) from None
        if self.on > self.today:
            raise ValidationError(_l("Enter today or a day before it."))
        if self.on < self.today - OLDEST_RATE:
            raise ValidationError(_l("Enter a day of the last twelve months."))

    def validate_rate(self, field: TextField) -> None:
        millionths = read_rate(field.data)
        if millionths is None:
            raise ValidationError(_l("Enter a rate above zero with up to six decimals, like 1.1612."))
        self.millionths = millionths
