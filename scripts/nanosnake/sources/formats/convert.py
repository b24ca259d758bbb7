"""Files of text become shards: read once, in order, with a record of what became of each file."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nanosnake.files import NanosnakeError, replacing, sha256_file, version, write_json
from nanosnake.sources import parquet, shards
from nanosnake.sources.formats import filters, lines, look, tables
from nanosnake.sources.formats.batch import Batch, kept
from nanosnake.sources.formats.columns import Column
from nanosnake.sources.formats.refused import Refusals
from nanosnake.sources.formats.stream import Damaged, Stream
from nanosnake.sources.formats.writer import Shard, Writer
from nanosnake.tokenizer import conversations

TEXT = "text"
"""The column of a shard that holds its documents, whatever it was called in the files."""


@dataclass(frozen=True)
class Reading:
    """How files are read."""

    column: Column
    format: look.Format | None = None
    """None: each file's name says it."""
    documents: look.Documents = "line"
    """What a document is in plain text: a line, the whole file, or what is between blank lines."""
    on_error: look.OnError = "stop"
    filter: str | None = None
    """`module:function` of a function that decides which documents are kept."""


@dataclass
class FileRecord:
    """What became of one file."""

    file: str
    format: str
    packing: str | None = None
    bytes: int = 0
    sha256: str = ""
    documents: int = 0
    left_out: int = 0
    """Documents that could not be read."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Documents that the filter dropped, by reason."""


def read(path: str, reading: Reading, refusals: Refusals, record: FileRecord) -> Iterator[Batch]:
    """Yield the documents of a file; when it ends, `record` says what the file was.

    Raises:
        NanosnakeError: if the file cannot be read, or one of its documents cannot, unless those are left out.
    """
    kind, column = reading.format or look.format_of(path), reading.column
    try:
        before = version(path)
    except FileNotFoundError:
        raise NanosnakeError(f"{path}: no such file; it was to become part of a shard") from None
    if kind in ("arrow", "parquet"):
        for batch in tables.read_table(path, column, kind):
            yield _answered(batch, path, refusals) if column.conversations else batch
        record.bytes, record.sha256 = Path(path).stat().st_size, sha256_file(path)
    else:
        with Stream(path, kind) as stream:
            try:
                if kind == "jsonl":
                    yield from lines.read_jsonl(stream, column, refusals)
                elif kind == "text":
                    yield from lines.read_text(stream, reading.documents, refusals)
                else:
                    yield from tables.read_csv(stream, column, kind, refusals)
            except Damaged as error:
                refusals.add(path, "the rest of the file", str(error))
            record.sha256, record.packing = stream.sha256(), stream.packing
            record.bytes = stream.bytes
    if version(path) != before:
        raise NanosnakeError(f"{path}: the file changed while it was read; run again when it is complete")


def _answered(batch: Batch, path: str, refusals: Refusals) -> Batch:
    """Return the conversations of a batch without those that are not right, which are refused."""
    good = np.ones(len(batch.places), dtype=bool)
    for number, (document, place) in enumerate(zip(batch.texts.to_pylist(), batch.places, strict=True)):
        try:
            conversations.parse(document or "null")
        except conversations.WrongConversation as error:
            refusals.add(path, f"row {place}", str(error), (document or "").encode())
            good[number] = False
    return kept(batch, good)


@dataclass(frozen=True)
class Outputs:
    """What is written."""

    shards: Sequence[Path]
    """Parquet files; the metadata of each is next to it, NAME.json."""
    validation: Path | None
    """The parquet file of the documents that a hash chooses."""
    fraction: float
    records: Path
    """JSON file of what became of each file."""
    left_out: Path
    """JSON Lines of what could not be read."""


def convert(
    files: Sequence[str],
    reading: Reading,
    outputs: Outputs,
    *,
    seen: Callable[[int, int], Any] = lambda done, total: None,
) -> tuple[list[shards.ShardMetadata], dict[str, Any]]:
    """Write the shards of some files; return what is known about each, and what became of the files.

    Args:
        seen: called with the bytes that were read, and those of all files, after each.

    Raises:
        NanosnakeError: if a file cannot be read, or no document is left.
    """
    keep = filters.load(reading.filter) if reading.filter else None
    wanted = [*outputs.shards, *([outputs.validation] if outputs.validation else [])]
    records = []
    with contextlib.ExitStack() as stack:
        paths = [stack.enter_context(replacing(path)) for path in wanted]
        log = stack.enter_context(
            stack.enter_context(replacing(outputs.left_out)).open("w", encoding="utf-8")
        )
        refusals = Refusals(reading.on_error, log)
        total = sum(Path(file).stat().st_size for file in files if Path(file).exists())
        validation = paths[-1] if outputs.validation else None
        writer = Writer(paths[: len(outputs.shards)], validation, outputs.fraction, total)
        for file in files:
            record = FileRecord(file, reading.format or look.format_of(file))
            for batch in read(file, reading, refusals, record):
                writer.lose(left_out=_take(refusals, record))
                if keep is not None:
                    whole, batch = (
                        len(batch.places),
                        filters.apply(keep, batch, record.dropped, str(reading.filter)),
                    )
                    writer.lose(dropped=whole - len(batch.places))
                record.documents += len(batch.places)
                writer.add(batch, file)
            writer.lose(left_out=_take(refusals, record))
            records.append(record)
            seen(sum(one.bytes for one in records), total)
        writer.close()
        log.flush()
        _check_something_is_left(records, outputs.left_out)
        made = [
            _metadata(path, temporary, shard, records)
            for path, temporary, shard in zip(wanted, paths, writer.all(), strict=True)
        ]
        found = summary(records)
        write_json(outputs.records, found)
        for path, metadata in zip(wanted, made, strict=True):
            metadata.write(path.with_suffix(".json"))
    return made, found


def _take(refusals: Refusals, record: FileRecord) -> int:
    """Return how many documents were refused since the last time, and add them to the file's."""
    count, refusals.count = refusals.count, 0
    record.left_out += count
    return count


def _check_something_is_left(records: list[FileRecord], left_out: Path) -> None:
    if any(record.documents for record in records):
        return
    lost = sum(record.left_out for record in records)
    dropped = sum(record.dropped.total() for record in records)
    advice = "; with on_error: stop the run says what is wrong with the first" if lost else ""
    raise NanosnakeError(
        f"{records[0].file}: no document is left of {len(records)} files ({lost:,} could not be read, {dropped:,} "
        f"were dropped by the filter){advice}"
    )


def _metadata(path: Path, temporary: Path, shard: Shard, records: list[FileRecord]) -> shards.ShardMetadata:
    """Check a shard that was written and return what is known about it."""
    parts = list(shard.parts.values())
    hashes = {record.file: record.sha256 for record in records}
    return shards.ShardMetadata(
        **vars(parquet.check_shard(temporary, TEXT, name=str(path))),
        shard=path.stem,
        source="files",
        url=Path(parts[0].file).absolute().as_uri() if len(parts) == 1 else None,
        sha256=sha256_file(temporary),
        text_column=TEXT,
        left_out=shard.left_out,
        dropped=shard.dropped,
        parts=[vars(part) | {"sha256": hashes[part.file]} for part in parts],
    )


def summary(records: list[FileRecord]) -> dict[str, Any]:
    """Return what became of all files, with sums."""
    dropped: Counter[str] = sum((record.dropped for record in records), Counter())
    return {
        "documents": sum(record.documents for record in records),
        "left_out": sum(record.left_out for record in records),
        "dropped": dropped,
        "files": [vars(record) for record in records],
    }


def say(found: dict[str, Any]) -> str:
    """Return a line for the log."""
    dropped = json.dumps(found["dropped"], sort_keys=True) if found["dropped"] else "none"
    return (
        f"{len(found['files']):,} files: {found['documents']:,} documents, {found['left_out']:,} left out, "
        f"dropped by the filter: {dropped}"
    )
