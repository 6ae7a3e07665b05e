# Portal for a server; see docs/operating.md. One image serves web, worker and every command.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONPATH=/srv/portal PORTAL_DATA_DIR=/var/lib/portal
WORKDIR /srv/portal

COPY requirements.lock .
RUN pip install --no-cache-dir --no-compile --require-hashes --no-deps --only-binary :all: -r requirements.lock

COPY wsgi.py catalogue.toml ./
COPY static static
COPY portal portal
RUN pybabel --quiet compile --directory portal/translations
# Three times faster starts. Packages carry a few files for other versions of Python, which is no fault.
RUN python -m compileall -qq /usr/local/lib/python3.11/site-packages portal || true
RUN printf '#!/bin/sh\nexec python -m portal.commands.cli "$@"\n' > /usr/local/bin/portal \
    && chmod 0755 /usr/local/bin/portal \
    && useradd --system --uid 10001 portal \
    && install --directory --owner=portal --group=portal --mode=0700 /var/lib/portal

USER portal
VOLUME /var/lib/portal
EXPOSE 8000
# gunicorn and the worker both finish what they are doing on SIGTERM, within 25 seconds.
STOPSIGNAL SIGTERM
# Portal answers to the host of PORTAL_BASE_URL only.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "import os; from http.client import HTTPConnection; from urllib.parse import urlsplit; c = HTTPConnection('127.0.0.1', 8000, timeout=4); c.request('GET', '/healthz', headers={'Host': urlsplit(os.environ.get('PORTAL_BASE_URL', 'http://127.0.0.1:8000')).netloc}); raise SystemExit(c.getresponse().status != 200)"]
CMD ["portal", "serve", "--host", "0.0.0.0", "--port", "8000"]
