"""An order is paid with a saved card, chosen beside another that is typed."""

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, OrderState, PaymentState, Role
from portal.models import Order, Payment, PaymentMethod, Product
from portal.runtime import current
from portal.services.checkout import ordering
from portal.services.subscriptions import agreement
from tests import paying
from tests.books import assert_books_clean
from tests.factories import a_member, a_person, owner_of, seen_by
from tests.pages import parse, spaced
from tests.paying import a_place, an_order, pay
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")
CARD = {
    "number": "5555 5555 5555 4444",
    "exp_month": "12",
    "exp_year": "2030",
    "security_code": "123",
    "holder": "Jeanne Martin",
}


@pytest.fixture
def acme(app):
    """On Business 5, renewed with the Visa card that is saved."""
    with facts(app):
        place = a_place()
        pay(an_order(place), auto_renewal=True)
        return place.workspace


@pytest.fixture
def review(app, client, acme):
    """Three licences, ready to be paid by the owner."""
    with facts(app):
        place = seen_by(owner_of(acme), acme)
        visit_as(client, owner_of(acme))
        opened = ordering.open_order(
            place,
            choices=[Choice("meetings-essential", Interval.MONTH, 3)],
            currency="EUR",
            now=current().clock.now(),
        )
        number = paying.with_details(opened, place).number
    return f"/w/acme/checkout/{number}/review"


def inputs(page):
    return [
        (each.get("name"), each.get("value"), each.get("checked")) for each in parse(page.text).iter("input")
    ]


def order_with(client, review, **sent):
    quote = next(value for name, value, _checked in inputs(client.get(review)) if name == "quote")
    return post_form(client, review, shown_at=review, quote=quote, **sent)


def newest(model):
    return model.select().order_by(model.id.desc()).get()


def test_the_saved_card_is_chosen_beforehand_and_pays_without_its_number(app, client, review):
    page = client.get(review)
    methods = [(value, checked is not None) for name, value, checked in inputs(page) if name == "method"]
    with facts(app):
        saved = PaymentMethod.get()
    assert methods == [(str(saved.id), True), ("new", False)]
    assert "Visa •••• 4242" in spaced(page.text)
    assert order_with(client, review, method=str(saved.id), number="4242").status_code == 303
    with facts(app):
        payment = newest(Payment)
        assert (payment.method_id, payment.state, payment.tried_on) == (
            saved.id,
            PaymentState.SUCCEEDED,
            None,
        )
        assert newest(Order).state == OrderState.PAID
        assert_books_clean()


def test_with_automatic_renewal_it_is_the_one_that_is_charged_next(app, client, acme, review):
    with facts(app):
        saved = PaymentMethod.get()
    order_with(client, review, method=str(saved.id), auto_renewal="y")
    with facts(app):
        found = agreement.of_product(acme, Product.get(Product.code == "meetings"))
        assert (found.auto_renewal, found.payment_method_id) == (True, saved.id)
        assert_books_clean()


def test_another_card_is_typed_and_looked_at(app, client, review):
    wrong = order_with(client, review, method="new", **{**CARD, "number": "4242 4242 4242 4241"})
    assert wrong.status_code == 422
    assert "one of its digits is wrong" in wrong.text
    assert [value for name, value, checked in inputs(wrong) if name == "method" and checked is not None] == [
        "new"
    ]
    assert order_with(client, review, method="new", **CARD).status_code == 303
    with facts(app):
        assert (newest(Payment).method_id, newest(Payment).last4) == (None, "4444")


def test_a_decline_of_the_saved_card_is_said_beside_it(app, client, acme, review):
    with facts(app):
        kept = paying.kept_at_the_gateway(paying.DECLINED_WHEN_CHARGED)
        PaymentMethod.update(reference=kept.reference).execute()
        saved = PaymentMethod.get()
    answer = order_with(client, review, method=str(saved.id))
    assert answer.status_code == 422
    assert 'id="method-error"' in answer.text
    with facts(app):
        assert newest(Order).state == OrderState.OPEN
        assert_books_clean()


@pytest.mark.parametrize("sent", ["", "0", "999", "-1", "x" * 500, "1'"])
def test_what_is_no_saved_card_of_this_workspace_is_refused(app, client, review, sent):
    answer = order_with(client, review, method=sent)
    assert answer.status_code == 422
    with facts(app):
        assert newest(Order).state == OrderState.OPEN


@pytest.mark.parametrize("column", ["removed_at", "stopped_at"])
def test_a_card_that_went_meanwhile_pays_nothing(app, client, review, column):
    with facts(app):
        saved = PaymentMethod.get()
        before = len(paying.paid_charges())
    quote = next(value for name, value, _checked in inputs(client.get(review)) if name == "quote")
    with facts(app):
        PaymentMethod.update(**{column: current().clock.now()}).execute()
    answer = post_form(client, review, shown_at=review, quote=quote, method=str(saved.id))
    assert answer.status_code in (409, 422)
    with facts(app):
        assert len(paying.paid_charges()) == before


def test_who_may_not_use_saved_cards_types_one(app, client, acme):
    with facts(app):
        colleague = a_person("colleague@acme.test", name="Colleague")
        a_member(acme, colleague, role=Role.MEMBER)
        place = seen_by(colleague, acme)
        opened = ordering.open_order(
            place,
            choices=[Choice("meetings-essential", Interval.MONTH, 1)],
            currency="EUR",
            now=current().clock.now(),
        )
        number = paying.with_details(opened, place).number
        visit_as(client, colleague)
    page = client.get(f"/w/acme/checkout/{number}/review")
    assert page.status_code == 200
    assert not [value for name, value, _checked in inputs(page) if name == "method"]
    assert "4242" not in page.text


def test_a_card_that_was_typed_before_another_was_saved_is_the_one_that_pays(app, client, review):
    """In another window; the page that is sent knows of no saved card."""
    assert order_with(client, review, **CARD).status_code == 303
    with facts(app):
        assert (newest(Payment).method_id, newest(Payment).last4) == (None, "4444")
