"""Every road from an intent to an answer, and what each leaves behind."""

from dataclasses import replace
from datetime import timedelta

import pytest

from portal.domain.choices import Choice
from portal.domain.errors import OrderAlreadyPlaced
from portal.domain.vocabulary import (
    Interval,
    MemberStatus,
    OrderState,
    PaymentMethodKind,
    PaymentState,
    Right,
    Role,
)
from portal.gateways.base import ActionRequired, GatewayUnavailable, NeverMade, ResultUnknown, Succeeded
from portal.models import AuditEntry, Invoice, Member, OutboxMessage, Payment, PaymentMethod, Subscription
from portal.runtime import Runtime, install
from portal.services import places
from portal.services.checkout import ordering
from portal.services.payments import charging
from tests.books import assert_books_clean, broken_books
from tests.factories import letters
from tests.paying import (
    ASKS_ALWAYS,
    ASKS_ONCE,
    DECLINED,
    DECLINED_WHEN_CHARGED,
    DISPUTED,
    EXPIRED,
    NOT_ENOUGH_FUNDS,
    PAID,
    RETURN_URL,
    SILENT_CHARGED,
    SILENT_NOT_CHARGED,
    a_card,
    a_place,
    an_order,
    as_seen_by,
    paid_charges,
    pay,
    reloaded,
    the_sandbox,
    with_details,
)

pytestmark = pytest.mark.both_engines


def reference_of(payment):
    """What the address of the sandbox's page ends with."""
    return payment.action_url.rpartition("/")[2]


def looked_up(payment, clock):
    return charging.look_up(Payment.get_by_id(payment.id), now=clock.now())


def given_up(payment, clock):
    return charging.give_up(Payment.get_by_id(payment.id), now=clock.now())


def reconciled(clock):
    return charging.reconcile(now=clock.now())


def is_paid_once(order, clock):
    """One charge, one succeeded payment, one invoice, one period, and nothing moves any more."""
    assert reloaded(order).state == OrderState.PAID
    charges = paid_charges()
    assert [(charge.amount_minor, charge.currency) for charge in charges] == [
        (order.total_minor, order.currency)
    ]
    assert Payment.select().where(Payment.state == PaymentState.SUCCEEDED).count() == 1
    assert Invoice.select().count() == 1
    assert reconciled(clock).asked == 0
    with pytest.raises(OrderAlreadyPlaced):
        pay(order)
    assert len(paid_charges()) == 1
    assert_books_clean()


def is_open_again(order):
    assert reloaded(order).state == OrderState.OPEN
    assert (paid_charges(), Invoice.select().count()) == ([], 0)
    assert_books_clean()


class Wrapped:
    """A gateway between us and the sandbox, for what the sandbox itself never does."""

    def __init__(self, sandbox):
        self._sandbox = sandbox

    def __getattr__(self, name):
        return getattr(self._sandbox, name)


def behind(runtime, gateway):
    install(Runtime(runtime.settings, runtime.clock, {"sandbox": gateway}))
    return gateway


# --- cards ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "code", "brand"),
    [
        (PAID, "123", "visa"),
        ("5555555555554444", "123", "mastercard"),
        ("378282246310005", "1234", "amex"),
        ("3566002020360505", "123", "jcb"),
        ("6011111111111117", "123", "discover"),
        (DISPUTED, "123", "visa"),
    ],
)
def test_a_good_card_pays_at_once(place, clock, number, code, brand):
    order = an_order(place)
    payment = ordering.place_order(
        order,
        person=order.person,
        card=a_card(number, security_code=code),
        auto_renewal=False,
        shown_quote_hash=order.quote_hash,
        return_url=RETURN_URL,
        now=clock.now(),
    )
    assert (payment.state, payment.brand, payment.last4) == (PaymentState.SUCCEEDED, brand, number[-4:])
    assert (payment.settled_at, payment.look_up_at) == (clock.wall(), None)
    is_paid_once(order, clock)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (DECLINED, "declined"),
        (EXPIRED, "expired_card"),
        (DECLINED_WHEN_CHARGED, "declined"),
        (NOT_ENOUGH_FUNDS, "insufficient_funds"),
        ("4111111111111111", "card_not_accepted"),
    ],
)
def test_a_bad_card_opens_the_order_again_and_another_one_pays(place, clock, number, code):
    order = an_order(place)
    payment = pay(order, number)
    assert (payment.state, payment.decline_code) == (PaymentState.DECLINED, code)
    is_open_again(order)
    assert pay(reloaded(order)).state == PaymentState.SUCCEEDED
    is_paid_once(order, clock)


def test_a_soft_decline_is_paid_at_the_second_retry(place, clock):
    order = an_order(place)
    states = [pay(reloaded(order), NOT_ENOUGH_FUNDS).state for _ in range(3)]
    assert states == [PaymentState.DECLINED, PaymentState.DECLINED, PaymentState.SUCCEEDED]
    is_paid_once(order, clock)


def test_each_attempt_has_a_key_of_its_own(place):
    order = an_order(place)
    keys = {pay(reloaded(order), DECLINED).key for _ in range(3)}
    assert len(keys) == 3
    assert {charge.key for charge in the_sandbox().charges()} == keys


# --- 3-D Secure and hosted pages ------------------------------------------------------------------


@pytest.mark.parametrize("number", [ASKS_ONCE, ASKS_ALWAYS])
def test_three_d_secure_confirmed_pays(place, clock, number):
    order = an_order(place)
    payment = pay(order, number)
    assert payment.state == PaymentState.ACTION_REQUIRED
    assert_books_clean()
    the_sandbox().answer_challenge(reference_of(payment), confirmed=True)
    assert looked_up(payment, clock).state == PaymentState.SUCCEEDED
    is_paid_once(order, clock)


def test_three_d_secure_refused_opens_the_order_again(place, clock):
    order = an_order(place)
    payment = pay(order, ASKS_ALWAYS)
    the_sandbox().answer_challenge(reference_of(payment), confirmed=False)
    assert looked_up(payment, clock).decline_code == "authentication_failed"
    is_open_again(order)
    pay(reloaded(order))
    is_paid_once(order, clock)


def test_three_d_secure_left_can_be_given_up_and_paid_otherwise(place, clock):
    order = an_order(place)
    payment = pay(order, ASKS_ALWAYS)
    with pytest.raises(OrderAlreadyPlaced):
        pay(order)
    assert given_up(payment, clock).decline_code == "withdrawn"
    is_open_again(order)
    # The page is still open in another window: its button no longer does anything.
    the_sandbox().answer_challenge(reference_of(payment), confirmed=True)
    pay(reloaded(order))
    is_paid_once(order, clock)


def test_giving_up_what_was_confirmed_meanwhile_is_paid(place, clock):
    order = an_order(place)
    payment = pay(order, ASKS_ALWAYS)
    the_sandbox().answer_challenge(reference_of(payment), confirmed=True)
    assert given_up(payment, clock).state == PaymentState.SUCCEEDED
    is_paid_once(order, clock)


def test_a_browser_closed_before_the_return_is_found_by_the_worker(place, clock):
    order = an_order(place)
    payment = pay(order, ASKS_ALWAYS)
    the_sandbox().answer_challenge(reference_of(payment), confirmed=True)
    assert charging.look_up_due(limit=10, now=clock.now()).asked == 0
    clock.advance_wall(minutes=5)
    assert charging.look_up_due(limit=10, now=clock.now()).settled == 1
    is_paid_once(order, clock)


def test_a_payment_of_several_products_that_nobody_confirms_is_closed_once(place, clock):
    choices = [Choice(plan, Interval.MONTH, 2) for plan in ("meetings-essential", "webinar-standard")]
    opened = ordering.open_order(place, choices=choices, currency="EUR", now=clock.now())
    pay(with_details(opened, place), ASKS_ALWAYS)
    clock.advance_wall(hours=25)
    assert charging.give_up_abandoned(limit=10, now=clock.now()) == 1


def test_what_nobody_confirms_in_a_day_is_closed(place, clock):
    order = an_order(place)
    pay(order, ASKS_ALWAYS)
    clock.advance_wall(hours=23)
    assert charging.give_up_abandoned(limit=10, now=clock.now()) == 0
    clock.advance_wall(hours=2)
    assert charging.give_up_abandoned(limit=10, now=clock.now()) == 1
    is_open_again(order)


@pytest.mark.parametrize(
    ("told_to_wait", "is_silent_first", "written"),
    [(False, False, 0), (True, False, 1), (False, True, 1)],
    ids=["at the page", "left the page", "no answer at first"],
)
def test_who_was_told_to_wait_gets_a_letter_when_their_bank_wants_them(
    place, clock, told_to_wait, is_silent_first, written
):
    """The page said "we write to you when it is settled", and the payer may be gone."""
    payment = pay(an_order(place), SILENT_NOT_CHARGED)
    if not is_silent_first:
        Payment.update(state=PaymentState.CREATED).execute()
    asks = ActionRequired("https://bank.example/confirm", reference="ref-1")
    for _ in range(2):
        payment = Payment.get_by_id(payment.id)
        charging.record_answer(payment, asks, tell=told_to_wait, now=clock.now())
    found = letters("payment_to_confirm")
    assert len(found) == written
    assert all(each["context"]["total_minor"] == payment.amount_minor for each in found)


@pytest.mark.parametrize(
    ("email", "state"),
    [
        ("paid@paypal.example", PaymentState.SUCCEEDED),
        ("declined@paypal.example", PaymentState.DECLINED),
        ("silent@paypal.example", PaymentState.SUCCEEDED),
        ("nobody@paypal.example", PaymentState.DECLINED),
    ],
)
def test_a_hosted_payment_follows_what_the_payer_does_there(place, clock, email, state):
    order = an_order(place, method_kind=PaymentMethodKind.PAYPAL)
    payment = pay(order, None)
    assert payment.state == PaymentState.ACTION_REQUIRED
    assert_books_clean()
    the_sandbox().answer_hosted(reference_of(payment), email=email, confirmed=True)
    settled = looked_up(payment, clock)
    assert settled.state == state
    if state == PaymentState.SUCCEEDED:
        assert settled.payer_name == email
        is_paid_once(order, clock)
    else:
        is_open_again(order)


def test_a_hosted_payment_that_was_never_made_opens_the_order_again(place, clock):
    order = an_order(place, method_kind=PaymentMethodKind.PAYPAL)
    payment = pay(order, None)
    the_sandbox().answer_hosted(reference_of(payment), email="silent-unpaid@paypal.example", confirmed=True)
    clock.advance_wall(minutes=1)
    assert looked_up(payment, clock).decline_code == "never_made"
    is_open_again(order)


# --- no answer ------------------------------------------------------------------------------------


def test_no_answer_though_charged_is_unknown_and_reconciled_into_paid_once(place, clock):
    order = an_order(place)
    payment = pay(order, SILENT_CHARGED)
    assert payment.state == PaymentState.UNKNOWN
    assert reloaded(order).state == OrderState.PLACED
    with pytest.raises(OrderAlreadyPlaced):
        pay(order)
    assert_books_clean()
    assert reconciled(clock) == charging.ReconcileReport(asked=1, settled=1)
    is_paid_once(order, clock)


def test_no_answer_and_not_charged_opens_the_order_again(place, clock, settings):
    order = an_order(place)
    payment = pay(order, SILENT_NOT_CHARGED)
    clock.advance_wall(seconds=settings.gateway_timeout_seconds)
    assert reconciled(clock) == charging.ReconcileReport(asked=1, settled=1)
    assert Payment.get_by_id(payment.id).decline_code == "never_made"
    is_open_again(order)
    pay(reloaded(order))
    is_paid_once(order, clock)


def test_never_made_is_not_believed_while_the_request_may_be_on_its_way(place, clock, settings):
    """A connection cut at once says nothing about a request that the network still carries."""
    order = an_order(place)
    payment = pay(order, SILENT_NOT_CHARGED)
    clock.advance_wall(seconds=settings.gateway_timeout_seconds - 1)
    assert reconciled(clock).settled == 0
    assert Payment.get_by_id(payment.id).state == PaymentState.UNKNOWN
    assert reloaded(order).state == OrderState.PLACED


def test_an_unknown_payment_is_looked_up_within_five_minutes_of_the_gateways_return(place, runtime, clock):
    """After 1, 1, 3 and 5 minutes, an hour, then daily, for ever."""
    order = an_order(place)
    pay(order, SILENT_CHARGED)

    start, asked_after = clock.wall(), []

    class Away(Wrapped):
        def fetch(self, key):
            asked_after.append((clock.wall() - start) // timedelta(minutes=1))
            raise ResultUnknown

    behind(runtime, Away(the_sandbox()))
    for minutes in [1] * 70 + [60 * 24] * 3:
        clock.advance_wall(minutes=minutes)
        charging.look_up_due(limit=10, now=clock.now())
    assert asked_after == [1, 2, 5, 10, 70, 1510, 2950, 4390]
    install(runtime)
    clock.advance_wall(days=1)
    assert charging.look_up_due(limit=10, now=clock.now()).settled == 1
    is_paid_once(order, clock)


def test_while_a_request_is_on_its_way_reconcile_leaves_it_alone(place, runtime, clock):
    """Another process is asking for the payment at this moment: nobody else asks about it."""
    order = an_order(place)
    reports = []

    class Slow(Wrapped):
        def charge(self, request):
            reports.append(reconciled(clock))
            return self._sandbox.charge(request)

    behind(runtime, Slow(the_sandbox()))
    assert pay(order).state == PaymentState.SUCCEEDED
    assert reports == [charging.ReconcileReport(asked=0, settled=0)]
    is_paid_once(order, clock)


def test_a_process_that_was_held_up_asks_no_more(place, clock, monkeypatch):
    """Its payment may have been looked up and its order paid otherwise while it slept."""
    order = an_order(place)

    real_begin_payment = charging.begin_payment

    def begin_payment_and_sleep(*args, **options):
        payment = real_begin_payment(*args, **options)
        clock.advance_wall(minutes=3)
        return payment

    monkeypatch.setattr(charging, "begin_payment", begin_payment_and_sleep)
    payment = pay(order)
    assert (payment.state, payment.decline_code) == (PaymentState.DECLINED, "never_made")
    assert the_sandbox().charges() == []
    is_open_again(order)


def test_a_gateway_that_cannot_be_reached_leaves_the_payment_unknown(place, runtime, clock):
    order = an_order(place)

    class Down(Wrapped):
        def charge(self, request):
            raise GatewayUnavailable("no route")

    behind(runtime, Down(the_sandbox()))
    assert pay(order).state == PaymentState.UNKNOWN
    assert_books_clean()
    clock.advance_wall(minutes=1)
    charging.look_up_due(limit=10, now=clock.now())
    is_open_again(order)


def test_a_pending_payment_that_cannot_be_looked_up_stays_pending_and_waits_longer(place, runtime, clock):
    order = an_order(place)
    payment = pay(order, SILENT_CHARGED)
    Payment.update(state=PaymentState.PENDING).execute()

    class Away(Wrapped):
        def fetch(self, key):
            raise ResultUnknown

    behind(runtime, Away(the_sandbox()))
    clock.advance_wall(minutes=1)
    before = Payment.get_by_id(payment.id).look_up_at
    charging.look_up_due(limit=10, now=clock.now())
    after = Payment.get_by_id(payment.id)
    assert after.state == PaymentState.PENDING
    assert after.look_up_at > before


def test_one_payment_that_cannot_be_settled_does_not_keep_the_others_unknown(place, runtime, clock):
    """The first one of the list raises, whatever it is; the second one is paid all the same."""
    poison = pay(an_order(place), SILENT_CHARGED)
    other = an_order(a_place("Other", owner="Otto Other"))
    pay(other, SILENT_CHARGED)

    class Broken(Wrapped):
        def fetch(self, key):
            if key == poison.key:
                raise ZeroDivisionError
            return self._sandbox.fetch(key)

    behind(runtime, Broken(the_sandbox()))
    clock.advance_wall(minutes=2)
    assert charging.look_up_due(limit=1, now=clock.now()).failed == 1
    assert charging.look_up_due(limit=1, now=clock.now()).settled == 1
    assert reloaded(other).state == OrderState.PAID
    assert Payment.get_by_id(poison.id).state == PaymentState.UNKNOWN
    assert_books_clean()


# --- answers that do not fit ----------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [{"amount_minor": 1}, {"amount_minor": 336000}, {"currency": "USD"}])
def test_another_amount_or_currency_marks_nothing_paid(place, runtime, clock, wrong):
    class Wrong(Wrapped):
        def charge(self, request):
            return replace(self._sandbox.charge(request), **wrong)

        def fetch(self, key):
            return replace(self._sandbox.fetch(key), **wrong)

    behind(runtime, Wrong(the_sandbox()))
    order = an_order(place)
    assert pay(order).state == PaymentState.UNKNOWN
    clock.advance_wall(minutes=2)
    assert charging.look_up_due(limit=10, now=clock.now()).failed == 1
    assert (reloaded(order).state, Invoice.select().count()) == (OrderState.PLACED, 0)
    assert AuditEntry.select().where(AuditEntry.action == "payment.mismatch").count() == 1
    assert_books_clean()


def test_an_answer_that_comes_twice_has_one_effect(place, clock):
    order = an_order(place)
    payment = pay(order)
    outcome = the_sandbox().fetch(payment.key)
    for _ in range(3):
        charging.record_answer(Payment.get_by_id(payment.id), outcome, now=clock.now())
    charging.record_answer(Payment.get_by_id(payment.id), NeverMade(), now=clock.now())
    is_paid_once(order, clock)


def test_money_for_a_declined_payment_is_said_aloud(place, clock):
    """It cannot be taken back into the books: the order may be paid otherwise by now."""
    order = an_order(place)
    payment = pay(order, DECLINED)
    outcome = Succeeded("x", order.total_minor, "EUR", clock.now(), None)
    charging.record_answer(Payment.get_by_id(payment.id), outcome, now=clock.now())
    assert Payment.get_by_id(payment.id).state == PaymentState.DECLINED
    assert AuditEntry.select().where(AuditEntry.action == "payment.succeeded_after_decline").count() == 1
    is_open_again(order)


def test_a_charge_that_the_books_call_declined_is_found_by_them(place, clock):
    order = an_order(place)
    pay(order)
    Payment.update(state=PaymentState.DECLINED).execute()
    assert broken_books()["charges_are_in_the_books"] == 1


def test_a_late_answer_does_not_wake_a_settled_payment(place, clock):
    payment = pay(an_order(place))
    charging.record_answer(Payment.get_by_id(payment.id), ActionRequired("http://x", "r"), now=clock.now())
    after = Payment.get_by_id(payment.id)
    assert (after.look_up_at, after.look_ups, after.action_url) == (None, 0, "")


def test_a_name_too_long_for_us_does_not_lose_a_payment(place, runtime, clock):
    class Verbose(Wrapped):
        def charge(self, request):
            outcome = self._sandbox.charge(request)
            return replace(outcome, method=replace(outcome.method, holder="x" * 500 + "\x00"))

    behind(runtime, Verbose(the_sandbox()))
    order = an_order(place)
    assert pay(order, auto_renewal=True).state == PaymentState.SUCCEEDED
    is_paid_once(order, clock)


# --- what else follows from a payment -------------------------------------------------------------


def test_buyer_owners_and_the_billing_address_get_one_letter_each_with_the_document(place):
    buyer = as_seen_by(place, "Paul Petit")
    pay(an_order(buyer, email="Compta@Acme.example"))
    sent = letters("order_confirmed")
    assert sorted(letter["to"] for letter in sent) == [
        "Compta@Acme.example",
        "jeanne.martin@acme.example",
        "paul.petit@acme.example",
    ]
    invoice = Invoice.get()
    assert all(letter["attachments"][0]["invoice_id"] == invoice.id for letter in sent)
    names = {letter["to"]: letter["context"]["name"] for letter in sent}
    assert names["Compta@Acme.example"] == ""
    documents = OutboxMessage.select().where(OutboxMessage.topic == "prepare_documents")
    assert [message.key for message in documents] == [invoice.number]


def test_a_billing_address_that_is_the_buyers_own_gets_one_letter(place):
    pay(an_order(place, email="Jeanne.Martin@acme.example"))
    assert [letter["to"] for letter in letters("order_confirmed")] == ["jeanne.martin@acme.example"]


def test_a_decline_sends_no_letter(place):
    pay(an_order(place), DECLINED)
    assert OutboxMessage.select().count() == 0


def test_a_member_who_paid_keeps_access_to_billing(place):
    buyer = as_seen_by(place, "Paul Petit")
    assert Right.BILLING_SETTINGS not in buyer.may
    pay(an_order(buyer))
    member = Member.get_by_id(buyer.member.id)
    assert member.is_upgrader
    assert Right.BILLING_SETTINGS in places.rights_in(member)


def test_an_owner_and_a_billing_manager_need_no_such_flag(place):
    manager = as_seen_by(place, "Berthe Billet", role=Role.BILLING_MANAGER)
    pay(an_order(manager))
    assert not Member.get_by_id(manager.member.id).is_upgrader


def test_somebody_disabled_before_the_answer_gets_no_access_by_it(place, clock):
    buyer = as_seen_by(place, "Paul Petit")
    pay(an_order(buyer), SILENT_CHARGED)
    Member.update(status=MemberStatus.DISABLED).where(Member.id == buyer.member.id).execute()
    reconciled(clock)
    assert not Member.get_by_id(buyer.member.id).is_upgrader
    assert_books_clean()


def test_a_card_is_kept_only_with_auto_renewal(place):
    pay(an_order(place))
    assert PaymentMethod.select().count() == 0
    assert not Subscription.get().auto_renewal


def test_auto_renewal_keeps_the_card_and_prefers_it(place):
    pay(an_order(place), auto_renewal=True)
    method = PaymentMethod.get()
    assert (method.brand, method.last4, method.is_preferred, method.exp_year) == ("visa", "4242", True, 2030)
    subscription = Subscription.get()
    assert (subscription.auto_renewal, subscription.payment_method) == (True, method)
    assert_books_clean()


def test_no_digit_of_the_card_is_written_anywhere_but_the_last_four(place, database, tmp_path):
    pay(an_order(place), auto_renewal=True)
    pay(an_order(a_place("Other", owner="Otto Other")), "4111111111111111")
    for table in database.get_tables():
        for row in database.execute_sql(f'SELECT * FROM "{table}"').fetchall():
            assert "424242" not in str(row)
            assert "411111" not in str(row)
    ledger = (tmp_path / "sandbox.sqlite").read_bytes()
    assert b"42424242" not in ledger
