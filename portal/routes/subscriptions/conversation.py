"""What was chosen of a subscription to be added, read step by step as far as it is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from werkzeug.datastructures import MultiDict

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval
from portal.forms.subscriptions import AddingForm
from portal.services.plans import PlanOffers
from portal.services.subscriptions.products import ProductForSale
from portal.words.i18n import Sentence, translated
from portal.words.i18n import gettext as _


class Step(StrEnum):
    """In their order. The value is the name of the field that the step asks for."""

    PRODUCT = "product"
    HOW = "how"
    PLAN = "plan"
    LICENCES = "licences"
    INTERVAL = "interval"


class How(StrEnum):
    BUY = "buy"
    TRY = "try"


END = "end"
"""Beyond the last step: all of them have to be right."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """How far it has come. What is not chosen yet, or was chosen wrongly, is None.

    `at` is the step to show, one of `steps`, which leave out those without a choice. `plans` are those sold
    in the currency, and `currencies` those to choose from: none where the cart has one. `problem`: what is
    wrong and stands beside no field. `is_refused`: something was wrong.
    """

    form: AddingForm
    on_sale: tuple[ProductForSale, ...]
    steps: tuple[Step, ...]
    at: Step
    currency: str
    problem: Sentence
    is_refused: bool
    currencies: tuple[str, ...] = ()
    chosen: ProductForSale | None = None
    how: How = How.BUY
    plans: tuple[PlanOffers, ...] = ()
    plan: PlanOffers | None = None
    licences: int | None = None
    interval: Interval | None = None

    @property
    def is_last(self) -> bool:
        return self.chosen is not None and self.at == self.steps[-1]

    @property
    def choice(self) -> Choice | None:
        """What is to be ordered; None while something is missing, and of a trial."""
        if self.plan is None or self.licences is None or self.interval is None:
            return None
        return Choice(self.plan.plan.code, self.interval, self.licences)


def converse(
    on_sale: tuple[ProductForSale, ...],
    sent: MultiDict[str, str],
    *,
    wanted: str,
    own_currency: str,
    cart_currency: str | None = None,
    may_try: bool = True,
) -> Conversation:
    """Read `sent` up to the step `wanted`, or END; the first that is missing or wrong before it is shown.

    Without a step that there is, it goes on to the first that was not answered. `own_currency` is that of the
    workspace, for whoever asks for none, and `cart_currency` the only one where the cart has it. `may_try`:
    whoever may not buy begins no trial either.
    """
    form = AddingForm(sent)
    chosen = _chosen_product(form, on_sale)
    is_about_products = chosen is None or wanted == Step.PRODUCT
    known = sorted({code for each in on_sale for code in each.currencies})
    if chosen is not None and not is_about_products:
        known = chosen.currencies
    currency = _currency(form, known, own_currency, cart_currency)
    currencies = () if cart_currency else tuple(known)
    if chosen is None or is_about_products:
        problem = _what_is_wrong_with_the_product(form, wanted) if chosen is None else ""
        problem = problem or _problem_of_currency(form, currency, cart_currency)
        return Conversation(
            form=form,
            on_sale=on_sale,
            steps=tuple(Step),
            at=Step.PRODUCT,
            currency=currency,
            problem=problem,
            is_refused=bool(problem),
            currencies=currencies,
            chosen=chosen,
        )
    tries = may_try and chosen.own.may_be_tried
    how = How.TRY if form.how.data == How.TRY and tries else How.BUY
    plans = tuple(plan for plan in chosen.plans if any(price.currency == currency for price in plan.prices))
    steps = _steps(plans, how, may_be_tried=tries)
    _offer(form, chosen, plans, how=how, currency=currency)
    at, is_right = _walk(form, steps, wanted)
    problem = _problem(form, chosen, steps) or _problem_of_currency(form, currency, cart_currency)
    _preselect(form, at)
    plan = next((each for each in plans if each.plan.code == form.plan.data), None)
    return Conversation(
        form=form,
        on_sale=on_sale,
        steps=steps,
        at=at,
        currency=currency,
        problem=problem,
        is_refused=bool(problem) or not is_right,
        currencies=currencies,
        chosen=chosen,
        how=how,
        plans=plans,
        plan=plans[0] if len(plans) == 1 else plan,
        licences=_licences(form),
        interval=_interval(form) if how is How.BUY else None,
    )


def _chosen_product(form: AddingForm, on_sale: tuple[ProductForSale, ...]) -> ProductForSale | None:
    """The one that is named; where none is, that of the plan."""
    if form.product.raw_data:
        code = form.product.data if form.product.fault is None else ""
        return next((each for each in on_sale if each.product.code == code), None)
    plan = form.plan.data
    return next((each for each in on_sale if plan in [sold.plan.code for sold in each.plans]), None)


def _what_is_wrong_with_the_product(form: AddingForm, wanted: str) -> Sentence:
    if form.product.data or form.product.fault:
        return _("This product is not on sale. Choose one of these.")
    return _("Choose a product.") if wanted else ""


def _currency(form: AddingForm, known: Sequence[str], own: str, of_cart: str | None) -> str:
    """The cart's, else the one that is asked for or the workspace's; else the first with a price."""
    wanted = (of_cart,) if of_cart else (form.currency.data, own)
    return next((each for each in wanted if each in known), known[0] if known else own)


def _steps(plans: Sequence[PlanOffers], how: How, *, may_be_tried: bool) -> tuple[Step, ...]:
    left_out = {
        Step.HOW: not may_be_tried,
        Step.PLAN: len(plans) == 1,
        Step.INTERVAL: how is How.TRY,
    }
    return tuple(step for step in Step if not left_out.get(step))


def _offer(
    form: AddingForm, chosen: ProductForSale, plans: Sequence[PlanOffers], *, how: How, currency: str
) -> None:
    product = chosen.product
    form.how.offer([(How.BUY, _("Buy")), (How.TRY, _("Try"))])
    form.plan.offer([(sold.plan.code, translated(sold.plan.names)) for sold in plans])
    form.licences.are_sold = how is How.BUY
    form.licences.maximum = product.most_licences if how is How.BUY else product.trial_licences
    wanted = [sold for sold in plans if sold.plan.code == form.plan.data] or plans
    sold_by = {price.interval for sold in wanted for price in sold.prices if price.currency == currency}
    words = {Interval.MONTH: _("Monthly"), Interval.YEAR: _("Yearly")}
    form.interval.offer([(interval, words[interval]) for interval in Interval if interval in sold_by])


def _walk(form: AddingForm, steps: Sequence[Step], wanted: str) -> tuple[Step, bool]:
    """The step to show, and whether all before it are right."""
    goes_to = wanted if wanted in (*steps, END) else ""
    for step in steps[1:]:
        field = form[step]
        if step == goes_to or (not goes_to and not field.raw_data):
            return step, True
        if not field.validate(form):
            return step, False
    return steps[-1], True


def _problem_of_currency(form: AddingForm, currency: str, cart_currency: str | None) -> Sentence:
    if not form.currency.data or form.currency.data == currency:
        return ""
    if cart_currency:
        return _("What is in the cart has prices in another currency. Order that first, or remove it.")
    return _("There is no price in this currency. Prices are shown in %(currency)s.", currency=currency)


def _problem(form: AddingForm, chosen: ProductForSale, steps: Sequence[Step]) -> Sentence:
    """What was sent for a step that is left out, and cannot be had."""
    name = translated(chosen.product.names)
    if Step.HOW not in steps and form.how.data == How.TRY:
        if chosen.own.standing.was_tried:
            return _("You have already had the free trial of %(product)s.", product=name)
        if chosen.own.may_be_tried:
            return _(
                "Only people who can buy here can start the free trial of %(product)s.",
                product=name,
            )
        return _("There is no free trial of %(product)s.", product=name)
    if Step.PLAN not in steps and form.plan.data and form.plan.data not in form.plan.offered:
        return _("This plan is not on sale today.")
    return ""


def _preselect(form: AddingForm, at: Step) -> None:
    """Where nothing was said, the first choice and one licence; what was wrong stays as it was typed."""
    field = form[at]
    if field.raw_data:
        return
    if at == Step.LICENCES:
        form.licences.data, form.licences.typed = 1, "1"
    elif field.offered:
        field.data = field.offered[0]


def _licences(form: AddingForm) -> int | None:
    number = form.licences.data
    return number if number is not None and 1 <= number <= form.licences.maximum else None


def _interval(form: AddingForm) -> Interval | None:
    return Interval(form.interval.data) if form.interval.data in form.interval.offered else None
