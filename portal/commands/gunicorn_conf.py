"""gunicorn's settings: `gunicorn -c python:portal.commands.gunicorn_conf wsgi:app`, and `portal serve`.

Two processes of one thread each suit CPU-bound pages best; more threads only keep a process alive
during slow calls. The application is loaded after the fork: typst and database pools do not
survive one.
"""

import gc
from typing import Any

workers = 2
threads = 1
worker_class = "sync"
preload_app = False
# Longer than the slowest answer of a gateway that a payment page waits for.
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
    """Keep the application out of every later collection: walking it stops a process for 40 ms."""
    gc.collect()
    gc.freeze()
