"""Licences that run are changed: what is not used comes back, the new terms are charged, to the day."""

from datetime import date

import pytest

from portal.domain.buying import LicencesBelowAssigned, LicencesOutOfRange
from portal.domain.choices import Choice
from portal.domain.errors import CurrencyMismatch
from portal.domain.frozen_quote import frozen_balance
from portal.domain.plans import PlanNotOffered
from portal.domain.pricing import ChangeWaits
from portal.domain.proration import NothingChanges
from portal.domain.vocabulary import Interval, OrderKind, OrderState, PaymentState, Role
from portal.models import Invoice, Licence, Order, PaymentMethod, Product, Subscription
from portal.services import ledger
from portal.services.checkout import ordering
from portal.services.renewals import run
from portal.services.subscriptions import cancellation
from portal.services.subscriptions.present_licences import NotChangeable
from tests import factories, paying
from tests.books import assert_books_clean
from tests.crediting import credit
from tests.factories import a_member, a_person, letters
from tests.licensed import bought, tried
from tests.paying import DECLINED, paid_charges, pay, reloaded

# Meetings Essential is 11.00 a licence and month, + 20 %. Bought on 21 November it is paid until 21 December,
# for 30 days. On 1 December 20 of them are left.


def change(place, clock, *, plan="meetings-essential", quantity=5, interval=Interval.MONTH, currency="EUR"):
    """The order, ready to be paid."""
    opened = ordering.open_order(
        place,
        choices=[Choice(plan, interval, quantity, OrderKind.CHANGE)],
        currency=currency,
        now=clock.now(),
    )
    return reloaded(paying.with_details(opened, place))


def on_1_december(clock):
    clock.advance(days=10)


def now_of(place, code="meetings"):
    product = Product.get(Product.code == code)
    return Subscription.get(Subscription.workspace == place.workspace, Subscription.product == product)


def documents():
    return [(each.kind, each.total_minor) for each in Invoice.select().order_by(Invoice.id)]


def test_more_licences_cost_the_difference_to_the_day(place, clock):
    """3 × 11.00 × 20/30 = 22.00 come back, 5 × 11.00 × 20/30 = 36.67 are charged, + 20 % each."""
    bought(place, quantity=3)
    on_1_december(clock)
    order = change(place, clock)
    told = frozen_balance(order.quote)
    assert (order.net_minor, order.total_minor) == (3667, 4400)
    assert (told.credited.minor, told.used.minor, told.due.minor) == (2640, 2640, 1760)
    assert now_of(place).quantity == 3
    assert pay(order).amount_minor == 1760
    found = now_of(place)
    assert (found.quantity, found.due_on, found.started_on) == (5, date(2026, 12, 21), date(2026, 12, 1))
    assert documents() == [("invoice", 3960), ("credit_note", 2640), ("invoice", 4400)]
    assert ledger.balance_of(place.workspace, "EUR").minor == 0
    assert_books_clean()


def test_a_second_change_of_the_month_is_reckoned_from_the_first(place, clock):
    """On 11 December 10 days are left: 36.67 × 10/20 = 18.34 come back, 7 × 11.00 × 10/30 = 25.67 are due."""
    bought(place, quantity=3)
    on_1_december(clock)
    pay(change(place, clock))
    on_1_december(clock)
    order = change(place, clock, quantity=7)
    told = frozen_balance(order.quote)
    assert [(each.line, each.unused_days, each.days) for each in told.credits] == [
        ("INV-2026-000002/1", 10, 20)
    ]
    assert (told.credits[0].net.minor, order.net_minor) == (1834, 2567)
    pay(order)
    assert now_of(place).quantity == 7
    assert_books_clean()


def test_a_higher_plan_begins_at_once(place, clock):
    bought(place, quantity=3)
    on_1_december(clock)
    pay(change(place, clock, plan="meetings-professional", quantity=3))
    assert now_of(place).plan.code == "meetings-professional"
    assert now_of(place).due_on == date(2026, 12, 21)
    assert_books_clean()


def test_another_interval_begins_a_period_of_its_own(place, clock):
    bought(place, quantity=3)
    on_1_december(clock)
    pay(change(place, clock, quantity=3, interval=Interval.YEAR))
    found = now_of(place)
    assert (found.price.interval, found.due_on, found.anchor_day) == (Interval.YEAR, date(2027, 12, 1), 1)
    assert_books_clean()


def test_from_a_year_to_months_what_is_left_is_kept_and_pays_what_comes_next(place, clock):
    bought(place, quantity=3, interval=Interval.YEAR)
    on_1_december(clock)
    before = len(paid_charges())
    order = change(place, clock, quantity=3)
    told = frozen_balance(order.quote)
    assert (told.due.minor, told.used.minor) == (0, 3960)
    assert told.kept_on.minor == told.credited.minor - 3960 > 0
    assert pay(order, None).state == PaymentState.SUCCEEDED
    assert len(paid_charges()) == before
    assert ledger.balance_of(place.workspace, "EUR").minor == told.kept_on.minor
    assert now_of(place).due_on == date(2027, 1, 1)
    assert_books_clean()


def test_where_the_vendor_moves_the_renewal_day_every_change_begins_a_period(place, clock):
    bought(place, "webinar-standard", quantity=1)
    on_1_december(clock)
    pay(change(place, clock, plan="webinar-standard", quantity=2))
    found = now_of(place, "webinar")
    assert (found.quantity, found.due_on, found.anchor_day) == (2, date(2027, 1, 1), 1)
    assert_books_clean()


def test_on_the_first_day_the_whole_price_comes_back_and_is_charged_anew(place, clock):
    bought(place, quantity=3)
    order = change(place, clock)
    assert (order.total_minor, order.due.minor) == (6600, 6600 - 3960)
    pay(order)
    assert now_of(place).due_on == date(2026, 12, 21)
    assert_books_clean()


@pytest.mark.parametrize(
    ("choice", "refusal"),
    [
        ({"quantity": 2}, ChangeWaits),
        ({"quantity": 3}, NothingChanges),
        ({"quantity": 0}, LicencesOutOfRange),
        ({"quantity": 10**20}, LicencesOutOfRange),
        ({"plan": "webinar-standard"}, NotChangeable),
        ({"plan": "nothing"}, PlanNotOffered),
        ({"currency": "USD"}, CurrencyMismatch),
    ],
)
def test_what_is_not_a_change_of_today(place, clock, choice, refusal):
    bought(place, quantity=3)
    on_1_december(clock)
    with pytest.raises(refusal):
        change(place, clock, **choice)
    assert Order.select().count() == 1


def test_never_below_those_that_members_hold(place, clock):
    subscription = bought(place, quantity=3)
    for number in range(3):
        member = a_member(place.workspace, a_person(f"m{number}@acme.test"), role=Role.MEMBER)
        Licence.create(subscription=subscription, member=member, assigned_at=clock.now())
    on_1_december(clock)
    with pytest.raises(LicencesBelowAssigned):
        change(place, clock, plan="meetings-professional", quantity=2)


def test_a_trial_and_what_is_cancelled_are_not_changed(place, clock):
    tried(place)
    with pytest.raises(NotChangeable):
        change(place, clock)
    bought(place, "webinar-standard", quantity=1)
    cancellation.cancel(now_of(place, "webinar"), shown_ends_on="2026-12-21", now=clock.now())
    with pytest.raises(NotChangeable):
        change(place, clock, plan="webinar-standard", quantity=2)


def test_a_decline_changes_nothing(place, clock):
    bought(place, quantity=3)
    on_1_december(clock)
    order = change(place, clock)
    assert pay(order, DECLINED).state == PaymentState.DECLINED
    assert (now_of(place).quantity, reloaded(order).state) == (3, OrderState.OPEN)
    assert documents() == [("invoice", 3960)]
    assert_books_clean()


def test_an_order_that_waited_is_reckoned_anew_on_its_day(place, clock):
    bought(place, quantity=3)
    on_1_december(clock)
    order = change(place, clock)
    clock.advance(days=5)
    with pytest.raises(ordering.QuoteChanged):
        pay(order)
    assert reloaded(order).net_minor == 2750
    pay(reloaded(order))
    assert_books_clean()


def test_two_changes_that_were_shown_together_are_made_one_after_the_other(place, clock):
    bought(place, quantity=3)
    on_1_december(clock)
    first, second = change(place, clock, quantity=5), change(place, clock, quantity=6)
    pay(first)
    with pytest.raises(ordering.QuoteChanged):
        pay(second)
    again = reloaded(second)
    assert again.due.minor < second.due.minor
    pay(again)
    assert now_of(place).quantity == 6
    assert_books_clean()


def test_the_next_renewal_is_of_the_whole_price_and_was_told(place, clock):
    method = pay(paying.an_order(place), auto_renewal=True) and PaymentMethod.get()
    bought(place, quantity=3, renews_with=method)
    on_1_december(clock)
    pay(change(place, clock))
    assert now_of(place).announced_minor == 6600
    clock.set(clock.now().replace(month=12, day=21, hour=12))
    run.run_due(now=clock.now())
    found = now_of(place)
    assert (found.quantity, found.due_on) == (5, date(2027, 1, 21))
    assert paid_charges()[-1].amount_minor in (6600, 3360)
    assert letters("renewed")
    assert_books_clean()


def test_the_letter_about_automatic_renewal_says_the_whole_price(place, clock):
    bought(place, quantity=3)
    on_1_december(clock)
    pay(change(place, clock), auto_renewal=True)
    [letter] = letters("auto_renewal_on")
    assert (letter["context"]["total_minor"], letter["context"]["tax_minor"]) == (6600, 1100)
    assert now_of(place).announced_minor == 6600


def test_a_guaranteed_price_stays_guaranteed_for_more_licences_until_the_day_that_was_promised(place, clock):
    bought(place, quantity=3)
    on_1_december(clock)
    pay(change(place, clock, quantity=4), auto_renewal=True)
    until = now_of(place).locked_until
    dearer = factories.CATALOGUE.read_text().replace("amount_minor = 1100", "amount_minor = 2200")
    paying.apply_catalogue(dearer)
    clock.advance(days=5)
    order = change(place, clock, quantity=5)
    assert order.frozen_lines[0].unit.minor == 1100
    pay(order)
    found = now_of(place)
    assert (found.locked_price_minor, found.locked_until) == (5500, until)
    assert_books_clean()


def test_a_change_that_waits_reserves_nothing_of_what_it_gives_back_itself(place, clock):
    bought(place, quantity=3)
    on_1_december(clock)
    order = change(place, clock)
    assert (order.from_balance_minor, order.reserved_minor) == (2640, 0)
    waiting = ordering.place_order(
        reloaded(order),
        person=place.member.person,
        card=paying.a_card(paying.ASKS_ONCE),
        auto_renewal=False,
        shown_quote_hash=order.quote_hash,
        return_url=paying.RETURN_URL,
        now=clock.now(),
    )
    assert waiting.is_open
    bought(place, "webinar-standard", quantity=2)
    credit(Invoice.select().order_by(Invoice.id.desc()).get(), clock.now().date())
    assert ledger.kept(place.workspace, "EUR") == ledger.balance_of(place.workspace, "EUR")
    assert_books_clean()
