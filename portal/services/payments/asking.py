"""Asking a gateway without letting the pages wait for it.

A gateway may keep silent for as long as its time-out, and a process has few threads for pages. So a page
hands the asking over to a thread of its own and waits for it only a moment, and only while enough other
threads are free: then it says "being confirmed" and follows what the thread writes down. The intent stands
in the database before; a process that dies with it leaves it to the look-ups, and nothing is asked anew. What
is asked for may hold a card, so it stays in this process's memory alone.

Commands, the worker and tests ask where they are: nobody's page waits for them.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from portal.domain.errors import PortalError
from portal.services import audit

T = TypeVar("T")

THREADS = 16
MOST_HANDED_OVER = 48
"""In each process: what is sent last waits for two time-outs, less than the first look-up."""
PATIENCE_SECONDS = 3.0
PATIENCE_OF_ONE_THREAD_SECONDS = 0.8
"""Where a process has a single thread for requests: no page waits for a second."""

log = logging.getLogger(__name__)


class GatewayBusy(PortalError):
    """As much as may wait for the gateway waits already: nothing was recorded, nothing is asked."""


class Request:
    """One request to a gateway, as the page that made it and the thread that sends it share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_awaited = True
        self._has_answer = False

    def is_awaited(self) -> bool:
        """For the thread, once the gateway has answered: whether the page sees it, else a letter tells it.

        A page that waits now waits until the answer is written down.
        """
        with self._lock:
            self._has_answer = True
            return self._is_awaited

    def leave(self) -> bool:
        """For the page, when its patience is over. False: the answer has come and is being written down."""
        with self._lock:
            if not self._has_answer:
                self._is_awaited = False
            return not self._has_answer


class _Threads:
    """The threads of a process that serves pages, and how many of its pages wait for them."""

    def __init__(self, *, request_threads: int) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway")
        self._lock = threading.Lock()
        self._most_patient = max(1, request_threads // 2)
        self._patience = PATIENCE_SECONDS if request_threads > 1 else PATIENCE_OF_ONE_THREAD_SECONDS
        self._patient = 0
        self._left: set[Future[Any]] = set()
        self._handed_over: set[Future[Any]] = set()

    def is_full(self) -> bool:
        with self._lock:
            return len(self._handed_over) >= MOST_HANDED_OVER

    def ask(self, act: Callable[[Request], T], *, otherwise: Callable[[], T]) -> T:
        request = Request()
        future = self._pool.submit(_run, act, request, audit.who_acts())
        with self._lock:
            self._handed_over.add(future)
        future.add_done_callback(self._forget)
        is_done = self._wait(future)
        if is_done or not request.leave():
            return future.result()
        with self._lock:
            if not future.done():
                self._left.add(future)
        return otherwise()

    def _wait(self, future: "Future[Any]") -> bool:
        """Wait a moment; not at all where too many do, or where the gateway let somebody down just now."""
        with self._lock:
            if self._patient >= self._most_patient or self._left:
                return future.done()
            self._patient += 1
        try:
            return bool(wait([future], timeout=self._patience).done)
        finally:
            with self._lock:
                self._patient -= 1

    def _forget(self, future: "Future[Any]") -> None:
        with self._lock:
            self._handed_over.discard(future)
            self._left.discard(future)


_threads: _Threads | None = None


def _nothing() -> None:
    pass


_after: Callable[[], None] = _nothing


def serve_pages(*, request_threads: int) -> None:
    """From now on this process has threads of its own for gateways. `request_threads` are those for pages."""
    global _threads
    _threads = _Threads(request_threads=request_threads)


def ask_here() -> None:
    """As in a process that serves no pages."""
    global _threads
    _threads = None


def after_each(act: Callable[[], None]) -> None:
    """`act` runs in the thread of each request, after its answer is written: somebody may be woken."""
    global _after
    _after = act


def refuse_when_busy() -> None:
    """Before an intent is recorded that a page asks for. Raises GatewayBusy."""
    if _threads is not None and _threads.is_full():
        raise GatewayBusy()


def in_time(act: Callable[[Request], T], *, otherwise: Callable[[], T]) -> T:
    """What `act` returns if it is done in time, else what `otherwise` does: the row as it stands now.

    `act` asks a gateway and writes the answer down, in transactions of its own; it may go on after this.
    """
    if _threads is None:
        return act(Request())
    return _threads.ask(act, otherwise=otherwise)


def _run(act: Callable[[Request], T], request: Request, actor: audit.Actor) -> T:
    """In a thread that holds no connection while it waits: transaction() takes one."""
    try:
        with audit.acting_as(actor):
            return act(request)
    except Exception:
        # Whoever waits gets it too; a page that has left does not, and what is not written is looked up.
        log.exception("what a gateway was asked for is not written down")
        raise
    finally:
        _after()
