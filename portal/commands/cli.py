"""The `portal` command: each part reads its words, calls one service and prints the answer."""

import dataclasses
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from peewee import DatabaseError, OperationalError

from portal import create_app, default_clock, logs, require_printable_names
from portal.clock import ClockUnusable, ShiftedClock, SystemClock
from portal.database import connecting as database
from portal.database import migrating
from portal.database.migrating import SchemaOutdated
from portal.runtime import Runtime, current
from portal.settings import Settings, SettingsError, make_data_dir, read_settings, seller_zone

UNITS = {"h": "hours", "d": "days", "w": "weeks"}
DEFAULT_CATALOGUE = Path("catalogue.toml")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


UNUSABLE, TRY_LATER = os.EX_DATAERR, os.EX_TEMPFAIL
"""What a mail server that pipes a message to us goes by."""
SETUP_FAULTS = (SettingsError, SchemaOutdated, ClockUnusable, DatabaseError, OSError)
"""What an installation can get wrong."""


def sentence_of(fault: Exception) -> str:
    """One line that says what is wrong with the set-up. Raises `fault` itself where our code is wrong."""
    if isinstance(fault, DatabaseError):
        if type(fault) not in (DatabaseError, OperationalError):
            raise fault
        return f"The database of PORTAL_DATABASE_URL cannot be used: {_on_one_line(fault)}"
    return _on_one_line(fault)


def _on_one_line(fault: Exception) -> str:
    return " ".join(str(fault).split())


class PlainFaults(click.Group):
    """Faults of the set-up end a command with one sentence instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        from portal.domain.catalogue import CatalogueInvalid
        from portal.services.demo import InvoicesCameFirst

        try:
            return super().invoke(ctx)
        except (CatalogueInvalid, InvoicesCameFirst) as error:
            raise click.ClickException(str(error)) from error
        except SETUP_FAULTS as error:
            raise click.ClickException(sentence_of(error)) from error


@click.group(cls=PlainFaults, context_settings={"help_option_names": ["-h", "--help"]})
def portal() -> None:
    """The billing portal: set it up, run it, look after it."""
    logs.configure()


def main() -> None:
    portal(prog_name="portal")


@contextmanager
def at_work() -> Iterator[Runtime]:
    """The application with a database connection, for the length of one command."""
    with let_go(), create_app().app_context(), database.connection():
        yield current()


@contextmanager
def let_go() -> Iterator[None]:
    """Close every connection at the end, whichever database is bound by then."""
    try:
        yield
    finally:
        if database.database.obj is not None:
            database.database.obj.close_all()


def show(report: Any, *, as_json: bool) -> None:
    """A report (dataclass or mapping) as `name: value` lines, or as one JSON object."""
    values = dict(report) if isinstance(report, Mapping) else dataclasses.asdict(report)
    if as_json:
        click.echo(json.dumps(values, ensure_ascii=False, default=str))
        return
    for name, value in values.items():
        click.echo(f"{name}: {value}")


def bound_settings() -> Settings:
    """Settings with the models bound to their database, which may have an old schema or none."""
    settings = read_settings()
    make_data_dir(settings.data_dir)
    database.bind(settings.database_url)
    return settings


# --- set up ---------------------------------------------------------------------------------------


@portal.command()
@click.option("--catalogue", type=click.Path(path_type=Path), default=DEFAULT_CATALOGUE, show_default=True)
@click.option("--operator", "operator_email", metavar="EMAIL", help="The first operator.")
@click.pass_context
def init(ctx: click.Context, catalogue: Path, operator_email: str | None) -> None:
    """Migrate, apply the catalogue, make the first operator. Safe to repeat."""
    from portal.services import operator

    ctx.invoke(migrate)
    ctx.invoke(catalogue_apply, file=catalogue)
    with at_work():
        missing = not operator.exists()
    if operator_email is None and missing:
        operator_email = _ask_for_operator()
    if operator_email:
        ctx.invoke(operator_add, email=operator_email)


def _ask_for_operator() -> str:
    try:
        return str(click.prompt("E-mail address of the first operator"))
    except click.Abort:
        if sys.stdin.isatty():
            raise
        # A script: there is nobody to answer.
        raise click.ClickException(
            "There is no operator yet: say who it is, as in portal init --operator you@example.com."
        ) from None


@portal.command()
@click.option("--check", is_flag=True, help="Only say whether migrations are pending (exit code 1).")
def migrate(check: bool = False) -> None:
    """Bring the database's schema up to date."""
    with let_go():
        bound_settings()
        if check:
            with database.connection():
                pending = migrating.pending_migrations()
            click.echo(f"pending: {', '.join(pending) or 'none'}")
            raise SystemExit(1 if pending else 0)
        applied = migrating.migrate()
    click.echo(f"applied: {', '.join(applied) or 'none, the schema is up to date'}")


@portal.group()
def catalogue() -> None:
    """What is on sale."""


def text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        raise click.ClickException(f"{file} is not a text in UTF-8.") from fault


catalogue_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@catalogue.command("check")
@catalogue_file
def catalogue_check(file: Path) -> None:
    """Read a catalogue file and list every fault with its line, as of today."""
    from portal.services import catalogue as service

    today = SystemClock().now().astimezone(seller_zone()).date()
    declared = service.read(text_of(file), filename=file.name, today=today)
    click.echo(f"{file}: {len(declared.products)} products, no fault")


@catalogue.command("apply")
@catalogue_file
def catalogue_apply(file: Path) -> None:
    """Put what the file says on sale. Prices are closed and added, never edited."""
    from portal.services import catalogue as service

    with at_work() as runtime:
        report = service.apply(text_of(file), filename=file.name, now=runtime.clock.now())
    show(report, as_json=False)


@portal.group()
def operator() -> None:
    """The vendor's staff."""


@portal.group()
def workspace() -> None:
    """Facts about a workspace that the vendor enters by hand."""


@workspace.command("storage")
@click.argument("slug")
@click.argument("size")
def workspace_storage(slug: str, size: str) -> None:
    """Set the storage that a workspace uses, e.g. `portal workspace storage acme 3GB`."""
    from portal.services import operator as services_operator

    with at_work() as runtime:
        found = services_operator.find_workspace(slug)
        if found is None:
            raise click.ClickException(f"No workspace has the address {slug}.")
        try:
            used_bytes = services_operator.read_size(size)
        except services_operator.StorageUnreadable as error:
            raise click.ClickException(f"{size} is not a size: write 500MB or 3GB.") from error
        services_operator.set_used_storage(found, used_bytes=used_bytes, now=runtime.clock.now())
        click.echo(f"{slug} uses {used_bytes} bytes")


@operator.command("add")
@click.argument("email")
def operator_add(email: str) -> None:
    """Make a person an operator, known or new."""
    from email_validator import EmailNotValidError

    from portal.services import operator

    with at_work() as runtime:
        try:
            person = operator.add(email, now=runtime.clock.now())
        except EmailNotValidError as error:
            raise click.ClickException(f"{email}: {error}") from error
        click.echo(f"operator: {person.email}")
        if person.password_hash is None:
            click.echo(f"They choose a password with a link from {runtime.settings.base_url}/sign-in")


@portal.group()
def user() -> None:
    """What is kept of one person, known by their e-mail address."""


@user.command("export")
@click.argument("email")
def user_export(email: str) -> None:
    """Print everything that is kept of a person as JSON, on standard output (exit code 1 for nothing).

    No password, no token and no key is in it.
    """
    from portal.services.people import personal_data

    with at_work() as runtime:
        found = personal_data.export(email, now=runtime.clock.now())
    if found is None:
        raise click.ClickException(f"Nothing is kept of {email}.")
    # As bytes: UTF-8, whatever the terminal's own encoding is.
    click.echo(json.dumps(found, ensure_ascii=False, indent=1).encode())


@user.command("erase")
@click.argument("email")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@as_json
def user_erase(email: str, yes: bool, as_json: bool) -> None:
    """Erase a person from everything but issued documents. There is no way back.

    What the law keeps of payments stays without name and address. Safe to repeat.
    """
    from portal.services.people import erasure

    with at_work() as runtime:
        if not yes:
            _ask_to_type_again(email)
        try:
            erased = erasure.erase(email, now=runtime.clock.now())
        except erasure.Refused as refusal:
            raise click.ClickException(_why_not_erased(email, refusal)) from refusal
    if erased is not None:
        show(erased, as_json=as_json)
    elif as_json:
        show({"person_id": None}, as_json=True)
    else:
        click.echo(f"Nothing is kept of {email}: nothing was erased.")


def _why_not_erased(email: str, refusal: Any) -> str:
    """What stands in the way, and what to do about it."""
    from portal.services.people import erasure

    where = ", ".join(getattr(refusal, "slugs", ()))
    match refusal:
        case erasure.OnlyOwner():
            return f"{email} is the only owner of {where}: have it handed over or deleted first."
        case erasure.LastOperator():
            return f"{email} is the last operator: add another one first, with portal operator add."
        case erasure.PayingNow():
            return (
                f"Money of {email} is on its way, or a card is being saved, in {where}: "
                "run portal reconcile, and try again once the result is known."
            )
        case erasure.InvoicedAsPerson():
            return (
                f"What renews by itself in {where} is invoiced to {email} as a private person: "
                "have other billing details entered there first, or automatic renewal switched off."
            )
        case erasure.NamedAsAdviser():
            return f"{email} is named as the adviser of {where}: name somebody else under /operator first."
    raise refusal


def _ask_to_type_again(email: str) -> None:
    try:
        typed = click.prompt(f"This erases {email} for good. Type the address again", err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        # A script: there is nobody to answer.
        raise click.ClickException("Nothing was erased: add --yes where nobody can be asked.") from None
    if str(typed).strip().lower() != email.strip().lower():
        raise click.ClickException("That is another address: nothing was erased.")


@portal.command()
@click.option("--size", type=click.Choice(["S", "M", "L"]), default="S", show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@as_json
def demo(size: str, seed: int, as_json: bool) -> None:
    """Make demo data: one workspace, 200 or 10 000."""
    from peewee import DoesNotExist

    from portal.services import demo as service

    with at_work() as runtime:
        try:
            report = service.build(size=size, seed=seed, now=runtime.clock.now())
        except DoesNotExist as fault:
            raise click.ClickException("There is no catalogue yet: run `portal init` first.") from fault
    show(report, as_json=as_json)


@portal.command()
def doctor() -> None:
    """List set-up faults in plain words (exit code 1 if there are any)."""
    from . import doctor as service

    settings = read_settings()
    with let_go():
        findings = list(service.examine(settings, SystemClock()))
    for finding in findings:
        click.echo(f"FAULT {finding.name}: {finding.fault}" if finding.fault else f"ok    {finding.name}")
    raise SystemExit(1 if any(finding.fault for finding in findings) else 0)


# --- run ------------------------------------------------------------------------------------------


@portal.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@click.option(
    "--threads", type=click.IntRange(1), default=4, show_default=True, help="Threads of each process."
)
@click.option("--embedded", is_flag=True, help="Web and worker in one process of several threads.")
def serve(port: int, host: str, workers: int, threads: int, embedded: bool) -> None:
    """Serve the pages. On SIGTERM, requests under way are answered before it stops."""
    from . import server

    with let_go():
        # The processes are forked from this one and may not share its connections.
        settings = bound_settings()
        require_printable_names(settings)
        default_clock(settings)
        migrating.require_current_schema()
        if embedded:
            from portal.worker import queue

            queue.open_queue(settings.queue_url, secret_key=settings.secret_key).huey.storage.close()
    if embedded:
        server.serve_with_worker(host=host, port=port)
    else:
        server.serve(host=host, port=port, workers=workers, threads=threads)


@portal.command()
@click.option("--threads", type=click.IntRange(1), default=2, show_default=True)
def worker(threads: int) -> None:
    """Send what the outbox holds and start what is due. On SIGTERM, running tasks may end first."""
    from portal.worker import queue, wake

    wake.register(create_app())
    queue.consumer(threads=threads).run()


# --- look after -----------------------------------------------------------------------------------


@portal.command("run-due")
@click.option("--now", "now_text", metavar="ISO", help="As if it were this instant.")
@click.option("--limit", type=click.IntRange(1), help="Look at no more subscriptions than this.")
@as_json
def run_due(now_text: str | None, limit: int | None, as_json: bool) -> None:
    """Do everything that is due. Safe to run twice, at once, and after any absence."""
    from portal.services.renewals import run

    with at_work() as runtime:
        now = instant(now_text) if now_text else runtime.clock.now()
        if now > runtime.clock.wall() and now_text and not runtime.settings.sandbox_only:
            raise click.ClickException(
                "--now may be ahead of the real time only where the sandbox alone is on."
            )
        with due_bar(now) as bar:
            report = run.run_due(now=now, limit=limit, progress=bar.update)
    show(report, as_json=as_json)


def due_bar(now: datetime) -> Any:
    """How many of the waiting subscriptions were looked at; on a terminal only, never among the JSON."""
    from portal.services.renewals import run

    waiting = run.count_due(now) if sys.stderr.isatty() else 0
    return click.progressbar(length=waiting, label="Due", file=sys.stderr, hidden=not sys.stderr.isatty())


@portal.command()
@click.option("--limit", type=click.IntRange(1), default=100_000, hidden=True)
@as_json
def drain(limit: int, as_json: bool) -> None:
    """Deliver the outbox messages that are due, once."""
    from portal.worker import jobs

    with at_work() as runtime:
        report = jobs.drain_outbox(runtime, limit=limit)
    show(report, as_json=as_json)


@portal.command()
def bounce() -> None:
    """Read a delivery report from standard input and mark the address that mail came back from.

    Exit code 65: nothing that can be used, 75: try again later (sysexits.h).
    """
    from portal.mail import reports
    from portal.services.billing import bounces

    content = sys.stdin.buffer.read(reports.LARGEST_BYTES + 1)
    try:
        report = reports.read_report(content)
    except reports.AutomaticReply as refusal:
        # No failure: the mail server would answer it for us.
        click.echo(refusal.why)
        return
    except reports.ReportUnusable as refusal:
        raise Ended(refusal.why, exit_code=UNUSABLE) from refusal
    try:
        with at_work() as runtime:
            done = bounces.take(report, now=runtime.clock.now())
    except bounces.NotOurLetter as refusal:
        raise Ended("The report came to no return address of ours.", exit_code=UNUSABLE) from refusal
    except bounces.LetterForgotten as refusal:
        raise Ended("The letter is not kept any more: nothing was done.", exit_code=UNUSABLE) from refusal
    except SETUP_FAULTS as fault:
        raise Ended(sentence_of(fault), exit_code=TRY_LATER) from fault
    if done:
        click.echo("The address is marked, and the owners are told.")
    elif report.is_final:
        click.echo("Nothing to do: the address is marked already, was confirmed since, or is nobody's.")
    else:
        click.echo("Nothing to do: the letter is late, or went on to somebody else.")


class Ended(click.ClickException):
    """One sentence, and the exit code that the mail server goes by."""

    def __init__(self, sentence: str, *, exit_code: int) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code  # type: ignore[misc]


@portal.command()
@as_json
def reconcile(as_json: bool) -> None:
    """Ask the gateways about every payment and refund whose result is unknown."""
    from portal.services.payments import charging, refunds

    with at_work() as runtime:
        now = runtime.clock.now()
        reports = [dataclasses.asdict(part.reconcile(now=now)) for part in (charging, refunds)]
    show({name: sum(each[name] for each in reports) for name in reports[0]}, as_json=as_json)


@portal.command()
@as_json
def check(as_json: bool) -> None:
    """Check the books: every invariant with its count of broken rows (exit code 1 if any is not 0)."""
    from portal.services.upkeep import books

    with at_work():
        results = {result.name: result.broken for result in books.check()}
    show(results, as_json=as_json)
    raise SystemExit(1 if any(results.values()) else 0)


@portal.command()
@as_json
def routes(as_json: bool) -> None:
    """List each address: methods, who may open it, limit class, csrf."""
    with at_work():
        rows = list(route_rows(current_app._get_current_object()))  # type: ignore[attr-defined]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        click.echo(f"{row['rule']:50} {row['methods']:10} {row['access']:24} {row['limit']:10} {row['csrf']}")


def route_rows(app: Flask) -> Iterator[dict[str, str]]:
    """What `portal routes` prints. A view that declares no access is `undeclared`, which a test refuses."""
    from portal.web.security import UNSAFE_METHODS, csrf

    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        view = app.view_functions[rule.endpoint]
        methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        is_exempt = f"{view.__module__}.{view.__name__}" in csrf._exempt_views
        yield {
            "rule": rule.rule,
            "endpoint": rule.endpoint,
            "methods": ",".join(methods),
            "access": getattr(view, "access", "undeclared"),
            "limit": getattr(view, "limit", ""),
            "csrf": "" if not set(methods) & set(UNSAFE_METHODS) else "exempt" if is_exempt else "token",
        }


# --- the movable clock ----------------------------------------------------------------------------


@portal.group()
def clock() -> None:
    """The sandbox's clock: business time, never the time of sessions and links."""


@clock.command("show")
def clock_show() -> None:
    """Show business time, and how far it is from the machine's."""
    say_clock(movable_clock())


@clock.command("set")
@click.argument("iso")
def clock_set(iso: str) -> None:
    """Set it to this instant, e.g. 2027-01-31T09:00Z; it runs on from there."""
    moved = movable_clock()
    moved.set(instant(iso))
    say_clock(moved)


@clock.command("advance")
@click.argument("span")
def clock_advance(span: str) -> None:
    """Move it on by 31d, 12h or 2w."""
    moved = movable_clock()
    found = re.fullmatch(r"(\d{1,5})([hdw])", span)
    if found is None:
        raise click.BadParameter(f"{span!r} is not like 31d, 12h or 2w.")
    moved.advance(**{UNITS[found[2]]: int(found[1])})
    say_clock(moved)


@clock.command("real")
def clock_real() -> None:
    """Set it back to the machine's time."""
    moved = movable_clock()
    moved.reset()
    say_clock(moved)


def movable_clock() -> ShiftedClock:
    settings = read_settings()
    if not settings.sandbox_only:
        raise click.ClickException("The clock moves only where PORTAL_GATEWAYS names the sandbox alone.")
    return ShiftedClock(settings.clock_file)


def say_clock(moved: ShiftedClock) -> None:
    ahead = timedelta(seconds=round(moved.offset().total_seconds()))
    sign = "behind" if ahead < timedelta(0) else "ahead of"
    click.echo(f"{moved.now():%Y-%m-%dT%H:%M:%SZ}  ({abs(ahead)} {sign} the machine)")


def instant(text: str) -> datetime:
    """An ISO date or instant; UTC where it names no zone."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not like 2027-01-31 or 2027-01-31T09:00Z.") from None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


if __name__ == "__main__":
    main()
