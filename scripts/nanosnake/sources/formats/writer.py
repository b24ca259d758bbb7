"""Shards as parquet: documents are distributed over them, and each keeps the file and the line that it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from nanosnake.sources.formats.batch import Batch, kept

SCHEMA = pa.schema(
    [
        ("text", pa.string()),
        ("source_file", pa.dictionary(pa.int32(), pa.string())),
        ("source_line", pa.int64()),
    ]
)
"""Columns of a shard; `source_line` is the row for files that are tables."""

ROW_GROUP = 8 << 20
"""Bytes of text after which a row group is written."""
MOST_HELD = 64 << 20
"""Bytes of text of all shards that wait to be written."""
PIECES = 1024
"""Tables that are held before they are joined."""
LARGEST_DEAL = 1 << 20
"""Bytes of text that one shard gets before the next one has its turn; less where the files are small."""


@dataclass
class Part:
    """What a shard has of one file."""

    file: str
    documents: int = 0
    first: int = 0
    """Line or row of the first document."""
    last: int = 0
    span: tuple[int, int] | None = None
    """Bytes of the unpacked file that the documents lie in."""

    def add(self, batch: Batch) -> None:
        """Add some documents."""
        self.first = self.first or int(batch.places[0])
        self.last = int(batch.places[-1])
        self.documents += len(batch.places)
        if batch.span is not None:
            self.span = (min((self.span or batch.span)[0], batch.span[0]), batch.span[1])


class Shard:
    """One parquet file that is being written."""

    def __init__(self, path: Path) -> None:
        self.parts: dict[str, Part] = {}
        self.left_out = 0
        self.dropped = 0
        self.held: list[pa.Table] = []
        self.bytes = 0
        self._writer = pq.ParquetWriter(
            path,
            SCHEMA,
            compression="zstd",
            compression_level=1,
            use_dictionary=["source_file"],
            write_page_checksum=True,
        )

    def add(self, batch: Batch, file: str) -> None:
        self.parts.setdefault(file, Part(file)).add(batch)
        count = len(batch.places)
        names = pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, np.int32)), pa.array([file]))
        self.held.append(pa.table([batch.texts, names, pa.array(batch.places)], schema=SCHEMA))
        self.bytes += size(batch.texts)
        if len(self.held) >= PIECES:  # of files of one line, the tables would take more room than the text
            self.held = [_joined(self.held)]

    def write(self) -> None:
        """Write what is held as a row group."""
        if self.held:
            table = _joined(self.held)
            self._writer.write_table(table, row_group_size=max(len(table), 1))
            self.held, self.bytes = [], 0

    def close(self) -> None:
        self.write()
        self._writer.close()


def _joined(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


class Writer:
    """Distributes documents over shards, by turns, as they come: the same documents give the same shards everywhere.

    Args:
        shards: parquet files to write.
        validation: a further one, for documents chosen by a hash of their text; equal documents go together.
        fraction: the fraction of the documents that it gets.
        bytes: size of all files; it says how large a turn is.
    """

    def __init__(self, shards: Sequence[Path], validation: Path | None, fraction: float, bytes: int) -> None:
        self.shards = [Shard(path) for path in shards]
        self.validation = None if validation is None else Shard(validation)
        self._limit = int(fraction * 2**64)
        self._deal = max(1, min(LARGEST_DEAL, bytes // (64 * len(self.shards))))
        self._dealt = 0

    def add(self, batch: Batch, file: str) -> None:
        """Take documents of a file."""
        if self.validation is not None and len(batch.places):
            chosen = self._chosen(batch.texts)
            self._put(self.validation, kept(batch, chosen), file)
            batch = kept(batch, ~chosen)
        lengths = _lengths(batch.texts)
        turns = (self._dealt + np.cumsum(lengths) - lengths) // self._deal % len(self.shards)
        self._dealt += int(lengths.sum())
        for index in np.unique(turns):
            self._put(self.shards[index], kept(batch, turns == index), file)

    def lose(self, *, left_out: int = 0, dropped: int = 0) -> None:
        """Count documents that are in no shard with the shard whose turn it is, so that the sums are right."""
        shard = self.shards[self._dealt // self._deal % len(self.shards)]
        shard.left_out += left_out
        shard.dropped += dropped

    def _put(self, shard: Shard, batch: Batch, file: str) -> None:
        if not len(batch.places):
            return
        shard.add(batch, file)
        if shard.bytes >= ROW_GROUP:
            shard.write()
        while sum(one.bytes for one in self.all()) > MOST_HELD:
            max(self.all(), key=lambda one: one.bytes).write()

    def all(self) -> list[Shard]:
        """Return the shards, that of validation last."""
        return self.shards + ([self.validation] if self.validation else [])

    def _chosen(self, texts: pa.Array) -> npt.NDArray[np.bool_]:
        """Return which documents go to validation: a hash of the text says so, and nothing else."""
        offsets, data = offsets_of(texts), memoryview(texts.buffers()[2] or b"")
        hashes = (
            hashlib.blake2b(data[start:end], digest_size=8).digest()
            for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)
        )
        return np.fromiter((int.from_bytes(hash) < self._limit for hash in hashes), np.bool_, len(texts))

    def close(self) -> None:
        """Write what is left and the ends of the files."""
        for shard in self.all():
            shard.close()


def offsets_of(texts: pa.Array) -> npt.NDArray[np.int32]:
    """Return where each string begins in the array's data, and where the last one ends."""
    if not len(texts):
        return np.zeros(1, np.int32)
    whole = np.frombuffer(texts.buffers()[1], np.int32)
    return whole[texts.offset : texts.offset + len(texts) + 1]


def _lengths(texts: pa.Array) -> npt.NDArray[np.int64]:
    return np.diff(offsets_of(texts)).astype(np.int64)


def size(texts: pa.Array) -> int:
    """Return the bytes of all strings of an array."""
    offsets = offsets_of(texts)
    return int(offsets[-1] - offsets[0])
