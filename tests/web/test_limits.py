"""Limits as they are outside the sandbox: every act that can be tried has one, and it holds."""

import threading

import pytest

from portal.database.connecting import connection
from portal.domain.errors import LimitReached
from portal.models import LimitBucket
from portal.services.billing import calendars
from portal.web import limits
from tests import paying
from tests.attackers import Attacker, an_order_of
from tests.conftest import TODAY
from tests.factories import (
    PASSWORD,
    a_catalogue,
    a_person,
    a_workspace,
    letters,
    mailed_path,
    owner_of,
    seen_by,
)
from tests.processes import in_processes
from tests.transferring import a_pay_link, ordered_on_account
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
    "own_email.change": "mail_link",
    "own_email.confirm": "token",
    "own_email.undo": "token",
    "new_workspace.create": "new_workspace",
    "members.index": "invite",
    "contacts.show": "contact",
    "contacts.send_link": "contact",
    "contacts.invite": "invite",
    "contact_link.confirm": "token",
    "member.invite_again": "invite",
    "checkout.review": "payment",
    "open_invoices.pay": "payment",
    "pay_links.show": "payment",
    "pay_links.pdf": "document",
    "pay_links.e_invoice": "document",
    "amount_due.pay": "payment",
    "licences_due.pay": "payment",
    "payment_methods.show": "payment",
    "new_method.show": "payment",
    "refunds.show": "payment",
    "corrections.show": "correction",
    "history.pdf": "document",
    "history.e_invoice": "document",
    "year_archives.movements": "document",
    "year_archives.documents": "document",
    "checking.check": "token",
    "calendars.read": "calendar",
    "workspace.download": "document",
    "public.csp_report": "csp_report",
    "sandbox.enter_licence_key": "licence_key",
}


@pytest.mark.engine("sqlite")
def test_every_sensitive_address_names_its_limit(app) -> None:
    declared = {
        endpoint: view.limit for endpoint, view in app.view_functions.items() if getattr(view, "limit", None)
    }
    assert declared == SENSITIVE
    known = {*limits.PER_ACCOUNT, *limits.PER_ACCOUNT_HERE, *limits.PER_NETWORK}
    assert set(declared.values()) <= known


@pytest.mark.engine("sqlite")
def test_every_limit_that_is_named_is_counted(app) -> None:
    """A decorator alone counts nothing."""
    with facts(app):
        acme = a_workspace()
        order = an_order_of(owner_of(acme), acme)
        calendar = calendars.make(seen_by(owner_of(acme), acme), now=TODAY)
        pay_link = a_pay_link(ordered_on_account(seen_by(owner_of(acme), acme)))
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
            lambda: owner.post("/me/email", {"email": "new@acme.test", "current_password": PASSWORD}),
        ],
        "new_workspace": [
            lambda: owner.post(
                "/me/workspaces/new",
                {"name": "b", "language": "en", "currency": "EUR", "time_zone": "Europe/Paris"},
            )
        ],
        "token": [
            lambda: visitor.get("/sign-in/link/x"),
            lambda: visitor.post("/sign-in/link/x"),
            lambda: visitor.get("/reset/x"),
            lambda: visitor.get("/invitation/x"),
            lambda: visitor.get("/email/new/x"),
            lambda: visitor.get("/email/undo/x"),
            lambda: visitor.get("/pay/x"),
            lambda: visitor.get(pay_link),
        ],
        "licence_key": [lambda: visitor.post("/sandbox/licence-key", {"licence_key": "0" * 28})],
        "contact": [lambda: owner.post("/w/acme/contacts", {"email": "books@acme.test", "language": "en"})],
        "invite": [lambda: owner.post("/w/acme/members", {"emails": "new@acme.test", "role": "member"})],
        "payment": [
            lambda: owner.post(f"/w/acme/checkout/{order.number}/review", paid),
            lambda: owner.post("/w/acme/payment-methods", paid),
            lambda: owner.post("/w/acme/payment-methods/new", paid),
            lambda: visitor.post(pay_link, paid),
        ],
        "document": [
            lambda: owner.get("/w/acme/invoices/INV-2026-000001.pdf"),
            lambda: owner.get("/w/acme/settings/export"),
            lambda: visitor.get(f"{pay_link}.pdf"),
        ],
        "correction": [lambda: owner.post("/w/acme/invoices/INV-2026-000001/correction", {"shown": "x"})],
        "calendar": [lambda: visitor.get(f"/calendar/{calendar}.ics")],
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


def test_a_fourth_card_for_one_invoice_waits_whatever_link_it_comes_by(app) -> None:
    with facts(app):
        acme = a_workspace()
        invoice = ordered_on_account(seen_by(owner_of(acme), acme))
        paths = [a_pay_link(invoice) for _ in range(4)]
    visitors = [Attacker(app, address=f"192.0.2.{n}") for n in range(4)]
    card = {"number": paying.DECLINED, "exp_month": "12", "exp_year": "2030", "security_code": "123"}
    fields = {**card, "holder": "Jeanne", "quote": "21480 EUR"}
    tried = [each.post(path, fields).status_code for each, path in zip(visitors, paths, strict=True)]
    assert tried == [422, 422, 422, 429]


# --- strangers ------------------------------------------------------------------------------------

OWNER = "owner@acme.test"
RIGHT = {"email": OWNER, "password": PASSWORD}
WRONG = {"email": OWNER, "password": "wrong"}


@pytest.fixture
def acme(app):
    with facts(app):
        return a_workspace()


def addresses():
    """Of networks that nobody has signed in from."""
    return (f"198.51.{high}.{low}" for high in range(100) for low in range(1, 255))


def tried(app, address: str, fields=WRONG, times: int = 1, *, at: str = "/sign-in") -> list[int]:
    visitor = Attacker(app, address=address)
    return [visitor.post(at, fields).status_code for _ in range(times)]


def in_the_name_of_the_owner(app, *, times: int) -> None:
    """So many wrong passwords, each from another network."""
    for _, address in zip(range(times), addresses(), strict=False):
        with app.test_request_context(environ_base={"REMOTE_ADDR": address}), connection():
            limits.count("sign_in", account=OWNER)


def test_five_wrong_passwords_from_one_network_end_its_own_share_alone(app, acme) -> None:
    assert tried(app, "203.0.113.7", times=6) == [422] * 5 + [429]
    assert tried(app, "203.0.113.7", RIGHT) == [429]
    assert tried(app, "192.0.2.1", RIGHT) == [303]


def test_a_network_has_twenty_tries_a_day(app, acme, clock) -> None:
    statuses = []
    for _ in range(5):
        statuses += tried(app, "203.0.113.7", times=5)
        clock.advance_wall(minutes=5)
    assert statuses == [422] * 20 + [429] * 5
    assert tried(app, "192.0.2.1", RIGHT) == [303]


def test_hundreds_of_networks_do_not_lock_the_owner_out(app, acme) -> None:
    """Neither where they have signed in before, nor at a place where they have never been."""
    assert tried(app, "192.0.2.1", RIGHT) == [303]
    in_the_name_of_the_owner(app, times=300)
    assert tried(app, "192.0.2.1", RIGHT) == [303]
    assert tried(app, "192.0.2.99", RIGHT) == [303]


def test_beyond_a_hundred_foreign_tries_a_day_a_network_has_one_in_five_minutes_and_three_a_day(
    app, acme, clock
) -> None:
    in_the_name_of_the_owner(app, times=101)
    assert tried(app, "203.0.113.7", times=2) == [422, 429]
    statuses = []
    for _ in range(4):
        clock.advance_wall(minutes=5)
        statuses += tried(app, "203.0.113.7")
    assert statuses == [422, 422, 429, 429]


def test_a_network_that_the_account_knows_keeps_its_five_tries(app, acme, clock) -> None:
    assert tried(app, "192.0.2.1", RIGHT) == [303]
    in_the_name_of_the_owner(app, times=101)
    clock.advance_wall(minutes=5)
    assert tried(app, "192.0.2.1", times=6) == [422] * 5 + [429]


def test_a_network_is_known_to_one_account_for_ninety_days(app, acme, clock) -> None:
    with facts(app):
        a_person("other@acme.test")
    assert tried(app, "192.0.2.1", RIGHT) == [303]
    here, other = limits._account_here(OWNER, "192.0.2.1/32"), limits._account_here("other@acme.test", "x")
    with facts(app):
        assert (limits._is_known(here), limits._is_known(other)) == (True, False)
    clock.advance_wall(days=91)
    with facts(app):
        assert not limits._is_known(here)


def test_a_flood_of_the_site_does_not_refuse_who_is_known(app, acme, monkeypatch) -> None:
    assert tried(app, "192.0.2.1", RIGHT) == [303]
    monkeypatch.setitem(limits.PER_SITE, "sign_in", (limits.Allowance(2, 300),))
    assert tried(app, "203.0.113.7", {"email": "x@acme.test", "password": "x"}, times=2) == [422, 429]
    assert tried(app, "192.0.2.1", RIGHT) == [303]


@pytest.mark.parametrize("at", ["/reset", "/sign-in/link"])
def test_links_that_strangers_ask_for_never_end_the_owner_s_own(app, acme, at) -> None:
    template = "reset_link" if at == "/reset" else "magic_link"
    assert tried(app, "192.0.2.1", {"email": OWNER}, at=at) == [303]
    with facts(app):
        own = mailed_path(template)
    for address in ("203.0.113.7", "203.0.113.8"):
        assert tried(app, address, {"email": OWNER}, times=4, at=at) == [303] * 3 + [429]
    assert Attacker(app, address="192.0.2.1").get(own).status_code == 200
    assert tried(app, "192.0.2.1", {"email": OWNER}, at=at) == [303]


def test_a_link_is_always_sent_or_lies_in_the_mailbox(app, acme, clock) -> None:
    """Strangers have asked so often that no second mail is sent while the last one's link works."""
    for address, _ in zip(addresses(), range(12), strict=False):
        assert tried(app, address, {"email": OWNER}, at="/reset") == [303]
    with facts(app):
        sent, newest = len(letters("reset_link")), mailed_path("reset_link")
    assert sent == 5
    assert tried(app, "192.0.2.1", {"email": OWNER}, at="/reset") == [303]
    assert Attacker(app, address="192.0.2.1").get(newest).status_code == 200
    clock.advance_wall(minutes=11)
    assert tried(app, "192.0.2.1", {"email": OWNER}, at="/reset") == [303]
    with facts(app):
        assert len(letters("reset_link")) == sent + 1
        newest = mailed_path("reset_link")
    assert Attacker(app, address="192.0.2.1").get(newest).status_code == 200


def test_using_a_link_ends_the_others(app, acme) -> None:
    tried(app, "192.0.2.1", {"email": OWNER}, times=2, at="/sign-in/link")
    with facts(app):
        first, second = (letter["secrets"]["path"] for letter in letters("magic_link"))
    assert Attacker(app).post(first).status_code == 303
    assert Attacker(app).post(second).status_code == 404


def test_signing_up_with_somebody_s_address_uses_up_nothing_of_theirs(app) -> None:
    with facts(app):
        a_catalogue()
    form = {"name": "a", "email": "new@acme.test", "workspace_name": "b", "password": PASSWORD}
    assert tried(app, "203.0.113.7", form, times=4, at="/sign-up") == [303] * 3 + [429]
    assert tried(app, "192.0.2.1", form, at="/sign-up") == [303]
    with facts(app):
        assert len(letters("already_registered")) == 1, "one an hour at most"


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
    visitors = [Attacker(app, address="192.0.2.1") for _ in range(4)]
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


def test_strangers_are_counted_together_over_four_threads(app, acme) -> None:
    """A hundred foreign tries, the last of them at once: after them each network has one."""
    in_the_name_of_the_owner(app, times=92)
    visitors = [Attacker(app, address=f"192.0.2.{n}") for n in range(4)]
    for visitor in visitors:
        assert visitor.token
    statuses: list[int] = []
    barrier = threading.Barrier(4)

    def guess(visitor: Attacker) -> None:
        # In step: a network whose tries were all among the eight would be owed nothing after them.
        for _ in range(4):
            barrier.wait()
            statuses.append(visitor.post("/sign-in", WRONG).status_code)

    threads = [threading.Thread(target=guess, args=(visitor,)) for visitor in visitors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Eight were left to all of them; after that each has one.
    assert sorted(statuses) == [422] * 12 + [429] * 4


COUNT = """
from flask import Flask
from portal.web import limits
from portal.domain.errors import LimitReached
with Flask("x").test_request_context(environ_base={"REMOTE_ADDR": "192.0.2.1"}):
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
