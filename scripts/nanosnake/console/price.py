"""What training costs on GPUs: an estimate from floating-point operations, before anything has run."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nanosnake import layout
from nanosnake.config import Config
from nanosnake.files import NanosnakeError, read_json
from nanosnake.messages import duration

GPU_VARIABLE = "NANOSNAKE_PLAN_GPU"
"""Environment variable that names the GPU to price training for."""
RATE_VARIABLE = "NANOSNAKE_PLAN_RATE"
"""Environment variable with its price per hour."""

USUAL_GPU = "H200"
COUNTS = {1: "one", 8: "eight"}
"""Numbers of GPUs that training is priced for."""
SHARE = 0.52
"""Share of its peak that a GPU reaches in training (MFU): of depth 12 on one H200 and on two in docs/benchmarks.md; more
than two were not measured."""

SMALL_PRICE = 360
"""Seconds on one GPU below which no price is given."""


def speed(gpu: str, count: int) -> float:
    """Return the floating-point operations per second that training reaches.

    Raises:
        NanosnakeError: if the GPU is not known.
    """
    from nanosnake.training.flops import PEAKS, peak_flops

    peak = peak_flops(gpu)
    if peak is None:
        raise NanosnakeError(
            f"--gpu {gpu}: its peak is not known; known GPUs: {', '.join(name for name, _ in PEAKS)}"
        )
    return peak * count * SHARE


def training_flops(config: Config, name: str) -> float | None:
    """Return the floating-point operations of a training; None if its length is given in `epochs` of unknown tokens."""
    from nanosnake.training.config import ModelConfig
    from nanosnake.training.flops import flops_per_token
    from nanosnake.training.schedule import steps_and_rows

    model = config.models[name]
    shape = ModelConfig.of_shape(model.shape, config.tokenizers[model.tokenizer].vocab_size)
    if not model.options.epochs:
        steps, rows = steps_and_rows(shape, model.options)
        return steps * rows * shape.sequence_length * flops_per_token(shape)
    dataset = config.dataset_of(name)
    place = {"dataset": dataset, "tokenizer": model.tokenizer, "split": "train"}
    facts = (layout.TOKEN_FACTS.format(**place, shard=one) for one in config.datasets[dataset].train_shards)
    try:
        tokens: float = model.options.epochs * sum(int(read_json(path)["tokens"]) for path in facts)
    except OSError:
        return None
    return tokens * flops_per_token(shape)


def price(config: Config, names: Iterable[str]) -> str:
    """Describe what the training of models costs, on the GPU and at the rate of the environment; empty if it is little."""
    gpu, rate = os.environ.get(GPU_VARIABLE, USUAL_GPU), float(os.environ.get(RATE_VARIABLE, 0))
    found = {name: training_flops(config, name) for name in names}
    flops = sum(filter(None, found.values()))
    seconds = {count: flops / speed(gpu, count) for count in COUNTS}
    if seconds[1] < SMALL_PRICE:
        return ""
    shown = []
    for count, took in seconds.items():
        cost = f" ({rate * count * took / 3600:,.2f})" if rate else ""
        shown.append(f"{duration(took)} on {COUNTS[count]}{f' {gpu}' if count == 1 else ''}{cost}")
    missing = [name for name, count in found.items() if count is None]
    without = (
        f"; without {', '.join(missing)}, whose length is known once its tokens are made" if missing else ""
    )
    at = f"{rate:g} for a GPU-hour and " if rate else ""
    return f"Training is {flops:.2g} FLOPs. Estimate: {', '.join(shown)}, at {at}{SHARE:.0%} of the peak{without}."
