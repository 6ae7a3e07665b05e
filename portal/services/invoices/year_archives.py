"""The documents of a year in one language, as ZIP archives of a bounded number of them.

Nothing is kept but the documents themselves: an archive is put together from their stored bytes when it is
downloaded. Whoever asks for those that were never made promises them to the workers, who make each once.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from peewee import JOIN, ModelSelect, fn

from portal import outbox
from portal.database.connecting import transaction
from portal.models import Document, Invoice, Workspace
from portal.runtime import current

from . import pdfs
from .movements import year_bounds

DOCUMENTS_OF_A_PART = 500
"""Some 33 KB each: 17 MB."""
READ_AT_ONCE = 50
PROMISED_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Progress:
    """How many documents the year has, and how many of them are stored in the language."""

    documents: int
    stored: int

    @property
    def is_ready(self) -> bool:
        return self.stored == self.documents

    @property
    def parts(self) -> int:
        """How many archives hold all of them; 0 for none."""
        return -(-self.documents // DOCUMENTS_OF_A_PART)


def progress(workspace: Workspace, year: int, locale: str) -> Progress:
    """One query."""
    counts = _with_document(workspace, year, locale).select(fn.COUNT(Invoice.id), fn.COUNT(Document.id))
    [(documents, stored)] = cast("list[tuple[int, int]]", list(counts.tuples()))
    return Progress(documents=documents, stored=stored)


def ask(workspace: Workspace, year: int, locale: str) -> None:
    """Promise the documents that are missing; while as many are, a second time promises nothing more."""
    missing = progress(workspace, year, locale)
    if missing.is_ready:
        return
    with transaction():
        outbox.publish(
            "prepare_year",
            key=f"{workspace.id}-{year}-{locale}-{missing.stored}-{missing.documents}",
            payload={"workspace_id": workspace.id, "year": year, "locale": locale},
            now=current().clock.wall(),
        )


def promise_missing(workspace_id: int, year: int, locale: str) -> None:
    """A promise for each document that is missing, for any number of workers. Safe to repeat."""
    workspace, newest = Workspace.get_by_id(workspace_id), 0
    while True:
        missing = list(
            _with_document(workspace, year, locale)
            .select(Invoice.id, Invoice.number)
            .where(Document.id.is_null(), Invoice.id > newest)
            .order_by(Invoice.id)
            .limit(PROMISED_AT_ONCE)
        )
        with transaction():
            for invoice in missing:
                newest = invoice.id
                pdfs.promise(invoice)
        if len(missing) < PROMISED_AT_ONCE:
            return


def make_part(workspace: Workspace, year: int, locale: str, *, part: int) -> io.BytesIO | None:
    """A ZIP of that part, counted from 1; None while a document of it is missing."""
    invoices = (
        _of_year(workspace, year)
        .select(Invoice.id, Invoice.number, Invoice.issued_at)
        .order_by(Invoice.id)
        .offset((part - 1) * DOCUMENTS_OF_A_PART)
        .limit(DOCUMENTS_OF_A_PART)
    )
    wanted = list(invoices)
    content = io.BytesIO()
    try:
        with ZipFile(content, "w", ZIP_STORED) as archive:
            for invoice, stored in _stored(wanted, locale):
                # Compressed already.
                name = f"{year}/{invoice.number}.pdf"
                archive.writestr(ZipInfo(name, date_time=invoice.issued_at.timetuple()[:6]), stored)
    except KeyError:
        return None
    content.seek(0)
    return content


def _stored(invoices: Sequence[Invoice], locale: str) -> Iterator[tuple[Invoice, bytes]]:
    """Each with its bytes; raises KeyError at one that has none."""
    for place in range(0, len(invoices), READ_AT_ONCE):
        some = invoices[place : place + READ_AT_ONCE]
        found = Document.select(Document.invoice, Document.content).where(
            Document.invoice << [invoice.id for invoice in some], Document.locale == locale
        )
        rows = cast("list[tuple[int, bytes]]", list(found.tuples()))
        contents = {invoice_id: bytes(content) for invoice_id, content in rows}
        for invoice in some:
            yield invoice, contents[invoice.id]


def _of_year(workspace: Workspace, year: int) -> "ModelSelect[Invoice]":
    since, until = year_bounds(workspace, year)
    return Invoice.select().where(
        Invoice.workspace == workspace, Invoice.issued_at >= since, Invoice.issued_at < until
    )


def _with_document(workspace: Workspace, year: int, locale: str) -> "ModelSelect[Invoice]":
    its_own = (Document.invoice == Invoice.id) & (Document.locale == locale)
    return _of_year(workspace, year).join(Document, JOIN.LEFT_OUTER, on=its_own)
