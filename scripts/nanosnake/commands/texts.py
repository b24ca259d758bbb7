"""Texts on their way through a command: files or stdin, in pieces that fit into memory."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from nanosnake.files import NanosnakeError, replacing

BLOCK = 4 << 20
"""Bytes that are read at a time."""

PIECE = 256 << 10
"""About how many characters a piece has: a thread encodes one at a time."""

_CUT = re.compile(r"(?<=\S\n)(?=[A-Za-z])")
"""Where the known split patterns always cut: after a line's end that follows a letter or sign, before a letter."""


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; `-` is stdin."""
    if str(path) == "-":
        yield sys.stdin.buffer
    else:
        with path.open("rb") as stream:
            yield stream


@contextmanager
def written(path: Path | None) -> Iterator[BinaryIO]:
    """Open stdout (also as `-`), or a file that gets its final name when it is complete; devices and pipes as they are."""
    if path is None or str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif path.exists() and not path.is_file():
        with path.open("wb") as stream:
            yield stream
    else:
        with replacing(path.resolve()) as temporary, temporary.open("wb") as stream:
            yield stream


def read_text(stream: BinaryIO, name: str) -> Iterator[str]:
    """Yield a stream's text in blocks.

    Raises:
        NanosnakeError: if it is not UTF-8; the message says where.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    done = 0
    while True:
        block = stream.read(BLOCK)
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            place = done - (len(error.object) - len(block)) + error.start
            raise NanosnakeError(
                f"{name}: byte {place:,} (0x{error.object[error.start]:02x}) is not UTF-8; convert the text first, for "
                "instance with iconv -f latin1 -t utf-8"
            ) from None
        done += len(block)
        if text:
            yield text
        if not block:
            return


def whole_lines(blocks: Iterator[str]) -> Iterator[list[str]]:
    """Yield the lines of a text, some thousands at a time, without their ends."""
    rest = ""
    for block in blocks:
        *lines, rest = (rest + block).split("\n")
        yield lines
    if rest:
        yield [rest]


def pieces(blocks: Iterator[str], *, cut: bool, size: int = PIECE) -> Iterator[list[str]]:
    """Yield a text in pieces that encode to the same tokens as the whole; the whole text if `cut` is false."""
    rest = ""
    if not cut:
        yield ["".join(blocks)]
        return
    for block in blocks:
        rest += block
        found, begin = [], 0
        while match := _CUT.search(rest, begin + size):
            found.append(rest[begin : match.start()])
            begin = match.start()
        rest = rest[begin:]
        yield found
    yield [rest]
