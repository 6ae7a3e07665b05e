"""The sandbox's own pages: what a bank, PayPal, the vendor's product and a mailbox would show.

Only where no real money moves.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, make_response, redirect, request, session, url_for
from flask_login import current_user

from portal.clock import ShiftedClock
from portal.domain.errors import PortalError
from portal.domain.licence_keys import LENGTH as KEY_LENGTH
from portal.domain.licence_keys import ForeignSign, Mistyped, WrongLength
from portal.domain.money import Money
from portal.domain.vocabulary import PaymentMethodKind, SubscriptionState
from portal.forms.sandbox import ComponentsForm, LicenceKeyForm, PayPalForm
from portal.gateways.base import GatewayUnavailable
from portal.gateways.sandbox.gateway import Challenge, Sandbox, UnknownReference
from portal.gateways.sandbox.methods import MAGIC_CARDS, MAGIC_IBANS, MAGIC_PAYPAL, Magic
from portal.runtime import current
from portal.services.payments import charging, method_setups
from portal.services.subscriptions import licence_keys
from portal.services.subscriptions.licence_keys import Activation, KeyReplaced, KeyUnknown, KeyWithoutAccess
from portal.settings import LOOPBACK_HOSTS
from portal.web import errors, limits
from portal.web.access import ask_to_sign_in, limited, public, safe_next
from portal.web.htmx import redirect_after_write, render
from portal.web.security import DOCUMENT_POLICY
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import BRAND_NAMES, method_words

if TYPE_CHECKING:
    from portal.mail.mailbox import Letter

blueprint = Blueprint("sandbox", __name__, url_prefix="/sandbox")
THEMES = ("light", "dark")
LETTER_POLICY = "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""A letter's HTML as a mail program shows it: its own styles, no script, no form, nothing from outside."""
KEY_REFUSALS = (ForeignSign, WrongLength, Mistyped, KeyUnknown, KeyReplaced, KeyWithoutAccess)
ADDRESS = re.compile(r"https?://[^\s<>\"]+")


@blueprint.errorhandler(UnknownReference)
def unknown(error: UnknownReference) -> Response:
    return errors.page(404)


@blueprint.errorhandler(GatewayUnavailable)
def unavailable(error: GatewayUnavailable) -> Response:
    return errors.page(503)


def sandbox() -> Sandbox:
    """These pages are the sandbox's own, so they may know it by its type."""
    return cast(Sandbox, current().gateways["sandbox"])


# --- what there is to try -------------------------------------------------------------------------


@blueprint.get("/")
@public
def index() -> Response:
    clock = current().clock
    return render(
        "sandbox/index.html",
        cards=[
            (BRAND_NAMES[entry.brand], entry.display, _(entry.description))
            for entry in MAGIC_CARDS
            if entry.brand
        ],
        paypal=_rows(MAGIC_PAYPAL),
        ibans=_rows(MAGIC_IBANS),
        now=formatting.instant(clock.now(), "UTC"),
        is_moved=isinstance(clock, ShiftedClock) and bool(clock.offset()),
    )


def _rows(entries: Sequence[Magic]) -> list[tuple[str, str]]:
    # The sentences stand in gateways/sandbox_methods.py, which knows no language.
    return [(entry.display, _(entry.description)) for entry in entries]


# --- the bank's page ------------------------------------------------------------------------------


@blueprint.get("/3ds/<reference>")
@public
def challenge(reference: str) -> Response:
    asked = sandbox().challenge(reference)
    return render(
        "sandbox/challenge.html",
        asked=asked,
        facts=_facts(asked.amount_minor, asked.currency, asked.description, method=_method(asked)),
        back=_way_back(asked.return_url),
    )


@blueprint.post("/3ds/<reference>")
@public
def answer_challenge(reference: str) -> Response:
    back = sandbox().answer_challenge(reference, confirmed=_confirmed())
    return _back_to_the_shop(reference, back)


def _method(asked: Challenge) -> str:
    if asked.kind == PaymentMethodKind.PAYPAL:
        return "PayPal"
    return method_words(asked.kind, asked.brand or "", asked.last4 or "")


# --- the page of PayPal ---------------------------------------------------------------------------


@blueprint.get("/paypal/<reference>")
@public
def paypal(reference: str) -> Response:
    return _paypal_page(reference, PayPalForm())


@blueprint.post("/paypal/<reference>")
@public
def answer_paypal(reference: str) -> Response:
    """Refusing asks for no address. An address that asks for more leads to the bank's page first."""
    form = PayPalForm()
    confirmed = _confirmed()
    if confirmed and not form.validate_on_submit():
        return _paypal_page(reference, form, status=422)
    back = sandbox().answer_hosted(reference, email=form.email.data, confirmed=confirmed)
    return _back_to_the_shop(reference, back)


@dataclass(frozen=True, slots=True)
class PayPalPage:
    """PayPal's own page, as the sandbox plays it. `addresses`: (e-mail, what it does)."""

    form: PayPalForm
    session_answered: bool
    saves: bool
    reference: str
    facts: list[tuple[str, str]]
    addresses: list[tuple[str, str]]
    back: str


def _paypal_page(reference: str, form: PayPalForm, *, status: int = 200) -> Response:
    session = sandbox().hosted_session(reference)
    return render(
        "sandbox/paypal.html",
        PayPalPage(
            form=form,
            session_answered=session.answered,
            saves=not session.amount_minor,
            reference=reference,
            facts=_facts(session.amount_minor, session.currency, session.description, method="PayPal"),
            addresses=_rows(MAGIC_PAYPAL),
            back=_way_back(session.return_url),
        ),
        status=status,
    )


# --- shared by the two ----------------------------------------------------------------------------


def _facts(amount_minor: int, currency: str, description: str, *, method: str) -> list[tuple[str, str]]:
    amount = formatting.money(Money(amount_minor, currency))
    return [
        (_("Amount"), amount if amount_minor else _("Nothing now: it is being saved")),
        (_("Merchant"), current().settings.seller.name),
        (_("For"), description),
        (_("Paid with") if amount_minor else _("Payment method"), method),
    ]


def _confirmed() -> bool:
    """Which of the two buttons was pressed; anything but them is no answer."""
    answer = request.form.get("answer")
    if answer not in ("confirm", "refuse"):
        abort(400)
    return answer == "confirm"


def _back_to_the_shop(reference: str, back: str) -> Response:
    """Look the payment or set-up up, as a gateway's event would make us do, and send the browser on."""
    payment = charging.find_by_reference(Sandbox.name, reference)
    if payment is not None:
        charging.look_up(payment, now=current().clock.now())
    else:
        method_setups.look_up_reference(Sandbox.name, reference, now=current().clock.now())
    return redirect(_way_back(back), 303)  # type: ignore[return-value]


def _way_back(address: str) -> str:
    """`address` if it is one of this site, whatever it calls itself on a loopback; else the front page."""
    parts = urlsplit(address)
    settings = current().settings
    is_ours = f"{parts.scheme}://{parts.netloc}" in (request.host_url.rstrip("/"), settings.base_url)
    is_near = settings.is_loopback and parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
    path = parts._replace(scheme="", netloc="").geturl()
    return address if (is_ours or is_near) and safe_next(path) else url_for("public.home")


# --- the product that takes a licence key ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ActivatedKey:
    """What the product says of a key that it has taken."""

    name: str
    sentence: str
    facts: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class LicenceKeyPage:
    """The product's window for a key, as the sandbox plays it. `activated` takes the place of the form."""

    form: LicenceKeyForm
    activated: ActivatedKey | None = None


@blueprint.get("/licence-key")
@public
def licence_key() -> Response:
    """What became of the key that was just entered, once; else the form."""
    key_id, is_first = session.pop("entered_key", (0, False))
    taken = licence_keys.find_activation(key_id, is_first=is_first, now=current().clock.now())
    page = LicenceKeyPage(LicenceKeyForm(), _activated(taken) if taken else None)
    return render("sandbox/licence_key.html", page)


@blueprint.post("/licence-key")
@public
@limited("licence_key")
def enter_licence_key() -> Response:
    limits.count("licence_key")
    form = LicenceKeyForm()
    if form.validate_on_submit():
        try:
            taken = licence_keys.activate(form.licence_key.data, now=current().clock.now())
        except KEY_REFUSALS as refusal:
            form.add_error("licence_key", _why_not(refusal))
        else:
            session["entered_key"] = (taken.key.id, taken.is_first)
            return redirect_after_write(url_for("sandbox.licence_key"))
    return render("sandbox/licence_key.html", LicenceKeyPage(form), status=422)


def _why_not(refusal: PortalError) -> str:
    match refusal:
        case ForeignSign(sign=sign):
            return _("No licence key has “%(sign)s” in it. Copy the key from its page.", sign=sign)
        case WrongLength(signs=signs):
            return _(
                "A licence key has %(length)s letters and digits, and you entered %(number)s. Copy the whole "
                "key.",
                length=KEY_LENGTH,
                number=formatting.number(signs),
            )
        case Mistyped():
            return _(
                "There is a typing mistake in this key. Check each group, or copy the key from its page."
            )
        case KeyReplaced(product_names=names, on=on):
            return _(
                "This key for %(product)s was replaced on %(date)s and no longer works. Enter the new one.",
                product=translated(names),
                date=formatting.day(on),
            )
        case KeyWithoutAccess(product_names=names, workspace=name, state=SubscriptionState.BLOCKED):
            return _(
                "This key is right, but %(product)s is blocked in the workspace %(workspace)s until it is "
                "paid.",
                product=translated(names),
                workspace=name,
            )
        case KeyWithoutAccess(product_names=names, workspace=name):
            return _(
                "This key is right, but the subscription of the workspace %(workspace)s to %(product)s has "
                "ended.",
                product=translated(names),
                workspace=name,
            )
    return _("This key is unknown. Check that you copied it from the page of your licence key.")


def _activated(taken: Activation) -> ActivatedKey:
    name, zone = translated(taken.product.names), taken.workspace.time_zone
    since = formatting.instant(taken.activated_at, zone)
    sentence = _("You can use %(product)s now.", product=name)
    if not taken.is_first:
        sentence = _("This key was already activated: nothing has changed.")
    return ActivatedKey(
        name=name,
        sentence=sentence,
        facts=(
            (_("Product"), name, "activated-product"),
            (_("Workspace"), taken.workspace.name, "activated-workspace"),
            (_("Activated on"), since, "activated-since"),
            (
                _("Valid until"),
                formatting.day(taken.until) if taken.until else _("No end date"),
                "activated-until",
            ),
        ),
    )


# --- the mailbox ----------------------------------------------------------------------------------


@blueprint.get("/mailbox")
@public
def mailbox() -> Response:
    # Parsers of mail are loaded by whoever reads some.
    from portal.mail.mailbox import read_mailbox

    _readers_only()
    settings = current().settings
    letters = read_mailbox(settings.data_dir)
    return render("sandbox/mailbox.html", letters=letters, by_smtp=settings.smtp_url is not None)


@blueprint.get("/mailbox/<name>")
@public
def letter(name: str) -> Response:
    found = _letter_or_404(name)
    return render("sandbox/letter.html", letter=found, links=links_of(found.text))


@blueprint.get("/mailbox/<name>/html")
@public
def letter_as_html(name: str) -> Response:
    response = make_response(_letter_or_404(name).html)
    response.headers["Content-Security-Policy"] = LETTER_POLICY
    return response


@blueprint.get("/mailbox/<name>/<int:place>")
@public
def attachment(name: str, place: int) -> Response:
    """The attachment at that place, from 0."""
    attachments = _letter_or_404(name).attachments
    if place >= len(attachments):
        abort(404)
    found = attachments[place]
    response = make_response(found.content)
    response.headers["Content-Type"] = found.media_type
    response.headers.set("Content-Disposition", "attachment", filename=found.filename)
    response.headers["Content-Security-Policy"] = DOCUMENT_POLICY
    return response


def links_of(text: str) -> list[str]:
    """The addresses in a letter, each once, in their order."""
    return list(dict.fromkeys(found.rstrip(".,;:)") for found in ADDRESS.findall(text)))


def _letter_or_404(name: str) -> "Letter":
    from portal.mail.mailbox import read_mail

    _readers_only()
    found = read_mail(current().settings.data_dir, name)
    if found is None:
        abort(404)
    return found


def _readers_only() -> None:
    """Everybody on one's own machine; where others can reach the site, operators: letters hold keys."""
    if current().settings.development:
        return
    if not current_user.is_authenticated:
        abort(make_response(ask_to_sign_in()))
    if not current_user.is_operator:
        abort(404)


# --- what pages are made of -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sample:
    """What the form of the page of components starts with: one field is wrong, to be seen."""

    name: str = "Jeanne"
    email: str = "nope"
    country: str = "FR"
    method: str = "card"


@blueprint.route("/components", methods=["GET", "POST"])
@public
def components() -> Response:
    """Served to a development run alone."""
    if not current().settings.development:
        abort(404)
    form = ComponentsForm(obj=Sample())
    if not form.validate_on_submit():
        form.email.validate(form)
    theme = request.args.get("theme", "")
    return render(
        "sandbox/components.html",
        form=form,
        address=url_for("sandbox.components"),
        theme=theme if theme in THEMES else None,
        dialog_open=request.args.get("dialog") == "open",
    )
