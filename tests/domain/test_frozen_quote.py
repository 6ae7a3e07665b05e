"""A frozen quote is read again as it was, whichever version froze it."""

import json
from datetime import date

import pytest

from portal.domain.frozen_quote import frozen_lines
from portal.domain.money import Money
from portal.domain.pricing import Offer, PresentTerms, WantedLine, make_quote
from portal.domain.tax import Buyer
from portal.domain.vocabulary import Interval, OrderKind, PriceUnit, SubscriptionState, VatStatus
from tests.domain.test_invoicing import QUOTE as VERSION_1

ON = date(2026, 11, 21)
TRIAL = PresentTerms("trial", None, SubscriptionState.TRIAL, date(2026, 12, 5), 5)
BUYER = Buyer("FR", "69002", False, None, VatStatus.NONE)


def a_quote(*, buyer=BUYER):
    names, unit = {"en": "Licences"}, PriceUnit.LICENCE
    meetings = Offer(1, "meetings", names, Interval.MONTH, 11, Money(900, "EUR"), unit)
    webinar = Offer(2, "webinar", names, Interval.YEAR, 12, Money(30_000, "EUR"), unit)
    return make_quote(
        [WantedLine(TRIAL, meetings, 3), WantedLine(TRIAL, webinar)],
        buyer=buyer,
        seller_country="FR",
        unchecked_counts_as_valid=True,
        on=ON,
    )


def test_each_line_is_read_as_it_was_quoted():
    quote = a_quote()
    read = frozen_lines(json.loads(json.dumps(quote.facts)))
    assert [(line.plan_code, line.quantity, line.unit, line.net, line.tax) for line in read] == [
        ("meetings", 3, Money(900, "EUR"), Money(2_700, "EUR"), Money(540, "EUR")),
        ("webinar", 1, Money(30_000, "EUR"), Money(30_000, "EUR"), Money(6_000, "EUR")),
    ]
    for line, quoted in zip(read, quote.lines, strict=True):
        assert (line.kind, line.interval, line.price_id) == (
            quoted.kind,
            quoted.offer.interval,
            quoted.offer.price_id,
        )
        assert (line.start_on, line.base_end_on, line.due_on) == (
            quoted.period.start,
            quoted.period.end,
            quoted.due_on,
        )
        assert (line.rate_bp, line.anchor_day, line.plan_names) == (2000, 21, quoted.offer.plan_names)


def test_before_the_buyer_is_known_a_line_has_no_rate():
    assert {(line.rate_bp, line.tax.minor) for line in frozen_lines(a_quote(buyer=None).facts)} == {(None, 0)}


def test_an_order_from_before_lines_reads_as_one_line():
    [line] = frozen_lines(VERSION_1)
    assert (line.kind, line.plan_code, line.quantity) == (OrderKind.BUY, "business-5", 1)
    assert (line.unit, line.net, line.tax) == (Money(2800, "EUR"), Money(2800, "EUR"), Money(560, "EUR"))
    assert (line.rate_bp, line.start_on, line.due_on) == (2000, ON, date(2026, 12, 21))


def test_an_order_from_before_lines_that_had_no_buyer_yet_has_no_rate():
    [line] = frozen_lines({**VERSION_1, "tax": None, "tax_minor": 0})
    assert line.rate_bp is None


@pytest.mark.parametrize(
    "facts", [{}, {"version": 2, "currency": "EUR", "lines": []}, {**VERSION_1, "kind": "x"}]
)
def test_what_is_no_quote_is_refused(facts):
    with pytest.raises((KeyError, ValueError)):
        frozen_lines(facts)


@pytest.mark.parametrize(
    ("days", "reckoned"),
    [
        # Three licences at 10.01 in a month of 31 days: 30.03 × 16 / 31 = 15.4993… → 15.50
        ({"days": 16, "base_days": 31}, 1550),
        ({"days": 31, "base_days": 31}, 3003),
        ({}, 3003),
    ],
)
def test_a_line_may_be_for_some_days_of_its_period(days, reckoned):
    facts = json.loads(json.dumps(a_quote().facts))
    facts["lines"][0] |= {"quantity": 3, "unit_minor": 1001, "net_minor": reckoned, **days}
    line = frozen_lines(facts)[0]
    assert (line.reckoned_net, line.price.minor, line.net) == (
        line.net,
        3003,
        Money(reckoned, line.net.currency),
    )
    assert (line.share is None) == (reckoned == 3003)
