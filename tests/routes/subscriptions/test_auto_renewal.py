"""Automatic renewal, switched on and off in a browser."""

import pytest

from portal.domain.vocabulary import PaymentMethodKind
from portal.models import BillingDetails, PaymentMethod, Subscription
from portal.services.subscriptions import agreement
from tests.factories import owner_of
from tests.pages import by_testid, csrf_of, parse, text_of
from tests.paying import a_place, an_order, buy, pay
from tests.services.payments.test_from_balance import keep
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")
PAGE = "/w/acme/auto-renewal"


@pytest.fixture
def place(app, client):
    """Acme on Business 5, paid by the month until 21 December; the browser is its owner's."""
    with facts(app):
        place = a_place()
        buy(place)
        visit_as(client, owner_of(place.workspace))
        return place


@pytest.fixture
def card(app, place) -> PaymentMethod:
    with facts(app):
        return PaymentMethod.create(
            workspace=place.workspace,
            added_by=place.member.person_id,
            gateway="sandbox",
            reference="saved",
            kind=PaymentMethodKind.CARD,
            brand="visa",
            last4="4242",
            created_at=place.workspace.created_at,
        )


def words_of(answer) -> str:
    """What a page says; dates hold together by spaces that do not break."""
    return " ".join(answer.get_data(as_text=True).split())


def subscription_of(app, place) -> Subscription:
    with facts(app):
        return agreement.of_workspace(place.workspace)


def switch_on(client, card, **changed):
    html = words_of(client.get(PAGE))
    [shown] = [each.get("value") for each in parse(html).iter("input") if each.get("name") == "shown"]
    fields = {"csrf_token": csrf_of(html), "method": str(card.id), "shown": shown, **changed}
    return client.post(f"{PAGE}/on", data=fields)


def test_without_a_saved_method_it_says_how(client, place) -> None:
    html = words_of(client.get(PAGE))
    assert "Automatic renewal needs a saved payment method" in html
    assert 'href="/w/acme/payment-methods"' in html
    assert by_testid(parse(html), "auto-renewal-on") == []
    assert (
        post_form(
            client, f"{PAGE}/on", shown_at=PAGE if "csrf_token" in html else "/w/acme/plans"
        ).status_code
        == 422
    )


@pytest.mark.settings(PORTAL_GRACE_DAYS="5")
@pytest.mark.parametrize("language", ["en", "fr"])
def test_late_with_a_balance_that_is_enough_no_card_is_needed(app, client, place, clock, language) -> None:
    with facts(app):
        keep(place, clock, days=0, licences=3)
    clock.advance(days=31)
    words = {
        "en": (
            "Your balance pays first: as it is now, €33.60 is taken from it on 22 December 2026, and no "
            "payment method is charged. Payments that your balance is not enough for need a payment method"
        ),
        "fr": (
            "Votre solde paie d’abord : dans son état actuel, 33,60 € en seront prélevés le 22 décembre 2026 "
            "et aucun mode de paiement ne sera débité. Un paiement que votre solde ne couvre pas nécessite"
        ),
    }[language]
    page = parse(client.get(f"{PAGE}?lang={language}").text)
    said = " ".join(text_of(each) for each in by_testid(page, "from-balance"))
    assert words in said
    [button] = by_testid(page, "auto-renewal-on")
    [form] = [each for each in page.iter("form") if button in list(each.iter("button"))]
    fields = {each.get("name"): each.get("value") for each in form.iter("input")}
    assert "method" not in fields
    answer = client.post(f"{PAGE}/on", data=fields)
    assert answer.status_code == 303
    [flash] = by_testid(parse(client.get(answer.location).text), "flash")
    assert words.partition(":")[0] in text_of(flash)
    assert subscription_of(app, place).auto_renewal


def test_without_billing_details_it_leads_to_them(app, client, place, card) -> None:
    with facts(app):
        BillingDetails.delete().execute()
    html = words_of(client.get(PAGE))
    assert 'href="/w/acme/billing-settings"' in html


def test_once_its_tax_rose_the_page_says_what_was_told(app, client, place, card) -> None:
    """33.60 were told; in Hungary, with 27 %, it would be 35.56 by now."""
    switch_on(client, card)
    with facts(app):
        BillingDetails.update(country="HU", is_business=False).execute()
    page = words_of(client.get(PAGE))
    assert "€33.60 including VAT" in page
    assert "35.56" not in page
    assert "Automatic renewal: €33.60 including VAT on 21 December 2026" in words_of(
        client.get("/w/acme/plans")
    )


def test_on_and_off_again(app, client, place, card) -> None:
    html = words_of(client.get("/w/acme/plans"))
    assert "Switch automatic renewal on" in html
    page = words_of(client.get(PAGE))
    for words in ("Would be renewed on", "21 December 2026", "€33.60 including VAT", "Visa •••• 4242"):
        assert words in page
    assert "Next payment" not in page
    answer = switch_on(client, card)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/w/acme/plans")
    html = words_of(client.get("/w/acme/plans"))
    assert "Automatic renewal is on: €33.60 on 21 December 2026." in html
    [button] = by_testid(parse(html), "plan-action")
    assert (text_of(button), button.get("disabled") is not None) == ("Automatic renewal is on", True)
    assert f'href="{PAGE}">You can switch automatic renewal off.' in html
    assert subscription_of(app, place).announced_minor == 3360

    html = words_of(client.get(PAGE))
    assert "Next payment" in html
    assert "Would be renewed on" not in html
    assert "nothing changes before 21 December 2026" in html
    answer = post_form(client, f"{PAGE}/off", shown_at=PAGE)
    assert answer.status_code == 303
    html = words_of(client.get("/w/acme/plans"))
    assert "Automatic renewal is off. The plan ends on 21 December 2026." in html
    assert not subscription_of(app, place).auto_renewal
    post_form(client, f"{PAGE}/off", shown_at=PAGE)
    assert "Automatic renewal was already off." in words_of(client.get("/w/acme/plans"))


def test_another_charge_than_was_shown_is_shown_again(app, client, place, card) -> None:
    answer = switch_on(client, card, shown="0" * 64)
    assert answer.status_code == 409
    assert "Nothing was changed." in words_of(answer)
    assert not subscription_of(app, place).auto_renewal


@pytest.mark.parametrize("method", ["", "999", "x", "1 OR 1"])
def test_a_method_that_is_none_is_refused_in_words(app, client, place, card, method) -> None:
    answer = switch_on(client, card, method=method)
    assert answer.status_code == 422
    assert by_testid(parse(words_of(answer)), "error-summary")
    assert not subscription_of(app, place).auto_renewal


def test_on_trial_there_is_nothing_to_renew(app, client) -> None:
    with facts(app):
        place = a_place("Zenith", owner="Zoe Zimmer")
        visit_as(client, owner_of(place.workspace))
    assert "There is nothing to renew yet" in words_of(client.get("/w/zenith/auto-renewal"))
    assert "Switch automatic renewal on" not in words_of(client.get("/w/zenith/plans"))


def test_blocked_it_leads_to_paying(app, client, place, card, clock) -> None:
    clock.advance(days=31)
    html = words_of(client.get(PAGE))
    assert "Access is blocked. Pay for a plan first" in html
    assert by_testid(parse(html), "auto-renewal-on") == []


def test_the_price_is_guaranteed_while_it_is_on(app, client, place) -> None:
    with facts(app):
        pay(an_order(place), auto_renewal=True)
    sentence = "Your price, €28.00 a month excl. VAT, is guaranteed until 21 November 2027."
    assert sentence in words_of(client.get("/w/acme/plans"))
    post_form(client, f"{PAGE}/off", shown_at=PAGE)
    assert by_testid(parse(words_of(client.get("/w/acme/plans"))), "price-lock") == []


def test_nothing_is_announced_once_every_card_was_refused_for_good(app, client, place, card) -> None:
    switch_on(client, card)
    assert "Next payment" in words_of(client.get(PAGE))
    with facts(app):
        Subscription.update(
            renew_on=None, renewal_failed_on=agreement.of_workspace(place.workspace).due_on
        ).where(Subscription.workspace == place.workspace).execute()
    assert "Next payment" not in words_of(client.get(PAGE))
