"""A browser that was told to wait for a gateway: its page leads on, once, when the payer has to confirm."""

from flask import session

FOLLOWED = "followed"


def follow(key: str) -> None:
    """This browser's page follows the payment or the set-up of that key."""
    session[FOLLOWED] = key


def has_followed(key: str) -> bool:
    """Whether this browser has waited for it; true once, so that the way back from the bank is open."""
    if session.get(FOLLOWED) != key:
        return False
    del session[FOLLOWED]
    return True
