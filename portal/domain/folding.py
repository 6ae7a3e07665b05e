"""Text as a search sees it: without capitals, accents and whatever else of writing readers skip."""

import unicodedata

# What no decomposition takes apart, and readers of the languages type with plain letters.
PLAIN_LETTERS = str.maketrans(
    {
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ł": "l",
        "ħ": "h",
        "ı": "i",
        "ŋ": "n",
        "ŧ": "t",
        "\u02bc": "'",
        "’": "'",
        "‘": "'",
        "‐": "-",
        "‑": "-",
        "–": "-",
    }
)


def fold(text: str) -> str:
    """`text` in lower case without marks, ligatures and widths: `ÉCOLE ﬁn Ｌｔｄ` is `ecole fin ltd`.

    Two texts that a reader would call the same word fold to the same; folding again changes nothing. Runs of
    blanks are one space.
    """
    if text.isascii():
        return " ".join(text.lower().split())
    parts = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    plain = "".join(sign for sign in parts if unicodedata.category(sign) not in ("Mn", "Me", "Cf"))
    return " ".join(plain.translate(PLAIN_LETTERS).split())
