"""One connection that comes back: transactions that are tried again, work that can be cancelled."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from ingest.clock import Backoff, Clock
from ingest.errors import DatabaseUnavailableError, DeliveryError, StoppedError

T = TypeVar("T")

CONNECT_S = 10
CANCEL_S = 1.0


class Database:
    """A connection that is opened when it is needed, and again after a failure."""

    def __init__(
        self,
        url: str,
        retry_s: float = 60.0,
        stopping: threading.Event | None = None,
        on_retry: Callable[[str], None] = lambda _: None,
        clock: Clock | None = None,
    ) -> None:
        """url: the migrated database; retry_s: how long a failing one is tried again.

        stopping: once set, nothing is tried again. on_retry: called before each new try, with
        what failed: database or kafka.
        """
        self.url = url
        self.connection: psycopg.Connection | None = None
        self._retry_s = retry_s
        self._stopping = stopping or threading.Event()
        self._on_retry = on_retry
        self._clock = clock or Clock()

    def connect(self) -> None:
        """Connect now, without trying again. Raises DatabaseUnavailableError."""
        try:
            self._open().execute("select from market.kafka_offset limit 0")
            self._open().rollback()
        except psycopg.Error as error:
            raise self._unavailable(error) from None

    def close(self) -> None:
        """Close the connection; a later call opens another one."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def abort(self) -> None:
        """End what another thread does here: its transaction is rolled back."""
        connection = self.connection
        if connection is None or connection.closed:
            return
        with suppress(psycopg.Error):
            connection.cancel_safe(timeout=CANCEL_S)
        if connection.info.transaction_status is not TransactionStatus.ACTIVE:
            return
        # a server that does not answer either: its end of the connection is left alone
        with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    def transact(self, work: Callable[[psycopg.Connection, bool], T]) -> T:
        """Do work(connection, again) in a transaction; a passing failure is tried again.

        So work has to be idempotent: `again` says that an earlier try may have committed before
        its connection broke. A failure of Kafka is tried again, too, which has to have the dead
        letters before the transaction commits. Raises DatabaseUnavailableError, DeliveryError,
        StoppedError, and what work raises.
        """
        backoff = Backoff(self._retry_s, self._stopping, self._clock)
        again = False
        while True:
            try:
                connection = self._open()
                with connection.transaction():
                    return work(connection, again)
            except (psycopg.OperationalError, psycopg.InterfaceError, DeliveryError) as error:
                if self._stopping.is_set():
                    raise StoppedError("asked to stop while the database failed") from error
                what, said = "kafka", str(error)
                if not isinstance(error, DeliveryError):
                    what = "database"
                    said = f"database {address(self.url)}: {' '.join(said.split())}"
                if backoff.spent:
                    if isinstance(error, DeliveryError):
                        raise
                    raise self._unavailable(error) from error
                backoff.pause(said)
                if self.connection is not None and not self._is_idle(self.connection):
                    self.close()
                self._on_retry(what)
                again = True
            except psycopg.Error as error:
                raise self._unavailable(error) from error

    @staticmethod
    def _is_idle(connection: psycopg.Connection) -> bool:
        """Whether it can begin anew; one whose rollback has failed would go on where it is."""
        return connection.info.transaction_status is TransactionStatus.IDLE

    def _open(self) -> psycopg.Connection:
        if self.connection is None or self.connection.closed:
            self.connection = psycopg.connect(
                self.url, connect_timeout=CONNECT_S, application_name="ingest"
            )
            self.connection.execute("set client_min_messages = warning")
            self.connection.execute("set datestyle = 'ISO'")
            self.connection.commit()
        return self.connection

    def _unavailable(self, error: psycopg.Error) -> DatabaseUnavailableError:
        said = " ".join(str(error).split()) or type(error).__name__
        return DatabaseUnavailableError(f"database {address(self.url)}: {said}; {_remedy(error)}")


def address(url: str) -> str:
    """Name a server without its password: host:port/database."""
    info = conninfo_to_dict(url)
    return f"{info.get('host', 'localhost')}:{info.get('port', 5432)}/{info.get('dbname', '')}"


def _remedy(error: psycopg.Error) -> str:
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
        return "the tables are missing: run make migrate"
    if isinstance(error, psycopg.errors.UndefinedColumn):
        return "the tables are older than this program: run make migrate"
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "log in with a role that may write market.*: check DATABASE_URL"
    return "check that the server runs and DATABASE_URL names it and a login it takes"
