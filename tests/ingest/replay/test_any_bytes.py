"""Any bytes as a file are mapped, or refused with words: no traceback, no hang."""

from __future__ import annotations

import contextlib
import gzip
import io
import time
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedded.errors import UserError
from ingest.replay import inspect
from ingest.replay.mapper import Unmappable, mapper
from ingest.replay.mapping import bundled
from ingest.replay.sources import open_source
from ingest.replay.textfiles import Dialect
from tests.ingest.replay.vendor_samples import NOON, SAMPLES, lines

AT_MOST_S = 5.0
TABLE = lines("time,symbol,price,size,side", *(f"{NOON + n},X,1.{n},2,buy" for n in range(20)))
FORMATS = ("csv", "json", "parquet", "dbn")


def zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", data)
    return out.getvalue()


WHOLE = [
    TABLE.encode(),
    TABLE.encode("utf-16"),
    gzip.compress(TABLE.encode()),
    zstandard.compress(TABLE.encode()),
    zipped(TABLE.encode()),
    *(
        one.content.encode() if isinstance(one.content, str) else one.content
        for one in SAMPLES
        if isinstance(one.content, str | bytes)
    ),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good file of which some bytes are others, or missing."""
    data = bytearray(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data) - 1))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
        data = data or bytearray(b"x")
    return bytes(data[: draw(st.integers(1, len(data)))])


BEGINNINGS = st.sampled_from([b"", b"PAR1", b"DBN\x01", b"DBN\x03", b"\x1f\x8b\x08", b"PK\x03\x04"])
ZSTD = st.just(b"\x28\xb5\x2f\xfd")
ANY = damaged() | st.builds(bytes.__add__, BEGINNINGS | ZSTD, st.binary(max_size=300))
RELAXED = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)


@given(data=ANY)
@RELAXED
def test_inspect_finds_a_mapping_or_says_why_not(data: bytes) -> None:
    with TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as said:
        path = Path(folder) / "X.csv"
        path.write_bytes(data)
        began = time.process_time()
        refused = None
        try:
            inspect.main([str(path), "--out", f"{folder}/m.toml"])
        except UserError as error:
            refused = str(error)
        assert refused is None or ("X.csv" in refused and len(refused) < 3000)
        assert time.process_time() - began < AT_MOST_S
        assert all(len(line) < 1000 for line in said.getvalue().splitlines())


@given(data=ANY, format_name=st.sampled_from(FORMATS), names=st.booleans())
@RELAXED
def test_replay_reads_rows_or_says_why_not(data: bytes, format_name: str, names: bool) -> None:
    dialect = Dialect(names=("a", "b", "c")) if names else Dialect()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.bin"
        path.write_bytes(data)
        refused = None
        try:
            source = open_source(path, format_name, dialect)
            for batch in source.batches(list(source.columns)):
                assert batch.done <= 1
        except UserError as error:
            refused = str(error)
        assert refused is None or "x.bin" in refused


@pytest.mark.parametrize("mapping", bundled(), ids=lambda one: one.name)
@given(cells=st.lists(st.text(max_size=12) | st.none() | st.integers() | st.floats(), min_size=1))
@settings(max_examples=30)
def test_any_cells_make_a_record_or_a_reason(mapping: object, cells: list[object]) -> None:
    one = next(m for m in bundled() if m == mapping)
    row = {name: cells[at % len(cells)] for at, name in enumerate(one.asked())}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.csv"
        path.write_text("a,b\n1,2\n")
        map_row = mapper(one, open_source(path, "csv"), 1, "X")
    with contextlib.suppress(Unmappable):
        map_row(row)
