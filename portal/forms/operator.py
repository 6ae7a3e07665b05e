"""Forms of the vendor's staff."""

from portal.words.i18n import lazy_gettext as _l

from .base import ChoiceField, HiddenTextField, PortalForm, QuantityField

LARGEST_STORAGE = 1_000_000
"""In either unit: more than a petabyte is a slip of the finger."""
MOST_TRIAL_DAYS = 90


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
