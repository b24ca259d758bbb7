"""Leave out each part of the GPT and of its optimizer, one at a time, and see what that does to bits per byte.

Trains small models on the CPU, on the demo's token shards, one thread each, with several seeds. Each variant gets as
many steps as the whole model, or more where a step of it is cheaper: as many as the same time allows, and rather
too many. Writes a line for each run, from which it goes on when started again, and prints a table.

    snakemake --cores all
    python benchmarks/parts.py --out results/benchmarks/parts.jsonl
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY / "results/demo/bpe4k"
SETTINGS = {
    **{"global_batch": 2048, "warmup_steps": 20, "matrix_lr": 0.25, "embedding_lr": 2.5, "head_lr": 0.1},
    **{"weight_decay": 0.0, "eval_every": 0, "eval_tokens": 65_536, "checkpoint_every": 0, "compile": False},
}
"""The demo's; `--steps` says how many."""
ADAMW = ("query", "key_value", "out", "up", "down", "value_gate")


@dataclass(frozen=True)
class Variant:
    """What is changed."""

    words: str
    config: dict[str, Any] = field(default_factory=dict)
    """Fields of the model's configuration."""
    fixed: dict[str, float] = field(default_factory=dict)
    """Learnt scalars that are set and stay; they are still computed with, which costs next to nothing."""
    adamw: float | None = None
    """Learning rate of AdamW in place of Muon."""
    norm_queries: bool = True
    relu: bool = True
    steps: float = 1.0
    """Over those of the whole model, for what a step saves, rounded up."""


VARIANTS = {
    "whole": Variant("the model as it is: 3 query heads share a key/value head"),
    "own": Variant("a key/value head for each query head", {"kv_heads": 6}),
    "value": Variant("no value embeddings", {"value_embeddings": False}, steps=1.05),
    "residual": Variant(
        "no scaled residual stream, no embedding mixed into each layer",
        fixed={"residual_scale": 1.0, "embedding_scale": 0.0},
    ),
    "smear": Variant("no smear of the previous token", fixed={"smear_scale": 0.0}),
    "backout": Variant("no backout of the middle layer", fixed={"backout_scale": 0.0}),
    "qk": Variant("no norm of queries and keys", norm_queries=False),
    "gelu": Variant("GELU in place of squared ReLU", relu=False),
    "softcap": Variant("logits capped at 60 in place of 15: hardly", {"softcap": 60.0}),
    "rotary": Variant("base of the rotary frequencies 10,000 in place of 100,000", {"rotary_base": 10_000.0}),
    "adamw1": Variant("AdamW for all, matrices at 0.001", adamw=0.001, steps=1.15),
    "adamw3": Variant("AdamW for all, matrices at 0.003", adamw=0.003, steps=1.15),
}


def change(variant: Variant) -> None:
    """Put the variant's functions in the place of the model's and the optimizer's own, in this process."""
    import torch.nn.functional as F

    from nanosnake.training import model, optimizer
    from nanosnake.training.linear import linear

    initialize, rules = model.GPT.initialize, optimizer.rules

    def initialized(self: Any, generator: Any) -> None:
        initialize(self, generator)
        for name, value in variant.fixed.items():
            getattr(self, name).data.fill_(value)

    def ruled(gpt: Any, options: Any, lr_scale: float) -> dict[str, Any]:
        chosen = rules(gpt, options, lr_scale)
        for name in variant.fixed:
            chosen[name] = optimizer.Rule("adamw", 0.0)
        if variant.adamw is not None:
            rate = variant.adamw
            chosen |= {name: optimizer.Rule("adamw", rate, betas=(0.9, 0.95)) for name in ADAMW}
        return chosen

    model.GPT.initialize, optimizer.rules = initialized, ruled  # type: ignore[method-assign]
    if not variant.relu:
        model.GPT._mlp = lambda self, x, up, down: linear(F.gelu(linear(x, up, False)), down, False)  # type: ignore[method-assign]
    if not variant.norm_queries:
        rotate, scale = model.GPT._rotate, model.QK_SCALE
        norm: Callable[..., Any] = model.norm

        def rotated(self: Any, x: Any, length: int) -> Any:
            model.norm, model.QK_SCALE = (lambda y: y), 1.0  # type: ignore[assignment]
            try:
                return rotate(self, x, length)
            finally:
                model.norm, model.QK_SCALE = norm, scale

        model.GPT._rotate = rotated  # type: ignore[method-assign]


def train(name: str, steps: int, seed: int) -> dict[str, Any]:
    """Train a variant in this process; return its figures."""
    sys.path.insert(0, str(REPOSITORY / "scripts"))
    import torch

    from nanosnake.training.config import ModelConfig, TrainOptions
    from nanosnake.training.distributed import Ranks
    from nanosnake.training.shards import TokenShards
    from nanosnake.training.trainer import Files, Trainer
    from nanosnake.training.vocabulary import Vocabulary

    torch.set_num_threads(1)
    variant = VARIANTS[name]
    change(variant)
    vocabulary = Vocabulary.load(DATA / "tokenizer")
    config = ModelConfig.from_depth(4, len(vocabulary), 256, aspect_ratio=48, head_dim=32, window_pattern="L")
    config = dataclasses.replace(config, **variant.config)
    shards = (TokenShards([str(DATA / "tokens" / split)]) for split in ("train", "validation"))
    options = TrainOptions(steps=steps, seed=seed, **SETTINGS)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(config, options, Files(*shards, vocabulary, Path(folder), None), Ranks.start("cpu"))
        evaluate, spent = trainer.evaluate, [time.process_time(), 0.0]

        def evaluated() -> None:
            spent[1] = time.process_time()
            evaluate()

        trainer.evaluate = evaluated  # type: ignore[method-assign]
        figures = trainer.run()
    return {
        **{"variant": name, "steps": steps, "seed": seed},
        "cpu_seconds": round(spent[1] - spent[0], 2),
        "bits_per_byte": figures["bits_per_byte"],
    }


def run(name: str, steps: int, seed: int) -> dict[str, Any]:
    """Train a variant in a process of its own."""
    command = [sys.executable, __file__, "--one", name, str(steps), str(seed)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{name}: {ended.stderr}")
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def table(runs: list[dict[str, Any]]) -> str:
    """Return the table: a row for each variant."""
    rows = [
        "| variant | steps | CPU s a step | bits per byte, by seed | mean | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    of = {name: [one for one in runs if one["variant"] == name] for name in VARIANTS}
    of = {name: sorted(found, key=lambda one: one["seed"]) for name, found in of.items() if found}
    means = {name: statistics.mean(one["bits_per_byte"] for one in found) for name, found in of.items()}
    for name in sorted(means, key=lambda name: (name != "whole", means[name])):
        steps, words = of[name][0]["steps"], VARIANTS[name].words
        seconds = statistics.median(one["cpu_seconds"] for one in of[name]) / steps
        bits = ", ".join(f"{one['bits_per_byte']:.4f}" for one in of[name])
        more = f"{means[name] / means['whole'] - 1:+.1%}" if name != "whole" else ""
        rows.append(f"| {words} | {steps} | {seconds:.2f} | {bits} | {means[name]:.4f} | {more} |")
    return "\n".join(rows)


def main() -> int:
    """Train what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/parts.jsonl"))
    parser.add_argument("--steps", type=int, default=150, help="steps of the whole model")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument(
        "--one", nargs=3, metavar=("VARIANT", "STEPS", "SEED"), help="one run, in this process"
    )
    options = parser.parse_args()
    if options.one:
        name, steps, seed = options.one
        print(json.dumps(train(name, int(steps), int(seed))))
        return 0
    options.out.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    wanted = [
        (name, round(options.steps * VARIANTS[name].steps), seed)
        for seed in options.seeds
        for name in options.variants
    ]
    wanted = [one for one in wanted if not any(one == (r["variant"], r["steps"], r["seed"]) for r in done)]
    with ThreadPoolExecutor(options.processes) as pool, options.out.open("a") as out:
        for found in pool.map(lambda one: run(*one), wanted):
            done.append(found)
            print(json.dumps(found), file=out, flush=True)
            print(f"{found['variant']}, seed {found['seed']}: {found['bits_per_byte']:.4f}", file=sys.stderr)
    print(table(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
