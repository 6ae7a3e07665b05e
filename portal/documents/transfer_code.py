"""The QR code of a bank transfer: a banking app fills its form in from it.

EPC069-12, version 002, in UTF-8, with the structured reference and no free text: the standard allows one of
the two. For euros alone, as the standard is.
"""

from decimal import Decimal
from io import BytesIO

from portal.domain.money import Money

MOST_MINOR = 99_999_999_999
"""999 999 999.99 euros."""
LONGEST_NAME = 70


def has_transfer_code(amount: Money) -> bool:
    return amount.currency == "EUR" and 0 < amount.minor <= MOST_MINOR


def transfer_code(*, name: str, iban: str, bic: str, amount: Money, reference: str) -> str:
    """The code as an SVG image, black on white with its quiet zone, without a style or a script.

    Raises ValueError where `has_transfer_code` is False.
    """
    if not has_transfer_code(amount):
        raise ValueError(f"no transfer code is made for {amount}")
    from segno.helpers import make_epc_qr

    code = make_epc_qr(
        name=name[:LONGEST_NAME],
        iban=iban,
        bic=bic or None,
        amount=Decimal(amount.minor).scaleb(-2),
        reference=reference,
        encoding="utf-8",
    )
    image = BytesIO()
    code.save(
        image,
        kind="svg",
        xmldecl=False,
        svgns=True,
        light="#fff",
        svgclass=None,
        lineclass=None,
        omitsize=True,
    )
    return image.getvalue().decode().strip()
