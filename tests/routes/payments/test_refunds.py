"""The refund of the last payment on the pages: what it undoes, its confirmation, its result, its papers."""

import re
from datetime import UTC, datetime

import pytest

from portal.domain.vocabulary import RefundState, Role
from portal.gateways.base import RefundRefusal, RefundRefused, ResultUnknown
from portal.models import Document, Invoice, Order, Payment, Plan, Refund, Subscription
from portal.runtime import Runtime, current, install
from portal.services.invoices import pdfs
from portal.worker.jobs import drain_outbox
from tests import licensed, paying
from tests.books import assert_books_clean
from tests.factories import a_catalogue, a_member, a_person, a_workspace, owner_of, seen_by
from tests.pages import by_testid, csrf_of, parse, spaced, text_of
from tests.visiting import facts, visit_as

PART = {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Target": "div#refund"}


@pytest.fixture
def acme(app):
    with facts(app):
        a_catalogue()
        return a_workspace()


@pytest.fixture
def payment(app, acme):
    with facts(app):
        return bought(acme)


@pytest.fixture
def owner(app, acme, client):
    with facts(app):
        visit_as(client, owner_of(acme))
    return client


def bought(workspace, plan="business-5", **options):
    place = seen_by(owner_of(workspace), workspace)
    return paying.pay(paying.an_order(place, plan), **options)


def address_of(payment):
    return f"/w/acme/history/refunds/{payment.key}"


def confirm(client, payment, *, shown=None, headers=None):
    page = client.get(address_of(payment)).get_data(as_text=True)
    found = re.search(r'name="shown" value="([0-9a-f]{64})"', page)
    fields = {"csrf_token": csrf_of(page), "shown": shown or (found.group(1) if found else "")}
    return client.post(address_of(payment), data=fields, headers=headers)


def marked(response, name):
    html = response.get_data(as_text=True)
    found = re.search(rf'data-testid="{name}"[^>]*>(.*?)</(?:dd|span|p|a)>', html, re.S)
    return spaced(re.sub(r"<[^>]+>", "", found.group(1))) if found else None


class Between:
    def __init__(self, sandbox, answer):
        self._sandbox, self._answer = sandbox, answer

    def __getattr__(self, name):
        return getattr(self._sandbox, name)

    def refund(self, request):
        return self._answer(request)


def answers(answer):
    """From now on the gateway answers so to a refund; returns the way back."""
    runtime = current()
    install(
        Runtime(runtime.settings, runtime.clock, {"sandbox": Between(runtime.gateways["sandbox"], answer)})
    )
    return lambda: install(runtime)


def says_nothing(request):
    raise ResultUnknown


# --- the history ----------------------------------------------------------------------------------


def test_the_row_of_the_last_payment_leads_to_its_refund(app, acme, owner, payment, clock):
    page = owner.get("/w/acme/history").text
    assert page.count('data-testid="refund-link"') == 1
    assert f'href="{address_of(payment)}"' in page
    assert "The last payment can be refunded until 20 December 2026." in spaced(page)
    clock.advance(days=15)
    with facts(app):
        second = bought(acme)
    page = owner.get("/w/acme/history").text
    assert (address_of(second) in page, address_of(payment) in page) == (True, False)


def test_too_late_the_history_says_until_when(owner, payment, clock):
    clock.set(datetime(2026, 12, 21, 9, tzinfo=UTC))
    page = owner.get("/w/acme/history").text
    assert 'data-testid="refund-link"' not in page
    assert "The last payment could be refunded until 20 December 2026." in spaced(page)


@pytest.mark.parametrize(
    ("role", "upgrader", "sees"),
    [
        (Role.BILLING_MANAGER, False, True),
        (Role.MEMBER, True, True),
        (Role.ADMIN, False, False),
        (Role.MEMBER, False, False),
    ],
)
def test_whoever_may_not_refund_sees_nothing_of_it(app, acme, payment, client, role, upgrader, sees):
    with facts(app):
        person = a_person("other@acme.test")
        member = a_member(acme, person, role=role)
        type(member).update(is_upgrader=upgrader).where(type(member).id == member.id).execute()
        visit_as(client, person)
    page = client.get("/w/acme/history").text
    assert ('data-testid="refund-link"' in page, "can be refunded" in page) == (sees, sees)
    assert client.get(address_of(payment)).status_code == (200 if sees else 403)


def test_a_credit_note_is_a_row_with_a_negative_amount(owner, payment):
    confirm(owner, payment)
    page = owner.get("/w/acme/history?lang=fr").text
    rows = re.findall(r'data-testid="history-row">(.*?)</tr>', page, re.S)
    assert ["CN-2026-000001" in rows[0], "INV-2026-000001" in rows[1]] == [True, True]
    assert "−33,60\xa0€" in rows[0].replace("\u202f", "\xa0")
    assert "Avoir" in rows[0] or "Credit note" in rows[0]
    assert "33,60" in rows[1] and "−33,60" not in rows[1]
    assert ["Remboursé" in row for row in rows] == [False, True]
    assert 'href="/w/acme/invoices/CN-2026-000001.pdf"' in rows[0]
    assert 'data-testid="refund-link"' not in page
    # The plans page shows the same rows.
    assert "CN-2026-000001" in owner.get("/w/acme/plans").text


# --- before ---------------------------------------------------------------------------------------


def test_the_page_says_what_will_be_lost(owner, payment):
    page = owner.get(address_of(payment))
    assert page.status_code == 200
    assert marked(page, "refund-total") == "€33.60"
    assert marked(page, "refund-method") == "Visa •••• 4242"
    assert marked(page, "refund-invoice") == "INV-2026-000001"
    assert marked(page, "refund-before") == "Business 5, monthly until 21 December 2026"
    assert marked(page, "refund-after") == "Free trial until 21 December 2026"
    assert marked(page, "refund-days") == "0"
    said = "€33.60</span> will be refunded to Visa •••• 4242, as if this payment had never been made."
    assert said in spaced(page.text)
    assert "This is possible until 20 December 2026." in spaced(page.text)
    assert "Refund €33.60" in page.text


def test_auto_renewal_and_a_scheduled_plan_are_said_to_end(app, acme, owner):
    with facts(app):
        payment = bought(acme, auto_renewal=True)
        Subscription.update(
            scheduled_plan=Plan.get(Plan.code == "business-3"), scheduled_interval="month"
        ).execute()
    page = owner.get(address_of(payment)).text
    assert "<p>Automatic renewal is switched off, and any price guarantee ends with it.</p>" in page
    assert "<p>The change to the Business 3 plan is withdrawn.</p>" in page


def test_a_trial_that_is_past_is_said_to_be_due_at_once(app, acme, owner, clock):
    clock.advance(days=29)
    with facts(app):
        payment = bought(acme)
    clock.set(datetime(2027, 1, 10, 9, tzinfo=UTC))
    page = owner.get(address_of(payment))
    assert marked(page, "refund-after") == "Free trial until 21 December 2026"
    assert "ended on 21 December 2026" in spaced(page.text)
    assert "blocked from 11 January 2027" in spaced(page.text)
    assert marked(page, "refund-days") == "10"


def test_use_above_the_earlier_plan_is_said_with_both_figures(app, acme, owner):
    with facts(app):
        bought(acme, "business-3")
        payment = bought(acme, "business-10")
        for n in range(4):
            a_member(acme, a_person(f"m{n}@acme.test"))
    page = owner.get(address_of(payment)).text
    assert "Your usage is over the limits of the Business 3 plan" in page
    assert "Maximum number of users: 3. Active users now: 5." in page


# --- asking ---------------------------------------------------------------------------------------


def test_confirmed_it_is_refunded_and_the_page_says_so(app, owner, payment):
    answer = confirm(owner, payment)
    assert (answer.status_code, answer.headers["Location"]) == (303, address_of(payment))
    page = owner.get(address_of(payment))
    assert "Refund complete" in page.text
    assert marked(page, "refund-total") == "€33.60"
    assert 'href="/w/acme/invoices/CN-2026-000001.pdf"' in page.text
    assert marked(page, "refund-after") == "Free trial until 21 December 2026"
    with facts(app):
        assert Refund.get().person == owner_of(Refund.get().workspace)
        assert_books_clean()
    # Sent again, from a page that was still open: the same result.
    again = confirm(owner, payment)
    assert (again.status_code, again.headers["Location"]) == (303, address_of(payment))
    with facts(app):
        assert (Refund.select().count(), Invoice.select().count()) == (1, 2)


def test_htmx_is_told_where_to_go(owner, payment):
    answer = confirm(owner, payment, headers=PART)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, address_of(payment))


def test_nothing_is_refunded_when_something_else_was_shown(app, owner, payment):
    for headers in (None, PART):
        answer = confirm(owner, payment, shown="0" * 64, headers=headers)
        assert answer.status_code == 409
        assert "Nothing was refunded. Something has changed" in answer.text
    assert confirm(owner, payment).status_code == 303


@pytest.mark.parametrize("shown", ["", "x", "\x00", "é" * 5000])
def test_hostile_input_refunds_nothing(app, owner, payment, shown):
    assert confirm(owner, payment, shown=shown or " ").status_code == 409
    with facts(app):
        assert Refund.select().count() == 0


def test_without_a_token_nothing_is_refunded(app, owner, payment):
    assert owner.post(address_of(payment), data={"shown": "x"}).status_code == 400
    with facts(app):
        assert Refund.select().count() == 0


def test_too_late_the_page_says_until_when_it_was_possible(owner, payment, clock):
    clock.set(datetime(2026, 12, 21, 9, tzinfo=UTC))
    sentence = "It is too late: this payment could be refunded until 20 December 2026."
    page = owner.get(address_of(payment))
    assert (page.status_code, sentence in spaced(page.text)) == (200, True)
    answer = confirm(owner, payment)
    assert (answer.status_code, sentence in spaced(answer.text)) == (422, True)


def test_an_older_payment_says_that_it_is_not_the_last(app, acme, owner, payment, clock):
    clock.advance(days=15)
    with facts(app):
        bought(acme)
    assert "Only the last payment can be refunded" in owner.get(address_of(payment)).text


@pytest.mark.settings(PORTAL_GATEWAY_TIMEOUT="0.5")
def test_while_another_payment_is_open_the_page_says_to_wait(app, acme, owner, payment):
    with facts(app):
        bought(acme, "business-10", number=paying.SILENT_CHARGED)
    assert "Please try again once its result is known." in owner.get(address_of(payment)).text


@pytest.mark.parametrize("key", ["0" * 32, "x", "INV-2026-000001"])
def test_what_is_no_payment_is_not_found(owner, payment, key):
    assert owner.get(f"/w/acme/history/refunds/{key}").status_code == 404


# --- the result -----------------------------------------------------------------------------------


def test_without_an_answer_the_page_follows_it(app, owner, payment, clock):
    from portal.services.payments import refunds

    with facts(app):
        back = answers(says_nothing)
    assert confirm(owner, payment).status_code == 303
    page = owner.get(address_of(payment))
    assert "Your refund is being confirmed" in page.text
    assert page.headers["Refresh"] == "3"
    history = owner.get("/w/acme/history").text
    assert "Refund being confirmed" in history
    with facts(app):
        assert Refund.get().state == RefundState.UNKNOWN
        back()
        refunds.reconcile(now=clock.now())
    part = owner.get(address_of(payment), headers={**PART, "HX-Target": "div#outcome"})
    assert part.headers["HX-Redirect"] == address_of(payment)
    assert "Refund complete" in owner.get(address_of(payment)).text


def test_an_open_refund_is_told_where_it_stands_in_the_way(app, acme, owner, payment):
    """On every page but its own, and with what it means where one orders; a plain member gets no link."""
    later = "You can order once the result of the refund is known."
    told = "The refund of €33.60 is being confirmed."
    with facts(app):
        number = paying.an_order(seen_by(owner_of(acme), acme), "business-10").number
    assert later not in owner.get("/w/acme/plans?price=business-10:month").text
    with facts(app):
        answers(says_nothing)
    confirm(owner, payment)
    plans = parse(owner.get("/w/acme/plans?price=business-10:month").text)
    assert text_of(by_testid(plans, "state-banner")[0]).startswith(told)
    assert by_testid(plans, "plan-action")[0].get("disabled") is not None
    assert later in text_of(plans)
    for page in (f"checkout/{number}", f"checkout/{number}/review"):
        [banner] = by_testid(parse(owner.get(f"/w/acme/{page}").text), "state-banner")
        assert text_of(banner).startswith(told) and later in text_of(banner)
        assert [link.get("href") for link in banner.iter("a")] == [address_of(payment)]
    [banner] = by_testid(parse(owner.get("/w/acme/history").text), "state-banner")
    assert later not in text_of(banner)
    assert by_testid(parse(owner.get(address_of(payment)).text), "state-banner") == []
    assert "/w/acme/plans/free" not in {link.get("href") for link in plans.iter("a")}
    free = owner.get("/w/acme/plans/free").text
    assert "You can change the plan once the result of the refund is known." in free
    assert "free-plan-confirm" not in free
    sent = {"csrf_token": csrf_of(owner.get("/w/acme/plans").text), "price": "business-10:month"}
    refused = owner.post("/w/acme/plans", data={**sent, "confirmed": "1"})
    assert (refused.status_code, later in refused.text) == (409, True)
    with facts(app):
        assert Order.select().count() == 2
        member = a_person("member@acme.test")
        a_member(acme, member, role=Role.MEMBER)
        visit_as(owner, member)
    [banner] = by_testid(parse(owner.get("/w/acme/plans").text), "state-banner")
    assert text_of(banner) == (
        "A refund for this workspace is being confirmed. Nothing can be paid until its result is known."
    )


def test_refused_the_page_says_why_and_that_nothing_changed(app, owner, payment):
    with facts(app):
        answers(lambda request: RefundRefused(RefundRefusal.DISPUTED))
    assert confirm(owner, payment).status_code == 303
    page = owner.get(address_of(payment))
    assert "Nothing was refunded: you disputed this payment" in page.text
    with facts(app):
        answers(lambda request: RefundRefused(RefundRefusal.NOT_CAPTURED))
    confirm(owner, payment)
    assert "Nothing was refunded: the bank refused." in owner.get(address_of(payment)).text


# --- documents ------------------------------------------------------------------------------------


def test_the_credit_note_has_a_page_and_names_its_invoice(owner, payment):
    confirm(owner, payment)
    page = owner.get("/w/acme/invoices/CN-2026-000001").text
    assert "<h1>Credit note" in page
    assert "It cancels invoice" in page and 'href="/w/acme/invoices/INV-2026-000001"' in page
    assert "Refunded to" in page
    invoice = owner.get("/w/acme/invoices/INV-2026-000001").text
    assert "It was refunded: see credit note" in invoice
    assert 'href="/w/acme/invoices/CN-2026-000001"' in invoice


def test_the_credit_note_is_made_once_and_its_bytes_stay(app, owner, payment):
    confirm(owner, payment)
    waiting = owner.get("/w/acme/invoices/CN-2026-000001.pdf")
    assert (waiting.status_code, "Your credit note is being prepared" in waiting.text) == (202, True)
    with facts(app):
        note = Invoice.get(Invoice.number == "CN-2026-000001")
        pdfs.prepare(note.id)
    first, second = (owner.get("/w/acme/invoices/CN-2026-000001.pdf") for _ in range(2))
    assert first.status_code == 200
    assert first.data == second.data
    assert first.data.startswith(b"%PDF")
    with facts(app):
        assert Document.select().where(Document.invoice == note).count() == 3
        assert_books_clean()


@pytest.mark.engine("sqlite")
def test_the_worker_makes_the_credit_note(app, owner, payment):
    confirm(owner, payment)
    with facts(app):
        drain_outbox(current(), limit=20)
        note = Invoice.get(Invoice.number == "CN-2026-000001")
        assert pdfs.find(note.id, "fr") is not None


# --- elsewhere ------------------------------------------------------------------------------------


def test_the_result_of_a_refunded_order_leads_to_its_refund(app, acme, owner, payment):
    result = f"/w/acme/checkout/{payment.order.number}/result"
    assert owner.get(result).status_code == 200
    confirm(owner, payment)
    answer = owner.get(result)
    assert (answer.status_code, answer.headers["Location"]) == (303, address_of(payment))


def test_an_order_beside_an_open_refund_is_not_charged_and_leads_to_it(app, acme, owner, payment):
    with facts(app):
        order = paying.an_order(seen_by(owner_of(acme), acme), "business-10")
        answers(says_nothing)
    confirm(owner, payment)
    review = f"/w/acme/checkout/{order.number}/review"
    page = owner.get(review).get_data(as_text=True)
    card = {"number": paying.PAID, "exp_month": "12", "exp_year": "2030", "security_code": "123"}
    fields = {"csrf_token": csrf_of(page), "quote": order.quote_hash, "holder": "Jeanne Martin", **card}
    answer = owner.post(review, data=fields, follow_redirects=True)
    assert "Your refund is being confirmed" in answer.text
    with facts(app):
        assert len(paying.paid_charges()) == 1


def test_a_payment_for_licences_alone_is_refunded_by_nobody_here(app, acme, owner):
    with facts(app):
        licensed.bought(seen_by(owner_of(acme), acme), quantity=2)
        key = Payment.get().key
    page = owner.get(f"/w/acme/history/refunds/{key}")
    assert page.status_code == 200
    assert "Only payments for the plan can be refunded here." in spaced(page.text)
