"""An HTTP client that asks at a constant rate, whatever the answers take: an open loop."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing import get_context

CONNECTIONS = 64
# How long answers are waited for after the last request was due.
LATE_S = 10.0


@dataclass(frozen=True)
class Found:
    """Seconds from when each request was due to its answer; how many were sent, and failed.

    Failed: not 200, without a score, or not there LATE_S after the end; those count as that late.
    """

    seconds: list[float]
    sent: int
    failed: int


def run(port: int, requests: Sequence[bytes], rate: int, seconds: int, scored: bytes) -> Found:
    """Send the requests in turn, rate times a second, from a process of its own.

    scored: what the body of every good answer has.
    """
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (port, list(requests), rate, seconds, scored))


def _run(port: int, requests: list[bytes], rate: int, seconds: int, scored: bytes) -> Found:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_ask(port, requests, rate, seconds, scored))


async def _ask(port: int, requests: list[bytes], rate: int, seconds: int, scored: bytes) -> Found:
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
        failed += not head.startswith(b"HTTP/1.1 200") or scored not in body
        free.put_nowait((reader, writer))

    tasks = []
    began = time.perf_counter() + 0.1
    for n in range(rate * seconds):
        due = began + n / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due, requests[n % len(requests)])))
    _, late = await asyncio.wait(tasks, timeout=LATE_S)
    for task in late:
        task.cancel()
    taken += [LATE_S] * len(late)
    return Found(taken, len(tasks), failed + len(late))


def post(path: str, body: bytes, headers: Sequence[str] = ()) -> bytes:
    """A request."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: application/json",
        *headers,
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
