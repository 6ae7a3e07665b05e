"""What anybody may open: the front page, prices, legal pages, the way in, and what machines ask."""

from dataclasses import dataclass, replace

from flask import Blueprint, Response, abort, current_app, g, jsonify, redirect, request, url_for
from flask_login import current_user
from peewee import DoesNotExist, OperationalError
from werkzeug.exceptions import HTTPException

from portal.domain.money import Money
from portal.domain.vocabulary import Interval, MemberStatus, Right
from portal.models import Product
from portal.routes.plans.table import print_rows
from portal.runtime import current
from portal.services import places, plans
from portal.services.members import roster
from portal.services.subscriptions import agreement
from portal.services.upkeep import csp_reports, health
from portal.web import errors, limits
from portal.web.access import limited, public, signed_in
from portal.web.htmx import render
from portal.web.security import csrf
from portal.words import formatting

blueprint = Blueprint("public", __name__)
LARGEST_REPORT_BYTES = 8 * 1024
A_DAY = 86400
FIRST_PAGES = (
    (Right.SEE_PLANS, "plans.show"),
    (Right.SEE_HISTORY, "history.index"),
    (Right.MANAGE_MEMBERS, "members.index"),
)


# --- the front page and the prices ----------------------------------------------------------------


@blueprint.get("/")
@public
def home() -> Response:
    """Visitors read what is sold here; everybody else goes on to where they work."""
    if not current_user.is_authenticated:
        settings = current().settings
        return render("public/home.html", sale=_sale(), seller=settings.seller, is_demo=settings.sandbox_only)
    if current_user.is_operator:
        return _go(url_for("operator.index"))
    workspace = places.home_of(current_user)
    if workspace is None:
        return render("public/no_workspace.html")
    return _go(url_for("public.enter", slug=workspace.slug))


@blueprint.get("/w/<slug>/")
@signed_in
def enter(slug: str) -> Response:
    """The first page of the workspace that this member may see; for a guest, that they are one."""
    place = places.enter(person=current_user._get_current_object(), slug=slug)
    if place is None:
        abort(404)
    if place.member.status == MemberStatus.GUEST:
        g.place = place
        return render("members/guest.html", people=roster.people_with(place.workspace, Right.MANAGE_MEMBERS))
    endpoint = next((page for right, page in FIRST_PAGES if right in place.may), None)
    if endpoint is None:
        g.place, g.missing_right = place, Right.SEE_PLANS
        abort(403)
    return _go(url_for(endpoint, slug=slug))


@blueprint.get("/pricing")
@public
def pricing() -> Response:
    sale = _sale()
    return render(
        "public/pricing.html",
        sale=sale,
        rows=print_rows(sale.listed) if sale.listed else (),
        currencies=[(code, formatting.currency_label(code)) for code in sale.currencies],
    )


@dataclass(frozen=True, slots=True)
class Sale:
    """What is sold by the workspace today. `product` is None before a catalogue was applied."""

    product: Product | None
    offers: tuple[plans.PlanOffers, ...]
    currencies: list[str]
    currency: str

    @property
    def listed(self) -> plans.PriceList | None:
        if self.product is None:
            return None
        return plans.price_list(
            self.product, on=plans.sale_day(current().clock.now()), currency=self.currency
        )

    @property
    def lowest(self) -> Money | None:
        """The smallest monthly price."""
        prices = [offer.price(Interval.MONTH, self.currency) for offer in self.offers]
        return min((price.amount for price in prices if price), default=None)


def _sale() -> Sale:
    try:
        product = agreement.workspace_product()
    except DoesNotExist:
        return Sale(product=None, offers=(), currencies=[], currency="")
    offers = plans.plans_on_sale(product, on=plans.sale_day(current().clock.now()))
    currencies = plans.currencies_of(offers)
    return Sale(product=product, offers=offers, currencies=currencies, currency=_chosen_currency(currencies))


def _chosen_currency(currencies: list[str]) -> str:
    """The one asked for, else euros where they are taken, else the first; empty when nothing is sold."""
    asked = request.args.get("currency", "")
    if asked in currencies:
        return asked
    return "EUR" if "EUR" in currencies else (currencies[0] if currencies else "")


# --- texts ----------------------------------------------------------------------------------------


@blueprint.get("/terms")
@public
def terms() -> Response:
    return render("public/terms.html", seller=current().settings.seller)


@blueprint.get("/privacy")
@public
def privacy() -> Response:
    return render("public/privacy.html", seller=current().settings.seller)


@blueprint.get("/security")
@public
def security() -> Response:
    settings = current().settings
    return render("public/security.html", binding=settings.session_binding, is_https=settings.is_https)


@blueprint.get("/links/<name>")
@public
def vendor_link(name: str) -> Response:
    """To one of the vendor's own pages, as the catalogue file names them."""
    address = plans.vendor_address(name)
    if not address:
        abort(404)
    return _go(address)


# --- machines -------------------------------------------------------------------------------------


@blueprint.get("/healthz")
@public
def healthz() -> Response:
    """The process answers. Asks nothing of the database."""
    return jsonify(alive=True)


@blueprint.get("/readyz")
@public
def readyz() -> Response:
    """Green, or 503 with what is wrong."""
    return _readiness(health.readiness(wall=current().clock.wall()))


def _readiness(found: health.Readiness) -> Response:
    response = jsonify(
        ready=found.is_ready,
        database=found.database,
        pending_migrations=list(found.pending_migrations),
        oldest_message_seconds=found.oldest_message_seconds,
        unknown_payments=found.unknown_payments,
    )
    response.status_code = 200 if found.is_ready else 503
    return response


@blueprint.errorhandler(OperationalError)
def without_database(error: OperationalError) -> Response:
    """No connection could be taken for the request: the two probes answer in their own words."""
    if request.endpoint == "public.healthz":
        return healthz()
    if request.endpoint == "public.readyz":
        return _readiness(health.Readiness(database=False))
    return errors.busy_page(error)


@blueprint.post("/csp-report")
@csrf.exempt
@public
@limited("csp_report")
def csp_report() -> Response:
    """What a browser blocked, in either format; 8 KiB at most, stored as counts by page rule."""
    limits.count("csp_report")
    request.max_content_length = LARGEST_REPORT_BYTES
    try:
        exceeded_limits = csp_reports.read(request.get_json(force=True))
    except (ValueError, RecursionError):
        # RecursionError: brackets in brackets in brackets.
        abort(400)
    by_rule = [replace(violation, page=_rule_of(violation.page)) for violation in exceeded_limits]
    csp_reports.count(by_rule, wall=current().clock.wall())
    return Response(status=204)


def _rule_of(address: str) -> str:
    """The rule behind an address: addresses hold names and single-use tokens, rules do not."""
    _scheme, separator, rest = address.partition("://")
    path = "/" + rest.partition("/")[2].partition("?")[0].partition("#")[0]
    try:
        rule, _arguments = current_app.url_map.bind("").match(path, method="GET", return_rule=True)
    except (HTTPException, ValueError):
        # ValueError: half of a surrogate pair, which no address can hold.
        return csp_reports.OTHER
    return str(rule.rule) if separator else csp_reports.OTHER


@blueprint.get("/robots.txt")
@public
def robots() -> Response:
    closed = ("/w/", "/me", "/operator", "/sandbox", "/l/", "/links/")
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in closed)]
    return _kept(Response("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8"))


@blueprint.get("/favicon.ico")
@public
def favicon() -> Response:
    """For browsers that ask without being told; pages name an empty icon of their own."""
    return _kept(Response(status=204))


def _kept(response: Response) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={A_DAY}"
    return response


def _go(address: str) -> Response:
    return redirect(address, 303)  # type: ignore[return-value]
