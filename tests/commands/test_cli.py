"""The `portal` command, by the names that operators' scripts hold on to."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from portal import outbox
from portal.clock import SystemClock
from portal.commands import cli
from portal.database.connecting import connection
from portal.domain.vocabulary import Role
from portal.models import OutboxMessage, Person
from portal.settings.seller import DEMO as DEMO_SELLER
from tests.factories import a_member, a_person, a_workspace

CATALOGUE = Path(__file__).parents[2] / "catalogue.toml"
COMMANDS = {
    "init",
    "serve",
    "worker",
    "migrate",
    "catalogue",
    "run-due",
    "drain",
    "reconcile",
    "bounce",
    "check",
    "clock",
    "demo",
    "routes",
    "operator",
    "doctor",
    "user",
}


@pytest.fixture
def portal(environment, monkeypatch):
    """`portal("clock", "show")`: the command in this process, with the test's settings."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def run(*words, exit_code=0, **options):
        result = CliRunner().invoke(cli.portal, words, **options)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        # A command that succeeds prints for programs too: its log goes to the other stream.
        return result.output if exit_code else result.stdout

    return run


sqlite_only = pytest.mark.engine("sqlite")


# --- every command --------------------------------------------------------------------------------


@sqlite_only
def test_each_command_explains_itself(portal):
    assert set(cli.portal.commands) >= COMMANDS
    for name in cli.portal.commands:
        assert cli.portal.commands[name].help, name
        assert "Usage: portal" in portal(name, "--help")


@sqlite_only
@pytest.mark.settings(PORTAL_DATABASE_URL="mysql://elsewhere")
def test_a_faulty_setting_is_one_sentence(portal):
    said = portal("migrate", exit_code=1)
    assert said == "Error: PORTAL_DATABASE_URL must start with sqlite:/// or postgresql://.\n"


@sqlite_only
def test_an_old_schema_is_one_sentence(portal, environment, tmp_path, monkeypatch):
    monkeypatch.setenv("PORTAL_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.sqlite'}")
    for command in (["drain"], ["check"], ["serve"], ["worker"]):
        assert "Run `portal migrate`" in portal(*command, exit_code=1)


# --- set up ---------------------------------------------------------------------------------------


def test_init_sets_everything_up_and_may_be_repeated(portal):
    for _ in range(2):
        said = portal("init", "--catalogue", str(CATALOGUE), "--operator", "Boss@Vendor.example")
        assert "operator: boss@vendor.example" in said
    with cli.let_go(), cli.database.connection():
        assert [person.email for person in Person.select().where(Person.is_operator)] == [
            "boss@vendor.example"
        ]


@sqlite_only
def test_init_says_what_is_missing_where_nobody_can_be_asked(portal):
    said = portal("init", "--catalogue", str(CATALOGUE), exit_code=1)
    assert "say who it is, as in portal init --operator" in said


@sqlite_only
def test_migrate_check_tells_by_its_exit_code(portal, tmp_path, monkeypatch):
    assert portal("migrate", "--check") == "pending: none\n"
    monkeypatch.setenv("PORTAL_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.sqlite'}")
    assert "0001_initial" in portal("migrate", "--check", exit_code=1)
    assert "applied: 0001_initial" in portal("migrate")
    assert portal("migrate", "--check") == "pending: none\n"


@sqlite_only
def test_a_faulty_catalogue_is_named_with_its_line(portal, tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text("x = [")
    assert "bad.toml:1" in portal("catalogue", "check", str(file), exit_code=1)
    assert "no fault" in portal("catalogue", "check", str(CATALOGUE))
    file.write_bytes(b"\xff\xfe[links]")
    for command in ("check", "apply"):
        assert "bad.toml is not a text in UTF-8." in portal("catalogue", command, str(file), exit_code=1)


@sqlite_only
def test_an_operator_needs_a_real_address(portal):
    assert "nobody" in portal("operator", "add", "nobody", exit_code=1)


@sqlite_only
def test_a_known_person_becomes_an_operator(portal, database, clock):
    Person.create(email="jeanne@acme.example", name="Jeanne", password_hash="x", created_at=clock.now())
    assert portal("operator", "add", "jeanne@acme.example") == "operator: jeanne@acme.example\n"
    with cli.let_go(), cli.database.connection():
        person = Person.get(Person.email == "jeanne@acme.example")
    assert person.is_operator and person.name == "Jeanne"


def test_the_doctor_names_what_is_missing(portal):
    said = portal("doctor", exit_code=1)
    assert "ok    database" in said and "ok    queue" in said
    assert "FAULT catalogue: Nothing is on sale" in said
    assert "FAULT operator: There is no operator" in said


@sqlite_only
@pytest.mark.settings(PORTAL_QUEUE_URL="redis://127.0.0.1:9/0", PORTAL_SMTP_URL="smtp://127.0.0.1:9")
def test_the_doctor_finds_a_dead_queue_and_a_dead_mail_server(portal, tmp_path):
    (tmp_path / "secret_key").write_text("x" * 40)
    (tmp_path / "secret_key").chmod(0o644)
    said = portal("doctor", exit_code=1)
    assert "FAULT queue" in said
    assert "FAULT mail: The mail server 127.0.0.1:9" in said
    assert f"run chmod 600 {tmp_path / 'secret_key'}" in said


@sqlite_only
@pytest.mark.settings(PORTAL_BASE_URL="https://billing.example", PORTAL_GRACE_DAY="3")
def test_the_doctor_names_a_missing_proxy_and_a_slip_of_the_pen(portal):
    said = portal("doctor", exit_code=1)
    assert "FAULT proxy: PORTAL_TRUSTED_PROXIES is 0: Portal needs a proxy" in said
    assert "FAULT settings: PORTAL_GRACE_DAY is not a setting of Portal" in said
    assert "PORTAL_GRACE_DAYS is." in said


@sqlite_only
@pytest.mark.settings(PORTAL_BASE_URL="https://billing.example", PORTAL_TRUSTED_PROXIES="1")
def test_the_doctor_is_content_with_a_proxy(portal):
    assert "ok    proxy" in portal("doctor", exit_code=1)


@sqlite_only
def test_the_doctor_names_what_keeps_failing(portal, database):
    wall = SystemClock().wall()
    outbox.publish("mail", key="a", payload={}, now=wall)
    OutboxMessage.update(attempts=8, parked_at=wall, last_error="OSError: no\nroute").execute()
    said = portal("doctor", exit_code=1)
    assert "FAULT messages: Messages keep failing: 1," in said
    assert "'OSError: no route' (mail)" in said


@sqlite_only
def test_the_doctor_says_how_many_transfers_wait(portal, runtime):
    from tests.transferring import Line, bring, camt

    bring(camt(Line(100, texts=["?"]), Line(200, texts=["?"])))
    said = portal("doctor", exit_code=1)
    assert "FAULT transfers: Bank transfers wait for an operator: 0 to confirm, 2 to decide." in said


# --- one person -----------------------------------------------------------------------------------


def test_a_person_is_exported_and_erased(portal, runtime):
    acme = a_workspace(owner=a_person("jeanne@acme.test"))
    a_member(acme, a_person("zoe@acme.test", name="Zoé"))
    said = portal("user", "export", "Zoe@acme.test")
    assert '"name": "Zoé"' in said
    assert json.loads(said)["memberships"][0]["workspace"] == "acme"
    erased = json.loads(portal("user", "erase", "zoe@acme.test", "--yes", "--json"))
    assert erased["memberships"] == 1
    assert json.loads(portal("user", "erase", "zoe@acme.test", "--yes", "--json")) == {"person_id": None}
    assert "nothing was erased" in portal("user", "erase", "zoe@acme.test", "--yes")
    said = portal("user", "export", "zoe@acme.test", exit_code=1)
    assert said == "Error: Nothing is kept of zoe@acme.test.\n"
    assert set(json.loads(portal("check", "--json")).values()) == {0}


@sqlite_only
def test_nobody_is_erased_by_a_slip(portal, runtime):
    a_person("zoe@acme.test")
    said = portal("user", "erase", "zoe@acme.test", exit_code=1, input="leo@acme.test\n")
    assert "That is another address: nothing was erased." in said
    said = portal("user", "erase", "zoe@acme.test", exit_code=1, input="")
    assert "add --yes where nobody can be asked" in said
    assert '"email": "zoe@acme.test"' in portal("user", "export", "zoe@acme.test")
    assert "memberships: 0" in portal("user", "erase", "zoe@acme.test", input="Zoe@acme.test\n")


@sqlite_only
def test_who_cannot_be_erased_yet_is_told_why_in_one_sentence(portal, runtime):
    owner = a_person("jeanne@acme.test", operator=True)
    acme = a_workspace(owner=owner)

    def said():
        return portal("user", "erase", "jeanne@acme.test", "--yes", exit_code=1)

    assert said() == (
        "Error: jeanne@acme.test is the last operator: add another one first, with portal operator add.\n"
    )
    with connection():
        a_person("staff@vendor.test", operator=True)
    assert "the only owner of acme: have it handed over or deleted first." in said()
    with connection():
        a_member(acme, a_person("zoe@acme.test"), role=Role.OWNER)
        acme.adviser_email = "jeanne@acme.test"
        acme.save()
    assert "named as the adviser of acme: name somebody else" in said()


# --- look after -----------------------------------------------------------------------------------


def test_drain_reports_as_json(portal, database):
    outbox.publish("nobody_knows", key="a", payload={}, now=SystemClock().wall())
    assert json.loads(portal("drain", "--json")) == {"delivered": 0, "failed": 1, "parked": 0}
    with cli.let_go(), cli.database.connection():
        assert OutboxMessage.get().last_error.startswith("KeyError")


def test_the_books_of_an_empty_database_are_right(portal):
    results = json.loads(portal("check", "--json"))
    assert results and set(results.values()) == {0}


def test_a_demo_without_a_catalogue_is_one_sentence(portal, database):
    assert "There is no catalogue yet" in portal("demo", exit_code=1)


def test_reconcile_with_nothing_to_ask(portal):
    assert json.loads(portal("reconcile", "--json"))["asked"] == 0


@sqlite_only
def test_routes_name_who_may_open_each(portal):
    rows = json.loads(portal("routes", "--json"))
    plans = next(row for row in rows if row["rule"] == "/w/<slug>/plans")
    assert plans["access"].startswith("role:")
    assert plans["csrf"] == "token"
    assert not [row["rule"] for row in rows if row["access"] == "undeclared"]


# --- the movable clock ----------------------------------------------------------------------------


@sqlite_only
def test_the_clock_is_set_moved_and_made_real_again(portal):
    assert portal("clock", "set", "2027-01-31T09:00Z").startswith("2027-01-31T09:00:0")
    assert portal("clock", "advance", "2w").startswith("2027-02-14T09:00:0")
    assert portal("clock", "advance", "12h").startswith("2027-02-14T21:00:0")
    assert portal("clock", "advance", "1d").startswith("2027-02-15T21:00:0")
    assert portal("clock", "show").startswith("2027-02-15T21:00:0")
    assert "(0:00:00 ahead of the machine)" in portal("clock", "real")
    assert "behind the machine" in portal("clock", "set", "2020-02-29")


@sqlite_only
@pytest.mark.parametrize("words", [("advance", "1m"), ("advance", "3"), ("advance", ""), ("set", "tomorrow")])
def test_a_time_that_cannot_be_read_is_refused(portal, words):
    assert "is not like" in portal("clock", *words, exit_code=2)


@sqlite_only
def test_the_clock_stands_firm_where_real_money_moves(portal, monkeypatch):
    from portal import settings

    monkeypatch.setattr(settings, "KNOWN_GATEWAYS", ("sandbox", "bank_transfer"))
    monkeypatch.setenv("PORTAL_GATEWAYS", "sandbox,bank_transfer")
    for name, value in DEMO_SELLER.items():
        monkeypatch.setenv(name, value)
    for words in (("show",), ("set", "2027-01-31"), ("advance", "1d"), ("real",)):
        assert "sandbox alone" in portal("clock", *words, exit_code=1)


# --- processes ------------------------------------------------------------------------------------


def start(environment, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "portal.commands.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.mark.parametrize("words", [("--embedded",), ("--workers", "1")], ids=["embedded", "web alone"])
def test_serve_says_its_address_answers_and_stops_at_sigterm(environment, words):
    server = start(environment, "serve", "--port", "0", *words)
    try:
        said = server.stdout.readline()
        assert said.startswith("Portal serves http://127.0.0.1:"), server.stderr.read()
        with urllib.request.urlopen(said.split()[-1] + "/healthz", timeout=20) as answer:
            assert answer.status == 200
    finally:
        server.send_signal(signal.SIGTERM)
        rest, faults = server.communicate(timeout=40)
    assert server.returncode == 0
    assert (rest, faults) == ("", "")


@sqlite_only
def test_a_worker_keeps_promises_and_stops_at_sigterm(environment, database):
    outbox.publish("nobody_knows", key="a", payload={}, now=SystemClock().wall())
    worker = start(environment, "worker")
    try:
        for line in worker.stderr:
            if "try 1 failed" in line:
                break
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=40)
    assert worker.returncode == 0
    assert OutboxMessage.get().attempts == 1


# --- delivery reports -----------------------------------------------------------------------------

REPORT = Path(__file__).parents[1] / "mail" / "reports" / "unknown_mailbox.eml"


@sqlite_only
@pytest.mark.settings(PORTAL_BOUNCE_ADDRESS="bounces@portal.example")
@pytest.mark.parametrize(
    ("content", "exit_code", "said"),
    [
        (b"", 65, "Error: This is not a delivery report (RFC 3464).\n"),
        (b"x" * 100_000_000, 65, "Error: The message is larger than 2 MB.\n"),
        (REPORT.read_bytes(), 65, "Error: The report came to no return address of ours.\n"),
        (
            REPORT.read_bytes().partition(b"Action:")[0],
            65,
            "Error: The delivery report does not say what became of the letter.\n",
        ),
        (
            b"To: bounces@portal.example\nAuto-Submitted: auto-replied\n\nI am away.\n",
            0,
            "This is an automatic reply, not a delivery report.\n",
        ),
    ],
)
def test_what_cannot_be_used_as_a_delivery_report_is_one_sentence(portal, content, exit_code, said):
    assert portal("bounce", exit_code=exit_code, input=content) == said


@sqlite_only
@pytest.mark.settings(PORTAL_BOUNCE_ADDRESS="bounces@portal.example")
def test_a_report_that_comes_while_the_database_is_away_is_to_be_sent_again(portal, tmp_path, monkeypatch):
    monkeypatch.setenv("PORTAL_DATABASE_URL", f"sqlite:///{tmp_path / 'empty.sqlite'}")
    assert "portal migrate" in portal("bounce", exit_code=75, input=REPORT.read_bytes())
