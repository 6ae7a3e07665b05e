"""The vendor among the settings: what is printed on every document and decides its VAT.

Once somebody has paid, an invoice has to follow, so nothing here may turn out to be wrong by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from portal.domain.invoicing import ELECTRONIC_ADDRESS, electronic_address
from portal.domain.legal_numbers import (
    LegalNumberInvalid,
    check_legal_number,
    legal_number_example,
    legal_number_label,
    number_in_vat_number,
    siren_of,
)
from portal.domain.vat_numbers import VatNumberFault, VatNumberInvalid, check_vat_number, vat_example
from portal.domain.vat_rates import EU_MEMBER_STATES, tax_place_of

from .values import Reader, SettingsError, is_printed, shown

DEMO = {
    "PORTAL_SELLER_NAME": "Atelier Logiciel SAS",
    "PORTAL_SELLER_ADDRESS": "24 rue des Tanneurs\n69002 Lyon\nFrance",
    "PORTAL_SELLER_COUNTRY": "FR",
    "PORTAL_SELLER_VAT_NUMBER": "FR40303265045",
    "PORTAL_SELLER_IBAN": "FR7630006000011234567890189",
    "PORTAL_SELLER_BIC": "AGRIFRPP",
    "PORTAL_SELLER_TIME_ZONE": "Europe/Paris",
}
"""The make-believe seller of the sandbox."""
POST_CODE_AND_TOWN = ("69002", "Lyon")
"""Those of the make-believe seller."""
CURRENCIES = {"CZ": "CZK", "DK": "DKK", "HU": "HUF", "PL": "PLN", "RO": "RON", "SE": "SEK"}
"""Of the member states that have another one than the euro."""
NO_PLACES = ("localtime", "posixrules", "Factory")
"""Files beside the zones: whatever a machine was set up with, or nothing."""
WHERE_NUMBERS_BEGIN_OTHERWISE = {"EL": "GR"}
"""Greece in the EU's VAT system → in ISO 3166."""


@dataclass(frozen=True, slots=True)
class SellerSettings:
    """The vendor, as printed on every document. `zone` decides the date and the year of a document.

    `postal_code` and `city` are those of the address, "" where they are not told apart. `currency` is that of
    its books and its VAT. `legal_number` and `electronic_address` may be "".
    """

    name: str
    address: tuple[str, ...]
    country: str
    vat_number: str
    iban: str
    bic: str
    zone: ZoneInfo
    postal_code: str
    city: str
    legal_number: str
    electronic_address: str
    vat_on_debits: bool
    currency: str

    @property
    def facts(self) -> dict[str, Any]:
        """As an invoice keeps them."""
        return {
            "name": self.name,
            "address": list(self.address),
            "country": self.country,
            "vat_number": self.vat_number,
            "iban": self.iban,
            "bic": self.bic,
            "street": self._street(),
            "postal_code": self.postal_code,
            "city": self.city,
            "legal_number": self.legal_number or None,
            "electronic_address": self.electronic_address or None,
            "vat_on_debits": self.vat_on_debits,
            "currency": self.currency,
        }

    def _street(self) -> list[str]:
        """The lines above that with the town; all of them where that is not told apart."""
        at = next((at for at, line in enumerate(self.address) if self.city and self.city in line), None)
        return list(self.address if at is None else self.address[:at])

    @property
    def time_zone(self) -> str:
        """The zone's IANA name."""
        return self.zone.key


def read_seller(read: Reader, *, is_demo: bool) -> SellerSettings:
    """With real money every line must be set. Raises SettingsError."""
    for name in DEMO:
        if not is_demo and not read.environ.get(name, "").strip():
            raise SettingsError(f"{name} is missing: it is printed on every invoice.")
    name, country, vat, account, bank, place = (
        read.line(name, demo) for name, demo in DEMO.items() if name != "PORTAL_SELLER_ADDRESS"
    )
    address = read.lines("PORTAL_SELLER_ADDRESS", DEMO["PORTAL_SELLER_ADDRESS"])
    if not any(map(str.isalnum, "".join(address))):
        raise SettingsError(f"PORTAL_SELLER_ADDRESS must be an address, not {shown(chr(10).join(address))}.")
    own = (name, "\n".join(address), country, vat, account, bank, place)
    if own != tuple(DEMO.values()):
        # Those of the sandbox are right, as a test says; to judge them would load a catalogue at every start.
        name = printed("PORTAL_SELLER_NAME", name)
        country = country_of_seller("PORTAL_SELLER_COUNTRY", country)
        vat = vat_number("PORTAL_SELLER_VAT_NUMBER", vat, country=country)
        account, bank = iban("PORTAL_SELLER_IBAN", account), bic("PORTAL_SELLER_BIC", bank)
    postal_code, city = _post_code_and_town(read, address)
    number = _legal_number(read, country, vat, is_demo=own == tuple(DEMO.values()))
    return SellerSettings(
        name=name,
        address=address,
        country=country,
        vat_number=vat,
        iban=account,
        bic=bank,
        zone=zone("PORTAL_SELLER_TIME_ZONE", place),
        postal_code=postal_code,
        city=city,
        legal_number=number,
        electronic_address=_electronic_address(read, default=electronic_address(country, number)),
        vat_on_debits=read.one_of("PORTAL_SELLER_VAT_ON_DEBITS", "no", ("no", "yes")) == "yes",
        currency=currency("PORTAL_SELLER_CURRENCY", read, default=CURRENCIES.get(country, "EUR")),
    )


def _post_code_and_town(read: Reader, address: Sequence[str]) -> tuple[str, str]:
    """Two lines of the address told apart, for e-invoices; nothing where nobody has said which they are."""
    text = "\n".join(address)
    defaults = POST_CODE_AND_TOWN if text == DEMO["PORTAL_SELLER_ADDRESS"] else ("", "")
    found = []
    for name, default in zip(("PORTAL_SELLER_POSTAL_CODE", "PORTAL_SELLER_CITY"), defaults, strict=True):
        part = read.line(name, default)
        if part not in text:
            raise SettingsError(f"{name} is {shown(part)}, which does not stand in PORTAL_SELLER_ADDRESS.")
        found.append(part)
    return found[0], found[1]


def _legal_number(read: Reader, country: str, vat: str, *, is_demo: bool) -> str:
    """As it is printed; a French seller's SIREN is in its VAT number, unless it is told."""
    name = "PORTAL_SELLER_LEGAL_NUMBER"
    text = read.line(name, "")
    if not text:
        return vat[4:] if is_demo else number_in_vat_number(country, vat)
    try:
        number = check_legal_number(country, text)
    except LegalNumberInvalid:
        if not legal_number_label(country):
            return printed(name, text)
        raise SettingsError(
            f"{name} is {shown(text)}, which is not a number of {country} ({legal_number_label(country)}): "
            f"one looks like {legal_number_example(country)}, and its check digits agree."
        ) from None
    in_vat = number_in_vat_number(country, vat)
    if in_vat and siren_of(number) != in_vat:
        raise SettingsError(
            f"{name} is {shown(text)}, but PORTAL_SELLER_VAT_NUMBER is that of the SIREN {in_vat}."
        )
    return number


def _electronic_address(read: Reader, *, default: str) -> str:
    name = "PORTAL_SELLER_ELECTRONIC_ADDRESS"
    text = read.text(name, default)
    if text and not ELECTRONIC_ADDRESS.fullmatch(text):
        raise SettingsError(
            f"{name} must be the code of a scheme, a colon and the address, such as 0225:303265045, not "
            f"{shown(text)}."
        )
    return text


def currency(name: str, read: Reader, *, default: str) -> str:
    """ISO 4217, of those that are in use."""
    from babel.core import get_global

    text = read.text(name, default).upper()
    if text == default:
        return text
    in_use = {
        code
        for of_country in get_global("territory_currencies").values()
        for code, _start, end, is_tender in of_country
        if end is None and is_tender
    }
    if text not in in_use:
        raise SettingsError(f"{name} must be a currency in three letters, such as EUR, not {shown(text)}.")
    return text


def printed(name: str, text: str) -> str:
    if not is_printed(text) or not any(character.isalnum() for character in text):
        raise SettingsError(f"{name} must be a name that can be printed, not {shown(text)}.")
    return text


def country_of_seller(name: str, text: str) -> str:
    """ISO 3166; EL becomes GR. The seller sits on its country's mainland, Monaco's like a French one."""
    country = WHERE_NUMBERS_BEGIN_OTHERWISE.get(text.upper(), text.upper())
    place = tax_place_of(country, None)
    if place.country not in EU_MEMBER_STATES or place.territory is not None:
        raise SettingsError(
            f"{name} must be a country of the European Union in two letters, such as FR, not {shown(text)}: "
            "Portal knows the VAT rules of no other seller."
        )
    return country


def vat_number(name: str, text: str, *, country: str) -> str:
    """As it is printed, with its prefix."""
    try:
        return check_vat_number(country, text)
    except VatNumberInvalid as invalid:
        if invalid.reason == VatNumberFault.COUNTRY:
            raise SettingsError(
                f"{name} is {shown(text)}, a number from another country than PORTAL_SELLER_COUNTRY, "
                f"which is {country}."
            ) from None
        raise SettingsError(
            f"{name} is {shown(text)}, which is not a VAT number of {country}: "
            f"one looks like {vat_example(country)}, and its check digits agree."
        ) from None


def iban(name: str, text: str) -> str:
    """Without blanks. Check digits by ISO 13616."""
    from stdnum.exceptions import ValidationError
    from stdnum.iban import validate

    try:
        return str(validate(text))
    except ValidationError:
        raise SettingsError(
            f"{name} is {shown(text)}, which is not an IBAN: a letter or digit is wrong or missing."
        ) from None


def bic(name: str, text: str) -> str:
    """ISO 9362: bank, country, place, and a branch or none."""
    from babel.core import get_global
    from stdnum.bic import validate
    from stdnum.exceptions import ValidationError

    try:
        number = str(validate(text))
    except ValidationError:
        number = ""
    if number[4:6] not in get_global("territory_currencies"):
        raise SettingsError(
            f"{name} is {shown(text)}, which is not a BIC: 8 or 11 letters and digits, such as AGRIFRPP."
        )
    return number


def zone(name: str, text: str) -> ZoneInfo:
    """An IANA zone; not those that count leap seconds, whose midnight is another one."""
    try:
        if text not in NO_PLACES and not text.startswith(("right/", "posix/")):
            return ZoneInfo(text)
    except (ValueError, OSError, LookupError):
        pass
    raise SettingsError(f"{name} must be a time zone such as Europe/Paris, not {shown(text)}.")
