"""Conversations in parquet: a column of lists of messages, as data sets of hubs have them, or of their JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nanosnake.files import NanosnakeError
from nanosnake.sources.formats.columns import Column
from nanosnake.sources.formats.tables import read_table
from nanosnake.sources.parquet import row_groups
from nanosnake.sources.shards import ShardFacts
from nanosnake.tokenizer import conversations


def read(path: Path, column: str, *, name: str | None = None) -> Iterator[list[dict[str, Any]]]:
    """Yield the messages of each conversation of a shard.

    Args:
        name: what to call the file in errors, if not by its path.

    Raises:
        NanosnakeError: if it is not a parquet file, has no such column, or a row is not a conversation.
    """
    for batch in read_table(str(path), Column(column, conversations=True), "parquet", name=name):
        for row, document in zip(batch.places.tolist(), batch.texts.to_pylist(), strict=True):
            try:
                yield conversations.parse(document or "null")
            except conversations.WrongConversation as error:
                raise NanosnakeError(
                    f"{name or path}, row {row}: {error}; correct the file, or leave the shard out"
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
