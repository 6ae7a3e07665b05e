"""The cart's page: its lines at today's prices; what was typed is kept, nothing written over unseen."""

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, Role
from portal.models import CartLine, Order, Product, Workspace
from portal.runtime import current
from portal.services.checkout import cart
from tests import paying
from tests.attackers import PART, Attacker
from tests.factories import CATALOGUE, a_member, a_person, a_workspace, owner_of, seen_by
from tests.pages import by_testid, check_page, links_of, parse_fragment, text_of
from tests.visiting import facts

MONTH, YEAR = Interval.MONTH, Interval.YEAR
MEETINGS = Choice("meetings-essential", MONTH, 3)
WEBINAR = Choice("webinar-standard", YEAR, 2)
OFFICE = Choice("business-5", MONTH)
CART = "/w/acme/cart"
SHOWN = "meetings-essential:month:3"


@pytest.fixture
def acme(app):
    with facts(app):
        return a_workspace()


@pytest.fixture
def owner(app, acme):
    with facts(app):
        return Attacker(app, owner_of(acme))


@pytest.fixture
def manager(app, acme):
    """Another person who may buy."""
    with facts(app):
        person = a_person("manager@acme.test")
        a_member(acme, person, role=Role.BILLING_MANAGER)
        return Attacker(app, person)


@pytest.fixture
def full(app, acme):
    """Meetings, Webinar and the workspace plan are in the cart."""
    add(app, acme, MEETINGS, WEBINAR, OFFICE)


def add(app, workspace, *choices, currency="EUR"):
    with facts(app):
        place = seen_by(owner_of(workspace), workspace)
        for choice in choices:
            cart.add(place, choice=choice, currency=currency, now=current().clock.now())


def choices_in(app, slug="acme"):
    with facts(app):
        workspace = Workspace.get(Workspace.slug == slug)
        read = cart.read(seen_by(owner_of(workspace), workspace), now=current().clock.now())
        return [each.line.choice for each in read.lines]


def inputs(element, name):
    """The values of its fields of that name."""
    return [each.get("value", "") for each in element.findall(f".//input[@name='{name}']")]


def with_id(page, name):
    return page.find(f".//*[@id='{name}']")


def marked(page, mark):
    return [text_of(each) for each in by_testid(page, mark)]


def fields(quantity="5", plan="meetings-essential:month", shown=SHOWN, **more):
    return {"plan": plan, "quantity": quantity, "shown": shown, "currency": "EUR", **more}


def change(browser, product="meetings", **what):
    return browser.post(f"{CART}/{product}", fields(**what))


def now_and_yours(line):
    return [text_of(each) for each in line.iter("dd")]


def shown_in(page):
    """What the button of the page sends."""
    [aside] = page.findall(".//aside")
    [shown] = inputs(aside, "shown")
    return shown


def proceed(browser):
    return browser.post(CART, {"shown": shown_in(check_page(browser.get(CART)))})


def apply(app, text):
    with facts(app):
        paying.apply_catalogue(text)


def with_catalogue(app, before, after):
    text = CATALOGUE.read_text()
    assert text.count(before) == 1, before
    apply(app, text.replace(before, after))


# --- what it says ---------------------------------------------------------------------------------


def test_an_empty_cart_leads_to_what_is_on_sale(owner):
    page = check_page(owner.get(CART))
    assert "The cart is empty" in text_of(page)
    assert "/w/acme/subscriptions/new" in links_of(page.find(".//main"))
    assert by_testid(page, "cart-proceed") == []


def test_each_line_says_its_licences_its_rate_and_its_amount(owner, full):
    """3 × 11.00, 2 × 450.00 and Business 5 for 28.00."""
    page = check_page(owner.get(CART))
    assert marked(page, "cart-amount") == [
        "3 licences at €11.00 each €33.00",
        "2 licences at €450.00 each €900.00",
        "€28.00",
    ]
    assert marked(page, "cart-net") == ["€961.00"]
    assert "VAT, if any, is shown on the next page" in text_of(page)
    assert inputs(page, "quantity") == ["3", "2"]
    assert marked(page, "cart-problem") == marked(page, "cart-difference") == []


def test_it_is_the_same_for_a_colleague(owner, manager, full):
    for browser in (owner, manager):
        assert marked(check_page(browser.get(CART)), "cart-net") == ["€961.00"]


def test_in_french(owner, full):
    page = text_of(check_page(owner.get(f"{CART}?lang=fr")))
    assert "Panier" in page
    assert "3 licences à 11,00" in page
    assert "Passer au paiement" in page


# --- changing -------------------------------------------------------------------------------------


def test_number_plan_and_interval_are_changed(app, owner, full):
    answer = change(owner, plan="meetings-professional:year", quantity="10")
    assert (answer.status_code, answer.headers["Location"]) == (303, CART)
    assert choices_in(app)[0] == Choice("meetings-professional", YEAR, 10)
    assert marked(check_page(owner.get(CART)), "cart-amount")[0] == "10 licences at €130.00 each €1,300.00"


def test_the_workspace_plan_has_no_number(app, owner, full):
    answer = owner.post(
        f"{CART}/office",
        {"plan": "business-10:year", "shown": "business-5:month:1", "currency": "EUR", "quantity": "7"},
    )
    assert answer.status_code == 303
    assert choices_in(app)[2] == Choice("business-10", YEAR, 1)


def test_with_scripts_the_cart_comes_back_in_place(owner, full):
    headers = {**PART, "HX-Target": "div#cart"}
    answer = owner.post(f"{CART}/meetings", fields(quantity="4"), headers=headers)
    assert answer.status_code == 200
    assert "<html" not in answer.text
    [part] = parse_fragment(answer.text)
    assert (part.get("id"), marked(part, "cart-net")) == ("cart", ["€972.00"])


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "0",
        "-1",
        "1.5",
        "1,5",
        "some",
        "1e3",
        "+5",
        "501",
        "1" + "0" * 20,
        "\uff11\uff10",
        "\x00",
        "4242424242424242",
    ],
)
def test_a_number_that_is_none_is_refused_beside_its_field_and_kept(app, owner, full, typed):
    answer = change(owner, quantity=typed)
    assert answer.status_code == 422
    page = check_page(answer)
    field = with_id(page, "meetings-quantity")
    assert field.get("aria-invalid") == "true"
    assert with_id(page, "meetings-quantity-error") is not None
    assert "#meetings-quantity" in links_of(by_testid(page, "error-summary")[0])
    if typed in ("0", "-1", "1.5", "some", "501"):
        assert field.get("value") == typed
    # The others stand as they are.
    assert with_id(page, "webinar-quantity").get("value") == "2"
    assert choices_in(app) == [MEETINGS, WEBINAR, OFFICE]


@pytest.mark.parametrize(
    "plan", ["", "business-5:month", "meetings-gone:month", "meetings-essential:week", ":"]
)
def test_a_plan_that_is_not_of_the_product_is_refused(app, owner, full, plan):
    answer = change(owner, plan=plan)
    assert answer.status_code == 422
    assert with_id(check_page(answer), "meetings-plan-error") is not None
    assert choices_in(app) == [MEETINGS, WEBINAR, OFFICE]


@pytest.mark.parametrize("currency", ["USD", "XXX", "", "eur", "EURO"])
def test_a_currency_of_one_s_own_is_refused(app, owner, full, currency):
    assert change(owner, currency=currency).status_code == 422
    assert choices_in(app) == [MEETINGS, WEBINAR, OFFICE]


@pytest.mark.parametrize(
    "product", ["nothing", "meetings-essential", "1", "%00", "%ff", "a" * 300, "..%2foffice"]
)
def test_a_product_that_is_none_is_not_found(owner, full, product):
    assert change(owner, product).status_code == 404
    assert owner.post(f"{CART}/{product}/remove", {"shown": SHOWN}).status_code == 404


def test_another_workspace_s_cart_is_not_found_and_not_touched(app, owner, full):
    with facts(app):
        zenith = a_workspace("Zenith")
    add(app, zenith, MEETINGS)
    for path in ("", "/meetings", "/meetings/remove"):
        assert owner.post(f"/w/zenith/cart{path}", fields()).status_code == 404
    assert owner.get("/w/zenith/cart").status_code == 404
    assert choices_in(app, "zenith") == [MEETINGS]


def test_who_may_not_buy_is_told_who_may(app, acme, full):
    with facts(app):
        guest = a_person("guest@acme.test")
        a_member(acme, guest, status="guest")
        browser = Attacker(app, guest)
    answer = browser.get(CART)
    assert answer.status_code == 403
    assert "Owner of Acme" in answer.text


# --- two people -----------------------------------------------------------------------------------


def test_the_later_of_two_sees_both_values_and_what_was_typed(app, owner, manager, full):
    assert change(manager, quantity="5").status_code == 303
    answer = change(owner, quantity="7", plan="meetings-essential:year")
    assert answer.status_code == 409
    page = check_page(answer)
    [line] = by_testid(page, "cart-meetings")
    assert now_and_yours(line) == [
        "Meetings Essential, monthly, 5 licences",
        "Meetings Essential, yearly, 7 licences",
    ]
    assert "Save mine" in text_of(line)
    assert "Somebody else changed the cart" in text_of(by_testid(page, "error-summary")[0])
    assert inputs(line, "quantity") == ["7"]
    # Of the button that removes it, and of its own.
    [_remove, shown] = inputs(line, "shown")
    assert choices_in(app)[0].quantity == 5
    # Sent again as it stands there, it is written.
    again = change(owner, quantity="7", plan="meetings-essential:year", shown=shown)
    assert again.status_code == 303
    assert choices_in(app)[0] == Choice("meetings-essential", YEAR, 7)


def test_what_a_colleague_removed_is_put_back_knowingly(app, owner, manager, full):
    assert manager.post(f"{CART}/meetings/remove", {"shown": SHOWN}).status_code == 303
    answer = change(owner, quantity="7")
    assert answer.status_code == 409
    [line] = by_testid(check_page(answer), "cart-meetings")
    assert now_and_yours(line) == ["Not in the cart", "Meetings Essential, monthly, 7 licences"]
    assert "Put it back" in text_of(line)
    assert inputs(line, "shown") == [""]
    assert change(owner, quantity="7", shown="").status_code == 303
    assert choices_in(app)[-1] == Choice("meetings-essential", MONTH, 7)


def test_the_only_line_that_a_colleague_removed_is_put_back_too(app, acme, owner, manager):
    add(app, acme, MEETINGS)
    manager.post(f"{CART}/meetings/remove", {"shown": SHOWN})
    answer = change(owner, quantity="7")
    assert answer.status_code == 409
    assert "Put it back" in text_of(check_page(answer))
    assert change(owner, quantity="7", shown="").status_code == 303
    assert choices_in(app) == [Choice("meetings-essential", MONTH, 7)]


def test_what_a_colleague_changed_is_not_removed_unseen(app, owner, manager, full):
    change(manager, quantity="5")
    answer = owner.post(f"{CART}/meetings/remove", {"shown": SHOWN})
    assert answer.status_code == 409
    [line] = by_testid(check_page(answer), "cart-meetings")
    assert now_and_yours(line) == ["Meetings Essential, monthly, 5 licences", "Not in the cart"]
    assert "Save mine" not in text_of(line)
    assert len(choices_in(app)) == 3


@pytest.mark.parametrize("shown", ["", "1", "-1", "x" * 500, "meetings-essential:month:4", "\x00"])
def test_a_version_of_one_s_own_writes_nothing(app, manager, full, shown):
    assert change(manager, shown=shown).status_code in (409, 422)
    assert manager.post(f"{CART}/meetings/remove", {"shown": shown}).status_code == 409
    assert manager.post(CART, {"shown": shown}).status_code == 409
    assert choices_in(app) == [MEETINGS, WEBINAR, OFFICE]


def test_removed_twice_it_is_gone_without_a_fault(app, owner, full):
    for _ in range(2):
        answer = owner.post(f"{CART}/meetings/remove", {"shown": SHOWN})
        assert (answer.status_code, answer.headers["Location"]) == (303, CART)
    assert "Meetings is not in the cart any more." in text_of(check_page(owner.get(CART)))
    assert choices_in(app) == [WEBINAR, OFFICE]


# --- what has changed since -----------------------------------------------------------------------


def test_a_price_that_changed_is_said_at_its_line(app, owner, full):
    with_catalogue(app, 'currency = "EUR", amount_minor = 1100 }', 'currency = "EUR", amount_minor = 1200 }')
    page = check_page(owner.get(CART))
    assert marked(page, "cart-difference") == [
        "The price has changed: it was €11.00 and is now €12.00 for each licence."
    ]
    assert marked(page, "cart-amount")[0] == "3 licences at €12.00 each €36.00"
    assert by_testid(page, "cart-proceed")


def test_a_price_that_changes_before_the_button_is_pressed_is_said_first(app, owner, full):
    page = check_page(owner.get(CART))
    shown = shown_in(page)
    with_catalogue(app, 'currency = "EUR", amount_minor = 1100 }', 'currency = "EUR", amount_minor = 1200 }')
    answer = owner.post(CART, {"shown": shown})
    assert answer.status_code == 409
    assert "Nothing was ordered. The cart or a price has changed" in text_of(check_page(answer))
    assert marked(check_page(answer), "cart-difference")
    with facts(app):
        assert Order.select().count() == 0
    assert proceed(owner).status_code == 303


def test_what_is_no_longer_sold_holds_up_the_order_until_it_is_gone(app, owner, full):
    text = CATALOGUE.read_text()
    start = text.index('[[products]]\ncode = "webinar"')
    end = text.index('[[products]]\ncode = "training"')
    apply(app, text[:start] + text[end:])
    page = check_page(owner.get(CART))
    assert marked(page, "cart-problem") == [
        "This is not on sale in this form today. Choose something else, or remove it."
    ]
    assert by_testid(page, "cart-proceed") == []
    assert by_testid(page, "cart-held-up")
    # Nothing of it can be chosen instead.
    assert by_testid(page, "cart-webinar")[0].find(".//select") is None
    assert "Webinar Standard, yearly, 2 licences" in marked(page, "cart-webinar")[0]
    assert owner.post(CART, {"shown": "anything"}).status_code == 422
    assert owner.post(f"{CART}/webinar/remove", {"shown": "webinar-standard:year:2"}).status_code == 303
    assert proceed(owner).status_code == 303


def test_fewer_licences_than_are_in_it_are_sold_now(app, owner, full):
    with facts(app):
        Product.update(max_licences=5).where(Product.code == "meetings").execute()
        CartLine.update(quantity=9).where(CartLine.quantity == 3).execute()
    page = check_page(owner.get(CART))
    assert marked(page, "cart-problem") == ["At most 5 licences can be ordered here."]
    answer = change(owner, quantity="9", shown="meetings-essential:month:9")
    assert answer.status_code == 422
    assert change(owner, quantity="5", shown="meetings-essential:month:9").status_code == 303
    assert proceed(owner).status_code == 303


def test_a_plan_that_became_too_small_is_said_with_both_figures(app, owner, acme, full):
    with facts(app):
        for number in range(5):
            a_member(acme, a_person(f"m{number}@acme.test"))
    [problem] = marked(check_page(owner.get(CART)), "cart-problem")
    assert problem == "Maximum number of users: 5. Active users now: 6."


# --- ordered --------------------------------------------------------------------------------------


def test_one_order_of_all_lines_goes_to_the_checkout(app, owner, full):
    answer = proceed(owner)
    assert answer.status_code == 303
    with facts(app):
        order = Order.get()
    assert answer.headers["Location"] == f"/w/acme/checkout/{order.number}"
    page = check_page(owner.get(answer.headers["Location"]))
    assert len(by_testid(page, "order-line")) == 3
    # It stays until it is placed.
    assert len(choices_in(app)) == 3
