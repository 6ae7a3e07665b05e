"""Taking the words that tell who somebody was out of text that others go on reading."""

import re
from collections.abc import Mapping
from functools import cache
from typing import TypeAlias

JSON: TypeAlias = "bool | int | str | list[JSON] | dict[str, JSON] | None"

SOMEBODY = {"en": "Someone who has left", "fr": "Une personne qui est partie"}
"""As the pages call them."""
KEPT = frozenset({"workspace", "slug"})
"""What a letter calls the workspace by, whatever its people are called."""


def somebody(language: str) -> str:
    return SOMEBODY.get(language, SOMEBODY["en"])


def tells_who(name: str) -> bool:
    """Whether the name can be told from the words of a program: `month` may be both."""
    return bool(name.strip()) and not (name.isascii() and name.isalpha() and name.islower())


def without(value: JSON, *, address: str, name: str, instead: str) -> JSON:
    """`value` with `instead` wherever it says the address, in any case, or the whole name.

    A name that `tells_who` denies is left alone, and so are the entries KEPT.
    """
    if isinstance(value, str):
        text = _address(address).sub(lambda _found: instead, value)
        return _name(name).sub(lambda _found: instead, text) if tells_who(name) else text
    if isinstance(value, list):
        return [without(each, address=address, name=name, instead=instead) for each in value]
    if isinstance(value, Mapping):
        return {
            key: each if key in KEPT else without(each, address=address, name=name, instead=instead)
            for key, each in value.items()
        }
    return value


@cache
def _address(address: str) -> "re.Pattern[str]":
    return re.compile(rf"(?<![\w.+-]){re.escape(address)}(?![\w-]|\.\w)", re.IGNORECASE)


@cache
def _name(name: str) -> "re.Pattern[str]":
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
