"""Measure nanochat's training speed on one GPU: its own model, optimizer and 8-bit products, rows of our shards.

nanochat is a checkout of its repository; only PyTorch is needed. Its flash kernel comes from a hub: with --flash,
flash-attn-4 replaces it, with nanochat's own windows (SSSL), which is how its users run it on a Hopper GPU. Without
--flash, it runs as if that kernel were missing: PyTorch's scaled dot product and whole windows. Rows are on the GPU
before they are needed.

    python benchmarks/nanochat_speed.py --nanochat nanochat --shard tokens/train/00000.ds --depth 12 --flash \\
        --out nanochat.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nanosnake.training.kernels import flash4

LENGTH = 2048
WARM = 2
"""Steps before the measured ones."""


def use_flash4() -> None:
    """Replace the kernel that nanochat would fetch with our operator."""
    from nanochat import flash_attention  # type: ignore[import-not-found]

    def attend(
        q: Tensor, k: Tensor, v: Tensor, causal: bool = True, window_size: tuple[int, int] = (-1, -1)
    ) -> Tensor:
        rows, length, heads, size = q.shape
        ends = torch.arange(0, (rows + 1) * length, length, dtype=torch.int32, device=q.device)
        window = window_size[0] if 0 <= window_size[0] < length else None
        flat = (x.reshape(rows * length, -1, size) for x in (q, k, v))
        return flash4.flash4(*flat, ends, length, window)[0].view(rows, length, heads, size)

    flash_attention.flash_attn.flash_attn_func = attend


def build(options: argparse.Namespace) -> Any:
    """Return nanochat's model on the GPU, as its base_train.py builds it."""
    from nanochat.gpt import GPT, GPTConfig  # type: ignore[import-not-found]

    heads = -(-options.depth * 64 // 128)
    with torch.device("meta"):
        model = GPT(
            GPTConfig(
                sequence_len=LENGTH,
                vocab_size=options.vocabulary,
                n_layer=options.depth,
                n_head=heads,
                n_kv_head=heads,
                n_embd=heads * 128,
                window_pattern="SSSL" if options.flash else "L",
            )
        )
    model.to_empty(device="cuda")
    model.init_weights()
    if options.fp8:
        from nanochat import fp8  # type: ignore[import-not-found]

        def wide(module: Any, _: str) -> bool:
            return isinstance(module, torch.nn.Linear) and min(module.weight.shape) >= 128

        recipe = fp8.Float8LinearConfig.from_recipe_name("tensorwise")
        fp8.convert_to_float8_training(model, config=recipe, module_filter_fn=wide)
    return model


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return tokens/s, as the median over the measured steps, and the memory."""
    started = time.perf_counter()
    if options.flash:
        use_flash4()
    model = build(options)
    optimizer = model.setup_optimizer()
    forward = torch.compile(model, dynamic=False)
    rows, micro = options.rows, options.micro_batch
    raw = np.fromfile(options.shard, dtype="<u2", count=rows * LENGTH + 1).astype(np.int64)
    flat = torch.from_numpy(raw).cuda()
    x, y = flat[:-1].view(rows, LENGTH), flat[1:].view(rows, LENGTH)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * 0.1
    times = []
    for _ in range(WARM + options.steps):
        before = time.perf_counter()
        for first in range(0, rows, micro):
            loss = forward(x[first : first + micro], y[first : first + micro])
            (loss * micro / rows).backward()
        optimizer.step()
        model.zero_grad(set_to_none=True)
        loss.item()
        times.append(time.perf_counter() - before)
    return {
        "steps": options.steps,
        "tokens_per_second": rows * LENGTH / statistics.median(times[WARM:]),
        "memory_gib": torch.cuda.max_memory_allocated() / 2**30,
        "first_step_seconds": time.perf_counter() - started - sum(times[1:]),
    }


def main(argv: list[str] | None = None) -> int:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nanochat", type=Path, required=True, help="a checkout of nanochat")
    parser.add_argument("--shard", type=Path, required=True, help="a .ds file of 16-bit tokens")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--depth", type=int, default=12)
    parser.add_argument("--vocabulary", type=int, default=32_768)
    parser.add_argument("--rows", type=int, default=256, help="sequences of a step")
    parser.add_argument("--micro-batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--flash", action="store_true")
    parser.add_argument("--fp8", action="store_true")
    options = parser.parse_args(argv)
    sys.path.insert(0, str(options.nanochat))
    sys.modules.setdefault("wandb", types.ModuleType("wandb"))  # imported, but not called here
    options.out.write_text(json.dumps(measure(options)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
