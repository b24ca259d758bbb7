"""Checks of a parquet shard: its footer, its text column, and every document in it, in bounded memory.

PyArrow looks at the footer, since its words for what is wrong with one are good; pages are read by the Rust crate,
which holds what they claim against a limit before it gives them memory.

What is an error and what is not:

- A null or an empty document is allowed; both are counted. So is a shard with no rows at all.
- A page, and so a document, is allowed if it takes no more memory than the caller gives to one.
- A binary column is text if every value is valid UTF-8; a string column is checked in the same way, since
  writers do not always do so.
- A column that is absent, nested, there twice, or of another type is an error, and so is a row group that
  cannot be read.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nanosnake.crate import rustbpe
from nanosnake.files import NanosnakeError
from nanosnake.sources.shards import ShardFacts

ALLOWED = (
    "string, large_string, string_view, binary, large_binary, binary_view, or a dictionary of one of these"
)

BASE_MB = 150
"""What the interpreter and its libraries take."""
PAGES_HELD = 2
"""A page of documents is still in use while the next one is read."""

MOST_FOOTER = 1 << 20
"""Bytes at the end of an encrypted file that are looked through for the names of its keys."""

NO_COLUMN_METADATA = "Required field type_ is missing"
"""What the reader says of a column whose description is encrypted."""

_AGAIN = "the file is damaged: get it again, or leave the shard out"


def check_shard(
    path: str | Path, text_column: str, *, name: str | None = None, memory_mb: int | None = None
) -> ShardFacts:
    """Read a shard's text column from end to end and return what it holds.

    Args:
        path: a parquet file.
        text_column: name of a top-level column of text.
        name: what to call the file in errors, if not by its path.
        memory_mb: what the process may take; None if only the file's size is to bound it.

    Raises:
        NanosnakeError: if the file is no parquet file, the column does not fit, a row group cannot be read or takes
            too much memory, or a document is not valid UTF-8.
        OSError: if the file cannot be opened.
    """
    path = Path(path)
    name = str(path) if name is None else name
    with open_parquet(path, name) as reader:
        check_text_column(reader.schema_arrow, text_column, name)
    most_page = None if memory_mb is None else max(memory_mb - BASE_MB, 1) * 1_000_000 // PAGES_HELD
    try:
        facts = rustbpe.check_parquet(path, text_column=text_column, most_page=most_page)
    except rustbpe.FileFormatError as error:
        reason = str(error).removeprefix(f"{path}: ")
        if NO_COLUMN_METADATA in reason:
            raise NanosnakeError(f"{name}: {_encrypted(path, f'the column {text_column!r} is')}") from None
        raise NanosnakeError(f"{name}: {reason}, or leave the shard out") from None
    return ShardFacts(bytes=path.stat().st_size, **facts)


def add_memory(parser: argparse.ArgumentParser) -> None:
    """Add the option that bounds what one page of a shard may take."""
    parser.add_argument(
        "--memory-mb",
        type=int,
        help="megabytes that this process may take: a page that would need more is refused; "
        "its file's size alone bounds it if absent",
    )


def open_parquet(path: Path, name: str) -> pq.ParquetFile:
    """Open a parquet file by its footer.

    Raises:
        NanosnakeError: if it is no parquet file; it says what it looks like instead.
    """
    with path.open("rb") as stream:
        start = stream.read(256)
    try:
        return pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        if start.startswith(b"PARE"):
            raise NanosnakeError(f"{name}: {_encrypted(path, 'the file is')}") from error
        size = path.stat().st_size
        raise NanosnakeError(
            f"{name}: not a readable parquet file ({size} bytes; {_looks_like(start, error)}); {_AGAIN}"
        ) from error


def _encrypted(path: Path, what: str) -> str:
    """Return the message for an encrypted file: which keys it names, as Arrow and parquet-java write them."""
    with path.open("rb") as stream:
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


def _looks_like(start: bytes, error: Exception) -> str:
    text = start.lstrip().lower()
    if not start:
        return "it is empty"
    if text.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, not the file itself"
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page, so the URL is wrong or the host sent an error page"
    if start.startswith(b"\x1f\x8b"):
        return "it is compressed with gzip"
    if start.startswith(b"PAR1"):
        return f"it begins like one, but its end is missing or damaged: {first_line(error)}"
    return first_line(error)


def first_line(error: Exception) -> str:
    """Return the first line of an error's text; Arrow adds its own source positions after it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def check_text_column(schema: pa.Schema, text_column: str, name: str) -> None:
    """Raise NanosnakeError unless `text_column` is one top-level column of text."""
    found = schema.get_all_field_indices(text_column)
    if len(found) == 1 and is_text(schema.field(found[0]).type):
        return
    candidates = [field.name for field in schema if is_text(field.type)]
    hint = (
        f"set the dataset's text_column to {' or '.join(map(repr, candidates))}"
        if candidates
        else ("no column of this file holds text: use another file")
    )
    columns = ", ".join(f"{field.name!r} ({field.type})" for field in schema) or "none"
    if len(found) > 1:
        what = f"{len(found)} columns are named {text_column!r}; one is wanted"
    elif found:
        what = f"column {text_column!r} is of type {schema.field(found[0]).type}; wanted: {ALLOWED}"
    else:
        what = f"no column {text_column!r}"
        outer = text_column.split(".")[0]
        if outer != text_column and schema.get_all_field_indices(outer):
            what += f" at the top level; a column inside {outer!r} cannot be the text column"
    raise NanosnakeError(f"{name}: {what}; its columns are {columns}; {hint}")


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column of this type can be the text column."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(
        is_kind(kind)
        for is_kind in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_binary_view,
        )
    )
