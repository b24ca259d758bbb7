"""The bytes of a file, unpacked and hashed while they are read."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from nanosnake.files import CHUNK
from nanosnake.sources.formats import look

LONGEST = 1 << 26
"""Bytes of the longest line or document; a longer one is refused and never held in memory."""


class Damaged(Exception):
    """Compressed bytes that cannot be unpacked any further."""


class _Hashed:
    """A file whose bytes are hashed as they are read."""

    closed = False  # PyArrow asks

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb", buffering=0)
        self.digest = hashlib.sha256()
        self.bytes = 0

    def read(self, size: int = -1) -> bytes:
        chunk = self.file.read(size)
        self.digest.update(chunk)
        self.bytes += len(chunk)
        return chunk

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.file.close()


class Stream:
    """A file's bytes, unpacked; a file for PyArrow's readers too.

    Args:
        path: the file.
        wanted: the format that it is read as.

    Raises:
        NanosnakeError: if its first bytes say that it is something else.
        OSError: if it cannot be opened.
    """

    closed = False  # PyArrow asks

    def __init__(self, path: str | Path, wanted: look.Format) -> None:
        self.path = str(path)
        self.unpacked = 0
        """Bytes that were read so far."""
        self._raw = _Hashed(Path(path))
        try:
            with Path(path).open("rb") as stream:
                self.packing = look.packing_of(path, stream.read(16))
            self._source = self._unpacking()
            self._start = self.start = self._read(look.START)
            look.check_format(path, self._start, wanted)
        except BaseException:
            self._raw.close()
            raise
        self.unpacked = 0  # what was looked at still has to be read
        if self._start.startswith(look.BOM):
            self._start = self._start[len(look.BOM) :]
            self.unpacked = len(look.BOM)

    def _unpacking(self) -> IO[bytes] | Any:
        if self.packing is None:
            return self._raw
        if self.packing == "xz":
            return lzma.LZMAFile(self._raw)  # type: ignore[arg-type]  # it asks for `read` alone
        return pa.CompressedInputStream(pa.PythonFile(self._raw, mode="r"), self.packing)

    def _read(self, size: int) -> bytes:
        try:
            return bytes(self._source.read(size))
        except (EOFError, lzma.LZMAError, pa.ArrowException, OSError) as error:
            if self.packing is None:
                raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise Damaged(
                f"the compressed data ({self.packing}) is damaged or broken off after {self.unpacked:,} bytes of "
                f"text ({reason})"
            ) from error

    def read(self, size: int = CHUNK) -> bytes:
        """Return up to `size` bytes; none at the end.

        Raises:
            Damaged: if what is compressed cannot be unpacked.
        """
        if self._start:
            chunk, self._start = self._start[:size], self._start[size:]
        else:
            chunk = self._read(size)
        self.unpacked += len(chunk)
        return chunk

    @property
    def bytes(self) -> int:
        """Size of the file, once it was read to its end."""
        return self._raw.bytes

    def sha256(self) -> str:
        """Return the hash of the whole file; what was not read yet is read."""
        while self._raw.read(CHUNK):
            pass
        return self._raw.digest.hexdigest()

    def readable(self) -> bool:
        """Return True: PyArrow asks."""
        return True

    def seekable(self) -> bool:
        """Return False: PyArrow asks."""
        return False

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Lines(NamedTuple):
    """Whole lines of a file."""

    data: bytes
    """Each line with its line feed; the last line of a file may lack it."""
    first: int
    """Number of the first line, from 1."""
    span: tuple[int, int]
    """Bytes of the unpacked file, from and before, that the lines are."""
    feeds: int = 0
    """Line feeds in `data`."""
    too_long: int = 0
    """Bytes of a line that is longer than LONGEST; `data` is its beginning then."""


def count_byte(data: bytes, byte: bytes) -> int:
    """Return how often a byte occurs, three times as fast as `bytes.count`."""
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == ord(byte)))


def lines(stream: Stream, size: int = CHUNK) -> Iterator[Lines]:
    """Yield a file in pieces of whole lines, of about `size` bytes each."""
    rest: list[bytes] = []
    held, line, begin = 0, 1, stream.unpacked  # after a BOM
    chunk = stream.read(size)
    while chunk:
        cut = chunk.rfind(b"\n") + 1
        if cut:
            data = b"".join([*rest, memoryview(chunk)[:cut]])
            feeds = count_byte(data, b"\n")
            yield Lines(data, line, (begin, begin + len(data)), feeds)
            line, begin = line + feeds, begin + len(data)
            rest, held = [chunk[cut:]], len(chunk) - cut
        else:
            rest.append(chunk)
            held += len(chunk)
        chunk = b""
        if held > LONGEST:
            length, chunk = _skip_line(stream, held, size)
            yield Lines(b"".join(rest)[: look.START], line, (begin, begin + length), too_long=length)
            line, begin = line + 1, begin + length + 1
            rest, held = [], 0
        chunk = chunk or stream.read(size)
    if held:
        yield Lines(b"".join(rest), line, (begin, begin + held))


def _skip_line(stream: Stream, held: int, size: int) -> tuple[int, bytes]:
    """Read to the end of a line; return its length, and what was read of the next one."""
    while chunk := stream.read(size):
        cut = chunk.find(b"\n") + 1
        if cut:
            return held + cut - 1, chunk[cut:]
        held += len(chunk)
    return held, b""
