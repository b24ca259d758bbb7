"""Ranks: which one this process is, and the few collective operations that training needs.

Started by torchrun (RANK, WORLD_SIZE, LOCAL_RANK), or alone as rank 0 of 1.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from nanosnake.files import NanosnakeError

T = TypeVar("T")

TIMEOUT = timedelta(minutes=15)
"""How long a rank waits for the others before it gives up; longer than a cold compilation."""


@dataclass(frozen=True)
class Ranks:
    """This process among the others."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this rank writes files and log lines."""
        return self.rank == 0

    @classmethod
    def start(cls, device: str = "auto") -> Ranks:
        """Join the process group that torchrun's variables describe."""
        rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        local = int(os.environ.get("LOCAL_RANK", "0"))
        chosen = choose_device(device, local)
        if world > 1 and not dist.is_initialized():
            if chosen.type == "cuda":
                dist.init_process_group("nccl", timeout=TIMEOUT, device_id=chosen)
            else:
                dist.init_process_group("gloo", timeout=TIMEOUT)
        return cls(rank, world, chosen)

    def stop(self) -> None:
        """Leave the process group."""
        if dist.is_initialized():
            dist.destroy_process_group()

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over the ranks, in place."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def gather(self, value: T) -> list[T]:
        """Return the value of each rank, on every rank."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        dist.all_gather_object(values, value)
        return values

    def broadcast(self, values: Tensor) -> None:
        """Give every rank the values of rank 0, in place."""
        if self.world > 1:
            dist.broadcast(values, 0)

    def barrier(self) -> None:
        """Wait for all ranks."""
        if self.world > 1:
            dist.barrier()


@dataclass
class Pending:
    """The result of a collective operation that may still be running."""

    value: Tensor
    work: Any = None
    keep: Tensor | None = None
    """The input, kept alive until the work is done."""

    def wait(self) -> Tensor:
        """Return the result, once the device's stream has it."""
        if self.work is not None:
            self.work.wait()
            self.work = None
        self.keep = None
        return self.value


def reduce_scatter(ranks: Ranks, whole: Tensor) -> Pending:
    """Start to sum `whole` [n, ...] over the ranks; each gets its part [n / world, ...]."""
    if ranks.world == 1:
        return Pending(whole)
    if whole.is_cuda:
        part = whole.new_empty(whole.size(0) // ranks.world, *whole.shape[1:])
        return Pending(part, dist.reduce_scatter_tensor(part, whole, async_op=True), whole)
    # gloo has no reduce_scatter in all versions that we run on
    work = dist.all_reduce(whole, async_op=True)
    return Pending(part_of(ranks, whole), work, whole)


def all_reduce(ranks: Ranks, whole: Tensor) -> Pending:
    """Start to sum `whole` over the ranks, in place."""
    if ranks.world == 1:
        return Pending(whole)
    return Pending(whole, dist.all_reduce(whole, async_op=True))


def all_gather(ranks: Ranks, whole: Tensor, part: Tensor) -> Pending:
    """Start to fill `whole` [n, ...] with the parts [n / world, ...] of all ranks."""
    if ranks.world == 1:
        return Pending(whole)
    part = part.contiguous() if part.is_cuda else part.clone()  # NCCL gathers in place, gloo need not
    return Pending(whole, dist.all_gather_into_tensor(whole, part, async_op=True), part)


def part_of(ranks: Ranks, whole: Tensor) -> Tensor:
    """Return this rank's part of the first dimension, a view."""
    size = whole.size(0) // ranks.world
    return whole[ranks.rank * size : (ranks.rank + 1) * size]


def choose_device(wanted: str, local: int = 0) -> torch.device:
    """Return the device of a process.

    Args:
        wanted: auto, cuda or cpu.
        local: the number of the process on its node.

    Raises:
        NanosnakeError: if there is no such device.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted not in ("cuda", "cpu"):
        raise NanosnakeError(f"device is {wanted!r}; use auto, cuda or cpu")
    if wanted == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise NanosnakeError(
            f"device is cuda, but torch {torch.__version__} sees no GPU; use --device cpu or a GPU node"
        )
    if local >= torch.cuda.device_count():
        raise NanosnakeError(
            f"local rank {local} has no GPU of its own: {torch.cuda.device_count()} are visible; "
            "start no more processes per node than GPUs"
        )
    torch.cuda.set_device(local)
    return torch.device("cuda", local)
