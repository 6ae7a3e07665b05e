"""The vendor's staff: find a workspace, see where it stands, set right what is wrong."""

from dataclasses import dataclass, fields, replace
from datetime import datetime

from flask import Blueprint, Response, abort, flash, request, url_for

from portal import outbox
from portal.domain.money import Money
from portal.domain.plans import Usage
from portal.domain.vocabulary import PaymentState, SubscriptionState
from portal.forms.base import CARD_NUMBER_SENTENCE, TEXT_LENGTH, clean_text
from portal.forms.operator import MOST_TRIAL_DAYS, CorporateForm, ExtendTrialForm, UsedStorageForm
from portal.models import Member, Payment, Workspace
from portal.runtime import current
from portal.services import exchange_rates, operator, plans
from portal.services.operator import Corporate, PaymentAttempt
from portal.services.payments import asking, charging, transfer_pages
from portal.services.payments.charging import AmountMismatch
from portal.services.subscriptions import agreement, nonprofit, trials
from portal.services.subscriptions.trials import NotOnTrial, TrialChanged
from portal.services.workspace.deletion import Why
from portal.web.access import operators_only
from portal.web.htmx import redirect_after_write, render
from portal.web.lists import page_cursor, whole_number
from portal.web.vat_register import register_words
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.licences import licences_words
from portal.words.methods import method_words
from portal.words.people import somebody
from portal.words.states import order_words, payment_words, state_words

blueprint = Blueprint("operator", __name__, url_prefix="/operator")
ROWS_OF_A_PAGE = 50
ATTEMPTS_SHOWN = 20
USUAL_EXTENSION_DAYS = 14
CORPORATE_FIELDS = tuple(field.name for field in fields(Corporate))
MEGABYTE, GIGABYTE = operator.UNITS["MB"], operator.UNITS["GB"]


# --- all of them ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IndexPage:
    """What the vendor's staff sees first. `undecided`, `transfers`, `failing` and `without_rate` count what
    waits for somebody.
    """

    search: str
    search_problem: str
    rows: list[tuple[Workspace, agreement.SubscriptionStatus, str]]
    older: int | None
    is_first: bool
    undecided: int
    transfers: int
    failing: int
    without_rate: int


@blueprint.get("/")
@operators_only
def index() -> Response:
    search, fault = clean_text(request.args.get("q", ""), max_length=TEXT_LENGTH)
    holds_card_number = fault is CARD_NUMBER_SENTENCE
    cursor = page_cursor()
    found = operator.workspaces(
        search=search[:TEXT_LENGTH], before=cursor, size=ROWS_OF_A_PAGE, now=current().clock.now()
    )
    page = IndexPage(
        search=search,
        search_problem=str(fault) if holds_card_number else "",
        rows=[(row.workspace, row.status, state_words(row.status.state)) for row in found.rows],
        older=found.older,
        is_first=cursor is None,
        undecided=nonprofit.count_undecided(),
        transfers=transfer_pages.count_waiting().count,
        failing=outbox.count_failing(current().clock.wall()),
        without_rate=exchange_rates.count_urgent(now=current().clock.now()),
    )
    return render("operator/index.html", page, status=422 if holds_card_number else 200)


@blueprint.get("/deletions")
@operators_only
def deletions() -> Response:
    """Workspaces that are gone, and why."""
    cursor = page_cursor()
    found = operator.deletions(before=cursor, size=ROWS_OF_A_PAGE + 1)
    rows = found[:ROWS_OF_A_PAGE]
    return render(
        "operator/deletions.html",
        rows=[(row, why_words(row.why)) for row in rows],
        older=rows[-1].entry_id if len(found) > ROWS_OF_A_PAGE else None,
        is_first=cursor is None,
    )


def why_words(why: str) -> str:
    return {
        Why.OWNER.value: _("By an owner"),
        Why.NOT_PAID.value: _("Not paid for six months"),
    }[why]


# --- one of them ----------------------------------------------------------------------------------


@blueprint.get("/workspaces/<slug>")
@operators_only
def show(slug: str) -> Response:
    workspace = workspace_or_404(slug)
    return _page(workspace, _storage_form(workspace))


@blueprint.post("/workspaces/<slug>")
@operators_only
def set_storage(slug: str) -> Response:
    """Set the used storage, until the host product tells it."""
    workspace = workspace_or_404(slug)
    form = _storage_form(workspace)
    if not form.validate_on_submit():
        return _page(workspace, form, status=422)
    used_bytes = form.amount.data * operator.UNITS[form.unit.data]
    operator.set_used_storage(workspace, used_bytes=used_bytes, now=current().clock.now())
    flash(_("The used storage is now %(size)s.", size=formatting.storage(used_bytes)), "done")
    return redirect_after_write(url_for("operator.show", slug=slug))


@blueprint.post("/workspaces/<slug>/trial")
@operators_only
def extend_trial(slug: str) -> Response:
    """More days for a trial that runs or is over."""
    workspace = workspace_or_404(slug)
    form = ExtendTrialForm()
    if not form.validate_on_submit():
        return _page(workspace, _storage_form(workspace, posted=False), trial_form=form, status=422)
    try:
        due_on = trials.extend(
            workspace, days=form.days.data, shown_due_on=form.due_on.data, now=current().clock.now()
        )
    except NotOnTrial:
        flash(_("This workspace has no trial to extend. Nothing was changed."), "error")
    except TrialChanged as refusal:
        form.due_on.data = refusal.due_on.isoformat() if refusal.due_on else ""
        form.add_error(
            None, _("Somebody else extended the trial in the meantime. Nothing was changed: check the date.")
        )
        return _page(workspace, _storage_form(workspace, posted=False), trial_form=form, status=409)
    else:
        date = formatting.day(due_on)
        flash(_("The trial now ends on %(date)s. The owners have been told.", date=date), "done")
    return redirect_after_write(url_for("operator.show", slug=slug))


@blueprint.post("/workspaces/<slug>/corporate")
@operators_only
def set_corporate(slug: str) -> Response:
    """Who sells to the workspace instead of its own pages; all empty for nobody."""
    workspace = workspace_or_404(slug)
    form = CorporateForm()
    if not form.validate_on_submit():
        return _page(workspace, _storage_form(workspace, posted=False), corporate_form=form, status=422)
    wanted = Corporate(**{name: form[name].data for name in CORPORATE_FIELDS})
    changed = operator.set_corporate(workspace, wanted, now=current().clock.now())
    if not changed:
        flash(_("Nothing was changed."), "done")
    elif workspace.is_corporate:
        flash(_("This is a corporate workspace now: its pages show who sells to it."), "done")
    else:
        flash(_("This workspace buys on its own pages again."), "done")
    return redirect_after_write(url_for("operator.show", slug=slug))


@blueprint.post("/workspaces/<slug>/transfers")
@operators_only
def set_transfers(slug: str) -> Response:
    """Let the workspace pay by bank transfer, or not: `withheld` is 1 or 0."""
    workspace = workspace_or_404(slug)
    withheld = request.form.get("withheld", "")
    if withheld not in ("0", "1"):
        abort(422)
    if operator.withhold_transfers(workspace, withheld=withheld == "1", now=current().clock.now()):
        if workspace.transfers_withheld:
            flash(_("This workspace cannot pay by bank transfer any more."), "done")
        else:
            flash(_("This workspace can pay by bank transfer again."), "done")
    return redirect_after_write(url_for("operator.show", slug=slug))


@blueprint.post("/workspaces/<slug>/payments/<key>/look-up")
@operators_only
def look_up(slug: str, key: str) -> Response:
    """Ask the gateway now how a waiting payment stands; moves no money."""
    payment = operator.find_payment(workspace_or_404(slug), key)
    if payment is None:
        abort(404)
    try:
        payment = _asked(payment, now=current().clock.now())
    except AmountMismatch:
        flash(
            _("The gateway took a different amount from the one asked for. Nothing was marked as paid."),
            "error",
        )
    else:
        state = payment_words(payment.state, payment.decline_code)
        flash(_("The gateway has answered. State of the payment: %(state)s.", state=state), "done")
    return redirect_after_write(url_for("operator.show", slug=slug))


def _asked(payment: Payment, *, now: datetime) -> Payment:
    """As it stands after asking; after a silence as it stood."""
    return asking.in_time(lambda _request: charging.look_up(payment, now=now), otherwise=lambda: payment)


@dataclass(frozen=True, slots=True)
class ProductRow:
    """A licensed product that the workspace has or had. `due`: its due date; empty where there is none."""

    name: str
    plan: str
    licences: str
    due: str
    state: str
    state_label: str


def _product(status: agreement.SubscriptionStatus) -> ProductRow:
    has_ended = status.state is SubscriptionState.ENDED
    return ProductRow(
        name=translated(status.subscription.product.names),
        plan=translated(status.plan.names),
        licences=licences_words(status.subscription.quantity),
        due=formatting.day(status.due_on) if status.due_on and not has_ended else "",
        state=status.state,
        state_label=state_words(status.state),
    )


@dataclass(frozen=True, slots=True)
class WorkspacePage:
    """One workspace as the vendor's staff sees it."""

    form: UsedStorageForm
    trial_form: ExtendTrialForm
    corporate_form: CorporateForm
    extension: trials.TrialExtension | None
    subject: Workspace
    owners: list[Member]
    plan_name: str
    status_today: agreement.SubscriptionStatus
    state_label: str
    products: "list[ProductRow]"
    usage: Usage
    rows: "list[AttemptRow]"
    register_says: str


def _page(
    workspace: Workspace,
    form: UsedStorageForm,
    *,
    trial_form: ExtendTrialForm | None = None,
    corporate_form: CorporateForm | None = None,
    status: int = 200,
) -> Response:
    today = workspace.day(current().clock.now())
    status_today, *others = (agreement.status_of(each, today=today) for each in agreement.all_of(workspace))
    trial_form = trial_form or _trial_form(status_today)
    return render(
        "operator/workspace.html",
        WorkspacePage(
            form=form,
            trial_form=trial_form,
            corporate_form=corporate_form or CorporateForm(formdata=None, obj=workspace),
            extension=trials.extension_of(status_today, days=trial_form.days.data or USUAL_EXTENSION_DAYS),
            subject=workspace,
            owners=list(Member.owners(workspace)),
            plan_name=translated(status_today.plan.names),
            status_today=status_today,
            state_label=state_words(status_today.state),
            products=[_product(each) for each in others],
            usage=plans.usage_of(workspace),
            rows=[_row(workspace, attempt) for attempt in operator.attempts(workspace, limit=ATTEMPTS_SHOWN)],
            register_says=register_words(workspace, *operator.vat_number_of(workspace)),
        ),
        status=status,
    )


def _storage_form(workspace: Workspace, *, posted: bool = True) -> UsedStorageForm:
    """In gigabytes where that is exact, else in megabytes begun. Not `posted`: another form was sent."""
    used_bytes = workspace.used_storage_bytes
    is_exact = used_bytes % GIGABYTE == 0
    shown = {
        "amount": used_bytes // GIGABYTE if is_exact else -(-used_bytes // MEGABYTE),
        "unit": "GB" if is_exact else "MB",
    }
    return UsedStorageForm(data=shown) if posted else UsedStorageForm(formdata=None, data=shown)


def _trial_form(status_today: agreement.SubscriptionStatus) -> ExtendTrialForm:
    """With the days that the address asks for: the page shows the new due date while they are typed."""
    days = whole_number(request.args.get("days", ""), digits=3) or 0
    return ExtendTrialForm(
        formdata=None,
        days=days if 1 <= days <= MOST_TRIAL_DAYS else USUAL_EXTENSION_DAYS,
        due_on=status_today.due_on.isoformat() if status_today.due_on else "",
    )


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An order and one attempt to pay it, ready to print. `key` is empty unless the payment waits.

    `refund_url` leads to the refunds of a payment that succeeded.

    `at` is when it was ordered, in business time like all of the page; `tried` says when it was tried to pay.
    """

    number: str
    buyer: str
    plan: str
    at: datetime
    amount: str
    state: str
    state_label: str
    tried: str = ""
    method: str = ""
    key: str = ""
    refund_url: str = ""


def _row(workspace: Workspace, attempt: PaymentAttempt) -> AttemptRow:
    order, payment = attempt.order, attempt.payment
    ordered = AttemptRow(
        number=order.number,
        buyer=somebody("" if order.person.is_erased else order.person.email),
        plan=", ".join(translated(line.plan_names) for line in order.frozen_lines),
        at=order.created_at,
        amount=formatting.money(Money(order.total_minor, order.currency)),
        state=order.state,
        state_label=order_words(order.state),
    )
    if payment is None:
        return ordered
    return replace(
        ordered,
        tried=_when_tried(payment, workspace),
        amount=formatting.money(payment.amount),
        state="failed" if attempt.is_disputed else payment.state,
        state_label=_("Disputed")
        if attempt.is_disputed
        else payment_words(payment.state, payment.decline_code),
        method=method_words(payment.method_kind, payment.brand, payment.last4),
        key=payment.key if payment.is_open else "",
        refund_url=url_for("operator_refunds.show", slug=workspace.slug, key=payment.key)
        if payment.state == PaymentState.SUCCEEDED
        else "",
    )


def _when_tried(payment: Payment, workspace: Workspace) -> str:
    """An automatic try has its business day; of any other only the machine's time is known."""
    if payment.tried_on is not None:
        return _("Tried on %(date)s", date=formatting.day(payment.tried_on))
    date = formatting.instant(payment.created_at, workspace.time_zone)
    if current().settings.sandbox_only:
        return _("Tried on %(date)s, real time", date=date)
    return _("Tried on %(date)s", date=date)


def workspace_or_404(slug: str) -> Workspace:
    workspace = operator.find_workspace(slug)
    if workspace is None:
        abort(404)
    return workspace
