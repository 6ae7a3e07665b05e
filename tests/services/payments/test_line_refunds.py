"""What the vendor's staff sends back of an order with several lines: one, then another, or all, each once."""

from datetime import date

import pytest

from portal.domain.choices import Choice
from portal.domain.money import Money
from portal.domain.pricing import facts_hash
from portal.domain.vocabulary import Interval, OrderKind, OrderState, RefundState, SubscriptionState
from portal.gateways.base import RefundRefusal, RefundRefused, ResultUnknown
from portal.mail.writing import names_needed
from portal.models import (
    Invoice,
    Licence,
    Order,
    OrderLine,
    Payment,
    Person,
    Product,
    Refund,
    Subscription,
    SubscriptionPeriod,
)
from portal.services import ledger, open_money
from portal.services.checkout import ordering
from portal.services.invoices import crediting, history
from portal.services.payments import line_refunds, refund_quotes, refunds
from portal.services.payments.refund_quotes import NotRefundable, RefundImpossible, RefusalReason
from portal.services.payments.refunds import RefundChanged
from portal.services.renewals import run
from portal.services.subscriptions import agreement, cancellation, licences
from tests.books import assert_books_clean, broken_books
from tests.factories import CATALOGUE, a_member, a_person, letters
from tests.licensed import bought, tried
from tests.passing import pass_days
from tests.paying import apply_catalogue, paid_charges, pay, reloaded, with_details
from tests.services.payments.test_concurrency import at_once, faults_of
from tests.services.payments.test_from_balance import keep
from tests.services.payments.test_refunds import behind, is_away, refunds_and_says_nothing

pytestmark = pytest.mark.both_engines

MONTH, YEAR = Interval.MONTH, Interval.YEAR
PLAN, MEETINGS, WEBINAR = 1, 2, 3
# By the month business-5 is 28.00, 3 Meetings Essential 33.00, 2 Webinar Standard 90.00; + 20 %.
CHOICES = (
    Choice("business-5", MONTH),
    Choice("meetings-essential", MONTH, 3),
    Choice("webinar-standard", MONTH, 2),
)


@pytest.fixture
def operator(database):
    return a_person("staff@vendor.test", operator=True, password=False)


def ordered(place, clock, *choices):
    opened = ordering.open_order(place, choices=choices, currency="EUR", now=clock.now())
    return with_details(opened, place)


@pytest.fixture
def payment(place, clock):
    """Of 181.20: the plan, three licences of Meetings, two of Webinar."""
    return pay(ordered(place, clock, *CHOICES))


def found(payment):
    return refund_quotes.find_payment(payment.workspace, payment.key)


def offered(payment, clock):
    return line_refunds.of_payment(payment.workspace.slug, payment.key, now=clock.now()).lines


def preview(payment, position, clock):
    payment = found(payment)
    return line_refunds.preview(payment, line_refunds.chosen_line(payment, position), now=clock.now())


def refund(payment, position, operator, clock):
    """Look at what it does, and confirm; None for the whole order."""
    shown, payment = preview(payment, position, clock), found(payment)
    return refunds.ask_refund_of_line(
        payment,
        line_refunds.chosen_line(payment, position),
        by=operator,
        shown_hash=shown.hash,
        now=clock.now(),
    )


def why_not(payment, position, clock):
    with pytest.raises(RefundImpossible) as refused:
        preview(payment, position, clock)
    return refused.value.refusal


def of_product(code):
    subscription = Subscription.select().join(Product).where(Product.code == code).get()
    [subscription] = agreement.with_catalogue([subscription])
    return subscription


def state_of(code, place, clock):
    subscription = of_product(code)
    subscription.workspace = place.workspace
    return agreement.status_of(subscription, today=place.workspace.day(clock.now())).state


def sent_back():
    return [charge.refunded_minor for charge in paid_charges()]


def notes():
    return [each for each in Invoice.select().order_by(Invoice.id) if each.credits_id is not None]


# --- one line -------------------------------------------------------------------------------------


def test_one_line_goes_back_and_the_others_stay(place, clock, payment, operator):
    before = of_product("office").due_on, of_product("webinar").due_on
    asked = refund(payment, MEETINGS, operator, clock)
    assert (asked.state, asked.amount_minor, asked.person_id) == (RefundState.SUCCEEDED, 3960, operator.id)
    assert sent_back() == [3960]
    lines = OrderLine.select().order_by(OrderLine.position)
    assert [line.refunded_at is None for line in lines] == [True, False, True]
    assert Order.get().state == OrderState.PAID
    assert (of_product("office").due_on, of_product("webinar").due_on) == before
    meetings = of_product("meetings")
    assert (meetings.price, meetings.due_on, meetings.auto_renewal) == (None, None, False)
    assert state_of("meetings", place, clock) is SubscriptionState.ENDED
    assert_books_clean()


def test_the_credit_note_is_of_that_line_at_the_rate_of_its_invoice(place, clock, payment, operator):
    clock.advance(days=3)
    asked = refund(payment, MEETINGS, operator, clock)
    [note] = notes()
    invoice = Invoice.get_by_id(note.credits_id)
    assert Refund.get_by_id(asked.id).credit_note == note
    assert (note.net_minor, note.tax_minor, note.total_minor) == (3300, 660, 3960)
    assert note.facts["tax"] == invoice.facts["tax"]
    [line] = note.facts["lines"]
    assert (line["credits"]["position"], line["quantity"], line["rate_bp"]) == (MEETINGS, 3, 2000)
    assert line["period"] == invoice.facts["lines"][MEETINGS - 1]["period"]
    assert note.facts["payment"] == invoice.facts["payment"] | {"paid_on": "2026-11-24"}
    # All of it was sent back: nothing is kept, and nothing of the line is left to credit.
    assert ledger.balance_of(place.workspace, "EUR") == Money(0, "EUR")
    assert crediting.running_lines(invoice)[MEETINGS - 1].days_left(date(2026, 11, 21)) == 0
    page = history.page_of(place.workspace, size=10)
    assert [(row.number, row.is_refunded, row.is_partly_refunded, row.is_kept) for row in page.rows] == [
        (note.number, False, True, False),
        (invoice.number, False, True, False),
    ]


def test_another_line_goes_back_later_and_the_order_with_the_last(place, clock, payment, operator):
    for position, state in ((WEBINAR, OrderState.PAID), (PLAN, OrderState.PAID), (MEETINGS, "refunded")):
        refund(payment, position, operator, clock)
        assert Order.get().state == state
        assert_books_clean()
        clock.advance(days=1)
    assert sent_back() == [payment.amount_minor]
    assert [note.total_minor for note in notes()] == [10800, 3360, 3960]
    assert of_product("office").plan.code == "trial"
    assert {why_not(payment, each, clock).reason for each in (PLAN, MEETINGS, WEBINAR)} == {
        RefusalReason.REFUNDED
    }
    page = history.page_of(place.workspace, size=10)
    assert [(row.is_refunded, row.is_kept) for row in page.rows] == [(True, False)] * 4


def test_all_of_an_order_goes_back_by_one_credit_note(place, clock, payment, operator):
    shown = preview(payment, None, clock)
    assert (shown.amount.minor, shown.kept.minor, len(shown.undone)) == (payment.amount_minor, 0, 3)
    asked = refund(payment, None, operator, clock)
    assert (asked.amount_minor, asked.line_id) == (payment.amount_minor, None)
    [note] = notes()
    assert (note.total_minor, Order.get().state) == (payment.amount_minor, OrderState.REFUNDED)
    assert state_of("meetings", place, clock) is state_of("webinar", place, clock) is SubscriptionState.ENDED
    assert of_product("office").plan.code == "trial"
    assert_books_clean()
    assert [each.found.reason for each in offered(payment, clock)] == [RefusalReason.REFUNDED] * 3


def test_once_a_line_went_back_all_is_not_offered(clock, payment, operator):
    assert [each.line is None for each in offered(payment, clock)] == [False, False, False, True]
    refund(payment, MEETINGS, operator, clock)
    found_now = [each.found for each in offered(payment, clock)]
    assert [isinstance(each, NotRefundable) for each in found_now] == [False, True, False]
    assert why_not(payment, None, clock).reason == RefusalReason.REFUNDED


def test_the_only_line_of_an_order_is_all_of_it(place, clock, operator):
    bought(place, quantity=2)
    asked = refund(Payment.get(), 1, operator, clock)
    assert (asked.line_id, asked.amount_minor, Order.get().state) == (None, 2640, OrderState.REFUNDED)
    [note] = notes()
    assert "credits" not in note.facts["lines"][0]
    assert state_of("meetings", place, clock) is SubscriptionState.ENDED
    assert_books_clean()


def test_what_the_balance_had_paid_of_a_line_stays_in_the_balance(place, clock, operator):
    """13.20 are kept, so 128.40 of 141.60 are charged; of the plan 33.60 × 128.40 ÷ 141.60 = 30.468."""
    assert keep(place, clock) == 1320
    order = ordered(place, clock, Choice("business-5", MONTH), Choice("webinar-standard", MONTH, 2))
    payment = pay(reloaded(order))
    assert payment.amount_minor == 12840
    shown = preview(payment, 1, clock)
    assert (shown.amount.minor, shown.kept.minor, shown.total.minor) == (3047, 313, 3360)
    refund(payment, 1, operator, clock)
    assert ledger.balance_of(place.workspace, "EUR") == Money(313, "EUR")
    assert notes()[-1].facts["payment"]["from_balance_minor"] == 313
    assert_books_clean()
    refund(payment, 2, operator, clock)
    assert ledger.balance_of(place.workspace, "EUR") == Money(1320, "EUR")
    assert sent_back()[-1] == 12840
    assert_books_clean()


def one_cent_charged(place, clock):
    """13.20 are kept; of 13.20 for the plan and 0.01 for a licence of Webinar 0.01 is charged."""
    text = CATALOGUE.read_text()
    for code, listed, minor in (("business-5", 2800, 1100), ("webinar-standard", 4500, 1)):
        before, after = text.split(f'code = "{code}"')
        text = f'{before}code = "{code}"' + after.replace(f"{listed} }}", f"{minor} }}", 1)
    apply_catalogue(text)
    assert keep(place, clock) == 1320
    choices = Choice("business-5", MONTH), Choice("webinar-standard", MONTH, 1)
    payment = pay(reloaded(ordered(place, clock, *choices)))
    assert payment.amount_minor == 1
    return payment


def test_a_line_whose_share_rounds_to_zero_goes_back_with_the_others(place, clock, operator):
    payment = one_cent_charged(place, clock)
    assert why_not(payment, 2, clock) == NotRefundable(RefusalReason.ONLY_TOGETHER)
    shown = preview(payment, None, clock)
    assert [(each.sent_back.minor, each.kept.minor) for each in shown.undone] == [(1, 1319), (0, 1)]
    refund(payment, None, operator, clock)
    assert ledger.balance_of(place.workspace, "EUR") == Money(1320, "EUR")
    assert (sent_back()[-1], Order.select().order_by(Order.id.desc()).get().state) == (1, OrderState.REFUNDED)
    assert state_of("webinar", place, clock) is SubscriptionState.ENDED
    assert_books_clean()


def test_a_line_whose_share_rounds_to_zero_stays_where_another_went_back_before(place, clock, operator):
    payment = one_cent_charged(place, clock)
    refund(payment, 1, operator, clock)
    assert why_not(payment, 2, clock) == NotRefundable(RefusalReason.NOTHING_PAID)
    assert state_of("webinar", place, clock) is SubscriptionState.PAID
    assert_books_clean()


def test_whoever_pays_and_the_buyer_read_what_has_ended(place, clock, payment, operator):
    refund(payment, MEETINGS, operator, clock)
    sent = letters("products_refunded")
    assert {letter["to"] for letter in sent} == {"jeanne.martin@acme.example"}
    context = sent[0]["context"]
    assert (context["total_minor"], context["kept_minor"], context["credit_note"]) == (
        3960,
        0,
        notes()[0].number,
    )
    [left] = context["left"]
    assert (left["sold_names"]["en"], left["has_ended"]) == ("Meetings Essential", True)
    assert sent[0]["attachments"] == [{"invoice_id": notes()[0].id, "locale": "en"}]
    refund(payment, PLAN, operator, clock)
    assert letters("refunded")[0]["context"]["plan_names"]["en"] == "Free trial"


# --- as it was before -----------------------------------------------------------------------------


def test_a_trial_that_still_runs_goes_on(place, clock, operator):
    """As many licences as were bought, and no more than may be tried."""
    Product.update(trial_licences=2).where(Product.code == "meetings").execute()
    tried(place, quantity=2)
    clock.advance(days=2)
    bought(place, quantity=4)
    clock.advance(days=1)
    refund(Payment.get(), 1, operator, clock)
    meetings = of_product("meetings")
    assert (meetings.due_on, meetings.quantity, meetings.price) == (meetings.trial_until, 2, None)
    assert state_of("meetings", place, clock) is SubscriptionState.TRIAL
    assert_books_clean()


def test_a_trial_that_is_over_has_ended(place, clock, operator):
    tried(place)
    clock.advance(days=10)
    bought(place, quantity=4)
    clock.advance(days=10)
    shown = preview(Payment.get(), 1, clock)
    assert shown.undone[0].restored.has_ended
    refund(Payment.get(), 1, operator, clock)
    meetings = of_product("meetings")
    assert (meetings.due_on, meetings.quantity) == (meetings.trial_until, 4)
    assert state_of("meetings", place, clock) is SubscriptionState.ENDED
    assert_books_clean()


def test_a_renewal_goes_back_and_what_was_paid_before_is_due(place, clock, operator):
    """Bought on 21 November, renewed on 21 December; on the 25th it is due at once."""
    pay(ordered(place, clock, Choice("meetings-essential", MONTH, 3)), auto_renewal=True)
    for _ in range(34):
        clock.advance(days=1)
        run.run_due(now=clock.now())
    first, renewal = Payment.select().order_by(Payment.id)
    assert why_not(first, 1, clock).reason == RefusalReason.NOT_LAST
    shown = preview(renewal, 1, clock).undone[0]
    assert (shown.restored.ends_on, shown.restored.due_on) == (date(2026, 12, 21), date(2026, 12, 25))
    refund(renewal, 1, operator, clock)
    meetings = of_product("meetings")
    assert (meetings.quantity, meetings.due_on, meetings.auto_renewal) == (3, date(2026, 12, 25), False)
    assert state_of("meetings", place, clock) is SubscriptionState.PAID
    # The one before does not become the last.
    assert why_not(first, 1, clock).reason == RefusalReason.NOT_LAST
    assert_books_clean()
    for _ in range(3):
        clock.advance(days=1)
        run.run_due(now=clock.now())
    assert len(paid_charges()) == 2
    assert_books_clean()


def test_a_cancelled_one_ends_at_once(place, clock, payment, operator):
    meetings = of_product("meetings")
    meetings.workspace = place.workspace
    cancellation.cancel(meetings, shown_ends_on=meetings.due_on.isoformat(), now=clock.now())
    refund(payment, MEETINGS, operator, clock)
    assert state_of("meetings", place, clock) is SubscriptionState.ENDED
    assert of_product("meetings").cancelled_at is None
    assert_books_clean()


def test_what_went_back_is_bought_and_tried_anew(place, clock, payment, operator):
    refund(payment, MEETINGS, operator, clock)
    refund(payment, WEBINAR, operator, clock)
    clock.advance(days=1)
    assert bought(place, quantity=2).due_on == date(2026, 12, 22)
    assert tried(place, "webinar-standard").trial_until is not None
    assert state_of("webinar", place, clock) is SubscriptionState.TRIAL
    assert_books_clean()


def test_time_brings_nothing_to_what_was_undone(place, clock, payment, operator):
    refund(payment, MEETINGS, operator, clock)
    told = len(letters())
    for _ in range(40):
        clock.advance(days=1)
        run.run_due(now=clock.now())
    assert state_of("meetings", place, clock) is SubscriptionState.ENDED
    about_meetings = [
        letter
        for letter in letters()[told:]
        if letter["context"].get("plan_names", {}).get("en") == "Meetings Essential"
    ]
    assert about_meetings == []
    assert_books_clean()


def test_licences_that_had_ended_and_were_bought_anew_have_ended_again(place, clock, operator):
    pay(ordered(place, clock, Choice("business-5", YEAR)))
    bought(place, quantity=1)
    meetings = of_product("meetings")
    meetings.workspace = place.workspace
    cancellation.cancel(meetings, shown_ends_on=meetings.due_on.isoformat(), now=clock.now())
    pass_days(clock, 60)
    assert state_of("meetings", place, clock) is SubscriptionState.ENDED
    bought(place, quantity=3)
    # More members hold one than had been bought before: nobody will need a place any more.
    anew = of_product("meetings")
    anew.workspace = place.workspace
    members = [a_member(place.workspace, a_person(f"m{n}@acme.test")) for n in range(2)]
    licences.assign(anew, [each.id for each in members], by=operator, now=clock.now())
    refund(Payment.select().order_by(Payment.id.desc()).get(), 1, operator, clock)
    assert state_of("meetings", place, clock) is SubscriptionState.ENDED
    pass_days(clock, 40)
    assert state_of("meetings", place, clock) is SubscriptionState.ENDED
    assert_books_clean()


# --- what is refused ------------------------------------------------------------------------------


def changed(place, clock, quantity):
    """So many licences of Meetings from today: a credit note, an invoice, the difference."""
    opened = ordering.open_change(
        place,
        Choice("meetings-essential", MONTH, quantity, OrderKind.CHANGE),
        currency="EUR",
        now=clock.now(),
    )
    return pay(with_details(opened, place))


def test_a_line_that_was_changed_since_stays(place, clock, payment, operator):
    clock.advance(days=5)
    change = changed(place, clock, 5)
    assert why_not(payment, MEETINGS, clock) == NotRefundable(RefusalReason.PARTLY_CREDITED)
    assert why_not(change, 1, clock) == NotRefundable(RefusalReason.GAVE_BACK)
    # Nothing hinders the others, before and after.
    refund(payment, WEBINAR, operator, clock)
    assert of_product("meetings").quantity == 5
    clock.advance(days=1)
    changed(place, clock, 6)
    assert_books_clean()


@pytest.mark.parametrize(("interval", "days"), [(MONTH, 29), (YEAR, 30)], ids=["month", "year"])
def test_each_line_has_the_last_day_of_its_interval(place, clock, interval, days):
    payment = pay(ordered(place, clock, Choice("meetings-essential", interval, 1), CHOICES[2]))
    clock.advance(days=days)
    assert preview(payment, 1, clock).last_day == clock.now().date()
    clock.advance(days=1)
    refused = why_not(payment, 1, clock)
    assert refused.reason == RefusalReason.TOO_LATE
    assert (clock.now().date() - refused.last_day).days == 1


def test_no_licence_is_left_without_a_place(place, clock, operator):
    """Of three that are assigned a trial of one would be left."""
    Product.update(trial_licences=1).where(Product.code == "meetings").execute()
    tried(place, quantity=1)
    pay(ordered(place, clock, Choice("business-10", MONTH)))
    meetings = bought(place, quantity=3)
    meetings.workspace = place.workspace
    people = [a_member(place.workspace, a_person(f"{name}@acme.test", password=False)) for name in "abc"]
    licences.assign(meetings, [each.id for each in people], by=operator, now=clock.now())
    payment = Payment.select().order_by(Payment.id.desc()).get()
    assert why_not(payment, 1, clock) == NotRefundable(RefusalReason.LICENCES_ASSIGNED, assigned=3, left=1)
    licences.take_back(meetings, [each.id for each in people[1:]], now=clock.now())
    refund(payment, 1, operator, clock)
    assert (of_product("meetings").quantity, Licence.select().count()) == (1, 1)
    assert_books_clean()


def test_licences_of_what_has_ended_are_left_alone(place, clock, payment, operator):
    meetings = of_product("meetings")
    meetings.workspace = place.workspace
    licences.assign(meetings, [place.member.id], by=operator, now=clock.now())
    refund(payment, MEETINGS, operator, clock)
    assert (of_product("meetings").quantity, Licence.select().count()) == (3, 1)
    assert_books_clean()


def test_what_the_balance_paid_alone_is_not_sent_back(place, clock):
    keep(place, clock, days=0, licences=20)
    payment = pay(reloaded(ordered(place, clock, CHOICES[0], CHOICES[2])), None)
    assert why_not(payment, 1, clock) == NotRefundable(RefusalReason.NOT_OFFERED)


def test_what_was_shown_is_what_happens(place, clock, payment, operator):
    shown = preview(payment, MEETINGS, clock)
    Subscription.update(auto_renewal=True).where(Subscription.id == of_product("meetings").id).execute()
    payment = found(payment)
    line = line_refunds.chosen_line(payment, MEETINGS)
    with pytest.raises(RefundChanged):
        refunds.ask_refund_of_line(payment, line, by=operator, shown_hash=shown.hash, now=clock.now())
    assert Refund.select().count() == 0


def test_looking_ten_times_writes_nothing(place, clock, payment):
    periods = list(SubscriptionPeriod.select().order_by(SubscriptionPeriod.id).tuples())
    hashes = {preview(payment, MEETINGS, clock).hash for _ in range(10)}
    assert (len(hashes), Refund.select().count()) == (1, 0)
    assert list(SubscriptionPeriod.select().order_by(SubscriptionPeriod.id).tuples()) == periods


# --- once -----------------------------------------------------------------------------------------


def test_twenty_clicks_on_one_line_send_it_back_once(place, clock, payment, operator):
    hash_ = preview(payment, MEETINGS, clock).hash

    def click():
        mine = found(payment)
        line = line_refunds.chosen_line(mine, MEETINGS)
        by = Person.get_by_id(operator.id)
        return refunds.ask_refund_of_line(mine, line, by=by, shown_hash=hash_, now=clock.now())

    results = at_once([click] * 20)
    assert faults_of(results) == []
    assert (Refund.select().count(), sent_back(), len(notes())) == (1, [3960], 1)
    assert_books_clean()


def test_operators_at_every_line_and_at_all_of_it_send_nothing_back_twice(place, clock, payment, operator):
    hashes = {each: preview(payment, each, clock).hash for each in (PLAN, MEETINGS, WEBINAR, None)}

    def click(position):
        mine = found(payment)
        line = line_refunds.chosen_line(mine, position)
        by = Person.get_by_id(operator.id)
        return refunds.ask_refund_of_line(mine, line, by=by, shown_hash=hashes[position], now=clock.now())

    results = at_once([lambda each=each: click(each) for each in hashes for _ in range(3)])
    assert faults_of(results) == []
    [paid_back] = sent_back()
    assert 0 < paid_back <= payment.amount_minor
    assert paid_back == sum(note.total_minor for note in notes())
    assert_books_clean()


def test_while_the_gateway_is_silent_its_product_waits_and_the_others_do_not(
    place, clock, runtime, payment, operator
):
    gateway = behind(runtime, refunds_and_says_nothing)
    asked = refund(payment, MEETINGS, operator, clock)
    assert asked.state == RefundState.UNKNOWN
    meetings, webinar = of_product("meetings"), of_product("webinar")
    workspace = place.workspace
    assert open_money.open_refund(workspace, [meetings.product]) == asked
    assert open_money.open_refund(workspace, [webinar.product]) is None
    assert list(open_money.orders_in_the_way(workspace)) == [meetings.product_id]
    waits = {each.product.code: each.open_refund_state for each in agreement.all_of(workspace)}
    assert waits == {"office": None, "meetings": RefundState.UNKNOWN, "webinar": None}
    assert why_not(payment, WEBINAR, clock).reason == RefusalReason.BEING_REFUNDED
    [mine] = [
        each
        for each in licences.all_of(workspace, today=date(2026, 11, 21))
        if each.product == meetings.product
    ]
    assert mine.free == 0
    assert_books_clean()
    gateway._answer = lambda sandbox, request: sandbox.refund(request)
    clock.advance_wall(minutes=2)
    assert refunds.look_up_due_refunds(limit=10, now=clock.now()).settled == 1
    assert (len({*gateway.keys}), sent_back()) == (1, [3960])
    refund(payment, WEBINAR, operator, clock)
    assert_books_clean()


def test_a_refusal_leaves_all_as_it_is_and_may_be_asked_again(place, clock, runtime, payment, operator):
    def says_nothing(_sandbox, _request):
        raise ResultUnknown

    gateway = behind(runtime, says_nothing)
    asked = refund(payment, MEETINGS, operator, clock)
    Refund.update(state=RefundState.REFUSED, ask_again_at=None, settled_at=clock.now()).where(
        Refund.id == asked.id
    ).execute()
    gateway._answer = lambda sandbox, request: sandbox.refund(request)
    assert refund(payment, MEETINGS, operator, clock).state == RefundState.SUCCEEDED
    assert sent_back() == [3960]
    assert_books_clean()


@pytest.mark.parametrize("reason", RefundRefusal)
def test_operators_who_were_told_to_wait_are_told_of_the_refusal(
    place, clock, runtime, payment, operator, reason
):
    a_person("olga@vendor.test", operator=True, password=False)
    gateway = behind(runtime, is_away)
    asked = refund(payment, MEETINGS, operator, clock)
    gateway._answer = lambda _sandbox, _request: RefundRefused(reason)
    clock.advance_wall(minutes=2)
    assert refunds.look_up_due_refunds(limit=10, now=clock.now()).settled == 1
    told = letters("refund_to_handle")
    assert [letter["to"] for letter in told] == ["staff@vendor.test", "olga@vendor.test"]
    context = told[1]["context"]
    assert (context["by"], context["workspace"], context["slug"]) == (operator.name, "Acme", "acme")
    assert (context["order"], context["invoice"]) == (payment.order.number, "INV-2026-000001")
    assert (context["payment"], context["total_minor"], context["reason"]) == (payment.key, 3960, reason)
    # Nobody had told those who pay of a refund.
    assert letters("refund_refused") == []
    assert Refund.get_by_id(asked.id).state == RefundState.REFUSED
    assert_books_clean()


# --- what the books find --------------------------------------------------------------------------


def says_that_all_is_kept():
    [note] = notes()
    note.facts = note.facts | {"payment": None}
    note.facts_hash = facts_hash(note.facts)
    note.save()


def names_another_line():
    other = OrderLine.get(OrderLine.position == WEBINAR)
    Refund.update(line=other).execute()


FAULTS = {
    "of another amount": (
        lambda: Refund.update(amount_minor=3961).execute(),
        "refunds_are_of_what_their_lines_cost",
    ),
    "of another line": (names_another_line, "refunded_lines_were_paid_back_once"),
    "without its credit note": (
        lambda: Refund.update(credit_note=None).execute(),
        "refunds_have_their_credit_note",
    ),
    "whose credit note says that all is kept": (
        says_that_all_is_kept,
        "partial_credit_notes_are_of_their_lines",
    ),
    "of a line that was not sent back": (
        lambda: OrderLine.update(refunded_at=None).execute(),
        "refunded_lines_were_paid_back_once",
    ),
    "of an order that has other lines": (
        lambda: Order.update(state=OrderState.REFUNDED).execute(),
        "refunded_lines_were_paid_back_once",
    ),
    "of licences that run on": (
        lambda: Subscription.update(due_on=date(2027, 1, 1)).where(Subscription.price.is_null()).execute(),
        "subscriptions_are_as_their_last_period",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_books_find_a_refund(clock, payment, operator, name):
    refund(payment, MEETINGS, operator, clock)
    fault, question = FAULTS[name]
    fault()
    assert question in broken_books()


def test_a_line_that_was_read_before_the_whole_went_back_is_refused(place, clock, operator):
    """The trial comes back as it was: nothing that was shown has changed but that the line is refunded."""
    Product.update(trial_days=30).where(Product.code == "meetings").execute()
    tried(place, quantity=3)
    payment = pay(ordered(place, clock, *CHOICES))
    shown, mine = preview(payment, MEETINGS, clock), found(payment)
    line = line_refunds.chosen_line(mine, MEETINGS)
    refund(payment, None, operator, clock)
    with pytest.raises(RefundImpossible):
        refunds.ask_refund_of_line(mine, line, by=operator, shown_hash=shown.hash, now=clock.now())
    assert Refund.select().count() == 1


def test_the_letter_says_what_stays_in_the_balance(place, clock, operator):
    keep(place, clock)
    plan, webinar = Choice("business-5", MONTH), Choice("webinar-standard", MONTH, 2)
    refund(pay(reloaded(ordered(place, clock, plan, webinar))), 1, operator, clock)
    [letter] = letters("refunded")
    assert letter["context"]["kept_minor"] == 313
    assert "kept_minor" in names_needed("refunded")
