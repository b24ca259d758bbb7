"""Train a GPT on token shards; one process per GPU.

Reads token shards (.ds), a tokenizer's folder; writes the model (safetensors and JSON), the metrics table
and a summary, and keeps rolling checkpoints in a folder of their own, from which it goes on when started
again.

    python scripts/train_model.py --train tokens/train --validation tokens/val --tokenizer tokenizer \\
        --checkpoints checkpoints/d12 --out model/d12 --depth 12
    python scripts/launch.py --processes 8 scripts/train_model.py ...

Exit status: 0 trained to the end; 75 told to stop (SIGTERM or Ctrl-C) with a checkpoint written: start it again;
1 an error, told on the last line. torchrun's own status is 1 for all but 0; scripts/launch.py hands 75 on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import shutil
import time
from pathlib import Path
from typing import Any

NOT_DECISIVE = {"checkpoint_minutes", "checkpoint_every", "checkpoint_keep", "log_every"}
"""Options that change nothing in the model or its figures."""

STARTED = time.perf_counter()

from nanosnake.files import replacing, write_json  # noqa: E402
from nanosnake.messages import log  # noqa: E402
from nanosnake.stages import Stage, main  # noqa: E402
from nanosnake.training.config import (  # noqa: E402
    EXIT_STOPPED,
    STATUS_VARIABLE,
    Architecture,
    ModelConfig,
    Stopped,
    TrainOptions,
)
from nanosnake.workflow.modules import imported_files  # noqa: E402


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainModel(Stage, TrainOptions):
    """Train a GPT on token shards."""

    train: tuple[str, ...]
    """Training shards: .ds files or folders of them."""
    validation: tuple[str, ...]
    """Validation shards: .ds files or folders of them."""
    tokenizer: Path
    """Folder with tokenizer.tiktoken and meta.json."""
    checkpoints: Path
    """Folder of rolling checkpoints; each run has a folder of its own there, named after all that decides it."""
    out: Path
    """Folder of the results: model.safetensors, model.json, metrics.jsonl, training.json."""
    depth: int
    """Layers; width, heads, learning rates, batch and horizon follow from it."""
    sequence_length: int = 2048
    """Tokens of a row."""
    architecture: Architecture = "nanosnake"
    """nanosnake, or llama, which other tools load without code of ours."""
    window_pattern: str = ""
    """Attention windows by layer, repeated: L whole context, S a quarter; empty: SSSL, or L for a llama."""
    tied_head: bool = False
    """The head is the embedding (llama)."""
    aspect_ratio: int = 64
    """Width over depth."""
    head_dim: int = 128
    """Dimension of an attention head."""
    kv_share: int = 0
    """Query heads that share one key/value head; 0: three to five, where their number allows it."""
    device: str = "auto"
    """auto, cuda or cpu."""
    compile_cache: Path | None = None
    """Folder of torch.compile's cache; its default is under /tmp and is lost with the node."""

    @property
    def training(self) -> TrainOptions:
        """The training options alone."""
        return TrainOptions(
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(TrainOptions)}
        )

    def run(self) -> int | None:
        try:
            train_model(self)
        except Stopped as stopped:
            log(f"train_model: {stopped}")
            if path := os.environ.get(STATUS_VARIABLE):
                Path(path).write_text(f"{EXIT_STOPPED}\n")
            return EXIT_STOPPED
        return None


def train_model(options: TrainModel) -> dict[str, Any]:
    """Train, write the results, and return the run's figures."""
    training = options.training
    if options.compile_cache is not None:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(options.compile_cache.resolve())
    os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")
    from nanosnake.training.distributed import Ranks
    from nanosnake.training.export import write_model
    from nanosnake.training.shards import TokenShards
    from nanosnake.training.trainer import Files, Trainer
    from nanosnake.training.vocabulary import Vocabulary

    vocabulary = Vocabulary.load(options.tokenizer)
    config = ModelConfig.from_depth(
        options.depth,
        len(vocabulary),
        options.sequence_length,
        aspect_ratio=options.aspect_ratio,
        head_dim=options.head_dim,
        kv_share=options.kv_share,
        window_pattern=options.window_pattern,
        architecture=options.architecture,
        tied_head=options.tied_head,
    )
    train, validation = TokenShards(list(options.train)), TokenShards(list(options.validation))
    run = options.checkpoints / run_key(config, training, train.fingerprint())
    files = Files(train, validation, vocabulary, run)
    ranks = Ranks.start(options.device)
    try:
        trainer = Trainer(config, training, files, ranks, started=STARTED)
        figures = trainer.run()
        if ranks.first:
            weights = {name: p.detach() for name, p in trainer.model.named_parameters()}
            kept = {key: figures[key] for key in ("steps", "tokens", "bits_per_byte", "validation_loss")}
            write_model(
                options.out / "model.safetensors",
                options.out / "model.json",
                config,
                weights,
                vocabulary,
                kept,
            )
            with replacing(options.out / "metrics.jsonl") as temporary:
                temporary.write_bytes(files.metrics.read_bytes())
            write_json(options.out / "training.json", summary(figures, config, training, ranks.world))
            for other in options.checkpoints.iterdir():
                if other != run:  # of a run with other data, options or code
                    shutil.rmtree(other)
    finally:
        ranks.stop()
    return figures


def run_key(config: ModelConfig, training: TrainOptions, data: str) -> str:
    """Return the name of a run: another for any change of the model, the options, the data or our code.

    A run that was interrupted goes on from its own checkpoints, and never from those of an earlier one.
    """
    decisive = {key: value for key, value in training.to_dict().items() if key not in NOT_DECISIVE}
    digest = hashlib.sha256(json.dumps([config.to_dict(), decisive, data], sort_keys=True).encode())
    for file in imported_files(Path(__file__).resolve()):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def summary(
    figures: dict[str, Any], config: ModelConfig, training: TrainOptions, world: int
) -> dict[str, Any]:
    """Return the run's figures with what they were measured on."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "figures": figures,
        "model": config.to_dict(),
        "options": training.to_dict(),
        "ranks": world,
        "device": torch.cuda.get_device_name() if cuda else platform.machine(),
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
    }


if __name__ == "__main__":
    main(TrainModel)
