"""Reading the vendor's TOML: one sentence for every fault, with its file, line and key.

A `TableReader` never raises. What it cannot read it reports and replaces by a placeholder of the right
type, so that one reading finds every fault at once; `parse_catalogue` throws the placeholders away.
"""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import Final, TypeGuard, TypeVar

from .faults import FaultList, shown
from .toml_lines import Path

Word = TypeVar("Word", bound=StrEnum)

LANGUAGES: Final = ("en", "fr")
MAX_CODE_LENGTH: Final = 60
MAX_NAME_LENGTH: Final = 100
MAX_LINK_LENGTH: Final = 500
MAX_AMOUNT_MINOR: Final = 10**12
_MOST_HINTS: Final = 16

# ISO 4217: the currencies that are legal tender in 2026; funds, metals and test codes left out.
_CURRENCY_CODES: Final = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF "
    "CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD "
    "HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL "
    "LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP "
    "PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SYP SZL THB TJS TMT TND "
    "TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"
)
CURRENCIES: Final = frozenset(_CURRENCY_CODES.split())

_CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LINK = re.compile(
    r"https://[a-z0-9.-]+(:\d+)?(/[!#-;=?-Z\[\]_a-z~]*)?|mailto:[\w.+-]+@[a-z0-9.-]+", re.ASCII
)
_MISSING: Final = object()


def _nearest(wanted: str, known: list[str]) -> str | None:
    return next(iter(get_close_matches(wanted.lower()[:MAX_CODE_LENGTH], known, n=1)), None)


def _hint(wanted: str, known: list[str]) -> str:
    nearest = _nearest(wanted, known)
    if nearest:
        return f"Did you mean {shown(nearest)}?"
    more = f" and {len(known) - _MOST_HINTS} more" if len(known) > _MOST_HINTS else ""
    return f"Known here: {', '.join(known[:_MOST_HINTS])}{more}."


class TableReader:
    """One table being read. Every key asked for is known; `finish` reports the others."""

    def __init__(self, faults: FaultList, path: Path, table: Mapping[str, object]) -> None:
        self.faults = faults
        self.path = path
        self._table = table
        self._known: list[str] = []
        self._missing: set[str] = set()

    def fault(self, key: str, sentence: str) -> None:
        self.faults.add((*self.path, key), sentence)

    def line(self, key: str) -> int:
        return self.faults.line((*self.path, key))

    def has(self, key: str) -> bool:
        return key in self._table

    def sound(self, *keys: str) -> bool:
        """Whether these keys were read without a fault, so that a rule about them says something true."""
        return not any(self.faults.is_tainted((*self.path, key)) for key in keys)

    def finish(self) -> None:
        for key in self._table:
            if key not in self._known:
                self.fault(key, f"There is no key {shown(key)} in this table. {_hint(key, self._known)}")
                # A misspelt key is one mistake: neither a missing key nor a broken rule besides.
                if meant := _nearest(key, self._known):
                    self._missing.discard(meant)
                    self.faults.taint((*self.path, meant))
        for key in self._known:
            if key in self._missing:
                self.fault(key, f"The key {shown(key)} is missing from this table.")

    def ignore(self, *keys: str) -> None:
        """Know these keys without reading them."""
        self._known.extend(keys)

    def refuse(self, key: str, *, because: str) -> None:
        self.ignore(key)
        if self.has(key):
            self.fault(key, because)

    def flag(self, key: str) -> bool:
        value = self._take(key, default=False)
        if isinstance(value, bool):
            return value
        self.fault(key, f"Write true or false, without quotes, in place of {shown(value)}.")
        return False

    def integer(self, key: str, *, low: int, high: int, default: int | None = None) -> int:
        """A whole number, both bounds included; required unless there is a default."""
        value = self._take(key, default=_MISSING if default is None else default)
        if value is not _MISSING and not _is_integer_between(value, low, high):
            self.fault(key, f"Write a whole number from {low} to {high}, in place of {shown(value)}.")
        return value if _is_integer_between(value, low, high) else low

    def optional_integer(self, key: str, *, low: int, high: int) -> int | None:
        if self.has(key):
            return self.integer(key, low=low, high=high)
        self.ignore(key)
        return None

    def limit(self, key: str, *, high: int) -> int | None:
        """A required whole number from 1, or the word "unlimited", which is None."""
        value = self._take(key)
        if value is _MISSING or value == "unlimited":
            return None
        if _is_integer_between(value, 1, high):
            return value
        self.fault(key, f'Write a whole number from 1 to {high}, or "unlimited", in place of {shown(value)}.')
        return None

    def amount_minor(self, key: str) -> int:
        """A required amount above zero, in minor units."""
        value = self._take(key)
        if _is_integer_between(value, 1, MAX_AMOUNT_MINOR):
            return value
        if value is _MISSING:
            pass
        elif value == 0 and isinstance(value, int) and not isinstance(value, bool):
            self.fault(key, "A price is above zero; a plan that costs nothing has free = true and no price.")
        elif isinstance(value, int) and not isinstance(value, bool):
            self.fault(key, f"An amount is from 1 to {MAX_AMOUNT_MINOR} minor units; this is {shown(value)}.")
        else:
            self.fault(
                key,
                "Write the amount as a whole number of minor units, without quotes or point "
                f"(18.00 is 1800), in place of {shown(value)}.",
            )
        return 1

    def day(self, key: str) -> date | None:
        value = self._take(key, default=None)
        if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
            return value
        self.fault(
            key, f"Write a day such as 2027-01-31, without quotes or time, in place of {shown(value)}."
        )
        return None

    def code(self, key: str) -> str:
        value = self._take(key)
        if isinstance(value, str) and len(value) <= MAX_CODE_LENGTH and _CODE.fullmatch(value):
            return value
        if value is not _MISSING:
            self.fault(
                key,
                "A code is made of small letters, digits and single hyphens, begins with a letter and has at "
                f'most {MAX_CODE_LENGTH} characters, such as "business-5"; this is {shown(value)}.',
            )
        return ""

    def link(self, key: str) -> str:
        value = self._take(key)
        if isinstance(value, str) and len(value) <= MAX_LINK_LENGTH and _LINK.fullmatch(value):
            return value
        if value is not _MISSING:
            self.fault(
                key, f"Write an address that begins with https:// or mailto:, in place of {shown(value)}."
            )
        return ""

    def optional_link(self, key: str) -> str:
        """Empty where the file does not name it."""
        if self.has(key):
            return self.link(key)
        self.ignore(key)
        return ""

    def currency(self, key: str) -> str:
        value = self._take(key)
        if isinstance(value, str) and value in CURRENCIES:
            return value
        if value is not _MISSING:
            small = isinstance(value, str) and value.upper() in CURRENCIES
            hint = ' in capital letters, such as "EUR"' if small else ', such as "EUR" or "USD"'
            self.fault(key, f"Write an ISO 4217 currency code{hint}, in place of {shown(value)}.")
        return ""

    def word(self, key: str, words: type[Word], *, default: Word | None = None) -> Word:
        value = self._take(key, default=_MISSING if default is None else default)
        return next(iter(words)) if value is _MISSING else self._as_word((key,), value, words)

    def words(self, key: str, words: type[Word]) -> tuple[Word, ...]:
        """A list without repetition, in the order of the vocabulary."""
        value = self._take(key, default=[])
        if not isinstance(value, list):
            self.fault(key, f"Write a list of words in square brackets, in place of {shown(value)}.")
            return ()
        found: set[Word] = set()
        for index, item in enumerate(value):
            word = self._as_word((key, index), item, words)
            if word in found and not self.faults.is_tainted((*self.path, key, index)):
                self.faults.add((*self.path, key, index), f"{shown(item)} is already in this list.")
            found.add(word)
        return tuple(word for word in words if word in found)

    def names(self, key: str) -> Mapping[str, str]:
        """A name in each of the languages."""
        table = self.table(key)
        names = {language: table._name(language) for language in LANGUAGES}
        table.finish()
        return names

    def flag_or_text(self, key: str) -> bool | Mapping[str, str]:
        """A required yes or no, or a text in each of the languages."""
        if isinstance(self._table.get(key), dict):
            return self.names(key)
        value = self._take(key)
        if value is not _MISSING and not isinstance(value, bool):
            self.fault(
                key,
                'Write true, false or a text in both languages, such as { en = "Monthly", fr = "Mensuel" }, '
                f"in place of {shown(value)}.",
            )
        return value is True

    def table(self, key: str) -> "TableReader":
        value = self._take(key)
        if value is not _MISSING and not isinstance(value, dict):
            self.fault(key, f"Write a table of keys and values, in place of {shown(value)}.")
        if isinstance(value, dict):
            return TableReader(self.faults, (*self.path, key), value)
        # One fault is enough for a table that is not there: those of its keys go nowhere.
        return TableReader(FaultList("", {}), (), {})

    def tables(self, key: str, *, required: bool) -> list["TableReader"]:
        value = self._take(key, default=_MISSING if required else [])
        if value is _MISSING:
            return []
        if not isinstance(value, list) or (required and not value):
            self.fault(
                key,
                f"Write one or more tables here, in place of {'nothing' if value == [] else shown(value)}.",
            )
            return []
        readers = []
        for index, item in enumerate(value):
            path = (*self.path, key, index)
            if isinstance(item, dict):
                readers.append(TableReader(self.faults, path, item))
            else:
                self.faults.add(path, f"Write a table of keys and values, in place of {shown(item)}.")
        return readers

    def _take(self, key: str, *, default: object = _MISSING) -> object:
        self._known.append(key)
        value = self._table.get(key, default)
        if value is _MISSING:
            self._missing.add(key)
            self.faults.taint((*self.path, key))
        return value

    def _as_word(self, steps: Path, value: object, words: type[Word]) -> Word:
        known = [word.value for word in words]
        if isinstance(value, str) and value in known:
            return words(value)
        hint = _hint(value if isinstance(value, str) else "", known)
        self.faults.add((*self.path, *steps), f"{shown(value)} is not one of the words for this key. {hint}")
        return next(iter(words))

    def _name(self, language: str) -> str:
        value = self._take(language)
        if isinstance(value, str) and 1 <= len(value.strip()) <= MAX_NAME_LENGTH and _is_printable(value):
            return value.strip()
        if value is not _MISSING:
            self.fault(
                language,
                f"Write a name of 1 to {MAX_NAME_LENGTH} visible characters, in quotes, "
                f"in place of {shown(value)}.",
            )
        return ""


def _is_integer_between(value: object, low: int, high: int) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_printable(text: str) -> bool:
    """No control, direction mark, zero-width or unassigned character: names are printed on invoices."""
    return not any(unicodedata.category(character).startswith("C") for character in text)
