"""Reads files of text as the stage does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from nanosnake.sources.formats.columns import Column
from nanosnake.sources.formats.convert import Outputs, Reading, convert
from nanosnake.sources.shards import ShardMetadata


@dataclass
class Made:
    """What came of some files."""

    shards: list[ShardMetadata]
    rows: list[list[dict[str, Any]]]
    """The rows of each shard."""
    found: dict[str, Any]
    left_out: list[dict[str, str]]

    @property
    def texts(self) -> list[str | None]:
        return [row["text"] for rows in self.rows for row in rows]

    @property
    def lines(self) -> list[int]:
        return [row["source_line"] for rows in self.rows for row in rows]


def read(
    *files: Path,
    column: str = "text",
    template: str | None = None,
    conversations: bool = False,
    shards: int = 1,
    fraction: float = 0.0,
    **how: Any,
) -> Made:
    """Make shards of files in a folder beside the first."""
    folder = files[0].parent / "made"
    outputs = Outputs(
        [folder / f"shard_{number}.parquet" for number in range(shards)],
        folder / "validation.parquet" if fraction else None,
        fraction,
        folder / "read.json",
        folder / "left_out.jsonl",
    )
    made, found = convert(
        list(map(str, files)), Reading(Column(column, template, conversations), **how), outputs
    )
    written = [*outputs.shards, *([outputs.validation] if outputs.validation else [])]
    assert [ShardMetadata.read(path.with_suffix(".json")).sha256 for path in written] == [
        one.sha256 for one in made
    ]
    rows = [pq.read_table(path).to_pylist() for path in written]
    left_out = [json.loads(line) for line in outputs.left_out.read_text().splitlines()]
    return Made(made, rows, found, left_out)


def jsonl(*values: Any) -> bytes:
    """Return JSON Lines."""
    return b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in values)
