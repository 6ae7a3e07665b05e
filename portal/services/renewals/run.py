"""Everything that is due at a moment, in one run that may be repeated, doubled or missed.

Subscriptions are looked at in batches, each in one commit that also records the intents to charge. The
gateway is then asked by many threads at the pace that all processes share, with no transaction open, and the
answers are written a batch at a time. What a killed run leaves is an intent, and an intent is looked up.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta

from peewee import ModelSelect, fn

from portal.database.connecting import is_postgresql, transaction
from portal.database.prepared import Parameter, Prepared
from portal.database.rows import one_of
from portal.domain.timeline import Act
from portal.gateways.base import Outcome, RateLimited, ResultUnknown
from portal.models import Payment, Subscription, Workspace
from portal.runtime import current
from portal.services import request_ends
from portal.services.billing import digests
from portal.services.payments import charging, disputes, expiring, method_setups, on_account, pace, refunds
from portal.services.payments.waiting import may_have_been_looked_up
from portal.services.subscriptions import agreement
from portal.services.upkeep import housekeeping

from . import one_subscription
from .facts import read_facts

BATCH = 100
THREADS = 48
ANSWERS_AT_ONCE = 100
MOST_WAITING = 400
LONGEST_QUEUE_SECONDS = 10
PATIENCE_SECONDS = 0.25
AFTER_A_FAULT = timedelta(hours=1)

Progress = Callable[[int], None]

log = logging.getLogger(__name__)


def run_due(
    *,
    now: datetime,
    limit: int | None = None,
    progress: Progress = lambda done: None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> dict[str, int]:
    """Settle what can be settled at `now`, looking at no more than `limit` subscriptions. Counts by name.

    Safe to run twice, at once, and after any absence. `progress` is told how many were looked at since the
    last time.
    """
    counts: Counter[str] = Counter()
    # Before anything is charged: a dispute stops its method.
    counts["disputes_told"] += disputes.read_events(now=now)
    looked_up = charging.look_up_due(limit=limit or MOST_WAITING, now=now)
    counts["payments_looked_up"] += looked_up.asked
    counts["payments_settled"] += looked_up.settled
    counts["payments_given_up"] += charging.give_up_abandoned(limit=limit or MOST_WAITING, now=now)
    setups = method_setups.look_up_due_setups(limit=limit or MOST_WAITING, now=now)
    counts["method_setups_settled"] += setups.settled
    counts["refunds_settled"] += refunds.look_up_due_refunds(limit=limit or MOST_WAITING, now=now).settled
    counts["invoices_reminded"] += on_account.remind_due(limit=limit or MOST_WAITING, now=now)
    counts["expiring_methods_told"] += expiring.tell_due(limit=limit or MOST_WAITING, now=now)
    counts["requests_expired"] += request_ends.expire_due(limit=limit or MOST_WAITING, now=now)
    counts["change_notices_mailed"] += digests.send_due(limit=limit or MOST_WAITING, now=now)
    with _Charges() as charges:
        left = limit
        while True:
            looked = 0
            if charges.has_room() and left != 0 and not is_stopping():
                size = BATCH if left is None else min(BATCH, left)
                looked = _look_at_batch(charges, counts, size=size, now=now)
                left = None if left is None else left - looked
                progress(looked)
            if not looked and not charges.in_flight():
                break
            answers = charges.answers(patiently=not looked)
            if answers:
                counts["payments_settled"] += charging.record_answers(answers, now=now)
                counts["charges_asked"] += len(answers)
    for name, rows in housekeeping.sweep(wall=current().clock.wall()).items():
        counts[f"swept_{name}"] += rows
    return dict(counts)


def count_due(now: datetime) -> int:
    """How many subscriptions wait to be looked at."""
    [count] = _count_due.first(now=now)
    return int(count)


_count_due = Prepared(
    lambda: (
        Subscription.select(fn.COUNT(Subscription.id))
        .where(Subscription.look_at <= Parameter("now"))
        .tuples()
    )
)


# --- looking --------------------------------------------------------------------------------------


def _look_at_batch(charges: "_Charges", counts: Counter[str], *, size: int, now: datetime) -> int:
    """Look at up to `size` subscriptions in one commit; one by one if one of them cannot be settled.

    Returns how many were looked at: 0 once nothing is due but what somebody else is changing now.
    """
    looks: list[one_subscription.Examined] = []
    # A run without work must not take SQLite's only write lock.
    while not looks and _is_any_due.rows(now=now):
        taken: list[int] = []
        try:
            with transaction():
                taken = [row.id for row in free_to_change(subscriptions_due(now).limit(size))]
                looks = _examine(taken, now=now)
        except Exception:
            if not taken:
                raise
            # The boundary: the one that is at fault is found by settling each on its own.
            log.exception("a batch cannot be settled as one")
            looks = [examined for each in taken for examined in _examine_one(each, counts, now=now)]
        if not taken:
            break
    for examined in looks:
        counts.update(str(step) for step in examined.steps)
        if examined.to_close is not None:
            charging.give_up(examined.to_close, now=now)
    charges.ask([examined.payment for examined in looks if examined.payment is not None])
    return len(looks)


def _examine(taken: Sequence[int], *, now: datetime) -> list[one_subscription.Examined]:
    # Read only now that the locks are held: another run may have looked at some of them meanwhile.
    still_due = subscriptions_due(now).where(one_of(Subscription.id, taken))
    found = agreement.with_catalogue(still_due.select(Subscription, Workspace).join(Workspace))
    facts = read_facts(found)
    looks: list[one_subscription.Examined] = []
    deleted: set[int] = set()
    for each in found:
        if each.workspace_id in deleted:
            # With another one of this batch; what was read of it is no longer so.
            continue
        examined = one_subscription.look_at(each, facts[each.id], now=now)
        looks.append(examined)
        if Act.DELETE in examined.steps:
            deleted.add(each.workspace_id)
    return looks


def _examine_one(
    subscription_id: int, counts: Counter[str], *, now: datetime
) -> list[one_subscription.Examined]:
    try:
        with transaction():
            taken = free_to_change(subscriptions_due(now).where(Subscription.id == subscription_id))
            return _examine([row.id for row in taken], now=now)
    except Exception:
        # The boundary: one subscription that cannot be settled must not keep the others waiting.
        log.exception("subscription %s cannot be settled", subscription_id)
        counts["faults"] += 1
        with transaction():
            Subscription.update(look_at=now + AFTER_A_FAULT).where(
                Subscription.id == subscription_id
            ).execute()
        return [one_subscription.Examined(steps=[])]


def subscriptions_due(now: datetime | Parameter) -> "ModelSelect[Subscription]":
    """What the run has to look at, the longest waiting first; only ids are read."""
    return (
        Subscription.select(Subscription.id)
        .where(Subscription.look_at <= now)
        .order_by(Subscription.look_at, Subscription.id)
    )


_is_any_due = Prepared(lambda: subscriptions_due(Parameter("now")).limit(1))


def free_to_change(due: "ModelSelect[Subscription]") -> "ModelSelect[Subscription]":
    """Those whose workspaces nobody else is changing now. On PostgreSQL reading them takes the locks.

    Who is passed by is still due, and the next run finds them. It waits for nobody, so the order in which
    it locks cannot make two wait for each other.
    """
    return due.join(Workspace).for_update(of=(Workspace,), skip_locked=True) if is_postgresql() else due


# --- asking ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _TooMany:
    """The gateway wants fewer requests; this one moved nothing and is sent again."""

    seconds: float


class _Charges:
    """Requests on their way, at the pace of their gateways. Its threads touch no table."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="charge")
        self._asked: dict[Future[Outcome | _TooMany | None], Payment] = {}
        self._last_turn = 0.0
        settings = current().settings
        self._per_second = settings.gateway_rate_per_second * settings.gateway_run_share

    def __enter__(self) -> "_Charges":
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def in_flight(self) -> bool:
        return bool(self._asked)

    def has_room(self) -> bool:
        """Whether more intents may be recorded: none may wait so long for its turn that it is looked up."""
        wall = current().clock.wall().timestamp()
        return len(self._asked) < MOST_WAITING and self._last_turn < wall + LONGEST_QUEUE_SECONDS

    def ask(self, intents: Sequence[Payment]) -> None:
        """Send each when its turn comes."""
        by_gateway: dict[str, list[Payment]] = {}
        for payment in intents:
            by_gateway.setdefault(payment.gateway, []).append(payment)
        for gateway, mine in by_gateway.items():
            turns = pace.take_turns(
                _endpoint(gateway),
                count=len(mine),
                per_second=self._per_second,
                wall=current().clock.wall(),
            )
            self._last_turn = max(self._last_turn, turns[-1])
            for payment, turn in zip(mine, turns, strict=True):
                self._asked[self._pool.submit(_charge, payment, turn)] = payment

    def answers(self, *, patiently: bool) -> list[tuple[Payment, Outcome | None]]:
        """What has come back, a bounded number; `patiently`: wait a moment for the first one."""
        done, _ = wait(self._asked, timeout=PATIENCE_SECONDS if patiently else 0, return_when=FIRST_COMPLETED)
        settled: list[tuple[Payment, Outcome | None]] = []
        again = []
        for future in list(done)[:ANSWERS_AT_ONCE]:
            payment, outcome = self._asked.pop(future), future.result()
            if isinstance(outcome, _TooMany):
                wall = current().clock.wall()
                pace.slow_down(_endpoint(payment.gateway), seconds=outcome.seconds, wall=wall)
                again.append(payment)
            else:
                settled.append((payment, outcome))
        self.ask(again)
        return settled


def _endpoint(gateway: str) -> str:
    return f"{gateway}:charge"


def _charge(payment: Payment, turn: float) -> Outcome | _TooMany | None:
    """One request at its turn, in a thread of its own; None: we do not know, so it is looked up later."""
    time.sleep(max(0.0, turn - current().clock.wall().timestamp()))
    if may_have_been_looked_up(payment):
        return None
    try:
        return charging.charge_saved(payment, return_url=_return_url(payment))
    except RateLimited as limited:
        return _TooMany(limited.retry_after_seconds)
    except ResultUnknown as silence:
        log.warning("payment %s: no answer, it will be looked up: %s", payment.key, silence)
        return None
    except Exception:
        # The boundary: whatever went wrong, money may have moved.
        log.exception("payment %s: the request failed", payment.key)
        return None


def _return_url(payment: Payment) -> str:
    """Where the payer comes back to from their bank, should it ask for them."""
    base = current().settings.base_url
    return f"{base}/w/{payment.workspace.slug}/checkout/{payment.order.number}/result"
