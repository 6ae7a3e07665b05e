"""The reference that a bank transfer quotes: ISO 11649, made from the number of the invoice."""

import re

from stdnum import iso11649

NOT_A_LETTER_OR_DIGIT = re.compile(r"[^0-9A-Z]")


def rf_reference(number: str) -> str:
    """`RF` and two check digits before the letters and digits of the number: 25 characters at most.

    INV-2026-000001 → RF94INV2026000001.
    """
    plain = NOT_A_LETTER_OR_DIGIT.sub("", number.upper())
    reference = f"RF{_check_digits(plain)}{plain}"
    return str(iso11649.validate(reference))


def _check_digits(plain: str) -> str:
    """ISO 7064, MOD 97-10, over the reference with its head at the end."""
    digits = "".join(str(int(character, 36)) for character in f"{plain}RF00")
    return f"{98 - int(digits) % 97:02d}"
