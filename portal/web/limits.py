"""Rate limits counted in the database: shared by all processes, alive after a restart.

Tries are counted in fixed windows (trust.md §5.5): for each network (the address, /64 for IPv6), for each
account (an e-mail or a person) from each network apart, and for the whole site. So a stranger uses up their
own share and never that of the account's owner. Those from all networks together that the account does not
know, since nobody signed in to it from there, are counted too: beyond an allowance each of these networks
becomes slow, and none is refused for what the others did (docs/adr/0019). PORTAL_LIMITS multiplies every
allowance.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import request

from portal.domain.errors import LimitReached
from portal.models import LimitBucket
from portal.runtime import current


@dataclass(frozen=True, slots=True)
class Allowance:
    tries: int
    window_seconds: int


MINUTE, HOUR, DAY = 60, 3600, 86400
NETWORK_KNOWN_FOR = timedelta(days=90)

PER_NETWORK: dict[str, tuple[Allowance, ...]] = {
    "sign_in": (Allowance(10, 5 * MINUTE),),
    "mail_link": (Allowance(10, HOUR),),
    "sign_up": (Allowance(10, HOUR),),
    "new_workspace": (Allowance(20, HOUR),),
    "nonprofit": (Allowance(10, HOUR),),
    "token": (Allowance(20, 5 * MINUTE),),
    "licence_key": (Allowance(20, 5 * MINUTE),),
    "payment": (Allowance(10, HOUR),),
    "csp_report": (Allowance(60, MINUTE),),
    "write": (Allowance(60, 10),),
}
PER_ACCOUNT_HERE: dict[str, tuple[Allowance, ...]] = {
    "sign_in": (Allowance(5, 5 * MINUTE), Allowance(20, DAY)),
    "mail_link": (Allowance(3, HOUR), Allowance(5, DAY)),
    "sign_up": (Allowance(3, HOUR),),
    "nonprofit": (Allowance(3, HOUR),),
}
"""Of what anybody may try in the name of an account: from each network apart."""
PER_ACCOUNT: dict[str, tuple[Allowance, ...]] = {
    "payment": (Allowance(3, 10 * MINUTE), Allowance(10, DAY)),
    "new_workspace": (Allowance(3, HOUR), Allowance(10, DAY)),
    "invite": (Allowance(20, DAY),),
    "contact": (Allowance(20, DAY),),
    "document": (Allowance(30, MINUTE),),
    "correction": (Allowance(20, HOUR),),
    "calendar": (Allowance(60, HOUR),),
    "write": (Allowance(30, 10),),
}
"""Of what only somebody who is signed in can do: from wherever they are."""
FROM_STRANGERS: dict[str, tuple[Allowance, ...]] = {
    "sign_in": (Allowance(100, DAY),),
    "mail_link": (Allowance(5, HOUR), Allowance(10, DAY)),
}
"""For an account, from all networks together that it does not know; beyond it they are slow."""
SLOW_HERE: dict[str, tuple[Allowance, ...]] = {
    "sign_in": (Allowance(1, 5 * MINUTE), Allowance(3, DAY)),
}
"""What is left to each of them then."""
PER_SITE: dict[str, tuple[Allowance, ...]] = {
    "sign_in": (Allowance(1000, 5 * MINUTE),),
    "mail_link": (Allowance(500, HOUR),),
}
"""From all networks that the account in question does not know."""


def count(limit: str, *, account: str | int | None = None) -> bool:
    """Count one try of `limit` and refuse it when an allowance is used up. Raises LimitReached.

    Returns whether strangers have tried so often that a mail need not be sent again while one that still
    works lies in the mailbox. The network comes first: one that is refused uses up nothing else.
    """
    network = network_of(request.remote_addr or "")
    _count(f"{limit}:network", network, PER_NETWORK.get(limit, ()))
    if account is None:
        return False
    here = _account_here(account, network)
    _count(f"{limit}:account-here", here, PER_ACCOUNT_HERE.get(limit, ()))
    _count(f"{limit}:account", str(account), PER_ACCOUNT.get(limit, ()))
    if limit not in FROM_STRANGERS or _is_known(here):
        return False
    _count(f"{limit}:site", "all", PER_SITE.get(limit, ()))
    is_slow = not _has_left(f"{limit}:strangers", str(account), FROM_STRANGERS[limit])
    if is_slow:
        _count(f"{limit}:slow", here, SLOW_HERE.get(limit, ()))
    return is_slow


def remember_network(account: str) -> None:
    """Somebody has just proved from this network that the account is theirs: it is no stranger's."""
    here = _account_here(account, network_of(request.remote_addr or ""))
    until = current().clock.wall() + NETWORK_KNOWN_FOR
    LimitBucket.insert(key=_key_of_known(here), tries=1, ends_at=until).on_conflict(
        conflict_target=[LimitBucket.key], update={LimitBucket.ends_at: until}
    ).execute()


def _is_known(here: str) -> bool:
    wall = current().clock.wall()
    known = LimitBucket.select().where(LimitBucket.key == _key_of_known(here), LimitBucket.ends_at > wall)
    return bool(known.exists())


def _key_of_known(here: str) -> str:
    return f"known-network:{_digest(here)}"


def _account_here(account: str | int, network: str) -> str:
    return f"{account} {network}"


def network_of(address: str) -> str:
    parsed = ip_address(address)
    if parsed is None:
        return address
    length = 64 if parsed.version == 6 else 32
    return str(ipaddress.ip_network(f"{parsed}/{length}", strict=False))


def ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address, IPv4 also where a dual socket writes `::ffff:192.0.2.1`; None for a file."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _count(scope: str, subject: str, allowances: tuple[Allowance, ...]) -> None:
    for allowance in allowances:
        tries, ends_at = _count_one(scope, subject, allowance)
        if tries > _most(allowance):
            wait = ends_at - current().clock.wall()
            raise LimitReached(retry_after_seconds=max(1, int(wait.total_seconds())))


def _has_left(scope: str, subject: str, allowances: tuple[Allowance, ...]) -> bool:
    """Count one try and say whether every allowance holds it."""
    counted = [(_count_one(scope, subject, allowance)[0], allowance) for allowance in allowances]
    return all(tries <= _most(allowance) for tries, allowance in counted)


def _most(allowance: Allowance) -> int:
    return allowance.tries * current().settings.limits_factor


def _count_one(scope: str, subject: str, allowance: Allowance) -> tuple[int, datetime]:
    """How many tries there are in this window, with this one, and when the window ends."""
    wall = current().clock.wall()
    window = int(wall.timestamp()) // allowance.window_seconds
    ends_at = datetime.fromtimestamp(0, tz=wall.tzinfo) + timedelta(
        seconds=(window + 1) * allowance.window_seconds
    )
    key = f"{scope}:{allowance.window_seconds}:{window}:{_digest(subject)}"
    query = (
        LimitBucket.insert(key=key, tries=1, ends_at=ends_at)
        .on_conflict(conflict_target=[LimitBucket.key], update={LimitBucket.tries: LimitBucket.tries + 1})
        .returning(LimitBucket.tries)
    )
    return next(iter(query.execute())).tries, ends_at


def _digest(subject: str) -> str:
    """Only a digest is kept: an address that merely tried is not ours to remember."""
    return hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:32]
