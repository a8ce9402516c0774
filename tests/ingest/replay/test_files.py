"""Folders and patterns, and many files in the order of their clocks with few of them open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import IngestError
from ingest.replay.files import expanded, merged


def test_a_folder_is_the_data_files_below_it(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv.gz", "deep/c.dbn.zst", "README.md", "b.csv.CHECKSUM", ".d.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    found = [path.relative_to(tmp_path).as_posix() for path in expanded([str(tmp_path)])]
    assert found == ["a.csv.gz", "b.csv", "deep/c.dbn.zst"]


def test_patterns_and_names_count_once(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", "c[1].csv"):
        (tmp_path / name).write_text("x")
    names = [str(tmp_path / name) for name in ("c[1].csv", "[ab].csv", "b.csv")]
    assert [path.name for path in expanded(names)] == ["c[1].csv", "a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none", "none is a folder without a data file"),
        ("none/*.csv", "no file fits the pattern"),
        ("x" * 300, "cannot be read: File name too long"),
    ],
)
def test_what_names_no_file(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(IngestError, match=words):
        expanded([f"{tmp_path}/{name}"])


@given(st.lists(st.lists(st.integers(0, 50)).map(sorted), max_size=8))
def test_items_come_in_order_and_parts_begin_when_they_are_due(parts: list[list[int]]) -> None:
    begun: set[int] = set()
    ended: set[int] = set()

    def items(at: int) -> Iterator[tuple[int, int]]:
        begun.add(at)
        yield from ((item, at) for item in parts[at])
        ended.add(at)

    given_parts = [
        (part[0] if part else 0, lambda at=at: items(at)) for at, part in enumerate(parts)
    ]
    came: list[tuple[int, int]] = []
    for item in merged(given_parts, key=lambda one: one[0]):
        came.append(item)
        open_ones = begun - ended
        assert all(not parts[at] or parts[at][0] <= item[0] for at in open_ones)
    assert came == sorted(came)
    assert sorted(item for item, _ in came) == sorted(item for part in parts for item in part)


def test_a_year_of_days_has_two_files_open_at_most() -> None:
    open_ones, most = 0, 0

    def day(at: int) -> Iterator[int]:
        nonlocal open_ones, most
        open_ones += 1
        most = max(most, open_ones)
        yield from range(at * 10, at * 10 + 10)
        open_ones -= 1

    parts = [(at * 10, lambda at=at: day(at)) for at in reversed(range(365))]
    assert list(merged(parts, key=lambda one: one)) == list(range(3650))
    assert most <= 2
