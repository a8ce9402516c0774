"""Files as bytes: gzip, zstd and zip are told by their first bytes, not by their names."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import zstandard

from ingest.errors import IngestError

CHUNK = 1 << 18
GZIP, ZSTD, ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
# what can be read of a zip that holds a report beside its data, as HistData's do
DATA = (".csv", ".json", ".jsonl", ".ndjson")
# raised by the readers below where the bytes are not what their beginning says
BROKEN = (EOFError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError, zipfile.BadZipFile)
UNREADABLE = (*BROKEN, OSError, NotImplementedError, RuntimeError)


class SourceError(IngestError):
    """A captured file cannot be read; the text names the file and the remedy."""


@dataclass
class Bytes:
    """An open file, without its compression. done: the fraction of it that was read."""

    stream: io.BufferedIOBase
    raw: BinaryIO
    size: int

    @property
    def done(self) -> float:
        """How much of the file, as it lies there, was read."""
        return min(1.0, self.raw.tell() / self.size)


def compression(path: Path) -> str:
    """What the file's first bytes say it is compressed with: gzip, zstd, zip or nothing ("")."""
    with path.open("rb") as raw:
        head = raw.read(4)
    for magic, name in ((GZIP, "gzip"), (ZSTD, "zstd"), (ZIP, "zip")):
        if head.startswith(magic):
            return name
    return ""


def checked(path: Path) -> None:
    """Raise SourceError unless the path is a file that can be read and holds something."""
    try:
        if path.is_dir():
            raise SourceError(f"{path} is a folder without files of a captured market; name files")
        size = path.stat().st_size
        if not path.is_file():
            raise SourceError(f"{path} is a device or a pipe, and can be read once: make it a file")
        with path.open("rb"):
            pass
    except FileNotFoundError:
        raise SourceError(f"{path} does not exist; check the name") from None
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or error
        raise SourceError(f"{path} cannot be read: {said}; check its rights") from None
    if size == 0:
        raise SourceError(f"{path} is empty; get the file again")


@contextmanager
def opened(path: Path) -> Iterator[Bytes]:
    """Open a file for reading from its start, out of its compression.

    Raises SourceError for a zip of several data files; while it is read, one of UNREADABLE where
    the bytes are broken.
    """
    with path.open("rb") as raw:
        size = path.stat().st_size
        kind = compression(path)
        if kind == "gzip":
            yield Bytes(gzip.GzipFile(fileobj=raw), raw, size)
        elif kind == "zstd":
            yield Bytes(io.BufferedReader(_Zstd(raw)), raw, size)
        elif kind == "zip":
            with zipfile.ZipFile(raw) as archive, archive.open(_member(path, archive)) as member:
                yield Bytes(cast(io.BufferedIOBase, member), raw, size)
        else:
            yield Bytes(raw, raw, size)


class _Zstd(io.RawIOBase):
    """Zstd frames, one behind the other; the library's own reader takes a cut one for an end."""

    def __init__(self, raw: BinaryIO) -> None:
        """raw: the file, at its start."""
        self._raw = raw
        self._frame: Any = None
        self._left = b""
        self._held = b""

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, into: Any) -> int:
        """Read some bytes, none at the end. Raises EOFError where a frame is cut."""
        while not self._held:
            left = self._left or self._raw.read(CHUNK)
            if not left:
                if self._frame is not None and not self._frame.eof:
                    raise EOFError("the file ends within a zstd frame")
                return 0
            if self._frame is None or self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._held = self._frame.decompress(left)
            self._left = self._frame.unused_data if self._frame.eof else b""
        size = min(len(into), len(self._held))
        into[:size] = self._held[:size]
        self._held = self._held[size:]
        return size


def _member(path: Path, archive: zipfile.ZipFile) -> str:
    files = [info for info in archive.infolist() if not info.is_dir()]
    if len(files) > 1:
        files = [info for info in files if info.filename.lower().endswith(DATA)] or files
    if len(files) != 1:
        names = ", ".join(info.filename for info in files[:5])
        raise SourceError(
            f"{path} is a zip of {len(files)} files ({names}): unpack it and name their folder"
        )
    if files[0].flag_bits & 1:
        raise SourceError(f"{path} is a zip with a password: unpack it and name what is in it")
    return files[0].filename
