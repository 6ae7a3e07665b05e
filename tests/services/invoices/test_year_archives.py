"""The documents of a year: asked for once, made by whichever workers there are, packed as they are stored."""

import hashlib
from zipfile import ZipFile

import pytest

from portal import outbox
from portal.models import Document, Invoice, OutboxMessage
from portal.runtime import current
from portal.services.invoices import year_archives
from portal.worker.handlers import HANDLERS
from tests.paying import a_place, buy

YEAR = 2026


def store(invoice, locale="fr"):
    content = f"{invoice.number}-{locale}".encode()
    Document.create(
        invoice=invoice,
        locale=locale,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        created_at=current().clock.wall(),
    )


def packed(place, part):
    """Name and bytes of each document in the archive."""
    with (
        year_archives.make_part(place.workspace, YEAR, "fr", part=part) as content,
        ZipFile(content) as archive,
    ):
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def documents(place):
    """Three of Acme, whose promises are forgotten, and one of somebody else."""
    for plan in ("business-3", "business-5", "business-10"):
        buy(place, plan)
    buy(a_place("Other", owner="Otto Other"))
    OutboxMessage.delete().execute()
    return list(Invoice.select().where(Invoice.workspace == place.workspace).order_by(Invoice.id))


def test_progress_counts_the_documents_of_the_year_in_one_language(place, documents):
    store(documents[0], "en")
    store(documents[1])
    found = year_archives.progress(place.workspace, YEAR, "fr")
    assert (found.documents, found.stored, found.is_ready, found.parts) == (3, 1, False, 1)
    assert year_archives.progress(place.workspace, YEAR - 1, "fr").parts == 0
    assert year_archives.make_part(place.workspace, YEAR, "fr", part=1) is None


def test_asked_for_twice_they_are_promised_once_each_and_none_that_is_stored(place, documents, monkeypatch):
    monkeypatch.setattr(year_archives, "PROMISED_AT_ONCE", 1)
    store(documents[1])
    for _ in range(2):
        year_archives.ask(place.workspace, YEAR, "fr")
    [asked] = OutboxMessage.select()
    assert asked.topic == "prepare_year"
    made = []
    handlers = {**HANDLERS, "prepare_documents": lambda delivery: made.append(delivery.payload["invoice_id"])}
    outbox.drain(wall=current().clock.wall, lease_seconds=60, handlers=handlers)
    assert sorted(made) == [documents[0].id, documents[2].id]
    for each in (documents[0], documents[2]):
        store(each)
    year_archives.ask(place.workspace, YEAR, "fr")
    assert OutboxMessage.select().where(OutboxMessage.done_at.is_null()).count() == 0


def test_a_worker_that_died_leaves_its_promise_to_another(place, documents, clock):
    class Killed(BaseException):
        pass

    def dies(delivery):
        raise Killed

    year_archives.ask(place.workspace, YEAR, "fr")
    with pytest.raises(Killed):
        outbox.drain(wall=current().clock.wall, lease_seconds=-1, handlers={**HANDLERS, "prepare_year": dies})
    made = []
    handlers = {**HANDLERS, "prepare_documents": lambda delivery: made.append(delivery.payload["invoice_id"])}
    outbox.drain(wall=current().clock.wall, lease_seconds=60, handlers=handlers)
    assert sorted(made) == [each.id for each in documents]


def test_the_archive_has_the_stored_bytes_of_each_document_and_nobody_elses(place, documents, monkeypatch):
    monkeypatch.setattr(year_archives, "READ_AT_ONCE", 2)
    for each in Invoice.select():
        store(each)
    assert packed(place, 1) == {f"2026/{each.number}.pdf": f"{each.number}-fr".encode() for each in documents}


def test_a_part_holds_so_many_documents(place, documents, monkeypatch):
    monkeypatch.setattr(year_archives, "DOCUMENTS_OF_A_PART", 2)
    for each in documents:
        store(each)
    assert year_archives.progress(place.workspace, YEAR, "fr").parts == 2
    assert [len(packed(place, part)) for part in (1, 2)] == [2, 1]
