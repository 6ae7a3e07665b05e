"""The folder of our files, and the files in it: nobody else on the machine reads them."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .values import SettingsError

SHORTEST_SECRET_KEY = 32
FEWEST_CHARACTERS = 8
"""Different ones: fewer are no random text."""
MAKE_A_KEY = 'python3 -c "import secrets; print(secrets.token_urlsafe(48))" makes one'


# --- folders --------------------------------------------------------------------------------------


def folder(name: str, text: str) -> Path:
    """A folder that is there, or can be made. Raises SettingsError; makes nothing."""
    path = Path(text)
    _require_a_place(name, path, what="a folder")
    return path


def file(name: str, text: str) -> Path:
    """A file that is there, or can be made. Raises SettingsError; makes nothing."""
    path = Path(text)
    try:
        if path.is_dir():
            raise SettingsError(f"{name} is {text!r}, which is a folder: it must name a file.")
        if path.exists() and not os.access(path, os.R_OK | os.W_OK):
            raise SettingsError(f"{name} is {text!r}, which this user may not read and write.")
    except OSError as error:
        raise SettingsError(f"{name} is {text[:60]!r}, which cannot be a file: {error.strerror}.") from None
    _require_a_place(name, path.parent, what="a folder for its file")
    return path


def _require_a_place(name: str, path: Path, *, what: str) -> None:
    text = str(path)
    if re.match(r"[a-z]+:/", text):
        raise SettingsError(f"{name} must be a path on this machine, not {text[:60]!r}.")
    if text.startswith("~"):
        raise SettingsError(f"{name} must be a whole path: ~ means nothing here.")
    try:
        nearest = next(each for each in (path, *path.absolute().parents) if os.path.lexists(each))
        if not nearest.is_dir():
            raise SettingsError(f"{name} needs {what}, and {str(nearest)!r} is not one.")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise SettingsError(f"{name} needs {what}, and this user may not write in {str(nearest)!r}.")
        with suppress(FileNotFoundError):
            # A name that is too long.
            path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise SettingsError(f"{name} is {text[:60]!r}, which cannot be used: {reason}.") from None


def make_data_dir(path: Path) -> None:
    """`path`, ours alone, if it is not there yet. Raises SettingsError."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(
            f"PORTAL_DATA_DIR: the folder {str(path)!r} cannot be made: {error.strerror}."
        ) from None


def open_to_others(paths: list[Path]) -> Iterator[tuple[Path, str]]:
    """Those that others than their owner may open, each with the mode that it should have."""
    for path in paths:
        if path.exists() and path.stat().st_mode & 0o077:
            yield path, "700" if path.is_dir() else "600"


# --- the secret key -------------------------------------------------------------------------------


def secret_key(name: str, text: str) -> str:
    """Long enough and random enough to sign with. The key is never shown."""
    if len(text) < SHORTEST_SECRET_KEY:
        raise SettingsError(f"{name} is shorter than {SHORTEST_SECRET_KEY} characters; {MAKE_A_KEY}.")
    if len(set(text)) < FEWEST_CHARACTERS:
        raise SettingsError(f"{name} repeats the same few characters; {MAKE_A_KEY}.")
    if " " in text:
        raise SettingsError(f"{name} has a blank in a key; {MAKE_A_KEY}.")
    return text


def kept_secret_key(data_dir: Path) -> str:
    """The key kept in the data directory, made readable by its owner only when it is not there yet."""
    make_data_dir(data_dir)
    path = data_dir / "secret_key"
    key = secrets.token_urlsafe(48)
    try:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return secret_key(f"PORTAL_SECRET_KEY is not set, and the key in {str(path)!r}", _read(path))
        with os.fdopen(descriptor, "w") as kept:
            kept.write(key)
    except OSError as error:
        raise SettingsError(
            f"PORTAL_SECRET_KEY is not set, and no key can be kept in {str(path)!r}: {error.strerror}."
        ) from None
    return key


def _read(path: Path) -> str:
    return path.read_bytes().decode("ascii", "replace").strip()
