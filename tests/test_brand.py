"""The vendor's face: which files may be a logo, which colours can be read, and where both are shown."""

import io
import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pypdf
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portal.documents.pdf import Letterhead, render_invoice
from portal.mail.writing import render_mail
from portal.models import Document, Invoice
from portal.runtime import install
from portal.services.invoices import pdfs
from portal.settings import OUR_ACCENT, Logo, read_settings
from portal.settings.colours import BLACK, WHITE, Colour, accent, contrast, read_colour
from portal.settings.logo import LogoUnusable, judge_logo
from tests.attackers import Attacker
from tests.documents.test_pdf import FACTS
from tests.paying import an_order, make_runtime, pay
from tests.visiting import facts

ROOT = Path(__file__).resolve().parent.parent
SVG = 'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"'
LOGO = f"<svg {SVG}><style>.a{{fill:#0b7a4b}}</style><rect class='a' width='120' height='40'/></svg>".encode()


def an_svg(inside: str, attributes: str = SVG) -> bytes:
    return f"<svg {attributes}>{inside}</svg>".encode()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def a_png(
    width: int = 4,
    height: int = 2,
    *,
    colour: int = 6,
    depth: int = 8,
    interlaced: int = 0,
    pixels: bytes | None = None,
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    rows = (b"\0" + b"\x40" * width * 4) * height if pixels is None else pixels
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# --- which files ----------------------------------------------------------------------------------

GOOD = {
    "a drawing": LOGO,
    "with a declaration": b'<?xml version="1.0" encoding="UTF-8"?>\n' + LOGO,
    "with a byte order mark": b"\xef\xbb\xbf" + LOGO,
    "a gradient inside": an_svg(
        '<defs><linearGradient id="g"><stop offset="0" stop-color="red"/></linearGradient></defs>'
        '<path fill="url(#g)" d="M0 0h9v9z"/><use href="#g"/>'
    ),
    "notes of an editor": an_svg(
        '<metadata><r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#">a</r:RDF></metadata>'
    ),
    "a width and a height": an_svg("<g/>", 'xmlns="http://www.w3.org/2000/svg" width="120" height="40px"'),
    "a PNG": a_png(),
}
BAD = {
    "nothing": b"",
    "text": b"no picture\n",
    "a JPEG": b"\xff\xd8\xff\xe0" + b"\0" * 100,
    "a page": b"<html><svg></svg></html>",
    "a script": an_svg("<script>alert(1)</script>"),
    "a script of XHTML": an_svg('<x:script xmlns:x="http://www.w3.org/1999/xhtml">alert(1)</x:script>'),
    "a handler": an_svg('<rect onload="alert(1)"/>'),
    "a handler in capitals": an_svg('<rect ONCLICK="alert(1)"/>'),
    "a page inside": an_svg("<foreignObject><p/></foreignObject>"),
    "a link": an_svg('<a href="https://evil.example"><rect/></a>'),
    "a picture elsewhere": an_svg('<image href="https://evil.example/x.png"/>'),
    "a use elsewhere": an_svg('<use href="https://evil.example/x.svg#a"/>'),
    "an old link": an_svg('<use xmlns:l="http://www.w3.org/1999/xlink" l:href="x.svg#a"/>'),
    "a script as a link": an_svg('<use href="javascript:alert(1)"/>'),
    "data as a link": an_svg('<use href="data:image/svg+xml,x#a"/>'),
    "an animation": an_svg('<rect><set attributeName="href" to="https://evil.example"/></rect>'),
    "a style elsewhere": an_svg("<style>@import 'https://evil.example/x.css';</style>"),
    "a font elsewhere": an_svg("<style>@font-face{src:url(https://evil.example/x)}</style>"),
    "a style split by a comment": an_svg("<style>a{fill:u/**/rl(https://evil.example/x)}</style>"),
    "a style with an escape": an_svg(r"<style>a{fill:\75rl(https://evil.example/x)}</style>"),
    "a style in CDATA": an_svg("<style><![CDATA[a{fill:url( 'https://evil.example/x' )}]]></style>"),
    "a colour elsewhere": an_svg('<rect fill="url(https://evil.example/x#a)"/>'),
    "a style attribute": an_svg('<rect style="background:URL(//evil.example/x)"/>'),
    "another base": an_svg('<g xml:base="https://evil.example/"/>'),
    "a sheet named before": b'<?xml-stylesheet href="https://evil.example/x.css"?>' + LOGO,
    "entities": b'<!DOCTYPE svg [<!ENTITY a "aaaa">]>' + LOGO,
    "a document type": b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/x.dtd">' + LOGO,
    "another encoding": LOGO.decode().encode("utf-16"),
    "an encoding that hides": b'<?xml version="1.0" encoding="utf-7"?>' + b"+ADw-svg+AD4- <svg/>",
    "cut off": LOGO[:-8],
    "two roots": LOGO + LOGO,
    "no size": an_svg("<g/>", 'xmlns="http://www.w3.org/2000/svg"'),
    "no area": an_svg("<g/>", 'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 0 40"'),
    "a size of the page": an_svg("<g/>", 'xmlns="http://www.w3.org/2000/svg" width="100%" height="100%"'),
    "no namespace": b'<svg viewBox="0 0 1 1"/>',
    "too deep": an_svg("<g>" * 60 + "</g>" * 60),
    "too many parts": an_svg("<g/>" * 6000),
    "repeated without end": an_svg('<g id="a"/>' + '<use href="#a"/>' * 20),
    "a PNG cut off": a_png()[:-5],
    "a PNG with a page behind it": a_png() + b"<script>alert(1)</script>",
    "a PNG with a wrong sum": a_png().replace(b"IEND", b"IENE"),
    "a huge PNG": a_png(30_000, 30_000, pixels=b""),
    "a flat PNG": a_png(0, 5, pixels=b""),
    "a PNG bomb": a_png(4, 2, pixels=b"\0" * 50_000_000),
    "a PNG without pixels": a_png(pixels=b""),
    "a PNG of unknown rows": a_png(pixels=(b"\x09" + b"\x40" * 16) * 2),
    "a PNG of unknown colours": a_png(colour=5),
    "a PNG without its palette": a_png(colour=3, pixels=(b"\0" + b"\0" * 4) * 2),
    "an interlaced PNG": a_png(interlaced=1),
}


@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD)
def test_a_picture_may_be_the_logo(content) -> None:
    assert judge_logo(content) == ("image/png" if content.startswith(b"\x89") else "image/svg+xml")


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_what_runs_calls_out_or_is_broken_may_not(content) -> None:
    with pytest.raises(LogoUnusable) as refusal:
        judge_logo(content)
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD)
def test_whatever_may_be_the_logo_can_be_printed(content) -> None:
    letterhead = Letterhead("Verdoyer", logo=content, is_svg=judge_logo(content) == "image/svg+xml")
    assert render_invoice(FACTS, locale="fr", letterhead=letterhead) != render_invoice(FACTS, locale="fr")


# --- which colours --------------------------------------------------------------------------------

colours = st.tuples(*[st.integers(0, 255)] * 3)
TOKENS = (ROOT / "static" / "css" / "tokens.css").read_text(encoding="utf-8")


def token(name: str) -> tuple[Colour, Colour]:
    """A colour of tokens.css in the light theme and in the dark one."""
    found = re.search(rf"--{name}: light-dark\((#\w+), (#\w+)\)", TOKENS)
    light, dark = (read_colour(each if len(each) == 7 else f"#{each[1:] * 2}") for each in found.groups())
    return light, dark


def in_oklab(colour: Colour) -> list[float]:
    """Björn Ottosson, "A perceptual color space for image processing"."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255 for part in colour)
    )
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    medium = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return [
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    ]


def from_oklab(lightness: float, a: float, b: float) -> Colour:
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    within = (max(0, min(1, c)) for c in linear)
    spread = (12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in within)
    red, green, blue = (round(255 * c) for c in spread)
    return red, green, blue


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """`color-mix(in oklab, one, other share)`."""
    pairs = zip(in_oklab(one), in_oklab(other), strict=True)
    return from_oklab(*(mine * (1 - share) + its * share for mine, its in pairs))


def grounds(theme: int, mark: Colour) -> list[Colour]:
    """Whatever accent-coloured text stands on, as tokens.css mixes it."""
    paper, ink = token("paper")[theme], token("ink")[theme]
    surface = mixed(WHITE, paper, 0.15) if theme == 0 else mixed(paper, ink, 0.05)
    return [paper, surface, mixed(paper, ink, 0.05), mixed(surface, mark, 0.08)]


@given(colours)
@example((0, 0, 0))
@example((255, 255, 255))
@example((0x16, 0xC7, 0x84))
@example((255, 255, 0))
@example((0, 0, 255))
def test_any_colour_becomes_one_that_can_be_read_in_both_themes(colour) -> None:
    fitted = accent(colour)
    for theme, mark in enumerate(map(read_colour, (fitted.light, fitted.dark))):
        assert all(contrast(mark, ground) >= 4.5 for ground in grounds(theme, mark))
        assert contrast(mark, token("on-accent")[theme]) >= 4.5


@given(colours)
def test_a_colour_that_can_be_read_already_is_kept(colour) -> None:
    """Fitted once more, nothing changes."""
    fitted = accent(colour)
    assert accent(read_colour(fitted.light)).light == fitted.light
    assert accent(read_colour(fitted.dark)).dark == fitted.dark


def test_contrast_is_that_of_wcag() -> None:
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    assert contrast(WHITE, WHITE) == pytest.approx(1)
    assert contrast(read_colour("#767676"), WHITE) == pytest.approx(4.54, abs=0.01)


def test_our_own_accent_is_that_of_the_stylesheet() -> None:
    light, dark = token("accent")
    assert (read_colour(OUR_ACCENT.light), read_colour(OUR_ACCENT.dark)) == (light, dark)


# --- pages ----------------------------------------------------------------------------------------


@pytest.fixture
def environment(environment, tmp_path):
    """A vendor called Verdoyer, with a logo and a green."""
    file = tmp_path / "verdoyer.svg"
    file.write_bytes(LOGO)
    return {
        **environment,
        "PORTAL_BRAND_NAME": "Verdoyer & Cie",
        "PORTAL_BRAND_LOGO": str(file),
        "PORTAL_BRAND_ACCENT": "#16c784",
    }


@pytest.mark.engine("sqlite")
def test_pages_bear_the_vendors_name_logo_and_colour(app) -> None:
    page = Attacker(app).get("/terms").text
    assert " – Verdoyer &amp; Cie</title>" in page
    assert "Portal<" not in page
    [address] = re.findall(r'<img src="(/static/logo\.svg\?v=\w+)" alt="Verdoyer &amp; Cie">', page)
    logo = Attacker(app).get(address)
    assert logo.data == LOGO
    assert logo.content_type.startswith("image/svg+xml")
    assert logo.headers["Content-Security-Policy"] == "sandbox; default-src 'none'; style-src 'unsafe-inline'"
    assert logo.headers["X-Content-Type-Options"] == "nosniff"
    [sheet] = re.findall(r'href="(/static/portal\.css\?v=\w+)"', page)
    fitted = accent((0x16, 0xC7, 0x84))
    assert f"--accent: light-dark({fitted.light}, {fitted.dark});" in Attacker(app).get(sheet).text
    assert not re.search(r"\sstyle=|<style", page)


@pytest.mark.engine("sqlite")
@pytest.mark.faults_expected
def test_the_page_of_a_fault_bears_them_too(app, monkeypatch) -> None:
    monkeypatch.setitem(app.view_functions, "public.terms", lambda: 1 / 0)
    app.testing = False
    page = Attacker(app).get("/terms")
    assert page.status_code == 500
    assert "Verdoyer &amp; Cie" in page.text


def test_without_a_brand_the_stylesheet_is_as_it_was(tmp_path) -> None:
    from portal.web.assets import accent_style

    plain = read_settings(
        {"PORTAL_SECRET_KEY": "only-for-tests-" * 4, "PORTAL_DATA_DIR": str(tmp_path)}
    ).brand
    assert accent_style(plain) == b""
    assert not plain.is_vendors


# --- mails and documents --------------------------------------------------------------------------


@pytest.mark.engine("sqlite")
def test_letters_bear_the_name_and_the_colour(app, settings) -> None:
    with facts(app):
        context = {"name": "Jeanne", "minutes": 15, "path": "/x"}
        _subject, text, html = render_mail("magic_link", "en", context)
    fitted = accent((0x16, 0xC7, 0x84))
    assert "Verdoyer & Cie" in text
    assert "Verdoyer &amp; Cie" in html
    assert fitted.light in html and fitted.dark in html
    assert OUR_ACCENT.light not in html


@pytest.mark.engine("sqlite")
def test_documents_bear_the_logo_and_those_made_before_keep_their_bytes(place, settings, clock) -> None:
    order = an_order(place)
    pay(order)
    invoice = Invoice.get(Invoice.order == order)
    made = pdfs.pdf_of(invoice.id, "fr")
    xml = pdfs.xml_of(invoice.id)
    assert made != render_invoice(invoice.facts, locale="fr", e_invoice=xml)
    mark = Letterhead("Verdoyer & Cie", logo=LOGO, is_svg=True)
    assert made == render_invoice(invoice.facts, locale="fr", letterhead=mark, e_invoice=xml)
    changed = replace(settings, brand=replace(settings.brand, name="Another", logo=None))
    install(make_runtime(changed, clock))
    assert pdfs.pdf_of(invoice.id, "fr") == made
    later = pypdf.PdfReader(io.BytesIO(pdfs.pdf_of(invoice.id, "en")))
    assert later.pages[0].extract_text().startswith("Another")


@pytest.mark.engine("sqlite")
def test_an_invoice_is_printed_without_a_logo_that_cannot_be(place, settings, clock) -> None:
    """Somebody has paid for it. No file that was judged is known to do so."""
    order = an_order(place)
    pay(order)
    invoice = Invoice.get(Invoice.order == order)
    broken = Logo(content=b"\x89PNG\r\n\x1a\nbroken", media_type="image/png")
    install(make_runtime(replace(settings, brand=replace(settings.brand, logo=broken)), clock))
    made, xml = pdfs.pdf_of(invoice.id, "fr"), pdfs.xml_of(invoice.id)
    assert made == render_invoice(invoice.facts, locale="fr", e_invoice=xml)
    assert Document.select().count() == 2
