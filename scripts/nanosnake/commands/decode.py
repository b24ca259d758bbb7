"""Turn token ids back into text.

    nanosnake encode results/demo/bpe-4096 book.txt | nanosnake decode results/demo/bpe-4096
    nanosnake decode results/demo/bpe-4096 results/demo/bpe-4096/tokens/validation/shard_00004.ds --format uint16

Ids are numbers separated by blanks, or little-endian integers. The bytes are written unchanged: if the ids end inside a
character, so does the output.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO

from nanosnake.commands.encode import Format
from nanosnake.commands.subject import find
from nanosnake.commands.texts import BLOCK, opened, written
from nanosnake.files import NanosnakeError
from nanosnake.options import Positional
from nanosnake.stages import Stage


@dataclass(frozen=True, kw_only=True)
class Decode(Stage):
    """Turn token ids back into text."""

    tokenizer: Annotated[str, Positional]
    """A tokenizer's folder, or gpt2, cl100k_base or o200k_base."""
    files: Annotated[tuple[Path, ...], Positional] = ()
    """Files of ids; default: stdin."""
    output: Path | None = None
    """File to write; default: stdout."""
    format: Format = "text"
    """Numbers as text, or little-endian integers of this size."""
    lines: bool = False
    """Each line of ids is a separate text, as written by encode --lines."""

    def run(self) -> None:
        if self.lines and self.format != "text":
            raise NanosnakeError(
                f"--lines is for ids in text, and --format is {self.format}; leave out one of them"
            )
        subject = find(self.tokenizer)
        with written(self.output) as target:
            for path in self.files or (Path("-"),):
                with opened(path) as stream:
                    if self.lines:
                        for line in stream:
                            target.write(subject.decode(_numbers(line, path)) + b"\n")
                        continue
                    for ids in self._ids(stream, path):
                        target.write(subject.decode(ids))

    def _ids(self, stream: BinaryIO, path: Path) -> Iterator[list[int]]:
        """Yield ids, a block at a time."""
        if self.format == "text":
            yield from _text_ids(stream, path)
            return
        import numpy as np

        kind = np.dtype("<u2" if self.format == "uint16" else "<u4")
        while block := stream.read(BLOCK):
            if len(block) % kind.itemsize:
                raise NanosnakeError(f"{path}: ends inside a number of --format {self.format}")
            yield np.frombuffer(block, kind).tolist()


def _text_ids(stream: BinaryIO, path: Path) -> Iterator[list[int]]:
    rest = b""
    while block := stream.read(BLOCK):
        words = (rest + block).split()
        # a number may continue in the next block
        rest = words.pop() if words and not block[-1:].isspace() else b""
        yield _numbers(b" ".join(words), path)
    yield _numbers(rest, path)


def _numbers(text: bytes, path: Path) -> list[int]:
    try:
        ids = [int(word) for word in text.split()]
    except ValueError as error:
        raise NanosnakeError(
            f"{path}: {error}; ids are numbers separated by blanks, or integers of --format uint16"
        ) from None
    if wrong := [number for number in ids if not 0 <= number < 1 << 32]:
        raise NanosnakeError(
            f"{path}: {wrong[0]} is no tokenizer's id; ids are 0 or more and fit into 32 bits"
        )
    return ids
