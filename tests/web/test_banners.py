"""What every page of a workspace tells of its state, and what a blocked one still opens (source §1.9)."""

import pytest

from portal.domain.vocabulary import MemberStatus, PaymentState, Role, WhoMayBuy
from portal.models import Payment, PaymentMethod, Subscription, Workspace
from portal.services import open_money
from portal.services.payments import charging
from portal.services.renewals import run
from portal.web.access import is_open_while_blocked
from tests.attackers import PART, Attacker
from tests.factories import a_member, a_person, owner_of
from tests.pages import by_testid, parse, text_of
from tests.paying import (
    ASKS_ALWAYS,
    SILENT_CHARGED,
    a_place,
    an_order,
    buy,
    charged_from_now_on,
    pay,
    the_sandbox,
)
from tests.visiting import facts, visit_as

pytestmark = pytest.mark.engine("sqlite")
PAGES = ("plans", "plans/free", "history", "members", "services", "settings", "auto-renewal")
# What helps out of being blocked. A new page belongs here or leads to the plans.
OPEN = {
    "billing",
    "plans",
    "subscriptions",
    "checkout",
    "history",
    "invoices",
    "auto-renewal",
    "payment-methods",
    "billing-settings",
    "contacts",
    "members",
    "licences",  # Taken back, so that fewer can be bought.
    "services",
    "settings/delete",
    "settings/export",
}


@pytest.fixture
def place(app, client):
    """Acme on its first day of trial; the browser is its owner's."""
    with facts(app):
        place = a_place()
        visit_as(client, owner_of(place.workspace))
        return place


def banner_of(client, path) -> str:
    found = by_testid(parse(client.get(f"/w/acme/{path}").get_data(as_text=True)), "state-banner")
    return text_of(found[0]) if found else ""


def test_a_trial_in_its_last_days_is_told_everywhere(client, place, clock) -> None:
    assert banner_of(client, "history") == ""
    clock.advance(days=25)
    for page in ("plans", "plans/free", "history", "members", "services", "settings", "auto-renewal"):
        assert banner_of(client, page).startswith("Free trial: 5 days left"), page
    clock.advance(days=5)
    assert banner_of(client, "members").startswith("The free trial ends today.")


@pytest.mark.settings(PORTAL_GRACE_DAYS="5")
def test_late_it_says_when_access_is_blocked(app, client, place, clock) -> None:
    """Due on 21 December: the 26th is the last day of grace."""
    with facts(app):
        buy(place)
    clock.advance(days=31)
    for page in PAGES:
        said = banner_of(client, page)
        assert said.startswith("Your payment is late."), page
        assert "Access will be blocked on 27 December 2026." in said, page


def test_a_failed_renewal_says_when_it_is_tried_again(app, client, place, clock) -> None:
    """Failed on 21 December, tried again on days 1, 3, 7 and 14; usable through day 14."""
    with facts(app):
        pay(an_order(place), auto_renewal=True)
        Subscription.update(renewal_failed_on="2026-12-21", renew_on="2026-12-22").execute()
    clock.advance(days=30)
    assert "We will try again on 22 December 2026" in banner_of(client, "history")
    clock.advance(days=1)
    said = banner_of(client, "plans")
    # No payment was tried: a smaller plan that did not fit on its day, and fits again.
    assert said.startswith("The renewal is not paid yet.")
    assert "We will try again today" in said
    assert "Access will be blocked on 5 January 2027." in said
    assert said.endswith("Pay €33.60 At once, with Visa •••• 4242. Use another card")
    with facts(app):
        Subscription.update(renew_on=None).execute()
    clock.advance(days=13)
    assert "We will not try again automatically" in banner_of(client, "plans")
    clock.advance(days=1)
    assert banner_of(client, "plans").startswith("Access is blocked.")


def test_a_card_that_is_refused_for_good_is_not_said_to_be_tried_again(app, client, place, clock) -> None:
    with facts(app):
        pay(an_order(place), auto_renewal=True)
        PaymentMethod.update(reference="gone").execute()
    clock.advance(days=30)
    with facts(app):
        run.run_due(now=clock.now())
        assert Subscription.get().renewal_failed_on is not None
    said = banner_of(client, "history")
    assert said.startswith("The payment failed. No saved method can be charged.")
    # No saved method could pay: the button leads to where a card is typed.
    assert said.endswith("Pay €33.60")


def test_a_disputed_card_is_named_as_the_reason_and_nothing_is_said_to_be_tried_again(
    app, client, place, clock
) -> None:
    with facts(app):
        pay(an_order(place), auto_renewal=True)
        PaymentMethod.update(stopped_at=clock.now()).execute()
    clock.advance(days=30)
    with facts(app):
        run.run_due(now=clock.now())
    said = banner_of(client, "payment-methods")
    assert "A payment with a saved method was disputed" in said
    assert "try again" not in said


def test_no_banner_leads_away_from_where_one_pays(app, client, place, clock) -> None:
    with facts(app):
        buy(place)
    clock.advance(days=40)
    with facts(app):
        order = an_order(place)
    for page in (f"checkout/{order.number}", f"checkout/{order.number}/review"):
        said = banner_of(client, page)
        assert said.startswith("Access is blocked.")
        assert not said.endswith(("Pay €33.60", "See the plans"))


def test_no_tab_leads_to_a_page_that_a_blocked_workspace_cannot_open(app, client, place, clock) -> None:
    assert 'href="/w/acme/settings"' in client.get("/w/acme/plans").text
    clock.advance(days=40)
    assert 'href="/w/acme/settings"' not in client.get("/w/acme/plans").text


# --- the bank asks --------------------------------------------------------------------------------


@pytest.fixture
def asked(app, place, clock) -> str:
    """The bank asks for the payer of the renewal of 21 December. The address of the order's result."""
    with facts(app):
        pay(an_order(place), auto_renewal=True)
        charged_from_now_on(ASKS_ALWAYS)
    clock.advance(days=30)
    with facts(app):
        run.run_due(now=clock.now())
        payment = Payment.get(Payment.state == PaymentState.ACTION_REQUIRED)
        return f"/w/acme/checkout/{payment.order.number}/result"


def test_a_renewal_that_the_bank_asks_to_confirm_is_told_and_leads_on(client, asked) -> None:
    for page in PAGES:
        assert banner_of(client, page).startswith("Your bank asks you to confirm the payment of €33.60."), (
            page
        )
    answer = client.get("/w/acme/history").get_data(as_text=True)
    assert f'href="{asked}">Confirm</a>' in answer
    assert client.get(asked).status_code == 200
    assert not banner_of(client, asked.removeprefix("/w/acme/")).endswith("Confirm")


def test_the_banner_says_until_when_it_can_be_confirmed(client, asked) -> None:
    """21 December and the fourteen days of the rounds."""
    assert "You can confirm until the end of 4 January 2027." in banner_of(client, "history")


@pytest.mark.parametrize("page", ["plans", "payment-methods"])
def test_no_second_charge_is_told_beside_the_one_to_confirm(app, client, asked, clock, page) -> None:
    """On the next day too, when it would be tried again."""
    for days in (0, 1):
        clock.advance(days=days)
        with facts(app):
            run.run_due(now=clock.now())
        said = text_of(next(parse(client.get(f"/w/acme/{page}").text).iter("main")))
        assert "Automatic renewal is on." in said
        assert "Automatic renewal: €33.60" not in said
        assert "is charged on" not in said


def test_the_page_of_the_order_leads_to_another_card_too(client, asked) -> None:
    page = client.get(asked).text
    assert "Confirm with your bank" in page
    assert 'href="/w/acme/payment-methods"' in page


def test_what_was_not_confirmed_is_called_so(app, client, asked, clock) -> None:
    with facts(app):
        payment = Payment.get(Payment.state == PaymentState.ACTION_REQUIRED)
        the_sandbox().answer_challenge(payment.action_url.rpartition("/")[2], confirmed=False)
        charging.look_up(payment, now=clock.now())
    said = banner_of(client, "history")
    assert said.startswith(
        "The payment was not confirmed with your bank. We will try again on 22 December 2026"
    )
    assert "The renewal was not confirmed with your bank in time." in client.get(asked).text


def test_who_may_pay_but_not_open_the_order_is_told_without_a_link(app, client, place, asked) -> None:
    with facts(app):
        mona = a_person("mona@acme.test")
        a_member(place.workspace, mona)
        visit_as(client, mona)
    assert client.get(asked).status_code == 404
    said = banner_of(client, "history")
    assert said.startswith("A payment for this workspace is waiting to be confirmed.")
    assert not said.endswith("See the payment")
    with facts(app):
        Workspace.update(who_may_buy=WhoMayBuy.BILLING).execute()
    assert banner_of(client, "history") == ""


def test_where_nothing_is_open_no_page_looks_for_it(app, client, place, clock, monkeypatch) -> None:
    with facts(app):
        pay(an_order(place), auto_renewal=True)
    looked = []
    monkeypatch.setattr(open_money, "open_payment", looked.append)
    clock.advance(days=30)
    assert (banner_of(client, "history"), looked) == ("", [])


def test_a_confirmed_renewal_is_told_no_more(app, client, asked, clock) -> None:
    with facts(app):
        payment = Payment.get(Payment.state == PaymentState.ACTION_REQUIRED)
        the_sandbox().answer_challenge(payment.action_url.rpartition("/")[2], confirmed=True)
        charging.look_up(payment, now=clock.now())
    assert banner_of(client, "history") == ""


def test_almost_full_storage_is_told(app, client, place) -> None:
    with facts(app):
        buy(place)
        Workspace.update(used_storage_bytes=40 * 1024**3 - 1).execute()
    assert "The storage is almost full: 40 GB of 40 GB." in said_plainly(client)
    with facts(app):
        Workspace.update(used_storage_bytes=45 * 1024**3).execute()
    assert "The storage is over its limit: 45 GB of 40 GB." in said_plainly(client)


def said_plainly(client) -> str:
    return banner_of(client, "members").replace("\N{NO-BREAK SPACE}", " ")


def test_who_does_not_see_the_plans_sees_no_banner(app, client, place, clock) -> None:
    with facts(app):
        guest, member = a_person("gina@acme.test"), a_person("mona@acme.test")
        a_member(place.workspace, guest, status=MemberStatus.GUEST)
        a_member(place.workspace, member)
        Workspace.update(hides_plans_from_members=True).execute()
    clock.advance(days=27)
    for person in (guest, member):
        with facts(app):
            visit_as(client, person)
        for path in ("", "plans", "members"):
            assert banner_of(client, path) == ""


# --- any payment that is open ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (SILENT_CHARGED, "The payment of €33.60 is being confirmed. You do not need to do anything"),
        (
            ASKS_ALWAYS,
            "Your bank asks you to confirm the payment of €33.60. Nothing is charged until you do.",
        ),
    ],
)
@pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="0.5")
def test_an_open_payment_stands_on_every_page_with_the_way_to_it(app, client, place, number, said) -> None:
    with facts(app):
        order = buy(place, number=number).order
        result = f"/w/acme/checkout/{order.number}/result"
    for page in (*PAGES, "payment-methods"):
        assert banner_of(client, page).startswith(said), page
    assert f'href="{result}"' in client.get("/w/acme/history").text


@pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="0.5")
def test_the_page_of_a_payment_that_is_being_confirmed_says_it_once(app, client, place, clock) -> None:
    """And offers no other payment, though the workspace is blocked."""
    with facts(app):
        pay(an_order(place))
    clock.advance(days=40)
    with facts(app):
        order = buy(place, number=SILENT_CHARGED).order
    assert banner_of(client, f"checkout/{order.number}/result") == ""
    assert "Your payment is being confirmed" in client.get(f"/w/acme/checkout/{order.number}/result").text


@pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="0.5")
def test_what_is_open_stands_before_what_is_blocked_and_offers_no_second_payment(
    app, client, place, clock
) -> None:
    with facts(app):
        pay(an_order(place))
    clock.advance(days=40)
    with facts(app):
        buy(place, number=SILENT_CHARGED)
    page = client.get("/w/acme/plans").text
    assert "is being confirmed" in banner_of(client, "plans")
    assert by_testid(parse(page), "pay-due") == []


# --- blocked --------------------------------------------------------------------------------------


@pytest.mark.parametrize("paid", [False, True], ids=["the trial", "a plan"])
def test_in_its_last_week_the_day_of_deletion_is_told(app, client, place, clock, paid) -> None:
    """Due on 21 December; six months later the owners are warned, a week ahead."""
    if paid:
        with facts(app):
            buy(place)
    clock.advance(days=31 + 150)
    before = banner_of(client, "plans")
    assert ("Paying restores everything." if paid else "Your data is kept.") in before
    clock.advance(days=31)
    with facts(app):
        run.run_due(now=clock.now())
    assert f"{clock.now():%Y-%m-%d}" == "2027-06-21"
    said = banner_of(client, "plans")
    assert said.startswith("Access is blocked." if paid else "The free trial is over.")
    assert "The workspace will be deleted on 28 June 2027. Choose a plan before then." in said
    assert "kept" not in said
    with facts(app):
        buy(place)
    assert banner_of(client, "plans") == ""


@pytest.fixture
def blocked(app, clock) -> Attacker:
    """The owner of Acme, whose trial has been over for a day."""
    with facts(app):
        place = a_place()
        browser = Attacker(app, owner_of(place.workspace))
    clock.advance(days=31)
    return browser


def rules_of_workspaces(app):
    """Each rule below `/w/<slug>/` that asks for a right, with its methods."""
    for rule in app.url_map.iter_rules():
        access = getattr(app.view_functions[rule.endpoint], "access", "")
        if rule.rule.startswith("/w/<slug>/") and access.startswith("role:"):
            yield rule, sorted(rule.methods - {"HEAD", "OPTIONS"})


def address_of(app, rule) -> str:
    values = {name: 1 if "int" in rule.rule.partition(name)[0][-20:] else "x" for name in rule.arguments}
    return app.url_map.bind("").build(rule.endpoint, {**values, "slug": "acme"}, force_external=False)


def test_a_blocked_workspace_leads_to_the_plans_from_every_page_that_does_not_help(app, blocked) -> None:
    closed = []
    for rule, methods in rules_of_workspaces(app):
        parts = rule.rule.split("/")[3:]
        helps = parts[0] in OPEN or "/".join(parts[:2]) in OPEN
        assert is_open_while_blocked(rule.rule) == helps, rule.rule
        if helps:
            continue
        for method in methods:
            address = address_of(app, rule)
            answer = blocked.get(address) if method == "GET" else blocked.post(address)
            assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/plans"), rule.rule
            closed.append(f"{method} {rule.rule}")
    assert {"GET /w/<slug>/settings", "POST /w/<slug>/settings"} <= set(closed)


def test_what_helps_out_of_it_stays_open(blocked) -> None:
    for page in ("plans", "plans/free", "history", "members", "services", "auto-renewal"):
        assert blocked.get(f"/w/acme/{page}").status_code == 200, page


def test_a_blocked_owner_is_shown_the_way_out_and_whoever_may_not_leave_is_not(app, blocked) -> None:
    way_out = '<a href="/w/acme/settings/delete" data-testid="leave">'
    assert way_out in blocked.get("/w/acme/plans").text
    with facts(app):
        acme = Workspace.get(Workspace.slug == "acme")
        manager = a_person("pay@acme.test")
        a_member(acme, manager, role=Role.BILLING_MANAGER)
        other = Attacker(app, manager)
    assert way_out not in other.get("/w/acme/plans").text


def test_a_part_of_a_closed_page_is_loaded_as_a_page(blocked) -> None:
    answer = blocked.get("/w/acme/settings", headers={**PART, "HX-Target": "form#settings_form"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/w/acme/plans")


def test_a_closed_form_changes_nothing(app, blocked) -> None:
    blocked.post("/w/acme/settings", {"name": "Other"})
    with facts(app):
        assert Workspace.get().name == "Acme"


def test_who_lacks_the_right_is_told_that_first(app, clock) -> None:
    with facts(app):
        place = a_place()
        admin = a_person("ada@acme.test")
        a_member(place.workspace, admin, role=Role.ADMIN)
        browser = Attacker(app, admin)
    clock.advance(days=31)
    assert browser.get("/w/acme/settings").status_code == 403


def test_paying_opens_every_page_again(app, client, place, clock) -> None:
    clock.advance(days=31)
    assert client.get("/w/acme/settings").status_code == 303
    with facts(app):
        buy(place)
    assert client.get("/w/acme/settings").status_code == 200
