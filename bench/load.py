"""Requests as fast as eight connections go: by wrk where it is installed, else by a small loop of our own."""

import asyncio
import re
import resource
import shutil
import subprocess
import time
from dataclasses import dataclass
from statistics import quantiles
from urllib.parse import urlsplit

CONNECTIONS = 8
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class BadAnswer(Exception):
    """A page that should be measured answered something else than 2xx."""


@dataclass(frozen=True, slots=True)
class Round:
    """Requests a second, and the median and 99th percentile of their milliseconds.

    `cpu_ms`: processor time of one request, the load generator's and (once added) the server's.
    """

    rps: float
    p50_ms: float
    p99_ms: float
    requests: int
    cpu_ms: float


def run(url: str, *, cookie: str = "", seconds: float) -> Round:
    """Ask for one page for so many seconds. Raises BadAnswer."""
    return _with_wrk(url, cookie, seconds) if shutil.which("wrk") else _with_asyncio(url, cookie, seconds)


def generator() -> str:
    return "wrk" if shutil.which("wrk") else "asyncio"


def _with_wrk(url: str, cookie: str, seconds: float) -> Round:
    command = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{max(1, round(seconds))}s",
        "--latency",
        "--timeout",
        "30s",
    ]
    headers = ["-H", f"Cookie: {cookie}"] if cookie else []
    before = _cpu_seconds(resource.RUSAGE_CHILDREN)
    said = subprocess.run([*command, *headers, url], capture_output=True, text=True, check=True).stdout
    cpu_seconds = _cpu_seconds(resource.RUSAGE_CHILDREN) - before
    if bad := re.search(r"Non-2xx or 3xx responses: (\d+)", said):
        raise BadAnswer(f"{url}: {bad[1]} answers were not 2xx")
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    count = re.search(r"(\d+) requests in", said)
    assert found, said
    assert count, said
    requests = int(count[1])
    return Round(
        rps=float(found[1]),
        p50_ms=_percentile(said, 50),
        p99_ms=_percentile(said, 99),
        requests=requests,
        cpu_ms=cpu_seconds / max(1, requests) * 1000,
    )


def _cpu_seconds(whose: int) -> float:
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


def _percentile(said: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)\s*$", said, re.MULTILINE)
    assert found, said
    return float(found[1]) * UNITS_MS[found[2]]


def _with_asyncio(url: str, cookie: str, seconds: float) -> Round:
    stop_at, before = time.perf_counter() + seconds, _cpu_seconds(resource.RUSAGE_SELF)
    took = asyncio.run(_ask_all([url], cookie, is_over=lambda _: time.perf_counter() >= stop_at))
    cpu_seconds = _cpu_seconds(resource.RUSAGE_SELF) - before
    cuts = quantiles(took, n=100)
    return Round(
        rps=len(took) / seconds,
        p50_ms=cuts[49] * 1000,
        p99_ms=cuts[98] * 1000,
        requests=len(took),
        cpu_ms=cpu_seconds / len(took) * 1000,
    )


def ask_mixed(urls: list[str], *, cookie: str, requests: int) -> None:
    """So many requests, taking the pages in turn. Raises BadAnswer."""
    asyncio.run(_ask_all(urls, cookie, is_over=lambda asked: asked >= requests))


async def _ask_all(urls, cookie, *, is_over) -> list[float]:
    took: list[float] = []
    asked = 0

    async def visitor() -> None:
        nonlocal asked
        while not is_over(asked):
            url = urls[asked % len(urls)]
            asked += 1
            began = time.perf_counter()
            await _ask(url, cookie)
            took.append(time.perf_counter() - began)

    await asyncio.gather(*(visitor() for _ in range(CONNECTIONS)))
    return took


async def _ask(url: str, cookie: str) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    head = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
    writer.write(f"{head}Cookie: {cookie}\r\n\r\n".encode() if cookie else f"{head}\r\n".encode())
    await writer.drain()
    answer = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    if not answer.startswith(b"HTTP/1.1 2"):
        raise BadAnswer(f"{url}: {answer[:60]!r}")
