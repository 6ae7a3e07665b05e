"""The steps of adding a subscription, written out: what conversation.py has read, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from flask import url_for
from flask_babel import ngettext

from portal.domain.periods import period_from
from portal.domain.vocabulary import Interval, Right
from portal.forms.subscriptions import AddingForm
from portal.models import Price
from portal.services.checkout import cart
from portal.services.places import Place
from portal.services.plans import PlanOffers
from portal.services.subscriptions.products import ProductForSale
from portal.web.place import today_here
from portal.words import formatting
from portal.words.i18n import Sentence, translated
from portal.words.i18n import gettext as _
from portal.words.licences import amount_words, licences_words, rate_words, tier_words
from portal.words.plans import order_later, saving_words

from .conversation import Conversation, How, Step


@dataclass(frozen=True, slots=True)
class ProductEntry:
    """A product to choose. `mark`: the word on it, with its state; `action`: label and address.

    `later`: why it cannot be chosen now, in the place of the action.
    """

    code: str
    name: str
    about: str
    mark: tuple[str, str] | None
    action: tuple[str, str] | None
    later: str = ""


@dataclass(frozen=True, slots=True)
class CompareTable:
    """What each plan holds. `rows`: a feature with a cell for each plan, each True, False or a text."""

    plans: tuple[str, ...]
    rows: tuple[tuple[str, tuple[bool | str, ...]], ...]


@dataclass(frozen=True, slots=True)
class TotalLine:
    """By the month or by the year: what one licence costs, and all of them; empty while nobody said how many.

    `tiers`: from how many licences on each costs something else.
    """

    label: str
    rate: str
    amount: str
    tiers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunningTotal:
    """What the choices come to so far, without VAT. `said` is the whole of it in one sentence.

    `period`: what the first payment pays for.
    """

    title: str
    licences: str
    lines: tuple[TotalLine, ...]
    period: str
    said: str


@dataclass(frozen=True, slots=True)
class AddingPage:
    """One step, ready to print.

    `steps` are labels with the addresses of those that are done, `number` that of this one, from 1. `kept`
    are the choices of the other steps, as the form sends them along. `goes_to` is the step that the form
    leads to, empty for the last one, whose form is sent to be done. `notes` stand under the values of the
    step's field. `most`: how many licences at most. `goes_to_checkout` says which button the last step has.
    `currencies`: code and label of each to choose from, none where prices are shown in one alone. `reads_on`:
    the reader comes from the step before.
    """

    form: AddingForm
    at: str
    number: int
    steps: list[tuple[str, str | None]]
    question: str
    problem: Sentence
    kept: list[tuple[str, str]]
    goes_to: str
    notes: Mapping[str, str]
    products: tuple[ProductEntry, ...]
    compare: CompareTable | None
    most: str
    total: RunningTotal | None
    tries: bool
    trial_note: str
    goes_to_checkout: bool
    currencies: tuple[tuple[str, str], ...]
    currency: str
    reads_on: bool
    back: str


def adding_page(place: Place, said: Conversation, *, is_shown_again: bool = False) -> AddingPage:
    """`is_shown_again`: of the step that the reader is at, another currency was asked for."""
    number = said.steps.index(said.at) + 1
    following = said.steps[number:]
    is_product = said.at == Step.PRODUCT
    shows_prices = is_product or said.how is How.BUY
    currencies = said.currencies if shows_prices and len(said.currencies) > 1 else ()
    sent_along = {name: value for name, value in _choices(said).items() if name != said.at}
    if currencies:
        sent_along.pop("currency", None)
    return AddingPage(
        form=said.form,
        at=said.at,
        number=number,
        steps=_steps(place, said),
        question=_question(said),
        problem=said.problem,
        kept=list(sent_along.items()),
        goes_to=following[0] if following else "",
        notes=_notes(said),
        products=tuple(_entry(place, each, said) for each in said.on_sale) if is_product else (),
        compare=_compare(said) if said.at == Step.PLAN else None,
        most=_most(said) if said.at == Step.LICENCES else "",
        total=None if is_product else _total(place, said),
        tries=said.how is How.TRY,
        trial_note=_trial_note(place, said) if said.is_last else "",
        goes_to_checkout=not said.is_last
        or said.how is How.TRY
        or (place.buys and cart.is_empty(place.workspace)),
        currencies=tuple((code, formatting.currency_label(code)) for code in currencies),
        currency=said.currency,
        reads_on=not said.is_refused and not is_shown_again,
        back=_address(place, said, said.steps[number - 2]) if number > 1 else "",
    )


def _choices(said: Conversation) -> dict[str, str]:
    """What is chosen and right, by the names of the fields, for addresses and forms."""
    chosen = {
        Step.PRODUCT: said.chosen.product.code if said.chosen else "",
        Step.HOW: said.how if Step.HOW in said.steps and said.form.how.data else "",
        Step.PLAN: said.plan.plan.code if said.plan and Step.PLAN in said.steps else "",
        Step.LICENCES: str(said.licences or ""),
        Step.INTERVAL: said.interval or "",
        "currency": said.currency if said.form.currency.data == said.currency else "",
    }
    return {str(name): str(value) for name, value in chosen.items() if value}


def step_address(place: Place, said: Conversation) -> str:
    """That of the step that is shown, with everything chosen kept."""
    return _address(place, said, said.at)


def _address(place: Place, said: Conversation, step: Step) -> str:
    """That of another step, with everything chosen kept."""
    query = urlencode({**_choices(said), "step": step})
    return f"{url_for('add_subscription.show', slug=place.workspace.slug)}?{query}"


def _steps(place: Place, said: Conversation) -> list[tuple[str, str | None]]:
    labels = {
        Step.PRODUCT: _("Product"),
        Step.HOW: _("Buy or try"),
        Step.PLAN: _("Plan"),
        Step.LICENCES: _("Licences"),
        Step.INTERVAL: _("Month or year"),
    }
    # Before a product is chosen nobody knows which steps it has.
    known = said.steps if said.chosen else (Step.PRODUCT, Step.LICENCES, Step.INTERVAL)
    return [(labels[step], _address(place, said, step) if said.chosen else None) for step in known]


def _question(said: Conversation) -> str:
    name = translated(said.chosen.product.names) if said.chosen else ""
    plan = translated(said.plan.plan.names) if said.plan else name
    return {
        Step.PRODUCT: _("Which product do you want to add?"),
        Step.HOW: _("Do you want to buy %(product)s, or try it first?", product=name),
        Step.PLAN: _("Which %(product)s plan do you want?", product=name),
        Step.LICENCES: _("%(plan)s: how many licences do you need?", plan=plan),
        Step.INTERVAL: _how_it_is_paid(said),
    }[said.at]


def _how_it_is_paid(said: Conversation) -> str:
    """A question only where there is a choice."""
    match said.form.interval.offered:
        case [Interval.MONTH]:
            return _("It is paid by the month")
        case [Interval.YEAR]:
            return _("It is paid by the year")
    return _("Do you want to pay by the month or by the year?")


# --- products -------------------------------------------------------------------------------------


def _entry(place: Place, each: ProductForSale, said: Conversation) -> ProductEntry:
    own, product = each.own, each.product
    slug, name = place.workspace.slug, translated(product.names)
    asked = said.currency if said.form.currency.data == said.currency in each.currencies else None
    choose = url_for("add_subscription.show", slug=slug, product=product.code, currency=asked)
    entry = {"code": product.code, "name": name, "about": _about(each, said.currency)}
    if own.standing.is_subscribed:
        card = url_for("subscriptions.show", slug=slug, _anchor=f"subscription-{product.code}")
        action = (_("See your subscription"), card)
        return ProductEntry(**entry, mark=(_("Yours now"), "current"), action=action)
    if own.order_being_paid:
        pending = (_("Payment being confirmed"), "")
        return ProductEntry(**entry, mark=pending, action=None, later=order_later())
    mark: tuple[str, str] | None = None
    if own.status is not None and not own.is_bought and own.trial_until:
        mark = (_("Trial over"), "ended") if own.has_ended else (_("On trial"), "trial")
    elif own.may_be_tried and Right.BUY in place.may:
        days = ngettext("%(num)d-day free trial", "%(num)d-day free trial", product.trial_days)
        mark = (days, "recommended")
    return ProductEntry(**entry, mark=mark, action=(_("Choose"), choose))


def _about(each: ProductForSale, currency: str) -> str:
    """How many plans there are, and what a licence costs at least."""
    cheapest = _cheapest(each, currency if currency in each.currencies else each.currencies[0])
    rate = rate_words(cheapest.volume_price, Interval(cheapest.interval))
    if len(each.plans) == 1:
        return _("%(rate)s excl. VAT", rate=rate)
    return ngettext(
        "%(num)d plan, from %(rate)s excl. VAT",
        "%(num)d plans, from %(rate)s excl. VAT",
        len(each.plans),
        rate=rate,
    )


def _cheapest(each: ProductForSale, currency: str) -> Price:
    """By the month where it is sold so."""
    prices = [price for plan in each.plans for price in plan.prices if price.currency == currency]
    return min(prices, key=lambda price: (price.interval != Interval.MONTH, price.amount_minor))


# --- plans ----------------------------------------------------------------------------------------


def _notes(said: Conversation) -> dict[str, str]:
    if said.at == Step.HOW and said.chosen:
        product = said.chosen.product
        trial = ngettext(
            "%(num)d day free, without a card. It ends by itself.",
            "%(num)d days free, without a card. It ends by itself.",
            product.trial_days,
        )
        return {How.BUY: _("It begins as soon as you have paid."), How.TRY: trial}
    if said.at == Step.PLAN and said.how is How.BUY:
        return {sold.plan.code: _plan_note(sold, said.currency) for sold in said.plans}
    if said.at == Step.INTERVAL:
        return _interval_notes(said)
    return {}


def _plan_note(sold: PlanOffers, currency: str) -> str:
    """What a licence costs, by the month and by the year, as far as it is sold so."""
    prices = [sold.price(interval, currency) for interval in Interval]
    rates = [rate_words(price.volume_price, Interval(price.interval)) for price in prices if price]
    return " · ".join(rates)


def _interval_notes(said: Conversation) -> dict[str, str]:
    amounts = {}
    for interval in Interval:
        price = said.plan.price(interval, said.currency) if said.plan else None
        if price is not None and said.licences:
            amounts[interval] = price.volume_price.amount(said.licences)
    notes = {str(interval): amount_words(amount, interval) for interval, amount in amounts.items()}
    if len(amounts) == len(Interval):
        saving = saving_words(monthly=amounts[Interval.MONTH], yearly=amounts[Interval.YEAR])
        if saving:
            notes[Interval.YEAR] = f"{notes[Interval.YEAR]}. {saving}."
    return notes


def _compare(said: Conversation) -> CompareTable | None:
    features = said.chosen.product.features if said.chosen else []
    if not features:
        return None
    return CompareTable(
        plans=tuple(translated(sold.plan.names) for sold in said.plans),
        rows=tuple(
            (
                translated(row["names"]),
                tuple(_cell(row["plans"].get(sold.plan.code, False)) for sold in said.plans),
            )
            for row in features
        ),
    )


def _cell(value: bool | Mapping[str, str]) -> bool | str:
    return value if isinstance(value, bool) else translated(value)


# --- licences and their total ---------------------------------------------------------------------


def _most(said: Conversation) -> str:
    most = said.form.licences.maximum
    if said.how is How.TRY:
        return ngettext(
            "You can try %(count)s licence.",
            "You can try up to %(count)s licences.",
            most,
            count=formatting.number(most),
        )
    if said.chosen is None or said.chosen.product.max_licences is None:
        return ""
    return ngettext(
        "You can order %(count)s licence here.",
        "You can order up to %(count)s licences here.",
        most,
        count=formatting.number(most),
    )


def _prices(said: Conversation) -> Sequence[Price]:
    """Of the plan: the one of the interval that is chosen, else all of them."""
    if said.plan is None:
        return ()
    wanted = [said.interval] if said.interval else list(Interval)
    prices = (said.plan.price(interval, said.currency) for interval in wanted)
    return tuple(price for price in prices if price is not None)


def _total(place: Place, said: Conversation) -> RunningTotal | None:
    """None before a plan is chosen, and for a trial, which costs nothing."""
    prices = _prices(said)
    if said.plan is None or said.how is How.TRY or not prices:
        return None
    title = translated(said.plan.plan.names)
    licences = licences_words(said.licences) if said.licences else ""
    lines = tuple(_line(price, said.licences) for price in prices)
    amounts = ", ".join(_said(price, said.licences) for price in prices)
    return RunningTotal(
        title=title,
        licences=licences,
        lines=lines,
        period=_period(place, said.interval) if said.interval else "",
        said=_("%(plan)s, %(licences)s: %(amount)s", plan=title, licences=licences, amount=amounts)
        if licences
        else _("%(plan)s: %(amount)s", plan=title, amount=amounts),
    )


def _said(price: Price, licences: int | None) -> str:
    volume, interval = price.volume_price, Interval(price.interval)
    return amount_words(volume.amount(licences), interval) if licences else rate_words(volume, interval)


def _line(price: Price, licences: int | None) -> TotalLine:
    volume, interval = price.volume_price, Interval(price.interval)
    return TotalLine(
        label=_("Yearly") if interval is Interval.YEAR else _("Monthly"),
        rate=rate_words(volume, interval, licences or 1),
        amount=formatting.money(volume.amount(licences)) if licences else "",
        tiers=tier_words(volume),
    )


def _period(place: Place, interval: Interval) -> str:
    period = period_from(today_here(place), interval)
    return _("From %(start)s to %(end)s", start=formatting.day(period.start), end=formatting.day(period.end))


def _trial_note(place: Place, said: Conversation) -> str:
    """What the last step of a trial says before it begins."""
    if said.how is not How.TRY or said.chosen is None:
        return ""
    until = today_here(place) + timedelta(days=said.chosen.product.trial_days)
    return _("Free until %(date)s. It ends by itself, and nothing is charged.", date=formatting.day(until))
