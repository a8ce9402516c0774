"""An HTTP client that asks at a constant rate, whatever the answers take: an open loop."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context

CONNECTIONS = 16


@dataclass(frozen=True)
class Found:
    """Seconds from when each request was due to its answer; how many were sent, and failed.

    Failed: not 200, or with a value that is not online.
    """

    seconds: list[float]
    sent: int
    failed: int


def run(port: int, key: str, symbols: Sequence[str], count: int, rate: int, seconds: int) -> Found:
    """Ask for count random symbols, rate times a second, from a process of its own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (port, key, list(symbols), count, rate, seconds))


def _run(port: int, key: str, symbols: list[str], count: int, rate: int, seconds: int) -> Found:
    return asyncio.run(_ask(port, key, symbols, count, rate, seconds))


async def _ask(
    port: int, key: str, symbols: list[str], count: int, rate: int, seconds: int
) -> Found:
    draw = random.Random(1)  # noqa: S311
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    taken: list[float] = []
    failed = 0

    async def one(due: float, request: bytes) -> None:
        nonlocal failed
        reader, writer = await free.get()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        )
        body = await reader.readexactly(length)
        # from when it was due: a request that waited for a connection waited for the server
        taken.append(time.perf_counter() - due)
        failed += not head.startswith(b"HTTP/1.1 200") or b"NOT_FOUND" in body
        free.put_nowait((reader, writer))

    tasks = []
    began = time.perf_counter() + 0.1
    for n in range(rate * seconds):
        due = began + n / rate
        body = json.dumps(
            {"feature_service": "market_v1", "entities": {"symbol": draw.sample(symbols, count)}}
        ).encode()
        request = (
            b"POST /get-online-features HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nAuthorization: Bearer %b\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (key.encode(), len(body), body)
        )
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due, request)))
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait()[1].close()
    return Found(taken, len(tasks), failed)
