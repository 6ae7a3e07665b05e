"""Messages that keep failing stand before the vendor's staff."""

from datetime import timedelta

import pytest

from portal import outbox
from portal.database.connecting import transaction
from portal.models import AuditEntry, OutboxMessage
from portal.runtime import current
from tests.factories import a_catalogue, a_person
from tests.pages import by_testid, parse, text_of
from tests.visiting import facts, post_form, visit_as

pytestmark = pytest.mark.engine("sqlite")


@pytest.fixture
def staff(app, client):
    with facts(app):
        a_catalogue()
        visit_as(client, a_person("staff@vendor.test", operator=True))
    return client


def parked(topic: str, key: str, *, reason: str, **payload) -> None:
    """Inside `facts`: a promise that was tried eight times, two days ago."""
    wall = current().clock.wall() - timedelta(days=2)
    with transaction():
        outbox.publish(topic, key=key, payload=payload, now=wall)
    OutboxMessage.update(attempts=8, parked_at=wall + timedelta(days=1), last_error=reason).where(
        OutboxMessage.key == key
    ).execute()


def rows_of(staff) -> list[str]:
    page = parse(staff.get("/operator/messages?lang=en").text)
    return [text_of(row) for row in by_testid(page, "failing-row")]


def test_nothing_fails(staff) -> None:
    assert "No failing messages" in staff.get("/operator/messages?lang=en").text
    assert "Failing messages<" in staff.get("/operator/?lang=en").text.replace("</span>", "<")


def test_the_start_page_says_how_many_and_the_list_says_why(app, staff) -> None:
    with facts(app):
        parked("mail", "a", reason="SMTPRecipientsRefused: <b>nobody</b>")
        parked("mail", "b", reason="SMTPRecipientsRefused: <b>nobody</b>")
        parked("prepare_documents", "c", reason="TypstError: no font")
    assert "Failing messages (3)" in staff.get("/operator/?lang=en").text
    first, second = rows_of(staff)
    assert "Send an e-mail" in first and "SMTPRecipientsRefused: <b>nobody</b>" in first and "2" in first
    assert "Produce a document" in second and "TypstError: no font" in second


def test_one_row_is_tried_again_and_the_others_wait(app, staff) -> None:
    with facts(app):
        parked("mail", "a", reason="OSError: away")
        parked("prepare_documents", "c", reason="TypstError: no font")
        group = outbox.failing(current().clock.wall())[0].group
    answer = post_form(staff, "/operator/messages", group=group)
    assert answer.status_code == 303
    page = staff.get("/operator/messages?lang=en").text
    assert "Messages tried again now: 1." in page
    with facts(app):
        waiting = {message.key: message.parked_at is None for message in OutboxMessage.select()}
        entry = AuditEntry.get(AuditEntry.action == "outbox.tried_again")
    assert sorted(waiting.values()) == [False, True]
    assert entry.changes == {"again": 1, "given_up": 0}


@pytest.mark.parametrize("group", ["", "x", "\x00", "0" * 16])
def test_a_group_that_fails_no_more_changes_nothing(app, staff, group) -> None:
    with facts(app):
        parked("mail", "a", reason="OSError: away")
    assert post_form(staff, "/operator/messages", group=group).status_code == 303
    with facts(app):
        assert OutboxMessage.get().parked_at is not None
        assert not AuditEntry.select().where(AuditEntry.action == "outbox.tried_again").exists()


def test_nobody_else_sees_them(app, client) -> None:
    assert client.get("/operator/messages").location.startswith("/sign-in")
    with facts(app):
        visit_as(client, a_person("jeanne@acme.test"))
    assert client.get("/operator/messages").status_code == 404
