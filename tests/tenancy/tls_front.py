"""A front that speaks TLS 1.3 before a database of this run: what clients do is the real thing."""

from __future__ import annotations

import asyncio
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
CHUNK = 65536


@contextmanager
def tls_front(certificates: Path, host: str, port: int) -> Iterator[int]:
    """Listen with TLS on the port that is given; host, port: of the server behind, without TLS.

    certificates: a directory with server.crt and server.key. Who does not ask for TLS is sent away.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificates / "server.crt", certificates / "server.key")

    async def serve(client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError):
            if await client.readexactly(len(SSL_REQUEST)) == SSL_REQUEST:
                answer.write(b"S")
                await answer.start_tls(context)
                server, ask = await asyncio.open_connection(host, port)
                await asyncio.gather(_carry(client, ask), _carry(server, answer))
        answer.close()

    async def listen() -> None:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        found.append(listening.sockets[0].getsockname()[1])
        started.set()
        await asyncio.to_thread(ended.wait)
        listening.close()

    found: list[int] = []
    started, ended = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(listen()))
    thread.start()
    try:
        assert started.wait(10)
        yield found[0]
    finally:
        ended.set()
        thread.join()


async def _carry(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(CHUNK):
            to.write(data)
            await to.drain()
    to.close()
