"""A disputed payment on the pages: in the history, beside its method, and before the vendor's staff."""

import pytest

from portal.models import Dispute, Invoice, PaymentMethod
from portal.services.renewals import run
from tests import paying
from tests.factories import a_person, a_workspace, owner_of, seen_by
from tests.pages import by_testid, parse, spaced, text_of
from tests.visiting import facts, visit_as

pytestmark = pytest.mark.engine("sqlite")


@pytest.fixture
def disputed(app, client, clock):
    """Acme paid with a card that it saved, and its bank took the money back; the browser is its owner's."""
    with facts(app):
        acme = a_workspace()
        place = seen_by(owner_of(acme), acme)
        place.member.person = owner_of(acme)
        paying.pay(paying.an_order(place), paying.DISPUTED, auto_renewal=True)
        clock.advance(days=1)
        run.run_due(now=clock.now())
        assert Dispute.select().count() == 1
        visit_as(client, owner_of(acme))
        return client


def words(browser, path):
    return text_of(next(parse(browser.get(path).text).iter("main")))


def test_the_history_says_it_and_offers_no_refund(app, disputed) -> None:
    page = parse(disputed.get("/w/acme/history").text)
    [row] = by_testid(page, "history-row")
    assert "Disputed" in text_of(row)
    assert by_testid(page, "refund-link") == []
    assert "can be refunded" not in text_of(page)


def test_the_statement_says_the_day(app, disputed) -> None:
    with facts(app):
        number = Invoice.get().number
    said = spaced(words(disputed, f"/w/acme/invoices/{number}"))
    assert "Disputed on22 November 2026" in said


def test_the_method_is_marked_and_cannot_be_chosen(app, disputed) -> None:
    page = parse(disputed.get("/w/acme/payment-methods").text)
    [row] = by_testid(page, "card-0259")
    assert "Not charged: disputed" in text_of(row)
    assert by_testid(page, "card-use-0259") == []
    assert "None of these can be charged automatically." in text_of(page)


def test_the_plans_page_says_that_the_renewal_cannot_be_charged(app, disputed) -> None:
    needed = "None of your payment methods can be charged then: add one before that day."
    assert needed in words(disputed, "/w/acme/plans")
    with facts(app):
        PaymentMethod.update(stopped_at=None).execute()
    assert needed not in words(disputed, "/w/acme/plans")


def test_automatic_renewal_offers_another_method_only(app, disputed) -> None:
    assert "Visa •••• 0259" not in words(disputed, "/w/acme/auto-renewal")


def test_its_buyer_reads_it_among_their_orders(app, disputed) -> None:
    [row] = by_testid(parse(disputed.get("/me/orders").text), "order-row")
    assert "Payment disputed" in text_of(row)
    assert "Paid in full" not in text_of(row)


def test_an_operator_sees_it_among_the_payments(app, disputed) -> None:
    with facts(app):
        visit_as(disputed, a_person("staff@vendor.test", operator=True))
    [row] = by_testid(parse(disputed.get("/operator/workspaces/acme").text), "payment-row")
    assert "Disputed" in text_of(row)
