"""Conversations in parquet: a column of lists of messages, as data sets of hubs have them, or of their JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from nanosnake.files import NanosnakeError
from nanosnake.sources.formats.columns import Column, WrongColumn
from nanosnake.sources.formats.tables import first_line, open_parquet
from nanosnake.sources.parquet import row_groups
from nanosnake.sources.shards import ShardFacts
from nanosnake.tokenizer import conversations

ROWS = 1024
"""Rows that are read at a time."""


def read(path: Path, column: str, *, name: str | None = None) -> Iterator[list[dict[str, Any]]]:
    """Yield the messages of each conversation of a shard.

    Args:
        name: what to call the file in errors, if not by its path.

    Raises:
        NanosnakeError: if it is not a parquet file, has no such column, or a row is not a conversation.
    """
    name, row = name or str(path), 0
    try:
        with open_parquet(path) as reader:
            if column not in reader.schema_arrow.names:
                raise WrongColumn(
                    f"no column {column!r}; its columns are {', '.join(reader.schema_arrow.names)}"
                )
            for batch in reader.iter_batches(columns=[column], batch_size=ROWS, use_threads=False):
                for document in Column(column, conversations=True).texts(batch).to_pylist():
                    row += 1
                    yield conversations.parse(document or "null")
    except WrongColumn as error:
        raise NanosnakeError(
            f"{name}: {error}; set the dataset's text_column to the one of the messages"
        ) from None
    except pa.ArrowInvalid as error:
        raise NanosnakeError(
            f"{name}, after row {row}: {first_line(error)}; correct the file, or leave the shard out"
        ) from None
    except conversations.WrongConversation as error:
        raise NanosnakeError(
            f"{name}, row {row}: {error}; correct the file, or leave the shard out"
        ) from None


def check_shard(path: Path, column: str, *, name: str | None = None) -> ShardFacts:
    """Read a shard of conversations from end to end and return what it holds.

    Raises:
        NanosnakeError: see `read`.
    """
    rows = characters = 0
    for messages in read(path, column, name=name):
        rows += 1
        parts = (part for message in messages for part in conversations.parts_of(message["content"]))
        characters += sum(len(part["text"]) for part in parts)
    groups, size = len(row_groups(path)), path.stat().st_size
    return ShardFacts(bytes=size, rows=rows, row_groups=groups, characters=characters, nulls=0, empty=0)
