"""The overview of billing: what the workspace has, what it costs next, what comes, what needs the reader."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flask import Blueprint, Response, url_for

from portal.domain.forecast import Charge, ForecastMonth, Milestone, MilestoneKind, totals_of
from portal.domain.money import Money
from portal.domain.vocabulary import Right, SubscriptionState
from portal.routes.subscriptions.page import sentence_of, state_of
from portal.runtime import current
from portal.services.billing import overview
from portal.services.billing.overview import Overview
from portal.services.places import Place
from portal.services.subscriptions import agreement
from portal.services.subscriptions.products import OwnProduct
from portal.web.access import workspace_right
from portal.web.bar_chart import BarChart, Measured, bar_chart
from portal.web.htmx import render
from portal.web.place import know_status, know_usage
from portal.words import formatting
from portal.words.forecast import charge_words, milestone_words, pays_words
from portal.words.i18n import gettext as _
from portal.words.i18n import translated
from portal.words.plans import priced_name
from portal.words.renewal import amount_charged

from .needs import Need, method_names, needs_of

blueprint = Blueprint("billing", __name__, url_prefix="/w/<slug>/billing")


@dataclass(frozen=True, slots=True)
class NextCharge:
    """All that is charged on one day."""

    totals: tuple[str, ...]
    when: str
    charges: "tuple[ForecastRow, ...]"


@dataclass(frozen=True, slots=True)
class OwnRow:
    """A product of the workspace. `next` says what it costs next and when, or how it stands."""

    code: str
    name: str
    plan: str
    state: str
    state_words: str
    next: str
    address: str


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """`amount` and `pays` are empty for what is no charge. `is_unpaid`: nothing could pay it."""

    day: str
    what: str
    note: str
    amount: str = ""
    pays: str = ""
    is_unpaid: bool = False


@dataclass(frozen=True, slots=True)
class MonthRows:
    """`totals` where they say more than the one row does."""

    name: str
    totals: tuple[str, ...]
    rows: tuple[ForecastRow, ...]


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """`nothing` says why nothing is charged, where nothing is; `action` is where that can be changed.

    `calendar`: the private address, on the one page that shows it; `has_calendar`: there is one.
    """

    needs: tuple[Need, ...]
    next: NextCharge | None
    nothing: str
    action: tuple[str, str] | None
    balance: tuple[str, ...]
    own: tuple[OwnRow, ...]
    charts: tuple[BarChart, ...]
    columns: tuple[tuple[str, str], ...]
    months: tuple[MonthRows, ...]
    totals: tuple[str, ...]
    has_vat: bool
    until: str
    shows_what_pays: bool
    calendar: str
    has_calendar: bool
    may_have_calendar: bool


@blueprint.get("")
@workspace_right(Right.SEE_PLANS)
def show(place: Place) -> Response:
    return overview_page(place)


def overview_page(place: Place, *, calendar: str = "") -> Response:
    """`calendar`: the private address that was just made."""
    found = overview.overview_of(place, now=current().clock.now())
    know_status(next(each.status for each in found.own if each.is_workspace_plan and each.status))
    if found.usage is not None:
        know_usage(found.usage)
    names, forecast = method_names(found), found.forecast
    return render(
        "billing/overview.html",
        OverviewPage(
            needs=needs_of(place, found),
            next=_next(found, names),
            nothing="" if forecast.charges else _why_nothing(found),
            action=_action(place, found),
            balance=tuple(formatting.money(kept) for kept in found.kept.values()),
            own=tuple(_own_row(place, found, own) for own in found.own),
            charts=tuple(_chart(found, total) for total in forecast.totals),
            columns=tuple(_columns(found)),
            months=tuple(month for each in forecast.months if (month := _month(found, each, names)).rows),
            totals=tuple(formatting.money(total) for total in forecast.totals),
            has_vat=any(each.has_tax for each in forecast.charges),
            until=formatting.day(forecast.last),
            shows_what_pays=found.shows_what_pays,
            calendar=calendar,
            has_calendar=found.has_calendar_address,
            may_have_calendar=Right.SEE_HISTORY in place.may,
        ),
    )


def _next(found: Overview, names: Mapping[int, str]) -> NextCharge | None:
    if not found.forecast.charges:
        return None
    charges = found.forecast.next_day
    day, has_vat = formatting.day(charges[0].on), any(each.has_tax for each in charges)
    return NextCharge(
        totals=tuple(formatting.money(each) for each in totals_of(charges)),
        when=_("on %(date)s, including VAT", date=day) if has_vat else _("on %(date)s", date=day),
        charges=tuple(_row(found, each, names) for each in charges),
    )


def _why_nothing(found: Overview) -> str:
    plan = next(each for each in found.own if each.is_workspace_plan)
    if any(each.is_being_paid for each in found.own):
        return _("A payment is being confirmed. What comes next will appear here once the result is known.")
    if any(each.status and each.status.is_to_be_paid for each in found.own):
        return _("Nothing is charged automatically until what is due has been paid.")
    states = {each.status.state for each in found.own if each.status}
    if states <= {SubscriptionState.FREE, SubscriptionState.ENDED}:
        return _("Everything that you use is free.")
    if plan.status is not None and plan.status.plan.trial and len(states) == 1:
        return _("Nothing has been bought yet.")
    return _("Nothing renews automatically.")


def _action(place: Place, found: Overview) -> tuple[str, str] | None:
    """Not where the list of what needs the reader has a better one."""
    if found.forecast.charges or any(each.status and each.status.is_to_be_paid for each in found.own):
        return None
    return _("See the plans"), url_for("plans.show", slug=place.workspace.slug)


def _own_row(place: Place, found: Overview, own: OwnProduct) -> OwnRow:
    state, words = state_of(own)
    page = "plans.show" if own.is_workspace_plan else "subscriptions.show"
    anchor = None if own.is_workspace_plan else f"subscription-{own.product.code}"
    return OwnRow(
        code=own.product.code,
        name=translated(own.product.names),
        plan=_plan_words(own),
        state=state,
        state_words=words,
        next=_next_of(found, own),
        address=url_for(page, slug=place.workspace.slug, _anchor=anchor),
    )


def _plan_words(own: OwnProduct) -> str:
    status = own.status
    if status is None or own.has_ended:
        return ""
    licences = agreement.licences_of(status.subscription)
    return priced_name(status.plan.names, status.interval, licences)


def _next_of(found: Overview, own: OwnProduct) -> str:
    status = own.status
    charge = found.forecast.next_of(status.subscription.id) if status else None
    if charge is not None:
        total = amount_charged(charge.total, has_vat=charge.has_tax)
        return _("%(total)s on %(date)s", total=total, date=formatting.day(charge.on))
    sentence = sentence_of(own)
    if sentence or status is None or status.due_on is None:
        return sentence
    return _("Automatic renewal is off. Paid until %(date)s.", date=formatting.day(status.due_on))


# --- the twelve months ----------------------------------------------------------------------------


def _columns(found: Overview) -> Iterator[tuple[str, str]]:
    """Headings with their kind, as ui.table has them."""
    yield _("Month"), ""
    yield _("Day"), ""
    yield _("Description"), ""
    if found.forecast.charges:
        yield _("Amount"), "amount"
        if found.shows_what_pays:
            yield _("Paid with"), ""


def _month(found: Overview, month: ForecastMonth, names: Mapping[int, str]) -> MonthRows:
    charges = sum(isinstance(each, Charge) for each in month.entries)
    return MonthRows(
        name=formatting.month(month.first),
        totals=tuple(formatting.money(total) for total in month.totals) if charges > 1 else (),
        rows=tuple(_rows(found, month, names)),
    )


def _rows(found: Overview, month: ForecastMonth, names: Mapping[int, str]) -> Iterator[ForecastRow]:
    for each in month.entries:
        if isinstance(each, Milestone) and not shows(found, each):
            continue
        yield _row(found, each, names)


def shows(found: Overview, milestone: Milestone) -> bool:
    """Not the card, to whoever may not know what pays."""
    return found.shows_what_pays or milestone.kind is not MilestoneKind.CARD_EXPIRES


def _row(found: Overview, each: Charge | Milestone, names: Mapping[int, str]) -> ForecastRow:
    day = formatting.day_of_month(each.on)
    if isinstance(each, Milestone):
        said = milestone_words(each, product=_product_of(found, each), methods=names)
        return ForecastRow(day, said.what, said.note)
    said = charge_words(each)
    pays = pays_words(each, methods=names) if found.shows_what_pays else ""
    is_unpaid = found.shows_what_pays and each.lacks_method and not each.is_retry
    return ForecastRow(day, said.what, said.note, formatting.money(each.total), pays, is_unpaid)


def _product_of(found: Overview, milestone: Milestone) -> str:
    own = (each for each in found.own if each.status)
    return translated(
        next(
            each.product.names
            for each in own
            if each.status and each.status.subscription.id == milestone.subscription
        )
    )


def _chart(found: Overview, total: Money) -> BarChart:
    """Of one currency: amounts of two are never added."""
    currency, forecast = total.currency, found.forecast
    values = []
    for number, month in enumerate(forecast.months):
        amount = next((each for each in month.totals if each.currency == currency), Money.zero(currency))
        name, text = formatting.month(month.first), formatting.money(amount)
        short, letter = formatting.short_month(month.first)
        # Of a December the year would run into that of the January beside it.
        begins_a_year = month.first.month == 1 or (number == 0 and month.first.month != 12)
        values.append(
            Measured(
                value=amount.minor,
                short=short,
                letter=letter,
                second=f"{month.first.year}" if begins_a_year else "",
                amount=text,
                title=_("%(what)s: %(amount)s", what=name, amount=text),
            )
        )
    highest = max(values, key=lambda each: each.value)
    return bar_chart(
        values,
        mark=f"chart-{currency.lower()}",
        title=_("Charges by month, in %(currency)s", currency=formatting.currency_label(currency)),
        description=_(
            "%(total)s in total. The highest month is %(highest)s.",
            total=formatting.money(total),
            highest=highest.title,
        ),
    )
