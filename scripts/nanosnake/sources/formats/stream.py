"""The bytes of a file, unpacked and hashed while they are read."""

from __future__ import annotations

import contextlib
import hashlib
import lzma
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from nanosnake.files import CHUNK
from nanosnake.sources.formats import look

LONGEST = 1 << 26
"""Bytes of the longest line or document; a longer one is refused and never held in memory."""


class Damaged(Exception):
    """Compressed bytes that cannot be unpacked any further."""


def _filled(source: Any, size: int) -> pa.Buffer:
    """Return up to `size` bytes in memory of Arrow's pool: new `bytes` for each piece cost more than to read it."""
    buffer = pa.allocate_buffer(size)
    return buffer.slice(0, source.readinto(memoryview(buffer).cast("B")))


class _Hashed:
    """A file whose bytes are hashed as they are read."""

    closed = False  # PyArrow asks

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb", buffering=0)
        self.digest = hashlib.sha256()
        self.bytes = 0

    def readinto(self, view: memoryview) -> int:
        count = self.file.readinto(view)
        self.digest.update(view[:count])
        self.bytes += count
        return count

    def read(self, size: int) -> pa.Buffer:
        return _filled(self, size)

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
        self.start = self._start = b""
        self._damaged: Damaged | None = None
        self._raw = _Hashed(Path(path))
        try:
            with Path(path).open("rb") as stream:
                self.packing = look.packing_of(path, stream.read(16))
            self._source = self._unpacking()
            with contextlib.suppress(Damaged):  # raised again where the text is read
                self.start = self.read(look.START).to_pybytes()
            look.check_format(path, self.start, wanted)
        except BaseException:
            self._raw.close()
            raise
        self._start = self.start.removeprefix(look.BOM)  # what was looked at still has to be read
        self.unpacked = len(self.start) - len(self._start)

    def _unpacking(self) -> Any:
        if self.packing is None:
            return self._raw
        if self.packing == "xz":
            return lzma.LZMAFile(self._raw)  # type: ignore[arg-type]  # it asks for `read` alone
        return pa.CompressedInputStream(pa.PythonFile(self._raw, mode="r"), self.packing)

    def readinto(self, view: memoryview) -> int:
        """Fill a buffer as far as there are bytes; return how many there were, 0 at the end.

        Raises:
            Damaged: if what is compressed cannot be unpacked.
        """
        if self._start:
            count = min(len(view), len(self._start))
            view[:count], self._start = self._start[:count], self._start[count:]
        else:
            count = self._unpacked_into(view)
        self.unpacked += count
        return count

    def _unpacked_into(self, view: memoryview) -> int:
        if self._damaged:
            raise self._damaged
        try:
            return int(self._source.readinto(view))
        except (EOFError, lzma.LZMAError, pa.ArrowException, OSError) as error:
            if self.packing is None:
                raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            self._damaged = Damaged(
                f"the compressed data ({self.packing}) is damaged or broken off after {self.unpacked:,} bytes of "
                f"text ({reason})"
            )
            raise self._damaged from error

    def read(self, size: int = CHUNK) -> pa.Buffer:
        """Return up to `size` bytes; none at the end.

        Raises:
            Damaged: if what is compressed cannot be unpacked.
        """
        return _filled(self, size)

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

    data: memoryview
    """Each line with its line feed; the last line of a file may lack it."""
    first: int
    """Number of the first line, from 1."""
    span: tuple[int, int]
    """Bytes of the unpacked file, from and before, that the lines are."""
    too_long: int = 0
    """Bytes of a line that is longer than LONGEST; `data` is its beginning then."""


def _line_feeds(data: memoryview) -> int:
    found = np.frombuffer(pa.allocate_buffer(len(data)), np.bool_)
    return int(np.count_nonzero(np.equal(np.frombuffer(data, np.uint8), ord("\n"), out=found)))


def _last_line(data: memoryview) -> int:
    """Return where the last line begins, which is mostly near the end."""
    for reach in (1 << 16, len(data)):
        if found := bytes(data[-reach:]).rfind(b"\n") + 1:
            return max(len(data) - reach, 0) + found
    return 0


def lines(stream: Stream, size: int = CHUNK) -> Iterator[Lines]:
    """Yield a file in pieces of whole lines, of about `size` bytes each."""
    rest, line, begin = memoryview(b""), 1, stream.unpacked  # after a BOM
    while True:
        # a long line is copied as it grows: by a half each time, and not far beyond what is read of it
        more = max(size, min(len(rest) // 2, LONGEST - len(rest)))
        room = memoryview(pa.allocate_buffer(len(rest) + more)).cast("B")
        room[: len(rest)] = rest
        added = stream.readinto(room[len(rest) :])
        data = room[: len(rest) + added]
        cut = _last_line(data) if added else len(data)  # at the end of a file, a line may lack its line feed
        if cut:
            yield Lines(data[:cut], line, (begin, begin + cut))
            line, begin = line + _line_feeds(data[:cut]), begin + cut
        if not added:
            return
        rest = data[cut:]
        if len(rest) > LONGEST:
            start = rest[: look.START]
            length, rest = _skip_line(stream, len(rest), size)
            yield Lines(start, line, (begin, begin + length), too_long=length)
            line, begin = line + 1, begin + length + 1


def _skip_line(stream: Stream, held: int, size: int) -> tuple[int, memoryview]:
    """Read to the end of a line; return its length, and what was read of the next one."""
    while chunk := stream.read(size).to_pybytes():
        cut = chunk.find(b"\n") + 1
        if cut:
            return held + cut - 1, memoryview(chunk)[cut:]
        held += len(chunk)
    return held, memoryview(b"")
