"""Fewer licences, or a lower plan, wait for the due date: told, charged as told, withdrawn, replaced."""

from datetime import date

import pytest

from portal.domain.buying import LicencesBelowAssigned
from portal.domain.choices import Choice
from portal.domain.errors import QuoteChanged
from portal.domain.licences import NotEnoughLicences
from portal.domain.vocabulary import Interval
from portal.models import Order, PaymentMethod, Product, Subscription
from portal.services.renewals import run
from portal.services.subscriptions import auto_renewal, licences, scheduled_change
from portal.services.subscriptions.scheduled_change import NothingWaits
from tests.books import assert_books_clean
from tests.factories import a_member, a_person, letters, waiting_notices
from tests.licensed import bought
from tests.paying import an_order, paid_charges, pay
from tests.services.checkout.test_changed_licences import change, now_of

# Meetings Essential is 11.00 a licence and month, + 20 %. Bought on 21 November it is paid until 21 December.


def meetings():
    return Product.get(Product.code == "meetings")


def a_choice(quantity, plan="meetings-essential", interval=Interval.MONTH):
    return Choice(plan, interval, quantity)


def schedule(place, clock, choice):
    shown = scheduled_change.preview(place.workspace, choice, product=meetings(), now=clock.now())
    return scheduled_change.schedule(
        place, choice, product=meetings(), shown_hash=shown.hash, now=clock.now()
    )


@pytest.fixture
def renewing(place):
    """Five licences that are renewed by themselves."""
    pay(an_order(place), auto_renewal=True)
    return bought(place, quantity=5, renews_with=PaymentMethod.get())


def on_the_due_date(clock):
    clock.set(clock.now().replace(month=12, day=21, hour=12))
    run.run_due(now=clock.now())


def test_fewer_begin_on_the_due_date_for_what_was_told(place, clock, renewing):
    shown = schedule(place, clock, a_choice(2))
    assert (shown.begins_on, shown.charge.total.minor) == (date(2026, 12, 21), 2640)
    found = now_of(place)
    assert (found.quantity, found.scheduled_quantity, found.announced_minor) == (5, 2, 2640)
    [letter] = letters("plan_scheduled")
    assert (letter["context"]["licences"], letter["context"]["total_minor"]) == (2, 2640)
    assert_books_clean()
    on_the_due_date(clock)
    found = now_of(place)
    assert (found.quantity, found.scheduled_quantity, found.due_on) == (2, None, date(2027, 1, 21))
    assert 2640 in [charge.amount_minor for charge in paid_charges()]
    assert_books_clean()


def test_the_letter_before_names_what_will_be(place, clock, renewing):
    schedule(place, clock, a_choice(2))
    clock.advance(days=24)
    run.run_due(now=clock.now())
    [letter] = [each for each in letters("renewal_ahead") if each["context"]["licences"] is not None]
    assert (letter["context"]["licences"], letter["context"]["total_minor"]) == (2, 2640)
    assert letter["context"].get("replaced") is None


def test_a_lower_plan_waits_too(place, clock):
    pay(an_order(place), auto_renewal=True)
    bought(place, "meetings-professional", quantity=3, renews_with=PaymentMethod.get())
    schedule(place, clock, a_choice(3))
    assert now_of(place).plan.code == "meetings-professional"
    on_the_due_date(clock)
    assert now_of(place).plan.code == "meetings-essential"
    assert_books_clean()


def test_without_automatic_renewal_nothing_is_charged_and_it_waits(place, clock):
    bought(place, quantity=5)
    change = schedule(place, clock, a_choice(2))
    assert (change.charge, change.charged_on) == (None, None)
    on_the_due_date(clock)
    assert now_of(place).scheduled_quantity == 2
    assert_books_clean()


def test_withdrawn_the_licences_go_on_for_their_price(place, clock, renewing):
    schedule(place, clock, a_choice(2))
    scheduled_change.withdraw(place, product=meetings(), now=clock.now())
    found = now_of(place)
    assert (found.scheduled_quantity, found.scheduled_plan_id, found.announced_minor) == (None, None, 6600)
    assert waiting_notices("plan_schedule_withdrawn")
    assert scheduled_change.withdraw(place, product=meetings(), now=clock.now()) is None
    on_the_due_date(clock)
    assert now_of(place).quantity == 5
    assert_books_clean()


def test_one_replaces_another_and_more_licences_end_it(place, clock, renewing):
    schedule(place, clock, a_choice(2))
    schedule(place, clock, a_choice(4))
    assert now_of(place).scheduled_quantity == 4
    pay(change(place, clock, quantity=7))
    found = now_of(place)
    assert (found.quantity, found.scheduled_quantity, found.announced_minor) == (7, None, 9240)
    assert_books_clean()


def test_nothing_but_what_was_shown(place, clock, renewing):
    with pytest.raises(QuoteChanged):
        scheduled_change.schedule(
            place, a_choice(2), product=meetings(), shown_hash="another", now=clock.now()
        )
    assert now_of(place).scheduled_quantity is None


def test_asked_again_it_is_scheduled_once(place, clock, renewing):
    schedule(place, clock, a_choice(2))
    schedule(place, clock, a_choice(2))
    assert len(letters("plan_scheduled")) == 1


def test_what_begins_at_once_does_not_wait(place, clock, renewing):
    for choice in (a_choice(6), a_choice(5, "meetings-professional"), a_choice(5, interval=Interval.YEAR)):
        with pytest.raises(NothingWaits):
            schedule(place, clock, choice)


def test_never_below_those_that_members_hold_then_or_later(place, clock, renewing):
    members = [a_member(place.workspace, a_person(f"m{number}@acme.test")) for number in range(4)]
    owner = place.member.person
    licences.assign(renewing, [member.id for member in members[:3]], by=owner, now=clock.now())
    with pytest.raises(LicencesBelowAssigned):
        schedule(place, clock, a_choice(2))
    schedule(place, clock, a_choice(3))
    with pytest.raises(NotEnoughLicences):
        licences.assign(now_of(place), [members[3].id], by=owner, now=clock.now())
    on_the_due_date(clock)
    assert now_of(place).quantity == 3
    assert_books_clean()


def test_looking_ten_times_writes_nothing(place, clock, renewing):
    before = Subscription.get_by_id(renewing.id).version, Order.select().count()
    for _time in range(10):
        scheduled_change.preview(place.workspace, a_choice(2), product=meetings(), now=clock.now())
    assert (Subscription.get_by_id(renewing.id).version, Order.select().count()) == before


def test_the_letter_about_automatic_renewal_says_how_many_will_be_paid_for(place, clock):
    pay(an_order(place), auto_renewal=True)
    bought(place, quantity=5)
    schedule(place, clock, a_choice(2))
    method, now = PaymentMethod.get(), clock.now()
    shown = auto_renewal.next_charge(place.workspace, product=meetings(), now=now)
    auto_renewal.switch_on(place, product=meetings(), method_id=method.id, shown_hash=shown.hash, now=now)
    [letter] = waiting_notices("auto_renewal_on")
    assert (letter["context"]["licences"], letter["context"]["total_minor"]) == (2, 2640)
