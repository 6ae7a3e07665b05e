"""Who pays for one product keeps the workspace, whatever became of its plan (product.md §5)."""

from datetime import date, timedelta

import pytest

from portal.domain.vocabulary import Interval
from portal.models import Workspace
from portal.services.renewals import run
from portal.services.subscriptions import agreement, cancellation
from tests import paying
from tests.attackers import Attacker
from tests.books import assert_books_clean
from tests.factories import a_workspace, letters, owner_of, seen_by
from tests.licensed import bought
from tests.pages import by_testid, parse, text_of
from tests.visiting import facts


def live_until(clock, day):
    """A run each week, and one on the day."""
    while clock.now().date() < day:
        clock.advance(days=min(7, (day - clock.now().date()).days))
        run.run_due(now=clock.now())


@pytest.mark.parametrize("plan_is_paid_once", [False, True], ids=["after the trial", "after a month"])
def test_a_workspace_is_not_deleted_while_a_product_of_it_is_paid(place, clock, plan_is_paid_once):
    """Licences for a year from 21 November 2026: nothing is said of deletion before they end."""
    if plan_is_paid_once:
        paying.buy(place)
    bought(place, interval=Interval.YEAR)
    live_until(clock, date(2027, 11, 20))
    assert agreement.status_of(
        agreement.of_workspace(place.workspace), today=place.workspace.day(clock.now())
    ).is_blocked
    assert letters("deletion_ahead") == []
    assert Workspace.get().deleted_at is None
    assert_books_clean()
    # Not renewed: the product is blocked too, the owner is warned, and a week later everything goes.
    live_until(clock, date(2027, 11, 30))
    assert len(letters("deletion_ahead")) == 1
    assert Workspace.get().deleted_at is None
    live_until(clock, date(2027, 12, 14))
    assert Workspace.get().deleted_at is not None
    assert_books_clean()


def test_what_is_cancelled_keeps_the_workspace_until_its_end(place, clock):
    meetings = bought(place, interval=Interval.YEAR)
    clock.advance(days=1)
    cancellation.cancel(meetings, shown_ends_on="2027-11-21", now=clock.now())
    live_until(clock, date(2027, 11, 21))
    assert (letters("deletion_ahead"), Workspace.get().deleted_at) == ([], None)
    live_until(clock, date(2027, 12, 12))
    assert Workspace.get().deleted_at is not None


@pytest.mark.engine("sqlite")
def test_a_blocked_plan_blocks_no_workspace_that_may_use_something_else(app, clock):
    with facts(app):
        acme = a_workspace()
        bought(seen_by(owner_of(acme), acme))
        owner = Attacker(app, owner_of(acme))
    clock.advance(days=40)
    with facts(app):
        run.run_due(now=clock.now())
    # The licences of a month were due after 30 days, and there is no grace: both are over now.
    assert owner.get("/w/acme/members").status_code == 200
    assert owner.get("/w/acme/settings").status_code == 303
    with facts(app):
        acme = Workspace.get()
        status = agreement.status_of(agreement.of_workspace(acme), today=acme.day(clock.now()))
        assert not agreement.has_another_in_good_standing(status.subscription, today=status.today)


@pytest.mark.engine("sqlite")
def test_the_banner_says_that_it_is_the_plan_which_is_blocked(app, clock):
    with facts(app):
        acme = a_workspace()
        place = seen_by(owner_of(acme), acme)
        paying.buy(place)
        bought(place, interval=Interval.YEAR)
        owner = Attacker(app, owner_of(acme))
    clock.advance(days=60)
    page = parse(owner.get("/w/acme/settings").text)
    [banner] = by_testid(page, "state-banner")
    assert text_of(banner).startswith("The Business 5 plan is blocked.")
    assert "The payment was due on 21 December 2026. Paying restores everything." in text_of(banner)
    assert clock.now().date() - timedelta(days=60) == date(2026, 11, 21)
