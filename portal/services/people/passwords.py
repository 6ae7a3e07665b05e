"""Passwords: kept as argon2id, and refused where anybody would guess them (trust.md §5.3).

A password is what a reader takes it for, not how a keyboard composes it: `é` is one sign on one machine and
two on another, and digits may be of full width. NFKC makes them one; hashes made before that still open.
"""

import gzip
import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from importlib import resources
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from portal.domain.errors import LimitReached, PortalError

SHORTEST, LONGEST = 12, 128
HASHES_AT_ONCE = 4
WAIT_SECONDS = 2.0
# Of a password that nobody knows, with the parameters of `_hasher`: for people who do not exist.
HASH_OF_NOBODY = (
    "$argon2id$v=19$m=19456,t=2,p=1$xz6G11I5zQrj1J2zv5fNcw$dGkuAsSHQfVCA+N5bKIGT00X4OogEhpDlKA8k+Oxwos"
)

PRODUCT_WORDS = ("portal", "billing")
SHORTEST_WORD = 3
"""A shorter word of a name or an address refuses nothing."""
SHORTEST_COMMON = 4
FREE_LETTERS = 3
"""So many characters beside a common password, whatever they are, do not make it a good one."""
LONGEST_REPEATED_UNIT = 4
ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "0123456789",
)
LOOKALIKES = str.maketrans("@431!0$57", "aaeiiosst")

_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_turns = BoundedSemaphore(HASHES_AT_ONCE)


class Weakness(StrEnum):
    """Keys in their order or repeated; a common password; words known here."""

    PATTERN = "pattern"
    COMMON = "common"
    KNOWN = "known"


class PasswordTooCommon(PortalError):
    """The password is easy to guess for the `reason` named; `words` are those of KNOWN that it has."""

    reason: Weakness
    words: tuple[str, ...]


class PasswordLengthWrong(PortalError):
    """The password has `length` characters, fewer than SHORTEST or more than LONGEST."""

    length: int


# --- hashes ---------------------------------------------------------------------------------------


def hash_password(password: str) -> str:
    """About 20 MB and 30 ms. Raises LimitReached when too many wait for theirs."""
    with _Turn():
        return _hasher.hash(_bytes(normal(password)))


def verify(password_hash: str | None, password: str) -> bool:
    """Whether the password is the one. Without a hash the same work is done, and the answer is no.

    Raises LimitReached when too many wait for theirs.
    """
    # Every form is looked at, so that the time tells nothing of a person.
    found = [_is_of(password_hash, form) for form in _forms(password)]
    return any(found)


def is_outdated(password_hash: str, password: str) -> bool:
    """Whether the hash of this password was made otherwise than today's: other parameters, or as typed."""
    if _hasher.check_needs_rehash(password_hash):
        return True
    return len(_forms(password)) > 1 and not _is_of(password_hash, normal(password))


def normal(password: str) -> str:
    """NFKC, as two keyboards write one password alike."""
    return unicodedata.normalize("NFKC", password)


def _forms(password: str) -> tuple[str, ...]:
    """What its hash may have been made of: what is hashed today, and what was typed."""
    return tuple(dict.fromkeys((normal(password), password)))


def _is_of(password_hash: str | None, form: str) -> bool:
    try:
        with _Turn():
            _hasher.verify(password_hash or HASH_OF_NOBODY, _bytes(form))
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


class _Turn:
    """One of the few hashes that the process makes at once: each takes 20 MB while it lasts."""

    def __enter__(self) -> None:
        if not _turns.acquire(timeout=WAIT_SECONDS):
            raise LimitReached(retry_after_seconds=int(WAIT_SECONDS))

    def __exit__(self, *error: object) -> None:
        _turns.release()


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


# --- rules ----------------------------------------------------------------------------------------


def refuse_weak(password: str, *, words: Iterable[str]) -> None:
    """Raises PasswordLengthWrong or PasswordTooCommon.

    `words` are what an attacker would try for this person: name, e-mail address, workspace.
    """
    password = normal(password)
    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordLengthWrong(length=len(password))
    _refuse_guessable(password, words=words)


def _refuse_guessable(password: str, *, words: Iterable[str]) -> None:
    """Raises PasswordTooCommon where one common password, or words known here, make nearly all of it.

    Digits and signs around them, repetition and letters written as digits do not help: they are
    what everybody adds to a word that was refused.
    """
    typed = password.casefold()
    if _is_row(typed) or _is_repetition(typed):
        raise PasswordTooCommon(reason=Weakness.PATTERN, words=())
    common = _common_passwords()
    known = sorted({*PRODUCT_WORDS, *_parts(words)}, key=lambda word: (-len(word), word))
    for form in (typed, typed.translate(LOOKALIKES)):
        rest, found = form, []
        for word in known:
            if word in rest:
                rest = rest.replace(word, " ")
                found.append(word)
        if _is_little(rest, common=common):
            raise PasswordTooCommon(reason=Weakness.KNOWN if found else Weakness.COMMON, words=tuple(found))


def _is_little(rest: str, *, common: frozenset[str]) -> bool:
    """Whether next to nothing is left, were one common password taken out too."""
    pieces = {
        rest[start:end]
        for start in range(len(rest))
        for end in range(start + SHORTEST_COMMON, len(rest) + 1)
        if rest[start:end] in common
    }
    return any(_letters_left(rest.replace(piece, " ")) <= FREE_LETTERS for piece in (*pieces, "\0"))


def _letters_left(rest: str) -> int:
    """Digits and signs at the ends of words are what everybody adds; a long number of its own is not."""
    return len(re.sub(r"[\W_]|(?<!\d)\d{1,6}(?!\d)", "", rest))


def _is_row(typed: str) -> bool:
    """Keys or letters in their order, either way, however often."""
    return any(typed in row * LONGEST or typed in row[::-1] * LONGEST for row in ROWS)


def _is_repetition(typed: str) -> bool:
    return any(
        typed == (typed[:size] * len(typed))[: len(typed)] for size in range(1, LONGEST_REPEATED_UNIT + 1)
    )


def _parts(words: Iterable[str]) -> set[str]:
    """Each text as it stands, without its blanks, and each word of it."""
    found = set()
    for text in words:
        folded = text.casefold()
        found |= {folded, re.sub(r"[\W_]", "", folded), *re.split(r"[\W_]+", folded)}
    return {word for word in found if len(word) >= SHORTEST_WORD}


def _common_passwords() -> frozenset[str]:
    """Read anew each time, in about 20 ms: a password is seldom chosen, and the list is 5 MB of memory."""
    packed = resources.files("portal").joinpath("data", "common_passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().split())
