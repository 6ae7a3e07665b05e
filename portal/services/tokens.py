"""The secret in an address that opens something: 256 random bits, kept as a hash only (trust.md §5.3)."""

import hashlib
import secrets


def new_token() -> str:
    """As it stands in the address."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    """Of what somebody brings, which may be anything."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
