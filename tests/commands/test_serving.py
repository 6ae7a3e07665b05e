"""Real servers, as operators start them: a silent gateway keeps no page waiting, and a kill loses nothing."""

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from portal import runtime as portal_runtime
from portal.clock import FixedClock, ShiftedClock
from portal.domain.vocabulary import PaymentState
from portal.models import Payment, Session
from portal.runtime import Runtime, current
from portal.services.payments import charging
from portal.web.sessions import hash_token
from tests.books import assert_books_clean
from tests.paying import SILENT_CHARGED, a_place, an_order, paid_charges
from tests.processes import LONGEST_SECONDS, ROOT

PAYERS = 8
TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')
QUOTE = re.compile(r'name="quote"[^>]*value="([^"]+)"')

# The gateway is silent for longer than all of this takes.
pytestmark = pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="30")


@pytest.fixture
def clock(tmp_path):
    """The one that the server reads."""
    return ShiftedClock(tmp_path / "clock.json")


@pytest.fixture
def serve(environment):
    """`serve("--embedded")`: the address of a server of its own, which is killed at the end."""
    started = []

    def start(*options):
        command = [sys.executable, "-m", "portal.commands.cli", "serve", "--port", "0", *options]
        server = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            start_new_session=True,
        )
        started.append(server)
        assert server.stdout is not None
        return server, server.stdout.readline().split()[-1]

    yield start
    for server in started:
        kill(server)
        server.stdout.close()


def kill(server):
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGKILL)
    server.wait(LONGEST_SECONDS)


class Browser:
    """One signed-in person; redirects are answers."""

    def __init__(self, base_url, person):
        token, wall = f"a-session-of-{person.id}", current().clock.wall()
        Session.create(
            token_hash=hash_token(token),
            person=person,
            stored={"_user_id": str(person.id), "_fresh": True},
            ip_address="127.0.0.1",
            user_agent="a test",
            created_at=wall,
            seen_at=wall,
        )
        self.base_url, self.cookie = base_url, f"session={token}"
        self.opener = urllib.request.build_opener(NoRedirects)

    def ask(self, path, fields=None):
        data = urlencode(fields).encode() if fields else None
        request = urllib.request.Request(self.base_url + path, data, {"Cookie": self.cookie})
        try:
            with self.opener.open(request, timeout=LONGEST_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers.get("Location", "")

    def pay(self, order, number):
        path = f"/w/{order.workspace.slug}/checkout/{order.number}/review"
        _status, page = self.ask(path)
        card = {
            "number": number,
            "exp_month": "12",
            "exp_year": "2030",
            "security_code": "123",
            "holder": "J",
        }
        tokens = {"csrf_token": TOKEN.search(page)[1], "quote": QUOTE.search(page)[1]}
        return self.ask(path, {**tokens, **card})


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_facts):
        return None


def all_at_once(acts):
    results = [None] * len(acts)

    def run(place):
        results[place] = acts[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONGEST_SECONDS)
    return results


def states():
    return [payment.state for payment in Payment.select().order_by(Payment.id)]


def silent_payments(serve, options):
    """Eight people pay with a card that is not answered; every page comes before their gateway does."""
    server, base_url = serve(*options)
    places = [a_place(f"W{n}", owner=f"Owner {n}") for n in range(PAYERS)]
    orders = [an_order(place) for place in places]
    browsers = [Browser(base_url, order.person) for order in orders]
    paying = list(zip(browsers, orders, strict=True))
    answers = all_at_once([lambda each=each: each[0].pay(each[1], SILENT_CHARGED) for each in paying])
    results = [f"/w/{order.workspace.slug}/checkout/{order.number}/result" for order in orders]
    assert answers == [(303, result) for result in results]
    assert states() == [PaymentState.CREATED] * PAYERS
    pages = all_at_once(
        [lambda each=each: each[0].ask(f"/w/{each[1].workspace.slug}/plans")[0] for each in paying]
    )
    assert pages == [200] * PAYERS
    again = all_at_once(
        [lambda each=each: each[0].ask(each[1]) for each in zip(browsers, results, strict=True)]
    )
    assert [status for status, _page in again] == [200] * PAYERS
    # Nobody was answered by the gateway: each of the pages came before.
    assert states() == [PaymentState.CREATED] * PAYERS
    kill(server)


def looked_up_later(settings):
    """In a process that begins two minutes later."""
    later = FixedClock(current().clock.wall() + timedelta(minutes=2))
    portal_runtime.install(Runtime(settings, later, current().gateways))
    return charging.reconcile(now=later.now())


@pytest.mark.engine("sqlite")
def test_one_process_with_its_worker(runtime, settings, serve):
    silent_payments(serve, ["--embedded"])
    assert looked_up_later(settings).settled == PAYERS
    assert len(paid_charges()) == PAYERS
    assert_books_clean()


def test_two_processes_of_four_threads(runtime, settings, serve):
    silent_payments(serve, ["--workers", "2", "--threads", "4"])
    assert looked_up_later(settings).settled == PAYERS
    assert len(paid_charges()) == PAYERS
    assert_books_clean()


@pytest.mark.engine("sqlite")
def test_two_processes_of_one_thread(runtime, settings, serve):
    silent_payments(serve, ["--workers", "2", "--threads", "1"])


@pytest.mark.engine("sqlite")
def test_another_server_that_cannot_begin_says_why_in_one_sentence(environment):
    """`gunicorn wsgi:app`, as unit files and images start it; it does not try again for ever."""
    command = [sys.executable, "-m", "gunicorn", "--bind", "127.0.0.1:0", "--workers", "1", "wsgi:app"]
    told = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, **environment, "PORTAL_GRACE_DAYS": "soon"},
        timeout=LONGEST_SECONDS,
        check=False,
    )
    assert told.returncode != 0
    [sentence] = [line for line in told.stderr.splitlines() if line.startswith("Error: ")]
    assert "PORTAL_GRACE_DAYS" in sentence
    assert "Traceback" not in told.stderr
