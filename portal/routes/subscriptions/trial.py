"""The trial of a licensed product: its form, starting it, and the page that confirms what it is.

Right.BUY: it costs nothing, but there is only one, and what is tried is what would be bought.
"""

from dataclasses import dataclass
from datetime import date

from flask import Blueprint, Response, abort, request, url_for
from flask_babel import ngettext

from portal.domain.buying import AlreadySubscribed, AlreadyTried, LicencesOutOfRange, TrialNotOffered
from portal.domain.errors import OrderAlreadyPlaced
from portal.domain.plans import PlanNotOffered
from portal.domain.vocabulary import Right, SubscriptionState
from portal.forms.subscriptions import TrialForm
from portal.models import Product
from portal.routes.checkout.order import assigning_words, managers_of
from portal.runtime import current
from portal.services import open_money
from portal.services.places import Place
from portal.services.subscriptions import agreement, product_trials
from portal.services.subscriptions.agreement import SubscriptionStatus
from portal.services.subscriptions.product_trials import PlanIsBlocked
from portal.web.access import workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.place import product_or_404, status_here, today_here
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated

from .licensed import buying_page, subscriptions_page

blueprint = Blueprint("product_trial", __name__, url_prefix="/w/<slug>/subscriptions/trial/<product>")


@blueprint.get("")
@workspace_right(Right.BUY)
def show(place: Place, product: str) -> Response:
    """What the running trial is; before it, its form; after it, that it is over."""
    found = product_or_404(product)
    return _instead_of_beginning(place, found) or _form_page(place, found, _form(found))


@blueprint.post("")
@workspace_right(Right.BUY)
def start(place: Place, product: str) -> Response:
    """Whoever clicks twice, or comes second, is led to the trial that runs."""
    found = product_or_404(product)
    answer = _instead_of_beginning(place, found)
    if answer is not None:
        return answer
    form = _form(found)
    if not form.validate_on_submit():
        return _form_page(place, found, form, status=422)
    try:
        product_trials.start(
            place,
            product_code=found.code,
            plan_code=form.plan.data,
            licences=form.licences.data,
            now=current().clock.now(),
        )
    except LicencesOutOfRange:
        form.add_error("licences", _most(found))
        return _form_page(place, found, form, status=422)
    except PlanNotOffered:
        form.add_error("plan", _("This plan cannot be tried today. Choose another one."))
        return _form_page(place, found, form, status=422)
    except OrderAlreadyPlaced:
        return _no_trial_page(place, found, later(place, found))
    except PlanIsBlocked:
        return to_the_plan(place)
    except (AlreadySubscribed, AlreadyTried, TrialNotOffered):
        # Somebody was quicker, or the vendor took it back.
        return _instead_of_beginning(place, found) or _no_trial_page(place, found, _not_offered())
    return _to_trial(place, found)


def _instead_of_beginning(place: Place, product: Product) -> Response | None:
    """The answer to who asks for a trial that runs, was had or is not to be had; None: it may begin."""
    is_sent, today = request.method == "POST", today_here(place)
    subscription = agreement.of_product(place.workspace, product)
    status = agreement.status_of(subscription, today=today) if subscription else None
    if status is not None and status.state is SubscriptionState.TRIAL:
        return _to_trial(place, product) if is_sent else _running_page(place, status)
    standing = product_trials.standing_of(product, status)
    if standing.is_subscribed:
        if not is_sent:
            return redirect_after_write(subscriptions_page(place)[1])
        name = translated(product.names)
        return _no_trial_page(place, product, _("You have %(product)s already.", product=name))
    if subscription is not None and subscription.trial_until is not None:
        return _over_page(place, product, subscription.trial_until, status=409 if is_sent else 200)
    if not standing.may_be_tried:
        return _no_trial_page(place, product, _not_offered()) if is_sent else abort(404)
    if status_here(place).is_blocked:
        return to_the_plan(place)
    return None


def to_the_plan(place: Place) -> Response:
    """Of a blocked workspace, which comes first: without it nobody could use what is tried."""
    return redirect_after_write(url_for("plans.show", slug=place.workspace.slug))


def _form(product: Product) -> TrialForm:
    plans = product_trials.plans_to_try(product, now=current().clock.now())
    return TrialForm(
        plans=[(sold.plan.code, translated(sold.plan.names)) for sold in plans], most=product.trial_licences
    )


@dataclass(frozen=True, slots=True)
class TrialFormPage:
    """`asks_plan`: there are several, or the one that was sent is refused. `back`: label and address."""

    form: TrialForm
    product: str
    name: str
    asks_plan: bool
    most: str
    notes: tuple[str, ...]
    back: tuple[str, str]


def _form_page(place: Place, product: Product, form: TrialForm, *, status: int = 200) -> Response:
    name = translated(product.names)
    lead = ngettext(
        "Free for %(num)d day, without payment details.",
        "Free for %(num)d days, without payment details.",
        product.trial_days,
    )
    return render(
        "subscriptions/trial_form.html",
        TrialFormPage(
            form=form,
            product=product.code,
            name=name,
            asks_plan=len(form.plan.offered) > 1 or bool(form.plan.errors),
            most=_most(product),
            notes=(
                lead,
                _("It ends by itself: there is nothing to cancel, and nothing is charged automatically."),
                _("There is one trial of %(product)s for each workspace.", product=name),
            ),
            back=subscriptions_page(place),
        ),
        status=status,
    )


def _most(product: Product) -> str:
    return ngettext(
        "You can try %(num)d licence.", "You can try up to %(num)d licences.", product.trial_licences
    )


@dataclass(frozen=True, slots=True)
class TrialPage:
    """A trial that runs, is over or cannot be had. `buy`: where it is bought, empty for nowhere.

    `key`: where its licence key stands, for whoever may see it. `assigning`: who assigns its licences, where
    members hold them; `code` is the product's.
    """

    heading: str
    lead: str
    facts: tuple[tuple[str, str, str], ...]
    sentences: tuple[str, ...]
    buy: str
    back: tuple[str, str]
    key: str = ""
    assigning: str = ""
    code: str = ""


def _running_page(place: Place, status: SubscriptionStatus) -> Response:
    subscription, product = status.subscription, status.subscription.product
    assert subscription.trial_until is not None, "what is on trial has its end"
    name, last_day = translated(product.names), formatting.day(subscription.trial_until)
    return render(
        "subscriptions/trial.html",
        TrialPage(
            heading=_("Your trial of %(product)s has started", product=name),
            lead=_("You can use it until the end of %(day)s, free of charge.", day=last_day),
            facts=(
                (_("Plan"), translated(status.plan.names), "trial-plan"),
                (_("Licences"), str(subscription.quantity), "trial-licences"),
                (_("Last day"), last_day, "trial-until"),
            ),
            sentences=(
                _("It ends by itself: there is nothing to cancel, and nothing is charged automatically."),
                _(
                    "To keep using %(product)s after that day, subscribe at any time. The paid period begins "
                    "on the day you subscribe, and the trial ends with it.",
                    product=name,
                ),
            ),
            buy="" if product.withdrawn else buying_page(place, product, status),
            back=subscriptions_page(place),
            key=_key(place, product),
            assigning="" if product.licence_keys else assigning_words(managers_of(place)),
            code=product.code,
        ),
    )


def _key(place: Place, product: Product) -> str:
    if not product.licence_keys or Right.MANAGE_MEMBERS not in place.may:
        return ""
    return url_for("licence_key.show", slug=place.workspace.slug, product=product.code)


def _over_page(place: Place, product: Product, last_day: date, *, status: int) -> Response:
    """It was had. What was bought since has ended too."""
    return render(
        "subscriptions/trial.html",
        TrialPage(
            heading=_("Your trial of %(product)s is over", product=translated(product.names)),
            lead=_(
                "There is one trial for each workspace, and yours was free until %(date)s.",
                date=formatting.day(last_day),
            ),
            facts=(),
            sentences=() if product.withdrawn else (_("You can subscribe whenever you like."),),
            buy="" if product.withdrawn else buying_page(place, product),
            back=subscriptions_page(place),
        ),
        status=status,
    )


def _no_trial_page(place: Place, product: Product, why: str) -> Response:
    return render(
        "subscriptions/trial.html",
        TrialPage(
            heading=_("The trial of %(product)s was not started", product=translated(product.names)),
            lead=why,
            facts=(),
            sentences=(),
            buy="",
            back=subscriptions_page(place),
        ),
        status=409,
    )


def _not_offered() -> str:
    return _("There is no free trial of this product.")


def later(place: Place, product: Product) -> str:
    """Beside a payment for the product whose result is open, or beside its refund."""
    if open_money.open_payment(place.workspace, [product]) is None:
        return _("You can start the trial once the result of the refund is known.")
    return _("You can start the trial once the result of the payment is known.")


def _to_trial(place: Place, product: Product) -> Response:
    return redirect_after_write(
        url_for("product_trial.show", slug=place.workspace.slug, product=product.code)
    )
