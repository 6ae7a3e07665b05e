"""mock-bank 0.9.0, another's bank: its files are imported twice, in any order, and the books are clean."""

import json
import random
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from portal.domain.creditor_reference import rf_reference
from portal.domain.vocabulary import InvoiceStatus
from portal.models import BankTransfer, Invoice
from portal.services import ledger
from portal.services.payments.bank_statements import StatementKnown
from tests.paying import a_place
from tests.transferring import SELLER_IBAN, an_open_invoice, assert_transfers_clean, bring

pytestmark = pytest.mark.both_engines

LONGEST_SECONDS = 60
ACCOUNT = "SELLER"


class Bank:
    """The one that listens on a port of this machine, with an account of the seller's."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def ask(self, path: str, body: object = None, *, posts: bool = False) -> object:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.address + path,
            data=data if data is not None or not posts else b"",
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=LONGEST_SECONDS) as answer:
            return json.load(answer)

    def credit(self, minor: int, **facts: object) -> None:
        self.ask("/_mock/credits", {"account": ACCOUNT, "amount": minor, **facts})

    def next_day(self) -> None:
        self.ask("/_mock/advance?days=1", posts=True)

    def files(self) -> list[bytes]:
        """Everything that it has told of the account so far, notifications and statements."""
        told = self.ask("/_mock/mailbox?leave&limit=1000")
        return [
            each["body"].encode()
            for each in told
            if each["account"] == ACCOUNT and each["type"].startswith("camt.05")
        ]


@pytest.fixture
def bank(outside):
    program = outside("mock-bank")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--port", str(port), "--clock", "2026-11-25T09:00"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        found = Bank(port)
        give_up_at = time.monotonic() + LONGEST_SECONDS
        while True:
            try:
                found.ask("/_mock/accounts")
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None and time.monotonic() < give_up_at, "mock-bank did not start"
        account = {
            "id": ACCOUNT,
            "name": "Atelier Logiciel",
            "iban": SELLER_IBAN,
            "currency": "EUR",
            "balance": 0,
        }
        found.ask("/_mock/accounts", account)
        yield found
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("chance", [1, 2, 3])
def test_its_files_twice_and_in_any_order_leave_clean_books(place, bank, chance):
    berlin = a_place("Berlin", owner="Bea Berg")
    whole, part, noted, proposed = (an_open_invoice(place) for _ in range(4))
    theirs = an_open_invoice(berlin)
    acme = {"name": "Acme SARL", "iban": "DE89370400440532013000"}
    bank.credit(3360, debtor=acme, reference=rf_reference(whole.number))
    bank.credit(1000, debtor=acme, reference=rf_reference(part.number))
    # Cut at 35 signs, wherever that is.
    note = f"Unsere Zahlung vom heutigen Tag {rf_reference(noted.number)}, vielen Dank und Gruss"
    bank.credit(3360, debtor=acme, note=note, wrap=35)
    bank.next_day()
    bank.credit(5000, debtor={"name": "Bea"}, note=[f"{berlin.workspace.customer_number} {theirs.number}"])
    bank.credit(3360, debtor=acme, note="November")
    bank.credit(77, debtor={"name": "Nobody"})
    for _ in range(4):
        bank.next_day()
    files = bank.files()
    assert len(files) >= 8
    files += files
    random.Random(chance).shuffle(files)
    again = 0
    for content in files:
        try:
            bring(content)
        except StatementKnown:
            again += 1
        assert_transfers_clean()
    assert again == len(files) // 2
    states = sorted(each.state.value for each in BankTransfer.select())
    assert states[:4] == ["matched"] * 4
    assert len(states) == 6
    paid, partly = InvoiceStatus.PAID, InvoiceStatus.PART_PAID
    found = [ledger.status_of(each) for each in (whole, part, noted, theirs)]
    assert found == [paid, partly, paid, paid]
    assert ledger.status_of(proposed) is InvoiceStatus.OPEN
    assert ledger.balance_of(berlin.workspace, "EUR").minor == 1640
    assert Invoice.select().count() == 5
