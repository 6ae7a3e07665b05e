from dataclasses import dataclass, replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.money import Money
from portal.domain.plans import (
    ActionLabel,
    ActionNote,
    ExceededLimit,
    LimitKind,
    PlanAction,
    PlanCell,
    PlanLimits,
    Usage,
    YearlySaving,
    beside_open_payment,
    conditions,
    exceeded_limits,
    has_days_left,
    is_prolongable,
    plan_action,
    prolongable_from,
    recommended,
    user_range,
    yearly_saving,
)
from portal.domain.vocabulary import Interval, Service, SubscriptionState

GB = 1024**3
MONTH, YEAR = Interval.MONTH, Interval.YEAR


def a_plan(code, *, position=0, max_users=None, storage_gb=None, **changes):
    storage_bytes = None if storage_gb is None else storage_gb * GB
    plan = PlanLimits(
        code=code,
        position=position,
        max_users=max_users,
        guests_per_user=2,
        max_administrators=None,
        storage_bytes=storage_bytes,
        services=frozenset(Service),
        free=False,
        hidden=False,
    )
    return replace(plan, **changes)


TRIAL = a_plan("trial", storage_gb=10, hidden=True, trial=True)
STARTUP = a_plan(
    "startup",
    position=1,
    max_users=5,
    storage_gb=2,
    free=True,
    guests_per_user=0,
    max_administrators=1,
    services=frozenset(),
)
BUSINESS_3 = a_plan("business-3", position=2, max_users=3, storage_gb=20)
BUSINESS_5 = a_plan("business-5", position=3, max_users=5, storage_gb=40)
BUSINESS_10 = a_plan("business-10", position=4, max_users=10, storage_gb=80)
BUSINESS_20 = a_plan("business-20", position=5, max_users=20, storage_gb=160)
UNLIMITED = a_plan("unlimited", position=6)
NONPROFIT = a_plan("nonprofit", position=9, max_users=1000, storage_gb=2, free=True, hidden=True)
WITHDRAWN_4 = a_plan("business-4", position=3, max_users=4, storage_gb=30, hidden=True)

# Business 10 is sold by the year only. The order is not that of the sizes, on purpose.
ON_SALE = [
    PlanCell(STARTUP, None),
    PlanCell(BUSINESS_20, YEAR),
    PlanCell(BUSINESS_20, MONTH),
    PlanCell(BUSINESS_10, YEAR),
    PlanCell(BUSINESS_5, YEAR),
    PlanCell(BUSINESS_5, MONTH),
    PlanCell(BUSINESS_3, YEAR),
    PlanCell(BUSINESS_3, MONTH),
]


def a_usage(*, users=1, guests=0, administrators=1, storage_gb=0, storage_bytes=None, services=()):
    used = storage_gb * GB if storage_bytes is None else storage_bytes
    return Usage(
        active_users=users,
        guests=guests,
        administrators=administrators,
        storage_bytes=used,
        services=frozenset(services),
    )


@pytest.mark.parametrize(
    ("plan", "usage", "expected"),
    [
        pytest.param(
            BUSINESS_3, a_usage(users=3, storage_gb=20), [], id="use equal to the limits is allowed"
        ),
        pytest.param(BUSINESS_3, a_usage(users=4), [(LimitKind.USERS, 3, 4)], id="one user too many"),
        pytest.param(
            BUSINESS_3,
            a_usage(storage_bytes=20 * GB + 1),
            [(LimitKind.STORAGE, 20 * GB, 20 * GB + 1)],
            id="one byte too many",
        ),
        pytest.param(
            BUSINESS_3,
            a_usage(users=9, storage_gb=21),
            [(LimitKind.USERS, 3, 9), (LimitKind.STORAGE, 20 * GB, 21 * GB)],
            id="both, each with its figures",
        ),
        pytest.param(
            BUSINESS_3, a_usage(guests=99, administrators=3), [], id="a paid plan looks at users and storage"
        ),
        pytest.param(STARTUP, a_usage(users=5, storage_gb=2), [], id="startup, exactly full"),
        pytest.param(STARTUP, a_usage(guests=1), [(LimitKind.GUESTS, 0, 1)], id="startup has no guest"),
        pytest.param(
            STARTUP,
            a_usage(administrators=2),
            [(LimitKind.ADMINISTRATORS, 1, 2)],
            id="startup has one administrator, the owner",
        ),
        pytest.param(
            STARTUP,
            a_usage(users=6, guests=1, administrators=2, storage_gb=3, services=Service),
            [
                (LimitKind.USERS, 5, 6),
                (LimitKind.STORAGE, 2 * GB, 3 * GB),
                (LimitKind.GUESTS, 0, 1),
                (LimitKind.ADMINISTRATORS, 1, 2),
                (Service.LDAP, 0, 1),
                (Service.SSO, 0, 1),
                (Service.AUTOMATIC_BACKUP, 0, 1),
                (Service.CUSTOM_DNS, 0, 1),
                (Service.EXTERNAL_SERVICES, 0, 1),
            ],
            id="the whole checklist of a free plan",
        ),
        *(
            pytest.param(
                STARTUP, a_usage(services=[service]), [(service, 0, 1)], id=f"startup without {service}"
            )
            for service in Service
        ),
        pytest.param(
            replace(STARTUP, services=frozenset({Service.SSO})),
            a_usage(services=[Service.SSO, Service.LDAP]),
            [(Service.LDAP, 0, 1)],
            id="a service that the free plan includes may stay on",
        ),
        pytest.param(
            replace(BUSINESS_3, services=frozenset()),
            a_usage(services=[Service.LDAP]),
            [],
            id="a paid plan does not look at services",
        ),
        pytest.param(
            NONPROFIT, a_usage(users=1000, guests=2000, administrators=9), [], id="non-profit, full"
        ),
        pytest.param(
            NONPROFIT, a_usage(users=1001), [(LimitKind.USERS, 1000, 1001)], id="non-profit, 1001st"
        ),
        pytest.param(
            NONPROFIT, a_usage(guests=2001), [(LimitKind.GUESTS, 2000, 2001)], id="non-profit guests"
        ),
        pytest.param(TRIAL, a_usage(users=10_000), [], id="a trial takes any number of users"),
        pytest.param(
            UNLIMITED, a_usage(users=10_000, storage_gb=10_000), [], id="no limit is never exceeded"
        ),
    ],
)
def test_violations_name_each_limit_with_both_figures(plan, usage, expected):
    assert exceeded_limits(plan, usage) == tuple(ExceededLimit(*facts) for facts in expected)


def test_the_checklist_of_a_free_plan_names_what_is_met_too():
    asked = conditions(STARTUP, a_usage(users=4, guests=1, services=[Service.SSO]))
    assert [(each.limit.value, each.allowed, each.used, each.is_met) for each in asked] == [
        ("users", 5, 4, True),
        ("storage", 2 * GB, 0, True),
        ("guests", 0, 1, False),
        ("administrators", 1, 1, True),
        ("ldap", 0, 0, True),
        ("sso", 0, 1, False),
        ("automatic_backup", 0, 0, True),
        ("custom_dns", 0, 0, True),
        ("external_services", 0, 0, True),
    ]


@pytest.mark.parametrize(
    ("state", "due_on", "expected"),
    [
        pytest.param(SubscriptionState.PAID, date(2026, 11, 22), True, id="the last paid day is today"),
        pytest.param(
            SubscriptionState.PAID, date(2026, 11, 21), False, id="the due date: a smaller plan is bought"
        ),
        pytest.param(
            SubscriptionState.PAID, date(2026, 11, 20), False, id="a renewal that we have not tried"
        ),
        pytest.param(SubscriptionState.PAID, None, False, id="a plan without an end"),
        pytest.param(SubscriptionState.CANCELLED, date(2026, 11, 22), True, id="cancelled, and paid for"),
        pytest.param(SubscriptionState.ENDED, date(2026, 11, 20), False, id="ended"),
        pytest.param(SubscriptionState.LATE, date(2026, 11, 20), False, id="late"),
        pytest.param(SubscriptionState.BLOCKED, date(2026, 11, 1), False, id="blocked"),
        pytest.param(SubscriptionState.TRIAL, date(2026, 12, 21), False, id="nothing was paid for a trial"),
        pytest.param(SubscriptionState.FREE, None, False, id="nor for a free plan"),
    ],
)
def test_a_smaller_plan_waits_while_paid_days_are_left(state, due_on, expected):
    assert has_days_left(state, due_on, today=date(2026, 11, 21)) is expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        pytest.param(a_usage(users=0), (BUSINESS_3, MONTH), id="the smallest, by the month"),
        pytest.param(a_usage(users=2), (BUSINESS_3, MONTH), id="2 users: the plan for 3"),
        pytest.param(a_usage(users=3), (BUSINESS_5, MONTH), id="3 users: strictly greater, the plan for 5"),
        pytest.param(
            a_usage(users=5), (BUSINESS_10, YEAR), id="5 users: the next size is sold by the year only"
        ),
        pytest.param(a_usage(users=10), (BUSINESS_20, MONTH), id="10 users: by the month again"),
        pytest.param(a_usage(users=19), (BUSINESS_20, MONTH), id="19 users still fit the largest"),
        pytest.param(a_usage(users=20), None, id="20 users: contact us"),
        pytest.param(a_usage(storage_bytes=20 * GB - 1), (BUSINESS_3, MONTH), id="one byte of room"),
        pytest.param(a_usage(storage_gb=20), (BUSINESS_5, MONTH), id="no byte of room: the next size"),
        pytest.param(a_usage(storage_gb=160), None, id="more than any storage: contact us"),
    ],
)
def test_the_recommended_plan_is_the_smallest_with_room_to_spare(usage, expected):
    assert recommended(ON_SALE, usage) == expected


def test_a_plan_without_limits_comes_last_and_fits_everybody():
    offers = [PlanCell(UNLIMITED, MONTH), *ON_SALE]
    assert recommended(offers, a_usage(users=2)) == (BUSINESS_3, MONTH)
    assert recommended(offers, a_usage(users=20)) == (UNLIMITED, MONTH)


def test_free_trial_and_withdrawn_plans_are_never_recommended():
    others = [
        PlanCell(STARTUP, None),
        PlanCell(TRIAL, None),
        PlanCell(NONPROFIT, None),
        PlanCell(WITHDRAWN_4, MONTH),
    ]
    assert recommended(others, a_usage()) is None


usages = st.builds(
    Usage,
    active_users=st.integers(0, 30),
    guests=st.integers(0, 30),
    administrators=st.integers(0, 30),
    storage_bytes=st.integers(0, 200 * GB),
)


@given(usages, st.lists(st.sampled_from([*ON_SALE, PlanCell(UNLIMITED, YEAR)]), unique=True))
def test_what_is_recommended_may_be_chosen_and_nothing_smaller_has_room(usage, offers):
    best = recommended(offers, usage)
    larger = Usage(usage.active_users + 1, usage.guests, usage.administrators, usage.storage_bytes + 1)
    roomy = [o for o in offers if not o.plan.free and not exceeded_limits(o.plan, larger)]
    assert (best is None) == (not roomy)
    if best is not None:
        assert best in roomy
        assert best.plan.position == min(offer.plan.position for offer in roomy)
        assert best.interval is MONTH or (best.plan, MONTH) not in offers


@pytest.mark.parametrize(
    ("plan", "interval", "expected"),
    [
        pytest.param(BUSINESS_3, MONTH, (1, 3), id="the smallest begins at 1"),
        pytest.param(BUSINESS_5, MONTH, (4, 5), id="one above the next smaller"),
        pytest.param(BUSINESS_10, YEAR, (6, 10), id="by the year"),
        pytest.param(BUSINESS_20, YEAR, (11, 20), id="above the plan for 10, sold by the year"),
        pytest.param(BUSINESS_20, MONTH, (6, 20), id="the plan for 10 is not sold by the month"),
        pytest.param(STARTUP, None, (1, 5), id="free"),
        pytest.param(NONPROFIT, None, (1, 1000), id="non-profit"),
        pytest.param(TRIAL, None, (1, None), id="trial"),
        pytest.param(WITHDRAWN_4, MONTH, (4, 4), id="a withdrawn plan of today's customer: a single number"),
        pytest.param(UNLIMITED, MONTH, (21, None), id="21 and more"),
    ],
)
def test_a_range_begins_one_above_the_next_smaller_plan_of_the_same_interval(plan, interval, expected):
    assert user_range(plan, interval, ON_SALE) == expected


@pytest.mark.parametrize("interval", list(Interval))
def test_the_ranges_of_one_interval_cover_every_number_once(interval):
    plans = sorted({o.plan for o in ON_SALE if o.interval is interval}, key=lambda plan: plan.position)
    covered = []
    for plan in plans:
        low, high = user_range(plan, interval, ON_SALE)
        covered += range(low, high + 1)
    assert covered == list(range(1, 21))


@pytest.mark.parametrize(
    ("due_on", "today", "expected"),
    [
        pytest.param(None, date(2026, 11, 21), True, id="no due date"),
        pytest.param(date(2026, 11, 22), date(2026, 11, 21), True, id="due this month"),
        pytest.param(
            date(2026, 12, 31), date(2026, 11, 1), True, id="due at the end of the next month: 60 days"
        ),
        pytest.param(date(2027, 1, 1), date(2026, 11, 30), False, id="due in two months, 32 days away"),
        pytest.param(date(2027, 1, 31), date(2026, 12, 1), True, id="over the turn of the year"),
        pytest.param(date(2027, 2, 1), date(2026, 12, 31), False, id="over the turn of the year, too early"),
        pytest.param(date(2027, 11, 21), date(2026, 11, 21), False, id="a whole year ahead"),
        pytest.param(date(2027, 11, 21), date(2027, 10, 1), True, id="a year: from the month before"),
        pytest.param(date(2026, 6, 1), date(2026, 11, 21), True, id="long overdue"),
    ],
)
def test_prolonging_compares_months_and_not_days(due_on, today, expected):
    assert is_prolongable(due_on, today=today, on_trial=False) is expected
    assert is_prolongable(due_on, today=today, on_trial=True)


MONTHLY_3, MONTHLY_5, YEARLY_5 = (
    PlanCell(BUSINESS_3, MONTH),
    PlanCell(BUSINESS_5, MONTH),
    PlanCell(BUSINESS_5, YEAR),
)
ON_TRIAL, ON_STARTUP = PlanCell(TRIAL, None), PlanCell(STARTUP, None)
PAID, LATE, BLOCKED = SubscriptionState.PAID, SubscriptionState.LATE, SubscriptionState.BLOCKED
BUY, CHANGE, PROLONG = ActionLabel.BUY_NOW, ActionLabel.CHANGE, ActionLabel.PROLONG


@dataclass
class Case:
    rule: str
    selected: PlanCell | None
    current: PlanCell | None
    state: SubscriptionState | None
    expected: PlanAction
    fits: bool = True
    prolongable: bool = True
    auto_renewal: bool = False
    blocked: bool = False
    days_left: bool = False


REFUSED_BUY = PlanAction(BUY, enabled=True, refused=True)
REFUSED_CHANGE = PlanAction(CHANGE, enabled=True, refused=True)
RECURRING = PlanAction(
    ActionLabel.AUTO_RENEWAL_ON, enabled=False, note=ActionNote.AUTO_RENEWAL_CAN_BE_SWITCHED_OFF
)
TOO_EARLY = PlanAction(PROLONG, enabled=False, note=ActionNote.TOO_EARLY_TO_PROLONG)
NO_END = PlanAction(PROLONG, enabled=False, note=ActionNote.FREE_PLAN_HAS_NO_END)
WAITING_CHANGE = PlanAction(CHANGE, enabled=True, note=ActionNote.BEGINS_ON_DUE_DATE, waits=True)
NOTED_CHANGE = PlanAction(CHANGE, enabled=True, note=ActionNote.AUTO_RENEWAL_IS_OFF)

ACTIONS = [
    Case(
        "no plan is large enough",
        None,
        ON_TRIAL,
        SubscriptionState.TRIAL,
        PlanAction(ActionLabel.CONTACT_US, True),
    ),
    # Row 1: the plan does not fit.
    Case("trial, too small", MONTHLY_3, ON_TRIAL, SubscriptionState.TRIAL, REFUSED_BUY, fits=False),
    Case("paid, too small", MONTHLY_3, MONTHLY_5, PAID, REFUSED_CHANGE, fits=False),
    Case("the current plan is outgrown", MONTHLY_3, MONTHLY_3, PAID, REFUSED_CHANGE, fits=False),
    Case(
        "outgrown, auto-renewal on", MONTHLY_3, MONTHLY_3, PAID, REFUSED_CHANGE, fits=False, auto_renewal=True
    ),
    Case("a refusal is not red", MONTHLY_3, ON_TRIAL, BLOCKED, REFUSED_BUY, fits=False, blocked=True),
    # Row 2: nothing is paid yet.
    Case("trial", MONTHLY_3, ON_TRIAL, SubscriptionState.TRIAL, PlanAction(BUY, True)),
    Case("no subscription yet", MONTHLY_3, None, None, PlanAction(BUY, True)),
    Case("trial over: red", MONTHLY_3, ON_TRIAL, BLOCKED, PlanAction(BUY, True, urgent=True), blocked=True),
    Case("from the free plan", MONTHLY_3, ON_STARTUP, SubscriptionState.FREE, PlanAction(BUY, True)),
    Case(
        "from the non-profit plan",
        MONTHLY_3,
        PlanCell(NONPROFIT, None),
        SubscriptionState.FREE,
        PlanAction(BUY, True),
    ),
    # Rows 3 to 5: the current plan.
    Case("prolong", MONTHLY_5, MONTHLY_5, PAID, PlanAction(PROLONG, True)),
    Case("prolong when late", MONTHLY_5, MONTHLY_5, LATE, PlanAction(PROLONG, True)),
    Case(
        "prolong when blocked: red",
        MONTHLY_5,
        MONTHLY_5,
        BLOCKED,
        PlanAction(PROLONG, True, urgent=True),
        blocked=True,
    ),
    Case("blocked, but not the workspace", MONTHLY_5, MONTHLY_5, BLOCKED, PlanAction(PROLONG, True)),
    Case("auto-renewal on", MONTHLY_5, MONTHLY_5, PAID, RECURRING, auto_renewal=True),
    Case(
        "auto-renewal on, long before",
        YEARLY_5,
        YEARLY_5,
        PAID,
        RECURRING,
        auto_renewal=True,
        prolongable=False,
    ),
    Case(
        "auto-renewal failed: pay by hand",
        MONTHLY_5,
        MONTHLY_5,
        LATE,
        PlanAction(PROLONG, True),
        auto_renewal=True,
    ),
    Case(
        "auto-renewal failed and blocked",
        MONTHLY_5,
        MONTHLY_5,
        BLOCKED,
        PlanAction(PROLONG, True, urgent=True),
        auto_renewal=True,
        blocked=True,
    ),
    Case("too early", YEARLY_5, YEARLY_5, PAID, TOO_EARLY, prolongable=False),
    Case("the free plan has no end", ON_STARTUP, ON_STARTUP, SubscriptionState.FREE, NO_END),
    Case("free in any column", PlanCell(STARTUP, MONTH), ON_STARTUP, SubscriptionState.FREE, NO_END),
    # Row 6: another plan, or the same by another interval.
    Case("larger", MONTHLY_5, MONTHLY_3, PAID, NOTED_CHANGE),
    Case("smaller, while paid days are left", MONTHLY_3, MONTHLY_5, PAID, WAITING_CHANGE, days_left=True),
    Case(
        "smaller by the year, auto-renewal on",
        PlanCell(BUSINESS_3, YEAR),
        MONTHLY_5,
        PAID,
        WAITING_CHANGE,
        auto_renewal=True,
        days_left=True,
    ),
    Case("smaller, too small", MONTHLY_3, MONTHLY_5, PAID, REFUSED_CHANGE, fits=False, days_left=True),
    Case("smaller, on the due date", MONTHLY_3, MONTHLY_5, PAID, NOTED_CHANGE),
    Case("larger, while paid days are left", MONTHLY_5, MONTHLY_3, PAID, NOTED_CHANGE, days_left=True),
    Case(
        "year to month of the same plan waits for nothing",
        MONTHLY_5,
        YEARLY_5,
        PAID,
        NOTED_CHANGE,
        days_left=True,
    ),
    Case("larger, auto-renewal on", MONTHLY_5, MONTHLY_3, PAID, PlanAction(CHANGE, True), auto_renewal=True),
    Case(
        "larger, long before the due date",
        MONTHLY_5,
        MONTHLY_3,
        PAID,
        PlanAction(CHANGE, True),
        prolongable=False,
    ),
    Case("month to year", YEARLY_5, MONTHLY_5, PAID, NOTED_CHANGE),
    Case("year to month at once", MONTHLY_5, YEARLY_5, PAID, PlanAction(CHANGE, True), prolongable=False),
    Case(
        "another plan when blocked: red",
        MONTHLY_3,
        MONTHLY_5,
        BLOCKED,
        replace(NOTED_CHANGE, urgent=True),
        blocked=True,
    ),
    Case("from a withdrawn plan", MONTHLY_5, PlanCell(WITHDRAWN_4, MONTH), PAID, NOTED_CHANGE),
    # A free plan is changed to, never bought.
    Case("trial to free", ON_STARTUP, ON_TRIAL, SubscriptionState.TRIAL, PlanAction(CHANGE, True)),
    Case("paid to free", ON_STARTUP, MONTHLY_3, PAID, PlanAction(CHANGE, True)),
    Case(
        "trial to free, too much", ON_STARTUP, ON_TRIAL, SubscriptionState.TRIAL, REFUSED_CHANGE, fits=False
    ),
]


@pytest.mark.parametrize("case", ACTIONS, ids=lambda case: case.rule)
def test_the_one_button_follows_the_table_of_the_source(case):
    action = plan_action(
        selected=case.selected,
        current=case.current,
        state=case.state,
        fits=case.fits,
        prolongable=case.prolongable,
        auto_renewal=case.auto_renewal,
        blocked=case.blocked,
        days_left=case.days_left,
    )
    assert action == case.expected


offers = st.sampled_from([None, ON_TRIAL, *ON_SALE, PlanCell(NONPROFIT, None), PlanCell(WITHDRAWN_4, MONTH)])


@given(
    offers,
    offers,
    st.none() | st.sampled_from(SubscriptionState),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_whatever_is_asked_a_refusal_never_pays_and_a_grey_button_says_why(
    selected, current, state, fits, prolongable, auto_renewal, blocked, days_left
):
    action = plan_action(
        selected=selected,
        current=current,
        state=state,
        fits=fits,
        prolongable=prolongable,
        auto_renewal=auto_renewal,
        blocked=blocked,
        days_left=days_left,
    )
    assert not action.waits or (days_left and action.enabled and not action.refused)
    assert action.refused == (selected is not None and not fits)
    assert action.enabled or action.note is not None
    assert not action.urgent or (blocked and action.enabled and not action.refused)


@pytest.mark.parametrize("case", ACTIONS, ids=lambda case: case.rule)
def test_beside_an_open_payment_nothing_is_ordered_and_a_refusal_still_says_why(case):
    action = beside_open_payment(case.expected)
    if case.expected.refused or case.expected.label is ActionLabel.CONTACT_US:
        assert action == case.expected
    else:
        assert action == PlanAction(case.expected.label, enabled=False, note=ActionNote.PAYMENT_IS_OPEN)


# --- prolonging, and paying by the year -----------------------------------------------------------


@pytest.mark.parametrize(
    ("due_on", "first_day"),
    [
        (date(2027, 3, 31), date(2027, 2, 1)),
        (date(2027, 3, 1), date(2027, 2, 1)),
        (date(2027, 1, 15), date(2026, 12, 1)),
        (date(2028, 2, 29), date(2028, 1, 1)),
    ],
    ids=["end of month", "first of month", "over new year", "leap day"],
)
def test_a_plan_can_be_prolonged_from_the_month_before_its_due_month(due_on, first_day) -> None:
    assert prolongable_from(due_on) == first_day


@given(st.dates(min_value=date(1990, 1, 1), max_value=date(2200, 1, 1)))
def test_the_first_day_told_is_the_first_that_is_taken(due_on) -> None:
    first_day = prolongable_from(due_on)
    assert is_prolongable(due_on, today=first_day, on_trial=False)
    assert not is_prolongable(due_on, today=first_day - timedelta(days=1), on_trial=False)


@pytest.mark.parametrize(
    ("monthly", "yearly", "saving"),
    [
        # 12 x 18.00 = 216.00; 216.00 - 180.00 = 36.00 = 2 x 18.00
        (Money(1800, "USD"), Money(18000, "USD"), YearlySaving(Money(3600, "USD"), 2)),
        # 12 x 18.00 - 200.00 = 16.00, no whole month
        (Money(1800, "USD"), Money(20000, "USD"), YearlySaving(Money(1600, "USD"), None)),
        (Money(1800, "USD"), Money(21600, "USD"), None),
        (Money(1800, "USD"), Money(22000, "USD"), None),
        (Money(0, "USD"), Money(0, "USD"), None),
        (Money(1500, "JPY"), Money(16500, "JPY"), YearlySaving(Money(1500, "JPY"), 1)),
    ],
    ids=["two months", "part of a month", "nothing", "dearer", "free", "yen"],
)
def test_what_a_year_saves_is_told_in_money_and_in_whole_months(monthly, yearly, saving) -> None:
    assert yearly_saving(monthly=monthly, yearly=yearly) == saving
