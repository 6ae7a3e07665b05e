"""The operators' page of exchange rates."""

import pytest

from portal.database.connecting import connection
from portal.models import AuditEntry, ExchangeRate
from tests.factories import a_catalogue, a_person
from tests.pages import by_testid, parse, text_of
from tests.visiting import visit_as
from tests.visitors import Visitor

pytestmark = pytest.mark.engine("sqlite")
PAGE = "/operator/exchange-rates"
GOOD = {"currency": "USD", "rate_on": "2026-11-20", "rate": "1,1612", "source": "Banque centrale européenne"}


@pytest.fixture(autouse=True)
def connected(app):
    with connection():
        yield


@pytest.fixture
def staff(app):
    a_catalogue()
    visitor = Visitor(app)
    visit_as(visitor.client, a_person("staff@vendor.test", name="Sam Staff", operator=True))
    return visitor


def rows(answer, testid="rate-row"):
    page = parse(answer.get_data(as_text=True))
    return [" ".join(text_of(row).split()) for row in by_testid(page, testid)]


def test_a_rate_is_added_and_listed_with_who_added_it(staff):
    page = staff.get(PAGE)
    assert rows(page, "currency-need") == ["USD 1 EUR = 1.16 USD Make-believe rate of the sandbox"]
    assert "No rate yet" in page.get_data(as_text=True)
    assert staff.post(PAGE, GOOD).status_code == 303
    assert rows(staff.get(PAGE)) == [
        "20 November 2026 1 EUR = 1.1612 USD Banque centrale européenne Sam Staff"
    ]
    assert rows(staff.get(PAGE), "currency-need") == ["USD 1 EUR = 1.1612 USD Holds until 27 November 2026"]
    kept = ExchangeRate.get()
    assert (kept.base, kept.currency, kept.millionths) == ("EUR", "USD", 1_161_200)
    entry = AuditEntry.get(AuditEntry.action == "exchange_rate.added")
    assert (entry.subject, entry.changes["millionths"]) == ("EUR/USD", 1_161_200)


def test_a_slip_is_mended_by_another_row(staff):
    staff.post(PAGE, {**GOOD, "rate": "11.612"})
    staff.post(PAGE, GOOD)
    assert ["11.612" in row for row in rows(staff.get(PAGE))] == [False, True]
    assert rows(staff.get(PAGE), "currency-need") == ["USD 1 EUR = 1.1612 USD Holds until 27 November 2026"]


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("rate_on", "", "Enter the day that the rate is of."),
        ("rate_on", "20/11/2026", "Enter a day as year, month and day, like 2026-11-21."),
        ("rate_on", "2026-11-22", "Enter today or a day before it."),
        ("rate_on", "1999-01-01", "Enter a day of the last twelve months."),
        ("rate", "0", "Enter a rate above zero with up to six decimals, like 1.1612."),
        ("rate", "", "Enter the rate."),
        ("source", "", "Enter who publishes the rate."),
        ("currency", "EUR", "Choose an option from the list."),
        ("currency", "XXX", "Choose an option from the list."),
    ],
)
def test_what_is_no_rate_is_refused_beside_its_field(staff, field, typed, sentence):
    answer = staff.post(PAGE, {**GOOD, field: typed})
    assert answer.status_code == 422 and sentence in answer.get_data(as_text=True)
    assert ExchangeRate.select().count() == 0


def test_older_rates_are_on_the_next_page(staff, monkeypatch):
    monkeypatch.setattr("portal.routes.operator.exchange_rates.ROWS_OF_A_PAGE", 2)
    for day in ("2026-11-18", "2026-11-19", "2026-11-20"):
        staff.post(PAGE, {**GOOD, "rate_on": day})
    first = staff.get(PAGE)
    assert [row[:2] for row in rows(first)] == ["20", "19"]
    cursor = sorted(rate.id for rate in ExchangeRate.select())[1]
    assert f"before={cursor}" in first.get_data(as_text=True)
    assert [row[:2] for row in rows(staff.get(f"{PAGE}?before={cursor}"))] == ["18"]


def test_the_page_is_for_operators_alone(app, staff):
    somebody = Visitor(app)
    visit_as(somebody.client, a_person("leo@acme.test"))
    assert somebody.get(PAGE).status_code == somebody.post(PAGE, GOOD).status_code == 404
    assert ExchangeRate.select().count() == 0


def test_the_operators_first_page_leads_there(staff):
    assert by_testid(parse(staff.get("/operator/").get_data(as_text=True)), "exchange-rates")
