"""What each country calls the parts of an address, and the sentence that asks for each.


The keys are those of `portal.addresses.AddressRules`.
"""

from dataclasses import dataclass

from portal.words.i18n import Sentence
from portal.words.i18n import lazy_gettext as _l


@dataclass(frozen=True, slots=True)
class AddressWords:
    """A label of one country's address and the sentence that asks for it."""

    label: Sentence
    missing: Sentence


POSTAL_CODE_WORDS = {
    "postal": AddressWords(_l("Postal code"), _l("Enter your postal code.")),
    "postcode": AddressWords(_l("Postcode"), _l("Enter your postcode.")),
    "zip": AddressWords(_l("ZIP code"), _l("Enter your ZIP code.")),
    "eircode": AddressWords(_l("Eircode"), _l("Enter your Eircode.")),
    "pin": AddressWords(_l("PIN code"), _l("Enter your PIN code.")),
    "cap": AddressWords(_l("Postal code (CAP)"), _l("Enter your postal code.")),
    "cep": AddressWords(_l("Postal code (CEP)"), _l("Enter your postal code.")),
}
CITY_WORDS = {
    "city": AddressWords(_l("City"), _l("Enter your city.")),
    "post_town": AddressWords(_l("Town or city"), _l("Enter your town or city.")),
    "suburb": AddressWords(_l("Suburb or town"), _l("Enter your suburb or town.")),
    "district": AddressWords(_l("City or district"), _l("Enter your city or district.")),
}
REGION_WORDS = {
    "area": AddressWords(_l("Area"), _l("Choose your area.")),
    "county": AddressWords(_l("County"), _l("Choose your county.")),
    "departement": AddressWords(_l("Region / department"), _l("Choose your region or department.")),
    "department": AddressWords(_l("Department"), _l("Choose your department.")),
    "district": AddressWords(_l("District"), _l("Choose your district.")),
    "do_si": AddressWords(_l("Province or city"), _l("Choose your province or city.")),
    "emirate": AddressWords(_l("Emirate"), _l("Choose your emirate.")),
    "island": AddressWords(_l("Island"), _l("Choose your island.")),
    "oblast": AddressWords(_l("Region"), _l("Choose your region.")),
    "parish": AddressWords(_l("Parish"), _l("Choose your parish.")),
    "prefecture": AddressWords(_l("Prefecture"), _l("Choose your prefecture.")),
    "province": AddressWords(_l("Province or region"), _l("Choose your province or region.")),
    "state": AddressWords(_l("State"), _l("Choose your state.")),
}
TYPED_REGION_MISSING = _l("Enter your province, region or island.")
