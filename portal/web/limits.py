"""Rate limits counted in the database: shared by all processes, alive after a restart.

A limit counts tries per network (the address, /64 for IPv6), per account (an e-mail or a person) and
for the whole site, each in fixed windows of its own (trust.md §5.5). What an account is allowed in a day
is counted for each network apart: nobody elsewhere can use up the day of the account's owner.
PORTAL_LIMITS multiplies every allowance.
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

PER_ACCOUNT_HERE: dict[str, tuple[Allowance, ...]] = {
    "sign_in": (Allowance(20, DAY),),
}
PER_ACCOUNT: dict[str, tuple[Allowance, ...]] = {
    "sign_in": (Allowance(5, 5 * MINUTE), Allowance(100, DAY)),
    "mail_link": (Allowance(3, HOUR), Allowance(5, DAY)),
    "sign_up": (Allowance(3, HOUR),),
    "nonprofit": (Allowance(3, HOUR),),
    "payment": (Allowance(3, 10 * MINUTE), Allowance(10, DAY)),
    "invite": (Allowance(20, DAY),),
    "document": (Allowance(30, MINUTE),),
    "write": (Allowance(30, 10),),
}
PER_NETWORK: dict[str, tuple[Allowance, ...]] = {
    "sign_in": (Allowance(10, 5 * MINUTE),),
    "mail_link": (Allowance(10, HOUR),),
    "sign_up": (Allowance(10, HOUR),),
    "nonprofit": (Allowance(10, HOUR),),
    "token": (Allowance(20, 5 * MINUTE),),
    "payment": (Allowance(10, HOUR),),
    "csp_report": (Allowance(60, MINUTE),),
    "write": (Allowance(60, 10),),
}
PER_SITE: dict[str, tuple[Allowance, ...]] = {
    "sign_in": (Allowance(1000, 5 * MINUTE),),
    "mail_link": (Allowance(500, HOUR),),
}


def count(limit: str, *, account: str | int | None = None) -> None:
    """Count one try of `limit` and refuse it when an allowance is used up. Raises LimitReached.

    The network comes first: one that is refused no longer uses up what an account is allowed.
    """
    network = network_of(request.remote_addr or "")
    for scope, subject, allowances in (
        ("network", network, PER_NETWORK.get(limit, ())),
        ("account-here", account and f"{account} {network}", PER_ACCOUNT_HERE.get(limit, ())),
        ("account", account, PER_ACCOUNT.get(limit, ())),
        ("site", "all", PER_SITE.get(limit, ())),
    ):
        if subject is None:
            continue
        for allowance in allowances:
            _count_one(f"{limit}:{scope}", str(subject), allowance)


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


def _count_one(scope: str, subject: str, allowance: Allowance) -> None:
    wall = current().clock.wall()
    window = int(wall.timestamp()) // allowance.window_seconds
    ends_at = datetime.fromtimestamp(0, tz=wall.tzinfo) + timedelta(
        seconds=(window + 1) * allowance.window_seconds
    )
    # Only a digest is kept: an address that merely tried is not ours to remember.
    digest = hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    key = f"{scope}:{allowance.window_seconds}:{window}:{digest}"
    query = (
        LimitBucket.insert(key=key, tries=1, ends_at=ends_at)
        .on_conflict(conflict_target=[LimitBucket.key], update={LimitBucket.tries: LimitBucket.tries + 1})
        .returning(LimitBucket.tries)
    )
    tries = next(iter(query.execute())).tries
    if tries > allowance.tries * current().settings.limits_factor:
        raise LimitReached(retry_after_seconds=max(1, int((ends_at - wall).total_seconds())))
