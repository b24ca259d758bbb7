"""Checks of a parquet shard: its footer, its text column, and every document in it, in bounded memory.

What is an error and what is not:

- A null or an empty document is allowed; both are counted. So is a shard with no rows at all.
- A document of any size is allowed, up to what one row of the file's type can hold.
- A binary column is text if every value is valid UTF-8; a string column is checked in the same way, since
  writers do not always do so.
- A column that is absent, nested, there twice, or of another type is an error, and so is a row group that
  cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nanosnake.files import NanosnakeError

BATCH_BYTES = 32 << 20
"""About how much text is decoded at a time; a single larger document is decoded whole."""

BATCH_ROWS = 8192

ALLOWED = (
    "string, large_string, string_view, binary, large_binary, binary_view, or a dictionary of one of these"
)


@dataclass(frozen=True)
class ShardFacts:
    """What a shard holds."""

    bytes: int
    """Size of the file."""
    rows: int
    row_groups: int
    characters: int
    """Unicode scalars in the text column."""
    nulls: int
    """Rows whose text is null."""
    empty: int
    """Rows whose text is the empty string."""


@dataclass(frozen=True)
class RowGroup:
    """One row group's place in its file, for error messages."""

    name: str
    index: int
    first_row: int
    rows: int
    text_column: str

    def error(self, what: str) -> NanosnakeError:
        """Return an error that names the file, the row group and the column."""
        last = self.first_row + max(self.rows, 1) - 1
        return NanosnakeError(
            f"{self.name}: row group {self.index} (rows {self.first_row} to {last}), "
            f"column {self.text_column!r}: {what}"
        )


def check_shard(path: str | Path, text_column: str, *, name: str | None = None) -> ShardFacts:
    """Read a shard's text column from end to end and return what it holds.

    Args:
        path: a parquet file.
        text_column: name of a top-level column of text.
        name: what to call the file in errors, if not by its path.

    Raises:
        NanosnakeError: if the file is no parquet file, the column does not fit, a row group cannot be read,
            or a document is not valid UTF-8.
        OSError: if the file cannot be opened.
    """
    path = Path(path)
    name = str(path) if name is None else name
    with open_parquet(path, name) as reader:
        check_text_column(reader.schema_arrow, text_column, name)
        metadata = reader.metadata
        characters = nulls = empty = first_row = 0
        for index in range(metadata.num_row_groups):
            group = RowGroup(name, index, first_row, metadata.row_group(index).num_rows, text_column)
            seen = 0
            for texts in read_row_group(reader, group):
                lengths = pc.utf8_length(texts)
                characters += pc.sum(lengths, min_count=0).as_py()
                nulls += texts.null_count
                empty += pc.sum(pc.equal(lengths, 0), min_count=0).as_py()
                seen += len(texts)
            if seen != group.rows:
                raise group.error(f"holds {seen} rows where the footer says {group.rows}; {_AGAIN}")
            first_row += group.rows
        if first_row != metadata.num_rows:
            raise NanosnakeError(
                f"{name}: the row groups hold {first_row} rows, the footer says {metadata.num_rows}; {_AGAIN}"
            )
        return ShardFacts(
            bytes=path.stat().st_size,
            rows=metadata.num_rows,
            row_groups=metadata.num_row_groups,
            characters=characters,
            nulls=nulls,
            empty=empty,
        )


_AGAIN = "the file is damaged: get it again, or leave the shard out"


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
        size = path.stat().st_size
        raise NanosnakeError(
            f"{name}: not a readable parquet file ({size} bytes; {_looks_like(start, error)}); {_AGAIN}"
        ) from error


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


def read_row_group(reader: pq.ParquetFile, group: RowGroup) -> Iterator[pa.LargeStringArray]:
    """Yield the text column of one row group as valid UTF-8, a batch at a time.

    Raises:
        NanosnakeError: if the row group cannot be read or a value is not UTF-8.
    """
    batches = reader.iter_batches(
        batch_size=_batch_rows(reader, group),
        row_groups=[group.index],
        columns=[group.text_column],
        use_threads=False,
    )
    row = group.first_row
    while True:
        try:
            batch = next(batches, None)
        except (pa.ArrowException, OSError) as error:
            raise group.error(f"cannot be read ({first_line(error)}); {_AGAIN}") from error
        if batch is None:
            return
        yield as_text(batch.column(0), group, row)
        row += batch.num_rows


def _batch_rows(reader: pq.ParquetFile, group: RowGroup) -> int:
    """Return how many rows hold about BATCH_BYTES of text."""
    size = sum(
        column.total_uncompressed_size
        for column in _column_chunks(reader.metadata.row_group(group.index))
        if column.path_in_schema == group.text_column
    )
    return max(1, min(BATCH_ROWS, BATCH_BYTES * group.rows // max(int(size), 1)))


def _column_chunks(row_group: pq.RowGroupMetaData) -> Iterator[pq.ColumnChunkMetaData]:
    return (row_group.column(index) for index in range(row_group.num_columns))


def as_text(values: pa.Array, group: RowGroup, first_row: int) -> pa.LargeStringArray:
    """Return values of any allowed type as large_string, checked to be UTF-8.

    Args:
        first_row: the row of the file that `values` begins with.
    """
    try:
        texts = values.cast(pa.large_string())
        texts.validate(full=True)
    except pa.ArrowException as error:
        found = _invalid_row(values)
        if found is None:
            raise group.error(f"cannot be read as text ({first_line(error)}); {_AGAIN}") from error
        row, reason = found
        raise group.error(
            f"row {first_row + row} is not valid UTF-8 ({reason}); rewrite the file with this document "
            "repaired or removed, or leave the shard out"
        ) from None
    return texts


def _invalid_row(values: pa.Array) -> tuple[int, str] | None:
    """Return the first value that is not UTF-8 and what is wrong with it."""
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    raw = values.cast(kind).cast(pa.large_binary())
    for row, value in enumerate(raw):
        if value.is_valid:
            try:
                value.as_py().decode("utf-8")
            except UnicodeDecodeError as error:
                return (
                    row,
                    f"byte 0x{error.object[error.start]:02x} at position {error.start}: {error.reason}",
                )
    return None
