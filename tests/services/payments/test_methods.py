"""Saved payment methods: added once without a charge, chosen, removed, and never lost where one is needed."""

import signal

import pytest

from portal.domain.vocabulary import PaymentMethodKind, PaymentState, SetupState
from portal.gateways.base import GatewayUnavailable, ResultUnknown
from portal.models import AuditEntry, MethodSetup, Payment, PaymentMethod, Subscription
from portal.runtime import Runtime, current, install
from portal.services.payments import charging, method_setups
from portal.services.payments import methods as payments_methods
from portal.services.payments.methods import MethodExpired, MethodGone, MethodNeeded
from portal.services.renewals import run
from portal.services.subscriptions import agreement, charged_methods
from tests.books import assert_books_clean
from tests.factories import letters
from tests.paying import (
    ASKS_ALWAYS,
    ASKS_ONCE,
    DECLINED,
    DECLINED_WHEN_CHARGED,
    EXPIRED,
    PAID,
    SILENT_CHARGED,
    SILENT_NOT_CHARGED,
    a_card,
    a_place,
    an_order,
    paid_charges,
    pay,
    the_sandbox,
)
from tests.processes import DYING, exit_code_of
from tests.services.payments.test_concurrency import at_once, faults_of

MASTERCARD = "5555555555554444"
JCB = "3566002020360505"


def add(place, clock, number=PAID):
    return method_setups.begin_adding(
        place,
        a_card(number),
        result_address=lambda key: f"http://127.0.0.1:8000/back/{key}",
        now=clock.now(),
    )


def added(place, clock, number=PAID):
    setup = add(place, clock, number)
    assert setup.state == SetupState.DONE
    return setup.method


def order_of(place):
    """The last digits, in the order in which they are charged; in brackets the preferred one."""
    subscription = agreement.of_workspace(place.workspace)
    return [
        f"[{each.last4}]" if each.is_preferred else each.last4
        for each in charged_methods.methods_of(subscription)
    ]


def charged_method():
    method = Subscription.get().payment_method
    return method.last4 if method else None


def acts():
    return [entry.action for entry in AuditEntry.select().order_by(AuditEntry.id)]


def look_up(clock, *, minutes=2):
    clock.advance_wall(minutes=minutes)
    return method_setups.look_up_due_setups(limit=10, now=clock.now())


def answer(setup, *, confirmed):
    """On the bank's page, which makes the portal look the set-up up."""
    reference = setup.action_url.rpartition("/")[2]
    the_sandbox().answer_challenge(reference, confirmed=confirmed)
    method_setups.look_up_reference("sandbox", reference, now=current().clock.now())
    return MethodSetup.get_by_id(setup.id)


class Wrapped:
    """The sandbox, with `begin_setup` or `fetch` as the test has it."""

    def __init__(self, **acts):
        self.sandbox = the_sandbox()
        self.acts = acts

    def __getattr__(self, name):
        return self.acts.get(name) or getattr(self.sandbox, name)


def asked_through(**acts):
    wrapped = Wrapped(**acts)
    install(Runtime(current().settings, current().clock, {"sandbox": wrapped}))
    return wrapped


# --- adding ---------------------------------------------------------------------------------------


def test_the_first_card_is_saved_without_a_charge_and_is_the_one_to_be_charged(place, clock):
    method = added(place, clock)
    assert (method.brand, method.last4, method.exp_month, method.exp_year) == ("visa", "4242", 12, 2030)
    assert method.added_by_id == place.member.person_id
    assert (order_of(place), charged_method()) == (["[4242]"], "4242")
    assert the_sandbox().charges() == []
    assert acts()[-2:] == ["payment_method.asked", "payment_method.added"]
    assert_books_clean()


def test_the_next_ones_are_asked_after_it(place, clock):
    for number in (PAID, MASTERCARD, JCB):
        added(place, clock, number)
    assert order_of(place) == ["[4242]", "4444", "0505"]


@pytest.mark.parametrize(("number", "code"), [(DECLINED, "declined"), (EXPIRED, "expired_card")])
def test_a_card_that_is_declined_is_not_saved(place, clock, number, code):
    setup = add(place, clock, number)
    assert (setup.state, setup.decline_code, setup.look_up_at) == (SetupState.DECLINED, code, None)
    assert (order_of(place), charged_method()) == ([], None)
    assert acts()[-1] == "payment_method.declined"


def test_a_number_that_the_sandbox_does_not_know_is_not_saved(place, clock):
    setup = add(place, clock, "4929123456789019")
    assert (setup.state, setup.decline_code) == (SetupState.DECLINED, "card_not_accepted")
    assert PaymentMethod.select().count() == 0


@pytest.mark.parametrize("number", [SILENT_CHARGED, SILENT_NOT_CHARGED, DECLINED_WHEN_CHARGED])
def test_cards_that_fail_only_when_they_are_charged_can_be_saved(place, clock, number):
    assert added(place, clock, number).last4 == number[-4:]
    assert the_sandbox().charges() == []


def test_the_same_card_added_again_takes_its_own_place(place, clock):
    first = added(place, clock)
    added(place, clock, MASTERCARD)
    again = added(place, clock)
    assert again.reference != first.reference
    assert (order_of(place), charged_method()) == (["[4242]", "4444"], "4242")
    assert PaymentMethod.get_by_id(first.id).removed_at == clock.now()
    added(place, clock, MASTERCARD)
    assert order_of(place) == ["[4242]", "4444"]


def test_a_card_is_saved_in_the_currency_of_the_plan(place, clock):
    asked = []
    sandbox = the_sandbox()
    asked_through(begin_setup=lambda request: asked.append(request) or sandbox.begin_setup(request))
    pay(an_order(place, currency="USD"))
    added(place, clock)
    assert [(request.currency, request.key) for request in asked] == [("USD", MethodSetup.get().key)]


# --- 3-D Secure -----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [ASKS_ONCE, ASKS_ALWAYS])
def test_a_card_that_asks_is_saved_once_it_is_confirmed(place, clock, number):
    setup = add(place, clock, number)
    assert setup.state == SetupState.ACTION_REQUIRED
    assert order_of(place) == []
    challenge = the_sandbox().challenge(setup.action_url.rpartition("/")[2])
    assert (challenge.amount_minor, challenge.return_url) == (0, f"http://127.0.0.1:8000/back/{setup.key}")
    assert answer(setup, confirmed=True).state == SetupState.DONE
    assert order_of(place) == [f"[{number[-4:]}]"]
    assert answer(setup, confirmed=False).state == SetupState.DONE, "only the first answer counts"


def test_a_card_that_is_not_confirmed_is_not_saved(place, clock):
    setup = answer(add(place, clock, ASKS_ONCE), confirmed=False)
    assert (setup.state, setup.decline_code) == (SetupState.DECLINED, "authentication_failed")
    assert PaymentMethod.select().count() == 0


def test_confirmed_without_coming_back_it_is_found_alone(place, clock):
    setup = add(place, clock, ASKS_ONCE)
    the_sandbox().answer_challenge(setup.action_url.rpartition("/")[2], confirmed=True)
    assert look_up(clock).settled == 1
    assert order_of(place) == ["[3155]"]
    assert look_up(clock, minutes=10_000).asked == 0


def test_left_for_a_day_it_is_closed(place, clock):
    setup = add(place, clock, ASKS_ONCE)
    assert look_up(clock).settled == 0
    assert MethodSetup.get().state == SetupState.ACTION_REQUIRED
    clock.advance_wall(days=1)
    assert look_up(clock).settled == 1
    assert (MethodSetup.get().state, MethodSetup.get().decline_code) == (SetupState.DECLINED, "withdrawn")
    assert answer(setup, confirmed=True).state == SetupState.DECLINED
    assert PaymentMethod.select().count() == 0


# --- silence --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("is_made", "state"), [(True, SetupState.DONE), (False, SetupState.DECLINED)])
def test_silence_is_looked_up_and_never_asked_anew(place, clock, is_made, state):
    sandbox, asked = the_sandbox(), []

    def cut(request):
        asked.append(request.key)
        if is_made:
            sandbox.begin_setup(request)
        raise ResultUnknown("cut")

    asked_through(begin_setup=cut)
    assert add(place, clock).state == SetupState.UNKNOWN
    assert method_setups.look_up_due_setups(limit=10, now=clock.now()).asked == 0
    assert look_up(clock).settled == 1
    assert (MethodSetup.get().state, len(asked)) == (state, 1)
    assert len(order_of(place)) == int(is_made)
    assert sandbox.charges() == []


def test_what_was_never_made_is_believed_only_when_the_request_cannot_be_on_its_way(place, clock):
    def not_sent(request):
        raise GatewayUnavailable("down")

    asked_through(begin_setup=not_sent)
    setup = add(place, clock)
    assert method_setups.look_up(setup, now=clock.now()).state == SetupState.UNKNOWN
    clock.advance_wall(seconds=8)
    assert method_setups.look_up(setup, now=clock.now()).state == SetupState.DECLINED


def test_a_gateway_that_is_away_is_asked_later_and_later(place, clock):
    def away(key):
        raise ResultUnknown("away")

    asked_through(begin_setup=away, fetch=away)
    add(place, clock)
    waits = []
    for _ in range(8):
        waits.append(MethodSetup.get().look_up_at)
        clock.advance_wall(days=1)
        assert method_setups.look_up_due_setups(limit=10, now=clock.now()).settled == 0
    assert waits == sorted(set(waits))
    assert (waits[-1] - waits[-2]).days == 1
    assert MethodSetup.get().state == SetupState.UNKNOWN


def test_one_set_up_that_cannot_be_settled_does_not_hold_up_the_others(place, clock):
    add(place, clock, ASKS_ONCE)
    other = add(place, clock, ASKS_ALWAYS)
    for setup in MethodSetup.select():
        the_sandbox().answer_challenge(setup.action_url.rpartition("/")[2], confirmed=True)
    sandbox = the_sandbox()

    def fetch(key):
        if key != other.key:
            raise RuntimeError("a fault of our own")
        return sandbox.fetch(key)

    asked_through(fetch=fetch)
    report = look_up(clock)
    assert (report.asked, report.settled, report.failed) == (2, 1, 1)
    assert order_of(place) == ["[3220]"]


KILLED = (
    DYING
    + """
from portal.services.payments import method_setups
from tests import factories

die_in("begin_setup")
if facts["point"] == "while the answer is written":
    from portal.services.subscriptions import agreement
    agreement.retry_with_new_method = die
workspace = Workspace.get_by_id(facts["workspace"])
place = factories.seen_by(factories.owner_of(workspace), workspace)
method_setups.begin_adding(place, a_card(), result_address=lambda key: RETURN_URL, now=clock.now())
"""
)


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize(
    ("point", "state"),
    [
        ("before the gateway reads", SetupState.DECLINED),
        ("after the gateway saved", SetupState.DONE),
        ("while the answer is written", SetupState.DONE),
    ],
)
def test_killed_while_adding_the_truth_is_found(place, environment, clock, point, state):
    code = exit_code_of(KILLED, environment, point=point, workspace=place.workspace.id)
    assert code == -signal.SIGKILL
    assert (MethodSetup.get().state, PaymentMethod.select().count()) == (SetupState.CREATED, 0)
    assert method_setups.look_up_due_setups(limit=10, now=clock.now()).asked == 0
    assert look_up(clock).settled == 1
    assert MethodSetup.get().state == state
    assert order_of(place) == (["[4242]"] if state == SetupState.DONE else [])
    assert look_up(clock).asked == 0
    assert_books_clean()


def test_saved_after_the_workspace_was_deleted_nothing_is_kept(place, clock):
    setup = add(place, clock, ASKS_ONCE)
    place.workspace.deleted_at = clock.now()
    place.workspace.save()
    assert answer(setup, confirmed=True).state == SetupState.DECLINED
    assert PaymentMethod.select().count() == 0


# --- choosing -------------------------------------------------------------------------------------


def test_the_chosen_card_is_preferred_alone_and_the_next_automatic_charge_is_on_it(place, clock):
    pay(an_order(place), auto_renewal=True)
    clock.advance_wall(minutes=1)
    other = added(place, clock, MASTERCARD)
    assert charged_method() == "4242"
    payments_methods.choose(place, other, now=clock.now())
    assert (order_of(place), charged_method()) == (["[4444]", "4242"], "4444")
    assert Subscription.get().look_at == clock.now()
    assert acts()[-1] == "payment_method.chosen"
    clock.advance(days=30)
    run.run_due(now=clock.now())
    assert Payment.select().order_by(Payment.id.desc()).get().method_id == other.id
    assert len(paid_charges()) == 2
    assert_books_clean()


def test_choosing_twice_is_one_act(place, clock):
    method = added(place, clock)
    before = acts()
    payments_methods.choose(place, method, now=clock.now())
    assert acts() == before


def test_an_expired_card_is_not_chosen(place, clock):
    added(place, clock)
    other = added(place, clock, MASTERCARD)
    PaymentMethod.update(exp_month=10, exp_year=2026).where(PaymentMethod.id == other.id).execute()
    with pytest.raises(MethodExpired):
        payments_methods.choose(place, other, now=clock.now())
    assert order_of(place) == ["[4242]", "4444"]


def test_a_card_is_good_until_the_end_of_its_month(place, clock):
    added(place, clock)
    other = added(place, clock, MASTERCARD)
    PaymentMethod.update(exp_month=11, exp_year=2026).where(PaymentMethod.id == other.id).execute()
    payments_methods.choose(place, other, now=clock.now())
    assert order_of(place) == ["[4444]", "4242"]


# --- removing -------------------------------------------------------------------------------------


def test_the_only_card_of_automatic_renewal_stays(place, clock):
    pay(an_order(place), auto_renewal=True)
    [method] = PaymentMethod.select()
    with pytest.raises(MethodNeeded):
        payments_methods.remove(place, method, now=clock.now())
    assert (order_of(place), charged_method()) == (["[4242]"], "4242")


def test_an_expired_card_is_no_other_card(place, clock):
    pay(an_order(place), auto_renewal=True)
    method = PaymentMethod.get()
    other = added(place, clock, MASTERCARD)
    PaymentMethod.update(exp_month=10, exp_year=2026).where(PaymentMethod.id == other.id).execute()
    with pytest.raises(MethodNeeded):
        payments_methods.remove(place, method, now=clock.now())
    assert payments_methods.remove(place, other, now=clock.now()).id == method.id


def test_the_next_card_takes_the_place_of_one_that_is_removed(place, clock):
    payment = pay(an_order(place), auto_renewal=True)
    method = PaymentMethod.get()
    added(place, clock, JCB)
    PaymentMethod.update(exp_month=10, exp_year=2026).where(PaymentMethod.last4 == "0505").execute()
    added(place, clock, MASTERCARD)
    instead = payments_methods.remove(place, method, now=clock.now())
    assert instead.last4 == "4444", "the first that has not expired"
    assert (order_of(place), charged_method()) == (["[4444]", "0505"], "4444")
    row = PaymentMethod.get_by_id(method.id)
    assert (row.removed_at, row.is_preferred) == (clock.now(), False)
    assert Payment.get_by_id(payment.id).state == PaymentState.SUCCEEDED
    assert acts()[-1] == "payment_method.removed"
    assert_books_clean()


def test_without_automatic_renewal_the_last_card_may_go(place, clock):
    method = added(place, clock)
    assert payments_methods.remove(place, method, now=clock.now()) is None
    assert (order_of(place), charged_method()) == ([], None)
    with pytest.raises(MethodGone):
        payments_methods.remove(place, method, now=clock.now())
    with pytest.raises(MethodGone):
        payments_methods.choose(place, method, now=clock.now())


def test_a_card_further_down_goes_without_moving_the_others(place, clock):
    added(place, clock)
    other = added(place, clock, MASTERCARD)
    assert payments_methods.remove(place, other, now=clock.now()).last4 == "4242"
    assert (order_of(place), charged_method()) == (["[4242]"], "4242")


# --- a renewal that failed ------------------------------------------------------------------------


def test_a_new_card_retries_a_failed_renewal_at_once(place, clock):
    pay(an_order(place), auto_renewal=True)
    broken = added(place, clock, DECLINED_WHEN_CHARGED)
    payments_methods.choose(place, broken, now=clock.now())
    payments_methods.remove(place, PaymentMethod.get(PaymentMethod.last4 == "4242"), now=clock.now())
    clock.advance(days=30)
    run.run_due(now=clock.now())
    assert Subscription.get().renewal_failed_on is not None
    assert len(paid_charges()) == 1
    clock.advance(days=2)
    clock.advance_wall(minutes=5)
    added(place, clock, MASTERCARD)
    run.run_due(now=clock.now())
    assert Subscription.get().renewal_failed_on is None
    assert len(paid_charges()) == 2
    assert Payment.select().order_by(Payment.id.desc()).get().last4 == "4444"
    assert_books_clean()


def test_the_same_card_added_anew_has_another_chance(place, clock):
    pay(an_order(place), auto_renewal=True)
    PaymentMethod.update(reference="gone").execute()
    clock.advance(days=30)
    run.run_due(now=clock.now())
    assert Subscription.get().renewal_failed_on is not None
    added(place, clock)
    run.run_due(now=clock.now())
    assert Subscription.get().renewal_failed_on is None
    assert (order_of(place), len(paid_charges())) == (["[4242]"], 2)
    assert_books_clean()


def failed_with_a_bad_card(place, clock):
    """Renewed by itself with a card that its bank refuses for good when it is charged."""
    pay(an_order(place), auto_renewal=True)
    broken = added(place, clock, DECLINED_WHEN_CHARGED)
    payments_methods.choose(place, broken, now=clock.now())
    payments_methods.remove(place, PaymentMethod.get(PaymentMethod.last4 == "4242"), now=clock.now())
    clock.advance(days=30)
    run.run_due(now=clock.now())
    assert Subscription.get().renewal_failed_on is not None


def test_the_card_that_paid_a_failed_renewal_is_charged_first_from_then_on(place, clock):
    failed_with_a_bad_card(place, clock)
    added(place, clock, MASTERCARD)
    assert (order_of(place), charged_method()) == (["[0341]", "4444"], "0341")
    run.run_due(now=clock.now())
    assert (order_of(place), charged_method()) == (["[4444]", "0341"], "4444")
    clock.advance(days=25)
    run.run_due(now=clock.now())
    assert letters("renewal_ahead")[-1]["context"]["method"]["last4"] == "4444"
    clock.advance(days=6)
    run.run_due(now=clock.now())
    assert [each.last4 for each in Payment.select().order_by(Payment.id)][-2:] == ["4444", "4444"]
    assert_books_clean()


@pytest.mark.engine("sqlite", "postgresql")
@pytest.mark.parametrize("act", ["choose", "remove"])
def test_what_somebody_chose_while_the_bank_was_asked_stays(place, clock, act):
    failed_with_a_bad_card(place, clock)
    asking = answer(add(place, clock, ASKS_ALWAYS), confirmed=True).method
    run.run_due(now=clock.now())
    payment = Payment.get(Payment.state == PaymentState.ACTION_REQUIRED)
    if act == "choose":
        payments_methods.choose(place, added(place, clock, MASTERCARD), now=clock.now())
    else:
        payments_methods.remove(place, asking, now=clock.now())
    before = (order_of(place), charged_method())
    the_sandbox().answer_challenge(payment.action_url.rpartition("/")[2], confirmed=True)
    charging.look_up(payment, now=clock.now())
    assert Payment.get_by_id(payment.id).state == PaymentState.SUCCEEDED
    assert (order_of(place), charged_method()) == before
    assert_books_clean()


# --- at once --------------------------------------------------------------------------------------


def test_two_tabs_that_add_a_first_card_leave_one_preferred(place, clock):
    setups = at_once([lambda: add(place, clock), lambda: add(place, clock, MASTERCARD)])
    assert faults_of(setups) == []
    assert sorted(setup.method.last4 for setup in setups) == ["4242", "4444"]
    assert PaymentMethod.select().where(PaymentMethod.is_preferred).count() == 1
    assert order_of(place)[0] == f"[{charged_method()}]"


def test_two_tabs_that_remove_the_last_two_cards_leave_one_to_automatic_renewal(place, clock):
    pay(an_order(place), auto_renewal=True)
    added(place, clock, MASTERCARD)
    methods = list(PaymentMethod.select())
    results = at_once(
        [lambda each=each: payments_methods.remove(place, each, now=clock.now()) for each in methods]
    )
    assert len([each for each in results if isinstance(each, MethodNeeded)]) == 1
    assert order_of(place) == [f"[{charged_method()}]"]


def test_one_answer_that_comes_by_two_roads_saves_one_card(place, clock):
    setup = add(place, clock, ASKS_ONCE)
    the_sandbox().answer_challenge(setup.action_url.rpartition("/")[2], confirmed=True)
    results = at_once([lambda: method_setups.look_up(setup, now=clock.now())] * 4)
    assert [each.state for each in results] == [SetupState.DONE] * 4
    assert PaymentMethod.select().count() == 1
    assert acts().count("payment_method.added") == 1


def test_what_others_have_is_not_found(place, clock):
    setup = add(place, clock)
    stranger = a_place("Zenith", owner="Zoe Stranger").workspace
    assert payments_methods.find_method(stranger, setup.method_id) is None
    assert method_setups.find_setup(stranger, setup.key) is None


def test_paypal_that_was_saved_at_the_checkout_is_removed_like_a_card(place, clock):
    added(place, clock)
    paypal = PaymentMethod.create(
        workspace=place.workspace,
        added_by=place.member.person_id,
        gateway="sandbox",
        reference="paypal",
        kind=PaymentMethodKind.PAYPAL,
        holder="paid@paypal.example",
        created_at=clock.now(),
    )
    payments_methods.choose(place, paypal, now=clock.now())
    assert payments_methods.remove(place, paypal, now=clock.now()).last4 == "4242"
    assert order_of(place) == ["[4242]"]
