"""The page of a licence key, its replacement, and the sandbox's page that takes it."""

import logging

import pytest

from portal.domain.licence_keys import grouped
from portal.domain.vocabulary import Interval, Role
from portal.models import LicenceKey, Product, Subscription, UnsentForm
from portal.runtime import current
from portal.services.subscriptions import cancellation, licence_keys
from tests.factories import a_member, a_person, letters, owner_of
from tests.licensed import bought, tried
from tests.pages import by_testid, parse, text_of
from tests.paying import a_place, an_order, buy, pay
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")
KEY = "/w/acme/subscriptions/remote/licence-key"
REPLACE = f"{KEY}/replace"
ENTER = "/sandbox/licence-key"
A_TRUE_KEY_OF_NOBODY = "0000-0000-0000-0000-0000-0000-0001"


@pytest.fixture
def place(app, client):
    """Acme on Business 10; the browser is its owner's."""
    with facts(app):
        place = a_place()
        buy(place, "business-10")
        visit_as(client, owner_of(place.workspace))
        return place


@pytest.fixture
def remote(app, place) -> Subscription:
    """Paid until 21 November 2027."""
    with facts(app):
        return bought(place, "remote-licence", interval=Interval.YEAR)


def words_of(answer) -> str:
    return " ".join(answer.get_data(as_text=True).replace("\u202f", " ").split())


def said(answer, testid) -> list[str]:
    return [" ".join(text_of(each).split()) for each in by_testid(parse(words_of(answer)), testid)]


def inputs_of(answer, name):
    return [each for each in parse(words_of(answer)).iter("input") if each.get("name") == name]


def live_id(app) -> int:
    with facts(app):
        [key] = LicenceKey.select().where(LicenceKey.replaced_at.is_null())
        return key.id


def typed(app) -> str:
    with facts(app):
        return grouped(licence_keys.text_of(LicenceKey.get(LicenceKey.replaced_at.is_null())))


def enter(client, text):
    return post_form(client, ENTER, licence_key=text)


def replace(client, key):
    return post_form(client, REPLACE, shown_at="/w/acme/plans", key=key)


# --- the key --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "title", "not_yet", "made"),
    [
        ("en", "Licence key for Remote", "Not activated yet", "21 Nov 2026, 10:00"),
        ("fr", "Clé de licence pour Accès à distance", "Pas encore activée", "21 nov. 2026, 10:00"),
    ],
)
def test_the_page_shows_the_key_its_state_and_how_to_use_it(
    app, client, remote, language, title, not_yet, made
) -> None:
    page = client.get(f"{KEY}?lang={language}")
    html = words_of(page)
    assert text_of(next(parse(html).iter("h1"))) == title
    assert said(page, "licence-key") == [typed(app)]
    assert said(page, "key-activation") == [not_yet]
    assert len(list(parse(html).iter("ol"))) == 1
    [link] = by_testid(parse(html), "try-key")
    assert link.get("href") == ENTER
    [link] = by_testid(parse(html), "replace-key")
    assert link.get("href") == REPLACE
    assert page.headers["Cache-Control"] == "no-store"
    assert made in said(page, "key-made")[0]


def test_the_card_and_the_licences_lead_to_it(client, remote) -> None:
    [link] = by_testid(parse(words_of(client.get("/w/acme/subscriptions"))), "key-remote")
    assert link.get("href") == KEY
    [products] = by_testid(parse(words_of(client.get("/w/acme/licences"))), "keyed-products")
    assert [each.get("href") for each in products.iter("a")] == [KEY]


def test_so_does_the_page_after_the_payment(app, client, place) -> None:
    with facts(app):
        order = an_order(place, "remote-licence", interval=Interval.YEAR)
        pay(order)
    page = client.get(f"/w/acme/checkout/{order.number}/result")
    [banner] = by_testid(parse(words_of(page)), "see-key-1")
    assert [each.get("href") for each in banner.iter("a")] == [KEY]
    assert not by_testid(parse(words_of(page)), "assign-licences")


def test_and_the_page_of_a_trial(app, client, place) -> None:
    with facts(app):
        Product.update(trial_days=14).where(Product.code == "remote").execute()
        tried(place, "remote-licence")
    page = client.get("/w/acme/subscriptions/trial/remote")
    [link] = by_testid(parse(words_of(page)), "see-key")
    assert link.get("href") == KEY
    assert said(client.get(KEY), "licence-key") == [typed(app)]


@pytest.mark.parametrize("role", [Role.BILLING_MANAGER, Role.MEMBER])
def test_who_may_not_reads_who_can(app, client, place, remote, role) -> None:
    with facts(app):
        person = a_person("ana@acme.test", name="Ana Roux")
        a_member(place.workspace, person, role=role)
        visit_as(client, person)
        owner, key = owner_of(place.workspace).name, licence_keys.text_of(LicenceKey.get())
    assert by_testid(parse(words_of(client.get("/w/acme/subscriptions"))), "key-remote") == []
    for address in (KEY, REPLACE):
        page = client.get(address)
        assert page.status_code == 403
        assert owner in words_of(page)
        assert grouped(key) not in words_of(page)
    assert post_form(client, REPLACE, shown_at="/w/acme/plans", key=live_id(app)).status_code == 403


@pytest.mark.parametrize("product", ["meetings", "office", "webinar", "nothing", "remote%00", "x" * 300])
def test_what_has_no_key_is_not_found(app, client, place, remote, product) -> None:
    with facts(app):
        bought(place)
    for rest in ("", "/replace"):
        assert client.get(f"/w/acme/subscriptions/{product}/licence-key{rest}").status_code == 404


def test_another_workspaces_key_is_not_found(app, client, remote) -> None:
    with facts(app):
        zenith = a_place("Zenith", owner="Zoé Zola")
        buy(zenith)
        visit_as(client, owner_of(zenith.workspace))
    answers = {client.get(address).status_code for address in (KEY, REPLACE, KEY.replace("acme", "zenith"))}
    assert answers == {404}


def test_of_what_was_had_before_there_were_keys_one_is_made_when_asked_for(app, client, remote) -> None:
    with facts(app):
        LicenceKey.delete().execute()
    page = client.get(KEY)
    assert said(page, "licence-key") == []
    assert "The key has not been made yet." in words_of(page)
    assert client.get(REPLACE).headers["Location"] == KEY
    assert replace(client, "0").headers["Location"] == KEY
    for _ in range(2):
        answer = post_form(client, KEY)
        assert (answer.status_code, answer.headers["Location"]) == (303, KEY)
    assert said(client.get(KEY), "licence-key") == [typed(app)]


def test_a_key_of_a_secret_that_is_gone_is_not_shown_and_can_be_replaced(app, client, remote) -> None:
    with facts(app):
        LicenceKey.update(seed="made with another secret").execute()
    page = client.get(KEY)
    assert said(page, "licence-key") == []
    assert "This key can no longer be shown." in words_of(page)
    assert said(client.get(REPLACE), "key-ending") == []
    assert replace(client, live_id(app)).status_code == 303
    assert said(client.get(KEY), "licence-key") == [typed(app)]


@pytest.mark.parametrize(
    ("cancelled", "sentence"),
    [(False, "the subscription is blocked until it is paid"), (True, "the subscription has ended")],
)
def test_without_access_the_page_says_that_the_key_does_not_work(
    app, client, clock, remote, cancelled, sentence
) -> None:
    with facts(app):
        if cancelled:
            cancellation.cancel(remote, shown_ends_on="2027-11-21", now=current().clock.now())
    clock.advance(days=366)
    page = client.get(KEY)
    [obstacle] = said(page, "key-obstacle")
    assert sentence in obstacle
    assert not list(parse(words_of(page)).iter("ol"))


# --- replacing ------------------------------------------------------------------------------------


def test_the_question_says_what_ends(app, client, remote) -> None:
    page = client.get(REPLACE)
    assert "Replace the licence key for Remote?" in words_of(page)
    assert "This key stops working at once." in words_of(page)
    assert "Its activation ends" not in words_of(page)
    assert said(page, "key-ending") == [typed(app)[-4:]]
    assert typed(app) not in words_of(page)
    enter(client, typed(app))
    assert "Its activation ends" in words_of(client.get(REPLACE))


def test_replaced_it_is_told_and_the_old_one_is_dead(app, client, remote) -> None:
    old = typed(app)
    answer = replace(client, live_id(app))
    assert (answer.status_code, answer.headers["Location"]) == (303, KEY)
    page = client.get(KEY)
    assert said(page, "flash") == ["Remote has a new licence key. The old one no longer works."]
    assert said(page, "licence-key") == [typed(app)] != [old]
    with facts(app):
        assert len(letters("licence_key_replaced")) == 1
    refused = enter(client, old)
    assert refused.status_code == 422
    assert "was replaced on" in words_of(refused)


def test_two_tabs_are_one_replacement_and_the_second_is_told(app, client, remote) -> None:
    shown, old = live_id(app), typed(app)
    assert replace(client, shown).status_code == 303
    new = live_id(app)
    page = replace(client, shown)
    assert page.status_code == 409
    assert f"the key ending in {old[-4:]}, which you were shown, was replaced on 21 Nov" in words_of(page)
    assert said(page, "key-ending") == [typed(app)[-4:]]
    assert inputs_of(page, "key")[0].get("value") == str(new)
    assert live_id(app) == new
    with facts(app):
        assert len(letters("licence_key_replaced")) == 1


@pytest.mark.parametrize("key", ["", "0", "-1", "x", "1e9", "9" * 40, "²", "\U0001f511", "a" * 10_000])
def test_anything_else_than_a_key_replaces_nothing(app, client, remote, key) -> None:
    before = live_id(app)
    assert replace(client, key).status_code == 409
    assert live_id(app) == before


# --- the product ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "title", "again"),
    [
        ("en", "Remote is activated", "This key was already activated"),
        ("fr", "Accès à distance : activation réussie", "Cette clé était déjà activée"),
    ],
)
def test_the_product_takes_the_key_and_the_page_shows_it(app, client, remote, language, title, again) -> None:
    client.get(f"{ENTER}?lang={language}")
    answer = enter(client, typed(app).lower().replace("-", " "))
    assert (answer.status_code, answer.headers["Location"]) == (303, ENTER)
    page = client.get(ENTER)
    assert text_of(next(parse(words_of(page)).iter("h1"))) == title
    assert said(page, "activated-workspace") == ["Acme"]
    assert "2027" in said(page, "activated-until")[0]
    assert again not in words_of(page)
    # A reload is a new start, and the same key no new activation.
    assert not by_testid(parse(words_of(client.get(ENTER))), "activated")
    enter(client, typed(app))
    assert again in words_of(client.get(ENTER))
    [activation] = said(client.get(KEY), "key-activation")
    assert "2026" in activation


def test_whoever_enters_it_needs_no_session(app, remote) -> None:
    visitor = app.test_client()
    assert enter(visitor, typed(app)).status_code == 303
    assert by_testid(parse(words_of(visitor.get(ENTER))), "activated")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Enter a licence key."),
        ("   ", "Enter a licence key."),
        ("a" * 10_000, "Use 200 characters or fewer."),
        ("0" * 150, "and you entered 150."),
        ("ABCD-1234", "A licence key has 28 letters and digits, and you entered 8."),
        ("\U0001f511", "No licence key has “\U0001f511” in it."),
        ("clé de licence", "in it. Copy the key from its page."),
        ("1" + A_TRUE_KEY_OF_NOBODY[1:], "There is a typing mistake in this key."),
        (A_TRUE_KEY_OF_NOBODY, "This key is unknown."),
        (A_TRUE_KEY_OF_NOBODY.lower().replace("-", ""), "This key is unknown."),
        ("<script>alert(1)</script>", "No licence key has “&lt;” in it."),
    ],
)
def test_what_is_no_key_gets_its_sentence_beside_the_field(app, client, remote, text, sentence) -> None:
    page = enter(client, text)
    assert page.status_code == 422
    assert sentence in words_of(page)
    [field] = inputs_of(page, "licence_key")
    assert field.get("value", "") == text.strip()
    assert "licence_key-error" in field.get("aria-describedby")
    with facts(app):
        assert LicenceKey.get().activated_at is None


def test_blocked_and_ended_are_told_with_the_workspace(app, client, clock, remote) -> None:
    clock.advance(days=366)
    page = enter(client, typed(app))
    assert page.status_code == 422
    assert "Remote is blocked in the workspace Acme until it is paid." in words_of(page)
    with facts(app):
        cancellation.cancel(remote, shown_ends_on="", now=current().clock.now())
    page = enter(client, typed(app))
    assert page.status_code == 422
    assert "the subscription of the workspace Acme to Remote has ended." in words_of(page)


@pytest.mark.settings(PORTAL_LIMITS="1")
def test_nobody_tries_key_after_key(app, client, remote) -> None:
    answers = [enter(client, A_TRUE_KEY_OF_NOBODY).status_code for _ in range(21)]
    assert answers == [422] * 20 + [429]


def test_no_key_is_logged_or_kept_with_an_unsent_form(app, client, remote, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    key = typed(app)
    enter(client, key)
    client.post(ENTER, data={"licence_key": key, "csrf_token": "of another session"})
    assert key not in caplog.text
    with facts(app):
        assert not any(key in str(row.fields) for row in UnsentForm.select())
