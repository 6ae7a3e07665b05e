"""The sandbox keeps the contract, and each card, address and account does what its sentence says."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stdnum import iban

from portal.domain.vocabulary import DeclineCode, PaymentMethodKind
from portal.gateways.base import (
    ActionRequired,
    CardData,
    DebitAccount,
    Declined,
    EventKind,
    EventRejected,
    Gateway,
    GatewayUnavailable,
    HostedRequest,
    NeverMade,
    Pending,
    RefundRefusal,
    RefundRefused,
    RefundRequest,
    ResultUnknown,
    SavedMethod,
    SetupRequest,
    Succeeded,
)
from portal.gateways.cards import luhn_valid
from portal.gateways.sandbox.gateway import Sandbox, UnknownReference
from portal.gateways.sandbox.ledger import AttemptState
from portal.gateways.sandbox.methods import MAGIC_CARDS, MAGIC_IBANS, MAGIC_PAYPAL, Behaviour
from tests.gateways.contract import RETURN_URL, GatewayContract, a_charge, a_setup, at_once, new_key

ROOT = Path(__file__).resolve().parents[2]
BASE_URL = "http://127.0.0.1:8000"
TODAY = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Stage:
    """A sandbox on a file of its own, its payer and its clock. Waiting is counted, not done.

    The lock is waited for longer than a busy machine needs.
    """

    def __init__(self, ledger):
        self.ledger = ledger
        self.now = TODAY
        self.waited = []
        self.gateway = Sandbox(
            ledger,
            base_url=BASE_URL + "/",
            now=lambda: self.now,
            timeout_seconds=60,
            sleep=self.waited.append,
        )
        self.paid = a_card("4242424242424242")
        self.declined = a_card("4000000000000002")
        self.lacks_funds = a_card("4000000000009995")
        self.asks = a_card("4000000000003220")
        self.silent_charged = a_card("4000000000000119")
        self.silent_not_charged = a_card("4000000000000127")

    def answer(self, action, *, confirmed):
        self.gateway.answer_challenge(action.reference, confirmed=confirmed)

    def captured(self):
        return Counter(
            charge.key for charge in self.gateway.charges() if charge.state is AttemptState.SUCCEEDED
        )

    def states(self):
        return [charge.state.value for charge in self.gateway.charges()]


def a_card(number, **changes):
    code = "7372" if number.startswith("37") else "737"
    return replace(CardData(number, 12, 2030, code, "Jeanne Martin"), **changes)


def a_paypal_page(**changes):
    request = HostedRequest(
        key=new_key(),
        amount_minor=3600,
        currency="EUR",
        description="Office Business 5, monthly",
        metadata={"order": new_key()},
        kind=PaymentMethodKind.PAYPAL,
        save=False,
        return_url=RETURN_URL,
    )
    return replace(request, **changes)


def an_account(behaviour):
    (magic,) = (magic for magic in MAGIC_IBANS if magic.behaviour == behaviour)
    return DebitAccount(magic.value, "Jeanne Martin")


def pay_with_paypal(stage, email, request=None, *, confirmed=True):
    request = request or a_paypal_page()
    action = stage.gateway.open_hosted(request)
    stage.gateway.answer_hosted(action.reference, email=email, confirmed=confirmed)
    return stage.gateway.fetch(request.key)


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path / "somewhere" / "sandbox.sqlite")


class TestTheSandboxKeepsTheContract(GatewayContract):
    """Every case of contract.py."""

    def test_it_is_a_gateway_to_the_type_checker_too(self, stage):
        gateway: Gateway = stage.gateway
        assert gateway.name == "sandbox"


# --- cards ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "brand"),
    [
        ("4242 4242 4242 4242", "visa"),
        ("5555 5555 5555 4444", "mastercard"),
        ("3782 822463 10005", "amex"),
        ("3566 0020 2036 0505", "jcb"),
        ("6011 1111 1111 1117", "discover"),
    ],
)
def test_a_paid_card(stage, number, brand):
    outcome = stage.gateway.charge(a_charge(a_card(number)))
    assert isinstance(outcome, Succeeded)
    assert outcome.at == TODAY
    facts = outcome.method
    assert (facts.brand, facts.last4, facts.holder) == (brand, number[-4:], "Jeanne Martin")
    assert (facts.exp_month, facts.exp_year) == (12, 2030)


@pytest.mark.parametrize(
    ("number", "code"),
    [("4000000000000002", DeclineCode.DECLINED), ("4000000000000069", DeclineCode.EXPIRED_CARD)],
)
def test_a_card_that_is_refused_whenever_it_is_used(stage, number, code):
    for outcome in (
        stage.gateway.charge(a_charge(a_card(number), save=True)),
        stage.gateway.begin_setup(a_setup(a_card(number))),
    ):
        assert isinstance(outcome, Declined)
        assert (outcome.code, outcome.soft) == (code, False)
        assert outcome.method.last4 == number[-4:]
        assert outcome.method.reference is None


def test_not_enough_funds_is_paid_at_the_second_retry_of_an_order(stage):
    metadata = {"workspace": "C-000042", "order": "17"}
    outcomes = [stage.gateway.charge(a_charge(stage.lacks_funds, metadata=metadata)) for _ in range(3)]
    assert [type(outcome) for outcome in outcomes] == [Declined, Declined, Succeeded]
    assert [outcome.soft for outcome in outcomes[:2]] == [True, True]


def test_not_enough_funds_counts_each_order_for_itself(stage):
    for order in ("17", "18", "17", "18"):
        outcome = stage.gateway.charge(a_charge(stage.lacks_funds, metadata={"order": order}))
        assert isinstance(outcome, Declined)


def test_not_enough_funds_counts_a_replayed_key_once(stage):
    request = a_charge(stage.lacks_funds)
    assert {type(stage.gateway.charge(request)) for _ in range(5)} == {Declined}


@pytest.mark.parametrize("metadata", [{"invoice": "41"}, {"subscription": "8"}, {}])
def test_not_enough_funds_on_a_saved_card_begins_anew_after_each_payment(stage, metadata):
    saved = stage.gateway.begin_setup(a_setup(stage.lacks_funds)).method.reference
    request = a_charge(SavedMethod(saved), metadata=metadata, off_session=True)
    outcomes = [stage.gateway.charge(replace(request, key=new_key())) for _ in range(6)]
    assert [type(outcome) for outcome in outcomes] == [Declined, Declined, Succeeded] * 2


def test_a_card_that_can_be_saved_and_is_then_declined(stage):
    saved = stage.gateway.begin_setup(a_setup(a_card("4000000000000341"))).method.reference
    outcome = stage.gateway.charge(a_charge(SavedMethod(saved), off_session=True))
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.soft) == (DeclineCode.DECLINED, False)
    assert isinstance(stage.gateway.charge(a_charge(a_card("4000000000000341"))), Declined)


def test_3d_secure_once_is_enough_for_a_saved_card(stage):
    request = a_charge(a_card("4000002500003155"), save=True)
    action = stage.gateway.charge(request)
    assert action == ActionRequired(f"{BASE_URL}/sandbox/3ds/{action.reference}", action.reference)
    assert stage.gateway.answer_challenge(action.reference, confirmed=True) == RETURN_URL
    saved = stage.gateway.fetch(request.key).method.reference
    assert isinstance(stage.gateway.charge(a_charge(SavedMethod(saved), off_session=True)), Succeeded)
    assert isinstance(stage.gateway.charge(a_charge(SavedMethod(saved))), Succeeded)
    assert isinstance(stage.gateway.charge(a_charge(a_card("4000002500003155"))), ActionRequired)


@pytest.mark.parametrize(
    ("number", "then"), [("4000002500003155", Succeeded), ("4000000000003220", ActionRequired)]
)
def test_3d_secure_while_saving(stage, number, then):
    request = a_setup(a_card(number))
    action = stage.gateway.begin_setup(request)
    assert stage.gateway.challenge(action.reference).amount_minor == 0
    stage.gateway.answer_challenge(action.reference, confirmed=True)
    saved = stage.gateway.fetch(request.key).method.reference
    assert isinstance(stage.gateway.charge(a_charge(SavedMethod(saved), off_session=True)), then)


def test_a_card_whose_3d_secure_was_refused_is_not_saved(stage):
    request = a_setup(a_card("4000002500003155"))
    stage.answer(stage.gateway.begin_setup(request), confirmed=False)
    outcome = stage.gateway.fetch(request.key)
    assert (outcome.code, outcome.method.reference) == (DeclineCode.AUTHENTICATION_FAILED, None)


def test_3d_secure_on_every_charge(stage):
    request = a_charge(stage.asks, save=True)
    stage.answer(stage.gateway.charge(request), confirmed=True)
    saved = SavedMethod(stage.gateway.fetch(request.key).method.reference)
    for off_session in (True, False):
        assert isinstance(stage.gateway.charge(a_charge(saved, off_session=off_session)), ActionRequired)


@pytest.mark.parametrize(("timeout_seconds", "waited"), [(8, 8), (60, 30)])
@pytest.mark.parametrize("number", ["4000000000000119", "4000000000000127"])
def test_a_silent_card_keeps_us_waiting(stage, number, timeout_seconds, waited):
    gateway = Sandbox(
        stage.ledger,
        base_url=BASE_URL,
        now=lambda: TODAY,
        timeout_seconds=timeout_seconds,
        sleep=stage.waited.append,
    )
    with pytest.raises(ResultUnknown) as raised:
        gateway.charge(a_charge(a_card(number)))
    assert not isinstance(raised.value, GatewayUnavailable), "the request was sent"
    assert stage.waited == [waited]


def test_the_ledger_is_free_while_a_card_is_silent(stage):
    """The charge is there, and others are served, before the wait is over."""
    request, seen = a_charge(stage.silent_charged), []

    def look_meanwhile(_seconds):
        seen.append(stage.gateway.fetch(request.key))

    slow = Sandbox(
        stage.ledger, base_url=BASE_URL, now=lambda: TODAY, timeout_seconds=8, sleep=look_meanwhile
    )
    with pytest.raises(ResultUnknown):
        slow.charge(request)
    assert isinstance(seen[0], Succeeded)


@pytest.mark.parametrize("number", ["4000000000000119", "4000000000000127"])
def test_a_silent_card_is_saved_without_ado_and_silent_when_charged(stage, number):
    saved = stage.gateway.begin_setup(a_setup(a_card(number))).method.reference
    assert not stage.waited
    with pytest.raises(ResultUnknown):
        stage.gateway.charge(a_charge(SavedMethod(saved), off_session=True))


def test_a_silent_card_with_a_wrong_code_is_refused_aloud(stage):
    outcome = stage.gateway.charge(a_charge(replace(stage.silent_charged, security_code="1")))
    assert outcome.code is DeclineCode.INVALID_SECURITY_CODE
    assert not stage.waited


def test_a_payment_is_disputed_a_day_later(stage):
    request = a_charge(a_card("4000000000000259"))
    reference = stage.gateway.charge(request).reference
    (paid,) = stage.gateway.events_since(None)
    stage.now = TODAY + DAY - timedelta(seconds=1)
    assert not stage.gateway.events_since(paid.id)
    stage.now = TODAY + 31 * DAY
    (disputed,) = stage.gateway.events_since(paid.id)
    assert (disputed.kind, disputed.key, disputed.reference) == (
        EventKind.CHARGE_DISPUTED,
        request.key,
        reference,
    )
    assert disputed.occurred_at == TODAY + DAY
    assert not stage.gateway.events_since(disputed.id), "told once"
    assert stage.gateway.fetch(request.key).disputed
    refused = stage.gateway.refund(RefundRequest(new_key(), reference, 1))
    assert refused == RefundRefused(RefundRefusal.DISPUTED)


def test_what_was_refunded_in_full_is_not_disputed(stage):
    request = a_charge(a_card("4000000000000259"))
    stage.gateway.refund(RefundRequest(new_key(), stage.gateway.charge(request).reference, 3600))
    stage.now = TODAY + 2 * DAY
    assert not stage.gateway.fetch(request.key).disputed


@pytest.mark.parametrize("number", ["4111111111111111", "4242424242424241", "", "0" * 5000, "4242\x00"])
def test_every_other_number_is_refused(stage, number):
    outcome = stage.gateway.charge(a_charge(a_card(number), save=True))
    assert outcome == Declined(DeclineCode.CARD_NOT_ACCEPTED, soft=False, reference=outcome.reference)
    outcome = stage.gateway.begin_setup(a_setup(a_card(number)))
    assert outcome.code is DeclineCode.CARD_NOT_ACCEPTED


@pytest.mark.parametrize("code", ["", "73", "7372", "73x", "７３７"])
def test_a_code_of_the_wrong_length_is_refused(stage, code):
    outcome = stage.gateway.charge(a_charge(replace(stage.paid, security_code=code)))
    assert (outcome.code, outcome.soft) == (DeclineCode.INVALID_SECURITY_CODE, False)


def test_an_american_express_card_needs_four_digits(stage):
    outcome = stage.gateway.charge(a_charge(a_card("378282246310005", security_code="737")))
    assert outcome.code is DeclineCode.INVALID_SECURITY_CODE


def test_a_card_is_good_to_the_end_of_its_month_by_the_business_clock(stage):
    card = replace(stage.paid, exp_month=11, exp_year=2026)
    saved = SavedMethod(stage.gateway.begin_setup(a_setup(card)).method.reference)
    stage.now = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
    assert isinstance(stage.gateway.charge(a_charge(saved, off_session=True)), Succeeded)
    stage.now = datetime(2026, 12, 1, tzinfo=UTC)
    for source in (saved, card):
        outcome = stage.gateway.charge(a_charge(source))
        assert (outcome.code, outcome.soft) == (DeclineCode.EXPIRED_CARD, False)


# --- PayPal ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("declined@paypal.example", DeclineCode.DECLINED),
        ("funds@paypal.example", DeclineCode.INSUFFICIENT_FUNDS),
        ("expired@paypal.example", DeclineCode.EXPIRED_CARD),
        ("later@paypal.example", DeclineCode.DECLINED),
        ("somebody@real.example", DeclineCode.ACCOUNT_NOT_ACCEPTED),
        ("", DeclineCode.ACCOUNT_NOT_ACCEPTED),
    ],
)
def test_a_paypal_account_that_is_refused(stage, email, code):
    assert pay_with_paypal(stage, email).code is code
    assert not stage.captured()


def test_a_paypal_account_that_pays_and_is_saved(stage):
    request = a_paypal_page(save=True)
    action = stage.gateway.open_hosted(request)
    assert action.url == f"{BASE_URL}/sandbox/paypal/{action.reference}"
    session = stage.gateway.hosted_session(action.reference)
    assert (session.amount_minor, session.currency, session.answered) == (3600, "EUR", False)
    assert session.return_url == RETURN_URL
    back = stage.gateway.answer_hosted(action.reference, email=" Paid@PayPal.example ", confirmed=True)
    assert back == RETURN_URL
    outcome = stage.gateway.fetch(request.key)
    assert isinstance(outcome, Succeeded)
    assert (outcome.method.kind, outcome.method.holder) == (PaymentMethodKind.PAYPAL, "paid@paypal.example")
    assert stage.gateway.hosted_session(action.reference).answered
    saved = SavedMethod(outcome.method.reference)
    assert isinstance(stage.gateway.charge(a_charge(saved, off_session=True)), Succeeded)


def test_the_first_answer_to_the_paypal_page_counts(stage):
    request = a_paypal_page()
    action = stage.gateway.open_hosted(request)
    stage.gateway.answer_hosted(action.reference, email="paid@paypal.example", confirmed=False)
    back = stage.gateway.answer_hosted(action.reference, email="paid@paypal.example", confirmed=True)
    assert back == RETURN_URL
    assert stage.gateway.fetch(request.key).code is DeclineCode.REFUSED_BY_PAYER


def test_a_withdrawn_paypal_page_takes_nothing(stage):
    request = a_paypal_page()
    action = stage.gateway.open_hosted(request)
    stage.gateway.cancel(request.key)
    stage.gateway.answer_hosted(action.reference, email="paid@paypal.example", confirmed=True)
    assert stage.gateway.fetch(request.key).code is DeclineCode.WITHDRAWN


def test_paypal_may_ask_once_more(stage):
    request = a_paypal_page(save=True)
    action = stage.gateway.open_hosted(request)
    url = stage.gateway.answer_hosted(action.reference, email="asks@paypal.example", confirmed=True)
    assert url == f"{BASE_URL}/sandbox/3ds/{action.reference}" == stage.gateway.fetch(request.key).url
    assert stage.gateway.challenge(action.reference).kind is PaymentMethodKind.PAYPAL
    assert stage.gateway.answer_challenge(action.reference, confirmed=True) == RETURN_URL
    assert isinstance(stage.gateway.fetch(request.key), Succeeded)


def test_a_silent_paypal_account_sends_the_payer_back_and_a_look_up_tells(stage):
    assert isinstance(pay_with_paypal(stage, "silent@paypal.example"), Succeeded)
    request = a_paypal_page()
    assert pay_with_paypal(stage, "silent-unpaid@paypal.example", request) == NeverMade()
    assert isinstance(stage.gateway.open_hosted(request), ActionRequired), "the same key may be asked again"


def test_a_paypal_account_is_saved_without_being_charged(stage):
    request = SetupRequest(
        key=new_key(),
        currency="EUR",
        description="PayPal for Acme",
        metadata={},
        kind=PaymentMethodKind.PAYPAL,
        source=None,
        return_url=RETURN_URL,
    )
    action = stage.gateway.begin_setup(request)
    assert stage.gateway.hosted_session(action.reference).amount_minor == 0
    stage.gateway.answer_hosted(action.reference, email="later@paypal.example", confirmed=True)
    saved = SavedMethod(stage.gateway.fetch(request.key).method.reference)
    outcome = stage.gateway.charge(a_charge(saved, off_session=True))
    assert (outcome.code, outcome.method.kind) == (DeclineCode.DECLINED, PaymentMethodKind.PAYPAL)
    assert stage.states() == ["declined"], "a set-up is no charge"


# --- SEPA debit -----------------------------------------------------------------------------------


def test_a_debit_is_paid_a_day_later(stage):
    request = a_charge(an_account("paid"), save=True)
    outcome = stage.gateway.charge(request)
    assert isinstance(outcome, Pending)
    assert stage.gateway.cancel(request.key) == outcome, "too late to stop it"
    assert not stage.captured()
    stage.now = TODAY + DAY
    outcome = stage.gateway.fetch(request.key)
    assert isinstance(outcome, Succeeded)
    assert (outcome.at, outcome.method.kind) == (TODAY + DAY, PaymentMethodKind.SEPA_DEBIT)
    assert outcome.method.last4 == "4242"
    again = stage.gateway.charge(a_charge(SavedMethod(outcome.method.reference), off_session=True))
    assert isinstance(again, Pending)


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        ("declined", DeclineCode.DECLINED),
        ("insufficient_funds", DeclineCode.INSUFFICIENT_FUNDS),
        ("expired", DeclineCode.MANDATE_EXPIRED),
        ("declined_when_charged", DeclineCode.DECLINED),
    ],
)
def test_a_debit_is_refused_a_day_later(stage, behaviour, code):
    request = a_charge(an_account(behaviour))
    assert isinstance(stage.gateway.charge(request), Pending)
    stage.now = TODAY + DAY
    assert stage.gateway.fetch(request.key).code is code
    assert [event.kind for event in stage.gateway.events_since(None)] == [EventKind.CHARGE_DECLINED]


def test_a_debit_without_enough_funds_is_paid_at_the_second_retry(stage):
    states = []
    for _ in range(3):
        request = a_charge(an_account("insufficient_funds"), metadata={"order": "17"})
        stage.gateway.charge(request)
        stage.now += DAY
        states.append(type(stage.gateway.fetch(request.key)))
    assert states == [Declined, Declined, Succeeded]


def test_a_debit_is_disputed_a_day_after_it_was_paid(stage):
    request = a_charge(an_account("disputed"))
    stage.gateway.charge(request)
    stage.now = TODAY + 31 * DAY
    told = [(event.kind, event.occurred_at) for event in stage.gateway.events_since(None)]
    assert told == [
        (EventKind.CHARGE_SUCCEEDED, TODAY + DAY),
        (EventKind.CHARGE_DISPUTED, TODAY + 2 * DAY),
    ]


def test_a_mandate_to_be_confirmed(stage):
    request = a_charge(an_account("asks_once"))
    action = stage.gateway.charge(request)
    challenge = stage.gateway.challenge(action.reference)
    assert (challenge.kind, challenge.last4) == (PaymentMethodKind.SEPA_DEBIT, "3155")
    stage.answer(action, confirmed=True)
    assert isinstance(stage.gateway.fetch(request.key), Pending)


def test_a_silent_debit(stage):
    charged, not_charged = a_charge(an_account("silent_charged")), a_charge(an_account("silent_not_charged"))
    for request in (charged, not_charged):
        with pytest.raises(ResultUnknown):
            stage.gateway.charge(request)
    stage.now = TODAY + DAY
    assert isinstance(stage.gateway.fetch(charged.key), Succeeded)
    assert stage.gateway.fetch(not_charged.key) == NeverMade()


def test_a_debit_is_in_euros(stage):
    outcome = stage.gateway.charge(a_charge(an_account("paid"), currency="USD"))
    assert (outcome.code, outcome.soft) == (DeclineCode.UNSUPPORTED_CURRENCY, False)


def test_every_other_account_is_refused(stage):
    outcome = stage.gateway.charge(a_charge(DebitAccount("FR7630006000011234567890189", "Jeanne Martin")))
    assert (outcome.code, outcome.method) == (DeclineCode.ACCOUNT_NOT_ACCEPTED, None)


def test_an_iban_may_be_typed_in_groups(stage):
    (magic,) = (magic for magic in MAGIC_IBANS if magic.behaviour is Behaviour.PAID)
    request = a_charge(DebitAccount(magic.display.lower(), "Jeanne Martin"))
    assert isinstance(stage.gateway.charge(request), Pending)


# --- the lists ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entries", [MAGIC_CARDS, MAGIC_PAYPAL, MAGIC_IBANS], ids=["cards", "paypal", "ibans"]
)
def test_each_list_shows_every_behaviour(entries):
    assert {entry.behaviour for entry in entries} == set(Behaviour)
    assert len({entry.value for entry in entries}) == len(entries)
    assert all(entry.description.endswith(".") for entry in entries)


def test_the_lists_pass_the_check_digits():
    assert all(luhn_valid(card.value) and card.brand for card in MAGIC_CARDS)
    assert all(iban.is_valid(account.value) for account in MAGIC_IBANS)


def test_numbers_are_shown_as_they_are_printed():
    shown = {card.last4: card.display for card in MAGIC_CARDS}
    assert shown["4242"] == "4242 4242 4242 4242"
    assert shown["0005"] == "3782 822463 10005"
    assert MAGIC_IBANS[0].display == "DE46 9999 9999 0000 0042 42"
    assert MAGIC_PAYPAL[0].display == "paid@paypal.example"


# --- the pages ------------------------------------------------------------------------------------


def test_the_3d_secure_page_shows_what_is_paid_for(stage):
    action = stage.gateway.charge(a_charge(stage.asks))
    challenge = stage.gateway.challenge(action.reference)
    assert (challenge.amount_minor, challenge.currency) == (3600, "EUR")
    assert (challenge.brand, challenge.last4) == ("visa", "3220")
    assert challenge.description == "Office Business 5, monthly"
    assert (challenge.return_url, challenge.answered) == (RETURN_URL, False)
    stage.answer(action, confirmed=True)
    assert stage.gateway.challenge(action.reference).answered


def test_an_unknown_reference_has_no_page(stage):
    gateway = stage.gateway
    paypal = gateway.open_hosted(a_paypal_page()).reference
    asked = gateway.charge(a_charge(stage.asks)).reference
    for act in (
        lambda: gateway.challenge("x"),
        lambda: gateway.answer_challenge("x", confirmed=True),
        lambda: gateway.hosted_session("x"),
        lambda: gateway.answer_hosted("x", email="paid@paypal.example", confirmed=True),
        lambda: gateway.challenge(paypal),
        lambda: gateway.hosted_session(asked),
    ):
        with pytest.raises(UnknownReference):
            act()


def test_references_cannot_be_guessed(stage):
    references = {stage.gateway.charge(a_charge(stage.asks)).reference for _ in range(20)}
    assert len(references) == 20
    assert all(len(reference.removeprefix("charge_")) == 32 for reference in references)


# --- events ---------------------------------------------------------------------------------------


def a_delivery(stage, at=TODAY):
    stage.gateway.charge(a_charge(stage.paid))
    event = stage.gateway.events_since(None)[-1]
    return event, dict(stage.gateway.signed_headers(event, at=at))


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_signed_event_is_believed(stage, seconds):
    event, headers = a_delivery(stage)
    now = TODAY + timedelta(seconds=seconds)
    assert stage.gateway.parse_event(headers, event.payload, now=now) == event
    lowered = {name.lower(): value for name, value in headers.items()}
    assert stage.gateway.parse_event(lowered, event.payload, now=now) == event


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_or_a_future_event_is_refused(stage, seconds):
    event, headers = a_delivery(stage)
    with pytest.raises(EventRejected):
        stage.gateway.parse_event(headers, event.payload, now=TODAY + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sandbox-Signature": ""},
        {"Sandbox-Signature": "t=1795251600"},
        {"Sandbox-Signature": "t=1795251600,v1="},
        {"Sandbox-Signature": "t=1795251600,v1=" + "0" * 64},
        {"Sandbox-Signature": "t=1795251600,v1=é\ud800"},
        {"Sandbox-Signature": "t=²,v1=00"},
        {"Sandbox-Signature": "t=" + "9" * 5000 + ",v1=00"},
    ],
    ids=range(8),
)
def test_a_forged_event_is_refused(stage, headers):
    event, _ = a_delivery(stage)
    with pytest.raises(EventRejected):
        stage.gateway.parse_event(headers, event.payload, now=TODAY)


def test_a_changed_body_and_another_ledgers_event_are_refused(stage, tmp_path):
    event, headers = a_delivery(stage)
    with pytest.raises(EventRejected):
        stage.gateway.parse_event(headers, event.payload.replace(b"3600", b"9600"), now=TODAY)
    stranger = Stage(tmp_path / "stranger.sqlite")
    with pytest.raises(EventRejected):
        stranger.gateway.parse_event(headers, event.payload, now=TODAY)


def test_saving_a_method_is_told(stage):
    request = a_setup(stage.paid)
    stage.gateway.begin_setup(request)
    assert [(event.kind, event.key) for event in stage.gateway.events_since(None)] == [
        (EventKind.METHOD_SAVED, request.key)
    ]


# --- the ledger -----------------------------------------------------------------------------------


def test_fifty_threads_with_one_key_make_one_charge_on_a_ledger_that_is_not_there_yet(stage):
    request = a_charge(stage.paid, save=True)
    outcomes = at_once(50, lambda _: stage.gateway.charge(request))
    assert outcomes == [outcomes[0]] * 50
    assert stage.states() == ["succeeded"]


IN_ANOTHER_PROCESS = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from portal.gateways.base import CardData, ChargeRequest
from portal.gateways.sandbox.gateway import Sandbox

def die(seconds):
    os.kill(os.getpid(), signal.SIGKILL)

ledger, number, *keys = sys.argv[1:]
sandbox = Sandbox(
    Path(ledger), base_url="http://127.0.0.1:8000", now=lambda: datetime(2026, 11, 21, 9, tzinfo=UTC),
    timeout_seconds=30, sleep=die,
)
card = CardData(number, 12, 2030, "737", "Jeanne Martin")
sys.stdin.read()
for key in keys:
    outcome = sandbox.charge(
        ChargeRequest(key, 3600, "EUR", "Five", {"order": "17"}, card, False, "http://localhost/", False)
    )
    print(outcome.reference)
"""


def in_another_process(ledger, number, *keys):
    return subprocess.Popen(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, str(ledger), number, *keys],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def the_same_charge(stage, number, key):
    """What `in_another_process` asks for, asked here."""
    request = a_charge(a_card(number), key=key, metadata={"order": "17"}, description="Five")
    return stage.gateway.charge(replace(request, return_url="http://localhost/"))


def test_two_processes_with_the_same_keys_make_one_charge_each(stage):
    keys = [f"key-{number}" for number in range(20)]
    processes = [in_another_process(stage.ledger, "4242424242424242", *keys) for _ in range(2)]
    for process in processes:
        process.stdin.close()
        process.stdin = None
    said = [process.communicate(timeout=60)[0].split() for process in processes]
    assert said[0] == said[1] == [charge.reference for charge in stage.gateway.charges()]
    assert stage.captured() == dict.fromkeys(keys, 1)


@pytest.mark.parametrize(("number", "is_charged"), [("4000000000000119", True), ("4000000000000127", False)])
def test_killed_while_the_answer_is_on_its_way(stage, number, is_charged):
    """After the charge was recorded (or was not) and before anybody heard of it."""
    process = in_another_process(stage.ledger, number, "key")
    said, _ = process.communicate("", timeout=60)
    assert (process.returncode, said) == (-signal.SIGKILL, "")
    if is_charged:
        outcome = stage.gateway.fetch("key")
        assert isinstance(outcome, Succeeded)
        assert the_same_charge(stage, number, "key") == outcome
        assert stage.captured() == {"key": 1}
    else:
        assert stage.gateway.fetch("key") == NeverMade()
        with pytest.raises(ResultUnknown):
            the_same_charge(stage, number, "key")
        assert not stage.gateway.charges()


def test_no_number_and_no_code_is_in_the_ledger(stage):
    numbers = [card.value for card in MAGIC_CARDS] + ["4111111111111111", "5105105105105100"]
    for number in numbers:
        card = a_card(number)
        for act, request in (
            (stage.gateway.charge, a_charge(card, save=True)),
            (stage.gateway.begin_setup, a_setup(card)),
        ):
            with suppress(ResultUnknown):
                act(request)
    accounts = [account.value for account in MAGIC_IBANS] + ["FR7630006000011234567890189"]
    for account in accounts:
        with suppress(ResultUnknown):
            stage.gateway.charge(a_charge(DebitAccount(account, "Jeanne Martin"), save=True))
    pay_with_paypal(stage, "somebody@real.example")
    kept = b"".join(path.read_bytes() for path in stage.ledger.parent.iterdir())
    assert b"Jeanne Martin" in kept
    for secret in [*numbers, *accounts, "somebody@real.example"]:
        assert secret.encode() not in kept
    connection = sqlite3.connect(stage.ledger)
    values = {
        str(value)
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for row in connection.execute(f"SELECT * FROM {table}")
        for value in row
    }
    connection.close()
    assert not values & {"737", "7372", "1111", "5100"}


def test_the_ledger_is_its_owners_alone_and_durable(stage):
    stage.gateway.charge(a_charge(stage.paid))
    assert stage.ledger.stat().st_mode & 0o077 == 0
    connection = sqlite3.connect(stage.ledger)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_locked_ledger_is_unavailable_and_nothing_moved(stage):
    stage.gateway.fetch("anything")
    other = sqlite3.connect(stage.ledger, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    hasty = Sandbox(stage.ledger, base_url=BASE_URL, now=lambda: TODAY, timeout_seconds=0.05)
    request = a_charge(stage.paid)
    with pytest.raises(GatewayUnavailable):
        hasty.charge(request)
    other.execute("ROLLBACK")
    other.close()
    assert stage.gateway.fetch(request.key) == NeverMade()
    assert isinstance(hasty.charge(request), Succeeded)


def test_what_is_no_ledger_is_unavailable(stage, tmp_path):
    (tmp_path / "text").write_text("no database at all, however long one looks at it" * 100)
    for path in (tmp_path / "text", tmp_path / "text" / "below", tmp_path):
        with pytest.raises(GatewayUnavailable):
            Stage(path).gateway.fetch("key")


def test_the_ledger_lists_every_charge(stage):
    paid, asked = a_charge(stage.paid, metadata={"order": "17"}), a_charge(stage.asks)
    stage.gateway.charge(a_charge(a_card("4111111111111111")))
    stage.gateway.charge(paid)
    stage.gateway.charge(asked)
    stage.gateway.open_hosted(a_paypal_page())
    stage.gateway.begin_setup(a_setup(stage.paid))
    assert stage.states() == ["declined", "succeeded", "asking", "opened"]
    charge = stage.gateway.charges()[1]
    assert (charge.key, charge.amount_minor, charge.currency) == (paid.key, 3600, "EUR")
    assert charge.metadata == {"order": "17"}
    assert charge.created_at == TODAY


def test_what_the_sandbox_does_not_offer_is_our_mistake(stage):
    with pytest.raises(ValueError, match="page"):
        stage.gateway.open_hosted(a_paypal_page(kind=PaymentMethodKind.CARD))
    with pytest.raises(ValueError, match="set-up"):
        stage.gateway.begin_setup(a_setup(stage.paid, kind=PaymentMethodKind.SEPA_DEBIT))
    with pytest.raises(ValueError, match="set-up"):
        stage.gateway.begin_setup(a_setup(None))


def test_past_charges_are_imported_once_at_their_own_time(stage):
    past = [(a_charge(stage.paid, save=True), TODAY - days * DAY) for days in (60, 30)]
    outcomes = stage.gateway.import_paid(past)
    assert [outcome.at for outcome in outcomes] == [TODAY - 60 * DAY, TODAY - 30 * DAY]
    assert stage.gateway.import_paid(past) == outcomes
    assert stage.captured() == {request.key: 1 for request, _ in past}
    saved = SavedMethod(outcomes[0].method.reference)
    assert isinstance(stage.gateway.charge(a_charge(saved, off_session=True)), Succeeded)
    with pytest.raises(ValueError, match="simply paid"):
        stage.gateway.import_paid([(a_charge(stage.paid), TODAY), (a_charge(stage.declined), TODAY)])
    assert len(stage.gateway.charges()) == 3
