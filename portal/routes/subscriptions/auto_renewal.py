"""Automatic renewal: what it is now, what it would be, and the one button."""

from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, flash, url_for

from portal.domain.errors import MissingVatRate, PortalError, QuoteChanged
from portal.domain.plans import PlanNotOffered, PlanTooSmall
from portal.domain.vocabulary import Right, SubscriptionState
from portal.forms.subscriptions import AutoRenewalForm
from portal.models import PaymentMethod
from portal.runtime import current
from portal.services.places import Place
from portal.services.subscriptions import auto_renewal, charged_methods
from portal.services.subscriptions.auto_renewal import NextCharge, NoSuchMethod, NotRenewable
from portal.services.subscriptions.next_charge import NoBillingDetails
from portal.web.access import workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.place import status_here
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.methods import method_words
from portal.words.plans import priced_name
from portal.words.renewal import amount_charged

blueprint = Blueprint("auto_renewal", __name__, url_prefix="/w/<slug>/auto-renewal")
NO_CHARGE = (NotRenewable, NoBillingDetails, PlanNotOffered, PlanTooSmall, MissingVatRate)


@blueprint.get("")
@workspace_right(Right.AUTO_RENEWAL)
def show(place: Place) -> Response:
    return _page(place, auto_renewal.methods_of(place.workspace))


@blueprint.post("/on")
@workspace_right(Right.AUTO_RENEWAL)
def switch_on(place: Place) -> Response:
    methods = auto_renewal.methods_of(place.workspace)
    form = _form(place, methods)
    if not form.validate_on_submit():
        return _page(place, methods, form=form, status=422)
    try:
        charge = auto_renewal.switch_on(
            place,
            method_id=int(form.method.data),
            shown_hash=form.shown.data,
            now=current().clock.now(),
        )
    except QuoteChanged:
        form.add_error(
            None,
            _("Nothing was changed. The next payment is no longer the one you saw: please check it again."),
        )
        return _page(place, methods, form=form, status=409)
    except (NoSuchMethod, *NO_CHARGE):
        return _page(place, auto_renewal.methods_of(place.workspace), status=422)
    flash(_("Automatic renewal is on: %(total)s on %(date)s.", **_charge_words(charge)), "done")
    return _to_plans(place)


@blueprint.post("/off")
@workspace_right(Right.AUTO_RENEWAL)
def switch_off(place: Place) -> Response:
    due_on = status_here(place).due_on
    if auto_renewal.switch_off(place, now=current().clock.now()) and due_on is not None:
        flash(_("Automatic renewal is off. The plan ends on %(date)s.", date=formatting.day(due_on)), "done")
    else:
        flash(_("Automatic renewal was already off."), "done")
    return _to_plans(place)


@dataclass(frozen=True, slots=True)
class RenewalPage:
    """`facts` of the next payment; `problem`: why there is none; `pages`: where what is missing is given."""

    form: AutoRenewalForm
    is_on: bool
    facts: list[tuple[str, str]]
    problem: str
    details_missing: bool
    has_methods: bool
    may_switch_on: bool
    plan: str
    due_on: date | None
    locked_until: date | None
    pages: dict[str, str]


def _page(
    place: Place, methods: list[PaymentMethod], *, form: AutoRenewalForm | None = None, status: int = 200
) -> Response:
    standing = status_here(place)
    subscription = standing.subscription
    charge, refusal = _charge_or_refusal(place)
    form = form or _form(place, methods)
    form.shown.data = charge.hash if charge else ""
    is_on = subscription.auto_renewal
    method = charged_methods.next_asked(subscription, today=standing.today) if is_on else None
    return render(
        "subscriptions/auto_renewal.html",
        RenewalPage(
            form=form,
            is_on=is_on,
            # Where every card was refused for good nothing more is charged by itself: the banner says so.
            facts=_facts(charge, method, is_on=is_on) if subscription.renew_on or not is_on else [],
            problem=_sentence(refusal) if refusal else "",
            details_missing=isinstance(refusal, NoBillingDetails),
            has_methods=bool(methods),
            may_switch_on=charge is not None and bool(methods),
            plan=translated(standing.plan.names),
            due_on=standing.due_on,
            locked_until=subscription.locked_until,
            pages=_pages(place),
        ),
        status=status,
    )


def _charge_or_refusal(place: Place) -> tuple[NextCharge | None, PortalError | None]:
    try:
        return auto_renewal.next_charge(place.workspace, now=current().clock.now()), None
    except NO_CHARGE as refusal:
        return None, refusal


def _facts(charge: NextCharge | None, method: PaymentMethod | None, *, is_on: bool) -> list[tuple[str, str]]:
    if charge is None:
        return []
    words, offer = _charge_words(charge), charge.quote.only_line.offer
    rows = [
        (_("Plan"), priced_name(dict(offer.plan_names), offer.interval)),
        (_("Next payment") if is_on else _("Would be renewed on"), words["date"]),
        (_("Amount"), amount_charged(charge.quote.total, has_vat=charge.quote.tax_amount.minor > 0)),
    ]
    return [*rows, (_("Paid with"), _method(method))] if method and is_on else rows


def _sentence(refusal: PortalError) -> str:
    """Why there is no next charge, and what to do."""
    facts = vars(refusal)
    match refusal:
        case NotRenewable() if facts["free_plan_waits"]:
            return _(
                "A free plan begins on the due date: there is nothing to renew. Withdraw that change first."
            )
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
        case MissingVatRate():
            return _("We do not know the VAT rate of this country yet. Please contact us.")
    return _("This plan is no longer sold and cannot be renewed. Choose another one.")


def _form(place: Place, methods: list[PaymentMethod]) -> AutoRenewalForm:
    known = [str(method.id) for method in methods]
    used = str(status_here(place).subscription.payment_method_id)
    chosen = used if used in known else (known[0] if known else "")
    return AutoRenewalForm(
        methods=[(str(each.id), _method(each)) for each in methods], data={"method": chosen}
    )


def _method(method: PaymentMethod) -> str:
    return method_words(method.kind, method.brand, method.last4)


def _charge_words(charge: NextCharge) -> dict[str, str]:
    return {"total": formatting.money(charge.total), "date": formatting.day(charge.on)}


def _pages(place: Place) -> dict[str, str]:
    """Where what is missing is given."""
    here = url_for("public.enter", slug=place.workspace.slug)
    return {name: here + name for name in ("payment-methods", "billing-settings")}


def _to_plans(place: Place) -> Response:
    return redirect_after_write(url_for("plans.show", slug=place.workspace.slug))
