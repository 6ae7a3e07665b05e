"""The vendor's staff: find a workspace, see where it stands, set right what is wrong."""

from dataclasses import dataclass, replace
from datetime import datetime

from flask import Blueprint, Response, abort, flash, request, url_for

from .. import formatting
from ..domain.money import Money
from ..domain.vocabulary import OrderState, PaymentState, SubscriptionState
from ..forms.base import TEXT_LENGTH, clean_text
from ..forms.operator import UsedStorageForm
from ..htmx import redirect_after_write, render
from ..i18n import gettext as _
from ..i18n import translated
from ..models import Member, Workspace
from ..money_words import method_words
from ..runtime import current
from ..security import operators_only
from ..services import operations, payments, plans, subscriptions
from ..services.operations import Attempt
from ..services.payments import AmountMismatch

blueprint = Blueprint("operator", __name__, url_prefix="/operator")
ROWS_OF_A_PAGE = 50
ATTEMPTS_SHOWN = 20
MEGABYTE, GIGABYTE = operations.UNITS["MB"], operations.UNITS["GB"]


# --- all of them ----------------------------------------------------------------------------------


@blueprint.get("/")
@operators_only
def index() -> Response:
    search, _fault = clean_text(request.args.get("q", ""), max_length=TEXT_LENGTH)
    before = request.args.get("before", "")
    cursor = int(before) if before.isascii() and before.isdigit() and len(before) < 10 else None
    found = operations.workspaces(
        search=search[:TEXT_LENGTH], before=cursor, size=ROWS_OF_A_PAGE, now=current().clock.now()
    )
    return render(
        "operator/index.html",
        rows=[(row.workspace, row.status, state_words(row.status.state)) for row in found.rows],
        older=found.older,
        search=search,
        is_first=cursor is None,
    )


def state_words(state: SubscriptionState) -> str:
    return {
        SubscriptionState.TRIAL: _("Trial"),
        SubscriptionState.FREE: _("Free"),
        SubscriptionState.PAID: _("Paid"),
        SubscriptionState.LATE: _("Late"),
        SubscriptionState.BLOCKED: _("Blocked"),
    }[state]


# --- one of them ----------------------------------------------------------------------------------


@blueprint.get("/workspaces/<slug>")
@operators_only
def show(slug: str) -> Response:
    workspace = _workspace_or_404(slug)
    return _page(workspace, _storage_form(workspace))


@blueprint.post("/workspaces/<slug>")
@operators_only
def set_storage(slug: str) -> Response:
    """Set the used storage, until the host product tells it."""
    workspace = _workspace_or_404(slug)
    form = _storage_form(workspace)
    if not form.validate_on_submit():
        return _page(workspace, form, status=422)
    used_bytes = form.amount.data * operations.UNITS[form.unit.data]
    operations.set_used_storage(workspace, used_bytes=used_bytes, now=current().clock.now())
    flash(_("The used storage is now %(size)s.", size=formatting.storage(used_bytes)), "done")
    return redirect_after_write(url_for("operator.show", slug=slug))


@blueprint.post("/workspaces/<slug>/payments/<key>/look-up")
@operators_only
def look_up(slug: str, key: str) -> Response:
    """Ask the gateway now how a waiting payment stands; moves no money."""
    payment = operations.find_payment(_workspace_or_404(slug), key)
    if payment is None:
        abort(404)
    try:
        payment = payments.look_up(payment, now=current().clock.now())
    except AmountMismatch:
        flash(_("The gateway took another amount than was asked for. Nothing was marked as paid."), "error")
    else:
        state = payment_words(payment.state)
        flash(_("The gateway was asked. The payment is now: %(state)s.", state=state), "done")
    return redirect_after_write(url_for("operator.show", slug=slug))


def _page(workspace: Workspace, form: UsedStorageForm, *, status: int = 200) -> Response:
    now = current().clock.now()
    standing = subscriptions.status_of(subscriptions.of_workspace(workspace), today=workspace.day(now))
    return render(
        "operator/workspace.html",
        status=status,
        form=form,
        subject=workspace,
        owners=list(Member.owners(workspace)),
        plan_name=translated(standing.plan.names),
        standing=standing,
        state_label=state_words(standing.state),
        usage=plans.usage_of(workspace),
        rows=[_row(attempt) for attempt in operations.attempts(workspace, limit=ATTEMPTS_SHOWN)],
    )


def _storage_form(workspace: Workspace) -> UsedStorageForm:
    """In gigabytes where that is exact, else in megabytes begun."""
    used_bytes = workspace.used_storage_bytes
    if used_bytes % GIGABYTE == 0:
        return UsedStorageForm(amount=used_bytes // GIGABYTE, unit="GB")
    return UsedStorageForm(amount=-(-used_bytes // MEGABYTE), unit="MB")


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An order and one attempt to pay it, ready to print. `key` is empty unless the payment waits."""

    number: str
    buyer: str
    plan: str
    at: datetime
    amount: str
    state: str
    state_label: str
    method: str = ""
    key: str = ""


def _row(attempt: Attempt) -> AttemptRow:
    order, payment = attempt.order, attempt.payment
    ordered = AttemptRow(
        number=order.number,
        buyer=order.person.email,
        plan=translated(order.plan.names),
        at=order.created_at,
        amount=formatting.money(Money(order.total_minor, order.currency)),
        state=order.state,
        state_label=order_words(order.state),
    )
    if payment is None:
        return ordered
    return replace(
        ordered,
        at=payment.created_at,
        amount=formatting.money(payment.amount),
        state=payment.state,
        state_label=payment_words(payment.state),
        method=method_words(payment.method_kind, payment.brand, payment.last4),
        key=payment.key if payment.state in payments.WAITING else "",
    )


def order_words(state: OrderState) -> str:
    return {
        OrderState.OPEN: _("Not ordered yet"),
        OrderState.PLACED: _("Ordered"),
        OrderState.PAID: _("Paid"),
    }[state]


def payment_words(state: PaymentState) -> str:
    return {
        PaymentState.CREATED: _("Being asked"),
        PaymentState.ACTION_REQUIRED: _("Waits for the payer"),
        PaymentState.PENDING: _("Waits for the bank"),
        PaymentState.UNKNOWN: _("Result unknown"),
        PaymentState.SUCCEEDED: _("Paid"),
        PaymentState.DECLINED: _("Declined"),
    }[state]


def _workspace_or_404(slug: str) -> Workspace:
    workspace = operations.find_workspace(slug)
    if workspace is None:
        abort(404)
    return workspace
