r"""Make shards of text in other forms: JSON Lines, plain text, CSV, Arrow, parquet with text inside other columns.

In:  one file or more, each read once, in the order given.
Out: parquet files with the columns text, source_file and source_line; the metadata of each next to it; what became of
     each file; and what could not be read.

    python scripts/make_shards.py --files '["notes.jsonl.gz"]' --text-column body --folder shards \
        --shards 'shard_[00000-00003]' --records shards/files.json --left-out shards/left_out.jsonl
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from nanosnake.messages import Progress, log
from nanosnake.options import Word
from nanosnake.stages import Names, Stage, main

Paths = Annotated[
    tuple[str, ...], Word(lambda text: tuple(json.loads(text)), lambda value: json.dumps(list(value)))
]
"""Paths as a JSON list."""


@dataclass(frozen=True, kw_only=True)
class MakeShards(Stage):
    """Make shards of files of text in any of the known formats."""

    files: Paths
    """Files to read."""
    text_column: str = "text"
    """Column of the documents; a.b is the column b inside of a. Not used for plain text."""
    format: Literal["jsonl", "text", "csv", "tsv", "arrow", "parquet"] | None = None
    """Format of the files; if absent, each file's name says it."""
    documents: Literal["line", "file", "blocks"] = "line"
    """What a document is in plain text: a line, a file, or what is between blank lines."""
    template: str | None = None
    """Text of one message of a conversation, such as "{role}: {content}"; absent: the column holds text."""
    content: Literal["text", "conversations"] = "text"
    """What the documents are; conversations become the JSON of their messages."""
    on_error: Literal["stop", "skip"] = "stop"
    """What happens to a document that cannot be read: it ends the job, or it is left out and recorded."""
    filter: str | None = None
    """Function that decides which documents are kept, as module:function."""
    folder: Path
    """Folder of the shards."""
    shards: Names
    """Names of the shards."""
    validation: str | None = None
    """Name of the shard for documents chosen by a hash of their text."""
    fraction: float = 0.0
    """Fraction of the documents that it gets."""
    records: Path
    """JSON file to write: what became of each file."""
    left_out: Path
    """JSON Lines file to write: what could not be read."""

    def run(self) -> str | None:
        return make(self)


def make(options: MakeShards) -> str:
    """Write the shards and return lines that describe them.

    Raises:
        NanosnakeError: if a file cannot be read as expected.
    """
    from nanosnake.sources import shards
    from nanosnake.sources.formats import convert
    from nanosnake.sources.formats.columns import Column

    reading = convert.Reading(
        column=Column(options.text_column, options.template, options.content == "conversations"),
        format=options.format,
        documents=options.documents,
        on_error=options.on_error,
        filter=options.filter,
    )
    outputs = convert.Outputs(
        shards=[options.folder / f"{name}.parquet" for name in options.shards],
        validation=options.folder / f"{options.validation}.parquet" if options.validation else None,
        fraction=options.fraction,
        records=options.records,
        left_out=options.left_out,
    )
    with Progress("reading", unit="MB", scale=1e6) as progress:
        made, found = convert.convert(options.files, reading, outputs, seen=progress)
    for metadata in made:
        log(shards.summary(metadata))
    return convert.say(found)


if __name__ == "__main__":
    main(MakeShards)
