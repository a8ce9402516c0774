"""Requests to the feature API over HTTP, and what their answers look like."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.feast.market import SYMBOLS

ROOT = Path(__file__).resolve().parents[3]
BOTH, OWN = SYMBOLS
MARKET = "market_v1"
RATIOS = "market_ratios_v1"
NOBODYS = "SYN_NOBODY"
# a busy machine's; who waits goes on as soon as it has happened
SOON_S = 60


def of(
    symbols: Sequence[object], tenants: Sequence[object] | None = None, **more: Any
) -> dict[str, Any]:
    """A request for market_v1, or for what is given; of anything, as a client may send it."""
    entities: dict[str, Any] = {"symbol": symbols}
    if tenants is not None:
        entities["tenant_id"] = tenants
    selection = {} if {"features", "feature_service"} & set(more) else {"feature_service": MARKET}
    return {"entities": entities, **selection, **more}


def columns(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The columns of an answer by name; their order is not fixed in Feast's."""
    return dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))


def values(answer: requests.Response) -> dict[str, list[Any]]:
    assert answer.status_code == 200, answer.text
    return {name: column["values"] for name, column in columns(answer.json()).items()}


def refused(answer: requests.Response, status: int, text: str = "") -> str:
    """The text of a refusal, which has one shape whatever it is."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert list(body) == ["detail"]
    assert text in body["detail"]
    assert ("Retry-After" in answer.headers) == (status in (429, 503))
    detail = body["detail"]
    assert isinstance(detail, str)
    return detail


class Clock:
    """Time as the API sees it: the real one, or that of stop(), and so many seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._stopped: float | None = None

    def monotonic(self) -> float:
        return (time.monotonic() if self._stopped is None else self._stopped) + self.ahead

    def stop(self) -> None:
        self._stopped = time.monotonic()


@contextmanager
def dead_port() -> Iterator[int]:
    """A port that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
