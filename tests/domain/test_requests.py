"""How a purchase request stands by its dates, and how far members buy without asking."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.money import Money, major_string, read_amount
from portal.domain.periods import Period
from portal.domain.requests import Allowance, expires_at, month_of, state_at
from portal.domain.vocabulary import RequestState

ASKED = datetime(2026, 11, 30, 21, 15, tzinfo=UTC)
END = datetime(2026, 12, 14, 21, 15, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
OPEN, APPROVED, DECLINED, EXPIRED, WITHDRAWN = RequestState


def test_a_request_waits_fourteen_days_to_the_minute():
    assert expires_at(ASKED) == END


@pytest.mark.parametrize(
    ("name", "stored", "is_being_paid", "now", "expected"),
    [
        ("asked just now", OPEN, False, ASKED, OPEN),
        ("its last moment", OPEN, False, END - MOMENT, OPEN),
        ("its end", OPEN, False, END, EXPIRED),
        ("long after, before the run came by", OPEN, False, END + timedelta(days=400), EXPIRED),
        ("being paid at its end", OPEN, True, END, OPEN),
        ("being paid before", OPEN, True, ASKED, OPEN),
        ("approved, long after", APPROVED, False, END + timedelta(days=1), APPROVED),
        ("declined, before its end", DECLINED, False, ASKED, DECLINED),
        ("declined, after its end", DECLINED, True, END, DECLINED),
        ("withdrawn", WITHDRAWN, False, END, WITHDRAWN),
        ("expired as the run wrote it", EXPIRED, True, ASKED, EXPIRED),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_how_it_stands(name, stored, is_being_paid, now, expected):
    assert state_at(stored, ends_at=END, is_being_paid=is_being_paid, now=now) is expected


@given(
    stored=st.sampled_from(RequestState),
    is_being_paid=st.booleans(),
    seconds=st.integers(-(10**7), 10**7),
    later=st.integers(0, 10**7),
)
def test_time_only_closes_what_is_open(stored, is_being_paid, seconds, later):
    """Whatever is over stays as it is, and what has expired never opens again."""
    now = END + timedelta(seconds=seconds)
    before = state_at(stored, ends_at=END, is_being_paid=is_being_paid, now=now)
    after = state_at(stored, ends_at=END, is_being_paid=is_being_paid, now=now + timedelta(seconds=later))
    assert before in (stored, EXPIRED)
    if before is not OPEN:
        assert after is before
    else:
        assert after in (OPEN, EXPIRED)


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        (date(2026, 11, 30), date(2026, 11, 1), date(2026, 12, 1)),
        (date(2026, 12, 1), date(2026, 12, 1), date(2027, 1, 1)),
        (date(2028, 2, 29), date(2028, 2, 1), date(2028, 3, 1)),
        (date(2027, 1, 31), date(2027, 1, 1), date(2027, 2, 1)),
    ],
)
def test_the_month_is_that_of_the_calendar(day, start, end):
    assert month_of(day) == Period(start, end)


EUR = "EUR"


@pytest.mark.parametrize(
    ("name", "ceiling", "spent", "amount", "covers", "left"),
    [
        ("nothing spent", 5000, 0, Money(4999, EUR), True, 5000),
        ("exactly the ceiling", 5000, 0, Money(5000, EUR), True, 5000),
        ("a cent above it", 5000, 0, Money(5001, EUR), False, 5000),
        ("exactly what is left", 5000, 3800, Money(1200, EUR), True, 1200),
        ("a cent more than is left", 5000, 3800, Money(1201, EUR), False, 1200),
        ("all is spent", 5000, 5000, Money(1, EUR), False, 0),
        ("the ceiling was lowered since", 5000, 9000, Money(1, EUR), False, 0),
        ("nothing to pay, all is spent", 5000, 9000, Money(0, EUR), True, 0),
        ("another currency", 5000, 0, Money(1, "USD"), False, 5000),
        ("yen beside euros", 5000, 0, Money(1, "JPY"), False, 5000),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_what_members_buy_without_asking(name, ceiling, spent, amount, covers, left):
    allowance = Allowance(ceiling=Money(ceiling, EUR), spent=Money(spent, EUR))
    assert allowance.covers(amount) is covers
    assert allowance.left == Money(left, EUR)


@given(
    ceiling=st.integers(1, 10**9),
    amounts=st.lists(st.integers(0, 10**8), max_size=30),
)
def test_members_never_spend_more_than_the_ceiling_together(ceiling, amounts):
    """Whatever is covered is bought, one after the other."""
    spent = 0
    for amount in amounts:
        allowance = Allowance(ceiling=Money(ceiling, EUR), spent=Money(spent, EUR))
        if allowance.covers(Money(amount, EUR)):
            spent += amount
    assert spent <= ceiling


# --- what an owner types ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("50", "EUR", 5000),
        ("50.5", "EUR", 5050),
        ("50,05", "EUR", 5005),
        ("1 250,00", "EUR", 125000),
        ("1\N{NARROW NO-BREAK SPACE}250,00", "EUR", 125000),
        ("5000", "JPY", 5000),
        ("1.250", "KWD", 1250),
        ("0", "EUR", 0),
        ("007", "EUR", 700),
        ("", "EUR", None),
        ("-1", "EUR", None),
        ("1.5", "JPY", None),
        ("1.", "EUR", None),
        (".5", "EUR", None),
        ("1.234", "EUR", None),
        ("1,000.00", "EUR", None),
        ("fifty", "EUR", None),
        ("\u0661\u0662", "EUR", None),
        ("1e3", "EUR", None),
        ("NaN", "EUR", None),
        ("1" + "0" * 20, "EUR", None),
    ],
)
def test_an_amount_as_somebody_types_it(text, currency, minor):
    assert read_amount(text, currency) == (None if minor is None else Money(minor, currency))


@given(minor=st.integers(0, 10**12 - 1), currency=st.sampled_from(["EUR", "JPY", "KWD"]))
def test_every_amount_is_read_as_it_is_written(minor, currency):
    assert read_amount(major_string(Money(minor, currency)), currency) == Money(minor, currency)
