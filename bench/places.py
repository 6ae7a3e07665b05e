"""Where Portal runs while it is measured: a filled database, a server, somebody who is signed in."""

import contextlib
import http.cookiejar
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
FOREIGN = ("PYTHONDONTWRITEBYTECODE", "PORTAL_")


@dataclass(frozen=True, slots=True)
class Filled:
    """A database of one size on one engine; `environment` makes a process of Portal use it.

    `owner` is whose pages are measured: the one workspace of size S, the large one of size L. `many` is the
    workspace with many products in the same database, and `order` one of many lines that it may pay.
    """

    engine: str
    size: str
    environment: dict[str, str]
    owner: str
    password: str
    slug: str
    fill_seconds: float
    many: "Filled | None" = None
    order: str = ""

    def page(self, name: str) -> str:
        return f"/w/{self.slug}/{name}"


@dataclass(frozen=True, slots=True)
class Server:
    address: str
    process: subprocess.Popen

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def cpu_seconds(self) -> float:
        """Processor time that the web workers have used so far."""
        times = [worker.cpu_times() for worker in self.workers()]
        return sum(each.user + each.system for each in times)


def fill(engine: str, size: str, *, database_url: str, folder: Path) -> Filled:
    """Migrate, apply the catalogue, make the demo data."""
    environment = {
        "PORTAL_DATABASE_URL": database_url,
        "PORTAL_DATA_DIR": str(folder),
        "PORTAL_SECRET_KEY": "only-for-the-bench-" * 3,
    }
    began = time.monotonic()
    report = json.loads(run_module("bench.fill", size, environment=environment))
    owners = [user for user in report["users"] if user["role"] == "owner"]
    known = {"engine": engine, "size": size, "environment": environment}
    took = {"fill_seconds": time.monotonic() - began}
    return Filled(
        owner=owners[-1]["email"],
        password=report["password"],
        slug=owners[-1]["workspace"],
        many=Filled(**known, **report["many"], **took),
        **known,
        **took,
    )


def run_module(module: str, *arguments: str, environment: dict[str, str]) -> str:
    """What a module of ours prints in a process of its own, where nothing else was imported or bound."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=clean_environment(environment),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def clean_environment(more: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**kept, **more}


@contextlib.contextmanager
def serving(application: str, environment: dict[str, str], *, ready: str) -> Iterator[Server]:
    """gunicorn with Portal's own settings (two sync workers) until the block ends."""
    server = start(application, environment)
    try:
        wait_for(server, ready)
        yield server
    finally:
        stop(server)


def start(application: str, environment: dict[str, str]) -> Server:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "-c",
        "python:portal.commands.gunicorn_conf",
        "--bind",
        f"127.0.0.1:{port}",
    ]
    process = subprocess.Popen(
        [*command, application],
        cwd=ROOT,
        env=clean_environment({"PORTAL_BASE_URL": f"http://127.0.0.1:{port}", **environment}),
        stdin=subprocess.DEVNULL,
    )
    return Server(f"http://127.0.0.1:{port}", process)


def stop(server: Server) -> None:
    server.process.terminate()
    try:
        server.process.wait(15)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


def wait_for(server: Server, path: str) -> None:
    """Ask every few milliseconds until the page answers 200."""
    give_up_at = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up_at:
        if server.process.poll() is not None:
            raise RuntimeError("the server ended before it answered; see its log above")
        try:
            with urllib.request.urlopen(server.address + path, timeout=START_SECONDS) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.005)
    raise RuntimeError(f"{path} did not answer within {START_SECONDS} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Visitor:
    """A browser without scripts: keeps its cookies, fills in forms with the token of their page."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def get(self, path: str, headers: dict[str, str] | None = None):
        asked = urllib.request.Request(self.address + path, headers=headers or {})
        return self.opener.open(asked, timeout=START_SECONDS)

    def post(self, path: str, form: dict[str, str]):
        page = self.get(path).read().decode()
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert token, f"{path} has no form"
        body = urllib.parse.urlencode({"csrf_token": token[1], **form}).encode()
        return self.opener.open(self.address + path, data=body, timeout=START_SECONDS)

    def sign_in(self, filled: Filled) -> None:
        self.post("/sign-in", {"email": filled.owner, "password": filled.password})
        self.get(filled.page("plans"))

    @property
    def cookie(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.cookies)
