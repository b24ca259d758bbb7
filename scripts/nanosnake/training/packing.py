"""Which piece of which document goes where: the order of an epoch and the packing of documents into rows.

An epoch's blocks are shuffled by (seed, epoch) and taken in pools of a few blocks. Within a pool, documents
are cut to pieces that fill at most a row of T positions and packed, best fit first; a piece is split only
where nothing fits the rest of a row. A piece that continues a document also begins with the document start token, so
that every piece has one to attend to: this takes one more position, and has no target. Then the pool's rows are
shuffled. So every token is in exactly one row of an epoch, and all of it follows from (seed, epoch, pool): a position
in the data is two integers, the epoch and the row.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nanosnake.training.shards import Block, TokenShards

POOL_BLOCKS = 16
"""Blocks that are shuffled and packed together."""
Ints = npt.NDArray[np.int64]


class Pieces(NamedTuple):
    """Pieces of documents, in columns."""

    shard: Ints
    start: Ints
    """First token of each piece in its shard."""
    length: Ints
    """Tokens of each piece; one that continues a document takes one position more."""
    opens: npt.NDArray[np.bool_]
    """Whether the piece begins its document."""
    closes: npt.NDArray[np.bool_]
    """Whether the piece ends its document."""

    def some(self, which: npt.NDArray[Any]) -> Pieces:
        """Return the pieces of these numbers, in their order, or those where a mask is true."""
        return Pieces(*(column[which] for column in self))


@dataclass(frozen=True)
class Rows:
    """The rows of a pool. Row r holds pieces row_starts[r] to row_starts[r + 1]."""

    row_starts: Ints
    pieces: Pieces

    def __len__(self) -> int:
        return len(self.row_starts) - 1


class EpochOrder:
    """The order of blocks in one epoch, cut into pools, with the number of rows of each.

    The plan of a mixture gives the order of blocks itself, and its number of rows: the last pool has some empty ones.

    Without `shuffle`, for evaluation, blocks keep their order and no piece is split: rows have room left
    instead, so that each piece is read whole and the result does not depend on its neighbours. Conversations are
    not split either, since an answer without its question teaches little, and of those that are longer than a row,
    pieces that have nothing to learn are left out; those of a mixture are split, whose plan counts on full rows.
    """

    def __init__(
        self, data: TokenShards, length: int, seed: int, epoch: int, *, shuffle: bool = True
    ) -> None:
        self.data, self.length, self.seed, self.epoch, self.shuffle = data, length, seed, epoch, shuffle
        self.split = shuffle and (data.planned is not None or not data.are_conversations)
        order = np.arange(len(data.blocks))
        if shuffle and data.planned is None:
            np.random.default_rng([seed, epoch]).shuffle(order)
        self.pools = [
            [data.blocks[b] for b in order[i : i + POOL_BLOCKS].tolist()]
            for i in range(0, len(order), POOL_BLOCKS)
        ]
        if self.split:
            # filling a row costs one position at most: of a start token, or left empty
            sizes = [sum(block_positions(data, block, length) for block in pool) for pool in self.pools]
            rows = [-(-size // (length - 1)) for size in sizes]
            if data.planned:
                rows[-1] += max(0, data.planned.rows - sum(rows))
        else:  # known only by packing, which is asked for several times
            key = (length, seed, epoch, shuffle)
            if key not in data.packed_rows:
                data.packed_rows[key] = [len(self.pack(pool)) for pool in range(len(self.pools))]
            rows = data.packed_rows[key]
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
        """Return the rows of a pool; where packing needs fewer than `locate` counts on, some are empty."""
        pieces = _pieces(self.data, self.pools[pool], self.length, all_of_it=self.split)
        if self.shuffle:
            rng = np.random.default_rng([self.seed, self.epoch, pool])
            pieces = pieces.some(rng.permutation(len(pieces.length)))
        rows = best_fit(pieces.length.tolist(), pieces.opens.tolist(), self.length, split=self.split)
        if self.split:
            count = int(self.first_rows[pool + 1] - self.first_rows[pool])
            rows += [[] for _ in range(count - len(rows))]
        if self.shuffle:
            rows = [rows[i] for i in rng.permutation(len(rows)).tolist()]
        placed = np.array([piece for row in rows for piece in row], dtype=np.int64)
        which, skip, taken = placed.reshape(-1, 3).T
        whole = pieces.some(which)
        return Rows(
            row_starts=np.cumsum([0] + [len(row) for row in rows], dtype=np.int64),
            pieces=Pieces(
                whole.shard,
                whole.start + skip,
                taken,
                opens=whole.opens & (skip == 0),
                closes=whole.closes & (skip + taken == whole.length),
            ),
        )


def _document_ends(data: TokenShards, block: Block) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Return (starts, ends, whole) of a block's documents in its shard, without empty ones.

    The last one is not whole where the block has fewer tokens than its documents.
    """
    shard = data.shards[block.shard]
    ends, before = shard.ends[block.first : block.last].astype(np.int64), shard.start(block.first)
    starts = np.concatenate([[before], ends[:-1]])
    stops = np.minimum(ends, before + block.tokens)
    some = stops > starts
    return starts[some], stops[some], (stops == ends)[some]


def _piece_counts(sizes: Ints, length: int) -> Ints:
    """Return how many pieces each document is cut to: T tokens, then T - 1 after a start token each."""
    return 1 + np.maximum(0, -(-(sizes - length) // (length - 1)))


def block_positions(data: TokenShards, block: Block, length: int) -> int:
    """Return the positions that a block's pieces take before any is split."""
    starts, ends, _ = _document_ends(data, block)
    return block.tokens + int((_piece_counts(ends - starts, length) - 1).sum())


def _pieces(data: TokenShards, blocks: list[Block], length: int, *, all_of_it: bool) -> Pieces:
    """Cut the documents of blocks to pieces.

    Without `all_of_it`, pieces of conversations that have nothing to learn are left out.
    """
    parts = []
    for block in blocks:
        starts, ends, whole = _document_ends(data, block)
        count = _piece_counts(ends - starts, length)
        document = np.repeat(np.arange(len(ends)), count)
        number = np.arange(len(document)) - np.repeat(np.cumsum(count) - count, count)
        start = starts[document] + number * (length - 1) + (number > 0)
        stop = np.minimum(starts[document] + (number + 1) * (length - 1) + 1, ends[document])
        closes = (stop == ends[document]) & whole[document]
        pieces = Pieces(np.full(len(start), block.shard), start, stop - start, number == 0, closes)
        learned = data.shards[block.shard].learned
        if learned is not None and not all_of_it:
            before = np.concatenate([[0], np.cumsum(learned[starts[0] : ends[-1]], dtype=np.int64)])
            # a piece's targets: what follows each of its tokens in the document
            pieces = pieces.some(before[stop + ~closes - starts[0]] > before[start + 1 - starts[0]])
        parts.append(pieces)
    return Pieces(*map(np.concatenate, zip(*parts, strict=True)))


def best_fit(
    lengths: list[int], opens: list[bool], row_length: int, *, split: bool = True
) -> list[list[tuple[int, int, int]]]:
    """Pack pieces into rows that are full but for one position, or that have room left, where none may be
    split.

    Args:
        lengths: tokens of each piece.
        opens: whether each begins its document; one that does not takes one position more, and so does what
            is left of a piece that is split.

    Returns:
        rows of (piece, offset into the piece, tokens taken). Each row takes the longest piece that fits until
        none does; then the longest piece left is split, and its rest goes back.
    """
    waiting: list[list[tuple[int, int]]] = [
        [] for _ in range(row_length + 1)
    ]  # by positions: (piece, offset)
    for piece, (length, first) in enumerate(zip(lengths, opens, strict=True)):
        waiting[length + (not first)].append((piece, 0))
    sizes = [size for size in range(1, row_length + 1) if waiting[size]]  # that are waiting, sorted

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
            if at < 0 and (not split or room == 1):
                break
            piece, offset, size = take(at if at >= 0 else len(sizes) - 1)
            used = min(size, room)
            taken = used - (offset > 0 or not opens[piece])
            row.append((piece, offset, taken))
            room -= used
            if used < size:
                rest = size - used + 1  # with a start token of its own
                if not waiting[rest]:
                    bisect.insort(sizes, rest)
                waiting[rest].append((piece, offset + taken))
        rows.append(row)
    return rows
