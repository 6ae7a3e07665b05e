"""Sessions: what a copied, planted, old or travelling cookie is worth, and what looking leaves behind."""

import logging
from datetime import timedelta

import pytest

from portal.domain.vocabulary import MemberStatus
from portal.models import LimitBucket, OutboxMessage, Person, Session, Workspace
from portal.runtime import current
from portal.settings import read_settings
from tests.attackers import Attacker
from tests.factories import PASSWORD, a_member, a_person, a_workspace, letters, owner_of
from tests.visiting import facts

SIGN_IN = {"email": "owner@acme.test", "password": PASSWORD}
NEW_PASSWORD = "harbour-violin-7-kelp"


@pytest.fixture
def acme(app) -> Workspace:
    with facts(app):
        return a_workspace()


@pytest.fixture
def owner(app, acme) -> Attacker:
    return signed_in(app)


def signed_in(app, **options) -> Attacker:
    browser = Attacker(app, **options)
    answer = browser.post("/sign-in", SIGN_IN)
    assert answer.status_code == 303
    browser.known_token = ""
    return browser


def cookie_of(browser: Attacker) -> str:
    cookie = browser.client.get_cookie("session")
    return cookie.value if cookie else ""


def with_cookie(app, value: str, **options) -> Attacker:
    browser = Attacker(app, **options)
    browser.client.set_cookie("session", value)
    return browser


def is_signed_in(browser: Attacker) -> bool:
    return browser.get("/me").status_code == 200


def rows(app) -> int:
    with facts(app):
        return Session.select().count()


# --- copies ---------------------------------------------------------------------------------------


def test_a_copy_dies_when_its_owner_signs_out(app, owner) -> None:
    thief = with_cookie(app, cookie_of(owner))
    assert is_signed_in(thief)
    assert owner.post("/sign-out").status_code == 303
    assert not is_signed_in(thief)
    assert not is_signed_in(with_cookie(app, cookie_of(thief)))
    assert rows(app) == 0


def test_the_database_keeps_no_token(app, owner) -> None:
    with facts(app):
        row = Session.get()
        stored = str([row.token_hash, row.stored])
    assert cookie_of(owner) not in stored
    assert len(cookie_of(owner)) == 43, "256 bits"
    for guess in (row.token_hash, str(row.id), "", "x" * 43, "'; DROP TABLE session; --", "\xff", "x" * 4000):
        assert not is_signed_in(with_cookie(app, guess))


def test_a_new_password_ends_every_other_session(app, owner) -> None:
    thief, elsewhere = with_cookie(app, cookie_of(owner)), signed_in(app)
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    token = cookie_of(elsewhere)
    assert elsewhere.post("/me/password", change).status_code == 303
    assert is_signed_in(elsewhere)
    assert cookie_of(elsewhere) != token
    assert not is_signed_in(with_cookie(app, token)), "a copy of one's own session is somebody else's"
    assert not is_signed_in(owner)
    assert not is_signed_in(thief)


def test_each_sign_in_has_a_token_of_its_own(app, acme) -> None:
    assert len({cookie_of(signed_in(app)) for _ in range(3)}) == 3


# --- planted --------------------------------------------------------------------------------------


def test_a_cookie_planted_before_signing_in_is_worth_nothing_after(app, acme) -> None:
    attacker = Attacker(app)
    attacker.get("/sign-in")
    victim = with_cookie(app, cookie_of(attacker))
    victim.known_token = attacker.token
    assert victim.post("/sign-in", SIGN_IN).status_code == 303
    assert is_signed_in(victim)
    assert cookie_of(victim) != cookie_of(attacker)
    assert not is_signed_in(attacker)
    refused = victim.ask("POST", "/me/buy-dialog", headers={"X-CSRFToken": attacker.token})
    assert refused.status_code == 400, "the token of forms is another one, too"


def test_signing_in_as_somebody_else_leaves_the_first_behind(app, acme, owner) -> None:
    with facts(app):
        a_person("leo@acme.test", name="Leo")
    first = cookie_of(owner)
    owner.post("/sign-out")
    owner.known_token = ""
    assert owner.post("/sign-in", {**SIGN_IN, "email": "leo@acme.test"}).status_code == 303
    assert "Leo" in owner.get("/me").text
    assert not is_signed_in(with_cookie(app, first))
    assert rows(app) == 1


def test_signing_in_by_a_link_as_somebody_else_ends_the_session_of_the_first(app, acme, owner) -> None:
    with facts(app):
        a_person("leo@acme.test", name="Leo")
    first = cookie_of(owner)
    Attacker(app).post("/sign-in/link", {"email": "leo@acme.test"})
    with facts(app):
        path = letters("magic_link")[-1]["secrets"]["path"]
    assert owner.post(path).status_code == 303
    assert "Leo" in owner.get("/me").text
    assert not is_signed_in(with_cookie(app, first))


@pytest.mark.parametrize("kept", [{"_user_id": "1", "_fresh": True}, {"_user_id": "1", "row": {"person": 1}}])
def test_what_a_visitor_keeps_makes_nobody_somebody(app, acme, kept) -> None:
    """Not even when it is signed with the true key: a person has a row."""
    from portal.web import sessions

    with app.test_request_context():
        session = sessions.ServerSession(stored=kept)
        forged = sessions._for_visitor(session)
    assert not is_signed_in(with_cookie(app, forged))
    assert not is_signed_in(with_cookie(app, forged[:-1] + ("A" if forged[-1] != "A" else "B")))


def test_the_cookie_of_a_visitor_is_signed_and_ends(app, clock) -> None:
    visitor = Attacker(app)
    visitor.get("/?lang=fr")
    assert 'lang="fr"' in visitor.get("/terms", headers={"Accept-Language": "en"}).text
    payload, _, signature = cookie_of(visitor).rpartition(".")
    for forged in (
        f"{payload}.",
        f"{payload}.{signature[::-1]}",
        f"x{payload}.{signature}",
        ".",
        "..",
        f"a.{payload}",
    ):
        page = with_cookie(app, forged).get("/terms", headers={"Accept-Language": "en"})
        assert (page.status_code, 'lang="en"' in page.text) == (200, True)
    clock.advance_wall(hours=12)
    assert 'lang="en"' in visitor.get("/terms", headers={"Accept-Language": "en"}).text


@pytest.mark.engine("sqlite")
def test_a_changed_key_ends_what_it_signed_and_a_kept_one_does_not(app, environment, clock) -> None:
    from portal import create_app

    visitor = Attacker(app)
    visitor.get("/?lang=fr")
    kept, new_key = cookie_of(visitor), "another-key-" * 4
    for fallbacks, language in ((environment["PORTAL_SECRET_KEY"], "fr"), ("", "en")):
        changed = {**environment, "PORTAL_SECRET_KEY": new_key, "PORTAL_SECRET_KEY_FALLBACKS": fallbacks}
        again = create_app(read_settings(changed), clock=clock)
        page = with_cookie(again, kept).get("/terms", headers={"Accept-Language": "en"})
        assert f'lang="{language}"' in page.text


# --- travelling -----------------------------------------------------------------------------------

NETWORKS = [
    # binding, at home, elsewhere, still signed in
    ("strict", "192.0.2.1", "192.0.2.1", True),
    ("strict", "192.0.2.1", "192.0.2.2", False),
    ("strict", "2001:db8::1", "2001:db8::2", True),
    ("strict", "2001:db8::1", "2001:db8:0:1::1", False),
    ("strict", "192.0.2.1", "2001:db8::1", False),
    ("strict", "::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
    ("strict", "::ffff:192.0.2.1", "192.0.2.1", True),
    ("network", "192.0.2.1", "192.0.2.254", True),
    ("network", "192.0.2.1", "192.0.3.1", False),
    ("network", "2001:db8::1", "2001:db8:0:ffff::1", True),
    ("network", "2001:db8::1", "2001:db8:1::1", False),
    ("network", "192.0.2.1", "2001:db8::1", True),
    ("network", "2001:db8::1", "192.0.2.1", True),
    ("off", "192.0.2.1", "2001:db8::1", True),
]


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("binding", ["strict", "network", "off"])
def test_a_session_stays_where_it_was_made(environment, clock, app, acme, binding) -> None:
    from portal import create_app

    bound = create_app(read_settings({**environment, "PORTAL_SESSION_BINDING": binding}), clock=clock)
    for rule, home, elsewhere, stays in NETWORKS:
        if rule != binding:
            continue
        at_home = signed_in(bound, address=home)
        thief = with_cookie(bound, cookie_of(at_home), address=elsewhere)
        assert is_signed_in(thief) is stays, (home, elsewhere)
        assert is_signed_in(at_home) is stays, "what left its network is over for its owner, too"


@pytest.mark.engine("sqlite")
@pytest.mark.settings(PORTAL_SESSION_BINDING="network")
def test_a_browser_of_two_networks_comes_by_either_and_by_no_third(app, acme) -> None:
    """IPv4 and IPv6 in turn, as operating systems like; the first address of the other kind is its own."""
    home = signed_in(app, address="192.0.2.1")
    cookie = cookie_of(home)
    for address in ("2001:db8::1", "192.0.2.77", "2001:db8:0:5::9", "192.0.2.1"):
        assert is_signed_in(with_cookie(app, cookie, address=address)), address
    assert not is_signed_in(with_cookie(app, cookie, address="2001:db8:77::1"))
    assert not is_signed_in(home)


@pytest.mark.engine("sqlite")
@pytest.mark.parametrize(
    ("installed", "wanted", "address", "stays"),
    [
        ("off", [None, None], "203.0.113.7", True),
        ("off", [None, "network"], "203.0.113.7", False),
        ("off", [None, "network"], "127.0.0.77", True),
        ("network", ["strict", None], "127.0.0.77", False),
        ("network", ["off", None], "203.0.113.7", False),
        ("strict", ["network", "off"], "127.0.0.77", False),
    ],
)
def test_the_strictest_of_the_installation_and_the_workspaces_binds(
    environment, clock, app, acme, installed, wanted, address, stays
) -> None:
    from portal import create_app

    bound = create_app(read_settings({**environment, "PORTAL_SESSION_BINDING": installed}), clock=clock)
    with facts(bound):
        owner = owner_of(acme)
        second = a_workspace("Second", owner=owner)
        for workspace, wish in zip((acme, second), wanted, strict=True):
            Workspace.update(session_binding=wish).where(Workspace.id == workspace.id).execute()
    home = signed_in(bound)
    assert is_signed_in(with_cookie(bound, cookie_of(home), address=address)) is stays


@pytest.mark.settings(PORTAL_SESSION_BINDING="network")
def test_what_is_not_entered_binds_nobody(app, acme) -> None:
    """A workspace that only invited somebody, disabled them or is gone decides nothing."""
    with facts(app):
        owner = owner_of(acme)
        for name, changes in (
            ("Invited", {"joined": False}),
            ("Disabled", {"status": MemberStatus.DISABLED}),
            ("Gone", {}),
        ):
            other = a_workspace(name)
            a_member(other, owner, **changes)
            Workspace.update(session_binding="strict").where(Workspace.id == other.id).execute()
        Workspace.update(deleted_at=current().clock.now()).where(Workspace.name == "Gone").execute()
    home = signed_in(app)
    assert is_signed_in(with_cookie(app, cookie_of(home), address="127.0.0.77"))


def test_a_session_that_left_its_network_is_told_to_its_owner_once_a_day(app, clock, owner) -> None:
    for day in (1, 2):
        for _ in range(3):
            home = signed_in(app)
            thief = with_cookie(app, cookie_of(home), address="203.0.113.7")
            way_in = thief.get("/w/acme/plans?currency=EUR").headers["Location"]
            assert way_in == "/sign-in?next=/w/acme/plans?currency%3DEUR&reason=network"
        with facts(app):
            assert len(letters("security_notice")) == day
        clock.advance_wall(days=1)
    assert thief.get(way_in).status_code == 200


def test_a_forged_address_does_not_bring_a_session_home(app, owner) -> None:
    headers = {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"}
    thief = with_cookie(app, cookie_of(owner), address="203.0.113.7")
    assert thief.get("/me", headers=headers).status_code == 303


# --- old ------------------------------------------------------------------------------------------


def test_an_idle_session_ends_after_an_hour(app, clock, owner) -> None:
    for _ in range(3):
        clock.advance_wall(minutes=59)
        assert is_signed_in(owner)
    clock.advance_wall(minutes=61)
    assert not is_signed_in(owner)
    assert rows(app) == 0


def test_an_operators_session_ends_after_half_an_hour(app, clock) -> None:
    with facts(app):
        a_person("owner@acme.test", operator=True)
    staff = signed_in(app)
    clock.advance_wall(minutes=29)
    assert is_signed_in(staff)
    clock.advance_wall(minutes=31)
    assert not is_signed_in(staff)


def test_no_session_is_older_than_twelve_hours(app, clock, owner) -> None:
    for _ in range(24):
        clock.advance_wall(minutes=30)
        assert is_signed_in(owner)
    clock.advance_wall(minutes=1)
    assert not is_signed_in(owner)


def test_the_business_clock_ends_no_session(app, clock, owner) -> None:
    clock.advance(days=400)
    assert is_signed_in(owner)
    clock.set(clock.now() - timedelta(days=800))
    assert is_signed_in(owner)


# --- what looking leaves behind -------------------------------------------------------------------


def test_visitors_leave_no_rows(app, acme) -> None:
    """Neither do crawlers, who keep no cookie and follow every link."""
    for path in (
        "/",
        "/pricing",
        "/terms",
        "/sign-in",
        "/sign-up",
        "/me",
        "/w/acme/plans",
        "/nothing",
        "/healthz",
    ):
        for query in ("", "?lang=fr", "?lang=en", "?lang=xx"):
            Attacker(app).get(path + query)
    assert rows(app) == 0
    visitor = Attacker(app)
    visitor.get("/pricing?lang=fr")
    assert visitor.post("/sign-in", {}).status_code == 422
    assert rows(app) == 0
    with facts(app):
        assert LimitBucket.select().count() == 1, "what is sent is counted"
        assert OutboxMessage.select().where(OutboxMessage.topic != "mail").count() == 0


def test_a_person_has_one_row_and_looking_writes_it_once_a_minute(app, clock, owner) -> None:
    for _ in range(3):
        assert is_signed_in(owner)
    with facts(app):
        before = Session.get()
    clock.advance_wall(seconds=59)
    owner.get("/me")
    with facts(app):
        assert Session.get().seen_at == before.seen_at
    clock.advance_wall(seconds=2)
    owner.get("/me")
    with facts(app):
        assert Session.get().seen_at > before.seen_at
        assert Session.select().count() == 1


def test_a_visitors_language_comes_along_into_the_session(app, acme) -> None:
    visitor = Attacker(app)
    visitor.get("/?lang=fr")
    assert visitor.post("/sign-in", SIGN_IN).status_code == 303
    assert 'lang="fr"' in visitor.get("/me", headers={"Accept-Language": "en"}).text


@pytest.mark.engine("sqlite")
def test_a_database_that_cannot_be_written_still_shows_pages(app, clock, owner, caplog, tmp_path) -> None:
    """A backup or a long migration holds the lock: the minute of the session is not noted, that is all."""
    import sqlite3

    from portal.database.connecting import database

    owner.get("/me")
    clock.advance_wall(minutes=5)
    with facts(app):
        database.obj.pragma("busy_timeout", 50, permanent=True)
    other = sqlite3.connect(tmp_path / "portal.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with caplog.at_level(logging.WARNING):
            assert owner.get("/w/acme/history").status_code == 200
        assert "a session was not written" in caplog.text
        answer = Attacker(app).post("/sign-in", SIGN_IN)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert is_signed_in(owner)


# --- passwords ------------------------------------------------------------------------------------


def test_a_password_is_kept_as_argon2id_and_made_anew_when_parameters_grow(app, acme, real_passwords) -> None:
    from argon2 import PasswordHasher

    with facts(app):
        weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
        Person.update(password_hash=weak).where(Person.id == owner_of(acme).id).execute()
    signed_in(app)
    with facts(app):
        assert owner_of(acme).password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
