"""Licence keys: one live one for each subscription, shown again, replaced, and taken by the product."""

import dataclasses
import re
from datetime import date

import pytest
from peewee import IntegrityError

from portal import runtime
from portal.database.connecting import transaction
from portal.domain.licence_keys import Mistyped, WrongLength, grouped, key_of
from portal.domain.vocabulary import Interval, MemberStatus, PaymentState, Role, SubscriptionState
from portal.models import (
    AuditEntry,
    LicenceKey,
    OutboxMessage,
    PaymentMethod,
    Product,
    Subscription,
    Workspace,
)
from portal.runtime import current
from portal.services import catalogue
from portal.services.payments import charging
from portal.services.renewals import run
from portal.services.subscriptions import agreement, cancellation, licence_keys
from portal.services.subscriptions.licence_keys import (
    KeyChanged,
    KeyReplaced,
    KeyUnknown,
    KeyWithoutAccess,
)
from portal.services.workspace import deletion
from tests.books import assert_books_clean, broken_books
from tests.factories import CATALOGUE, a_member, a_person, letters, owner_of
from tests.licensed import bought, tried
from tests.paying import SILENT_CHARGED, a_place, an_order, buy, pay, reloaded
from tests.services.payments.test_concurrency import at_once, faults_of

REMOTE = "remote-licence"
TIMES = 12


@pytest.fixture
def acme(place):
    buy(place, "business-10")
    return place


@pytest.fixture
def remote(acme) -> Subscription:
    """One licence, paid for a year: until 21 November 2027."""
    return as_it_is(bought_remote(acme))


def bought_remote(place) -> Subscription:
    return bought(place, REMOTE, interval=Interval.YEAR)


def as_it_is(subscription) -> Subscription:
    workspace = Workspace.get_by_id(subscription.workspace_id)
    return next(each for each in agreement.all_of(workspace) if each.id == subscription.id)


def now():
    return current().clock.now()


def live(subscription) -> LicenceKey:
    [key] = LicenceKey.select().where(
        LicenceKey.subscription == subscription, LicenceKey.replaced_at.is_null()
    )
    return key


def text(subscription) -> str:
    found = licence_keys.text_of(live(subscription))
    assert found is not None
    return found


def replace(subscription, shown=None):
    by = owner_of(subscription.workspace)
    return licence_keys.replace(subscription, shown=shown or live(subscription).id, by=by, now=now())


def activate(typed):
    return licence_keys.activate(typed, now=now())


def acts(action) -> list[dict]:
    return [row.changes for row in AuditEntry.select().where(AuditEntry.action == action)]


# --- making ---------------------------------------------------------------------------------------


def test_a_purchase_brings_one_key_and_a_renewal_no_other(place, clock):
    pay(an_order(place, "business-10"), auto_renewal=True)
    remote = bought(place, REMOTE, interval=Interval.YEAR, renews_with=PaymentMethod.get())
    key = live(remote)
    assert (key.made_at, key.activated_at, key.replaced_at) == (now(), None, None)
    clock.advance(days=365)
    run.run_due(now=now())
    assert as_it_is(remote).due_on == date(2028, 11, 21)
    assert [each.id for each in LicenceKey.select()] == [key.id]
    assert_books_clean()


def test_products_without_keys_get_none(acme):
    bought(acme)
    assert LicenceKey.select().count() == 0
    assert_books_clean()


def test_a_trial_brings_the_key_that_the_purchase_keeps(acme, clock):
    Product.update(trial_days=14).where(Product.code == "remote").execute()
    trial = tried(acme, REMOTE)
    key = live(trial)
    clock.advance(days=3)
    assert bought_remote(acme).id == trial.id
    assert live(trial).id == key.id
    assert_books_clean()


def test_whoever_buys_again_after_the_end_has_the_same_key(acme, clock, remote):
    typed = text(remote)
    cancellation.cancel(remote, shown_ends_on="2027-11-21", now=now())
    clock.advance(days=366)
    buy(acme, "business-10")
    with pytest.raises(KeyWithoutAccess):
        activate(typed)
    bought_remote(acme)
    assert activate(typed).is_first


def test_nothing_is_made_while_the_payment_is_not_known(acme):
    order = an_order(acme, REMOTE, interval=Interval.YEAR)
    payment = pay(order, SILENT_CHARGED)
    assert payment.state == PaymentState.UNKNOWN
    assert LicenceKey.select().count() == 0
    charging.reconcile(now=now())
    assert LicenceKey.select().count() == 1
    assert_books_clean()


def test_many_submits_of_one_order_make_one_key(acme):
    order = an_order(acme, REMOTE, interval=Interval.YEAR)
    results = at_once([lambda: pay(reloaded(order))] * TIMES)
    assert faults_of(results) == []
    assert LicenceKey.select().count() == 1
    assert_books_clean()


def test_many_who_ask_at_once_make_one_key(remote):
    LicenceKey.delete().execute()
    results = at_once([lambda: licence_keys.make(as_it_is(remote), now=now())] * TIMES)
    assert faults_of(results) == []
    assert LicenceKey.select().count() == 1


def test_the_database_refuses_a_second_live_key(remote):
    with pytest.raises(IntegrityError), transaction():
        LicenceKey.create(subscription=remote, seed="s", digest="d", made_at=now())


def test_whoever_had_the_product_before_it_had_keys_gets_one_with_the_next_run(acme, clock):
    without = CATALOGUE.read_text(encoding="utf-8").replace("licence_keys = true", "licence_keys = false")
    catalogue.apply(without, filename="catalogue.toml", now=now())
    meetings, remote = bought(acme), bought_remote(acme)
    assert LicenceKey.select().count() == 0
    catalogue.apply(CATALOGUE.read_text(encoding="utf-8"), filename="catalogue.toml", now=now())
    assert broken_books() == {}
    run.run_due(now=now())
    assert live(remote).subscription_id != meetings.id
    assert LicenceKey.select().count() == 1
    assert_books_clean()
    # Nobody waits who does not want to, and nothing comes of asking twice.
    licence_keys.make(as_it_is(remote), now=now())
    assert LicenceKey.select().count() == 1


# --- showing --------------------------------------------------------------------------------------


def test_the_key_stands_in_no_table(remote):
    key = text(remote)
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{28}", key)
    activate(grouped(key))
    replace(remote)
    for model in (LicenceKey, AuditEntry, OutboxMessage):
        for row in model.select().dicts():
            said = str(row)
            assert key not in said
            assert grouped(key) not in said


def test_a_rotated_secret_shows_the_key_while_it_is_among_the_fallbacks(remote):
    key, settings = text(remote), current().settings
    for fallbacks, shown in (((settings.secret_key,), key), ((), None)):
        rotated = dataclasses.replace(settings, secret_key="another-" * 8, secret_key_fallbacks=fallbacks)
        runtime.install(dataclasses.replace(current(), settings=rotated))
        assert licence_keys.text_of(live(remote)) == shown
        # What is in the product goes on working.
        assert activate(key).product.code == "remote"


# --- replacing ------------------------------------------------------------------------------------


def test_the_old_key_is_dead_at_once_and_its_activation_with_it(acme, remote):
    old, first = text(remote), live(remote)
    activate(old)
    new = replace(remote)
    assert (new.activated_at, new.replaced_at, live(remote).id) == (None, None, new.id)
    assert LicenceKey.get_by_id(first.id).replaced_at == now()
    with pytest.raises(KeyReplaced) as refused:
        activate(old)
    assert refused.value.on == date(2026, 11, 21)
    assert activate(text(remote)).is_first
    assert acts("licence_key.replaced") == [{"product": "remote", "was_activated": True}]
    assert_books_clean()


def test_every_owner_is_told_and_nobody_else(acme, remote):
    workspace = acme.workspace
    other = a_person("second@acme.test", name="Second Owner", password=False)
    a_member(workspace, other, role=Role.OWNER)
    a_member(workspace, a_person("ada@acme.test", password=False), role=Role.ADMIN)
    gone = a_person("gone@acme.test", password=False)
    a_member(workspace, gone, role=Role.OWNER, status=MemberStatus.DISABLED)
    replace(remote)
    told = letters("licence_key_replaced")
    assert {letter["to"] for letter in told} == {owner_of(workspace).email, other.email}
    assert told[0]["context"]["was_activated"] is False


def test_two_who_replace_the_same_key_are_one_effect(remote):
    shown = live(remote).id
    results = at_once([lambda: replace(as_it_is(remote), shown)] * TIMES)
    assert faults_of(results) == []
    new = live(remote)
    assert [each.id for each in results if isinstance(each, LicenceKey)] == [new.id]
    refused = [each for each in results if isinstance(each, KeyChanged)]
    assert {each.replaced.id for each in refused} == {shown}
    assert len(refused) == TIMES - 1
    assert LicenceKey.select().count() == 2
    assert len(letters("licence_key_replaced")) == len(acts("licence_key.replaced")) == 1
    assert_books_clean()


def test_the_key_of_another_workspace_is_not_replaced(acme, remote):
    zenith = a_place("Zenith", owner="Zoé Zola")
    buy(zenith, "business-10")
    theirs = as_it_is(bought_remote(zenith))
    for key_id in (live(theirs).id, 0):
        with pytest.raises(KeyChanged) as refused:
            licence_keys.replace(remote, shown=key_id, by=owner_of(acme.workspace), now=now())
        assert refused.value.replaced is None
    assert live(theirs).replaced_at is None
    assert LicenceKey.select().count() == 2


# --- activating -----------------------------------------------------------------------------------


def test_activated_once_the_product_says_of_whom_and_until_when(remote, clock):
    typed, at = grouped(text(remote)).lower(), now()
    taken = activate(typed)
    assert (taken.workspace.name, taken.product.code) == ("Acme", "remote")
    assert (taken.until, taken.activated_at, taken.is_first) == (date(2027, 11, 21), at, True)
    clock.advance(days=5)
    again = activate(typed)
    assert (again.activated_at, again.is_first) == (at, False)
    assert acts("licence_key.activated") == [{"product": "remote"}]
    assert_books_clean()


def test_many_at_once_activate_once(remote):
    typed = text(remote)
    results = at_once([lambda: activate(typed)] * TIMES)
    assert faults_of(results) == []
    assert sorted(each.is_first for each in results) == [False] * (TIMES - 1) + [True]
    assert len(acts("licence_key.activated")) == 1


def test_activated_beside_a_replacement_the_dead_key_is_never_active(remote):
    typed, shown = text(remote), live(remote).id
    results = at_once([lambda: activate(typed), lambda: replace(as_it_is(remote), shown)])
    assert faults_of(results) == []
    assert live(remote).activated_at is None
    assert_books_clean()


@pytest.mark.parametrize("wrong", ["", "hello", "0" * 28])
def test_what_is_no_key_is_refused_before_the_database_is_asked(remote, wrong):
    with pytest.raises((WrongLength, Mistyped)):
        activate(wrong)


def test_a_true_key_of_nobody_is_unknown(remote):
    with pytest.raises(KeyUnknown):
        activate(key_of(12345))


def test_a_product_that_is_sold_without_keys_by_now_takes_none(remote):
    typed = text(remote)
    taken = activate(typed)
    Product.update(licence_keys=False).where(Product.code == "remote").execute()
    with pytest.raises(KeyUnknown):
        activate(typed)
    assert licence_keys.find_activation(taken.key.id, is_first=True, now=now()) is None


def test_blocked_or_ended_the_key_is_refused_with_the_reason(remote, clock):
    typed = text(remote)
    clock.advance(days=365)
    assert activate(typed).until == date(2027, 11, 21)
    clock.advance(days=1)
    with pytest.raises(KeyWithoutAccess) as refused:
        activate(typed)
    assert (refused.value.state, refused.value.workspace) == (SubscriptionState.BLOCKED, "Acme")
    cancellation.cancel(as_it_is(remote), shown_ends_on="", now=now())
    with pytest.raises(KeyWithoutAccess) as refused:
        activate(typed)
    assert refused.value.state is SubscriptionState.ENDED
    # It can be replaced all the same: it may be in wrong hands.
    replace(as_it_is(remote))


def test_in_the_days_of_grace_it_works_until_the_last_of_them(remote, clock):
    Product.update(grace_days=7).where(Product.code == "remote").execute()
    clock.advance(days=370)
    assert activate(text(remote)).until == date(2027, 11, 28)


# --- leaving --------------------------------------------------------------------------------------


def test_a_deleted_workspace_has_no_key_and_gets_none(acme, remote):
    typed = text(remote)
    deletion.delete_by_owner(acme, now=now())
    assert LicenceKey.select().count() == 0
    with pytest.raises(KeyUnknown):
        activate(typed)
    licence_keys.make(remote, now=now())
    run.run_due(now=now())
    assert LicenceKey.select().count() == 0
    assert_books_clean()
