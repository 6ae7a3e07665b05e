"""The questions: all there, opened as asked, with the figures of the catalogue and of the domain."""

from datetime import date

import pytest
from flask_babel import force_locale

from portal.domain.extension import PaidPeriod, extend
from portal.domain.money import Money
from portal.domain.periods import Period
from portal.domain.vocabulary import ChangePolicy, Interval
from portal.models import Plan, Product
from portal.words import formatting
from tests.factories import a_catalogue
from tests.pages import by_testid, links_of, parse, spaced, text_of
from tests.visiting import facts

pytestmark = pytest.mark.engine("sqlite")
QUESTIONS = [f"q{number}" for number in range(1, 23)]


@pytest.fixture
def shop(app):
    with facts(app):
        a_catalogue()
    return app


def answers(page) -> dict[str, object]:
    """The <details> of each question by the id of its answer, in the order of the page."""
    return {
        part.get("id"): question
        for question in page.iter("details")
        for part in question
        if part.get("id") in QUESTIONS
    }


def opened(page) -> list[str]:
    return [name for name, question in answers(page).items() if question.get("open") is not None]


def answer(client, name: str) -> str:
    return text_of(answers(parse(client.get("/faq?lang=en").text))[name])


# --- the questions --------------------------------------------------------------------------------


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_twenty_two_questions_are_there_and_closed(shop, client, language) -> None:
    page = parse(client.get(f"/faq?lang={language}").text)
    assert page.get("lang") == language
    assert list(answers(page)) == QUESTIONS
    assert opened(page) == []
    assert all(len(text_of(question)) > 80 for question in answers(page).values())


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("all", QUESTIONS),
        ("none", []),
        ("7", ["q7"]),
        ("22", ["q22"]),
        ("0", []),
        ("23", []),
        ("07", []),
        ("q7", []),
        ("ALL", []),
        ("7 8", []),
        ("\x00", []),
        ("<b>", []),
        ("9" * 5000, []),
    ],
)
def test_the_address_opens_all_none_or_one(shop, client, asked, shown) -> None:
    response = client.get("/faq", query_string={"open": asked})
    assert response.status_code == 200
    assert opened(parse(response.text)) == shown


def test_two_links_do_without_a_script_what_the_script_does(shop, client) -> None:
    links = list(links_of(parse(client.get("/faq").text)))
    assert {"/faq?open=all", "/faq?open=none"} <= set(links)


@pytest.mark.nothing_on_sale
def test_nothing_on_sale_raises_no_questions(client) -> None:
    response = client.get("/faq?open=all&lang=en")
    assert response.status_code == 200
    assert "Nothing is on sale yet" in response.text
    assert answers(parse(response.text)) == {}


@pytest.mark.parametrize("address", ["/", "/pricing", "/faq", "/terms"])
def test_public_pages_lead_to_the_questions(shop, client, address) -> None:
    links = list(links_of(parse(client.get(address).text)))
    # In the header and in the footer; the prices lead to them once more.
    assert links.count("/faq") == (3 if address == "/pricing" else 2)


def test_answers_lead_to_the_pages_that_they_name(shop, client) -> None:
    links = set(links_of(parse(client.get("/faq").text)))
    assert {"/links/editors", "/links/education", "/links/nonprofit", "/links/contact"} <= links
    assert {"/nonprofit", "/security", "/privacy", "/terms", "#q7"} <= links


# --- figures --------------------------------------------------------------------------------------


def test_limits_are_those_of_the_catalogue(shop, client) -> None:
    assert "As many as you like, for the 30 days" in answer(client, "q2")
    assert "2 guests for each user" in answer(client, "q6")
    assert "Active users5 Administrators, owners included1 Guests0 Storage2 GB" in answer(client, "q9")
    assert "Active users1,000 Guests2,000 Storage2 GB" in answer(client, "q21")
    french = text_of(answers(parse(client.get("/faq?lang=fr").text))["q21"])
    assert "1 000" in french and "2 000" in french
    with facts(shop):
        Product.update(trial_days=14).where(Product.code == "office").execute()
        Plan.update(max_users=1500).where(Plan.code == "trial").execute()
        Plan.update(guests_per_user=1).where(Plan.code.startswith("business")).execute()
        Plan.update(max_users=4, services=["ldap"]).where(Plan.code == "startup").execute()
        Plan.update(max_users=200, max_administrators=3).where(Plan.code == "nonprofit").execute()
    assert "Up to 1,500, for the 14 days" in answer(client, "q2")
    assert "1 guest for each user" in answer(client, "q6")
    assert "Active users4 " in answer(client, "q9")
    assert "LDAP" not in answer(client, "q9")
    assert "Single sign-on" in answer(client, "q9")
    assert "Active users200 Administrators, owners included3 Guests400" in answer(client, "q21")


def test_what_is_not_sold_is_not_asked_about(shop, client) -> None:
    with facts(shop):
        Plan.update(withdrawn=True).where(Plan.code.in_(["startup", "nonprofit"])).execute()
        Product.update(trial_days=0, change_policy=ChangePolicy.PRORATE).where(
            Product.code == "office"
        ).execute()
    response = client.get("/faq?lang=en")
    missing = {"q2", "q7", "q9", "q20", "q21"}
    assert list(answers(parse(response.text))) == [name for name in QUESTIONS if name not in missing]
    assert 'href="#q7"' not in response.text
    assert "deducted from the new plan" in answer(client, "q6")


def test_without_guests_nobody_is_added_beyond_the_plan(shop, client) -> None:
    with facts(shop):
        Plan.update(guests_per_user=0).where(Plan.code.startswith("business")).execute()
    assert "guest" not in answer(client, "q6")
    assert "Nobody can be added" in answer(client, "q10")


def test_ways_to_pay_and_the_processor_are_those_of_the_gateways(shop, client) -> None:
    said = answer(client, "q16")
    assert "Visa, Mastercard, American Express, JCB, Discover" in said
    assert "PayPal" in said
    assert "processed by Portal sandbox" in said
    assert "QIWI is not offered" in said


def bound(binding: str, said: str):
    return pytest.param(said, marks=pytest.mark.settings(PORTAL_SESSION_BINDING=binding), id=binding)


@pytest.mark.parametrize(
    "said", [bound("strict", "another IP address"), bound("network", "another network"), bound("off", "")]
)
def test_safety_is_told_as_it_is_set(shop, client, said) -> None:
    told = answer(client, "q13")
    assert said in told
    assert ("A session ends" in told) == bool(said)
    # The site of the tests is http://, and does not claim to be encrypted.
    assert "TLS" not in told


# --- the worked example ---------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_table_shows_what_the_rule_computes(shop, client, language) -> None:
    """18 USD on 1 January, 30 USD on the 3rd: 28 × 18/31 ÷ 30/31 = 16.8, so 3 February + 16 days."""
    change = extend(
        paid=[PaidPeriod(Period(date(2026, 1, 1), date(2026, 2, 1)), 31, Money(1800, "USD"))],
        new_price=Money(3000, "USD"),
        interval=Interval.MONTH,
        on=date(2026, 1, 3),
    )
    assert change.due_on == date(2026, 2, 19)
    with shop.app_context(), force_locale(language):
        old, new, left = (
            formatting.money(amount)
            for amount in (
                change.old_price_per_day_shown,
                change.new_price_per_day_shown,
                change.money_left_shown,
            )
        )
        due_on = formatting.day_of_any_year(change.due_on)
    [table] = by_testid(parse(client.get(f"/faq?lang={language}").text), "worked-example")
    assert len(list(table.iter("th"))) == 9 + 2
    first, second = ([text_of(cell) for cell in row] for row in list(table.iter("tr"))[1:])
    assert (first[1], second[1]) == ("3", "5")
    assert first[3].startswith(f"{spaced(old)} ")
    assert second[3].startswith(f"{spaced(new)} ")
    assert first[5] == f"{change.unused_days} 31 − 3"
    assert first[6].startswith(f"{spaced(left)} ")
    assert second[7].startswith(f"{change.extra_days} ")
    assert second[8].startswith(f"{spaced(due_on)} ")


def test_the_table_in_english(shop, client) -> None:
    [table] = by_testid(parse(client.get("/faq?lang=en").text), "worked-example")
    rows = [[text_of(cell) for cell in row] for row in table.iter("tr")]
    assert rows == [
        [
            "Payment",
            "Users",
            "Price",
            "Price per day",
            "Payment date",
            "Unused days",
            "Money left",
            "Extra days",
            "End date",
        ],
        [
            "First",
            "3",
            "$18.00",
            "$0.58 $18.00 ÷ 31",
            "1 January",
            "28 31 − 3",
            "$16.26 28 × $18.00 ÷ 31",
            "–",
            "1 February",
        ],
        [
            "Second",
            "5",
            "$30.00",
            "$0.97 $30.00 ÷ 31",
            "3 January",
            "–",
            "–",
            "16 16.8, whole days only",
            "19 February 3 February + 16",
        ],
    ]


def test_the_published_figures_are_explained(shop, client) -> None:
    """18/31 cut to 0.58, 30/31 to 0.96; 28 × 0.58 = 16.24; 16.24 ÷ 0.96 = 16.91…, printed 16.9."""
    said = answer(client, "q7")
    for figure in ("$0.58 and $0.96", "$16.24", "16.9 extra days", "the same date, 19 February"):
        assert figure in said
