"""Paying an open invoice by card, or with a saved method, from its page."""

from dataclasses import dataclass

from flask import Blueprint, Response, abort, flash, redirect, url_for
from flask_login import current_user

from portal.domain.errors import NothingDue, OrderAlreadyPlaced, QuoteChanged
from portal.domain.vocabulary import PaymentState, Right
from portal.forms.cards import NEW_CARD, CardForm, CardOrSavedForm
from portal.models import PaymentMethod
from portal.runtime import current
from portal.services.checkout import open_invoices
from portal.services.checkout.open_invoices import InvoiceToPay, PaidInPart, shown_as
from portal.services.invoices import history
from portal.services.payments import on_account
from portal.services.places import Place
from portal.web import limits
from portal.web.access import limited, refuse_without, workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.navigation import sandbox_cards_url
from portal.web.place import status_here, today_here
from portal.web.to_pay import ToPay, to_pay_of
from portal.words import formatting
from portal.words.declines import decline_sentence
from portal.words.i18n import gettext as _
from portal.words.i18n import lazy_gettext as _l
from portal.words.methods import method_words

from .pages import address, after_asking

blueprint = Blueprint("open_invoices", __name__, url_prefix="/w/<slug>/invoices")
PAID_IN_PART = _l(
    "A part of this invoice was already paid by card or PayPal. Please pay the rest by bank transfer."
)


@dataclass(frozen=True, slots=True)
class PayPage:
    """`total` is what a click charges. `to_pay`: how to transfer it instead."""

    form: CardForm
    number: str
    total: str
    to_pay: ToPay
    problem: str
    sandbox_cards: str


@blueprint.get("/to-pay")
@workspace_right(Right.SEE_HISTORY)
def oldest(place: Place) -> Response:
    """To the page of the invoice that is to be paid first; to the history where nothing is."""
    slug, found = place.workspace.slug, on_account.open_of(place.workspace)
    if not found:
        return redirect(url_for("history.index", slug=slug), 303)  # type: ignore[return-value]
    number = found[0][0].number
    return redirect(url_for("history.statement", slug=slug, number=number), 303)  # type: ignore[return-value]


@blueprint.route("/<number>/pay", methods=["GET", "POST"])
@workspace_right(Right.BUY)
@limited("payment")
def pay(place: Place, number: str) -> Response:
    """What is open of the invoice, and the card or the saved method that pays it at once."""
    refuse_without(Right.SEE_BILLING_DETAILS, place)
    status_here(place)
    due = open_invoices.to_pay(place.workspace, number)
    if due is None:
        return _to_its_page(place, number)
    if due.being_paid is not None:
        return redirect_after_write(address("result", place, due.being_paid))
    if due.was_charged:
        flash(str(PAID_IN_PART), "error")
        return _to_its_page(place, number)
    saved = open_invoices.methods_for(place, due.invoice, now=current().clock.now())
    form = _form(place, saved)
    if not form.is_submitted():
        return _page(place, due, form)
    if not form.validate():
        return _page(place, due, form, status=422)
    return _pay(place, due, form, saved)


def _form(place: Place, saved: list[PaymentMethod]) -> CardForm:
    if not saved:
        return CardForm(today=today_here(place))
    names = [(str(each.id), method_words(each.kind, each.brand, each.last4)) for each in saved]
    return CardOrSavedForm(today=today_here(place), saved=names)


def _pay(place: Place, due: InvoiceToPay, form: CardForm, saved: list[PaymentMethod]) -> Response:
    limits.count("payment", account=current_user.id)
    number, order = due.invoice.number, due.invoice.order.number
    chosen = form.saved_method if isinstance(form, CardOrSavedForm) else ""
    method = next((each for each in saved if str(each.id) == chosen), None)
    try:
        payment = open_invoices.pay(
            place.workspace,
            number,
            person=current_user._get_current_object(),
            card=form.source,
            method=method,
            shown=form.quote.data,
            return_url=address("result", place, order, external=True),
            now=current().clock.now(),
        )
    except NothingDue:
        flash(_("Nothing more was charged: nothing is due now."), "done")
        return redirect_after_write(url_for("history.statement", slug=place.workspace.slug, number=number))
    except OrderAlreadyPlaced as placed:
        return redirect_after_write(address("result", place, placed.order))
    except PaidInPart:
        flash(str(PAID_IN_PART), "error")
        return redirect_after_write(url_for("history.statement", slug=place.workspace.slug, number=number))
    except QuoteChanged:
        said = _("Nothing was charged. What is to be paid has changed since you saw it: please check it.")
        found = open_invoices.to_pay(place.workspace, number)
        if found is None:
            return _to_its_page(place, number)
        return _page(place, found, form, problem=said, status=409)
    if payment.state == PaymentState.DECLINED:
        form.add_error("method" if method else "number", decline_sentence(payment.decline_code))
        return _page(place, due, form, status=422)
    return after_asking(place, payment)


def _page(
    place: Place, due: InvoiceToPay, form: CardForm, *, problem: str = "", status: int = 200
) -> Response:
    form.quote.data = shown_as(due.left)
    if isinstance(form, CardOrSavedForm) and form.number.errors:
        form.method.data = NEW_CARD
    return render(
        "invoices/pay.html",
        PayPage(
            form=form,
            number=due.invoice.number,
            total=formatting.money(due.left),
            to_pay=to_pay_of(due.invoice, due.left, place=None),
            problem=problem,
            sandbox_cards=sandbox_cards_url(),
        ),
        status=status,
    )


def _to_its_page(place: Place, number: str) -> Response:
    """Nothing of it is open: its page says how it was paid. Another workspace's is none."""
    if history.find_invoice(place.workspace, number) is None:
        abort(404)
    return redirect(  # type: ignore[return-value]
        url_for("history.statement", slug=place.workspace.slug, number=number), 303
    )
