"""Addresses among the settings: of the site, the database, the queue, the mail server, the sender.

Each is judged by its text alone; whether somebody answers there is `portal doctor`'s question.
"""

import re
from dataclasses import dataclass
from email.utils import getaddresses
from ipaddress import IPv4Address, ip_address
from urllib.parse import SplitResult, unquote, urlsplit

from .values import SettingsError, shown

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]", "::1")
DEFAULT_PORTS = {"http": 80, "https": 443}
SMTP_PORTS = {"smtp": 25, "starttls": 587, "smtps": 465}
SQLITE = "sqlite:///"
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")
MAILBOX = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
LONGEST_BOUNCE_MAILBOX = 27
SENTRY_PATH = re.compile(r"/([^/]+/)*[0-9]+")


# --- the site -------------------------------------------------------------------------------------


def base_url(name: str, text: str) -> str:
    """`https://billing.example.com`: small letters, no default port, no slash at the end.

    The host is compared with what browsers send, so it is kept as they send it.
    """
    parts = split_url(name, text, example="https://billing.example.com")
    if parts.scheme not in DEFAULT_PORTS:
        raise SettingsError(f"{name} must start with http:// or https://, not {shown(text)}.")
    if "@" in parts.netloc:
        raise SettingsError(f"{name} must not have a user or password in it.")
    if "?" in text or "#" in text:
        raise SettingsError(f"{name} must end after the host, without ? or #.")
    if parts.path.strip("/"):
        raise SettingsError(
            f"{name} must end after the host, not with {shown(parts.path)}: Portal needs a host of its own."
        )
    host = require_host(name, parts)
    port = f":{parts.port}" if parts.port and parts.port != DEFAULT_PORTS[parts.scheme] else ""
    if parts.scheme == "http" and host not in LOOPBACK_HOSTS:
        raise SettingsError(f"{name} must be https except on a loopback address such as 127.0.0.1.")
    return f"{parts.scheme}://{host}{port}"


# --- the database and the queue -------------------------------------------------------------------


def database_url(name: str, text: str) -> str:
    parts = split_url(name, text, example="postgresql://portal:password@127.0.0.1/portal")
    if text.startswith(SQLITE):
        require_sqlite_file(name, text)
    elif parts.scheme in ("postgresql", "postgres"):
        require_postgresql(name, text, parts)
    else:
        raise SettingsError(f"{name} must start with sqlite:/// or postgresql://.")
    return text


def queue_url(name: str, text: str) -> str:
    parts = split_url(name, text, example="redis://127.0.0.1:6379/0")
    if text.startswith(SQLITE):
        require_sqlite_file(name, text)
    elif parts.scheme in ("postgresql", "postgres"):
        require_postgresql(name, text, parts)
    elif parts.scheme in ("redis", "rediss"):
        require_host(name, parts)
        if not re.fullmatch(r"/?|/[0-9]{1,5}", parts.path, re.ASCII):
            raise SettingsError(f"{name} must end with the number of a Redis database, such as /0.")
        if parts.query:
            require_redis_options(name, text)
    else:
        raise SettingsError(f"{name} must start with sqlite:///, postgresql:// or redis://.")
    return text


def require_sqlite_file(name: str, url: str) -> None:
    path = url.removeprefix(SQLITE)
    if not path or path.endswith("/") or path == ":memory:":
        raise SettingsError(f"{name} must name a file after sqlite:///, such as sqlite:///var/portal.sqlite.")
    if re.search(r"[?#%]", path):
        raise SettingsError(f"{name} must be a plain path after sqlite:///, without ?, # or %.")


def require_postgresql(name: str, text: str, parts: SplitResult) -> None:
    if not parts.path.strip("/") or "/" in parts.path[1:]:
        raise SettingsError(
            f"{name} must name the database after the host, such as postgresql://host/portal."
        )
    if parts.hostname is None and (parts.username or parts.port):
        raise SettingsError(f"{name} names a user or a port but no host.")
    if parts.hostname is not None:
        require_host(name, parts)
    if parts.query:
        require_postgresql_options(name, text)


def require_postgresql_options(name: str, text: str) -> None:
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(text)
    except ProgrammingError:
        raise SettingsError(
            f"{name} has an option after ? that PostgreSQL does not know; one looks like ?sslmode=require."
        ) from None


def require_redis_options(name: str, text: str) -> None:
    from redis import ConnectionPool

    try:
        ConnectionPool.from_url(text).make_connection()
    except (TypeError, ValueError):
        raise SettingsError(
            f"{name} has an option after ? that Redis does not know; one looks like ?socket_timeout=5."
        ) from None


# --- mail -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mail is handed over: `smtp` (plain), `starttls` or `smtps`."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str


def smtp_server(text: str, *, name: str = "PORTAL_SMTP_URL") -> SmtpServer:
    """The server that `scheme://user:password@host:port` names. Raises SettingsError."""
    example = "starttls://user:password@mail.example.com:587"
    parts = split_url(name, text, example=example)
    if parts.scheme not in SMTP_PORTS or not parts.hostname:
        raise SettingsError(f"{name} must look like smtp://, starttls:// or smtps://user:password@host:port.")
    if parts.path.strip("/") or "?" in text or "#" in text:
        raise SettingsError(
            f"{name} must end after the host and the port; in a password write / as %2F, ? as %3F, # as %23."
        )
    host = require_host(name, parts)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if bool(user) != bool(password):
        raise SettingsError(f"{name} must have both a user and a password, or neither, such as {example}.")
    if not (user + password).isascii():
        raise SettingsError(f"{name} has a user or password with letters that SMTP cannot send.")
    if parts.scheme == "smtp" and user and host not in LOOPBACK_HOSTS:
        raise SettingsError(f"{name} would send its password in the clear: use starttls:// or smtps://.")
    return SmtpServer(
        scheme=parts.scheme,
        host=host.strip("[]"),
        port=parts.port or SMTP_PORTS[parts.scheme],
        user=user or None,
        password=password,
    )


def sender(name: str, text: str) -> str:
    """`Example Billing <billing@example.com>` or the address alone."""
    found = getaddresses([text])
    display_name, address = found[0] if len(found) == 1 else ("", "")
    local, _at, domain = address.rpartition("@")
    ascii_domain = _in_ascii(domain)
    if not MAILBOX.fullmatch(local) or not HOST_NAME.fullmatch(ascii_domain):
        raise SettingsError(
            f"{name} must be one e-mail address, such as Example Billing <billing@example.com>, "
            f"not {shown(text)}."
        )
    if domain.isascii():
        return text
    # Loading the grammar of headers takes half a megabyte.
    from email.headerregistry import Address

    return str(Address(display_name, local, ascii_domain))


def bounce_address(name: str, text: str) -> str:
    """`bounces@example.com`, in small letters; short, since what is added before the @ leaves 64 in all."""
    local, _at, domain = text.rpartition("@")
    domain = _in_ascii(domain)
    if not MAILBOX.fullmatch(local) or "+" in local or not HOST_NAME.fullmatch(domain):
        raise SettingsError(
            f"{name} must be an e-mail address without a name and without a + in it, such as "
            f"bounces@example.com, not {shown(text)}."
        )
    if len(local) > LONGEST_BOUNCE_MAILBOX:
        raise SettingsError(f"{name} must have at most {LONGEST_BOUNCE_MAILBOX} characters before the @.")
    return f"{local}@{domain}".lower()


# --- elsewhere ------------------------------------------------------------------------------------


def asked_url(name: str, text: str) -> str:
    """Of somebody else's service that Portal asks: https outside this machine, without a name or a query."""
    parts = split_url(
        name, text, example="https://ec.europa.eu/taxation_customs/vies/rest-api/check-vat-number"
    )
    host = require_host(name, parts)
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK_HOSTS):
        raise SettingsError(f"{name} must be https except on a loopback address such as 127.0.0.1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise SettingsError(f"{name} must be an address without a user, a query or a fragment.")
    return text


def sentry_dsn(name: str, text: str) -> str:
    example = "https://key@errors.example.com/1"
    parts = split_url(name, text, example=example)
    if parts.scheme not in DEFAULT_PORTS or not parts.username or not SENTRY_PATH.fullmatch(parts.path):
        raise SettingsError(f"{name} must look like {example}.")
    require_host(name, parts)
    return text


def split_url(name: str, text: str, *, example: str) -> SplitResult:
    """The parts of a URL whose port is one. A password may stand in it, so it is never shown."""
    try:
        parts = urlsplit(text)
        is_readable = parts.port != 0
    except ValueError:
        is_readable = False
    if not is_readable:
        raise SettingsError(f"{name} must be an address like {example}, with a port from 1 to 65535.")
    if re.search(r"\s", text):
        raise SettingsError(f"{name} must be an address like {example}, without blanks.")
    return parts


def require_host(name: str, parts: SplitResult) -> str:
    """The host in small letters, an IPv6 address in its brackets."""
    host = parts.hostname or ""
    if ":" in host:
        try:
            return f"[{ip_address(host)}]"
        except ValueError:
            host = ""
    if not host.isascii():
        raise SettingsError(f"{name} must write its host as browsers send it, {_in_ascii(host)}.")
    if HOST_NAME.fullmatch(host) and not (host.rpartition(".")[2].isdigit() and not _is_ipv4(host)):
        return host
    raise SettingsError(f"{name} must name a host after ://, such as billing.example.com.")


def _in_ascii(host: str) -> str:
    """As it stands in the domain name system; empty for what cannot stand there."""
    try:
        # Loading the codec takes a while.
        return host.lower() if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return ""


def _is_ipv4(host: str) -> bool:
    try:
        return bool(IPv4Address(host))
    except ValueError:
        return False
