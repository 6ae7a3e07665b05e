"""What the page around every page shows: menus, languages, footer, banner. Built from rights, in Python."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from flask import g, request, url_for
from flask_login import current_user

from portal.domain.vocabulary import Right
from portal.runtime import current
from portal.services.places import Place
from portal.words.i18n import gettext as _
from portal.words.i18n import locale_code

LANGUAGE_NAMES = {"en": "English", "fr": "Français"}


@dataclass(frozen=True, slots=True)
class MenuItem:
    label: str
    url: str
    current: bool = False


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
    workspace_items: tuple[MenuItem, ...]
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
        workspace_items=_workspace_items(place) if place else (),
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
            MenuItem(_("Help"), url_for("public.vendor_link", name="help")),
            *_sandbox_items(),
        ),
    )


def _workspace_items(place: Place) -> tuple[MenuItem, ...]:
    items = []
    if Right.SEE_PLANS in place.may:
        items.append(_item(_("Billing"), "plans.show", slug=place.workspace.slug))
    if Right.SEE_HISTORY in place.may:
        items.append(_item(_("History"), "history.index", slug=place.workspace.slug))
    if Right.MANAGE_PAYMENT_METHODS in place.may:
        items.append(_item(_("Payment methods"), "payment_methods.show", slug=place.workspace.slug))
    if Right.MANAGE_MEMBERS in place.may:
        items.append(_item(_("Members"), "members.index", slug=place.workspace.slug))
        items.append(_item(_("Services"), "features.show", slug=place.workspace.slug))
    if Right.MANAGE_WORKSPACE in place.may:
        items.append(_item(_("Settings"), "workspace.show", slug=place.workspace.slug))
    return tuple(items)


def _settings_items(place: Place) -> tuple[MenuItem, ...]:
    """Behind the gear: payments first, as in source-systems.md §1.1."""
    items = []
    if Right.SEE_PLANS in place.may:
        items.append(_item(_("Payments"), "plans.show", slug=place.workspace.slug))
    if Right.MANAGE_PAYMENT_METHODS in place.may:
        items.append(_item(_("Payment methods"), "payment_methods.show", slug=place.workspace.slug))
    if Right.MANAGE_MEMBERS in place.may:
        items.append(_item(_("Members"), "members.index", slug=place.workspace.slug))
        items.append(_item(_("Services"), "features.show", slug=place.workspace.slug))
    if Right.MANAGE_WORKSPACE in place.may:
        items.append(_item(_("Workspace"), "workspace.show", slug=place.workspace.slug))
    return tuple(items)


def _other_workspaces(place: Place) -> tuple[MenuItem, ...]:
    return tuple(MenuItem(other.name, url_for("public.enter", slug=other.slug)) for other in place.others)


def _personal_items() -> tuple[MenuItem, ...]:
    items = (_item(_("My account"), "account.show"),)
    return (*items, _item(_("Operator"), "operator.index")) if current_user.is_operator else items


def _sandbox_items() -> tuple[MenuItem, ...]:
    return (_item(_("Sandbox"), "sandbox.index"),) if current().settings.sandbox_only else ()


def _languages() -> tuple[Language, ...]:
    """This address in each language; what only answers POST, or does not exist, leads to the start page."""
    shown = locale_code()
    here = request.method == "GET" and request.endpoint is not None
    path = quote(request.path) if here else url_for("public.home")
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "lang"] if here else []
    return tuple(
        Language(code, LANGUAGE_NAMES[code], f"{path}?{urlencode([*kept, ('lang', code)])}", code == shown)
        for code in current().settings.locales
    )


def _item(label: str, endpoint: str, **values: Any) -> MenuItem:
    return MenuItem(label, url_for(endpoint, **values), request.endpoint == endpoint)
