"""Whether features go on being published, asked of the database by a thread of its own.

A fact about the database, not about this process: metrics say it, health and readiness do not.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

import psycopg

log = logging.getLogger("telemetry")

EVERY_S = 10.0
TIMEOUT_S = 5
END_S = 0.3
ASK = """
    select extract(epoch from clock_timestamp() - published_at)::float8, failing_jobs
    from api.publishing()
"""


@dataclass(frozen=True)
class _Answer:
    age_s: float
    failing: int
    at: float


class Publishing:
    """The last answer of api.publishing(); its age goes on growing while there is no new one."""

    def __init__(self, url: str, every_s: float = EVERY_S) -> None:
        """url: the database, as a login that may call it; every_s: time between two questions."""
        self._url = url
        self._every_s = every_s
        self._answer: _Answer | None = None
        self._told = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="publishing", daemon=True)
        self._thread.start()

    def age(self) -> float | None:
        """Seconds since the last publish; None before the first answer."""
        answer = self._answer
        if answer is None:
            return None
        return max(0.0, answer.age_s + time.monotonic() - answer.at)

    def failing(self) -> int | None:
        """Of how many scheduled jobs the last run failed; None before the first answer."""
        answer = self._answer
        return None if answer is None else answer.failing

    def close(self) -> None:
        """Ask no more. A question under way ends by itself."""
        self._ended.set()
        self._thread.join(END_S)

    def _watch(self) -> None:
        while not self._ended.is_set():
            try:
                with psycopg.connect(
                    self._url, autocommit=True, connect_timeout=TIMEOUT_S
                ) as connection:
                    connection.execute(f"set statement_timeout = '{TIMEOUT_S}s'".encode())
                    while not self._ended.is_set():
                        self._ask(connection)
                        self._ended.wait(self._every_s)
            except psycopg.Error as error:
                # of the same failure, one line
                if str(error) != self._told:
                    self._told = str(error)
                    log.warning("the age of the last publish is not known: %s", self._told.strip())
            self._ended.wait(self._every_s)

    def _ask(self, connection: psycopg.Connection) -> None:
        row = connection.execute(ASK).fetchone()
        if row is not None:
            self._answer = _Answer(row[0], row[1], time.monotonic())
            self._told = ""
