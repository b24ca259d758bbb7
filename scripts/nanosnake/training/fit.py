"""The largest micro-batch that fits on a GPU: estimated first, then tried."""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch

from nanosnake.files import NanosnakeError
from nanosnake.training.config import ModelConfig
from nanosnake.training.distributed import Ranks
from nanosnake.training.head import CHUNK_ELEMENTS

USED = 0.95
"""Fraction of the memory that the estimate may fill."""
ASIDE = 1.0e9
"""Bytes for the kernels' workspace and for fragmentation."""
CPU_TOKENS = 8192
"""Tokens of a micro-batch on a CPU, where the caches, not the memory, are the limit."""


def available(device: torch.device) -> float:
    """Return the bytes that this process may use on a GPU; 0 for the CPU."""
    if device.type != "cuda":
        return 0.0
    free, total = torch.cuda.mem_get_info(device)
    allowed = total * torch.cuda.get_per_process_memory_fraction(device)
    return float(min(free + torch.cuda.memory_reserved(device), allowed))


def needed(model: ModelConfig, rows: int) -> float:
    """Estimate the bytes that training needs with a micro-batch of so many rows."""
    table = model.padded_vocab * model.width
    values = model.padded_vocab * model.kv_heads * model.head_dim * len(model.value_layers)
    # weights, gradients and the optimizer's state, by the types that each has
    state = 16.0 * model.matrix_parameters + 22.0 * table + 12.0 * (table + values)
    update = 24.0 * model.depth * model.mlp_ratio * model.width**2  # Muon on the largest bank
    # kept for the backward pass: so many tensors of the width per layer, in bf16
    kept = 17.0 if model.architecture == "llama" else 14.0
    tokens = rows * model.sequence_length
    activations = (2.0 * kept * model.depth * model.width + 4096.0) * tokens
    logits = 2.0 * min(CHUNK_ELEMENTS, tokens * model.padded_vocab)
    return state + max(update, activations + logits) + ASIDE


def estimate(model: ModelConfig, share: int, memory: float) -> int:
    """Return the largest divisor of a rank's `share` of rows that should fit; 1 where none does."""
    for rows in divisors(share):
        if memory == 0 and rows * model.sequence_length <= CPU_TOKENS:
            return rows
        if memory and needed(model, rows) <= USED * memory:
            return rows
    return 1


def divisors(number: int) -> list[int]:
    """Return the divisors of a number, largest first."""
    return [d for d in range(max(1, number), 0, -1) if number % d == 0]


def largest_depth(model: ModelConfig, memory: float) -> int:
    """Return the largest depth of the same kind of model that fits with one row at a time; 0: none."""
    for depth in range(model.depth, 0, -1):
        smaller = ModelConfig.from_depth(
            depth, model.vocab_size, model.sequence_length, window_pattern=model.window_pattern
        )
        if needed(smaller, 1) <= USED * memory:
            return depth
    return 0


def largest_that_runs(
    first: int, share: int, tries: Callable[[int], None], ranks: Ranks, model: ModelConfig
) -> int:
    """Return the largest micro-batch, `first` at most, that `tries` gets through on every rank.

    Raises:
        NanosnakeError: if not even one row fits.
    """
    for rows in (d for d in divisors(share) if d <= first):
        failed = torch.zeros(1, device=ranks.device)
        try:
            tries(rows)
        except torch.OutOfMemoryError:
            failed += 1
        if float(ranks.sum(failed)) == 0:
            return rows
        gc.collect()  # the error's frames held tensors
        torch.cuda.empty_cache()
    memory = available(ranks.device)
    depth = largest_depth(model, memory)
    hint = (
        f"a depth of {depth} should"
        if 0 < depth < model.depth
        else "a shorter sequence or a smaller depth may"
    )
    raise NanosnakeError(
        f"training: depth {model.depth} with sequences of {model.sequence_length} tokens does not fit into the "
        f"{memory / 2**30:.1f} GiB that this process may use on the GPU, not even one sequence at a time; {hint} fit"
    )
