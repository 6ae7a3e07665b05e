"""`portal doctor`: what is wrong with the set-up, in plain words, each fault with its remedy."""

import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from peewee import fn

from portal import outbox
from portal.clock import Clock
from portal.database import connecting as database
from portal.database import migrating
from portal.documents.printable import FONTS_FOLDER
from portal.mail import sending as mail
from portal.models import OutboxMessage, Person, Price
from portal.settings import Settings
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
    yield _finding("data directory", lambda: data_directory(settings))
    yield _finding("secret key", lambda: secret_key(settings))
    yield _finding("fonts", fonts)
    yield _finding("translations", lambda: translations(settings))
    yield _finding("mail", lambda: mail_server(settings))
    yield _finding("queue", lambda: queue(settings))
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
        yield _finding("clock", lambda: machine_clock(clock.wall()))
        yield _finding("worker", lambda: worker(clock.wall()))


def data_directory(settings: Settings) -> str | None:
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=settings.data_dir).close()
    except OSError as error:
        return f"No file can be written in {settings.data_dir} ({error.strerror}): set PORTAL_DATA_DIR."
    return None


def secret_key(settings: Settings) -> str | None:
    path = settings.data_dir / "secret_key"
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        return f"Others can read {path}: run chmod 600 on it, and replace the key if they may have."
    return None


def fonts() -> str | None:
    try:
        import typst  # noqa: F401
    except ImportError:
        return "typst is not installed: no invoice can be printed."
    if not list(FONTS_FOLDER.glob("*.ttf")):
        return f"No fonts in {FONTS_FOLDER}: no invoice can be printed. Install Portal again."
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
    server = mail.smtp_server(settings.smtp_url)
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
        return f"Messages wait since {waiting_since:%Y-%m-%d %H:%M} UTC: start portal worker."
    return None


def _finding(name: str, question: Callable[[], str | None]) -> Finding:
    return Finding(name=name, fault=question())
