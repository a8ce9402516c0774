"""A client of Triton over HTTP, KServe v2 with binary tensors: as few steps as a request can take.

tritonclient would be another dependency of .venv, and takes longer than Triton itself.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import httptools
import numpy as np

from engine.errors import ConfigError
from training.bundle import Matrix

CONNECT_S: Final = 1.0
INFER_S: Final = 2.0
# A learner is imported and a model read.
LOAD_S: Final = 60.0
IDLE: Final = 64
# What it says of a version that it has not, as after a restart.
NOT_LOADED: Final = ("unknown model", "is not at ready state", "is not ready", "is not found")
HEADER: Final = "inference-header-content-length"


class Away(Exception):
    """Triton does not answer, or not in time."""


class Raised(Exception):
    """Triton answers that it cannot: the version raised, is not loaded, or takes other rows."""


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.is_used = False
        self._parser: Any = None
        self._answer: asyncio.Future[tuple[int, int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError(str(error or "closed")))

    def ask(self, request: bytes) -> asyncio.Future[tuple[int, int, bytes]]:
        """Status, size of the JSON before the tensors, body."""
        assert self.transport is not None  # noqa: S101 - the pool gives none that is closed
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._header = 0
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if self._answer is not None and not self._answer.done():
                self._answer.set_exception(ConnectionResetError(str(error)))
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == HEADER.encode():
            self._header = int(value)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(
                (self._parser.get_status_code(), self._header, b"".join(self._body))
            )

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()
            self.transport = None


class Triton:
    """One server."""

    def __init__(self, url: str) -> None:
        """url: http://host:port. Errors: ConfigError."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ConfigError(f"TRITON_URL={url!r}: set it to http://host:8000, Triton's HTTP port")
        self.url = url
        self._host, self._port = parts.hostname, parts.port or 8000
        self._idle: deque[_Connection] = deque()

    async def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    async def infer(
        self, name: str, version: int, matrix: Matrix, timeout_s: float = INFER_S
    ) -> Matrix:
        """A score for each row. Errors: Away, Raised."""
        rows, columns = matrix.shape
        raw = np.ascontiguousarray(matrix, "<f8").tobytes()
        head = (
            b'{"inputs":[{"name":"features","shape":[%d,%d],"datatype":"FP64","parameters":'
            b'{"binary_data_size":%d}}],"outputs":[{"name":"score","parameters":'
            b'{"binary_data":true}}]}' % (rows, columns, len(raw))
        )
        status, size, body = await self._ask(
            "POST",
            f"/v2/models/{name}/versions/{version}/infer",
            head + raw,
            timeout_s,
            f"Inference-Header-Content-Length: {len(head)}\r\n",
        )
        if status != 200:
            said = _said(body)
            raise (Away if any(words in said for words in NOT_LOADED) else Raised)(said)
        scores = np.frombuffer(body, "<f8", offset=size)
        if len(scores) != rows:
            raise Raised(f"{name} gave {len(scores)} scores for {rows} rows")
        return scores

    async def load(self, name: str) -> None:
        """Load a model, or load it anew. Errors: Away, Raised with Triton's words."""
        await self._told("POST", f"/v2/repository/models/{name}/load", LOAD_S)

    async def unload(self, name: str) -> None:
        """Unload a model; requests that it has are answered before. Errors: Away, Raised."""
        await self._told("POST", f"/v2/repository/models/{name}/unload", LOAD_S)

    async def loaded(self) -> dict[str, str]:
        """The state of each model of the repository, READY where it answers. Errors: Away."""
        body = await self._told("POST", "/v2/repository/index", CONNECT_S * 5)
        return {one["name"]: one.get("state", "") for one in json.loads(body)}

    async def _told(self, method: str, path: str, timeout_s: float) -> bytes:
        status, _, body = await self._ask(method, path, b"{}", timeout_s)
        if status != 200:
            raise Raised(_said(body))
        return body

    async def _ask(
        self, method: str, path: str, body: bytes, timeout_s: float, more: str = ""
    ) -> tuple[int, int, bytes]:
        request = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n"
            f"Content-Length: {len(body)}\r\n{more}\r\n"
        ).encode() + body
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    connection = await self._connection()
                    was_used, connection.is_used = connection.is_used, True
                    try:
                        answer = await connection.ask(request)
                    except ConnectionResetError:
                        # closed while idle; a new one that is reset has reached a server
                        if not was_used:
                            raise
                        continue
                    except BaseException:
                        # its answer would be taken for the next request's
                        connection.close()
                        raise
                    if connection.transport is not None and len(self._idle) < IDLE:
                        self._idle.append(connection)
                    else:
                        connection.close()
                    return answer
        except (OSError, TimeoutError) as error:
            raise Away(f"{self.url}: {type(error).__name__}: {error}") from error

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.transport is not None:
                return connection
        async with asyncio.timeout(CONNECT_S):
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection, self._host, self._port
            )
        return connection


def _said(body: bytes) -> str:
    with suppress(ValueError, KeyError, TypeError):
        return str(json.loads(body)["error"])[:500]
    return ascii(body[:200])
