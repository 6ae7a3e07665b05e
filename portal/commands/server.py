"""`portal serve`: gunicorn in this process, with the worker's threads beside the pages if asked."""

from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from portal.worker import wake

from . import gunicorn_conf

EMBEDDED_THREADS = 8
"""Threads for pages; one more keeps the promises of the outbox."""


class Server(BaseApplication):
    def __init__(self, **options: Any) -> None:
        self.options = options
        super().__init__()

    def load_config(self) -> None:
        shared = {name: value for name, value in vars(gunicorn_conf).items() if name in self.cfg.settings}
        for name, value in {**shared, **self.options}.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        from portal import create_app

        return create_app()


def serve(*, host: str, port: int, workers: int, threads: int) -> None:
    """Serve pages until SIGTERM; requests on their way are answered first. Port 0 takes a free one."""
    _run(host, port, workers=workers, threads=threads, worker_class="gthread" if threads > 1 else "sync")


def serve_with_worker(*, host: str, port: int) -> None:
    """Web and worker in one process: what a machine of one's own needs."""
    _run(
        host,
        port,
        workers=1,
        threads=EMBEDDED_THREADS,
        worker_class="gthread",
        post_worker_init=start_worker,
        worker_exit=stop_worker,
    )


def start_worker(worker: Any) -> None:
    from portal.worker import queue

    gunicorn_conf.post_worker_init(worker)
    wake.register(worker.wsgi)
    worker.consumer = queue.embedded_consumer(threads=1)
    worker.consumer.start()


def stop_worker(server: Any, worker: Any) -> None:
    """Let running tasks end; a process that never got so far has none."""
    consumer = getattr(worker, "consumer", None)
    if consumer is not None:
        consumer.stop(graceful=True)


def announce(server: Any) -> None:
    """One line with the address, for people and for scripts that asked for a free port."""
    print(f"Portal serves {server.LISTENERS[0]}", flush=True)  # noqa: T201


def _run(host: str, port: int, **options: Any) -> None:
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    Server(bind=bind, when_ready=announce, proc_name="portal", **options).run()
