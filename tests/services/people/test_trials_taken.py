"""A workspace more; and no second trial by deleting the first."""

from datetime import timedelta

import pytest

from portal.database.connecting import transaction
from portal.domain.vocabulary import NoticeKind, Role, SubscriptionState
from portal.models import Member, Notice, Person, SubscriptionPeriod, TrialTaken, Workspace
from portal.runtime import current
from portal.services.people import signing_in, signing_up, trials_taken
from portal.services.renewals import run
from portal.services.subscriptions import agreement, trials
from portal.services.upkeep import housekeeping
from portal.services.workspace import deletion
from tests.books import assert_books_clean
from tests.factories import PASSWORD, a_member, a_person, a_workspace, letters, mailed_path, seen_by

pytestmark = pytest.mark.usefixtures("runtime")


def now():
    return current().clock.now()


def another(person, name="Second"):
    return signing_up.create_another(
        person, name=name, language="fr", currency="USD", time_zone="America/Montreal", now=now()
    )


def signed_up_again(email="jeanne@acme.test"):
    signing_up.sign_up(
        name="Jeanne",
        email=email,
        password=PASSWORD,
        workspace_name="Again",
        language="en",
        time_zone="UTC",
        now=now(),
    )
    return Workspace.get(Workspace.name == "Again")


def deleted(workspace, person):
    deletion.delete_by_owner(seen_by(person, workspace), now=now())


def state_of(workspace):
    status = agreement.status_of(agreement.of_workspace(workspace), today=workspace.day(now()))
    return status.state


def test_somebody_signed_in_gets_another_workspace_with_its_trial():
    jeanne = a_person()
    a_workspace(owner=jeanne)
    second = another(jeanne)
    kept = Workspace.get_by_id(second.id)
    assert (kept.name, kept.language, kept.currency, kept.time_zone) == (
        "Second", "fr", "USD", "America/Montreal",
    )  # fmt: skip
    assert Member.get(Member.workspace == second).role == Role.OWNER
    assert state_of(second) == SubscriptionState.TRIAL
    assert letters("welcome")[-1]["context"]["trial_ends_on"] == "2026-12-21"


@pytest.mark.engine("sqlite", "postgresql")
def test_two_workspaces_of_one_name_have_two_addresses():
    jeanne = a_person()
    assert another(jeanne, "Acme").slug != another(jeanne, "Acme").slug


def test_after_a_deletion_the_same_person_begins_without_a_trial(clock):
    jeanne = a_person()
    a_member(a_workspace("Other"), jeanne)
    deleted(a_workspace(owner=jeanne), jeanne)
    second = another(jeanne)
    subscription = agreement.of_workspace(second)
    assert state_of(second) == SubscriptionState.BLOCKED
    assert agreement.began_without_trial(subscription)
    assert letters("welcome")[-1]["context"]["trial_ends_on"] is None
    assert_books_clean()
    # No letter says that a trial is over which never was.
    run.run_due(now=now())
    clock.advance(days=3)
    run.run_due(now=now())
    assert not letters("trial_over")
    assert not letters("trial_ending")


def test_who_signs_up_again_proves_the_address_first_and_begins_without_a_trial():
    jeanne = a_person()
    deleted(a_workspace(owner=jeanne), jeanne)
    assert Person.get_or_none(Person.email == "jeanne@acme.test") is None
    again = signed_up_again()
    assert state_of(again) == SubscriptionState.BLOCKED
    # As with an address that is known, the password typed opens nothing: nobody learns by it.
    assert signing_in.authenticate("jeanne@acme.test", PASSWORD) is None
    assert not letters("welcome")
    signing_in.reset_password(mailed_path("welcome_back").removeprefix("/reset/"), PASSWORD, now=now())
    assert signing_in.authenticate("jeanne@acme.test", PASSWORD) is not None


def test_somebody_else_gets_a_trial():
    jeanne = a_person()
    deleted(a_workspace(owner=jeanne), jeanne)
    assert state_of(signed_up_again("leo@acme.test")) == SubscriptionState.TRIAL


def test_every_owner_had_the_trial_and_no_plain_member():
    jeanne, leo, zoe = a_person(), a_person("leo@acme.test"), a_person("zoe@acme.test")
    acme, other = a_workspace(owner=jeanne), a_workspace("Other")
    a_member(acme, leo, role=Role.OWNER)
    a_member(acme, zoe)
    for person in (leo, zoe):
        a_member(other, person)
    deleted(acme, jeanne)
    assert state_of(another(leo)) == SubscriptionState.BLOCKED
    assert state_of(another(zoe)) == SubscriptionState.TRIAL


def test_the_address_is_kept_as_a_hash_and_for_a_year_only(clock):
    jeanne = a_person()
    deleted(a_workspace(owner=jeanne), jeanne)
    [row] = TrialTaken.select()
    assert "jeanne" not in row.address_hash
    assert len(row.address_hash) == 64
    clock.advance(days=trials_taken.KEPT_FOR_DAYS - 1)
    housekeeping.sweep(wall=now())
    assert trials_taken.taken_until("jeanne@acme.test", now=now()) == row.until_on
    clock.advance(days=1)
    assert trials_taken.taken_until("jeanne@acme.test", now=now()) is None
    housekeeping.sweep(wall=now())
    assert not TrialTaken.select().exists()


def test_deleting_twice_counts_from_the_later_day(clock):
    jeanne = a_person()
    a_member(a_workspace("Other"), jeanne)
    deleted(a_workspace(owner=jeanne), jeanne)
    clock.advance(days=100)
    deleted(another(jeanne), jeanne)
    [row] = TrialTaken.select()
    assert row.until_on == now().date() + timedelta(days=trials_taken.KEPT_FOR_DAYS)


def test_an_operator_can_give_the_trial_all_the_same():
    jeanne = a_person()
    a_member(a_workspace("Other"), jeanne)
    deleted(a_workspace(owner=jeanne), jeanne)
    second = another(jeanne)
    shown = agreement.of_workspace(second).due_on.isoformat()
    trials.extend(second, days=14, shown_due_on=shown, now=now())
    assert state_of(second) == SubscriptionState.TRIAL
    assert not agreement.began_without_trial(agreement.of_workspace(second))


def test_what_was_said_of_a_trial_that_never_was_is_on_record():
    jeanne = a_person()
    with transaction():
        trials_taken.note([jeanne], now=now())
    second = another(jeanne)
    subscription = agreement.of_workspace(second)
    kinds = {notice.kind for notice in Notice.select().where(Notice.subscription == subscription)}
    assert kinds == {NoticeKind.TRIAL_ENDING, NoticeKind.TRIAL_LAST_DAY, NoticeKind.TRIAL_OVER}
    [period] = SubscriptionPeriod.select().where(SubscriptionPeriod.subscription == subscription)
    assert period.end_on == subscription.due_on == second.day(now()) - timedelta(days=1)
