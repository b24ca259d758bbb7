"""A tokenizer of bytes, token shards and tiny models, made with numpy."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from nanosnake.training.config import ModelConfig, TrainOptions
from nanosnake.training.distributed import Ranks
from nanosnake.training.shards import TokenShards
from nanosnake.training.trainer import Files
from nanosnake.training.vocabulary import Vocabulary

torch.set_num_threads(1)  # tensors this small only lose by more

BOS = 256
WORDS = ["the ", "cat ", "sat ", "on ", "a ", "mat ", "and ", "dog ", "ran ", "far. "]


def write_shard(path: Path, documents: list[list[int]]) -> None:
    """Write a token shard; each document has to begin with BOS already."""
    np.array([t for d in documents for t in d], dtype="<u2").tofile(path)
    np.cumsum([len(d) for d in documents]).astype("<u8").tofile(path.with_name(path.name + ".index"))


def text_documents(count: int, seed: int) -> list[list[int]]:
    """Return documents of random words, as bytes after BOS; from 1 token to several rows long."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 60, size=count)
    return [[BOS, *"".join(rng.choice(WORDS, size=n)).encode()] for n in lengths]


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    lines = [f"{base64.b64encode(bytes([i])).decode()} {i}" for i in range(256)]
    (folder / "tokenizer.tiktoken").write_text("\n".join(lines) + "\n")
    special = {"<|bos|>": 256, "<|end|>": 257}
    meta = {"vocab_size": 258, "special_tokens": special, "bos": "<|bos|>", "pattern": r"\w+|\W+"}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


@pytest.fixture(scope="session")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two training shards and a validation shard."""
    folder = tmp_path_factory.mktemp("tokens")
    for split, names in {"train": ["a", "b"], "validation": ["v"]}.items():
        (folder / split).mkdir()
        for name in names:
            write_shard(folder / split / f"{name}.ds", text_documents(120, seed=ord(name)))
    return folder


@pytest.fixture
def config() -> ModelConfig:
    return ModelConfig.from_depth(2, 258, 64, aspect_ratio=32, head_dim=32, window_pattern="SL")


@pytest.fixture
def options() -> TrainOptions:
    """Six short steps; the rates undo the factor that so small a batch gets."""
    return TrainOptions(
        global_batch=8 * 64,
        micro_batch=4,
        steps=6,
        warmup_steps=2,
        eval_every=0,
        eval_tokens=1024,
        checkpoint_every=2,
        log_every=1,
        matrix_lr=0.5,
        embedding_lr=9.0,
        head_lr=0.25,
    )


@pytest.fixture
def ranks() -> Ranks:
    return Ranks(0, 1, torch.device("cpu"))


@pytest.fixture
def files(tokens: Path, tokenizer: Path, tmp_path: Path) -> Callable[[str], Files]:
    def make(name: str) -> Files:
        return Files(
            TokenShards([tokens / "train"]),
            TokenShards([tokens / "validation"]),
            Vocabulary.load(tokenizer),
            tmp_path / name,
        )

    return make
