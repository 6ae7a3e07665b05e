"""Which exchange rate holds on a day, and what VAT is in the seller's currency."""

from datetime import date

import pytest

from portal.domain.exchange_rates import (
    PER_EURO,
    ExchangeRate,
    rate_on,
    rate_text,
    read_rate,
    sandbox_rate,
)
from portal.domain.money import Money


def a_rate(on, millionths=1_161_200, currency="USD", base="EUR"):
    return ExchangeRate(base, currency, date.fromisoformat(on), millionths, "European Central Bank")


FRIDAY, MONDAY = a_rate("2026-11-20"), a_rate("2026-11-23", 1_170_000)
CASES = {
    "of the day": ([FRIDAY, MONDAY], "2026-11-23", MONDAY),
    "the last before it": ([FRIDAY, MONDAY], "2026-11-22", FRIDAY),
    "whatever their order": ([MONDAY, FRIDAY], "2026-11-24", MONDAY),
    "never one of a later day": ([MONDAY], "2026-11-22", None),
    "seven days old": ([FRIDAY], "2026-11-27", FRIDAY),
    "eight days old": ([FRIDAY], "2026-11-28", None),
    "the later of two for one day": (
        [FRIDAY, a_rate("2026-11-20", 2)],
        "2026-11-20",
        a_rate("2026-11-20", 2),
    ),
    "none": ([], "2026-11-20", None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_rate_of_the_day_or_the_last_before_it_holds(case):
    rates, on, found = CASES[case]
    assert rate_on(rates, date.fromisoformat(on)) == found


AMOUNTS = {
    # 560 / 1.1612 = 482.26…
    "to cents": (a_rate("2026-11-20"), Money(560, "USD"), Money(482, "EUR")),
    # 1 / 2 = 0.5: half up.
    "half a cent goes up": (a_rate("2026-11-20", 2_000_000), Money(1, "USD"), Money(1, "EUR")),
    # 1 765 yen / 176.5 = 10.00 euros.
    "from yen": (a_rate("2026-11-20", 176_500_000, "JPY"), Money(1765, "JPY"), Money(1000, "EUR")),
    # 0.355 dinars are one euro.
    "from dinars": (a_rate("2026-11-20", 355_000, "KWD"), Money(355, "KWD"), Money(100, "EUR")),
    # 1 JPY = 0.0057 EUR: 5.70 euros are 1 000 yen.
    "to yen": (a_rate("2026-11-20", 5_700, "EUR", "JPY"), Money(570, "EUR"), Money(1000, "JPY")),
    "nothing": (a_rate("2026-11-20"), Money(0, "USD"), Money(0, "EUR")),
}


@pytest.mark.parametrize("case", AMOUNTS)
def test_an_amount_in_the_sellers_currency_is_rounded_once(case):
    rate, amount, found = AMOUNTS[case]
    assert rate.in_base(amount) == found


def test_a_rate_turns_no_other_currency():
    with pytest.raises(ValueError, match="a rate of USD turns no CHF"):
        a_rate("2026-11-20").in_base(Money(1, "CHF"))


@pytest.mark.parametrize(
    ("typed", "millionths"),
    [
        ("1.1612", 1_161_200), ("1,1612", 1_161_200), ("163", 163_000_000), ("0.000001", 1),
        (" 1 000.5 ", 1_000_500_000),
        ("0", None), ("0.0", None), ("", None), ("-1", None), ("1.2.3", None),
        ("1.1234567", None), ("1e3", None),
        ("1234567890", None), ("١", None), (".", None), ("1.", None),
    ],
)  # fmt: skip
def test_a_typed_rate_is_read_to_the_millionth(typed, millionths):
    assert read_rate(typed) == millionths


@pytest.mark.parametrize(
    ("millionths", "text"), [(1_161_200, "1.1612"), (163_000_000, "163"), (1, "0.000001")]
)
def test_a_rate_is_written_without_zeros_that_say_nothing(millionths, text):
    assert rate_text(millionths) == text
    assert read_rate(text) == millionths


def test_the_sandbox_has_a_make_believe_rate_of_any_pair_on_any_day():
    day = date(2031, 1, 1)
    for base in PER_EURO:
        for currency in PER_EURO:
            rate = sandbox_rate(base, currency, day)
            assert rate.on == day and rate.millionths > 0 and "sandbox" in rate.source
    assert sandbox_rate("EUR", "USD", day).millionths == 1_160_000
    assert sandbox_rate("EUR", "XOF", day) is None
