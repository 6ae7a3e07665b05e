from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain.lifecycle import (
    CANCELLABLE,
    LICENSED_TRANSITIONS,
    PAYMENT_TRANSITIONS,
    blocked_on,
    days_left,
    ended_on,
    licensed_state,
    may_become,
    may_follow,
    order_progress,
    subscription_state,
)
from portal.domain.vocabulary import (
    DeclineCode,
    OrderProgress,
    OrderState,
    PaymentState,
    SubscriptionState,
)

TRIAL, FREE, PAID, LATE, BLOCKED = (
    SubscriptionState.TRIAL,
    SubscriptionState.FREE,
    SubscriptionState.PAID,
    SubscriptionState.LATE,
    SubscriptionState.BLOCKED,
)
CANCELLED, ENDED = SubscriptionState.CANCELLED, SubscriptionState.ENDED
DUE = date(2026, 2, 1)
DUNNING_DAYS = (1, 3, 7, 14)
property_test = settings(deadline=None)


def state(
    *,
    today,
    due_on=DUE,
    trial=False,
    free=False,
    grace_days=0,
    automatic=False,
    failed_on=None,
    open_result=False,
    by_transfer=False,
    unpaid_on=None,
):
    return subscription_state(
        plan_is_trial=trial,
        plan_is_free=free,
        due_on=due_on,
        grace_days=grace_days,
        today=today,
        auto_renewal=automatic,
        renewal_failed_on=failed_on,
        awaits_a_result=open_result,
        dunning_days=DUNNING_DAYS,
        pays_by_transfer=by_transfer,
        unpaid_on=unpaid_on,
    )


def after(days):
    return DUE + timedelta(days=days)


UNTRIED = {"automatic": True}
FAILED = {"automatic": True, "failed_on": DUE}
UNANSWERED = {**FAILED, "open_result": True}
FAILED_LATER = {"automatic": True, "failed_on": after(100)}
OWES_THE_FIRST = {"by_transfer": True, "unpaid_on": after(-300)}
OWES_THE_NEXT = {"by_transfer": True, "unpaid_on": DUE}


STATES = {
    # Money may have moved: our trouble, not theirs (product.md §5). By hand nothing was promised.
    "failed, and somebody's click is not answered, long after": (after(30), UNANSWERED, PAID),
    "by hand, a payment is not answered": (after(1), {"open_result": True}, BLOCKED),
    # source-systems.md §1.9: the due date itself is still a working day, and so is the last grace day.
    "paid, the day before": (after(-1), {}, PAID),
    "paid, on the due date": (after(0), {}, PAID),
    "no grace: blocked the day after": (after(1), {}, BLOCKED),
    "grace of 5: late the day after": (after(1), {"grace_days": 5}, LATE),
    "grace of 5: its last day": (after(5), {"grace_days": 5}, LATE),
    "grace of 5: over": (after(6), {"grace_days": 5}, BLOCKED),
    "grace of 1: one late day": (after(1), {"grace_days": 1}, LATE),
    "grace of 1: over": (after(2), {"grace_days": 1}, BLOCKED),
    "grace does not make an early day late": (after(0), {"grace_days": 5}, PAID),
    "trial running": (after(-20), {"trial": True}, TRIAL),
    "trial, last day, still usable": (after(0), {"trial": True}, TRIAL),
    "trial over": (after(1), {"trial": True}, BLOCKED),
    "a trial has no grace": (after(1), {"trial": True, "grace_days": 5}, BLOCKED),
    "a trial has no renewal": (after(1), {"trial": True, "automatic": True}, BLOCKED),
    "nor a dunning span": (after(1), {"trial": True, **FAILED}, BLOCKED),
    "a trial of length 0 never ends": (after(900), {"trial": True, "due_on": None}, TRIAL),
    "a trial plan that is free is a trial": (after(0), {"trial": True, "free": True}, TRIAL),
    "a free trial ends too": (after(1), {"trial": True, "free": True}, BLOCKED),
    "free, no due date": (after(900), {"free": True, "due_on": None}, FREE),
    "free never gets late": (after(900), {"free": True}, FREE),
    "paid without an end": (after(900), {"due_on": None}, PAID),
    # product.md §5: our trouble is never the customer's.
    "renewal untried, or its result unknown": (after(3), UNTRIED, PAID),
    "untried beyond the grace days": (after(9), {**UNTRIED, "grace_days": 5}, PAID),
    "untried for months: we were away": (after(120), UNTRIED, PAID),
    "auto-renewal before the due date": (after(-3), UNTRIED, PAID),
    # Failed on the due date: 14 days of dunning are usable, whatever the grace.
    "failed, on the due date itself": (after(0), FAILED, PAID),
    "failed, no grace: late": (after(1), FAILED, LATE),
    "failed, no grace: the last dunning day": (after(14), FAILED, LATE),
    "failed, no grace: dunning over": (after(15), FAILED, BLOCKED),
    "failed, grace shorter than dunning": (after(14), {**FAILED, "grace_days": 5}, LATE),
    "failed, grace shorter than dunning: over": (after(15), {**FAILED, "grace_days": 5}, BLOCKED),
    "failed, grace longer than dunning": (after(30), {**FAILED, "grace_days": 30}, LATE),
    "failed, grace longer than dunning: over": (after(31), {**FAILED, "grace_days": 30}, BLOCKED),
    # We came late: the span counts from the first failure, 100 + 14.
    "first tried after 100 days": (after(114), FAILED_LATER, LATE),
    "first tried after 100 days: over": (after(115), FAILED_LATER, BLOCKED),
    # Switching auto-renewal off ends the tries, and takes no day away.
    "switched off during dunning": (after(14), {"failed_on": DUE}, LATE),
    "switched off during dunning: over": (after(15), {"failed_on": DUE}, BLOCKED),
    "switched off before the first try": (after(3), {}, BLOCKED),
    # An open invoice: its last day decides, and the dunning days after it (docs/adr/0034).
    "invoiced, the last day to pay": (after(-300), OWES_THE_FIRST, PAID),
    "invoiced, the day after: late": (after(-299), OWES_THE_FIRST, LATE),
    "invoiced, the last dunning day": (after(-286), OWES_THE_FIRST, LATE),
    "invoiced and never paid: blocked, though the period runs": (after(-285), OWES_THE_FIRST, BLOCKED),
    "invoiced, grace longer than dunning": (after(-280), {**OWES_THE_FIRST, "grace_days": 20}, LATE),
    "the next period is invoiced, on the due date": (after(0), OWES_THE_NEXT, PAID),
    "the next period is invoiced and late": (after(14), OWES_THE_NEXT, LATE),
    "the next period is invoiced and not paid": (after(15), OWES_THE_NEXT, BLOCKED),
    "we invoiced late: there are days to pay": (after(5), {"by_transfer": True, "unpaid_on": after(6)}, PAID),
    "we have not invoiced yet: our trouble": (after(60), {"by_transfer": True}, PAID),
    "a free plan begins all the same": (after(15), {**OWES_THE_NEXT, "free": True}, FREE),
}


@pytest.mark.parametrize(("today", "facts", "expected"), STATES.values(), ids=STATES)
def test_the_state_today(today, facts, expected):
    assert state(today=today, **facts) is expected


@property_test
@given(st.integers(-60, 120), st.integers(0, 60))
def test_paid_then_late_then_blocked_and_never_back(days, grace_days):
    order = [PAID, LATE, BLOCKED]
    today = state(today=after(days), grace_days=grace_days)
    tomorrow = state(today=after(days + 1), grace_days=grace_days)
    assert order.index(today) <= order.index(tomorrow)
    assert (today is BLOCKED) == (after(days) >= blocked_on(DUE, grace_days))


@property_test
@given(
    st.booleans(),
    st.booleans(),
    st.none() | st.integers(-60, 60).map(after),
    st.integers(0, 30),
    st.none() | st.integers(0, 60).map(after),
)
def test_auto_renewal_never_makes_it_worse(trial, free, due_on, grace_days, failed_on):
    facts = {"today": after(30), "trial": trial, "free": free, "due_on": due_on, "grace_days": grace_days}
    order = [TRIAL, FREE, PAID, LATE, BLOCKED]
    by_hand, automatic = state(**facts), state(**facts, automatic=True, failed_on=failed_on)
    assert (by_hand is TRIAL) <= trial and (by_hand is FREE) <= free
    assert order.index(automatic) <= order.index(by_hand)
    if failed_on is None and not trial:
        assert automatic in {PAID, FREE}


@property_test
@given(st.integers(0, 90), st.integers(0, 40), st.integers(1, 140), st.booleans())
def test_after_a_failed_charge_access_ends_on_one_day(failed_after, grace_days, days, automatic):
    failed_on = after(failed_after)
    ends_on = blocked_on(DUE, grace_days, renewal_failed_on=failed_on, dunning_days=DUNNING_DAYS)
    # The later of the two spans, and the day after it.
    assert ends_on == after(max(grace_days, failed_after + 14) + 1)
    found = state(today=after(days), grace_days=grace_days, automatic=automatic, failed_on=failed_on)
    assert found is (LATE if after(days) < ends_on else BLOCKED)


BLOCK_DATES = {
    "no grace: the day after the due date": (0, None, "2026-02-02"),
    "five days of grace: 2 to 6 February are late": (5, None, "2026-02-07"),
    "over the end of the month": (28, None, "2026-03-02"),
    # 1 + 14 = 15 February is usable.
    "failed on the due date": (0, DUE, "2026-02-16"),
    "failed on the due date, five days of grace": (5, DUE, "2026-02-16"),
    "failed on the due date, thirty days of grace": (30, DUE, "2026-03-04"),
    # 8 + 14 = 22 February.
    "failed a week later": (5, date(2026, 2, 8), "2026-02-23"),
}


@pytest.mark.parametrize(("grace_days", "failed_on", "expected"), BLOCK_DATES.values(), ids=BLOCK_DATES)
def test_the_first_day_without_access(grace_days, failed_on, expected):
    first = blocked_on(DUE, grace_days, renewal_failed_on=failed_on, dunning_days=DUNNING_DAYS)
    assert first.isoformat() == expected
    assert state(today=first, grace_days=grace_days, failed_on=failed_on) is BLOCKED
    day_before = first - timedelta(days=1)
    assert state(today=day_before, grace_days=grace_days, failed_on=failed_on) is not BLOCKED


def test_grace_is_never_negative():
    with pytest.raises(ValueError, match="grace"):
        blocked_on(DUE, -1)


@pytest.mark.parametrize(("days", "expected"), [(-30, 30), (-5, 5), (-1, 1), (0, 0), (1, 0), (400, 0)])
def test_days_left_are_0_on_the_last_usable_day(days, expected):
    assert days_left(DUE, after(days)) == expected


# --- licensed products ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Licences:
    """A subscription to a licensed product, bought until 1 February, 5 days of grace, renewed by hand."""

    is_bought: bool = True
    trial_until: date | None = None
    due_on: date | None = DUE
    cancelled_on: date | None = None
    grace_days: int = 5
    auto_renewal: bool = False
    renewal_failed_on: date | None = None
    awaits_a_result: bool = False
    plan_is_free: bool = False
    pays_by_transfer: bool = False
    unpaid_on: date | None = None

    def on(self, today):
        return licensed_state(
            **{name: getattr(self, name) for name in self.__dataclass_fields__},
            today=today,
            dunning_days=DUNNING_DAYS,
        )

    @property
    def over_on(self):
        return ended_on(
            is_bought=self.is_bought,
            trial_until=self.trial_until,
            due_on=self.due_on,
            cancelled_on=self.cancelled_on,
        )


BOUGHT = Licences()
TRIED = Licences(is_bought=False, trial_until=DUE)
RENEWS = Licences(auto_renewal=True)
NOT_PAID = Licences(auto_renewal=True, renewal_failed_on=DUE)
LEFT_EARLY = Licences(cancelled_on=after(-20))

LICENSED_STATES = {
    # Tried: no grace, no renewal, and an end.
    "trial, its first day": (TRIED, after(-14), TRIAL),
    "trial, its last day is usable": (TRIED, after(0), TRIAL),
    "trial over: ended, not blocked": (TRIED, after(1), ENDED),
    "trial over for years": (TRIED, after(900), ENDED),
    "bought during the trial: its other days are not added": (
        replace(TRIED, is_bought=True, due_on=after(20)), after(1), PAID),
    "bought during the trial, then not paid": (
        replace(TRIED, is_bought=True, due_on=after(20)), after(26), BLOCKED),
    "the only purchase was paid back during the trial": (TRIED, after(-3), TRIAL),
    "the only purchase was paid back, there was no trial": (
        replace(BOUGHT, is_bought=False), after(-3), ENDED),
    # Bought and nobody decides: as a workspace plan.
    "paid, on the due date": (BOUGHT, after(0), PAID),
    "late, the last grace day": (BOUGHT, after(5), LATE),
    "blocked, and it stays so": (BOUGHT, after(900), BLOCKED),
    "renewal untried": (RENEWS, after(60), PAID),
    "renewal failed, the last dunning day": (NOT_PAID, after(14), LATE),
    "free": (replace(BOUGHT, plan_is_free=True, due_on=None, is_bought=False), after(900), FREE),
    # Cancelled: access stays as long as it is paid for.
    "cancelled, on its day": (LEFT_EARLY, after(-20), CANCELLED),
    "cancelled, on the due date": (LEFT_EARLY, after(0), CANCELLED),
    "cancelled: no day of grace": (LEFT_EARLY, after(1), ENDED),
    "cancelled on the due date itself": (replace(BOUGHT, cancelled_on=DUE), after(0), CANCELLED),
    "cancelled on the due date itself, the day after": (replace(BOUGHT, cancelled_on=DUE), after(1), ENDED),
    "cancelled while the renewal of today has failed": (
        replace(NOT_PAID, cancelled_on=DUE), after(0), CANCELLED),
    "cancelled while late: ended at once": (replace(BOUGHT, cancelled_on=after(3)), after(3), ENDED),
    "cancelled during dunning: ended at once": (replace(NOT_PAID, cancelled_on=after(9)), after(9), ENDED),
    "cancelled while blocked": (replace(BOUGHT, cancelled_on=after(40)), after(40), ENDED),
    "cancelled while we were away: its paid days are over": (
        replace(RENEWS, cancelled_on=after(40)), after(40), ENDED),
    # Cancelled and not paid: whoever leaves owes what runs all the same.
    "cancelled, its invoice can be paid in time": (
        replace(LEFT_EARLY, unpaid_on=after(-10)), after(-10), CANCELLED),
    "cancelled, its invoice is overdue": (replace(LEFT_EARLY, unpaid_on=after(-18)), after(-5), LATE),
    "cancelled, its invoice was never paid": (replace(LEFT_EARLY, unpaid_on=after(-18)), after(-3), BLOCKED),
    "cancelled and never paid, over": (replace(LEFT_EARLY, unpaid_on=after(-18)), after(1), ENDED),
    "cancelled, though a payment is not answered": (
        replace(LEFT_EARLY, awaits_a_result=True, auto_renewal=True), after(1), ENDED),
}  # fmt: skip


@pytest.mark.parametrize(("licences", "today", "expected"), LICENSED_STATES.values(), ids=LICENSED_STATES)
def test_the_state_of_licences_today(licences, today, expected):
    assert licences.on(today) is expected


ENDS = {
    "a trial: the day after its last": (TRIED, "2026-02-02"),
    "cancelled in time: the day after the due date": (LEFT_EARLY, "2026-02-02"),
    "cancelled on the due date": (replace(BOUGHT, cancelled_on=DUE), "2026-02-02"),
    "cancelled while late: that day": (replace(BOUGHT, cancelled_on=after(3)), "2026-02-04"),
    "not cancelled": (BOUGHT, None),
    "neither bought nor tried": (replace(BOUGHT, is_bought=False), None),
}


@pytest.mark.parametrize(("licences", "expected"), ENDS.values(), ids=ENDS)
def test_the_first_day_on_which_licences_are_over(licences, expected):
    first = licences.over_on
    assert (first and first.isoformat()) == expected
    if first is not None:
        assert licences.on(first) is ENDED
        assert licences.on(first - timedelta(days=1)) is not ENDED


BECOMES = {
    TRIAL: {PAID, ENDED},
    FREE: {PAID},
    PAID: {TRIAL, CANCELLED, LATE, BLOCKED, ENDED},
    CANCELLED: {TRIAL, PAID, LATE, BLOCKED, ENDED},
    LATE: {PAID, CANCELLED, BLOCKED, ENDED},
    BLOCKED: {PAID, CANCELLED, ENDED},
    ENDED: {PAID},
}


@pytest.mark.parametrize("old", SubscriptionState)
@pytest.mark.parametrize("new", SubscriptionState)
def test_the_legal_transitions_of_licences(old, new):
    assert may_follow(old, new) is (new in BECOMES[old])


def test_every_state_of_licences_is_in_the_table_and_only_a_purchase_leads_out_of_the_end():
    assert set(LICENSED_TRANSITIONS) == set(SubscriptionState)
    assert LICENSED_TRANSITIONS[ENDED] == {PAID}
    assert all(may_follow(state, CANCELLED) or may_follow(state, ENDED) for state in CANCELLABLE)


some_licences = st.builds(
    Licences,
    is_bought=st.booleans(),
    trial_until=st.none() | st.integers(-60, 60).map(after),
    due_on=st.integers(-60, 60).map(after),
    grace_days=st.integers(0, 30),
    auto_renewal=st.booleans(),
    renewal_failed_on=st.none() | st.integers(0, 60).map(after),
    awaits_a_result=st.booleans(),
    pays_by_transfer=st.booleans(),
)
bought_licences = some_licences.map(lambda licences: replace(licences, is_bought=True))


@property_test
@given(bought_licences, st.integers(-90, 120), st.integers(0, 200))
def test_what_is_cancelled_is_never_late_nor_blocked_nor_paid_again_by_itself(licences, decided, later):
    cancelled = replace(licences, cancelled_on=after(decided))
    assert cancelled.on(after(decided + later)) in {CANCELLED, ENDED}


@property_test
@given(bought_licences, st.integers(-90, 60), st.integers(0, 60))
def test_access_of_what_is_cancelled_lasts_to_the_end_of_what_is_paid(licences, decided, later):
    today = after(decided + later)
    found = replace(licences, cancelled_on=after(decided)).on(today)
    assert (found is CANCELLED) == (today <= licences.due_on)


@property_test
@given(some_licences, st.none() | st.integers(-90, 120), st.integers(-90, 200))
def test_access_never_comes_back_by_itself(licences, decided, days):
    """Whatever one did or did not do: from one day to the next a state is kept, or is a worse one."""
    order = [TRIAL, PAID, CANCELLED, LATE, BLOCKED, ENDED]
    known = replace(licences, cancelled_on=None if decided is None else after(decided))
    today, tomorrow = known.on(after(days)), known.on(after(days + 1))
    assert order.index(today) <= order.index(tomorrow)
    assert today is tomorrow or may_follow(today, tomorrow)


@property_test
@given(bought_licences, st.integers(0, 120), st.integers(0, 60))
def test_taking_back_before_the_end_restores_exactly_what_was(licences, before, later):
    """The pieces of a decision are its own day and nothing else: without it every day is as it would be."""
    decided_on = licences.due_on - timedelta(days=before)
    cancelled = replace(licences, cancelled_on=decided_on)
    assert cancelled.on(licences.due_on) is CANCELLED
    taken_back = replace(cancelled, cancelled_on=None)
    assert taken_back == licences
    assert taken_back.on(after(later)) is licences.on(after(later))


ACTS = {
    "buy": lambda was, today: replace(
        was, is_bought=True, due_on=max(today, was.due_on) + timedelta(days=30), cancelled_on=None,
        renewal_failed_on=None),
    "cancel": lambda was, today: (
        replace(was, cancelled_on=today, auto_renewal=False) if was.on(today) in CANCELLABLE else was),
    "take back": lambda was, today: (
        replace(was, cancelled_on=None) if was.on(today) is CANCELLED else was),
    "fail": lambda was, today: (
        replace(was, renewal_failed_on=today) if was.auto_renewal and was.due_on <= today
        and was.renewal_failed_on is None and was.on(today) is PAID else was),
    "switch on": lambda was, today: (
        replace(was, auto_renewal=True) if was.on(today) in {PAID, LATE} else was),
    "switch off": lambda was, _today: replace(was, auto_renewal=False),
}  # fmt: skip


@property_test
@given(
    st.sampled_from([TRIED, BOUGHT]),
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from(sorted(ACTS))), max_size=12),
)
def test_a_life_of_licences_follows_the_table(licences, story):
    today = after(-10)
    for days, act in story:
        for _ in range(days):
            before, after_a_night = licences.on(today), licences.on(today + timedelta(days=1))
            assert before is after_a_night or may_follow(before, after_a_night)
            today += timedelta(days=1)
        before = licences.on(today)
        licences = ACTS[act](licences, today)
        found = licences.on(today)
        assert before is found or may_follow(before, found), act
        assert before is not ENDED or act == "buy" or found is ENDED


# --- payments --------------------------------------------------------------------------------------

ALLOWED = {
    "created": "action_required pending unknown succeeded declined",
    "action_required": "pending unknown succeeded declined",
    "pending": "succeeded declined",
    "unknown": "action_required pending succeeded declined",
    "succeeded": "",
    "declined": "",
}


@pytest.mark.parametrize("old", PaymentState)
@pytest.mark.parametrize("new", PaymentState)
def test_the_legal_transitions_of_a_payment(old, new):
    assert may_become(old, new) is (new in ALLOWED[old].split())


def test_every_state_is_in_the_table_and_none_leads_back_to_created():
    assert set(PAYMENT_TRANSITIONS) == set(PaymentState)
    assert not any(PaymentState.CREATED in targets for targets in PAYMENT_TRANSITIONS.values())


def test_a_payment_that_is_not_final_can_still_succeed_and_can_still_be_declined():
    final = {state for state, targets in PAYMENT_TRANSITIONS.items() if not targets}
    assert final == {PaymentState.SUCCEEDED, PaymentState.DECLINED}
    for targets in PAYMENT_TRANSITIONS.values():
        assert not targets or final <= targets


# --- how far an order has come --------------------------------------------------------------------

OPEN, PLACED = OrderState.OPEN, OrderState.PLACED
LEFT = (PaymentState.DECLINED, DeclineCode.WITHDRAWN)
NO_FUNDS = (PaymentState.DECLINED, DeclineCode.INSUFFICIENT_FUNDS)
UNCONFIRMED = (PaymentState.DECLINED, DeclineCode.AUTHENTICATION_FAILED)
REFUSED_BY_PAYER = (PaymentState.DECLINED, DeclineCode.REFUSED_BY_PAYER)
NEVER_MADE = (PaymentState.DECLINED, DeclineCode.NEVER_MADE)
ASKED = (PaymentState.ACTION_REQUIRED, "")
SENT = (PaymentState.CREATED, "")
SILENT = (PaymentState.UNKNOWN, "")

PROGRESS = {
    "opened": (OPEN, [], OrderProgress.NOT_FINISHED),
    "left at the bank's page": (OPEN, [LEFT], OrderProgress.NOT_FINISHED),
    "left twice": (OPEN, [LEFT, LEFT], OrderProgress.NOT_FINISHED),
    "declined": (OPEN, [NO_FUNDS], OrderProgress.DECLINED),
    "left, then declined": (OPEN, [LEFT, NO_FUNDS], OrderProgress.DECLINED),
    "declined, then left": (OPEN, [NO_FUNDS, LEFT], OrderProgress.NOT_CONFIRMED),
    "refused at the bank's page": (OPEN, [UNCONFIRMED], OrderProgress.NOT_CONFIRMED),
    "refused at PayPal": (OPEN, [REFUSED_BY_PAYER], OrderProgress.NOT_CONFIRMED),
    "nobody was asked": (OPEN, [NEVER_MADE], OrderProgress.NOT_PAID),
    "being asked": (PLACED, [SENT], OrderProgress.BEING_CONFIRMED),
    "no answer": (PLACED, [NO_FUNDS, SILENT], OrderProgress.BEING_CONFIRMED),
    "waits for the payer": (PLACED, [NO_FUNDS, ASKED], OrderProgress.TO_CONFIRM),
    "paid at the second try": (
        OrderState.PAID,
        [NO_FUNDS, (PaymentState.SUCCEEDED, "")],
        OrderProgress.PAID,
    ),
    "refunded": (OrderState.REFUNDED, [(PaymentState.SUCCEEDED, "")], OrderProgress.REFUNDED),
}


@pytest.mark.parametrize("name", PROGRESS)
def test_how_far_an_order_has_come(name):
    state, tries, expected = PROGRESS[name]
    assert order_progress(state, tries, is_renewal=False) == expected


def test_a_dispute_is_said_of_what_is_paid_and_not_paid_back():
    paid = [(PaymentState.SUCCEEDED, "")]
    said = {state: order_progress(state, paid, is_renewal=False, is_disputed=True) for state in OrderState}
    assert said[OrderState.PAID] == OrderProgress.DISPUTED
    assert said[OrderState.REFUNDED] == OrderProgress.REFUNDED


@pytest.mark.parametrize(
    ("tries", "expected"),
    [
        ([], OrderProgress.NOT_PAID),
        ([LEFT], OrderProgress.NOT_CONFIRMED),
        ([NO_FUNDS], OrderProgress.DECLINED),
    ],
)
def test_no_renewal_is_left_unfinished(tries, expected):
    assert order_progress(OPEN, tries, is_renewal=True) == expected
