"""Amounts, rates and dates as a given language writes them: for documents and for pages alike."""

import re
from datetime import date
from decimal import Decimal
from functools import lru_cache

from babel import Locale
from babel.dates import format_date
from babel.numbers import NumberPattern, format_currency, format_decimal, parse_pattern

from portal.domain.money import Money, exponent, major_string

_LETTER_BESIDE_DIGIT = re.compile(r"(?<=[^\W\d])(?=\d)")
"""Where CLDR's currencySpacing puts a space and Babel does not: "KWD3.000"."""


@lru_cache(maxsize=4096)
def money_text(minor: int, currency: str, locale: str) -> str:
    """`minor` units in `currency`, with exactly the decimals that ISO 4217 gives it (JPY 0, KWD 3)."""
    amount = Decimal(major_string(Money(minor, currency)))
    pattern = _money_pattern(currency, locale)
    text: str = format_currency(amount, currency, format=pattern, locale=locale, currency_digits=False)
    return _LETTER_BESIDE_DIGIT.sub("\N{NO-BREAK SPACE}", text)


@lru_cache(maxsize=512)
def _money_pattern(currency: str, locale: str) -> NumberPattern:
    pattern = parse_pattern(Locale.parse(locale).currency_formats["standard"].pattern)
    pattern.frac_prec = (exponent(currency), exponent(currency))
    return pattern


@lru_cache(maxsize=512)
def rate_text(rate_bp: int, locale: str) -> str:
    """Basis points as a percentage without needless zeros: 850 is 8.5 %."""
    percent_sign: str = Locale.parse(locale).percent_formats[None].pattern.replace("#,##0", "")
    return format_decimal(Decimal(rate_bp).scaleb(-2), format="#,##0.##", locale=locale) + percent_sign


@lru_cache(maxsize=512)
def number_text(number: int, locale: str) -> str:
    return format_decimal(number, locale=locale)


def long_date(iso: str, locale: str) -> str:
    return date_text(date.fromisoformat(iso), "d MMMM y", locale)


def short_date(iso: str, locale: str) -> str:
    return date_text(date.fromisoformat(iso), "d MMM y", locale)


@lru_cache(maxsize=4096)
def date_text(value: date, pattern: str, locale: str) -> str:
    """By a pattern of CLDR; the first of a month is « 1er » in French, which CLDR leaves out."""
    if locale == "fr" and value.day == 1:
        pattern = pattern.replace("d", "d'er'", 1)
    written: str = format_date(value, pattern, locale=locale)
    return written
