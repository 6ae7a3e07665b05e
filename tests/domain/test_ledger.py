"""The sign of an entry, the running balance, how far an invoice is paid, and what covers which debt."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain.errors import CurrencyMismatch
from portal.domain.ledger import (
    Part,
    Share,
    allocate,
    balance,
    beside_reserved,
    running_balance,
    signed,
    status,
    usable,
)
from portal.domain.money import Money, total
from portal.domain.vocabulary import BalanceEntryKind, InvoiceStatus

INVOICE, CREDIT_NOTE = BalanceEntryKind.INVOICE, BalanceEntryKind.CREDIT_NOTE
PAYMENT, REFUND = BalanceEntryKind.PAYMENT, BalanceEntryKind.REFUND
TRANSFER, TRANSFER_RETURN = BalanceEntryKind.TRANSFER, BalanceEntryKind.TRANSFER_RETURN
CREDIT, WITHDRAWAL = BalanceEntryKind.CREDIT, BalanceEntryKind.WITHDRAWAL
GIVING = (PAYMENT, CREDIT_NOTE, TRANSFER, CREDIT)
property_test = settings(deadline=None)


def euros(minor):
    return Money(minor, "EUR")


def entries(*told):
    return [signed(kind, euros(minor)) for kind, minor in told]


def parts(*amounts, first=1):
    return [Part(key, euros(minor)) for key, minor in enumerate(amounts, start=first)]


def shares(kept, owed):
    """What covers what: (entry, invoice, minor units). Entries count from 1, invoices from 11."""
    found = allocate(parts(*kept), parts(*owed, first=11))
    return [(share.source, share.target, share.amount.minor) for share in found]


@pytest.mark.parametrize(
    ("told", "after"),
    [
        ([], []),
        ([(INVOICE, 3360)], [-3360]),
        ([(INVOICE, 3360), (PAYMENT, 3360)], [-3360, 0]),
        ([(INVOICE, 3360), (PAYMENT, 3360), (CREDIT_NOTE, 3360), (REFUND, 3360)], [-3360, 0, 3360, 0]),
        # Paid too much: the rest is kept, and pays a part of the next invoice.
        ([(INVOICE, 3360), (PAYMENT, 4000), (INVOICE, 1000)], [-3360, 640, -360]),
        # Five licences less: credited by line, kept until the next invoice.
        ([(INVOICE, 6000), (PAYMENT, 6000), (CREDIT_NOTE, 1239), (INVOICE, 1000)], [-6000, 0, 1239, 239]),
        ([(INVOICE, 0)], [0]),
    ],
)
def test_the_running_balance_goes_down_by_what_is_owed_and_up_by_what_is_given(told, after):
    assert [each.minor for each in running_balance(entries(*told), "EUR")] == after
    assert balance(entries(*told), "EUR").minor == (after[-1] if after else 0)


def test_every_kind_gives_or_takes():
    given_or_taken = {kind: signed(kind, euros(1)).minor for kind in BalanceEntryKind}
    assert given_or_taken == {
        INVOICE: -1,
        CREDIT_NOTE: 1,
        PAYMENT: 1,
        REFUND: -1,
        TRANSFER: 1,
        TRANSFER_RETURN: -1,
        CREDIT: 1,
        WITHDRAWAL: -1,
    }


def test_amounts_of_two_currencies_have_no_balance():
    with pytest.raises(CurrencyMismatch):
        balance([euros(1), Money(1, "USD")], "EUR")
    with pytest.raises(CurrencyMismatch):
        usable(euros(1), Money(1, "USD"))


@pytest.mark.parametrize(
    ("invoiced", "covered", "expected"),
    [
        (3360, 0, InvoiceStatus.OPEN),
        (3360, 1, InvoiceStatus.PART_PAID),
        (3360, 3359, InvoiceStatus.PART_PAID),
        (3360, 3360, InvoiceStatus.PAID),
        (0, 0, InvoiceStatus.PAID),
    ],
)
def test_how_far_an_invoice_is_paid(invoiced, covered, expected):
    assert status(euros(invoiced), euros(covered)) is expected


@pytest.mark.parametrize(
    ("amount", "kept", "covered", "due"),
    [
        (3360, 0, 0, 3360),
        (3360, 1000, 1000, 2360),
        (3360, 3360, 3360, 0),
        (3360, 9999, 3360, 0),
        # What is owed already is no reason to ask for more than this costs.
        (3360, -500, 0, 3360),
        (0, 500, 0, 0),
    ],
)
def test_what_the_balance_covers_no_gateway_is_asked_for(amount, kept, covered, due):
    assert usable(euros(amount), euros(kept)) == euros(covered)
    assert euros(amount) - usable(euros(amount), euros(kept)) == euros(due)


@pytest.mark.parametrize(
    ("kept", "owed", "expected"),
    [
        ([], [], []),
        ([100], [], []),
        ([], [100], []),
        ([100], [100], [(1, 11, 100)]),
        ([100], [60, 60], [(1, 11, 60), (1, 12, 40)]),
        ([30, 30, 30], [70], [(1, 11, 30), (2, 11, 30), (3, 11, 10)]),
        ([50, 80], [60, 60], [(1, 11, 50), (2, 11, 10), (2, 12, 60)]),
        ([0, 10], [0, 10], [(2, 12, 10)]),
    ],
)
def test_what_is_left_covers_what_is_open_the_oldest_first(kept, owed, expected):
    assert shares(kept, owed) == expected


@pytest.mark.parametrize(
    ("kept", "reserved", "free"),
    [
        ([], 0, []),
        ([100, 50], 0, [100, 50]),
        ([100, 50], 30, [100, 20]),
        ([100, 50], 50, [100]),
        ([100, 50], 80, [70]),
        ([100], 100, []),
        ([100], 130, []),
    ],
)
def test_placed_orders_have_the_newest_of_what_is_kept(kept, reserved, free):
    assert beside_reserved(parts(*kept), euros(reserved)) == parts(*free)


def test_less_than_nothing_is_never_left():
    with pytest.raises(ValueError, match="cannot be left"):
        Part(1, euros(-1))


amounts = st.integers(min_value=0, max_value=10_000)
several = st.lists(amounts, max_size=8)


@property_test
@given(several, several)
def test_no_entry_gives_more_than_it_has_and_no_invoice_gets_more_than_it_is(kept, owed):
    found = allocate(parts(*kept), parts(*owed, first=11))
    assert all(isinstance(share, Share) and share.amount > euros(0) for share in found)
    assert len({(share.source, share.target) for share in found}) == len(found)
    for key, minor in enumerate(kept, start=1):
        assert total((each.amount for each in found if each.source == key), "EUR") <= euros(minor)
    for key, minor in enumerate(owed, start=11):
        assert total((each.amount for each in found if each.target == key), "EUR") <= euros(minor)
    assert total((each.amount for each in found), "EUR") == euros(min(sum(kept), sum(owed)))


@property_test
@given(several, several, amounts)
def test_the_newest_invoice_gets_what_was_said_that_the_balance_covers(kept, older, amount):
    """What is decided from the sum alone is what covering the oldest first comes to."""
    before = balance([euros(minor) for minor in kept] + [euros(-minor) for minor in older], "EUR")
    owed = parts(*older, amount, first=11)
    found = allocate(parts(*kept), owed)
    covered = total((share.amount for share in found if share.target == owed[-1].key), "EUR")
    assert covered == usable(euros(amount), before)
    assert euros(0) <= covered <= euros(amount)


causes = st.lists(st.tuples(st.sampled_from(BalanceEntryKind), amounts), max_size=20)


@property_test
@given(causes, st.randoms(use_true_random=False))
def test_the_order_of_what_happens_does_not_matter_to_the_balance(told, chance):
    in_order = entries(*told)
    shuffled = list(in_order)
    chance.shuffle(shuffled)
    assert balance(shuffled, "EUR") == balance(in_order, "EUR")
    given_less_taken = sum(minor if kind in GIVING else -minor for kind, minor in told)
    assert balance(in_order, "EUR").minor == given_less_taken
    assert running_balance(in_order, "EUR")[-1:] == ([balance(in_order, "EUR")] if told else [])
