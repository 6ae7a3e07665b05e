"""Purchase requests: asked for once, approved by a paid order, declined, withdrawn, or over after 14 days."""

from datetime import timedelta

import pytest

from portal.domain.cart import CartNotAsShown
from portal.domain.choices import Choice
from portal.domain.errors import OrderAlreadyPlaced
from portal.domain.money import Money
from portal.domain.plans import PlanNotOffered
from portal.domain.requests import MOST_OPEN, AlreadyDecided, BeingOrdered, TooManyRequests
from portal.domain.vocabulary import Interval, OrderState, PaymentState, RequestState, Role
from portal.models import (
    AuditEntry,
    BoughtAlone,
    Member,
    Order,
    Person,
    Plan,
    Product,
    PurchaseRequest,
    PurchaseRequestLine,
    Workspace,
)
from portal.services import request_ends, requests
from portal.services.checkout import cart
from portal.services.payments import charging
from portal.services.workspace import deletion
from tests.asking import a_member_of, a_request, only_billing_buys
from tests.books import assert_books_clean
from tests.factories import CATALOGUE, letters
from tests.paying import (
    DECLINED,
    PAID,
    SILENT_CHARGED,
    a_place,
    apply_catalogue,
    as_seen_by,
    pay,
    reloaded,
    with_details,
)
from tests.services.payments.test_concurrency import at_once, faults_of

MEETINGS = Choice("meetings-essential", Interval.MONTH, 3)
WEBINAR = Choice("webinar-standard", Interval.YEAR, 2)


@pytest.fixture
def owner(place):
    only_billing_buys(place.workspace)
    return place


@pytest.fixture
def asker(owner):
    return a_member_of(owner)


@pytest.fixture
def manager(owner):
    return as_seen_by(owner, "Paul Petit", role=Role.BILLING_MANAGER)


def read(place, request, clock):
    return requests.find(place, request.number, now=clock.now())


def state(place, request, clock):
    return read(place, request, clock).state


def person(place):
    return Person.get_by_id(place.member.person_id)


def open_as_order(place, request, clock):
    return requests.open_as_order(place, request.number, now=clock.now())


def buy(place, request, clock, number=PAID):
    """The approver orders it and pays."""
    return pay(with_details(open_as_order(place, request, clock), place), number, person=person(place))


def decline(place, request, clock, reason=""):
    requests.decline(place, request.number, by=person(place), reason=reason, now=clock.now())


def told(template):
    return [(letter["to"], letter["context"]) for letter in letters(template)]


def acts():
    found = AuditEntry.select().where(AuditEntry.action.startswith("request.")).order_by(AuditEntry.id)
    return [entry.action for entry in found]


# --- asking ----------------------------------------------------------------------------------------


def test_what_is_asked_for_leaves_the_cart_and_is_told_to_billing(owner, asker, manager, clock):
    request = a_request(asker, MEETINGS, WEBINAR, note="For the fair")
    assert cart.is_empty(owner.workspace)
    found = read(owner, request, clock)
    assert found.state is RequestState.OPEN
    assert [(line.plan.code, line.interval, line.quantity) for line in found.lines] == [
        ("meetings-essential", "month", 3),
        ("webinar-standard", "year", 2),
    ]
    # 3 × 11.00 and 2 × 450.00.
    assert found.net == Money(93_300, "EUR")
    assert request.expires_at == clock.now() + timedelta(days=14)
    asked = told("request_to_decide")
    assert {to for to, _context in asked} == {person(owner).email, person(manager).email}
    assert {(said["asker"], said["note"], said["net_minor"]) for _to, said in asked} == {
        ("Amir Asker", "For the fair", 93_300)
    }
    assert acts() == ["request.asked"]
    assert_books_clean()


def test_the_same_form_sent_twice_is_one_request(asker, clock):
    now = clock.now()
    cart.add(asker, choice=MEETINGS, currency="EUR", now=now)
    shown = cart.read(asker, now=now).fingerprint
    first = requests.ask(asker, shown=shown, note="", now=now)
    assert requests.ask(asker, shown=shown, note="", now=now).number == first.number
    assert (PurchaseRequest.select().count(), acts()) == (1, ["request.asked"])


def test_two_clicks_at_once_are_one_request(asker, clock):
    now = clock.now()
    cart.add(asker, choice=MEETINGS, currency="EUR", now=now)
    shown = cart.read(asker, now=now).fingerprint
    results = at_once([lambda: requests.ask(asker, shown=shown, note="", now=now)] * 4)
    assert faults_of(results) == []
    assert len({result.number for result in results}) == 1
    assert (PurchaseRequest.select().count(), PurchaseRequestLine.select().count()) == (1, 1)


def test_another_cart_than_the_one_that_was_shown_is_not_asked_for(asker, clock):
    with pytest.raises(CartNotAsShown):
        requests.ask(asker, shown="", note="", now=clock.now())
    with pytest.raises(CartNotAsShown):
        a_request(asker, MEETINGS, shown="0" * 32)
    assert (PurchaseRequest.select().count(), cart.number_of_lines(asker.workspace).scalar()) == (0, 1)


def test_nobody_has_more_than_ten_requests_waiting(asker, clock):
    for _number in range(MOST_OPEN):
        a_request(asker, MEETINGS)
    with pytest.raises(TooManyRequests):
        a_request(asker, MEETINGS)
    clock.advance(days=14)
    assert a_request(asker, shown=cart.read(asker, now=clock.now()).fingerprint).state == RequestState.OPEN


def test_only_who_asked_and_who_approves_find_it(owner, asker, clock):
    request = a_request(asker, MEETINGS)
    other = a_member_of(owner, "Olga Other")
    stranger = a_place("Zenith", owner="Zoe Zenith")
    assert read(owner, request, clock) is not None
    assert read(asker, request, clock) is not None
    assert (read(other, request, clock), read(stranger, request, clock)) == (None, None)
    assert requests.count(owner, now=clock.now()) == requests.Counted(all=1, waiting=1, in_cart=0)
    assert requests.count(other, now=clock.now()) == requests.Counted(all=0, waiting=0, in_cart=0)


# --- approving -------------------------------------------------------------------------------------


def test_it_is_approved_once_its_order_is_paid_and_the_asker_is_told(owner, asker, clock):
    request = a_request(asker, MEETINGS)
    order = open_as_order(owner, request, clock)
    assert (state(owner, request, clock), told("request_approved")) == (RequestState.OPEN, [])
    assert read(owner, request, clock).ordered_by == "Jeanne Martin"
    pay(with_details(order, owner), person=person(owner))
    assert state(owner, request, clock) is RequestState.APPROVED
    [(to, said)] = told("request_approved")
    assert (to, said["by"], said["is_ordered"]) == (person(asker).email, "Jeanne Martin", True)
    assert acts() == ["request.asked", "request.ordered", "request.approved"]
    assert BoughtAlone.select().count() == 0
    assert_books_clean()


def test_an_order_is_made_at_the_price_of_the_day_and_both_are_known(owner, asker, clock):
    request = a_request(asker, MEETINGS)
    text = CATALOGUE.read_text()
    before = 'currency = "EUR", amount_minor = 1100 }'
    assert text.count(before) == 1
    apply_catalogue(text.replace(before, 'currency = "EUR", amount_minor = 1200 }'))
    found = read(owner, request, clock)
    [line] = requests.todays(owner, found, now=clock.now()).lines
    assert (found.net, line.net) == (Money(3_300, "EUR"), Money(3_600, "EUR"))
    assert open_as_order(owner, request, clock).net_minor == 3_600


def test_what_can_no_longer_be_bought_is_not_ordered(owner, asker, clock):
    request = a_request(asker, MEETINGS)
    Plan.update(withdrawn=True).where(Plan.code == MEETINGS.plan_code).execute()
    Product.update(revision="later").execute()
    with pytest.raises(PlanNotOffered):
        open_as_order(owner, request, clock)
    [line] = requests.todays(owner, read(owner, request, clock), now=clock.now()).lines
    assert (line.net, isinstance(line.refusal, PlanNotOffered)) == (None, True)
    assert (state(owner, request, clock), Order.select().count()) == (RequestState.OPEN, 0)


def test_a_declined_payment_leaves_it_open_for_another_try(owner, asker, clock):
    request = a_request(asker, MEETINGS)
    assert buy(owner, request, clock, DECLINED).state == PaymentState.DECLINED
    assert state(owner, request, clock) is RequestState.OPEN
    order = open_as_order(owner, request, clock)
    assert Order.select().count() == 1
    pay(reloaded(order), person=person(owner))
    assert state(owner, request, clock) is RequestState.APPROVED
    assert_books_clean()


def test_two_approvers_make_one_order(owner, manager, asker, clock):
    request = a_request(asker, MEETINGS)
    results = at_once(
        [lambda: open_as_order(owner, request, clock), lambda: open_as_order(manager, request, clock)] * 3
    )
    assert faults_of(results) == []
    assert len({order.number for order in results}) == 1
    assert acts() == ["request.asked", "request.ordered"]


def test_approving_and_declining_at_once_has_one_effect(owner, manager, asker, clock):
    request = a_request(asker, MEETINGS)
    order = with_details(open_as_order(owner, request, clock), owner)
    results = at_once(
        [lambda: pay(reloaded(order), person=person(owner)), lambda: decline(manager, request, clock)]
    )
    assert faults_of(results) == []
    found = state(owner, request, clock)
    assert found in (RequestState.APPROVED, RequestState.DECLINED)
    assert len(told("request_approved")) + len(told("request_declined")) == 1
    assert acts()[-1] == f"request.{found}"
    assert len(acts()) == 3


def test_a_colleague_who_may_not_see_the_order_is_told_whose_it_is(place, clock):
    """Where any member buys, a request from before the setting changed may be anybody's to approve."""
    only_billing_buys(place.workspace)
    request = a_request(a_member_of(place), MEETINGS)
    open_as_order(place, request, clock)
    Workspace.update(who_may_buy="any_member").execute()
    place.workspace.who_may_buy = "any_member"
    colleague = a_member_of(place, "Olga Other")
    with pytest.raises(BeingOrdered) as refusal:
        open_as_order(colleague, request, clock)
    assert refusal.value.by == "Jeanne Martin"


def test_while_it_is_being_paid_nothing_else_is_decided(owner, manager, asker, clock):
    request = a_request(asker, MEETINGS)
    payment = buy(owner, request, clock, SILENT_CHARGED)
    assert payment.state == PaymentState.UNKNOWN
    clock.advance(days=15)
    assert request_ends.expire_due(limit=10, now=clock.now()) == 0
    assert state(owner, request, clock) is RequestState.OPEN
    for act in (
        lambda: decline(manager, request, clock),
        lambda: requests.withdraw(asker, request.number, by=person(asker), now=clock.now()),
        lambda: open_as_order(manager, request, clock),
    ):
        with pytest.raises(BeingOrdered):
            act()
    charging.look_up(payment, now=clock.now())
    assert state(owner, request, clock) is RequestState.APPROVED
    assert_books_clean()


# --- saying no -------------------------------------------------------------------------------------


def test_a_declined_request_is_told_with_the_reason_and_is_over(owner, manager, asker, clock):
    request = a_request(asker, MEETINGS)
    decline(manager, request, clock, reason="Next year")
    [(to, said)] = told("request_declined")
    assert (to, said["by"], said["reason"]) == (person(asker).email, "Paul Petit", "Next year")
    for act in (
        lambda: decline(owner, request, clock),
        lambda: open_as_order(owner, request, clock),
        lambda: requests.withdraw(asker, request.number, by=person(asker), now=clock.now()),
    ):
        with pytest.raises(AlreadyDecided) as refusal:
            act()
        assert refusal.value.state is RequestState.DECLINED
    assert len(told("request_declined")) == 1


def test_the_order_of_a_declined_request_is_an_order_like_any_other(owner, manager, asker, clock):
    request = a_request(asker, MEETINGS)
    order = with_details(open_as_order(owner, request, clock), owner)
    decline(manager, request, clock)
    pay(order, person=person(owner))
    assert (state(owner, request, clock), told("request_approved")) == (RequestState.DECLINED, [])


def test_who_asked_takes_it_back_without_a_letter(owner, asker, clock):
    request = a_request(asker, MEETINGS)
    sent = len(letters())
    requests.withdraw(asker, request.number, by=person(asker), now=clock.now())
    assert (state(asker, request, clock), len(letters())) == (RequestState.WITHDRAWN, sent)
    assert acts() == ["request.asked", "request.withdrawn"]


# --- after 14 days ---------------------------------------------------------------------------------


def test_after_fourteen_days_nobody_approves_it_and_the_asker_is_told_once(owner, asker, clock):
    request = a_request(asker, MEETINGS)
    clock.advance(days=14, seconds=-1)
    assert request_ends.expire_due(limit=10, now=clock.now()) == 0
    assert state(owner, request, clock) is RequestState.OPEN
    clock.advance(seconds=1)
    # Before the run comes by too.
    assert state(owner, request, clock) is RequestState.EXPIRED
    with pytest.raises(AlreadyDecided):
        open_as_order(owner, request, clock)
    results = at_once([lambda: request_ends.expire_due(limit=10, now=clock.now())] * 3)
    assert sorted(results) == [0, 0, 1]
    assert [to for to, _said in told("request_expired")] == [person(asker).email]
    assert PurchaseRequest.get().state == RequestState.EXPIRED
    assert acts() == ["request.asked", "request.expired"]


def test_the_run_expires_a_bounded_number_and_forgets_none(owner, asker, clock):
    for _number in range(3):
        a_request(asker, MEETINGS)
    clock.advance(days=20)
    assert [request_ends.expire_due(limit=2, now=clock.now()) for _time in range(3)] == [2, 1, 0]


# --- what is kept of it ----------------------------------------------------------------------------


def test_who_has_left_is_not_written_to(owner, asker, clock):
    request = a_request(asker, MEETINGS)
    gone = person(asker)
    Member.delete().where(Member.person == gone).execute()
    gone.delete_instance()
    decline(owner, request, clock)
    assert read(owner, request, clock).request.asker is None
    assert told("request_declined") == []


def test_a_deleted_workspace_forgets_its_requests_and_keeps_what_was_paid(owner, asker, clock):
    buy(owner, a_request(asker, MEETINGS), clock)
    a_request(asker, WEBINAR, note="Personal words")
    deletion.delete_by_owner(owner, now=clock.now())
    assert [model.select().count() for model in (PurchaseRequest, PurchaseRequestLine)] == [0, 0]
    assert Order.get().state == OrderState.PAID
    assert_books_clean()


def test_what_is_being_paid_already_is_not_asked_for(owner, asker, clock):
    cart.add(asker, choice=MEETINGS, currency="EUR", now=clock.now())
    shown = cart.read(asker, now=clock.now()).fingerprint
    buy(owner, a_request(asker, shown=shown), clock, SILENT_CHARGED)
    with pytest.raises(OrderAlreadyPlaced):
        a_request(asker, MEETINGS)
