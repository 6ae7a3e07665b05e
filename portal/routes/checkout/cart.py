"""The cart: its lines at today's prices, changed and removed one by one, and ordered together."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, abort, flash, request, url_for
from flask_babel import ngettext

from portal.domain.buying import AlreadySubscribed, LicencesBelowAssigned, LicencesOutOfRange
from portal.domain.cart import CartChanged, CartNotAsShown, version_of
from portal.domain.choices import Choice
from portal.domain.errors import CurrencyMismatch, OrderAlreadyPlaced, PortalError
from portal.domain.money import Money
from portal.domain.plans import PlanChoice, PlanNotOffered, PlanTooSmall
from portal.domain.vocabulary import Interval, ProductKind, Right
from portal.domain.volume_price import MAX_LICENCES
from portal.forms.checkout import CartLineForm
from portal.forms.requests import AskForm
from portal.models import Plan, Product
from portal.routes.plans.page import REFUSALS, refusal_sentence
from portal.routes.plans.refusals import refusals_of
from portal.runtime import current
from portal.services import plans
from portal.services.checkout import cart, ceiling
from portal.services.checkout.cart import Cart, ReadLine
from portal.services.members.roster import people_with
from portal.services.places import Place
from portal.services.plans import PlanOffers
from portal.web.access import sold_here, workspace_right
from portal.web.htmx import redirect_after_write, render, wanted_block
from portal.words import formatting
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.plans import order_later, priced_name
from portal.words.requests import allowance_sentence

blueprint = Blueprint("cart", __name__, url_prefix="/w/<slug>/cart")
TEMPLATE = "checkout/cart.html"
NAMES_SHOWN = 5


@blueprint.get("")
@workspace_right(Right.ASK)
def show(place: Place) -> Response:
    return cart_page(place)


@blueprint.post("")
@workspace_right(Right.BUY)
@sold_here
def proceed(place: Place) -> Response:
    """Make one order of all lines, if they and their prices are what was shown."""
    try:
        order = cart.open_order(place, shown=request.form.get("shown", ""), now=current().clock.now())
    except CartNotAsShown:
        said = _("Nothing was ordered. The cart or a price has changed since you saw it: please check it.")
        return cart_page(place, news=[said], status=409)
    except OrderAlreadyPlaced:
        return cart_page(place, news=[order_later()], status=409)
    except REFUSALS:
        return cart_page(place, news=[_("Nothing was ordered: something in the cart cannot be.")], status=422)
    return redirect_after_write(url_for("checkout.details", slug=place.workspace.slug, number=order.number))


@blueprint.post("/<product_code>")
@workspace_right(Right.ASK)
def change(place: Place, product_code: str) -> Response:
    """Let the line of the product say what is wanted, if it still says what was shown."""
    product = _product_or_404(product_code)
    form = _form(product, currency=request.form.get("currency", ""))
    if not form.validate_on_submit():
        return cart_page(place, typed=_Typed(product, form), status=422)
    try:
        cart.put(
            place,
            choice=Choice(*PlanChoice.read(form.plan.data), form.quantity.data if form.quantity else 1),
            shown=form.shown.data,
            currency=form.currency.data,
            now=current().clock.now(),
        )
    except CartChanged as refusal:
        return cart_changed(place, refusal, currency=form.currency.data)
    except OrderAlreadyPlaced:
        return cart_page(place, typed=_Typed(product, form), news=[order_later()], status=409)
    except REFUSALS as refusal:
        field = "quantity" if isinstance(refusal, LicencesOutOfRange | LicencesBelowAssigned) else "plan"
        form.add_error(field, line_sentence(refusal, product))
        return cart_page(place, typed=_Typed(product, form), status=422)
    if wanted_block(TEMPLATE):
        return cart_page(place)
    flash(_("The cart is up to date."), "done")
    return _to_cart(place)


@blueprint.post("/<product_code>/remove")
@workspace_right(Right.ASK)
def remove(place: Place, product_code: str) -> Response:
    product = _product_or_404(product_code)
    try:
        cart.remove(
            place,
            product_code=product.code,
            shown=request.form.get("shown", ""),
            now=current().clock.now(),
        )
    except CartChanged as refusal:
        return cart_changed(place, refusal)
    flash(_("%(product)s is not in the cart any more.", product=translated(product.names)), "done")
    return _to_cart(place)


def cart_changed(place: Place, refusal: CartChanged, *, currency: str = "") -> Response:
    """The cart with both values of the line that somebody else changed first, and what was typed kept."""
    product = _product_or_404(refusal.product_code)
    mine, theirs = refusal.mine, refusal.theirs
    form = None
    if mine is not None:
        form = _form(product, currency=currency, choice=mine)
        # Sent again, it is written over theirs knowingly.
        form.shown.data = version_of(theirs) if theirs is not None else cart.NOTHING
    both = [(_("Now"), _in_words(theirs)), (_("Yours"), _in_words(mine))]
    return cart_page(place, typed=_Typed(product, form, both), status=409)


def deciders_of(place: Place) -> str:
    """Names of who may approve a request, for a sentence."""
    people = people_with(place.workspace, Right.APPROVE)[:NAMES_SHOWN]
    return ", ".join(person.name for person in people)


def products_page(place: Place) -> str:
    """Where something can be chosen for the cart."""
    return url_for("add_subscription.show", slug=place.workspace.slug)


# --- the page -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Line:
    """A line, ready to print. `form` None: nothing of the product is for sale today.

    `both`: what stands now and what was typed, where somebody else was first; `saves`: the words of the
    button that writes what was typed all the same, empty for none. Not `is_there`: it was removed meanwhile.
    """

    code: str
    name: str
    form: CartLineForm | None
    title: str
    rate: str
    amount: str
    difference: str
    problem: str
    both: list[tuple[str, str]]
    saves: str
    version: str
    is_there: bool


@dataclass(frozen=True, slots=True)
class CartPage:
    """`refused` is the form with mistakes; `news` what else is wrong. `shown` identifies the cart.

    `may_order`: the reader buys it alone, as far as net amounts tell; else `asking` is the form that asks
    for it, and `deciders` names who decides. `allowance`: how far they buy without asking, else empty.
    """

    lines: list[Line]
    net: str
    shown: str
    is_orderable: bool
    refused: CartLineForm | AskForm | None
    news: list[str]
    may_order: bool
    allowance: str
    asking: AskForm | None
    deciders: str
    products_page: str


@dataclass(frozen=True, slots=True)
class _Typed:
    """What was sent for a product and not written."""

    product: Product
    form: CartLineForm | None
    both: Sequence[tuple[str, str]] = ()


def cart_page(
    place: Place,
    *,
    typed: _Typed | None = None,
    asking: AskForm | None = None,
    news: Sequence[str] = (),
    status: int = 200,
) -> Response:
    """`asking` is the form that was sent to ask for what is in the cart, and could not be taken."""
    now = current().clock.now()
    read = cart.read(place, now=now)
    allowance = ceiling.allowance_here(place, now=now) if read.lines else None
    may_order = place.buys and (allowance is None or allowance.covers(read.net))
    has_to_ask = not may_order and Right.APPROVE not in place.may
    lines = [_line(each, read, typed) for each in read.lines]
    news = list(news)
    if typed is not None and typed.both:
        news.append(
            _("Somebody else changed the cart in the meantime. Nothing was saved: compare, then decide.")
        )
    known = {each.code for each in lines}
    if typed is not None and typed.form is not None and typed.product.code not in known:
        lines.append(_line_that_is_gone(typed))
    return render(
        TEMPLATE,
        CartPage(
            lines=lines,
            net=formatting.money(read.net) if read.lines else "",
            shown=read.fingerprint,
            is_orderable=read.is_orderable,
            refused=(typed.form if typed is not None and not typed.both else None) or asking,
            news=news,
            may_order=may_order,
            allowance=allowance_sentence(allowance, read.net) if allowance is not None else "",
            asking=(asking or AskForm(formdata=None)) if has_to_ask else None,
            deciders=deciders_of(place) if has_to_ask else "",
            products_page=products_page(place),
        ),
        status=status,
    )


def _line(each: ReadLine, read: Cart, typed: _Typed | None) -> Line:
    line = each.line
    is_typed = typed is not None and typed.product.id == line.product_id
    form = typed.form if typed is not None and is_typed else None
    both = list(typed.both) if typed is not None and is_typed else []
    saves = _("Save mine") if form is not None and both else ""
    if form is None and _choices(each.on_sale, currency=read.currency, quantity=line.quantity):
        form = _form(line.product, currency=read.currency, choice=line.choice)
    return Line(
        code=line.product.code,
        name=translated(line.product.names),
        form=form,
        title=line_title(
            line.plan, line.interval, line.quantity, licensed=line.product.kind == ProductKind.LICENSED
        ),
        rate=line_rate(each),
        amount=formatting.money(each.net) if each.net is not None else "",
        difference=line_difference(each),
        problem=line_sentence(each.refusal, line.product) if each.refusal is not None else "",
        both=both,
        saves=saves,
        version=line.version,
        is_there=True,
    )


def _line_that_is_gone(typed: _Typed) -> Line:
    return Line(
        code=typed.product.code,
        name=translated(typed.product.names),
        form=typed.form,
        title="",
        rate="",
        amount="",
        difference="",
        problem="",
        both=list(typed.both),
        saves=_("Put it back") if typed.both else _("Update"),
        version=cart.NOTHING,
        is_there=False,
    )


def _form(product: Product, *, currency: str, choice: Choice | None = None) -> CartLineForm:
    """With the choice; as it was sent, where none is given."""
    on_sale = plans.plans_on_sale(product, on=plans.sale_day(current().clock.now()))
    data: dict[str, object] = {"currency": currency}
    options: dict[str, object] = {}
    if choice is not None:
        data |= {
            "shown": version_of(choice),
            "plan": str(PlanChoice(choice.plan_code, choice.interval)),
            "quantity": choice.quantity,
        }
        options["formdata"] = None
    return CartLineForm(
        product_code=product.code,
        choices=_choices(on_sale, currency=currency, quantity=choice.quantity if choice else 1),
        most=product.most_licences if product.kind == ProductKind.LICENSED else None,
        data=data,
        **options,
    )


def _choices(on_sale: Sequence[PlanOffers], *, currency: str, quantity: int) -> list[tuple[str, str]]:
    """What is sold of a product in the currency, with the price of one unit where so many are taken."""
    return [
        (
            str(PlanChoice(sold.plan.code, interval)),
            _(
                "%(plan)s (%(price)s)",
                plan=priced_name(sold.plan.names, interval),
                price=formatting.money(unit),
            ),
        )
        for sold in on_sale
        for interval in Interval
        if (unit := _unit(sold, interval, currency, quantity)) is not None
    ]


def _unit(sold: PlanOffers, interval: Interval, currency: str, quantity: int) -> Money | None:
    price = sold.price(interval, currency)
    if price is None or sold.plan.free:
        return None
    return price.volume_price.unit_amount(min(max(quantity, 1), MAX_LICENCES))


def _product_or_404(code: str) -> Product:
    product = cart.find_product(code)
    if product is None:
        abort(404)
    return product


def _to_cart(place: Place) -> Response:
    return redirect_after_write(url_for("cart.show", slug=place.workspace.slug))


# --- words ----------------------------------------------------------------------------------------


def _in_words(choice: Choice | None) -> str:
    if choice is None:
        return _("Not in the cart")
    plan = cart.find_plan(choice)
    return line_title(
        plan, choice.interval, choice.quantity, licensed=plan.product.kind == ProductKind.LICENSED
    )


def line_title(plan: Plan, interval: Interval, quantity: int, *, licensed: bool) -> str:
    """`Meetings Essential, monthly, 3 licences`."""
    name = priced_name(plan.names, interval)
    if not licensed:
        return name
    return ngettext("%(plan)s, %(num)d licence", "%(plan)s, %(num)d licences", quantity, plan=name)


def line_rate(each: ReadLine) -> str:
    """How many licences at how much each; empty for what has no number, or is not for sale."""
    if each.offer is None or each.line.product.kind != ProductKind.LICENSED:
        return ""
    quantity, unit = each.line.quantity, formatting.money(each.offer.amount)
    if each.offer.billed(quantity) != quantity:
        return ngettext("%(num)d licence", "%(num)d licences", quantity)
    return ngettext("%(num)d licence at %(each)s", "%(num)d licences at %(each)s each", quantity, each=unit)


def line_difference(each: ReadLine) -> str:
    """That the price is another one than when the line was chosen; empty where it is the same."""
    if each.difference is None:
        return ""
    seen, now = formatting.money(each.difference.seen), formatting.money(each.difference.now)
    if each.offer is not None and each.offer.billed(2) == 2:
        return _(
            "The price has changed: it was %(seen)s and is now %(now)s for each licence.", seen=seen, now=now
        )
    return _("The price has changed: it was %(seen)s and is now %(now)s.", seen=seen, now=now)


def line_sentence(refusal: PortalError, product: Product) -> str:
    """Why the line cannot be ordered, and what helps."""
    match refusal:
        case PlanNotOffered():
            return _("This is not on sale in this form today. Choose something else, or remove it.")
        case LicencesOutOfRange():
            return ngettext(
                "At most %(num)d licence can be ordered here.",
                "At most %(num)d licences can be ordered here.",
                product.most_licences,
            )
        case AlreadySubscribed():
            return _("This workspace already has this product. Remove it from the cart.")
        case OrderAlreadyPlaced():
            return order_later()
        case CurrencyMismatch():
            return _("What you already have is paid for in another currency than this cart.")
        case PlanTooSmall():
            exceeded = refusals_of(vars(refusal)["exceeded_limits"])
            return " ".join(f"{each.allowed} {each.used}" for each in exceeded)
    return refusal_sentence(refusal)
