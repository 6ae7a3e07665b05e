"""Automatic renewal on and off: what is shown before is what is stored, and everybody who pays is told."""

from dataclasses import replace
from datetime import date

import pytest

from portal.domain.errors import QuoteChanged
from portal.domain.money import Money
from portal.domain.vocabulary import Interval, NoticeKind, PaymentMethodKind, Role, SubscriptionState
from portal.models import AuditEntry, BillingDetails, Notice, PaymentMethod, Price, Subscription
from portal.services.subscriptions import agreement, auto_renewal, free_plan
from portal.services.subscriptions.auto_renewal import NoSuchMethod, NotRenewable
from portal.services.subscriptions.next_charge import NoBillingDetails
from tests.factories import CATALOGUE, letters, waiting_notices
from tests.paying import a_place, an_order, apply_catalogue, as_seen_by, buy, pay

DUE_ON = date(2026, 12, 21)


def subscription_of(place) -> Subscription:
    return agreement.of_workspace(place.workspace)


def a_saved_card(place, last4="4242", **facts) -> PaymentMethod:
    return PaymentMethod.create(
        workspace=place.workspace,
        added_by=place.member.person_id,
        gateway="sandbox",
        reference=f"saved-{place.workspace.id}-{last4}",
        kind=PaymentMethodKind.CARD,
        brand="visa",
        last4=last4,
        exp_month=12,
        exp_year=2030,
        holder="Jeanne Martin",
        created_at=place.workspace.created_at,
        **facts,
    )


def switch_on(place, clock, method, *, shown=None):
    shown = shown or auto_renewal.next_charge(place.workspace, now=clock.now()).hash
    return auto_renewal.switch_on(place, method_id=method.id, shown_hash=shown, now=clock.now())


@pytest.fixture
def card(place):
    """The saved card of a workspace on Business 5, paid by the month until 21 December."""
    buy(place)
    return a_saved_card(place)


def test_on_the_plan_is_renewed_on_the_due_date_for_what_was_shown(place, clock, card):
    """28.00 EUR and 20 %."""
    charge = switch_on(place, clock, card)
    assert (charge.on, charge.quote.total.minor) == (DUE_ON, 3360)
    found = subscription_of(place)
    assert (found.auto_renewal, found.payment_method_id, found.renew_on, found.announced_minor) == (
        True,
        card.id,
        DUE_ON,
        3360,
    )
    assert found.look_at == clock.now()
    assert not Notice.select().exists()


def test_everybody_who_pays_is_told_day_amount_and_card(place, clock, card):
    as_seen_by(place, "Bruno Facturier", role=Role.BILLING_MANAGER)
    switch_on(place, clock, card)
    first, second = letters("auto_renewal_on")
    assert [first["to"], second["to"]] == ["jeanne.martin@acme.example", "bruno.facturier@acme.example"]
    told = first["context"]
    assert (told["renew_on"], told["total_minor"], told["currency"], told["interval"]) == (
        "2026-12-21",
        3360,
        "EUR",
        "month",
    )
    assert told["method"] == {"method": "card", "brand": "visa", "last4": "4242"}
    assert told["plan_names"]["en"] == "Business 5"


def test_switched_on_in_the_last_week_it_is_announced_by_that(place, clock, card):
    clock.advance(days=22)
    switch_on(place, clock, card)
    assert not Notice.select().exists()
    auto_renewal.switch_off(place, now=clock.now())
    clock.advance(days=1)
    switch_on(place, clock, card)
    [notice] = Notice.select()
    assert (notice.kind, notice.about_on, notice.said_on) == (
        NoticeKind.RENEWAL_AHEAD,
        DUE_ON,
        date(2026, 12, 14),
    )
    # Off and on again: it stays said.
    auto_renewal.switch_off(place, now=clock.now())
    switch_on(place, clock, card)
    assert Notice.select().count() == 1


@pytest.mark.settings(PORTAL_GRACE_DAYS="5")
def test_switched_on_when_late_it_is_charged_today(place, clock, card):
    clock.advance(days=32)
    charge = switch_on(place, clock, card)
    assert charge.on == date(2026, 12, 23)
    assert charge.quote.only_line.period.start == DUE_ON
    assert subscription_of(place).renew_on == date(2026, 12, 23)


@pytest.mark.settings(PORTAL_GRACE_DAYS="5")
def test_a_renewal_that_failed_stays_failed_until_it_is_paid(place, clock, card):
    """Else whoever switches it off and on again would be late for ever."""
    clock.advance(days=31)
    Subscription.update(
        auto_renewal=True, payment_method=card, renewal_failed_on=DUE_ON, renew_on=None
    ).execute()
    auto_renewal.switch_off(place, now=clock.now())
    switch_on(place, clock, card)
    assert subscription_of(place).renewal_failed_on == DUE_ON


def test_a_charge_that_became_another_is_shown_again(place, clock, card):
    shown = auto_renewal.next_charge(place.workspace, now=clock.now()).hash
    BillingDetails.update(country="DE").execute()
    with pytest.raises(QuoteChanged):
        switch_on(place, clock, card, shown=shown)
    assert not subscription_of(place).auto_renewal
    assert letters("auto_renewal_on") == []


def test_on_twice_is_told_once(place, clock, card):
    shown = auto_renewal.next_charge(place.workspace, now=clock.now()).hash
    switch_on(place, clock, card, shown=shown)
    switch_on(place, clock, card, shown=shown)
    assert len(letters("auto_renewal_on")) == 1
    assert AuditEntry.select().where(AuditEntry.action == "auto_renewal.on").count() == 1


def test_another_card_takes_its_place(place, clock, card):
    switch_on(place, clock, card)
    other = a_saved_card(place, "4444")
    switch_on(place, clock, other)
    assert subscription_of(place).payment_method_id == other.id


@pytest.mark.parametrize(("tax", "country"), [("rose", "HU"), ("fell", "DE")])
def test_another_card_changes_nothing_that_was_told(place, clock, card, tax, country):
    """28.00 and 20 % were told. Hungary has 27 %, Germany 19 %."""
    switch_on(place, clock, card)
    BillingDetails.update(country=country, is_business=False).execute()
    shown = auto_renewal.next_charge(place.workspace, now=clock.now())
    assert (shown.total.minor, shown.tax.minor) == (3360, 560)
    switch_on(place, clock, a_saved_card(place, "4444"), shown=shown.hash)
    found = subscription_of(place)
    assert (found.announced_net_minor, found.announced_minor) == (2800, 3360)
    letter = letters("auto_renewal_on")[-1]["context"]
    assert (letter["total_minor"], letter["tax_minor"], letter["from_balance_minor"]) == (3360, 560, 0)
    entries = AuditEntry.select().where(AuditEntry.action == "auto_renewal.on")
    assert [entry.changes["announced_minor"] for entry in entries] == [3360, 3360]


def test_what_the_balance_pays_is_of_the_amount_that_was_told(place, clock, card):
    """34.00 are kept, 33.60 were told: they pay it whole, though the tax of today would make it 35.56."""
    switch_on(place, clock, card)
    BillingDetails.update(country="HU", is_business=False).execute()
    charge = auto_renewal.next_charge(place.workspace, now=clock.now())
    charge = replace(charge, kept=Money(3400, "EUR"))
    assert (charge.from_balance.minor, charge.due.minor, charge.needs_method) == (3360, 0, False)


def test_only_a_saved_method_of_the_workspace_is_charged(place, clock, card, runtime):
    removed = a_saved_card(place, "0005", removed_at=clock.now())
    theirs = a_saved_card(a_place("Zenith", owner="Zoe Zimmer"), "4444")
    for method in (removed, theirs):
        with pytest.raises(NoSuchMethod):
            switch_on(place, clock, method)
    assert [method.last4 for method in auto_renewal.methods_of(place.workspace, "EUR")] == ["4242"]


def test_the_preferred_method_comes_first(place, card):
    a_saved_card(place, "4444", is_preferred=True)
    assert [method.last4 for method in auto_renewal.methods_of(place.workspace, "EUR")] == ["4444", "4242"]


def test_there_is_nothing_to_renew_on_trial_on_a_free_plan_and_when_blocked(place, clock):
    with pytest.raises(NotRenewable):
        auto_renewal.next_charge(place.workspace, now=clock.now())
    buy(place, "business-3")
    clock.advance(days=31)
    with pytest.raises(NotRenewable) as refused:
        auto_renewal.next_charge(place.workspace, now=clock.now())
    assert refused.value.state == SubscriptionState.BLOCKED
    free_plan.take(place, shown_begins_on="", now=clock.now())
    with pytest.raises(NotRenewable):
        auto_renewal.next_charge(place.workspace, now=clock.now())


def test_there_is_nothing_to_renew_where_a_free_plan_is_to_begin(place, clock, card):
    free_plan.take(place, shown_begins_on="2026-12-21", now=clock.now())
    with pytest.raises(NotRenewable) as refused:
        switch_on(place, clock, card)
    assert refused.value.free_plan_waits


def test_without_billing_details_nobody_can_be_invoiced(place, clock, card):
    BillingDetails.delete().execute()
    with pytest.raises(NoBillingDetails):
        auto_renewal.next_charge(place.workspace, now=clock.now())


def test_off_nothing_changes_before_the_due_date(place, clock, card):
    switch_on(place, clock, card)
    assert auto_renewal.switch_off(place, now=clock.now())
    found = subscription_of(place)
    assert (found.auto_renewal, found.renew_on, found.announced_minor, found.due_on) == (
        False,
        None,
        None,
        DUE_ON,
    )
    [letter] = waiting_notices("auto_renewal_off")
    assert (letter["context"]["due_on"], letter["context"]["plan_names"]["en"]) == (
        "2026-12-21",
        "Business 5",
    )


def test_off_twice_is_told_once(place, clock, card):
    switch_on(place, clock, card)
    assert auto_renewal.switch_off(place, now=clock.now())
    assert not auto_renewal.switch_off(place, now=clock.now())
    assert len(waiting_notices("auto_renewal_off")) == 1


def test_the_guaranteed_price_comes_back_with_it_before_the_due_date(place, clock):
    """Bought at 28.00 with automatic renewal; the list rises to 29.00; off and on again: 28.00 and 20 %."""
    Price.update(valid_from=date(2026, 11, 1)).execute()
    pay(an_order(place), auto_renewal=True)
    apply_catalogue(CATALOGUE.read_text().replace("amount_minor = 2800 }", "amount_minor = 2900 }"))
    auto_renewal.switch_off(place, now=clock.now())
    assert subscription_of(place).locked_until == date(2027, 11, 21)
    switch_on(place, clock, PaymentMethod.get())
    assert subscription_of(place).announced_minor == 3360


def test_without_a_guaranteed_price_it_is_the_list_price(place, clock):
    """29.00 EUR and 20 %."""
    Price.update(valid_from=date(2026, 11, 1)).execute()
    buy(place)
    apply_catalogue(CATALOGUE.read_text().replace("amount_minor = 2800 }", "amount_minor = 2900 }"))
    switch_on(place, clock, a_saved_card(place))
    assert subscription_of(place).announced_minor == 3480


def test_by_the_year_it_is_charged_in_a_year(place, clock):
    buy(place, "business-3", Interval.YEAR)
    charge = switch_on(place, clock, a_saved_card(place))
    assert (charge.on, charge.quote.total.minor) == (date(2027, 11, 21), 20400)
