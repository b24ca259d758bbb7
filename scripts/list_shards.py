r"""List all shards of a dataset in one table.

In:  the metadata files of the shards, FOLDER/SHARD.json.
Out: a CSV file with a row for each shard, training shards first, in the order given.

Shards are named in the short form of `nanosnake.naming.compact`, so that thousands fit on a command line.

    python scripts/list_shards.py --folder results/demo/shards \
        --train 'shard_[00000-00003]' --validation shard_00004 --output results/demo/shards.csv
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from nanosnake.files import NanosnakeError, replacing
from nanosnake.sources.shards import ShardMetadata
from nanosnake.stages import Names, Stage, main

Value = str | int | float | None

NOT_SHOWN = ("shard", "text_column", "parts", "mtime_ns")

COLUMNS = (
    "shard",
    "split",
    *(field.name for field in fields(ShardMetadata) if field.name not in NOT_SHOWN),
    "mb_per_second",
)
"""`mb_per_second`: 10^6 bytes a second while downloading."""


@dataclass(frozen=True, kw_only=True)
class ListShards(Stage):
    """Write the table of a data set's shards."""

    folder: Path
    """Folder of the metadata files."""
    train: Names
    """Training shards."""
    validation: Names
    """Validation shards."""
    output: Path
    """CSV file to write."""

    def run(self) -> str | None:
        return write_table(self)


def rows(options: ListShards) -> Iterator[dict[str, Value]]:
    """Yield the row of each shard.

    Raises:
        NanosnakeError: if a shard's metadata file is missing, or describes another shard.
    """
    for split, names in (("train", options.train), ("validation", options.validation)):
        for name in names:
            path = options.folder / f"{name}.json"
            if not path.is_file():
                raise NanosnakeError(f"{path}: no metadata file of the shard {name}; fetch the shard first")
            metadata = ShardMetadata.read(path)
            if metadata.shard != name:
                raise NanosnakeError(
                    f"{path}: describes the shard {metadata.shard!r}, wanted {name!r}; delete it and fetch again"
                )
            yield row(metadata, split)


def row(metadata: ShardMetadata, split: str) -> dict[str, Value]:
    """Return one shard's row."""
    speed = round(metadata.bytes / 1e6 / metadata.seconds, 3) if metadata.seconds else None
    known: dict[str, Value] = {"split": split, "mb_per_second": speed}
    return {column: known[column] if column in known else getattr(metadata, column) for column in COLUMNS}


def write_table(options: ListShards) -> str:
    """Write the table and return a line that sums it up."""
    table = list(rows(options))
    with replacing(options.output) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    return summary(table, options.output)


def summary(table: list[dict[str, Value]], output: Path) -> str:
    """Return what the log says about a table."""
    total = {
        column: sum(int(row[column] or 0) for row in table) for column in ("rows", "characters", "bytes")
    }
    line = (
        f"{output}: {len(table):,} shards, {total['rows']:,} rows, "
        f"{total['characters']:,} characters, {total['bytes'] / 1e6:,.1f} MB"
    )
    revisions = sorted({str(row["revision"]) for row in table if row["revision"] is not None})
    if len(revisions) > 1:
        some = ", ".join(revisions[:3]) + (", ..." if len(revisions) > 3 else "")
        line += (
            f"\n{output}: note: the shards are from {len(revisions)} revisions ({some}): the dataset "
            "changed between downloads; to get a single revision, set the source's revision to a commit"
        )
    return line


if __name__ == "__main__":
    main(ListShards)
