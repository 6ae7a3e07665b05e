"""Invoice facts to a PDF/A-3a and PDF/UA-1 document, the same bytes each time, with its e-invoice inside.

Such a PDF is Factur-X: the XML is attached, and the metadata say so (facturx_metadata.py).
typst is imported at the first document, never with this module: a process that has compiled must not fork.
"""

import atexit
import gzip
import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from babel import Locale

from portal.domain.check_codes import printed
from portal.domain.legal_numbers import legal_number_name
from portal.domain.money import Money
from portal.domain.tax_numbers import tax_number_label
from portal.domain.vocabulary import PaymentMethodKind, TaxCategory
from portal.words.formats import long_date, money_text, number_text, rate_text, short_date
from portal.words.methods import card_name

from .coverage import FONTS_FOLDER, Font, font_of, packed_fonts_for
from .e_invoice import RECOVERY_CHARGE_MINOR, exchange_words
from .facturx_metadata import with_facturx_metadata
from .labels import LABELS, amendment, earlier, kept, language_of, tax_mention, terms
from .notes import line_number, share_notes
from .printable import BREAK_MARK, clusters, printable, printable_lines
from .transfer_code import has_transfer_code, transfer_code

if TYPE_CHECKING:
    from typst import Compiler, PDFStandard

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """The vendor's own mark at the top: a logo, else a name that is not the seller's."""

    name: str
    logo: bytes | None = None
    is_svg: bool = False


LAYOUT = Path(__file__).with_name("invoice.typ")
PDF_STANDARDS: "list[PDFStandard]" = ["a-3a", "ua-1"]
LONGEST_KEPT_TOGETHER = 600
"""Characters of a line that surely fit one page; a longer line may break across pages."""
NO_RATE = "—"

HAN_FAMILY = "Noto Sans CJK SC"
HAN_LANGUAGES = {
    "TW": ("zh", "TW"),
    "HK": ("zh", "HK"),
    "MO": ("zh", "HK"),
    "JP": ("ja", "JP"),
    "KR": ("ko", "KR"),
    "KP": ("ko", "KP"),
}
"""Language and region whose shapes Chinese characters take, by country; elsewhere those of mainland China."""

FONT_MARK, FIRST_FAMILY_MARK = "\ue000", 0xE100
"""Characters for private use, which no printable text has; invoice.typ reads them."""

_local = threading.local()
_first_process: list[int] = []
_unpacking = threading.Lock()


def render_invoice(
    facts: Mapping[str, Any],
    *,
    locale: str,
    letterhead: Letterhead | None = None,
    e_invoice: bytes | None = None,
) -> bytes:
    """The PDF of an issued invoice or credit note, in the language of `locale` (English where we have none).

    `facts` is the JSON form of InvoiceFacts, `e_invoice` the XML of the same ones, which is attached. The
    document is dated by its facts, so the same facts, locale, letterhead and XML give the same bytes in every
    process, thread and year (as long as typst, fonts and layout are the same).
    Amounts are printed as the facts hold them, never computed. Safe to call from several threads.
    """
    content = {**_content(facts, locale=locale), "vendor": _vendor(letterhead)}
    packed = packed_fonts_for(clusters(" ".join(_texts(content)).replace(BREAK_MARK, "")))
    families = [font.family for font in packed]
    language = _language_of_han(facts["buyer"].get("country"), families)
    content = _with_font_marks(content, packed) | {
        "families": families,
        "buyer_language": language,
        "logo": _logo(letterhead),
        "transfer_code": _transfer_code(facts, LABELS[language_of(locale)]),
    }
    issued_at = datetime.combine(date.fromisoformat(facts["issued_on"]), time(), UTC)
    inputs = {"document": json.dumps(content, sort_keys=True)}
    if e_invoice is not None:
        inputs["e-invoice"] = e_invoice.decode()
    pdf = _compiler(packed).compile(
        sys_inputs=inputs,
        pdf_standards=PDF_STANDARDS,
        format="pdf",
        timestamp=issued_at,
    )
    assert isinstance(pdf, bytes)
    return pdf if e_invoice is None else with_facturx_metadata(pdf)


def _compiler(packed: Sequence[Font] = ()) -> "Compiler":
    """This thread's compiler: one shared by threads raises "Already borrowed".

    The one of the usual fonts stays; of those with packed fonts besides, the one used last.
    """
    if _first_process and _first_process[0] != os.getpid():
        raise RuntimeError("typst was used before fork: this process would hang; start it with spawn")
    slot = "special" if packed else "usual"
    wanted = tuple(font.family for font in packed)
    kept: tuple[tuple[str, ...], Compiler] | None = getattr(_local, slot, None)
    if kept is not None and kept[0] == wanted:
        return kept[1]
    import typst

    folders = [FONTS_FOLDER, *map(_unpacked, packed)]
    fonts = typst.Fonts(
        include_system_fonts=False, include_embedded_fonts=False, font_paths=list(map(str, folders))
    )
    _first_process[:] = [os.getpid()]
    compiler = typst.Compiler(
        str(LAYOUT), root=str(LAYOUT.parent), font_paths=fonts, ignore_system_fonts=True
    )
    setattr(_local, slot, (wanted, compiler))
    return compiler


def _vendor(letterhead: Letterhead | None) -> dict[str, Any] | None:
    if letterhead is None:
        return None
    return {"name": printable(letterhead.name), "format": "svg" if letterhead.is_svg else "png"}


def _logo(letterhead: Letterhead | None) -> str | list[int] | None:
    """It travels as text (SVG) or as numbers (PNG): nothing else passes typst's inputs."""
    if letterhead is None or letterhead.logo is None:
        return None
    return letterhead.logo.decode("utf-8-sig") if letterhead.is_svg else list(letterhead.logo)


@cache
def _unpacked_folder() -> Path:
    """This process's own, removed when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="portal-fonts-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _unpacked(font: Font) -> Path:
    """The folder in which the font stands alone, unpacked at its first use by this process."""
    with _unpacking:
        folder = _unpacked_folder() / font.family.replace(" ", "")
        file = folder / font.path.stem
        if not file.exists():
            folder.mkdir(parents=True, exist_ok=True)
            half = folder / "half"
            half.write_bytes(gzip.decompress(font.path.read_bytes()))
            half.rename(file)
        return folder


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for inner in value.values():
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)


def _with_font_marks(value: Any, packed: Sequence[Font]) -> Any:
    """The content with every run that a packed font draws between two FONT_MARKs, its family's number first.

    Said by us, since typst's own choice loses the letter of a cluster whose marks an earlier font holds.
    """
    if not packed:
        return value
    match value:
        case str():
            marked, current = "", cast("Font | None", None)
            for cluster in clusters(value):
                font = current if cluster == BREAK_MARK else font_of(cluster, packed)
                if font is not current:
                    marked += FONT_MARK if current else ""
                    marked += FONT_MARK + chr(FIRST_FAMILY_MARK + packed.index(font)) if font else ""
                    current = font
                marked += cluster
            return marked + (FONT_MARK if current else "")
        case Mapping():
            return {name: _with_font_marks(inner, packed) for name, inner in value.items()}
        case list():
            return [_with_font_marks(inner, packed) for inner in value]
    return value


def _language_of_han(country: str | None, families: Sequence[str]) -> list[str] | None:
    """Language and region of a text whose Chinese characters look otherwise than in mainland China."""
    language = HAN_LANGUAGES.get(country or "")
    return list(language) if language and HAN_FAMILY in families else None


def _content(facts: Mapping[str, Any], *, locale: str) -> dict[str, Any]:
    """What invoice.typ lays out: every value a string ready to print."""
    language = language_of(locale)
    labels, currency = LABELS[language], facts["currency"]
    seller, issued_on = facts["seller"], date.fromisoformat(facts["issued_on"])
    kind = labels[facts["kind"]]
    return {
        "lang": language,
        "date": [issued_on.year, issued_on.month, issued_on.day],
        "kind": kind,
        "title": f"{kind} {printable(facts['number'])}",
        "seller": {"name": printable(seller["name"]), "lines": _address(seller, labels)},
        "buyer": _buyer(facts, labels),
        "meta": _meta(facts, labels, language),
        "purchase_order": _purchase_order(facts, labels),
        "columns": [labels[name] for name in ("description", "quantity", "unit_price", "vat", "net")],
        "lines": [_line(line, facts, labels, language=language) for line in facts["lines"]],
        "totals": _totals(facts, labels, language),
        "total": [
            labels["total_gross" if facts["totals"]["tax_minor"] else "total_gross_untaxed"],
            money_text(facts["totals"]["gross_minor"], currency, language),
        ],
        "payment": _payment(facts, labels, language),
        "mentions": _mentions(facts, labels, language),
        "footer": {
            "legal": _legal_lines(seller, labels) + _check_line(facts, labels),
            "bank": _bank_rows(facts)
            + ([[labels["reference"], _reference(facts)]] if _is_open(facts) else []),
            "page": labels["page"],
        },
    }


def _address(party: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    lines = [line for part in party["address"] for line in printable_lines(part)]
    if party.get("legal_number"):
        lines.append(_legal_number(party, labels))
    if party.get("vat_number"):
        lines.append(labels["vat_number"].format(number=printable(party["vat_number"])))
    if party.get("tax_number"):
        name, number = tax_number_label(party["country"]), printable(party["tax_number"])
        lines.append(labels["named_tax_number" if name else "tax_number"].format(name=name, number=number))
    return lines


def _legal_number(party: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    name = legal_number_name(party["country"], party["legal_number"]) or labels["register"]
    return labels["legal_number"].format(name=name, number=printable(party["legal_number"]))


def _buyer(facts: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    buyer = facts["buyer"]
    name, contact = printable(buyer["name"]), printable(buyer.get("contact") or "")
    lines = _address(buyer, labels)
    if contact and contact != name:
        lines.insert(0, contact)
    if buyer.get("email"):
        lines.append(printable(buyer["email"]))
    label = labels["billed_to" if facts["kind"] == "invoice" else "credited_to"]
    return {"label": label, "name": name, "lines": lines}


def _meta(facts: Mapping[str, Any], labels: Mapping[str, str], language: str) -> list[list[str]]:
    rows = [
        ("number", facts["number"]),
        ("issued_on", long_date(facts["issued_on"], language)),
    ]
    if _is_open(facts):
        rows += [("payable_on", long_date(facts["due_on"], language)), ("reference", _reference(facts))]
    if named := earlier(facts):
        rows += [
            ("corrects" if "corrects" in facts else "replaces", named["number"]),
            ("corrected_on", long_date(named["issued_on"], language)),
        ]
    rows += [
        ("customer_number", facts.get("customer_number")),
        ("order_number", facts.get("order_number")),
        ("workspace", facts.get("workspace_name")),
    ]
    return [[labels[name], printable(value)] for name, value in rows if value]


def _purchase_order(facts: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any] | None:
    lines = printable_lines(facts.get("purchase_order") or "")
    return {"label": labels["purchase_order"], "lines": lines} if lines else None


def _line(
    line: Mapping[str, Any], facts: Mapping[str, Any], labels: Mapping[str, str], *, language: str
) -> dict[str, Any]:
    currency, fallback = facts["currency"], facts["locale_default"]
    description = printable(_in_language(line["description"], language, fallback) or "")
    if numbered := line_number(line, facts):
        description = f"{numbered} {description}"
    frozen_notes = _in_language(line.get("notes") or {}, language, fallback) or ()
    notes = [printable(note) for note in frozen_notes]
    shares = [printable(note) for note in share_notes(line, facts, language)]
    period = line.get("period")
    return {
        "description": description,
        "period": period
        and labels["period"].format(
            start=short_date(period["start"], language), end=short_date(period["end"], language)
        ),
        "shares": shares,
        "notes": notes,
        "quantity": number_text(line["quantity"], language),
        "unit": money_text(line["unit_minor"], currency, language),
        "rate": rate_text(line["rate_bp"], language) if line["rate_bp"] else NO_RATE,
        "net": money_text(line["net_minor"], currency, language),
        "together": len(description) + sum(map(len, (*shares, *notes))) <= LONGEST_KEPT_TOGETHER,
    }


def _in_language(texts: Mapping[str, T], language: str, fallback: str) -> T | None:
    """The text in `language`, else in `fallback`, else whichever there is."""
    return texts.get(language) or texts.get(fallback) or next(iter(texts.values()), None)


def _totals(facts: Mapping[str, Any], labels: Mapping[str, str], language: str) -> list[list[str]]:
    def money(minor: int) -> str:
        return money_text(minor, facts["currency"], language)

    rows = [[labels["total_net"], money(facts["totals"]["net_minor"])]]
    for part in facts["totals"]["by_rate"]:
        if part["rate_bp"]:
            rate, net = rate_text(part["rate_bp"], language), money(part["net_minor"])
            label = labels["total_tax"].format(rate=rate, net=net)
        elif facts["tax"]["category"] == TaxCategory.REVERSE_CHARGE:
            label = labels["total_reverse_charge"]
        else:
            label = labels["total_untaxed"]
        rows.append([label, money(part["tax_minor"])])
    return rows


def _payment(facts: Mapping[str, Any], labels: Mapping[str, str], language: str) -> list[str]:
    """What happened with the money, in bold, and a second line where there is more to say."""
    payment, is_invoice = facts.get("payment"), facts["kind"] == "invoice"
    if payment and not _is_open(facts):
        how = _how_paid(payment, labels, preposition="by" if is_invoice else "to")
        sentence = labels["paid" if is_invoice else "refunded"]
        lines = [sentence.format(how=how, date=long_date(payment["paid_on"], language))]
        lines += _balance_words(facts, labels, language)
        if payment.get("processor"):
            sentence = labels["processor" if is_invoice else "refund_processor"]
            lines.append(sentence.format(processor=printable(payment["processor"])))
        return lines
    if not is_invoice:
        return [kept(facts, labels)]
    if not facts["totals"]["gross_minor"]:
        return [labels["nothing_due"]]
    due_minor = facts.get("due_minor", facts["totals"]["gross_minor"])
    amount = money_text(due_minor, facts["currency"], language)
    if facts.get("due_on"):
        lines = [labels["due_on"].format(amount=amount, date=long_date(facts["due_on"], language))]
    else:
        lines = [labels["due"].format(amount=amount)]
    if facts["seller"].get("iban"):
        account = " · ".join(f"{name} {value}" for name, value in _bank_rows(facts))
        number = _reference(facts) or printable(facts["number"])
        lines.append(labels["due_by_transfer"].format(iban=account, number=number))
    if payment:
        paid = money_text(facts["totals"]["gross_minor"] - due_minor, facts["currency"], language)
        lines.append(labels["paid_from_balance"].format(amount=paid))
    return lines


def _transfer_code(facts: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str] | None:
    """The QR code of the transfer that pays an open invoice; None where there is none."""
    seller, due = facts["seller"], Money(facts.get("due_minor", 0), facts["currency"])
    if not (_is_open(facts) and facts.get("reference") and seller.get("iban") and has_transfer_code(due)):
        return None
    image = transfer_code(
        name=seller["name"],
        iban=seller["iban"],
        bic=seller.get("bic") or "",
        amount=due,
        reference=facts["reference"],
    )
    return {"image": image, "label": labels["transfer_code"]}


def _is_open(facts: Mapping[str, Any]) -> bool:
    """An invoice of which something was to be paid when it was issued; earlier versions say no such thing."""
    return facts["kind"] == "invoice" and facts.get("due_minor", 0) > 0


def _reference(facts: Mapping[str, Any]) -> str:
    """In groups of four, as banks print it; "" where there is none."""
    reference = facts.get("reference") or ""
    return "\N{NO-BREAK SPACE}".join(reference[at : at + 4] for at in range(0, len(reference), 4))


def _balance_words(facts: Mapping[str, Any], labels: Mapping[str, str], language: str) -> list[str]:
    """How much of it the balance has paid, or keeps of a credit note, beside another method."""
    kept, total = facts["payment"].get("from_balance_minor", 0), facts["totals"]["gross_minor"]
    if not kept or kept == total:
        return []
    sentence = labels["partly_from_balance" if facts["kind"] == "invoice" else "partly_to_balance"]
    amount = money_text(kept, facts["currency"], language)
    return [sentence.format(amount=amount, rest=money_text(total - kept, facts["currency"], language))]


def _how_paid(payment: Mapping[str, Any], labels: Mapping[str, str], *, preposition: str) -> str:
    if payment["method"] != PaymentMethodKind.CARD:
        return labels[f"{preposition}_{payment['method']}"]
    brand, last4 = (printable(payment.get(name) or "") for name in ("brand", "last4"))
    card = card_name(brand, last4, brandless=labels["card"])
    return labels[f"{preposition}_card"].format(card=card)


def _mentions(facts: Mapping[str, Any], labels: Mapping[str, str], language: str) -> list[str]:
    country = facts["tax"]["country"]
    country_name = Locale.parse(language).territories.get(country, country)
    mention = tax_mention(facts, labels, country_name=country_name)
    named = earlier(facts)
    amends = amendment(facts, labels, date=long_date(named["issued_on"], language) if named else "")
    recovery_charge = money_text(RECOVERY_CHARGE_MINOR, "EUR", language)
    told = facts.get("tax_in_seller_currency")
    exchange = exchange_words(facts, told, labels, language) if told else None
    its_terms = terms(facts, labels, recovery_charge=recovery_charge)
    return list(filter(None, (amends, exchange and printable(exchange), mention, its_terms)))


def _legal_lines(seller: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    address = ", ".join(line for part in seller["address"] for line in printable_lines(part))
    lines = [" · ".join(filter(None, (printable(seller["name"]), address)))]
    numbers = []
    if seller.get("legal_number"):
        numbers.append(_legal_number(seller, labels))
    if seller.get("vat_number"):
        numbers.append(labels["vat_number"].format(number=printable(seller["vat_number"])))
    return lines + ([" · ".join(numbers)] if numbers else [])


def _check_line(facts: Mapping[str, Any], labels: Mapping[str, str]) -> list[str]:
    """Where anybody can ask whether the document is ours, and with which code; earlier ones have none."""
    check = facts.get("check")
    if not check:
        return []
    return [labels["check"].format(address=printable(check["address"]), code=printed(check["code"]))]


def _bank_rows(facts: Mapping[str, Any]) -> list[list[str]]:
    """IBAN in groups of four, and BIC, for the lower right corner; a credit note asks for no money."""
    seller = facts["seller"]
    if facts["kind"] != "invoice" or not seller.get("iban"):
        return []
    iban = printable(seller["iban"]).replace(" ", "")
    rows = [["IBAN", "\N{NO-BREAK SPACE}".join(iban[at : at + 4] for at in range(0, len(iban), 4))]]
    if seller.get("bic"):
        rows.append(["BIC", printable(seller["bic"])])
    return rows
