"""Who needs no PostgreSQL does not carry its driver."""

import subprocess
import sys

import pytest

ASKED = """
import sys
from portal.database.driver import leave_out_postgresql
leave_out_postgresql(*sys.argv[1:])
import portal.models
import portal.worker.queue
print(sys.modules.get("psycopg") is not None)
"""


@pytest.mark.parametrize(
    ("addresses", "has_driver"),
    [
        (("sqlite:///portal.sqlite", "sqlite:///queue.sqlite"), "False"),
        (("postgresql://portal@localhost/portal", "sqlite:///queue.sqlite"), "True"),
        (("sqlite:///portal.sqlite", "postgresql://portal@localhost/queue"), "True"),
    ],
)
def test_the_driver_is_loaded_where_an_address_asks_for_it(addresses, has_driver) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", ASKED, *addresses], capture_output=True, text=True, check=True, timeout=120
    )
    assert ran.stdout.strip() == has_driver
