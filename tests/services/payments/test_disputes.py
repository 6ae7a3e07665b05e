"""A disputed payment: told once, and its method is charged by itself no more."""

from datetime import date, timedelta

import pytest

from portal.domain.vocabulary import SubscriptionState
from portal.gateways.base import EventKind, GatewayEvent, ResultUnknown
from portal.models import AuditEntry, Dispute, GatewayCursor, OutboxMessage, Payment, PaymentMethod
from portal.runtime import Runtime, current, install
from portal.services.payments import disputes, refund_quotes
from portal.services.payments import methods as payments_methods
from portal.services.payments.methods import MethodStopped
from portal.services.payments.refund_quotes import NotRefundable, RefusalReason
from portal.services.renewals import run
from portal.services.subscriptions import agreement, auto_renewal, charged_methods
from portal.services.workspace import deletion
from tests.books import assert_books_clean
from tests.factories import a_person, letters
from tests.paying import DISPUTED, PAID, an_order, kept_at_the_gateway, paid_charges, pay

pytestmark = pytest.mark.both_engines


def live(clock, days):
    for _ in range(days):
        clock.advance(days=1)
        clock.advance_wall(days=1)
        run.run_due(now=clock.now())


def methods():
    return list(PaymentMethod.select().order_by(PaymentMethod.id))


@pytest.fixture
def paid(place):
    """Business 5, renewed by itself with a card whose payments are disputed a day later."""
    return pay(an_order(place), DISPUTED, auto_renewal=True)


def test_it_is_written_down_and_the_method_stopped(place, paid, clock):
    live(clock, 1)
    [dispute] = Dispute.select()
    assert (dispute.payment_id, dispute.opened_at) == (paid.id, clock.now())
    assert paid.key in dispute.payload
    [method] = methods()
    assert method.stopped_at == clock.now()
    assert AuditEntry.select().where(AuditEntry.action == "payment.disputed").count() == 1
    assert_books_clean()


def test_owners_and_operators_are_told_once(place, paid, clock):
    a_person("olga@portal.test", operator=True)
    live(clock, 3)
    [letter] = letters("payment_disputed")
    facts = letter["context"]
    assert letter["to"] == "jeanne.martin@acme.example"
    assert (facts["total_minor"], facts["is_stopped"], facts["method"]["last4"]) == (3360, True, "0259")
    [told] = letters("dispute_to_handle")
    assert (told["to"], told["context"]["customer_number"], told["context"]["slug"]) == (
        "olga@portal.test",
        place.workspace.customer_number,
        "acme",
    )


def test_the_same_card_is_not_charged_at_the_next_renewal(place, paid, clock):
    live(clock, 40)
    assert len(paid_charges()) == 1
    [ahead] = letters("renewal_ahead")
    assert (ahead["context"]["problem"], ahead["context"]["method"]) == ("no_method", None)
    assert {letter["context"]["reason"] for letter in letters("renewal_failed")} == {"no_method"}
    found = agreement.of_workspace(place.workspace)
    assert agreement.status_of(found, today=place.workspace.day(clock.now())).state == SubscriptionState.LATE
    assert_books_clean()


def test_another_method_is_charged_instead(place, paid, clock):
    backup = a_copy_of(methods()[0], reference=kept_at_the_gateway(PAID).reference, last4="4242")
    live(clock, 30)
    assert len(paid_charges()) == 2
    newest = Payment.select().order_by(Payment.id.desc()).get()
    assert newest.method_id == backup.id
    assert_books_clean()


def a_copy_of(method, **changed):
    facts = {**method.__data__, **changed}
    del facts["id"]
    return PaymentMethod.create(**facts | {"is_preferred": False})


def test_the_same_card_saved_a_second_time_is_stopped_too_and_no_other(place, paid, clock):
    [method] = methods()
    a_copy_of(method, reference="the same card")
    a_copy_of(method, reference="another", last4="4242")
    live(clock, 1)
    assert [each.stopped_at is not None for each in methods()] == [True, True, False]


def test_a_stopped_method_is_not_chosen_nor_offered(place, paid, clock):
    live(clock, 1)
    [method] = methods()
    with pytest.raises(MethodStopped):
        payments_methods.choose(place, method, now=clock.now())
    assert auto_renewal.methods_of(place.workspace, "EUR") == []
    found = agreement.of_workspace(place.workspace)
    assert charged_methods.next_asked(found, today=date(2026, 11, 22)) is None


def test_what_was_disputed_is_not_refunded(place, paid, clock):
    live(clock, 1)
    found = refund_quotes.refundable(place.workspace, now=clock.now())
    assert found == NotRefundable(RefusalReason.DISPUTED)


def test_a_payment_whose_method_was_not_saved_is_told_and_stops_nothing(place, clock):
    pay(an_order(place), DISPUTED)
    live(clock, 1)
    [letter] = letters("payment_disputed")
    assert letter["context"]["is_stopped"] is False
    assert methods() == []


def test_a_deleted_workspace_is_told_to_the_operators_alone(place, paid, clock):
    a_person("olga@portal.test", operator=True)
    deletion.delete_by_owner(place, now=clock.now())
    live(clock, 1)
    assert letters("payment_disputed") == []
    [told] = letters("dispute_to_handle")
    assert told["context"]["slug"] is None


# --- reading the events ---------------------------------------------------------------------------


class Telling:
    """The sandbox, but for the events that it tells."""

    name = "sandbox"

    def __init__(self, sandbox, events):
        self.sandbox, self.events, self.asked = sandbox, events, []

    def __getattr__(self, name):
        return getattr(self.sandbox, name)

    def events_since(self, since, *, limit=100):
        self.asked.append(since)
        return self.events


def use(events, **methods_of_gateway):
    gateway = Telling(current().gateways["sandbox"], events)
    for name, act in methods_of_gateway.items():
        setattr(gateway, name, act)
    install(Runtime(current().settings, current().clock, {"sandbox": gateway}))
    return gateway


def an_event(clock, payment=None, *, kind=EventKind.CHARGE_DISPUTED, key="nobody's"):
    return GatewayEvent(
        id="event-1",
        kind=kind,
        occurred_at=clock.now(),
        reference="charge",
        key=payment.key if payment else key,
        payload=b"{}\x00\xff",
    )


def test_an_event_is_read_once_and_the_next_reading_begins_after_it(place, paid, clock):
    clock.advance(days=1)
    assert disputes.read_events(now=clock.now()) == 1
    cursor = GatewayCursor.get(GatewayCursor.name == "sandbox").event_id
    gateway = use([])
    assert disputes.read_events(now=clock.now()) == 0
    assert gateway.asked == [cursor]


def test_events_told_again_have_no_second_effect(place, paid, clock):
    clock.advance(days=1)
    disputes.read_events(now=clock.now())
    before = OutboxMessage.select().count()
    GatewayCursor.delete().execute()
    assert disputes.read_events(now=clock.now()) == 0
    assert (Dispute.select().count(), OutboxMessage.select().count()) == (1, before)


def test_nothing_in_an_event_is_believed(place, clock):
    """The charge itself is not disputed; nor is a charge ours that we do not know."""
    payment = pay(an_order(place), auto_renewal=True)
    use([an_event(clock, payment)])
    assert disputes.read_events(now=clock.now()) == 0
    use([an_event(clock)])
    assert disputes.read_events(now=clock.now()) == 0
    assert Dispute.select().count() == 0 and methods()[0].stopped_at is None


def test_other_events_are_passed_by(place, paid, clock):
    use([an_event(clock, paid, kind=EventKind.OTHER)])
    assert disputes.read_events(now=clock.now()) == 0
    assert GatewayCursor.get().event_id == "event-1"


def silent(*_args, **_options):
    raise ResultUnknown("no answer")


def test_a_gateway_that_is_silent_is_asked_again_later(place, paid, clock):
    clock.advance(days=1)
    sandbox = current().gateways["sandbox"]
    use([an_event(clock, paid)], fetch=silent)
    assert disputes.read_events(now=clock.now()) == 0
    assert GatewayCursor.select().count() == 0
    use([], events_since=silent)
    assert disputes.read_events(now=clock.now()) == 0
    install(Runtime(current().settings, current().clock, {"sandbox": sandbox}))
    assert disputes.read_events(now=clock.now()) == 1


def test_a_payload_that_no_column_holds_is_kept_as_far_as_it_goes(place, paid, clock):
    clock.advance(days=1)
    use([an_event(clock, paid)])
    assert disputes.read_events(now=clock.now()) == 1
    assert Dispute.get().payload == "{}\N{REPLACEMENT CHARACTER}"


def test_a_dispute_before_the_renewal_stops_it_in_the_same_run(place, clock):
    """The worker was away for thirty days: the dispute is read before anything is charged."""
    pay(an_order(place), DISPUTED, auto_renewal=True)
    clock.advance(days=30)
    clock.advance_wall(days=30)
    run.run_due(now=clock.now())
    assert len(paid_charges()) == 1
    assert Dispute.get().opened_at == clock.now() - timedelta(days=29)
