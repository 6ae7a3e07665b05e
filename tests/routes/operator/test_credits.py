"""Operators give a credit in two steps, and take back what is unused of it."""

import re

import pytest

from portal.database.connecting import connection
from portal.domain.money import Money
from portal.models import AuditEntry, AuditTrace, Credit
from portal.services import ledger
from portal.services.payments import given_credits
from portal.services.workspace import deletion
from tests import paying
from tests.factories import a_person
from tests.pages import by_testid, parse, spaced, text_of
from tests.visiting import visit_as
from tests.visitors import Visitor

pytestmark = pytest.mark.engine("sqlite")
CREDITS = "/operator/workspaces/acme/credits"
TYPED = {"amount": "12.50", "currency": "EUR", "reason": "Panne du 3 décembre"}


class Sender(Visitor):
    """A browser that sends to every address what was typed on the page of the credits."""

    def __init__(self, app, person):
        super().__init__(app)
        visit_as(self.client, person)

    def post(self, path, fields=None, *, page=CREDITS):
        return super().post(path, fields, page=page)


@pytest.fixture(autouse=True)
def connected(app):
    with connection():
        yield


@pytest.fixture
def acme(app):
    return paying.a_place()


@pytest.fixture
def staff(app, acme):
    return Sender(app, a_person("staff@vendor.test", operator=True))


def reviewed(staff, **changed):
    """The fields of the form that the second step shows."""
    page = staff.post(f"{CREDITS}/review", TYPED | changed)
    assert page.status_code == 200
    key = re.search(r'name="key" type="hidden" value="([^"]+)"', page.text)
    return TYPED | changed | {"key": key.group(1)}


def marks(page):
    return {
        name: spaced(text_of(by_testid(parse(page.text), f"credit-{name}")[0]))
        for name in ("amount", "reason", "before", "after")
    }


def test_a_credit_is_shown_before_it_is_given_and_given_once(acme, staff):
    page = staff.post(f"{CREDITS}/review", TYPED)
    assert 'name="reason" value="Panne du 3 décembre"' in page.text
    assert marks(page) == {
        "amount": "€12.50",
        "reason": "Panne du 3 décembre",
        "before": "€0.00",
        "after": "€12.50",
    }
    assert Credit.select().count() == 0
    fields = reviewed(staff)
    assert fields["key"] != reviewed(staff)["key"]
    for _click in range(2):
        assert staff.post(CREDITS, fields).headers["Location"] == CREDITS
    assert ledger.kept(acme.workspace, "EUR") == Money(1250, "EUR")
    [row] = by_testid(parse(staff.get(CREDITS).text), "credit-row")
    assert "Panne du 3 décembre" in text_of(row) and "Unused" in text_of(row)
    trace = AuditTrace.select().join(AuditEntry).where(AuditEntry.action == "credit.given").get()
    assert trace.actor == "staff@vendor.test"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"amount": "0"}, "above zero"),
        ({"amount": "-5"}, "Enter an amount in EUR"),
        ({"amount": "1,000.50"}, "Enter an amount in EUR"),
        ({"amount": ""}, "Enter the amount."),
        ({"amount": "9999999999999"}, "Enter an amount in EUR"),
        ({"currency": "<eur>"}, "Choose"),
        ({"currency": "JPY", "amount": "5"}, "Choose"),
        ({"reason": " "}, "Say why"),
        ({"reason": "x" * 201}, ""),
        ({"reason": "4111 1111 1111 1111"}, "card number"),
    ],
)
def test_what_cannot_be_given_is_refused_beside_its_field(acme, staff, changed, sentence):
    for path in (f"{CREDITS}/review", CREDITS):
        page = staff.post(path, TYPED | {"key": "k"} | changed)
        assert page.status_code == 422
        assert sentence in spaced(page.text)
        assert by_testid(parse(page.text), "error-summary")
    assert Credit.select().count() == 0


def test_a_form_gives_nothing_else_than_it_showed(acme, staff):
    fields = reviewed(staff)
    staff.post(CREDITS, fields)
    assert staff.post(CREDITS, fields | {"amount": "99"}).status_code == 409
    assert staff.post(CREDITS, {**fields, "key": ""}).status_code == 422
    assert ledger.kept(acme.workspace, "EUR") == Money(1250, "EUR")


def test_another_currency_waits_and_says_so(acme, staff):
    paying.buy(acme)
    page = staff.post(f"{CREDITS}/review", TYPED | {"currency": "USD"})
    [waits] = by_testid(parse(page.text), "credit-waits")
    assert "charged in EUR" in text_of(waits)
    assert by_testid(parse(staff.post(f"{CREDITS}/review", TYPED).text), "credit-waits") == []


def test_what_is_unused_is_taken_back_with_a_reason(acme, staff):
    staff.post(CREDITS, reviewed(staff))
    credit = Credit.get()
    address = f"{CREDITS}/{credit.key}/take-back"
    page = staff.get(address)
    assert "Take back €12.50" in spaced(page.text)
    fields = dict(re.findall(r'name="(key|shown)" type="hidden" value="([^"]+)"', page.text))
    assert staff.post(address, fields).status_code == 422
    assert staff.post(address, fields | {"reason": "Wrong customer", "shown": "99"}).status_code == 409
    assert staff.post(address, fields | {"reason": "Wrong customer", "shown": "x"}).status_code == 409
    for _click in range(2):
        assert staff.post(address, fields | {"reason": "Wrong customer"}).status_code == 303
    assert ledger.kept(acme.workspace, "EUR") == Money(0, "EUR")
    assert "€12.50 was taken back" in spaced(staff.get(CREDITS).text)
    assert "nothing can be taken back now" in staff.get(address).text


def test_credits_of_other_or_deleted_workspaces_are_not_found(acme, staff, clock):
    other = paying.a_place("Other", owner="Otto Other")
    given_credits.give(other.workspace, amount=Money(5, "EUR"), reason="r", key="theirs", now=clock.now())
    assert staff.get(f"{CREDITS}/theirs/take-back").status_code == 404
    assert staff.get(f"{CREDITS}/nothing/take-back").status_code == 404
    assert staff.get(f"{CREDITS}/review").headers["Location"] == CREDITS
    fields = reviewed(staff)
    deletion.delete_by_owner(acme, now=clock.now())
    assert staff.get(CREDITS).status_code == 404
    assert staff.post(CREDITS, fields).status_code == 404


def test_only_staff_gives(app, acme):
    owner = Sender(app, acme.member.person)
    for answer in (owner.get(CREDITS), owner.post(CREDITS, TYPED), owner.post(f"{CREDITS}/review", TYPED)):
        assert answer.status_code == 404
