"""One transfer that waits: whose it is, what it will cover, or why it is nobody's."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, abort, flash, request, url_for

from portal.domain.vocabulary import TransferReason, TransferState
from portal.forms.base import TEXT_LENGTH, clean_text
from portal.forms.payments import SetAsideForm, UndoMatchForm
from portal.models import BankTransfer, Invoice, Workspace
from portal.runtime import current
from portal.services import operator
from portal.services.payments import (
    transfer_decisions,
    transfer_facts,
    transfer_pages,
    transfers,
    undone_matches,
)
from portal.services.payments.transfer_pages import TransferRow, WorkspaceFound
from portal.services.payments.transfers import (
    TransferChanged,
    TransferDecided,
    TransferPreview,
    WorkspaceGone,
)
from portal.services.payments.undone_matches import MatchSpent
from portal.web.access import operators_only
from portal.web.htmx import redirect_after_write, render
from portal.web.lists import LARGEST_ID, page_cursor, whole_number
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.transfers import reason_words, transfer_words

from .bank_statements import LINES_OF_A_PAGE, STATE_LOOKS, ListedTransfer, listed_transfer

blueprint = Blueprint("bank_transfers", __name__, url_prefix="/operator/bank-transfers")
TRANSFER = f"/<int(max={LARGEST_ID}):transfer_id>"


@blueprint.get("")
@operators_only
def index() -> Response:
    """Those that wait for somebody, the oldest first."""
    cursor = page_cursor("after") or 0
    found = transfer_pages.waiting(after=cursor, size=LINES_OF_A_PAGE + 1)
    rows = found[:LINES_OF_A_PAGE]
    return render(
        "operator/bank_transfers.html",
        rows=[listed_transfer(each) for each in rows],
        more=rows[-1].transfer.id if len(found) > LINES_OF_A_PAGE else None,
        is_first=cursor == 0,
    )


@blueprint.get(TRANSFER)
@operators_only
def show(transfer_id: int) -> Response:
    """With what a workspace that the address names, or the one proposed, would get of it."""
    return _page(_row_or_404(transfer_id))


@blueprint.post(f"{TRANSFER}/match")
@operators_only
def match(transfer_id: int) -> Response:
    """Give it to the workspace, as was shown."""
    row = _row_or_404(transfer_id)
    workspace = operator.find_workspace(request.form.get("workspace", ""))
    if workspace is None:
        return _page(row, problem=_("This workspace has been deleted. Nothing was changed."), status=409)
    invoices = transfer_pages.invoices_of(workspace, request.form.getlist("invoice"))
    try:
        transfers.receive(
            row.transfer,
            workspace=workspace,
            invoices=invoices,
            shown_hash=request.form.get("shown", ""),
            now=current().clock.now(),
        )
    except TransferDecided:
        return _decided_before(transfer_id)
    except WorkspaceGone:
        return _page(row, problem=_("This workspace has been deleted. Nothing was changed."), status=409)
    except TransferChanged:
        found = _row_or_404(transfer_id)
        if not _may_be_given(found.transfer):
            return _decided_before(transfer_id)
        return _page(
            found,
            chosen=(workspace, invoices),
            problem=_("Something has changed since you saw this page. Nothing was done: check it again."),
            status=409,
        )
    said = _(
        "The transfer is matched with %(workspace)s, whose people have been told.", workspace=workspace.name
    )
    flash(said, "done")
    return _back(row.transfer)


@blueprint.post(f"{TRANSFER}/decline")
@operators_only
def decline(transfer_id: int) -> Response:
    """It is not what was proposed."""
    row = _row_or_404(transfer_id)
    try:
        transfer_decisions.decline_proposal(row.transfer, now=current().clock.now())
    except TransferDecided:
        return _decided_before(transfer_id)
    flash(_("The proposal is gone. Find the workspace that the transfer is for, or set it aside."), "done")
    return redirect_after_write(url_for("bank_transfers.show", transfer_id=transfer_id))


@blueprint.post(f"{TRANSFER}/set-aside")
@operators_only
def set_aside(transfer_id: int) -> Response:
    row, form = _row_or_404(transfer_id), SetAsideForm()
    if not form.validate_on_submit():
        return _page(row, form=form, status=422)
    try:
        transfer_decisions.set_aside(row.transfer, note=form.note.data, now=current().clock.now())
    except TransferDecided:
        return _decided_before(transfer_id)
    flash(_("The transfer is set aside. It stays in its statement."), "done")
    return _back(row.transfer)


@blueprint.post(f"{TRANSFER}/take-back")
@operators_only
def take_back(transfer_id: int) -> Response:
    """The bank takes back by it the transfer that was chosen."""
    row, taken = _row_or_404(transfer_id), _taken()
    if taken is None:
        return _page(row, problem=_("Choose the transfer that the bank took back."), status=422)
    try:
        transfers.take_back(
            row.transfer, taken=taken, reason=TransferReason.OPERATOR, now=current().clock.now()
        )
    except (TransferDecided, TransferChanged):
        return _decided_before(transfer_id)
    flash(_("The earlier transfer is taken back: what it had paid is open again."), "done")
    return _back(row.transfer)


@dataclass(frozen=True, slots=True)
class UndoPage:
    """What undoing a match does. `lines`: the number, due date and open amount of what is open again.

    `refusal` says why it cannot be undone, empty where it can; `tells`: people get a letter.
    """

    form: UndoMatchForm
    transfer_id: int
    amount: str
    facts: list[tuple[str, str]]
    lines: list[tuple[str, str, str]]
    refusal: str
    tells: bool


@blueprint.route(f"{TRANSFER}/undo", methods=["GET", "POST"])
@operators_only
def undo(transfer_id: int) -> Response:
    """Take it from the workspace that it was matched with by mistake."""
    row, form = _row_or_404(transfer_id), UndoMatchForm()
    if not undone_matches.may_be_undone(row.transfer):
        return _decided_before(transfer_id)
    if not form.validate_on_submit():
        return _undo_page(row.transfer, form, status=422 if form.is_submitted() else 200)
    try:
        undone_matches.undo(
            row.transfer, reason=form.note.data, shown_hash=form.shown.data or "", now=current().clock.now()
        )
    except TransferDecided:
        return _decided_before(transfer_id)
    except (TransferChanged, MatchSpent):
        form.add_error(
            None, _("Something has changed since you saw this page. Nothing was done: check it again.")
        )
        return _undo_page(_row_or_404(transfer_id).transfer, form, status=409)
    flash(_("The match is undone. Find the workspace that the transfer is for, or set it aside."), "done")
    return redirect_after_write(url_for("bank_transfers.show", transfer_id=transfer_id))


def _undo_page(transfer: BankTransfer, form: UndoMatchForm, *, status: int) -> Response:
    effect = undone_matches.preview(transfer)
    workspace, refusal = effect.workspace, ""
    form.shown.data = effect.hash
    if effect.spent.minor:
        refusal = _(
            "%(amount)s of it was spent since, on what was bought or invoiced later, or a payment on its way "
            "counts on it. It can no longer be undone here.",
            amount=formatting.money(effect.spent),
        )
    is_gone = workspace.deleted_at is not None
    return render(
        "operator/transfer_undo.html",
        UndoPage(
            form=form,
            transfer_id=transfer.id,
            amount=formatting.money(transfer.amount),
            facts=[
                (_("Workspace"), workspace.customer_number if is_gone else workspace.name),
                (_("Customer number"), workspace.customer_number),
                *([] if refusal else [(_("Gone from the balance"), formatting.money(effect.kept))]),
            ],
            lines=[
                (
                    each.invoice.number,
                    formatting.day(each.invoice.due_on) if each.invoice.due_on else "–",
                    formatting.money(each.left),
                )
                for each in effect.opened
            ],
            refusal=refusal,
            tells=bool(effect.opened) and not is_gone,
        ),
        status=status,
    )


def _taken() -> BankTransfer | None:
    named = whole_number(request.form.get("taken", ""), digits=10)
    found = transfer_pages.find(min(named, LARGEST_ID)) if named is not None else None
    return None if found is None else found.transfer


# --- the page -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OfferedInvoice:
    """An open invoice that may be ticked."""

    number: str
    issued: str
    left: str


@dataclass(frozen=True, slots=True)
class OfferedWorkspace:
    """A workspace that was found, with what is open there."""

    name: str
    slug: str
    customer_number: str
    invoices: list[OfferedInvoice]


@dataclass(frozen=True, slots=True)
class Effect:
    """What giving it to a workspace does, and the form that does it."""

    title: str
    facts: list[tuple[str, str]]
    lines: list[tuple[str, str, str]]
    kept: str
    slug: str
    numbers: list[str]
    shown: str
    button: str
    is_proposed: bool


@dataclass(frozen=True, slots=True)
class TransferPage:
    """One transfer. `effect` once a workspace is chosen or proposed; `earlier` if it may take one back."""

    transfer_id: int
    title: str
    facts: list[tuple[str, str]]
    state: str
    state_label: str
    reason: str
    note: str
    may_be_given: bool
    may_be_set_aside: bool
    may_be_undone: bool
    is_proposal: bool
    takes_back: bool
    problem: str
    effect: Effect | None
    search: str
    found: list[OfferedWorkspace] | None
    earlier: list[ListedTransfer]
    taken: str
    taken_url: str
    form: SetAsideForm
    statement_url: str
    statement_name: str


def _page(
    row: TransferRow,
    *,
    chosen: tuple[Workspace, Sequence[Invoice]] | None = None,
    form: SetAsideForm | None = None,
    problem: str = "",
    status: int = 200,
) -> Response:
    transfer = row.transfer
    may_be_given = _may_be_given(transfer)
    takes_back = transfer.is_debit and transfer.takes_back_id is None
    chosen = chosen or (_chosen(transfer) if may_be_given else None)
    search, found = _found(transfer) if may_be_given else ("", None)
    earlier = transfer_facts.earlier_transfers(transfer) if takes_back else []
    amount = formatting.money(-transfer.amount if transfer.is_debit else transfer.amount)
    other = _other_half(transfer)
    return render(
        "operator/bank_transfer.html",
        TransferPage(
            transfer_id=transfer.id,
            title=_("Transfer of %(amount)s", amount=amount),
            facts=_facts(row),
            state=STATE_LOOKS.get(transfer.state, transfer.state),
            state_label=transfer_words(transfer.state),
            reason=reason_words(transfer.state, transfer.reason),
            note=transfer.note,
            may_be_given=may_be_given,
            may_be_set_aside=transfer.waits,
            may_be_undone=undone_matches.may_be_undone(transfer),
            is_proposal=transfer.state == TransferState.TO_CONFIRM,
            takes_back=takes_back,
            problem=problem,
            effect=_effect(transfer, *chosen) if chosen is not None else None,
            search=search,
            found=found,
            earlier=[listed_transfer(each) for each in transfer_pages.rows_of(earlier)],
            taken=formatting.day(other.booked_on) if other is not None else "",
            taken_url=url_for("bank_transfers.show", transfer_id=other.id) if other is not None else "",
            form=form or SetAsideForm(formdata=None),
            statement_url=url_for("bank_statements.show", statement_id=transfer.statement_id),
            statement_name=transfer.statement.file_name or transfer.statement.number,
        ),
        status=status,
    )


def _other_half(transfer: BankTransfer) -> BankTransfer | None:
    """What it takes back, or what took it back."""
    if transfer.takes_back_id is not None:
        return transfer.takes_back
    return transfer_pages.taken_back_by(transfer) if transfer.state == TransferState.RETURNED else None


def _may_be_given(transfer: BankTransfer) -> bool:
    """Money that came, and that nobody has."""
    undecided = (TransferState.TO_CONFIRM, TransferState.PARKED, TransferState.IGNORED)
    is_money = transfer.amount_minor > 0 and not transfer.is_debit
    return is_money and transfer.state in undecided and transfer.reason != TransferReason.DETAILED


def _chosen(transfer: BankTransfer) -> tuple[Workspace, Sequence[Invoice]] | None:
    """The workspace and invoices that the address names, else those that are proposed."""
    slug = request.args.get("workspace", "")
    if slug:
        workspace = operator.find_workspace(slug)
        if workspace is None:
            abort(404)
        return workspace, transfer_pages.invoices_of(workspace, request.args.getlist("invoice"))
    if transfer.state == TransferState.TO_CONFIRM and transfer.workspace is not None:
        return transfer.workspace, transfer_pages.invoices_by_id(transfer.invoice_ids)
    return None


def _effect(transfer: BankTransfer, workspace: Workspace, invoices: Sequence[Invoice]) -> Effect:
    effect: TransferPreview = transfers.preview(transfer, workspace=workspace, invoices=invoices)
    amount = formatting.money(transfer.amount)
    return Effect(
        title=workspace.name,
        facts=[
            (_("Workspace"), workspace.name),
            (_("Customer number"), workspace.customer_number),
            (_("Kept in the balance"), formatting.money(effect.kept)),
        ],
        lines=[
            (each.invoice.number, formatting.money(each.covered), formatting.money(each.left))
            for each in effect.invoices
        ],
        kept=formatting.money(effect.kept),
        slug=workspace.slug,
        numbers=[each.number for each in invoices],
        shown=effect.hash,
        button=_("Match %(amount)s with %(workspace)s", amount=amount, workspace=workspace.name),
        is_proposed="workspace" not in request.args and transfer.state == TransferState.TO_CONFIRM,
    )


def _found(transfer: BankTransfer) -> tuple[str, list[OfferedWorkspace] | None]:
    """What was searched for, and the workspaces found; None while nothing was."""
    search, _fault = clean_text(request.args.get("q", ""), max_length=TEXT_LENGTH)
    if not search:
        return "", None
    found = transfer_pages.search(search[:TEXT_LENGTH], currency=transfer.currency, now=current().clock.now())
    return search, [_offered(each) for each in found]


def _offered(found: WorkspaceFound) -> OfferedWorkspace:
    return OfferedWorkspace(
        name=found.workspace.name,
        slug=found.workspace.slug,
        customer_number=found.workspace.customer_number,
        invoices=[
            OfferedInvoice(invoice.number, formatting.day(invoice.issued_on), formatting.money(left))
            for invoice, left in found.still_open
        ],
    )


def _facts(row: TransferRow) -> list[tuple[str, str]]:
    transfer = row.transfer
    facts = [
        (_("Booked on"), formatting.day(transfer.booked_on)),
        (_("Paid to") if transfer.is_debit else _("Paid by"), transfer.payer_name or "–"),
        (_("IBAN"), transfer.payer_iban or "–"),
        (_("Reference"), transfer.reference or "–"),
        (_("Text"), " ".join(transfer.texts) or "–"),
    ]
    if transfer.end_to_end_id:
        facts.append((_("The payer’s reference"), transfer.end_to_end_id))
    if transfer.bank_reference:
        facts.append((_("The bank’s reference"), transfer.bank_reference))
    if row.covering:
        covered = ", ".join(f"{each.number} ({formatting.money(each.amount)})" for each in row.covering)
        facts.append((_("Invoices paid"), covered))
    return facts


def _decided_before(transfer_id: int) -> Response:
    """Somebody else was faster: the page shows what they decided."""
    found = _row_or_404(transfer_id)
    problem = _("Nothing was changed: somebody has decided about this transfer already.")
    return _page(found, problem=problem, status=409)


def _back(transfer: BankTransfer) -> Response:
    """To the next one that waits, or to the statement."""
    if transfer_pages.count_waiting().count:
        return redirect_after_write(url_for("bank_transfers.index"))
    return redirect_after_write(url_for("bank_statements.show", statement_id=transfer.statement_id))


def _row_or_404(transfer_id: int) -> TransferRow:
    row = transfer_pages.find(transfer_id)
    if row is None:
        abort(404)
    return row
