"""Forms of the sandbox's own pages."""

from portal.words.i18n import lazy_gettext as _l

from .base import CheckboxField, ChoiceField, EmailField, PortalForm, RadioField, TextField


class PayPalForm(PortalForm):
    """Signing in to the make-believe PayPal."""

    email = EmailField(_l("E-mail address"), required=_l("Enter the e-mail address of a PayPal account."))


class LicenceKeyForm(PortalForm):
    """A licence key typed or pasted into the make-believe product."""

    licence_key = TextField(_l("Licence key"), required=_l("Enter a licence key."))


class ComponentsForm(PortalForm):
    """What the page of components shows."""

    name = TextField(_l("Name"), required=_l("Enter your name."))
    email = EmailField(_l("E-mail"), required=_l("Enter an e-mail address."))
    amount = TextField(_l("Amount"))
    country = ChoiceField(
        _l("Country"), required=_l("Choose the country."), choices=[("FR", "France"), ("DE", _l("Germany"))]
    )
    company = CheckboxField(_l("I represent a company"))
    method = RadioField(
        _l("Payment method"),
        required=_l("Choose how to pay."),
        choices=[("card", _l("Card")), ("paypal", "PayPal")],
    )
