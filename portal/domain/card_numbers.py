"""Card numbers in a text that is none of a card's business: found, so that they are neither kept nor shown.

A card number has 13 to 19 digits, begins as the schemes publish it, and ends in a check digit (ISO/IEC
7812-1). Other long numbers that people write have that form only by chance, and some never: an IBAN, a
SIRET, a number with a plus sign before it are left alone.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

SHORTEST, LONGEST = 13, 19

# Blanks of all widths, dashes, dots, underscores, slashes and marks that nobody sees, three together at most.
_BETWEEN = r"[\s.\-_/·•\u00ad\u200b-\u200f\u2010-\u2015\u2060\u2212\ufeff\uff0d\uff0e]{0,3}"
_RUN = re.compile(rf"\d(?:{_BETWEEN}\d)+")
_GROUP = re.compile(r"\d+")
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ \u00a0\u202f-]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_HEXADECIMAL = re.compile(r"(?<![0-9A-Za-z])(?=[0-9a-f]*[a-f])[0-9a-f]{24,}(?![0-9A-Za-z])")
DIGITS_OF_A_SIREN, DIGITS_OF_A_SIRET = 9, 14
GROUPS_OF_FOURTEEN = {(14,), (4, 6, 4), (4, 4, 4, 2)}
SHORTEST_IBAN = 15
LONGEST_SEARCHED_FOR_OTHERS = 10_000
"""A text longer than any field holds is refused anyway."""
SMALLEST_GROUP = 3
"""Of a number within a longer row of digits: printed cards have four, five and six together."""


@dataclass(frozen=True, slots=True)
class _Digits:
    """Digits that stand together, and where."""

    text: str
    start: int
    end: int


def holds_card_number(text: str) -> bool:
    return next(_found(text), None) is not None


def without_card_numbers(text: str) -> str:
    """The text with each card number taken out; the same text where it has none."""
    parts, kept_until = [], 0
    for start, end in _found(text):
        parts.append(text[kept_until:start])
        kept_until = end
    return "".join([*parts, text[kept_until:]])


def _found(text: str) -> Iterator[tuple[int, int]]:
    """Beginning and end of each, from left to right, none over another."""
    others = list(_other_numbers(text)) if len(text) <= LONGEST_SEARCHED_FOR_OTHERS else []
    for run in _RUN.finditer(text):
        has_plus = text[max(0, run.start() - 3) : run.start()].rstrip(" (")[-1:] == "+"
        if has_plus or any(start <= run.start() and run.end() <= end for start, end in others):
            continue
        yield from _in_groups(
            [
                _Digits(_ascii(group.group()), run.start() + group.start(), run.start() + group.end())
                for group in _GROUP.finditer(run.group())
            ]
        )


def _in_groups(groups: list[_Digits]) -> Iterator[tuple[int, int]]:
    """The row as a whole, in whatever groups; or each part of it that is grouped as cards are."""
    texts = [group.text for group in groups]
    if len(texts) <= LONGEST and _is_card_number(texts):
        yield groups[0].start, groups[-1].end
        return
    first = 0
    while first < len(groups):
        last = _longest_from(texts, first)
        if last is None:
            first += 1
        else:
            yield groups[first].start, groups[last].end
            first = last + 1


def _longest_from(texts: list[str], first: int) -> int | None:
    """The last group of the longest number that begins with the group `first`."""
    found, digits = None, 0
    for last in range(first, len(texts)):
        digits += len(texts[last])
        if len(texts[last]) < SMALLEST_GROUP or digits > LONGEST:
            break
        if _is_card_number(texts[first : last + 1]):
            found = last
    return found


def _other_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Where long numbers stand that are something else by their own check digits, or a hash."""
    for match in _HEXADECIMAL.finditer(text):
        yield match.span()
    for match in _IBAN.finditer(text):
        words = match.group()
        # What follows an IBAN may look like more of it.
        while words and not _is_iban(words):
            words = re.sub(r"[ \u00a0\u202f-]?[A-Za-z0-9]+$", "", words)
        if words:
            yield match.start(), match.start() + len(words)


def _is_iban(text: str) -> bool:
    """By its own check digits (ISO 13616): 97 leaves 1."""
    plain = "".join(sign for sign in text.upper() if sign.isalnum())
    if len(plain) < SHORTEST_IBAN or not plain.isascii():
        return False
    moved = plain[4:] + plain[:4]
    return int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1


def _is_card_number(groups: list[str]) -> bool:
    digits = "".join(groups)
    if not SHORTEST <= len(digits) <= LONGEST or not check_digit_holds(digits):
        return False
    if len(digits) == DIGITS_OF_A_SIRET:
        # Numbers of companies have as many digits, in other groups; the first nine of a SIRET are a SIREN,
        # which has a check digit of the same kind.
        is_grouped = tuple(len(group) for group in groups) in GROUPS_OF_FOURTEEN
        if not is_grouped or check_digit_holds(digits[:DIGITS_OF_A_SIREN]):
            return False
    return _is_of_a_scheme(digits)


def _is_of_a_scheme(digits: str) -> bool:
    """Whether some scheme's numbers begin so and are as long, also of those that are not accepted here."""
    length, head2, head3, head4 = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    if digits[0] == "4":
        return length in (13, 16, 19)
    if 51 <= head2 <= 55 or 2221 <= head4 <= 2720 or 2200 <= head4 <= 2204:
        return length == 16
    if head2 in (34, 37):
        return length == 15
    if head2 in (36, 38, 39) or 300 <= head3 <= 305:
        return length in (14, 16, 19)
    if 3528 <= head4 <= 3589:
        return length >= 16
    # Maestro, Discover, UnionPay, RuPay.
    return (head2 in (50, 62, 81) or 56 <= head2 <= 69) and length >= 16


def check_digit_holds(digits: str) -> bool:
    """Whether the last of these ASCII digits is the check digit of those before (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, character in enumerate(reversed(digits)):
        digit = int(character)
        if place % 2:
            digit = digit * 2 - 9 if digit > 4 else digit * 2
        total += digit
    return total % 10 == 0


def _ascii(digits: str) -> str:
    """Digits of any script in ours."""
    return "".join(str(unicodedata.digit(sign)) for sign in digits)
