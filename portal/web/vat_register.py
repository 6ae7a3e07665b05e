"""What the official register said of a workspace's VAT number, in words."""

from portal.models import VatCheck, Workspace
from portal.runtime import current
from portal.services.billing import vat_checks
from portal.words import formatting
from portal.words.i18n import gettext as _


def register_words(workspace: Workspace, vat_number: str, answer: VatCheck | None) -> str:
    """Empty for no number, for one that the register of the EU does not keep, and where nobody asks it.

    `answer`: what it last said of the number.
    """
    if not vat_number or not vat_checks.is_in_register(vat_number):
        return ""
    if answer is None and current().settings.vies_url is None:
        return ""
    if answer is None:
        return _(
            "The register of the EU has not answered about %(number)s.",
            number=vat_number,
        )
    day = formatting.day(workspace.day(answer.answered_at))
    if not answer.is_valid:
        return _("On %(day)s the register of the EU did not know %(number)s.", day=day, number=vat_number)
    if answer.consultation_number:
        return _(
            "On %(day)s the register of the EU confirmed %(number)s (consultation number %(consultation)s).",
            day=day,
            number=vat_number,
            consultation=answer.consultation_number,
        )
    return _("On %(day)s the register of the EU confirmed %(number)s.", day=day, number=vat_number)
