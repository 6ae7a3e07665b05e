"""The code that is printed on a document, so that only whoever holds it can ask about it.

Fifty random bits in the signs of a licence key: none is taken for another. It says nothing by itself.
"""

import re
import secrets
import unicodedata

from .licence_keys import SIGNS

LENGTH = 10
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})
_NO_SIGN = re.compile(r"[^0-9A-Z]+")


def new_code() -> str:
    return "".join(secrets.choice(SIGNS) for _ in range(LENGTH))


def read_code(text: str) -> str:
    """What was typed, as `new_code` writes it: spaces, dashes, small letters and look-alikes are forgiven."""
    return _NO_SIGN.sub("", unicodedata.normalize("NFKC", text).upper()).translate(_READ_AS)


def printed(code: str) -> str:
    """`K7Q2M-9XD3F`."""
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"
