"""Environment → one frozen `Settings`. Every variable is read here, once, and nowhere else.

A missing or contradictory variable stops the start with one sentence that names it.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

KNOWN_GATEWAYS = ("sandbox",)
SESSION_BINDINGS = ("strict", "network", "off")
SHORTEST_SECRET_KEY = 32
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")


class SettingsError(Exception):
    """A variable that is missing, unreadable or contradicts another; the text names it."""


@dataclass(frozen=True, slots=True)
class SellerSettings:
    """The vendor, as printed on every document."""

    name: str
    address: tuple[str, ...]
    country: str
    vat_number: str
    iban: str
    bic: str
    time_zone: str


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
    sentry_dsn: str | None

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
    read = _Reader(os.environ if environ is None else environ)
    data_dir = Path(read.text("PORTAL_DATA_DIR", "var"))
    gateways = tuple(read.words("PORTAL_GATEWAYS", "sandbox"))
    for name in gateways:
        if name not in KNOWN_GATEWAYS:
            raise SettingsError(f"PORTAL_GATEWAYS names {name!r}; known are {', '.join(KNOWN_GATEWAYS)}.")
    if not gateways:
        raise SettingsError("PORTAL_GATEWAYS is empty: name at least one gateway.")
    database_url = read.text("PORTAL_DATABASE_URL", f"sqlite:///{data_dir / 'portal.sqlite'}")
    if not database_url.startswith(("sqlite:///", "postgresql://", "postgres://")):
        raise SettingsError("PORTAL_DATABASE_URL must start with sqlite:/// or postgresql://.")
    settings = Settings(
        database_url=database_url,
        queue_url=read.text("PORTAL_QUEUE_URL", _queue_beside(database_url)),
        base_url=read.text("PORTAL_BASE_URL", "http://127.0.0.1:8000").rstrip("/"),
        secret_key=read.text("PORTAL_SECRET_KEY", "") or _secret_key_file(data_dir),
        secret_key_fallbacks=tuple(read.words("PORTAL_SECRET_KEY_FALLBACKS", "")),
        trusted_proxies=read.number("PORTAL_TRUSTED_PROXIES", 0),
        session_binding=read.one_of("PORTAL_SESSION_BINDING", "strict", SESSION_BINDINGS),
        smtp_url=read.text("PORTAL_SMTP_URL", "") or None,
        mail_from=read.text("PORTAL_MAIL_FROM", "Portal <billing@portal.example>"),
        gateways=gateways,
        seller=_seller(read, is_demo=gateways == ("sandbox",)),
        clock_file=Path(read.text("PORTAL_CLOCK_FILE", str(data_dir / "clock.json"))),
        locales=tuple(read.words("PORTAL_LOCALES", "fr,en")),
        data_dir=data_dir,
        grace_days=read.number("PORTAL_GRACE_DAYS", 0),
        dunning_days=read.numbers("PORTAL_DUNNING_DAYS", "1,3,7,14"),
        limits_factor=read.number("PORTAL_LIMITS", 50 if gateways == ("sandbox",) else 1),
        lease_seconds=read.number("PORTAL_LEASE_SECONDS", 120),
        gateway_timeout_seconds=read.decimal("PORTAL_GATEWAY_TIMEOUT", 8.0),
        gateway_rate_per_second=read.number("PORTAL_GATEWAY_RATE", 20),
        gateway_run_share=read.decimal("PORTAL_GATEWAY_RUN_SHARE", 0.8),
        unchecked_vat_counts=read.one_of("PORTAL_UNCHECKED_VAT", "accept", ("accept", "charge")) == "accept",
        sentry_dsn=read.text("PORTAL_SENTRY_DSN", "") or None,
    )
    _refuse_contradictions(settings)
    return settings


def _refuse_contradictions(settings: Settings) -> None:
    if len(settings.secret_key) < SHORTEST_SECRET_KEY:
        raise SettingsError(f"PORTAL_SECRET_KEY is shorter than {SHORTEST_SECRET_KEY} characters.")
    if not settings.base_url.startswith(("http://", "https://")):
        raise SettingsError("PORTAL_BASE_URL must start with http:// or https://.")
    if not settings.is_https and not settings.is_loopback:
        raise SettingsError("PORTAL_BASE_URL must be https except on a loopback address.")
    unknown = set(settings.locales) - {"fr", "en"}
    if unknown or not settings.locales:
        raise SettingsError("PORTAL_LOCALES may name fr and en.")


def _seller(read: "_Reader", *, is_demo: bool) -> SellerSettings:
    """The sandbox has a make-believe seller; with real money every line must be set."""
    demo = {
        "PORTAL_SELLER_NAME": "Atelier Logiciel SAS",
        "PORTAL_SELLER_ADDRESS": "24 rue des Tanneurs\n69002 Lyon\nFrance",
        "PORTAL_SELLER_COUNTRY": "FR",
        "PORTAL_SELLER_VAT_NUMBER": "FR40303265045",
        "PORTAL_SELLER_IBAN": "FR7630006000011234567890189",
        "PORTAL_SELLER_BIC": "AGRIFRPP",
        "PORTAL_SELLER_TIME_ZONE": "Europe/Paris",
    }
    values = {}
    for name, value in demo.items():
        values[name] = read.text(name, value if is_demo else "")
        if not values[name]:
            raise SettingsError(f"{name} is missing: it is printed on every invoice.")
    return SellerSettings(
        name=values["PORTAL_SELLER_NAME"],
        address=tuple(values["PORTAL_SELLER_ADDRESS"].replace("\\n", "\n").split("\n")),
        country=values["PORTAL_SELLER_COUNTRY"].upper(),
        vat_number=values["PORTAL_SELLER_VAT_NUMBER"],
        iban=values["PORTAL_SELLER_IBAN"],
        bic=values["PORTAL_SELLER_BIC"],
        time_zone=values["PORTAL_SELLER_TIME_ZONE"],
    )


def _queue_beside(database_url: str) -> str:
    """Huey takes exclusive locks, so its SQLite file is never the application's own."""
    if database_url.startswith("sqlite:///"):
        return database_url.removesuffix(".sqlite") + "-queue.sqlite"
    return database_url


def _secret_key_file(data_dir: Path) -> str:
    """The key kept in the data directory, made readable by its owner only when it is not there yet."""
    path = data_dir / "secret_key"
    data_dir.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        key = secrets.token_urlsafe(48)
        file.write(key)
    return key


class _Reader:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def text(self, name: str, default: str) -> str:
        return self.environ.get(name, default).strip()

    def words(self, name: str, default: str) -> list[str]:
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def number(self, name: str, default: int) -> int:
        text = self.text(name, str(default))
        if not (text.isascii() and text.isdigit()):
            raise SettingsError(f"{name} must be a whole number, not {text!r}.")
        return int(text)

    def numbers(self, name: str, default: str) -> tuple[int, ...]:
        words = self.words(name, default)
        if not all(word.isascii() and word.isdigit() for word in words):
            raise SettingsError(f"{name} must be whole numbers with commas between them.")
        return tuple(int(word) for word in words)

    def decimal(self, name: str, default: float) -> float:
        text = self.text(name, str(default))
        try:
            return float(text)
        except ValueError:
            raise SettingsError(f"{name} must be a number, not {text!r}.") from None

    def one_of(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        text = self.text(name, default)
        if text not in choices:
            raise SettingsError(f"{name} must be one of {', '.join(choices)}, not {text!r}.")
        return text
