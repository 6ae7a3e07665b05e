"""What every gateway must keep, whoever is behind it.

A test module subclasses `GatewayContract` and gives it a `stage` fixture. Each case uses keys of its own.
"""

import itertools
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from threading import Barrier
from typing import Protocol, TypeVar

import pytest

from portal.domain.vocabulary import DeclineCode, PaymentMethodKind
from portal.gateways.base import (
    ActionRequired,
    CardData,
    ChargeRequest,
    Declined,
    EventKind,
    Gateway,
    HostedRequest,
    KeyReused,
    NeverMade,
    Refunded,
    RefundRefusal,
    RefundRefused,
    RefundRequest,
    ResultUnknown,
    SavedMethod,
    SetupRequest,
    Source,
    Succeeded,
)

RETURN_URL = "http://127.0.0.1:8000/w/acme/checkout/17/result"
Answer = TypeVar("Answer")
_numbers = itertools.count(1)


class Stage(Protocol):
    """A gateway with its scenery: cards that behave, a payer who answers, and the gateway's own books."""

    gateway: Gateway
    paid: CardData
    declined: CardData
    lacks_funds: CardData
    asks: CardData
    silent_charged: CardData
    silent_not_charged: CardData

    def answer(self, action: ActionRequired, *, confirmed: bool) -> None:
        """Do what the payer does on the page at `action.url`."""

    def captured(self) -> Counter[str]:
        """How many times money was taken, by our key."""


def new_key() -> str:
    return f"attempt-{next(_numbers)}"


def a_charge(source: Source, **changes: object) -> ChargeRequest:
    request = ChargeRequest(
        key=new_key(),
        amount_minor=3600,
        currency="EUR",
        description="Office Business 5, monthly",
        metadata={"workspace": "C-000042", "order": f"order-{next(_numbers)}"},
        source=source,
        save=False,
        return_url=RETURN_URL,
        off_session=False,
    )
    return replace(request, **changes)


def a_setup(source: CardData, **changes: object) -> SetupRequest:
    request = SetupRequest(
        key=new_key(),
        currency="EUR",
        description="A card for Acme",
        metadata={"workspace": "C-000042"},
        kind=PaymentMethodKind.CARD,
        source=source,
        return_url=RETURN_URL,
    )
    return replace(request, **changes)


def at_once(times: int, act: Callable[[int], Answer]) -> list[Answer]:
    """The answers of `times` threads that act in the same moment; each is given its number."""
    barrier = Barrier(times)

    def wait_and_act(number: int) -> Answer:
        barrier.wait()
        return act(number)

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(wait_and_act, range(times)))


class GatewayContract:
    # One key is one attempt.

    def test_a_success_says_what_was_taken(self, stage):
        request = a_charge(stage.paid)
        outcome = stage.gateway.charge(request)
        assert isinstance(outcome, Succeeded)
        assert (outcome.amount_minor, outcome.currency) == (3600, "EUR")
        assert outcome.method.kind is PaymentMethodKind.CARD
        assert outcome.method.last4 == stage.paid.number[-4:]
        assert outcome.method.reference is None, "nobody asked to save it"
        assert stage.captured() == {request.key: 1}

    def test_a_refusal_is_a_value_and_takes_nothing(self, stage):
        outcome = stage.gateway.charge(a_charge(stage.declined))
        assert isinstance(outcome, Declined)
        assert (outcome.code, outcome.soft) == (DeclineCode.DECLINED, False)
        assert not stage.captured()

    def test_lack_of_funds_is_a_soft_refusal(self, stage):
        outcome = stage.gateway.charge(a_charge(stage.lacks_funds))
        assert isinstance(outcome, Declined)
        assert (outcome.code, outcome.soft) == (DeclineCode.INSUFFICIENT_FUNDS, True)

    @pytest.mark.parametrize("card", ["paid", "declined", "lacks_funds", "asks"])
    def test_the_same_key_again_is_the_same_attempt(self, stage, card):
        request = a_charge(getattr(stage, card))
        first = stage.gateway.charge(request)
        assert [stage.gateway.charge(request) for _ in range(3)] == [first] * 3
        assert stage.captured()[request.key] == (card == "paid")

    @pytest.mark.parametrize("card", ["paid", "declined", "lacks_funds", "asks"])
    def test_a_look_up_says_what_the_charge_said(self, stage, card):
        request = a_charge(getattr(stage, card))
        assert stage.gateway.charge(request) == stage.gateway.fetch(request.key)

    @pytest.mark.parametrize(
        "change",
        [
            {"amount_minor": 3601},
            {"currency": "USD"},
            {"description": "Office Business 6"},
            {"metadata": {}},
            {"save": True},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_the_same_key_for_something_else_is_our_mistake(self, stage, change):
        request = a_charge(stage.paid)
        stage.gateway.charge(request)
        with pytest.raises(KeyReused):
            stage.gateway.charge(replace(request, **change))
        assert stage.captured() == {request.key: 1}

    def test_the_same_key_with_another_card_is_our_mistake(self, stage):
        request = a_charge(stage.declined)
        stage.gateway.charge(request)
        with pytest.raises(KeyReused):
            stage.gateway.charge(replace(request, source=stage.paid))
        assert not stage.captured()

    def test_the_same_key_at_the_same_moment_is_one_charge(self, stage):
        request = a_charge(stage.paid)
        outcomes = at_once(8, lambda _: stage.gateway.charge(request))
        assert outcomes == [outcomes[0]] * 8
        assert stage.captured() == {request.key: 1}

    def test_other_keys_are_other_charges(self, stage):
        requests = [a_charge(stage.paid) for _ in range(3)]
        references = {stage.gateway.charge(request).reference for request in requests}
        assert len(references) == 3
        assert stage.captured() == {request.key: 1 for request in requests}

    # An exception means that we do not know.

    def test_silence_after_the_charge_is_unknown_and_looked_up(self, stage):
        request = a_charge(stage.silent_charged)
        with pytest.raises(ResultUnknown):
            stage.gateway.charge(request)
        assert isinstance(stage.gateway.fetch(request.key), Succeeded)
        assert stage.captured() == {request.key: 1}

    def test_asking_a_silent_charge_again_takes_nothing_more(self, stage):
        request = a_charge(stage.silent_charged)
        for _ in range(3):
            with suppress(ResultUnknown):
                stage.gateway.charge(request)
        assert stage.captured() == {request.key: 1}

    def test_silence_before_the_charge_is_never_made(self, stage):
        request = a_charge(stage.silent_not_charged)
        for _ in range(2):
            with pytest.raises(ResultUnknown):
                stage.gateway.charge(request)
            assert stage.gateway.fetch(request.key) == NeverMade()
        assert not stage.captured()

    def test_a_key_that_nobody_used_was_never_made(self, stage):
        assert stage.gateway.fetch(new_key()) == NeverMade()

    # The payer is asked.

    def test_a_confirmed_charge_is_paid_once(self, stage):
        request = a_charge(stage.asks)
        action = stage.gateway.charge(request)
        assert isinstance(action, ActionRequired)
        assert not stage.captured()
        stage.answer(action, confirmed=True)
        stage.answer(action, confirmed=True)
        assert isinstance(stage.gateway.fetch(request.key), Succeeded)
        assert stage.captured() == {request.key: 1}

    def test_a_refused_charge_is_declined_for_good(self, stage):
        request = a_charge(stage.asks)
        action = stage.gateway.charge(request)
        stage.answer(action, confirmed=False)
        stage.answer(action, confirmed=True)
        outcome = stage.gateway.fetch(request.key)
        assert isinstance(outcome, Declined)
        assert (outcome.code, outcome.soft) == (DeclineCode.AUTHENTICATION_FAILED, False)
        assert not stage.captured()

    def test_a_withdrawn_charge_cannot_be_confirmed_any_more(self, stage):
        request = a_charge(stage.asks)
        action = stage.gateway.charge(request)
        outcome = stage.gateway.cancel(request.key)
        assert isinstance(outcome, Declined)
        assert outcome.code is DeclineCode.WITHDRAWN
        stage.answer(action, confirmed=True)
        assert stage.gateway.fetch(request.key) == outcome == stage.gateway.cancel(request.key)
        assert not stage.captured()

    def test_withdrawing_and_confirming_at_once_agree(self, stage):
        """Whoever comes first, the answer to `cancel` is how it stays."""
        request = a_charge(stage.asks)
        action = stage.gateway.charge(request)
        acts = [lambda: stage.gateway.cancel(request.key), lambda: stage.answer(action, confirmed=True)]
        said = at_once(2, lambda number: acts[number]())[0]
        assert stage.gateway.fetch(request.key) == said
        assert stage.captured()[request.key] == isinstance(said, Succeeded)

    def test_withdrawing_a_paid_charge_is_too_late(self, stage):
        request = a_charge(stage.paid)
        outcome = stage.gateway.charge(request)
        assert stage.gateway.cancel(request.key) == outcome
        assert stage.captured() == {request.key: 1}

    def test_withdrawing_what_was_never_made(self, stage):
        assert stage.gateway.cancel(new_key()) == NeverMade()

    # Saved methods.

    def test_a_method_saved_while_paying_is_charged_while_the_payer_is_away(self, stage):
        paid = stage.gateway.charge(a_charge(stage.paid, save=True))
        saved = SavedMethod(paid.method.reference)
        again = stage.gateway.charge(a_charge(saved, off_session=True))
        assert isinstance(again, Succeeded)
        assert again.method == paid.method

    def test_saving_a_method_takes_nothing(self, stage):
        request = a_setup(stage.paid)
        outcome = stage.gateway.begin_setup(request)
        assert isinstance(outcome, Succeeded)
        assert outcome.amount_minor == 0
        assert outcome.method.reference is not None
        assert stage.gateway.begin_setup(request) == outcome == stage.gateway.fetch(request.key)
        assert not stage.captured()

    def test_a_key_of_a_set_up_is_no_key_of_a_charge(self, stage):
        request = a_setup(stage.paid)
        stage.gateway.begin_setup(request)
        with pytest.raises(KeyReused):
            stage.gateway.charge(a_charge(stage.paid, key=request.key))

    def test_a_method_that_is_gone_is_a_hard_refusal(self, stage):
        outcome = stage.gateway.charge(a_charge(SavedMethod("gone"), off_session=True))
        assert isinstance(outcome, Declined)
        assert (outcome.code, outcome.soft) == (DeclineCode.METHOD_GONE, False)

    def test_only_a_saved_method_can_be_charged_while_the_payer_is_away(self, stage):
        with pytest.raises(ValueError, match="saved"):
            a_charge(stage.paid, off_session=True)

    # Money back.

    def test_refunds_add_up_to_what_was_captured_and_no_further(self, stage):
        request = a_charge(stage.paid)
        charge = stage.gateway.charge(request).reference
        first = stage.gateway.refund(RefundRequest(new_key(), charge, 1600))
        assert isinstance(first, Refunded)
        assert first.amount_minor == 1600
        too_much = RefundRequest(new_key(), charge, 2001)
        assert stage.gateway.refund(too_much) == RefundRefused(RefundRefusal.EXCEEDS_CAPTURED)
        assert isinstance(stage.gateway.refund(RefundRequest(new_key(), charge, 2000)), Refunded)
        assert stage.gateway.refund(too_much) == RefundRefused(RefundRefusal.EXCEEDS_CAPTURED)
        assert stage.gateway.fetch(request.key).refunded_minor == 3600

    def test_one_refund_key_is_one_refund(self, stage):
        charge = a_charge(stage.paid)
        request = RefundRequest(new_key(), stage.gateway.charge(charge).reference, 1000)
        outcomes = at_once(4, lambda _: stage.gateway.refund(request))
        assert outcomes == [outcomes[0]] * 4
        with pytest.raises(KeyReused):
            stage.gateway.refund(replace(request, amount_minor=1001))
        assert stage.gateway.fetch(charge.key).refunded_minor == 1000

    def test_simultaneous_refunds_return_the_money_once(self, stage):
        charge = a_charge(stage.paid)
        reference = stage.gateway.charge(charge).reference
        requests = [RefundRequest(new_key(), reference, 3600) for _ in range(4)]
        outcomes = at_once(4, lambda number: stage.gateway.refund(requests[number]))
        assert sum(isinstance(outcome, Refunded) for outcome in outcomes) == 1
        assert stage.gateway.fetch(charge.key).refunded_minor == 3600

    def test_what_was_not_captured_is_not_refunded(self, stage):
        declined = stage.gateway.charge(a_charge(stage.declined))
        for charge in (declined.reference, "gone"):
            outcome = stage.gateway.refund(RefundRequest(new_key(), charge, 1))
            assert outcome == RefundRefused(RefundRefusal.NOT_CAPTURED)

    # Events.

    def test_each_result_is_told_once_under_our_key(self, stage):
        paid, declined = a_charge(stage.paid), a_charge(stage.declined)
        reference = stage.gateway.charge(paid).reference
        stage.gateway.charge(paid)
        stage.gateway.charge(declined)
        stage.gateway.refund(RefundRequest(new_key(), reference, 1))
        told = [(event.kind, event.key) for event in stage.gateway.events_since(None)]
        assert told == [
            (EventKind.CHARGE_SUCCEEDED, paid.key),
            (EventKind.CHARGE_DECLINED, declined.key),
            (EventKind.CHARGE_REFUNDED, paid.key),
        ]

    def test_events_are_read_page_by_page(self, stage):
        for _ in range(5):
            stage.gateway.charge(a_charge(stage.paid))
        everything = list(stage.gateway.events_since(None))
        assert len({event.id for event in everything}) == 5
        read = []
        while page := stage.gateway.events_since(read[-1].id if read else None, limit=2):
            read.extend(page)
        assert read == everything
        assert list(stage.gateway.events_since("an id of long ago")) == everything

    # The gateway's own page, and what may be offered.

    def test_the_gateways_own_page_takes_nothing_until_it_is_answered(self, stage):
        for kind in stage.gateway.capabilities().hosted:
            request = HostedRequest(
                key=new_key(),
                amount_minor=3600,
                currency="EUR",
                description="Office Business 5, monthly",
                metadata={},
                kind=kind,
                save=False,
                return_url=RETURN_URL,
            )
            action = stage.gateway.open_hosted(request)
            assert isinstance(action, ActionRequired)
            assert stage.gateway.open_hosted(request) == action == stage.gateway.fetch(request.key)
            assert stage.gateway.cancel(request.key).code is DeclineCode.WITHDRAWN
            with pytest.raises(KeyReused):
                stage.gateway.open_hosted(replace(request, amount_minor=1))
        assert not stage.captured()

    def test_what_is_offered_is_consistent(self, stage):
        offered = stage.gateway.capabilities()
        assert offered.hosted <= offered.kinds
        assert offered.off_session <= offered.kinds
        assert offered.takes_card_here == (PaymentMethodKind.CARD in offered.kinds - offered.hosted)
        assert offered.processor_name
        assert stage.gateway.name.isidentifier()

    def test_no_number_shows_in_a_representation(self, stage):
        request = a_charge(stage.paid)
        shown = repr([request, stage.gateway.charge(request), stage.gateway.events_since(None)])
        assert stage.paid.number not in shown
        assert f"'{stage.paid.security_code}'" not in shown

    @pytest.mark.parametrize(
        "change",
        [
            {"amount_minor": 0},
            {"amount_minor": -1},
            {"amount_minor": True},
            {"amount_minor": 1.0},
            {"amount_minor": 10**20},
            {"currency": "eur"},
            {"currency": "EURO"},
            {"key": ""},
            {"key": "k" * 256},
        ],
        ids=str,
    )
    def test_a_request_that_makes_no_sense_cannot_be_made(self, stage, change):
        with pytest.raises(ValueError, match=r"a(n amount| currency| key) "):
            a_charge(stage.paid, **change)
