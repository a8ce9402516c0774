"""One migrate or rollback at a time; the lock vanishes with whoever holds it, however that ends."""

import errno
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from engine.errors import EngineUnavailable
from engine.server import has_many_backends

WAIT_S = 120
POLL_S = 0.2
# "migrate" in ASCII: other users of advisory locks in the same database choose other numbers
KEY = 0x6D696772617465
OLD_ROW = "select pid, ctime from public.yoyo_lock"

# the session that holds the lock, and where its client is
HOLDER = """
    select a.pid, coalesce(host(a.client_addr), 'this machine'),
        coalesce(to_char(a.backend_start at time zone 'UTC', 'HH24:MI:SS UTC'), 'a while ago')
    from pg_catalog.pg_locks as l
    inner join pg_catalog.pg_stat_activity as a on l.pid = a.pid
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
        and l.database = (select oid from pg_database where datname = current_database())
        and (l.classid::bigint << 32) + l.objid::bigint = %s
"""

# Whether a session may be that of the migrate of an earlier release which wrote the row: it was
# there before the row, of the same login, and names no application. A minute: clocks differ.
MAYBE_ALIVE = """
    select exists (
        select from pg_catalog.pg_stat_activity as a
        where a.datname = current_database() and a.usename = current_user
            and a.pid <> pg_backend_pid() and a.application_name = ''
            and a.backend_start at time zone 'UTC' < %s + interval '1 minute'
    )
"""


@contextmanager
def only_one(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Hold the lock of the connection's database; says so where it waits for another.

    connection: autocommit, the one that does the work: a session whose client was killed ends with
    its statement, and the lock with it. A server with one backend does not keep advisory locks of
    its clients apart; it listens on this machine, whose kernel keeps the lock.
    Errors: EngineUnavailable after WAIT_S, with the holder and the remedy.
    """
    if has_many_backends(connection):
        _wait(lambda: _locked(connection), lambda: _holder(connection))
        _take_over_row(connection, lambda _, since: _maybe_alive(connection, since))
        try:
            yield
        finally:
            with suppress(psycopg.Error):  # the session is gone, and the lock with it
                connection.execute("select pg_advisory_unlock(%s)", (KEY,))
        return
    with socket.socket(socket.AF_UNIX) as held:
        name = f"\0point-in-time-features/migrate/{connection.info.port}"
        _wait(lambda: _bound(held, name), lambda: "another process of this machine")
        _take_over_row(connection, lambda pid, _: _runs(pid))
        yield


def _wait(taken: Callable[[], bool], holder: Callable[[], str]) -> None:
    until = time.monotonic() + WAIT_S
    said = False
    while not taken():
        if not said:
            said = True
            _say(f"{holder()} migrates this database: waiting for it, at most {WAIT_S} s")
        if time.monotonic() > until:
            raise EngineUnavailable(
                f"{holder()} has migrated this database for {WAIT_S} s and is not done. Wait for "
                "it and try again, or end that process: the lock goes with it"
            )
        time.sleep(POLL_S)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _locked(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("select pg_try_advisory_lock(%s)", (KEY,)).fetchone()
    return row == (True,)


def _holder(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute(HOLDER, (KEY,)).fetchone()
    if row is None:
        return "another session"
    return f"another session (pid {row[0]} of the server, from {row[1]}, since {row[2]})"


def _bound(held: socket.socket, name: str) -> bool:
    try:
        held.bind(name)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    return True


def _take_over_row(connection: psycopg.Connection[Any], alive: Callable[[int, Any], bool]) -> None:
    """Wait for the migrate of an earlier release; what one that was killed has left is deleted.

    Earlier releases lock by a row, which stays behind when its owner is killed.
    """
    there = connection.execute("select to_regclass('public.yoyo_lock')").fetchone()
    if there == (None,):
        return
    until = time.monotonic() + WAIT_S
    said = False
    while row := connection.execute(OLD_ROW).fetchone():
        pid, since = row
        if not alive(pid, since):
            connection.execute("delete from public.yoyo_lock where pid = %s", (pid,))
            _say(f"taken over: the lock of a migrate that was killed (process {pid}, {since} UTC)")
            return
        if not said:
            said = True
            _say(f"a migrate of an earlier release may run (process {pid}): waiting for it")
        if time.monotonic() > until:
            raise EngineUnavailable(
                f"a migrate of an earlier release (process {pid}, since {since} UTC) has held its "
                f"lock for {WAIT_S} s; wait for it, or, if it is dead: delete from yoyo_lock"
            )
        time.sleep(POLL_S)


def _maybe_alive(connection: psycopg.Connection[Any], since: Any) -> bool:
    return connection.execute(MAYBE_ALIVE, (since,)).fetchone() == (True,)


def _runs(pid: int) -> bool:
    """Whether this machine has such a process: who locks an embedded engine is on it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
