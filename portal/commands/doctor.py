"""`portal doctor`: what is wrong with the set-up, in plain words, each fault with its remedy."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path

from peewee import fn

from portal import default_clock, outbox, require_printable_names
from portal.clock import Clock, ClockUnusable
from portal.database import connecting as database
from portal.database import migrating
from portal.documents.coverage import FONTS_FOLDER
from portal.documents.coverage import fonts as bundled_fonts
from portal.mail import sending as mail
from portal.models import OutboxMessage, Person, Price
from portal.services import exchange_rates
from portal.services.payments import transfer_pages
from portal.settings import (
    Settings,
    SettingsError,
    known_variables,
    make_data_dir,
    open_to_others,
    smtp_server,
    sqlite_file,
)
from portal.worker import queue as worker_queue

TOLERATED_SKEW = timedelta(seconds=5)
WORKER_MISSING_AFTER = timedelta(minutes=10)
TRANSLATIONS = Path(__file__).resolve().parents[1] / "translations"


@dataclass(frozen=True, slots=True)
class Finding:
    """One examination by name; `fault` says what is wrong and what to do, None when all is well."""

    name: str
    fault: str | None


def examine(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Every finding, in the order in which faults are best mended. Writes nothing that stays."""
    yield _finding("settings", lambda: settings_nobody_reads(os.environ))
    yield _finding("data directory", lambda: data_directory(settings))
    yield _finding("private files", lambda: private_files(settings))
    yield _finding("clock file", lambda: clock_file(settings))
    yield _finding("proxy", lambda: proxy(settings))
    yield _finding("fonts", fonts)
    yield _finding("names", lambda: names_in_documents(settings))
    yield _finding("translations", lambda: translations(settings))
    yield _finding("mail", lambda: mail_server(settings))
    yield _finding("queue", lambda: queue(settings))
    yield _finding("sandbox", lambda: sandbox(settings))
    unreachable = _finding("database", lambda: reach_database(settings))
    yield unreachable
    if unreachable.fault:
        return
    with database.connection():
        outdated = _finding("schema", schema)
        yield outdated
        if outdated.fault:
            return
        yield _finding("catalogue", catalogue)
        yield _finding("operator", operator)
        yield _finding("exchange rates", lambda: missing_rates(settings, clock.wall()))
        yield _finding("clock", lambda: machine_clock(clock.wall()))
        yield _finding("worker", lambda: worker(clock.wall()))
        yield _finding("messages", lambda: messages(clock.wall()))
        yield _finding("transfers", transfers)


def data_directory(settings: Settings) -> str | None:
    try:
        make_data_dir(settings.data_dir)
        tempfile.TemporaryFile(dir=settings.data_dir).close()
    except SettingsError as error:
        return str(error)
    except OSError as error:
        return f"No file can be written in {settings.data_dir} ({error.strerror}): set PORTAL_DATA_DIR."
    return None


def settings_nobody_reads(environ: Mapping[str, str]) -> str | None:
    """Others may set variables that begin like ours, so these do not stop the start."""
    known = known_variables(environ)
    for name in sorted(name for name in environ if name.startswith("PORTAL_") and name not in known):
        near = get_close_matches(name, known, n=1)
        hint = f"; {near[0]} is" if near else ""
        return f"{name} is not a setting of Portal, so it changes nothing{hint}."
    return None


def private_files(settings: Settings) -> str | None:
    """What customers and payments are in, and the key that signs."""
    files = [
        settings.data_dir,
        settings.data_dir / "secret_key",
        settings.data_dir / "mail",
        settings.clock_file,
    ]
    databases = [sqlite_file(settings.database_url), sqlite_file(settings.queue_url)]
    for base in [*filter(None, databases), settings.data_dir / "sandbox.sqlite"]:
        files += [base, *(base.with_name(base.name + ending) for ending in ("-wal", "-shm"))]
    wide = [f"chmod {mode} {path}" for path, mode in open_to_others(files)]
    if wide:
        return f"Others on this machine can read what is yours: run {'; '.join(wide)}."
    return None


def names_in_documents(settings: Settings) -> str | None:
    try:
        require_printable_names(settings)
    except SettingsError as fault:
        return str(fault)
    return None


def clock_file(settings: Settings) -> str | None:
    try:
        default_clock(settings)
    except ClockUnusable as fault:
        return str(fault)
    return None


def proxy(settings: Settings) -> str | None:
    """The server speaks no TLS, and a slow visitor would hold one of its processes."""
    if settings.trusted_proxies == 0 and not settings.is_loopback:
        return (
            "PORTAL_TRUSTED_PROXIES is 0: Portal needs a proxy such as nginx in front of it, for https and "
            "against slow clients (docs/operating.md, section 4); set it to the number of proxies."
        )
    return None


def sandbox(settings: Settings) -> str | None:
    """Its ledger, where there is one."""
    fault = broken_file(settings.data_dir / "sandbox.sqlite")
    return f"{fault} The sandbox cannot take payments: put a copy there, or move it away." if fault else None


def broken_file(path: Path) -> str | None:
    """Why SQLite cannot read all of a file; None where it can, or there is none. Reads the whole file."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as opened:
            (answer,) = opened.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        answer = str(error)
    return None if answer == "ok" else f"The file {path} is broken ({' '.join(str(answer).split())})."


def fonts() -> str | None:
    try:
        import typst  # noqa: F401
    except ImportError:
        return "typst is not installed: no invoice can be printed."
    try:
        missing = [font.path.name for font in bundled_fonts() if not font.path.exists()]
    except OSError:
        missing = ["coverage.tsv"]
    if missing:
        return f"Missing from {FONTS_FOLDER}: {', '.join(missing)}. No invoice can be printed: install again."
    return None


def translations(settings: Settings) -> str | None:
    missing = [
        locale
        for locale in settings.locales
        if locale != "en" and not list((TRANSLATIONS / locale).glob("LC_MESSAGES/*.mo"))
    ]
    if missing:
        return f"The translations for {', '.join(missing)} are not compiled: run pybabel compile."
    return None


def mail_server(settings: Settings) -> str | None:
    if settings.smtp_url is None:
        if settings.sandbox_only:
            return None
        return "PORTAL_SMTP_URL is not set: mail is only kept as files and reaches nobody."
    server = smtp_server(settings.smtp_url)
    try:
        mail.connect(server, own_name=mail.own_domain(settings.mail_from)).close()
    except OSError as error:
        return f"The mail server {server.host}:{server.port} of PORTAL_SMTP_URL does not answer: {error}"
    return None


def queue(settings: Settings) -> str | None:
    try:
        opened = worker_queue.open_queue(settings.queue_url, secret_key=settings.secret_key)
        opened.huey.pending_count()
        opened.huey.storage.close()
    except Exception as error:  # noqa: BLE001
        # The boundary: each kind of queue has errors of its own.
        return f"The queue of PORTAL_QUEUE_URL does not answer: {error}"
    return None


def reach_database(settings: Settings) -> str | None:
    file = sqlite_file(settings.database_url)
    if file and (fault := broken_file(file)):
        return f"{fault} Put a copy there (docs/operating.md, section 8)."
    try:
        database.bind(settings.database_url)
        with database.connection():
            database.database.execute_sql("SELECT 1")
    except Exception as error:  # noqa: BLE001
        # The boundary: each engine has errors of its own.
        return f"The database of PORTAL_DATABASE_URL does not answer: {error}"
    return None


def schema() -> str | None:
    pending = migrating.pending_migrations()
    return f"Run portal migrate: {', '.join(pending)} not applied." if pending else None


def catalogue() -> str | None:
    return None if Price.select().exists() else "Nothing is on sale: run portal catalogue apply FILE."


def operator() -> str | None:
    if Person.select().where(Person.is_operator).exists():
        return None
    return "There is no operator: run portal operator add EMAIL."


def missing_rates(settings: Settings, now: datetime) -> str | None:
    """Before an order is refused for it."""
    urgent = [need for need in exchange_rates.needs(settings, now=now) if need.is_urgent]
    if not urgent:
        return None
    return (
        f"No exchange rate holds beyond tomorrow for {', '.join(need.currency for need in urgent)}: orders "
        "in it that bear VAT will be refused; add the rate of today at /operator/exchange-rates."
    )


def machine_clock(wall: datetime) -> str | None:
    """Against the database server's clock where there is one, else against the newest promise written."""
    if database.is_postgresql():
        there = database.database.execute_sql("SELECT now()").fetchone()[0].astimezone(UTC)
        ahead = abs(wall - there)
    else:
        newest = OutboxMessage.select(fn.MAX(OutboxMessage.created_at)).scalar()
        ahead = newest - wall if newest else timedelta(0)
    if ahead > TOLERATED_SKEW:
        seconds = int(ahead.total_seconds())
        return f"This machine's clock is {seconds} s away from what the database knows: set it by NTP."
    return None


def worker(wall: datetime) -> str | None:
    waiting_since = outbox.oldest_due_at(wall)
    if waiting_since and wall - waiting_since > WORKER_MISSING_AFTER:
        return f"Messages have been waiting since {waiting_since:%Y-%m-%d %H:%M} UTC: start portal worker."
    return None


def messages(wall: datetime) -> str | None:
    """Mail and documents that keep failing."""
    groups = outbox.failing(wall)
    if not groups:
        return None
    return (
        f"Messages keep failing: {sum(group.count for group in groups)}, most of them for the reason "
        f"{' '.join(groups[0].last_error.split())!r} ({groups[0].topic}): mend it, then try them again at "
        "/operator/messages."
    )


def transfers() -> str | None:
    """Money that came by bank transfer, and that nobody was given yet."""
    waiting = transfer_pages.count_waiting()
    if not waiting.count:
        return None
    return (
        f"Bank transfers wait for an operator: {waiting.to_confirm} to confirm, {waiting.parked} to decide. "
        "See /operator/bank-transfers."
    )


def _finding(name: str, question: Callable[[], str | None]) -> Finding:
    return Finding(name=name, fault=question())
