"""The number of a bank account that can be debited: ISO 13616, in the SEPA area."""

from enum import StrEnum

from stdnum import iban as standard
from stdnum.exceptions import ValidationError

from .errors import PortalError

SEPA_COUNTRIES = frozenset(
    """
    AD AL AT BE BG CH CY CZ DE DK EE ES FI FR GB GI GR HR HU IE IS IT LI LT LU LV MC MD ME MK MT NL NO PL PT
    RO RS SE SI SK SM VA
    """.split()  # noqa: SIM905
)
"""By the first two letters of their IBANs (EPC409-09)."""


class IbanFault(StrEnum):
    WRONG = "wrong"
    OUTSIDE_SEPA = "outside_sepa"


class IbanInvalid(PortalError):
    """It is no IBAN, or one that no SEPA debit reaches."""

    reason: IbanFault


def read_iban(text: str) -> str:
    """Capital letters and digits alone. Length by country, check digits, and area. Raises IbanInvalid."""
    number = "".join(sign for sign in text if not sign.isspace() and sign not in ".-").upper()
    try:
        number = str(standard.validate(number.removeprefix("IBAN").lstrip(":"), check_country=False))
    except ValidationError:
        raise IbanInvalid(reason=IbanFault.WRONG) from None
    if number[:2] not in SEPA_COUNTRIES:
        raise IbanInvalid(reason=IbanFault.OUTSIDE_SEPA)
    return number
