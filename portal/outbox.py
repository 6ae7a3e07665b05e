"""Effects promised inside a transaction and kept after it, at least once each.

`publish` writes the promise beside the facts that caused it; `drain` leases one promise at a time,
calls its handler outside any transaction and writes down how that went. A worker that dies holding
a lease loses it, and another takes the promise over (docs/adr/0009-the-job-table-and-huey.md).
"""

import logging
import random
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TypeAlias, cast

from peewee import Case, ModelSelect

from portal.database.connecting import is_postgresql, postpone, require_transaction, transaction

from .database import rows
from .models import OutboxMessage

JSON: TypeAlias = "bool | int | str | list[JSON] | dict[str, JSON] | None"

FIRST_DELAY_SECONDS = 30
DELAY_FACTOR = 4
JITTER = 0.1
LONGEST_ERROR = 1000
SECRETS = "secrets"
SECRETS_WIPED = "secrets_wiped"
"""Marks a parked promise that can never be kept again: the link that it held is gone."""
TRIES_THAT_TELL = 5
"""After so many failed tries, about three quarters of an hour, an operator should know."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a promise of a topic is tried before it is parked, and how long it waits between at most.

    Thirty seconds after the first try, then four times longer each time, up to `longest_delay_seconds`.
    """

    most_tries: int
    longest_delay_seconds: int

    def delay_seconds(self, attempts: int) -> int:
        """Before the next try, after so many of them, at least one."""
        # Four to the 53rd fits no clock.
        grown = FIRST_DELAY_SECONDS * DELAY_FACTOR ** (min(attempts, 10) - 1)
        return min(self.longest_delay_seconds, grown)


PATIENCE = Patience(most_tries=8, longest_delay_seconds=34 * 3600 + 8 * 60)
"""The eighth try comes about 46 hours after the first."""
FOUR_DAYS = Patience(most_tries=53, longest_delay_seconds=2 * 3600)
PATIENCE_BY_TOPIC: Mapping[str, Patience] = {"mail": FOUR_DAYS, "check_vat_number": FOUR_DAYS}
"""A mail server or a register may be away for a long weekend: the last try comes 96 hours after the first."""
LONGEST_DELAY = timedelta(seconds=PATIENCE.longest_delay_seconds * (1 + JITTER))


class TopicAway(Exception):
    """Raised by a handler, from the fault: nothing of its topic can be kept for now, this promise or another.

    All that wait for the topic are put off together, so that one try stands for all of them, and are kept in
    the order in which they were promised once it answers again.
    """


log = logging.getLogger(__name__)
_promised: ContextVar[bool] = ContextVar("promised", default=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try of one promise, as its handler sees it."""

    message_id: int
    topic: str
    key: str
    payload: dict[str, JSON]
    attempt: int
    promised_at: datetime


Handler: TypeAlias = Callable[[Delivery], None]


@dataclass(frozen=True, slots=True)
class DrainReport:
    """How many tries ended how. A failed one comes again; a parked one waits for an operator."""

    delivered: int = 0
    failed: int = 0
    parked: int = 0


@dataclass(frozen=True, slots=True)
class FailingMessages:
    """Promises of one topic that fail for the same reason; `parked` of them wait for an operator."""

    topic: str
    last_error: str
    since: datetime
    ids: tuple[int, ...]
    parked: int

    @property
    def count(self) -> int:
        return len(self.ids)

    @property
    def group(self) -> str:
        """Names the group in a form; the same until its topic or reason changes."""
        return blake2b(f"{self.topic}\n{self.last_error}".encode(), digest_size=8).hexdigest()


def publish(
    topic: str, *, key: str, payload: dict[str, JSON], now: datetime, run_at: datetime | None = None
) -> None:
    """Promise an effect, in the caller's transaction if there is one.

    The same topic and key a second time is a no-op. `now` and `run_at` are the machine's time
    (`clock.wall()`). What stands under "secrets" in the payload, such as the address of a single-use link, is
    wiped once the promise is kept or parked.
    """
    message = OutboxMessage(topic=topic, key=key, payload=payload, run_at=run_at or now, created_at=now)
    postpone(_write, message)
    _promised.set(True)


def _write(messages: list[OutboxMessage]) -> None:
    rows.insert_all(messages, unless_known=("topic", "key"))


def take_promised() -> bool:
    """Whether this thread has published since it was last asked: somebody should wake the worker."""
    promised = _promised.get()
    _promised.set(False)
    return promised


def is_due(wall: datetime) -> bool:
    """Whether a promise waits that nobody is keeping. Reads only."""
    return bool(_due(wall).exists())


def oldest_due_at(wall: datetime) -> datetime | None:
    """Since when the longest waiting promise could have been kept; None when nothing waits."""
    oldest = _due(wall).first()
    return oldest.run_at if oldest else None


def count_failing(wall: datetime) -> int:
    """How many promises keep failing: parked, or tried five times and more. One query, over indexes alone."""
    parked, waiting = _failing(wall)
    return int((parked | waiting).count())


def failing(wall: datetime, *, most: int = 1000) -> list[FailingMessages]:
    """Those promises by topic and reason, the most numerous first; of a huge number the oldest `most`."""
    groups: dict[tuple[str, str], list[OutboxMessage]] = {}
    for query in _failing(wall):
        for message in query.order_by(OutboxMessage.id).limit(most):
            groups.setdefault((message.topic, message.last_error), []).append(message)
    found = [
        FailingMessages(
            topic=topic,
            last_error=reason,
            since=min(message.created_at for message in messages),
            ids=tuple(message.id for message in messages),
            parked=sum(message.parked_at is not None for message in messages),
        )
        for (topic, reason), messages in groups.items()
    ]
    return sorted(found, key=lambda each: (-each.count, each.since))


def try_again(ids: Sequence[int], *, wall: datetime) -> tuple[int, int]:
    """Make failing promises due now, but for those that are being kept at this moment.

    Returns how many, and how many were given up instead: the single-use link that they held was wiped, and
    its reader can ask for another.
    """
    require_transaction()
    free = OutboxMessage.done_at.is_null() & (
        OutboxMessage.lease_until.is_null() | (OutboxMessage.lease_until <= wall)
    )
    chosen = list(OutboxMessage.select().where(OutboxMessage.id << list(ids), free))
    lost = [message.id for message in chosen if message.payload.get(SECRETS_WIPED)]
    parked = [message.id for message in chosen if message.parked_at is not None and message.id not in lost]
    waiting = [message.id for message in chosen if message.parked_at is None]
    given_up = (
        OutboxMessage.update(done_at=wall, parked_at=None).where(OutboxMessage.id << lost, free).execute()
    )
    again = (
        OutboxMessage.update(parked_at=None, attempts=0, run_at=wall, held_at=None)
        .where(OutboxMessage.id << parked, free)
        .execute()
    )
    again += (
        OutboxMessage.update(run_at=wall, held_at=None).where(OutboxMessage.id << waiting, free).execute()
    )
    _promised.set(True)
    return again, given_up


def drain(
    *,
    wall: Callable[[], datetime],
    lease_seconds: int,
    handlers: Mapping[str, Handler],
    limit: int = 100,
    is_stopping: Callable[[], bool] = lambda: False,
) -> DrainReport:
    """Keep up to `limit` due promises, oldest first, one at a time. Any number of processes may drain.

    Each promise is leased alone, so `lease_seconds` need only cover the slowest single handler.
    """
    outcomes = {"delivered": 0, "failed": 0, "parked": 0}
    for _ in range(limit):
        message = None if is_stopping() else _claim(wall(), lease_seconds)
        if message is None:
            break
        outcome = _keep(message, wall, handlers)
        if outcome:
            outcomes[outcome] += 1
    return DrainReport(**outcomes)


def _due(wall: datetime) -> "ModelSelect[OutboxMessage]":
    return (
        OutboxMessage.select()
        .where(
            OutboxMessage.done_at.is_null(),
            OutboxMessage.parked_at.is_null(),
            OutboxMessage.run_at <= wall,
            OutboxMessage.lease_until.is_null() | (OutboxMessage.lease_until <= wall),
        )
        .order_by(OutboxMessage.run_at, OutboxMessage.id)
    )


def _failing(wall: datetime) -> "tuple[ModelSelect[OutboxMessage], ModelSelect[OutboxMessage]]":
    """The parked ones, and those that wait for a later try."""
    parked = OutboxMessage.select().where(OutboxMessage.parked_at.is_null(False))
    waiting = OutboxMessage.select().where(
        OutboxMessage.done_at.is_null(),
        OutboxMessage.parked_at.is_null(),
        OutboxMessage.run_at <= wall + LONGEST_DELAY,
        OutboxMessage.attempts >= TRIES_THAT_TELL,
        OutboxMessage.last_error != "",
    )
    return parked, waiting


def _claim(wall: datetime, lease_seconds: int) -> OutboxMessage | None:
    """Lease the oldest due promise and count the try, or None."""
    if not is_due(wall):
        # An idle worker must not take SQLite's only write lock every second.
        return None
    with transaction():
        message = _oldest_due(wall)
        while message is not None and _joins_those_held(message, wall):
            message = _oldest_due(wall)
        if message is None:
            return None
        claimed = (
            OutboxMessage.update(
                lease_until=wall + timedelta(seconds=lease_seconds), attempts=OutboxMessage.attempts + 1
            )
            .where(OutboxMessage.id == message.id)
            .returning(OutboxMessage)
        )
        [message] = claimed.execute()
        return message


def _oldest_due(wall: datetime) -> OutboxMessage | None:
    """Locked where rows can be; one that another process has is passed over."""
    due = _due(wall)
    found = (due.for_update(skip_locked=True) if is_postgresql() else due).first()
    return cast("OutboxMessage | None", found)


def _joins_those_held(message: OutboxMessage, wall: datetime) -> bool:
    """Put what was promised while its topic was away among those that wait for it: none comes before them."""
    if message.held_at is not None:
        return False
    held = (
        OutboxMessage.select(OutboxMessage.run_at)
        .where(OutboxMessage.topic == message.topic, OutboxMessage.held_at.is_null(False))
        .order_by(OutboxMessage.run_at.desc())
        .first()
    )
    if held is None:
        return False
    OutboxMessage.update(run_at=held.run_at, held_at=wall).where(OutboxMessage.id == message.id).execute()
    return True


def _keep(
    message: OutboxMessage, wall: Callable[[], datetime], handlers: Mapping[str, Handler]
) -> str | None:
    """Run the handler once and write down the outcome; None when the lease was lost meanwhile."""
    patience = PATIENCE_BY_TOPIC.get(message.topic, PATIENCE)
    if message.attempts > patience.most_tries:
        return _park(
            message, wall(), "every try ended without an answer: the worker died or the lease was too short"
        )
    try:
        handlers[message.topic](
            Delivery(
                message_id=message.id,
                topic=message.topic,
                key=message.key,
                payload=message.payload,
                attempt=message.attempts,
                promised_at=message.created_at,
            )
        )
    except Exception as error:  # noqa: BLE001
        # The boundary: a handler's fault must not keep the other promises waiting.
        is_away = isinstance(error, TopicAway)
        reason = _reason(error.__cause__ if is_away and error.__cause__ else error)
        # The text of an error may hold an address; the operator reads it in the row, not in the log.
        log.warning(
            "outbox %s %s: try %d failed with %s",
            message.id,
            message.topic,
            message.attempts,
            type(error).__name__,
        )
        if message.attempts >= patience.most_tries:
            return _park(message, wall(), reason)
        now = wall()
        delay_seconds = patience.delay_seconds(message.attempts) * (1 + JITTER * random.random())  # noqa: S311
        run_at = now + timedelta(seconds=delay_seconds)
        if is_away:
            return _hold(message, now, run_at, reason)
        return _settle(message, "failed", run_at=run_at, held_at=None, last_error=reason)
    return _settle(
        message,
        "delivered",
        done_at=wall(),
        held_at=None,
        last_error="",
        payload=_without_secrets(message.payload),
    )


def _hold(message: OutboxMessage, now: datetime, run_at: datetime, reason: str) -> str | None:
    """The try was for all that wait for the topic: each counts it, and all are due together again.

    Each still has a last try of its own. One that another process is keeping at this moment is left to it.
    """
    outcome = _settle(message, "failed", run_at=run_at, held_at=now, last_error=reason)
    if outcome:
        last_but_one = PATIENCE_BY_TOPIC.get(message.topic, PATIENCE).most_tries - 1
        attempts = OutboxMessage.attempts
        OutboxMessage.update(
            run_at=run_at,
            held_at=now,
            last_error=reason,
            attempts=Case(None, [(attempts < last_but_one, attempts + 1)], attempts),
        ).where(
            OutboxMessage.topic == message.topic,
            OutboxMessage.done_at.is_null(),
            OutboxMessage.parked_at.is_null(),
            OutboxMessage.id != message.id,
            OutboxMessage.run_at <= run_at,
            OutboxMessage.lease_until.is_null() | (OutboxMessage.lease_until <= now),
        ).execute()
    return outcome


def _park(message: OutboxMessage, wall: datetime, reason: str) -> str | None:
    log.error("outbox %s %s: parked after %d tries", message.id, message.topic, message.attempts)
    payload = _without_secrets(message.payload)
    if SECRETS in message.payload:
        payload[SECRETS_WIPED] = True
    return _settle(message, "parked", parked_at=wall, held_at=None, last_error=reason, payload=payload)


def _settle(message: OutboxMessage, outcome: str, **columns: object) -> str | None:
    """Write the outcome, if the lease is still the one that this worker took."""
    settled = (
        OutboxMessage.update(lease_until=None, **columns)
        .where(
            OutboxMessage.id == message.id,
            OutboxMessage.lease_until == message.lease_until,
            OutboxMessage.attempts == message.attempts,
        )
        .execute()
    )
    if settled:
        return outcome
    log.warning("outbox %s %s: %s, but the lease had passed to another", message.id, message.topic, outcome)
    return None


def _without_secrets(payload: dict[str, JSON]) -> dict[str, JSON]:
    return {name: value for name, value in payload.items() if name != SECRETS}


def _reason(error: BaseException) -> str:
    text = f"{type(error).__name__}: {error}".replace("\x00", "")
    return text.encode("utf-8", "replace").decode()[:LONGEST_ERROR]
