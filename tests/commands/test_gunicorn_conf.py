"""What each web process is told before its first request."""

import platform
import subprocess
import sys

import pytest

from tests.processes import ROOT

PASSWORDS = """
import psutil
from portal.commands import gunicorn_conf
from portal.services.people.passwords import hash_password

gunicorn_conf.take_little_memory()
hash_password("garden-cello-42-moss")
before = psutil.Process().memory_info().rss
for _ in range(3):
    hash_password("garden-cello-42-moss")
print(psutil.Process().memory_info().rss - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt(3) is glibc's")
def test_the_memory_that_proving_a_password_takes_is_given_back():
    """19 MB each time; what is left over is less than a tenth of that."""
    answer = subprocess.run(
        [sys.executable, "-c", PASSWORDS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(answer.stdout) < 2_000_000
