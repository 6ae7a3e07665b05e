"""A year to take away: its movements for a spreadsheet, its documents as ZIP archives."""

import csv
import io
from dataclasses import dataclass

from flask import Blueprint, Response, abort, request, send_file, url_for
from flask_login import current_user

from portal.domain.vocabulary import Right
from portal.services.invoices import statements, year_archives
from portal.services.places import Place
from portal.services.workspace.export import SIGNS, cell
from portal.web import limits
from portal.web.access import limited, workspace_right
from portal.web.htmx import redirect_after_write, render
from portal.web.lists import part_or_404
from portal.web.place import status_here, today_here
from portal.words.history import ENTRY_WORDS
from portal.words.i18n import gettext as _
from portal.words.i18n import locale_code

from .history import first_year, wanted_year

blueprint = Blueprint("year_archives", __name__, url_prefix="/w/<slug>/history/download")
REFRESH_SECONDS = 3


@dataclass(frozen=True, slots=True)
class YearArchivePage:
    """`parts` are the addresses of the archives once each document is stored. `waits`: they are made now."""

    years: list[str]
    year: str
    documents: int
    stored: int
    is_ready: bool
    waits: bool
    parts: list[str]


@blueprint.get("")
@workspace_right(Right.DOWNLOAD_DOCUMENTS)
def show(place: Place) -> Response:
    """`?year=2026`; with `waits` the documents were asked for, and the page asks again how far they are."""
    status_here(place)
    years = _years(place)
    year = wanted_year(years) or years[0]
    found = year_archives.progress(place.workspace, year, locale_code())
    waits = "waits" in request.args and not found.is_ready
    slug = place.workspace.slug
    response = render(
        "invoices/year_archive.html",
        YearArchivePage(
            years=[str(each) for each in years],
            year=str(year),
            documents=found.documents,
            stored=found.stored,
            is_ready=found.is_ready,
            waits=waits,
            parts=[
                url_for(".documents", slug=slug, year=year, part=part if part > 1 else None)
                for part in range(1, found.parts + 1)
            ],
        ),
    )
    if waits:
        response.headers["Refresh"] = str(REFRESH_SECONDS)
    return response


@blueprint.post("")
@workspace_right(Right.DOWNLOAD_DOCUMENTS)
def ask(place: Place) -> Response:
    """Let the workers make the documents of the year that were never made."""
    year = _year_or_404(place, request.form.get("year", ""))
    year_archives.ask(place.workspace, year, locale_code())
    return redirect_after_write(url_for(".show", slug=place.workspace.slug, year=year, waits=1))


@blueprint.get("/<year>.csv")
@workspace_right(Right.DOWNLOAD_DOCUMENTS)
@limited("document")
def movements(place: Place, year: str) -> Response:
    """Every movement of the balance in a year, for a spreadsheet of the reader's language."""
    limits.count("document", account=current_user.id)
    wanted, signs = _year_or_404(place, year), SIGNS[locale_code()]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=signs.between_cells, quoting=csv.QUOTE_ALL)
    writer.writerow(
        (
            _("Date"),
            _("Kind"),
            _("Document"),
            _("Order"),
            _("Amount"),
            _("Currency"),
            _("Balance"),
            _("Reason"),
        )
    )
    for moved in statements.of_year(place.workspace, wanted):
        row = (
            place.workspace.day(moved.made_at).isoformat(),
            ENTRY_WORDS[moved.kind],
            moved.document,
            moved.order,
            moved.amount,
            moved.amount.currency,
            moved.balance,
            moved.reason,
        )
        writer.writerow([cell(value, signs) for value in row])
    response = Response(text.getvalue().encode("utf-8-sig", errors="replace"), mimetype="text/csv")
    name = f"{place.workspace.slug}-{wanted}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@blueprint.get("/<year>.zip")
@workspace_right(Right.DOWNLOAD_DOCUMENTS)
@limited("document")
def documents(place: Place, year: str) -> Response:
    """`?part=` of the documents of a year; while one is missing, the page that asks for it."""
    limits.count("document", account=current_user.id)
    wanted = _year_or_404(place, year)
    found = year_archives.progress(place.workspace, wanted, locale_code())
    part = part_or_404(found.parts)
    content = year_archives.make_part(place.workspace, wanted, locale_code(), part=part)
    if content is None:
        return redirect_after_write(url_for(".show", slug=place.workspace.slug, year=wanted))
    name = f"{place.workspace.slug}-{wanted}" + (f"-{part}" if found.parts > 1 else "")
    return send_file(content, mimetype="application/zip", as_attachment=True, download_name=f"{name}.zip")


def _years(place: Place) -> list[int]:
    return list(range(today_here(place).year, first_year(place) - 1, -1))


def _year_or_404(place: Place, text: str) -> int:
    found = next((year for year in _years(place) if str(year) == text), None)
    return found or abort(404)
