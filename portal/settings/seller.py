"""The vendor among the settings: what is printed on every document and decides its VAT.

Once somebody has paid, an invoice has to follow, so nothing here may turn out to be wrong by then.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

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
NO_PLACES = ("localtime", "posixrules", "Factory")
"""Files beside the zones: whatever a machine was set up with, or nothing."""
WHERE_NUMBERS_BEGIN_OTHERWISE = {"EL": "GR"}
"""Greece in the EU's VAT system → in ISO 3166."""


@dataclass(frozen=True, slots=True)
class SellerSettings:
    """The vendor, as printed on every document. `zone` decides the date and the year of a document."""

    name: str
    address: tuple[str, ...]
    country: str
    vat_number: str
    iban: str
    bic: str
    zone: ZoneInfo

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
    if (name, "\n".join(address), country, vat, account, bank, place) == tuple(DEMO.values()):
        # Right, as a test says; judging it would load a catalogue of numbers at every start.
        return SellerSettings(
            name, address, country, vat, account, bank, zone("PORTAL_SELLER_TIME_ZONE", place)
        )
    country = country_of_seller("PORTAL_SELLER_COUNTRY", country)
    return SellerSettings(
        name=printed("PORTAL_SELLER_NAME", name),
        address=address,
        country=country,
        vat_number=vat_number("PORTAL_SELLER_VAT_NUMBER", vat, country=country),
        iban=iban("PORTAL_SELLER_IBAN", account),
        bic=bic("PORTAL_SELLER_BIC", bank),
        zone=zone("PORTAL_SELLER_TIME_ZONE", place),
    )


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
