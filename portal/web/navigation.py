"""What the page around every page shows: menus, languages, footer, banner. Built from rights, in Python."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast
from urllib.parse import quote, urlencode

from flask import current_app, g, request, url_for
from flask_login import current_user

from portal.domain.card_numbers import without_card_numbers
from portal.domain.vocabulary import Right
from portal.runtime import current
from portal.services.places import Place
from portal.words.i18n import Sentence, locale_code
from portal.words.i18n import gettext as _
from portal.words.i18n import lazy_gettext as _l

from .access import is_open_while_blocked
from .place import is_blocked_here

LANGUAGE_NAMES = {"en": "English", "fr": "Français"}


@dataclass(frozen=True, slots=True)
class MenuItem:
    label: str
    url: str
    current: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a workspace with its one name, who sees it, and the blueprints whose pages stand under it.

    `right` None: every member does, guests too.
    """

    label: Sentence
    endpoint: str
    right: Right | None
    blueprints: frozenset[str]


@dataclass(frozen=True, slots=True)
class Area:
    """A tab under the name of the workspace, with a tab for each of its pages where it has several."""

    label: Sentence
    pages: tuple[Page, ...]


OVERVIEW = Page(_l("Overview"), "billing.show", Right.SEE_PLANS, frozenset({"billing", "calendars"}))
PLANS = Page(
    _l("Plans"),
    "plans.show",
    Right.SEE_PLANS,
    frozenset({"plans", "scheduled_change", "free_plan", "auto_renewal", "checkout", "amount_due"}),
)
SUBSCRIPTIONS = Page(
    _l("Subscriptions"),
    "subscriptions.show",
    Right.SEE_PLANS,
    frozenset(
        {
            "subscriptions",
            "add_subscription",
            "product_trial",
            "cancellation",
            "licence_renewal",
            "licences_due",
            "licence_change",
            "licence_key",
            "cart",
            "requests",
        }
    ),
)
HISTORY = Page(
    _l("History"),
    "history.index",
    Right.SEE_HISTORY,
    frozenset({"history", "refunds", "statements", "year_archives", "pay_links", "corrections"}),
)
PAYMENT_METHODS = Page(
    _l("Payment"),
    "payment_methods.show",
    Right.MANAGE_PAYMENT_METHODS,
    frozenset({"payment_methods", "new_method"}),
)
BILLING_SETTINGS = Page(
    _l("Settings"), "billing_settings.show", Right.BILLING_SETTINGS, frozenset({"billing_settings"})
)
CONTACTS = Page(_l("Contacts"), "contacts.show", Right.BILLING_SETTINGS, frozenset({"contacts"}))
MEMBERS = Page(_l("Members"), "members.index", Right.MANAGE_MEMBERS, frozenset({"members", "member"}))
LICENCES = Page(_l("Licences"), "licences.index", None, frozenset({"licences"}))
SERVICES = Page(_l("Services"), "features.show", Right.MANAGE_MEMBERS, frozenset({"features"}))
WORKSPACE = Page(_l("Workspace"), "workspace.show", Right.MANAGE_WORKSPACE, frozenset({"workspace"}))
AREAS = (
    Area(
        _l("Billing"), (OVERVIEW, PLANS, SUBSCRIPTIONS, HISTORY, PAYMENT_METHODS, BILLING_SETTINGS, CONTACTS)
    ),
    Area(MEMBERS.label, (MEMBERS, LICENCES)),
    Area(SERVICES.label, (SERVICES,)),
    Area(WORKSPACE.label, (WORKSPACE,)),
)


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    label: str
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class Navigation:
    """The shape that templates/layout.html reads; its first comment describes it."""

    home_url: str
    workspace_name: str | None
    tabs: tuple[MenuItem, ...]
    pages_of_area: tuple[MenuItem, ...]
    other_workspaces: tuple[MenuItem, ...]
    settings_items: tuple[MenuItem, ...]
    personal_items: tuple[MenuItem, ...]
    person_name: str | None
    sign_out_url: str | None
    public_items: tuple[MenuItem, ...]
    sign_up: MenuItem | None
    languages: tuple[Language, ...]
    footer_items: tuple[MenuItem, ...]


def navigation() -> Navigation:
    place: Place | None = g.get("place")
    signed_in = current_user.is_authenticated
    return Navigation(
        home_url=url_for("public.home"),
        workspace_name=place.workspace.name if place else None,
        tabs=_tabs(place) if place else (),
        pages_of_area=_pages_of_area(place) if place else (),
        other_workspaces=_other_workspaces(place) if place else (),
        settings_items=_settings_items(place) if place else (),
        personal_items=_personal_items() if signed_in else (),
        person_name=current_user.name if signed_in else None,
        sign_out_url=url_for("people.sign_out") if signed_in else None,
        public_items=()
        if signed_in
        else (
            _item(_("Pricing"), "public.pricing"),
            _item(_("Questions"), "faq.show"),
            _item(_("Sign in"), "people.sign_in"),
        ),
        sign_up=None if signed_in else _item(_("Try it free"), "people.sign_up"),
        languages=_languages(),
        footer_items=(
            _item(_("Questions"), "faq.show"),
            _item(_("Terms"), "public.terms"),
            _item(_("Privacy"), "public.privacy"),
            _item(_("Security"), "public.security"),
            _item(_("Check a document"), "checking.check"),
            MenuItem(_("Help"), url_for("public.vendor_link", name="help")),
            *_sandbox_items(),
        ),
    )


def _tabs(place: Place) -> tuple[MenuItem, ...]:
    """The areas that this member may see; each leads to the first of its pages.

    An area of which they see one page has that one's name.
    """
    here = _here()
    return tuple(
        MenuItem(
            str(area.label if len(pages) > 1 else pages[0].label),
            _address(pages[0], place),
            here in area.pages,
        )
        for area in AREAS
        if (pages := _pages(area, place))
    )


def _pages_of_area(place: Place) -> tuple[MenuItem, ...]:
    """The pages of the area that the request is in, where it has several."""
    here = _here()
    area = next((area for area in AREAS if here in area.pages), None)
    pages = _pages(area, place) if area else ()
    items = tuple(MenuItem(str(page.label), _address(page, place), page is here) for page in pages)
    return items if len(items) > 1 else ()


def _settings_items(place: Place) -> tuple[MenuItem, ...]:
    """Behind the gear: the plans first, under the name that they have there (source-systems.md §1.1)."""
    here = _here()
    names = {PLANS: _("Payments"), BILLING_SETTINGS: _("Billing settings")}
    return tuple(
        MenuItem(names.get(page, str(page.label)), _address(page, place), page is here)
        for area in AREAS
        for page in _pages(area, place)
        if page not in (OVERVIEW, HISTORY) and page.right is not None
    )


def _pages(area: "Area", place: Place) -> tuple["Page", ...]:
    """Those that this member may see; while access is blocked, those that help out of it."""
    seen = tuple(page for page in area.pages if page.right is None or page.right in place.may)
    if not seen or not is_blocked_here(place):
        return seen
    return tuple(page for page in seen if is_open_while_blocked(_rule(page.endpoint)))


@lru_cache(maxsize=64)
def _rule(endpoint: str) -> str:
    """The address of a page as access.py knows it."""
    return str(next(current_app.url_map.iter_rules(endpoint)))


def stand_under_subscriptions() -> None:
    """The page of this request belongs to licensed products, whatever its blueprint serves elsewhere."""
    g.page_here = SUBSCRIPTIONS


def _here() -> "Page | None":
    if "page_here" in g:
        return cast(Page, g.page_here)
    return next((page for area in AREAS for page in area.pages if request.blueprint in page.blueprints), None)


def _address(page: "Page", place: Place) -> str:
    return _kept_address(page.endpoint, request.script_root, slug=place.workspace.slug)


def _other_workspaces(place: Place) -> tuple[MenuItem, ...]:
    return tuple(MenuItem(other.name, url_for("public.enter", slug=other.slug)) for other in place.others)


def _personal_items() -> tuple[MenuItem, ...]:
    items = (_item(_("Create a workspace"), "new_workspace.create"), _item(_("My account"), "account.show"))
    return (*items, _item(_("Operator"), "operator.index")) if current_user.is_operator else items


def _sandbox_items() -> tuple[MenuItem, ...]:
    return (_item(_("Sandbox"), "sandbox.index"),) if current().settings.sandbox_only else ()


def sandbox_cards_url() -> str:
    """Where the cards to try are listed; empty where real money may move."""
    return url_for("sandbox.index") if current().settings.sandbox_only else ""


def _languages() -> tuple[Language, ...]:
    """This address in each language; what only answers POST, or does not exist, leads to the start page."""
    shown = locale_code()
    here = request.method == "GET" and request.endpoint is not None
    path = quote(request.path) if here else url_for("public.home")
    kept = [
        (name, without_card_numbers(value))
        for name, value in (request.args.items(multi=True) if here else ())
        if name != "lang"
    ]
    return tuple(
        Language(code, LANGUAGE_NAMES[code], f"{path}?{urlencode([*kept, ('lang', code)])}", code == shown)
        for code in current().settings.locales
    )


def _item(label: str, endpoint: str, **values: Any) -> MenuItem:
    address = _kept_address(endpoint, request.script_root, **values)
    return MenuItem(label, address, request.endpoint == endpoint)


@lru_cache(maxsize=1024)
def _kept_address(endpoint: str, _script_root: str, **values: Any) -> str:
    """Kept, since every page asks for the same twenty; they differ by where the portal is mounted."""
    return url_for(endpoint, **values)
