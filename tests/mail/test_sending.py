"""The headers of a mail, the files without a server, and what becomes of it when the server misbehaves."""

import dataclasses
from datetime import UTC, datetime

import pytest
from aiosmtpd.controller import Controller

from portal import outbox, runtime
from portal.mail import mailbox
from portal.mail import sending as mail
from portal.models import OutboxMessage
from portal.settings import SettingsError
from portal.worker.handlers import HANDLERS

WALL = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
WELCOME = {"name": "Jeanne", "workspace": "Acme", "slug": "acme", "trial_ends_on": "2026-12-21"}

pytestmark = pytest.mark.engine("sqlite")


def a_message(**changes):
    facts = {
        "key": "mail:welcome-1",
        "to": "jeanne@acme.example",
        "subject": "Hello",
        "text": "Text\n",
        "html": "<p>Text</p>",
        "locale": "fr",
        "promised_at": WALL,
    }
    return mail.MailMessage(**facts | changes)


def composed(**changes):
    return mail.compose(a_message(**changes), mail_from="Portal <billing@portal.example>", wall=WALL)


# --- headers --------------------------------------------------------------------------------------


def test_the_headers_of_a_mail():
    email = composed(subject="Votre espace de travail « Été » est prêt")
    assert email["From"] == "Portal <billing@portal.example>"
    assert email["To"] == "jeanne@acme.example"
    assert email["Subject"] == "Votre espace de travail « Été » est prêt"
    assert email["Auto-Submitted"] == "auto-generated"
    assert email["Content-Language"] == "fr"
    assert email["Date"].datetime == WALL
    assert bytes(email).isascii()


def test_a_repeat_has_the_same_message_id():
    assert composed()["Message-ID"] == composed(subject="another try")["Message-ID"]
    assert composed()["Message-ID"] != composed(key="mail:welcome-2")["Message-ID"]
    assert composed()["Message-ID"].endswith("@portal.example>")


@pytest.mark.parametrize(
    "address",
    [
        "a@acme.example\r\nBcc: b@elsewhere.example",
        "a@acme.example\nBcc: b@elsewhere.example",
        "a@acme.example, b@elsewhere.example",
        "a@acme.example b@elsewhere.example",
        "Jeanne <a@acme.example>",
        "nobody",
        "",
    ],
)
def test_an_address_that_is_not_exactly_one_is_refused(address):
    with pytest.raises((ValueError, IndexError)):
        composed(to=address)


def test_no_header_can_be_smuggled_in():
    email = composed(
        subject="Hello\r\nBcc: b@elsewhere.example",
        attachments=(mail.Attachment("a\r\nX-Evil: 1.pdf", b"%PDF"),),
    )
    head = bytes(email).partition(b"\r\n\r\n")[0]
    assert email["Bcc"] is None
    assert b"\nBcc:" not in head and b"\nX-Evil" not in bytes(email)


# --- files ----------------------------------------------------------------------------------------


def test_without_a_server_a_mail_is_kept_as_a_file(at_work):
    mail.send(a_message(attachments=(mail.Attachment("INV-2026-000001.pdf", b"%PDF-1.7"),)))
    [summary] = mailbox.read_mailbox(at_work.data_dir)
    assert (summary.to, summary.subject, summary.sent_at) == ("jeanne@acme.example", "Hello", WALL)
    letter = mailbox.read_mail(at_work.data_dir, summary.name)
    assert letter.text.strip() == "Text"
    assert letter.html.strip() == "<p>Text</p>"
    assert letter.attachments == (mail.Attachment("INV-2026-000001.pdf", b"%PDF-1.7"),)
    # Nobody else on the machine reads whom the portal writes to.
    assert (at_work.data_dir / "mail").stat().st_mode & 0o777 == 0o700


def test_a_repeat_leaves_one_file_and_the_newest_is_first(at_work):
    mail.send(a_message())
    mail.send(a_message())
    mail.send(a_message(key="mail:2", subject="Later", promised_at=WALL.replace(hour=10)))
    mail.send(a_message(key="mail:3", subject="Earlier", promised_at=WALL.replace(hour=8)))
    assert [letter.subject for letter in mailbox.read_mailbox(at_work.data_dir)] == [
        "Later",
        "Hello",
        "Earlier",
    ]
    assert len(mailbox.read_mailbox(at_work.data_dir, limit=2)) == 2


@pytest.mark.parametrize(
    "name", ["../secret_key", "/etc/passwd", "", "x.eml", "20261121T090000.000000Z-0.eml"]
)
def test_only_letters_can_be_read(at_work, name):
    (at_work.data_dir / "secret_key").write_text("secret")
    assert mailbox.read_mail(at_work.data_dir, name) is None


# --- a server -------------------------------------------------------------------------------------


class Mailbox:
    """Answers each letter as told, then accepts; a rude one hangs up instead of saying goodbye."""

    def __init__(self, *answers, is_rude=False):
        self.answers = list(answers)
        self.is_rude = is_rude
        self.taken = []

    async def handle_QUIT(self, server, session, envelope):  # noqa: N802
        if self.is_rude:
            server.transport.abort()
        return "221 bye"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.taken.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return answer


class SomePort(Controller):
    """A server on a free port, told after the start."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def smtp_server(at_work, clock):
    """Starts a server that fills the mailbox, and makes it the one of the settings."""
    started = []

    def start(mailbox):
        # As most servers are.
        server = SomePort(mailbox, hostname="127.0.0.1", port=0, enable_SMTPUTF8=False)
        server.start()
        started.append(server)
        use_server(at_work, clock, f"smtp://127.0.0.1:{server.port}")
        return mailbox

    yield start
    for server in started:
        server.stop()


def use_server(settings, clock, url):
    runtime.install(runtime.Runtime(dataclasses.replace(settings, smtp_url=url), clock, {}))


def publish_welcome():
    outbox.publish(
        "mail",
        key="welcome-1",
        payload={
            "template": "welcome",
            "to": "jeanne@acme.example",
            "locale": "fr",
            "context": WELCOME,
        },
        now=WALL,
    )


def drain(wall=WALL):
    return outbox.drain(wall=lambda: wall, lease_seconds=60, handlers=HANDLERS)


def test_a_mail_is_sent_by_smtp(smtp_server):
    mailbox = smtp_server(Mailbox())
    publish_welcome()
    assert drain() == outbox.DrainReport(delivered=1)
    [(sender, recipients, content)] = mailbox.taken
    assert (sender, recipients) == ("billing@portal.example", ["jeanne@acme.example"])
    assert b"Auto-Submitted: auto-generated" in content


@pytest.mark.parametrize("answer", ["451 try later", "550 no", "421 closing"])
def test_a_refused_mail_is_sent_again_with_the_same_message_id(smtp_server, answer):
    mailbox = smtp_server(Mailbox(answer))
    publish_welcome()
    assert drain() == outbox.DrainReport(failed=1)
    message = OutboxMessage.get()
    assert answer[:3] in message.last_error
    assert drain(message.run_at) == outbox.DrainReport(delivered=1)
    assert len(mailbox.taken) == 1


def test_a_server_that_dies_after_taking_the_mail_gets_it_again_under_the_same_id(smtp_server):
    mailbox = smtp_server(Mailbox())
    publish_welcome()
    drain()
    # As if this worker had been killed between the 250 and its commit.
    OutboxMessage.update(done_at=None, lease_until=WALL).execute()
    assert drain() == outbox.DrainReport(delivered=1)
    first, second = (
        next(line for line in content.splitlines() if line.startswith(b"Message-ID"))
        for _sender, _recipients, content in mailbox.taken
    )
    assert first == second


def test_a_rude_goodbye_does_not_send_a_mail_twice(smtp_server):
    mailbox = smtp_server(Mailbox(is_rude=True))
    publish_welcome()
    assert drain() == outbox.DrainReport(delivered=1)
    assert len(mailbox.taken) == 1


def test_no_server_at_all_is_a_failed_try(at_work, clock):
    use_server(at_work, clock, "smtp://127.0.0.1:9")
    publish_welcome()
    assert drain() == outbox.DrainReport(failed=1)


@pytest.mark.parametrize(
    ("url", "scheme", "port"),
    [
        ("smtp://mail.example", "smtp", 25),
        ("starttls://me:p%40ss@mail.example", "starttls", 587),
        ("smtps://me:x@mail.example:2465", "smtps", 2465),
    ],
)
def test_the_address_of_a_mail_server(url, scheme, port):
    server = mail.smtp_server(url)
    assert (server.scheme, server.host, server.port) == (scheme, "mail.example", port)
    assert server.password in ("", "p@ss", "x")


@pytest.mark.parametrize(
    "url", ["http://mail.example", "mail.example:25", "smtp://", "smtp://me:x@mail.example"]
)
def test_an_address_without_sense_or_with_a_naked_password_is_refused(url):
    with pytest.raises(SettingsError, match="PORTAL_SMTP_URL"):
        mail.smtp_server(url)


# --- addresses in letters of the world ------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "sent_to"),
    [
        ("bob@m\u00fcller.example", "bob@xn--mller-kva.example"),
        ("bob@M\u00dcLLER.example", "bob@xn--mller-kva.example"),
        ("bob@stra\u00dfe.example", "bob@xn--strae-oqa.example"),
        ("bob@\u4f8b\u3048.example", "bob@xn--r8jz45g.example"),
        ("bob@acme.example", "bob@acme.example"),
        ("b\u00f6b@acme.example", "b\u00f6b@acme.example"),
    ],
)
def test_a_domain_goes_over_the_wire_as_every_server_takes_it(address, sent_to):
    """IDNA 2008: the sharp s stays one."""
    assert mail.for_the_wire(address) == sent_to


@pytest.mark.parametrize(
    "domain", ["m\u00fcller..example", "\u202em\u00fcller.example", "\u2764.example", "-\u00fc.example"]
)
def test_a_domain_that_cannot_be_is_refused_in_words(domain):
    with pytest.raises(ValueError, match="no domain for mail"):
        mail.for_the_wire(f"bob@{domain}")


def publish_to(address):
    outbox.publish(
        "mail",
        key="welcome-1",
        payload={"template": "welcome", "to": address, "locale": "fr", "context": WELCOME},
        now=WALL,
    )


@pytest.fixture
def modern_server(at_work, clock):
    """A server that offers SMTPUTF8, as most do not."""
    mailbox = Mailbox()
    server = SomePort(mailbox, hostname="127.0.0.1", port=0, enable_SMTPUTF8=True)
    server.start()
    use_server(at_work, clock, f"smtp://127.0.0.1:{server.port}")
    yield mailbox
    server.stop()


def test_a_server_without_smtputf8_gets_the_domain_in_ascii(smtp_server):
    mailbox = smtp_server(Mailbox())
    publish_to("bob@m\u00fcller.example")
    assert drain() == outbox.DrainReport(delivered=1)
    [(_sender, recipients, content)] = mailbox.taken
    assert recipients == ["bob@xn--mller-kva.example"]
    assert b"To: bob@xn--mller-kva.example" in content


def test_an_accent_before_the_at_sign_uses_smtputf8_where_it_is_offered(modern_server):
    publish_to("b\u00f6b@m\u00fcller.example")
    assert drain() == outbox.DrainReport(delivered=1)
    [(_sender, recipients, content)] = modern_server.taken
    assert recipients == ["b\u00f6b@xn--mller-kva.example"]
    assert "To: b\u00f6b@xn--mller-kva.example".encode() in content


def test_without_smtputf8_the_operators_read_why_such_a_letter_stays(smtp_server):
    mailbox = smtp_server(Mailbox())
    publish_to("b\u00f6b@acme.example")
    assert drain() == outbox.DrainReport(failed=1)
    assert mailbox.taken == []
    reason = OutboxMessage.get().last_error
    assert "does not offer SMTPUTF8" in reason
    assert "PORTAL_SMTP_URL" in reason
