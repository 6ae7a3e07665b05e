"""What one process runs with: settings, clock, gateways. Set once, by `create_app` or a test."""

from dataclasses import dataclass

from portal.gateways.base import Gateway

from .clock import Clock
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Runtime:
    settings: Settings
    clock: Clock
    gateways: dict[str, Gateway]


_current: Runtime | None = None


def install(runtime: Runtime) -> None:
    global _current
    _current = runtime


def current() -> Runtime:
    """The process's runtime. Raises RuntimeError before `install`."""
    if _current is None:
        raise RuntimeError("create_app() has not run in this process")
    return _current
