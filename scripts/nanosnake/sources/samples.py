"""Documents sampled from shards: the same ones for the same seed, spread over shards and row groups.

Reading is bounded: at most MOST_SHARDS shards and, unless documents are missing, MOST_ROW_GROUPS row groups of
each, one batch at a time. Null and empty documents are skipped. Which documents are taken depends on the seed, the
shards' names and their rows, not on the machine or on what other shards there are beyond those chosen.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from nanosnake.crate import rustbpe
from nanosnake.files import NanosnakeError, replacing
from nanosnake.sources.parquet import row_groups

MOST_SHARDS = 8
MOST_ROW_GROUPS = 4
MAX_CHARS = 20_000


@dataclass(frozen=True)
class Sample:
    """A sampled document.

    Attributes:
        split: `train` or `validation`.
        shard: name of the shard.
        row: the document's row in that file, from 0.
        truncated: whether only the first characters of the document are here.
        text: the document.
    """

    split: str
    shard: str
    row: int
    truncated: bool
    text: str


def choose_shards(names: Iterable[str], seed: int, most: int = MOST_SHARDS) -> list[str]:
    """Return at most `most` of the shards' names, in their order.

    Each name has its own rank, so that one more shard changes at most one of those chosen.
    """
    names = list(names)
    chosen = set(sorted(names, key=lambda name: _rank(seed, name))[:most])
    return [name for name in names if name in chosen]


def sample_documents(
    shards: Sequence[str | Path],
    *,
    split: str,
    documents: int,
    seed: int,
    text_column: str = "text",
    max_chars: int = MAX_CHARS,
) -> list[Sample]:
    """Return up to `documents` documents of the shards; fewer if the chosen shards hold no more.

    Args:
        shards: parquet files; the stem of each is its name.
        split: the split that they belong to.
        documents: how many to take.
        seed: other seeds take other documents.
        text_column: name of the column that holds the documents.
        max_chars: characters of each document to keep; 0 for all.

    Raises:
        NanosnakeError: if a shard cannot be read or does not hold such a column.
    """
    paths = {Path(shard).stem: Path(shard) for shard in shards}
    if len(paths) < len(shards):
        raise NanosnakeError(f"{len(shards)} shards have {len(paths)} different names; name each shard once")
    chosen = choose_shards(paths, seed)
    taken: dict[str, list[tuple[int, str]]] = {name: [] for name in chosen}
    missing, giving = documents, list(chosen)
    while missing > 0 and giving:  # more than once only if a shard lacks documents, which others make up for
        share = -(-missing // len(giving))
        for name in list(giving):
            before = len(taken[name])
            wanted = before + min(share, missing)
            if wanted == before:
                break
            taken[name] = _sample_shard(paths[name], wanted, seed, text_column, max_chars)
            missing -= len(taken[name]) - before
            if len(taken[name]) < wanted:
                giving.remove(name)
    found = []
    for name, rows in taken.items():
        for row, text in rows:
            kept = text[:max_chars] if max_chars else text
            found.append(Sample(split, name, row, len(kept) < len(text), kept))
    return found


def _sample_shard(
    path: Path, quota: int, seed: int, text_column: str, max_chars: int
) -> list[tuple[int, str]]:
    """Return up to `quota` rows and documents of one shard, by row.

    Of a document that has more than `max_chars` characters, one character more is kept, which shows that it has.
    """
    rows = row_groups(path, text_column)
    order = sorted(range(len(rows)), key=lambda index: _rank(seed, f"{path.stem}:{index}"))
    share = -(-quota // max(1, min(MOST_ROW_GROUPS, len(rows))))
    found: list[tuple[int, str]] = []
    for index in order:
        wanted = min(share, quota - len(found))
        if wanted <= 0:
            break
        documents: Iterable[str | None] = rustbpe.Documents(path, index, text_column=text_column)
        if max_chars:
            documents = (text and text[: max_chars + 1] for text in documents)
        numbers = random.Random(_rank(seed, f"{path.stem}:{index}"))
        found += _sample_rows(documents, sum(rows[:index]), wanted, numbers)
    return sorted(found)


def _sample_rows(
    documents: Iterable[str | None], first_row: int, wanted: int, numbers: random.Random
) -> list[tuple[int, str]]:
    """Return up to `wanted` rows and documents of one row group: those that drew the highest numbers."""
    drawn: list[tuple[float, int, str]] = []
    for row, text in enumerate(documents, first_row):
        number = numbers.random()
        if text and (len(drawn) < wanted or number > drawn[0][0]):
            push = heapq.heappush if len(drawn) < wanted else heapq.heapreplace
            push(drawn, (number, row, text))
    return [(row, text) for _, row, text in drawn]


def write_samples(path: str | Path, samples: Iterable[Sample]) -> None:
    """Write samples as JSON lines; equal samples give equal bytes."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as stream:
        for sample in samples:
            stream.write(json.dumps(asdict(sample), ensure_ascii=False) + "\n")


def read_samples(path: str | Path) -> Iterator[Sample]:
    """Yield the samples of a file.

    Raises:
        NanosnakeError: if a line is not a sample; the message names the file and the line.
    """
    # only "\n" ends a line: documents may hold U+2028 and the like
    with Path(path).open(encoding="utf-8", newline="\n") as stream:
        for number, line in enumerate(stream, 1):
            try:
                yield Sample(**json.loads(line))
            except (ValueError, TypeError) as error:
                wanted = ", ".join(field.name for field in fields(Sample))
                raise NanosnakeError(
                    f"{path}: line {number} is not a sampled document (wanted: {wanted}); "
                    "delete the file and sample again"
                ) from error


def _rank(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()
