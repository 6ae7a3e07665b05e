"""The reference that a bank transfer quotes: ISO 11649, made from the number of the invoice."""


def rf_reference(number: str) -> str:
    """`RF` and two check digits before the letters and digits of the number, 21 of them at most.

    INV-2026-000001 → RF94INV2026000001. Raises ValueError for a number of more, or of other letters.
    """
    from stdnum.iso7064 import mod_97_10

    body = "".join(filter(str.isalnum, number)).upper()
    if not (body.isascii() and 0 < len(body) <= 21):
        raise ValueError(f"no creditor reference can be made of {number!r}")
    return f"RF{mod_97_10.calc_check_digits(body + 'RF')}{body}"
