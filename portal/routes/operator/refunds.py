"""The vendor's staff sends back what was paid: one line of an order, or all. One address a payment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

from flask import Blueprint, Response, abort, flash, request, url_for
from flask_babel import ngettext
from flask_login import current_user

from portal.domain.money import Money
from portal.domain.vocabulary import Interval, RefundState
from portal.gateways.base import RefundRefusal
from portal.models import OrderLine, Payment, Person, Refund
from portal.runtime import current
from portal.services.payments import line_refunds, refunds
from portal.services.payments.line_refunds import (
    LinesPreview,
    RefundableLine,
    RefundablePayment,
    UndoneLine,
)
from portal.services.payments.refund_quotes import NotRefundable, RefundImpossible, RefusalReason
from portal.services.payments.refunds import RefundChanged
from portal.services.subscriptions import agreement
from portal.web.access import operators_only
from portal.web.htmx import redirect_after_write, render
from portal.web.lists import whole_number
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import method_words
from portal.words.money import tax_reason, tax_words
from portal.words.plans import priced_name

blueprint = Blueprint("operator_refunds", __name__, url_prefix="/operator/workspaces/<slug>/payments/<key>")
REFRESH_SECONDS = 3
ALL = "all"


@blueprint.get("/refund")
@operators_only
def show(slug: str, key: str) -> Response:
    """The lines of the order and what may go back of each; with what that does, once one is chosen."""
    found = _found_or_404(slug, key)
    wanted = request.args.get("line") or ("" if len(found.lines) > 1 else "1")
    chosen = _chosen(found, wanted)
    if wanted and chosen is None:
        abort(404)
    return _page(found, chosen=chosen)


@blueprint.post("/refund")
@operators_only
def confirm(slug: str, key: str) -> Response:
    payment, wanted = _found_or_404(slug, key).payment, request.form.get("line", "")
    line = _line_or_404(payment, wanted)
    try:
        refund = refunds.ask_refund_of_line(
            payment,
            line,
            by=cast(Person, current_user._get_current_object()),
            shown_hash=request.form.get("shown", ""),
            now=current().clock.now(),
        )
    except RefundChanged:
        problem = _(
            "Nothing was refunded. Something has changed since you saw this page: please check it again."
        )
        found = _found_or_404(slug, key)
        return _page(found, chosen=_chosen(found, wanted), problem=problem, status=409)
    except RefundImpossible as refused:
        return _page(_found_or_404(slug, key), problem=_why_not(refused.refusal), status=422)
    _say(refund)
    return redirect_after_write(url_for("operator_refunds.show", slug=slug, key=key))


def _found_or_404(slug: str, key: str) -> RefundablePayment:
    """As it is now: after a refusal, what was read before it may be what is true no longer."""
    found = line_refunds.of_payment(slug, key, now=current().clock.now())
    if found is None:
        abort(404)
    return found


def _line_or_404(payment: Payment, wanted: str) -> OrderLine | None:
    position = whole_number(wanted, digits=3)
    if wanted != ALL and position is None:
        abort(404)
    try:
        return line_refunds.chosen_line(payment, position)
    except LookupError:
        abort(404)


def _chosen(found: RefundablePayment, wanted: str) -> RefundableLine | None:
    """What the address or the form names; None where that is not there, or no longer."""
    return next((each for each in found.lines if _name_of(each) == wanted), None)


def _name_of(offer: RefundableLine) -> str:
    return str(offer.line.position) if offer.line else ALL


def _say(refund: Refund) -> None:
    """How it ended, where that is known by now; the page itself says that it is being confirmed."""
    amount = formatting.money(refund.amount)
    if refund.state == RefundState.SUCCEEDED:
        flash(_("%(amount)s was refunded.", amount=amount), "done")
    elif refund.state == RefundState.REFUSED and refund.refusal_code == RefundRefusal.DISPUTED:
        flash(_("Nothing was refunded: the payment is disputed, and its payer has the money back."), "error")
    elif refund.state == RefundState.REFUSED:
        flash(_("Nothing was refunded: the bank refused. Everything stays as it is."), "error")


# --- the page -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line of the order. `url` leads to its refund, empty where there is none: then `why` says so."""

    what: str
    period: str
    amount: str
    why: str
    url: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class RefundOffer:
    """What the chosen refund does. `facts` and those of each line are label, text and mark."""

    line: str
    shown: str
    amount: str
    facts: list[tuple[str, str, str]]
    reason: str
    lines: list[tuple[str, list[tuple[str, str, str]], list[str]]]


@dataclass(frozen=True, slots=True)
class OperatorRefundPage:
    """`all_url` leads to the refund of all lines, empty where there is none.

    `is_all`: that is what is chosen.
    """

    slug: str
    workspace_name: str
    title: str
    problem: str
    paid: list[tuple[str, str]]
    rows: list[LineRow]
    all_url: str
    is_all: bool
    offer: RefundOffer | None


def _page(
    found: RefundablePayment,
    *,
    chosen: RefundableLine | None = None,
    problem: str = "",
    status: int = 200,
) -> Response:
    payment = found.payment
    order, workspace = payment.order, payment.workspace
    whole = next((each for each in found.lines if each.line is None), None)
    preview = chosen.found if chosen is not None else None
    response = render(
        "operator/refund.html",
        OperatorRefundPage(
            slug=workspace.slug,
            workspace_name=workspace.name,
            title=_("Refund of order %(number)s", number=order.number),
            problem=problem,
            paid=_paid(payment),
            rows=[_row(found, each, chosen) for each in found.lines if each.line is not None],
            all_url=_url(payment, ALL) if whole and isinstance(whole.found, LinesPreview) else "",
            is_all=chosen is not None and chosen is whole,
            offer=_offer(chosen, preview) if chosen and isinstance(preview, LinesPreview) else None,
        ),
        status=status,
    )
    if any(refund.is_open for refund in found.asked):
        response.headers["Refresh"] = str(REFRESH_SECONDS)
    return response


def _url(payment: Payment, line: str) -> str:
    slug = payment.workspace.slug
    return url_for("operator_refunds.show", slug=slug, key=payment.key, line=line)


def _paid(payment: Payment) -> list[tuple[str, str]]:
    order = payment.order
    rows = [
        (_("Paid on"), formatting.day(payment.workspace.day(order.given_at))),
        (_("Paid with"), method_words(payment.method_kind, payment.brand, payment.last4)),
        (_("Amount"), formatting.money(payment.amount)),
    ]
    if order.from_balance_minor and order.due.minor:
        rows.append(
            (_("From the balance"), formatting.money(Money(order.from_balance_minor, order.currency)))
        )
    return rows


def _row(found: RefundablePayment, offer: RefundableLine, chosen: RefundableLine | None) -> LineRow:
    payment, line = found.payment, offer.line
    assert line is not None
    is_possible = isinstance(offer.found, LinesPreview)
    return LineRow(
        what=_named(line),
        period=_(
            "%(start)s to %(end)s", start=formatting.day(line.start_on), end=formatting.day(line.end_on)
        ),
        amount=formatting.money(Money(line.total_minor, payment.currency)),
        why="" if isinstance(offer.found, LinesPreview) else _how_it_stands(line, offer.found, found.asked),
        url=_url(payment, _name_of(offer)) if is_possible else "",
        is_chosen=offer is chosen,
    )


def _named(line: OrderLine) -> str:
    frozen = line.frozen
    return priced_name(frozen.plan_names, frozen.interval, frozen.licences)


def _how_it_stands(line: OrderLine, refusal: NotRefundable, asked: Sequence[Refund]) -> str:
    """What became of the refund that the line has or may have; else why there is none."""
    for refund in asked:
        if refund.line_id not in (None, line.id) or refund.state == RefundState.REFUSED:
            continue
        if refund.is_open:
            return _("The refund of %(amount)s is being confirmed.", amount=formatting.money(refund.amount))
        assert refund.credit_note is not None
        return _("Refunded: credit note %(number)s.", number=refund.credit_note.number)
    return _why_not(refusal)


def _why_not(refusal: NotRefundable) -> str:
    if refusal.reason == RefusalReason.TOO_LATE and refusal.last_day is not None:
        return _(
            "It is too late: this could be refunded until %(date)s.", date=formatting.day(refusal.last_day)
        )
    if refusal.reason == RefusalReason.LICENCES_ASSIGNED:
        return ngettext(
            "%(num)d licence is assigned, and %(left)s would be left. It has to be taken back first.",
            "%(num)d licences are assigned, and %(left)s would be left. Some have to be taken back first.",
            refusal.assigned,
            left=formatting.number(refusal.left),
        )
    return {
        RefusalReason.NOTHING_PAID: _("No money was moved for it, so there is nothing to refund."),
        RefusalReason.ONLY_TOGETHER: _(
            "Its share of what was charged rounds to zero, so there is nothing to send back for it alone. "
            "It can only be refunded together with the other lines."
        ),
        RefusalReason.NOT_LAST: _(
            "It was paid for again since: only the last payment of a subscription can be refunded."
        ),
        RefusalReason.REFUNDED: _("It was refunded."),
        RefusalReason.BEING_REFUNDED: _(
            "Another refund of this payment is being confirmed. Try again once its result is known."
        ),
        RefusalReason.MONEY_IS_OPEN: _(
            "A payment for the same product is being confirmed. Try again once its result is known."
        ),
        RefusalReason.DISPUTED: _("The payment is disputed: the bank has given the money back."),
        RefusalReason.PARTLY_CREDITED: _(
            "It was changed since: a credit note has given back a part of it, which pays for what came after."
        ),
        RefusalReason.GAVE_BACK: _(
            "This order gave back the unused days of an older invoice. Undone, it would leave licences that "
            "nobody pays for."
        ),
        RefusalReason.NOT_OFFERED: _(
            "Nothing can be sent back this way: the balance has paid it, or the payment method does not "
            "allow it."
        ),
    }[refusal.reason]


# --- what it does ---------------------------------------------------------------------------------


def _offer(chosen: RefundableLine, preview: LinesPreview) -> RefundOffer:
    payment, facts = preview.payment, preview.invoice.facts
    net = sum(each.line.net_minor for each in preview.undone)
    tax = sum(each.line.tax_minor for each in preview.undone)
    rows = [
        (
            _(
                "Sent back to %(method)s",
                method=method_words(payment.method_kind, payment.brand, payment.last4),
            ),
            formatting.money(preview.amount),
            "refund-total",
        )
    ]
    if preview.kept.minor:
        rows.append(
            (_("Kept in the balance, which had paid it"), formatting.money(preview.kept), "refund-kept")
        )
    rows += [
        (*_credited(preview), "refund-invoice"),
        (
            _("Credit note"),
            _(
                "%(net)s + %(tax)s (%(rate)s) = %(total)s",
                net=formatting.money(Money(net, payment.currency)),
                tax=formatting.money(Money(tax, payment.currency)),
                rate=tax_words(facts["tax"]),
                total=formatting.money(preview.total),
            ),
            "refund-credit",
        ),
        (_("Possible until"), formatting.day(preview.last_day), "refund-until"),
    ]
    return RefundOffer(
        line=_name_of(chosen),
        shown=preview.hash,
        amount=formatting.money(preview.amount),
        facts=rows,
        reason=_("VAT, as the invoice says: %(reason)s", reason=tax_reason(facts["tax"])),
        lines=[(_named(each.line), _before_and_after(each), list(_notes(each))) for each in preview.undone],
    )


def _credited(preview: LinesPreview) -> tuple[str, str]:
    number = preview.invoice.number
    if preview.line is None:
        return _("Invoice credited"), _("%(number)s, the whole of it", number=number)
    position = formatting.number(preview.line.position)
    return _("Invoice line credited"), _("%(number)s, line %(line)s", number=number, line=position)


def _before_and_after(undone: UndoneLine) -> list[tuple[str, str, str]]:
    subscription, restored = undone.subscription, undone.restored
    newest, price = restored.newest, subscription.price
    before = priced_name(
        subscription.plan.names, price.interval if price else None, agreement.licences_of(subscription)
    )
    if newest is None:
        after = _("Nothing: it ends at once")
    elif restored.has_ended:
        ended_on = formatting.day(cast(date, restored.ends_on))
        after = (
            _("Nothing: its trial ended on %(date)s", date=ended_on)
            if newest.line is None
            else _("Nothing: what it had before ended on %(date)s", date=ended_on)
        )
    else:
        licensed = restored.quantity if agreement.is_licensed(subscription) else None
        interval: Interval | None = newest.price.interval if newest.price is not None else None
        after = _until(priced_name(newest.plan.names, interval, licensed), restored.due_on)
    return [
        (_("Now"), _until(before, subscription.due_on), "refund-before"),
        (_("Afterwards"), after, "refund-after"),
    ]


def _until(what: str, due_on: date | None) -> str:
    if due_on is None:
        return _("%(plan)s, with no end date", plan=what)
    return _("%(plan)s until %(date)s", plan=what, date=formatting.day(due_on))


def _notes(undone: UndoneLine) -> Iterator[str]:
    """What else comes with it, in sentences."""
    subscription, restored = undone.subscription, undone.restored
    if restored.ends_on is not None and restored.is_due_now:
        yield _(
            "What it had before ended on %(date)s, so it is due at once.",
            date=formatting.day(restored.ends_on),
        )
    if restored.has_ended and undone.assigned:
        yield ngettext(
            "%(num)d member who has a licence can no longer use it.",
            "%(num)d members who have a licence can no longer use it.",
            undone.assigned,
        )
    if subscription.auto_renewal:
        yield _("Automatic renewal is switched off, and any price guarantee ends with it.")
    if subscription.scheduled_plan is not None:
        yield _(
            "The change to the %(plan)s plan is withdrawn.",
            plan=translated(subscription.scheduled_plan.names),
        )
    elif subscription.scheduled_quantity is not None:
        yield _("The change that was scheduled will not begin.")
