"""A first look at a file: whether it is what it is read as, and has the column that is wanted."""

from __future__ import annotations

import pyarrow as pa

from nanosnake.files import CHUNK, NanosnakeError
from nanosnake.sources.formats import look, tables
from nanosnake.sources.formats.columns import Column, WrongColumn
from nanosnake.sources.formats.lines import check_keys
from nanosnake.sources.formats.stream import Damaged, Stream


def peek(path: str, kind: look.Format, column: Column) -> None:
    """Look at the beginning of a file, or at the schema of a table.

    Raises:
        NanosnakeError: if it is something else, or has no such column of text.
    """
    try:
        if kind in ("arrow", "parquet"):
            column.texts(_schema(path, kind).empty_table())
            return
        with Stream(path, kind) as stream:
            start = bytes(stream.read(look.START)) + bytes(stream.read(CHUNK)) if kind != "text" else b""
        if kind == "jsonl":
            check_keys(path, start, column)
        if kind in tables.DELIMITERS:
            tables.check_header(start, column, kind)
    except Damaged:
        return  # the job that reads it says what is wrong, or leaves the rest out
    except WrongColumn as error:
        raise NanosnakeError(f"{path}: {error}") from None
    except pa.ArrowException as error:
        raise NanosnakeError(f"{path}: not a readable {kind} file ({tables.first_line(error)})") from None


def _schema(path: str, kind: look.Format) -> pa.Schema:
    start = tables.start_of(path, kind)
    if kind == "parquet":
        with tables.open_parquet(path) as reader:
            schema: pa.Schema = reader.schema_arrow
        return schema
    with pa.memory_map(path) as source:
        opened = pa.ipc.open_file(source) if start.startswith(b"ARROW1") else pa.ipc.open_stream(source)
        return opened.schema
