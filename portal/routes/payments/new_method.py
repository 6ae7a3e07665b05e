"""Adding a payment method: its kind, its fields, "Save"; and what is known of it until it is saved.

The page of the payment methods, and the dialog of the Licences page, show the same form.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, abort, flash, request, url_for
from flask_login import current_user

from portal.domain.money import Money, total
from portal.domain.vocabulary import PaymentMethodKind, Right, SetupState
from portal.forms.cards import HostedMethodForm, MethodForm, NewCardForm, NewDebitForm
from portal.models import MethodSetup, PaymentMethod, Subscription
from portal.runtime import current
from portal.services.payments import charging, first_method, mandates, method_setups, on_account
from portal.services.payments.first_method import Offered
from portal.services.payments.mandates import MandateChanged
from portal.services.places import Place
from portal.services.subscriptions import agreement, charged_methods
from portal.web import limits, patience
from portal.web.access import limited, workspace_right
from portal.web.htmx import htmx, redirect_after_write, render
from portal.web.mandate import Mandate, mandate_of
from portal.web.navigation import sandbox_cards_url
from portal.web.place import today_here
from portal.words import formatting
from portal.words.declines import decline_sentence
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import kind_words, method_words
from portal.words.renewal import amount_charged

blueprint = Blueprint("new_method", __name__, url_prefix="/w/<slug>/payment-methods")
REFRESH_SECONDS = 3


@dataclass(frozen=True, slots=True)
class RenewalBox:
    """A box that lets the method pay yearly invoices by itself. `value` says also what was shown of it."""

    value: str
    label: str
    is_ticked: bool


@dataclass(frozen=True, slots=True)
class Offers:
    """What stands beside the fields of a new method. `boxes`: of the first one alone. `open_invoices`: words
    and address of each, which is charged by a click of its own only.
    """

    boxes: list[RenewalBox]
    open_invoices: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Adding:
    """The form that adds a method of one `kind`, ready to print. `tabs`: (kind, label, address).

    `total` is what is charged to it at once, if anything, for so many `renewals` that wait. `mandate`:
    what is agreed to for a debit. `label` is the button's.
    `offers` None: they are asked for once the dialog is open, so that the page around it does not wait.
    """

    form: MethodForm
    kind: PaymentMethodKind
    kind_name: str
    tabs: list[tuple[str, str, str]]
    total: str
    renewals: int
    processor: str
    sandbox_cards: str
    mandate: Mandate | None
    label: str
    offers: Offers | None


@blueprint.route("/new", methods=["GET", "POST"])
@workspace_right(Right.MANAGE_PAYMENT_METHODS)
@limited("payment")
def show(place: Place) -> Response:
    subscriptions = agreement.all_of(place.workspace)
    kinds = method_setups.kinds_on_offer(subscriptions[0])
    asked = request.args.get("kind", kinds[0] if kinds else "")
    if asked not in kinds:
        abort(404)
    kind = PaymentMethodKind(asked)
    form = form_of(place, kind)
    if not form.validate_on_submit():
        return _page(place, kind, form, subscriptions, status=422 if form.is_submitted() else 200)
    return save(place, kind, form, or_show=lambda: _page(place, kind, form, subscriptions, status=422))


def _page(
    place: Place, kind: PaymentMethodKind, form: MethodForm, subscriptions: list[Subscription], *, status: int
) -> Response:
    return render("payments/add.html", adding=adding_of(place, kind, form, subscriptions), status=status)


def form_of(place: Place, kind: PaymentMethodKind) -> MethodForm:
    if kind in charging.gateway_for(kind).capabilities().hosted:
        return HostedMethodForm()
    if kind == PaymentMethodKind.SEPA_DEBIT:
        return NewDebitForm(data={"mandate": mandates.next_mandate(place.workspace)})
    return NewCardForm(today=today_here(place))


def adding_of(
    place: Place,
    kind: PaymentMethodKind,
    form: MethodForm,
    subscriptions: list[Subscription],
    *,
    with_offers: bool = True,
) -> Adding:
    """`subscriptions`: all of the workspace, that to its plan first."""
    capabilities = charging.gateway_for(kind).capabilities()
    charges = method_setups.charged_at_once(subscriptions, now=current().clock.now())
    at_once = together(charges)
    if isinstance(form, HostedMethodForm):
        label = _("Continue to %(method)s", method=kind_words(kind))
    else:
        label = _("Save and pay %(total)s", total=at_once) if at_once else _("Save")
    return Adding(
        form=form,
        kind=kind,
        kind_name=kind_words(kind),
        tabs=[
            (each, kind_words(each), url_for("new_method.show", slug=place.workspace.slug, kind=each))
            for each in method_setups.kinds_on_offer(subscriptions[0])
        ],
        total=at_once,
        renewals=len(charges),
        processor=capabilities.processor_name,
        sandbox_cards=sandbox_cards_url(),
        mandate=mandate_of(form.mandate.data, place, processor=capabilities.processor_name)
        if isinstance(form, NewDebitForm)
        else None,
        label=label,
        offers=offers_of(place, subscriptions, charged_methods.saved_of(place.workspace))
        if with_offers
        else None,
    )


def offers_of(
    place: Place, subscriptions: Sequence[Subscription], methods: Sequence[PaymentMethod]
) -> Offers:
    """`subscriptions` and `methods`: all of the workspace."""
    offered = first_method.offered_renewals(place, subscriptions, methods, now=current().clock.now())
    owes = any(each.unpaid_on is not None for each in subscriptions)
    return Offers(boxes=_boxes(offered), open_invoices=list(_open_invoices(place)) if owes else [])


def _boxes(offered: Iterable[Offered]) -> list[RenewalBox]:
    ticked = request.form.getlist("renew")
    return [
        RenewalBox(
            value=_value_of(each),
            label=_(
                "Pay the invoices of %(product)s automatically every year: %(amount)s on %(date)s",
                product=translated(each.product.names),
                amount=amount_charged(each.charge.total, has_vat=each.charge.tax.minor > 0),
                date=formatting.day(each.charge.on),
            ),
            is_ticked=_value_of(each) in ticked,
        )
        for each in offered
    ]


def _value_of(offered: Offered) -> str:
    return f"{offered.product.code}:{offered.charge.hash}"


def _ticked(place: Place) -> list[Offered] | None:
    """What was ticked; None where one of them is no longer what was shown."""
    values = set(request.form.getlist("renew"))
    if not values:
        return []
    subscriptions = agreement.all_of(place.workspace)
    methods = charged_methods.saved_of(place.workspace)
    offered = first_method.offered_renewals(place, subscriptions, methods, now=current().clock.now())
    ticked = [each for each in offered if _value_of(each) in values]
    return ticked if len(ticked) == len(values) else None


def _open_invoices(place: Place) -> Iterator[tuple[str, str]]:
    """To the page that pays each, for whoever may; to its own page else."""
    if Right.SEE_HISTORY not in place.may:
        return
    pays = {Right.BUY, Right.SEE_BILLING_DETAILS} <= place.may
    for invoice, left in on_account.open_of(place.workspace):
        words = _("Pay %(number)s: %(amount)s", number=invoice.number, amount=formatting.money(left))
        if not pays:
            words = _("%(number)s: %(amount)s", number=invoice.number, amount=formatting.money(left))
        page = "open_invoices.pay" if pays else "history.statement"
        yield words, url_for(page, slug=place.workspace.slug, number=invoice.number)


@dataclass(frozen=True, slots=True)
class MethodsSection:
    """The payment methods as the Licences page lists them, in their order, with the form of its dialog."""

    methods: list[tuple[str, bool]]
    adding: Adding


def section_of(place: Place, subscriptions: list[Subscription]) -> MethodsSection | None:
    """For whoever may add one; None for everybody else, and where nothing can be added. One query.

    `subscriptions`: all of the workspace, that to its plan first.
    """
    kinds = method_setups.kinds_on_offer(subscriptions[0])
    if Right.MANAGE_PAYMENT_METHODS not in place.may or not kinds:
        return None
    saved = charged_methods.methods_of(subscriptions[0])
    charged_first = charged_methods.first_charged(
        saved, on=today_here(place), currency=charged_methods.currency_of(subscriptions[0])
    )
    return MethodsSection(
        methods=[(method_words(each.kind, each.brand, each.last4), each is charged_first) for each in saved],
        adding=adding_of(place, kinds[0], form_of(place, kinds[0]), subscriptions, with_offers=False),
    )


def together(charges: Sequence[Money]) -> str:
    """Their sum; where they are in several currencies, one for each. Empty for none."""
    currencies = dict.fromkeys(charge.currency for charge in charges)
    sums = (total((each for each in charges if each.currency == one), one) for one in currencies)
    return " + ".join(formatting.money(each) for each in sums)


# --- saving ---------------------------------------------------------------------------------------


def save(
    place: Place, kind: PaymentMethodKind, form: MethodForm, *, or_show: Callable[[], Response]
) -> Response:
    """Have the gateway save what was typed; `or_show` shows the form again, with why it was not."""
    limits.count("payment", account=current_user.id)
    renews = _ticked(place)
    if renews is None:
        said = _("Nothing was saved: the next payment is no longer the one you saw. Please check it again.")
        form.add_error(None, said)
        return or_show()
    try:
        setup = method_setups.begin_adding(
            place,
            form.source,
            kind=kind,
            mandate=form.mandate.data if isinstance(form, NewDebitForm) else "",
            renews=renews,
            result_address=lambda key: url_for(
                "new_method.result", slug=place.workspace.slug, key=key, _external=True
            ),
            now=current().clock.now(),
        )
    except MandateChanged:
        assert isinstance(form, NewDebitForm), "only a debit has a mandate"
        form.ask_anew(mandates.next_mandate(place.workspace))
        said = _("Nothing was saved: the mandate has a new reference. Check it, and tick the box again.")
        form.add_error("agreed", said)
        return or_show()
    match setup.state:
        case SetupState.DONE:
            flash(_saved_words(setup), "done")
            return redirect_after_write(url_for("payment_methods.show", slug=place.workspace.slug))
        case SetupState.ACTION_REQUIRED:
            return redirect_after_write(setup.action_url)
        case SetupState.DECLINED:
            form.add_error(form.first_field, decline_sentence(setup.decline_code, kind))
            if isinstance(form, NewDebitForm):
                form.mandate.data = mandates.next_mandate(place.workspace)
            return or_show()
    if setup.state == SetupState.CREATED:
        patience.follow(setup.key)
    return redirect_after_write(url_for("new_method.result", slug=place.workspace.slug, key=setup.key))


# --- what is known of it --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SetupPage:
    """What is known of a method that is being saved. `confirm`: the button to where it is confirmed."""

    setup: MethodSetup
    waits: bool
    confirm: str
    is_done: bool
    another: str
    another_address: str
    heading: str
    lead: str


@blueprint.get("/setups/<key>")
@workspace_right(Right.MANAGE_PAYMENT_METHODS)
def result(place: Place, key: str) -> Response:
    """What is known of the set-up. Only shows; asking the gateway is the worker's work."""
    setup = method_setups.find_setup(place.workspace, key)
    if setup is None:
        abort(404)
    waits = setup.state in (SetupState.CREATED, SetupState.UNKNOWN)
    needs_action = setup.state == SetupState.ACTION_REQUIRED
    if needs_action and patience.has_followed(setup.key):
        return redirect_after_write(setup.action_url)
    heading, lead = _outcome(setup)
    is_card = setup.kind == PaymentMethodKind.CARD
    response = render(
        "payments/method_result.html",
        SetupPage(
            setup=setup,
            waits=waits,
            confirm=_confirm_words(setup) if needs_action else "",
            is_done=setup.state == SetupState.DONE,
            another=_("Use another card") if is_card else _("Use another payment method"),
            another_address=url_for(
                "payment_methods.show" if is_card else "new_method.show", slug=place.workspace.slug
            ),
            heading=heading,
            lead=lead,
        ),
    )
    if waits:
        response.headers["Refresh"] = str(REFRESH_SECONDS)
    elif htmx:
        # Settled while the page was polling: its title changes too, so the whole page is loaded.
        response.headers["HX-Redirect"] = request.path
    return response


def _outcome(setup: MethodSetup) -> tuple[str, str]:
    """Heading and lead: what is known, and nothing more."""
    is_card = setup.kind == PaymentMethodKind.CARD
    now = current().clock.now()
    match setup.state:
        case SetupState.DONE:
            heading = _("The card is saved") if is_card else _("The payment method is saved")
            if not method_setups.is_being_charged(setup, now=now):
                said = _("%(method)s was not charged.", method=_saved(setup))
                return heading, " ".join((said, *_renewal_words(setup)))
            return heading, _(
                "We are trying the renewal that was waiting with %(method)s. We will e-mail you the result.",
                method=_saved(setup),
            )
        case SetupState.ACTION_REQUIRED if is_card:
            return _("Your bank asks you to confirm"), _("The card is not saved until you do.")
        case SetupState.ACTION_REQUIRED:
            waits = _("%(method)s is waiting for you to confirm", method=kind_words(setup.kind))
            return waits, _("Nothing is saved until you do.")
        case SetupState.DECLINED:
            heading = _("The card was not saved") if is_card else _("The payment method was not saved")
            return heading, decline_sentence(setup.decline_code, setup.kind)
    heading = _("Your card is being saved") if is_card else _("Your payment method is being saved")
    if not method_setups.charged_at_once(agreement.all_of(setup.workspace), now=now):
        return heading, _(
            "The bank has not answered yet. You do not need to do anything and nothing is charged. This "
            "page will show the result."
        )
    if is_card:
        return heading, _(
            "The bank has not answered yet. You do not need to do anything: this page will show the "
            "result. Once the card is saved, the renewal that is waiting is charged to it."
        )
    return heading, _(
        "The bank has not answered yet. You do not need to do anything: this page will show the result. "
        "Once the payment method is saved, the renewal that is waiting is charged to it."
    )


def _confirm_words(setup: MethodSetup) -> str:
    if setup.kind == PaymentMethodKind.PAYPAL:
        return _("Confirm on the %(method)s page", method=kind_words(setup.kind))
    return _("Confirm with your bank")


def _saved(setup: MethodSetup) -> str:
    assert setup.method is not None, "a set-up that is done has saved a method"
    return method_words(setup.method.kind, setup.method.brand, setup.method.last4)


def _saved_words(setup: MethodSetup) -> str:
    if method_setups.is_being_charged(setup, now=current().clock.now()):
        return _("%(method)s is saved. The payment is being made.", method=_saved(setup))
    return " ".join(
        (_("%(method)s is saved. It was not charged.", method=_saved(setup)), *_renewal_words(setup))
    )


def _renewal_words(setup: MethodSetup) -> Iterator[str]:
    """What became of the renewals that were agreed to with it."""
    renewed, left = first_method.agreed_products(setup)
    for product in renewed:
        yield _("Automatic renewal of %(product)s is on.", product=translated(product.names))
    for product in left:
        yield _(
            "Automatic renewal of %(product)s stays off: its next payment is no longer the one you saw.",
            product=translated(product.names),
        )
