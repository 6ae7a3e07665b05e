"""A mail server that others wrote makes the reports: Debian's exim4 takes our letters and sends some back.

Its configuration has to be root's; the spool is its own. Without it, or not as root, the test is skipped.
"""

import dataclasses
import os
import shutil
import socket
import subprocess
import sys
import threading
from email import message_from_bytes
from pathlib import Path

import pytest

from portal import outbox, runtime
from portal.models import Contact
from portal.worker.handlers import HANDLERS
from tests.conftest import EXIM_MISSING
from tests.factories import a_contact
from tests.factories import letters as mailed
from tests.paying import buy

CONFIGURATION = """
spool_directory = {folder}/spool
log_file_path = {folder}/log/%slog
primary_hostname = mx.exim.test
domainlist local_domains = accountant.test
tls_advertise_hosts =
never_users =
exim_user = Debian-exim
exim_group = Debian-exim
acl_smtp_rcpt = accept
acl_smtp_data = accept
begin routers
known:
  driver = accept
  domains = +local_domains
  local_parts = books
  transport = inbox
unknown:
  driver = redirect
  domains = +local_domains
  data = :fail: no such mailbox
  allow_fail
others:
  driver = accept
  transport = inbox
begin transports
inbox:
  driver = appendfile
  directory = {folder}/mail
  maildir_format
  create_directory
  envelope_to_add
  return_path_add
"""

pytestmark = [
    pytest.mark.engine("sqlite"),
    pytest.mark.settings(PORTAL_BOUNCE_ADDRESS="bounces@portal.example"),
]


class Exim:
    """An SMTP server: each connection is a process of exim, which delivers before it ends."""

    def __init__(self, program: str, folder: Path) -> None:
        self.folder, self.program = folder, program
        for name in ("spool", "log", "mail"):
            (folder / name).mkdir()
        subprocess.run(["chown", "-R", "Debian-exim:Debian-exim", str(folder)], check=True)
        self.configuration = folder / "exim.conf"
        self.configuration.write_text(CONFIGURATION.format(folder=folder))
        self.configuration.chmod(0o644)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._answer, daemon=True).start()

    def _answer(self) -> None:
        while True:
            try:
                connection, _address = self.listener.accept()
            except OSError:
                return
            with connection:
                self.run("-odi", "-bs", stdin=connection, stdout=connection)

    def run(self, *words: str, **pipes) -> None:
        command = [self.program, "-C", str(self.configuration), *words]
        subprocess.run(command, check=False, stderr=subprocess.DEVNULL, timeout=60, **pipes)

    def mail_to(self, start: str) -> list[bytes]:
        """What came for addresses that begin so, once everything is delivered."""
        self.run("-qff", stdout=subprocess.DEVNULL)
        taken = [path.read_bytes() for path in sorted(self.folder.glob("mail/new/*"))]
        return [each for each in taken if message_from_bytes(each)["Envelope-to"].startswith(start)]


@pytest.fixture
def exim(tmp_path_factory):
    program = shutil.which("exim4") or shutil.which("/usr/sbin/exim4")
    if program is None or os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail(EXIM_MISSING)
        pytest.skip(EXIM_MISSING)
    folder = Path(tmp_path_factory.mktemp("exim"))
    for each in (folder, *folder.parents[: len(folder.parents) - 2]):
        # It reads and writes as a user of its own.
        each.chmod(each.stat().st_mode | 0o011)
    server = Exim(program, folder)
    yield server
    server.listener.close()


def test_exim_s_report_marks_the_address_and_the_others_go_on(
    place, clock, exim, bare_site, environment, monkeypatch
) -> None:
    a_contact(place.workspace, "books@accountant.test")
    a_contact(place.workspace, "nobody@accountant.test")
    present = runtime.current()
    settings = dataclasses.replace(present.settings, smtp_url=f"smtp://127.0.0.1:{exim.port}")
    runtime.install(dataclasses.replace(present, settings=settings))
    buy(place)
    with bare_site.app_context():
        report = outbox.drain(wall=clock.wall, lease_seconds=60, handlers=HANDLERS)
    assert (report.failed, report.parked) == (0, 0)
    [letter] = exim.mail_to("books@")
    returned_to = message_from_bytes(letter)["Return-path"]
    assert returned_to.startswith("<bounces+") and returned_to.endswith("@portal.example>")
    assert b"INV-2026-000001.pdf" in letter
    [bounce] = exim.mail_to("bounces+")
    # As the mail server hands it over: to the command, by standard input.
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        [sys.executable, "-m", "portal.commands.cli", "bounce"],
        input=bounce,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"The address is marked, and the owners are told.\n"
    marked = Contact.get(Contact.bounced_at.is_null(False))
    assert marked.email == "nobody@accountant.test"
    assert [each["to"] for each in mailed("contact_bounced")] == ["jeanne.martin@acme.example"]
    buy(place, "business-10")
    later = [each["to"] for each in mailed("order_confirmed")]
    assert later.count("nobody@accountant.test") == 1 and later.count("books@accountant.test") == 2
