"""Show the tokens of a text: in colours on a terminal, between bars elsewhere.

    nanosnake show results/demo/bpe-4096 "Hello world"
    nanosnake show gpt2 "naïve 東京" --table
    nanosnake show results/demo/bpe-4096 --file README.md

The ids follow below the text. A token that holds part of a character is shown as its bytes.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from nanosnake.commands.subject import Subject, find
from nanosnake.commands.texts import opened
from nanosnake.files import NanosnakeError
from nanosnake.options import Positional
from nanosnake.report.visible import token_text
from nanosnake.stages import Stage

COLOURS = ("48;5;153", "48;5;223", "48;5;157", "48;5;218", "48;5;189")
"""Backgrounds, in turn, under black letters."""


@dataclass(frozen=True, kw_only=True)
class Show(Stage):
    """Show the tokens of a text in colours, with their ids and bytes."""

    tokenizer: Annotated[str, Positional]
    """A tokenizer's folder, or gpt2, cl100k_base or o200k_base."""
    texts: Annotated[tuple[str, ...], Positional] = ()
    """Texts; default: stdin."""
    file: Path | None = None
    """Show the tokens of this text file."""
    table: bool = False
    """Print a table with each token's id, bytes and text."""
    most: int = field(default=2000, metadata={"ge": 0})
    """Show at most this many tokens."""

    def run(self) -> None:
        subject = find(self.tokenizer)
        read = () if self.texts and not self.file else (self._read(),)
        for text in (*self.texts, *read):
            (ids,) = subject.encode([text], 0)
            size = len(text.encode())
            shown = ids[: self.most]
            if self.table:
                _print_table(subject, shown)
            else:
                print(_coloured(subject, shown))
                print(" ".join(map(str, shown)))
            if len(ids) > self.most:
                print(f"… {len(ids) - self.most:,} more tokens; --most shows more")
            ratio = f", {size / len(ids):.2f} bytes per token" if ids else ""
            print(f"{subject.name}: {len(ids):,} tokens, {size:,} bytes{ratio}")

    def _read(self) -> str:
        path = self.file or Path("-")
        with opened(path) as stream:
            content = stream.read()
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise NanosnakeError(f"{path}: {error}; convert the text to UTF-8 first") from None


def _coloured(subject: Subject, ids: list[int]) -> str:
    """Return tokens one after the other; a character that is cut shows as the bytes of each part."""
    words = [token_text(subject.token(number)) for number in ids]
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return "|".join(words)
    return "".join(
        f"\x1b[30;{COLOURS[place % len(COLOURS)]}m{word}\x1b[0m" for place, word in enumerate(words)
    )


def _print_table(subject: Subject, ids: list[int]) -> None:
    print(f"{'id':>8}  {'bytes':<24}text")
    for number in ids:
        data = subject.token(number)
        print(f"{number:>8}  {data.hex(' '):<24}{token_text(data)}")
