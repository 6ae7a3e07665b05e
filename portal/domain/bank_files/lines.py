"""A statement as it was read, line by line, and how a line is known again when another file tells it too."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from portal.domain.creditor_reference import compact
from portal.domain.errors import PortalError
from portal.domain.money import Money, exponent
from portal.domain.vocabulary import BankFileKind

LARGEST_BYTES = 16 * 1024 * 1024
MOST_LINES = 20_000
LONGEST_TEXT = 140
MOST_TEXTS = 20
LONGEST_NAME = 140
LONGEST_CODE = 70
MEANINGLESS = frozenset({"", "NOTPROVIDED", "NONREF", "NOREF", "NOTAVAILABLE", "0"})
MOST_WHOLE_DIGITS = 13


class Fault(StrEnum):
    """Why a file is refused; words/bank_files.py has the sentences."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    TOO_MANY_LINES = "too_many_lines"
    ENCODING = "encoding"
    DOCTYPE = "doctype"
    BROKEN = "broken"
    TOO_DEEP = "too_deep"
    NO_STATEMENT = "no_statement"
    INTRADAY = "intraday"
    OTHER_ACCOUNT = "other_account"
    NO_ACCOUNT = "no_account"
    AMOUNT = "amount"
    DATE = "date"
    DIRECTION = "direction"
    TOTALS = "totals"
    COUNT = "count"
    NO_ROWS = "no_rows"
    CELL_MISSING = "cell_missing"
    CURRENCY = "currency"


class BankFileRefused(PortalError):
    """A file of which nothing is taken. `place` is where (a line, a row, an entry), empty for all of it;
    `found` and `expected` are what the sentence quotes, empty where it quotes nothing.
    """

    fault: Fault
    place: str
    found: str
    expected: str


def refuse(fault: Fault, *, place: object = "", found: str = "", expected: str = "") -> BankFileRefused:
    """To be raised. What is quoted is cut: a file may hold anything."""
    return BankFileRefused(
        fault=fault,
        place=str(place),
        found=clean(found, longest=60),
        expected=clean(expected, longest=60),
    )


@dataclass(frozen=True, slots=True)
class BankLine:
    """One amount that came or went. `amount` is 0 or more; the texts are cleaned and cut.

    `part` counts the transfers of one entry of the statement from 1, and is 0 where it is but one.
    `is_batch` several transfers of which the bank told the sum alone. `goes_back` the bank says that it takes
    an earlier one back.
    """

    amount: Money
    is_debit: bool
    booked_on: date
    bank_reference: str = ""
    part: int = 0
    payer_name: str = ""
    payer_iban: str = ""
    end_to_end_id: str = ""
    reference: str = ""
    texts: tuple[str, ...] = ()
    is_batch: bool = False
    goes_back: bool = False

    @property
    def has_reference(self) -> bool:
        """Whether the bank calls it by a name of its own, the same in every file."""
        return is_meaningful(self.bank_reference)


@dataclass(frozen=True, slots=True)
class ReadStatement:
    """The booked lines of one account, in the order of the file; `not_booked` were left out.

    `opening` and `closing` are signed, None where the bank told none. `number` is the bank's own.
    """

    kind: BankFileKind
    account: str
    number: str
    lines: tuple[BankLine, ...]
    not_booked: int = 0
    opening: Money | None = None
    closing: Money | None = None


@dataclass(frozen=True, slots=True)
class KeyedLine:
    """A line under the `key` of its entry: the same in whichever file, as far as the bank lets us know.

    It is the `fact` that the bank tells, and how often it has told it.
    """

    key: str
    line: BankLine

    @property
    def fact(self) -> str:
        return self.key.rpartition("-")[0]

    @staticmethod
    def occurrence_of(key: str) -> int:
        return int(key.rpartition("-")[2])


def keyed(lines: Sequence[BankLine]) -> Iterator[KeyedLine]:
    """By the bank's reference, else by all that is told of the entry.

    What a statement lists twice are two: the second has another key, and so it has in the next file.
    """
    seen: Counter[str] = Counter()
    for entry in _entries(lines):
        key = _fingerprint(entry)
        seen[key] += 1
        for line in entry:
            yield KeyedLine(numbered(key, seen[key]), line)


def numbered(key: str, occurrence: int) -> str:
    return f"{key}-{occurrence}"


def _entries(lines: Sequence[BankLine]) -> Iterator[list[BankLine]]:
    """The lines of one entry of the statement stand together, its parts counted from 1."""
    entry: list[BankLine] = []
    for line in lines:
        if entry and line.part <= 1:
            yield entry
            entry = []
        entry.append(line)
    if entry:
        yield entry


def _fingerprint(entry: Sequence[BankLine]) -> str:
    first = entry[0]
    whole = sum(line.amount.minor for line in entry)
    facts: list[str] = [str(whole), first.amount.currency, str(first.is_debit), str(first.goes_back)]
    if first.has_reference:
        facts += ["reference", first.bank_reference]
    else:
        facts.append(first.booked_on.isoformat())
        for line in entry:
            texts = compact("".join(line.texts))
            facts += [line.payer_iban, line.end_to_end_id, compact(line.reference), texts]
    return hashlib.sha256("\x1f".join(facts).encode()).hexdigest()[:40]


def is_meaningful(code: str) -> bool:
    return compact(code) not in MEANINGLESS


def clean(text: str, *, longest: int) -> str:
    """One line, composed, without signs that cannot be printed or turn the line around; cut if too long."""
    kept = text[: 4 * longest]
    if not kept.isprintable():
        kept = "".join(" " if unicodedata.category(sign)[0] == "C" else sign for sign in kept)
    return unicodedata.normalize("NFC", " ".join(kept.split()))[:longest].strip()


def cleaned(line: BankLine, texts: Iterable[str]) -> BankLine:
    """The line with its texts, all of them fit to be kept."""
    return replace(
        line,
        bank_reference=clean(line.bank_reference, longest=LONGEST_CODE),
        payer_name=clean(line.payer_name, longest=LONGEST_NAME),
        payer_iban=compact(line.payer_iban)[:34],
        end_to_end_id=clean(line.end_to_end_id, longest=LONGEST_CODE),
        reference=clean(line.reference, longest=LONGEST_CODE),
        texts=tuple(filter(None, (clean(text, longest=LONGEST_TEXT) for text in texts)))[:MOST_TEXTS],
    )


def money_of(digits: str, currency: str) -> Money | None:
    """A plain decimal, `33.60`, `33`, `33.6000`; None for all else, or for more digits than there are.

    Zeros after those that the currency has say nothing.
    """
    whole, point, after = digits.removeprefix("+").partition(".")
    places = exponent(currency)
    after_digits = after.rstrip("0") if len(after) > places else after
    is_number = bool(whole) and all(part.isascii() and part.isdigit() for part in (whole, after or "0"))
    if not is_number or (point and not after) or len(after_digits) > places:
        return None
    if len(whole.lstrip("0")) > MOST_WHOLE_DIGITS:
        return None
    return Money(int(whole + after_digits.ljust(places, "0")), currency)


def currency_of(text: str) -> str | None:
    """An ISO 4217 code by its shape; None for what is none."""
    return text if len(text) == 3 and text.isascii() and text.isalpha() and text.isupper() else None
