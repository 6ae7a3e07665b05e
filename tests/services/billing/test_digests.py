"""Letters about changes: one a day at most, or once a month; none lost or doubled, and money at once."""

from datetime import datetime

import pytest

from portal.domain.vocabulary import ChangeNotices
from portal.models import ChangeNotice, Workspace
from portal.services.billing import digests
from portal.services.renewals import run
from portal.services.subscriptions import auto_renewal
from tests.factories import a_contact, letters
from tests.paying import a_place, an_order, pay
from tests.services.payments.test_concurrency import at_once, faults_of

DUE = "2026-12-21"


@pytest.fixture
def place(runtime, clock):
    """Paid until 21 December with a saved card that renews it; it is 22 November."""
    clock.set(datetime.fromisoformat("2026-11-21T10:00:00+00:00"))
    place = a_place()
    pay(an_order(place), auto_renewal=True)
    clock.advance(days=1)
    return place


def wants(place, frequency) -> None:
    Workspace.update(change_notices=frequency).where(Workspace.id == place.workspace.id).execute()
    place.workspace.change_notices = frequency


def off(place, clock) -> None:
    auto_renewal.switch_off(place, now=clock.now())


def on(place, clock) -> None:
    method = auto_renewal.methods_of(place.workspace, "EUR")[0]
    shown = auto_renewal.next_charge(place.workspace, now=clock.now()).hash
    auto_renewal.switch_on(place, method_id=method.id, shown_hash=shown, now=clock.now())


def told(since=0) -> list[str]:
    about = ("auto_renewal_on", "auto_renewal_off", "changes")
    return [each["template"] for each in letters() if each["template"] in about][since:]


def send_due(clock) -> int:
    return digests.send_due(limit=10, now=clock.now())


def test_the_first_change_of_a_day_is_mailed_at_once_and_the_others_the_next_day(place, clock) -> None:
    before = len(told())
    off(place, clock)
    on(place, clock)
    off(place, clock)
    assert told(before) == ["auto_renewal_off"]
    assert send_due(clock) == 0
    clock.advance(days=1)
    on(place, clock)
    assert told(before) == ["auto_renewal_off"], "what waits goes first"
    assert (send_due(clock), send_due(clock)) == (1, 0)
    assert told(before) == ["auto_renewal_off", "changes"]
    letter = letters("changes")[-1]
    assert [each["template"] for each in letter["context"]["changes"]] == [
        "auto_renewal_on",
        "auto_renewal_off",
        "auto_renewal_on",
    ]
    assert letter["context"]["coming"] is None
    off(place, clock)
    assert told(before) == ["auto_renewal_off", "changes"], "one message a day"
    clock.advance(days=1)
    assert send_due(clock) == 1
    assert told(before) == ["auto_renewal_off", "changes", "auto_renewal_off"], (
        "one alone is the letter itself"
    )


def test_a_month_is_told_on_its_first_day_with_what_comes_and_to_the_contacts_too(place, clock) -> None:
    a_contact(place.workspace, "books@accountant.test")
    wants(place, ChangeNotices.MONTHLY)
    before = len(told())
    off(place, clock)
    on(place, clock)
    clock.advance(days=8)
    assert (send_due(clock), told(before)) == (0, []), "the last day of November"
    clock.advance(days=1)
    assert run.run_due(now=clock.now())["change_notices_mailed"] == 1
    assert run.run_due(now=clock.now())["change_notices_mailed"] == 0
    assert told(before) == ["changes", "changes"]
    assert "books@accountant.test" in {each["to"] for each in letters("changes")}
    context = letters("changes")[-1]["context"]
    assert [each["on"] for each in context["coming"]] == [DUE]
    assert context["coming"][0]["total_minor"] is not None


def test_runs_and_a_change_at_the_same_time_mail_each_change_once(place, clock) -> None:
    """On connections of their own, as two workers and a page have them."""
    off(place, clock)
    for _ in range(2):
        on(place, clock)
        off(place, clock)
    clock.advance(days=1)
    results = at_once([lambda: send_due(clock)] * 4 + [lambda: on(place, clock)])
    assert faults_of(results) == []
    assert sorted(results[:4]) == [0, 0, 0, 1]
    clock.advance(days=1)
    assert sum(at_once([lambda: send_due(clock)] * 4)) <= 1
    assert ChangeNotice.select().where(ChangeNotice.sent_on.is_null()).count() == 0
    told = []
    for letter in letters():
        told += [each["template"] for each in letter["context"].get("changes", [letter])]
    about = [template for template in told if template.startswith("auto_renewal")]
    # The first is of the purchase.
    assert about == ["auto_renewal_on", *["auto_renewal_off", "auto_renewal_on"] * 3]


def test_what_comes_with_a_purchase_is_told_at_once_and_leaves_the_day_free(runtime, clock) -> None:
    place = a_place()
    wants(place, ChangeNotices.MONTHLY)
    pay(an_order(place), auto_renewal=True)
    assert told() == ["auto_renewal_on"]
    wants(place, ChangeNotices.EACH)
    off(place, clock)
    assert told() == ["auto_renewal_on", "auto_renewal_off"]


def test_a_second_digest_is_not_taken_for_the_first(place, clock) -> None:
    """Where rows that are gone leave their ids to new ones."""
    for _ in range(3):
        off(place, clock)
        on(place, clock)
        off(place, clock)
        clock.advance(days=1)
        assert send_due(clock) == 1
        clock.advance(days=1)
        on(place, clock)
        clock.advance(days=1)
    assert told().count("changes") == 3


def test_a_notice_does_not_wait_beyond_the_day_that_it_tells_of(place, clock) -> None:
    wants(place, ChangeNotices.MONTHLY)
    clock.set(datetime.fromisoformat("2026-12-02T10:00:00+00:00"))
    before = len(told())
    off(place, clock)
    assert told(before) == ["auto_renewal_off"], "what is paid for ends on the 21st"
    wants(place, ChangeNotices.EACH)
    clock.set(datetime.fromisoformat("2026-12-20T10:00:00+00:00"))
    on(place, clock)
    off(place, clock)
    assert told(before) == ["auto_renewal_off", "auto_renewal_on", "auto_renewal_off"]


def test_nothing_is_lost_when_the_frequency_changes_in_between(place, clock) -> None:
    wants(place, ChangeNotices.MONTHLY)
    before = len(told())
    off(place, clock)
    clock.advance(days=1)
    wants(place, ChangeNotices.EACH)
    assert (send_due(clock), told(before)) == (1, ["auto_renewal_off"])
    on(place, clock)
    wants(place, ChangeNotices.MONTHLY)
    clock.advance(days=3)
    assert (send_due(clock), told(before)) == (0, ["auto_renewal_off"])
    clock.advance(days=10)
    assert (send_due(clock), told(before)) == (1, ["auto_renewal_off", "changes"])
    assert ChangeNotice.select().where(ChangeNotice.sent_on.is_null()).count() == 0


def test_charges_are_told_at_once_whatever_the_frequency(place, clock) -> None:
    wants(place, ChangeNotices.MONTHLY)
    clock.set(datetime.fromisoformat("2026-12-14T10:00:00+00:00"))
    run.run_due(now=clock.now())
    assert [each["template"] for each in letters()][-1] == "renewal_ahead"
    clock.set(datetime.fromisoformat("2026-12-21T10:00:00+00:00"))
    run.run_due(now=clock.now())
    assert [each["template"] for each in letters()][-1] == "renewed"
