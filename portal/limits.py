"""Rate limits counted in the database: shared by all processes, alive after a restart.

A limit counts tries per account (an e-mail or a person), per network (the address, /64 for
IPv6) and for the whole site, each in fixed windows of its own (trust.md §5.5).
PORTAL_LIMITS multiplies every allowance.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import request

from .domain.errors import LimitReached
from .models import LimitBucket
from .runtime import current


@dataclass(frozen=True, slots=True)
class Allowance:
    tries: int
    window_seconds: int


MINUTE, HOUR, DAY = 60, 3600, 86400

PER_ACCOUNT: dict[str, tuple[Allowance, ...]] = {
    "sign_in": (Allowance(5, 5 * MINUTE), Allowance(20, DAY)),
    "mail_link": (Allowance(3, HOUR), Allowance(5, DAY)),
    "sign_up": (Allowance(3, HOUR),),
    "payment": (Allowance(3, 10 * MINUTE), Allowance(10, DAY)),
    "invite": (Allowance(20, DAY),),
    "document": (Allowance(30, MINUTE),),
    "write": (Allowance(30, 10),),
}
PER_NETWORK: dict[str, tuple[Allowance, ...]] = {
    "sign_in": (Allowance(10, 5 * MINUTE),),
    "mail_link": (Allowance(10, HOUR),),
    "sign_up": (Allowance(10, HOUR),),
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
    """Count one try of `limit` and refuse it when an allowance is used up. Raises LimitReached."""
    for scope, subject, allowances in (
        ("account", account, PER_ACCOUNT.get(limit, ())),
        ("network", network_of(request.remote_addr or ""), PER_NETWORK.get(limit, ())),
        ("site", "all", PER_SITE.get(limit, ())),
    ):
        if subject is None:
            continue
        for allowance in allowances:
            _count_one(f"{limit}:{scope}", str(subject), allowance)


def network_of(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network(f"{parsed}/64", strict=False)) if parsed.version == 6 else address


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
