"""The vendor's face among the settings: name, logo and accent colour of pages, mails and documents."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .colours import Accent, accent, read_colour
from .logo import LogoUnusable, judge_logo
from .values import Reader, SettingsError, is_printed, shown

OUR_NAME = "Portal"
OUR_ACCENT = Accent(light="#1752c4", dark="#8fb9ff")
"""As in static/css/tokens.css."""
LONGEST_NAME = 40
LARGEST_LOGO_BYTES = 100 * 1024
"""It is in every document: twice as much would make each take a third of a second longer."""


@dataclass(frozen=True)
class Logo:
    """A picture that was judged: nothing in it runs or asks another machine for anything."""

    content: bytes
    media_type: str

    @cached_property
    def name(self) -> str:
        """The name of the file that browsers ask for."""
        return "logo.svg" if self.media_type == "image/svg+xml" else "logo.png"

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Brand:
    """`accent` is None where our own blue stays."""

    name: str
    logo: Logo | None
    accent: Accent | None

    @property
    def is_vendors(self) -> bool:
        """Whether the vendor gave a face at all; documents and the menu of a workspace bear no other."""
        return self.logo is not None or self.name != OUR_NAME


def read_brand(read: Reader) -> Brand:
    """Raises SettingsError."""
    name = read.line("PORTAL_BRAND_NAME", OUR_NAME)
    if len(name) > LONGEST_NAME or not is_printed(name) or not any(map(str.isalnum, name)):
        raise SettingsError(
            f"PORTAL_BRAND_NAME must be a name of at most {LONGEST_NAME} letters, not {shown(name)}."
        )
    logo = read.text("PORTAL_BRAND_LOGO", "")
    colour = read.text("PORTAL_BRAND_ACCENT", "")
    return Brand(
        name=name,
        logo=_logo("PORTAL_BRAND_LOGO", logo) if logo else None,
        accent=_accent("PORTAL_BRAND_ACCENT", colour) if colour else None,
    )


def _accent(name: str, text: str) -> Accent:
    try:
        return accent(read_colour(text))
    except ValueError:
        raise SettingsError(f"{name} must be a colour such as #1752c4, not {shown(text)}.") from None


def _logo(name: str, text: str) -> Logo:
    try:
        with Path(text).open("rb") as opened:
            content = opened.read(LARGEST_LOGO_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise SettingsError(f"{name} is {shown(text)}, which cannot be read: {reason}.") from None
    if len(content) > LARGEST_LOGO_BYTES:
        raise SettingsError(f"{name} is {shown(text)}, which is larger than {LARGEST_LOGO_BYTES // 1024} KB.")
    try:
        return Logo(content=content, media_type=judge_logo(content))
    except LogoUnusable as fault:
        raise SettingsError(f"{name} is {shown(text)}, which cannot be the logo: {fault}.") from None
