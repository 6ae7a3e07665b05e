"""Standard VAT rates of the 27 member states with the days they hold, and the territories that differ.

Read in November 2026 from the European Commission's TEDB (Taxes in Europe Database, "VAT rates in EU
Member States") and the national acts named in each row; every row that was valid on or after
1 January 2021 is here. A new rate is a new row and an end for the old one; no row is ever edited.
tests/domain/test_tax.py compares today's rows with the package eu_vat_rates_data.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from .errors import MissingVatRate

EU_MEMBER_STATES = frozenset(
    {
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
        "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
    }
)  # fmt: skip


class Territory(StrEnum):
    """A place whose VAT is not that of the member state it belongs to."""

    CANARY_ISLANDS = "canary_islands"
    CEUTA = "ceuta"
    MELILLA = "melilla"
    GUADELOUPE = "guadeloupe"
    MARTINIQUE = "martinique"
    REUNION = "reunion"
    FRENCH_GUIANA = "french_guiana"
    MAYOTTE = "mayotte"
    SAINT_MARTIN = "saint_martin"
    FRENCH_COLLECTIVITY = "french_collectivity"
    ALAND = "aland"
    HELIGOLAND = "heligoland"
    BUSINGEN = "busingen"
    LIVIGNO = "livigno"
    CAMPIONE = "campione"
    MOUNT_ATHOS = "mount_athos"
    GREENLAND = "greenland"
    MADEIRA = "madeira"
    AZORES = "azores"


class TerritoryRule(StrEnum):
    """What an electronically supplied service bears there. "Home" is a seller of the same member state.

    REGIONAL_RATE: inside the EU's VAT area, at a rate of its own, for every seller.
    HOME_REGIONAL_RATE: outside it; its state's VAT is due from home sellers, at a rate of its own.
    HOME_RATE: outside it; its state's VAT is due from home sellers, at the mainland's rate.
    NO_VAT: outside it, and its state asks for none.
    """

    REGIONAL_RATE = "regional_rate"
    HOME_REGIONAL_RATE = "home_regional_rate"
    HOME_RATE = "home_rate"
    NO_VAT = "no_vat"


TERRITORY_RULES: Mapping[Territory, TerritoryRule] = MappingProxyType(
    {
        # Directive 2006/112/EC art. 6(1)(b) and 6(2)(c), (d); Ley 37/1992 art. 3. IGIC and IPSI are not VAT.
        Territory.CANARY_ISLANDS: TerritoryRule.NO_VAT,
        Territory.CEUTA: TerritoryRule.NO_VAT,
        Territory.MELILLA: TerritoryRule.NO_VAT,
        # Art. 6(1)(c); code général des impôts art. 294, 296; not abroad for services (BOI-TVA-GEO-20-40).
        Territory.GUADELOUPE: TerritoryRule.HOME_REGIONAL_RATE,
        Territory.MARTINIQUE: TerritoryRule.HOME_REGIONAL_RATE,
        Territory.REUNION: TerritoryRule.HOME_REGIONAL_RATE,
        # Code général des impôts art. 294-1: VAT provisionally does not apply there.
        Territory.FRENCH_GUIANA: TerritoryRule.NO_VAT,
        Territory.MAYOTTE: TerritoryRule.NO_VAT,
        # Art. 6(1)(c); the collectivities (art. 74 of the constitution) levy their own taxes.
        Territory.SAINT_MARTIN: TerritoryRule.NO_VAT,
        Territory.FRENCH_COLLECTIVITY: TerritoryRule.NO_VAT,
        # Art. 6(1)(d). Finland's own VAT act reaches Åland wherever act 1266/1996 (§ 1) says nothing else.
        Territory.ALAND: TerritoryRule.HOME_RATE,
        # Art. 6(2)(a), (b); Umsatzsteuergesetz § 1(2): not inland.
        Territory.HELIGOLAND: TerritoryRule.NO_VAT,
        Territory.BUSINGEN: TerritoryRule.NO_VAT,
        # Art. 6(2)(e); art. 6(1)(f) since 2020 (Directive (EU) 2019/475); DPR 633/1972 art. 7.
        Territory.LIVIGNO: TerritoryRule.NO_VAT,
        Territory.CAMPIONE: TerritoryRule.NO_VAT,
        # Art. 6(1)(a).
        Territory.MOUNT_ATHOS: TerritoryRule.NO_VAT,
        # TFEU art. 204 and 355(2): not the Union; Danish post codes are in use.
        Territory.GREENLAND: TerritoryRule.NO_VAT,
        # Art. 105 (own rates); CIVA art. 18(3).
        Territory.MADEIRA: TerritoryRule.REGIONAL_RATE,
        Territory.AZORES: TerritoryRule.REGIONAL_RATE,
    }
)

# Country → leading digits of the post code → territory; the longest prefix wins.
# Not here, because the state's own rate holds for electronic services: Monaco and Corsica (FR), Jungholz
# and Mittelberg (AT; 19 % only for businesses seated there), the Greek islands (only for services
# physically carried out there), the British bases on Cyprus (CY, no post code of their own).
# Northern Ireland is in the EU's area for goods alone: for services it is GB, outside (protocol, art. 8).
_POSTCODES: Mapping[str, Mapping[str, Territory]] = MappingProxyType(
    {
        "ES": {
            "35": Territory.CANARY_ISLANDS,
            "38": Territory.CANARY_ISLANDS,
            "51": Territory.CEUTA,
            "52": Territory.MELILLA,
        },
        "FR": {
            "971": Territory.GUADELOUPE,
            "97133": Territory.FRENCH_COLLECTIVITY,  # Saint-Barthélemy.
            "97150": Territory.SAINT_MARTIN,
            "972": Territory.MARTINIQUE,
            "973": Territory.FRENCH_GUIANA,
            "974": Territory.REUNION,
            "975": Territory.FRENCH_COLLECTIVITY,  # Saint-Pierre-et-Miquelon.
            "976": Territory.MAYOTTE,
            "977": Territory.FRENCH_COLLECTIVITY,  # Saint-Barthélemy.
            "978": Territory.SAINT_MARTIN,
            "984": Territory.FRENCH_COLLECTIVITY,  # Southern and Antarctic lands.
            "986": Territory.FRENCH_COLLECTIVITY,  # Wallis and Futuna.
            "987": Territory.FRENCH_COLLECTIVITY,  # French Polynesia.
            "988": Territory.FRENCH_COLLECTIVITY,  # New Caledonia.
        },
        "FI": {"22": Territory.ALAND},
        "DE": {"27498": Territory.HELIGOLAND, "78266": Territory.BUSINGEN},
        "IT": {"23041": Territory.LIVIGNO, "22061": Territory.CAMPIONE},
        "GR": {"63086": Territory.MOUNT_ATHOS, "63087": Territory.MOUNT_ATHOS},
        "DK": {"39": Territory.GREENLAND},
        "PT": {
            **dict.fromkeys(("90", "91", "92", "93", "94"), Territory.MADEIRA),
            **dict.fromkeys(("95", "96", "97", "98", "99"), Territory.AZORES),
        },
    }
)

# Codes that stand for (a part of) another country: ISO codes of territories, the reserved IC and EA,
# and the codes that the EU's VAT system writes where ISO 3166 has another. Monaco: Directive art. 7.
_COUNTRY_CODES: Mapping[str, tuple[str, Territory | None]] = MappingProxyType(
    {
        "EL": ("GR", None),
        "MC": ("FR", None),
        "UK": ("GB", None),
        "XI": ("GB", None),
        "GP": ("FR", Territory.GUADELOUPE),
        "MQ": ("FR", Territory.MARTINIQUE),
        "RE": ("FR", Territory.REUNION),
        "GF": ("FR", Territory.FRENCH_GUIANA),
        "YT": ("FR", Territory.MAYOTTE),
        "MF": ("FR", Territory.SAINT_MARTIN),
        "AX": ("FI", Territory.ALAND),
        "IC": ("ES", Territory.CANARY_ISLANDS),
        "EA": ("ES", Territory.CEUTA),
    }
)


@dataclass(frozen=True, slots=True)
class TaxPlace:
    """A country as VAT sees it (Monaco is FR, Greece GR), and the special territory in it, if any."""

    country: str
    territory: Territory | None


@dataclass(frozen=True, slots=True)
class VatRate:
    """A standard rate in basis points (2000 = 20 %); on the day `valid_until` it holds no longer."""

    country: str
    rate_bp: int
    valid_from: date
    valid_until: date | None
    source: str
    territory: Territory | None = None

    def holds(self, on: date) -> bool:
        return self.valid_from <= on and (self.valid_until is None or on < self.valid_until)


def _rate(
    country: str, rate_bp: int, since: str, until: str | None, act: str, territory: Territory | None = None
) -> VatRate:
    return VatRate(
        country,
        rate_bp,
        date.fromisoformat(since),
        date.fromisoformat(until) if until else None,
        f"{act}; European Commission, TEDB",
        territory,
    )


VAT_RATES: tuple[VatRate, ...] = (
    _rate("AT", 2000, "1995-01-01", None, "Umsatzsteuergesetz 1994 § 10(1)"),
    _rate("BE", 2100, "1996-01-01", None, "Arrêté royal n° 20 du 20 juillet 1970, art. 1"),
    _rate("BG", 2000, "2007-01-01", None, "Zakon za danak varhu dobavenata stoynost, art. 66"),
    _rate("CY", 1900, "2014-01-13", None, "VAT Law 95(I)/2000, s. 17"),
    _rate("CZ", 2100, "2013-01-01", None, "Zákon 235/2004 Sb. § 47, as amended by 500/2012 Sb."),
    _rate("DE", 1900, "2021-01-01", None, "Umsatzsteuergesetz § 12(1), after the half-year at 16 % (§ 28)"),
    _rate("DK", 2500, "1992-01-01", None, "Momsloven § 33"),
    _rate("EE", 2000, "2009-07-01", "2024-01-01", "Käibemaksuseadus § 15(1)"),
    _rate("EE", 2200, "2024-01-01", "2025-07-01", "Käibemaksuseadus § 15(1), as amended in 2023"),
    _rate("EE", 2400, "2025-07-01", None, "Käibemaksuseadus § 15(1), as amended in 2024"),
    _rate("ES", 2100, "2012-09-01", None, "Ley 37/1992 art. 90, Real Decreto-ley 20/2012"),
    _rate("FI", 2400, "2013-01-01", "2024-09-01", "Arvonlisäverolaki 1501/1993 § 84"),
    _rate("FI", 2550, "2024-09-01", None, "Arvonlisäverolaki 1501/1993 § 84, as amended in 2024"),
    _rate("FR", 2000, "2014-01-01", None, "Code général des impôts art. 278"),
    _rate("GR", 2400, "2016-06-01", None, "Law 2859/2000 art. 21, Law 4389/2016"),
    _rate("HR", 2500, "2013-07-01", None, "Zakon o porezu na dodanu vrijednost (NN 73/13) art. 38"),
    _rate("HU", 2700, "2012-01-01", None, "2007. évi CXXVII. törvény § 82(1)"),
    _rate("IE", 2100, "2020-09-01", "2021-03-01", "VAT Consolidation Act 2010 s. 46, for six months"),
    _rate("IE", 2300, "2021-03-01", None, "VAT Consolidation Act 2010 s. 46(1)(a)"),
    _rate("IT", 2200, "2013-10-01", None, "DPR 633/1972 art. 16"),
    _rate("LT", 2100, "2009-09-01", None, "Pridėtinės vertės mokesčio įstatymas IX-751 art. 19"),
    _rate("LU", 1700, "2015-01-01", "2023-01-01", "Loi TVA du 12 février 1979, art. 39"),
    _rate("LU", 1600, "2023-01-01", "2024-01-01", "Loi du 26 octobre 2022, for the year 2023"),
    _rate("LU", 1700, "2024-01-01", None, "Loi TVA du 12 février 1979, art. 39"),
    _rate("LV", 2100, "2012-07-01", None, "Pievienotās vērtības nodokļa likums s. 41"),
    _rate("MT", 1800, "2004-01-01", None, "Value Added Tax Act (Cap. 406) art. 19"),
    _rate("NL", 2100, "2012-10-01", None, "Wet op de omzetbelasting 1968 art. 9(1)"),
    _rate("PL", 2300, "2011-01-01", None, "Ustawa o VAT of 11 March 2004, art. 146a and 146ef"),
    _rate("PT", 2300, "2011-01-01", None, "CIVA art. 18(1)(c), Lei 55-A/2010"),
    _rate("RO", 1900, "2017-01-01", "2025-08-01", "Codul fiscal (Legea 227/2015) art. 291(1)"),
    _rate("RO", 2100, "2025-08-01", None, "Codul fiscal art. 291(1), Legea 141/2025"),
    _rate(
        "SE", 2500, "1990-07-01", None, "Mervärdesskattelag 2023:200 ch. 9 s. 2 (before: 1994:200, 1968:430)"
    ),
    _rate("SI", 2200, "2013-07-01", None, "ZDDV-1 art. 41"),
    _rate("SK", 2000, "2011-01-01", "2025-01-01", "Zákon 222/2004 Z. z. § 27"),
    _rate("SK", 2300, "2025-01-01", None, "Zákon 222/2004 Z. z. § 27, as amended in 2024"),
    _rate("FR", 850, "2000-04-01", None, "Code général des impôts art. 296", Territory.GUADELOUPE),
    _rate("FR", 850, "2000-04-01", None, "Code général des impôts art. 296", Territory.MARTINIQUE),
    _rate("FR", 850, "2000-04-01", None, "Code général des impôts art. 296", Territory.REUNION),
    _rate("PT", 2200, "2012-04-01", None, "CIVA art. 18(3), Lei 14-A/2012", Territory.MADEIRA),
    _rate("PT", 1800, "2014-01-01", "2021-07-01", "CIVA art. 18(3)", Territory.AZORES),
    _rate("PT", 1600, "2021-07-01", None, "CIVA art. 18(3), as amended in 2021", Territory.AZORES),
)


def standard_rate(
    country: str, on: date, territory: Territory | None = None, *, rates: Iterable[VatRate] = VAT_RATES
) -> VatRate:
    """The rate of `country` (ISO 3166, GR for Greece) on the day `on`, or that of a `territory` with its own.

    Raises MissingVatRate, never answers 0: only places with a rate row have one.
    """
    for rate in rates:
        if rate.country == country and rate.territory == territory and rate.holds(on):
            return rate
    raise MissingVatRate(country=country, on=on)


def tax_place_of(country: str, postal_code: str | None) -> TaxPlace:
    """Where an address is for VAT. Spaces, dashes and a country letter in the post code do not matter.

    The post code is trusted to have the country's format: the form has seen to that.
    """
    if country in _COUNTRY_CODES:
        country, territory = _COUNTRY_CODES[country]
        if territory is not None:
            return TaxPlace(country, territory)
    digits = "".join(str(unicodedata.decimal(c)) for c in postal_code or "" if c.isdecimal())
    prefixes = _POSTCODES.get(country, {})
    found = max((prefix for prefix in prefixes if digits.startswith(prefix)), key=len, default=None)
    return TaxPlace(country, prefixes[found] if found else None)
