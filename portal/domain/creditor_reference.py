"""RF creditor references (ISO 11649): the invoice's number with check digits; and finding either in a text.

Payers retype what stands on an invoice, and banks print it in lines of 35 signs that end wherever they end.
So a text is looked through without blanks, dashes and small letters; the check digits say whether what was
found is a reference.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST_NUMBER = 21
"""Characters that a reference holds beside `RF` and its check digits."""
MOST_DIGITS_LOST = 3
"""Of a reference that the bank has cut off: with more of them gone, too many invoices could be meant."""
NOT_PLAIN = re.compile(r"[^A-Z0-9]+")
REFERENCE = re.compile(r"RF([0-9]{2})(INV[0-9]{4})([0-9]*)")
INVOICE = re.compile(r"(INV[0-9]{4})([0-9]{6,})")
CUSTOMER = re.compile(r"C([0-9]{6,})")
SEQUENCE_DIGITS = 6
LONGEST_SEQUENCE = 9


@dataclass(frozen=True, slots=True)
class CutReference:
    """A reference without its end, and the numbers of invoices that it can have been, by its check digits."""

    numbers: tuple[str, ...]


def rf_reference(number: str) -> str:
    """`RF94INV2026000001` for the invoice `INV-2026-000001`. Raises ValueError if too long."""
    body = compact(number)
    if not body or len(body) > LONGEST_NUMBER:
        raise ValueError(f"no creditor reference holds {number!r}")
    return f"RF{_check_digits(body)}{body}"


def compact(text: str) -> str:
    """Capitals and digits alone, whatever stands between them."""
    return NOT_PLAIN.sub("", text.upper())


def referenced_numbers(plain: str) -> Iterator[str]:
    """The invoice numbers of every whole reference in a text that `compact` has made plain, as they stand."""
    for found in REFERENCE.finditer(plain):
        digits, body, sequence = found.groups()
        for number in _sequences(body, sequence):
            if _check_digits(compact(number)) == digits:
                yield number


def cut_references(plain: str) -> Iterator[CutReference]:
    """The references that lack one to three signs at their end, with what their check digits still allow."""
    for found in REFERENCE.finditer(plain):
        digits, body, sequence = found.groups()
        lost = SEQUENCE_DIGITS - len(sequence)
        if 0 < lost <= MOST_DIGITS_LOST:
            endings = (sequence + str(end).rjust(lost, "0") for end in range(10**lost))
            numbers = (_number(body, ending) for ending in endings)
            yield CutReference(tuple(each for each in numbers if _check_digits(compact(each)) == digits))


def invoice_numbers(plain: str) -> Iterator[str]:
    """What may be the number of an invoice; where digits follow that are none of it, each length is tried."""
    for found in INVOICE.finditer(plain):
        yield from _sequences(*found.groups())


def customer_numbers(plain: str) -> Iterator[str]:
    """As `invoice_numbers`, of customers: `C-000042`."""
    for found in CUSTOMER.finditer(plain):
        yield from (f"C-{digits}" for digits in _lengths(found[1]))


def _sequences(body: str, digits: str) -> Iterator[str]:
    return (_number(body, sequence) for sequence in _lengths(digits))


def _lengths(digits: str) -> Iterator[str]:
    """A number has six digits, and more only once six are too few: then it begins with no zero."""
    longest = SEQUENCE_DIGITS if digits.startswith("0") else LONGEST_SEQUENCE
    return (digits[:length] for length in range(SEQUENCE_DIGITS, min(longest, len(digits)) + 1))


def _number(body: str, sequence: str) -> str:
    """`INV2026` and `000001` as documents print them."""
    return f"{body[:-4]}-{body[-4:]}-{sequence}"


def _check_digits(body: str) -> str:
    from stdnum.iso7064 import mod_97_10

    return str(mod_97_10.calc_check_digits(f"{body}RF"))
