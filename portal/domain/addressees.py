"""People as they are pasted: from a mail program, a spreadsheet's column or two, a list typed by hand."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .folding import fold

HEADINGS = frozenset(
    fold(words)
    for words in (
        "E-mail", "Email", "Mail", "E-mails", "Emails", "E-mail address", "Email address", "E-mail addresses",
        "Email addresses", "Address", "Addresses", "Name", "Names", "Full name", "First name", "Last name",
        "Surname", "Adresse", "Adresses", "Adresse e-mail", "Adresses e-mail", "Adresse email",
        "Adresse mail", "Adresse électronique", "Courriel", "Courriels", "Mél", "Nom", "Noms", "Prénom",
        "Nom complet",
    )
)  # fmt: skip
"""What stands over a column, folded."""
QUOTED = re.compile(r'"(?:[^"\n]|"")*"')
MAILTO = "mailto:"
AROUND = " \t\u00a0\"'\u2018\u2019\u201c\u201d\u00ab\u00bb\u200b\u2060"
"""Blanks and quotes around a name or an address."""
STANDS_FOR = {sign: chr(0xE000 + number) for number, sign in enumerate(",;\t <>@")}
"""Inside quotes a sign separates nothing: it is kept apart until the text is cut."""
BACK = str.maketrans({stand_in: sign for sign, stand_in in STANDS_FOR.items()})


@dataclass(frozen=True, slots=True)
class Addressee:
    """`email` as it was typed, right or wrong; `name` is empty where none stood with it."""

    email: str
    name: str = ""


def read_addressees(text: str) -> list[Addressee]:
    """Everybody named, in that order; a piece that is no address at all comes as an `email` to be refused.

    Between people: line ends, tabs, semicolons, commas, blanks. With an address: `Ada <ada@x.example>`, a
    name in quotes with commas in it, a name without quotes where semicolons separate, or the other cells of
    its row. A heading over columns is nobody. Takes time that grows as the text.
    """
    found: list[Addressee] = []
    separator = "\t"
    for number, line in enumerate(QUOTED.sub(_set_apart, text.replace("\ufeff", "")).splitlines()):
        if number == 0 and _is_heading(line):
            separator = next((sign for sign in "\t;," if sign in line.strip()), separator)
        elif separator in line.strip():
            found += _of_row(line.split(separator))
        else:
            found += _of_line(line)
    return found


def _set_apart(quoted: re.Match[str]) -> str:
    """An address in quotes is a cell; anything else in quotes is a name, whatever signs it has."""
    inside = quoted[0][1:-1].replace('""', '"').strip()
    if "@" in inside and not any(sign in inside for sign in " \t,;<>"):
        return f" {inside} "
    if _is_named(inside):
        # A spreadsheet puts quotes around a whole cell that has a comma in it.
        return inside.replace(",", STANDS_FOR[","])
    return "".join(STANDS_FOR.get(sign, sign) for sign in inside)


def _is_heading(line: str) -> bool:
    cells = [cell for cell in re.split(r"[\t,;]", line) if cell.strip()]
    return bool(cells) and all(fold(_plain(cell)) in HEADINGS for cell in cells)


def _is_named(part: str) -> bool:
    """`Ada <ada@x.example>` and nothing else."""
    return part.endswith(">") and part.count("<") == part.count(">") == 1


def _of_row(cells: Iterable[str]) -> Iterator[Addressee]:
    """Several cells: with one address among them, the others are the name."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    with_address = [cell for cell in filled if "@" in cell]
    if len(with_address) != 1:
        for cell in filled:
            yield from _of_line(cell)
        return
    others = " ".join(_plain(cell) for cell in filled if "@" not in cell)
    for each in _of_line(with_address[0]):
        yield Addressee(each.email, each.name or others)


def _of_line(line: str) -> Iterator[Addressee]:
    for part in line.split(";"):
        if ";" in line and _is_named(part.strip()):
            yield from _of_piece(part)
        else:
            for piece in part.split(","):
                yield from _of_piece(piece)


def _of_piece(piece: str) -> Iterator[Addressee]:
    """A person with a name before each bracket, or addresses with blanks between them."""
    *closed, rest = piece.split(">")
    if not any("@" in part.rpartition("<")[2] for part in closed):
        yield from _of_words(piece)
        return
    for part in closed:
        before, bracket, inside = part.rpartition("<")
        if not bracket or "@" not in inside:
            yield from _of_words(f"{part}>")
            continue
        email = _address(inside)
        words = before.split()
        # Mail programs put the address in the name's place where they know no name.
        yield from (
            each for each in _of_words(" ".join(word for word in words if "@" in word)) if each.email != email
        )
        yield Addressee(email, _plain(" ".join(word for word in words if "@" not in word)))
    yield from _of_words(rest)


def _of_words(text: str) -> Iterator[Addressee]:
    for word in text.split():
        if email := _address(word):
            yield Addressee(email)


def _address(text: str) -> str:
    plain = _plain(text)
    return plain[len(MAILTO) :] if plain.lower().startswith(MAILTO) else plain


def _plain(text: str) -> str:
    return text.translate(BACK).strip(AROUND)
