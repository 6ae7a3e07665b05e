"""Every letter in both languages and in both forms: what it says, and that text and HTML say the same."""

import re
from pathlib import Path

import html5lib
import pytest

from portal.mail import sending as mail
from portal.mail import writing

pytestmark = pytest.mark.engine("sqlite")

NBSP = "\N{NO-BREAK SPACE}"
NARROW = "\N{NARROW NO-BREAK SPACE}"
BASE_URL = "http://127.0.0.1:8000"
JEANNE = "Jeanne <Martin>"
NAMES = {"en": "Business 5", "fr": "Affaires 5"}
VISA = {"method": "card", "brand": "visa", "last4": "4242"}
USERS = {"limit": "users", "allowed": 5, "used": 7}
STORAGE = {"limit": "storage", "allowed": 2 * 1024**3, "used": 5 * 1024**3 // 2}
FACTS = {
    "kind": "invoice",
    "number": "INV-2026-000001",
    "issued_on": "2026-11-21",
    "currency": "EUR",
    "locale_default": "fr",
    "buyer": {
        "name": "Acme SARL",
        "contact": "Jeanne Martin",
        "address": ["75011 Paris"],
        "vat_number": None,
    },
    "workspace_name": "Acme & Co",
    "customer_number": "C-000042",
    "order_number": "K7Q2M9XD",
    "lines": [
        {
            "description": {"en": "Office Business 5, monthly", "fr": "Bureau Business 5, au mois"},
            "period": {"start": "2026-11-21", "end": "2026-12-21"},
            "quantity": 1,
            "unit_minor": 3000,
            "net_minor": 3000,
            "rate_bp": 2000,
            "notes": {"en": ["16 extra days"], "fr": ["16 jours de prolongation"]},
        }
    ],
    "totals": {
        "net_minor": 3000,
        "tax_minor": 600,
        "gross_minor": 3600,
        "by_rate": [{"rate_bp": 2000, "net_minor": 3000, "tax_minor": 600}],
    },
    "payment": {
        "method": "card",
        "brand": "visa",
        "last4": "4242",
        "paid_on": "2026-11-21",
        "processor": "Portal sandbox",
    },
}

PERSON = {"name": JEANNE}
HERE = {"name": JEANNE, "workspace": "Acme & Co", "slug": "acme"}
TOTAL = {"total_minor": 3600, "currency": "EUR"}
TERMS = {"plan_names": NAMES, "licences": None, "interval": "month"}
RUNS = {"plan_names": NAMES, "licences": None}
PROFESSIONAL = {"en": "Meetings Professional", "fr": "Réunions Professionnel"}
PRODUCT = {"product_names": {"en": "Meetings", "fr": "Réunions"}}
REMOTE = {"en": "Remote licence", "fr": "Licence Accès à distance"}
TO_PAY = {
    "number": "INV-2026-000001",
    "reference": "RF94INV2026000001",
    "open_minor": 21480,
    "currency": "EUR",
    "due_on": "2026-12-21",
}
NEXT_CHARGE = (
    HERE | TERMS | TOTAL | {"renew_on": "2026-12-21", "tax_minor": 600, "method": VISA, "expiring": None}
)
AHEAD = NEXT_CHARGE | {"problem": None, "limits": [], "instead_of": None}
UNPRICED = {"total_minor": None, "tax_minor": None, "currency": None, "method": None}
DECLINED = (
    HERE
    | TOTAL
    | {
        "plan_names": NAMES,
        "licences": None,
        "method": VISA,
        "reason": "insufficient_funds",
        "next_try_on": "2026-12-24",
        "usable_until": "2027-01-04",
        "asks_new_card": False,
        "limits": [],
    }
)

CREDIT = {"amount_minor": 1250, "currency": "EUR", "reason": "<An outage> & more", "balance_minor": 2000}
ASKED_FOR = HERE | {
    "number": "k7q2m9xdfghj",
    "lines": [
        {
            "product_names": PRODUCT["product_names"],
            "plan_names": PROFESSIONAL,
            "interval": "month",
            "licences": 3,
        },
        {"product_names": NAMES, "plan_names": NAMES, "interval": "year", "licences": None},
    ],
}

COVERED = [
    {"number": "INV-2026-000001", "covered_minor": 3000, "left_minor": 0},
    {"number": "INV-2026-000002", "covered_minor": 400, "left_minor": 2960},
]
OPEN_ORDER = {
    "facts": FACTS
    | {"payment": None, "due_minor": 3600, "due_on": "2026-12-21", "reference": "RF94INV2026000001"}
}

LETTERS = {
    "transfer_received": HERE
    | TOTAL
    | {
        "booked_on": "2026-11-20",
        "payer": JEANNE,
        "covered": COVERED,
        "kept_minor": 0,
    },
    "transfer_taken_back": HERE
    | TOTAL
    | {"booked_on": "2026-11-20", "taken_back_on": "2026-11-24", "payer": JEANNE},
    "transfer_match_undone": HERE
    | TOTAL
    | {
        "booked_on": "2026-11-20",
        "opened": [
            {"number": "INV-2026-000001", "left_minor": 3000, "due_on": "2026-12-20"},
            {"number": "INV-2026-000002", "left_minor": 0, "due_on": "2026-12-20"},
        ],
    },
    "request_to_decide": ASKED_FOR
    | {
        "asker": "Amir <Asker>",
        "note": "For the fair & the stand",
        "net_minor": 6600,
        "currency": "EUR",
        "expires_at": "2026-12-05T09:00:00+00:00",
        "is_corporate": False,
    },
    "request_approved": ASKED_FOR | {"by": "Paul Petit", "is_ordered": True},
    "request_declined": ASKED_FOR | {"by": "Paul Petit", "reason": "Next year"},
    "request_expired": ASKED_FOR,
    "already_registered": PERSON,
    "magic_link": PERSON | {"minutes": 15, "path": "/sign-in/link/tok-en_1"},
    "reset_link": PERSON | {"minutes": 15, "path": "/sign-in/reset/tok-en_1"},
    "new_email": PERSON | {"hours": 24, "path": "/email/new/tok-en_1"},
    "new_email_taken": PERSON,
    "email_changed": PERSON
    | {
        "at": "2026-11-21T09:00:00+00:00",
        "email": "new@acme.test",
        "days": 7,
        "path": "/email/undo/tok-en_1",
    },
    "welcome_back": HERE | {"minutes": 15, "path": "/reset/tok-en_1"},
    "security_notice": PERSON | {"at": "2026-11-21T09:00:00+00:00"},
    "password_changed": PERSON | {"at": "2026-11-21T09:00:00+00:00"},
    "invitation": {"inviter": JEANNE, "workspace": "Acme & Co", "hours": 48, "path": "/invitation/tok-en_1"},
    "contact_confirmation": HERE
    | {"name": "", "by": "Paul <Durand>", "days": 7, "path": "/contact/tok-en_1"},
    "contact_bounced": HERE
    | {"address": "books@accountant.test", "reason": "550 no <such> mailbox", "is_contact": True},
    "welcome": HERE | {"trial_ends_on": "2026-12-21"},
    "owner_made": HERE | {"by": "Paul <Durand>"},
    "workspace_deleted": HERE | {"by": "Paul <Durand>"},
    "became_guests": HERE | {"plan_names": NAMES, "limit": 3, "people": ["Paul <Durand>", "new@acme.test"]},
    "made_guest": HERE | {"plan_names": NAMES, "limit": 3},
    "order_confirmed": HERE | {"facts": FACTS, "line_licences": [None], "assigns_licences": False},
    "invoice_ahead": HERE | TO_PAY | {"plan_names": REMOTE, "licences": 2, "line_licences": [2]},
    "invoice_reminder": HERE | TO_PAY | {"is_late": True, "blocked_on": "2027-01-05", "is_blocked": False},
    "invoice_paid": HERE | TOTAL | {"number": "INV-2026-000001", "method": VISA, "until": "2027-11-21"},
    "paid_from_balance": HERE | {"used_minor": 3400, "currency": "EUR", "covered": COVERED},
    "invoice_withdrawn": HERE
    | {
        "number": "INV-2026-000001",
        "credit_note": "CN-2026-000001",
        "plan_names": REMOTE,
        "licences": 2,
        "is_cancelled": True,
    },
    "invoice_corrected": HERE | TO_PAY | {"replaced": "INV-2026-000001", "credit_note": "CN-2026-000001"},
    "payment_failed": HERE
    | TOTAL
    | {
        "order": "K7Q2M9XD",
        "description": NAMES,
        "payment": VISA,
        "reason": "insufficient_funds",
    },
    "payment_to_confirm": HERE | TOTAL | {"order": "K7Q2M9XD", "description": NAMES},
    "trial_ending": HERE | {"due_on": "2026-12-21", "users": 4, "recommended": NAMES},
    "trial_last_day": HERE | {"due_on": "2026-12-21"},
    "trial_over": HERE | {"due_on": "2026-12-21", "warned_on": "2027-06-21"},
    "product_trial_started": HERE
    | PRODUCT
    | {
        "product": "meetings",
        "plan_names": NAMES,
        "quantity": 3,
        "trial_until": "2026-12-05",
        "assigns_licences": True,
    },
    "product_trial_ending": HERE | PRODUCT | {"trial_until": "2026-12-05"},
    "product_trial_last_day": HERE | PRODUCT | {"trial_until": "2026-12-05"},
    "product_trial_over": HERE | PRODUCT | {"trial_until": "2026-12-05"},
    "trial_extended": HERE | {"due_on": "2026-12-21"},
    "due_soon": HERE | TERMS | {"due_on": "2026-12-21", "net_minor": 3000, "currency": "EUR"},
    "late": HERE | RUNS | {"due_on": "2026-12-21", "blocked_on": "2026-12-29"},
    "blocked": HERE | RUNS | {"due_on": "2026-12-21", "warned_on": "2027-06-21"},
    "deletion_ahead": HERE | {"due_on": "2026-12-21", "delete_on": "2027-06-28", "has_documents": True},
    "renewal_ahead": AHEAD,
    "price_rise": HERE
    | TERMS
    | TOTAL
    | {"tax_minor": 600, "renew_on": "2026-12-21", "old_minor": 2500, "new_minor": 3000},
    "renewed": HERE
    | TERMS
    | TOTAL
    | {"method": VISA, "due_on": "2027-01-21", "facts": FACTS, "line_licences": [None]},
    "renewal_failed": DECLINED,
    "renewal_to_confirm": HERE
    | TOTAL
    | RUNS
    | {"method": VISA, "order": "K7Q2M9XD", "confirm_until": "2027-01-04"},
    "payment_disputed": HERE | TOTAL | {"method": VISA, "order": "K7Q2M9XD", "is_stopped": True},
    "dispute_to_handle": PERSON
    | TOTAL
    | {"customer_number": "C-000007", "slug": "acme", "order": "K7Q2M9XD"},
    "exchange_rates_missing": PERSON | {"currencies": "GBP, USD"},
    "method_expiring": HERE
    | {
        "method": VISA,
        "last_day": "2026-12-31",
        "charged_on": "2027-01-21",
        "paid": [{"plan_names": NAMES, "interval": "month", "licences": None}],
        "instead": None,
        "nothing_left": True,
    },
    "auto_renewal_on": NEXT_CHARGE,
    "auto_renewal_off": HERE | RUNS | {"due_on": "2026-12-21"},
    "plan_scheduled": HERE
    | TOTAL
    | {"tax_minor": 600, "due_on": "2026-12-21", "renew_on": "2026-12-21", "plan_names": NAMES}
    | {"interval": "month", "licences": None},
    "plan_schedule_withdrawn": HERE
    | {"due_on": "2026-12-21", "plan_names": NAMES, "licences": None, "renews": True},
    "cancelled": HERE
    | PRODUCT
    | {
        "product": "meetings",
        "plan_names": NAMES,
        "quantity": 3,
        "ends_on": "2026-12-21",
        "dropped": False,
    },
    "cancellation_taken_back": NEXT_CHARGE
    | PRODUCT
    | {"quantity": 3, "due_on": "2026-12-21", "renews": True},
    "plan_begun": HERE | {"plan_names": NAMES},
    "changes": HERE
    | {
        "changes": [
            {
                "on": "2026-11-21",
                "template": "plan_begun",
                "context": {"plan_names": NAMES},
            },
            {
                "on": "2026-11-22",
                "template": "plan_schedule_withdrawn",
                "context": {"due_on": "2026-12-21", "plan_names": NAMES, "licences": None, "renews": True},
            },
        ],
        "coming": [
            {
                "on": "2026-12-21",
                "plan_names": NAMES,
                "total_minor": 3600,
                "tax_minor": 600,
                "currency": "EUR",
            },
            {
                "on": "2026-12-22",
                "plan_names": NAMES,
                "total_minor": None,
                "tax_minor": None,
                "currency": None,
            },
        ],
    },
    "vat_number_invalid": HERE | {"vat_number": "FR44732829320"},
    "licence_key_replaced": HERE | PRODUCT | {"product": "remote", "by": "Ana Roux", "was_activated": True},
    "refunded": HERE
    | TOTAL
    | {
        "method": VISA,
        "credit_note": "CN-2026-000001",
        "plan_names": NAMES,
        "due_on": "2026-12-21",
        "ended_auto_renewal": False,
    },
    "credit_posted": HERE | CREDIT | {"covered": []},
    "credit_taken_back": HERE | CREDIT | {"balance_minor": 0},
    "products_refunded": HERE
    | TOTAL
    | {
        "method": VISA,
        "credit_note": "CN-2026-000001",
        "kept_minor": 240,
        "ended_auto_renewal": False,
        "left": [
            {
                "sold_names": NAMES,
                "has_ended": False,
                "plan_names": NAMES,
                "licences": 3,
                "due_on": "2026-12-21",
            }
        ],
    },
    "refund_refused": HERE | TOTAL | {"method": VISA, "reason": "not_captured"},
    "refund_to_handle": HERE
    | TOTAL
    | {"method": VISA, "reason": "not_captured", "by": "Olga Ortiz", "customer_number": "C-000007"}
    | {"order": "K7Q2M9XD", "invoice": "INV-2026-000001", "payment": "5f0c"},
    "nonprofit_received": HERE | {"organisation": "Les Amis & Co"},
    "nonprofit_accepted": HERE | {"organisation": "Les Amis & Co"},
    "nonprofit_refused": HERE | {"organisation": "Les Amis & Co", "reason": "The number is <unknown>."},
    "nonprofit_to_decide": HERE | {"organisation": "Les Amis & Co", "request_id": 7},
}
ENDED = {"sold_names": NAMES, "has_ended": True, "plan_names": NAMES, "licences": 3, "due_on": None}
OTHERWISE = [
    ("trial_ending", {"recommended": None, "users": 1}),
    ("due_soon", {"interval": "year"}),
    ("due_soon", {"net_minor": None, "currency": None}),
    ("deletion_ahead", {"has_documents": False}),
    ("renewal_ahead", UNPRICED | {"problem": "too_small", "limits": [USERS, STORAGE]}),
    ("renewal_ahead", UNPRICED | {"problem": "not_sold"}),
    ("renewal_ahead", {"problem": "no_method", "method": None}),
    ("renewal_ahead", {"problem": "expires", "method": None, "expiring": VISA}),
    ("renewal_ahead", {"from_balance_minor": 3600, "method": None}),
    ("renewal_ahead", {"from_balance_minor": 1000}),
    ("renewed", {"method": {"method": "balance", "brand": "", "last4": ""}}),
    ("renewal_ahead", {"instead_of": {"en": "Business 10", "fr": "Affaires 10"}}),
    ("renewal_failed", {"reason": "not_confirmed"}),
    ("renewal_failed", {"reason": "not_confirmed", "next_try_on": None, "usable_until": None}),
    ("auto_renewal_on", {"method": None, "expiring": VISA}),
    ("auto_renewal_on", {"from_balance_minor": 3600, "method": None}),
    ("auto_renewal_on", {"from_balance_minor": 1000}),
    ("price_rise", {"old_minor": None}),
    ("payment_disputed", {"is_stopped": False}),
    ("transfer_received", {"covered": [], "kept_minor": 3600, "payer": ""}),
    (
        "transfer_received",
        {
            "covered": [{"number": "INV-2026-000001", "covered_minor": 3000, "left_minor": 0}],
            "kept_minor": 600,
        },
    ),
    ("transfer_taken_back", {"payer": ""}),
    ("dispute_to_handle", {"slug": None}),
    ("plan_scheduled", {"total_minor": None, "currency": None, "renew_on": None}),
    ("renewal_failed", {"next_try_on": None}),
    ("renewal_failed", {"usable_until": None}),
    ("renewal_failed", {"asks_new_card": True, "reason": "expired_card"}),
    ("renewal_failed", {"asks_new_card": True, "reason": "declined", "next_try_on": None}),
    ("renewal_failed", UNPRICED | {"reason": "too_small", "limits": [USERS, STORAGE]}),
    ("renewal_failed", UNPRICED | {"reason": "too_small", "limits": [USERS], "next_try_on": None}),
    ("renewal_failed", UNPRICED | {"reason": "not_sold"}),
    ("renewal_failed", UNPRICED | {"reason": "no_method", "asks_new_card": True}),
    ("refunded", {"due_on": None, "method": {"method": "paypal", "brand": "", "last4": ""}}),
    ("refunded", {"ended_auto_renewal": True}),
    ("credit_posted", {"balance_minor": -100, "covered": COVERED}),
    ("credit_posted", {"balance_minor": 0, "covered": COVERED[:1]}),
    ("credit_posted", {"balance_minor": 100, "covered": COVERED[:1]}),
    ("refunded", {"kept_minor": 313}),
    ("products_refunded", {"kept_minor": 0, "ended_auto_renewal": True, "left": [ENDED]}),
    ("products_refunded", {"left": [ENDED | {"has_ended": False, "licences": None}]}),
    ("refund_refused", {"reason": "disputed"}),
    ("refund_to_handle", {"reason": "disputed"}),
    ("plan_schedule_withdrawn", {"renews": False}),
    ("product_trial_started", {"quantity": 1, "assigns_licences": False}),
    ("order_confirmed", {"assigns_licences": True}),
    ("order_confirmed", OPEN_ORDER),
    ("invoice_reminder", {"is_late": False}),
    ("method_expiring", {"instead": VISA, "nothing_left": False, "charged_on": None}),
    (
        "method_expiring",
        {"nothing_left": False, "paid": [{"plan_names": NAMES, "interval": "year", "licences": 3}]},
    ),
    ("invoice_reminder", {"pay_path": "/pay/tok-en_1?lang=en"}),
    ("invoice_ahead", {"pay_path": "/pay/tok-en_1?lang=en"}),
    ("order_confirmed", OPEN_ORDER | {"pay_path": "/pay/tok-en_1?lang=en", "assigns_licences": True}),
    ("invoice_reminder", {"is_blocked": True}),
    ("invoice_reminder", {"blocked_on": None}),
    ("invoice_paid", {"method": None}),
    ("invoice_withdrawn", {"is_cancelled": False}),
    ("invoice_corrected", {"open_minor": 0, "due_on": None, "reference": None}),
    ("invoice_corrected", {"pay_path": "/pay/tok-en_1?lang=en"}),
    ("cancelled", {"quantity": 1, "dropped": True}),
    ("cancelled", {"ends_on": None}),
    ("cancelled", {"ends_on": None, "dropped": True}),
    ("cancellation_taken_back", {"quantity": 1}),
    ("cancellation_taken_back", UNPRICED | {"renew_on": None}),
    ("cancellation_taken_back", UNPRICED | {"renew_on": None, "renews": False}),
    ("licence_key_replaced", {"was_activated": False}),
    ("nonprofit_received", {"workspace": None, "slug": None}),
    ("nonprofit_accepted", {"workspace": None, "slug": None}),
    ("nonprofit_refused", {"workspace": None, "slug": None}),
]
ABOUT_A_SUBSCRIPTION = (
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
)
"""The letters that the workspace plan and licensed products share."""


def licensed(template, licences=10, **changes):
    """The context of such a letter about licences."""
    context = LETTERS[template] | {"plan_names": PROFESSIONAL, "licences": licences} | changes
    if "facts" in context:
        [line] = FACTS["lines"]
        monthly = {"en": "Meetings Professional – monthly", "fr": "Réunions Professionnel – mensuel"}
        unit_minor = 3000 // licences
        line = line | {"description": monthly, "quantity": licences, "unit_minor": unit_minor}
        context |= {"facts": FACTS | {"lines": [line]}, "line_licences": [licences]}
    return context


LICENSED = [
    *(
        pytest.param(template, licensed(template, licences), id=f"{template}-licensed-{licences}")
        for template in ABOUT_A_SUBSCRIPTION
        for licences in (1, 10)
    ),
    *(
        pytest.param(template, licensed(template, **changes), id=f"{template}-licensed-also-{number}")
        for number, (template, changes) in enumerate(OTHERWISE, start=1)
        # Licences have no limits that the workspace could exceed.
        if template in ABOUT_A_SUBSCRIPTION and not changes.get("limits")
    ),
]
ALL = [
    *(pytest.param(template, context, id=template) for template, context in LETTERS.items()),
    *(
        pytest.param(template, LETTERS[template] | changes, id=f"{template}-{number}")
        for number, (template, changes) in enumerate(OTHERWISE, start=1)
    ),
    *LICENSED,
]


def written(template, locale="en", **changes):
    """Subject and text, spaces as on a keyboard; what the HTML says is compared for every letter below."""
    subject, text, _html = writing.render_mail(template, locale, LETTERS[template] | changes)
    return subject.replace(NBSP, " "), text.replace(NBSP, " ")


def links(text):
    return re.findall(r"https?://[^\s\"<]+", text)


def figures(text):
    """Every number that is read, without the ones of addresses."""
    without_links = re.sub(r"https?://\S+", "", text)
    return set(re.findall(r"\d+(?:[.,]\d+)*", without_links))


def visible(html):
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)
    return " ".join(page.find("body").itertext())


# --- every letter ---------------------------------------------------------------------------------


def test_every_letter_has_a_sample():
    folder = Path(mail.__file__).parents[1] / "templates" / "email"
    assert {path.stem for path in folder.glob("[!_]*.jinja")} == set(LETTERS)


@pytest.mark.parametrize("locale", ["en", "fr"])
@pytest.mark.parametrize(("template", "context"), ALL)
def test_a_letter_is_complete_in_both_forms(at_work, template, context, locale):
    subject, text, html = writing.render_mail(template, locale, context)
    read = visible(html)
    assert subject and subject in read
    # Of a product, the heading says that and the workspace.
    assert len(subject) < (90 if context.get("licences") is None else 110)
    assert f'lang="{locale}"' in html
    assert "prefers-color-scheme: dark" in html
    for markup in ("<Martin>", "<Durand>", "<unknown>", "Acme & Co", "Amis & Co"):
        assert markup not in html
    assert not any(word in subject + text + read for word in ("None", "&amp;", "&lt;", "%(", "{{", "{'"))
    assert "Atelier Logiciel SAS" in text and "Atelier Logiciel SAS" in read
    assert "\n\n\n" not in text
    assert figures(subject + text) == figures(read)


@pytest.mark.parametrize(("template", "context"), ALL)
def test_a_letter_leads_to_this_site_only_and_has_one_button(at_work, template, context):
    _subject, text, html = writing.render_mail(template, "en", context)
    targets = re.findall(r'href="([^"]+)"', html)
    assert all(link.startswith(f"{BASE_URL}/") for link in targets)
    assert html.count('class="act"') == 1
    assert set(links(text)) == {*targets, BASE_URL}
    assert set(links(html)) == set(targets)


@pytest.mark.parametrize(
    ("template", "context"), [each for each in ALL if each.values[1].get("total_minor") is not None]
)
@pytest.mark.parametrize(("locale", "amount"), [("en", "€36.00"), ("fr", f"36,00{NBSP}€")])
def test_an_amount_has_its_currency_as_the_reader_writes_it(at_work, template, context, locale, amount):
    _subject, text, html = writing.render_mail(template, locale, context)
    if context.get("reason") != "no_method":
        assert amount in text and amount in visible(html)


def test_dates_and_the_names_of_the_catalogue_follow_the_reader(at_work):
    _subject, text, _html = writing.render_mail("order_confirmed", "fr", LETTERS["order_confirmed"])
    assert f"21{NBSP}décembre{NBSP}2026" in text
    assert "Bureau Business 5, au mois" in text
    assert "Affaires 5" in written("plan_begun", "fr")[1]


def test_a_name_missing_from_the_context_is_an_error(at_work):
    with pytest.raises(Exception, match="trial_ends_on"):
        writing.render_mail("welcome", "en", HERE)


@pytest.mark.parametrize(
    "path", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "/a\nb", "sign-in"]
)
def test_a_letter_cannot_be_made_to_link_elsewhere(at_work, path):
    with pytest.raises(ValueError, match="this site only"):
        writing.render_mail("magic_link", "en", LETTERS["magic_link"] | {"path": path})


def test_a_line_break_in_a_name_stays_out_of_the_subject(at_work):
    subject, _text = written("welcome", workspace="Acme\r\nBcc: everybody@elsewhere.example\x00")
    assert subject == "Your workspace Acme Bcc: everybody@elsewhere.example is ready"


# --- copies ---------------------------------------------------------------------------------------

NOT_ABOUT_MONEY = {
    *("already_registered", "magic_link", "reset_link", "new_email", "new_email_taken", "email_changed"),
    *("security_notice", "password_changed", "invitation", "welcome", "welcome_back", "owner_made"),
    *("workspace_deleted", "became_guests", "made_guest", "deletion_ahead", "licence_key_replaced"),
    *("trial_ending", "trial_last_day", "trial_over", "trial_extended", "product_trial_started"),
    *("product_trial_ending", "product_trial_last_day", "product_trial_over"),
    *("request_to_decide", "request_approved", "request_declined", "request_expired"),
    *("nonprofit_received", "nonprofit_accepted", "nonprofit_refused", "nonprofit_to_decide"),
    *("dispute_to_handle", "refund_to_handle", "exchange_rates_missing"),
    *("contact_confirmation", "contact_bounced"),
}


def test_each_letter_is_billing_mail_or_not():
    """A new letter is one or the other by decision: the contacts of a workspace get what is about money."""
    assert set(LETTERS) - NOT_ABOUT_MONEY == writing.BILLING_MAIL
    assert not NOT_ABOUT_MONEY & writing.BILLING_MAIL


@pytest.mark.parametrize("locale", ["en", "fr"])
@pytest.mark.parametrize(
    ("template", "context"),
    [each for each in ALL if each.values[0] in writing.BILLING_MAIL and "pay_path" not in each.values[1]],
)
def test_a_copy_leads_to_no_page_and_says_whom_to_ask(at_work, template, context, locale):
    subject, text, html = writing.render_mail(
        template, locale, context | {"ask_instead": [JEANNE, "Ana Roux"]}
    )
    assert subject == writing.render_mail(template, locale, context)[0]
    assert links(text) == [BASE_URL] and links(html) == []
    assert "<a " not in html and 'class="act"' not in html
    whom = {"en": "ask Jeanne <Martin>, Ana Roux.", "fr": "adressez-vous à Jeanne <Martin>, Ana Roux."}
    assert whom[locale] in text.replace(NBSP, " ") and whom[locale] in " ".join(visible(html).split())
    assert figures(subject + text) == figures(visible(html))


def test_a_copy_names_nobody_where_there_is_nobody(at_work):
    _subject, text = written("renewed", ask_instead=[])
    assert "your address is given for the billing of Acme & Co.\n" in text


@pytest.mark.parametrize(
    ("locale", "name", "acts"),
    [
        ("en", "See the Payment page", {"Add", "Change", "Choose"}),
        ("fr", "Voir la page Paiement", {"Ajouter", "Changer", "Choisir"}),
    ],
)
def test_the_payment_page_is_named_in_mail_as_on_its_tab(at_work, locale, name, acts):
    labels = set()
    for each in ALL:
        html = writing.render_mail(each.values[0], locale, each.values[1])[2]
        labels |= set(re.findall(r'href="[^"]*/payment-methods"[^>]*>([^<]+)<', html))
    assert {label for label in labels if label.split()[0] not in acts} == {name}


# --- orders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["order_confirmed", "renewed"])
def test_a_paid_order_is_told_with_every_figure(at_work, template):
    _subject, text = written(template)
    for fact in (
        "€36.00",
        "€30.00",
        "€6.00",
        "VAT 20%",
        "Office Business 5, monthly",
        "16 extra days",
        "21 November 2026",
        "21 December 2026",
        "Visa •••• 4242",
        "Portal sandbox",
        "Acme SARL",
        "INV-2026-000001",
        "K7Q2M9XD",
        f"{BASE_URL}/w/acme/history",
    ):
        assert fact in text, fact


def test_a_confirmed_order_leads_to_its_result(at_work):
    subject, text = written("order_confirmed")
    assert subject == "Order K7Q2M9XD is confirmed"
    assert f"{BASE_URL}/w/acme/checkout/K7Q2M9XD/result" in text


def test_an_address_that_was_only_typed_gets_no_name(at_work):
    _subject, text = written("order_confirmed", name="", ask_instead=[JEANNE])
    assert text.startswith("Hello,\n")
    assert "€36.00" in text
    assert written("order_confirmed", "fr", name="", ask_instead=[JEANNE])[1].startswith("Bonjour,\n")


@pytest.mark.parametrize("template", ["order_confirmed", "product_trial_started"])
def test_licences_are_to_be_assigned(at_work, template):
    assert "/w/acme/licences" not in written(template, assigns_licences=False)[1]
    assert f"{BASE_URL}/w/acme/licences" in written(template, assigns_licences=True)[1]


def test_a_refund_names_amount_method_and_credit_note(at_work):
    subject, text = written("refunded")
    assert subject == "Acme & Co: €36.00 refunded"
    for fact in ("€36.00", "Visa •••• 4242", "CN-2026-000001", "Business 5 plan again", "21 December 2026"):
        assert fact in text, fact
    assert "no due date" in written("refunded", due_on=None)[1]
    # One that was promised before it was said has no word of it.
    assert "balance" not in text
    assert "€3.13" in written("refunded", kept_minor=313)[1]


def test_a_refund_of_lines_names_each_with_what_is_left_of_it(at_work):
    _subject, text = written("products_refunded")
    for fact in ("€36.00", "Visa •••• 4242", "€2.40", "CN-2026-000001", "As it was before:", "3 licences"):
        assert fact in text, fact
    _subject, text = written("products_refunded", kept_minor=0, left=[ENDED])
    assert "Ended" in text and "balance" not in text


def test_a_refund_that_ended_automatic_renewal_says_so(at_work):
    assert "Automatic renewal" not in written("refunded")[1]
    sentence = "Automatic renewal is switched off, and any price guarantee ends with it."
    assert sentence in written("refunded", ended_auto_renewal=True)[1]


# --- trials and due dates -------------------------------------------------------------------------


def test_the_end_of_a_trial_names_users_and_the_recommended_plan(at_work):
    subject, text = written("trial_ending")
    assert subject == "The trial of Acme & Co ends on 21 December 2026"
    assert "You currently have 4 active users." in text
    assert "we recommend the Business 5 plan." in text
    assert f"{BASE_URL}/w/acme/plans" in text


def test_the_end_of_a_trial_too_large_for_the_table_asks_to_be_contacted(at_work):
    _subject, text = written("trial_ending", users=1, recommended=None)
    assert "You currently have 1 active user." in text
    assert "No plan in our table is large enough" in text and "recommend" not in text


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("trial_last_day", ["ends today, 21 December 2026", "From tomorrow, access is blocked"]),
        ("trial_over", ["ended on 21 December 2026", "until at least 21 June 2027"]),
        ("due_soon", ["until the end of 21 December 2026", "Nothing is charged automatically"]),
        ("late", ["was due on 21 December 2026", "access will be blocked on 29 December 2026"]),
        ("blocked", ["was due on 21 December 2026", "until at least 21 June 2027"]),
        ("auto_renewal_off", ["until the end of 21 December 2026"]),
        ("plan_scheduled", ["change to the Business 5 plan on 21 December 2026"]),
    ],
)
def test_a_letter_about_a_date_says_what_the_date_means(at_work, template, said):
    _subject, text = written(template)
    assert all(sentence in text for sentence in said), text


def test_the_trial_of_a_product_is_told_without_a_word_of_the_workspace_s_plan(at_work):
    subject, text = written("product_trial_ending")
    assert subject == "Your trial of Meetings ends on 5 December 2026"
    assert "It ends by itself, and nothing is charged automatically." in text
    assert "From tomorrow, nobody can use Meetings" in written("product_trial_last_day")[1]
    subject, text = written("product_trial_over")
    assert subject == "Your trial of Meetings is over"
    assert "everything else in your workspace stays as it is" in text
    for template in ("product_trial_ending", "product_trial_last_day", "product_trial_over"):
        assert "deleted" not in written(template)[1]


def test_the_welcome_to_a_trial_says_what_how_many_until_when_and_that_it_costs_nothing(at_work):
    subject, text = written("product_trial_started")
    assert subject == "Your trial of Meetings has started"
    for said in (
        "try Business 5 in the workspace Acme & Co with 3 licences.",
        "The trial runs until the end of 5 December 2026.",
        "there is nothing to cancel, and nothing is charged automatically.",
        "/w/acme/subscriptions/trial/meetings",
    ):
        assert said in text, said


def test_a_cancellation_says_when_it_ends_what_stays_and_the_way_back(at_work):
    subject, text = written("cancelled")
    assert subject == "Meetings is cancelled and ends on 21 December 2026"
    for said in (
        "everything works as before, until the end of 21 December 2026.",
        "Your 3 licences stay in use until then.",
        "nothing is paid back",
        "You can take the cancellation back until the end of 21 December 2026",
        "/w/acme/subscriptions/meetings/take-back",
    ):
        assert said in text, said
    assert "scheduled" not in text
    assert "The change that was scheduled will not begin." in written("cancelled", dropped=True)[1]
    subject, text = written("cancelled", ends_on=None)
    assert subject == "Meetings is cancelled and has ended"
    assert "To use Meetings again, buy licences anew." in text and "take" not in text


def test_a_cancellation_taken_back_says_what_is_charged_next(at_work):
    subject, text = written("cancellation_taken_back")
    assert subject == "Meetings goes on: the cancellation was taken back"
    assert "It goes on with the same 3 licences after 21 December 2026." in text
    assert "Automatic renewal: €36.00 including VAT on 21 December 2026 with Visa •••• 4242" in text
    _subject, text = written("cancellation_taken_back", **UNPRICED, renew_on=None)
    assert "We will write to you with date and amount before anything is charged." in text
    _subject, text = written("cancellation_taken_back", **UNPRICED, renew_on=None, renews=False)
    assert "Automatic renewal is off" in text and "until the end of 21 December 2026" in text


def test_a_deletion_is_announced_with_its_day_and_the_documents(at_work):
    subject, text = written("deletion_ahead")
    assert subject == "Acme & Co will be deleted on 28 June 2027"
    assert "since 21 December 2026" in text
    assert "download your invoices and credit notes before 28 June 2027" in text
    assert f"{BASE_URL}/w/acme/plans" in text and f"{BASE_URL}/w/acme/history" in text
    _subject, text = written("deletion_ahead", has_documents=False)
    assert f"{BASE_URL}/w/acme/plans" in text
    assert "invoices" not in text and f"{BASE_URL}/w/acme/history" not in text


def test_what_is_due_has_its_price_where_it_is_known(at_work):
    assert "Price: €30.00 a month excl. VAT" in written("due_soon")[1]
    assert "Price: €300.00 a year excl. VAT" in written("due_soon", interval="year", net_minor=30000)[1]
    assert "Price:" not in written("due_soon", net_minor=None, currency=None)[1]


# --- automatic renewal ----------------------------------------------------------------------------


@pytest.mark.parametrize("template", ["renewal_ahead", "auto_renewal_on"])
def test_a_charge_to_come_shows_date_amount_card_and_the_way_out(at_work, template):
    _subject, text = written(template)
    for fact in (
        "€36.00 including VAT on 21 December 2026 with Visa •••• 4242, for Business 5, monthly.",
        "switch automatic renewal off",
        f"{BASE_URL}/w/acme/plans",
    ):
        assert fact in " ".join(text.split()), fact


@pytest.mark.parametrize(
    ("tax", "amount"),
    [({"tax_minor": 0}, "€36.00 on"), ({"tax_minor": 600}, "€36.00 including VAT on")],
    ids=["no VAT", "VAT"],
)
def test_vat_is_said_to_be_included_only_where_there_is_some(at_work, tax, amount):
    _subject, text = written("auto_renewal_on", **tax)
    assert f"Automatic renewal: {amount}" in text


@pytest.mark.parametrize(
    ("template", "changes"),
    [
        ("price_rise", {}),
        ("plan_scheduled", {}),
        ("renewal_ahead", {"problem": "no_method", "method": None}),
    ],
)
def test_a_letter_about_a_coming_charge_claims_vat_only_where_there_is_some(at_work, template, changes):
    assert "including VAT" in written(template, **changes)[1]
    without_vat = written(template, tax_minor=0, **changes)[1]
    assert "€36.00" in without_vat
    assert "including VAT" not in without_vat


def test_the_letter_of_an_invoice_says_why_there_is_no_vat(at_work):
    untaxed = FACTS | {
        "tax": {"category": "AE", "rate_bp": 0, "country": "BE", "reason": "eu_business_reverse_charge"},
        "totals": {
            "net_minor": 3000,
            "tax_minor": 0,
            "gross_minor": 3000,
            "by_rate": [{"rate_bp": 0, "net_minor": 3000, "tax_minor": 0}],
        },
    }
    _subject, text = written("order_confirmed", facts=untaxed)
    assert "VAT – reverse charge: €0.00" in text
    assert "Total: €30.00" in text
    assert "including VAT" not in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            UNPRICED | {"problem": "too_small", "limits": [USERS, STORAGE]},
            [
                "change to the Business 5 plan on 21 December 2026, but this plan is too small",
                "Active users: 7 now, 5 at most",
                "Storage: 2.5 GB now, 2 GB at most",
                "reduce your usage, or choose another plan",
                f"{BASE_URL}/w/acme/plans",
                f"{BASE_URL}/w/acme/members",
            ],
        ),
        (
            UNPRICED | {"problem": "not_sold"},
            ["no longer sold (Business 5, monthly)", "choose another plan", f"{BASE_URL}/w/acme/plans"],
        ),
        (
            {"problem": "no_method", "method": None},
            [
                "no payment method",
                "Total including VAT: €36.00",
                "add a payment method, or switch automatic renewal off",
                f"{BASE_URL}/w/acme/payment-methods",
            ],
        ),
    ],
    ids=["too small", "not sold", "no method"],
)
def test_a_renewal_that_will_not_work_says_why_and_the_ways_out(at_work, changes, said):
    subject, text = written("renewal_ahead", **changes)
    assert "action needed before the" in subject and subject.endswith(" on 21 December 2026")
    assert "Otherwise nothing will be charged" in text
    assert all(sentence in text for sentence in said), text


def test_a_price_rise_shows_both_prices(at_work):
    subject, text = written("price_rise")
    assert "rises on 21 December 2026" in subject
    assert "Current price, excluding VAT: €25.00" in text
    assert "New price, excluding VAT: €30.00" in text
    assert "Total including VAT: €36.00" in text


@pytest.mark.parametrize(
    ("changes", "title", "said", "unsaid"),
    [
        (
            {},
            "the renewal was declined, next try on 24 December 2026",
            ["declined (Visa •••• 4242). There is not enough money", "we will try again on 24 December 2026"],
            "will not try this payment method again",
        ),
        (
            {"next_try_on": None},
            "the renewal was declined for the last time",
            ["This was the last try.", "pay for the next period yourself"],
            "24 December",
        ),
        (
            {"asks_new_card": True, "reason": "expired_card", "next_try_on": None},
            "the renewal needs another payment method",
            ["The card has expired.", "will not try this payment method again"],
            "tried again",
        ),
        (
            {"asks_new_card": True, "reason": "expired_card"},
            "the renewal needs another payment method",
            [
                "will not try this payment method again",
                "We will try your other payment methods again on 24 December 2026.",
            ],
            "may be temporary",
        ),
        (
            UNPRICED | {"reason": "no_method", "asks_new_card": True},
            "the renewal needs another payment method",
            ["There is no payment method that we can charge."],
            "declined",
        ),
        (
            UNPRICED | {"reason": "too_small", "limits": [USERS]},
            "action needed for the renewal",
            [
                "Active users: 7 now, 5 at most",
                "Reduce your usage, or choose another plan. We will check again on 24",
            ],
            "declined",
        ),
        (
            UNPRICED | {"reason": "not_sold"},
            "action needed for the renewal",
            ["no longer sold. Choose another one."],
            "declined",
        ),
    ],
    ids=["temporary", "last try", "hard", "hard with others", "no method", "too small", "not sold"],
)
def test_a_failed_renewal_says_why_what_next_and_how_long_it_works(at_work, changes, title, said, unsaid):
    subject, text = written("renewal_failed", **changes)
    assert subject == f"Acme & Co: {title}"
    assert "Nothing was charged." in text
    assert "Everything works until the end of 4 January 2027." in text
    assert all(sentence in text for sentence in said), text
    assert unsaid not in text
    leads_to = "plans" if changes.get("reason") in ("too_small", "not_sold") else "payment-methods"
    assert f"{BASE_URL}/w/acme/{leads_to}" in text


def test_a_failed_renewal_says_nothing_of_days_that_are_past(at_work):
    _subject, text = written("renewal_failed", usable_until=None)
    assert "Everything works" not in text


def test_a_renewal_to_confirm_leads_to_the_order(at_work):
    subject, text = written("renewal_to_confirm")
    assert subject == "Acme & Co: confirm the payment of €36.00 by 4 January 2027"
    assert "Nothing has been charged yet." in text
    assert f"{BASE_URL}/w/acme/checkout/K7Q2M9XD/result" in text


def test_a_payment_to_confirm_leads_to_the_order(at_work):
    subject, text = written("payment_to_confirm")
    assert subject == "Acme & Co: confirm the payment of €36.00"
    assert "Nothing has been charged yet." in text
    assert f"{BASE_URL}/w/acme/checkout/K7Q2M9XD/result" in text


# --- the plan of the workspace, or licences of a product ------------------------------------------

OF_THE_PRODUCT = {
    "en": "Meetings Professional for the workspace Acme & Co (",
    "fr": "L’abonnement Réunions Professionnel de l’espace de travail Acme & Co (",
}
NUMBER = {1: "1 licence", 10: "10 licences"}


def read(template, context, locale):
    """As on a keyboard: subject and text."""
    subject, text, _html = writing.render_mail(template, locale, context)
    return [each.replace(NBSP, " ").replace(NARROW, " ") for each in (subject, text)]


@pytest.mark.parametrize(
    ("template", "title", "said"),
    [
        (
            "due_soon",
            "The plan of Acme & Co is due on 21 December 2026",
            (
                "The plan of the workspace Acme & Co (Business 5, monthly) is paid for until the end of "
                "21 December 2026. Nothing is charged automatically: to keep working, prolong it, or choose "
                "another plan."
            ),
        ),
        (
            "late",
            "Payment for Acme & Co is late: access will be blocked on 29 December 2026",
            (
                "The Business 5 plan of the workspace Acme & Co was due on 21 December 2026, and the next "
                "period has not been paid for."
            ),
        ),
        (
            "blocked",
            "Access to Acme & Co is blocked",
            (
                "The plan of the workspace Acme & Co was due on 21 December 2026 and has not been paid for. "
                "Access is blocked, and your data is kept."
            ),
        ),
        (
            "renewal_ahead",
            "Acme & Co will be renewed on 21 December 2026 for €36.00",
            (
                "The plan of the workspace Acme & Co will be renewed automatically. You do not need to do "
                "anything."
            ),
        ),
        (
            "price_rise",
            "Acme & Co: the price of your plan rises on 21 December 2026",
            (
                "The plan of the workspace Acme & Co will be renewed automatically on 21 December 2026. From "
                "that day its price goes up."
            ),
        ),
        (
            "renewed",
            "Acme & Co is renewed until 21 January 2027",
            "The plan of the workspace Acme & Co (Business 5, monthly) is renewed until 21 January 2027.",
        ),
        (
            "renewal_failed",
            "Acme & Co: the renewal was declined, next try on 24 December 2026",
            "The workspace Acme & Co could not be renewed with the Business 5 plan. Nothing was charged.",
        ),
        (
            "renewal_to_confirm",
            "Acme & Co: confirm the payment of €36.00 by 4 January 2027",
            "The Business 5 plan of the workspace Acme & Co is due for renewal.",
        ),
        (
            "auto_renewal_on",
            "Automatic renewal is on for Acme & Co",
            "Automatic renewal was switched on for the workspace Acme & Co.",
        ),
        (
            "auto_renewal_off",
            "Automatic renewal is off for Acme & Co",
            (
                "Automatic renewal was switched off for the workspace Acme & Co. Nothing more will be "
                "charged automatically. The Business 5 plan is paid for until the end of 21 December 2026."
            ),
        ),
    ],
)
def test_a_letter_about_the_plan_speaks_of_the_workspace(at_work, template, title, said):
    subject, text = read(template, LETTERS[template], "en")
    assert subject == title
    assert said in text
    assert "licence" not in text and "ubscription" not in text


@pytest.mark.parametrize(
    ("template", "locale", "title", "said"),
    [
        (
            "due_soon",
            "en",
            "Meetings Professional (Acme & Co) is due on 21 December 2026",
            "{}, monthly) is paid for until the end of 21 December 2026.",
        ),
        (
            "due_soon",
            "fr",
            "Réunions Professionnel (Acme & Co) : l’abonnement arrive à échéance le 21 décembre 2026",
            "{}, mensuel) est payé jusqu’au 21 décembre 2026 inclus.",
        ),
        (
            "late",
            "en",
            (
                "Payment for Meetings Professional (Acme & Co) is late: access will be blocked on "
                "29 December 2026"
            ),
            "{}) was due on 21 December 2026, and the next period has not been paid for.",
        ),
        (
            "late",
            "fr",
            "Réunions Professionnel (Acme & Co) : paiement en retard, accès bloqué le 29 décembre 2026",
            "{}) est arrivé à échéance le 21 décembre 2026 et la période suivante n’est pas payée.",
        ),
        (
            "blocked",
            "en",
            "Access to Meetings Professional (Acme & Co) is blocked",
            "{}) was due on 21 December 2026 and has not been paid for. Nobody can use it for now.",
        ),
        (
            "blocked",
            "fr",
            "L’accès à Réunions Professionnel (Acme & Co) est bloqué",
            "{}) est arrivé à échéance le 21 décembre 2026 et n’a pas été payé.",
        ),
        (
            "renewal_ahead",
            "en",
            "Meetings Professional (Acme & Co) will be renewed on 21 December 2026 for €36.00",
            "{}) will be renewed automatically.",
        ),
        (
            "renewal_ahead",
            "fr",
            "Réunions Professionnel (Acme & Co) : renouvellement le 21 décembre 2026 pour 36,00 €",
            "{}) sera renouvelé automatiquement.",
        ),
        (
            "price_rise",
            "en",
            "Meetings Professional (Acme & Co): the price rises on 21 December 2026",
            "{}, monthly) will be renewed automatically on 21 December 2026.",
        ),
        (
            "price_rise",
            "fr",
            "Réunions Professionnel (Acme & Co) : le prix augmente le 21 décembre 2026",
            "{}, mensuel) sera renouvelé automatiquement le 21 décembre 2026.",
        ),
        (
            "renewed",
            "en",
            "Meetings Professional (Acme & Co) is renewed until 21 January 2027",
            "{}, monthly) is renewed until 21 January 2027.",
        ),
        (
            "renewed",
            "fr",
            "Réunions Professionnel (Acme & Co) : abonnement renouvelé jusqu’au 21 janvier 2027",
            "{}, mensuel) est renouvelé jusqu’au 21 janvier 2027.",
        ),
        (
            "renewal_failed",
            "en",
            "Meetings Professional (Acme & Co): the renewal was declined, next try on 24 December 2026",
            "{}) could not be renewed. Nothing was charged.",
        ),
        (
            "renewal_failed",
            "fr",
            "Réunions Professionnel (Acme & Co) : renouvellement refusé, nouvel essai le 24 décembre 2026",
            "{}) n’a pas pu être renouvelé. Rien n’a été débité.",
        ),
        (
            "renewal_to_confirm",
            "en",
            "Meetings Professional (Acme & Co): confirm the payment of €36.00 by 4 January 2027",
            "{}) is due for renewal.",
        ),
        (
            "renewal_to_confirm",
            "fr",
            (
                "Réunions Professionnel (Acme & Co) : confirmez le paiement de 36,00 € au plus tard le "
                "4 janvier 2027"
            ),
            "{}) est à renouveler.",
        ),
    ],
)
@pytest.mark.parametrize("licences", [1, 10])
def test_a_letter_about_licences_speaks_of_their_product(at_work, template, locale, title, said, licences):
    subject, text = read(template, licensed(template, licences), locale)
    assert subject == title
    assert said.format(OF_THE_PRODUCT[locale] + NUMBER[licences]) in text


@pytest.mark.parametrize(
    ("template", "locale", "title", "said"),
    [
        (
            "auto_renewal_on",
            "en",
            "Automatic renewal is on for Meetings Professional (Acme & Co)",
            "switched on for the subscription to Meetings Professional in the workspace Acme & Co.",
        ),
        (
            "auto_renewal_on",
            "fr",
            "Réunions Professionnel (Acme & Co) : renouvellement automatique activé",
            "activé pour l’abonnement Réunions Professionnel de l’espace de travail Acme & Co.",
        ),
        (
            "auto_renewal_off",
            "en",
            "Automatic renewal is off for Meetings Professional (Acme & Co)",
            "Nothing more will be charged for it automatically. It is paid for until the end of",
        ),
        (
            "auto_renewal_off",
            "fr",
            "Réunions Professionnel (Acme & Co) : renouvellement automatique désactivé",
            "désactivé pour l’abonnement Réunions Professionnel de l’espace de travail Acme & Co.",
        ),
    ],
)
def test_automatic_renewal_of_licences_is_told_of_their_product(at_work, template, locale, title, said):
    subject, text = read(template, licensed(template), locale)
    assert subject == title
    assert said in text


@pytest.mark.parametrize(
    ("licences", "locale", "said"),
    [
        (None, "en", "for Business 5, monthly."),
        (1, "en", "for Meetings Professional, 1 licence, monthly."),
        (10, "en", "for Meetings Professional, 10 licences, monthly."),
        (None, "fr", "pour Affaires 5, mensuel."),
        (1, "fr", "pour Réunions Professionnel, 1 licence, mensuel."),
        (10, "fr", "pour Réunions Professionnel, 10 licences, mensuel."),
    ],
)
def test_the_next_charge_is_for_so_many_licences(at_work, licences, locale, said):
    for template in ("renewal_ahead", "auto_renewal_on"):
        context = LETTERS[template] if licences is None else licensed(template, licences)
        assert said in read(template, context, locale)[1]


@pytest.mark.parametrize("locale", ["en", "fr"])
@pytest.mark.parametrize(("template", "context"), LICENSED)
def test_licences_never_put_the_workspace_in_question(at_work, template, context, locale):
    """A product that is not paid for is blocked alone, and its own page is where it is dealt with."""
    subject, text, html = writing.render_mail(template, locale, context)
    for unsaid in (
        "plan of",
        "Plans page",
        "page Plans",
        "Le plan",
        "your plan",
        "votre plan",
        "our data until",
        "owners",
        "propriétaires",
        "Everything works",
        "Tout fonctionne encore",
        "/plans",
    ):
        assert unsaid not in subject + text + html, unsaid
    leads_on = template not in ("renewal_to_confirm", "renewed")
    assert (f"{BASE_URL}/w/acme/subscriptions" in text) is leads_on


def test_blocked_licences_say_what_stays(at_work):
    _subject, text = read("blocked", licensed("blocked"), "en")
    assert "Your data is kept, and everything else in your workspace stays as it is." in text
    assert "A payment restores access at once." in text
    assert "2027" not in text
    assert "until at least 21 June 2027" in written("blocked")[1]


def test_a_change_of_licences_is_renewed_under_the_name_of_what_comes(at_work):
    replaced = {"en": "Meetings Essential", "fr": "Réunions Essentiel"}
    subject, text = read("renewal_ahead", licensed("renewal_ahead", instead_of=replaced), "en")
    assert subject == "Meetings Professional (Acme & Co) will be renewed on 21 December 2026 for €36.00"
    assert "changes from Meetings Essential to Meetings Professional, as you chose." in text


@pytest.mark.parametrize("locale", ["en", "fr"])
@pytest.mark.parametrize("template", [*ABOUT_A_SUBSCRIPTION, "order_confirmed"])
def test_a_letter_promised_before_there_were_licences_is_sent_as_it_was_meant(at_work, template, locale):
    lacking = {"licences", "line_licences"} | ({"plan_names"} if template == "blocked" else set())
    before = {name: value for name, value in LETTERS[template].items() if name not in lacking}
    assert before != LETTERS[template]
    assert writing.render_mail(template, locale, before) == writing.render_mail(
        template, locale, LETTERS[template]
    )


TEN_LINE = {
    "description": {"en": "Meetings Professional – monthly", "fr": "Réunions Professionnel – mensuel"},
    "period": {"start": "2026-11-21", "end": "2026-12-21"},
    "quantity": 10,
    "unit_minor": 1300,
    "net_minor": 13000,
    "rate_bp": 2000,
    "notes": {"en": [], "fr": []},
}
ONE_LINE = TEN_LINE | {
    "description": {"en": "Webinar Standard – yearly", "fr": "Webinaire Standard – annuel"},
    "period": {"start": "2026-11-21", "end": "2027-11-21"},
    "quantity": 1,
    "unit_minor": 40000,
    "net_minor": 40000,
}
THREE_LINES = FACTS | {
    "lines": [*FACTS["lines"], TEN_LINE, ONE_LINE],
    "totals": {
        "net_minor": 56000,
        "tax_minor": 11200,
        "gross_minor": 67200,
        "by_rate": [{"rate_bp": 2000, "net_minor": 56000, "tax_minor": 11200}],
    },
}


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        (
            "en",
            [
                (
                    "From 21 November 2026 to 21 December 2026: Office Business 5, monthly\n"
                    "Amount excluding VAT: €30.00\n"
                ),
                (
                    "From 21 November 2026 to 21 December 2026: Meetings Professional – monthly\n"
                    "10 licences at €13.00 each\n"
                    "Amount excluding VAT: €130.00\n"
                ),
                (
                    "From 21 November 2026 to 21 November 2027: Webinar Standard – yearly\n"
                    "1 licence at €400.00\n"
                    "Amount excluding VAT: €400.00\n"
                ),
                "Total including VAT: €672.00\n",
            ],
        ),
        (
            "fr",
            [
                (
                    "Du 21 novembre 2026 au 21 décembre 2026 : Réunions Professionnel – mensuel\n"
                    "10 licences à 13,00 € chacune\n"
                    "Montant HT : 130,00 €\n"
                ),
                "1 licence à 400,00 €\n",
                "Total TTC : 672,00 €\n",
            ],
        ),
    ],
)
def test_a_confirmed_order_lists_each_line_with_its_licences_and_period(at_work, locale, said):
    context = LETTERS["order_confirmed"] | {"facts": THREE_LINES, "line_licences": [None, 10, 1]}
    _subject, text = read("order_confirmed", context, locale)
    assert all(lines in text for lines in said), text


def test_licences_at_one_price_for_all_have_no_price_each(at_work):
    one_price = TEN_LINE | {"quantity": 1, "unit_minor": 9900, "net_minor": 9900}
    context = {"facts": FACTS | {"lines": [one_price]}, "line_licences": [10]}
    _subject, text = written("order_confirmed", **context)
    assert "\n10 licences\n" in text and "each" not in text


@pytest.mark.parametrize("template", sorted(writing.ASKS_TO_PAY))
def test_a_copy_leads_to_paying_and_to_no_page_behind_a_sign_in(at_work, template):
    context = OPEN_ORDER if template == "order_confirmed" else {}
    _subject, text = written(
        template, **context, name="", ask_instead=[JEANNE], pay_path="/pay/tok-en_1?lang=en"
    )
    assert set(links(text)) == {f"{BASE_URL}/pay/tok-en_1?lang=en", BASE_URL}
    assert "Pay the invoice online" in text and "without signing in" in text
    without = written(template, **context, name="", ask_instead=[JEANNE])[1]
    assert links(without) == [BASE_URL] and "without signing in" not in without


# --- non-profit organisations ---------------------------------------------------------------------


def test_a_request_without_a_workspace_is_told_to_make_one(at_work):
    said = "If you have no workspace yet, create one: it will get the plan."
    _subject, text = written("nonprofit_received", workspace=None, slug=None)
    assert said in text and f"{BASE_URL}/sign-up" in text
    _subject, text = written("nonprofit_received")
    assert said not in text and f"{BASE_URL}/w/acme/plans" in text


def test_a_replaced_key_says_who_did_it_and_leads_to_the_new_one(at_work):
    subject, text = written("licence_key_replaced")
    assert subject == "The licence key for Meetings was replaced"
    assert "Ana Roux replaced the licence key for Meetings in the workspace Acme" in text
    assert "enter the new key wherever you use Meetings." in text
    assert links(text)[0].endswith("/w/acme/subscriptions/remote/licence-key")
    assert "activation" not in written("licence_key_replaced", was_activated=False)[1]
    assert written("licence_key_replaced", "fr")[0] == "La clé de licence pour Réunions a été remplacée"
