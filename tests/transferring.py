"""Bank transfers, told as facts: invoices that nobody has paid, and the statements that tell who has.

An open invoice is issued here for an order of which nothing is given, so that a workspace may owe several of
one plan: the two questions of the books about that are left out by `assert_transfers_clean`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from xml.sax.saxutils import escape

from portal.database.connecting import transaction
from portal.domain.choices import Choice
from portal.domain.creditor_reference import rf_reference
from portal.domain.money import Money, major_string
from portal.domain.vocabulary import Interval, OrderState, PaymentMethodKind
from portal.models import BankTransfer, Invoice, Subscription
from portal.runtime import current
from portal.services.checkout import ordering
from portal.services.invoices import issuing, pay_links
from portal.services.payments import bank_statements, matching
from portal.services.places import Place
from tests.books import broken_books
from tests.paying import an_order, pay, with_details

SELLER_IBAN = "FR7630006000011234567890189"
ACME_IBAN = "DE89370400440532013000"
BEA_IBAN = "NL91ABNA0417164300"
DAY = date(2026, 11, 20)
NOTHING_WAS_GIVEN = {"paid_orders_gave_what_was_quoted", "subscriptions_owe_what_is_open"}


def an_open_invoice(place: Place, plan: str = "business-5", *, currency: str = "EUR") -> Invoice:
    """33.60 EUR that nobody has paid."""
    Subscription.update(unpaid_on=None).where(Subscription.workspace == place.workspace).execute()
    order = an_order(place, plan, currency=currency)
    now = current().clock.now()
    pay_by = issuing.sellers_day(now) + timedelta(days=30)
    with transaction(lock=place.workspace):
        order.state, order.given_at = OrderState.INVOICED, now
        order.save()
        return issuing.issue_for(order, payment=None, pay_by=pay_by, now=now)


def assert_transfers_clean() -> None:
    broken = broken_books()
    for name in NOTHING_WAS_GIVEN:
        broken.pop(name, None)
    assert not broken, broken


@dataclass(frozen=True)
class Line:
    """An entry of a statement, as a payer and a bank would make it."""

    minor: int = 3360
    texts: Sequence[str] = ()
    reference: str = ""
    name: str = "Acme SARL"
    iban: str = ACME_IBAN
    bank_reference: str | None = None
    end_to_end: str = "NOTPROVIDED"
    currency: str = "EUR"
    booked_on: date = DAY
    is_debit: bool = False
    is_reversal: bool = False
    is_return: bool = False
    status: str = "BOOK"


def paying(invoice: Invoice, minor: int | None = None, **changed: object) -> Line:
    """A transfer with the reference of the invoice, over all of it unless told otherwise."""
    return Line(
        minor=invoice.total_minor if minor is None else minor,
        reference=rf_reference(invoice.number),
        **changed,
    )


def camt(
    *lines: Line,
    version: str = "053.001.08",
    number: str = "S-1",
    account: str = SELLER_IBAN,
    opening: int | None = 0,
    closing: int | None = None,
    encoding: str = "utf-8",
    parts: Sequence[Sequence[Line]] = (),
) -> bytes:
    """One statement (or notification, by its version) with an entry for each line, its sums right.

    `parts` are entries with several transfers each.
    """
    kind, _, number_of_version = version.partition(".001.")
    message, report = ("BkToCstmrStmt", "Stmt") if kind == "053" else ("BkToCstmrDbtCdtNtfctn", "Ntfctn")
    entries = [*([line] for line in lines), *parts]
    booked = [line for entry in entries for line in entry if line.status == "BOOK"]
    moved = sum(-line.minor if line.is_debit else line.minor for line in booked)
    currency = booked[0].currency if booked else "EUR"
    balances = ""
    if opening is not None and kind == "053":
        end = opening + moved if closing is None else closing
        balances = _balance("OPBD", opening, currency) + _balance("CLBD", end, currency)
    of_version = int(number_of_version)
    body = "".join(_entry(entry, number, place, version=of_version) for place, entry in enumerate(entries, 1))
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.{version}"><{message}>'
        f"<GrpHdr><MsgId>M-{number}</MsgId><CreDtTm>2026-11-21T06:00:00+01:00</CreDtTm></GrpHdr>"
        f"<{report}><Id>{number}</Id><CreDtTm>2026-11-21T06:00:00+01:00</CreDtTm>"
        f"<Acct><Id><IBAN>{account}</IBAN></Id><Ccy>{currency}</Ccy></Acct>{balances}{body}"
        f"</{report}></{message}></Document>"
    )
    return text.encode(encoding)


def _balance(code: str, minor: int, currency: str) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{_amount(abs(minor), currency)}"
        f"<CdtDbtInd>{'DBIT' if minor < 0 else 'CRDT'}</CdtDbtInd><Dt><Dt>{DAY}</Dt></Dt></Bal>"
    )


def _amount(minor: int, currency: str) -> str:
    return f'<Amt Ccy="{currency}">{major_string(Money(minor, currency))}</Amt>'


def _entry(entry: Sequence[Line], number: str, place: int, *, version: int) -> str:
    first = entry[0]
    direction = "DBIT" if first.is_debit else "CRDT"
    whole = sum(line.minor for line in entry)
    reference = f"{number}-{place}" if first.bank_reference is None else first.bank_reference
    status = f"<Cd>{first.status}</Cd>" if version >= 7 else first.status
    return (
        f"<Ntry>{_amount(whole, first.currency)}<CdtDbtInd>{direction}</CdtDbtInd>"
        f"{'<RvslInd>true</RvslInd>' if first.is_reversal else ''}<Sts>{status}</Sts>"
        f"<BookgDt><Dt>{first.booked_on}</Dt></BookgDt>"
        f"{f'<AcctSvcrRef>{escape(reference)}</AcctSvcrRef>' if reference else ''}"
        "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd>"
        f"<NtryDtls>{''.join(_details(line, direction, version=version) for line in entry)}</NtryDtls></Ntry>"
    )


def _details(line: Line, direction: str, *, version: int) -> str:
    who = "Cdtr" if line.is_debit else "Dbtr"
    name = f"<Nm>{escape(line.name)}</Nm>"
    party = f"<Pty>{name}</Pty>" if version >= 7 else name
    account = f"<{who}Acct><Id><IBAN>{line.iban}</IBAN></Id></{who}Acct>" if line.iban else ""
    structured = (
        "<Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp>"
        f"<Ref>{escape(line.reference)}</Ref></CdtrRefInf></Strd>"
        if line.reference
        else ""
    )
    texts = "".join(f"<Ustrd>{escape(text)}</Ustrd>" for text in line.texts)
    told = f"<RmtInf>{texts}{structured}</RmtInf>" if texts or structured else ""
    amount = _amount(line.minor, line.currency)
    # Version 02 tells the amount of a transfer one level deeper, and none tells twice which way it went.
    details = (
        f"{amount}<CdtDbtInd>{direction}</CdtDbtInd>"
        if version >= 3
        else f"<AmtDtls><TxAmt>{amount}</TxAmt></AmtDtls>"
    )
    returned = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>" if line.is_return else ""
    return (
        f"<TxDtls><Refs><EndToEndId>{escape(line.end_to_end)}</EndToEndId></Refs>{details}"
        f"<RltdPties><{who}>{party}</{who}>{account}</RltdPties>{told}{returned}</TxDtls>"
    )


def bring(content: bytes, name: str = "statement.xml") -> bank_statements.Imported:
    """Import a file of the bank, and match what it tells."""
    now = current().clock.now()
    imported = bank_statements.take_file(content, file_name=name, now=now)
    assert isinstance(imported, bank_statements.Imported)
    assert matching.match_received([each.id for each in imported.statements], now=now) == 0
    return imported


def told() -> list[tuple[str, str]]:
    """State and reason of every transfer, the oldest first."""
    found: Iterable[BankTransfer] = BankTransfer.select().order_by(BankTransfer.id)
    return [(each.state.value, each.reason.value) for each in found]


def ordered_on_account(place: Place, *, quantity: int = 1) -> Invoice:
    """Remote for a year, given at once: 214.80 EUR for each licence are to be paid by 21 December."""
    opened = ordering.open_order(
        place,
        choices=[Choice("remote-licence", Interval.YEAR, quantity)],
        currency="EUR",
        now=current().clock.now(),
    )
    order = with_details(opened, place, method_kind=PaymentMethodKind.BANK_TRANSFER)
    assert pay(order, None) is None, "nobody is asked for money"
    invoice = Invoice.get(Invoice.order == order)
    invoice.workspace = place.workspace
    return invoice


def a_pay_link(invoice: Invoice) -> str:
    """Its path, as it stands in a letter."""
    path = pay_links.make_for_letter(invoice)
    assert path is not None
    return path
