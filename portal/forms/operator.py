"""Forms of the vendor's staff."""

from portal.words.i18n import lazy_gettext as _l

from .base import ChoiceField, HiddenTextField, ParagraphField, PortalForm, QuantityField, TextField

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
