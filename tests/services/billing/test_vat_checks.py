"""VAT numbers asked of the official register: a double on the loopback answers, is away or talks nonsense."""

import json
import threading
import time
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from portal.domain.vocabulary import VatStatus
from portal.models import BillingDetails, Invoice, OutboxMessage, VatCheck
from portal.runtime import current, install
from portal.services.billing import vat_checks, vies
from portal.services.billing.vies import NoAnswer
from tests.factories import letters
from tests.paying import a_place, an_order, pay

NUMBER = "BE0428759497"
BELGIAN = {
    "country": "BE",
    "is_business": True,
    "company_name": "Acme SRL",
    "vat_number": NUMBER,
    "vat_status": VatStatus.UNCHECKED,
}


class Register(HTTPServer):
    """Answers each question with `answer`, and remembers them."""

    answer: object = {}
    status = 200
    trickled = b""
    """Before the answer, byte for byte."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Asked)
        self.asked = []
        self.hurry = threading.Event()


class Asked(BaseHTTPRequestHandler):
    server: Register

    def do_POST(self):
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        said = self.server.answer
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.flush_headers()
        for byte in self.server.trickled:
            self.wfile.write(bytes([byte]))
            self.server.hurry.wait(0.02)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing on the console."""


def says(is_valid, **more):
    return {
        "countryCode": NUMBER[:2],
        "vatNumber": NUMBER[2:],
        "valid": is_valid,
        "requestIdentifier": "WAPIAAAAX1",
        **more,
    }


@pytest.fixture
def register(runtime, clock):
    server = Register()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/check-vat-number"
    install(replace(runtime, settings=replace(runtime.settings, vies_url=url)))
    yield server
    install(runtime)
    server.hurry.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def place(register):
    """A Belgian business that has bought once, reverse charge, with a number that nobody has checked."""
    place = a_place()
    pay(an_order(place, **BELGIAN))
    return place


def status():
    return BillingDetails.get().vat_status


def check(place, clock):
    vat_checks.check(place.workspace.id, NUMBER, now=clock.now())


def test_using_a_number_promises_one_question_a_day(place):
    an_order(place, **BELGIAN)
    [promised] = OutboxMessage.select().where(OutboxMessage.topic == vat_checks.TOPIC)
    assert promised.payload == {"workspace_id": place.workspace.id, "vat_number": NUMBER}


def test_the_answer_its_day_and_its_number_are_kept(place, register, clock):
    register.answer = says(True)
    check(place, clock)
    kept = VatCheck.get()
    assert (kept.is_valid, kept.consultation_number, kept.answered_at) == (True, "WAPIAAAAX1", clock.now())
    assert status() is VatStatus.VALID and not letters("vat_number_invalid")
    seller = current().settings.seller.vat_number
    assert register.asked == [
        {
            "countryCode": "BE",
            "vatNumber": NUMBER[2:],
            "requesterMemberStateCode": seller[:2],
            "requesterNumber": seller[2:],
        }
    ]


def test_a_number_that_is_not_registered_is_told_once_and_changes_coming_orders_only(place, register, clock):
    before = Invoice.get().facts
    register.answer = says(False)
    check(place, clock)
    check(place, clock)
    assert status() is VatStatus.INVALID
    [letter] = letters("vat_number_invalid")
    assert letter["context"]["vat_number"] == NUMBER
    assert Invoice.get().facts == before and Invoice.get().tax_minor == 0
    assert an_order(place, **BELGIAN).tax_minor > 0


@pytest.mark.parametrize(
    ("status_code", "answer"),
    [
        (500, says(False)),
        (302, says(False)),
        (200, b"<html>"),
        (200, b"\xff\xfe"),
        (200, b"[" * 60_000),
        (200, b" " * 70_000 + json.dumps(says(False)).encode()),
        (200, []),
        (200, says("false")),
        (200, says(False, vatNumber="0000000000")),
        (200, says(False, errorWrappers=[{"error": "MS_UNAVAILABLE"}])),
        (200, {"actionSucceed": False, "errorWrappers": [{"error": "MS_MAX_CONCURRENT_REQ"}]}),
    ],
)
def test_an_outage_is_unchecked_and_never_invalid(place, register, clock, status_code, answer):
    register.status, register.answer = status_code, answer
    with pytest.raises(NoAnswer):
        check(place, clock)
    assert status() is VatStatus.UNCHECKED and not VatCheck.select().exists()


def test_nobody_there_is_an_outage(place, register, clock):
    install(
        replace(
            current(), settings=replace(current().settings, vies_url="http://127.0.0.1:9/check-vat-number")
        )
    )
    with pytest.raises(NoAnswer):
        check(place, clock)
    assert status() is VatStatus.UNCHECKED


def test_an_answer_that_trickles_in_has_one_deadline(place, register, clock, monkeypatch):
    """Each byte comes in time, and the whole answer would: it is the deadline that it misses."""
    monkeypatch.setattr(vies, "SECONDS", 0.5)
    register.answer, register.trickled = says(False), b"X-Waits: " + b"." * 600 + b"\r\n"
    begun = time.monotonic()
    with pytest.raises(NoAnswer):
        check(place, clock)
    assert time.monotonic() - begun < 6, "the register takes twelve seconds"
    assert status() is VatStatus.UNCHECKED and not VatCheck.select().exists()


def test_an_answer_about_a_number_that_was_replaced_changes_nothing_else(place, register, clock):
    BillingDetails.update(vat_number="BE0403170701").execute()
    register.answer = says(False)
    check(place, clock)
    assert VatCheck.select().count() == 1
    assert status() is VatStatus.UNCHECKED and not letters("vat_number_invalid")


@pytest.mark.parametrize(
    ("number", "is_in"),
    [(NUMBER, True), ("EL094259216", True), ("XI123456789", True), ("GB980780684", False), ("", False)],
)
def test_only_numbers_of_the_register_are_asked(number, is_in):
    assert vat_checks.is_in_register(number) is is_in
