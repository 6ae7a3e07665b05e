"""A gateway that keeps silent until the test lets it answer."""

import threading
from typing import Any

from portal.database.connecting import database
from portal.runtime import Runtime, current, install

LONGEST_SECONDS = 60


class Gate:
    """Around the sandbox: `held` requests wait until `open`; `connections` says who held one."""

    def __init__(self, sandbox: Any, held: tuple[str, ...]) -> None:
        self._sandbox = sandbox
        self._held = held
        self._opened = threading.Event()
        self._arrived = threading.Semaphore(0)
        self.connections: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._sandbox, name)

        def ask(*args: Any, **options: Any) -> Any:
            self.connections.append(not database.is_closed())
            self._arrived.release()
            assert self._opened.wait(LONGEST_SECONDS), "the test never opened the gate"
            return real(*args, **options)

        return ask if name in self._held else real

    def open(self) -> None:
        self._opened.set()

    def wait_for_requests(self, count: int = 1) -> None:
        for _ in range(count):
            assert self._arrived.acquire(timeout=LONGEST_SECONDS), "nobody asked the gateway"


def hold(*names: str) -> Gate:
    """From now on these calls of the installed gateway wait at a gate."""
    runtime = current()
    gate = Gate(runtime.gateways["sandbox"], names)
    install(Runtime(runtime.settings, runtime.clock, {"sandbox": gate}))  # type: ignore[dict-item]
    return gate
