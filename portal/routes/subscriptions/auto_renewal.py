"""Automatic renewal of the plan or of licences: what it is now, what it would be, and the one button."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, Response, flash, url_for

from portal.domain.errors import CannotBeInvoiced, PortalError, QuoteChanged
from portal.domain.plans import PlanNotOffered, PlanTooSmall
from portal.domain.vocabulary import Right, SubscriptionState
from portal.forms.subscriptions import AutoRenewalForm
from portal.models import PaymentMethod, Product
from portal.runtime import current
from portal.services.places import Place
from portal.services.subscriptions import auto_renewal, charged_methods
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.services.subscriptions.auto_renewal import NextCharge, NoSuchMethod, NotRenewable
from portal.services.subscriptions.next_charge import NoBillingDetails
from portal.web.access import workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.place import status_or_404
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import method_words
from portal.words.money import not_invoiced_words
from portal.words.plans import priced_name
from portal.words.renewal import amount_charged

from .licensed import subscriptions_page

blueprint = Blueprint("auto_renewal", __name__, url_prefix="/w/<slug>/auto-renewal")
of_licences = Blueprint(
    "licence_renewal", __name__, url_prefix="/w/<slug>/subscriptions/<product>/auto-renewal"
)
NO_CHARGE = (NotRenewable, NoBillingDetails, PlanNotOffered, PlanTooSmall, CannotBeInvoiced)


@blueprint.get("")
@of_licences.get("")
@workspace_right(Right.AUTO_RENEWAL)
def show(place: Place, product: str = "") -> Response:
    status = status_or_404(place, product)
    return _page(place, status, auto_renewal.methods_for(status.subscription))


@blueprint.post("/on")
@of_licences.post("/on")
@workspace_right(Right.AUTO_RENEWAL)
def switch_on(place: Place, product: str = "") -> Response:
    status = status_or_404(place, product)
    methods = auto_renewal.methods_for(status.subscription)
    form = _form(status, methods)
    if not form.validate_on_submit():
        return _page(place, status, methods, form=form, code=422)
    try:
        charge = auto_renewal.switch_on(
            place,
            product=status.licensed_product,
            method_id=int(form.method.data) if form.method else None,
            shown_hash=form.shown.data,
            now=current().clock.now(),
        )
    except QuoteChanged:
        form.add_error(
            None,
            _("Nothing was changed. The next payment is no longer the one you saw: please check it again."),
        )
        return _page(place, status, methods, form=form, code=409)
    except (NoSuchMethod, *NO_CHARGE):
        status = status_or_404(place, product)
        return _page(place, status, auto_renewal.methods_for(status.subscription), code=422)
    flash(_said_of_on(status, charge), "done")
    return redirect_after_write(_back(place, status)[1])


@blueprint.post("/off")
@of_licences.post("/off")
@workspace_right(Right.AUTO_RENEWAL)
def switch_off(place: Place, product: str = "") -> Response:
    status = status_or_404(place, product)
    was_on = auto_renewal.switch_off(place, product=status.licensed_product, now=current().clock.now())
    flash(_said_of_off(status) if was_on else _("Automatic renewal was already off."), "done")
    return redirect_after_write(_back(place, status)[1])


@blueprint.post("/method")
@of_licences.post("/method")
@workspace_right(Right.AUTO_RENEWAL)
def pay_with(place: Place, product: str = "") -> Response:
    """Charge this subscription alone to another saved method."""
    status = status_or_404(place, product)
    methods = auto_renewal.methods_for(status.subscription)
    form = _form(status, methods)
    # Only what was chosen: the one that is ticked beforehand may have changed meanwhile.
    if not form.validate_on_submit() or not form.method or not form.method.raw_data:
        return _page(place, status, methods, form=form, code=422)
    try:
        auto_renewal.pay_with(
            place,
            product=status.licensed_product,
            method_id=int(form.method.data),
            now=current().clock.now(),
        )
    except NoSuchMethod:
        form.add_error("method", _("This payment method cannot be charged. Choose another one."))
        return _page(place, status, methods, form=form, code=422)
    name = next(_method(each) for each in methods if str(each.id) == form.method.data)
    flash(_("%(product)s is charged to %(method)s from now on.", product=_name(status), method=name), "done")
    return redirect_after_write(url_for(".show", slug=place.workspace.slug, product=product or None))


def _name(status: SubscriptionStatus) -> str:
    return translated(status.subscription.product.names)


def _said_of_on(status: SubscriptionStatus, charge: NextCharge) -> str:
    words = _charge_words(charge)
    said = _("Automatic renewal is on: %(total)s on %(date)s.", **words)
    if status.licensed_product:
        said = _(
            "Automatic renewal of %(product)s is on: %(total)s on %(date)s.", product=_name(status), **words
        )
    return " ".join((said, *_balance_words(charge)))


def _balance_words(charge: NextCharge) -> Iterator[str]:
    """How much of it the balance pays, as it is now; nothing where it pays none."""
    taken, date = charge.from_balance, formatting.day(charge.on)
    if not taken.minor:
        return
    if charge.needs_method:
        yield _(
            "Your balance pays first: as it is now, %(kept)s is taken from it on %(date)s, and %(due)s is "
            "charged.",
            kept=formatting.money(taken),
            due=formatting.money(charge.due),
            date=date,
        )
    else:
        yield _(
            "Your balance pays first: as it is now, %(kept)s is taken from it on %(date)s, and no payment "
            "method is charged.",
            kept=formatting.money(taken),
            date=date,
        )


def _said_of_off(status: SubscriptionStatus) -> str:
    date = formatting.day(status.due_on) if status.due_on else ""
    if status.licensed_product:
        return _(
            "Automatic renewal of %(product)s is off. It is paid until %(date)s.",
            product=_name(status),
            date=date,
        )
    return _("Automatic renewal is off. The plan ends on %(date)s.", date=date)


def _back(place: Place, status: SubscriptionStatus) -> tuple[str, str]:
    """The label and the address of where the subscription is shown."""
    if status.licensed_product:
        return subscriptions_page(place)
    return _("Back to the plans"), url_for("plans.show", slug=place.workspace.slug)


@dataclass(frozen=True, slots=True)
class RenewalPage:
    """`facts` of the next payment; `problem`: why there is none; `pages`: where what is missing is given.

    `product`: the code of the licensed product, empty for the workspace plan. `once_off` and `once_on`: what
    becomes of it. `balance`: what the balance pays of the next payment. `back`: label and address.
    """

    form: AutoRenewalForm
    product: str
    heading: str
    is_on: bool
    facts: list[tuple[str, str]]
    problem: str
    details_missing: bool
    has_methods: bool
    has_several: bool
    may_switch_on: bool
    once_off: tuple[str, ...]
    once_on: str
    balance: tuple[str, ...]
    pages: dict[str, str]
    back: tuple[str, str]


def _page(
    place: Place,
    status: SubscriptionStatus,
    methods: list[PaymentMethod],
    *,
    form: AutoRenewalForm | None = None,
    code: int = 200,
) -> Response:
    subscription, product = status.subscription, status.licensed_product
    charge, refusal = _charge_or_refusal(place, product)
    form = form or _form(status, methods)
    form.shown.data = charge.hash if charge else ""
    is_on = subscription.auto_renewal
    method = charged_methods.next_asked(subscription, today=status.today) if is_on else None
    heading = _("Automatic renewal")
    return render(
        "subscriptions/auto_renewal.html",
        RenewalPage(
            form=form,
            product=product.code if product else "",
            heading=_("Automatic renewal: %(product)s", product=_name(status)) if product else heading,
            is_on=is_on,
            # Where every card was refused for good nothing more is charged by itself: the banner says so.
            facts=_facts(status, charge, method) if subscription.renew_on or not is_on else [],
            problem=_sentence(refusal, is_licensed=product is not None) if refusal else "",
            details_missing=isinstance(refusal, NoBillingDetails),
            has_methods=bool(methods),
            has_several=len(methods) > 1,
            may_switch_on=charge is not None and (bool(methods) or not charge.needs_method),
            once_off=tuple(_once_off(status)),
            once_on=_once_on(status),
            balance=tuple(_sentences_of_balance(charge, has_methods=bool(methods))),
            pages=_pages(place),
            back=_back(place, status),
        ),
        status=code,
    )


def _once_off(status: SubscriptionStatus) -> Iterator[str]:
    date = formatting.day(status.due_on) if status.due_on else ""
    if status.licensed_product:
        yield _(
            "If you switch it off, nothing changes before %(date)s: the licences work until then and nothing "
            "is refunded. Unless somebody pays for the next period, they then stop working.",
            date=date,
        )
    else:
        yield _(
            "If you switch it off, nothing changes before %(date)s: you keep %(plan)s until then and nothing "
            "is refunded. After that day the payment is late, unless you prolong the plan yourself.",
            date=date,
            plan=translated(status.plan.names),
        )
    if status.subscription.locked_until:
        yield _("Your price guarantee ends with it.")


def _once_on(status: SubscriptionStatus) -> str:
    if status.licensed_product:
        return _(
            "The subscription is then renewed automatically on each due date, and its price is guaranteed. "
            "We write to you seven days before, with the date, the amount and the payment method. You can "
            "switch it off at any time."
        )
    return _(
        "The plan is then renewed automatically on each due date, and its price is guaranteed. We write to "
        "you seven days before, with the date, the amount and the payment method. You can switch it off at "
        "any time."
    )


def _sentences_of_balance(charge: NextCharge | None, *, has_methods: bool) -> Iterator[str]:
    if charge is None:
        return
    yield from _balance_words(charge)
    if not charge.needs_method and not has_methods:
        yield _("Payments that your balance is not enough for need a payment method: add one in time.")


def _charge_or_refusal(place: Place, product: Product | None) -> tuple[NextCharge | None, PortalError | None]:
    try:
        return auto_renewal.next_charge(place.workspace, product=product, now=current().clock.now()), None
    except NO_CHARGE as refusal:
        return None, refusal


def _facts(
    status: SubscriptionStatus, charge: NextCharge | None, method: PaymentMethod | None
) -> list[tuple[str, str]]:
    if charge is None:
        return []
    words, line, is_on = _charge_words(charge), charge.quote.only_line, status.subscription.auto_renewal
    rows = [(_("Plan"), priced_name(dict(line.offer.plan_names), line.offer.interval))]
    if status.licensed_product:
        rows.append((_("Licences"), formatting.number(line.quantity)))
    rows += [
        (_("Next payment") if is_on else _("Would be renewed on"), words["date"]),
        (_("Amount"), amount_charged(charge.total, has_vat=charge.tax.minor > 0)),
    ]
    return [*rows, (_("Paid with"), _method(method))] if method and is_on else rows


def _sentence(refusal: PortalError, *, is_licensed: bool) -> str:
    """Why there is no next charge, and what to do."""
    facts = vars(refusal)
    match refusal:
        case NotRenewable() if facts["free_plan_waits"]:
            return _(
                "A free plan begins on the due date: there is nothing to renew. Withdraw that change first."
            )
        case NotRenewable() if facts["owes_invoice"]:
            return _("An invoice for it is open. Pay it first: then you can switch automatic renewal on.")
        case NotRenewable() if facts["state"] == SubscriptionState.CANCELLED:
            return _("The subscription is cancelled: there is nothing to renew.")
        case NotRenewable() if facts["state"] == SubscriptionState.BLOCKED and is_licensed:
            return _(
                "Access is blocked. Pay for the licences first, on the Subscriptions page: then you can "
                "switch automatic renewal on."
            )
        case PlanNotOffered() if is_licensed:
            return _("This plan is no longer sold and cannot be renewed.")
        case NotRenewable() if is_licensed:
            return _("There is nothing to renew: you can switch automatic renewal on when you buy licences.")
        case NotRenewable() if facts["state"] == SubscriptionState.BLOCKED:
            return _(
                "Access is blocked. Pay for a plan first; you can switch automatic renewal on when you pay."
            )
        case NotRenewable():
            return _(
                "There is nothing to renew yet: you can switch automatic renewal on when you buy a plan."
            )
        case NoBillingDetails():
            return _("We do not know whom to invoice. Fill in your billing details first.")
        case PlanTooSmall():
            return _(
                "The plan that is to begin is now too small for you. Withdraw the change, or reduce your "
                "usage."
            )
        case CannotBeInvoiced():
            return not_invoiced_words(refusal)
    return _("This plan is no longer sold and cannot be renewed. Choose another one.")


def _form(status: SubscriptionStatus, methods: list[PaymentMethod]) -> AutoRenewalForm:
    in_order = charged_methods.in_order(methods, status.subscription)
    return AutoRenewalForm(
        methods=[(str(each.id), _method(each)) for each in in_order],
        data={"method": str(in_order[0].id) if in_order else ""},
    )


def _method(method: PaymentMethod) -> str:
    return method_words(method.kind, method.brand, method.last4)


def _charge_words(charge: NextCharge) -> dict[str, str]:
    return {"total": formatting.money(charge.total), "date": formatting.day(charge.on)}


def _pages(place: Place) -> dict[str, str]:
    """Where what is missing is given."""
    here = url_for("public.enter", slug=place.workspace.slug)
    return {name: here + name for name in ("payment-methods", "billing-settings")}
