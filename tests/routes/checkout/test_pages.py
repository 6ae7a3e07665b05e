"""Paying, by people who do not follow the pages: nothing is charged but what was shown, once, to who may."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, PaymentMethodKind, PaymentState, Role
from portal.models import (
    ALL_MODELS,
    Invoice,
    Order,
    OutboxMessage,
    Payment,
    Person,
    Plan,
    Subscription,
    Workspace,
)
from portal.runtime import Runtime, current, install
from portal.services.subscriptions import scheduled_change
from portal.worker.jobs import drain_outbox
from tests import paying
from tests.attackers import Attacker, an_order_of, bought
from tests.books import assert_books_clean
from tests.factories import CATALOGUE, a_member, a_person, a_workspace, owner_of, seen_by
from tests.pages import by_testid, parse, text_of
from tests.visiting import facts

CARD = {"exp_month": "12", "exp_year": "2030", "security_code": "123", "holder": "Jeanne Martin"}
FORGED = {
    "amount": "1",
    "amount_minor": "1",
    "total_minor": "1",
    "net_minor": "0",
    "tax_minor": "0",
    "price": "startup:month",
    "price_id": "1",
    "plan": "startup",
    "plan_code": "startup",
    "currency": "JPY",
    "payment_currency": "JPY",
    "interval": "year",
    "quantity": "-1",
    "state": "paid",
    "workspace": "2",
    "order": "x",
    "person": "2",
    "success": "1",
    "payment_intent": "x",
    "return_url": "https://evil.example/",
    "next": "https://evil.example/",
}


@pytest.fixture
def acme(app) -> Workspace:
    with facts(app):
        return a_workspace()


@pytest.fixture
def owner(app, acme) -> Attacker:
    with facts(app):
        return Attacker(app, owner_of(acme))


@pytest.fixture
def order(app, acme) -> Order:
    """28 EUR and 20 % VAT."""
    with facts(app):
        return an_order_of(owner_of(acme), acme, "business-5")


def page_of(order: Order, page: str = "") -> str:
    return f"/w/acme/checkout/{order.number}{page}"


def pay(browser: Attacker, order: Order, number: str = paying.PAID, **changed):
    fields = {**CARD, "number": number, "quote": order.quote_hash, **changed}
    return browser.post(page_of(order, "/review"), fields)


def charged(app) -> list[tuple[int, str]]:
    """What the gateway took, and what our books say: the same, or the test fails."""
    with facts(app):
        taken = sorted((charge.amount_minor, charge.currency) for charge in paying.paid_charges())
        succeeded = Payment.select().where(Payment.state == PaymentState.SUCCEEDED)
        booked = sorted((payment.amount_minor, payment.currency) for payment in succeeded)
        assert_books_clean()
    assert taken == booked
    return taken


# --- another price --------------------------------------------------------------------------------


def test_no_field_changes_the_price(app, owner, order) -> None:
    owner.post(page_of(order), FORGED)
    answer = owner.post(
        page_of(order, "/review"), {**FORGED, **CARD, "number": paying.PAID, "quote": order.quote_hash}
    )
    assert answer.status_code == 303
    assert answer.headers["Location"] == page_of(order, "/result")
    assert charged(app) == [(3360, "EUR")]


@pytest.mark.parametrize(
    ("price", "currency"),
    [
        ("trial:month", "EUR"),
        ("nonprofit:year", "EUR"),
        ("startup:month", "EUR"),
        ("business-5:day", "EUR"),
        ("business-5", ""),
        ("business-5:month", "JPY"),
        ("business-5:month", "eur"),
        ("business-5:month:year", "EUR"),
        ("BUSINESS-5:month", "EUR"),
        ("business-5:month\x00", "EUR"),
        ("meetings-essential:month", "EUR"),
        ("1", "EUR"),
        ("", ""),
        (["business-100:year", "trial:month"], ["EUR", "USD", "JPY"]),
    ],
)
@pytest.mark.engine("sqlite")
def test_what_is_not_on_sale_is_not_sold(app, acme, owner, price, currency) -> None:
    fields = {"price": price, "currency": currency, "confirmed": "y", **{f"{name}_x": "1" for name in FORGED}}
    answer = owner.post("/w/acme/plans", fields)
    with facts(app):
        made = [(paying.line_of(each).plan_code, each.currency, each.net_minor) for each in Order.select()]
    if answer.status_code == 303:
        assert made in (
            [("business-5", "EUR", 2800)],
            [("business-100", "EUR", made[0][2])],
        ), "the first of two, at its own price"
        assert made[0][2] >= 2800
    else:
        assert (answer.status_code, made) == (422, [])


def test_a_plan_that_is_too_small_is_refused_at_every_step(app, acme, owner, order) -> None:
    """With an order made while it was large enough, too."""
    with facts(app):
        for n in range(6):
            a_member(acme, a_person(f"m{n}@acme.test"))
    chosen = owner.post("/w/acme/plans", {"price": "business-5:month", "currency": "EUR", "confirmed": "y"})
    for answer in (
        chosen,
        owner.get(page_of(order)),
        owner.get(page_of(order, "/review")),
        pay(owner, order),
    ):
        assert answer.status_code == 422
        assert "Active users now: 7" in answer.text
    assert charged(app) == []


@pytest.mark.parametrize("shown", ["", "x", "0" * 64, "\x00", "' OR 1=1 --", "x" * 65, ["", "x"]])
def test_a_forged_quote_pays_nothing_and_shows_what_it_would_cost(app, owner, order, shown) -> None:
    answer = pay(owner, order, quote=shown)
    assert answer.status_code in (409, 422)
    assert charged(app) == []
    if answer.status_code == 409:
        assert order.quote_hash in answer.text
        assert "33.60" in answer.text


def test_an_old_quote_pays_nothing(app, acme, owner, order) -> None:
    """Open in one tab while the other changes the address: another tax, another price."""
    with facts(app):
        place = seen_by(owner_of(acme), acme)
        newer = paying.with_details(order, place, country="DE", postal_code="10115", is_business=False)
    assert newer.quote_hash != order.quote_hash
    answer = pay(owner, order)
    assert answer.status_code == 409
    assert charged(app) == []
    assert pay(owner, newer).status_code == 303
    assert charged(app) == [(newer.total_minor, "EUR")]


def test_the_quote_of_another_order_pays_nothing(app, acme, owner, order) -> None:
    with facts(app):
        dearer = an_order_of(owner_of(acme), acme, "business-50")
    assert pay(owner, dearer, quote=order.quote_hash).status_code == 409
    assert charged(app) == []


@pytest.mark.engine("sqlite")
def test_a_plan_so_cheap_that_it_would_never_end_is_refused(app, acme, owner) -> None:
    dear = CATALOGUE.read_text().replace('"EUR", amount_minor = 2800 }', '"EUR", amount_minor = 10000000 }')
    with facts(app):
        paying.apply_catalogue(dear.replace('"EUR", amount_minor = 5100 }', '"EUR", amount_minor = 1 }'))
        bought(acme, "business-5")
    answer = owner.post("/w/acme/plans", {"price": "business-10:month", "currency": "EUR", "confirmed": "y"})
    assert answer.status_code == 422
    assert "beyond the last date that we can record" in answer.text
    assert charged(app) == [(12000000, "EUR")]


# --- steps skipped, repeated, undone --------------------------------------------------------------


def test_a_step_that_was_skipped_leads_back_to_it(app, acme, owner) -> None:
    with facts(app):
        bare = paying.an_open_order(seen_by(owner_of(acme), acme))
    for page in ("/review", "/result"):
        assert owner.get(page_of(bare, page)).headers["Location"] == page_of(bare)
    assert pay(owner, bare).headers["Location"] == page_of(bare)
    assert charged(app) == []


@pytest.mark.parametrize("page", ["", "/review", "/result", "/leave"])
def test_an_order_that_nobody_made(owner, page) -> None:
    ask = owner.post if page == "/leave" else owner.get
    assert ask(f"/w/acme/checkout/{'x' * 12}{page}").status_code == 404


def test_paying_twice_pays_once(app, owner, order) -> None:
    for _ in range(3):
        answer = pay(owner, order)
        assert (answer.status_code, answer.headers["Location"]) == (303, page_of(order, "/result"))
    for page in ("", "/review"):
        assert owner.get(page_of(order, page)).headers["Location"] == page_of(order, "/result")
    assert owner.post(page_of(order), {"country": "DE"}).headers["Location"] == page_of(order, "/result")
    assert charged(app) == [(3360, "EUR")]


def test_a_paid_order_is_not_left(app, owner, order) -> None:
    pay(owner, order)
    for _ in range(2):
        assert owner.post(page_of(order, "/leave")).headers["Location"] == page_of(order, "/result")
    with facts(app):
        assert Order.get(Order.number == order.number).state == "paid"
    assert charged(app) == [(3360, "EUR")]


def test_opening_the_result_makes_nothing_paid(app, owner, order) -> None:
    """The way back from the bank only shows: what counts is what the gateway says."""
    asked = pay(owner, order, paying.ASKS_ONCE)
    assert asked.headers["Location"].startswith("http://127.0.0.1:8000/sandbox/3ds/")
    for query in ("", "?success=1", "?state=succeeded", "?payment_intent=x&redirect_status=succeeded"):
        page = owner.get(page_of(order, "/result") + query)
        assert page.status_code == 200
        assert "Nothing is charged until you do" in page.text
    assert charged(app) == []
    assert owner.post(page_of(order, "/leave")).headers["Location"] == page_of(order, "#pay-with")
    assert pay(owner, order).status_code == 303
    assert charged(app) == [(3360, "EUR")]


def test_the_answer_of_the_bank_counts_once(app, owner, order) -> None:
    reference = pay(owner, order, paying.ASKS_ONCE).headers["Location"].rpartition("/")[2]
    for answer, expected in (("refuse", "review"), ("confirm", "review"), ("confirm", "review")):
        back = owner.post(f"/sandbox/3ds/{reference}", {"answer": answer})
        assert back.status_code == 303
        assert owner.get(page_of(order, "/result")).status_code == 200, expected
    assert charged(app) == []


# --- orders of others -----------------------------------------------------------------------------


def test_nobody_pays_reads_or_leaves_the_order_of_another_member(app, acme, order) -> None:
    with facts(app):
        a_member(acme, a_person("member@acme.test"), role=Role.MEMBER)
        member = Attacker(app, Person.get(Person.email == "member@acme.test"))
    for page in ("", "/review", "/result"):
        assert member.get(page_of(order, page)).status_code == 404
    assert member.post(page_of(order), {}).status_code == 404
    assert member.post(page_of(order, "/leave")).status_code == 404
    assert pay(member, order).status_code == 404
    assert charged(app) == []


def test_the_order_of_another_workspace_cannot_be_paid_from_ones_own(app, order) -> None:
    with facts(app):
        stranger = Attacker(app, owner_of(a_workspace("Zenith")))
    fields = {**CARD, "number": paying.PAID, "quote": order.quote_hash}
    for slug in ("acme", "zenith"):
        for page in ("/review", "/leave", ""):
            assert stranger.post(f"/w/{slug}/checkout/{order.number}{page}", fields).status_code == 404
    assert charged(app) == []


def test_what_waits_for_the_payer_is_told_by_its_method(app, acme, owner) -> None:
    with facts(app):
        place = seen_by(owner_of(acme), acme)
        order = paying.an_order(place, method_kind=PaymentMethodKind.PAYPAL)
        paying.pay(order, None)
    page = owner.get(page_of(order, "/result")).text
    assert "PayPal is waiting for you to confirm" in page and "Confirm on the PayPal page" in page
    assert "bank" not in page
    assert 'aria-current="step"><span><span>Review and pay' in page


def test_automatic_renewal_that_is_on_is_not_offered_again(app, acme, owner) -> None:
    """And a box that is not there switches nothing off."""
    with facts(app):
        paying.pay(an_order_of(owner_of(acme), acme, "business-5"), auto_renewal=True)
        kept = Subscription.get()
        larger = an_order_of(owner_of(acme), acme, "business-10")
    page = owner.get(page_of(larger, "/review")).text
    assert 'name="auto_renewal"' not in page
    assert "for Business 10, monthly." in text_of(*by_testid(parse(page), "renewal-stays-on"))
    assert 'href="/w/acme/auto-renewal">You can switch automatic renewal off.' in page
    assert pay(owner, larger).headers["Location"] == page_of(larger, "/result")
    with facts(app):
        found = Subscription.get()
        assert (found.auto_renewal, found.payment_method_id) == (True, kept.payment_method_id)
        assert found.plan_id != kept.plan_id


@pytest.mark.engine("sqlite")
def test_after_a_failed_renewal_the_new_card_can_be_kept_for_it(app, acme, owner, clock) -> None:
    with facts(app):
        paying.pay(an_order_of(owner_of(acme), acme, "business-5"), auto_renewal=True)
        Subscription.update(renewal_failed_on="2026-12-21").execute()
    clock.advance(days=31)
    with facts(app):
        order = an_order_of(owner_of(acme), acme, "business-5")
    page = owner.get(page_of(order, "/review")).text
    assert 'name="auto_renewal"' in page
    assert by_testid(parse(page), "renewal-stays-on") == []


@pytest.mark.engine("sqlite")
def test_a_payment_that_gains_little_is_named_with_its_tax(app, acme, owner, clock) -> None:
    """From a year of Business 3 to the month: 17.00 EUR, which is 20.40 EUR with 20 % VAT."""
    with facts(app):
        paying.pay(paying.an_order(seen_by(owner_of(acme), acme), "business-3", Interval.YEAR))
    clock.advance(days=180)
    with facts(app):
        order = an_order_of(owner_of(acme), acme, "business-3")
    assert "You pay €20.40 and gain" in owner.get(page_of(order, "/review")).text


def test_a_colleagues_open_payment_is_waited_for_and_not_shown(app, acme, owner, order) -> None:
    """While one payment of the workspace is open nobody else pays; whose it is, not everybody may see."""
    with facts(app):
        a_member(acme, a_person("member@acme.test"), role=Role.MEMBER)
        member = Person.get(Person.email == "member@acme.test")
        own = an_order_of(member, acme, "business-5")
        browser, name = Attacker(app, member), owner_of(acme).name
    assert pay(owner, order, paying.ASKS_ONCE).status_code == 303
    answer = pay(browser, own)
    assert answer.status_code == 409
    assert "Nothing was charged: another payment for this workspace is being confirmed." in answer.text
    assert f"These people can see it: {name}." in answer.text
    assert order.number not in answer.text
    assert charged(app) == []
    assert browser.get(page_of(order, "/result")).status_code == 404

    # The other way round the owner may see whose payment it is.
    assert owner.post(page_of(order, "/leave")).status_code == 303
    assert pay(browser, own, paying.ASKS_ONCE).status_code == 303
    assert pay(owner, order).headers["Location"] == page_of(own, "/result")
    assert charged(app) == []


def test_a_member_without_the_right_neither_chooses_nor_pays(app, acme, order) -> None:
    with facts(app):
        a_member(acme, a_person("guest@acme.test"), status="guest")
        guest = Attacker(app, Person.get(Person.email == "guest@acme.test"))
    assert guest.post("/w/acme/plans", {"price": "business-5:month", "currency": "EUR"}).status_code == 403
    assert pay(guest, order).status_code == 403
    assert charged(app) == []


# --- card numbers ---------------------------------------------------------------------------------

REAL_NUMBER = "4929123456789019"


def test_no_card_number_is_kept_anywhere(app, acme, owner, order, engine, tmp_path, caplog, capfd) -> None:
    """Good, declined, asked for more, mistyped, in the wrong field, as a search: none of them stays."""
    numbers = [paying.DECLINED, "4242 4242 4242 4241", REAL_NUMBER, "4929-1234-5678-9019", paying.ASKS_ONCE]
    for number in numbers:
        pay(owner, order, number, auto_renewal="y")
        owner.post(page_of(order, "/leave"))
        pay(owner, order, paying.PAID, holder=number)
        pay(owner, order, paying.DECLINED, security_code=number)
    owner.get(f"/w/acme/members?q={REAL_NUMBER}")
    owner.post("/sign-in", {"email": REAL_NUMBER, "password": REAL_NUMBER})
    assert pay(owner, order, paying.PAID, auto_renewal="y").status_code == 303
    with facts(app):
        drain_outbox(current(), limit=100)
        kept = [str(row) for model in ALL_MODELS for row in model.select().tuples()]
    assert charged(app) == [(3360, "EUR")]
    said = capfd.readouterr()
    kept += [caplog.text, said.out, said.err]
    kept += [path.read_bytes().decode("latin1") for path in tmp_path.rglob("*") if path.is_file()]
    assert typed_in("".join(kept), [*numbers, paying.PAID]) == []
    assert any(path.suffix == ".eml" for path in tmp_path.rglob("*")), "the letters are among what was read"


def typed_in(text: str, numbers: list[str]) -> list[str]:
    """Which of the numbers the text holds, however their digits are grouped."""
    runs = [re.sub("[ -]", "", number) for number in numbers]
    return [digits for digits in runs if re.search("[ -]?".join(digits), text)]


def test_the_search_for_typed_numbers_finds_them() -> None:
    text = "x 4242 4242-4242 4242, 4929123456789018 a4929123456789019b"
    assert typed_in(text, ["4242424242424242", REAL_NUMBER, "4242424242424241"]) == [
        "4242424242424242",
        REAL_NUMBER,
    ]


@pytest.mark.engine("sqlite")
def test_a_real_card_is_refused_before_anybody_is_asked(app, owner, order) -> None:
    answer = pay(owner, order, REAL_NUMBER)
    assert answer.status_code == 422
    with facts(app):
        assert Payment.select().where(Payment.state == PaymentState.SUCCEEDED).count() == 0
        assert Subscription.get().price_id is None
        assert not Invoice.select().exists()
        assert not OutboxMessage.select().where(OutboxMessage.topic == "prepare_documents").exists()


# --- documents ------------------------------------------------------------------------------------


@pytest.mark.engine("sqlite")
def test_a_document_is_the_workspaces_and_stays_as_it_is(app, acme, owner) -> None:
    with facts(app):
        bought(acme)
        drain_outbox(current(), limit=10)
        number = Invoice.get().number
        stranger = Attacker(app, owner_of(a_workspace("Zenith")))
    address = f"/w/acme/invoices/{number}.pdf"
    first, second = owner.get(address), owner.get(address)
    assert first.status_code == 200
    assert first.data == second.data
    for other in (address.replace("acme", "zenith"), address):
        assert stranger.get(other).status_code == 404
    for guess in (
        "INV-2026-000000",
        "INV-2026-000002",
        number.lower(),
        f"{number}.pdf",
        f"%20{number}",
        "*",
        "%25",
    ):
        assert owner.get(f"/w/acme/invoices/{guess}.pdf").status_code == 404, guess
    assert Path(first.headers["Content-Disposition"].partition('"')[2]).name == f'{number}.pdf"'


# --- billing details ------------------------------------------------------------------------------


def values_of(page: str) -> dict[str, str]:
    """Name → value of each text field of a page."""
    inputs = re.findall(r"<input[^>]*>", page)
    pairs = [(re.search(r'name="([^"]*)"', each), re.search(r'value="([^"]*)"', each)) for each in inputs]
    return {name[1]: value[1] if value else "" for name, value in pairs if name}


@pytest.mark.engine("sqlite")
def test_what_the_account_knows_is_not_asked_and_the_second_email_is_typed(app, acme, owner) -> None:
    with facts(app):
        bare = paying.an_open_order(seen_by(owner_of(acme), acme))
        person = owner_of(acme)
    shown = values_of(owner.get(page_of(bare)).text)
    assert f"{shown['first_name']} {shown['last_name']}" == person.name
    assert (shown["email"], shown["email_confirm"]) == (person.email, "")


@pytest.mark.engine("sqlite")
def test_known_billing_details_stay_and_their_email_is_not_asked_twice(app, acme, owner, order) -> None:
    """Of the order itself, and of the workspace for its next order: not the account's name over them."""
    with facts(app):
        details = dict(Order.get(Order.number == order.number).details)
        Person.update(name="Somebody Else").execute()
        following = paying.an_open_order(seen_by(owner_of(acme), acme))
    for each in (order, following):
        page = owner.get(page_of(each)).text
        shown = values_of(page)
        for name in ("first_name", "last_name", "company_name", "vat_number", "email"):
            assert shown[name] == details[name], name
        assert shown["email_confirm"] == ""
        assert "Only if you change the address." in page
        sent = {
            "display_currency": "EUR",
            "payment_method": "card",
            "payment_currency": "EUR",
            "country": "FR",
            "is_business": "y",
            **{name: shown[name] for name in shown if name not in ("is_business", "update", "show_price")},
        }
        assert owner.post(page_of(each), sent).headers.get("Location") == page_of(each, "/review")


# --- the sandbox's cards --------------------------------------------------------------------------


@pytest.mark.engine("sqlite")
def test_in_the_sandbox_its_cards_are_one_click_from_the_fields(app, owner, order) -> None:
    for address in (page_of(order, "/review"), "/w/acme/payment-methods"):
        link = by_testid(parse(owner.get(address).text), "sandbox-cards")[0]
        assert (link.get("href"), link.get("target")) == ("/sandbox/", "_blank")
        assert owner.get("/sandbox/").status_code == 200


@pytest.mark.engine("sqlite")
def test_where_money_is_real_nobody_is_sent_to_the_sandbox(app, owner, order) -> None:
    with facts(app):
        runtime = current()
        several = replace(runtime.settings, gateways=("sandbox", "another"))
        install(Runtime(several, runtime.clock, runtime.gateways))
    for address in (page_of(order, "/review"), "/w/acme/payment-methods"):
        page = owner.get(address)
        assert page.status_code == 200
        assert by_testid(parse(page.text), "sandbox-cards") == []


# --- a decline, and another way -------------------------------------------------------------------


@pytest.mark.engine("sqlite")
def test_a_decline_is_said_beside_the_number_until_the_method_changes(app, acme, owner, order) -> None:
    sentence = "Your bank declined the card and did not say why."
    refused = pay(owner, order, paying.DECLINED)
    assert refused.status_code == 422
    for answer in (refused, owner.get(page_of(order, "/review"))):
        page = parse(answer.text)
        number = next(field for field in page.iter("input") if field.get("name") == "number")
        assert number.get("aria-invalid") == "true"
        assert number.get("aria-describedby") == "number-error"
        beside = next(each for each in page.iter("p") if each.get("id") == "number-error")
        summary = by_testid(page, "error-summary")[0]
        assert sentence in text_of(beside)
        assert text_of(summary).count(sentence) == 1
        assert [link.get("href") for link in summary.iter("a")] == ["#number"]
        assert paying.DECLINED not in answer.text
    with facts(app):
        changed = Order.get(Order.number == order.number)
        paying.with_details(changed, seen_by(owner_of(acme), acme), method_kind=PaymentMethodKind.PAYPAL)
    assert sentence not in owner.get(page_of(order, "/review")).text


@pytest.mark.engine("sqlite")
def test_another_way_leads_to_where_the_method_is_chosen(owner, order) -> None:
    pay(owner, order, paying.DECLINED)
    result = parse(owner.get(page_of(order, "/result")).text)
    ways = [link.get("href") for link in result.iter("a") if text_of(link) == "Pay another way"]
    assert ways == [page_of(order, "#pay-with")]
    details = parse(owner.get(page_of(order)).text)
    group = next(each for each in details.iter("fieldset") if each.get("id") == "pay-with")
    assert "payment_method" in [select.get("name") for select in group.iter("select")]


# --- old results ----------------------------------------------------------------------------------


def told(browser: Attacker, order: Order) -> str:
    return text_of(next(parse(browser.get(page_of(order, "/result")).text).iter("main")))


@pytest.mark.engine("sqlite")
def test_the_result_of_a_replaced_order_speaks_of_the_past(app, acme, owner, order, clock) -> None:
    assert pay(owner, order).status_code == 303
    assert "Payment complete" in told(owner, order) and "is yours until" in told(owner, order)
    for fact in (
        "including VAT",
        ", sent to ",
        "Nothing is charged automatically: automatic renewal is off.",
    ):
        assert fact in told(owner, order), fact
    clock.advance(days=1)
    with facts(app):
        larger = an_order_of(owner_of(acme), acme, "business-10")
    assert pay(owner, larger).status_code == 303
    assert "is yours until" in told(owner, larger)
    old = told(owner, order)
    assert "This order was paid on 21 November 2026" in old
    assert "It was for Business 5, monthly, from 21 November 2026 to 21 December 2026." in old
    assert "is yours" not in old and "Payment complete" not in old


@pytest.mark.engine("sqlite")
def test_the_result_of_a_period_that_is_over_speaks_of_the_past(app, owner, order, clock) -> None:
    pay(owner, order)
    clock.advance(days=29)
    assert "is yours until 21 December 2026" in told(owner, order)
    clock.advance(days=1)
    assert "This order was paid on 21 November 2026" in told(owner, order)


# --- the display currency and the total -----------------------------------------------------------


@pytest.mark.engine("sqlite")
def test_the_display_currency_stands_beside_the_price_and_is_sent_with_the_form(app, acme, owner) -> None:
    with facts(app):
        bare = paying.an_open_order(seen_by(owner_of(acme), acme))
    page = parse(owner.get(page_of(bare)).text)
    card = next(each for each in page.iter("aside") if "order" in each.get("class", "").split())
    selects = [each for each in page.iter("select") if each.get("name") == "display_currency"]
    assert selects == list(card.iter("select"))
    assert len(selects) == 1
    form = next(each for each in page.iter("form") if each.get("id") == selects[0].get("form"))
    assert form.get("action") == page_of(bare)
    token = next(each.get("value") for each in form.iter("input") if each.get("name") == "csrf_token")
    # Without scripts a button beside it shows the price; nothing typed is judged yet.
    fields = {"csrf_token": token, "display_currency": "USD", "first_name": "Zoé", "show_price": "y"}
    shown = owner.post(page_of(bare), fields)
    assert shown.status_code == 200
    assert "$30.00" in shown.text and values_of(shown.text)["first_name"] == "Zoé"
    assert "error-summary" not in shown.text


@pytest.mark.engine("sqlite")
def test_the_total_has_both_its_marks(owner, order) -> None:
    page = parse(owner.get(page_of(order, "/review")).text)
    total = by_testid(page, "order-total")[0]
    assert [text_of(each) for each in by_testid(total, "quote-total")] == [text_of(total)] == ["€33.60"]


@pytest.mark.engine("sqlite")
def test_what_automatic_renewal_brings_is_told_in_the_readers_language(owner, order) -> None:
    page = owner.get(page_of(order, "/review") + "?lang=fr").text
    assert "Vous pouvez le désactiver à tout moment." in page
    assert "You can" not in page


# --- beside another payment -----------------------------------------------------------------------


OTHER = "Your bank asks you to confirm the payment of €33.60. Nothing is charged until you do."
LATER = "You can order once the result of the payment is known."
NOT_PLACED = "Your order for Business 10 was not placed: another payment is being confirmed."


@pytest.mark.engine("sqlite")
def test_an_open_payment_is_told_before_anything_is_typed(app, acme, owner, order) -> None:
    with facts(app):
        second = an_order_of(owner_of(acme), acme, "business-10")
    for page in ("", "/review"):
        assert LATER not in owner.get(page_of(second, page)).text
    assert pay(owner, order, paying.ASKS_ONCE).status_code == 303
    for page in ("", "/review"):
        shown = owner.get(page_of(second, page)).text
        [banner] = by_testid(parse(shown), "state-banner")
        assert text_of(banner) == f"{OTHER} {LATER} Confirm"
        assert [link.get("href") for link in banner.iter("a")] == [page_of(order, "/result")]
        assert (shown.count('class="banner"'), shown.count(LATER)) == (1, 1)
    [banner] = by_testid(parse(owner.get("/w/acme/history").text), "state-banner")
    assert text_of(banner) == f"{OTHER} Confirm"


@pytest.mark.engine("sqlite")
@pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="0.5")
def test_a_payment_without_an_answer_is_told_there_too(app, acme, owner, order) -> None:
    with facts(app):
        second = an_order_of(owner_of(acme), acme, "business-10")
    assert pay(owner, order, paying.SILENT_CHARGED).status_code == 303
    [banner] = by_testid(parse(owner.get(page_of(second, "/review")).text), "state-banner")
    assert text_of(banner).startswith("The payment of €33.60 is being confirmed.")
    assert text_of(banner).endswith(f"{LATER} See the payment")


@pytest.mark.engine("sqlite")
def test_who_may_not_see_the_other_payment_is_told_without_a_link(app, acme, owner, order) -> None:
    with facts(app):
        a_member(acme, a_person("member@acme.test"), role=Role.MEMBER)
        member = Person.get(Person.email == "member@acme.test")
        own, browser = an_order_of(member, acme, "business-5"), Attacker(app, member)
    assert pay(owner, order, paying.ASKS_ONCE).status_code == 303
    [banner] = by_testid(parse(browser.get(page_of(own, "/review")).text), "state-banner")
    assert text_of(banner) == (
        "A payment for this workspace is waiting to be confirmed. "
        "Nothing else can be paid until it is settled."
    )
    assert list(banner.iter("a")) == []


@pytest.mark.engine("sqlite")
@pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="0.5")
def test_an_order_that_is_refused_for_another_says_so_on_its_page(app, acme, owner, order) -> None:
    """The answer of the first never came: its page waits, and leaves the time to read the sentence."""
    with facts(app):
        second = an_order_of(owner_of(acme), acme, "business-10")
    assert pay(owner, order, paying.SILENT_CHARGED).headers["Location"] == page_of(order, "/result")
    assert NOT_PLACED not in owner.get(page_of(order, "/result")).text
    assert pay(owner, second).headers["Location"] == page_of(order, "/result")
    shown = owner.get(page_of(order, "/result"))
    assert [text_of(each) for each in by_testid(parse(shown.text), "flash")] == [NOT_PLACED]
    assert int(shown.headers["Refresh"]) >= 20
    # Said once; and of the order itself, pressed twice, it is not said.
    assert pay(owner, order).headers["Location"] == page_of(order, "/result")
    again = owner.get(page_of(order, "/result"))
    assert NOT_PLACED not in again.text
    assert again.headers["Refresh"] == "3"


# --- automatic renewal, and what it is for --------------------------------------------------------


def review_of(browser: Attacker, order: Order) -> str:
    return text_of(next(parse(browser.get(page_of(order, "/review")).text).iter("main")))


@pytest.mark.engine("sqlite")
def test_the_review_tells_the_renewal_as_the_page_after_it_does(app, acme, owner) -> None:
    """61.20 EUR; it is charged to the saved card, whichever is typed here."""
    with facts(app):
        paying.pay(an_order_of(owner_of(acme), acme, "business-5"), auto_renewal=True)
        larger = an_order_of(owner_of(acme), acme, "business-10")
    [said] = by_testid(parse(owner.get(page_of(larger, "/review")).text), "renewal-stays-on")
    sentence = re.search(r"Automatic renewal: .* monthly\.", text_of(said)).group()
    assert sentence.startswith("Automatic renewal: €61.20 including VAT on ")
    assert sentence.endswith(" with Visa •••• 4242, for Business 10, monthly.")
    assert pay(owner, larger, "5555555555554444").status_code == 303
    assert sentence in told(owner, larger)


def scheduled_on_business_10(acme: Workspace, *, auto_renewal: bool) -> None:
    """Business 5 begins on 21 December."""
    place, now = seen_by(owner_of(acme), acme), current().clock.now()
    paying.pay(paying.an_order(place, "business-10"), auto_renewal=auto_renewal)
    choice = Choice("business-5", Interval.MONTH)
    shown = scheduled_change.preview(acme, choice, now=now)
    scheduled_change.schedule(place, choice, shown_hash=shown.hash, now=now)


@pytest.mark.engine("sqlite")
def test_the_review_says_which_scheduled_plan_the_order_ends(app, acme, owner) -> None:
    with facts(app):
        scheduled_on_business_10(acme, auto_renewal=True)
        larger = an_order_of(owner_of(acme), acme, "business-20")
    page = parse(owner.get(page_of(larger, "/review")).text)
    said = "The change to Business 5 on 21 December 2026 is cancelled by this order."
    assert [text_of(each) for each in by_testid(page, "cancels")] == [said]
    french = owner.get(page_of(larger, "/review") + "?lang=fr").text
    assert "Cette commande annule le passage à Business 5 prévu le" in french
    assert pay(owner, larger).status_code == 303
    with facts(app):
        assert Subscription.get().scheduled_plan_id is None


@pytest.mark.engine("sqlite")
def test_what_is_prolonged_before_a_smaller_plan_names_that_one_as_the_next(app, acme, owner) -> None:
    with facts(app):
        scheduled_on_business_10(acme, auto_renewal=False)
        again = an_order_of(owner_of(acme), acme, "business-10")
    page = review_of(owner, again)
    assert (
        "Automatic renewal: on 21 January 2027, for Business 5, monthly. We will write to you first." in page
    )
    assert "Automatic renewal: €61.20" not in page
    assert "cancelled" not in page


@pytest.mark.engine("sqlite")
def test_what_is_prolonged_before_the_free_plan_has_no_next_payment(app, acme, owner) -> None:
    with facts(app):
        paying.pay(an_order_of(owner_of(acme), acme, "business-5"))
        startup = Plan.get(Plan.code == "startup")
        Subscription.update(scheduled_plan=startup).execute()
        again = an_order_of(owner_of(acme), acme, "business-5")
    page = review_of(owner, again)
    assert "There is no next payment: from 21 January 2027 you will be using the Startup plan." in page
    assert "Automatic renewal: €" not in page


@pytest.mark.engine("sqlite")
def test_before_the_total_no_vat_is_promised_to_a_country_that_is_known(app, acme, owner) -> None:
    with facts(app):
        order = paying.an_order(seen_by(owner_of(acme), acme), "business-5", country="US", region="NY")
    page = text_of(next(parse(owner.get(page_of(order)).text).iter("main")))
    assert "VAT, if any, is shown on the next page, with the total." in page
    assert "VAT is added" not in page


def test_a_mistake_in_the_details_of_a_plan_that_became_too_small_is_said(app, acme, owner, order) -> None:
    """The price in the shown currency is asked again while nobody may order the plan any more."""
    with facts(app):
        for number in range(6):
            a_member(acme, a_person(f"m{number}@acme.test"))
    answer = owner.post(page_of(order), {"kind": "person"})
    assert answer.status_code == 422
    assert "\u20ac28.00" in answer.text
