"""The mail server is away for 48 hours: nothing is lost or doubled, and each reader reads in order."""

import dataclasses
from collections import defaultdict
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from aiosmtpd.controller import Controller

from portal import outbox, runtime
from portal.models import OutboxMessage
from portal.services import letters
from portal.worker.handlers import HANDLERS
from tests.factories import a_contact, a_member, a_person
from tests.paying import buy

pytestmark = pytest.mark.both_engines

AWAY = timedelta(hours=48)
STEP = timedelta(minutes=15)
READERS = (
    "jeanne.martin@acme.example",
    "books@accountant.test",
    "second@accountant.test",
    "paul@acme.test",
)


class Inbox:
    """Every letter that the server took, by reader, in order."""

    def __init__(self) -> None:
        self.taken = defaultdict(list)

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        letter = message_from_bytes(envelope.content, policy=policy.default)
        self.taken[envelope.rcpt_tos[0]].append(letter)
        return "250 OK"


class SomePort(Controller):
    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def inbox():
    """A server that nobody is told of yet."""
    server = SomePort(Inbox(), hostname="127.0.0.1", port=0)
    server.start()
    yield server
    server.stop()


def use_server(port):
    present = runtime.current()
    settings = dataclasses.replace(present.settings, smtp_url=f"smtp://127.0.0.1:{port}")
    runtime.install(dataclasses.replace(present, settings=settings))


def drain(clock):
    return outbox.drain(wall=clock.wall, lease_seconds=60, handlers=HANDLERS, limit=1000)


def tell(place, number):
    """A letter of its own number to everybody who gets what is about money."""
    letters.send(
        "plan_begun",
        to=letters.billing_people(place.workspace),
        workspace=place.workspace,
        key=f"plan-begun-{number}",
        context={"plan_names": {"en": f"Number {number}.", "fr": f"Number {number}."}},
        at_once=True,
    )


def test_two_days_without_a_mail_server(place, clock, inbox, bare_site) -> None:
    a_contact(place.workspace, "books@accountant.test", language="fr")
    a_contact(place.workspace, "second@accountant.test", language="en")
    a_contact(place.workspace, a_member(place.workspace, a_person("paul@acme.test")))
    # Discard: nobody listens there.
    use_server(9)
    with bare_site.app_context():
        buy(place)
        told, away_until, tries = 0, clock.wall() + AWAY, 0
        while clock.wall() < away_until:
            if told < 40 and clock.wall() >= away_until - AWAY + timedelta(hours=told):
                told += 1
                tell(place, told)
            tries += drain(clock).failed
            clock.advance_wall(seconds=STEP.total_seconds())
        # One try stood for all that waited: first ever more seldom, then every two hours.
        assert tries < 60
        mail = OutboxMessage.topic == "mail"
        waiting = OutboxMessage.select().where(mail, OutboxMessage.done_at.is_null())
        promised = waiting.count()
        # The confirmed order also went to the address of the billing details.
        assert promised == len(READERS) * (1 + told) + 1
        assert OutboxMessage.select().where(mail, OutboxMessage.parked_at.is_null(False)).count() == 0
        [group] = outbox.failing(clock.wall())
        assert (group.topic, group.parked) == ("mail", 0)
        assert group.last_error.startswith("ConnectionRefusedError")

        # It answers again, and the next letter is promised before anybody noticed.
        use_server(inbox.port)
        tell(place, told + 1)
        assert drain(clock).delivered == 0
        clock.advance_wall(hours=2, minutes=15)
        assert drain(clock) == outbox.DrainReport(delivered=promised + len(READERS))
    taken = inbox.handler.taken
    assert set(taken) == {*READERS, "compta@acme.example"}
    for reader in READERS:
        texts = [letter.get_body(("plain",)).get_content() for letter in taken[reader]]
        assert "Number" not in texts[0], "the order was confirmed first"
        numbers = [int(text.partition("Number ")[2].partition(".")[0]) for text in texts[1:]]
        assert numbers == list(range(1, told + 2)), reader
        assert len({letter["Message-ID"] for letter in taken[reader]}) == len(texts)
    assert len(taken["compta@acme.example"]) == 1
