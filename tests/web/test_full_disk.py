"""A disk without room: what writes answers 503 in words, what only reads goes on, nothing is half written.

The file system is a real one, of a few megabytes; it takes root to make it.
"""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from portal.models import Document, Invoice, Member, Order, OutboxMessage, Payment, Workspace
from tests.attackers import Attacker, an_order_of, bought
from tests.books import assert_books_clean
from tests.factories import a_workspace, owner_of
from tests.paying import PAID, paid_charges
from tests.visiting import facts

MEGABYTES = 4

pytestmark = [pytest.mark.engine("sqlite"), pytest.mark.faults_expected]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own under `tmp_path`."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"A FULL DISK IS NOT TESTED: no file system can be mounted here ({mounted.stderr!r})")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def database_url(small_disk, sqlite_shop):
    path = small_disk / "portal.sqlite"
    shutil.copy(sqlite_shop, path)
    return f"sqlite:///{path}"


@pytest.fixture
def environment(environment, small_disk):
    """Ledger, queue, mail and database on the small disk."""
    return environment | {
        "PORTAL_DATA_DIR": str(small_disk),
        "PORTAL_QUEUE_URL": f"sqlite:///{small_disk / 'queue.sqlite'}",
    }


class Disk:
    def __init__(self, place: Path) -> None:
        self.filler = place / "filler"

    def fill(self, *, leave: int = 0) -> None:
        """To the last byte, or so many before it."""
        with self.filler.open("ab", buffering=0) as file:
            for size in (65_536, 4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        file.write(b"\0" * size)
            file.truncate(max(0, file.tell() - leave))

    def clear(self) -> None:
        os.truncate(self.filler, 0)


@pytest.fixture
def disk(small_disk):
    return Disk(small_disk)


@pytest.fixture
def owner(app):
    with facts(app):
        browser = Attacker(app, owner_of(a_workspace()))
    assert browser.token
    return browser


def rows():
    """How many rows there are of everything that a failed write could have begun."""
    return [model.select().count() for model in (Order, Payment, Invoice, Document, Member, OutboxMessage)]


def write_until_refused(owner, write):
    """The answer of the first write that finds no room; a little is left in the file at first."""
    for number in range(200):
        answer = write(owner, number)
        if answer.status_code == 503:
            return answer
        assert answer.status_code < 500, answer.text
    raise AssertionError("there was always room")


def order_a_plan(owner, _number):
    return owner.post("/w/acme/plans", {"price": "business-5:month", "currency": "EUR", "confirmed": "y"})


def invite(owner, number):
    return owner.post("/w/acme/members", {"emails": f"guest{number}@acme.test", "role": "member"})


def rename(owner, number):
    return owner.post("/me", {"name": f"{'A long name ' * 14}{number}", "language": "en"})


def ask_for_the_free_plan(owner, number):
    fields = {
        "organisation": "The bank", "country": "FR", "contact_name": "Ada", "email": f"a{number}@bank.test",
        "registration_number": "W1", "purpose": "We look after the banks. " * 60, "website": "",
    }  # fmt: skip
    return owner.post("/nonprofit", fields)


@pytest.mark.parametrize("leave", [0, 40_000, 90_000])
@pytest.mark.parametrize("write", [order_a_plan, invite, rename, ask_for_the_free_plan])
def test_what_cannot_be_written_is_said_and_leaves_nothing_behind(app, owner, disk, write, leave, caplog):
    """With a little room left, an act ends in the middle of what it writes."""
    disk.fill(leave=leave)
    refused = write_until_refused(owner, write)
    assert refused.headers["Retry-After"] == "5"
    assert "Nothing is lost" in refused.text
    [line] = [record for record in caplog.records if record.name == "portal.web.errors"]
    assert line.exc_info is None
    assert line.args[0] in refused.text, "the page gives the reference that the log has"
    with facts(app):
        before = rows()
    assert write(owner, 999).status_code == 503
    with facts(app):
        assert rows() == before
    disk.clear()
    assert write(owner, 1000).status_code < 500
    with facts(app):
        assert_books_clean()


READING = ("/w/acme/plans", "/w/acme/members", "/w/acme/history", "/me", "/me/orders", "/terms", "/readyz")


def test_pages_that_only_read_go_on(owner, disk):
    disk.fill()
    write_until_refused(owner, order_a_plan)
    assert {path: owner.get(path).status_code for path in READING} == dict.fromkeys(READING, 200)


def test_a_document_that_cannot_be_kept_is_made_later(app, owner, disk):
    with facts(app):
        bought(Workspace.get())
        number = Invoice.get().number
    disk.fill()
    write_until_refused(owner, order_a_plan)
    assert owner.get(f"/w/acme/invoices/{number}.pdf").status_code == 503
    with facts(app):
        assert Document.select().count() == 0
    disk.clear()
    # It is being prepared again.
    assert owner.get(f"/w/acme/invoices/{number}.pdf").status_code == 202
    with facts(app):
        assert_books_clean()


def test_nothing_is_charged_that_cannot_be_written_down(app, owner, disk):
    with facts(app):
        order = an_order_of(owner_of(Workspace.get()), Workspace.get())
        charges = paid_charges()
    card = {"number": PAID, "expiry": "12/30", "security_code": "123", "holder": "Jeanne Martin"}
    fields = {"quote": order.quote_hash, **card}
    disk.fill()
    write_until_refused(owner, order_a_plan)
    assert owner.post(f"/w/acme/checkout/{order.number}/review", fields).status_code == 503
    disk.clear()
    with facts(app):
        assert (Payment.select().count(), paid_charges()) == (0, charges)
        assert_books_clean()
