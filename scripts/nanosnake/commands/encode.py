"""Turn text into token ids.

    nanosnake encode results/demo/bpe-4096 book.txt > book.ids
    echo "Hello world" | nanosnake encode gpt2
    nanosnake encode results/demo/bpe-4096 book.txt --format uint16 --output book.bin

The text is streamed, so a file may be larger than memory. The output is one line of ids per text, or, with --lines, per
line of text. `nanosnake decode` gives back the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from nanosnake.commands.subject import Subject, find
from nanosnake.commands.texts import opened, pieces, read_text, whole_lines, written
from nanosnake.files import NanosnakeError
from nanosnake.options import Positional
from nanosnake.stages import Stage

Format = Literal["text", "uint16", "uint32"]


@dataclass(frozen=True, kw_only=True)
class Encode(Stage):
    """Turn text into token ids."""

    tokenizer: Annotated[str, Positional]
    """A tokenizer's folder, or gpt2, cl100k_base or o200k_base."""
    files: Annotated[tuple[Path, ...], Positional] = ()
    """Text files in UTF-8, each one text; default: stdin."""
    output: Path | None = None
    """File to write; default: stdout."""
    format: Format = "text"
    """Numbers as text, or little-endian integers of this size."""
    lines: bool = False
    """Take each line as a separate text."""
    begin: bool = False
    """Begin each text with the special token that begins documents (bos)."""
    threads: int = field(default=0, metadata={"ge": 0})
    """Number of threads; 0: one per core."""

    def run(self) -> str:
        subject = find(self.tokenizer)
        if self.format == "uint16" and subject.vocab_size > 1 << 16:
            raise NanosnakeError(f"{subject.name}: its {subject.vocab_size:,} ids need --format uint32")
        bytes_read = tokens = 0
        with written(self.output) as target:
            writer = _Writer(target, subject, self.format)
            for path in self.files or (Path("-"),):
                with opened(path) as stream:
                    for texts, ends in self._texts(subject, read_text(stream, str(path))):
                        encoded = subject.encode(texts, self.threads)
                        bytes_read += sum(len(text.encode()) for text in texts) + (
                            len(texts) if self.lines else 0
                        )
                        tokens += sum(map(len, encoded))
                        writer.write(encoded, ends=ends, begin=self.begin)
        ratio = f", {bytes_read / tokens:.2f} bytes per token" if tokens else ""
        return f"{tokens:,} tokens of {bytes_read:,} bytes{ratio}"

    def _texts(self, subject: Subject, blocks: Iterable[str]) -> Iterable[tuple[list[str], bool]]:
        """Yield texts to encode, and whether each of them is a whole one."""
        if self.lines:
            yield from ((lines, True) for lines in whole_lines(iter(blocks)))
            return
        for found in pieces(iter(blocks), cut=subject.cuts_at_lines):
            yield found, False
        yield [], True


class _Writer:
    """Writes ids as text or as integers."""

    def __init__(self, target: BinaryIO, subject: Subject, form: Format) -> None:
        self.target, self.form, self.bos = target, form, subject.bos
        self.words = [str(number) for number in range(subject.vocab_size)]
        self.open = False
        """Whether ids of the current text were written."""

    def write(self, encoded: list[list[int]], *, ends: bool, begin: bool) -> None:
        """Write ids: of whole texts if `ends`, else of the current text; `ends` without ids ends the current text."""
        if not encoded and ends:
            encoded = [[]]
        for ids in encoded:
            if begin and not self.open:
                ids = [self.bos, *ids]
            self._write_ids(ids)
            if ends:
                self._end()

    def _write_ids(self, ids: list[int]) -> None:
        if not ids:
            return
        if self.form == "text":
            gap = " " if self.open else ""
            self.target.write((gap + " ".join(map(self.words.__getitem__, ids))).encode())
        else:
            import numpy as np

            self.target.write(np.array(ids, dtype="<u2" if self.form == "uint16" else "<u4").tobytes())
        self.open = True

    def _end(self) -> None:
        if self.form == "text":
            self.target.write(b"\n")
        self.open = False
