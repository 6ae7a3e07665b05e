"""Amounts, dates and sizes in the language of whoever reads: `formats.py`, with the locale of the request."""

from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal, get_currency_name

from portal.domain.money import Money, major_string

from .formats import date_text, money_text, number_text
from .i18n import locale_code as _locale

SIZE_UNITS = {"en": ("KB", "MB", "GB", "TB"), "fr": ("Ko", "Mo", "Go", "To")}


def money(amount: Money) -> str:
    """`€18.00`, `−18,00 €`; cents always shown."""
    # Babel writes a hyphen, at which a line may break.
    return money_text(amount.minor, amount.currency, _locale()).replace("-", "\N{MINUS SIGN}")


def amount_as_typed(amount: Money) -> str:
    """For a field: `1250.00`, `1250,00`."""
    return major_string(amount).replace(".", "," if _locale() == "fr" else ".")


def number(value: int) -> str:
    """`1,000`, `1 000`."""
    return number_text(value, _locale())


def exact(machine_form: str) -> str:
    """A number with its decimals, `1.1612`, as the reader's language writes it."""
    return machine_form.replace(".", "," if _locale() == "fr" else ".")


def day(value: date) -> str:
    """`21 November 2026`, `1er janvier 2027`; no line breaks inside a date."""
    return _written(value, "d MMMM y", _locale())


def day_of_any_year(value: date) -> str:
    """`21 November`, `1er janvier`."""
    return _written(value, "d MMMM", _locale())


def month(value: date) -> str:
    """`November 2026`."""
    return _written(value, "LLLL y", _locale())


def day_of_month(value: date) -> str:
    """`Fri 1`, `ven. 1er`."""
    return _written(value, "EEE d", _locale())


def short_month(value: date) -> tuple[str, str]:
    """`Nov` and `N`: for a column that has little room, and for one that has none."""
    return _written(value, "LLL", _locale()), _written(value, "LLLLL", _locale())


@lru_cache(maxsize=4096)
def _written(value: date, pattern: str, locale: str) -> str:
    return date_text(value, pattern, locale).replace(" ", "\N{NO-BREAK SPACE}")


def instant(value: datetime, time_zone: str) -> str:
    """Date and time in the workspace's own zone: `21 Nov 2026, 14:05`."""
    local = value.astimezone(ZoneInfo(time_zone))
    return f"{_written(local.date(), 'd MMM y', _locale())}, {local:%H:%M}"


def storage(size_bytes: int) -> str:
    """A size in the largest unit that keeps it at one or more, at most one decimal: `1.5 GB`, `1,5 Go`."""
    return _storage(size_bytes, _locale())


@lru_cache(maxsize=4096)
def _storage(size_bytes: int, locale: str) -> str:
    units = SIZE_UNITS.get(locale, SIZE_UNITS["en"])
    power = 1 if size_bytes else 3
    while power < len(units) and size_bytes >= 1024 ** (power + 1):
        power += 1
    tenths = (size_bytes * 10 + 1024**power // 2) // 1024**power
    whole, tenth = divmod(tenths, 10)
    digits = format_decimal(whole, locale=locale)
    if tenth:
        digits += ("," if locale == "fr" else ".") + str(tenth)
    return f"{digits}\N{NO-BREAK SPACE}{units[power - 1]}"


def currency_label(code: str) -> str:
    """`EUR – Euro`."""
    return _currency_label(code, _locale())


@lru_cache(maxsize=512)
def _currency_label(code: str, locale: str) -> str:
    return f"{code} – {get_currency_name(code, locale=locale)}"


def in_fours(text: str) -> str:
    """As banks print it: four characters together. A line that is too short for all of it ends after four."""
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))
