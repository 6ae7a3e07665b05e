"""The number that a business outside the VAT systems we know is registered under, by its country's own name.

It is printed and changes no tax. Countries with VAT numbers (vat_numbers.py) ask for those instead.
"""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module

from . import vat_numbers
from .errors import PortalError

LONGEST = 40


class TaxNumberFault(StrEnum):
    """Not shaped like one; a digit is wrong."""

    FORMAT = "format"
    CHECKSUM = "checksum"


class TaxNumberInvalid(PortalError):
    """`text` is not a tax number of `country`, for the `reason` named."""

    country: str
    text: str
    reason: TaxNumberFault


@dataclass(frozen=True, slots=True)
class TaxNumberScheme:
    """What the country calls its number, in its own words; the module of stdnum; an example that checks."""

    local_name: str
    module: str
    example: str


SCHEMES: dict[str, TaxNumberScheme] = {
    "AD": TaxNumberScheme("NRT", "ad.nrt", "U-132950-X"),
    "AL": TaxNumberScheme("NIPT", "al.nipt", "J91402501L"),
    "AR": TaxNumberScheme("CUIT", "ar.cuit", "20-05536168-2"),
    "AU": TaxNumberScheme("ABN", "au.abn", "83 914 571 673"),
    "BR": TaxNumberScheme("CNPJ", "br.cnpj", "16.727.230/0001-97"),
    "BY": TaxNumberScheme("УНП", "by.unp", "200988541"),
    "CA": TaxNumberScheme("GST/HST", "ca.bn", "123026635RT0001"),
    "CL": TaxNumberScheme("RUT", "cl.rut", "76.086.428-5"),
    "CN": TaxNumberScheme("统一社会信用代码", "cn.uscc", "91110000600037341L"),
    "CO": TaxNumberScheme("NIT", "co.nit", "213.123.432-1"),
    "CR": TaxNumberScheme("Cédula jurídica", "cr.cpj", "3-101-999999"),
    "DO": TaxNumberScheme("RNC", "do.rnc", "1-01-85004-3"),
    "DZ": TaxNumberScheme("NIF", "dz.nif", "416001000000007"),
    "EC": TaxNumberScheme("RUC", "ec.ruc", "1792060346001"),
    "EG": TaxNumberScheme("الرقم الضريبي", "eg.tn", "100-531-385"),
    "FO": TaxNumberScheme("V-tal", "fo.vn", "623857"),
    "ID": TaxNumberScheme("NPWP", "id.npwp", "01.312.166.0-091.000"),
    "IL": TaxNumberScheme("ח.פ.", "il.hp", "516179157"),
    "IN": TaxNumberScheme("GSTIN", "in_.gstin", "27AAPFU0939F1ZV"),
    "IS": TaxNumberScheme("VSK-númer", "is_.vsk", "00621"),
    "JP": TaxNumberScheme("法人番号", "jp.cn", "5-8356-7825-6246"),
    "KE": TaxNumberScheme("KRA PIN", "ke.pin", "P051365947M"),
    "KR": TaxNumberScheme("사업자등록번호", "kr.brn", "116-82-00276"),
    "MA": TaxNumberScheme("ICE", "ma.ice", "001561191000066"),
    "MD": TaxNumberScheme("IDNO", "md.idno", "1008600038413"),
    "ME": TaxNumberScheme("PIB", "me.pib", "02655284"),
    "MK": TaxNumberScheme("ЕДБ", "mk.edb", "4020990116747"),
    "MX": TaxNumberScheme("RFC", "mx.rfc", "GODE 561231 GR8"),
    "NZ": TaxNumberScheme("IRD number", "nz.ird", "49-091-850"),
    "PE": TaxNumberScheme("RUC", "pe.ruc", "20512333797"),
    "PY": TaxNumberScheme("RUC", "py.ruc", "80028061-0"),
    "RS": TaxNumberScheme("ПИБ / PIB", "rs.pib", "101134702"),
    "RU": TaxNumberScheme("ИНН", "ru.inn", "7707083893"),
    "SG": TaxNumberScheme("UEN", "sg.uen", "00192200M"),
    "SM": TaxNumberScheme("COE", "sm.coe", "51"),
    "SN": TaxNumberScheme("NINEA", "sn.ninea", "3067221"),
    "TH": TaxNumberScheme("เลขประจำตัวผู้เสียภาษี", "th.tin", "0-99-4-000-61772-1"),
    "TN": TaxNumberScheme("Matricule fiscal", "tn.mf", "1234567/M/A/E/001"),
    "TR": TaxNumberScheme("VKN", "tr.vkn", "4540536920"),
    "TW": TaxNumberScheme("統一編號", "tw.ubn", "00501503"),
    "UA": TaxNumberScheme("ЄДРПОУ", "ua.edrpou", "32855961"),
    "US": TaxNumberScheme("EIN", "us.ein", "91-1144442"),
    "UY": TaxNumberScheme("RUT", "uy.rut", "21-100342-001-7"),
    "VE": TaxNumberScheme("RIF", "ve.rif", "V114702834"),
    "VN": TaxNumberScheme("Mã số thuế", "vn.mst", "0100233488"),
    "ZA": TaxNumberScheme("Tax reference number", "za.tin", "0001339050"),
}
NUMBERS_OF = {"PR": "US", "GU": "US", "VI": "US", "AS": "US", "MP": "US"}
"""Territories whose businesses have the numbers of another country."""


def takes_tax_number(country: str) -> bool:
    """Every country but those whose businesses have a VAT number."""
    return bool(country) and not vat_numbers.takes_vat_number(country)


def tax_number_label(country: str) -> str:
    """What the country itself calls the number; empty where we do not know."""
    scheme = _scheme(country)
    return scheme.local_name if scheme else ""


def tax_number_example(country: str) -> str:
    scheme = _scheme(country)
    return scheme.example if scheme else ""


def check_tax_number(country: str, text: str) -> str:
    """The number as it is stored and printed: written as the country writes it where we know how.

    Elsewhere any text, since nobody can judge it: on one line, LONGEST characters at most.

    Raises TaxNumberInvalid.
    """
    typed = " ".join(unicodedata.normalize("NFKC", text[: LONGEST * 4]).split())
    if len(text) > LONGEST or not any(character.isalnum() for character in typed):
        raise TaxNumberInvalid(country=country, text=text, reason=TaxNumberFault.FORMAT)
    scheme = _scheme(country)
    if scheme is None:
        return typed
    from stdnum.exceptions import InvalidChecksum, ValidationError

    module = import_module(f"stdnum.{scheme.module}")
    try:
        number = str(module.validate(typed.replace(" ", "")))
    except InvalidChecksum as error:
        raise TaxNumberInvalid(country=country, text=text, reason=TaxNumberFault.CHECKSUM) from error
    except ValidationError as error:
        raise TaxNumberInvalid(country=country, text=text, reason=TaxNumberFault.FORMAT) from error
    return str(module.format(number)) if hasattr(module, "format") else number


def _scheme(country: str) -> TaxNumberScheme | None:
    return SCHEMES.get(NUMBERS_OF.get(country, country))
