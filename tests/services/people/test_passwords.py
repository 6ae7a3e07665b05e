"""Passwords that everybody would try are refused; every other of 12 to 128 characters passes."""

import threading

import pytest
from argon2 import PasswordHasher

from portal.domain.errors import LimitReached
from portal.services.people import passwords
from portal.services.people.passwords import PasswordLengthWrong, PasswordTooCommon, Weakness

pytestmark = pytest.mark.usefixtures("real_passwords")

WORDS = ("Jeanne Martin", "jeanne.martin@acme-design.example", "Acme Design SARL")


@pytest.mark.parametrize(
    "password",
    [
        "1qaz2wsx3edc",  # In the list as it stands.
        "passwordpassword",  # One of the list, repeated.
        "Password123456",  # One of the list with digits after it.
        "monkey2026!!!!",
        "P@ssw0rd2026!",  # Letters written as digits and signs.
        "123456789012",
        "aaaaaaaaaaaa",
        "abababababab",
        "qwertyuiopas",  # A row of keys.
        "zyxwvutsrqpo",
        "acmedesign2026",  # The workspace.
        "jeannemartin1!",  # The name.
        "portal-billing-1",  # The product.
        "jeanne.martin.portal",
    ],
)
def test_a_password_that_anybody_would_try_is_refused(password):
    with pytest.raises(PasswordTooCommon):
        passwords.refuse_weak(password, words=WORDS)


@pytest.mark.parametrize(
    ("password", "reason", "words"),
    [
        ("qwertyuiopas", Weakness.PATTERN, ()),
        ("abababababab", Weakness.PATTERN, ()),
        ("monkey2026!!!!", Weakness.COMMON, ()),
        ("walk-two-portal-2026", Weakness.KNOWN, ("portal",)),  # "walk" is a common password.
        ("jeanne.martin.portal", Weakness.KNOWN, ("jeanne", "martin", "portal")),
    ],
)
def test_the_refusal_names_the_reason_that_fits(password, reason, words):
    with pytest.raises(PasswordTooCommon) as refusal:
        passwords.refuse_weak(password, words=WORDS)
    assert (refusal.value.reason, refusal.value.words) == (reason, words)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "monkey dragon river",
        "kfjdhsgqwpzm",
        "837462910573",
        "été à la plage",
        "            x-blanks count",
        "ツ" * 3 + "kfjdhsgqw",
        "long " * 3 + "x" * 113,
    ],
)
def test_any_characters_and_any_composition_pass(password):
    passwords.refuse_weak(password, words=WORDS)


@pytest.mark.parametrize(
    ("length", "passes"), [(11, False), (12, True), (64, True), (128, True), (129, False)]
)
def test_the_length_is_12_to_128_characters(length, passes):
    password = ("kfjdhsgqwpzmvnbxtrc" * 10)[:length]
    if passes:
        passwords.refuse_weak(password, words=WORDS)
    else:
        with pytest.raises(PasswordLengthWrong):
            passwords.refuse_weak(password, words=WORDS)


def test_the_list_has_ten_thousand_passwords_and_more():
    assert len(passwords._common_passwords()) >= 10_000


def test_a_short_word_of_a_name_refuses_nothing():
    passwords.refuse_weak("al-kfjdhsgqwpz", words=("Al", "al@a.example", "Al"))


def test_a_hash_is_argon2id_with_the_parameters_of_owasp():
    assert passwords.hash_password("x" * 12).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.HASH_OF_NOBODY.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_only_the_right_password_is_verified():
    kept = passwords.hash_password("garden-cello-42-moss")
    assert passwords.verify(kept, "garden-cello-42-moss")
    assert not passwords.verify(kept, "garden-cello-42-moss ")
    assert not passwords.verify(None, "garden-cello-42-moss")
    assert not passwords.verify("not a hash", "garden-cello-42-moss")


def test_an_older_hash_is_outdated():
    older = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("x")
    assert passwords.is_outdated(older, "x")
    assert not passwords.is_outdated(passwords.hash_password("x"), "x")


KEYBOARDS = {
    "accents": ("caf\u00e9-moss-cello-42", "cafe\u0301-moss-cello-42"),
    "full width": ("moss-cello-42-caf\u00e9", "\uff4doss-cello-\uff14\uff12-caf\u00e9"),
    "ligature": ("fine-moss-cello-42", "\ufb01ne-moss-cello-42"),
}


@pytest.mark.parametrize("case", KEYBOARDS)
def test_two_keyboards_type_one_password(case):
    """trust.md §5.3: compared after NFKC."""
    one, other = KEYBOARDS[case]
    assert one != other
    for typed_first, typed_later in ((one, other), (other, one)):
        kept = passwords.hash_password(typed_first)
        assert passwords.verify(kept, typed_later)
        assert not passwords.is_outdated(kept, typed_later)
        assert not passwords.verify(kept, typed_later + "x")


def test_a_hash_of_what_was_typed_still_opens_and_is_outdated():
    """As they were made before passwords were composed."""
    typed = "cafe\u0301-moss-cello-42"
    old = passwords._hasher.hash(typed.encode())
    assert passwords.verify(old, typed)
    assert passwords.is_outdated(old, typed)
    assert not passwords.verify(old, "caf\u00e9-moss-cello-43")


def test_the_length_of_a_password_is_that_of_its_composed_form():
    with pytest.raises(passwords.PasswordLengthWrong):
        # Six signs, each typed as a letter and an accent.
        passwords.refuse_weak("e\u0301" * 3 + "o\u0302a\u0300u\u0308", words=())


def test_a_fifth_hash_at_once_is_refused_when_none_ends(monkeypatch):
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.01)
    monkeypatch.setattr(passwords, "_turns", threading.BoundedSemaphore(passwords.HASHES_AT_ONCE))
    for _ in range(passwords.HASHES_AT_ONCE):
        passwords._turns.acquire()
    with pytest.raises(LimitReached):
        passwords.hash_password("x")
