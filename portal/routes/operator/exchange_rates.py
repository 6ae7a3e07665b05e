"""The exchange rates for VAT in the seller's currency: what is missing, all of them, and one more."""

from dataclasses import dataclass

from flask import Blueprint, Response, flash, url_for
from flask_login import current_user

from portal.domain.exchange_rates import ExchangeRate, rate_text
from portal.forms.operator import ExchangeRateForm
from portal.runtime import current
from portal.services import exchange_rates
from portal.services.exchange_rates import CurrencyNeed
from portal.services.invoices.issuing import sellers_day
from portal.web.access import operators_only
from portal.web.htmx import redirect_after_write, render
from portal.web.lists import page_cursor
from portal.words import formatting
from portal.words.i18n import gettext as _

blueprint = Blueprint("exchange_rates", __name__, url_prefix="/operator/exchange-rates")
ROWS_OF_A_PAGE = 50
USUAL_SOURCE = "European Central Bank"


@dataclass(frozen=True, slots=True)
class NeedRow:
    """A currency of the catalogue: its newest rate and how long that holds."""

    currency: str
    rate: str
    state: str
    is_urgent: bool


@dataclass(frozen=True, slots=True)
class RateRow:
    day: str
    currency: str
    rate: str
    source: str
    added: str


@dataclass(frozen=True, slots=True)
class RatesPage:
    """`base` is the seller's currency; `older` the cursor of the next page, None on the last one."""

    base: str
    needs: list[NeedRow]
    rows: list[RateRow]
    older: int | None
    is_first: bool
    form: ExchangeRateForm | None


@blueprint.get("")
@operators_only
def index() -> Response:
    return _page(_form())


@blueprint.post("")
@operators_only
def add() -> Response:
    form = _form()
    if form is None or not form.validate_on_submit():
        return _page(form, status=422)
    rate = ExchangeRate(
        base=current().settings.seller.currency,
        currency=form.currency.data,
        on=form.on,
        millionths=form.millionths,
        source=form.source.data,
    )
    exchange_rates.add(rate, by=current_user._get_current_object(), now=current().clock.now())
    flash(_("The rate was added: %(rate)s.", rate=_rate(rate.base, rate.millionths, rate.currency)), "done")
    return redirect_after_write(url_for("exchange_rates.index"))


def _form() -> ExchangeRateForm | None:
    """None where everything is sold in the seller's currency alone."""
    currencies = exchange_rates.currencies()
    if not currencies:
        return None
    today = sellers_day(current().clock.now())
    return ExchangeRateForm(
        currencies=[(code, formatting.currency_label(code)) for code in currencies],
        today=today,
        data={"currency": currencies[0], "rate_on": today.isoformat(), "source": USUAL_SOURCE},
    )


def _page(form: ExchangeRateForm | None, *, status: int = 200) -> Response:
    settings, cursor = current().settings, page_cursor()
    base = settings.seller.currency
    found = exchange_rates.newest(size=ROWS_OF_A_PAGE + 1, before=cursor)
    rows = found[:ROWS_OF_A_PAGE]
    page = RatesPage(
        base=base,
        needs=[_need_row(need, base) for need in exchange_rates.needs(settings, now=current().clock.now())],
        rows=[
            RateRow(
                day=formatting.day(row.rate_on),
                currency=row.currency,
                rate=_rate(row.base, row.millionths, row.currency),
                source=row.source,
                added=row.added_by.name if row.added_by else "–",
            )
            for row in rows
        ],
        older=rows[-1].id if len(found) > ROWS_OF_A_PAGE else None,
        is_first=cursor is None,
        form=form,
    )
    return render("operator/exchange_rates.html", page, status=status)


def _need_row(need: CurrencyNeed, base: str) -> NeedRow:
    rate = _rate(base, need.rate.millionths, need.currency) if need.rate else "–"
    return NeedRow(need.currency, rate, _state(need), need.is_urgent)


def _state(need: CurrencyNeed) -> str:
    if need.is_pretended:
        return _("Make-believe rate of the sandbox")
    if need.last_day is None:
        return _("Missing: orders with VAT are refused")
    return _("Holds until %(date)s", date=formatting.day(need.last_day))


def _rate(base: str, millionths: int, currency: str) -> str:
    return (
        f"1\N{NO-BREAK SPACE}{base} = {formatting.exact(rate_text(millionths))}\N{NO-BREAK SPACE}{currency}"
    )
