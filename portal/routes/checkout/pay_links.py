"""An open invoice by its pay link: read, downloaded and paid without signing in; links made and withdrawn.

Nothing else is shown to whoever has the link: no other document, no history, no saved method. The token
stands in the address alone, which no other site is told (Referrer-Policy), and not in a session.
"""

from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Response, flash, request, url_for

from portal.domain.errors import LinkUnusable, NothingDue, OrderAlreadyPlaced, QuoteChanged
from portal.domain.invoicing import why_no_e_invoice
from portal.domain.money import Money
from portal.domain.vocabulary import OrderState, PaymentMethodKind, PaymentState, Right
from portal.forms.cards import CardForm, PlaceOrderForm
from portal.models import Invoice, Payment
from portal.routes.invoices import history
from portal.routes.invoices.history import StatementLine
from portal.runtime import current
from portal.services import open_money
from portal.services.checkout import open_invoices
from portal.services.checkout.open_invoices import PaidInPart, shown_as
from portal.services.invoices import pay_links
from portal.services.invoices.pay_links import PayLink
from portal.services.payments import asking, charging
from portal.services.places import Place
from portal.web import limits, patience
from portal.web.access import limited, token, workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.navigation import sandbox_cards_url
from portal.web.to_pay import ToPay, to_pay_of
from portal.words import formatting
from portal.words.declines import decline_sentence
from portal.words.i18n import gettext as _
from portal.words.methods import method_words

from .open_invoices import PAID_IN_PART
from .order import confirm_label_of

blueprint = Blueprint("pay_links", __name__)
REFRESH_SECONDS = 3
REFRESH_OF_OTHERS_SECONDS = 20
"""Somebody else is paying it, and may take their time."""


# --- read and pay ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PayLinkPage:
    """One invoice for who is not signed in. `secret` is the token of the link.

    `form`: the card that pays it, None where nothing is to be paid now. `hosted` are what is paid on a page
    of the gateway: value and label. `quote` and `total`: what a click charges. `confirm`: label and address
    of where a payment that waits for its payer is confirmed. `is_settled`: there is nothing to pay any more.
    """

    secret: str
    number: str
    heading: str
    lead: str
    facts: list[tuple[str, str]]
    lines: list[StatementLine]
    totals: list[tuple[str, str]]
    has_e_invoice: bool
    is_settled: bool = False
    form: CardForm | None = None
    takes_card: bool = False
    hosted: list[tuple[str, str]] = field(default_factory=list)
    quote: str = ""
    total: str = ""
    to_pay: ToPay | None = None
    problem: str = ""
    confirm: tuple[str, str] | None = None
    processor: str = ""
    sandbox_cards: str = ""


@blueprint.route("/pay/<secret>", methods=["GET", "POST"])
@token
@limited("payment")
def show(secret: str) -> Response:
    """The invoice with what is open of it, and how it is paid; once it is, that it is paid."""
    link = _found(secret)
    waiting = open_money.open_payment_of(link.invoice.order)
    if waiting is not None and request.method == "POST":
        return redirect_after_write(_address(secret))
    if waiting is not None:
        return _being_paid(link.invoice, secret, waiting)
    if request.method == "POST":
        return _pay(link, secret)
    limits.count("token")
    # Who comes back from their bank is told why they have not paid, and nobody else.
    decline = open_invoices.declined_by_link(link.invoice.order) if link.is_way_back else None
    return _page(link, secret, decline=decline)


def _found(secret: str) -> PayLink:
    """The link with its invoice. Guesses are counted."""
    try:
        return pay_links.find(secret, now=current().clock.now())
    except LinkUnusable:
        limits.count("token")
        raise


def _pay(link: PayLink, secret: str) -> Response:
    invoice = link.invoice
    limits.count("payment", account=f"invoice {invoice.id}")
    kinds = open_invoices.kinds_by_link()
    kind = next((each for each in kinds if each == request.form.get("kind")), PaymentMethodKind.CARD)
    form = _card_form(invoice) if open_invoices.is_typed_here(kind) else PlaceOrderForm()
    shown_form = form if isinstance(form, CardForm) else None
    if not form.validate():
        return _page(link, secret, form=shown_form, status=422)
    try:
        payment = open_invoices.pay_by_link(
            secret,
            kind=kind,
            card=form.source,
            shown=form.quote.data,
            return_url=lambda way_back: url_for("pay_links.show", secret=way_back, _external=True),
            now=current().clock.now(),
        )
    except NothingDue:
        flash(_("Nothing more was charged: nothing is due now."), "done")
        return redirect_after_write(_address(secret))
    except OrderAlreadyPlaced:
        said = _(
            "Nothing was charged: another payment of this customer is being confirmed. Please try again "
            "later."
        )
        return _page(link, secret, form=shown_form, problem=said, status=409)
    except PaidInPart:
        return redirect_after_write(_address(secret))
    except QuoteChanged:
        said = _("Nothing was charged. What is to be paid has changed since you saw it: please check it.")
        return _page(_found(secret), secret, form=shown_form, problem=said, status=409)
    if payment.state == PaymentState.DECLINED:
        return _page(link, secret, form=shown_form, decline=payment, status=422)
    if payment.state == PaymentState.ACTION_REQUIRED:
        return redirect_after_write(payment.action_url)
    if payment.state == PaymentState.CREATED:
        patience.follow(payment.key)
    return redirect_after_write(_address(secret))


def _card_form(invoice: Invoice) -> CardForm:
    return CardForm(today=invoice.workspace.day(current().clock.now()))


def _page(
    link: PayLink,
    secret: str,
    *,
    form: CardForm | None = None,
    decline: Payment | None = None,
    problem: str = "",
    status: int = 200,
) -> Response:
    invoice = link.invoice
    due = open_invoices.to_pay(invoice.workspace, invoice.number)
    if due is None:
        return _settled(invoice, secret)
    left = due.left
    form = form or _card_form(invoice)
    form.quote.data = shown_as(left)
    if decline is not None:
        said = decline_sentence(decline.decline_code, decline.method_kind)
        if decline.method_kind == PaymentMethodKind.CARD:
            form.add_error("number", said)
        else:
            problem = said
    to_pay = to_pay_of(invoice, left, place=None)
    kinds = [] if due.was_charged else open_invoices.kinds_by_link()
    hosted = [kind for kind in kinds if not open_invoices.is_typed_here(kind)]
    return _rendered(
        invoice,
        secret,
        left=left,
        status=status,
        heading=_("Invoice %(number)s", number=invoice.number),
        lead=f"{to_pay.lead} {PAID_IN_PART}" if due.was_charged else to_pay.lead,
        form=form,
        takes_card=len(hosted) < len(kinds),
        hosted=[(kind.value, method_words(kind, "", "")) for kind in hosted],
        quote=shown_as(left),
        total=formatting.money(left),
        to_pay=to_pay,
        problem=problem,
        processor=charging.gateway_for(kinds[0]).capabilities().processor_name if kinds else "",
        sandbox_cards=sandbox_cards_url(),
    )


def _settled(invoice: Invoice, secret: str) -> Response:
    """Paid, whoever paid it and how; or nothing is to be paid of it for another reason."""
    number, amount = invoice.number, formatting.money(invoice.total)
    lead = _("There is nothing to pay.")
    if invoice.order.state == OrderState.WITHDRAWN:
        heading = _("Invoice %(number)s was cancelled", number=number)
    elif invoice.order.state == OrderState.REFUNDED:
        heading = _("Invoice %(number)s was refunded", number=number)
    else:
        heading = _("Invoice %(number)s is paid", number=number)
        lead = _("Thank you. All of %(amount)s is paid, and there is nothing more to pay.", amount=amount)
    nothing = Money.zero(invoice.currency)
    return _rendered(invoice, secret, left=nothing, heading=heading, lead=lead, is_settled=True)


def _being_paid(invoice: Invoice, secret: str, payment: Payment) -> Response:
    """Nothing is charged beside a payment whose result is open. Who began it by a link is led on."""
    must_confirm = payment.state == PaymentState.ACTION_REQUIRED
    if must_confirm and payment.by_link and patience.has_followed(payment.key):
        return redirect_after_write(payment.action_url)
    amount = formatting.money(payment.amount)
    if must_confirm and payment.by_link:
        confirm = confirm_label_of(payment), payment.action_url
        heading = _("Confirm the payment")
        lead = _(
            "Invoice %(number)s is paid once %(amount)s is confirmed.", number=invoice.number, amount=amount
        )
    else:
        confirm = None
        heading = _("A payment is being confirmed")
        lead = _(
            "%(amount)s is being paid. Please do not pay again: this page says so when it is done.",
            amount=amount,
        )
    response = _rendered(invoice, secret, left=payment.amount, heading=heading, lead=lead, confirm=confirm)
    if confirm is None:
        seconds = REFRESH_OF_OTHERS_SECONDS if must_confirm else REFRESH_SECONDS
        response.headers["Refresh"] = str(seconds)
    return response


def _facts(invoice: Invoice, left: Money) -> list[tuple[str, str]]:
    """What the invoice says of itself, and how far it is paid where that is a part."""
    facts = invoice.facts
    rows = [
        (_("From"), facts["seller"]["name"]),
        (_("Billed to"), facts["buyer"]["name"]),
        (_("Date of issue"), formatting.day(invoice.issued_on)),
    ]
    if 0 < left.minor < invoice.total_minor:
        rows.append((_("Paid already"), formatting.money(invoice.total - left)))
    return rows


def _rendered(invoice: Invoice, secret: str, *, left: Money, status: int = 200, **page: Any) -> Response:
    """`page`: the other fields of PayLinkPage."""
    shown = PayLinkPage(
        secret=secret,
        number=invoice.number,
        facts=_facts(invoice, left),
        lines=history.lines_of(invoice),
        totals=history.totals_of(invoice),
        has_e_invoice=why_no_e_invoice(invoice.facts) is None,
        **page,
    )
    return _unindexed(render("checkout/pay_link.html", shown, status=status))


@blueprint.post("/pay/<secret>/leave")
@token
def leave(secret: str) -> Response:
    """Give up a payment that was begun by a link and waits for its payer, to pay another way."""
    link = _found(secret)
    payment = open_money.open_payment_of(link.invoice.order)
    if payment is not None and payment.by_link and payment.state == PaymentState.ACTION_REQUIRED:
        now = current().clock.now()
        payment.workspace = link.invoice.workspace
        asking.in_time(lambda _request: charging.give_up(payment, now=now), otherwise=lambda: payment)
    return redirect_after_write(_address(secret))


@blueprint.get("/pay/<secret>.pdf")
@token
@limited("document")
def pdf(secret: str) -> Response:
    invoice = _found(secret).invoice
    limits.count("document", account=f"invoice {invoice.id}")
    return _unindexed(history.pdf_of(invoice, back=_address(secret)))


@blueprint.get("/pay/<secret>.xml")
@token
@limited("document")
def e_invoice(secret: str) -> Response:
    invoice = _found(secret).invoice
    limits.count("document", account=f"invoice {invoice.id}")
    return _unindexed(history.xml_of(invoice, back=_address(secret)))


def _unindexed(response: Response) -> Response:
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _address(secret: str) -> str:
    return url_for("pay_links.show", secret=secret)


@blueprint.errorhandler(LinkUnusable)
def unusable(error: LinkUnusable) -> Response:
    """Withdrawn, over and unknown get this one answer."""
    return _unindexed(render("checkout/pay_link_unusable.html", status=404))


# --- made and withdrawn on the page of the invoice ------------------------------------------------


@blueprint.post("/w/<slug>/invoices/<number>/pay-link")
@workspace_right(Right.BILLING_SETTINGS)
def make(place: Place, number: str) -> Response:
    """Its address stands on the page that answers, and nowhere after it: only its hash is kept."""
    invoice = history.invoice_or_404(place, number)
    if invoice.order.state != OrderState.INVOICED:
        flash(_("There is nothing to pay."), "done")
        return redirect_after_write(_page_of(place, number))
    path = pay_links.replace(place.workspace, invoice, now=current().clock.now())
    return history.statement_page(place, invoice, pay_link=f"{current().settings.base_url}{path}")


@blueprint.post("/w/<slug>/invoices/<number>/pay-link/withdraw")
@workspace_right(Right.BILLING_SETTINGS)
def withdraw(place: Place, number: str) -> Response:
    invoice = history.invoice_or_404(place, number)
    if pay_links.withdraw(place.workspace, invoice, now=current().clock.now()):
        flash(_("No link to this invoice works any more."), "done")
    return redirect_after_write(_page_of(place, number))


def _page_of(place: Place, number: str) -> str:
    return url_for("history.statement", slug=place.workspace.slug, number=number)
