"""The cart: a line for each product, prices read again, the later of two writes refused, one order."""

from datetime import date

import pytest

from portal.database.connecting import transaction
from portal.domain.buying import AlreadySubscribed, LicencesBelowAssigned, LicencesOutOfRange
from portal.domain.cart import CartChanged, CartNotAsShown, PriceDifference
from portal.domain.choices import Choice
from portal.domain.errors import CurrencyMismatch, OrderAlreadyPlaced, SmallerPlanWaits
from portal.domain.money import Money
from portal.domain.plans import PlanNotOffered
from portal.domain.vocabulary import Interval, OrderState, PaymentState, Role
from portal.models import (
    AuditEntry,
    CartLine,
    Licence,
    Order,
    Payment,
    Person,
    Plan,
    Price,
    Product,
    Subscription,
)
from portal.services.checkout import cart, ordering
from portal.services.payments import charging
from portal.services.workspace import deletion
from tests.books import assert_books_clean
from tests.factories import CATALOGUE, a_member, a_person
from tests.licensed import bought, tried
from tests.paying import (
    ASKS_ONCE,
    DECLINED,
    SILENT_CHARGED,
    a_place,
    an_order,
    apply_catalogue,
    as_seen_by,
    pay,
    reloaded,
    with_details,
)
from tests.services.payments.test_concurrency import at_once, faults_of

MONTH, YEAR = Interval.MONTH, Interval.YEAR
MEETINGS = Choice("meetings-essential", MONTH, 3)
WEBINAR = Choice("webinar-standard", YEAR, 2)
OFFICE = Choice("business-5", MONTH)


def add(place, clock, *choices, currency="EUR"):
    for choice in choices:
        cart.add(place, choice=choice, currency=currency, now=clock.now())


def put(place, clock, choice, *, shown, currency="EUR"):
    return cart.put(place, choice=choice, shown=shown, currency=currency, now=clock.now())


def read(place, clock):
    return cart.read(place, now=clock.now())


def choices_in(place, clock):
    return [each.line.choice for each in read(place, clock).lines]


def order(place, clock):
    """What the cart shows is ordered, with its details."""
    shown = read(place, clock).fingerprint
    return with_details(cart.open_order(place, shown=shown, now=clock.now()), place)


def only(place, clock):
    [line] = read(place, clock).lines
    return line


def with_price(before, after):
    text = CATALOGUE.read_text()
    assert text.count(before) == 1, before
    return text.replace(before, after)


def dearer_meetings():
    """Meetings Essential by the month in euros: 12.00 and no longer 11.00."""
    return with_price('currency = "EUR", amount_minor = 1100 }', 'currency = "EUR", amount_minor = 1200 }')


def acts():
    found = AuditEntry.select().where(AuditEntry.action.startswith("cart.")).order_by(AuditEntry.id)
    return [(entry.action, entry.subject, entry.changes) for entry in found]


# --- what is in it --------------------------------------------------------------------------------


def test_what_is_added_is_there_for_everybody_who_may_buy(place, clock):
    assert cart.is_empty(place.workspace)
    assert (cart.number_of_lines(place.workspace).scalar(), cart.currency_of(place.workspace)) == (0, None)
    add(place, clock, MEETINGS, OFFICE, WEBINAR)
    other = as_seen_by(place, "Paul Petit", role=Role.BILLING_MANAGER)
    assert choices_in(other, clock) == [MEETINGS, OFFICE, WEBINAR]
    assert (cart.number_of_lines(place.workspace).scalar(), cart.currency_of(place.workspace)) == (3, "EUR")
    assert not cart.is_empty(place.workspace)
    # 3 × 11.00, 28.00 and 2 × 450.00.
    assert [line.net.minor for line in read(place, clock).lines] == [3_300, 2_800, 90_000]
    assert read(place, clock).net == Money(96_100, "EUR")
    assert_books_clean()


def test_a_workspace_has_its_own_cart(place, clock):
    other = a_place("Other", owner="Otto Other")
    add(place, clock, MEETINGS)
    assert cart.is_empty(other.workspace)
    add(other, clock, MEETINGS, currency="USD")
    assert only(other, clock).net == Money(3_600, "USD")


def test_the_same_choice_added_twice_is_one_line(place, clock):
    add(place, clock, MEETINGS, MEETINGS)
    assert choices_in(place, clock) == [MEETINGS]
    assert [action for action, _subject, _changes in acts()] == ["cart.added"]


def test_a_line_is_changed_and_removed(place, clock):
    add(place, clock, MEETINGS, WEBINAR)
    more = Choice("meetings-professional", YEAR, 10)
    put(place, clock, more, shown=cart.read(place, now=clock.now()).lines[0].line.version)
    first = read(place, clock).lines[0]
    # 10 × 130.00, the price from ten licences on.
    assert (first.line.choice, first.net) == (more, Money(130_000, "EUR"))
    gone = {"product_code": "webinar", "now": clock.now()}
    assert cart.remove(place, shown="webinar-standard:year:2", **gone)
    assert not cart.remove(place, shown="webinar-standard:year:2", **gone)
    assert choices_in(place, clock) == [more]
    assert acts()[2:] == [
        (
            "cart.changed",
            "meetings",
            {
                "plan_code.before": "meetings-essential",
                "plan_code.after": "meetings-professional",
                "interval.before": "month",
                "interval.after": "year",
                "quantity.before": 3,
                "quantity.after": 10,
            },
        ),
        (
            "cart.removed",
            "webinar",
            {
                "plan_code.before": "webinar-standard",
                "plan_code.after": None,
                "interval.before": "year",
                "interval.after": None,
                "quantity.before": 2,
                "quantity.after": None,
            },
        ),
    ]
    assert_books_clean()


@pytest.mark.parametrize("quantity", [0, -1, 501, 10**20])
def test_so_many_licences_do_not_come_into_it(place, clock, quantity):
    with pytest.raises(LicencesOutOfRange):
        add(place, clock, Choice("meetings-essential", MONTH, quantity))
    assert cart.is_empty(place.workspace)


@pytest.mark.parametrize("code", ["meetings-gone", "trial", "startup", "nonprofit", ""])
def test_what_is_not_sold_does_not_come_into_it(place, clock, code):
    with pytest.raises(PlanNotOffered):
        add(place, clock, Choice(code, MONTH))
    assert cart.is_empty(place.workspace)


def test_a_cart_has_one_currency(place, clock):
    add(place, clock, MEETINGS)
    with pytest.raises(CurrencyMismatch) as refused:
        add(place, clock, WEBINAR, currency="USD")
    assert (refused.value.left, refused.value.right) == ("EUR", "USD")
    assert choices_in(place, clock) == [MEETINGS]


def test_what_is_subscribed_to_is_not_added(place, clock):
    bought(place)
    with pytest.raises(AlreadySubscribed):
        add(place, clock, MEETINGS)


def test_a_trial_does_not_stand_in_the_way(place, clock):
    tried(place)
    add(place, clock, MEETINGS)
    assert read(place, clock).is_orderable


# --- two people at one cart -----------------------------------------------------------------------


@pytest.fixture
def paul(place):
    """Another person who may buy."""
    return as_seen_by(place, "Paul Petit", role=Role.BILLING_MANAGER)


def test_the_later_of_two_changes_is_told_both_values(place, paul, clock):
    add(place, clock, MEETINGS)
    shown = only(place, clock).line.version
    theirs, mine = Choice("meetings-essential", MONTH, 5), Choice("meetings-essential", YEAR, 7)
    put(paul, clock, theirs, shown=shown)
    with pytest.raises(CartChanged) as refused:
        put(place, clock, mine, shown=shown)
    assert (refused.value.mine, refused.value.theirs) == (mine, theirs)
    assert choices_in(place, clock) == [theirs]
    # Knowing what they wrote, one may write over it.
    put(place, clock, mine, shown=only(place, clock).line.version)
    assert choices_in(place, clock) == [mine]


def test_what_one_changed_oneself_is_no_surprise(place, clock):
    """The page sends the second change before it knows of the first one."""
    add(place, clock, MEETINGS)
    shown = only(place, clock).line.version
    for quantity in (5, 7):
        put(place, clock, Choice("meetings-essential", MONTH, quantity), shown=shown)
    assert only(place, clock).line.quantity == 7
    assert cart.remove(place, product_code="meetings", shown=shown, now=clock.now())


def test_two_who_want_the_same_do_not_stand_in_each_other_s_way(place, paul, clock):
    add(place, clock, MEETINGS)
    shown = only(place, clock).line.version
    for each in (paul, place):
        put(each, clock, Choice("meetings-essential", MONTH, 5), shown=shown)
    assert only(place, clock).line.quantity == 5


def test_a_product_that_is_there_already_is_not_written_over(place, clock):
    add(place, clock, MEETINGS)
    with pytest.raises(CartChanged) as refused:
        add(place, clock, Choice("meetings-professional", MONTH, 1))
    assert refused.value.theirs == MEETINGS


def test_what_was_removed_meanwhile_is_put_back_knowingly(place, clock):
    add(place, clock, MEETINGS)
    shown = only(place, clock).line.version
    cart.remove(place, product_code="meetings", shown=shown, now=clock.now())
    mine = Choice("meetings-essential", MONTH, 9)
    with pytest.raises(CartChanged) as refused:
        put(place, clock, mine, shown=shown)
    assert (refused.value.mine, refused.value.theirs) == (mine, None)
    put(place, clock, mine, shown=cart.NOTHING)
    assert choices_in(place, clock) == [mine]


def test_what_was_changed_meanwhile_is_not_removed(place, paul, clock):
    add(place, clock, MEETINGS)
    shown = only(place, clock).line.version
    put(paul, clock, Choice("meetings-essential", MONTH, 5), shown=shown)
    with pytest.raises(CartChanged) as refused:
        cart.remove(place, product_code="meetings", shown=shown, now=clock.now())
    assert (refused.value.mine, refused.value.theirs.quantity) == (None, 5)
    assert not cart.is_empty(place.workspace)


TWICE = 20


def test_added_by_many_at_once_a_product_is_one_line(place, clock):
    results = at_once([lambda: add(place, clock, MEETINGS)] * TWICE)
    assert results == [None] * TWICE
    assert CartLine.select().count() == 1
    assert_books_clean()


def test_of_different_choices_added_at_once_one_is_kept_and_the_others_are_told(place, clock):
    wanted = [Choice("meetings-essential", MONTH, number) for number in range(1, 11)]
    results = at_once([lambda choice=choice: add(place, clock, choice) for choice in wanted])
    refused = [result for result in results if isinstance(result, CartChanged)]
    assert (faults_of(results), len(refused)) == ([], 9)
    [kept] = choices_in(place, clock)
    assert {refusal.theirs for refusal in refused} == {kept}
    assert_books_clean()


def test_change_against_removal_at_once_leaves_what_the_first_one_did(place, paul, clock):
    add(place, clock, MEETINGS)
    shown = only(place, clock).line.version
    more = Choice("meetings-essential", MONTH, 5)
    results = at_once(
        [
            lambda: put(paul, clock, more, shown=shown),
            lambda: cart.remove(place, product_code="meetings", shown=shown, now=clock.now()),
        ]
    )
    assert faults_of(results) == []
    [refused] = [result for result in results if isinstance(result, CartChanged)]
    assert choices_in(place, clock) == ([more] if refused.mine is None else [])


def test_ordered_against_a_change_at_once_the_order_says_what_was_shown_or_is_refused(place, clock):
    add(place, clock, MEETINGS)
    shown = read(place, clock)
    more = Choice("meetings-essential", MONTH, 5)
    results = at_once(
        [
            lambda: cart.open_order(place, shown=shown.fingerprint, now=clock.now()),
            lambda: put(place, clock, more, shown=shown.lines[0].line.version),
        ]
    )
    assert faults_of(results) == []
    assert choices_in(place, clock) == [more]
    if isinstance(results[0], CartNotAsShown):
        assert Order.select().count() == 0
    else:
        assert [line.quantity for line in results[0].frozen_lines] == [3]


# --- what has changed since -----------------------------------------------------------------------


def test_another_price_is_said_and_counts(place, clock):
    add(place, clock, MEETINGS)
    assert only(place, clock).difference is None
    apply_catalogue(dearer_meetings())
    line = only(place, clock)
    assert line.difference == PriceDifference(seen=Money(1_100, "EUR"), now=Money(1_200, "EUR"))
    assert (line.net, line.refusal) == (Money(3_600, "EUR"), None)


def test_more_licences_at_another_tier_are_no_difference(place, clock):
    nine = Choice("meetings-professional", MONTH, 9)
    add(place, clock, nine)
    put(
        place,
        clock,
        Choice("meetings-professional", MONTH, 10),
        shown=only(place, clock).line.version,
    )
    assert only(place, clock).difference is None


def test_a_price_that_rises_after_the_cart_was_shown_is_not_ordered(place, clock):
    add(place, clock, MEETINGS)
    shown = read(place, clock).fingerprint
    apply_catalogue(dearer_meetings())
    with pytest.raises(CartNotAsShown):
        cart.open_order(place, shown=shown, now=clock.now())
    assert Order.select().count() == 0
    # Once it was said it is ordered, and no longer a difference.
    assert order(place, clock).net_minor == 3_600
    assert only(place, clock).difference is None


def gone_from_sale(place, clock):
    Plan.update(withdrawn=True).where(Plan.code == "meetings-essential").execute()


def hidden(place, clock):
    Plan.update(hidden=True).where(Plan.code == "meetings-essential").execute()


def price_ended(place, clock):
    Price.update(valid_until=date(2026, 11, 21)).where(
        Price.plan == Plan.get(Plan.code == "meetings-essential")
    ).execute()


def fewer_licences_sold(place, clock):
    Product.update(max_licences=2).where(Product.code == "meetings").execute()


def bought_elsewhere(place, clock):
    bought(place, "meetings-professional")


def being_paid_for(place, clock):
    opened = ordering.open_order(place, choices=[MEETINGS], currency="EUR", now=clock.now())
    payment = pay(with_details(opened, place), ASKS_ONCE)
    assert payment.is_open
    # As a line that was added beside it would stand there.
    CartLine.update(order=None).execute()


@pytest.mark.parametrize(
    ("happen", "refusal"),
    [
        (gone_from_sale, PlanNotOffered),
        (hidden, PlanNotOffered),
        (price_ended, PlanNotOffered),
        (fewer_licences_sold, LicencesOutOfRange),
        (being_paid_for, OrderAlreadyPlaced),
    ],
)
def test_what_cannot_be_ordered_any_more_is_said_at_its_line_and_holds_up_the_order(
    place, clock, happen, refusal
):
    add(place, clock, MEETINGS, WEBINAR)
    happen(place, clock)
    # What plans are on sale is kept for a revision of the catalogue.
    Product.update(revision="another").execute()
    found = read(place, clock)
    assert [type(line.refusal) for line in found.lines] == [refusal, type(None)]
    assert (found.is_orderable, found.net) == (False, Money(90_000, "EUR"))
    before = Order.select().count()
    with pytest.raises(refusal):
        cart.open_order(place, shown=found.fingerprint, now=clock.now())
    assert Order.select().count() == before
    cart.remove(place, product_code="meetings", shown=found.lines[0].line.version, now=clock.now())
    assert [line.quantity for line in order(place, clock).frozen_lines] == [2]


def test_a_product_that_is_bought_on_another_way_leaves_the_cart(place, clock):
    add(place, clock, MEETINGS, WEBINAR)
    bought_elsewhere(place, clock)
    assert choices_in(place, clock) == [WEBINAR]
    assert_books_clean()


def test_a_smaller_plan_that_has_to_wait_is_said_at_its_line(place, clock):
    add(place, clock, OFFICE, MEETINGS)
    first = only_of(place, clock, "office")
    pay(an_order(place, "business-10"))
    assert cart.number_of_lines(place.workspace).scalar() == 1
    with pytest.raises(SmallerPlanWaits):
        add(place, clock, first.choice)


def only_of(place, clock, code):
    [line] = [each.line for each in read(place, clock).lines if each.line.product.code == code]
    return line


def test_a_subscription_that_is_there_after_all_is_said(place, clock):
    bought(place)
    plan = Plan.get(Plan.code == "meetings-essential")
    CartLine.create(
        workspace=place.workspace,
        product=plan.product,
        plan=plan,
        price=Price.get(Price.plan == plan, Price.currency == "EUR", Price.interval == MONTH),
        interval=MONTH,
        quantity=1,
        currency="EUR",
        unit_minor=1_100,
        changed_at=clock.now(),
    )
    assert isinstance(only(place, clock).refusal, AlreadySubscribed)


# --- ordered --------------------------------------------------------------------------------------


def test_one_order_is_opened_for_all_lines_which_stay_until_it_is_placed(place, clock):
    add(place, clock, OFFICE, MEETINGS, WEBINAR)
    opened = order(place, clock)
    assert [(line.plan_code, line.quantity) for line in opened.frozen_lines] == [
        ("business-5", 1),
        ("meetings-essential", 3),
        ("webinar-standard", 2),
    ]
    assert cart.number_of_lines(place.workspace).scalar() == 3
    assert pay(opened).state == PaymentState.SUCCEEDED
    assert cart.is_empty(place.workspace)
    assert CartLine.select().count() == 0
    assert Subscription.select().count() == 3
    assert_books_clean()


def test_an_empty_cart_is_not_ordered(place, clock):
    with pytest.raises(CartNotAsShown):
        cart.open_order(place, shown=read(place, clock).fingerprint, now=clock.now())


def test_after_a_decline_the_lines_are_there_again(place, clock):
    add(place, clock, MEETINGS, WEBINAR)
    opened = order(place, clock)
    assert pay(opened, DECLINED).state == PaymentState.DECLINED
    assert choices_in(place, clock) == [MEETINGS, WEBINAR]
    pay(reloaded(opened))
    assert cart.is_empty(place.workspace)
    assert_books_clean()


def test_while_a_payment_is_open_its_lines_are_not_in_the_cart(place, clock):
    add(place, clock, MEETINGS, WEBINAR)
    payment = pay(order(place, clock), SILENT_CHARGED)
    assert payment.is_open
    assert cart.is_empty(place.workspace)
    with pytest.raises(OrderAlreadyPlaced):
        add(place, clock, MEETINGS)
    with pytest.raises(CurrencyMismatch):
        add(place, clock, Choice("training-standard", MONTH, 1), currency="USD")
    add(place, clock, Choice("training-standard", MONTH, 1))
    clock.advance_wall(minutes=5)
    assert charging.look_up(Payment.get_by_id(payment.id), now=clock.now()).state == PaymentState.SUCCEEDED
    assert [choice.plan_code for choice in choices_in(place, clock)] == ["training-standard"]
    assert CartLine.select().count() == 1
    assert_books_clean()


def test_a_line_that_was_changed_after_a_decline_is_still_taken_by_the_order_that_is_paid_at_last(
    place, clock
):
    add(place, clock, MEETINGS)
    opened = order(place, clock)
    pay(opened, DECLINED)
    put(place, clock, Choice("meetings-essential", MONTH, 5), shown=only(place, clock).line.version)
    pay(reloaded(opened))
    assert cart.is_empty(place.workspace)
    assert reloaded(opened).state == OrderState.PAID


# --- who and what is forgotten --------------------------------------------------------------------


def test_the_cart_of_a_deleted_workspace_is_erased(place, clock):
    add(place, clock, MEETINGS)
    pay(order(place, clock), DECLINED)
    deletion.delete_by_owner(place, now=clock.now())
    assert CartLine.select().count() == 0


def test_a_line_stays_when_the_person_who_chose_it_is_forgotten(place, clock):
    other = as_seen_by(place, "Paul Petit", role=Role.BILLING_MANAGER)
    add(other, clock, MEETINGS)
    person = Person.get_by_id(other.member.person_id)
    other.member.delete_instance()
    with transaction():
        person.delete_instance()
    assert choices_in(place, clock) == [MEETINGS]


def test_licences_that_members_hold_of_the_trial_hold_up_a_smaller_line(place, clock):
    trial = tried(place, quantity=3)
    add(place, clock, Choice("meetings-essential", MONTH, 1))
    Licence.create(subscription=trial, member=place.member, assigned_at=clock.now())
    assert read(place, clock).is_orderable
    other = a_member(place.workspace, a_person("bea@place.test"))
    Licence.create(subscription=trial, member=other, assigned_at=clock.now())
    [line] = read(place, clock).lines
    assert isinstance(line.refusal, LicencesBelowAssigned)
    with pytest.raises(LicencesBelowAssigned):
        order(place, clock)
    with pytest.raises(LicencesBelowAssigned):
        put(place, clock, Choice("meetings-professional", MONTH, 1), shown=line.line.version)
    put(place, clock, Choice("meetings-essential", MONTH, 2), shown=line.line.version)
    assert read(place, clock).is_orderable
