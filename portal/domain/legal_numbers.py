"""The number under which a country registers a business, by its own name, and the legal forms it knows.

Beside the VAT number (vat_numbers.py), not instead of it: e-invoices name seller and buyer by it, in France
as its SIREN (nine digits; with the establishment's five more it is a SIRET).
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module

from .errors import PortalError

LONGEST = 40
SIREN_DIGITS, SIRET_DIGITS = 9, 14


class LegalNumberFault(StrEnum):
    """Not shaped like one; a digit is wrong; the country has none that we know."""

    FORMAT = "format"
    CHECKSUM = "checksum"
    COUNTRY = "country"


class LegalNumberInvalid(PortalError):
    """`text` is not a legal number of `country`, for the `reason` named."""

    country: str
    text: str
    reason: LegalNumberFault


@dataclass(frozen=True, slots=True)
class LegalScheme:
    """What the country calls its number, in its own words, and an example that checks.

    `modules` of stdnum of which one must agree; `icd` is the scheme's code in ISO 6523, "" where there is
    none; `statuses` are the legal forms in the country's own words, the most usual first.
    """

    local_name: str
    modules: tuple[str, ...]
    example: str
    icd: str
    statuses: tuple[str, ...]


SCHEMES: dict[str, LegalScheme] = {
    "AT": LegalScheme(
        "Firmenbuchnummer", ("at.businessid",), "122119m", "", ("GmbH", "AG", "KG", "OG", "e.U.", "Verein")
    ),
    "BE": LegalScheme(
        "n° d’entreprise / ondernemingsnummer",
        ("be.vat",),
        "0428759497",
        "0208",
        ("SRL / BV", "SA / NV", "SC / CV", "ASBL / VZW", "SNC / VOF", "SComm / CommV"),
    ),
    "CH": LegalScheme(
        "IDE / UID",
        ("ch.uid",),
        "CHE-100.155.212",
        "0183",
        ("SA / AG", "Sàrl / GmbH", "Association / Verein", "RI / Einzelfirma"),
    ),
    "DK": LegalScheme(
        "CVR-nummer",
        ("dk.cvr",),
        "13585628",
        "0184",
        ("ApS", "A/S", "I/S", "Enkeltmandsvirksomhed", "Forening"),
    ),
    "EE": LegalScheme(
        "registrikood",
        ("ee.registrikood",),
        "12345678",
        "0191",
        (
            "OÜ",
            "AS",
            "FIE",
            "MTÜ",
        ),
    ),
    "ES": LegalScheme(
        "NIF",
        ("es.nif",),
        "B58378431",
        "",
        ("S.L.", "S.A.", "S.L.U.", "Autónomo", "Asociación", "Cooperativa"),
    ),
    "FI": LegalScheme(
        "Y-tunnus", ("fi.ytunnus",), "2077474-0", "0212", ("Oy", "Oyj", "Ky", "Ay", "Tmi", "ry")
    ),
    "FR": LegalScheme(
        "SIREN / SIRET",
        ("fr.siren", "fr.siret"),
        "732 829 320",
        "0002",
        (
            "SAS",
            "SASU",
            "SARL",
            "EURL",
            "SA",
            "EI",
            "Micro-entreprise",
            "SCI",
            "Association",
            "Établissement public",
        ),
    ),
    "IT": LegalScheme(
        "codice fiscale",
        ("it.iva", "it.codicefiscale"),
        "00743110157",
        "0210",
        ("S.r.l.", "S.p.A.", "S.r.l.s.", "S.a.s.", "S.n.c.", "Ditta individuale", "Associazione"),
    ),
    "NO": LegalScheme(
        "organisasjonsnummer", ("no.orgnr",), "988 077 917", "0192", ("AS", "ASA", "ENK", "ANS", "Forening")
    ),
    "PL": LegalScheme(
        "REGON", ("pl.regon",), "192598184", "", ("Sp. z o.o.", "S.A.", "Sp. k.", "Sp. j.", "JDG", "Fundacja")
    ),
    "PT": LegalScheme(
        "NIPC", ("pt.nif",), "501964843", "", ("Lda.", "S.A.", "Unipessoal Lda.", "ENI", "Associação")
    ),
    "RO": LegalScheme(
        "CUI",
        ("ro.cui",),
        "18547290",
        "",
        (
            "SRL",
            "SA",
            "PFA",
            "II",
            "Asociație",
        ),
    ),
    "SE": LegalScheme(
        "organisationsnummer",
        ("se.orgnr",),
        "123456-7897",
        "0007",
        ("AB", "HB", "KB", "Enskild firma", "Ideell förening"),
    ),
}
"""Countries whose number stdnum can check; elsewhere the VAT or tax number says who a business is."""
NUMBERS_OF = {
    **dict.fromkeys(("GP", "MQ", "GF", "RE", "YT", "PM", "BL", "MF", "WF", "PF", "NC"), "FR"),
    "AX": "FI",
    "SJ": "NO",
}
"""Where businesses stand in another country's register."""


def takes_legal_number(country: str) -> bool:
    return _scheme(country) is not None


def legal_number_label(country: str) -> str:
    """What the country itself calls it; empty where there is none."""
    scheme = _scheme(country)
    return scheme.local_name if scheme else ""


def legal_number_name(country: str, number: str) -> str:
    """What one such number is called beside itself: SIREN or SIRET in France, by its digits."""
    if is_french(country):
        return "SIRET" if len(number) == SIRET_DIGITS else "SIREN"
    return legal_number_label(country)


def legal_number_example(country: str) -> str:
    scheme = _scheme(country)
    return scheme.example if scheme else ""


def legal_statuses(country: str) -> Sequence[str]:
    """The legal forms of the country in its own words; none where nobody asks for one."""
    scheme = _scheme(country)
    return scheme.statuses if scheme else ()


def register_of(country: str) -> str:
    """The register's code in ISO 6523, as e-invoices say it: 0002 is that of SIREN. Empty: it has none."""
    scheme = _scheme(country)
    return scheme.icd if scheme else ""


def check_legal_number(country: str, text: str) -> str:
    """The number as it is stored and printed, without blanks. Raises LegalNumberInvalid."""
    scheme = _scheme(country)
    if scheme is None:
        raise LegalNumberInvalid(country=country, text=text, reason=LegalNumberFault.COUNTRY)
    from stdnum.exceptions import InvalidChecksum, ValidationError

    typed = "".join(unicodedata.normalize("NFKC", text[:LONGEST]).split())
    fault = LegalNumberFault.FORMAT
    if len(text) <= LONGEST:
        for name in scheme.modules:
            module = import_module(f"stdnum.{name}")
            try:
                return str(module.validate(typed))
            except InvalidChecksum:
                fault = LegalNumberFault.CHECKSUM
            except ValidationError:
                continue
    raise LegalNumberInvalid(country=country, text=text, reason=fault)


def is_french(country: str) -> bool:
    """Whether its businesses have a SIREN."""
    return NUMBERS_OF.get(country, country) == "FR"


def siren_of(legal_number: str) -> str:
    """The SIREN that a SIREN or SIRET begins with; empty for neither."""
    is_one = legal_number.isdigit() and len(legal_number) in (SIREN_DIGITS, SIRET_DIGITS)
    return legal_number[:SIREN_DIGITS] if is_one else ""


def number_in_vat_number(country: str, vat_number: str) -> str:
    """The SIREN that a French VAT number ends with, where its check digit holds; "" in any other case."""
    siren = vat_number[-SIREN_DIGITS:]
    if not (is_french(country) and vat_number.startswith("FR") and siren.isdigit()):
        return ""
    try:
        number = check_legal_number(country, siren)
    except LegalNumberInvalid:
        return ""
    return number if len(number) == SIREN_DIGITS else ""


def _scheme(country: str) -> LegalScheme | None:
    return SCHEMES.get(NUMBERS_OF.get(country, country))
