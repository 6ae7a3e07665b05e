"""The bank's files: the vendor's staff sends them here, and sees what became of each line."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, abort, flash, request, url_for
from flask_babel import ngettext
from werkzeug.datastructures import MultiDict

from portal.domain.bank_files.decoding import csv_text
from portal.domain.bank_files.lines import LARGEST_BYTES, BankFileRefused, Fault, ReadStatement, clean, refuse
from portal.domain.bank_files.tables import SEPARATORS, CsvMapping, headers_of, rows_of
from portal.domain.money import Money, total
from portal.domain.vocabulary import TransferState
from portal.forms.payments import CsvMappingForm, StatementForm, values_of
from portal.models import BankCsvUpload, BankStatement, BankTransfer
from portal.runtime import current
from portal.services.payments import bank_statements, matching, transfer_pages
from portal.services.payments.bank_statements import Imported, StatementKnown
from portal.services.payments.transfer_pages import StatementRow, TransferRow, Waiting
from portal.web.access import operators_only, takes_files
from portal.web.htmx import redirect_after_write, render
from portal.web.lists import LARGEST_ID, page_cursor
from portal.words import formatting
from portal.words.i18n import Choices
from portal.words.i18n import gettext as _
from portal.words.transfers import kind_words, reason_words, refusal_words, transfer_words

blueprint = Blueprint("bank_statements", __name__, url_prefix="/operator/bank-statements")
STATEMENT = f"/<int(max={LARGEST_ID}):statement_id>"
UPLOAD = f"/csv/<int(max={LARGEST_ID}):upload_id>"
ROWS_OF_A_PAGE = 50
LINES_OF_A_PAGE = 100
REFRESH_SECONDS = 3
ROWS_PREVIEWED = 8
LONGEST_FILE_NAME = 200
ROOM_FOR_THE_FORM = 64 * 1024
SHOWN = {
    "all": (),
    "waiting": (TransferState.TO_CONFIRM, TransferState.PARKED),
    "matched": (TransferState.MATCHED, TransferState.RETURNED),
    "ignored": (TransferState.IGNORED,),
}


# --- all of them ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StatementsPage:
    """What was imported, and what waits for somebody."""

    form: StatementForm
    uploads: list[BankCsvUpload]
    waiting: Waiting
    rows: "list[ListedStatement]"
    older: int | None
    is_first: bool


@dataclass(frozen=True, slots=True)
class ListedStatement:
    id: int
    name: str
    kind: str
    days: str
    imported: str
    lines: str
    waiting: int


@blueprint.get("")
@operators_only
def index() -> Response:
    form = StatementForm()
    if request.args.get("refused") == "size":
        too_large = refuse(Fault.TOO_LARGE, expected=str(LARGEST_BYTES // 1024**2))
        form.add_error("file", refusal_words(too_large))
        return _index(form, status=413)
    return _index(form)


@blueprint.post("")
@takes_files(LARGEST_BYTES + ROOM_FOR_THE_FORM)
@operators_only
def upload() -> Response:
    """A file of the bank: imported whole, or refused in words."""
    form, file = StatementForm(), request.files.get("file")
    if not form.validate_on_submit():
        return _index(form, status=422)
    if file is None or not file.filename:
        form.add_error("file", _("Choose a file of your bank."))
        return _index(form, status=422)
    name = clean(file.filename, longest=LONGEST_FILE_NAME)
    try:
        taken = bank_statements.take_file(file.read(), file_name=name, now=current().clock.now())
    except BankFileRefused as refused:
        form.add_error("file", refusal_words(refused))
        return _index(form, status=422)
    except StatementKnown as known:
        return _known(known)
    if isinstance(taken, BankCsvUpload):
        return redirect_after_write(url_for("bank_statements.columns", upload_id=taken.id))
    return _imported(taken)


def _imported(imported: Imported) -> Response:
    """A small file is matched before the page is there; the worker matches a large one."""
    if imported.new <= bank_statements.MATCHED_AT_ONCE:
        matching.match_received([each.id for each in imported.statements], now=current().clock.now())
    flash(
        ngettext("%(num)d new transfer was imported.", "%(num)d new transfers were imported.", imported.new),
        "done",
    )
    if imported.known:
        said = _("Known already from earlier files, and left as they are: %(number)s.", number=imported.known)
        flash(said, "done")
    if len(imported.statements) > 1:
        return redirect_after_write(url_for("bank_statements.index"))
    return redirect_after_write(url_for("bank_statements.show", statement_id=imported.statements[0].id))


def _known(known: StatementKnown) -> Response:
    flash(_("This statement was imported before. Nothing was changed."), "done")
    return redirect_after_write(url_for("bank_statements.show", statement_id=known.statement_id))


def _index(form: StatementForm, *, status: int = 200) -> Response:
    cursor = page_cursor()
    found = transfer_pages.statements(before=cursor, size=ROWS_OF_A_PAGE + 1)
    rows = found[:ROWS_OF_A_PAGE]
    return render(
        "operator/bank_statements.html",
        StatementsPage(
            form=form,
            uploads=bank_statements.uploads(),
            waiting=transfer_pages.count_waiting(),
            rows=[_listed(row) for row in rows],
            older=rows[-1].statement.id if len(found) > ROWS_OF_A_PAGE else None,
            is_first=cursor is None,
        ),
        status=status,
    )


def _listed(row: StatementRow) -> ListedStatement:
    statement = row.statement
    return ListedStatement(
        id=statement.id,
        name=statement.file_name or statement.number,
        kind=kind_words(statement.kind),
        days=_days(statement),
        imported=formatting.instant(statement.imported_at, current().settings.seller.time_zone),
        lines=formatting.number(row.new),
        waiting=row.count(*SHOWN["waiting"]),
    )


def _days(statement: BankStatement) -> str:
    if statement.first_on is None or statement.last_on is None:
        return "–"
    first, last = formatting.day(statement.first_on), formatting.day(statement.last_on)
    return first if first == last else _("%(start)s to %(end)s", start=first, end=last)


# --- one of them ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StatementPage:
    """One statement with its lines. `more` is the cursor of the next page; `left` lines are being matched."""

    title: str
    facts: list[tuple[str, str]]
    address: str
    shows: str
    rows: "list[ListedTransfer]"
    more: int | None
    left: int
    refresh_seconds: int


@dataclass(frozen=True, slots=True)
class ListedTransfer:
    """A transfer ready to print. `workspace_url` is empty where it is nobody's."""

    id: int
    booked: str
    payer: str
    text: str
    amount: str
    state: str
    state_label: str
    reason: str
    workspace: str
    workspace_url: str
    covers: str
    waits: bool


@blueprint.get(STATEMENT)
@operators_only
def show(statement_id: int) -> Response:
    row = transfer_pages.find_statement(statement_id)
    if row is None:
        abort(404)
    shows = request.args.get("show", "all")
    shows = shows if shows in SHOWN else "all"
    found = transfer_pages.transfers_of(
        statement_id, states=SHOWN[shows], after=page_cursor("after") or 0, size=LINES_OF_A_PAGE + 1
    )
    rows, left = found[:LINES_OF_A_PAGE], row.count(TransferState.RECEIVED)
    return render(
        "operator/bank_statement.html",
        StatementPage(
            title=row.statement.file_name or row.statement.number,
            facts=_facts(row),
            address=url_for("bank_statements.show", statement_id=statement_id),
            shows=shows,
            rows=[listed_transfer(each) for each in rows],
            more=rows[-1].transfer.id if len(found) > LINES_OF_A_PAGE else None,
            left=left,
            refresh_seconds=REFRESH_SECONDS,
        ),
    )


def _facts(row: StatementRow) -> list[tuple[str, str]]:
    statement = row.statement
    facts = [
        (_("Kind"), kind_words(statement.kind)),
        (_("The bank’s number"), statement.number),
        (_("Account"), statement.account),
        (_("Days"), _days(statement)),
    ]
    for label, minor in (
        (_("Opening balance"), statement.opening_minor),
        (_("Closing balance"), statement.closing_minor),
    ):
        if minor is not None and statement.currency:
            facts.append((label, formatting.money(Money(minor, statement.currency))))
    facts.append((_("New transfers"), formatting.number(row.new)))
    if statement.listed > row.new:
        facts.append((_("Known from earlier files"), formatting.number(statement.listed - row.new)))
    if statement.not_booked:
        facts.append((_("Not booked yet, left out"), formatting.number(statement.not_booked)))
    return facts


def listed_transfer(row: TransferRow) -> ListedTransfer:
    transfer = row.transfer
    workspace = transfer.workspace
    is_there = workspace is not None and workspace.deleted_at is None
    amount = -transfer.amount if transfer.is_debit else transfer.amount
    return ListedTransfer(
        id=transfer.id,
        booked=formatting.day(transfer.booked_on),
        payer=transfer.payer_name or transfer.payer_iban or "–",
        text=" ".join(filter(None, (transfer.reference, *transfer.texts))),
        amount=formatting.money(amount),
        state=STATE_LOOKS.get(transfer.state, transfer.state),
        state_label=transfer_words(transfer.state),
        reason=reason_words(transfer.state, transfer.reason),
        workspace=_workspace_words(transfer),
        workspace_url=url_for("operator.show", slug=workspace.slug) if workspace and is_there else "",
        covers=", ".join(each.number for each in row.covering),
        waits=transfer.waits,
    )


STATE_LOOKS = {
    TransferState.TO_CONFIRM: "recommended",
    TransferState.PARKED: "late",
    TransferState.RETURNED: "failed",
}
"""The look of a badge: what waits is seen first."""


def _workspace_words(transfer: BankTransfer) -> str:
    """Nobody's name stands on the row of a workspace that is gone: its customer number does."""
    workspace = transfer.workspace
    if workspace is None:
        return ""
    return workspace.name if workspace.deleted_at is None else workspace.customer_number


# --- the columns of a CSV -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ColumnsPage:
    """A CSV that waits for its columns, and what would be imported as they are chosen now."""

    title: str
    upload_id: int
    form: CsvMappingForm
    is_remembered: bool
    raw_rows: list[list[str]]
    problem: str
    facts: list[tuple[str, str]]
    rows: list[tuple[str, str, str, str]]
    lines: int
    hidden: list[tuple[str, str]]


@blueprint.get(f"{UPLOAD}")
@operators_only
def columns(upload_id: int) -> Response:
    """What the file looks like with the columns that the address names; nothing is written."""
    return _columns_page(_upload_or_404(upload_id), request.args)


@blueprint.post(f"{UPLOAD}")
@operators_only
def import_columns(upload_id: int) -> Response:
    """Import it as it was shown."""
    upload = _upload_or_404(upload_id)
    form = _mapping_form(upload, request.form)
    if not form.validate():
        return _columns_page(upload, request.form, status=422)
    try:
        imported = bank_statements.import_csv(upload, form.mapping(), now=current().clock.now())
    except BankFileRefused:
        return _columns_page(upload, request.form, status=422)
    except StatementKnown as known:
        bank_statements.discard_upload(upload)
        return _known(known)
    return _imported(imported)


@blueprint.post(f"{UPLOAD}/discard")
@operators_only
def discard(upload_id: int) -> Response:
    bank_statements.discard_upload(_upload_or_404(upload_id))
    flash(_("The file was discarded. Nothing of it was imported."), "done")
    return redirect_after_write(url_for("bank_statements.index"))


def _mapping_form(
    upload: BankCsvUpload, chosen: "MultiDict[str, str] | None", **values: Any
) -> CsvMappingForm:
    separator = (chosen or values).get("separator")
    separator = separator if separator in SEPARATORS else SEPARATORS[0]
    return CsvMappingForm(chosen, columns=_columns_of(upload, separator), **values)


def _columns_of(upload: BankCsvUpload, separator: str) -> Choices:
    """`2 – Amount`: the number and what stands in the first row."""
    try:
        headers = headers_of(csv_text(bytes(upload.content)), separator)
    except BankFileRefused:
        headers = []
    return [
        (str(place), f"{place} – {clean(header, longest=40)}" if header else str(place))
        for place, header in enumerate(headers, 1)
    ]


def _columns_page(upload: BankCsvUpload, chosen: "MultiDict[str, str]", *, status: int = 200) -> Response:
    proposed, is_remembered, problem = None, False, ""
    try:
        proposed, is_remembered = bank_statements.mapping_for(upload)
    except BankFileRefused as refused:
        problem = refusal_words(refused)
    values = values_of(proposed) if proposed is not None else {}
    form = _mapping_form(upload, chosen if "date" in chosen else None, **values)
    read: ReadStatement | None = None
    if "date" in chosen or is_remembered:
        if "date" not in chosen or form.validate():
            mapping: CsvMapping = form.mapping()
            try:
                read = bank_statements.read_upload(upload, mapping)
            except BankFileRefused as refused:
                problem = refusal_words(refused)
        else:
            problem = _("Choose the columns first.")
    return render(
        "operator/bank_csv_columns.html",
        ColumnsPage(
            title=_("Columns of %(file)s", file=upload.file_name),
            upload_id=upload.id,
            form=form,
            is_remembered=is_remembered and "date" not in chosen,
            raw_rows=_raw_rows(upload, form.separator.data),
            problem=problem,
            facts=_read_facts(read) if read else [],
            rows=_read_rows(read) if read else [],
            lines=len(read.lines) if read else 0,
            hidden=[(field.name, _posted(field.data)) for field in form if field.data not in (False, None)]
            if read
            else [],
        ),
        status=status,
    )


def _posted(value: object) -> str:
    return "y" if value is True else str(value)


def _raw_rows(upload: BankCsvUpload, separator: str) -> list[list[str]]:
    """The first rows as they stand in the file."""
    found: list[list[str]] = []
    separator = separator if separator in SEPARATORS else SEPARATORS[0]
    try:
        for _line, row in rows_of(csv_text(bytes(upload.content)), separator):
            found.append([clean(cell, longest=60) for cell in row[:20]])
            if len(found) == 4:
                break
    except BankFileRefused:
        return found
    return found


def _read_facts(read: ReadStatement) -> list[tuple[str, str]]:
    facts = [(_("Rows"), formatting.number(len(read.lines)))]
    for currency in sorted({line.amount.currency for line in read.lines}):
        lines = [line for line in read.lines if line.amount.currency == currency]
        came = total((line.amount for line in lines if not line.is_debit), currency)
        went = total((line.amount for line in lines if line.is_debit), currency)
        facts += [(_("Came"), formatting.money(came)), (_("Went"), formatting.money(-went))]
    return facts


def _read_rows(read: ReadStatement) -> list[tuple[str, str, str, str]]:
    return [
        (
            formatting.day(line.booked_on),
            line.payer_name or line.payer_iban or "–",
            " ".join(filter(None, (line.reference, *line.texts))) or "–",
            formatting.money(-line.amount if line.is_debit else line.amount),
        )
        for line in read.lines[:ROWS_PREVIEWED]
    ]


def _upload_or_404(upload_id: int) -> BankCsvUpload:
    upload = bank_statements.find_upload(upload_id)
    if upload is None:
        abort(404)
    return upload
