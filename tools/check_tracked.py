"""Nothing tracked names a package registry's host or a path of somebody's machine.

    python -m tools.check_tracked

A clone must install from whichever index its own machine is set up for.
"""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "a registry's host": re.compile(
        r"\b(?:pypi|pythonhosted|npmjs|yarnpkg|debian|ubuntu|dockerhub)\.(?:org|com|io)\b(?!/(?:doc|releases|security))",
        re.IGNORECASE,
    ),
    "a mirror's address": re.compile(
        r"(?:index|extra-index|find-links)[-_ ]?(?:url)?\s*[=:]?\s*https?://", re.IGNORECASE
    ),
    "a path of one machine": re.compile(r"(?<![\w./}>-])/(?:home|Users|root|work)/[\w.]"),
}
# Vendored files are as their authors made them, and pinned by hash.
VENDORED = ("static/vendor/", "static/js/htmx")


def tracked_files(root: Path = ROOT) -> list[Path]:
    """What a commit of everything here would hold: tracked files and new ones that are not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return [root / name for name in listed.stdout.split("\0") if name and not name.startswith(VENDORED)]


def faults(paths: Iterable[Path]) -> Iterator[tuple[Path, int, str]]:
    """Each file and line that names something it should not, and what."""
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        for what, pattern in FORBIDDEN.items():
            for match in pattern.finditer(text):
                yield path, text.count("\n", 0, match.start()) + 1, f"names {what}: {match.group()!r}"


def main() -> int:
    found = list(faults(tracked_files()))
    for path, line, sentence in found:
        print(f"{path.relative_to(ROOT)}:{line}: {sentence}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
