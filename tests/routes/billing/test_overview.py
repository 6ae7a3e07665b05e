"""The overview: what there is, what comes, what needs the reader, and to whom it says so."""

from datetime import date

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, Role
from portal.models import (
    Invoice,
    Member,
    PaymentMethod,
    Plan,
    Session,
    Subscription,
    Workspace,
)
from portal.services.subscriptions import cancellation
from tests.asking import a_request, only_billing_buys
from tests.crediting import credit
from tests.factories import a_member, a_person, owner_of
from tests.licensed import bought, tried
from tests.pages import by_testid, parse, text_of
from tests.passing import pass_days
from tests.paying import (
    DECLINED_WHEN_CHARGED,
    NOT_ENOUGH_FUNDS,
    a_place,
    an_order,
    apply_catalogue,
    as_seen_by,
    buy,
    charged_from_now_on,
    pay,
)
from tests.services.payments.test_on_account import ordered, the_invoice
from tests.services.renewals.test_promises import sells_at
from tests.visiting import facts, visit_as

pytestmark = pytest.mark.engine("sqlite")
PAGE = "/w/acme/billing"
DUE_ON = date(2026, 12, 21)
"""Bought on 21 November 2026 by the month."""


@pytest.fixture
def place(app, client):
    """Acme on its first day of trial; the browser is its owner's."""
    with facts(app):
        place = a_place()
        visit_as(client, owner_of(place.workspace))
        return place


def page_of(client, query: str = ""):
    answer = client.get(PAGE + query)
    assert answer.status_code == 200
    return parse(answer.text)


def said(page, mark: str) -> list[str]:
    return [text_of(found) for found in by_testid(page, mark)]


def needs(page) -> list[str]:
    """The titles of what needs the reader, the most urgent first."""
    lists = by_testid(page, "needs")
    return [text_of(title) for title in lists[0].iter("h2")] if lists else []


def renewed(place, plan="business-10", interval=Interval.MONTH) -> PaymentMethod:
    pay(an_order(place, plan, interval), auto_renewal=True)
    return PaymentMethod.get()


def as_member(app, client, place, *, role: Role = Role.MEMBER, **columns) -> None:
    with facts(app):
        leo = a_person("leo@acme.test", name="Leo Roy")
        a_member(place.workspace, leo, role=role)
        if columns:
            Member.update(**columns).where(Member.person == leo).execute()
        visit_as(client, leo)


# --- nothing to charge ----------------------------------------------------------------------------


def a_trial(place):
    pass


def a_free_plan(place):
    Subscription.update(plan=Plan.get(Plan.code == "startup"), due_on=None).execute()


def paid_by_hand(place):
    buy(place)


def access_is_blocked(place):
    buy(place)
    Subscription.update(started_on=date(2026, 9, 1), due_on=date(2026, 10, 1)).execute()


WHY_NOTHING = [
    (a_trial, "Nothing has been bought yet.", ["The free trial of Office ends"]),
    (a_free_plan, "Everything that you use is free.", []),
    (paid_by_hand, "Nothing renews automatically.", ["Business 5, monthly is paid until this day"]),
    (access_is_blocked, "Nothing is charged automatically until what is due has been paid.", []),
]


@pytest.mark.parametrize(
    ("begin", "why", "to_come"), WHY_NOTHING, ids=lambda each: getattr(each, "__name__", "")
)
def test_where_nothing_is_charged_the_page_says_why(app, client, place, begin, why, to_come) -> None:
    with facts(app):
        begin(place)
    page = page_of(client)
    assert (said(page, "next-total"), said(page, "why-nothing")) == (["None"], [why])
    rows = said(page, "milestone-row")
    assert len(rows) == len(to_come)
    assert all(expected in row for expected, row in zip(to_come, rows, strict=True))
    assert not by_testid(page, "chart-eur")


# --- what comes -----------------------------------------------------------------------------------


def test_the_next_charge_is_all_that_is_charged_on_its_day(app, client, place) -> None:
    """Business 10 at 51.00 and three licences at 11.00, with 20 % VAT: 61.20 + 39.60."""
    with facts(app):
        card = renewed(place)
        bought(place, quantity=3, renews_with=card)
    page = page_of(client)
    assert said(page, "next-total") == ["€100.80"]
    assert said(page, "next-day") == ["on 21 December 2026, including VAT"]
    [section] = by_testid(page, "next-charge")
    assert "Business 10, monthly Visa •••• 4242" in text_of(section)
    assert "Meetings Essential, 3 licences, monthly Visa •••• 4242" in text_of(section)
    assert "€61.20 including VAT on 21 December 2026" in said(page, "own-office")[0]


def test_the_year_has_a_row_for_each_charge_and_sums_by_month_and_in_all(app, client, place) -> None:
    with facts(app):
        card = renewed(place)
        bought(place, quantity=3, renews_with=card)
    page = page_of(client)
    # 21 December to 21 November: twelve days with two charges each.
    assert len(by_testid(page, "charge-row")) == 24
    assert said(page, "month-total") == ["€100.80"] * 12
    assert said(page, "year-total") == ["€1,209.60"]
    [row, *_] = said(page, "charge-row")
    assert row.startswith("December 2026 €100.80 Mon 21 Business 10, monthly €61.20")
    assert row.endswith("Visa •••• 4242")


def test_two_currencies_have_two_sums_and_two_charts(app, client, place) -> None:
    with facts(app):
        pay(an_order(place, "business-10", currency="USD"), auto_renewal=True)
        bought(place, quantity=3, renews_with=PaymentMethod.get())
    page = page_of(client)
    assert len(said(page, "year-total")) == 2
    assert [bool(by_testid(page, f"chart-{code}")) for code in ("eur", "usd")] == [True, True]
    assert len(said(page, "next-total")) == 2


def test_the_chart_is_named_and_draws_what_the_table_says(app, client, place) -> None:
    with facts(app):
        renewed(place, "business-10", Interval.YEAR)
    [chart] = by_testid(page_of(client), "chart-eur")
    ids = {each.get("id"): text_of(each) for each in chart.iter() if each.get("id")}
    first, second = chart.get("aria-labelledby", "").split()
    assert chart.get("role") == "img"
    assert ids[first] == "Charges by month, in EUR – Euro"
    assert "The highest month is November 2027: " in ids[second]
    assert len([each for each in chart.iter() if each.tag.endswith("rect")]) == 1
    assert not [each for each in chart.iter() if each.get("style")]


def test_a_rise_and_the_end_of_a_guarantee_stand_beside_their_charges(app, client, place) -> None:
    with facts(app):
        renewed(place, "business-5")
        Subscription.update(locked_until=date(2027, 4, 21)).where(
            Subscription.locked_until.is_null(False)
        ).execute()
        apply_catalogue(sells_at("business-5", 4000))
    page = page_of(client)
    [row] = [row for row in said(page, "milestone-row") if "guaranteed" in row]
    assert "The guaranteed price of Business 5, monthly ends After it: €40.00 a month excl. VAT" in row
    [row] = [row for row in said(page, "charge-row") if "The price goes up" in row]
    assert "from €28.00 to €40.00 excl. VAT" in row


def test_the_balance_is_told_and_pays_first(app, client, place, clock) -> None:
    with facts(app):
        renewed(place)
        bought(place, "training-standard", quantity=4)
        credit(Invoice.select().order_by(Invoice.id.desc()).get(), clock.now().date())
    page = page_of(client)
    [kept] = said(page, "balance")
    assert kept.endswith("in your balance, which pays first.")
    assert any("Balance" in row or "from the balance" in row for row in said(page, "charge-row"))


def test_a_cancelled_product_ends_and_is_charged_no_more(app, client, place, clock) -> None:
    with facts(app):
        card = renewed(place)
        meetings = bought(place, quantity=3, renews_with=card)
        cancellation.cancel(meetings, shown_ends_on="2026-12-21", now=clock.now())
    page = page_of(client)
    assert any("Meetings Essential, 3 licences, monthly ends" in row for row in said(page, "milestone-row"))
    assert not any("Meetings" in row for row in said(page, "charge-row"))


# --- what needs the reader ------------------------------------------------------------------------


def test_nothing_needs_whoever_has_no_trouble(app, client, place) -> None:
    with facts(app):
        renewed(place)
    page = page_of(client)
    assert needs(page) == []
    assert "Nothing needs your attention." in text_of(page)


def test_the_banner_stands_in_the_list_and_not_above_it_too(app, client, place) -> None:
    with facts(app):
        access_is_blocked(place)
    page = page_of(client)
    assert needs(page) == ["Access is blocked."]
    [banner] = by_testid(page, "state-banner")
    assert by_testid(banner, "pay-due")


def test_trouble_comes_in_the_order_of_its_urgency(app, client, place, clock) -> None:
    """Licences failed, a request waits, and a trial is about to end; the plan is paid for a year."""
    with facts(app):
        card = renewed(place, "business-5", Interval.YEAR)
        bought(place, quantity=3, renews_with=card)
        charged_from_now_on(DECLINED_WHEN_CHARGED)
        pass_days(clock, 20)
        tried(place, "webinar-standard")
        pass_days(clock, 11)
        only_billing_buys(place.workspace)
        a_request(as_seen_by(place, "Amir Asker"), Choice("training-standard", Interval.MONTH, 2))
        # A month is longer than a session.
        Session.delete().execute()
        visit_as(client, owner_of(place.workspace))
    page = page_of(client)
    assert needs(page) == [
        "The payment for Meetings failed.",
        "1 purchase request is waiting for a decision.",
        "The free trial of Webinar is about to end.",
    ]
    [failed] = by_testid(page, "need-meetings")
    assert by_testid(failed, "pay-due-meetings")


def test_a_card_that_expires_before_its_charge_needs_another(app, client, place) -> None:
    with facts(app):
        renewed(place, "business-5", Interval.YEAR)
        PaymentMethod.update(exp_month=4, exp_year=2027).execute()
    page = page_of(client)
    assert needs(page) == ["Visa •••• 4242 expires before it is charged."]
    assert "on 21 November 2027 for Business 5, yearly" in said(page, "need-method")[0]
    assert any("Last day of Visa •••• 4242" in row for row in said(page, "milestone-row"))
    assert any("Visa •••• 4242 (expired)" in row for row in said(page, "charge-row"))


def test_a_card_that_expires_after_many_charges_is_only_told_of(app, client, place) -> None:
    with facts(app):
        renewed(place)
        PaymentMethod.update(exp_month=4, exp_year=2027).execute()
    page = page_of(client)
    assert needs(page) == []
    assert any("Last day of Visa •••• 4242" in row for row in said(page, "milestone-row"))


def test_another_try_stands_on_its_day_and_names_no_method(app, client, place, clock) -> None:
    """Declined on 21 December, tried again on the 22nd: its button above says what it would charge."""
    with facts(app):
        renewed(place)
        charged_from_now_on(NOT_ENOUGH_FUNDS)
        pass_days(clock, 30)
        Session.delete().execute()
        visit_as(client, owner_of(place.workspace))
    page = page_of(client)
    assert needs(page) == ["The payment failed."]
    first, second, *_ = said(page, "charge-row")
    assert "Another try after a failed payment." in first
    assert "Visa" not in first
    assert "Visa •••• 4242" in second


# --- who ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.ADMIN, Role.MEMBER])
def test_who_may_not_use_methods_is_not_told_what_pays(app, client, place, clock, role) -> None:
    with facts(app):
        renewed(place)
        PaymentMethod.update(exp_month=4, exp_year=2027).execute()
        bought(place, "training-standard", quantity=4)
        credit(Invoice.select().order_by(Invoice.id.desc()).get(), clock.now().date())
    as_member(app, client, place, role=role)
    page = page_of(client)
    text = text_of(page)
    assert said(page, "year-total")
    assert "Visa" not in text
    assert "balance" not in text
    assert needs(page) == []


def test_an_upgrader_sees_what_the_owner_sees(app, client, place) -> None:
    with facts(app):
        renewed(place)
    seen_by_owner = text_of(by_testid(page_of(client), "forecast")[0])
    as_member(app, client, place, is_upgrader=True)
    assert text_of(by_testid(page_of(client), "forecast")[0]) == seen_by_owner


def test_members_whom_an_owner_keeps_it_from_have_no_overview(app, client, place) -> None:
    with facts(app):
        Workspace.update(hides_plans_from_members=True).execute()
    as_member(app, client, place)
    assert client.get(PAGE).status_code == 403


@pytest.mark.parametrize("plan", ["startup", "business-3", "business-50"])
def test_it_opens_on_each_plan(app, client, place, plan) -> None:
    with facts(app):
        a_free_plan(place) if plan == "startup" else renewed(place, plan)
    for language in ("en", "fr"):
        assert by_testid(page_of(client, f"?lang={language}"), "own-office")


def test_an_open_invoice_is_told_with_its_amount_and_stands_among_what_comes(app, client, place) -> None:
    with facts(app):
        invoice = the_invoice(ordered(place))
    page = page_of(client)
    [need] = by_testid(page, "needs")
    to_pay = "€214.80 is to be paid by 21 December 2026."
    assert to_pay in text_of(need)
    [row] = [each for each in by_testid(page, "milestone-row") if invoice.number in text_of(each)]
    assert f"Invoice {invoice.number} is due" in text_of(row)
    assert to_pay in text_of(row)
    assert f"{invoice.total.minor}" == "21480"
