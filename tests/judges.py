"""What others wrote, in an environment of its own: it judges what we made, and is never imported."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from portal.documents.e_invoice import e_invoice

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv-outside" / "bin" / "python"
MISSING = "the judges that others wrote are not installed (python3 tools/setup.py dev --outside)"


FRENCH_RATES_ALONE = "BR-FR: BR-FR-16"
"""The French rules know French rates; a consumer in another member state bears that of their country."""


def are_here() -> bool:
    return PYTHON.exists() and shutil.which("qpdf") is not None


def skip_without_judges() -> None:
    """Skips, loudly; with CI=true it fails."""
    if are_here():
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"{MISSING}: with CI=true their tests may not be skipped.")
    pytest.skip(MISSING)


def judged(documents: Mapping[str, bytes], folder: Path) -> dict[str, list[str]]:
    """Name of each faulty XML or PDF → what the schema and both Schematrons say. One process for all."""
    skip_without_judges()
    folder.mkdir(exist_ok=True)
    for name, content in documents.items():
        (folder / name).write_bytes(content)
    judge = Path(__file__).parent / "outside" / "judge_e_invoices.py"
    done = subprocess.run([PYTHON, judge, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def faults_of(issued: Mapping[str, Mapping[str, Any]], folder: Path) -> dict[str, list[str]]:
    """Name of each of these facts whose e-invoice is faulty → why, but for rates of other member states."""
    files = {f"{at:04d}.xml": name for at, name in enumerate(issued)}
    found = judged({file: e_invoice(issued[name]) for file, name in files.items()}, folder)
    faults = {}
    for file, sentences in found.items():
        facts = issued[files[file]]
        is_abroad = facts["tax"]["country"] != "FR" and facts["totals"]["tax_minor"] > 0
        left = [each for each in sentences if not (is_abroad and each.startswith(FRENCH_RATES_ALONE))]
        if left:
            faults[files[file]] = left
    return faults


def checked_by_qpdf(pdf: bytes, folder: Path) -> str:
    """Nothing, or what qpdf finds wrong with the file."""
    skip_without_judges()
    path = folder / "checked.pdf"
    path.write_bytes(pdf)
    done = subprocess.run(["qpdf", "--check", path], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr
