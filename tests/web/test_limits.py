"""Limits as they are outside the sandbox: every act that can be tried has one, and it holds."""

import threading

import pytest

from portal.domain.errors import LimitReached
from portal.models import LimitBucket
from portal.web import limits
from tests import paying
from tests.attackers import Attacker, an_order_of
from tests.factories import PASSWORD, a_person, a_workspace, owner_of
from tests.processes import in_processes
from tests.visiting import facts

pytestmark = pytest.mark.settings(PORTAL_LIMITS="1")

# The class of each address where something can be guessed, flooded or bought. Everything else that is sent
# counts as a write.
SENSITIVE = {
    "people.sign_in": "sign_in",
    "people.sign_up": "sign_up",
    "nonprofit.ask": "nonprofit",
    "people.ask_link": "mail_link",
    "people.ask_reset": "mail_link",
    "people.sign_in_by_link": "token",
    "people.reset": "token",
    "people.invitation": "token",
    "account.change_password": "sign_in",
    "members.index": "invite",
    "member.invite_again": "invite",
    "checkout.review": "payment",
    "payment_methods.show": "payment",
    "refunds.show": "payment",
    "history.pdf": "document",
    "workspace.download": "document",
    "public.csp_report": "csp_report",
}


@pytest.mark.engine("sqlite")
def test_every_sensitive_address_names_its_limit(app) -> None:
    declared = {
        endpoint: view.limit for endpoint, view in app.view_functions.items() if getattr(view, "limit", None)
    }
    assert declared == SENSITIVE
    known = {*limits.PER_ACCOUNT, *limits.PER_NETWORK}
    assert set(declared.values()) <= known


@pytest.mark.engine("sqlite")
def test_every_limit_that_is_named_is_counted(app) -> None:
    """A decorator alone counts nothing."""
    with facts(app):
        acme = a_workspace()
        order = an_order_of(owner_of(acme), acme)
        owner, visitor = Attacker(app, owner_of(acme)), Attacker(app)
    card = {"number": paying.DECLINED, "exp_month": "12", "exp_year": "2030", "security_code": "123"}
    paid = {**card, "holder": "J", "quote": order.quote_hash}
    tries = {
        "sign_in": [lambda: visitor.post("/sign-in", {"email": "a@b.test", "password": "x"})],
        "sign_up": [
            lambda: visitor.post(
                "/sign-up", {"name": "a", "email": "a@b.test", "workspace_name": "b", "password": PASSWORD}
            )
        ],
        "mail_link": [
            lambda: visitor.post("/sign-in/link", {"email": "a@b.test"}),
            lambda: visitor.post("/reset", {"email": "a@b.test"}),
        ],
        "token": [
            lambda: visitor.get("/sign-in/link/x"),
            lambda: visitor.post("/sign-in/link/x"),
            lambda: visitor.get("/reset/x"),
            lambda: visitor.get("/invitation/x"),
        ],
        "invite": [lambda: owner.post("/w/acme/members", {"emails": "new@acme.test", "role": "member"})],
        "payment": [
            lambda: owner.post(f"/w/acme/checkout/{order.number}/review", paid),
            lambda: owner.post("/w/acme/payment-methods", paid),
        ],
        "document": [
            lambda: owner.get("/w/acme/invoices/INV-2026-000001.pdf"),
            lambda: owner.get("/w/acme/settings/export"),
        ],
        "nonprofit": [
            lambda: visitor.post(
                "/nonprofit",
                {
                    "organisation": "a",
                    "country": "FR",
                    "registration_number": "1",
                    "purpose": "b",
                    "contact_name": "c",
                    "email": "a@b.test",
                    "consent": "y",
                },
            )
        ],
        "csp_report": [lambda: visitor.ask("POST", "/csp-report", data=b"{}")],
        "write": [lambda: owner.post("/me/buy-dialog")],
    }
    assert set(tries) == set(SENSITIVE.values()) | {"write"}
    for name, acts in tries.items():
        for number, act in enumerate(acts):
            before = counted(app, name)
            act()
            assert counted(app, name) > before, (name, number)
    change = {"current_password": "x", "new_password": "harbour-violin-7-kelp"}
    before = counted(app, "sign_in")
    owner.post("/me/password", change)
    assert counted(app, "sign_in") > before


def counted(app, name: str) -> int:
    with facts(app):
        rows = LimitBucket.select().where(LimitBucket.key.startswith(f"{name}:"))
        return sum(row.tries for row in rows)


def test_a_refusal_says_how_long_to_wait_and_changes_nothing(app, clock) -> None:
    with facts(app):
        owner = Attacker(app, owner_of(a_workspace()))
    statuses = []
    for _ in range(31):
        answer = owner.post("/me/buy-dialog", {"skip_dialog": "y"})
        statuses.append(answer.status_code)
    assert statuses == [204] * 30 + [429]
    assert 1 <= int(answer.headers["Retry-After"]) <= 10
    part = owner.post("/me/buy-dialog", headers={"HX-Request": "true", "HX-Request-Type": "partial"})
    assert (part.status_code, part.headers["HX-Retarget"]) == (429, "#refusal")
    assert "Too many tries" in part.text
    clock.advance_wall(seconds=int(answer.headers["Retry-After"]))
    assert owner.post("/me/buy-dialog").status_code == 204


def test_a_fourth_card_in_ten_minutes_waits(app) -> None:
    with facts(app):
        acme = a_workspace()
        order = an_order_of(owner_of(acme), acme)
        owner = Attacker(app, owner_of(acme))
    card = {"number": paying.DECLINED, "exp_month": "12", "exp_year": "2030", "security_code": "123"}
    fields = {**card, "holder": "Jeanne", "quote": order.quote_hash}
    review = f"/w/acme/checkout/{order.number}/review"
    assert [owner.post(review, fields).status_code for _ in range(4)] == [422, 422, 422, 429]
    with facts(app):
        assert len(paying.the_sandbox().charges()) <= 3


def test_the_day_of_an_account_is_not_used_up_from_elsewhere(app, clock) -> None:
    """Twenty bad passwords a day, from each network; whoever owns the account still has a try."""
    with facts(app):
        a_workspace()
    right = {"email": "owner@acme.test", "password": PASSWORD}
    for _ in range(5):
        guesser = Attacker(app, address="203.0.113.7")
        for _ in range(6):
            guesser.post("/sign-in", {**right, "password": "wrong"})
        clock.advance_wall(minutes=5)
    assert guesser.post("/sign-in", right).status_code == 429
    assert Attacker(app, address="192.0.2.1").post("/sign-in", right).status_code == 303


def test_who_is_refused_uses_up_nothing_of_the_account(app) -> None:
    with facts(app):
        a_workspace()
    guesser = Attacker(app, address="203.0.113.7")
    for n in range(10):
        guesser.post("/sign-in", {"email": f"p{n}@acme.test", "password": "wrong"})
    for _ in range(10):
        refused = guesser.post("/sign-in", {"email": "owner@acme.test", "password": "wrong"})
        assert refused.status_code == 429
    right = {"email": "owner@acme.test", "password": PASSWORD}
    assert Attacker(app, address="192.0.2.1").post("/sign-in", right).status_code == 303


@pytest.mark.engine("sqlite")
def test_reports_of_browsers_use_up_no_writes(app) -> None:
    """Any site can make a browser send them, in the name of its network."""
    visitor = Attacker(app)
    statuses = [visitor.ask("POST", "/csp-report", data=b"[]").status_code for _ in range(61)]
    assert statuses == [204] * 60 + [429]
    assert visitor.post("/sign-in", {}).status_code == 422


NETWORKS = {
    "192.0.2.1": "192.0.2.1/32",
    "::ffff:192.0.2.1": "192.0.2.1/32",
    "2001:db8::1": "2001:db8::/64",
    "2001:db8::ffff:ffff:ffff:ffff": "2001:db8::/64",
    "2001:db8:0:1::": "2001:db8:0:1::/64",
    "": "",
    "unix:": "unix:",
}


@pytest.mark.parametrize(("address", "network"), NETWORKS.items())
def test_networks(address, network) -> None:
    assert limits.network_of(address) == network


# --- many at once ---------------------------------------------------------------------------------


def test_a_limit_holds_over_four_threads(app) -> None:
    with facts(app):
        a_person("jeanne@acme.test")
    visitors = [Attacker(app, address=f"192.0.2.{n}") for n in range(4)]
    for visitor in visitors:
        assert visitor.token
    statuses: list[int] = []
    barrier = threading.Barrier(4)

    def guess(visitor: Attacker) -> None:
        barrier.wait()
        for _ in range(4):
            answer = visitor.post("/sign-in", {"email": "jeanne@acme.test", "password": "wrong"})
            statuses.append(answer.status_code)

    threads = [threading.Thread(target=guess, args=(visitor,)) for visitor in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [422] * 5 + [429] * 11


COUNT = """
from flask import Flask
from portal.web import limits
from portal.domain.errors import LimitReached
with Flask("x").test_request_context(environ_base={"REMOTE_ADDR": f"192.0.2.{facts['share']}"}):
    refused = 0
    for _ in range(3):
        try:
            limits.count("sign_in", account="jeanne@acme.test")
        except LimitReached:
            refused += 1
print(json.dumps(refused))
"""


def test_a_limit_holds_over_processes_and_outlives_them(database, environment, settings, clock) -> None:
    """Three processes that end, twelve tries in all, five of them allowed; then ours."""
    assert sum(in_processes(3, COUNT, environment)) == 9 - 5
    assert sum(in_processes(1, COUNT, environment)) == 3


def test_a_limit_that_is_reached_says_when_it_ends(app, clock) -> None:
    with app.test_request_context(), facts(app), pytest.raises(LimitReached) as refusal:
        for _ in range(6):
            limits.count("sign_in", account="jeanne@acme.test")
    assert 1 <= refusal.value.retry_after_seconds <= 300
