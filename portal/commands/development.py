"""`make run`: everything from an empty folder to a portal that somebody can sign in to.

A second run finds its work done and keeps the data.
"""

import os
import socket
import sys
from pathlib import Path

from portal import logs
from portal.database import connecting as database
from portal.database import migrating
from portal.domain.catalogue import CatalogueInvalid
from portal.services import catalogue, demo
from portal.services.demo import DemoReport
from portal.settings import make_data_dir, read_settings

from . import cli, server

HOST = "127.0.0.1"
CATALOGUE = Path(__file__).resolve().parents[2] / "catalogue.toml"
SHOWN_ROLES = {
    "owner": "Owner",
    "billing_manager": "Billing manager",
    "member": "Member",
    "operator": "Operator",
}


class CannotRun(Exception):
    """Why not, and what to do about it, in one sentence."""


def main() -> int:
    logs.configure()
    try:
        port = read_port(os.environ.get("PORT", "8000"))
        os.environ.setdefault("PORTAL_BASE_URL", f"http://{HOST}:{port}")
        refuse_busy_port(port)
        report = prepare()
    except (CannotRun, CatalogueInvalid) as error:
        print(error, file=sys.stderr)
        return 1
    except cli.SETUP_FAULTS as error:
        print(cli.sentence_of(error), file=sys.stderr)
        return 1
    print(welcome(report, base_url=os.environ["PORTAL_BASE_URL"]), flush=True)
    server.serve_with_worker(host=HOST, port=port)
    return 0


def read_port(text: str) -> int:
    """The port that PORT names. Raises CannotRun."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise CannotRun(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def refuse_busy_port(port: int) -> None:
    """Raises CannotRun before anything is written, rather than after ten lines of a server's log."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CannotRun(
                f"Port {port} cannot be used ({error.strerror}). Another one: make run PORT={port + 10}"
            ) from error


def prepare() -> DemoReport:
    """Schema, catalogue and the demo workspace, each made or brought up to date. Raises CannotRun."""
    settings = read_settings()
    if not settings.sandbox_only:
        raise CannotRun(
            "make run is for trying Portal with the sandbox alone; PORTAL_GATEWAYS names other gateways too. "
            "Use portal init and portal serve."
        )
    make_data_dir(settings.data_dir)
    database.bind(settings.database_url)
    migrating.migrate()
    with cli.at_work() as runtime:
        now = runtime.clock.now()
        catalogue.apply(CATALOGUE.read_text(encoding="utf-8"), filename=CATALOGUE.name, now=now)
        report = demo.build(size="S", seed=1, now=now)
    # The server's process is forked from this one and may not share its connections.
    database.database.obj.close_all()
    return report


def welcome(report: DemoReport, *, base_url: str) -> str:
    """Where to sign in and as whom, for a person at a terminal."""
    shown = [(SHOWN_ROLES[user.role], user.email) for user in report.users if user.role in SHOWN_ROLES]
    columns = [max(map(len, column)) for column in zip(*shown, strict=True)]
    people = [f"    {role:{columns[0]}}   {email:{columns[1]}}   {report.password}" for role, email in shown]
    return "\n".join(
        [
            "",
            f"  Sign in at {base_url}/sign-in",
            "",
            *people,
            "",
            f"  Cards that pay, and cards that do not:  {base_url}/sandbox/",
            f"  All mail that was sent:                 {base_url}/sandbox/mailbox",
            "",
            "  Ctrl-C stops it. The data stays in var/ for the next make run.",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
