"""Forty files of banks: `python -m tests.bank_corpus` writes them to tests/bank_files.

Each says what is read of it: how many lines, or why it is refused. Those that claim to be valid are judged by
the schemas of ISO 20022 (tests/outside), which know nothing of us.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from portal.domain.bank_files.lines import Fault
from tests.transferring import BEA_IBAN, SELLER_IBAN, Line, camt

FOLDER = Path(__file__).parent / "bank_files"
REFERENCE = "RF94INV2026000001"


@dataclass(frozen=True)
class Case:
    """`lines`: how many are read. `fault`: why it is refused instead. `is_valid`: by its schema."""

    content: bytes
    lines: int = 0
    fault: Fault | None = None
    is_valid: bool = True

    @property
    def version(self) -> str:
        """`053.001.08`."""
        _, _, rest = self.content.decode("latin-1").partition("xsd:camt.")
        return rest[:10]


A = Line(3360, reference=REFERENCE)
B = Line(
    1200, texts=["Facture INV-2026-000002", "client C-000042"], name="Bäckerei Müller & Söhne", iban=BEA_IBAN
)
FEES = Line(550, is_debit=True, name="Banque", texts=["Frais de tenue de compte"])
BACK = replace(A, is_debit=True, is_return=True, end_to_end="E2E-1")
GOOD = camt(A)


def _in(text: str, encoding: str) -> bytes:
    return camt(Line(100, texts=[text])).decode().replace('"utf-8"', f'"{encoding}"').encode(encoding)


def _two_statements() -> bytes:
    one, other = camt(A, number="S-1").decode(), camt(B, number="S-2", opening=3360).decode()
    second = other[other.index("<Stmt>") : other.index("</BkToCstmrStmt>")]
    return one.replace("</BkToCstmrStmt>", f"{second}</BkToCstmrStmt>").encode()


def _with_prefix() -> bytes:
    text = camt(A).decode().replace(" xmlns=", " xmlns:n=").replace("<", "<n:")
    return text.replace("<n:/", "</n:").replace("<n:?", "<?").encode()


def _batch_as_a_sum() -> bytes:
    whole = camt(Line(4560, bank_reference="BATCH-1"))
    details = whole[whole.index(b"<TxDtls>") : whole.index(b"</TxDtls>") + len(b"</TxDtls>")]
    return whole.replace(details, b"<Btch><NbOfTxs>2</NbOfTxs></Btch>")


CORPUS: dict[str, Case] = {
    **{
        f"every-day-{kind}-{version:02d}": Case(
            camt(A, B, FEES, version=f"{kind}.001.{version:02d}", parts=[[A, B]]), lines=5
        )
        for kind in ("053", "054")
        for version in range(2, 9)
    },
    "quiet-day": Case(camt(opening=500), lines=0),
    "several-statements": Case(_two_statements(), lines=2),
    "batch-as-a-sum": Case(_batch_as_a_sum(), lines=1),
    "batch-in-detail": Case(camt(parts=[[replace(A, bank_reference="BATCH-1"), B]]), lines=2),
    "returned": Case(camt(BACK, opening=3360), lines=1),
    "reversed": Case(camt(replace(A, is_debit=True, is_reversal=True), opening=3360), lines=1),
    "ours-came-back": Case(camt(replace(A, is_return=True)), lines=1),
    "with-a-prefix": Case(_with_prefix(), lines=1),
    "overdrawn": Case(camt(FEES, opening=-100), lines=1),
    "not-booked-yet": Case(camt(replace(A, status="PDNG"), B), lines=1),
    "yen": Case(camt(Line(3360, currency="JPY")), lines=1),
    "in-latin-1": Case(_in("Überweisung été", "iso-8859-1"), lines=1),
    "in-utf-16": Case(_in("Überweisung été €", "utf-16"), lines=1),
    "reference-cut-in-lines": Case(camt(Line(3360, texts=["Paiement RF94INV20", "26000001"])), lines=1),
    "wrong-closing-balance": Case(camt(A, closing=1), fault=Fault.TOTALS),
    "another-account": Case(camt(A, account=BEA_IBAN), fault=Fault.OTHER_ACCOUNT),
    "doctype": Case(
        b"<!DOCTYPE Document>\n" + GOOD.partition(b"?>\n")[2], fault=Fault.DOCTYPE, is_valid=False
    ),
    "entities": Case(
        b'<!DOCTYPE x [<!ENTITY a "b">]>\n' + GOOD.partition(b"?>\n")[2], fault=Fault.DOCTYPE, is_valid=False
    ),
    "cut-off": Case(GOOD[: len(GOOD) // 2], fault=Fault.BROKEN, is_valid=False),
    "wrong-encoding": Case(
        _in("été", "iso-8859-1").replace(b"iso-8859-1", b"utf-8"), fault=Fault.ENCODING, is_valid=False
    ),
    "no-account": Case(
        GOOD.replace(f"<IBAN>{SELLER_IBAN}</IBAN>".encode(), b"<Othr><Id> </Id></Othr>", 1),
        fault=Fault.NO_ACCOUNT,
        is_valid=False,
    ),
    "entries-counted-wrong": Case(
        GOOD.replace(
            b"<Ntry>", b"<TxsSummry><TtlNtries><NbOfNtries>7</NbOfNtries></TtlNtries></TxsSummry><Ntry>"
        ),
        fault=Fault.COUNT,
    ),
    "amount-in-words": Case(GOOD.replace(b">33.60<", b">thirty<"), fault=Fault.AMOUNT, is_valid=False),
    "a-day-that-is-none": Case(
        GOOD.replace(b"<BookgDt><Dt>2026-11-20", b"<BookgDt><Dt>2026-11-31"), fault=Fault.DATE, is_valid=False
    ),
    "report-of-the-day": Case(
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.052.001.08"><BkToCstmrAcctRpt>'
        b"<GrpHdr><MsgId>M-1</MsgId><CreDtTm>2026-11-21T06:00:00+01:00</CreDtTm></GrpHdr><Rpt><Id>R-1</Id>"
        b"<CreDtTm>2026-11-21T06:00:00+01:00</CreDtTm><Acct><Id><IBAN>"
        + SELLER_IBAN.encode()
        + b"</IBAN></Id></Acct>"
        b"</Rpt></BkToCstmrAcctRpt></Document>",
        fault=Fault.INTRADAY,
    ),
    "a-payment-order": Case(
        b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn/></Document>',
        fault=Fault.NO_STATEMENT,
        is_valid=False,
    ),
}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, case in CORPUS.items():
        (FOLDER / f"{name}.xml").write_bytes(case.content)


if __name__ == "__main__":
    main()
