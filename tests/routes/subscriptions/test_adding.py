"""Adding a subscription, step by step: what each asks, what it refuses, and the order that comes of it."""

import re
import secrets
from datetime import date
from urllib.parse import urlencode

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval
from portal.models import Licence, Order, Plan, Price, Product, Workspace
from portal.services.checkout import ordering
from portal.services.subscriptions import agreement, cancellation
from tests.factories import CATALOGUE, a_member, a_person, owner_of
from tests.licensed import bought, tried
from tests.pages import by_testid, links_of, parse, text_of
from tests.paying import ASKS_ONCE, a_place, apply_catalogue, pay, with_details
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")
NEW = "/w/acme/subscriptions/new"
ALL = {"product": "meetings", "plan": "meetings-professional", "licences": "12", "interval": "month"}


@pytest.fixture
def place(app, client):
    """Acme on its first day of trial; the browser is its owner's."""
    with facts(app):
        place = a_place()
        visit_as(client, owner_of(place.workspace))
        return place


@pytest.fixture
def trials():
    """Whoever asks for it may try what the catalogue gives to try."""


@pytest.fixture(autouse=True)
def nothing_to_try(app, place, request):
    """Everywhere else the product is bought without being asked: fewer steps to go through."""
    if "trials" not in request.fixturenames:
        with facts(app):
            Product.update(trial_days=0).execute()


def asked(client, *, status: int = 200, **choices: str):
    answer = client.get(f"{NEW}?{urlencode(choices)}")
    assert answer.status_code == status, text_of(parse(answer.text))
    return parse(answer.text)


def question(page) -> str:
    return next(text_of(element) for element in page.iter("h2") if element.get("id") == "step-title")


def field_values(page, name: str) -> dict[str, str]:
    """Each value that can be sent for the field, and whether it is chosen."""
    return {
        each.get("value"): "chosen" if each.get("checked") is not None else ""
        for each in page.iter("input")
        if each.get("name") == name
    }


def steps(page) -> list[str]:
    [listed] = [element for element in page.iter("ol") if element.get("class") == "steps"]
    return [text_of(item) for item in listed]


def total(page) -> str:
    [found] = by_testid(page, "running-total")
    return text_of(found)


def main(page) -> str:
    return text_of(next(page.iter("main")))


def error_of(page, field: str) -> str:
    """The sentence beside the field, which says that it is described by it."""
    [sentence] = [element for element in page.iter() if element.get("id") == f"{field}-error"]
    assert [each for each in page.iter() if f"{field}-error" in (each.get("aria-describedby") or "").split()]
    return text_of(sentence)


def mark_of(page, code: str) -> str:
    [entry] = by_testid(page, f"product-{code}")
    return text_of(entry)


# --- the steps ------------------------------------------------------------------------------------


def test_every_product_on_sale_can_be_chosen(client, place):
    page = asked(client)
    assert question(page) == "Which product do you want to add?"
    assert "3 plans, from €11.00 per licence a month excl. VAT" in mark_of(page, "meetings")
    assert "€179.00 per licence a year excl. VAT" in mark_of(page, "remote")
    assert not by_testid(page, "product-office")
    ways = [way for way in links_of(page) if "product=" in way]
    assert ways == [f"{NEW}?product={code}" for code in ("meetings", "webinar", "training", "remote")]


def test_a_product_with_several_plans_asks_which(client, place):
    page = asked(client, product="meetings")
    assert question(page) == "Which Meetings plan do you want?"
    assert field_values(page, "plan") == {
        "meetings-essential": "chosen",
        "meetings-professional": "",
        "meetings-enterprise": "",
    }
    assert steps(page) == ["Product", "Plan", "Licences", "Month or year"]
    assert "€15.00 per licence a month · €150.00 per licence a year" in main(page)


@pytest.mark.parametrize("code", ["training", "remote"])
def test_a_product_with_one_plan_does_not(client, place, code):
    page = asked(client, product=code)
    assert "how many licences do you need?" in question(page)
    assert steps(page) == ["Product", "Licences", "Month or year"]


def test_licences_begin_with_one_and_say_the_most(client, place):
    page = asked(client, product="meetings", plan="meetings-professional")
    [field] = by_testid(page, "licences")
    assert (field.get("value"), field.get("inputmode")) == ("1", "numeric")
    assert "You can order up to 500 licences here." in main(page)
    assert "/links/contact" in list(links_of(page))


def test_a_product_without_a_maximum_promises_none(client, place):
    page = asked(client, product="training")
    assert "You can order" not in main(page)
    assert "/links/contact" not in list(links_of(page))


def test_month_or_year_says_the_saving_for_these_licences(client, place):
    """12 × 13.00 = 156.00 a month, 12 × 130.00 = 1,560.00 a year: 312.00 less, two months."""
    page = asked(client, product="meetings", plan="meetings-professional", licences="12")
    assert question(page) == "Do you want to pay by the month or by the year?"
    assert field_values(page, "interval") == {"month": "chosen", "year": ""}
    assert "€156.00 a month" in main(page)
    assert "€1,560.00 a year. 2 months free: you save €312.00 a year." in main(page)
    [button] = by_testid(page, "proceed")
    assert text_of(button) == "Proceed to checkout"


def test_what_is_sold_by_the_year_alone_leaves_no_other(client, place):
    page = asked(client, product="remote", licences="2")
    assert field_values(page, "interval") == {"year": "chosen"}
    assert "save" not in main(page)


def test_french_tells_the_way_to_the_checkout_from_placing_the_order(client, place):
    page = asked(client, lang="fr", **ALL)
    [button] = by_testid(page, "proceed")
    assert text_of(button) == "Passer au paiement"


def test_each_step_sends_the_others_along(client, place):
    page = asked(client, step="licences", **ALL)
    [form] = [form for form in page.iter("form") if form.get("action") == NEW]
    sent = [(each.get("name"), each.get("value")) for each in form.iter("input")]
    assert form.get("method") == "get"
    assert sent == [
        ("step", "interval"),
        ("product", "meetings"),
        ("plan", "meetings-professional"),
        ("interval", "month"),
        ("licences", "12"),
    ]


def test_steps_that_are_done_lead_back_with_everything_kept(client, place):
    page = asked(client, step="interval", **ALL)
    back = [way for way in links_of(page) if "step=" in way and "lang=" not in way]
    assert [way.rpartition("step=")[2] for way in back] == ["product", "plan", "licences", "licences"]
    assert all(f"{NEW}?{urlencode(ALL)}&step=" in way for way in back)
    again = parse(client.get(back[1]).text)
    assert field_values(again, "plan")["meetings-professional"] == "chosen"


def test_the_whole_address_asks_for_the_last_step(client, place):
    assert question(asked(client, **ALL)) == "Do you want to pay by the month or by the year?"
    assert question(asked(client, step="nonsense", **ALL)).startswith("Do you want to pay")


# --- the running total ----------------------------------------------------------------------------


def test_it_says_price_of_a_licence_tiers_and_amount(client, place):
    chosen = {"product": "meetings", "plan": "meetings-professional", "step": "licences"}
    nine = total(asked(client, **chosen, licences="9"))
    assert "9 licences" in nine
    assert "Monthly€15.00 per licence a month10 or more: €13.00 each€135.00" in nine
    assert "Yearly€150.00 per licence a year10 or more: €130.00 each€1,350.00" in nine
    ten = total(asked(client, **chosen, licences="10"))
    assert "Monthly€13.00 per licence a month10 or more: €13.00 each€130.00" in ten


def test_it_says_the_first_period_once_it_is_known(client, place):
    year = total(asked(client, **{**ALL, "interval": "year"}))
    assert "From 21 November 2026 to 21 November 2027" in year
    assert "Monthly" not in year


def test_a_flat_price_is_that_of_all_licences(app, client, place):
    with facts(app):
        Price.update(unit="flat").where(
            Price.plan << Plan.select().where(Plan.code == "training-standard")
        ).execute()
        Product.update(revision=secrets.token_hex(16)).execute()
    words = total(asked(client, product="training", licences="7"))
    assert "Monthly€99.00 a month€99.00" in words


def test_while_it_is_typed_a_wrong_number_has_a_total_without_an_amount_and_no_refusal(client, place):
    chosen = urlencode({"product": "meetings", "plan": "meetings-professional", "licences": "0"})
    headers = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "aside#running_total"}
    answer = client.get(f"{NEW}?step=licences&{chosen}", headers=headers)
    assert answer.status_code == 200
    assert "per licence a month" in answer.text
    assert "licences</p>" not in answer.text


def test_prices_are_in_the_currency_of_the_workspace_or_the_one_asked_for(app, client, place):
    assert "€156.00" in total(asked(client, **ALL))
    assert "$168.00" in total(asked(client, **ALL, currency="USD"))
    with facts(app):
        Workspace.update(currency="USD").execute()
    assert "$168.00" in total(asked(client, **ALL))
    with facts(app):
        Workspace.update(currency="JPY").execute()
    assert "€156.00" in total(asked(client, **ALL))


# --- the compare table ----------------------------------------------------------------------------


def test_the_plans_are_compared_in_a_table_with_row_headers(client, place):
    page = asked(client, product="meetings")
    [table] = list(page.iter("table"))
    heads = [text_of(cell) for cell in table.iter("th") if cell.get("scope") == "col"]
    assert heads[1:] == ["Meetings Essential", "Meetings Professional", "Meetings Enterprise"]
    features = [row for row in table.iter("tr") if row[0].get("scope") == "row"]
    rows = {text_of(row[0]): [text_of(cell) for cell in row[1:]] for row in features}
    assert len(rows) == 6
    assert rows["People in a meeting"] == ["Up to 50", "Up to 150", "Up to 500"]
    assert rows["Recording"] == ["–No", "Kept for 30 days", "Kept for a year"]
    assert rows["Screen sharing"] == ["Yes", "Yes", "Yes"]


def test_a_hidden_plan_is_neither_offered_nor_compared(app, client, place):
    with facts(app):
        Plan.update(hidden=True).where(Plan.code == "meetings-essential").execute()
        Product.update(revision=secrets.token_hex(16)).execute()
    assert "Meetings Essential" not in main(asked(client, product="meetings"))


# --- what is wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("0", "Enter a whole number from 1 to 500."),
        ("-1", "Enter a whole number from 1 to 500."),
        ("1.5", "Enter a whole number from 1 to 500."),
        ("1,5", "Enter a whole number from 1 to 500."),
        ("ten", "Enter a whole number from 1 to 500."),
        ("1e3", "Enter a whole number from 1 to 500."),
        ("１２", "Enter a whole number from 1 to 500."),
        ("", "Enter how many licences you want."),
        ("501", "At most 500 licences can be ordered here. Contact us if you need more."),
        ("0000501", "At most 500 licences can be ordered here. Contact us if you need more."),
        (str(10**20), "At most 500 licences can be ordered here. Contact us if you need more."),
        ("9" * 190, "At most 500 licences can be ordered here. Contact us if you need more."),
    ],
)
def test_a_wrong_number_has_a_sentence_beside_the_field_and_is_kept(client, place, typed, sentence):
    chosen = {"product": "meetings", "plan": "meetings-professional", "licences": typed}
    page = asked(client, status=422, step="interval", **chosen)
    assert "how many licences do you need?" in question(page)
    assert error_of(page, "licences") == sentence
    [field] = by_testid(page, "licences")
    assert field.get("value") == typed
    assert "/links/contact" in list(links_of(page))


def test_where_any_number_is_sold_there_is_a_most_all_the_same(client, place):
    page = asked(client, status=422, step="interval", product="training", licences=str(10**6 + 1))
    assert error_of(page, "licences") == (
        "At most 1,000,000 licences can be ordered here. Contact us if you need more."
    )
    assert question(asked(client, product="training", licences=str(10**6))).startswith("Do you want to pay")


@pytest.mark.parametrize("code", ["office", "nothing", "business-5", "MEETINGS", "meetings\x00", "x" * 500])
def test_what_is_no_product_on_sale_leads_to_the_list(client, place, code):
    page = asked(client, status=422, product=code)
    assert question(page) == "Which product do you want to add?"
    assert "This product is not on sale. Choose one of these." in main(page)


@pytest.mark.parametrize("plan", ["business-5", "webinar-pro", "trial", "nothing", "", "<b>"])
def test_what_is_no_plan_of_the_product_is_refused_beside_the_plans(client, place, plan):
    page = asked(client, status=422, product="meetings", plan=plan, step="licences")
    assert question(page) == "Which Meetings plan do you want?"
    assert error_of(page, "plan")


def test_another_plan_of_a_product_with_one_is_refused(client, place):
    page = asked(client, status=422, product="training", plan="webinar-pro")
    assert "This plan is not on sale today." in main(page)


@pytest.mark.parametrize("interval", ["week", "MONTH", ""])
def test_what_is_no_interval_is_refused_beside_the_field(app, client, place, interval):
    answer = post_form(client, NEW, shown_at=f"{NEW}?{urlencode(ALL)}", **{**ALL, "interval": interval})
    assert answer.status_code == 422
    assert error_of(parse(answer.text), "interval")
    with facts(app):
        assert not Order.select().exists()


def test_by_the_month_is_refused_where_it_is_sold_by_the_year(client, place):
    page = asked(client, status=422, step="end", product="remote", licences="1", interval="month")
    assert error_of(page, "interval") == "Choose an option from the list."


def options_of(page):
    [select] = by_testid(page, "currency")
    return {each.get("value"): each.get("selected") is not None for each in select.iter("option")}


@pytest.mark.parametrize("step", ["plan", "licences", "interval"])
def test_the_currency_is_chosen_in_every_step_and_kept_in_the_addresses(client, place, step):
    page = asked(client, **ALL, step=step)
    assert options_of(page) == {"EUR": True, "USD": False}
    dollars = asked(client, **ALL, show=step, currency="USD")
    assert options_of(dollars) == {"EUR": False, "USD": True}
    assert "$168.00" in total(dollars)
    links = [link.get("href") or "" for link in dollars.iter("a")]
    steps = [link for link in links if "step=" in link]
    assert steps
    assert all("currency=USD" in link for link in steps)
    # In the form it is sent once, by the select itself.
    [sent] = [each for each in dollars.iter() if each.get("name") == "currency"]
    assert sent.tag.endswith("select")


def test_the_list_of_products_shows_another_currency_and_leads_on_in_it(client, place):
    page = asked(client, currency="USD")
    assert options_of(page) == {"EUR": False, "USD": True}
    [training] = by_testid(page, "product-training")
    assert "$" in text_of(training)
    assert [link.get("href") for link in training.iter("a")] == [
        "/w/acme/subscriptions/new?product=training&currency=USD"
    ]
    assert "There is no price in this currency." in main(asked(client, status=422, currency="JPY"))


def test_without_a_script_the_last_step_shows_its_prices_anew(client, place):
    shown = f"{NEW}?{urlencode(ALL)}"
    answer = post_form(client, NEW, shown_at=shown, **ALL, currency="USD", show="interval")
    assert answer.status_code == 303
    assert "$168.00" in total(parse(client.get(answer.location).text))
    bad = post_form(client, NEW, shown_at=shown, **ALL, currency="JPY", show="interval")
    assert bad.status_code == 422
    assert "There is no price in this currency." in bad.text


@pytest.mark.parametrize("show", ["nothing", "end", "x" * 3000, "product"])
def test_a_step_that_is_none_is_not_shown(client, place, show):
    assert client.get(NEW, query_string={**ALL, "show": show}).status_code in (200, 422)


def test_a_trial_costs_nothing_in_any_currency(client, place, trials):
    page = asked(client, product="meetings", how="try", plan="meetings-essential", step="licences")
    assert by_testid(page, "currency") == []


@pytest.mark.parametrize("currency", ["JPY", "eur", "XXX", "12345", "€"])
def test_a_currency_without_a_price_is_refused_and_another_shown(client, place, currency):
    page = asked(client, status=422, **ALL, currency=currency)
    assert "There is no price in this currency. Prices are shown in EUR." in main(page)
    assert "€156.00" in total(page)


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        ({}, "Which product do you want to add?"),
        ({"product": "meetings"}, "Which Meetings plan do you want?"),
        (
            {"product": "meetings", "plan": "meetings-enterprise"},
            "Meetings Enterprise: how many licences do you need?",
        ),
    ],
)
def test_a_step_without_those_before_it_goes_back_to_the_first_that_is_missing(client, place, chosen, shown):
    assert question(asked(client, status=422, step="interval", **chosen)) == shown


def test_a_card_number_is_never_kept(client, place):
    page = asked(client, status=422, step="interval", product="training", licences="4242424242424242")
    [field] = by_testid(page, "licences")
    assert "4242" not in (field.get("value") or "")


def test_a_number_sent_twice_is_none(client, place):
    answer = client.get(f"{NEW}?product=training&licences=1&licences=2&step=interval")
    assert answer.status_code == 422


# --- what is had already --------------------------------------------------------------------------


def test_a_subscribed_product_leads_to_its_card(app, client, place):
    with facts(app):
        bought(place)
    page = asked(client)
    assert "Yours now" in mark_of(page, "meetings")
    card = "/w/acme/subscriptions#subscription-meetings"
    assert card in list(links_of(page))
    answer = client.get(f"{NEW}?product=meetings")
    assert (answer.status_code, answer.headers["Location"]) == (303, card)


def test_nor_can_it_be_ordered_again(app, client, place):
    page = f"{NEW}?{urlencode(ALL)}"
    token = parse(client.get(page).text)
    with facts(app):
        bought(place)
    fields = {
        each.get("name"): each.get("value") for each in token.iter("input") if each.get("type") == "hidden"
    }
    answer = client.post(NEW, data={**fields, "interval": "month"})
    assert answer.status_code == 409
    assert "You have Meetings already." in answer.text
    with facts(app):
        assert Order.select().count() == 1


def test_what_was_cancelled_and_has_ended_can_be_chosen_again(app, client, place, clock):
    with facts(app):
        cancellation.cancel(bought(place), shown_ends_on="2026-12-21", now=clock.now())
    assert client.get(f"{NEW}?product=meetings").status_code == 303
    clock.advance(days=31)
    assert question(asked(client, product="meetings")) == "Which Meetings plan do you want?"


def test_beside_an_open_payment_for_it_nothing_is_ordered(app, client, place, clock):
    with facts(app):
        choices = [Choice("training-standard", Interval.MONTH, 2)]
        order = ordering.open_order(place, choices=choices, currency="EUR", now=clock.now())
        pay(with_details(order, place), ASKS_ONCE)
    assert "Payment being confirmed" in mark_of(asked(client), "training")
    page = asked(client, status=409, product="training")
    assert "You can order once the result of the payment is known." in main(page)
    answer = post_form(
        client, NEW, shown_at=f"{NEW}?{urlencode(ALL)}", product="training", licences="1", interval="month"
    )
    assert answer.status_code == 409
    assert question(asked(client, product="meetings"))


# --- trials ---------------------------------------------------------------------------------------


def test_no_trial_is_offered_while_nothing_begins_one(client, place):
    page = asked(client, product="meetings")
    assert "Buy or try" not in steps(page)
    refused = asked(client, status=422, product="meetings", how="try")
    assert "There is no free trial of Meetings." in main(refused)


def test_an_untried_product_can_be_bought_or_tried(client, place, trials):
    assert "14-day free trial" in mark_of(asked(client), "meetings")
    page = asked(client, product="meetings")
    assert question(page) == "Do you want to buy Meetings, or try it first?"
    assert field_values(page, "how") == {"buy": "chosen", "try": ""}


def test_a_trial_asks_for_neither_month_nor_money(client, place, trials):
    chosen = {"product": "meetings", "how": "try", "plan": "meetings-essential"}
    page = asked(client, **chosen)
    assert steps(page) == ["Product", "Buy or try", "Plan", "Licences"]
    assert "You can try up to 5 licences." in main(page)
    assert "Free until 5 December 2026. It ends by itself, and nothing is charged." in main(page)
    assert by_testid(page, "start-trial")
    assert not by_testid(page, "proceed")
    assert "€" not in main(page)
    refused = asked(client, status=422, **chosen, licences="6")
    assert error_of(refused, "licences") == "Enter a whole number from 1 to 5."


def test_a_product_that_was_tried_or_has_no_trial_offers_none(app, client, place, trials):
    with facts(app):
        tried(place)
    page = asked(client)
    assert "On trial" in mark_of(page, "meetings")
    # What is only tried is not yet theirs: it has not the colour of what is.
    [entry] = by_testid(page, "product-meetings")
    assert [mark.get("data-state") for mark in entry.iter("span") if mark.get("class") == "badge"] == [
        "trial"
    ]
    assert "Buy or try" not in steps(asked(client, product="meetings", how="buy"))
    refused = asked(client, status=422, product="meetings", how="try")
    assert "You have already had the free trial of Meetings." in main(refused)
    assert "Buy or try" not in steps(asked(client, product="remote"))


def test_what_is_sold_by_the_year_alone_is_not_asked_about(client, place):
    assert question(asked(client, product="remote", licences="2")) == "It is paid by the year"


# --- the order ------------------------------------------------------------------------------------


def test_the_last_step_makes_the_order_and_goes_on_to_its_checkout(app, client, place):
    answer = post_form(client, NEW, shown_at=f"{NEW}?{urlencode(ALL)}", **ALL)
    with facts(app):
        order = Order.get()
        [line] = order.frozen_lines
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/w/acme/checkout/{order.number}")
    assert (line.plan_code, line.interval, line.quantity) == ("meetings-professional", "month", 12)
    assert (order.net_minor, order.currency) == (15_600, "EUR")
    assert (line.start_on, line.due_on) == (date(2026, 11, 21), date(2026, 12, 21))


def test_the_order_is_in_the_currency_that_was_shown(app, client, place):
    shown = f"{NEW}?{urlencode({**ALL, 'currency': 'USD'})}"
    post_form(client, NEW, shown_at=shown, **ALL, currency="USD")
    with facts(app):
        assert (Order.get().net_minor, Order.get().currency) == (16_800, "USD")


@pytest.mark.parametrize("missing", ["plan", "licences", "interval"])
def test_nothing_is_ordered_while_something_is_missing(app, client, place, missing):
    sent = {name: value for name, value in ALL.items() if name != missing}
    answer = post_form(client, NEW, shown_at=f"{NEW}?{urlencode(ALL)}", **sent)
    assert answer.status_code == 422
    with facts(app):
        assert not Order.select().exists()


def test_a_product_withdrawn_meanwhile_is_not_ordered(app, client, place):
    shown = client.get(f"{NEW}?product=training&licences=1")
    fields = {
        each.get("name"): each.get("value")
        for each in parse(shown.text).iter("input")
        if each.get("type") == "hidden"
    }
    text = CATALOGUE.read_text()
    start = text.index('[[products]]\ncode = "training"')
    with facts(app):
        apply_catalogue(text[:start] + text[text.index('[[products]]\ncode = "remote"') :])
    answer = client.post(NEW, data={**fields, "interval": "month"})
    assert answer.status_code == 422
    assert "This product is not on sale." in answer.text


def test_where_nothing_is_sold_beside_the_plan_the_page_says_so(app, client, place):
    text = CATALOGUE.read_text()
    with facts(app):
        apply_catalogue(text[: text.index('[[products]]\ncode = "meetings"')])
    assert "There is no other product yet" in main(asked(client))


def test_the_checkout_leads_back_to_what_was_chosen(app, client, place):
    """Another number of licences is another order; the first one stays open and unpaid."""
    first = post_form(client, NEW, shown_at=f"{NEW}?{urlencode(ALL)}", **ALL)
    [way] = by_testid(parse(client.get(first.headers["Location"]).text), "change-order")
    assert text_of(way) == "Change the order"
    again = parse(client.get(way.get("href")).text)
    assert question(again) == "Meetings Professional: how many licences do you need?"
    [field] = by_testid(again, "licences")
    assert field.get("value") == "12"
    second = post_form(client, NEW, shown_at=way.get("href"), **{**ALL, "licences": "9"})
    [line] = by_testid(parse(client.get(second.headers["Location"]).text), "order-rate")
    assert text_of(line) == "9 licences at €15.00 each"


def test_a_plan_names_its_product(client, place):
    assert question(asked(client, plan="meetings-professional")).startswith("Meetings Professional")
    assert question(asked(client, plan="training-standard", licences="2")).startswith("Do you want to pay")
    assert question(asked(client, plan="business-5")) == "Which product do you want to add?"


# --- the cart -------------------------------------------------------------------------------------


def to_cart(client, **choices: str):
    page = asked(client, **choices)
    token = next(by_name(page, "csrf_token")).get("value")
    return client.post(NEW, data={**choices, "cart": "y", "csrf_token": token})


def by_name(page, name: str):
    return (each for each in page.iter("input") if each.get("name") == name)


CHOSEN = {"product": "meetings", "plan": "meetings-professional", "licences": "12", "interval": "month"}
TRAINING = {"product": "training", "licences": "2", "interval": "month"}


def test_what_is_put_into_the_cart_is_ordered_there_with_the_rest(app, client, place) -> None:
    last = asked(client, **CHOSEN, step="interval")
    assert [len(by_testid(last, mark)) for mark in ("proceed", "add-to-cart")] == [1, 1]
    answer = to_cart(client, **CHOSEN)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/cart")
    # The cart holds something now: what comes next joins it, and nothing goes past it.
    last = asked(client, **TRAINING, step="interval")
    assert [len(by_testid(last, mark)) for mark in ("proceed", "add-to-cart")] == [0, 1]
    assert to_cart(client, **TRAINING).headers["Location"] == "/w/acme/cart"
    page = parse(client.get("/w/acme/cart").text)
    assert [len(by_testid(page, f"cart-{code}")) for code in ("meetings", "training")] == [1, 1]
    link = by_testid(parse(client.get("/w/acme/subscriptions").text), "cart-link")
    assert [text_of(each) for each in link] == ["Cart: 2 products"]
    with facts(app):
        assert Order.select().count() == 0


def test_another_number_of_what_is_in_the_cart_is_shown_beside_the_first(client, place) -> None:
    to_cart(client, **CHOSEN)
    answer = to_cart(client, **{**CHOSEN, "licences": "3"})
    assert answer.status_code == 409
    assert {"12", "3"} <= set(re.findall(r"\d+", text_of(parse(answer.text))))


def test_what_is_in_another_currency_does_not_join_the_cart(client, place) -> None:
    to_cart(client, **CHOSEN, currency="USD")
    # What is added next is shown in the currency of the cart.
    assert "$" in text_of(by_testid(asked(client, **TRAINING, step="interval"), "running-total")[0])
    assert by_testid(asked(client, **TRAINING, step="interval"), "currency") == []
    said = "What is in the cart has prices in another currency."
    assert said in main(asked(client, status=422, **TRAINING, step="interval", currency="EUR"))
    answer = post_form(client, NEW, shown_at="/w/acme/cart", **TRAINING, currency="EUR")
    assert (answer.status_code, said in answer.text) == (422, True)


@pytest.mark.parametrize("extra", [{}, {"cart": "1"}], ids=["ordered", "cart"])
def test_fewer_licences_than_members_hold_are_refused_beside_their_field(app, client, place, trials, extra):
    with facts(app):
        trial = tried(place, quantity=2)
        for member in (place.member, a_member(place.workspace, a_person("bea@acme.test"))):
            Licence.create(subscription=trial, member=member, assigned_at=trial.created_at)
    sent = {**ALL, "how": "buy", "licences": "1", **extra}
    answer = post_form(client, NEW, **sent)
    page = parse(answer.text)
    assert answer.status_code == 422
    assert "Licences assigned to members: 2" in text_of(page)
    [field] = [each for each in page.iter("input") if each.get("name") == "licences"]
    assert (field.get("value"), field.get("aria-invalid")) == ("1", "true")
    with facts(app):
        assert not Order.select().exists()


TRIED = {"product": "meetings", "how": "try", "plan": "meetings-essential", "licences": "2"}


def test_a_blocked_workspace_cannot_try_its_way_out(app, client, place, trials, clock):
    clock.advance(days=31)
    answer = post_form(client, NEW, shown_at="/w/acme/plans", **TRIED)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/plans")
    with facts(app):
        assert agreement.of_product(place.workspace, Product.get(Product.code == "meetings")) is None
