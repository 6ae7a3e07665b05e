"""The PostgreSQL driver, which Peewee and Huey load with themselves wherever it is installed."""

import sys


def leave_out_postgresql(*addresses: str) -> None:
    """Let this process do without the driver where no address asks for it: 10 MB, and a tenth of its start.

    Before anything loads Peewee; afterwards it changes nothing.
    """
    if "peewee" in sys.modules or any(address.startswith("postgres") for address in addresses):
        return
    # None is Python's own way to say that a module cannot be imported.
    sys.modules["psycopg"] = None  # type: ignore[assignment]
