"""Write both lock files anew: every package with its hashes, for every system, and no address.

python3 tools/lock.py [--upgrade] [--upgrade-package NAME]
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHOSEN = {
    "requirements.lock": ["--all-extras"],
    "requirements-dev.lock": ["--all-extras", "--group", "dev"],
}


def main(arguments: list[str]) -> int:
    for lock, selection in CHOSEN.items():
        command = [
            "uv",
            "pip",
            "compile",
            "pyproject.toml",
            *selection,
            "--quiet",
            "--universal",
            "--generate-hashes",
        ]
        quiet = ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
        try:
            subprocess.run(
                [*command, *quiet, *arguments, "-o", lock], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
            )
        except FileNotFoundError:
            print("lock: uv is missing: install it first (`python3 -m pip install uv`).", file=sys.stderr)
            return 1
        except subprocess.CalledProcessError as error:
            return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
