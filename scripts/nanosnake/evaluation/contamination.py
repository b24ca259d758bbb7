"""Task items whose text also occurs in the training text: 13 tokens in a row.

The search is for an item with its right answer, in the tokens of the tokenizer whose token shards are scanned. All
runs of 13 tokens of a shard are hashed at once; matches are compared token by token.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nanosnake.evaluation.items import Task, right
from nanosnake.files import read_json
from nanosnake.training.shards import Shard
from nanosnake.training.vocabulary import Vocabulary

RUN = 13
"""Tokens in a row that count as an overlap."""
BASE = 0x9E3779B97F4A7C15
CHUNK = 1 << 16
"""Tokens that are hashed at a time: few enough for a cache."""
FILTER_BITS = 22

Hashes = npt.NDArray[np.uint64]


def item_tokens(task: Task, number: int, vocabulary: Vocabulary) -> list[int]:
    """Return the tokens of an item with its right answer, without a start token."""
    context, continuation = right(task, task.items[number])
    return vocabulary.encode(f"{context}{task.delimiter}{continuation}")[1:]


def hashes(tokens: npt.NDArray[Any]) -> Hashes:
    """Return the hash of each run of RUN tokens: uint64[len(tokens) - RUN + 1], none where there are fewer."""
    count = len(tokens) - RUN + 1
    if count <= 0:
        return np.zeros(0, dtype=np.uint64)
    one = tokens.astype(np.uint64)

    def joined(left: Hashes, size: int, right: Hashes, length: int) -> Hashes:
        """Return the hashes of runs of `size` tokens followed by runs of `length`, modulo 2^64."""
        rest = right[size:]
        return left[: len(rest)] * np.uint64(pow(BASE, length, 1 << 64)) + rest

    two = joined(one, 1, one, 1)
    four = joined(two, 2, two, 2)
    twelve = joined(joined(four, 4, four, 4), 8, four, 4)
    found = joined(twelve, 12, one, 1)
    return found ^ (found >> np.uint64(29))


def find_overlap(shard: Shard, items: Sequence[Sequence[int]]) -> dict[int, int]:
    """Return how many of an item's runs a token shard has, by the item's number, for those that have any."""
    runs: dict[int, dict[tuple[int, ...], set[int]]] = {}
    for number, ids in enumerate(items):
        for at, key in enumerate(hashes(np.array(ids)).tolist()):
            runs.setdefault(key, {}).setdefault(tuple(ids[at : at + RUN]), set()).add(number)
    found: dict[int, set[tuple[int, ...]]] = {}
    tokens = np.asarray(shard.tokens)  # a slice of a mapped file costs more than of an array
    for start, key in _candidates(tokens, np.array(sorted(runs), dtype=np.uint64)):
        text = tuple(tokens[start : start + RUN].tolist())
        for number in runs[key].get(text, ()):
            found.setdefault(number, set()).add(text)
    return {number: len(texts) for number, texts in sorted(found.items())}


def _candidates(tokens: npt.NDArray[Any], wanted: Hashes) -> Iterator[tuple[int, int]]:
    """Yield where runs begin whose hashes are wanted, with the hash."""
    if not len(wanted):
        return
    shift = np.uint64(64 - FILTER_BITS)
    some = np.zeros(
        1 << FILTER_BITS, dtype=np.bool_
    )  # small enough for a cache, and passes few that are not wanted
    some[wanted >> shift] = True
    for first in range(0, len(tokens), CHUNK):
        each = hashes(tokens[first : first + CHUNK + RUN - 1])
        maybe = np.flatnonzero(some[each >> shift])
        places = np.minimum(np.searchsorted(wanted, each[maybe]), len(wanted) - 1)
        found = maybe[wanted[places] == each[maybe]]
        yield from zip((first + found).tolist(), each[found].tolist(), strict=True)


def overlapping_items(path: Path) -> dict[str, list[int]]:
    """Return the items that the training text also has, by task, from what check_contamination.py wrote."""
    return {row["task"]: row["overlapping"] for row in read_json(path)["tasks"]}


def summed(task: str, files: Iterable[Path]) -> dict[str, Any]:
    """Return what the overlap files of a task say together."""
    overlapping: set[int] = set()
    items = too_short = 0
    for file in files:
        said = read_json(file)
        items, too_short = said["items"], said["too_short"]
        overlapping |= {int(number) for number in said["overlapping"]}
    return {
        "task": task,
        "items": items,
        "too_short": too_short,
        "share": len(overlapping) / items,
        "overlapping": sorted(overlapping),
    }
