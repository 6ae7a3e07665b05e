"""Hostile values in every field of every form: refused in words or kept as they are, alike on both engines.

Each form is sent with values of tests/hostile.py, first with the value in all its fields, then with the
value where text is free and the rest in order, so that what is accepted is stored and shown again. The forms
take turns: each field gets every kind of value, and over the forms each value is sent; with FULL=1 every form
gets every value. On PostgreSQL those values are sent that a database could tell apart.
"""

import logging
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from flask import Flask
from markupsafe import escape
from werkzeug.test import TestResponse

from portal import create_app, runtime
from portal.clock import FixedClock
from portal.database.connecting import database, transaction
from portal.domain.money import Money
from portal.domain.vocabulary import Interval, LinkPurpose, PaymentMethodKind, PaymentState, Role
from portal.forms.base import clean_text
from portal.models import (
    BankTransfer,
    Invoice,
    Licence,
    Member,
    OutboxMessage,
    Payment,
    Person,
    Subscription,
    Workspace,
)
from portal.services.billing import contacts
from portal.services.billing import settings as billing_settings
from portal.services.members import invitations
from portal.services.payments import bank_statements, given_credits, method_setups
from portal.services.people import links
from portal.services.subscriptions import agreement
from portal.services.workspace import settings as workspace_settings
from portal.settings import read_settings
from portal.worker.jobs import drain_outbox
from tests import licensed, paying
from tests.attackers import PART, Attacker, an_order_of, bought
from tests.books import assert_books_clean
from tests.conftest import TODAY
from tests.factories import (
    PASSWORD,
    a_nonprofit_request,
    a_person,
    a_workspace,
    mailed_path,
    owner_of,
    seen_by,
)
from tests.hostile import (
    BODIES,
    EVIL,
    EXTRA,
    FOR_A_DATABASE,
    HEADERS,
    IDENTIFIERS,
    KINDS,
    NO_TEXT,
    SUM,
    VALUES,
    some_of,
)
from tests.licensed import tried
from tests.matrix import FULL, SHARES, share
from tests.transferring import Line, bring, camt
from tests.visiting import facts

# Three times as many forms take turns with a value in all their fields as with one where text is free.
SHARES_EVERYWHERE = 2 * SHARES
ORACLE = {400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 431}
ADDRESS = {
    "display_currency": "EUR",
    "first_name": "Jeanne",
    "last_name": "Martin",
    "country": "FR",
    "street": "12 rue de la Paix",
    "postal_code": "75002",
    "city": "Paris",
    "email": "jeanne@acme.test",
    "email_confirm": "jeanne@acme.test",
    "payment_method": "card",
    "payment_currency": "EUR",
}
CARD = {"number": "4000000000000002", "exp_month": "12", "exp_year": "2030", "security_code": "123"}
LETTER_HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Language",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
}
SECRET = {"password", "current_password", "new_password", "number", "security_code"}


@dataclass(frozen=True)
class Form:
    """`free` are its fields that take any text; `right` fills the others so that the form is accepted.

    `values` are sent in all fields.
    """

    who: str
    path: str
    fields: tuple[str, ...]
    free: tuple[str, ...] = ()
    right: dict[str, str] = field(default_factory=dict)
    values: tuple[str, ...] = VALUES


WAY_IN = [
    Form("visitor", "/sign-in", ("email", "password")),
    Form("visitor", "/sign-in/link", ("email",), values=NO_TEXT),
    Form("visitor", "/reset", ("email",)),
    Form("visitor", "{reset}", ("password",)),
    Form("visitor", "{invitation}", ("name", "password")),
    Form(
        "visitor",
        "/sign-up",
        ("name", "email", "workspace_name", "password", "time_zone"),
        ("name", "workspace_name"),
        {"email": "new{n}@acme.test", "password": PASSWORD},
    ),
    Form(
        "visitor",
        "/nonprofit",
        (
            "organisation",
            "country",
            "registration_number",
            "website",
            "purpose",
            "contact_name",
            "email",
            "workspace",
            "consent",
        ),
        ("organisation", "registration_number", "purpose", "contact_name"),
        {"country": "FR", "email": "new{n}@canal.test", "consent": "y"},
    ),
]
OWN = [
    Form("owner", "/me", ("name", "language"), ("name",), {"language": "en"}),
    Form(
        "owner",
        "/me/workspaces/new",
        ("name", "language", "currency", "time_zone"),
        ("name",),
        {"language": "en", "currency": "EUR", "time_zone": "UTC"},
    ),
    Form("owner", "/me/email", ("email", "current_password")),
    Form("owner", "/me/password", ("current_password", "new_password")),
    Form("owner", "/me/buy-dialog", ("skip_dialog",), values=NO_TEXT),
    Form("owner", "/w/acme/members", ("emails", "status", "role")),
    Form("owner", "/w/acme/members/users", ("member",), values=NO_TEXT),
    Form("owner", "/w/acme/members/{member}", ("role",), values=NO_TEXT),
    Form("owner", "/w/acme/members/{member}/hand-over", ("own_role",), values=NO_TEXT),
    Form("owner", "/w/acme/members/{member}/enable", ("status",), values=NO_TEXT),
    Form("owner", "/w/acme/licences/meetings/assign", ("member", "free", "q", "holds")),
    Form("owner", "/w/acme/licences/meetings/take-back", ("only",), values=NO_TEXT),
    Form("owner", "/w/acme/licences/meetings/{member}/reassign", ("to", "q"), values=NO_TEXT),
    Form("owner", "/w/acme/services", ("shown", "ldap"), values=NO_TEXT),
    Form("owner", "/w/acme/settings/delete", ("name",)),
    Form("owner", "/w/acme/contacts", ("member", "email", "language")),
    Form("owner", "/w/acme/contacts", ("email",), (), {"member": "", "language": "fr"}),
    Form("owner", "/w/acme/contacts/{contact}/link", ("email",), values=NO_TEXT),
    Form("owner", "/w/acme/contacts/{contact}/invite", ("role", "email"), values=NO_TEXT),
    Form("visitor", "{confirmation}", ("email", "contact"), values=NO_TEXT),
    Form(
        "owner",
        "/w/acme/settings",
        ("version", "name", "time_zone", "language", "currency"),
        ("name",),
        {
            "time_zone": "UTC",
            "language": "en",
            "currency": "EUR",
            "version": "",
        },
    ),
    Form(
        "owner",
        "/w/acme/billing-settings",
        (
            *("version", "is_business", "company_name", "first_name", "last_name", "country", "street"),
            *("street2", "postal_code", "city", "region", "legal_status", "legal_number", "vat_number"),
            *("electronic_address", "email", "email_confirm", "purchase_order", "change_notices"),
            *("who_may_buy", "hides_plans_from_members"),
        ),
        ("company_name", "first_name", "last_name", "street", "city"),
        {
            "is_business": "y",
            "country": "FR",
            "postal_code": "75002",
            "email": "a@b.test",
            "email_confirm": "a@b.test",
            "change_notices": "each",
            "who_may_buy": "any_member",
            "version": "",
        },
    ),
]
MONEY = [
    Form("owner", "/w/acme/plans", ("price", "currency", "confirmed", "show", "skip_dialog"), values=NO_TEXT),
    Form("owner", "/w/acme/plans", ("price", "currency"), (), {"confirmed": "y"}, NO_TEXT),
    Form(
        "owner",
        "/w/acme/subscriptions/new",
        ("product", "how", "plan", "licences", "interval", "currency", "step"),
    ),
    Form(
        "owner",
        "/w/acme/subscriptions/new",
        ("plan", "licences", "interval", "currency"),
        (),
        {"product": "meetings"},
    ),
    Form(
        "owner",
        "/w/acme/subscriptions/new",
        ("licences",),
        (),
        {"product": "meetings", "plan": "meetings-essential", "interval": "month"},
    ),
    Form(
        "owner",
        "/w/acme/checkout/{order}",
        (*ADDRESS, "is_business", "company_name", "vat_number", "street2", "region", "update"),
        ("first_name", "last_name", "street", "street2", "city", "company_name"),
        {**ADDRESS, "is_business": "y"},
    ),
    Form("owner", "/w/acme/checkout/{order}/review", (*CARD, "holder", "quote", "auto_renewal")),
    Form(
        "owner",
        "/w/acme/checkout/{order}/review",
        ("quote",),
        (),
        {**CARD, "holder": "Jeanne Martin"},
        NO_TEXT,
    ),
    Form("owner", "/w/acme/cart", ("shown",), values=NO_TEXT),
    Form("owner", "/w/acme/cart/meetings", ("plan", "quantity", "shown", "currency")),
    Form(
        "owner",
        "/w/acme/cart/meetings",
        ("quantity",),
        (),
        {"plan": "meetings-essential:month", "currency": "EUR", "shown": ""},
    ),
    Form("owner", "/w/acme/cart/meetings/remove", ("shown",), values=NO_TEXT),
    Form("owner", "/w/acme/payment-methods", (*CARD, "holder")),
    Form(
        "owner",
        "/w/acme/payment-methods",
        ("holder",),
        ("holder",),
        {"number": paying.PAID, "exp_month": "12", "exp_year": "2030", "security_code": "123"},
    ),
    Form("owner", "/w/acme/subscriptions/trial/meetings", ("plan", "licences")),
    Form("owner", "/w/acme/subscriptions/trial/meetings", ("plan",), (), {"licences": "2"}, NO_TEXT),
    Form("owner", "/w/acme/subscriptions/webinar/cancel", ("ends_on",), values=NO_TEXT),
    Form("owner", "/w/acme/subscriptions/webinar/take-back", ("ends_on", "method"), values=NO_TEXT),
    Form("owner", "/w/acme/subscriptions/remote/licence-key/replace", ("key",)),
    Form("owner", "/w/acme/payment-methods/{method}/use", ("method", "reference"), values=NO_TEXT),
    Form("owner", "/w/acme/checkout/{order}/leave", ("payment", "return_url", "next"), values=NO_TEXT),
]
STAFF_AND_SANDBOX = [
    Form("operator", "/operator/workspaces/acme", ("amount", "unit")),
    Form("operator", "/operator/workspaces/acme/payments/nothing/look-up", ("state",), values=NO_TEXT),
    Form("operator", "/operator/workspaces/acme/trial", ("days", "due_on")),
    Form("operator", "/operator/workspaces/acme/trial", ("due_on",), (), {"days": "3"}, NO_TEXT),
    Form("operator", "/operator/workspaces/acme/credits/review", ("amount", "currency", "reason")),
    Form(
        "operator",
        "/operator/workspaces/acme/credits/review",
        ("reason", "key"),
        (),
        {"amount": "5", "currency": "EUR", "reason": "An outage"},
    ),
    Form(
        "operator",
        "/operator/workspaces/acme/credits",
        ("reason", "key"),
        (),
        {"amount": "5", "currency": "EUR", "reason": "An outage", "key": "k"},
    ),
    Form("operator", "/operator/workspaces/acme/credits/{credit}/take-back", ("reason", "shown", "key")),
    Form("owner", "/w/acme/history/download", ("year",)),
    Form("operator", "/operator/nonprofit/{nonprofit}/accept", ("slug",)),
    Form("operator", "/operator/nonprofit/{refusable}/refuse", ("reason",)),
    Form(
        "operator",
        "/operator/exchange-rates",
        ("currency", "rate_on", "rate", "source"),
        ("source",),
        {"currency": "USD", "rate_on": "2026-11-20", "rate": "1.1612"},
    ),
    Form("operator", "/operator/bank-statements", ("file",), values=NO_TEXT),
    Form("operator", "/operator/bank-statements/csv/{upload}", ("separator", "date", "amount", "currency")),
    Form("operator", "/operator/bank-transfers/{parked}/set-aside", ("note",)),
    Form("operator", "/operator/bank-transfers/{proposed}/decline", ("note",), values=NO_TEXT),
    Form("operator", "/operator/bank-transfers/{proposed}/match", ("workspace", "invoice", "shown")),
    Form("operator", "/operator/bank-transfers/{taking}/take-back", ("taken",)),
    Form("visitor", "/sandbox/3ds/{challenge}", ("answer", "return_url"), values=NO_TEXT),
    Form("visitor", "/sandbox/paypal/{hosted}", ("answer", "email"), values=NO_TEXT),
    Form("visitor", "/sandbox/paypal/{hosted}", ("email",), (), {"answer": "confirm"}),
    Form("visitor", "/sandbox/licence-key", ("licence_key",)),
    Form(
        "visitor",
        "/sandbox/components",
        ("name", "email", "amount", "country", "company", "method"),
        values=NO_TEXT,
    ),
]

FORMS = [*WAY_IN, *OWN, *MONEY, *STAFF_AND_SANDBOX]


@dataclass
class Verdicts:
    """The status of each form, set of fields and value; what was wrong; how often each form was accepted."""

    statuses: dict[tuple[str, str, str], int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    accepted: dict[str, int] = field(default_factory=dict)


@pytest.fixture
def engines(sqlite_template, postgresql_migrated, tmp_path, caplog) -> Iterator[dict[str, str]]:
    """The addresses of a fresh database on each."""
    shutil.copy(sqlite_template, tmp_path / "portal.sqlite")
    with caplog.at_level(logging.CRITICAL, "portal"):
        yield {"sqlite": f"sqlite:///{tmp_path / 'portal.sqlite'}", "postgresql": postgresql_migrated.url}
    postgresql_migrated.tidy_up()


@contextmanager
def a_site(url: str, folder: Path) -> Iterator["Site"]:
    folder.mkdir()
    environment = {
        "PORTAL_DATABASE_URL": url,
        "PORTAL_QUEUE_URL": f"sqlite:///{folder / 'queue.sqlite'}",
        "PORTAL_DATA_DIR": str(folder),
        "PORTAL_SECRET_KEY": "only-for-tests-" * 4,
        "PORTAL_LIMITS": "1000000",
    }
    site = Site(create_app(read_settings(environment), clock=FixedClock(TODAY)), folder)
    if url.startswith("sqlite"):
        with facts(site.app):
            # Thousands of requests, each of which writes a limit: nothing here has to outlive the machine.
            database.obj.pragma("synchronous", 0, permanent=True)
    yield site
    if not database.is_closed():
        database.close()
    database.obj.close_all()


class Site:
    """The application with everything that the forms need, and a browser for each of their readers."""

    def __init__(self, app: Flask, folder: Path) -> None:
        self.app, self.folder = app, folder
        with facts(app):
            acme = a_workspace("Acme")
            place = seen_by(owner_of(acme), acme)
            invited = invitations.invite(place, emails=["invited@acme.test"], role=Role.MEMBER, now=TODAY)
            Licence.create(subscription=tried(place), member=invited.users[0], assigned_at=TODAY)
            with transaction():
                token, _link = links.make_link(a_person("forgot@acme.test"), LinkPurpose.RESET)
            self.names = {
                "order": an_order_of(owner_of(acme), acme).number,
                "invitation": mailed_path("invitation"),
                "reset": f"/reset/{token}",
                "member": str(invited.users[0].id),
                "method": str(
                    method_setups.begin_adding(
                        place, paying.a_card(), result_address=str, now=TODAY
                    ).method_id
                ),
                "contact": str(
                    contacts.add_address(place, "books@accountant.test", language="fr", now=TODAY).id
                ),
                "confirmation": mailed_path("contact_confirmation"),
                "nonprofit": str(a_nonprofit_request("Canal").id),
                "credit": given_credits.give(
                    acme, amount=Money(500, "USD"), reason="An outage", key="credit", now=TODAY
                ).key,
                "refusable": str(a_nonprofit_request("Forest").id),
            }
            bring(
                camt(
                    Line(1, texts=["?"]),
                    Line(2, texts=["INV-2026-000001"]),
                    Line(3, is_debit=True, is_return=True),
                    opening=None,
                )
            )
            waiting_transfers = BankTransfer.select().order_by(BankTransfer.id)
            for name, transfer in zip(("parked", "proposed", "taking"), waiting_transfers, strict=True):
                self.names[name] = str(transfer.id)
            kept = bank_statements.take_file(b"Date;Amount\n", file_name="a.csv", now=TODAY)
            self.names["upload"] = str(kept.id)
            for name, kind in (("challenge", PaymentMethodKind.CARD), ("hosted", PaymentMethodKind.PAYPAL)):
                other = a_workspace(name)
                waiting = an_order_of(owner_of(other), other, method_kind=kind)
                card = paying.ASKS_ONCE if kind == PaymentMethodKind.CARD else None
                self.names[name] = paying.pay(waiting, card).action_url.rpartition("/")[2]
            bought(a_workspace("Paid"))
            licensed.bought(place, "webinar-standard")
            licensed.bought(place, "remote-licence", interval=Interval.YEAR)
            self.browsers = {
                "visitor": Attacker(app),
                "owner": Attacker(app, owner_of(acme)),
                "operator": Attacker(app, a_person("staff@vendor.test", operator=True)),
            }

    def send(self, form: Form, fields: dict[str, str]) -> TestResponse:
        return self.browsers[form.who].post(form.path.format(**self.names), fields)

    def version(self, path: str) -> str:
        with facts(self.app):
            service = billing_settings if "billing" in path else workspace_settings
            return service.settings_of(Workspace.get(Workspace.slug == "acme")).version


def send_everything(site: Site, forms: list[Form], values: frozenset[str]) -> Verdicts:
    found = Verdicts()
    for form in forms:
        for value in (each for each in sent_everywhere(form) if each in values):
            everywhere = {**form.right, **dict.fromkeys(form.fields, value)}
            judge(found, form, "everywhere", value, site.send(form, everywhere), form.fields)
        if form.free:
            for value in (each for each in sent_where_free(form) if each in values):
                n = VALUES.index(value)
                fields = {name: text.format(n=n) for name, text in form.right.items()}
                if "version" in fields:
                    fields["version"] = site.version(form.path)
                answer = site.send(form, {**EXTRA, **fields, **dict.fromkeys(form.free, value)})
                judge(found, form, "where text is free", value, answer, form.free)
                found.accepted[form.path] = found.accepted.get(form.path, 0) + (answer.status_code == 303)
                if answer.status_code == 303 and any(sign in value for sign in "<{'\""):
                    shown = site.browsers[form.who].get(answer.headers["Location"])
                    judge(found, form, "shown after", value, shown, ())
    return found


def sent_everywhere(form: Form) -> list[str]:
    """The values that this run sends in all fields of the form."""
    turn = [other for other in FORMS if other.values == form.values].index(form)
    return some_of(form.values, turn, shares=SHARES_EVERYWHERE)


def sent_where_free(form: Form) -> list[str]:
    """The values that this run sends where the form takes any text."""
    return some_of(VALUES, [other for other in FORMS if other.free].index(form)) if form.free else []


def judge(
    found: Verdicts, form: Form, where: str, value: str, answer: TestResponse, fields: tuple[str, ...]
) -> None:
    page = answer.text
    found.statuses[form.path, where, value] = answer.status_code
    wrong = []
    if answer.status_code >= 400 and answer.status_code not in ORACLE:
        wrong.append(f"status {answer.status_code}")
    if "Traceback" in page or SUM in page:
        wrong.append("was evaluated")
    if len(value) > 4 and "<" in value and value in page:
        wrong.append("stands in the page as it is")
    if EVIL in answer.headers.get("Location", ""):
        wrong.append(f"leads to {answer.headers['Location']}")
    if any("\r" in text or "\n" in text for text in answer.headers.values()):
        wrong.append("breaks a header")
    if answer.status_code == 422:
        wrong += [f"{name} is lost without a word" for name in fields if is_lost(page, name, value)]
    found.faults += [f"{form.path}, {where}, {value[:60]!r}: {each}" for each in wrong]


def is_lost(page: str, name: str, value: str) -> bool:
    """Typed text that is neither shown again nor explained. Secrets and hidden fields are never shown."""
    control = re.search(rf'<input[^>]* id="([a-z]*-?{name})"[^>]*>', page)
    if control is None or name in SECRET or 'type="checkbox"' in control[0] or 'type="radio"' in control[0]:
        return False
    sent = value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    kept, _fault = clean_text(sent, max_length=1_000_000)
    return kept != "" and str(escape(kept)) not in page and f'id="{control[1]}-error"' not in page


def alike(engines: dict[str, str], tmp_path: Path, forms: list[Form], after: Callable[[Site], None]) -> None:
    """Send everything on both engines; what is wrong on one, and what they judge differently."""
    verdicts = {}
    for engine, url in engines.items():
        with a_site(url, tmp_path / engine) as site:
            values = frozenset(VALUES) if engine == "sqlite" else FOR_A_DATABASE
            verdicts[engine] = send_everything(site, forms, values)
            with facts(site.app):
                nothing_was_gained()
                assert_books_clean()
            after(site)
    for engine, found in verdicts.items():
        assert not found.faults, engine + ":\n" + "\n".join(found.faults[:40])
        assert all(times > enough(40) for times in found.accepted.values()), found.accepted
    everything, less = verdicts["sqlite"].statuses, verdicts["postgresql"].statuses
    assert len(less) > len(everything) / 3
    assert {name: status for name, status in less.items() if everything[name] != status} == {}


def enough(of_all: int) -> int:
    """So many where every value was sent, or their share."""
    return of_all if FULL else of_all // SHARES


def nothing_was_gained() -> None:
    """By fields that no form has."""
    assert [person.email for person in Person.select().where(Person.is_operator)] == ["staff@vendor.test"]
    acme = Workspace.get(Workspace.slug == "acme")
    assert owner_of(acme).email == "owner@acme.test"
    assert acme.customer_number == "C-000001"
    assert acme.deleted_at is None
    assert agreement.of_workspace(acme).plan.trial
    assert str(agreement.of_workspace(acme).due_on) == "2026-12-21"
    assert not Workspace.select().where(Workspace.slug == "stolen").exists()
    assert not Member.select().where(Member.is_upgrader).exists()
    assert Invoice.select().count() == 3
    assert Payment.select().where(Payment.state == PaymentState.SUCCEEDED).count() == 3
    assert not Subscription.select().where(Subscription.cancelled_at.is_null(False)).exists()


# --- values ---------------------------------------------------------------------------------------


def test_there_are_enough_of_them() -> None:
    assert len(VALUES) >= 150


def test_each_form_gets_every_kind_and_some_form_every_value() -> None:
    for form in FORMS:
        for sent, possible in (
            (sent_everywhere(form), form.values),
            (sent_where_free(form), VALUES if form.free else ()),
        ):
            for name, kind in KINDS.items():
                assert {*sent} & {*kind} or not {*possible} & {*kind}, (form.path, name)
    for value in VALUES:
        assert any(value in sent_everywhere(form) for form in FORMS), value
        assert any(value in sent_where_free(form) for form in FORMS), value


def test_the_way_in(engines, tmp_path) -> None:
    def look(site: Site) -> None:
        """At every workspace that was made, as the vendor's staff sees them, and at every letter."""
        before = 10**6
        while before:
            page = site.browsers["operator"].get(f"/operator/?before={before}")
            assert page.status_code == 200
            assert not any(value in page.text for value in VALUES if "<" in value and len(value) > 4)
            older = [int(n) for n in re.findall(r"before=(\d+)", page.text)]
            before = min(older) if min(older) < before else 0
        requests = site.browsers["operator"].get("/operator/nonprofit")
        assert requests.status_code == 200
        for page in re.findall(r"/operator/nonprofit/[0-9]+", requests.text):
            shown = site.browsers["operator"].get(page)
            assert shown.status_code == 200
            assert not any(value in shown.text for value in VALUES if "<" in value and len(value) > 4)
        with facts(site.app):
            assert Workspace.select().count() > enough(50)
            while drain_outbox(runtime.current(), limit=100).delivered:
                pass
            # What is only there in case a process dies is not due yet.
            wall = runtime.current().clock.wall()
            failed = OutboxMessage.select().where(
                OutboxMessage.done_at.is_null(), OutboxMessage.run_at <= wall
            )
            assert [message.last_error for message in failed] == []
        for path in (site.folder / "mail").glob("*.eml"):
            letter = message_from_bytes(path.read_bytes(), policy=policy.default)
            assert set(letter.keys()) <= LETTER_HEADERS, letter.keys()
            assert len(letter["To"].addresses) == 1
            text = letter.get_body(("html",)).get_content()
            assert SUM not in text
            assert not any(value in text for value in VALUES if "<" in value and len(value) > 4)

    alike(engines, tmp_path, WAY_IN, look)


def test_ones_own_pages(engines, tmp_path) -> None:
    alike(engines, tmp_path, OWN, lambda site: None)


def test_money(engines, tmp_path) -> None:
    alike(engines, tmp_path, MONEY, lambda site: None)


def test_staff_and_sandbox(engines, tmp_path) -> None:
    alike(engines, tmp_path, STAFF_AND_SANDBOX, lambda site: None)


# --- structure ------------------------------------------------------------------------------------


def test_addresses_bodies_headers_and_shapes(engines, tmp_path) -> None:
    verdicts = {}
    for engine, url in engines.items():
        with a_site(url, tmp_path / engine) as site:
            verdicts[engine] = dict(shapes(site, for_pages=FULL or engine == "sqlite"))
            with facts(site.app):
                nothing_was_gained()
                assert_books_clean()
    faults = {
        name: status
        for found in verdicts.values()
        for name, status in found.items()
        if status >= 400 and status not in ORACLE
    }
    assert not faults
    everything, less = verdicts["sqlite"], verdicts["postgresql"]
    assert len(less) > len(everything) / 3
    assert {name: status for name, status in less.items() if everything[name] != status} == {}


def shapes(site: Site, *, for_pages: bool) -> Iterator[tuple[str, int]]:
    """What was sent, and the status of its answer; `for_pages`: also what no database comes to see."""
    browsers = site.browsers
    rules = [rule for rule in site.app.url_map.iter_rules() if rule.arguments]
    for turn, rule in enumerate(rules):
        if "GET" not in rule.methods:
            continue
        for value in share(IDENTIFIERS, turn, shares=SHARES_EVERYWHERE):
            # Each parameter in turn; those before it are good.
            for spoilt in rule.arguments:
                good = {"slug": "acme", "number": site.names["order"], "member_id": "1"}
                path = re.sub(
                    r"<(?:[^>:]*:)?(\w+)>",
                    lambda found, spoilt=spoilt, value=value, good=good: (
                        value if found[1] == spoilt else good.get(found[1], "x")
                    ),
                    rule.rule,
                )
                who = "operator" if path.startswith("/operator") else "owner"
                yield f"{rule.rule} {spoilt} {value[:40]}", browsers[who].get(path).status_code
    forms = {form.path: form for form in FORMS}.values()
    for turn, form in enumerate(forms):
        path, browser = form.path.format(**site.names), browsers[form.who]
        token = {"X-CSRFToken": browser.token}
        twice = {name: ["x", "y", "x"] for name in form.fields}
        brackets = {f"{name}[]": "x" for name in form.fields} | {f"{name}[a]": "x" for name in form.fields}
        extra = {name: value for name, value in EXTRA.items() if name not in form.fields}
        for number, fields in enumerate((twice, brackets, extra, {})):
            yield f"{form.path} shape {number}", browser.post(path, fields).status_code
            if for_pages:
                part = browser.post(path, fields, headers={**PART, "HX-Target": "form#details"})
                yield f"{form.path} part {number}", part.status_code
        if for_pages:
            for number, (kind, body) in share(list(enumerate(BODIES)), turn):
                answer = browser.ask("POST", path, data=body, content_type=kind, headers=token)
                yield f"{form.path} body {number}", answer.status_code
            for number, headers in share(list(enumerate(HEADERS)), turn):
                answer = browser.ask("POST", path, headers={**token, **headers}, data=b"x=1")
                yield f"{form.path} headers {number}", answer.status_code
    queries = (
        "q",
        "before",
        "year",
        "month",
        "kind",
        "part",
        "price",
        "currency",
        "lang",
        "next",
        "reason",
        "theme",
        "dialog",
    )
    pages = (
        "/",
        "/pricing",
        "/sign-in",
        "/w/acme/plans",
        "/w/acme/history",
        "/w/acme/history/statement",
        "/w/acme/history/spending",
        "/w/acme/history/download",
        "/w/acme/history/download/2026.zip",
        "/w/acme/members",
        "/me/orders",
    )
    for turn, page in enumerate(pages):
        for value in (*share(IDENTIFIERS, turn), "fr&{0}=en", "a" * 1000, "999999999", "2147483647"):
            query = "&".join(f"{name}={value}" for name in queries)
            answer = browsers["visitor" if page in ("/", "/pricing", "/sign-in") else "owner"].get(
                f"{page}?{query}"
            )
            assert SUM not in answer.text
            yield f"{page} {value[:40]}", answer.status_code
        for number, headers in share(list(enumerate(HEADERS)), turn):
            yield f"{page} headers {number}", browsers["owner"].get(page, headers=headers).status_code
    for number, body in enumerate(REPORTS):
        for kind in ("application/csp-report", "application/reports+json", ""):
            answer = browsers["visitor"].ask("POST", "/csp-report", data=body, content_type=kind)
            yield f"report {number} {kind}", answer.status_code


REPORTS: tuple[bytes, ...] = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b"[[[[]]]]",
    b"[" * 8000,
    b'{"a":' * 1300 + b"1" + b"}" * 1300,
    b"1" * 8000,
    b"\xff\xfe",
    b'{"csp-report": []}',
    b'{"csp-report": {"document-uri": 1, "blocked-uri": [], "effective-directive": {}}}',
    b'{"csp-report": {"document-uri": "http://x//w//\\ud800", "blocked-uri": "http://["}}',
    b'{"csp-report": {"document-uri": "http://x/w/\\u0000", "blocked-uri": "\\u0000"}}',
    b'{"csp-report": {"document-uri": "http://x/w/\\ud800/plans", "blocked-uri": "http://\\ud800"}}',
    b'[{"type": "csp-violation", "body": {"documentURL": "\\ud800", "effectiveDirective": "\\ud800"}}]',
    b'[{"type": "csp-violation", "body": 1}, 1, null]',
    b"[" + b"1," * 4000 + b"1]",
    b"x" * 9000,
)


# --- secrets --------------------------------------------------------------------------------------


@pytest.mark.engine("sqlite")
def test_no_secret_comes_back(app) -> None:
    with facts(app):
        acme = a_workspace()
        order = an_order_of(owner_of(acme), acme)
        owner = Attacker(app, owner_of(acme))
    canary = "cAnArY-4929-1111"
    for browser, path, fields in (
        (Attacker(app), "/sign-in", {"email": "owner@acme.test", "password": canary}),
        (Attacker(app), "/sign-up", {"email": "x", "password": canary}),
        (owner, "/me/password", {"current_password": canary, "new_password": canary}),
        (owner, f"/w/acme/checkout/{order.number}/review", {"number": canary, "security_code": canary}),
    ):
        answer = browser.post(path, fields)
        assert answer.status_code == 422
        assert canary not in answer.text, path
    slipped = owner.post(f"/w/acme/checkout/{order.number}/review", {"holder": "4929 1111 2222 3333"})
    assert "4929" not in slipped.text
