"""The address that mail comes back to: one for each letter, signed, so that it tells which letter came back.

`bounces+1234-<20 letters>@example.com`: the letter's place in the outbox, and a signature over it that nobody
makes without the secret key. Letters only, and small ones, since mail servers may change their case.
"""

import hashlib
import hmac
import re
from base64 import b32encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from portal.settings import Settings

SIGNATURE_LENGTH = 20
"""Letters of five bits."""


@dataclass(frozen=True, slots=True)
class ReturnAddress:
    """What stands in one: `message_id` of the outbox, and the signature, genuine or not."""

    message_id: int
    signature: str

    def is_of(self, key: str, *, settings: Settings) -> bool:
        """Whether the letter that the outbox calls `key` was sent with it, whichever our key was then."""
        secrets = (settings.secret_key, *settings.secret_key_fallbacks)
        return any(
            hmac.compare_digest(self.signature, _signature(self.message_id, key, secret=secret))
            for secret in secrets
        )


def return_address(message_id: int, key: str, *, settings: Settings) -> str:
    """Of the letter that the outbox calls `key`; empty where the installation has no address for it."""
    if settings.bounce_address is None:
        return ""
    local, _at, domain = settings.bounce_address.rpartition("@")
    return f"{local}+{message_id}-{_signature(message_id, key, secret=settings.secret_key)}@{domain}"


def find_return_addresses(texts: Iterable[str], *, settings: Settings) -> Iterator[ReturnAddress]:
    """Every address in `texts` that looks like one of ours, in their order."""
    local, _at, domain = (settings.bounce_address or "").rpartition("@")
    if not local:
        return
    ours = re.compile(
        rf"(?<![\w.+-]){re.escape(local)}\+([0-9]{{1,15}})-([a-z2-7]{{{SIGNATURE_LENGTH}}})@{re.escape(domain)}(?![\w.-])",
        re.IGNORECASE | re.ASCII,
    )
    for text in texts:
        for found in ours.finditer(text):
            yield ReturnAddress(message_id=int(found[1]), signature=found[2].lower())


def _signature(message_id: int, key: str, *, secret: str) -> str:
    own_key = hashlib.sha256(b"return address" + secret.encode()).digest()
    signed = hmac.new(own_key, f"{message_id} {key}".encode("utf-8", "surrogatepass"), hashlib.sha256)
    return b32encode(signed.digest()).decode().lower()[:SIGNATURE_LENGTH]
