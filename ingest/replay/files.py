"""Which files a replay is of: names, folders, patterns; and their rows in the order of time."""

from __future__ import annotations

import glob
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from ingest.replay.containers import SourceError
from ingest.replay.mapping import COMPRESSED

ENDINGS = (".csv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".dbn", *COMPRESSED)

T = TypeVar("T")


def expanded(names: Sequence[str]) -> list[Path]:
    """The files meant by names, folders and patterns, each once, in the order of their names.

    Of a folder all files below it with a data file's ending. Raises SourceError for what is none.
    """
    found: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        try:
            inside = _of_folder(path) if path.is_dir() else []
            if not inside and not path.exists() and glob.has_magic(name):
                inside = [Path(one) for one in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207
                inside = [one for one in inside if one.is_file()]
                if not inside:
                    raise SourceError(f"no file fits the pattern {name}; check it")
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            raise SourceError(f"{name} cannot be read: {said}; check the name") from None
        found.update(dict.fromkeys(inside or [path]))
    return list(found)


def _of_folder(folder: Path) -> list[Path]:
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.name.lower().endswith(ENDINGS) and not path.name.startswith(".") and path.is_file()
    ]
    if not files:
        raise SourceError(
            f"{folder} is a folder without a data file ({', '.join(ENDINGS)}); name the files in it"
        )
    return files


def merged(
    parts: Iterable[tuple[int, Callable[[], Iterator[T]]]], key: Callable[[T], int]
) -> Iterator[T]:
    """The items of all parts by their key; each part in its own order, and begun when it is due.

    parts: the key of the first item, and what begins it. Few are open where few overlap.
    """
    waiting = sorted(enumerate(parts), key=lambda part: (part[1][0], part[0]), reverse=True)
    heap: list[tuple[int, int, T, Iterator[T]]] = []
    while waiting or heap:
        while waiting and (not heap or waiting[-1][1][0] <= heap[0][0]):
            at, (_, begin) = waiting.pop()
            items = begin()
            for first in items:
                heapq.heappush(heap, (key(first), at, first, items))
                break
        if not heap:
            continue
        _, at, item, items = heap[0]
        yield item
        for following in items:
            heapq.heapreplace(heap, (key(following), at, following, items))
            break
        else:
            heapq.heappop(heap)
