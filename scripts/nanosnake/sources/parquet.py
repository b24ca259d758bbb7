"""Checks of a parquet shard: its footer, its text column, and every document in it, in bounded memory.

All of it is read by the Rust crate, which checks what a footer and its pages claim against a limit before it allocates
memory for them, and which alone decides what a column of text is. This module turns its errors into messages for a
user.

What is an error and what is not:

- A null or an empty document is allowed; both are counted. So is a shard with no rows at all.
- A page, and so a document, is allowed if it takes no more memory than the caller gives to one.
- A binary column is text if every value is valid UTF-8; a string column is checked in the same way, since
  writers do not always do so.
- A column that is absent, nested, present twice, or of another type is an error, and so is a row group that cannot be
  read.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from nanosnake.crate import rustbpe
from nanosnake.files import NanosnakeError
from nanosnake.sources.shards import ShardFacts

BASE_MB = 150
"""What the interpreter and its libraries take."""
PAGES_HELD = 2
"""A page of documents is still in use while the next one is read."""

MOST_FOOTER = 1 << 20
"""Bytes at the end of an encrypted file that are looked through for the names of its keys."""

NO_COLUMN_METADATA = "Required field type_ is missing"
"""What the reader says about a column whose description is encrypted."""


class WrongTextColumn(NanosnakeError):
    """A shard that can be read but lacks the wanted text column."""


def check_shard(
    path: str | Path,
    text_column: str,
    content: Literal["text", "conversations"] = "text",
    *,
    name: str | None = None,
    memory_mb: int | None = None,
) -> ShardFacts:
    """Read a shard's text column, or that of its conversations, from end to end and return what it holds.

    Args:
        path: a parquet file.
        text_column: name of a top-level column of text or, of conversations, of messages.
        name: what to call the file in errors, if not by its path.
        memory_mb: what the process may take; None if only the file's size limits it.

    Raises:
        NanosnakeError: if the file is not a parquet file, the column does not fit, a row group cannot be read or takes
            too much memory, or a document is not valid UTF-8.
        OSError: if the file cannot be opened.
    """
    path = Path(path)
    if content == "conversations":
        from nanosnake.sources import talks  # which reads tables, as this module checks them

        return talks.check_shard(path, text_column, name=name)
    most_page = None if memory_mb is None else max(memory_mb - BASE_MB, 1) * 1_000_000 // PAGES_HELD
    with _named(path, text_column, name):
        facts = rustbpe.check_parquet(path, text_column=text_column, most_page=most_page)
    return ShardFacts(bytes=path.stat().st_size, **facts)


def row_groups(path: str | Path, text_column: str | None = None) -> list[int]:
    """Return the rows of each row group of a parquet file, by its footer.

    Raises:
        WrongTextColumn: if a column is named and is absent, or holds no text; the message says which do.
        NanosnakeError: if the file is not a parquet file; the message says what it looks like instead.
        OSError: if the file cannot be opened.
    """
    with _named(Path(path), text_column):
        return rustbpe.row_groups(path, text_column=text_column)


@contextlib.contextmanager
def _named(path: Path, text_column: str | None, name: str | None = None) -> Iterator[None]:
    """Raise what the crate says about a file under the file's name, with what a user can do."""
    name = str(path) if name is None else name
    try:
        yield
    except rustbpe.FileFormatError as error:
        reason = str(error).removeprefix(f"{path}: ")
        if isinstance(error, rustbpe.ColumnError):
            raise WrongTextColumn(f"{name}: {reason}") from None
        if encrypted := _encrypted(path, text_column, reason):
            raise NanosnakeError(f"{name}: {encrypted}") from None
        raise NanosnakeError(f"{name}: {reason}, or leave the shard out") from None


def _encrypted(path: Path, text_column: str | None, reason: str) -> str | None:
    """Return the message for an encrypted file: which keys it names, as Arrow and parquet-java write them."""
    with path.open("rb") as stream:
        if stream.read(4) == b"PARE":
            what = "the file is"
        elif NO_COLUMN_METADATA in reason:
            what = f"the column {text_column!r} is" if text_column else "a column is"
        else:
            return None
        stream.seek(max(path.stat().st_size - MOST_FOOTER, 0))
        names = re.findall(rb'"masterKeyID":"([^"]{1,100})"', stream.read())
    keys = (
        ", ".join(repr(name.decode(errors="replace")) for name in dict.fromkeys(names))
        or "which it does not name"
    )
    return (
        f"{what} encrypted (keys: {keys}); encrypted parquet is not supported: write the text column without "
        "encryption, or leave the shard out"
    )
