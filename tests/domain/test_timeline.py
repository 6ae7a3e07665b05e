"""What time brings: the first and last day of every letter and act, and lives lived by the timeline alone."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.domain.dunning import next_round_on
from portal.domain.lifecycle import blocked_on, subscription_state
from portal.domain.periods import add_months, period_from
from portal.domain.timeline import (
    Act,
    SubscriptionDates,
    deletion_warning_on,
    look_again_on,
    renewal_day,
    steps_due,
)
from portal.domain.vocabulary import Interval, NoticeKind, SubscriptionState

DUE = date(2026, 3, 15)
DUNNING_DAYS = (1, 3, 7, 14)
TRIAL, FREE, PAID, LATE, BLOCKED = (
    SubscriptionState.TRIAL,
    SubscriptionState.FREE,
    SubscriptionState.PAID,
    SubscriptionState.LATE,
    SubscriptionState.BLOCKED,
)
CANCELLED, ENDED = SubscriptionState.CANCELLED, SubscriptionState.ENDED
# A life is hundreds of days.
life_test = settings(deadline=None, max_examples=40)


def day(text):
    return date.fromisoformat(text)


def some_dates(**facts):
    """Due on 15 March, five days of grace, nothing said yet."""
    return SubscriptionDates(**{"state": PAID, "due_on": DUE, "blocked_on": day("2026-03-21"), **facts})


def is_due(step, dates, on):
    return step in steps_due(dates, today=on)


# --- the windows ----------------------------------------------------------------------------------

ON_TRIAL = some_dates(state=TRIAL, plan_is_trial=True, blocked_on=day("2026-03-16"))
BY_HAND = some_dates()
BY_HAND_WITHOUT_GRACE = some_dates(blocked_on=day("2026-03-16"))
AUTOMATIC = some_dates(renew_on=DUE)
# Failed on the due date: usable for 14 days more, 29 March; without grace and with dunning over.
FAILED = some_dates(renewal_failed_on=DUE, blocked_on=day("2026-03-30"))
FREE_PLAN_WAITS = some_dates(free_plan_waits=True)
# Of a licensed product, tried until 15 March.
TRIED = some_dates(state=TRIAL, is_licensed=True, trial_until=DUE, blocked_on=day("2026-03-16"))
LICENSED = some_dates(is_licensed=True)

# course, step, its first day, its last day (None: it never comes too late).
WINDOWS = {
    # source-systems.md §1.10, product.md §8: five days before, on the last day, the day after.
    "trial ending: 15 - 5": (ON_TRIAL, NoticeKind.TRIAL_ENDING, "2026-03-10", "2026-03-14"),
    "trial, last day": (ON_TRIAL, NoticeKind.TRIAL_LAST_DAY, "2026-03-15", "2026-03-15"),
    "trial over: a week": (ON_TRIAL, NoticeKind.TRIAL_OVER, "2026-03-16", "2026-03-22"),
    "trial: six months": (ON_TRIAL, NoticeKind.DELETION_AHEAD, "2026-09-15", None),
    # A product's trial: as a workspace's, by the trial's own end; what ended is told of for a week.
    "product's trial ending": (TRIED, NoticeKind.TRIAL_ENDING, "2026-03-10", "2026-03-14"),
    "product's trial, last day": (TRIED, NoticeKind.TRIAL_LAST_DAY, "2026-03-15", "2026-03-15"),
    "product's trial over": (
        replace(TRIED, state=ENDED), NoticeKind.TRIAL_OVER, "2026-03-16", "2026-03-22"),
    "product's trial of another end than the due date": (
        replace(TRIED, trial_until=day("2026-03-20")), NoticeKind.TRIAL_ENDING, "2026-03-15", "2026-03-19"),
    "licences, blocked: thirty days": (LICENSED, NoticeKind.BLOCKED, "2026-03-21", "2026-04-19"),
    # 15 - 7 = 8; the due date is a usable day and its letter still true.
    "due soon": (BY_HAND, NoticeKind.DUE_SOON, "2026-03-08", "2026-03-15"),
    # 16 to 20 March are the five days of grace.
    "late, while the grace lasts": (BY_HAND, NoticeKind.LATE, "2026-03-16", "2026-03-20"),
    # 21 March + 30 = 20 April, excluded.
    "blocked: thirty days": (BY_HAND, NoticeKind.BLOCKED, "2026-03-21", "2026-04-19"),
    "blocked without grace": (BY_HAND_WITHOUT_GRACE, NoticeKind.BLOCKED, "2026-03-16", "2026-04-14"),
    "six months after the due date": (BY_HAND, NoticeKind.DELETION_AHEAD, "2026-09-15", None),
    "six months after 31 August": (
        some_dates(due_on=day("2026-08-31"), blocked_on=day("2026-09-01")),
        NoticeKind.DELETION_AHEAD, "2027-02-28", None),
    "a grace of a year: not before it is over": (
        some_dates(blocked_on=day("2027-03-16")), NoticeKind.DELETION_AHEAD, "2027-03-16", None),
    # 29 January + 45 = 15 March; on 13 February, the last day, 30 are left.
    "price rise: thirty days": (AUTOMATIC, NoticeKind.PRICE_RISE, "2026-01-29", "2026-02-13"),
    "renewal ahead: 15 - 7": (AUTOMATIC, NoticeKind.RENEWAL_AHEAD, "2026-03-08", "2026-03-14"),
    "the renewal": (AUTOMATIC, Act.RENEW, "2026-03-15", None),
    "a dunning round": (replace(FAILED, renew_on=day("2026-03-18")), Act.RENEW, "2026-03-18", None),
    "blocked after the dunning days": (FAILED, NoticeKind.BLOCKED, "2026-03-30", "2026-04-28"),
    "six months, though the renewal failed": (FAILED, NoticeKind.DELETION_AHEAD, "2026-09-15", None),
    # Away until 10 September: failed then, usable until the 24th, past the six months of 15 September.
    "first failed after half a year": (
        some_dates(renewal_failed_on=day("2026-09-10"), blocked_on=day("2026-09-25")),
        NoticeKind.DELETION_AHEAD, "2026-09-25", None),
    "a free plan begins": (FREE_PLAN_WAITS, Act.BEGIN_FREE_PLAN, "2026-03-15", None),
    "a free plan ahead": (FREE_PLAN_WAITS, NoticeKind.RENEWAL_AHEAD, "2026-03-08", "2026-03-14"),
    "a free plan that did not fit": (FREE_PLAN_WAITS, NoticeKind.LATE, "2026-03-16", "2026-03-20"),
    "a free plan that did not fit, auto-renewal on": (
        replace(FREE_PLAN_WAITS, renew_on=DUE, renewal_failed_on=DUE, blocked_on=day("2026-03-30")),
        NoticeKind.LATE, "2026-03-16", "2026-03-29"),
    # 15 September + 7.
    "deletion": (
        some_dates(state=BLOCKED, said={NoticeKind.DELETION_AHEAD: day("2026-09-15")}),
        Act.DELETE, "2026-09-22", None),
    "deletion, warned late": (
        some_dates(state=BLOCKED, said={NoticeKind.DELETION_AHEAD: day("2026-12-30")}),
        Act.DELETE, "2027-01-06", None),
}  # fmt: skip


@pytest.mark.parametrize(("dates", "step", "first", "last"), WINDOWS.values(), ids=WINDOWS)
def test_the_first_and_the_last_day(dates, step, first, last):
    first = day(first)
    assert not is_due(step, dates, first - timedelta(days=1))
    assert is_due(step, dates, first)
    if last is None:
        assert is_due(step, dates, first + timedelta(days=900))
    else:
        assert is_due(step, dates, day(last))
        assert not is_due(step, dates, day(last) + timedelta(days=1))


SAID_AND_DONE = {NoticeKind.DELETION_AHEAD: DUE}
NEVER = {
    "without grace nobody is late": (BY_HAND_WITHOUT_GRACE, {NoticeKind.LATE}),
    "whoever renews by hand is not charged": (BY_HAND, {Act.RENEW, NoticeKind.RENEWAL_AHEAD}),
    "a renewal needs no reminder": (AUTOMATIC, {NoticeKind.DUE_SOON}),
    # product.md §5: untried or unanswered is our trouble.
    "nothing ends before a renewal was tried": (
        replace(AUTOMATIC, said=SAID_AND_DONE),
        {NoticeKind.LATE, NoticeKind.BLOCKED, NoticeKind.DELETION_AHEAD, Act.DELETE}),
    "each failed charge has its own letter": (
        FAILED, {NoticeKind.DUE_SOON, NoticeKind.LATE, NoticeKind.RENEWAL_AHEAD, NoticeKind.PRICE_RISE}),
    "a charge that failed was announced before": (
        replace(FAILED, renew_on=day("2026-03-22")), {NoticeKind.RENEWAL_AHEAD, NoticeKind.PRICE_RISE}),
    "a free plan that waits is never charged for": (
        replace(FREE_PLAN_WAITS, renew_on=DUE), {Act.RENEW, NoticeKind.PRICE_RISE, NoticeKind.DUE_SOON}),
    "a trial is neither late nor renewed": (
        ON_TRIAL, {NoticeKind.DUE_SOON, NoticeKind.LATE, NoticeKind.BLOCKED, Act.RENEW}),
    "a product's trial is neither late nor renewed, and deletes nothing": (
        replace(TRIED, state=ENDED, said=SAID_AND_DONE),
        {*NoticeKind, *Act} - {NoticeKind.TRIAL_ENDING, NoticeKind.TRIAL_LAST_DAY, NoticeKind.TRIAL_OVER}),
    "whoever does not pay for one product keeps the workspace": (
        replace(LICENSED, state=BLOCKED, said=SAID_AND_DONE), {NoticeKind.DELETION_AHEAD, Act.DELETE}),
    "nothing comes of what is cancelled": (
        replace(LICENSED, state=CANCELLED, renew_on=DUE, free_plan_waits=True, said=SAID_AND_DONE),
        {*NoticeKind, *Act}),
    "nothing comes of what has ended": (
        replace(LICENSED, state=ENDED, renew_on=DUE, renewal_failed_on=DUE, said=SAID_AND_DONE),
        {*NoticeKind, *Act}),
    "no deletion without a warning": (BY_HAND, {Act.DELETE}),
    "no second warning": (replace(BY_HAND, said=SAID_AND_DONE), {NoticeKind.DELETION_AHEAD}),
    "a free plan has no due date": (
        some_dates(state=FREE, due_on=None, blocked_on=None), {*NoticeKind, *Act}),
    "nor has a paid plan without an end": (some_dates(due_on=None, blocked_on=None), {*NoticeKind, *Act}),
}  # fmt: skip


@pytest.mark.parametrize(("dates", "steps"), NEVER.values(), ids=NEVER)
def test_what_is_never_due(dates, steps):
    for offset in range(-60, 420):
        assert not steps & set(steps_due(dates, today=DUE + timedelta(days=offset)))


licensed_dates = st.builds(
    SubscriptionDates,
    state=st.sampled_from([PAID, LATE, BLOCKED]),
    due_on=st.just(DUE),
    blocked_on=st.integers(1, 60).map(lambda n: DUE + timedelta(days=n)),
    renew_on=st.none() | st.integers(0, 60).map(lambda n: DUE + timedelta(days=n)),
    renewal_failed_on=st.none() | st.integers(0, 60).map(lambda n: DUE + timedelta(days=n)),
    free_plan_waits=st.booleans(),
    is_licensed=st.just(True),
    said=st.dictionaries(st.sampled_from(NoticeKind), st.just(DUE)),
)
any_day = st.integers(-60, 900).map(lambda n: DUE + timedelta(days=n))


@settings(deadline=None)
@given(licensed_dates, any_day, st.sampled_from([CANCELLED, ENDED]))
def test_nothing_ever_comes_of_what_was_cancelled(dates, today, state):
    over = replace(dates, state=state)
    assert (steps_due(over, today=today), look_again_on(over, today=today)) == ((), None)


@settings(deadline=None)
@given(licensed_dates, any_day)
def test_no_workspace_is_deleted_for_a_licensed_product(dates, today):
    assert not {NoticeKind.DELETION_AHEAD, Act.DELETE} & set(steps_due(dates, today=today))


def test_paying_comes_before_blocking_and_deletion():
    """Away for seven months with a card that may pay: it is asked before anything ends."""
    dates = some_dates(
        state=BLOCKED,
        renew_on=DUE,
        renewal_failed_on=DUE,
        said={NoticeKind.DELETION_AHEAD: day("2026-09-15"), NoticeKind.BLOCKED: day("2026-03-21")},
    )
    assert steps_due(dates, today=day("2026-10-01")) == (Act.RENEW, Act.DELETE)


LOOKS = {
    # 15 March - 7; before it nothing is due.
    "long before": (BY_HAND, "2025-06-01", "2026-03-08"),
    "the reminder is still to be written: the next letter": (BY_HAND, "2026-03-08", "2026-03-16"),
    "on the due date": (BY_HAND, "2026-03-15", "2026-03-16"),
    "while late": (BY_HAND, "2026-03-16", "2026-03-21"),
    "while blocked": (BY_HAND, "2026-03-21", "2026-09-15"),
    "warned": (replace(BY_HAND, said={NoticeKind.DELETION_AHEAD: day("2026-09-15")}),
               "2026-09-15", "2026-09-22"),
    "a price rise first": (AUTOMATIC, "2026-01-01", "2026-01-29"),
    "then the notice": (AUTOMATIC, "2026-02-13", "2026-03-08"),
    "then the charge": (AUTOMATIC, "2026-03-08", "2026-03-15"),
    "a charge that could not be asked for": (AUTOMATIC, "2026-03-15", "2026-03-16"),
    "a free plan that does not fit": (FREE_PLAN_WAITS, "2026-03-18", "2026-03-19"),
    "a product's trial, day by day": (TRIED, "2026-03-15", "2026-03-16"),
    "a product's trial that is over": (replace(TRIED, state=ENDED), "2026-03-16", None),
    "cancelled": (replace(LICENSED, state=CANCELLED), "2026-03-01", None),
    "nothing ever": (some_dates(state=FREE, due_on=None, blocked_on=None), "2026-03-18", None),
}  # fmt: skip


@pytest.mark.parametrize(("dates", "today", "expected"), LOOKS.values(), ids=LOOKS)
def test_when_to_look_again(dates, today, expected):
    assert look_again_on(dates, today=day(today)) == (expected and day(expected))


# --- the catch-up rule ----------------------------------------------------------------------------

RENEWAL_DAYS = {
    "the first one: on the due date": ("2026-03-01", None, "2026-03-01"),
    "after one in time: on the due date": ("2026-03-01", "2026-02-01", "2026-03-01"),
    # 22 February is before the due date.
    "after one that dunning got on day 14": ("2026-03-01", "2026-02-15", "2026-03-01"),
    # 26 February + 7 = 5 March: seven days of notice are left.
    "after one that was three weeks late": ("2026-03-01", "2026-02-26", "2026-03-05"),
    # Away for months: 10 May + 7.
    "overdue already": ("2026-03-01", "2026-05-10", "2026-05-17"),
    "seven days exactly": ("2026-03-01", "2026-02-22", "2026-03-01"),
}


@pytest.mark.parametrize(("due", "last", "expected"), RENEWAL_DAYS.values(), ids=RENEWAL_DAYS)
def test_the_day_of_the_next_charge(due, last, expected):
    found = renewal_day(due_on=day(due), last_renewed_on=last and day(last))
    assert found == day(expected)


def test_after_an_extension_the_charge_moves_to_the_new_due_date():
    """source-systems.md §3.5, « auto-renewal on »: changed on 3 January, due on 19 February."""
    assert renewal_day(due_on=day("2026-02-19"), last_renewed_on=None) == day("2026-02-19")


# --- whole lives ----------------------------------------------------------------------------------


@dataclass
class Life:
    """A monthly subscription that lives by the timeline; each look is what one_subscription.py does in one.

    `answers` are the bank's, in order; after them it declines. `fits_from` and `asks_from` are the first days
    on which the free plan that waits can begin, and on which a charge can be asked for at all. `diary` holds
    (day, step, due date then).
    """

    due_on: date = DUE
    trial: bool = False
    automatic: bool = False
    grace_days: int = 0
    answers: tuple[bool, ...] = ()
    free_plan_waits: bool = False
    fits_from: date = date.min
    asks_from: date = date.min
    diary: list = field(default_factory=list)

    def __post_init__(self):
        self.anchor_day = self.due_on.day
        self.renew_on = self.due_on if self.automatic else None
        self.failed_on, self.said, self.asked = None, {}, 0
        self.is_free = self.is_gone = False

    def dates(self, today):
        dunning = {"renewal_failed_on": self.failed_on, "dunning_days": DUNNING_DAYS}
        state = subscription_state(
            plan_is_trial=self.trial,
            plan_is_free=self.is_free,
            due_on=self.due_on,
            grace_days=0 if self.trial else self.grace_days,
            today=today,
            auto_renewal=self.automatic,
            **dunning,
        )
        return SubscriptionDates(
            state=state,
            due_on=self.due_on,
            blocked_on=blocked_on(self.due_on, 0 if self.trial else self.grace_days, **dunning),
            plan_is_trial=self.trial,
            renew_on=self.renew_on,
            renewal_failed_on=self.failed_on,
            free_plan_waits=self.free_plan_waits,
            said=self.said,
        )

    def look(self, today):
        taken = set()
        while not self.is_gone:
            dates = self.dates(today)
            step = next((step for step in steps_due(dates, today=today) if step not in taken), None)
            if step is None:
                return look_again_on(dates, today=today)
            taken.add(step)
            if self.take(step, dates, today):
                self.diary.append((today, step, dates.due_on))
        return None

    def take(self, step, dates, today):
        if step is Act.RENEW:
            return today >= self.asks_from and self.charge(dates, today)
        if step is Act.BEGIN_FREE_PLAN:
            self.is_free = today >= self.fits_from
            if not self.is_free and self.automatic:
                self.failed_on = self.failed_on or today
            return self.is_free
        if step is Act.DELETE:
            self.is_gone = True
            return True
        self.said = {**self.said, step: today}
        return True

    def charge(self, dates, today):
        self.asked += 1
        if self.asked > len(self.answers) or not self.answers[self.asked - 1]:
            self.failed_on = self.failed_on or today
            self.renew_on = next_round_on(failed_on=self.failed_on, today=today, days=DUNNING_DAYS)
            return False
        if dates.state is BLOCKED:
            start, self.anchor_day = today, today.day
        else:
            start = self.due_on
        self.due_on = period_from(start, Interval.MONTH, anchor_day=self.anchor_day).end
        self.failed_on, self.said = None, {}
        self.renew_on = renewal_day(due_on=self.due_on, last_renewed_on=today)
        return True

    def done(self, step):
        return [(on, about) for on, what, about in self.diary if what is step]


def live_every_day(life, *, since, days):
    for offset in range(days):
        life.look(since + timedelta(days=offset))
    return life


def live_by_the_calendar(life, *, since, days):
    today = since
    while today is not None and today < since + timedelta(days=days):
        again = life.look(today)
        assert again is None or again > today
        today = again
    return life


def live_with_absences(life, *, since, days, away):
    """`away` is (first day away, days away) after `since`."""
    absent = {since + timedelta(days=first + n) for first, length in away for n in range(length)}
    for offset in range(days):
        if (today := since + timedelta(days=offset)) not in absent:
            life.look(today)
    return life


def words(life):
    return [f"{on.isoformat()[5:]} {step}" for on, step, _ in life.diary]


STORIES = {
    "a trial that ends": (
        Life(trial=True),
        ["03-10 trial_ending", "03-15 trial_last_day", "03-16 trial_over",
         "09-15 deletion_ahead", "09-22 delete"]),
    "a plan that nobody pays, five days of grace": (
        Life(grace_days=5),
        ["03-08 due_soon", "03-16 late", "03-21 blocked", "09-15 deletion_ahead", "09-22 delete"]),
    "a plan that nobody pays": (
        Life(), ["03-08 due_soon", "03-16 blocked", "09-15 deletion_ahead", "09-22 delete"]),
    # Tried on days 0, 1, 3, 7 and 14; 15 + 14 = 29 March is usable.
    "a card that never pays": (
        Life(automatic=True),
        ["01-29 price_rise", "03-08 renewal_ahead", "03-30 blocked", "09-15 deletion_ahead", "09-22 delete"]),
    # The third try is that of day 3; the due day stays the 15th. In April 15 + 14 = 29 is usable.
    "a card that pays on day 3": (
        Life(automatic=True, answers=(False, False, True)),
        # From 18 March on a rise on 15 April would be told too late.
        ["01-29 price_rise", "03-08 renewal_ahead", "03-18 renew",
         "04-08 renewal_ahead", "04-30 blocked", "10-15 deletion_ahead", "10-22 delete"]),
    "a free plan that fits": (
        Life(free_plan_waits=True), ["03-08 renewal_ahead", "03-15 begin_free_plan"]),
    "a free plan that fits on the fourth day": (
        Life(free_plan_waits=True, grace_days=5, fits_from=date(2026, 3, 19)),
        ["03-08 renewal_ahead", "03-16 late", "03-19 begin_free_plan"]),
    "a free plan that never fits": (
        Life(free_plan_waits=True, fits_from=date.max),
        ["03-08 renewal_ahead", "03-16 blocked", "09-15 deletion_ahead", "09-22 delete"]),
    "no VAT rate for two days: nobody is late": (
        Life(automatic=True, answers=(True,), asks_from=date(2026, 3, 17)),
        ["01-29 price_rise", "03-08 renewal_ahead", "03-17 renew",
         "04-08 renewal_ahead", "04-30 blocked", "10-15 deletion_ahead", "10-22 delete"]),
}  # fmt: skip


@pytest.mark.parametrize(("life", "expected"), STORIES.values(), ids=STORIES)
def test_a_life_day_by_day(life, expected):
    lived = live_every_day(replace(life, diary=[]), since=date(2026, 1, 1), days=360)
    assert words(lived) == expected


ABSENCES = {
    # Nothing of what is past is said: only the letter of today.
    "back in the grace": (Life(grace_days=5), 18, ["03-18 late", "03-21 blocked"]),
    "back when blocked": (Life(grace_days=5), 22, ["03-22 blocked"]),
    "back a day before the due date: the reminder is still true": (
        Life(), 14, ["03-14 due_soon", "03-16 blocked"]),
    "back on the last day of a trial": (
        Life(trial=True), 15, ["03-15 trial_last_day", "03-16 trial_over"]),
    "back a week after a trial": (Life(trial=True), 22, ["03-22 trial_over"]),
    "back eight days after a trial": (Life(trial=True), 23, []),
    "back two days before a renewal": (
        Life(automatic=True, answers=(True,)), 13,
        ["03-13 renewal_ahead", "03-15 renew", "03-15 price_rise"]),
    "back three days after a renewal fell due": (
        Life(automatic=True, answers=(True,)), 18, ["03-18 renew"]),
    "back after a free plan should have begun": (
        Life(free_plan_waits=True, grace_days=5), 20, ["03-20 begin_free_plan"]),
}  # fmt: skip


@pytest.mark.parametrize(("life", "back", "expected"), ABSENCES.values(), ids=ABSENCES)
def test_what_is_said_on_coming_back_in_march(life, back, expected):
    lived = live_every_day(replace(life, diary=[]), since=date(2026, 3, back), days=29 - back)
    assert words(lived) == expected


def test_whoever_was_away_for_months_charges_once_a_week_and_announces_each():
    """Due 1 February, away until 10 May. 10 May pays for February; then 17, 24, 31 May and 7 June.

    That of 7 June pays for June: due 1 July, and from there on everything is in time.
    """
    life = Life(due_on=date(2026, 2, 1), automatic=True, answers=(True,) * 20)
    live_every_day(life, since=date(2026, 5, 10), days=90)
    assert [(on.isoformat()[5:], about.isoformat()[5:]) for on, about in life.done(Act.RENEW)] == [
        ("05-10", "02-01"), ("05-17", "03-01"), ("05-24", "04-01"), ("05-31", "05-01"),
        ("06-07", "06-01"), ("07-01", "07-01"), ("08-01", "08-01"),
    ]  # fmt: skip
    announced = {about: on for on, about in life.done(NoticeKind.RENEWAL_AHEAD)}
    for on, about in life.done(Act.RENEW)[1:]:
        assert on - announced[about] >= timedelta(days=7)


def test_whoever_was_away_for_a_year_warns_before_deleting():
    life = live_every_day(Life(), since=DUE + timedelta(days=400), days=30)
    assert [(on - DUE).days for on, _, _ in life.diary] == [400, 407]
    assert [step for _, step, _ in life.diary] == [NoticeKind.DELETION_AHEAD, Act.DELETE]


HORIZON = 300
SINCE = date(2026, 1, 1)
days_of_grace = st.sampled_from([0, 0, 1, 5, 14, 30, 200])
due_dates = st.dates(SINCE, SINCE + timedelta(days=90))
some_day = st.dates(SINCE, SINCE + timedelta(days=300))
lives = st.one_of(
    st.builds(Life, due_on=due_dates, trial=st.just(True)),
    st.builds(Life, due_on=due_dates, grace_days=days_of_grace),
    st.builds(
        Life,
        due_on=due_dates,
        grace_days=days_of_grace,
        automatic=st.just(True),
        answers=st.lists(st.booleans(), max_size=20).map(tuple),
        asks_from=st.just(date.min) | some_day,
    ),
    st.builds(
        Life,
        due_on=due_dates,
        grace_days=days_of_grace,
        automatic=st.booleans(),
        free_plan_waits=st.just(True),
        fits_from=st.just(date.min) | some_day,
    ),
)
absences = st.lists(st.tuples(st.integers(0, 250), st.integers(1, 120)), min_size=1, max_size=3)


def again(life):
    return replace(life, diary=[])


@life_test
@given(lives)
def test_looking_on_the_days_named_is_as_good_as_looking_every_day(life):
    every_day = live_every_day(again(life), since=SINCE, days=HORIZON)
    by_calendar = live_by_the_calendar(again(life), since=SINCE, days=HORIZON)
    assert by_calendar.diary == every_day.diary
    assert by_calendar.asked == every_day.asked


@life_test
@given(lives, absences)
def test_nothing_is_said_twice_and_nobody_is_deleted_unwarned(life, away):
    lived = live_with_absences(again(life), since=SINCE, days=HORIZON, away=away)
    said = Counter((step, about) for _, step, about in lived.diary)
    assert not [each for each, times in said.items() if times > 1]
    for deleted_on, about in lived.done(Act.DELETE):
        [warned_on] = [on for on, due_on in lived.done(NoticeKind.DELETION_AHEAD) if due_on == about]
        assert deleted_on - warned_on >= timedelta(days=7)
        assert warned_on >= deletion_warning_on(about)


@life_test
@given(lives, absences)
def test_an_absence_says_nothing_that_would_not_have_been_said(life, away):
    """The letters about a due date are among those of a life without absences, and none is earlier."""
    whole = live_every_day(again(life), since=SINCE, days=HORIZON)
    lived = live_with_absences(again(life), since=SINCE, days=HORIZON, away=away)
    told = {step: on for on, step, about in whole.diary if about == life.due_on}
    for on, step, about in lived.diary:
        if about == life.due_on and isinstance(step, NoticeKind) and not life.automatic:
            assert on >= told[step]


FATES = {
    "a trial is deleted": (Life(trial=True), lambda life: life.is_gone),
    "who does not pay is deleted": (Life(grace_days=5), lambda life: life.is_gone),
    "who cannot pay is deleted": (Life(automatic=True), lambda life: life.is_gone),
    "a free plan begins": (Life(free_plan_waits=True), lambda life: life.is_free),
    "who pays has paid up to today": (
        Life(automatic=True, answers=(True,) * 40),
        lambda life: life.due_on > SINCE + timedelta(days=2 * HORIZON) and not life.failed_on),
}  # fmt: skip


@pytest.mark.parametrize(("life", "is_done"), FATES.values(), ids=FATES)
@life_test
@given(away=absences)
def test_an_absence_delays_and_loses_no_act(life, is_done, away):
    lived = live_with_absences(again(life), since=SINCE, days=2 * HORIZON + 1, away=away)
    assert is_done(lived)


@life_test
@given(due_dates, absences)
def test_no_two_charges_without_seven_days_of_notice_between(due_on, away):
    life = Life(due_on=due_on, automatic=True, answers=(True,) * 40)
    live_with_absences(life, since=SINCE, days=HORIZON, away=away)
    charges = life.done(Act.RENEW)
    announced = {about: on for on, about in life.done(NoticeKind.RENEWAL_AHEAD)}
    # Every month is charged once, in order.
    assert [about for _, about in charges] == [
        add_months(due_on, n, anchor_day=due_on.day) for n in range(len(charges))
    ]
    for (before, _), (on, about) in pairwise(charges):
        assert on - before >= timedelta(days=7)
        if about - before <= timedelta(days=7):
            assert announced[about] == before


@life_test
@given(lives, st.integers(0, HORIZON))
def test_the_next_look_is_always_later(life, days):
    lived = live_every_day(again(life), since=SINCE, days=days)
    today = SINCE + timedelta(days=days)
    if not lived.is_gone:
        found = look_again_on(lived.dates(today), today=today)
        assert found is None or found > today
