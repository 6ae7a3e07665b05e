"""How fast requests may leave for one endpoint of a gateway, counted for all processes together.

A row holds the moment at which the next request may leave. Whoever wants to send some takes a stretch of
that timeline in one short transaction and sends each at its own moment, so that no second holds more than the
rate allows, however many processes run and however often they are killed.
"""

from datetime import datetime

from portal.database.connecting import is_postgresql, transaction
from portal.models import GatewayPace

SLOW_SECONDS = 60
SLOW_FACTOR = 2
"""After "too many requests" all processes send at half the pace for a minute."""

MICROSECOND = 1_000_000


def take_turns(name: str, *, count: int, per_second: float, wall: datetime) -> list[float]:
    """Moments (seconds since 1970, the machine's time) at which `count` requests may leave, in order."""
    now_us = round(wall.timestamp() * MICROSECOND)
    with transaction():
        pace = _row(name)
        slowed = SLOW_FACTOR if now_us < pace.slow_until_us else 1
        step_us = round(MICROSECOND * slowed / per_second)
        first_us = max(now_us, pace.free_at_us)
        pace.free_at_us = first_us + count * step_us
        pace.save(only=[GatewayPace.free_at_us])
    return [(first_us + turn * step_us) / MICROSECOND for turn in range(count)]


def slow_down(name: str, *, seconds: float, wall: datetime) -> None:
    """The gateway said "too many requests": nothing leaves for `seconds`, then it all leaves more slowly."""
    resume_us = round((wall.timestamp() + seconds) * MICROSECOND)
    with transaction():
        pace = _row(name)
        pace.free_at_us = max(pace.free_at_us, resume_us)
        pace.slow_until_us = max(pace.slow_until_us, resume_us + SLOW_SECONDS * MICROSECOND)
        pace.save(only=[GatewayPace.free_at_us, GatewayPace.slow_until_us])


def _row(name: str) -> GatewayPace:
    """The row of that name, held until the transaction ends."""
    GatewayPace.insert(name=name).on_conflict_ignore().execute()
    query = GatewayPace.select().where(GatewayPace.name == name)
    return (query.for_update() if is_postgresql() else query).get()
