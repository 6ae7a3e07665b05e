"""XML of strangers, entry by entry: without DOCTYPE and entities, bounded in depth, by local names alone."""

import re
from collections.abc import Iterator
from typing import Any, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from .lines import Fault, refuse

DEEPEST = 30
PIECE = 1 << 16
MARKUP = re.compile(r"<!(?!--|\[CDATA\[)")
"""What begins a DOCTYPE, or anything else of a DTD."""
DECLARATION = re.compile(r"^\ufeff?\s*<\?xml[^>]*\?>")


def elements(text: str, *, wanted: frozenset[str]) -> Iterator[Element]:
    """Each element of these names, by local name, once it is read to its end; its content is gone after that.

    So a statement of any length takes the memory of one entry. Raises BankFileRefused.
    """
    if MARKUP.search(text):
        raise refuse(Fault.DOCTYPE)
    # Decoded already: what the file says of its encoding no longer holds.
    plain = DECLARATION.sub("", text, count=1)
    # No DTD can be in it, so that no entity is there to be expanded or fetched.
    parser: XMLPullParser[Any] = XMLPullParser(events=("start", "end"))
    depth = 0
    try:
        for start in range(0, len(plain) + 1, PIECE):
            parser.feed(plain[start : start + PIECE])
            for event, element in cast("Iterator[tuple[str, Element]]", parser.read_events()):
                if event == "start":
                    depth += 1
                    if depth > DEEPEST:
                        raise refuse(Fault.TOO_DEEP)
                    # Without its namespace: banks differ in versions, and a name means the same in each.
                    element.tag = element.tag.rpartition("}")[2]
                    continue
                depth -= 1
                if element.tag in wanted:
                    yield element
                    element.clear()
        parser.close()
    except ParseError as fault:
        raise refuse(Fault.BROKEN, place=fault.position[0]) from None


def child(element: Element | None, *path: str) -> Element | None:
    """The first at the end of the path."""
    for name in path:
        if element is None:
            return None
        element = element.find(name)
    return element


def children(element: Element | None, name: str) -> list[Element]:
    return [] if element is None else element.findall(name)


def text_at(element: Element | None, *path: str) -> str:
    """The text of the first at the end of the path; empty where there is none."""
    found = child(element, *path)
    return (found.text or "").strip() if found is not None else ""
