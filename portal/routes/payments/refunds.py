"""The refund of the last payment: what it undoes, its confirmation, its result. One address a payment."""

from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, abort, request, url_for
from flask_login import current_user

from portal.domain.vocabulary import Interval, RefundState, Right
from portal.gateways.base import RefundRefusal
from portal.models import Invoice, Payment, Plan, Refund
from portal.routes.plans.refusals import Refusal, refusals_of
from portal.runtime import current
from portal.services.invoices import history
from portal.services.payments import refund_quotes, refunds
from portal.services.payments.refund_quotes import (
    NotRefundable,
    Preview,
    RefundImpossible,
    RefusalReason,
)
from portal.services.payments.refunds import RefundChanged
from portal.services.places import Place
from portal.web import limits
from portal.web.access import limited, workspace_right
from portal.web.htmx import htmx, redirect_after_write, render
from portal.web.place import status_here
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import method_words

blueprint = Blueprint("refunds", __name__, url_prefix="/w/<slug>/history/refunds")
REFRESH_SECONDS = 3


@blueprint.route("/<key>", methods=["GET", "POST"])
@workspace_right(Right.REFUND)
@limited("payment")
def show(place: Place, key: str) -> Response:
    """The GET says what will be lost, or how the refund stands; the POST asks for it."""
    payment = refund_quotes.find_payment(place.workspace, key)
    if payment is None:
        abort(404)
    status_here(place)
    if request.method == "POST":
        return _ask(place, payment)
    refund = refunds.newest_refund_of_plan(payment)
    if refund is not None and refund.state != RefundState.REFUSED:
        return _result_page(place, payment, refund)
    return _offer(payment, problem=_refusal_sentence(refund) if refund else "")


def _ask(place: Place, payment: Payment) -> Response:
    limits.count("payment", account=current_user.id)
    try:
        refunds.ask_refund(
            place, payment, shown_hash=request.form.get("shown", ""), now=current().clock.now()
        )
    except RefundChanged:
        problem = _(
            "Nothing was refunded. Something has changed since you saw this page: please check it again."
        )
        return _offer(payment, status=409, problem=problem)
    except RefundImpossible as refusal:
        return _impossible(payment, refusal, status=422)
    return redirect_after_write(url_for("refunds.show", slug=place.workspace.slug, key=payment.key))


# --- before ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RefundPage:
    """What goes back and what is lost. `shown` is what the form sends; `impossible` is empty here."""

    payment: Payment
    problem: str
    impossible: str
    shown: str
    amount: str
    method: str
    last_day: date
    rows: list[tuple[str, str, str]]
    notes: list[str]
    plan_after: str
    exceeded: tuple[Refusal, ...]


def _offer(payment: Payment, *, status: int = 200, problem: str = "") -> Response:
    try:
        preview = refund_quotes.preview(payment, now=current().clock.now())
    except RefundImpossible as refusal:
        return _impossible(payment, refusal, status=422 if request.method == "POST" else 200)
    return render(
        "payments/refund.html",
        RefundPage(
            payment=payment,
            problem=problem,
            impossible="",
            shown=preview.hash,
            amount=formatting.money(payment.amount),
            method=_method(payment),
            last_day=preview.last_day,
            rows=_rows(payment, preview),
            notes=_notes(preview),
            plan_after=translated(preview.plan_after.names),
            exceeded=refusals_of(preview.exceeded),
        ),
        status=status,
    )


def _impossible(payment: Payment, refusal: RefundImpossible, *, status: int) -> Response:
    return render(
        "payments/refund.html",
        status=status,
        payment=payment,
        problem="",
        impossible=_why_not(refusal.refusal),
    )


def _rows(payment: Payment, preview: Preview) -> list[tuple[str, str, str]]:
    """What moves and what is lost, each with its mark."""
    invoice = history.invoice_of(payment.order)
    assert invoice is not None, "what was paid has its invoice"
    return [
        (_("Amount"), formatting.money(payment.amount), "refund-total"),
        (_("Refunded to"), _method(payment), "refund-method"),
        (_("Invoice credited"), invoice.number, "refund-invoice"),
        (_("Plan now"), _until(preview.plan, preview.interval, preview.due_on), "refund-before"),
        (
            _("Plan afterwards"),
            _until(preview.plan_after, preview.interval_after, preview.ended_on or preview.due_on_after),
            "refund-after",
        ),
        (_("Days you lose"), str(preview.days_lost), "refund-days"),
    ]


def _until(plan: Plan, interval: Interval | None, due_on: date | None) -> str:
    name = translated(plan.names)
    if interval == Interval.YEAR:
        name = _("%(plan)s, yearly", plan=name)
    elif interval == Interval.MONTH:
        name = _("%(plan)s, monthly", plan=name)
    if due_on is None:
        return _("%(plan)s, with no end date", plan=name)
    return _("%(plan)s until %(date)s", plan=name, date=formatting.day(due_on))


def _notes(preview: Preview) -> list[str]:
    """What else comes with it, in sentences."""
    notes = []
    if preview.ended_on is not None and preview.blocked_on is not None:
        notes.append(
            _(
                "What you had before ended on %(ended)s, so your plan is due at once: without another "
                "payment the workspace will be blocked from %(blocked)s.",
                ended=formatting.day(preview.ended_on),
                blocked=formatting.day(preview.blocked_on),
            )
        )
    if preview.ends_auto_renewal:
        notes.append(_("Automatic renewal is switched off, and any price guarantee ends with it."))
    if preview.unscheduled is not None:
        notes.append(
            _("The change to the %(plan)s plan is withdrawn.", plan=translated(preview.unscheduled.names))
        )
    return notes


def _why_not(refusal: NotRefundable) -> str:
    if refusal.reason == RefusalReason.TOO_LATE and refusal.last_day is not None:
        return _(
            "It is too late: this payment could be refunded until %(date)s.",
            date=formatting.day(refusal.last_day),
        )
    return {
        RefusalReason.NOT_LAST: _("Only the last payment can be refunded, and this is an older one."),
        RefusalReason.REFUNDED: _("The last payment has already been refunded; no older one can be."),
        RefusalReason.BEING_REFUNDED: _("The refund of the last payment is being confirmed."),
        RefusalReason.MONEY_IS_OPEN: _(
            "Another payment for this workspace is being confirmed. Please try again once its result is "
            "known."
        ),
        RefusalReason.DISPUTED: _(
            "You disputed this payment with your bank, which has given the money back."
        ),
        RefusalReason.PARTLY_CREDITED: _(
            "A part of its invoice was credited already, so this payment cannot be sent back. "
            "Please contact us."
        ),
        RefusalReason.SEVERAL_PRODUCTS: _(
            "This payment was for several products, so it cannot be refunded here. Please contact us."
        ),
        RefusalReason.NOTHING_PAID: _("Only payments for the plan can be refunded here. Please contact us."),
        RefusalReason.NOT_OFFERED: _("This payment method cannot be refunded here. Please contact us."),
    }[refusal.reason]


def _refusal_sentence(refund: Refund) -> str:
    """Nothing went back, and why."""
    if refund.refusal_code == RefundRefusal.DISPUTED:
        return _(
            "Nothing was refunded: you disputed this payment with your bank, which has given the money back."
        )
    return _("Nothing was refunded: the bank refused. Your plan stays as it is; please contact us.")


# --- after ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RefundedPage:
    """How the refund stands. `plan_now` is empty while it waits, and where none was paid."""

    payment: Payment
    waits: bool
    heading: str
    lead: str
    amount: str
    method: str
    credit_note: Invoice | None
    may_download: bool
    plan_now: str


def _result_page(place: Place, payment: Payment, refund: Refund) -> Response:
    """What is known of the refund. Only shows; asking the gateway again is the worker's work."""
    waits = refund.is_open
    credit_note = refund.credit_note
    response = render(
        "payments/refunded.html",
        RefundedPage(
            payment=payment,
            waits=waits,
            heading=_("Your refund is being confirmed") if waits else _("Refund complete"),
            lead=_result_lead(place, refund),
            amount=formatting.money(refund.amount),
            method=_method(payment),
            credit_note=credit_note,
            may_download=Right.DOWNLOAD_DOCUMENTS in place.may,
            plan_now="" if waits or payment.order.plan_line is None else _plan_now(place),
        ),
    )
    if waits:
        response.headers["Refresh"] = str(REFRESH_SECONDS)
    elif htmx:
        # Settled while the page was polling: its title changes too, so the whole page is loaded.
        response.headers["HX-Redirect"] = url_for("refunds.show", slug=place.workspace.slug, key=payment.key)
    return response


def _plan_now(place: Place) -> str:
    subscription = status_here(place).subscription
    price = subscription.price
    return _until(subscription.plan, price.interval if price else None, subscription.due_on)


def _result_lead(place: Place, refund: Refund) -> str:
    if refund.state != RefundState.SUCCEEDED:
        return _(
            "The bank has not answered yet. You do not need to do anything: the money is refunded only "
            "once, and nothing else is charged meanwhile. This page will show the result, and we will "
            "write to you."
        )
    return _("The money will arrive within a few days. What you had before applies again.")


def _method(payment: Payment) -> str:
    return method_words(payment.method_kind, payment.brand, payment.last4)
