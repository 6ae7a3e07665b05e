"""The private calendar: made, read by anybody who knows its address, revoked, lost with the rights."""

from datetime import UTC, date, datetime

import pytest

from portal.domain.vocabulary import MemberStatus, Role
from portal.models import (
    AuditEntry,
    CalendarAddress,
    Member,
    PaymentMethod,
    Person,
    Subscription,
    Workspace,
)
from tests.factories import a_member, a_person, owner_of
from tests.licensed import bought
from tests.pages import by_testid, parse, spaced, text_of
from tests.passing import pass_days
from tests.paying import a_place, an_order, pay
from tests.reading_calendars import read_calendar
from tests.services.payments.test_on_account import ordered, the_invoice
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")
PAGE = "/w/acme/billing"


@pytest.fixture
def place(app, client):
    """Acme on Business 5, renewed by itself; the browser is its owner's."""
    with facts(app):
        place = a_place()
        pay(an_order(place), auto_renewal=True)
        visit_as(client, owner_of(place.workspace))
        return place


def make(client) -> str:
    """The path of a new address."""
    answer = post_form(client, f"{PAGE}/calendar", shown_at=PAGE)
    assert answer.status_code == 200
    [shown] = by_testid(parse(answer.text), "calendar-address")
    return text_of(shown).removeprefix("http://127.0.0.1:8000")


def anybody(app):
    """A program that knows nothing but the address."""
    return app.test_client()


def test_the_address_is_shown_once_and_kept_as_a_hash(app, client, place) -> None:
    path = make(client)
    assert not by_testid(parse(client.get(PAGE).text), "calendar-address")
    with facts(app):
        [row] = CalendarAddress.select()
        assert row.token_hash not in path
        assert len(row.token_hash) == 64
        assert [entry.action for entry in AuditEntry.select().order_by(AuditEntry.id.desc()).limit(1)] == [
            "calendar.made"
        ]


def test_a_calendar_reads_the_charges_without_a_session(app, client, place) -> None:
    path = make(client)
    answer = anybody(app).get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert "Set-Cookie" not in answer.headers
    calendar = read_calendar(answer.data)
    assert calendar.name == "Billing of Acme"
    others = [each.summary for each in calendar.events if "€" not in each.summary]
    assert (len(calendar.events), others) == (13, ["The guaranteed price of Business 5, monthly ends"])
    first = calendar.events[0]
    assert (first.day, first.summary) == (date(2026, 12, 21), "Business 5, monthly: €33.60")
    assert [spaced(line) for line in first.description.split("\n")[:2]] == [
        "€33.60 including VAT",
        "Visa •••• 4242",
    ]
    assert first.url == "http://127.0.0.1:8000/w/acme/billing"


def test_an_entry_keeps_its_name_from_day_to_day(app, client, place, clock) -> None:
    path = make(client)
    before = {each.uid: each for each in read_calendar(anybody(app).get(path).data).events}
    with facts(app):
        pass_days(clock, 40)
    after = {each.uid: each for each in read_calendar(anybody(app).get(path).data).events}
    # What was charged is no longer to come, and what lay beyond the year is new.
    assert (len(before), len(before.keys() & after.keys())) == (13, 12)
    assert all(after[uid].day == before[uid].day for uid in before.keys() & after.keys())


def test_it_speaks_the_language_of_its_member(app, client, place) -> None:
    path = make(client)
    with facts(app):
        Person.update(language="fr").execute()
    calendar = read_calendar(anybody(app).get(path, headers={"Accept-Language": "en"}).data)
    assert calendar.name == "Facturation de Acme"
    assert (
        calendar.events[0].summary == "Business 5, mensuel\N{NARROW NO-BREAK SPACE}: 33,60\N{NO-BREAK SPACE}€"
    )


def test_a_new_address_ends_the_one_before_and_deleting_ends_it(app, client, place) -> None:
    first = make(client)
    second = make(client)
    assert (anybody(app).get(first).status_code, anybody(app).get(second).status_code) == (404, 200)
    answer = post_form(client, f"{PAGE}/calendar/revoke", shown_at=PAGE)
    assert answer.status_code == 303
    assert anybody(app).get(second).status_code == 404
    with facts(app):
        assert not CalendarAddress.select().exists()


def disabled(place, member):
    Member.update(status=MemberStatus.DISABLED).where(Member.id == member.id).execute()


def made_a_guest(place, member):
    Member.update(status=MemberStatus.GUEST).where(Member.id == member.id).execute()


def kept_from_members(place, member):
    Workspace.update(hides_plans_from_members=True).execute()


def removed(place, member):
    Member.delete().where(Member.id == member.id).execute()


def deleted_workspace(place, member):
    Workspace.update(deleted_at=member.created_at).execute()


@pytest.mark.parametrize(
    "lose",
    [disabled, made_a_guest, kept_from_members, removed, deleted_workspace],
    ids=lambda lose: lose.__name__,
)
def test_whoever_lost_the_right_has_no_calendar(app, client, place, lose) -> None:
    with facts(app):
        leo = a_member(place.workspace, a_person("leo@acme.test"), role=Role.MEMBER)
        visit_as(client, leo.person)
    path = make(client)
    assert anybody(app).get(path).status_code == 200
    with facts(app):
        lose(place, leo)
    lost, unknown = anybody(app).get(path), anybody(app).get("/calendar/unknown.ics")
    assert (lost.status_code, unknown.status_code) == (404, 404)
    assert lost.text == unknown.text
    assert "Set-Cookie" not in lost.headers


def test_a_member_s_calendar_says_no_more_than_their_page(app, client, place) -> None:
    with facts(app):
        leo = a_member(place.workspace, a_person("leo@acme.test"), role=Role.MEMBER)
        visit_as(client, leo.person)
    content = anybody(app).get(make(client)).data.decode()
    assert "€33.60" in content
    assert "Visa" not in content


def test_it_is_read_while_access_is_blocked(app, client, place, clock) -> None:
    path = make(client)
    with facts(app):
        Subscription.update(
            started_on=date(2026, 9, 1), due_on=date(2026, 10, 1), auto_renewal=False, renew_on=None
        ).execute()
    assert read_calendar(anybody(app).get(path).data).events == ()


def test_names_that_a_calendar_could_misread_stay_data(app, client, place) -> None:
    hostile = "A;B,C\\D\r\nBEGIN:VEVENT\r\nSUMMARY:no " + "é€😀" * 40
    path = make(client)
    with facts(app):
        Workspace.update(name=hostile).execute()
    calendar = read_calendar(anybody(app).get(path).data)
    assert calendar.name == "Billing of " + hostile.replace("\r\n", "\n")
    assert len(calendar.events) == 13


@pytest.mark.settings(PORTAL_LIMITS="1")
def test_guessing_is_slowed_and_the_right_address_still_answers(app, client, place) -> None:
    path = make(client)
    answers = [anybody(app).get(f"/calendar/guess-{number}.ics").status_code for number in range(21)]
    assert answers == [404] * 20 + [429]
    assert anybody(app).get(path).status_code == 200


def test_licences_stand_in_it_too_and_no_two_entries_share_a_name(app, client, place) -> None:
    with facts(app):
        bought(place, quantity=3, renews_with=PaymentMethod.get())
    events = read_calendar(anybody(app).get(make(client)).data).events
    assert len({each.uid for each in events}) == len(events) == 25


def test_an_overdue_invoice_is_one_event_whichever_day_it_is_asked_for(app, client, place, clock) -> None:
    with facts(app):
        invoice = the_invoice(ordered(place))
    path = make(client)

    def asked_today():
        events = read_calendar(anybody(app).get(path).data).events
        [event] = [each for each in events if invoice.number in each.summary]
        return event

    ahead = asked_today()
    assert ahead.day == date(2026, 12, 21)
    for day in (27, 28):
        clock.set(datetime(2026, 12, day, 9, tzinfo=UTC))
        late = asked_today()
        assert (late.uid, late.day) == (ahead.uid, date(2026, 12, day))
