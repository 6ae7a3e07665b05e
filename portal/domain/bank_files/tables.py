"""CSV from a bank: every bank has its own, so somebody says once which column is what.

Columns are counted from 1 and named by their header where there is one. A cell is text and stays text: what
begins like a formula is refused where an amount or a date should stand, and kept as it is in a text.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from portal.domain.creditor_reference import compact
from portal.domain.folding import fold
from portal.domain.money import Money
from portal.domain.vocabulary import BankFileKind

from .lines import MOST_LINES, BankLine, Fault, ReadStatement, cleaned, currency_of, money_of, refuse

SEPARATORS = (";", ",", "\t", "|")
DATE_FORMATS = {
    "dd/mm/yyyy": "%d/%m/%Y",
    "dd.mm.yyyy": "%d.%m.%Y",
    "dd-mm-yyyy": "%d-%m-%Y",
    "yyyy-mm-dd": "%Y-%m-%d",
    "yyyymmdd": "%Y%m%d",
    "mm/dd/yyyy": "%m/%d/%Y",
    "dd/mm/yy": "%d/%m/%y",
    "dd.mm.yy": "%d.%m.%y",
}
MOST_COLUMNS = 60
ROWS_LOOKED_AT = 20
LONGEST_LOOKED_AT = 4000
GROUPED = re.compile(r"[0-9]{1,3}(?:G[0-9]{3})+|[0-9]+")
MINUSES = "-−–"
HEADERS = {
    "date": ("date", "buchungstag", "booking", "dateop"),
    "amount": ("montant", "amount", "betrag", "credit"),
    "debit": ("debit",),
    "currency": ("devise", "currency", "wahrung"),
    "bank_reference": ("bank reference", "reference banque", "reference de l'operation", "transaction id"),
    "payer_name": ("nom", "name", "payer", "emetteur", "donneur", "auftraggeber", "beguenstigter"),
    "payer_iban": ("iban",),
    "text": ("libelle", "motif", "communication", "description", "details", "verwendungszweck", "reference"),
}
"""Words that the headers of banks hold, folded: a first proposal, which somebody looks at."""


@dataclass(frozen=True, slots=True)
class CsvMapping:
    """Which column is what; 0 for none in the file. `amount` holds what came where `debit` holds what went.

    `is_reversed`: what came is negative. `currency` counts where no column tells it.
    """

    separator: str
    has_header: bool
    date_format: str
    decimal: str
    date: int
    amount: int
    debit: int = 0
    is_reversed: bool = False
    currency: str = "EUR"
    currency_column: int = 0
    account: int = 0
    bank_reference: int = 0
    payer_name: int = 0
    payer_iban: int = 0
    reference: int = 0
    texts: tuple[int, ...] = ()


def rows_of(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the number of its line. Raises BankFileRefused."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for count, row in enumerate(reader):
            if count > MOST_LINES:
                raise refuse(Fault.TOO_MANY_LINES, expected=str(MOST_LINES))
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error:
        raise refuse(Fault.BROKEN, place=reader.line_num) from None


def headers_of(text: str, separator: str) -> list[str]:
    """The cells of the first row, as many as may be columns."""
    first = next(rows_of(text, separator), None)
    if first is None:
        raise refuse(Fault.NO_ROWS)
    return [cell.strip() for cell in first[1][:MOST_COLUMNS]]


def fingerprint(headers: Sequence[str], *, has_header: bool) -> str:
    """The same for the next file of that bank: by its headers, else by how many columns there are."""
    facts = "\x1f".join(map(fold, headers)) if has_header else str(len(headers))
    return hashlib.sha256(facts.encode()).hexdigest()


def proposed_separator(text: str) -> str:
    """The one by which the first rows have the most columns, and the same number of them."""
    start = "\n".join(line[:LONGEST_LOOKED_AT] for line in text.splitlines()[:ROWS_LOOKED_AT])

    def columns(separator: str) -> tuple[bool, int]:
        widths = {len(row) for row in csv.reader(io.StringIO(start), delimiter=separator)} - {0}
        return len(widths) == 1, max(widths, default=0)

    return max(SEPARATORS, key=columns)


def proposed_mapping(text: str, *, currency: str) -> CsvMapping:
    """What the headers and first rows look like. Raises BankFileRefused where there is no row."""
    separator = proposed_separator(text)
    headers = [fold(header) for header in headers_of(text, separator)]
    has_header = not any(sign.isdigit() for header in headers for sign in header)
    found = {name: _column_named(headers, words) for name, words in HEADERS.items()}
    rows = [row for _line, row in rows_of(text, separator)][has_header:ROWS_LOOKED_AT]
    return CsvMapping(
        separator=separator,
        has_header=has_header,
        date_format=_date_format([_cell(row, found["date"]) for row in rows]),
        decimal=_decimal([_cell(row, found["amount"]) for row in rows]),
        date=found["date"],
        amount=found["amount"],
        debit=found["debit"],
        currency=currency,
        currency_column=found["currency"],
        bank_reference=found["bank_reference"],
        payer_name=found["payer_name"],
        payer_iban=found["payer_iban"],
        texts=(found["text"],) if found["text"] else (),
    )


def read_table(text: str, mapping: CsvMapping, *, account: str, number: str) -> ReadStatement:
    """Every row as a line of `account`. Raises BankFileRefused, with the row for which all are refused."""
    lines = []
    rows = rows_of(text, mapping.separator)
    if mapping.has_header:
        next(rows, None)
    for place, row in rows:
        own = _cell(row, mapping.account)
        if mapping.account and compact(own) != compact(account):
            raise refuse(Fault.OTHER_ACCOUNT, place=place, found=own, expected=account)
        lines.append(_line(row, mapping, place=place))
    if not lines:
        raise refuse(Fault.NO_ROWS)
    return ReadStatement(kind=BankFileKind.CSV, account=compact(account), number=number, lines=tuple(lines))


def _line(row: Sequence[str], mapping: CsvMapping, *, place: int) -> BankLine:
    if max(mapping.date, mapping.amount) > len(row):
        raise refuse(Fault.CELL_MISSING, place=place, found=str(len(row)))
    currency = mapping.currency
    if mapping.currency_column:
        told = _cell(row, mapping.currency_column)
        found = currency_of(told.upper())
        if found is None:
            raise refuse(Fault.CURRENCY, place=place, found=told)
        currency = found
    signed = _signed(row, mapping, currency, place=place)
    if mapping.is_reversed:
        signed = -signed
    line = BankLine(
        amount=-signed if signed.is_negative else signed,
        is_debit=signed.is_negative,
        booked_on=_day(_cell(row, mapping.date), mapping.date_format, place=place),
        bank_reference=_cell(row, mapping.bank_reference),
        payer_name=_cell(row, mapping.payer_name),
        payer_iban=_cell(row, mapping.payer_iban),
        reference=_cell(row, mapping.reference),
    )
    return cleaned(line, [_cell(row, column) for column in mapping.texts])


def _signed(row: Sequence[str], mapping: CsvMapping, currency: str, *, place: int) -> Money:
    """What came is positive. With two columns, one of them is empty or 0."""
    came = _cell(row, mapping.amount)
    if not mapping.debit:
        return _amount(came, mapping, currency, place=place)
    went = _cell(row, mapping.debit)
    nothing = Money.zero(currency)
    credit = _amount(came, mapping, currency, place=place) if came else nothing
    debit = _amount(went, mapping, currency, place=place) if went else nothing
    if not (came or went) or (credit != nothing and debit != nothing):
        raise refuse(Fault.AMOUNT, place=place, found=f"{came} {went}")
    return credit - (-debit if debit.is_negative else debit)


def _amount(text: str, mapping: CsvMapping, currency: str, *, place: int) -> Money:
    amount = amount_of(text, currency, decimal=mapping.decimal)
    if amount is None:
        raise refuse(Fault.AMOUNT, place=place, found=text)
    return amount


def amount_of(text: str, currency: str, *, decimal: str) -> Money | None:
    """`1 234,56`, `1.234,56-`, `(12.00)`; None for what is no amount written with this decimal mark."""
    plain = "".join(text.split()).replace("’", "'")
    is_negative = plain.startswith((*MINUSES, "(")) or plain.endswith(tuple(MINUSES))
    if plain.startswith("(") != plain.endswith(")"):
        return None
    plain = plain.strip("()") if plain.startswith("(") else plain.removeprefix("+")
    plain = plain[1:] if plain.startswith(tuple(MINUSES)) else plain
    plain = plain[:-1] if plain.endswith(tuple(MINUSES)) else plain
    whole, mark, after = plain.partition(decimal)
    group = "." if decimal == "," else ","
    grouped = whole.replace(group, "G").replace("'", "G")
    if not GROUPED.fullmatch(grouped) or (mark and not after):
        return None
    amount = money_of(grouped.replace("G", "") + (f".{after}" if mark else ""), currency)
    return amount if amount is None or not is_negative else -amount


def _day(text: str, date_format: str, *, place: int) -> date:
    try:
        # A day alone, whose zone is the bank's.
        return datetime.strptime(text, DATE_FORMATS[date_format]).date()  # noqa: DTZ007
    except ValueError:
        raise refuse(Fault.DATE, place=place, found=text, expected=date_format) from None


def _cell(row: Sequence[str], column: int) -> str:
    return row[column - 1].strip() if 0 < column <= len(row) else ""


# --- proposals ------------------------------------------------------------------------------------


def _column_named(headers: Sequence[str], words: Sequence[str]) -> int:
    """The first header that holds one of the words, the first word first; 0 for none."""
    for word in words:
        for column, header in enumerate(headers, 1):
            if word in header:
                return column
    return 0


def _date_format(cells: Sequence[str]) -> str:
    told = [cell for cell in cells if cell]
    return next((name for name in DATE_FORMATS if told and _all_are(told, name)), next(iter(DATE_FORMATS)))


def _all_are(cells: Sequence[str], date_format: str) -> bool:
    try:
        for cell in cells:
            datetime.strptime(cell, DATE_FORMATS[date_format])  # noqa: DTZ007
    except ValueError:
        return False
    return True


def _decimal(cells: Sequence[str]) -> str:
    """The mark before the last two digits."""
    return "." if any(re.search(r"\.[0-9]{2}\b", cell) for cell in cells) else ","
