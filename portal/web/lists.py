"""Lists that are read a page at a time, and numbers that an address or a form names.

The address of a list names the row before which the next page begins.
"""

from flask import abort, request

LARGEST_ID = 2**31 - 1


def page_cursor(name: str = "before") -> int | None:
    """`?before=`: the id that a page's link to older rows gave; None for the first page, and for nonsense.

    A list that begins with the oldest goes on `after` an id.
    """
    found = whole_number(request.args.get(name, ""), digits=len(str(LARGEST_ID)))
    return None if found is None else min(found, LARGEST_ID)


def part_or_404(last: int) -> int:
    """`?part=`: one of the parts 1 to `last` of a download, the first where none is named."""
    part = whole_number(request.args.get("part", "1"), digits=5) or 0
    return part if 1 <= part <= last else abort(404)


def whole_number(text: str, *, digits: int) -> int | None:
    """The number that the text is in so many digits at the most, without a sign; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
