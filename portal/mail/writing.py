"""Letters in the reader's language: one template for text and HTML."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from flask import Flask, current_app
from flask_babel import force_locale
from jinja2 import Environment, FileSystemLoader, StrictUndefined, meta, nodes
from markupsafe import Markup

from portal.domain.money import Money
from portal.domain.plans import LimitKind
from portal.outbox import JSON
from portal.runtime import current
from portal.settings import OUR_ACCENT, Settings
from portal.words import formatting
from portal.words.declines import decline_reason
from portal.words.formats import rate_text
from portal.words.methods import method_words
from portal.words.money import tax_words, total_words
from portal.words.plans import licensed_subject, priced_name, subscription_title
from portal.words.renewal import amount_charged, renewal_sentence

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
NAMES_OF_TOOLS = frozenset(
    {
        "_",
        "accent",
        "brand",
        "ngettext",
        "layout",
        "parts",
        "subject",
        "absolute",
        "money",
        "day",
        "moment",
        "rate",
        "capacity",
        "named",
        "plan_label",
        "titled",
        "about",
        "page_of",
        "method_label",
        "in_fours",
        "decline_reason",
        "renewal",
        "charged",
        "total_label",
        "tax_label",
        "locale",
        "seller",
        "base_url",
        "title_of",
        "body_of",
    }
)
"""What a template may call besides the letter's own facts."""
BILLING_MAIL = frozenset(
    {
        "order_confirmed",
        "invoice_ahead",
        "invoice_reminder",
        "invoice_paid",
        "paid_from_balance",
        "invoice_withdrawn",
        "invoice_corrected",
        "transfer_received",
        "transfer_taken_back",
        "transfer_match_undone",
        "payment_failed",
        "payment_to_confirm",
        "payment_disputed",
        "refunded",
        "products_refunded",
        "refund_refused",
        "credit_posted",
        "credit_taken_back",
        "due_soon",
        "late",
        "blocked",
        "renewal_ahead",
        "price_rise",
        "renewed",
        "renewal_failed",
        "renewal_to_confirm",
        "auto_renewal_on",
        "auto_renewal_off",
        "plan_scheduled",
        "plan_schedule_withdrawn",
        "plan_begun",
        "cancelled",
        "cancellation_taken_back",
        "method_expiring",
        "changes",
        "vat_number_invalid",
    }
)
"""Letters about money that is charged, owed or paid back, and about the agreement that it is for.

The contacts of the workspace get them in copy (services/letters.py).
"""
CHANGE_NOTICES = frozenset(
    {
        "auto_renewal_on",
        "auto_renewal_off",
        "plan_scheduled",
        "plan_schedule_withdrawn",
        "plan_begun",
    }
)
"""Those of the above that tell of a change and of nothing that is charged, owed, cancelled or asked for.

They may wait and be mailed with others, as the workspace wants it, but never beyond the day that they tell of
(services/letters.py).
"""
ASKS_TO_PAY = frozenset({"order_confirmed", "invoice_ahead", "invoice_reminder", "invoice_corrected"})
"""Letters with an open invoice: each has a link of its own by which its reader pays it (pay_path)."""
ADDED_LATER: Mapping[str, JSON] = {
    "licences": None,
    "line_licences": None,
    "from_balance_minor": 0,
    "assigns_licences": False,
    "kept_minor": 0,
    "ask_instead": None,
    "pay_path": None,
}
"""What a letter lacks that was promised before it was said.

Each was then about the plan of the workspace, no balance paid for anything, and none told what comes next.
"""


def render_mail(template: str, locale: str, context: Mapping[str, JSON]) -> tuple[str, str, str]:
    """Subject (one line), text and HTML of `email/<template>` in the reader's language.

    Inside an application context. A name that the context lacks is an error, never a blank.
    """
    as_text, as_html = _environments(current_app._get_current_object())  # type: ignore[attr-defined]
    with force_locale(locale):
        values = {**ADDED_LATER, **context, **_tools(current().settings, locale)}
        subject = _subject(as_text, template, values)

        def title_of(told: Mapping[str, Any]) -> str:
            return _subject(as_text, told["template"], _told_in(values, told))

        text = as_text.get_template(f"email/{template}.jinja").render(
            values,
            layout="email/base.txt",
            parts="email/_parts.txt",
            title_of=title_of,
            body_of=lambda told: _body(as_text, told["template"], _told_in(values, told), kind="txt"),
        )
        html = as_html.get_template(f"email/{template}.jinja").render(
            values,
            subject=subject,
            layout="email/base.html",
            parts="email/_parts.html",
            title_of=title_of,
            body_of=lambda told: Markup(  # noqa: S704 (rendered with autoescape)
                _body(as_html, told["template"], _told_in(values, told), kind="html")
            ),
        )
    return subject, re.sub(r"\n{3,}", "\n\n", text).strip() + "\n", _with_inline_styles(html)


def _subject(as_text: Environment, template: str, values: Mapping[str, object]) -> str:
    letter = as_text.get_template(f"email/{template}.jinja")
    return one_line("".join(letter.blocks["subject"](letter.new_context(dict(values)))))


def _told_in(values: Mapping[str, object], told: Mapping[str, Any]) -> dict[str, object]:
    """The names of a letter that is told inside another one: its own, without pages to go to."""
    return {**values, **ADDED_LATER, **told["context"], "ask_instead": []}


def _body(environment: Environment, template: str, values: Mapping[str, object], *, kind: str) -> str:
    """What the letter says, without greeting and sender."""
    return environment.get_template(f"email/{template}.jinja").render(
        values, layout="email/_body.jinja", parts=f"email/_parts.{kind}"
    )


@lru_cache
def names_needed(template: str) -> frozenset[str]:
    """What the context of the letter must hold: the names that its template says, and those that it includes.

    Each of them always, with None for what is not known: a branch that is seldom taken has them too.
    """
    unread = Environment(loader=FileSystemLoader(TEMPLATES))  # noqa: S701 — it is parsed, never rendered
    return frozenset(_names_in(unread, f"email/{template}.jinja") - NAMES_OF_TOOLS)


def _names_in(unread: Environment, path: str) -> set[str]:
    assert unread.loader is not None
    parsed = unread.parse(unread.loader.get_source(unread, path)[0])
    names = meta.find_undeclared_variables(parsed)
    for included in parsed.find_all(nodes.Include):
        if isinstance(included.template, nodes.Const):
            names |= _names_in(unread, included.template.value)
    imported = {
        name for each in parsed.find_all(nodes.FromImport) for name in each.names if isinstance(name, str)
    }
    greets_in_its_own_way = any(block.name == "greeting" for block in parsed.find_all(nodes.Block))
    is_letter = any(parsed.find_all(nodes.Extends))
    return names - imported | ({"name"} if is_letter and not greets_in_its_own_way else set())


def absolute(path: str, *, base_url: str) -> str:
    """`path` on this site. Raises ValueError for anything that could lead to another."""
    if not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        raise ValueError(f"a mail may link to a path of this site only, not to {path[:80]!r}")
    return base_url + path


def one_line(text: str) -> str:
    """`text` without line breaks and other control characters: fit for a header."""
    visible = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    return " ".join(visible.split())


def _tools(settings: Settings, locale: str) -> dict[str, object]:
    """What a mail template may call."""
    return {
        "absolute": lambda path: absolute(path, base_url=settings.base_url),
        "money": lambda minor, currency: formatting.money(Money(minor, currency)),
        "day": lambda iso: formatting.day(date.fromisoformat(str(iso))),
        "moment": lambda iso: (
            formatting.instant(datetime.fromisoformat(iso), "UTC") + "\N{NO-BREAK SPACE}UTC"
        ),
        "rate": lambda rate_bp: rate_text(rate_bp, locale),
        "capacity": lambda limit, amount: (
            formatting.storage(amount) if limit == LimitKind.STORAGE else str(amount)
        ),
        "named": lambda names: names.get(locale) or names["en"],
        "plan_label": priced_name,
        "titled": subscription_title,
        "about": _about,
        "page_of": lambda slug, licences: f"/w/{slug}/{'plans' if licences is None else 'subscriptions'}",
        "method_label": lambda facts: method_words(facts["method"], facts["brand"], facts["last4"]),
        "in_fours": formatting.in_fours,
        "decline_reason": decline_reason,
        "renewal": _renewal,
        "charged": _charged,
        "total_label": lambda tax_minor: total_words(has_vat=tax_minor != 0),
        "tax_label": tax_words,
        "locale": locale,
        "seller": settings.seller,
        "brand": settings.brand,
        "accent": settings.brand.accent or OUR_ACCENT,
        "base_url": settings.base_url,
    }


def _renewal(
    on: str,
    total_minor: int,
    tax_minor: int | None,
    currency: str,
    plan_names: dict[str, str],
    interval: str,
    method: dict[str, str] | None,
    licences: int | None = None,
) -> str:
    """The sentence of the next automatic charge. A letter that was promised before `tax_minor` has None."""
    return renewal_sentence(
        on=date.fromisoformat(on),
        total=Money(total_minor, currency),
        has_vat=tax_minor != 0,
        plan_names=plan_names,
        interval=interval,
        method=method_words(method["method"], method["brand"], method["last4"]) if method else "",
        licences=licences,
    )


def _about(
    the_plan: str,
    workspace: str,
    plan_names: dict[str, str],
    licences: int | None,
    interval: str | None = None,
) -> str:
    """What a sentence begins with: `the_plan` in the letter's own words, or the product with its licences.

    In French both are masculine, so that the sentence goes on in the same way.
    """
    return the_plan if licences is None else licensed_subject(workspace, plan_names, interval, licences)


def _charged(total_minor: int, tax_minor: int | None, currency: str) -> str:
    """The amount, with VAT where there is some. As above, an older promise has no `tax_minor`."""
    return amount_charged(Money(total_minor, currency), has_vat=tax_minor != 0)


def _environments(app: Flask) -> tuple[Environment, Environment]:
    """The application's templates for text and for HTML: read strictly, no blank lines from tags."""
    if "portal-mail" not in app.extensions:
        app.extensions["portal-mail"] = tuple(
            app.jinja_env.overlay(
                undefined=StrictUndefined,
                trim_blocks=True,
                lstrip_blocks=True,
                autoescape=is_html,
                # One file is compiled in two ways, which a cache would not tell apart.
                bytecode_cache=None,
            )
            for is_html in (False, True)
        )
    return cast("tuple[Environment, Environment]", app.extensions["portal-mail"])


def _with_inline_styles(html: str) -> str:
    import css_inline

    return css_inline.inline(html, keep_style_tags=True, keep_at_rules=True, load_remote_stylesheets=False)
