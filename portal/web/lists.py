"""Lists that are read a page at a time: the address names the row before which the next page begins."""

from flask import request

LARGEST_ID = 2**31 - 1


def page_cursor(name: str = "before") -> int | None:
    """`?before=`: the id that a page's link to older rows gave; None for the first page, and for nonsense.

    A list that begins with the oldest goes on `after` an id.
    """
    text = request.args.get(name, "")
    plain = text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_ID))
    return min(int(text), LARGEST_ID) if plain else None
