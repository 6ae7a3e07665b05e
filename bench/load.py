"""Requests as fast as eight connections go: by wrk where it is installed, else by a small loop of our own."""

import asyncio
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from statistics import quantiles
from urllib.parse import urlsplit

CONNECTIONS = 8
UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class BadAnswer(Exception):
    """A page that should be measured answered something else than 2xx."""


@dataclass(frozen=True, slots=True)
class Round:
    """Requests a second, and the median and 99th percentile of their milliseconds."""

    rps: float
    p50_ms: float
    p99_ms: float


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
    said = subprocess.run([*command, *headers, url], capture_output=True, text=True, check=True).stdout
    if bad := re.search(r"Non-2xx or 3xx responses: (\d+)", said):
        raise BadAnswer(f"{url}: {bad[1]} answers were not 2xx")
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found, said
    return Round(float(found[1]), _percentile(said, 50), _percentile(said, 99))


def _percentile(said: str, percent: int) -> float:
    found = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s)$", said, re.MULTILINE)
    assert found, said
    return float(found[1]) * UNITS_MS[found[2]]


def _with_asyncio(url: str, cookie: str, seconds: float) -> Round:
    stop_at = time.perf_counter() + seconds
    took = asyncio.run(_ask_all([url], cookie, is_over=lambda _: time.perf_counter() >= stop_at))
    cuts = quantiles(took, n=100)
    return Round(len(took) / seconds, cuts[49] * 1000, cuts[98] * 1000)


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
