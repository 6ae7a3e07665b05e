"""VAT numbers of the EU, the United Kingdom, Switzerland and Norway: format and check digits, offline.

Whether a number is *registered* is the question of the official registers, asked later; a number that
passes here is `unchecked` until they answer.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from .errors import PortalError

LONGEST_TYPED = 40
SEPARATORS = re.compile(r"[\s.,:/_\-\u00ad\u2010-\u2015\u2212\u200b\u2060\ufeff]+")
WRITABLE = re.compile(r"[0-9A-Z+*]+")
FIRST_LETTERS = re.compile(r"[A-Z]{2}")
SWISS_ENDINGS = re.compile(r"(MWST|TVA|IVA|TPV|VAT)$")


class VatNumberFault(StrEnum):
    """Not shaped like one; a digit is wrong; of another country, or the country has none."""

    FORMAT = "format"
    CHECKSUM = "checksum"
    COUNTRY = "country"


class VatNumberInvalid(PortalError):
    """`text` is not a VAT number of `country`, for the `reason` named."""

    country: str
    text: str
    reason: VatNumberFault


@dataclass(frozen=True, slots=True)
class VatScheme:
    """How one country writes its numbers: `prefix`, what it calls them, and an example that checks."""

    prefix: str
    local_name: str
    example: str


SCHEMES: dict[str, VatScheme] = {
    "AT": VatScheme("AT", "UID-Nummer", "ATU13585627"),
    "BE": VatScheme("BE", "n° TVA / btw-nummer", "BE0428759497"),
    "BG": VatScheme("BG", "ДДС номер", "BG175074752"),
    "CY": VatScheme("CY", "ΦΠΑ", "CY10259033P"),
    "CZ": VatScheme("CZ", "DIČ", "CZ25123891"),
    "DE": VatScheme("DE", "USt-IdNr.", "DE136695976"),
    "DK": VatScheme("DK", "CVR-nummer", "DK13585628"),
    "EE": VatScheme("EE", "KMKR number", "EE100931558"),
    "ES": VatScheme("ES", "NIF-IVA", "ESA13585625"),
    "FI": VatScheme("FI", "ALV-numero", "FI20774740"),
    "FR": VatScheme("FR", "n° de TVA intracommunautaire", "FR40303265045"),
    "GR": VatScheme("EL", "ΑΦΜ", "EL094259216"),
    "HR": VatScheme("HR", "OIB", "HR33392005961"),
    "HU": VatScheme("HU", "közösségi adószám", "HU12892312"),
    "IE": VatScheme("IE", "VAT number", "IE6433435F"),
    "IT": VatScheme("IT", "partita IVA", "IT00743110157"),
    "LT": VatScheme("LT", "PVM mokėtojo kodas", "LT119511515"),
    "LU": VatScheme("LU", "n° TVA", "LU15027442"),
    "LV": VatScheme("LV", "PVN reģistrācijas numurs", "LV40003521600"),
    "MT": VatScheme("MT", "VAT number", "MT11679112"),
    "NL": VatScheme("NL", "btw-id", "NL004495445B01"),
    "PL": VatScheme("PL", "NIP", "PL8567346215"),
    "PT": VatScheme("PT", "NIF / NIPC", "PT501964843"),
    "RO": VatScheme("RO", "CIF", "RO18547290"),
    "SE": VatScheme("SE", "momsregistreringsnummer", "SE123456789701"),
    "SI": VatScheme("SI", "ID za DDV", "SI50223054"),
    "SK": VatScheme("SK", "IČ DPH", "SK2022749619"),
    "GB": VatScheme("GB", "VAT registration number", "GB980780684"),
    "CH": VatScheme("CHE", "n° TVA / MWST-Nr.", "CHE107787577"),
    "NO": VatScheme("NO", "MVA-nummer", "NO995525828MVA"),
}
SAME_NUMBERS_AS = {"MC": "FR", "IM": "GB"}
"""Monaco's businesses have French numbers and the Isle of Man's British ones."""


def takes_vat_number(country: str) -> bool:
    return _scheme_country(country) in SCHEMES


def vat_prefix(country: str) -> str:
    """The letters in front of the digits; empty where there is no VAT number. Greece writes EL."""
    scheme = SCHEMES.get(_scheme_country(country))
    return scheme.prefix if scheme else ""


def vat_label(country: str) -> str:
    """What the country itself calls the number, in its own language; empty where there is none."""
    scheme = SCHEMES.get(_scheme_country(country))
    return scheme.local_name if scheme else ""


def vat_example(country: str) -> str:
    """A number whose check digits hold, to show beside the field; empty where there is none."""
    scheme = SCHEMES.get(_scheme_country(country))
    return scheme.example if scheme else ""


def normalise(text: str) -> str:
    """Capitals without any separator; full-width letters and digits become plain ones."""
    return SEPARATORS.sub("", unicodedata.normalize("NFKC", text[: LONGEST_TYPED * 2])).upper()


def check_vat_number(country: str, text: str) -> str:
    """The number as it is stored and printed, with its prefix: `FR40303265045`, `EL094259216`.

    The prefix may be left out; Greece's may be GR; a British number may be XI (Northern Ireland) and
    stays so. A Swiss number loses its ending (MWST, TVA, IVA), a Norwegian one always has MVA.

    Raises VatNumberInvalid.
    """
    home = _scheme_country(country)
    if home not in SCHEMES:
        raise VatNumberInvalid(country=country, text=text, reason=VatNumberFault.COUNTRY)
    typed = normalise(text)
    if len(text) > LONGEST_TYPED or not WRITABLE.fullmatch(typed):
        raise VatNumberInvalid(country=country, text=text, reason=VatNumberFault.FORMAT)
    number, fault = _read(home, typed)
    if fault is None:
        return number
    if _country_of_prefix(typed) not in (None, home):
        fault = VatNumberFault.COUNTRY
    raise VatNumberInvalid(country=country, text=text, reason=fault)


def _scheme_country(country: str) -> str:
    return SAME_NUMBERS_AS.get(country, country)


def _country_of_prefix(typed: str) -> str | None:
    letters = FIRST_LETTERS.match(typed)
    if letters is None:
        return None
    prefix = {"EL": "GR", "XI": "GB"}.get(letters[0], letters[0])
    return prefix if prefix in SCHEMES else None


def _read(home: str, typed: str) -> tuple[str, VatNumberFault | None]:
    """The stored form and no fault, or the fault of the likeliest reading."""
    faults = []
    for prefix, rest in _readings(home, typed):
        try:
            return prefix + _validate(home, rest), None
        except _NotThisOne as error:
            faults.append(error.fault)
    return "", faults[0]


def _readings(home: str, typed: str) -> list[tuple[str, str]]:
    """Each (prefix to store, rest) that `typed` may mean, the likeliest first.

    Letters that look like the prefix may belong to the number itself (a French key has letters), so
    the whole is read too.
    """
    prefix = SCHEMES[home].prefix
    readings = []
    for spelling, stored in {"GR": {"GR": "EL"}, "GB": {"XI": "XI"}}.get(home, {}).items():
        if typed.startswith(spelling):
            readings.append((stored, typed.removeprefix(spelling)))
    if typed.startswith(prefix):
        readings.append((prefix, typed.removeprefix(prefix)))
    return [*readings, (prefix, typed)]


class _NotThisOne(Exception):
    def __init__(self, fault: VatNumberFault) -> None:
        super().__init__(fault)
        self.fault = fault


def _validate(home: str, digits: str) -> str:
    from stdnum.exceptions import InvalidChecksum, ValidationError

    try:
        return _validator(home)(digits)
    except InvalidChecksum as error:
        raise _NotThisOne(VatNumberFault.CHECKSUM) from error
    except ValidationError as error:
        raise _NotThisOne(VatNumberFault.FORMAT) from error


def _validator(home: str) -> Callable[[str], str]:
    """Takes the number without its prefix and gives it back without; raises stdnum's ValidationError."""
    if home == "CH":
        return _validate_swiss
    if home == "NO":
        return _validate_norwegian
    from stdnum.util import get_cc_module

    module = get_cc_module(home.lower(), "vat")
    assert module is not None, f"stdnum has no VAT numbers for {home}"
    prefix = SCHEMES[home].prefix
    return lambda digits: str(module.validate(digits)).removeprefix(prefix)


def _validate_swiss(digits: str) -> str:
    from stdnum.ch import uid

    return str(uid.validate("CHE" + SWISS_ENDINGS.sub("", digits))).removeprefix("CHE")


def _validate_norwegian(digits: str) -> str:
    from stdnum.no import orgnr

    return str(orgnr.validate(digits.removesuffix("MVA"))) + "MVA"
