"""Whether a file may be the logo: really a PNG or SVG, of a sane size, where nothing runs or calls out.

It is shown on every page and printed on every invoice, so a broken one is found at start.
"""

import re
import struct
import zlib
from xml.parsers import expat

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PIXELS_A_SIDE = 2000
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""PNG colour type → numbers a pixel."""
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}

SVG = "http://www.w3.org/2000/svg"
DRAWING = frozenset(
    """
    svg g defs symbol use title desc metadata style path rect circle ellipse line polyline polygon text
    tspan linearGradient radialGradient stop clipPath mask pattern marker filter feBlend feColorMatrix
    feComponentTransfer feFuncA feFuncB feFuncG feFuncR feComposite feDropShadow feFlood feGaussianBlur
    feMerge feMergeNode feMorphology feOffset
    """.split()  # noqa: SIM905
)
"""Of SVG: no script, foreignObject, image, link, frame, or animation (which could write a link)."""
NOTES_OF_EDITORS = re.compile(
    r"http://(sodipodi\.sourceforge\.net|www\.inkscape\.org|purl\.org/dc|creativecommons\.org|web\.resource\.org"
    r"|www\.w3\.org/1999/02/22-rdf-syntax-ns#|ns\.adobe\.com|www\.bohemiancoding\.com)"
)
MOST_ELEMENTS = 5000
DEEPEST = 50
MOST_USES = 12
"""Each may repeat others: with these few the worst is 81 copies."""


class LogoUnusable(Exception):
    """Why not, as the end of a sentence."""


def judge_logo(content: bytes) -> str:
    """Its media type. Raises LogoUnusable."""
    if content.startswith(PNG_SIGNATURE):
        _judge_png(content)
        return "image/png"
    if b"<svg" in content or b":svg" in content:
        _Svg().judge(content)
        return "image/svg+xml"
    raise LogoUnusable("it is neither an SVG nor a PNG file")


# --- PNG (W3C, third edition) ---------------------------------------------------------------------


def _judge_png(content: bytes) -> None:
    chunks = _png_chunks(content)
    kind, header = chunks[0]
    if kind != b"IHDR" or len(header) != 13:
        raise LogoUnusable("the PNG is broken")
    width, height, depth, colour, compression, filtering, interlaced = struct.unpack(">IIBBBBB", header)
    if not (0 < width <= MOST_PIXELS_A_SIDE and 0 < height <= MOST_PIXELS_A_SIDE):
        raise LogoUnusable(f"it is larger than {MOST_PIXELS_A_SIDE} by {MOST_PIXELS_A_SIDE} pixels")
    if depth not in DEPTHS.get(colour, ()) or compression or filtering or interlaced > 1:
        raise LogoUnusable("the PNG is broken")
    if interlaced:
        raise LogoUnusable("the PNG is interlaced; save it without")
    if colour == 3 and not any(kind == b"PLTE" and data for kind, data in chunks):
        raise LogoUnusable("the PNG has no palette")
    row_bytes = 1 + (width * CHANNELS[colour] * depth + 7) // 8
    pixels = _inflate(b"".join(data for kind, data in chunks if kind == b"IDAT"), row_bytes * height)
    if any(pixels[at] > 4 for at in range(0, len(pixels), row_bytes)):
        raise LogoUnusable("the PNG is broken")


def _png_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    chunks: list[tuple[bytes, bytes]] = []
    at = len(PNG_SIGNATURE)
    while not chunks or chunks[-1][0] != b"IEND":
        if at + 12 > len(content):
            raise LogoUnusable("the PNG is cut off")
        (length,) = struct.unpack_from(">I", content, at)
        kind, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        checksum = content[at + 8 + length : at + 12 + length]
        if checksum != struct.pack(">I", zlib.crc32(kind + data)):
            raise LogoUnusable("the PNG is broken")
        chunks.append((kind, data))
        at += 12 + length
    if at != len(content):
        raise LogoUnusable("something follows the end of the PNG")
    return chunks


def _inflate(packed: bytes, wanted_bytes: int) -> bytes:
    """Exactly so many bytes and no more: a small file may hold gigabytes."""
    inflater = zlib.decompressobj()
    try:
        pixels = inflater.decompress(packed, wanted_bytes + 1)
    except zlib.error:
        pixels = b""
    if len(pixels) != wanted_bytes or not inflater.eof:
        raise LogoUnusable("the PNG is broken")
    return pixels


# --- SVG ------------------------------------------------------------------------------------------


class _Svg:
    """Reads the file once and refuses the first thing that a drawing does not need."""

    def __init__(self) -> None:
        self.depth = self.elements = self.uses = 0
        self.style: list[str] | None = None
        self.parser = expat.ParserCreate("utf-8", " ")
        self.parser.StartElementHandler = self.begin
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text
        self.parser.StartDoctypeDeclHandler = self.refuse_doctype
        self.parser.ProcessingInstructionHandler = self.refuse_instruction

    def judge(self, content: bytes) -> None:
        try:
            text = content.decode("utf-8-sig")
            if "\x00" in text:
                raise LogoUnusable("the SVG must be written in UTF-8")
            self.parser.Parse(text.strip().encode(), True)
        except UnicodeDecodeError:
            raise LogoUnusable("the SVG must be written in UTF-8") from None
        except expat.ExpatError as error:
            raise LogoUnusable(f"the SVG is broken in line {error.lineno}") from None

    def begin(self, element: str, attributes: dict[str, str]) -> None:
        namespace, _, name = element.rpartition(" ")
        self.depth, self.elements = self.depth + 1, self.elements + 1
        if self.elements > MOST_ELEMENTS or self.depth > DEEPEST:
            raise LogoUnusable("the SVG has too many parts")
        if self.depth == 1:
            self.judge_root(namespace, name, attributes)
        if namespace != SVG and not NOTES_OF_EDITORS.match(namespace):
            raise LogoUnusable(f"the SVG has an element {name} that is no part of a drawing")
        if namespace == SVG and name not in DRAWING:
            raise LogoUnusable(f"the SVG has an element {name}, which a logo may not have")
        if namespace == SVG and name == "use":
            self.uses += 1
            if self.uses > MOST_USES:
                raise LogoUnusable("the SVG repeats its parts too often")
        if namespace == SVG and name == "style":
            self.style = []
        for attribute, value in attributes.items():
            self.judge_attribute(attribute.rpartition(" ")[2], value)

    def end(self, element: str) -> None:
        self.depth -= 1
        if self.style is not None and element == f"{SVG} style":
            _refuse_outside("".join(self.style))
            self.style = None

    def text(self, text: str) -> None:
        if self.style is not None:
            self.style.append(text)

    def judge_root(self, namespace: str, name: str, attributes: dict[str, str]) -> None:
        if (namespace, name) != (SVG, "svg"):
            raise LogoUnusable(f'it does not begin with <svg xmlns="{SVG}">')
        box = re.split(r"[\s,]+", attributes.get("viewBox", "").strip())
        sides = box[2:] if len(box) == 4 else [attributes.get("width", ""), attributes.get("height", "")]
        if not all(re.fullmatch(r"[0-9]*\.?[0-9]+(px)?", side) and side.strip("0.px") for side in sides):
            raise LogoUnusable("the SVG says no size: it needs a viewBox, or a width and a height in pixels")

    def judge_attribute(self, name: str, value: str) -> None:
        if name.lower().startswith("on"):
            raise LogoUnusable(f"the SVG runs a script ({name})")
        if name.lower() in ("href", "src") and not value.strip().startswith("#"):
            raise LogoUnusable("the SVG points outside itself")
        if name.lower() != "base":
            _refuse_outside(value)
        else:
            raise LogoUnusable("the SVG points outside itself")

    def refuse_doctype(self, *declared: object) -> None:
        raise LogoUnusable("the SVG has a DOCTYPE; save it without")

    def refuse_instruction(self, *instruction: object) -> None:
        raise LogoUnusable("the SVG has a processing instruction, such as a style sheet elsewhere")


def _refuse_outside(style: str) -> None:
    """In a value or a style sheet. Escapes of CSS could spell anything; no drawing needs them."""
    plain = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL).lower()
    points = re.findall(r"url\(\s*[\"']?\s*(.?)", plain)
    if "\\" in plain or "@import" in plain or "image-set" in plain or any(point != "#" for point in points):
        raise LogoUnusable("the SVG points outside itself")
