"""Leave out each part of the GPT and of its optimizer, one at a time, and see what that does to bits per byte.

Trains small models on the CPU, on the demo's token shards, one thread each, with several seeds. Each variant gets as
many steps as fit the same time, rather too many than too few: more than the whole model if its step is cheaper, fewer
if it is dearer (on a GPU at depth 12). Writes a line for each run, continues from these lines when restarted, and
prints a table.

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
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from nanosnake.training import model, optimizer
from nanosnake.training.config import ModelConfig, TrainOptions
from nanosnake.training.distributed import Ranks
from nanosnake.training.linear import linear
from nanosnake.training.shards import TokenShards
from nanosnake.training.trainer import Files, Trainer
from nanosnake.training.vocabulary import Vocabulary

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY / "results/demo/bpe-4096"
WIDTH = 192
SETTINGS = {
    **{"global_batch": 2048, "warmup_steps": 20, "embedding_lr": 2.5, "head_lr": 0.1},
    **{"weight_decay": 0.0, "eval_every": 0, "eval_tokens": 65_536, "checkpoint_every": 0, "compile": False},
}
"""The demo's; `--steps` says how many."""
LLAMA = {"architecture": "llama", "value_embeddings": False, "softcap": 0.0}
MATRICES = ("query", "key_value", "out", "up", "down", "value_gate")


def initialized(then: Callable[[Any], None]) -> None:
    """Change weights once they have their initial values."""
    before = model.GPT.initialize

    def initialize(self: Any, generator: Any) -> None:
        before(self, generator)
        with torch.no_grad():
            then(self)

    model.GPT.initialize = initialize  # type: ignore[method-assign]


def ruled(**rules: optimizer.Rule | None) -> None:
    """Give parameters other rules of the optimizer; None: they do not change."""
    before = optimizer.rules

    def after(*arguments: Any) -> dict[str, optimizer.Rule]:
        fixed = optimizer.Rule("adamw", 0.0)
        return before(*arguments) | {name: rule or fixed for name, rule in rules.items()}

    optimizer.rules = after


def fix(**scalars: float) -> None:
    """Fix learnt scalars; they are still computed with, which costs next to nothing."""
    initialized(lambda gpt: [getattr(gpt, name).fill_(value) for name, value in scalars.items()])
    ruled(**dict.fromkeys(scalars))


def embedding(deviation: float) -> None:
    """Begin with a larger or smaller embedding."""
    initialized(lambda gpt: gpt.embedding.mul_(deviation / gpt.embedding.std()))


def adamw(rate: float) -> None:
    """Update the matrices with AdamW."""
    ruled(**dict.fromkeys(MATRICES, optimizer.Rule("adamw", rate, betas=(0.9, 0.95))))


def gelu() -> None:
    """Replace squared ReLU with GELU."""
    model.mlp = lambda x, up, down, **_: linear(F.gelu(linear(x, up)), down)  # type: ignore


def length(of_queries: float) -> None:
    """Change the length that queries and keys have after their norm."""
    model.QK_SCALE = of_queries


def no_query_norm() -> None:
    """Leave queries and keys as the products made them."""
    rotate, norm = model.GPT._rotate, model.norm

    def rotated(*arguments: Any) -> torch.Tensor:
        model.norm = lambda x: x
        try:
            return rotate(*arguments)
        finally:
            model.norm = norm

    model.GPT._rotate = rotated  # type: ignore
    length(1.0)


def no_positions() -> None:
    """Rotate nothing."""
    table = model.rotary_table
    model.rotary_table = lambda *arguments: tuple(
        fill(part) for fill, part in zip((torch.ones_like, torch.zeros_like), table(*arguments), strict=True)
    )


def tied(rate: float) -> None:
    """Use one table as embedding and as head."""
    build = model.GPT.__init__

    def built(self: Any, *arguments: Any, **options: Any) -> None:
        build(self, *arguments, **options)
        self.head = self.embedding

    model.GPT.__init__ = built  # type: ignore[method-assign]
    initialized(lambda gpt: gpt.embedding.mul_(20))  # of 0.02, as the head's small values are
    ruled(embedding=optimizer.Rule("adamw", rate, betas=(0.8, 0.96)))


def gains() -> None:
    """Give the norms before attention, before the MLP and before the head a learnt factor for each channel."""
    build, forward = model.GPT.__init__, model.GPT.forward
    norm = model.norm

    def built(self: Any, *arguments: Any, **options: Any) -> None:
        build(self, *arguments, **options)
        self.gain = torch.nn.Parameter(torch.ones(2 * self.config.depth + 1, self.config.width))

    def run_forward(self: Any, *arguments: Any) -> torch.Tensor:
        left = iter([1.0, *self.gain])  # the embedding's norm comes first

        def normed(x: torch.Tensor) -> torch.Tensor:
            return norm(x) * next(left) if x.dim() == 2 else norm(x)  # else: queries and keys

        model.norm = normed
        try:
            return forward(self, *arguments)
        finally:
            model.norm = norm

    model.GPT.__init__, model.GPT.forward = built, run_forward  # type: ignore[method-assign]
    initialized(lambda gpt: gpt.gain.fill_(1.0))
    ruled(gain=optimizer.Rule("adamw", 0.01, betas=(0.9, 0.95)))


@dataclass(frozen=True)
class Variant:
    """What is changed."""

    words: str
    change: Callable[[], None] = lambda: None
    """Replaces functions of the model and the optimizer, in this process."""
    config: dict[str, Any] = field(default_factory=dict)
    """Fields of the model's configuration."""
    steps: float = 1.0
    """Over those of the whole model, for what a step saves or costs."""


VARIANTS = {
    "whole": Variant("the model as it is: 3 query heads share a key/value head"),
    "own": Variant("a key/value head for each query head", config={"kv_heads": 6}, steps=0.952),
    "value": Variant("no value embeddings", config={"value_embeddings": False}, steps=1.05),
    "residual": Variant(
        "no scaled residual stream, no embedding mixed into each layer",
        partial(fix, residual_scale=1.0, embedding_scale=0.0),
    ),
    "smear": Variant("no smear of the previous token", partial(fix, smear_scale=0.0)),
    "gains": Variant("RMS norm with a learnt factor for each channel", gains),
    "qk": Variant("no norm of queries and keys", no_query_norm),
    "qk08": Variant("queries and keys of length 0.8 in place of 1.2", partial(length, 0.8)),
    "qk10": Variant("queries and keys of length 1.0 in place of 1.2", partial(length, 1.0)),
    "qk17": Variant("queries and keys of length 1.7 in place of 1.2", partial(length, 1.7)),
    "gelu": Variant("GELU in place of squared ReLU", gelu),
    "softcap": Variant("logits capped at 60 in place of 15: hardly", config={"softcap": 60.0}),
    "rotary": Variant(
        "base of the rotary frequencies 10,000 in place of 100,000", config={"rotary_base": 10_000.0}
    ),
    "positions": Variant("no rotary embeddings", no_positions),
    "embedding8": Variant("an embedding of 0.8 in place of 0.1 at the start", partial(embedding, 0.8)),
    "embedding02": Variant("an embedding of 0.02 in place of 0.1 at the start", partial(embedding, 0.02)),
    "tied1": Variant("one table for embedding and head, rate 0.01", partial(tied, 0.01)),
    "tied3": Variant("one table for embedding and head, rate 0.003", partial(tied, 0.003)),
    "llama": Variant("Llama's shape", config=LLAMA),
    "adamw1": Variant("AdamW for all, matrices at 0.001", partial(adamw, 0.001), steps=1.15),
    "adamw3": Variant("AdamW for all, matrices at 0.003", partial(adamw, 0.003), steps=1.15),
}


def train(name: str, steps: int, seed: int, depth: int, matrix_lr: float) -> dict[str, Any]:
    """Train a variant in this process; return its figures."""
    torch.set_num_threads(1)
    variant = VARIANTS[name]
    variant.change()
    vocabulary = Vocabulary.load(DATA / "tokenizer")
    config = ModelConfig.from_depth(
        depth, len(vocabulary), 256, aspect_ratio=WIDTH // depth, head_dim=32, window_pattern="L"
    )
    config = dataclasses.replace(config, **variant.config)
    shards = (TokenShards([str(DATA / "tokens" / split)]) for split in ("train", "validation"))
    options = TrainOptions(steps=steps, seed=seed, matrix_lr=matrix_lr, **SETTINGS)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(config, options, Files(*shards, vocabulary, Path(folder)), Ranks.start("cpu"))
        evaluate, spent = trainer.evaluate, [time.process_time(), 0.0]

        def evaluated() -> None:
            spent[1] = time.process_time()
            evaluate()

        trainer.evaluate = evaluated  # type: ignore[method-assign]
        figures = trainer.run()
    return {
        **{"variant": name, "steps": steps, "seed": seed, "depth": depth, "matrix_lr": matrix_lr},
        "cpu_seconds": round(spent[1] - spent[0], 2),
        "bits_per_byte": figures["bits_per_byte"],
    }


def run(*one: Any) -> dict[str, Any]:
    """Train a variant in a separate process, with the arguments of `train`."""
    command = [sys.executable, __file__, "--one", *map(str, one)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"{one[0]}: {ended.stderr}")
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def key(found: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a run was asked for, the arguments of `train`."""
    return tuple(found[name] for name in ("variant", "steps", "seed", "depth", "matrix_lr"))


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
        more = f"{means[name] / means['whole'] - 1:+.1%}" if name != "whole" and "whole" in means else ""
        rows.append(f"| {words} | {steps} | {seconds:.2f} | {bits} | {means[name]:.4f} | {more} |")
    return "\n".join(rows)


def main() -> int:
    """Train what is not done yet, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/parts.jsonl"))
    parser.add_argument("--steps", type=int, default=150, help="steps of the whole model")
    parser.add_argument(
        "--depth", type=int, default=4, help=f"layers, each {WIDTH} wide; one that divides {WIDTH}"
    )
    parser.add_argument("--matrix-lr", type=float, default=0.25, help="learning rate of Muon")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument(
        "--one",
        nargs=5,
        metavar=("VARIANT", "STEPS", "SEED", "DEPTH", "RATE"),
        help="one run, in this process",
    )
    options = parser.parse_args()
    if options.one:
        name, steps, seed, depth, rate = options.one
        print(json.dumps(train(name, int(steps), int(seed), int(depth), float(rate))))
        return 0
    options.out.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    wanted = [
        (name, round(options.steps * VARIANTS[name].steps), seed, options.depth, options.matrix_lr)
        for seed in options.seeds
        for name in options.variants
    ]
    done = [one for one in done if key(one) in wanted]
    left = [one for one in wanted if one not in map(key, done)]
    with ThreadPoolExecutor(options.processes) as pool, options.out.open("a") as out:
        for found in pool.map(lambda one: run(*one), left):
            done.append(found)
            print(json.dumps(found), file=out, flush=True)
            print(f"{found['variant']}, seed {found['seed']}: {found['bits_per_byte']:.4f}", file=sys.stderr)
    print(table(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
