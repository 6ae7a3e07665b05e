"""`python -m bench.billing_run WHAT …`: runs over due renewals, in the database of the environment, as JSON.

at-once COUNT ROUNDS · paced SECONDS · weight COUNT · growth ROUNDS COUNT=URL…
"""

import bisect
import dataclasses
import json
import sys
import threading
import time
from typing import Any

import psutil

from bench import renewing
from bench.raw_renewals import Raw
from portal.database import connecting as database
from portal.database import migrating
from portal.gateways.base import ChargeRequest, Outcome, RateLimited, Succeeded
from portal.models import Order, OrderLine
from portal.runtime import current
from portal.services.renewals import run
from portal.settings import Settings, read_settings

MEGABYTE = 1024 * 1024
WARM = 1500
EACH_GROWTH = 300
SCANS = 200


class AtOnce:
    """A gateway that takes the money before one can look, and answers everything else as the sandbox does."""

    name = "sandbox"

    def __init__(self, sandbox: Any) -> None:
        self.sandbox = sandbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sandbox, name)

    def charge(self, request: ChargeRequest) -> Outcome:
        return Succeeded(
            reference=f"charge_{request.key}",
            amount_minor=request.amount_minor,
            currency=request.currency,
            at=current().clock.now(),
            method=None,
        )


class Strict(AtOnce):
    """Answers after `seconds`, and refuses what comes beyond `most` requests within a second."""

    def __init__(self, sandbox: Any, *, seconds: float, most: int) -> None:
        super().__init__(sandbox)
        self.seconds, self.most = seconds, most
        self.came: list[float] = []
        self.refused = self.waiting = self.most_waiting = 0
        self._lock = threading.Lock()

    def charge(self, request: ChargeRequest) -> Outcome:
        with self._lock:
            now = time.monotonic()
            if len(self.came) - bisect.bisect(self.came, now - 1) >= self.most:
                self.refused += 1
                raise RateLimited(1)
            self.came.append(now)
            self.waiting += 1
            self.most_waiting = max(self.most_waiting, self.waiting)
        time.sleep(self.seconds)
        with self._lock:
            self.waiting -= 1
        return super().charge(request)

    def most_in_a_second(self) -> int:
        return max(place - bisect.bisect(self.came, at - 1) + 1 for place, at in enumerate(self.came))


def at_once(settings: Settings, count: int, rounds: int) -> dict[str, Any]:
    """Renewals a second of the run, and of its rows in plain SQL, round after round."""
    clock = begin(settings, count)
    raw = Raw(settings.database_url)
    ours, plain = [], []
    for turn in range(rounds + 1):
        renewing.go_to_the_due_date(clock)
        before = raw.highest_ids()
        began = time.perf_counter()
        report = run.run_due(now=clock.now())
        took = time.perf_counter() - began
        assert report["payments_settled"] == count, report
        raw_took = raw.seconds_for(raw.take_out(before))
        # The first round fills caches and tables.
        if turn:
            ours.append(count / took)
            plain.append(count / raw_took)
        else:
            renewing.let_plan_anew()
    return {"ours": ours, "raw": plain}


def weight(settings: Settings, count: int) -> dict[str, Any]:
    """Resident megabytes once the caches are full, and the most until the end of a run."""
    clock = begin(settings, count)
    renewing.go_to_the_due_date(clock)
    seen: list[int] = []
    run.run_due(now=clock.now(), progress=lambda done: seen.append(psutil.Process().memory_info().rss))
    warm = seen[WARM // run.BATCH]
    return {"warm": warm / MEGABYTE, "most": max(seen) / MEGABYTE}


def paced(settings: Settings, seconds: int) -> dict[str, Any]:
    """How much of its share a run takes of a gateway that needs 300 ms and allows some requests a second."""
    rate = settings.gateway_rate_per_second
    clock = begin(settings, int(rate * settings.gateway_run_share * (seconds + 10)))
    gateway = Strict(current().gateways["sandbox"], seconds=0.3, most=rate)
    current().gateways["sandbox"] = gateway
    renewing.go_to_the_due_date(clock)
    began = time.monotonic()
    run.run_due(now=clock.now(), is_stopping=lambda: time.monotonic() > began + seconds)
    asked = bisect.bisect(gateway.came, began + seconds)
    paid = OrderLine.select().join(Order).where(OrderLine.kind == "renewal", Order.state == "paid").count()
    assert paid == len(gateway.came), "each request is one paid renewal"
    return {
        "share": asked / (seconds * rate * settings.gateway_run_share),
        "in_flight": gateway.most_waiting,
        "in_a_second": gateway.most_in_a_second(),
        "refused": gateway.refused,
    }


def growth(settings: Settings, rounds: int, urls: dict[int, str]) -> dict[str, Any]:
    """Seconds for some renewals and for a look at what is due, by the number of subscriptions there are."""
    renewals: dict[int, list[float]] = {count: [] for count in urls}
    scans: dict[int, list[float]] = {count: [] for count in urls}
    bound = {}
    for count, url in urls.items():
        begin(dataclasses.replace(settings, database_url=url), count)
        bound[count] = database.database.obj
    for turn in range(rounds + 1):
        for count in urls:
            database.database.initialize(bound[count])
            clock = renewing.install(settings, AtOnce(current().gateways["sandbox"]))
            with database.connection():
                renewing.go_to_the_due_date(clock)
                began = time.perf_counter()
                run.run_due(now=clock.now(), limit=EACH_GROWTH)
                between = time.perf_counter()
                for _ in range(SCANS):
                    list(run.subscriptions_due(clock.now()).limit(run.BATCH))
                # The first round fills caches and tables.
                if turn:
                    renewals[count].append(between - began)
                    scans[count].append(time.perf_counter() - between)
                else:
                    renewing.let_plan_anew()
    return {"renewals": renewals, "scans": scans}


def begin(settings: Settings, count: int) -> Any:
    """The filled database of `settings`, bound and connected, and a clock."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database.bind(settings.database_url)
    migrating.migrate()
    database.database.connect()
    renewing.fill(settings, count)
    return renewing.install(settings, AtOnce(current().gateways["sandbox"]))


def main(what: str, *arguments: str) -> None:
    settings = read_settings()
    match what:
        case "at-once":
            count, rounds = map(int, arguments)
            found = at_once(settings, count, rounds)
        case "paced":
            found = paced(settings, int(arguments[0]))
        case "weight":
            found = weight(settings, int(arguments[0]))
        case "growth":
            pairs = [argument.split("=", 1) for argument in arguments[1:]]
            found = growth(settings, int(arguments[0]), {int(count): url for count, url in pairs})
        case _:
            raise SystemExit(f"{what}: at-once, paced, weight or growth")
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
