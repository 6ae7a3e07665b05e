"""The operators' page of a payment: its lines, what the refund of one does, and what is read after."""

import re

import pytest

from portal.domain.choices import Choice
from portal.domain.vocabulary import Interval, RefundState
from portal.gateways.base import ResultUnknown
from portal.models import Invoice, Person, Refund, Subscription, Workspace
from portal.runtime import Runtime, current, install
from portal.services.checkout import ordering
from portal.services.payments import line_refunds, refund_quotes, refunds
from tests import paying
from tests.books import assert_books_clean
from tests.factories import a_catalogue, a_person, a_workspace, owner_of, seen_by
from tests.pages import by_testid, check_page, csrf_of, parse, spaced, text_of
from tests.routes.payments.test_refunds import answers
from tests.services.payments.test_line_refunds import one_cent_charged
from tests.visiting import facts, visit_as

# What the pages call is tested on both engines.
pytestmark = pytest.mark.engine("sqlite")

MONTH = Interval.MONTH


@pytest.fixture
def payment(app):
    """Acme's, of the plan and three licences."""
    with facts(app):
        a_catalogue()
        place = seen_by(owner_of(workspace := a_workspace()), workspace)
        choices = [Choice("business-5", MONTH), Choice("meetings-essential", MONTH, 3)]
        opened = ordering.open_order(place, choices=choices, currency="EUR", now=current().clock.now())
        return paying.pay(paying.with_details(opened, place))


@pytest.fixture
def staff(app, client, payment):
    with facts(app):
        visit_as(client, a_person("staff@vendor.test", operator=True))
    return client


def address_of(payment):
    return f"/operator/workspaces/acme/payments/{payment.key}/refund"


def confirm(staff, payment, line, **changed):
    page = staff.get(f"{address_of(payment)}?line={line}").text
    shown = re.search(r'name="shown" value="([0-9a-f]{64})"', page)
    fields = {"csrf_token": csrf_of(page), "line": line, "shown": shown.group(1) if shown else ""}
    return staff.post(address_of(payment), data=fields | changed)


def rows(response):
    return [spaced(text_of(row)) for row in by_testid(parse(response.text), "refund-line")]


def marked(response, name):
    return [spaced(text_of(each)) for each in by_testid(parse(response.text), name)]


def test_the_page_of_the_workspace_leads_to_the_lines(staff, payment):
    page = staff.get("/operator/workspaces/acme")
    assert f'href="{address_of(payment)}"' in page.text
    page = staff.get(address_of(payment))
    check_page(page)
    assert ["Refund this line" in row for row in rows(page)] == [True, True]
    assert "Meetings Essential, 3 licences, monthly" in rows(page)[1]
    assert marked(page, "refund-all") == ["Refund all of it"]
    assert 'data-testid="refund-confirm"' not in page.text


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_chosen_line_says_what_goes_back_and_what_ends(staff, payment, language):
    page = staff.get(f"{address_of(payment)}?line=2&lang={language}")
    check_page(page)
    words = {
        "en": (
            "€39.60",
            "INV-2026-000001, line 2",
            "€33.00 + €6.60 (VAT 20%) = €39.60",
            "Nothing: it ends at once",
        ),
        "fr": (
            "39,60 €",
            "INV-2026-000001, ligne 2",
            "33,00 € + 6,60 € (TVA 20 %) = 39,60 €",
            "Rien : il prend fin immédiatement",
        ),
    }[language]
    found = [
        marked(page, f"refund-{name}")[0].replace("\u202f", " ").replace("\xa0", " ")
        for name in ("total", "invoice", "credit", "after")
    ]
    assert tuple(found) == words


def test_a_line_goes_back_and_the_page_says_so(app, staff, payment):
    answer = confirm(staff, payment, "2")
    assert (answer.status_code, answer.location) == (303, address_of(payment))
    page = staff.get(address_of(payment))
    assert "€39.60 was refunded." in page.text
    assert "Refunded: credit note CN-2026-000001." in rows(page)[1]
    assert "Refund this line" in rows(page)[0]
    assert marked(page, "refund-all") == []
    with facts(app):
        refund = Refund.get()
        assert (refund.state, refund.person.email) == (RefundState.SUCCEEDED, "staff@vendor.test")
        assert_books_clean()
    # Once more, by whoever has the page open still: nothing more happens.
    assert confirm(staff, payment, "2", shown="0" * 64).status_code == 303
    with facts(app):
        assert Refund.select().count() == 1


def test_all_of_it_goes_back(app, staff, payment):
    page = staff.get(f"{address_of(payment)}?line=all")
    check_page(page)
    assert marked(page, "refund-total") == ["€73.20"]
    assert len(marked(page, "refund-after")) == 2
    assert confirm(staff, payment, "all").status_code == 303
    assert all("CN-2026-000001" in row for row in rows(staff.get(address_of(payment))))
    with facts(app):
        assert_books_clean()


def test_what_has_changed_is_shown_again(app, staff, payment):
    page = staff.get(f"{address_of(payment)}?line=2").text
    shown = re.search(r'name="shown" value="([0-9a-f]{64})"', page).group(1)
    with facts(app):
        Subscription.update(auto_renewal=True).execute()
    answer = confirm(staff, payment, "2", shown=shown)
    assert answer.status_code == 409
    assert "Nothing was refunded." in answer.text
    assert "Automatic renewal is switched off" in answer.text
    with facts(app):
        assert Refund.select().count() == 0


class Meanwhile:
    """A gateway during whose first answer something happens: the page was read, the lock is not held yet."""

    def __init__(self, sandbox, act):
        self._sandbox, self._acts = sandbox, [act]

    def __getattr__(self, name):
        return getattr(self._sandbox, name)

    def capabilities(self):
        if self._acts:
            self._acts.pop()()
        return self._sandbox.capabilities()


def meanwhile(act):
    now = current()
    install(Runtime(now.settings, now.clock, {"sandbox": Meanwhile(now.gateways["sandbox"], act)}))


def test_a_line_whose_share_rounds_to_zero_goes_back_with_the_others_alone(app, staff, client):
    with facts(app):
        place = seen_by(
            owner_of(workspace := a_workspace("Zenith", owner=a_person("zoe@zenith.test"))), workspace
        )
        small = one_cent_charged(place, current().clock)
    address = f"/operator/workspaces/zenith/payments/{small.key}/refund"
    page = staff.get(address)
    check_page(page)
    assert "Its share of what was charged rounds to zero" in rows(page)[1]
    assert "Refund this line" in rows(page)[0]
    assert marked(staff.get(f"{address}?line=all"), "refund-total") == ["€0.01"]


def test_what_changed_just_before_the_lock_is_shown_as_it_is_now(app, staff, payment):
    page = staff.get(f"{address_of(payment)}?line=2").text
    shown = re.search(r'name="shown" value="([0-9a-f]{64})"', page).group(1)
    with facts(app):
        renews = Subscription.update(auto_renewal=True).where(Subscription.quantity == 3)
        meanwhile(renews.execute)
    fields = {"csrf_token": csrf_of(page), "line": "2", "shown": shown}
    answer = staff.post(address_of(payment), data=fields)
    assert answer.status_code == 409
    assert "Automatic renewal is switched off" in answer.text
    # What it shows now is what is confirmed next.
    fields["shown"] = re.search(r'name="shown" value="([0-9a-f]{64})"', answer.text).group(1)
    assert staff.post(address_of(payment), data=fields).status_code == 303
    with facts(app):
        assert_books_clean()


def test_a_line_that_went_back_just_before_the_lock_is_shown_as_refunded(app, staff, payment):
    page = staff.get(f"{address_of(payment)}?line=all").text
    shown = re.search(r'name="shown" value="([0-9a-f]{64})"', page).group(1)

    def another_operator():
        paid = refund_quotes.find_payment(Workspace.get(), payment.key)
        line = line_refunds.chosen_line(paid, 2)
        preview = line_refunds.preview(paid, line, now=current().clock.now())
        by = Person.get(Person.is_operator)
        refunds.ask_refund_of_line(paid, line, by=by, shown_hash=preview.hash, now=current().clock.now())

    with facts(app):
        meanwhile(another_operator)
    fields = {"csrf_token": csrf_of(page), "line": "all", "shown": shown}
    answer = staff.post(address_of(payment), data=fields)
    assert answer.status_code == 422
    check_page(answer)
    assert "Refunded: credit note CN-2026-000001." in rows(answer)[1]
    assert marked(answer, "refund-all") == []
    with facts(app):
        assert Refund.select().count() == 1
        assert_books_clean()


def test_why_not_stands_in_the_place_of_the_link(app, staff, payment, clock):
    with facts(app):
        current().clock.advance(days=40)
    page = staff.get(address_of(payment))
    assert [
        "It is too late: this could be refunded until 20 December 2026." in row for row in rows(page)
    ] == [
        True,
        True,
    ]
    assert confirm(staff, payment, "2").status_code == 422


@pytest.mark.parametrize("line", ["0", "3", "-1", "1.5", "x", "", "99999999999999999999", "٢"])
def test_a_line_that_is_not_there(staff, payment, line):
    page = staff.get(address_of(payment)).text
    sent = {"csrf_token": csrf_of(page), "line": line, "shown": ""}
    assert staff.post(address_of(payment), data=sent).status_code == 404
    if line:
        assert staff.get(f"{address_of(payment)}?line={line}").status_code == 404


def test_a_payment_of_another_workspace_is_none(app, staff, payment):
    with facts(app):
        a_workspace("Zenith", owner=a_person("zoe@zenith.test"))
    assert staff.get(address_of(payment).replace("acme", "zenith")).status_code == 404


def test_while_the_bank_is_silent_the_page_says_that_it_waits(app, staff, payment):
    def says_nothing(_request):
        raise ResultUnknown

    with facts(app):
        way_back = answers(says_nothing)
    confirm(staff, payment, "2")
    page = staff.get(address_of(payment))
    assert page.headers["Refresh"] == "3"
    assert "The refund of €39.60 is being confirmed." in rows(page)[1]
    assert "Another refund of this payment is being confirmed." in rows(page)[0]
    with facts(app):
        way_back()


# --- what the workspace's own people see ----------------------------------------------------------


@pytest.fixture
def owner(app, staff, payment):
    """After the licences went back."""
    confirm(staff, payment, "2")
    browser = app.test_client()
    with facts(app):
        visit_as(browser, owner_of(Invoice.get().workspace))
    return browser


# What has ended is neither changed nor cancelled; documents are made before they are exported.
PAGES = {
    "history": 200,
    "invoices/INV-2026-000001": 200,
    "invoices/CN-2026-000001": 200,
    "subscriptions": 200,
    "subscriptions/new": 200,
    "subscriptions/new?product=meetings": 200,
    "subscriptions/meetings/change": 409,
    "subscriptions/meetings/cancel": 409,
    "subscriptions/trial/meetings": 200,
    "licences": 200,
    "plans": 200,
    "cart": 200,
    "settings/export": 202,
}


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("path", PAGES)
def test_no_page_of_the_workspace_stumbles_over_it(owner, path, language):
    address = f"/w/acme/{path}{'&' if '?' in path else '?'}lang={language}"
    assert owner.get(address, follow_redirects=True).status_code == PAGES[path]


def test_the_history_names_what_was_refunded_in_part(owner):
    page = owner.get("/w/acme/history")
    found = [spaced(text_of(row)) for row in by_testid(parse(page.text), "history-row")]
    assert ["Partly refunded" in row for row in found] == [False, True]
    # It went back to the card, and is not kept.
    assert ["Balance" in row for row in found] == [False, False]
    statement = owner.get("/w/acme/invoices/CN-2026-000001").text
    assert "Refunded to" in statement and "line 2" in statement
    assert marked(owner.get("/w/acme/invoices/INV-2026-000001"), "credit-notes") == [
        "€39.60 of it was credited: see credit note CN-2026-000001."
    ]


def test_the_order_itself_is_paid_still(owner, payment):
    assert owner.get(f"/w/acme/checkout/{payment.order.number}/result").status_code == 200
    # Its owner cannot send the rest back.
    refused = owner.get(f"/w/acme/history/refunds/{payment.key}")
    assert "so this payment cannot be sent back. Please contact us." in spaced(refused.text)
