"""Environment → one frozen `Settings`. Every variable is read here, once, and nowhere else.

A variable that is missing, nonsense or contradicts another stops the start with one sentence that names it
and says what would be right: money is only taken by an installation that can finish what follows.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from . import addresses, files
from .addresses import LOOPBACK_HOSTS, SQLITE, SmtpServer, smtp_server
from .brand import OUR_ACCENT, Brand, Logo, read_brand
from .files import make_data_dir, open_to_others
from .seller import DEMO, SellerSettings, read_seller, zone
from .values import Reader, SettingsError

__all__ = [
    "LOOPBACK_HOSTS",
    "OUR_ACCENT",
    "Brand",
    "Logo",
    "SellerSettings",
    "Settings",
    "SettingsError",
    "SmtpServer",
    "known_variables",
    "make_data_dir",
    "open_to_others",
    "read_settings",
    "seller_zone",
    "smtp_server",
    "sqlite_file",
]

KNOWN_GATEWAYS = ("sandbox",)
KNOWN_LOCALES = ("fr", "en")
SESSION_BINDINGS = ("strict", "network", "off")
LONGEST_GRACE_DAYS = 90
LONGEST_DUNNING_DAYS = 60
LONGEST_GATEWAY_SECONDS = 50
"""Less than the minute after which the server ends a request."""
SHORTEST_LEASE_SECONDS = 30
"""Longer than a mail server may take; a shorter lease would send letters twice."""


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str
    queue_url: str
    base_url: str
    secret_key: str
    secret_key_fallbacks: tuple[str, ...]
    trusted_proxies: int
    session_binding: str
    smtp_url: str | None
    mail_from: str
    bounce_address: str | None
    gateways: tuple[str, ...]
    seller: SellerSettings
    clock_file: Path
    locales: tuple[str, ...]
    data_dir: Path
    grace_days: int
    dunning_days: tuple[int, ...]
    limits_factor: int
    lease_seconds: int
    gateway_timeout_seconds: float
    gateway_rate_per_second: int
    gateway_run_share: float
    unchecked_vat_counts: bool
    vies_url: str | None
    sentry_dsn: str | None
    brand: Brand

    @property
    def sandbox_only(self) -> bool:
        """True where no real money can move: the clock may then be moved and cards are make-believe."""
        return self.gateways == ("sandbox",)

    @property
    def is_https(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def is_loopback(self) -> bool:
        return urlsplit(self.base_url).hostname in LOOPBACK_HOSTS

    @property
    def development(self) -> bool:
        """A run on one's own machine without real money; serves the page of components."""
        return self.sandbox_only and self.is_loopback


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `environ` (the process's own by default). Raises SettingsError."""
    return _read(Reader(os.environ if environ is None else environ))


def _read(read: Reader) -> Settings:
    data_dir = files.folder("PORTAL_DATA_DIR", read.text("PORTAL_DATA_DIR", "var"))
    gateways = read.words_of("PORTAL_GATEWAYS", "sandbox", KNOWN_GATEWAYS)
    is_demo = gateways == ("sandbox",)
    database_url = addresses.database_url(
        "PORTAL_DATABASE_URL", read.text("PORTAL_DATABASE_URL", f"{SQLITE}{data_dir / 'portal.sqlite'}")
    )
    queue_url = addresses.queue_url(
        "PORTAL_QUEUE_URL", read.text("PORTAL_QUEUE_URL", _queue_beside(database_url))
    )
    for name, url in (("PORTAL_DATABASE_URL", database_url), ("PORTAL_QUEUE_URL", queue_url)):
        if path := sqlite_file(url):
            files.file(name, str(path))
    if sqlite_file(database_url) and sqlite_file(database_url) == sqlite_file(queue_url):
        raise SettingsError("PORTAL_QUEUE_URL must name another file than PORTAL_DATABASE_URL.")
    settings = Settings(
        database_url=database_url,
        queue_url=queue_url,
        base_url=addresses.base_url("PORTAL_BASE_URL", read.text("PORTAL_BASE_URL", "http://127.0.0.1:8000")),
        secret_key=_secret_key(read, data_dir),
        secret_key_fallbacks=_earlier_keys(read),
        trusted_proxies=read.number("PORTAL_TRUSTED_PROXIES", 0, least=0, most=10),
        session_binding=read.one_of("PORTAL_SESSION_BINDING", "strict", SESSION_BINDINGS),
        smtp_url=_smtp_url(read),
        mail_from=addresses.sender(
            "PORTAL_MAIL_FROM", read.line("PORTAL_MAIL_FROM", "Portal <billing@portal.example>")
        ),
        bounce_address=_bounce_address(read),
        gateways=gateways,
        seller=read_seller(read, is_demo=is_demo),
        clock_file=files.file(
            "PORTAL_CLOCK_FILE", read.text("PORTAL_CLOCK_FILE", str(data_dir / "clock.json"))
        ),
        locales=read.words_of("PORTAL_LOCALES", "fr,en", KNOWN_LOCALES),
        data_dir=data_dir,
        grace_days=read.number("PORTAL_GRACE_DAYS", 0, least=0, most=LONGEST_GRACE_DAYS),
        dunning_days=read.rising_days("PORTAL_DUNNING_DAYS", "1,3,7,14", most=LONGEST_DUNNING_DAYS),
        limits_factor=read.number("PORTAL_LIMITS", 50 if is_demo else 1, least=1, most=1_000_000),
        lease_seconds=read.number("PORTAL_LEASE_SECONDS", 120, least=SHORTEST_LEASE_SECONDS, most=3600),
        gateway_timeout_seconds=read.decimal(
            "PORTAL_GATEWAY_TIMEOUT", 8.0, least=0.1, most=LONGEST_GATEWAY_SECONDS
        ),
        gateway_rate_per_second=read.number("PORTAL_GATEWAY_RATE", 20, least=1, most=1_000_000),
        gateway_run_share=read.decimal("PORTAL_GATEWAY_RUN_SHARE", 0.8, least=0.05, most=1),
        unchecked_vat_counts=read.one_of("PORTAL_UNCHECKED_VAT", "accept", ("accept", "charge")) == "accept",
        vies_url=_vies_url(read),
        sentry_dsn=_sentry_dsn(read),
        brand=read_brand(read),
    )
    _refuse_contradictions(settings)
    return settings


def _refuse_contradictions(settings: Settings) -> None:
    if settings.secret_key in settings.secret_key_fallbacks:
        raise SettingsError("PORTAL_SECRET_KEY_FALLBACKS names the present key: it lists earlier ones only.")
    if settings.clock_file in (sqlite_file(settings.database_url), sqlite_file(settings.queue_url)):
        raise SettingsError("PORTAL_CLOCK_FILE must be a file of its own, not a database.")
    if settings.lease_seconds <= settings.gateway_timeout_seconds:
        raise SettingsError("PORTAL_LEASE_SECONDS must be longer than PORTAL_GATEWAY_TIMEOUT.")


def seller_zone() -> ZoneInfo:
    """Whose day says what is on sale, for a command that needs no other setting. Raises SettingsError."""
    name = "PORTAL_SELLER_TIME_ZONE"
    return zone(name, Reader(os.environ).line(name, DEMO[name]))


def known_variables(environ: Mapping[str, str]) -> set[str]:
    """The names of all variables that are read. Raises SettingsError."""
    read = Reader(environ)
    _read(read)
    return read.names


def sqlite_file(url: str) -> Path | None:
    """The file of a sqlite:/// URL; None for another one."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def _secret_key(read: Reader, data_dir: Path) -> str:
    given = read.text("PORTAL_SECRET_KEY", "")
    return files.secret_key("PORTAL_SECRET_KEY", given) if given else files.kept_secret_key(data_dir)


def _earlier_keys(read: Reader) -> tuple[str, ...]:
    name = "PORTAL_SECRET_KEY_FALLBACKS"
    return tuple(files.secret_key(name, key) for key in read.words(name, ""))


def _smtp_url(read: Reader) -> str | None:
    url = read.text("PORTAL_SMTP_URL", "")
    if url:
        smtp_server(url)
    return url or None


def _bounce_address(read: Reader) -> str | None:
    address = read.line("PORTAL_BOUNCE_ADDRESS", "")
    return addresses.bounce_address("PORTAL_BOUNCE_ADDRESS", address) if address else None


def _vies_url(read: Reader) -> str | None:
    url = read.text("PORTAL_VIES_URL", "")
    return addresses.asked_url("PORTAL_VIES_URL", url) if url else None


def _sentry_dsn(read: Reader) -> str | None:
    dsn = read.text("PORTAL_SENTRY_DSN", "")
    return addresses.sentry_dsn("PORTAL_SENTRY_DSN", dsn) if dsn else None


def _queue_beside(database_url: str) -> str:
    """Huey takes exclusive locks, so its SQLite file is never the application's own."""
    if database_url.startswith(SQLITE):
        return database_url.removesuffix(".sqlite") + "-queue.sqlite"
    return database_url
