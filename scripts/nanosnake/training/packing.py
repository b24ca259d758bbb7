"""Which piece of which document stands where: the order of an epoch and the packing of documents into rows.

An epoch's blocks are shuffled by (seed, epoch) and taken in pools of a few blocks. Within a pool, documents
are cut to pieces of at most T tokens and packed, best fit first, into rows of exactly T tokens; a piece is
split only where nothing fits the rest of a row. Then the pool's rows are shuffled. So every token stands in
exactly one row of an epoch, only the last row of a pool can have room left, and all of it follows from
(seed, epoch, pool): a position in the data is two integers, the epoch and the row.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nanosnake.training.shards import Block, TokenShards

POOL_BLOCKS = 16
"""Blocks that are shuffled and packed together."""
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rows:
    """The rows of a pool. Row r holds pieces row_starts[r] to row_starts[r + 1]."""

    row_starts: Ints
    shard: Ints
    start: Ints
    """First token of each piece in its shard."""
    length: Ints
    closes: npt.NDArray[np.bool_]
    """Whether the piece ends its document."""

    def __len__(self) -> int:
        return len(self.row_starts) - 1


class EpochOrder:
    """The order of blocks in one epoch, cut into pools, with the number of rows of each.

    Without `shuffle`, for evaluation, blocks keep their order and no piece is split: rows have room left
    instead, so that each piece is read whole and the result does not depend on its neighbours.
    """

    def __init__(
        self, data: TokenShards, length: int, seed: int, epoch: int, *, shuffle: bool = True
    ) -> None:
        self.data, self.length, self.seed, self.epoch, self.shuffle = data, length, seed, epoch, shuffle
        order = np.arange(len(data.blocks))
        if shuffle:
            np.random.default_rng([seed, epoch]).shuffle(order)
        self.pools = [
            [data.blocks[b] for b in order[i : i + POOL_BLOCKS].tolist()]
            for i in range(0, len(order), POOL_BLOCKS)
        ]
        if shuffle:
            rows = [-(-sum(b.tokens for b in pool) // length) for pool in self.pools]
        else:
            rows = [len(self.pack(pool)) for pool in range(len(self.pools))]
        self.first_rows = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)])

    @property
    def rows(self) -> int:
        """Rows of the whole epoch."""
        return int(self.first_rows[-1])

    def locate(self, row: int) -> tuple[int, int]:
        """Return (pool, row within the pool) of a row of the epoch."""
        pool = int(np.searchsorted(self.first_rows, row, side="right")) - 1
        return pool, row - int(self.first_rows[pool])

    def pack(self, pool: int) -> Rows:
        """Return the rows of a pool."""
        shard, start, length, closes = _pieces(self.data, self.pools[pool], self.length)
        if self.shuffle:
            rng = np.random.default_rng([self.seed, self.epoch, pool])
            order = rng.permutation(len(length))
            shard, start, length, closes = shard[order], start[order], length[order], closes[order]
        rows = best_fit(length.tolist(), self.length, split=self.shuffle)
        if self.shuffle:
            last = rows.pop()  # the row with room left stays last
            rows = [rows[i] for i in rng.permutation(len(rows)).tolist()] + [last]
        which = np.array([piece for row in rows for piece, _, _ in row], dtype=np.int64)
        skip = np.array([offset for row in rows for _, offset, _ in row], dtype=np.int64)
        taken = np.array([size for row in rows for _, _, size in row], dtype=np.int64)
        return Rows(
            row_starts=np.cumsum([0] + [len(row) for row in rows], dtype=np.int64),
            shard=shard[which],
            start=start[which] + skip,
            length=taken,
            closes=closes[which] & (skip + taken == length[which]),
        )


def _pieces(
    data: TokenShards, blocks: list[Block], length: int
) -> tuple[Ints, Ints, Ints, npt.NDArray[np.bool_]]:
    """Cut the documents of blocks to pieces of at most `length` tokens: (shard, start, length, closes)."""
    parts = []
    for block in blocks:
        ends = data.shards[block.shard].ends[block.first : block.last].astype(np.int64)
        before = int(data.shards[block.shard].ends[block.first - 1]) if block.first else 0
        starts = np.concatenate([[before], ends[:-1]])
        starts, ends = starts[ends > starts], ends[ends > starts]  # documents of no tokens are no pieces
        count = -(-(ends - starts) // length)
        document = np.repeat(np.arange(len(ends)), count)
        number = np.arange(len(document)) - np.repeat(np.cumsum(count) - count, count)
        start = starts[document] + number * length
        size = np.minimum(length, ends[document] - start)
        parts.append((np.full(len(start), block.shard), start, size, start + size == ends[document]))
    shard, start, size, closes = (np.concatenate(column) for column in zip(*parts, strict=True))
    return shard, start, size, closes


def best_fit(lengths: list[int], row_length: int, *, split: bool = True) -> list[list[tuple[int, int, int]]]:
    """Pack pieces into rows that are full, but for the last (or that have room left, where none may be
    split).

    Args:
        lengths: tokens of each piece, 1 to `row_length`.

    Returns:
        rows of (piece, offset into the piece, tokens taken). Each row takes the longest piece that fits until
        none does; then the longest piece left is split, and its rest goes back.
    """
    waiting: list[list[tuple[int, int]]] = [[] for _ in range(row_length + 1)]  # by length: (piece, offset)
    for piece, length in enumerate(lengths):
        waiting[length].append((piece, 0))
    sizes = [
        length for length in range(1, row_length + 1) if waiting[length]
    ]  # lengths that are waiting, sorted

    def take(at: int) -> tuple[int, int, int]:
        size = sizes[at]
        piece, offset = waiting[size].pop()
        if not waiting[size]:
            sizes.pop(at)
        return piece, offset, size

    rows = []
    while sizes:
        row, room = [], row_length
        while room and sizes:
            at = bisect.bisect_right(sizes, room) - 1
            if at < 0 and not split:
                break
            piece, offset, size = take(at if at >= 0 else len(sizes) - 1)
            used = min(size, room)
            row.append((piece, offset, used))
            room -= used
            if used < size:
                rest = size - used
                if not waiting[rest]:
                    bisect.insort(sizes, rest)
                waiting[rest].append((piece, offset + used))
        rows.append(row)
    return rows
