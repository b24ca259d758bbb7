"""Micro-batches for one rank, prepared ahead of time by a thread, and a position that is two integers.

A step takes the next `global rows` rows of the epoch's order; rank r of W takes the r-th of W equal parts, in
micro-batches. So the rows of a step are the same for any number of ranks, and a run can resume with another number of
ranks from the same position.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from nanosnake.files import NanosnakeError
from nanosnake.training.packing import EpochOrder, Rows
from nanosnake.training.shards import TokenShards

ENDS_MULTIPLE = 128
"""The room for document boundaries is a multiple of this."""
SWITCH_SECONDS = 2e-4
"""How long the loader's thread may keep the interpreter from the thread that feeds the GPU; Python's own 5 ms, a few
times a step, would be noticeable."""
IGNORED = -1
"""Target of a position that counts nothing."""


@dataclass(frozen=True)
class Position:
    """Where a run is in the data: rows of `epoch` that are used up, and the data that this applies to."""

    epoch: int
    row: int
    seed: int
    sequence_length: int
    data: str
    """Fingerprint of the shards."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Return the position that `to_dict` gave."""
        return cls(**values)


@dataclass(frozen=True)
class Batch:
    """One micro-batch of a rank: N = B x T tokens in rows laid end to end."""

    tokens: Tensor
    """int32[N]: inputs."""
    targets: Tensor
    """int32[N]: the token after each; the document start token after a document's last; -1 where none
    counts, as at the start token of a piece that continues a document."""
    positions: Tensor
    """int32[N]: position in the document, 0 at the first token of each piece."""
    ends: Tensor
    """int32[pieces + 1, padded]: first token of each piece, then N."""
    row: int
    """First row in the epoch, to name the batch in errors."""
    epoch: int

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device; from pinned memory the copies are asynchronous."""
        return Batch(
            tokens=self.tokens.to(device, non_blocking=True),
            targets=self.targets.to(device, non_blocking=True),
            positions=self.positions.to(device, non_blocking=True),
            ends=self.ends.to(device, non_blocking=True),
            row=self.row,
            epoch=self.epoch,
        )


class Loader:
    """Steps of micro-batches for one rank.

    Args:
        data: the shards of the split.
        length: tokens of a row (T).
        rows_per_step: rows of all ranks per step.
        micro_batch: rows of this rank per micro-batch (B).
        position: where to begin; None: the beginning of epoch 0.
        pin: whether to make the batches in pinned memory, for copies to a GPU.
    """

    def __init__(
        self,
        data: TokenShards,
        *,
        length: int,
        rows_per_step: int,
        micro_batch: int,
        rank: int = 0,
        world: int = 1,
        seed: int = 0,
        position: Position | None = None,
        pin: bool = False,
        ahead: int = 4,
    ) -> None:
        if rows_per_step % (world * micro_batch):
            raise NanosnakeError(
                f"{rows_per_step} sequences per step cannot be shared by {world} ranks in micro-batches of "
                f"{micro_batch}; change the global batch size, the micro-batch or the number of GPUs"
            )
        self.data, self.length, self.rows_per_step, self.micro_batch = (
            data,
            length,
            rows_per_step,
            micro_batch,
        )
        self.rank, self.world, self.seed, self.pin = rank, world, seed, pin
        start = Position(0, 0, seed, length, data.fingerprint())
        self.position = start if position is None else self._checked(position, start)
        self.accumulation = rows_per_step // (world * micro_batch)
        self.capacity = boundary_capacity(RowSource(data, length, seed, 0, 0), micro_batch)
        self.waited = 0.0
        """Seconds that `step` has waited for the thread, since the loader was made."""
        self._batches: queue.Queue[Batch | Position | BaseException] = queue.Queue(maxsize=ahead)
        self._stop = threading.Event()
        sys.setswitchinterval(SWITCH_SECONDS)
        self._thread = threading.Thread(target=self._produce, args=(self.position,), daemon=True)
        self._thread.start()

    @staticmethod
    def _checked(position: Position, start: Position) -> Position:
        for name, what in (
            ("data", "the token shards"),
            ("sequence_length", "the sequence length"),
            ("seed", "the seed of the order"),
        ):
            was, now = getattr(position, name), getattr(start, name)
            if was != now:
                raise NanosnakeError(
                    f"the checkpoint is at row {position.row} of epoch {position.epoch} of other data: "
                    f"{what} was {was}, now it is {now}; restore it, or start over in another checkpoint "
                    f"folder"
                )
        return position

    def step(self) -> Iterator[Batch]:
        """Yield the micro-batches of the next step; `position` moves on once all are taken."""
        while True:
            before = time.perf_counter()
            item = self._batches.get()
            self.waited += time.perf_counter() - before
            if isinstance(item, BaseException):
                raise item
            if isinstance(item, Position):
                self.position = item
                return
            yield item

    def close(self) -> None:
        """Stop the thread."""
        self._stop.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Empty):
                self._batches.get(timeout=0.05)

    def _put(self, item: Batch | Position | BaseException) -> None:
        while not self._stop.is_set():
            try:
                self._batches.put(item, timeout=0.2)
                return
            except queue.Full:
                continue

    def _produce(self, position: Position) -> None:
        try:
            source = RowSource(self.data, self.length, self.seed, position.epoch, position.row)
            share = self.rows_per_step // self.world
            while not self._stop.is_set():
                source.skip(self.rank * share)
                for _ in range(self.accumulation):
                    row, epoch = source.row, source.order.epoch
                    batch = assemble(source, self.micro_batch, capacity=self.capacity, pin=self.pin)
                    self._put(Batch(*batch, row=row, epoch=epoch))
                source.skip((self.world - 1 - self.rank) * share)
                self._put(
                    Position(source.order.epoch, source.row, self.seed, self.length, self.position.data)
                )
        except BaseException as error:  # whatever it is, the rank that waits has to hear of it
            self._put(error)


class Piece(NamedTuple):
    """A piece of a document."""

    tokens: npt.NDArray[np.int64]
    """Its tokens, with the one after where the document continues."""
    learned: npt.NDArray[np.uint8] | None
    """0 for those of `tokens` that are not learned; None: all are, and so is the document's end."""
    opens: bool
    closes: bool


class RowSource:
    """Rows in the order of the epochs, from any row on."""

    def __init__(
        self, data: TokenShards, length: int, seed: int, epoch: int, row: int, *, shuffle: bool = True
    ) -> None:
        self.data, self.length, self.seed, self.shuffle = data, length, seed, shuffle
        self.order = EpochOrder(data, length, seed, epoch, shuffle=shuffle)
        self.row = row
        self.every = 1
        """Of so many rows, one is read."""
        self.documents: list[int] | None = None
        """Filled with the number of each piece's document, counted over all shards, and -1 for the room left at the end
        of a row; None: not wanted."""
        self._packed: tuple[tuple[int, int], Rows] | None = None

    def skip(self, rows: int) -> None:
        """Move on by some rows, into the next epochs where it must."""
        self.row += rows
        while self.row >= self.order.rows:
            self.row -= self.order.rows
            self.order = EpochOrder(
                self.data, self.length, self.seed, self.order.epoch + 1, shuffle=self.shuffle
            )

    def pieces(self) -> list[Piece]:
        """Return the row's pieces; move on."""
        pool, row = self.order.locate(self.row)
        key = (self.order.epoch, pool)
        if self._packed is None or self._packed[0] != key:
            self._packed = (key, self.order.pack(pool))
        rows = self._packed[1]
        found = []
        mine = slice(*rows.row_starts[row : row + 2].tolist())
        columns = (column[mine].tolist() for column in rows.pieces)
        for number, start, length, opens, closes in zip(*columns, strict=True):
            stop = start + length + (0 if closes else 1)
            shard = self.data.shards[number]
            if self.documents is not None:
                self.documents.append(self.data.document(number, start))
            learned = None if shard.learned is None else shard.learned[start:stop]
            tokens = shard.tokens[start:stop].astype(np.int64)
            found.append(Piece(tokens, learned, opens, closes))
        self.skip(self.every)
        return found


def boundary_capacity(source: RowSource, micro_batch: int) -> int:
    """Return how many document boundaries a micro-batch gets room for.

    A compiled model is recompiled for every other number, so there should be only one: six standard deviations above
    the mean of the first pool. A micro-batch with still more gets twice the room.
    """
    counts = np.diff(source.order.pack(0).row_starts)
    most = counts.mean() * micro_batch + 6.0 * counts.std() * micro_batch**0.5 + micro_batch
    return -(-int(most) // ENDS_MULTIPLE) * ENDS_MULTIPLE


def assemble(
    source: RowSource, rows: int, *, capacity: int = ENDS_MULTIPLE, pin: bool = False
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return (tokens, targets, positions, ends) of the next rows; see `Batch`.

    `ends` has a multiple of `capacity` entries, and one more.
    """
    length, bos = source.length, source.data.bos
    count = rows * length
    tokens_N, targets_N = np.full(count, bos, np.int32), np.full(count, IGNORED, np.int32)
    positions_N = np.zeros(count, np.int32)
    ends = []
    for row in range(rows):
        at = row * length
        for piece, learned, opens, closes in source.pieces():
            size = len(piece) if closes else len(piece) - 1
            first = at if opens else at + 1  # after a start token that is no token of the document
            stop = first + size
            ends.append(at)
            tokens_N[first:stop] = piece[:size]
            targets = piece[1:] if learned is None else np.where(learned[1:], piece[1:], IGNORED)
            targets_N[first : first + len(piece) - 1] = targets
            if closes and learned is None:
                targets_N[stop - 1] = bos  # the document is over
            positions_N[at:stop] = np.arange(stop - at)
            at = stop
        if at < (row + 1) * length:  # room left
            ends.append(at)
            if source.documents is not None:
                source.documents.append(-1)
            positions_N[at : (row + 1) * length] = np.arange((row + 1) * length - at)
    room = -(-len(ends) // capacity) * capacity
    padded = np.full(room + 1, count, np.int32)
    padded[: len(ends)] = ends
    arrays = (tokens_N, targets_N, positions_N, padded)
    tensors = [torch.from_numpy(a) for a in arrays]
    if pin:
        tensors = [t.pin_memory() for t in tensors]
    return tensors[0], tensors[1], tensors[2], tensors[3]
