"""camt.053 (statements) and camt.054 (notifications), versions 02 to 08 and what is written like them.

One reader for all of them: what moved between versions is looked for at either place. Entries that are not
booked yet are counted and left out: they come again once they are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from xml.etree.ElementTree import Element

from portal.domain.creditor_reference import compact
from portal.domain.money import Money, major_string, total
from portal.domain.vocabulary import BankFileKind

from .decoding import xml_text
from .lines import (
    MOST_LINES,
    BankLine,
    Fault,
    ReadStatement,
    clean,
    cleaned,
    currency_of,
    is_meaningful,
    money_of,
    refuse,
)
from .xml import child, children, elements, text_at

REPORTS = {"Stmt": BankFileKind.CAMT_053, "Ntfctn": BankFileKind.CAMT_054}
INTRADAY = "BkToCstmrAcctRpt"
OPENING, CLOSING = ("OPBD", "PRCD"), ("CLBD",)
BOOKED = "BOOK"


@dataclass(slots=True)
class _Report:
    """A statement or notification while it is being read."""

    lines: list[BankLine] = field(default_factory=list)
    sums: list[Money] = field(default_factory=list)
    """Of every booked entry, signed."""
    not_booked: int = 0


def read_camt(content: bytes, *, account: str) -> list[ReadStatement]:
    """Every statement of the file, all of them of `account` (an IBAN). Raises BankFileRefused."""
    found: list[ReadStatement] = []
    report, lines = _Report(), 0
    for element in elements(xml_text(content), wanted=frozenset({"Ntry", INTRADAY, *REPORTS})):
        name = element.tag
        if name == "Ntry":
            _take(element, report, place=len(report.sums) + report.not_booked + 1)
            lines += 1
            if lines + len(report.lines) > MOST_LINES:
                raise refuse(Fault.TOO_MANY_LINES, expected=str(MOST_LINES))
        elif name in REPORTS:
            found.append(_statement(element, REPORTS[name], report, account=account))
            report = _Report()
        elif name == INTRADAY:
            raise refuse(Fault.INTRADAY)
    if not found:
        raise refuse(Fault.NO_STATEMENT)
    return found


def _statement(element: Element, kind: BankFileKind, report: _Report, *, account: str) -> ReadStatement:
    own = compact(text_at(element, "Acct", "Id", "IBAN") or text_at(element, "Acct", "Id", "Othr", "Id"))
    if not own:
        raise refuse(Fault.NO_ACCOUNT)
    if own != compact(account):
        raise refuse(Fault.OTHER_ACCOUNT, found=own, expected=account)
    balances = dict(_balances(element))
    opening = next((balances[code] for code in OPENING if code in balances), None)
    closing = next((balances[code] for code in CLOSING if code in balances), None)
    _compare(opening, closing, report.sums)
    if report.not_booked == 0:
        _compare_summary(element, report.sums)
    return ReadStatement(
        kind=kind,
        account=own,
        number=clean(text_at(element, "Id"), longest=70),
        lines=tuple(report.lines),
        not_booked=report.not_booked,
        opening=opening,
        closing=closing,
    )


# --- sums -----------------------------------------------------------------------------------------


def _balances(element: Element) -> Iterator[tuple[str, Money]]:
    """By code, the first of each: the opening of a later page is an interim one."""
    for place, balance in reversed(list(enumerate(children(element, "Bal"), 1))):
        code = text_at(balance, "Tp", "CdOrPrtry", "Cd")
        if code in (*OPENING, *CLOSING):
            amount = _amount(balance, place=place)
            yield code, -amount if _is_debit(balance, place=place) else amount


def _compare(opening: Money | None, closing: Money | None, sums: Sequence[Money]) -> None:
    """Opening + entries = closing, where the bank tells both."""
    if opening is None or closing is None:
        return
    strangers = {each.currency for each in (*sums, closing)} - {opening.currency}
    if strangers:
        raise refuse(Fault.TOTALS, found=", ".join(sorted(strangers)), expected=opening.currency)
    reckoned = opening + total(sums, opening.currency)
    if reckoned != closing:
        raise refuse(Fault.TOTALS, found=_told(reckoned), expected=_told(closing))


def _compare_summary(element: Element, sums: Sequence[Money]) -> None:
    """How many entries there are and what they come to, where the bank counted; its sums have no currency."""
    summary = child(element, "TxsSummry")
    whole = child(summary, "TtlNtries")
    currencies = {each.currency for each in sums}
    told_parts = (
        (whole, list(sums), False),
        (child(summary, "TtlCdtNtries"), [each for each in sums if not each.is_negative], True),
        (child(summary, "TtlDbtNtries"), [-each for each in sums if each.is_negative], True),
    )
    for part, counted, is_sum in told_parts:
        number = text_at(part, "NbOfNtries")
        if number and (not number.isascii() or not number.isdigit() or int(number[:15]) != len(counted)):
            raise refuse(Fault.COUNT, found=str(len(counted)), expected=number)
        told = text_at(part, "Sum")
        if told and is_sum and len(currencies) == 1:
            [currency] = currencies
            reckoned = total(counted, currency)
            if money_of(told, currency) != reckoned:
                raise refuse(Fault.TOTALS, found=_told(reckoned), expected=told)


def _told(amount: Money) -> str:
    return f"{major_string(amount)} {amount.currency}"


# --- entries --------------------------------------------------------------------------------------


def _take(entry: Element, report: _Report, *, place: int) -> None:
    status = text_at(entry, "Sts", "Cd") or text_at(entry, "Sts")
    if status and status != BOOKED:
        report.not_booked += 1
        return
    amount, is_debit = _amount(entry, place=place), _is_debit(entry, place=place)
    report.sums.append(-amount if is_debit else amount)
    details = [each for block in children(entry, "NtryDtls") for each in children(block, "TxDtls")]
    whole = BankLine(
        amount=amount,
        is_debit=is_debit,
        booked_on=_booked_on(entry, place=place),
        bank_reference=_reference_of(entry, details),
        goes_back=text_at(entry, "RvslInd") in ("true", "1"),
    )
    report.lines += list(_lines(whole, entry, details))


def _lines(whole: BankLine, entry: Element, details: Sequence[Element]) -> Iterator[BankLine]:
    """One for each transfer that the entry tells of; the entry itself where it tells of none apart."""
    told = text_at(entry, "AddtlNtryInf")
    if len(details) == 1:
        yield _line(whole, details[0], also=told)
        return
    amounts = [_amount_of(each, whole.amount.currency) for each in details]
    known = [amount for amount in amounts if amount is not None]
    if details and len(known) == len(details) and total(known, whole.amount.currency) == whole.amount:
        for part, (each, amount) in enumerate(zip(details, known, strict=True), 1):
            yield _line(replace(whole, amount=amount, part=part), each, also="")
        return
    number = text_at(child(entry, "NtryDtls"), "Btch", "NbOfTxs")
    texts = [told, *(text for each in details for text in _texts(each))]
    yield replace(cleaned(whole, texts), is_batch=bool(details) or number not in ("", "0", "1"))


def _line(line: BankLine, details: Element, *, also: str) -> BankLine:
    parties, remittance = child(details, "RltdPties"), child(details, "RmtInf")
    who = "Cdtr" if line.is_debit else "Dbtr"
    texts = [*_texts(details), also]
    end_to_end = text_at(details, "Refs", "EndToEndId")
    filled = replace(
        line,
        payer_name=_name(child(parties, who)) or _name(child(parties, f"Ultmt{who}")),
        payer_iban=text_at(parties, f"{who}Acct", "Id", "IBAN"),
        end_to_end_id=end_to_end if is_meaningful(end_to_end) else "",
        reference=next(filter(None, _structured(remittance)), ""),
        goes_back=line.goes_back or child(details, "RtrInf") is not None,
    )
    return cleaned(filled, texts)


def _structured(remittance: Element | None) -> Iterator[str]:
    return (text_at(each, "CdtrRefInf", "Ref") for each in children(remittance, "Strd"))


def _texts(details: Element) -> Iterator[str]:
    """All that the payer wrote, and what the bank adds, in the order of the file."""
    remittance = child(details, "RmtInf")
    for each in children(remittance, "Ustrd"):
        yield each.text or ""
    references = list(_structured(remittance))
    # The first one has a place of its own.
    yield from references[1:]
    for each in children(remittance, "Strd"):
        for document in children(each, "RfrdDocInf"):
            yield text_at(document, "Nb")
        for told in children(each, "AddtlRmtInf"):
            yield told.text or ""
    yield text_at(details, "AddtlTxInf")


def _name(party: Element | None) -> str:
    """Version 08 has the person or company one level deeper."""
    return text_at(party, "Nm") or text_at(party, "Pty", "Nm") or text_at(party, "Agt", "FinInstnId", "Nm")


def _reference_of(entry: Element, details: Sequence[Element]) -> str:
    """The bank's own name of the entry; of its only transfer where the entry has none."""
    own = text_at(entry, "AcctSvcrRef")
    if not is_meaningful(own) and len(details) == 1:
        own = text_at(details[0], "Refs", "AcctSvcrRef")
    return own if is_meaningful(own) else ""


def _amount_of(details: Element, currency: str) -> Money | None:
    """Of one transfer of several, in the currency of their entry; None where it is not told."""
    for path in (("Amt",), ("AmtDtls", "TxAmt", "Amt")):
        found = child(details, *path)
        if found is not None and found.get("Ccy") == currency:
            return money_of((found.text or "").strip(), currency)
    return None


def _amount(element: Element, *, place: int) -> Money:
    found = child(element, "Amt")
    digits = (found.text or "").strip() if found is not None else ""
    currency = currency_of(found.get("Ccy") or "") if found is not None else None
    amount = money_of(digits, currency) if currency else None
    if amount is None:
        raise refuse(Fault.AMOUNT, place=place, found=digits)
    return amount


def _is_debit(element: Element, *, place: int) -> bool:
    told = text_at(element, "CdtDbtInd")
    if told not in ("CRDT", "DBIT"):
        raise refuse(Fault.DIRECTION, place=place, found=told)
    return told == "DBIT"


def _booked_on(entry: Element, *, place: int) -> date:
    told = next(
        filter(None, (text_at(entry, day, kind) for day in ("BookgDt", "ValDt") for kind in ("Dt", "DtTm"))),
        "",
    )
    try:
        return date.fromisoformat(told[:10])
    except ValueError:
        raise refuse(Fault.DATE, place=place, found=told) from None
