"""Documents of tables: CSV, Arrow IPC and parquet."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from nanosnake.files import NanosnakeError
from nanosnake.sources.formats import look
from nanosnake.sources.formats.batch import Batch, kept, numbered
from nanosnake.sources.formats.columns import Column, WrongColumn
from nanosnake.sources.formats.refused import Refusals, why_not_text
from nanosnake.sources.formats.stream import Damaged, Stream
from nanosnake.sources.parquet import row_groups

LONGEST_ROW = 1 << 24
"""Bytes of a row of CSV: PyArrow needs a row to lie within two blocks of this size."""
ROWS = 1024
"""Rows of parquet that are read at a time."""

DELIMITERS = {"csv": ",", "tsv": "\t"}
_HINT = "set the dataset's text_column to the one that holds the documents"


class _UntilDamaged(io.RawIOBase):
    """A file for PyArrow that ends, perhaps within a row, where what is compressed is damaged.

    PyArrow reads ahead: an error would take with it rows before the damage, more or fewer by chance.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.damaged: Damaged | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> Any:
        try:
            return self.stream.read(size)
        except Damaged as error:
            self.damaged = error
            return b""


class _Skipped:
    """Takes the rows that PyArrow's CSV reader cannot parse, and keeps count of what that does to row numbers."""

    def __init__(self, path: str, refusals: Refusals) -> None:
        self.path = path
        self.refusals = refusals
        self.error: NanosnakeError | None = None
        self.rows: list[int] = []

    def __call__(self, row: Any) -> str:
        reason = f"{row.actual_columns} columns, where the header has {row.expected_columns}"
        try:
            self.refusals.add(self.path, f"row {row.number}", reason, (row.text or "").encode())
        except NanosnakeError as error:  # PyArrow would replace it with its own words
            self.error = error
            return "error"
        self.rows.append(row.number)
        return "skip"

    def numbered(self, texts: pa.Array, first: int) -> Batch:
        """Return the documents with their row numbers, from `first`, without those that were skipped."""
        places = np.arange(first, first + len(texts), dtype=np.int64)
        for row in self.rows:
            places[places >= row] += 1
        self.rows = [row for row in self.rows if len(places) == 0 or row > places[-1]]
        return Batch(texts, places)


def read_csv(stream: Stream, column: Column, kind: look.Format, refusals: Refusals) -> Iterator[Batch]:
    """Yield the documents of comma- or tab-separated values; the header is row 1."""
    skipped, source = _Skipped(stream.path, refusals), _UntilDamaged(stream)
    held, row = None, 2
    try:
        check_header(stream.start, column, kind)
        reader = pa.csv.open_csv(
            pa.PythonFile(source, mode="r"),
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=LONGEST_ROW),
            parse_options=pa.csv.ParseOptions(
                delimiter=DELIMITERS[kind], newlines_in_values=True, invalid_row_handler=skipped
            ),
            convert_options=pa.csv.ConvertOptions(
                include_columns=[column.name], column_types={column.name: pa.binary()}
            ),
        )
        for batch in reader:
            if held is not None:
                yield _checked(held, stream.path, refusals)
            found = skipped.numbered(batch.column(0), row)
            row = int(found.places[-1]) + 1 if len(found.places) else row
            held = found
    except WrongColumn as error:
        raise NanosnakeError(f"{stream.path}: {error}; {_HINT}") from None
    except (pa.ArrowException, KeyError) as error:
        if source.damaged is not None:
            raise source.damaged from None
        if skipped.error is not None:
            raise skipped.error from None
        raise NanosnakeError(f"{stream.path}: {_csv_reason(error, column, kind)}") from None
    if held is not None:
        whole = np.arange(len(held.places)) < len(held.places) - (source.damaged is not None)
        yield _checked(kept(held, whole), stream.path, refusals)
    if source.damaged is not None:
        raise source.damaged


def check_header(start: bytes, column: Column, kind: look.Format) -> None:
    """Look for a column in the first line of a file, as far as that has been read.

    Raises:
        WrongColumn: if it is absent, or present twice.
    """
    text = start.removeprefix(look.BOM).decode(errors="replace")
    if "\n" in text:
        try:
            header = next(csv.reader(io.StringIO(text), delimiter=DELIMITERS[kind]))
        except csv.Error:
            return  # no header that PyArrow takes either
        column.find(pa.table([pa.array([], pa.string())] * len(header), names=header))


def _csv_reason(error: Exception, column: Column, kind: look.Format) -> str:
    message = first_line(error)
    if "straddling" in message:
        return (
            f"a row is longer than {LONGEST_ROW:,} bytes, or a quotation mark is never closed; correct the file, or "
            "make JSON Lines of it"
        )
    if "Empty CSV" in message:
        return "the file is empty; remove it, or leave it out of the source's path"
    if isinstance(error, KeyError) or "does not exist" in message:
        return f"its header has no column {column.name!r} (delimiter {DELIMITERS[kind]!r}); {_HINT}"
    return message


def _checked(batch: Batch, path: str, refusals: Refusals) -> Batch:
    """Return documents that were read as bytes as text, without those that are not UTF-8 or hold a zero byte."""
    try:
        texts = batch.texts.cast(pa.string())
        if not _zero_bytes(texts):
            return Batch(texts, batch.places)
    except pa.ArrowInvalid:
        pass
    good = np.ones(len(batch.texts), dtype=np.bool_)
    for index, value in enumerate(batch.texts.to_pylist()):
        if value is not None and (reason := why_not_text(value)):
            refusals.add(path, f"row {batch.places[index]}", reason, value[:60])
            good[index] = False
    left = kept(batch, good)
    return Batch(left.texts.cast(pa.string()), left.places)


def _zero_bytes(texts: pa.Array) -> bool:
    """Return whether a text holds a zero byte; all of their bytes are looked at in one go."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return False
    ends = np.frombuffer(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]]
    return bool(np.frombuffer(data, np.uint8)[slice(*ends)].min(initial=1) == 0)


def read_table(path: str, column: Column, kind: look.Format, *, name: str | None = None) -> Iterator[Batch]:
    """Yield the documents of an Arrow or parquet file; rows are numbered from 1.

    Args:
        name: what to call the file in errors, if not by its path.

    Raises:
        NanosnakeError: if the file is not one, is damaged, or has no such column of text.
    """
    start, name, row = start_of(path, kind), name or path, 1
    with contextlib.ExitStack() as stack:
        try:
            for batch in _parquet(path, column, stack) if kind == "parquet" else _arrow(path, start, stack):
                try:
                    texts = column.texts(batch)
                except pa.ArrowInvalid as error:
                    raise NanosnakeError(
                        f"{name}, rows {row} to {row + len(batch) - 1}: column {column.name!r}: {first_line(error)}"
                    ) from None
                yield numbered(texts, row)
                row += len(batch)
        except WrongColumn as error:
            raise NanosnakeError(f"{name}: {error}; {_HINT}") from None
        except (pa.ArrowException, OSError) as error:
            raise NanosnakeError(
                f"{name}: damaged or broken off after row {row - 1} ({first_line(error)}); get it again"
            ) from None


def start_of(path: str, kind: look.Format) -> bytes:
    """Return the first bytes of a table.

    Raises:
        NanosnakeError: if they are not those of one.
    """
    with Path(path).open("rb") as file:
        start = file.read(look.START)
    if packing := look.packing_of(path, start):
        raise NanosnakeError(
            f"{path}: {kind} cannot be read while it is compressed with {packing}; unpack it"
        )
    if not start:
        raise NanosnakeError(f"{path}: the file is empty; remove it, or leave it out of the source's path")
    look.check_format(path, start, kind)
    return start


def _arrow(path: str, start: bytes, stack: contextlib.ExitStack) -> Iterator[pa.RecordBatch]:
    source = stack.enter_context(pa.memory_map(path))
    if not start.startswith(b"ARROW1"):
        yield from stack.enter_context(pa.ipc.open_stream(source))
        return
    reader = stack.enter_context(pa.ipc.open_file(source))
    for index in range(reader.num_record_batches):
        yield reader.get_batch(index)


def _parquet(path: str, column: Column, stack: contextlib.ExitStack) -> Iterator[pa.RecordBatch]:
    reader = stack.enter_context(open_parquet(path))
    column.find(reader.schema_arrow.empty_table())
    for group in range(reader.num_row_groups):  # of several, PyArrow cannot read nested dictionaries
        yield from reader.iter_batches(ROWS, [group], [column.name], use_threads=False)


def open_parquet(path: str | Path) -> pq.ParquetFile:
    """Open a parquet file whose footer the crate has looked at first: PyArrow allocates whatever one asks for.

    Raises:
        NanosnakeError: if it is not a parquet file; the message says what it looks like instead.
    """
    row_groups(path)
    return pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False, page_checksum_verification=True)


def first_line(error: Exception) -> str:
    """Return the first line of an error's text; Arrow adds its own source positions after it."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
