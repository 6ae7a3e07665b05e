"""gunicorn's settings: `gunicorn -c python:portal.commands.gunicorn_conf wsgi:app`, and `portal serve`.

Pages are CPU-bound, so a core wants two processes; the threads of each keep pages coming while one of
them waits for a database, a slow reader or a gateway. The application is loaded after the fork: typst, the
database pools and the gateways' threads do not survive one.
"""

import contextlib
import gc
from typing import Any

workers = 2
threads = 4
worker_class = "gthread"
preload_app = False
timeout = 60
# Shorter than the 30 seconds that a container is given to stop.
graceful_timeout = 25
keepalive = 5
accesslog = None
loglevel = "warning"
control_socket_disable = True
# Proxy headers are believed by PORTAL_TRUSTED_PROXIES alone (werkzeug's ProxyFix).
forwarded_allow_ips = ""


def post_worker_init(worker: Any) -> None:
    """Threads for gateways; and the application is kept out of every later collection: that takes 40 ms."""
    from portal.services.payments import asking

    take_little_memory()
    asking.serve_pages(request_threads=worker.cfg.threads)
    gc.collect()
    gc.freeze()


M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8
LARGE_BYTES = 1024 * 1024


def take_little_memory() -> None:
    """Let all threads take memory from one place, as Python lets one of them run at a time: 4 MB less.

    And give back what is large. Where it is not told what that is, glibc learns it from the first password:
    the 19 MB that proving one takes stay with the process from the second on.

    Of glibc, mallopt(3); other C libraries know neither.
    """
    import ctypes

    with contextlib.suppress(AttributeError, OSError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
