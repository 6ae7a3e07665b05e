"""The page of payment methods: what it says, and adding, choosing, removing by its buttons."""

import pytest

from portal.domain.vocabulary import Interval, Role
from portal.gateways.base import GatewayUnavailable
from portal.models import ALL_MODELS, MethodSetup, PaymentMethod, Subscription, Workspace
from portal.runtime import Runtime, current, install
from portal.services.payments import method_setups
from portal.services.renewals import run
from portal.worker.jobs import drain_outbox
from tests import paying
from tests.attackers import PART
from tests.books import assert_books_clean
from tests.factories import a_member, a_person, a_workspace, owner_of, seen_by
from tests.licensed import bought
from tests.pages import by_testid, parse, text_of
from tests.routes.checkout.test_pages import typed_in
from tests.visiting import facts, post_form, visit_as

PAGE = "/w/acme/payment-methods"
CARD = {"exp_month": "12", "exp_year": "2030", "security_code": "123", "holder": "Jeanne Martin"}
MASTERCARD = "5555555555554444"


@pytest.fixture
def acme(app) -> Workspace:
    with facts(app):
        return a_workspace()


@pytest.fixture
def owner(app, client, acme):
    """A browser of the owner of Acme, which is on trial."""
    with facts(app):
        visit_as(client, owner_of(acme))
    return client


@pytest.fixture
def renewing(app, acme) -> None:
    """Acme pays 33.60 EUR a month by itself, with Visa 4242, on 21 December for the first time."""
    with facts(app):
        place = seen_by(owner_of(acme), acme)
        place.member.person = owner_of(acme)
        paying.pay(paying.an_order(place), auto_renewal=True)


def add(browser, number=paying.PAID, **changed):
    return post_form(browser, PAGE, number=number, **{**CARD, **changed})


def shown(browser, path=PAGE, status=200):
    response = browser.get(path)
    assert response.status_code == status
    return parse(response.text)


def words(browser, path=PAGE):
    return text_of(next(shown(browser, path).iter("main")))


def marks(browser):
    return [
        row.get("data-testid").removeprefix("card-")
        for row in shown(browser).iter("tr")
        if row.get("data-testid")
    ]


def drain(app):
    with facts(app):
        while drain_outbox(current(), limit=100).delivered:
            pass


def method_id(app, last4):
    with facts(app):
        return PaymentMethod.get(PaymentMethod.last4 == last4, PaymentMethod.removed_at.is_null()).id


def press(app, browser, act, last4):
    address = f"{PAGE}/{method_id(app, last4)}/{act}"
    return post_form(browser, address, shown_at=PAGE if act == "use" else address)


# --- the page -------------------------------------------------------------------------------------


def test_without_a_method_the_page_says_what_one_is_good_for(owner) -> None:
    text = words(owner)
    assert "No payment method is saved" in text
    assert "Nothing is charged when you add it." in text
    assert marks(owner) == []


def test_the_menu_and_the_gear_lead_to_it(owner) -> None:
    assert owner.get("/w/acme/plans").text.count(f'href="{PAGE}"') == 2


def test_members_without_the_right_have_no_link_to_it(app, client, acme) -> None:
    with facts(app):
        person = a_person("ada@acme.test")
        a_member(acme, person, role=Role.ADMIN)
        visit_as(client, person)
    assert PAGE not in client.get("/w/acme/plans").text


def test_the_page_says_which_card_is_charged_and_when(owner, renewing) -> None:
    assert "€33.60 including VAT on 21 December 2026 with Visa •••• 4242, for Business 5, monthly." in words(
        owner
    )
    [row] = by_testid(shown(owner), "card-4242")
    assert text_of(row) == "Visa •••• 4242Jeanne Martin 12/2030 Charged first Remove this Visa •••• 4242"
    assert not by_testid(shown(owner), "card-use-4242"), "it is the one already"


def test_without_automatic_renewal_nothing_is_charged_by_itself(owner) -> None:
    add(owner)
    assert "Nothing is charged automatically: automatic renewal is off." in words(owner)


@pytest.mark.engine("sqlite")
def test_licences_that_renew_themselves_are_told_even_where_the_plan_does_not(app, acme, owner, renewing):
    """2 × 11.00 with 20 % VAT."""
    with facts(app):
        bought(seen_by(owner_of(acme), acme), quantity=2, renews_with=PaymentMethod.get())
        Subscription.update(auto_renewal=False).where(Subscription.quantity == 1).execute()
    page = shown(owner)
    assert "Nothing is charged automatically" not in words(owner)
    [told] = by_testid(page, "renewing")
    assert "€26.40 including VAT on 21 December 2026" in text_of(told)


@pytest.mark.engine("sqlite")
def test_a_method_that_only_licences_need_is_not_offered_to_be_removed(app, acme, owner, renewing) -> None:
    with facts(app):
        method = PaymentMethod.get()
        bought(seen_by(owner_of(acme), acme), quantity=2, renews_with=method)
        Subscription.update(auto_renewal=False).where(Subscription.quantity == 1).execute()
    way = f"{PAGE}/{method.id}/remove"
    page = shown(owner, way)
    assert by_testid(page, "remove-card") == []
    [needed] = by_testid(page, "method-needed")
    assert "/w/acme/subscriptions" in [link.get("href") for link in needed.iter("a")]
    assert post_form(owner, way, shown_at=PAGE).status_code == 422


def test_the_page_is_open_while_access_is_blocked(app, owner, clock) -> None:
    clock.advance(days=60)
    assert owner.get("/w/acme/settings").status_code == 303
    assert add(owner).status_code == 303
    assert marks(owner) == ["4242"]


def test_in_french(app, owner) -> None:
    add(owner)
    page = owner.get(f"{PAGE}?lang=fr")
    assert '<html lang="fr"' in page.text


# --- adding ---------------------------------------------------------------------------------------


def test_a_card_is_added_and_not_charged(app, owner) -> None:
    answer = add(owner)
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    assert "Visa •••• 4242 is saved. It was not charged." in words(owner)
    assert add(owner, MASTERCARD).status_code == 303
    assert marks(owner) == ["4242", "4444"]
    assert "If a payment is declined, the others are tried in this order." in words(owner)
    with facts(app):
        assert paying.the_sandbox().charges() == []
        assert_books_clean()


def test_htmx_gets_the_form_again_or_the_address_to_go_to(owner) -> None:
    headers = {**PART, "HX-Target": "section#adding"}
    token = {"csrf_token": token_of(owner)}
    wrong = owner.post(PAGE, data={**token, **CARD, "number": "1"}, headers=headers)
    assert wrong.status_code == 422
    assert wrong.text.lstrip().startswith("<section")
    right = owner.post(PAGE, data={**token, **CARD, "number": paying.PAID}, headers=headers)
    assert (right.status_code, right.headers["HX-Redirect"]) == (204, PAGE)


def token_of(browser):
    return next(
        field.get("value") for field in shown(browser).iter("input") if field.get("name") == "csrf_token"
    )


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (paying.DECLINED, "Your bank declined the card and did not say why."),
        (paying.EXPIRED, "The card has expired."),
        ("4111111111111111", "This kind of card is not accepted."),
    ],
)
def test_a_card_that_is_declined_leaves_the_form_as_typed_without_its_digits(owner, number, sentence) -> None:
    answer = add(owner, number)
    assert answer.status_code == 422
    page = parse(answer.text)
    assert sentence in text_of(by_testid(page, "error-summary")[0])
    assert 'value="Jeanne Martin"' in answer.text
    assert number not in answer.text
    assert marks(owner) == []


def test_what_is_missing_is_said_beside_its_field(owner) -> None:
    answer = post_form(owner, PAGE)
    assert answer.status_code == 422
    for field in ("number", "exp_month", "exp_year", "security_code", "holder"):
        assert f'id="{field}-error"' in answer.text


def test_a_card_that_asks_leads_to_the_bank_and_back_to_the_truth(app, owner) -> None:
    bank = add(owner, paying.ASKS_ONCE).headers["Location"]
    assert "/sandbox/3ds/" in bank
    with facts(app):
        result = f"{PAGE}/setups/{MethodSetup.get().key}"
    assert "Your bank asks you to confirm" in words(owner, result)
    assert by_testid(shown(owner), "card-3155") == []
    back = post_form(owner, bank, answer="confirm")
    assert back.headers["Location"].endswith(result)
    assert "The card is saved" in words(owner, result)
    assert marks(owner) == ["3155"]


def test_who_refuses_at_the_bank_is_told_that_nothing_is_saved(app, owner) -> None:
    bank = add(owner, paying.ASKS_ALWAYS).headers["Location"]
    back = post_form(owner, bank, answer="refuse").headers["Location"]
    text = words(owner, back)
    assert "The card was not saved" in text
    assert "It was not confirmed with your bank." in text
    assert "charged" not in text
    assert marks(owner) == []


def test_while_the_bank_is_silent_the_page_says_so_and_follows(app, owner, clock) -> None:
    with facts(app):
        sandbox, runtime = paying.the_sandbox(), current()
        install(Runtime(runtime.settings, runtime.clock, {"sandbox": Silent(sandbox)}))
    result = add(owner).headers["Location"]
    waiting = owner.get(result)
    assert waiting.headers["Refresh"] == "3"
    assert "Your card is being saved" in waiting.text
    with facts(app):
        clock.advance_wall(minutes=2)
        install(runtime)
        method_setups.look_up_due_setups(limit=10, now=clock.now())
    part = owner.get(result, headers={**PART, "HX-Target": "div#outcome"})
    assert part.headers["HX-Redirect"] == result
    assert "The request did not reach the bank." in words(owner, result)


class Silent:
    """A gateway that cannot be reached to save a method."""

    def __init__(self, sandbox):
        self.sandbox = sandbox

    def __getattr__(self, name):
        return getattr(self.sandbox, name)

    def begin_setup(self, request):
        raise GatewayUnavailable("down")


@pytest.mark.settings(PORTAL_LIMITS="1")
def test_a_fourth_card_in_ten_minutes_waits(app, owner) -> None:
    for _ in range(3):
        assert add(owner, paying.DECLINED).status_code == 422
    assert add(owner).status_code == 429
    with facts(app):
        assert MethodSetup.select().count() == 3


# --- choosing and removing ------------------------------------------------------------------------


def test_pay_with_this_card_moves_the_mark(app, owner, renewing) -> None:
    add(owner, MASTERCARD)
    answer = press(app, owner, "use", "4444")
    assert answer.headers["Location"] == PAGE
    flashed = text_of(shown(owner))
    assert "€33.60 including VAT on 21 December 2026 with Mastercard •••• 4444, for" in flashed
    assert "From now on Mastercard •••• 4444 is charged first." in flashed
    assert marks(owner) == ["4444", "4242"]
    assert by_testid(shown(owner), "card-use-4242")
    assert not by_testid(shown(owner), "card-use-4444")


def test_an_expired_card_is_flagged_and_cannot_be_chosen(app, owner) -> None:
    add(owner)
    add(owner, MASTERCARD)
    with facts(app):
        PaymentMethod.update(exp_month=10, exp_year=2026).where(PaymentMethod.last4 == "4444").execute()
    [row] = by_testid(shown(owner), "card-4444")
    assert "Expired" in text_of(row)
    assert not by_testid(shown(owner), "card-use-4444")
    press(app, owner, "use", "4444")
    assert "Mastercard •••• 4444 has expired." in words(owner)
    assert marks(owner) == ["4242", "4444"]
    with facts(app):
        PaymentMethod.update(exp_year=2030).where(PaymentMethod.last4 == "4444").execute()
        PaymentMethod.update(exp_month=10, exp_year=2026).where(PaymentMethod.last4 == "4242").execute()
    page = shown(owner)
    assert "Charged first" not in text_of(by_testid(page, "card-4242")[0]), "it was chosen, and is over"
    assert "Charged first" in text_of(by_testid(page, "card-4444")[0])


def test_a_card_is_removed_after_a_question(app, owner, renewing) -> None:
    add(owner, MASTERCARD)
    [remove] = by_testid(shown(owner), "card-remove-4242")
    assert "Then Mastercard •••• 4444 will be charged first." in words(owner, remove.get("href"))
    assert marks(owner) == ["4242", "4444"], "a question changes nothing"
    assert press(app, owner, "remove", "4242").headers["Location"] == PAGE
    text = words(owner)
    assert "€33.60 including VAT on 21 December 2026 with Mastercard •••• 4444, for" in text
    assert marks(owner) == ["4444"]
    assert owner.get(remove.get("href")).status_code == 404


def test_the_only_card_of_automatic_renewal_cannot_be_removed(app, owner, renewing) -> None:
    [remove] = by_testid(shown(owner), "card-remove-4242")
    page = shown(owner, remove.get("href"))
    assert by_testid(page, "method-needed")
    assert not by_testid(page, "remove-card")
    answer = post_form(owner, remove.get("href"), shown_at=PAGE)
    assert answer.status_code == 422
    assert "Add another payment method first, or switch automatic renewal off." in answer.text
    assert marks(owner) == ["4242"]


def test_the_methods_of_others_do_not_exist(app, owner) -> None:
    with facts(app):
        zenith = a_workspace("Zenith")
        place = seen_by(owner_of(zenith), zenith)
        theirs = method_setups.begin_adding(
            place, paying.a_card(), result_address=str, now=current().clock.now()
        )
    add(owner)
    for number in (theirs.method_id, 999_999):
        assert owner.get(f"{PAGE}/{number}/remove").status_code == 404
        for act in ("use", "remove"):
            assert post_form(owner, f"{PAGE}/{number}/{act}", shown_at=PAGE).status_code == 404
    assert owner.get(f"{PAGE}/setups/{theirs.key}").status_code == 404
    with facts(app):
        assert PaymentMethod.get_by_id(theirs.method_id).removed_at is None


def test_paypal_and_a_mandate_are_listed_by_their_names(app, owner, acme, renewing) -> None:
    with facts(app):
        for kind, last4, holder in (
            ("paypal", "", "paid@paypal.example"),
            ("sepa_debit", "4242", "J. Martin"),
        ):
            PaymentMethod.create(
                workspace=acme,
                added_by=owner_of(acme),
                gateway="sandbox",
                reference=kind,
                kind=kind,
                last4=last4,
                holder=holder,
                created_at=current().clock.now(),
            )
    assert marks(owner) == ["4242", "paypal", "4242"]
    [row] = by_testid(shown(owner), "card-paypal")
    assert text_of(row) == (
        "PayPalpaid@paypal.example – 2 Pay with this method PayPal Move down PayPal Remove this PayPal"
    )


# --- what is charged ------------------------------------------------------------------------------


def test_after_a_failed_renewal_the_page_leads_out_of_it(app, owner, renewing, clock) -> None:
    with facts(app):
        PaymentMethod.update(reference="gone").execute()
        clock.advance(days=30)
        run.run_due(now=clock.now())
        assert Subscription.get().renewal_failed_on is not None
    text = words(owner)
    assert "We will not try the payment again automatically." in text
    assert "The renewal that is waiting, €33.60, is charged to it at once." in text
    assert "Nothing is charged now." not in text
    assert text_of(by_testid(shown(owner), "add-card")[0]) == "Add the card and pay €33.60"
    add(owner, MASTERCARD)
    page = text_of(shown(owner))
    assert "Mastercard •••• 4444 is saved. The payment is being made." in page
    assert "Mastercard •••• 4444 is charged on 21 December 2026." in page
    assert "is charged to it at once" not in page, "it is paid once"
    drain(app)
    with facts(app):
        assert len(paying.paid_charges()) == 2
        assert_books_clean()
    text = words(owner)
    assert "€33.60 including VAT on 21 January 2027 with Mastercard •••• 4444, for" in text
    assert "Nothing is charged now." in text
    assert marks(owner) == ["4444", "4242"]


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("has_method", [True, False])
def test_a_failed_renewal_is_named_before_a_card_that_asks_is_added(
    app, owner, renewing, clock, has_method
) -> None:
    with facts(app):
        PaymentMethod.update(reference="gone").execute()
        clock.advance(days=30)
        run.run_due(now=clock.now())
        if not has_method:
            PaymentMethod.update(removed_at=clock.now()).execute()
    text = words(owner)
    assert ("No payment method is saved" in text) is not has_method
    assert "The renewal that is waiting, €33.60, is charged to it at once." in text
    assert "Nothing is charged" not in text
    bank = add(owner, paying.ASKS_ONCE).headers["Location"]
    result = post_form(owner, bank, answer="confirm").headers["Location"]
    sentence = "We are trying the renewal that was waiting with Visa •••• 3155."
    assert sentence in words(owner, result)
    drain(app)
    with facts(app):
        assert len(paying.paid_charges()) == 2
    assert sentence in words(owner, result)


@pytest.mark.engine("sqlite")
def test_while_the_bank_is_silent_after_a_failed_renewal_the_page_says_what_is_charged(
    app, owner, renewing, clock
) -> None:
    with facts(app):
        PaymentMethod.update(reference="gone").execute()
        clock.advance(days=30)
        run.run_due(now=clock.now())
        runtime = current()
        install(Runtime(runtime.settings, runtime.clock, {"sandbox": Silent(paying.the_sandbox())}))
    text = words(owner, add(owner).headers["Location"])
    assert "Once the card is saved, the renewal that is waiting is charged to it." in text
    assert "nothing is charged" not in text


@pytest.mark.engine("sqlite")
def test_what_nobody_was_told_is_not_charged_to_a_new_card(app, owner, renewing, clock) -> None:
    with facts(app):
        PaymentMethod.update(reference="gone").execute()
        clock.advance(days=30)
        run.run_due(now=clock.now())
        Subscription.update(announced_minor=1000).execute()
    assert "Nothing is charged now." in words(owner)
    add(owner, MASTERCARD)
    assert "Mastercard •••• 4444 is saved. It was not charged." in words(owner)
    drain(app)
    with facts(app):
        assert len(paying.paid_charges()) == 1


@pytest.mark.engine("sqlite")
def test_after_a_failure_the_page_names_the_card_that_is_asked_next(app, owner, renewing, clock) -> None:
    add(owner, paying.NOT_ENOUGH_FUNDS)
    with facts(app):
        PaymentMethod.update(reference="gone").where(PaymentMethod.last4 == "4242").execute()
        clock.advance(days=30)
        run.run_due(now=clock.now())
    assert marks(owner) == ["4242", "9995"]
    assert "Visa •••• 9995 is charged on 22 December 2026." in words(owner)


def test_no_digits_of_a_card_are_kept(app, owner, tmp_path, caplog) -> None:
    numbers = [paying.PAID, paying.DECLINED, paying.ASKS_ONCE, "4929123456789019", "4242424242424241"]
    for number in numbers:
        add(owner, number)
        add(owner, paying.PAID, holder=number)
        add(owner, paying.PAID, security_code=number)
    with facts(app):
        kept = [str(row) for model in ALL_MODELS for row in model.select().tuples()]
    kept += [caplog.text, *(path.read_bytes().decode("latin1") for path in tmp_path.rglob("*.sqlite*"))]
    assert typed_in("".join(kept), numbers) == []


# --- of every kind --------------------------------------------------------------------------------

NEW = f"{PAGE}/new"
DEBIT = {"iban": "DE46 9999 9999 0000 0042 42", "holder": "Jeanne Martin", "agreed": "y"}
MANDATE = {"mandate": "C-000001-M1"}


def add_debit(browser, **changed):
    return post_form(browser, f"{NEW}?kind=sepa_debit", **{**DEBIT, **MANDATE, **changed})


def test_every_kind_but_bank_transfer_can_be_added(owner) -> None:
    page = shown(owner, NEW)
    tabs = [link for link in page.iter("a") if "kind=" in link.get("href", "")]
    assert [text_of(tab) for tab in tabs] == ["Card", "PayPal", "SEPA direct debit"]
    assert tabs[0].get("aria-current") == "page"
    assert text_of(by_testid(page, "save-method")[0]) == "Save"
    for unknown in ("bank_transfer", "balance", "x"):
        assert owner.get(f"{NEW}?kind={unknown}").status_code == 404


def test_the_page_of_the_methods_leads_to_it(owner) -> None:
    [way] = by_testid(shown(owner), "add-method")
    assert (way.get("href"), text_of(way)) == (NEW, "Add a payment method")


def test_a_card_is_saved_there_too(owner) -> None:
    answer = post_form(owner, NEW, number=paying.PAID, **CARD)
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert "Visa •••• 4242 is saved. It was not charged." in text_of(shown(owner))


def test_a_debit_shows_the_mandate_that_is_given(app, owner) -> None:
    [mandate] = by_testid(shown(owner, f"{NEW}?kind=sepa_debit"), "mandate")
    for said in ("C-000001-M1", "21 November 2026", "you authorise (A)", "within 8 weeks"):
        assert said in text_of(mandate)
    assert add_debit(owner).status_code == 303
    for said in ("Mandate C-000001-M1", "Given on 21 November 2026"):
        assert said in words(owner)
    with facts(app):
        assert PaymentMethod.get().holder == "Jeanne Martin"


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"iban": "DE46 9999 9999 0000 0042 43"}, "Check the IBAN: a letter or digit is wrong or missing."),
        ({"iban": "TR33 0006 1005 1978 6457 8413 26"}, "Enter an IBAN of the SEPA area."),
        ({"iban": ""}, "Enter the IBAN of the account to debit."),
        ({"agreed": ""}, "Tick the box to give the mandate."),
        ({"iban": "FR76 3000 6000 0112 3456 7890 189"}, "This account is not accepted."),
        ({"iban": "DE66 9999 9999 0000 0000 02"}, "The payment method was declined, and nobody told us why."),
        ({"mandate": "C-000001-M7"}, "the mandate has a new reference"),
    ],
)
def test_what_is_wrong_with_a_debit_stands_beside_its_field(app, owner, changed, sentence) -> None:
    answer = add_debit(owner, **changed)
    assert answer.status_code == 422
    page = parse(answer.text)
    [error] = [each for each in page.iter("p") if each.get("class") == "field-error"]
    assert sentence in text_of(error)
    if "iban" in changed:
        assert f'value="{changed["iban"].replace(" ", "") or ""}"' in answer.text.replace(" ", "")
    with facts(app):
        assert PaymentMethod.select().count() == 0


def test_paypal_is_confirmed_on_its_own_page_and_listed(app, owner) -> None:
    address = f"{NEW}?kind=paypal"
    page = shown(owner, address)
    assert text_of(by_testid(page, "save-method")[0]) == "Continue to PayPal"
    answer = post_form(owner, address)
    assert "/sandbox/paypal/" in answer.location
    there = answer.location.removeprefix("http://127.0.0.1:8000")
    back = post_form(owner, there, email="paid@paypal.example", answer="confirm")
    result = owner.get(back.location.removeprefix("http://127.0.0.1:8000"))
    text = text_of(next(parse(result.text).iter("main")))
    assert "The payment method is saved" in text
    assert "PayPal was not charged." in text
    assert marks(owner) == ["paypal"]


def test_whoever_refuses_at_paypal_can_choose_another_kind(owner) -> None:
    answer = post_form(owner, f"{NEW}?kind=paypal")
    there = answer.location.removeprefix("http://127.0.0.1:8000")
    back = post_form(owner, there, answer="refuse")
    result = owner.get(back.location.removeprefix("http://127.0.0.1:8000"))
    text = text_of(next(parse(result.text).iter("main")))
    assert "The payment method was not saved" in text
    assert "Use another payment method" in text
    assert marks(owner) == []


def test_after_a_failed_renewal_any_kind_says_what_it_is_charged(app, owner, renewing, clock) -> None:
    with facts(app):
        paying.charged_from_now_on(paying.DECLINED_WHEN_CHARGED)
        clock.advance(days=30)
        run.run_due(now=clock.now())
    for kind, label in (("card", "Save and pay €33.60"), ("paypal", "Continue to PayPal")):
        page = shown(owner, f"{NEW}?kind={kind}")
        assert text_of(by_testid(page, "save-method")[0]) == label
        assert "The renewal that is waiting, €33.60, is charged to it at once." in text_of(page)


# --- their order ----------------------------------------------------------------------------------


def test_the_backups_are_moved_up_and_down(app, owner, renewing) -> None:
    add(owner, MASTERCARD)
    add(owner, "3566002020360505")
    page = shown(owner)
    buttons = [
        mark.get("data-testid")
        for mark in page.iter("button")
        if mark.get("data-testid", "").startswith(("card-up", "card-down"))
    ]
    assert buttons == ["card-down-4444", "card-up-0505"]
    [up] = by_testid(page, "card-up-0505")
    assert text_of(up) == "Move up JCB •••• 0505"
    answer = post_form(owner, up.get("formaction"), shown_at=PAGE, to=up.get("value"))
    assert (answer.status_code, marks(owner)) == (303, ["4242", "0505", "4444"])
    assert post_form(owner, up.get("formaction"), shown_at=PAGE, to="x").status_code == 400


def test_one_subscription_is_charged_to_a_method_of_its_own(app, acme, owner, renewing) -> None:
    with facts(app):
        bought(seen_by(owner_of(acme), acme), quantity=2, renews_with=PaymentMethod.get())
    add(owner, MASTERCARD)
    way = "/w/acme/subscriptions/meetings/auto-renewal"
    assert by_testid(shown(owner, way), "pay-with")
    answer = post_form(owner, f"{way}/method", shown_at=way, method=str(method_id(app, "4444")))
    assert (answer.status_code, answer.location) == (303, way)
    assert "Meetings is charged to Mastercard •••• 4444 from now on." in text_of(shown(owner, way))
    [row] = by_testid(shown(owner), "card-4444")
    assert "Charged first for Meetings" in text_of(row)
    assert post_form(owner, f"{way}/method", shown_at=way, method="99").status_code == 422


# --- that expire ----------------------------------------------------------------------------------


def test_a_card_that_is_charged_and_expires_is_flagged_here_and_on_the_overview(app, owner, renewing, clock):
    add(owner, MASTERCARD)
    with facts(app):
        PaymentMethod.update(exp_year=2026, exp_month=12).where(PaymentMethod.last4 == "4242").execute()
        clock.advance(days=9)
    assert "Expires soon" not in words(owner)
    assert not by_testid(shown(owner, "/w/acme/billing"), "need-expiring-4242")
    with facts(app):
        clock.advance(days=1)
    page = shown(owner)
    assert "12/2026 Expires soon" in text_of(by_testid(page, "card-4242")[0])
    assert "Expires soon" not in text_of(by_testid(page, "card-4444")[0]), "nothing is charged to it"
    [need] = by_testid(shown(owner, "/w/acme/billing"), "need-expiring-4242")
    assert NEW in [link.get("href") for link in need.iter("a")]
    for banner in (need, *by_testid(page, "expiring-4242")):
        assert "Visa •••• 4242 can be charged until 31 December 2026." in text_of(banner)
        assert "After that day Mastercard •••• 4444 is charged instead." in text_of(banner)
    with facts(app):
        PaymentMethod.update(exp_year=2026, exp_month=12).execute()
    [banner] = by_testid(shown(owner), "expiring-4242")
    assert "Add another payment method before then." in text_of(banner)


def test_a_renewal_that_is_no_longer_what_was_shown_saves_nothing(app, acme, owner) -> None:
    with facts(app):
        bought(seen_by(owner_of(acme), acme), interval=Interval.YEAR)
    response = add(owner, renew="meetings:what-was-shown")
    assert response.status_code == 422
    assert "the next payment is no longer the one you saw" in response.text
    with facts(app):
        assert (PaymentMethod.select().count(), MethodSetup.select().count()) == (0, 0)
