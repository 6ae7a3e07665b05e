"""Files of a bank: what is read of them, and everything for which one is refused, nothing of it taken."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.domain.bank_files import lines as limits
from portal.domain.bank_files.camt import read_camt
from portal.domain.bank_files.decoding import csv_text, looks_like_xml
from portal.domain.bank_files.lines import BankFileRefused, Fault, keyed, money_of
from portal.domain.bank_files.tables import (
    CsvMapping,
    amount_of,
    fingerprint,
    proposed_mapping,
    read_table,
)
from portal.domain.money import Money, major_string
from tests.transferring import BEA_IBAN, DAY, SELLER_IBAN, Line, camt

VERSIONS = [f"053.001.{n:02d}" for n in range(2, 9)] + [f"054.001.{n:02d}" for n in range(2, 9)]


def read(content, account=SELLER_IBAN):
    return read_camt(content, account=account)


def only(content):
    [statement] = read(content)
    [line] = statement.lines
    return line


def refused(content):
    with pytest.raises(BankFileRefused) as caught:
        read(content)
    return caught.value


# --- what is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_tells_the_same(version):
    line = Line(
        3360,
        texts=["Facture", "novembre"],
        reference="RF94INV2026000001",
        name="Acme & Söhne",
        end_to_end="E2E-1",
        bank_reference="B-1",
    )
    found = only(camt(line, version=version))
    assert (found.amount, found.is_debit, found.booked_on) == (Money(3360, "EUR"), False, DAY)
    assert (found.payer_name, found.payer_iban) == ("Acme & Söhne", "DE89370400440532013000")
    assert (found.reference, found.texts) == ("RF94INV2026000001", ("Facture", "novembre"))
    assert (found.end_to_end_id, found.bank_reference) == ("E2E-1", "B-1")
    assert not (found.goes_back or found.is_batch)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "iso-8859-1", "windows-1252", "utf-16"])
def test_every_usual_encoding(encoding):
    declared = {"utf-8-sig": "utf-8"}.get(encoding, encoding)
    text = (
        camt(Line(texts=["Überweisung été"])).decode().replace('encoding="utf-8"', f'encoding="{declared}"')
    )
    assert only(text.encode(encoding)).texts == ("Überweisung été",)


def test_a_file_without_a_namespace_and_with_a_prefix():
    content = camt(Line(texts=["a"])).decode()
    plain = content.replace(' xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"', "")
    assert only(plain.encode()).texts == ("a",)
    prefixed = plain.replace("<", "<n:").replace("<n:/", "</n:").replace("<n:?", "<?")
    prefixed = prefixed.replace("<n:Document>", '<n:Document xmlns:n="urn:x">')
    assert only(prefixed.encode()).texts == ("a",)


def test_a_debit_is_of_whoever_was_paid():
    line = only(camt(Line(550, name="Banque", iban=BEA_IBAN, is_debit=True)))
    assert (line.is_debit, line.payer_name, line.payer_iban) == (True, "Banque", BEA_IBAN)


@pytest.mark.parametrize("facts", [{"is_reversal": True}, {"is_return": True}])
def test_what_goes_back_says_so(facts):
    assert only(camt(Line(is_debit=True, **facts))).goes_back


def test_the_transfers_of_one_entry():
    [statement] = read(camt(parts=[[Line(100, texts=["a"]), Line(200, texts=["b"])]]))
    assert [(line.part, line.amount.minor, line.texts) for line in statement.lines] == [
        (1, 100, ("a",)),
        (2, 200, ("b",)),
    ]


def test_transfers_that_do_not_come_to_their_entry_stay_one():
    content = camt(parts=[[Line(100, texts=["a"]), Line(200, texts=["b"])]], opening=None)
    content = content.replace(b'<Amt Ccy="EUR">2.00</Amt>', b'<Amt Ccy="EUR">1.50</Amt>')
    line = only(content)
    assert (line.amount.minor, line.part, line.is_batch, line.texts) == (300, 0, True, ("a", "b"))


def test_what_is_not_booked_is_counted_and_left_out():
    [statement] = read(camt(Line(100, status="PDNG"), Line(200)))
    assert ([line.amount.minor for line in statement.lines], statement.not_booked) == ([200], 1)


def test_several_statements_of_one_file():
    one, other = camt(Line(100), number="S-1").decode(), camt(Line(200), number="S-2", opening=100).decode()
    second = other[other.index("<Stmt>") : other.index("</BkToCstmrStmt>")]
    both = one.replace("</BkToCstmrStmt>", f"{second}</BkToCstmrStmt>")
    assert [(each.number, each.opening.minor, len(each.lines)) for each in read(both.encode())] == [
        ("S-1", 0, 1),
        ("S-2", 100, 1),
    ]


def test_a_statement_of_a_quiet_day_is_read():
    [statement] = read(camt(opening=500))
    assert (statement.lines, statement.closing) == ((), Money(500, "EUR"))


def test_texts_are_cleaned_and_cut():
    line = only(camt(Line(texts=["a\u202eb\tc   d", "x" * 500], name="y" * 500)))
    assert line.texts == ("a b c d", "x" * limits.LONGEST_TEXT)
    assert line.payer_name == "y" * limits.LONGEST_NAME


def test_the_same_entry_has_one_key_in_every_file_and_two_alike_have_two():
    line = Line(100, texts=["a"], bank_reference="")
    first = [each.key for each in keyed(read(camt(line, line))[0].lines)]
    again = [each.key for each in keyed(read(camt(line, line, version="054.001.02"))[0].lines)]
    assert first == again
    assert len({*first}) == 2
    other = keyed(read(camt(replace(line, minor=101)))[0].lines)
    assert {each.key for each in other}.isdisjoint(first)


# --- what is refused ------------------------------------------------------------------------------

GOOD = camt(Line(100, texts=["a"]))
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
BAD = {
    "nothing": (b"", Fault.EMPTY),
    "blanks": (b"  \n", Fault.EMPTY),
    "a hundred megabytes": (b"<a>" + b" " * limits.LARGEST_BYTES, Fault.TOO_LARGE),
    "a DOCTYPE": (b"<!DOCTYPE Document>" + GOOD.partition(b"?>\n")[2], Fault.DOCTYPE),
    "entities in entities": (BOMB + GOOD.partition(b"?>\n")[2], Fault.DOCTYPE),
    "a file of this machine": (
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Document>&a;</Document>',
        Fault.DOCTYPE,
    ),
    "a DOCTYPE in UTF-16": ("<!DOCTYPE x><a/>".encode("utf-16"), Fault.DOCTYPE),
    "an entity that nobody declared": (GOOD.replace(b">a<", b">&x;<"), Fault.BROKEN),
    "cut off": (GOOD[:-40], Fault.BROKEN),
    "cut off in the middle of an entry": (GOOD[: GOOD.index(b"<Sts>")], Fault.BROKEN),
    "two documents": (GOOD + GOOD, Fault.BROKEN),
    "no UTF-8, though it says so": (GOOD.replace(b">a<", b">\xe9<"), Fault.ENCODING),
    "an encoding that we do not read": (GOOD.replace(b"utf-8", b"EBCDIC-CP-FR"), Fault.ENCODING),
    "UTF-16 that is none": (GOOD.replace(b'"utf-8"', b'"utf-16"'), Fault.ENCODING),
    "half a sign of UTF-16": (GOOD.decode().encode("utf-16")[:-1], Fault.ENCODING),
    "a thousand levels": (b"<a>" * 1000 + b"</a>" * 1000, Fault.TOO_DEEP),
    "another kind of XML": (b"<html><body/></html>", Fault.NO_STATEMENT),
    "a report of the day": (
        b"<Document><BkToCstmrAcctRpt><Rpt/></BkToCstmrAcctRpt></Document>",
        Fault.INTRADAY,
    ),
    "another account": (camt(Line(100), account=BEA_IBAN), Fault.OTHER_ACCOUNT),
    "no account": (
        GOOD.replace(f"<IBAN>{SELLER_IBAN}</IBAN>".encode(), b"", 1),
        Fault.NO_ACCOUNT,
    ),
    "a wrong closing balance": (camt(Line(100), closing=101), Fault.TOTALS),
    "another currency than the balances": (
        camt(Line(100)).replace(b'<Ntry><Amt Ccy="EUR">', b'<Ntry><Amt Ccy="USD">'),
        Fault.TOTALS,
    ),
    "more entries counted": (
        GOOD.replace(
            b"<Ntry>", b"<TxsSummry><TtlNtries><NbOfNtries>2</NbOfNtries></TtlNtries></TxsSummry><Ntry>"
        ),
        Fault.COUNT,
    ),
    "another sum counted": (
        GOOD.replace(b"<Ntry>", b"<TxsSummry><TtlCdtNtries><Sum>1.01</Sum></TtlCdtNtries></TxsSummry><Ntry>"),
        Fault.TOTALS,
    ),
    "words for an amount": (
        GOOD.replace(b">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>", b">one</Amt><Sts>"),
        Fault.AMOUNT,
    ),
    "a thousandth of a euro": (GOOD.replace(b">1.00<", b">1.001<"), Fault.AMOUNT),
    "a negative amount": (GOOD.replace(b">1.00<", b">-1.00<"), Fault.AMOUNT),
    "an amount without end": (GOOD.replace(b">1.00<", b">" + b"9" * 400 + b"<"), Fault.AMOUNT),
    "a formula for an amount": (GOOD.replace(b">1.00<", b">=1+1<"), Fault.AMOUNT),
    "no currency": (GOOD.replace(b'<Ntry><Amt Ccy="EUR">', b"<Ntry><Amt>"), Fault.AMOUNT),
    "neither came nor went": (GOOD.replace(b"<CdtDbtInd>CRDT</CdtDbtInd><Sts>", b"<Sts>"), Fault.DIRECTION),
    "the 31st of June": (GOOD.replace(b"<BookgDt><Dt>2026-11-20", b"<BookgDt><Dt>2026-06-31"), Fault.DATE),
}


@pytest.mark.parametrize(("content", "fault"), BAD.values(), ids=BAD)
def test_a_bad_file_is_refused_by_name(content, fault):
    assert refused(content).fault is fault


def test_more_lines_than_a_statement_has(monkeypatch):
    from portal.domain.bank_files import camt as reader

    monkeypatch.setattr(reader, "MOST_LINES", 3)
    assert refused(camt(*[Line(1)] * 5)).fault is Fault.TOO_MANY_LINES


def test_one_bad_statement_of_two_refuses_both():
    good, bad = camt(Line(100)).decode(), camt(Line(200), closing=1).decode()
    both = good.replace("</BkToCstmrStmt>", bad[bad.index("<Stmt>") : bad.index("</Document>")])
    assert refused(both.encode()).fault is Fault.TOTALS


@given(st.binary(max_size=200))
def test_rubbish_is_refused_and_never_breaks_the_reader(content):
    for each in (content, b"<Document>" + content, GOOD[:400] + content + GOOD[400:]):
        try:
            read(each)
        except BankFileRefused:
            continue


@given(st.integers(0, 10**12), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_an_amount_is_read_back_as_it_was_written(minor, currency):
    money = Money(minor, currency)
    assert money_of(major_string(money), currency) == money


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("33.6", "EUR", 3360),
        ("33", "EUR", 3300),
        ("+33.60", "EUR", 3360),
        ("33.6000", "EUR", 3360),
        ("100.00", "JPY", 100),
        ("1.25", "KWD", 1250),
        ("33.", "EUR", None),
        (".5", "EUR", None),
        ("3e2", "EUR", None),
        ("١٢", "EUR", None),
        ("1 000.00", "EUR", None),
        ("", "EUR", None),
    ],
)
def test_how_amounts_are_written(text, currency, minor):
    assert money_of(text, currency) == (None if minor is None else Money(minor, currency))


# --- tables ---------------------------------------------------------------------------------------

TABLE = """Date;Libellé;Nom;IBAN;Montant
20/11/2026;Facture INV-2026-000001;Acme SARL;DE89370400440532013000;1 234,56
21/11/2026;Frais;Banque;;-3,50
"""
FRENCH = CsvMapping(
    separator=";",
    has_header=True,
    date_format="dd/mm/yyyy",
    decimal=",",
    date=1,
    amount=5,
    payer_name=3,
    payer_iban=4,
    texts=(2,),
)


def table(text, mapping=FRENCH):
    return read_table(text, mapping, account=SELLER_IBAN, number="sha").lines


def test_a_table_as_it_was_said():
    came, went = table(TABLE)
    assert (came.amount, came.booked_on, came.payer_name) == (
        Money(123456, "EUR"),
        date(2026, 11, 20),
        "Acme SARL",
    )
    assert came.texts == ("Facture INV-2026-000001",)
    assert (went.amount, went.is_debit) == (Money(350, "EUR"), True)


def test_what_the_headers_look_like_is_proposed():
    proposed = proposed_mapping(TABLE, currency="EUR")
    assert proposed == FRENCH
    english = "Booking date,Description,Name,Amount\n2026-11-20,Invoice,Acme,1234.56\n"
    found = proposed_mapping(english, currency="EUR")
    assert (found.separator, found.decimal, found.date_format) == (",", ".", "yyyy-mm-dd")
    assert (found.date, found.amount, found.payer_name, found.texts) == (1, 4, 3, (2,))


def test_two_columns_and_a_sign_the_other_way_round():
    split = replace(FRENCH, amount=2, debit=3, payer_name=0, payer_iban=0, texts=())
    lines = table("D;C;D\n20/11/2026;12,00;\n20/11/2026;;3,00\n20/11/2026;0,00;-4,00\n", split)
    assert [(line.amount.minor, line.is_debit) for line in lines] == [(1200, False), (300, True), (400, True)]
    turned = replace(FRENCH, amount=2, is_reversed=True, payer_name=0, payer_iban=0, texts=())
    assert [line.is_debit for line in table("D;A\n20/11/2026;-12,00\n", turned)] == [False]


def test_a_mapping_is_known_again_by_the_headers_however_they_are_spelt():
    same = fingerprint(["Date", "Libellé"], has_header=True)
    assert fingerprint(["DATE ", "libelle"], has_header=True) == same
    assert fingerprint(["Date", "Montant"], has_header=True) != same
    assert fingerprint(["1", "2"], has_header=False) == fingerprint(["3", "4"], has_header=False)


@pytest.mark.parametrize(
    ("text", "decimal", "minor"),
    [
        ("1 234,56", ",", 123456),
        ("1.234,56", ",", 123456),
        ("1\u202f234,56", ",", 123456),
        ("1'234.56", ".", 123456),
        ("1,234.56", ".", 123456),
        ("12,00-", ",", -1200),
        ("−12,00", ",", -1200),
        ("(12.00)", ".", -1200),
        ("+12", ",", 1200),
        ("12.50", ",", None),
        ("1,23,456.00", ".", None),
        ("=1+1", ",", None),
        ("@SUM(A1)", ",", None),
        ("12 EUR", ",", None),
        ("", ",", None),
        ("-", ",", None),
    ],
)
def test_how_amounts_are_written_in_tables(text, decimal, minor):
    assert amount_of(text, "EUR", decimal=decimal) == (None if minor is None else Money(minor, "EUR"))


def test_what_looks_like_a_formula_stays_text():
    [line] = table('D;T;N;I;A\n20/11/2026;"=HYPERLINK(""http://x"")";@SUM;;1,00\n')
    assert (line.texts, line.payer_name) == (('=HYPERLINK("http://x")',), "@SUM")


OWN = replace(FRENCH, account=4)


@pytest.mark.parametrize(
    ("text", "mapping", "fault"),
    [
        ("D;T;N;I;A\n", FRENCH, Fault.NO_ROWS),
        ("D;T;N;I;A\n20/11/2026;a\n", FRENCH, Fault.CELL_MISSING),
        (TABLE.replace("-3,50", "=3"), FRENCH, Fault.AMOUNT),
        (TABLE.replace("21/11", "31/11"), FRENCH, Fault.DATE),
        (TABLE.replace("21/11/2026", "=TODAY()"), FRENCH, Fault.DATE),
        (TABLE, OWN, Fault.OTHER_ACCOUNT),
        (TABLE, replace(FRENCH, currency_column=3), Fault.CURRENCY),
        ('D;T;N;I;A\n"20/11/2026;a', FRENCH, Fault.BROKEN),
        ("D;T;N;I;A\n20/11/2026;" + "x" * 200_000 + ";;;1\n", FRENCH, Fault.BROKEN),
    ],
)
def test_a_bad_table_is_refused_by_name(text, mapping, fault):
    with pytest.raises(BankFileRefused) as caught:
        table(text, mapping)
    assert caught.value.fault is fault


def test_tables_come_in_the_encodings_of_spreadsheets():
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "windows-1252"):
        assert "Libellé" in csv_text(TABLE.encode(encoding))
    for content in (b"\xff\xfea", b"a\x00b\xe9", b"\x81\xe9"):
        with pytest.raises(BankFileRefused):
            csv_text(content)
    assert looks_like_xml("  <a/>".encode("utf-16"))
    assert not looks_like_xml(TABLE.encode())


def test_what_only_one_separator_can_read_is_read():
    quoted = TABLE.replace("Facture INV-2026-000001", '"Facture, INV-2026-000001"')
    assert proposed_mapping(quoted, currency="EUR") == FRENCH
    assert table(quoted)[0].texts == ("Facture, INV-2026-000001",)
    with pytest.raises(BankFileRefused):
        csv_text(b"a;b\x00\n")


@given(st.text(max_size=200))
def test_rubbish_is_no_table_and_never_breaks_the_reader(text):
    try:
        proposed = proposed_mapping(text, currency="EUR")
        table(text, proposed)
        table(f"{TABLE}{text}")
    except BankFileRefused:
        return
