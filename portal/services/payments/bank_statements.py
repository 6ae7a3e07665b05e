"""The bank's files: read, written down whole or not at all, and each line of the account once.

`import_camt` and `import_csv` write; services/payments/matching.py says what becomes of the lines. A line
that another file has told already is known again, so statements may overlap and come in any order.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from portal import outbox
from portal.database import rows
from portal.database.connecting import hold, transaction
from portal.domain.bank_files.decoding import csv_text, looks_like_xml, refuse_size
from portal.domain.bank_files.lines import KeyedLine, ReadStatement, keyed, numbered
from portal.domain.bank_files.tables import (
    CsvMapping,
    fingerprint,
    headers_of,
    proposed_mapping,
    proposed_separator,
    read_table,
)
from portal.domain.errors import PortalError
from portal.domain.vocabulary import BankFileKind, TransferReason, TransferState
from portal.models import BankCsvMapping, BankCsvUpload, BankStatement, BankTransfer
from portal.runtime import current
from portal.services import audit

from . import matching

MATCHED_AT_ONCE = 300
"""Of a larger file the worker matches the lines, while the pages say how far it is."""
SAFETY_NET = timedelta(minutes=1)


class StatementKnown(PortalError):
    """The same statement was imported before, as `statement_id`: nothing is done."""

    statement_id: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written down: `new` lines, beside those that were `known` from earlier files."""

    statements: tuple[BankStatement, ...]
    new: int
    known: int


def take_file(content: bytes, *, file_name: str, now: datetime) -> Imported | BankCsvUpload:
    """Import a camt file; keep a CSV until somebody has said which column is what.

    Raises BankFileRefused and StatementKnown; nothing is kept then.
    """
    refuse_size(content)
    _refuse_known(_sha256(content))
    if looks_like_xml(content):
        # The parser of XML is loaded with the first file.
        from portal.domain.bank_files.camt import read_camt

        statements = read_camt(content, account=current().settings.seller.iban)
        return _write(statements, sha256=_sha256(content), file_name=file_name, now=now)
    # Whether it can be read at all.
    text = csv_text(content)
    headers_of(text, proposed_separator(text))
    return _keep(content, file_name=file_name)


def import_csv(upload: BankCsvUpload, mapping: CsvMapping, *, now: datetime) -> Imported:
    """Import a CSV as `mapping` reads it, and remember the mapping for the next one with these headers.

    Raises BankFileRefused and StatementKnown.
    """
    _refuse_known(upload.sha256)
    statement, text = read_upload(upload, mapping), csv_text(bytes(upload.content))
    imported = _write([statement], sha256=upload.sha256, file_name=upload.file_name, now=now)
    headers = headers_of(text, mapping.separator)
    key = fingerprint(headers, has_header=mapping.has_header)
    with transaction():
        BankCsvMapping.insert(fingerprint=key, columns=asdict(mapping), used_at=now).on_conflict(
            conflict_target=[BankCsvMapping.fingerprint],
            update={BankCsvMapping.columns: asdict(mapping), BankCsvMapping.used_at: now},
        ).execute()
        BankCsvUpload.delete().where(BankCsvUpload.id == upload.id).execute()
    return imported


def read_upload(upload: BankCsvUpload, mapping: CsvMapping) -> ReadStatement:
    """The lines of a CSV as `mapping` reads them; nothing is written. Raises BankFileRefused."""
    return read_table(
        csv_text(bytes(upload.content)),
        mapping,
        account=current().settings.seller.iban,
        number=upload.sha256[:16],
    )


def mapping_for(upload: BankCsvUpload) -> tuple[CsvMapping, bool]:
    """What was said of such a file before, and True; else what it looks like. Raises BankFileRefused."""
    text = csv_text(bytes(upload.content))
    proposed = proposed_mapping(text, currency="EUR")
    headers = headers_of(text, proposed.separator)
    for has_header in (True, False):
        key = fingerprint(headers, has_header=has_header)
        known = BankCsvMapping.get_or_none(BankCsvMapping.fingerprint == key)
        if known is not None:
            columns = dict(known.columns)
            return CsvMapping(**columns | {"texts": tuple(columns["texts"])}), True
    return proposed, False


def find_upload(upload_id: int) -> BankCsvUpload | None:
    return BankCsvUpload.get_or_none(BankCsvUpload.id == upload_id)


def discard_upload(upload: BankCsvUpload) -> None:
    """Nothing of it was imported, and nothing is kept."""
    with transaction():
        BankCsvUpload.delete().where(BankCsvUpload.id == upload.id).execute()


def uploads() -> list[BankCsvUpload]:
    """Those that wait for their columns, the oldest first, without what is in them. One query."""
    columns = (BankCsvUpload.id, BankCsvUpload.file_name, BankCsvUpload.uploaded_at)
    return list(BankCsvUpload.select(*columns).order_by(BankCsvUpload.id))


# --- writing --------------------------------------------------------------------------------------


def _write(statements: Sequence[ReadStatement], *, sha256: str, file_name: str, now: datetime) -> Imported:
    """All of the file in one transaction, one file at a time. Raises StatementKnown."""
    runtime, written, new, known = current(), [], 0, 0
    with transaction():
        hold("bank_statements")
        _refuse_known(sha256)
        for position, read in enumerate(statements, 1):
            transfers = list(_transfers(read))
            before = _same_statement(read)
            if not transfers and before is not None and len(statements) == 1:
                raise StatementKnown(statement_id=before.id)
            statement = _statement(read, sha256=sha256, position=position, file_name=file_name, now=now)
            rows.save(statement)
            for transfer in transfers:
                transfer.statement = statement
            rows.insert_all(transfers)
            written.append(statement)
            new += len(transfers)
            known += len(read.lines) - len(transfers)
        audit.record(
            "bank_statement.imported",
            workspace=None,
            subject=sha256[:16],
            changes={"statements": len(written), "new": new, "known": known},
            now=now,
        )
        if new:
            wall = runtime.clock.wall()
            is_large = new > MATCHED_AT_ONCE
            outbox.publish(
                matching.TOPIC,
                key=sha256,
                payload={"statement_ids": [each.id for each in written]},
                now=wall,
                # Whoever imports a small file matches it: the worker does if they are stopped on the way.
                run_at=wall if is_large else wall + SAFETY_NET,
            )
    return Imported(tuple(written), new, known)


def _statement(
    read: ReadStatement, *, sha256: str, position: int, file_name: str, now: datetime
) -> BankStatement:
    days = [line.booked_on for line in read.lines]
    told = read.closing or read.opening
    currency = told.currency if told else next((line.amount.currency for line in read.lines), None)
    return BankStatement(
        sha256=sha256,
        position=position,
        file_name=file_name,
        kind=read.kind,
        account=read.account,
        number=read.number,
        currency=currency,
        opening_minor=read.opening.minor if read.opening else None,
        closing_minor=read.closing.minor if read.closing else None,
        listed=len(read.lines),
        not_booked=read.not_booked,
        first_on=min(days, default=None),
        last_on=max(days, default=None),
        imported_at=now,
    )


def _same_statement(read: ReadStatement) -> BankStatement | None:
    return BankStatement.get_or_none(
        BankStatement.kind == read.kind,
        BankStatement.account == read.account,
        BankStatement.number == read.number,
    )


def _refuse_known(sha256: str) -> None:
    known = BankStatement.get_or_none(BankStatement.sha256 == sha256)
    if known is not None:
        raise StatementKnown(statement_id=known.id)


def _keep(content: bytes, *, file_name: str) -> BankCsvUpload:
    """The same file twice is one upload."""
    sha256 = _sha256(content)
    with transaction():
        BankCsvUpload.insert(
            sha256=sha256,
            file_name=file_name,
            content=content,
            uploaded_at=current().clock.wall(),
        ).on_conflict(action="NOTHING", conflict_target=[BankCsvUpload.sha256]).execute()
    return BankCsvUpload.get(BankCsvUpload.sha256 == sha256)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# --- lines that were told before ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Told:
    """A transfer that is written down, as far as a new file has to know of it."""

    id: int
    key: str
    part: int
    state: TransferState
    is_batch: bool
    kind: BankFileKind
    number: str


def _transfers(read: ReadStatement) -> Iterator[BankTransfer]:
    """Those lines of the statement that nothing has told before, ready to be written."""
    lines = list(keyed(read.lines))
    told = _told(read.account, {each.key for each in lines})
    by_key: dict[str, list[KeyedLine]] = {}
    newest = Counter(each.fact for each in lines if each.line.part <= 1)
    for each in lines:
        by_key.setdefault(each.key, []).append(each)
    for key, entry in by_key.items():
        before = told.get(key, [])
        if not before or (entry[0].line.part and _replaces_batch(before)):
            yield from (_transfer(each, read) for each in entry)
        elif _is_another(entry[0], before, read):
            fact = entry[0].fact
            newest[fact] = max(newest[fact], _newest_of(fact, read.account)) + 1
            yield from _once_more(entry, read, key=numbered(fact, newest[fact]))


def _told(account: str, keys: set[str]) -> dict[str, list[_Told]]:
    found: dict[str, list[_Told]] = {}
    for part in rows.chunks(sorted(keys)):
        query = (
            BankTransfer.select(
                BankTransfer.id,
                BankTransfer.key,
                BankTransfer.part,
                BankTransfer.state,
                BankTransfer.is_batch,
                BankStatement.kind,
                BankStatement.number,
            )
            .join(BankStatement)
            .where(BankTransfer.account == account, BankTransfer.key << part)
            .tuples()
        )
        for row in cast("Iterable[tuple[Any, ...]]", query):
            told = _Told(*row)
            found.setdefault(told.key, []).append(told)
    return found


def _replaces_batch(before: Sequence[_Told]) -> bool:
    """Whether a sum was told alone, and nobody has given it to anybody: now its transfers are told."""
    [first, *others] = before
    undecided = (TransferState.RECEIVED, TransferState.PARKED, TransferState.TO_CONFIRM)
    if others or not first.is_batch or first.state not in undecided:
        return False
    changed = BankTransfer.update(state=TransferState.IGNORED, reason=TransferReason.DETAILED).where(
        BankTransfer.id == first.id, BankTransfer.state == first.state
    )
    return bool(changed.execute())


def _is_another(line: KeyedLine, before: Sequence[_Told], read: ReadStatement) -> bool:
    """Whether two statements of one kind tell of two transfers that are alike in all that the bank tells.

    A table that somebody exports tells of the same days again and again.
    """
    if line.line.has_reference or read.kind == BankFileKind.CSV:
        return False
    same_kind = [each for each in before if each.kind == read.kind]
    return len(same_kind) == len(before) and all(each.number != read.number for each in same_kind)


def _once_more(entry: Sequence[KeyedLine], read: ReadStatement, *, key: str) -> Iterator[BankTransfer]:
    """Under a key that is free, for somebody to look at: it may be the same after all."""
    for each in entry:
        transfer = _transfer(KeyedLine(key, each.line), read)
        transfer.state, transfer.reason = TransferState.PARKED, TransferReason.MAYBE_KNOWN
        yield transfer


def _newest_of(fact: str, account: str) -> int:
    """How often it was told so far."""
    keys = BankTransfer.select(BankTransfer.key).where(
        BankTransfer.account == account, BankTransfer.key.startswith(f"{fact}-")
    )
    return max(KeyedLine.occurrence_of(key) for (key,) in cast("Iterable[tuple[str]]", keys.tuples()))


def _transfer(each: KeyedLine, read: ReadStatement) -> BankTransfer:
    line = each.line
    return BankTransfer(
        account=read.account,
        key=each.key,
        part=line.part,
        is_debit=line.is_debit,
        amount_minor=line.amount.minor,
        currency=line.amount.currency,
        booked_on=line.booked_on,
        bank_reference=line.bank_reference,
        payer_name=line.payer_name,
        payer_iban=line.payer_iban,
        end_to_end_id=line.end_to_end_id,
        reference=line.reference,
        texts=list(line.texts),
        is_batch=line.is_batch,
        goes_back=line.goes_back,
    )
