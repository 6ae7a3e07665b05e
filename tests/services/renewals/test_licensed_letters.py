"""What people are written about licences that were bought beside a plan, as they read it."""

import pytest
from flask import Flask

from portal.domain.choices import Choice
from portal.domain.vocabulary import DeclineCode, Interval, SubscriptionState
from portal.gateways.base import ActionRequired, Declined
from portal.mail import writing
from portal.models import Invoice, Product
from portal.services.checkout import ordering
from portal.services.payments import charging
from portal.services.subscriptions import agreement
from portal.words import i18n
from tests.books import assert_books_clean
from tests.factories import letters
from tests.licensed import bought
from tests.passing import pass_days
from tests.paying import (
    ASKS_ALWAYS,
    DECLINED_WHEN_CHARGED,
    SILENT_NOT_CHARGED,
    buy,
    charged_from_now_on,
    pay,
    with_details,
)

TEN = Choice("meetings-professional", Interval.MONTH, 10)
STORY = ("renewal_ahead", "renewed", "due_soon", "late", "blocked", "renewal_failed", "deletion_ahead")


@pytest.fixture
def mailed(place):
    """What the people were written about this story: subject and text of each letter in English."""
    bare = Flask("portal")
    i18n.register(bare)

    def read(*templates):
        found = [each for each in letters() if each["template"] in (templates or STORY)]
        assert found
        with bare.app_context():
            return [as_read(each) for each in found]

    return read


def as_read(letter):
    context = dict(letter["context"])
    if letter.get("attachments"):
        context["facts"] = Invoice.get_by_id(letter["attachments"][0]["invoice_id"]).facts
    subject, text, _html = writing.render_mail(letter["template"], "en", context)
    return subject.replace("\N{NO-BREAK SPACE}", " "), text.replace("\N{NO-BREAK SPACE}", " ")


def order_of(place, clock, *choices):
    opened = ordering.open_order(place, choices=choices, currency="EUR", now=clock.now())
    return with_details(opened, place)


def test_licences_that_renew_are_announced_and_renewed_under_their_own_name(place, clock, mailed):
    """Bought on 21 November: 10 × 13.00 EUR and 20 %."""
    pay(order_of(place, clock, TEN), auto_renewal=True)
    pass_days(clock, 31)
    [(ahead, ahead_text), (renewed, renewed_text)] = mailed()
    assert ahead == "Meetings Professional (Acme) will be renewed on 21 December 2026 for €156.00"
    assert "Meetings Professional for the workspace Acme (10 licences) will be renewed" in ahead_text
    assert "for Meetings Professional, 10 licences, monthly." in ahead_text
    assert renewed == "Meetings Professional (Acme) is renewed until 21 January 2027"
    assert "(10 licences, monthly) is renewed until 21 January 2027." in renewed_text
    assert "10 licences at €13.00 each" in renewed_text
    assert_books_clean()


def test_licences_that_nobody_pays_for_are_due_late_and_blocked_alone(place, clock, mailed):
    """The plan of the workspace is paid by the year; three days of grace for the product."""
    Product.update(grace_days=3).where(Product.code == "meetings").execute()
    buy(place, interval=Interval.YEAR)
    bought(place, "meetings-professional", quantity=10)
    pass_days(clock, 35)
    [(due, due_text), (late, late_text), (blocked, blocked_text)] = mailed()
    assert due == "Meetings Professional (Acme) is due on 21 December 2026"
    assert "Price: €130.00 a month excl. VAT" in due_text
    assert (
        late == "Payment for Meetings Professional (Acme) is late: access will be blocked on 25 December 2026"
    )
    assert "Meetings Professional for the workspace Acme (10 licences) was due on 21 Dec" in late_text
    assert blocked == "Access to Meetings Professional (Acme) is blocked"
    assert "everything else in your workspace stays as it is." in blocked_text
    assert "We will keep your data until" not in blocked_text
    plan = agreement.of_workspace(place.workspace)
    today = place.workspace.day(clock.now())
    assert agreement.status_of(plan, today=today).state == SubscriptionState.PAID
    pass_days(clock, 200)
    assert letters("deletion_ahead") == []


def test_the_plan_is_late_in_its_own_words_beside_licences_that_run(place, clock, mailed):
    buy(place)
    bought(place, "meetings-professional", quantity=10, interval=Interval.YEAR)
    pass_days(clock, 31)
    subject, text = mailed("due_soon")[0]
    assert subject == "The plan of Acme is due on 21 December 2026"
    assert "The plan of the workspace Acme (Business 5, monthly) is paid for" in text
    assert letters("due_soon")[0]["context"]["licences"] is None


@pytest.mark.parametrize(
    ("number", "template", "title", "said"),
    [
        (
            DECLINED_WHEN_CHARGED,
            "renewal_failed",
            "Meetings Professional (Acme): the renewal needs another payment method",
            "Meetings Professional for the workspace Acme (10 licences) could not be renewed.",
        ),
        (
            ASKS_ALWAYS,
            "renewal_to_confirm",
            "Meetings Professional (Acme): confirm the payment of €156.00 by 4 January 2027",
            "Meetings Professional for the workspace Acme (10 licences) is due for renewal.",
        ),
    ],
)
def test_a_renewal_of_licences_that_does_not_work_says_which(
    place, clock, mailed, number, template, title, said
):
    pay(order_of(place, clock, TEN), auto_renewal=True)
    charged_from_now_on(number)
    pass_days(clock, 30)
    subject, text = mailed(template)[0]
    assert subject == title
    assert said in text
    assert "/plans" not in text


# --- orders ---------------------------------------------------------------------------------------


def test_the_confirmation_of_an_order_lists_plan_and_licences(place, clock, mailed):
    pay(order_of(place, clock, Choice("business-5", Interval.MONTH), TEN), auto_renewal=True)
    _subject, text = mailed("order_confirmed")[0]
    for said in (
        "From 21 November 2026 to 21 December 2026: Business 5 – monthly\nAmount excluding VAT: €28.00",
        "Meetings Professional – monthly\n10 licences at €13.00 each\nAmount excluding VAT: €130.00",
        "Total including VAT: €189.60",
    ):
        assert said in text, said
    assert [subject for subject, _text in mailed("auto_renewal_on")] == [
        "Automatic renewal is on for Acme",
        "Automatic renewal is on for Meetings Professional (Acme)",
    ]


@pytest.mark.parametrize(
    ("answer", "template"),
    [
        (ActionRequired("https://bank.example/confirm", reference="ref-1"), "payment_to_confirm"),
        (Declined(DeclineCode.INSUFFICIENT_FUNDS, soft=True), "payment_failed"),
    ],
)
def test_a_payment_that_waits_or_fails_names_the_licences(place, clock, answer, template):
    payment = pay(order_of(place, clock, Choice("business-5", Interval.MONTH), TEN), SILENT_NOT_CHARGED)
    charging.record_answer(payment, answer, tell=True, now=clock.now())
    [letter] = letters(template)
    assert letter["context"]["description"] == {
        "en": "Business 5, Meetings Professional × 10",
        "fr": "Business 5, Réunions Professionnel × 10",
    }
