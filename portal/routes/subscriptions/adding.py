"""Adding a subscription: product, buy or try, plan, licences, month or year. Each step has an address."""

from dataclasses import replace
from urllib.parse import urlencode

from flask import Blueprint, Response, request, url_for
from werkzeug.datastructures import MultiDict

from portal.domain.buying import (
    AlreadySubscribed,
    AlreadyTried,
    LicencesBelowAssigned,
    LicencesOutOfRange,
    TrialNotOffered,
)
from portal.domain.cart import CartChanged
from portal.domain.choices import Choice
from portal.domain.errors import CurrencyMismatch, OrderAlreadyPlaced
from portal.domain.plans import PlanNotOffered
from portal.domain.vocabulary import Right
from portal.forms.base import leave_unsent, typed_before
from portal.forms.subscriptions import AddingForm
from portal.models import Product
from portal.routes.checkout.cart import cart_changed
from portal.routes.plans.page import refusal_sentence
from portal.runtime import current
from portal.services.checkout import cart, ordering
from portal.services.places import Place
from portal.services.subscriptions import product_trials, products
from portal.services.subscriptions.product_trials import PlanIsBlocked
from portal.web.access import workspace_right
from portal.web.htmx import redirect_after_write, render, wanted_block
from portal.words.i18n import Sentence, translated
from portal.words.i18n import gettext as _
from portal.words.plans import order_later

from .conversation import END, Conversation, How, Step, converse
from .steps import adding_page, step_address
from .trial import later, to_the_plan

blueprint = Blueprint("add_subscription", __name__, url_prefix="/w/<slug>/subscriptions/new")
TEMPLATE = "subscriptions/add.html"


@blueprint.get("")
@workspace_right(Right.ASK)
def show(place: Place) -> Response:
    """The step that is named, or the first that was not answered. A product that is had leads to its card."""
    if sent := _sent_before():
        return redirect_after_write(f"{request.path}?{urlencode(sent)}")
    wanted = request.args.get("show") or request.args.get("step", "")
    said = _converse(place, request.args, wanted=wanted)
    if said.chosen is not None and said.at != Step.PRODUCT:
        if said.chosen.own.standing.is_subscribed:
            return _to_card(place, said.chosen.product.code)
        if said.chosen.own.order_being_paid:
            return _products_again(place, said, order_later())
    return _page(place, said)


@blueprint.post("")
@workspace_right(Right.ASK)
def order(place: Place) -> Response:
    """Make the order of what was chosen, a frozen quote, and go on to its checkout.

    Of whoever may not buy it goes into the cart, from where they ask for it.
    """
    leave_unsent()
    if shown := request.form.get("show"):
        said = _converse(place, request.form, wanted=shown)
        return _page(place, said) if said.is_refused else redirect_after_write(step_address(place, said))
    said = _converse(place, request.form, wanted=END)
    if said.is_refused or said.chosen is None:
        return _page(place, said)
    if said.chosen.own.order_being_paid:
        return _products_again(place, said, order_later())
    if said.how is How.TRY:
        return _try(place, said, said.chosen.product)
    if said.choice is None:
        return _page(place, said)
    goes_to_cart = bool(request.form.get("cart")) or not place.buys or not cart.is_empty(place.workspace)
    try:
        if goes_to_cart:
            return _into_cart(place, said, said.choice)
        made = ordering.open_order(
            place, choices=[said.choice], currency=said.currency, now=current().clock.now()
        )
    except AlreadySubscribed:
        name = translated(said.chosen.product.names)
        return _products_again(place, said, _("You have %(product)s already.", product=name))
    except LicencesBelowAssigned as refusal:
        said.form.add_error(Step.LICENCES, refusal_sentence(refusal))
        return _page(place, replace(said, at=Step.LICENCES, is_refused=True))
    except (PlanNotOffered, LicencesOutOfRange):
        # The catalogue changed between two queries.
        return _products_again(place, said, _("This plan is not on sale today."))
    except OrderAlreadyPlaced:
        return _products_again(place, said, order_later())
    return redirect_after_write(url_for("checkout.details", slug=place.workspace.slug, number=made.number))


def _into_cart(place: Place, said: Conversation, choice: Choice) -> Response:
    """A line more in the cart, from where everything in it is ordered together."""
    try:
        cart.add(place, choice=choice, currency=said.currency, now=current().clock.now())
    except CartChanged as refusal:
        return cart_changed(place, refusal, currency=said.currency)
    except CurrencyMismatch:
        problem = _("What is in the cart has prices in another currency. Order that first, or remove it.")
        return _products_again(place, said, problem)
    return redirect_after_write(url_for("cart.show", slug=place.workspace.slug))


def _sent_before() -> list[tuple[str, str]]:
    """The choices that were sent when the session had ended, for an address without any; told once."""
    if request.args:
        return []
    form = AddingForm(request.args)
    typed = typed_before(form)
    if typed is None:
        return []
    leave_unsent()
    return [pair for pair in typed.items() if pair[0] in form]


def _try(place: Place, said: Conversation, product: Product) -> Response:
    """Start the trial, which needs no checkout; what is in its way is said on its own page."""
    if said.plan is None or said.licences is None:
        return _page(place, said)
    try:
        product_trials.start(
            place,
            product_code=product.code,
            plan_code=said.plan.plan.code,
            licences=said.licences,
            now=current().clock.now(),
        )
    except OrderAlreadyPlaced:
        return _products_again(place, said, later(place, product))
    except PlanIsBlocked:
        return to_the_plan(place)
    except (AlreadyTried, AlreadySubscribed, TrialNotOffered):
        pass
    except (PlanNotOffered, LicencesOutOfRange):
        # The catalogue changed between two queries.
        return _products_again(place, said, _("This plan is not on sale today."))
    return redirect_after_write(
        url_for("product_trial.show", slug=place.workspace.slug, product=product.code)
    )


def _converse(place: Place, sent: "MultiDict[str, str]", *, wanted: str) -> Conversation:
    on_sale = products.products_for_sale(place, now=current().clock.now())
    return converse(
        on_sale,
        sent,
        wanted=wanted,
        own_currency=place.workspace.currency,
        cart_currency=cart.currency_of(place.workspace),
        may_try=Right.BUY in place.may,
    )


def _page(place: Place, said: Conversation) -> Response:
    """While something is typed the total is asked for alone, and has nothing to refuse."""
    is_refused = said.is_refused and wanted_block(TEMPLATE) != "running_total"
    page = adding_page(place, said, is_shown_again="show" in request.args)
    response = render(TEMPLATE, page, status=422 if is_refused else 200)
    if is_refused:
        # The step is still the one that the browser has the address of.
        response.headers["HX-Push-Url"] = "false"
    return response


def _products_again(place: Place, said: Conversation, problem: Sentence) -> Response:
    """What was chosen cannot be had as things are now: the list of products says how each stands."""
    again = replace(said, at=Step.PRODUCT, problem=problem, is_refused=True)
    return render(TEMPLATE, adding_page(place, again), status=409)


def _to_card(place: Place, code: str) -> Response:
    return redirect_after_write(
        url_for("subscriptions.show", slug=place.workspace.slug, _anchor=f"subscription-{code}")
    )
