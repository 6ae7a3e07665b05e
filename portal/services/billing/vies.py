"""The register of VAT numbers of the EU (VIES), asked over its REST address (PORTAL_VIES_URL).

Only what it says is believed: an outage, a refusal or nonsense raises, and the number stays unchecked.
"""

import http.client
import json
import socket
import threading
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from portal.runtime import current

LONGEST_ANSWER = 64 * 1024
SECONDS = 8
LONGEST_CONSULTATION_NUMBER = 60
FAULTS = (OSError, http.client.HTTPException, ValueError)


class NoAnswer(Exception):
    """The register is away, or did not say whether the number is registered."""


@dataclass(frozen=True, slots=True)
class Registered:
    """What the register said. `consultation_number` proves that it was asked; "" where it gave none."""

    is_valid: bool
    consultation_number: str


def ask(url: str, number: str) -> Registered:
    """Whether `number`, with its two letters, is registered. Raises NoAnswer after eight seconds at most.

    Redirects are not followed: `url` is the one address that is ever asked. No transaction is open meanwhile.
    """
    seller = current().settings.seller.vat_number
    asked = {
        "countryCode": number[:2],
        "vatNumber": number[2:],
        "requesterMemberStateCode": seller[:2],
        "requesterNumber": seller[2:],
    }
    try:
        answer = json.loads(_post(url, json.dumps(asked).encode()))
    except (*FAULTS, RecursionError) as fault:
        raise NoAnswer(f"the register of VAT numbers gave no answer: {type(fault).__name__}") from fault
    return _read(answer, number)


def _read(answer: object, number: str) -> Registered:
    if not isinstance(answer, dict):
        raise NoAnswer("the register of VAT numbers answered nonsense")
    is_valid = answer.get("valid")
    is_about_it = (answer.get("countryCode"), answer.get("vatNumber")) == (number[:2], number[2:])
    if not isinstance(is_valid, bool) or not is_about_it or answer.get("errorWrappers"):
        raise NoAnswer("the register of VAT numbers did not say whether the number is registered")
    consultation = answer.get("requestIdentifier")
    text = consultation if isinstance(consultation, str) and consultation.isprintable() else ""
    return Registered(is_valid, text[:LONGEST_CONSULTATION_NUMBER])


def _post(url: str, body: bytes) -> bytes:
    """The body of a 200, or OSError, HTTPException, ValueError: within SECONDS.

    In a thread of its own: a time-out of a socket is one for each read, and a name is looked up without any.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(str(parts.hostname), parts.port, timeout=SECONDS)
    answer: Future[bytes] = Future()
    sockets: list[socket.socket] = []

    def exchange() -> None:
        try:
            connection.connect()
            sockets.append(connection.sock)
            answer.set_result(_exchange(connection, parts.path or "/", body))
        except FAULTS as fault:
            answer.set_exception(fault)
        finally:
            connection.close()

    threading.Thread(target=exchange, name="vies", daemon=True).start()
    try:
        return answer.result(timeout=SECONDS)
    finally:
        # Whoever still reads is let go.
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _exchange(connection: http.client.HTTPConnection, path: str, body: bytes) -> bytes:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    connection.request("POST", path, body, headers)
    with connection.getresponse() as response:
        if response.status != http.client.OK:
            raise ValueError(f"status {response.status}")
        text = response.read(LONGEST_ANSWER + 1)
    if len(text) > LONGEST_ANSWER:
        raise ValueError("too long an answer")
    return text
