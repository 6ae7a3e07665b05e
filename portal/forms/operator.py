"""Forms of the vendor's staff."""

from flask_babel import lazy_gettext as _l

from portal.forms.base import ChoiceField, PortalForm, QuantityField

LARGEST_STORAGE = 1_000_000
"""In either unit: more than a petabyte is a slip of the finger."""


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
