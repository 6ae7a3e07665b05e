"""A throw-away PostgreSQL server: one per test process, made on first use, gone with the process.

The server belongs to a small keeper (this file run as a program) that waits on a pipe from the test
process. When the pipe closes, by a normal end, by Ctrl-C or by SIGKILL, the keeper stops the server
and removes its files. PostgreSQL refuses to run as root, so root hands it to the user postgres.
"""

import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SUPERUSER = "portal"
ATTEMPTS = 3
START_SECONDS = 30
# Nothing here outlives the tests, so nothing waits for the disk.
SERVER_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "jit": "off",
    "log_min_messages": "fatal",
}


class PostgreSQLFailed(Exception):
    """The server did not start; the text is its own log."""


class PostgreSQL:
    """A running server. Databases are copies of a template, which takes some tens of milliseconds."""

    def __init__(self, binaries: Path) -> None:
        import psycopg

        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._start(binaries)
                break
            except PostgreSQLFailed:
                # Most likely another program took the free port first.
                if attempt == ATTEMPTS:
                    raise
        self._control = psycopg.connect(self._url("postgres"), autocommit=True)
        # Half the time of the other strategy for a schema like ours; older servers know only this one.
        self._strategy = "STRATEGY FILE_COPY" if self._control.info.server_version >= 150000 else ""
        self._templates: set[str] = set()
        self._made = 0

    def create_database(self, template: str | None = None) -> str:
        """The URL of a new database: empty, or a copy of what `template_database` built."""
        self._made += 1
        name = f"test_{self._made}"
        self._control.execute(
            f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}" {self._strategy}'
        )
        return self._url(name)

    def drop_database(self, url: str) -> None:
        """Remove it, whoever may still be connected."""
        self._control.execute(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')

    def template_database(self, name: str, build: Callable[[str], None]) -> str:
        """The name of a template made by `build(url)`, once; afterwards nobody can connect to it."""
        if not re.fullmatch(r"[a-z_]+", name):
            raise ValueError(f"{name!r} is no name for a template: a to z and _.")
        if name not in self._templates:
            self._control.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
            build(self._url(name))
            self._control.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            self._control.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            self._templates.add(name)
        return name

    def stop(self) -> None:
        """Stop the server and remove its files; returns when both are done."""
        self._control.close()
        self._stop_keeper()

    def _start(self, binaries: Path) -> None:
        # A session of its own: Ctrl-C in the terminal must not reach it before the tests have ended.
        self._keeper = subprocess.Popen(
            [sys.executable, __file__, str(binaries)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            said = json.loads(self._keeper.stdout.readline())
            if "failed" in said:
                raise PostgreSQLFailed(said["failed"])
            self._port, self._password = said["port"], said["password"]
        except BaseException:
            self._stop_keeper()
            raise

    def _stop_keeper(self) -> None:
        self._keeper.stdin.close()
        self._keeper.wait()
        self._keeper.stdout.close()

    def _url(self, name: str) -> str:
        return f"postgresql://{SUPERUSER}:{self._password}@127.0.0.1:{self._port}/{name}"


# --- the keeper ---------------------------------------------------------------------------------


def keep(binaries: Path) -> None:
    """Run a server until standard input ends. Says its port, or why there is none, on standard output."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    user = server_user()
    # Not under TMPDIR: the server's user must be able to enter every folder above.
    folder = Path(tempfile.mkdtemp(prefix="portal-postgresql-", dir="/tmp"))
    try:
        password = secrets.token_urlsafe(16)
        make_cluster(binaries, folder, password, user)
        port = free_port()
        options = [
            part
            for pair in {**SERVER_OPTIONS, "port": port}.items()
            for part in ("-c", f"{pair[0]}={pair[1]}")
        ]
        with (folder / "log").open("w+") as log:
            server = subprocess.Popen(
                [str(binaries / "postgres"), "-D", str(folder / "data"), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                **as_user(user),
            )
            try:
                if wait_until_ready(folder / "data", server):
                    print(json.dumps({"port": port, "password": password}), flush=True)
                    sys.stdin.read()
                else:
                    log.seek(0)
                    print(json.dumps({"failed": log.read()[-2000:]}), flush=True)
            finally:
                # An immediate shutdown: nothing is kept, so nothing needs to be written.
                server.send_signal(signal.SIGQUIT)
                server.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_cluster(binaries: Path, folder: Path, password: str, user: pwd.struct_passwd | None) -> None:
    (folder / "password").write_text(password)
    if user:
        for path in (folder, folder / "password"):
            os.chown(path, user.pw_uid, user.pw_gid)
    initdb = [str(binaries / "initdb"), "-D", str(folder / "data"), "-U", SUPERUSER, "--pwfile", "password"]
    made = subprocess.run(
        [*initdb, "--auth", "scram-sha-256", "-E", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        check=False,
        **as_user(user),
    )
    if made.returncode != 0:
        print(json.dumps({"failed": made.stdout[-2000:]}), flush=True)
        sys.exit(1)


def wait_until_ready(data: Path, server: subprocess.Popen[bytes]) -> bool:
    """The last line of postmaster.pid says `ready` once connections are accepted."""
    give_up_at = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < give_up_at:
        try:
            if (data / "postmaster.pid").read_text().rstrip().endswith("ready"):
                return True
        except FileNotFoundError:
            pass
        time.sleep(0.02)
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def server_user() -> pwd.struct_passwd | None:
    """Whom the server runs as: ourselves, or a user without rights where we are root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def as_user(user: pwd.struct_passwd | None) -> dict[str, object]:
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


class ReusedDatabase:
    """One database for many tests: to copy one takes PostgreSQL ten times as long as to tidy it up.

    The schema `kept` holds the rows as they were. A table is tidied where a row was written since, or where
    rows are missing; foreign keys rest meanwhile, so that no order matters.
    """

    def __init__(self, url: str, tables: Sequence[str]) -> None:
        # The keeper, which is this file run as a program, has no use for a driver.
        import psycopg

        self.url = url
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(KEEP)
        for name in tables:
            self._connection.execute("SELECT kept.keep(%s)", (name,))
        self._connection.execute(TIDY_UP)

    def tidy_up(self) -> None:
        """Every row as it was, and every sequence; whoever a test left in the middle of something is cut off.

        Tables that a test made, such as those of a queue, go.
        """
        self._connection.execute("SELECT kept.tidy_up()")

    def close(self) -> None:
        self._connection.close()


# The number of the transaction that wrote a row stands in its xmin.
KEEP = """
CREATE SCHEMA kept;
CREATE TABLE kept.tables (name text, rows bigint, since bigint, sequence regclass, next_id bigint);
CREATE TABLE kept.here_from_the_start AS SELECT tablename FROM pg_tables WHERE schemaname = 'public';
CREATE FUNCTION kept.keep(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE kept.%1$I AS TABLE public.%1$I', name);
    EXECUTE format(
        'INSERT INTO kept.tables SELECT %1$L, count(*), txid_current(),
            pg_get_serial_sequence(%2$L, ''id'')::regclass, coalesce(max(id), 0) + 1 FROM public.%1$I',
        name, format('public.%I', name));
    PERFORM setval(sequence, next_id, false) FROM kept.tables WHERE tables.name = keep.name;
END $$
"""
TIDY_UP = """
CREATE FUNCTION kept.tidy_up() RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $$
DECLARE
    kept_table record;
    is_dirty boolean;
    stray text;
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle';
    FOR stray IN SELECT tablename FROM pg_tables WHERE schemaname = 'public'
        EXCEPT SELECT tablename FROM kept.here_from_the_start
    LOOP
        EXECUTE format('DROP TABLE public.%I CASCADE', stray);
    END LOOP;
    FOR kept_table IN SELECT * FROM kept.tables LOOP
        EXECUTE format(
            'SELECT count(*) <> $1 OR coalesce(max(xmin::text::bigint), 0) > $2 FROM public.%I',
            kept_table.name)
            INTO is_dirty USING kept_table.rows, kept_table.since;
        IF is_dirty THEN
            EXECUTE format('DELETE FROM public.%I', kept_table.name);
            IF kept_table.rows > 0 THEN
                EXECUTE format('INSERT INTO public.%1$I SELECT * FROM kept.%1$I', kept_table.name);
                UPDATE kept.tables SET since = txid_current() WHERE name = kept_table.name;
            END IF;
        END IF;
    END LOOP;
    PERFORM setval(sequence, next_id, false) FROM kept.tables
        WHERE pg_sequence_last_value(sequence) IS NOT NULL;
END $$
"""


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
