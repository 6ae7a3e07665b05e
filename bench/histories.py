"""`python -m bench.histories ROWS ASKED`: a short and a long history, turn by turn, and a year of documents.

Prints as JSON the milliseconds of each page of both, in the order of asking, the queries of the long one, and
the seconds that an archive of 500 stored documents takes.
"""

import hashlib
import json
import logging
import re
import sys
import time
from collections.abc import Iterator

from flask import Flask
from flask.testing import FlaskClient

from bench.figures import Figure
from bench.places import run_module
from bench.queries import Counted
from portal import create_app
from portal.database import connecting as database
from portal.database import migrating
from portal.models import BalanceEntry, Document, Invoice, Order, OrderLine, Payment, Workspace
from portal.runtime import current
from portal.services.invoices import movements, year_archives
from portal.settings import read_settings
from tests import factories, paying
from tests.licensed import catalogue_with

FEW = 50
DOCUMENTS = 500
DOCUMENT_BYTES = 33_000
PAGES = ("history", "history?kind=charges", "history?year=2026")


def figures(engine: str, environment: dict[str, str], *, quick: bool) -> Iterator[Figure]:
    """p99 of the long history beside that of the short one; queries; the archive."""
    rows, asked = ("5000", "100") if quick else ("50000", "400")
    said = json.loads(run_module("bench.histories", rows, asked, environment=environment))
    known = {"engine": engine, "size": rows}
    for page, (few, many) in said["pages"].items():
        ratio = _p99(many) / _p99(few)
        more = {"few_p99_ms": round(_p99(few), 2), "many_p99_ms": round(_p99(many), 2)}
        yield Figure(f"{page}, long / short, p99", ratio, "×", ("<=", 1.3), more=more, **known)
    yield Figure("history of many rows, queries", max(said["queries"]), "", ("<=", 6), **known)
    yield Figure(f"ZIP of {DOCUMENTS} stored documents", said["zip_seconds"], "s", ("<=", 1.0), **known)


def _p99(milliseconds: list[float]) -> float:
    return sorted(milliseconds)[-(-len(milliseconds) * 99 // 100) - 1]


def begun() -> Flask:
    """An application with a new database, in which something is on sale."""
    settings = read_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database.bind(settings.database_url)
    migrating.migrate()
    app = create_app(settings)
    with app.app_context(), database.connection():
        paying.apply_catalogue(catalogue_with(0))
    return app


def main(rows: int, asked: int) -> None:
    app = begun()
    with app.app_context(), database.connection():
        for slug, count in (("few", FEW), ("many", rows)):
            fill(slug, count)
        if database.is_postgresql():
            # What autovacuum does within minutes of such a load.
            database.database.execute_sql("ANALYZE")
        middle = BalanceEntry.select().where(BalanceEntry.workspace == _workspace("many")).count()
    browsers = {slug: _signed_in(app.test_client(), slug) for slug in ("few", "many")}
    timed = {page: _turns(browsers, page, asked) for page in PAGES}
    # Only the long one has a page in the middle: it stands beside the first page of the short one.
    deep = f"history?before={middle}-{movements.AFTER_ALL}"
    timed["history, in the middle"] = [
        _times(browsers["few"], "few", "history", asked),
        _times(browsers["many"], "many", deep, asked),
    ]
    with app.app_context(), database.connection():
        zip_seconds = _archive(_workspace("few" if rows < DOCUMENTS else "many"))
    queries = [_queries(browsers["many"], page) for page in PAGES]
    print(json.dumps({"pages": timed, "queries": queries, "zip_seconds": zip_seconds}))


def _workspace(slug: str) -> Workspace:
    return Workspace.get(Workspace.slug == slug)


def fill(slug: str, count: int) -> None:
    """One purchase, and so many copies of it, each with an order, a payment, an invoice and two entries."""
    from tests.services.upkeep.test_flat_lists import copies

    owner = factories.a_person(f"owner@{slug}.example")
    place = factories.seen_by(owner, factories.a_workspace(slug.title(), owner=owner))
    payment = paying.pay(paying.an_order(place))
    invoice = Invoice.get(Invoice.order == payment.order)
    more = count - 1
    copies(Order, payment.order, more, number=f"'{slug}' || k")
    order = Order.get(Order.number == f"{slug}1").id
    copies(OrderLine, OrderLine.get(OrderLine.order == payment.order), more, order_id=f"{order} + k - 1")
    copies(Payment, payment, more, key=f"'{slug}' || k", order_id=f"{order} + k - 1")
    different = {"number": f"'{slug}-' || k", "series": f"'{slug}'", "sequence": "k"}
    copies(Invoice, invoice, more, order_id=f"{order} + k - 1", **different)
    first_payment = Payment.get(Payment.key == f"{slug}1").id
    first_invoice = Invoice.get(Invoice.number == f"{slug}-1").id
    series = f"generate_series(1, {more}) AS s(k)"
    if not database.is_postgresql():
        numbers = f"WITH RECURSIVE s(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM s WHERE k < {more})"
        series = f"({numbers} SELECT k FROM s) AS s"
    # In turn, as they are written: an invoice, and the payment that came with it.
    database.database.execute_sql(
        "INSERT INTO balance_entry (workspace_id, currency, amount_minor, after_minor, kind, invoice_id, "
        "payment_id, made_at) SELECT t.workspace_id, t.currency, t.amount_minor, t.after_minor, t.kind, "
        f"CASE WHEN t.kind = 'invoice' THEN {first_invoice} + k - 1 END, "
        f"CASE WHEN t.kind = 'payment' THEN {first_payment} + k - 1 END, t.made_at "
        f"FROM balance_entry AS t, {series} WHERE t.workspace_id = {place.workspace.id} ORDER BY k, t.id"
    )


def _signed_in(client: FlaskClient, slug: str) -> FlaskClient:
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/sign-in").text)
    assert token
    form = {"csrf_token": token[1], "email": f"owner@{slug}.example", "password": factories.PASSWORD}
    assert client.post("/sign-in", data=form).status_code == 303
    return client


def _turns(browsers: dict[str, FlaskClient], page: str, asked: int) -> list[list[float]]:
    """Of the short and of the long one, asked in turn."""
    times: dict[str, list[float]] = {slug: [] for slug in browsers}
    for _turn in range(asked):
        for slug, client in browsers.items():
            times[slug] += _times(client, slug, page, 1)
    return list(times.values())


def _times(client: FlaskClient, slug: str, page: str, asked: int) -> list[float]:
    found = []
    for _turn in range(asked):
        began = time.perf_counter()
        answer = client.get(f"/w/{slug}/{page}")
        found.append((time.perf_counter() - began) * 1000)
        assert answer.text.count('data-testid="history-row"') >= FEW - 1, (answer.status_code, page)
    return found


def _queries(client: FlaskClient, page: str) -> int:
    counted, logger = Counted(), logging.getLogger("peewee")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(counted)
    try:
        client.get(f"/w/many/{page}")
    finally:
        logger.removeHandler(counted)
        logger.setLevel(logging.WARNING)
    return len(counted.statements)


def _archive(workspace: Workspace) -> float:
    """Seconds for the first part, each document of which is stored."""
    content = bytes(range(256)) * (DOCUMENT_BYTES // 256)
    sha256 = hashlib.sha256(content).hexdigest()
    chosen = Invoice.select(Invoice.id).where(Invoice.workspace == workspace).order_by(Invoice.id)
    for invoice in chosen.limit(DOCUMENTS):
        Document.create(
            invoice=invoice, locale="en", content=content, sha256=sha256, created_at=current().clock.wall()
        )
    began = time.perf_counter()
    packed = year_archives.make_part(workspace, current().clock.now().year, "en", part=1)
    assert packed is not None
    return time.perf_counter() - began


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
