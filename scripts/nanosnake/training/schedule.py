"""What follows from the depth and the machine: horizon, batch, learning rates, and their course over the
run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nanosnake.files import NanosnakeError
from nanosnake.training.config import ModelConfig, TrainOptions

REFERENCE_BATCH = 1 << 19
"""The batch in tokens that the learning rates were tuned for, the best at the reference depth."""
REFERENCE_DEPTH = 12
MOMENTUM_STEPS = 400
MOST_DECAY = 4.0
"""Largest factor by which weight decay grows for models smaller than the reference."""


@dataclass(frozen=True)
class Plan:
    """The numbers of a run."""

    steps: int
    rows_per_step: int
    """Sequences of all ranks per step."""
    micro_batch: int
    """Sequences per rank and forward pass."""
    lr_scale: float
    """Factor on all learning rates, from the batch and the options."""
    weight_decay: float
    """Muon's weight decay at the start."""


def make_plan(
    model: ModelConfig,
    options: TrainOptions,
    world: int,
    memory_bytes: float,
    reference: ModelConfig | None = None,
) -> Plan:
    """Derive a run's numbers.

    The horizon is `tokens_per_parameter` tokens per parameter. The best batch grows with the horizon to the
    power 0.383 (arXiv:2505.13738), learning rates with the root of the batch, and weight decay keeps
    batch / (rate x decay x horizon) constant (arXiv:2405.13698).

    Args:
        memory_bytes: what a rank may use of its GPU; 0 for the CPU.
        reference: the model that the settings are meant for; None: depth 12 of the same kind.
    """
    from nanosnake.training import fit  # imports torch, which callers that only need the steps can do without

    size = _size(model, reference)
    steps, rows = steps_and_rows(model, options, reference)
    batch = rows * model.sequence_length
    micro = options.micro_batch or fit.estimate(model, rows // world, memory_bytes)
    if rows % (world * micro):
        raise NanosnakeError(
            f"training: {rows} sequences per step cannot be shared by {world} ranks in micro-batches of "
            f"{micro}; "
            "change global_batch, micro_batch or the number of GPUs"
        )
    ratio = batch / REFERENCE_BATCH
    return Plan(
        steps=steps,
        rows_per_step=rows,
        micro_batch=micro,
        lr_scale=math.sqrt(ratio) * options.lr_scale,
        weight_decay=options.weight_decay * math.sqrt(ratio) * min(MOST_DECAY, 1.0 / size),
    )


def steps_and_rows(
    model: ModelConfig, options: TrainOptions, reference: ModelConfig | None = None
) -> tuple[int, int]:
    """Return the steps of a run and the rows of each; they do not depend on the machine."""
    length, batch = model.sequence_length, options.global_batch
    if batch == 0:
        best = REFERENCE_BATCH * _size(model, reference) ** 0.383
        batch = max(length, 2 ** round(math.log2(best)))
    if batch % length:
        raise NanosnakeError(
            f"training: global_batch is {batch} tokens, which is not a multiple of the sequence length {length}; "
            f"use {max(1, round(batch / length)) * length}"
        )
    horizon = options.tokens_per_parameter * model.scaling_parameters
    return options.steps or max(1, int(horizon / batch)), batch // length


def _size(model: ModelConfig, reference: ModelConfig | None) -> float:
    """Return the parameters of a model over those of the model that the settings are meant for."""
    if reference is None:
        reference = ModelConfig.from_depth(
            REFERENCE_DEPTH, model.vocab_size, model.sequence_length, architecture=model.architecture
        )
    return model.scaling_parameters / reference.scaling_parameters


def lr_factor(options: TrainOptions, step: int, steps: int) -> float:
    """Return the learning rate of a step over that of the plateau: a rise, a plateau, a linear fall."""
    warmup = min(options.warmup_steps, steps // 4)
    if step < warmup:
        return (step + 1) / warmup
    fall = round(options.warmdown * steps)
    left = steps - step
    if left >= fall:
        return 1.0
    return options.final_lr + (1.0 - options.final_lr) * left / fall


def momentum(options: TrainOptions, step: int, steps: int) -> float:
    """Return Muon's momentum at a step: 0.85 rising to 0.97, falling to 0.90 with the learning rate."""
    fall = round(options.warmdown * steps)
    left = steps - step
    if step < MOMENTUM_STEPS:
        return 0.85 + 0.12 * step / MOMENTUM_STEPS
    if left < fall:
        return 0.90 + 0.07 * left / fall
    return 0.97


def decay_factor(step: int, steps: int) -> float:
    """Return the weight decay of a step over that of the first: half a cosine down to 0."""
    return 0.5 * (1.0 + math.cos(math.pi * step / steps))
