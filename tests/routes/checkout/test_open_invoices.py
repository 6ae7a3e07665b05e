"""An order paid by bank transfer, from the review to the invoice that is paid: what pages say and who may."""

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, OrderState, PaymentMethodKind, Role
from portal.models import Invoice, Order, Payment, PaymentMethod, Person, Workspace
from portal.runtime import current
from portal.services.checkout import ordering
from tests import paying
from tests.attackers import Attacker
from tests.factories import a_member, a_person, a_workspace, owner_of, seen_by
from tests.pages import said_at
from tests.visiting import facts

PAY = "/w/acme/invoices/INV-2026-000001/pay"
INVOICE = "/w/acme/invoices/INV-2026-000001"
CARD = {
    "number": "4242424242424242",
    "exp_month": "12",
    "exp_year": "2030",
    "security_code": "123",
    "holder": "Jeanne Martin",
}


@pytest.fixture
def acme(app):
    with facts(app):
        return a_workspace()


@pytest.fixture
def owner(app, acme):
    with facts(app):
        return Attacker(app, owner_of(acme))


@pytest.fixture
def order(app, acme):
    """Remote, with the details that are known, to be paid by bank transfer: not confirmed yet."""
    with facts(app):
        place = seen_by(owner_of(acme), acme)
        opened = ordering.open_order(
            place,
            choices=[Choice("remote-licence", Interval.YEAR, 2)],
            currency="EUR",
            now=current().clock.now(),
        )
        return paying.with_details(opened, place, method_kind=PaymentMethodKind.BANK_TRANSFER).number


@pytest.fixture
def invoiced(app, order, owner):
    """The same, confirmed."""
    review = f"/w/acme/checkout/{order}/review"
    answer = owner.post(review, {"quote": quote_of(owner.get(review))})
    assert answer.status_code == 303
    return order


def quote_of(answer):
    [field] = [part for part in answer.text.split("<input") if 'name="quote"' in part]
    return field.split('value="')[1].split('"')[0]


def test_the_review_says_that_nothing_is_charged_and_offers_no_renewal(owner, order):
    answer = owner.get(f"/w/acme/checkout/{order}/review")
    page = answer.text
    assert "Nothing is charged now. You get an invoice of €429.60" in said_at(page, "transfer")
    assert "by 21 December 2026." in said_at(page, "transfer")
    assert said_at(page, "place-order") == "Order"
    assert "auto_renewal" not in page
    assert 'name="number"' not in page


def test_the_result_says_how_to_pay(app, owner, invoiced):
    page = owner.get(f"/w/acme/checkout/{invoiced}/result").text
    told = said_at(page, "to-pay")
    assert "€429.60 is to be paid by 21 December 2026." in told
    assert "FR76 3000 6000 0112 3456 7890 189" in told
    assert "RF94 INV2 0260 0000 1" in told
    assert "<svg" in page[page.index("transfer-code") :]
    with facts(app):
        assert Order.get(Order.number == invoiced).state == OrderState.INVOICED
        assert Payment.select().count() == 0


def test_it_stands_open_in_the_history_on_its_page_and_on_the_subscription(owner, invoiced):
    assert "To be paid" in said_at(owner.get("/w/acme/history").text, "history-row")
    page = owner.get(INVOICE).text
    assert "€429.60 is to be paid" in said_at(page, "to-pay")
    card = said_at(owner.get("/w/acme/subscriptions").text, "subscription-remote")
    assert "An invoice is to be paid by 21 December 2026." in card
    assert owner.get("/w/acme/invoices/to-pay").headers["Location"].endswith(INVOICE)


def test_a_card_pays_it_from_its_page(app, owner, invoiced):
    page = owner.get(PAY).text
    assert said_at(page, "place-order") == "Pay €429.60"
    answer = owner.post(PAY, dict(quote="42960 EUR", **CARD))
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/w/acme/checkout/{invoiced}/result")
    assert "Payment complete" in owner.get(answer.headers["Location"]).text
    with facts(app):
        assert Order.get(Order.number == invoiced).state == OrderState.PAID
    assert owner.get(PAY).status_code == 303
    assert "to-pay" not in owner.get(INVOICE).text
    assert owner.get("/w/acme/invoices/to-pay").headers["Location"].endswith("/w/acme/history")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    {
        "declined": ({"number": "4000000000000002"}, "declined"),
        "a wrong digit": ({"number": "4242424242424241"}, "one of its digits is wrong"),
        "no holder": ({"holder": ""}, "Enter the name as it appears on the card."),
        "expired": ({"exp_month": "01", "exp_year": "2026"}, "This card has expired"),
    }.values(),
)
def test_what_is_wrong_stands_beside_its_field(app, owner, invoiced, changed, sentence):
    answer = owner.post(PAY, dict(quote="42960 EUR", **(CARD | changed)))
    page = answer.text
    assert answer.status_code == 422
    assert sentence in said_at(page, "error-summary")
    assert "4242424242424241" not in page
    with facts(app):
        assert Order.get(Order.number == invoiced).state == OrderState.INVOICED
        assert paying.paid_charges() == []


def test_another_amount_than_was_shown_is_shown_anew(app, owner, invoiced):
    answer = owner.post(PAY, dict(quote="1 EUR", **CARD))
    assert answer.status_code == 409
    assert "What is to be paid has changed" in answer.text
    with facts(app):
        assert paying.paid_charges() == []


def test_a_saved_method_pays_it(app, owner, invoiced):
    with facts(app):
        place = seen_by(owner_of(Workspace.get()), Workspace.get())
        paying.pay(paying.an_order(place), auto_renewal=True)
        method = str(PaymentMethod.get().id)
    answer = owner.post(PAY, {"quote": "42960 EUR", "method": method})
    assert answer.status_code == 303
    with facts(app):
        assert Order.get(Order.number == invoiced).state == OrderState.PAID


@pytest.mark.parametrize("role", [Role.BILLING_MANAGER, Role.ADMIN, Role.MEMBER])
def test_who_may_pay_it(app, acme, invoiced, role):
    with facts(app):
        person = a_person("somebody@acme.test")
        a_member(acme, person, role=role)
        visitor = Attacker(app, person)
    assert visitor.get(PAY).status_code == (403 if role == Role.MEMBER else 200)
    assert ("pay-invoice" in visitor.get(INVOICE).text) == (role != Role.MEMBER)


def test_the_invoice_of_others_is_like_none(app, invoiced):
    with facts(app):
        stranger = Attacker(app, owner_of(a_workspace("Other")))
    for address in (PAY, PAY.replace("acme", "other"), INVOICE.replace("acme", "other")):
        assert stranger.get(address).status_code == 404


def test_a_product_that_takes_none_does_not_offer_it(app, acme, owner):
    with facts(app):
        place = seen_by(owner_of(acme), acme)
        opened = ordering.open_order(
            place,
            choices=[Choice("meetings-essential", Interval.MONTH, 1)],
            currency="EUR",
            now=current().clock.now(),
        )
    assert "bank_transfer" not in owner.get(f"/w/acme/checkout/{opened.number}").text


def test_operators_withhold_it_and_allow_it_again(app, acme, owner, order):
    with facts(app):
        staff = a_person("staff@vendor.test")
        Person.update(is_operator=True).where(Person.id == staff.id).execute()
        operator = Attacker(app, staff)
    page = "/operator/workspaces/acme"
    assert operator.post(f"{page}/transfers", {"withheld": "1"}).status_code == 303
    assert "Allow bank transfer" in operator.get(page).text
    review = f"/w/acme/checkout/{order}/review"
    answer = owner.post(review, {"quote": quote_of(owner.get(review))})
    assert "cannot be paid by bank transfer any more" in answer.text
    assert operator.post(f"{page}/transfers", {"withheld": "maybe"}).status_code == 422
    assert operator.post(f"{page}/transfers", {"withheld": "0"}).status_code == 303
    assert owner.post(review, {"quote": quote_of(owner.get(review))}).status_code == 303
    with facts(app):
        assert Invoice.get().due_on is not None
