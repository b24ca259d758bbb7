"""Small models with weights that are all at work, and their exports: what a test of another tool loads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from export_model import ExportModel
from nanosnake.config.tokenizers import NANOCHAT_SPECIAL_TOKENS
from nanosnake.evaluation.evaluate import next_logits
from nanosnake.tokenizer.folder import TokenizerFolder
from nanosnake.training.config import ModelConfig
from nanosnake.training.export import write_model
from nanosnake.training.model import GPT, build_model
from nanosnake.training.vocabulary import Vocabulary
from tiny_tokenizers import evaluation_texts, train

VOCABULARY = 600
LENGTH = 256
SHAPES: dict[str, dict[str, Any]] = {
    "nanosnake": {"window_pattern": "SSL", "kv_share": 2},
    "llama": {"architecture": "llama", "kv_share": 2},
    "tied": {"architecture": "llama", "kv_share": 4, "tied_head": True},
}
FIGURES = {"steps": 7, "tokens": 1234567, "bits_per_byte": 2.5, "validation_loss": 3.5}


@dataclass(frozen=True)
class Small:
    """A model, its tokenizer, and the folder with both."""

    model: GPT
    tokenizer: TokenizerFolder
    folder: Path

    def logits(self, rows: list[list[int]]) -> Tensor:
        """Return the trainer's logits of rows of one length."""
        return next_logits(self.model, rows)[:, : len(rows[0])]

    def greedy(self, ids: list[int], count: int, ends: list[int]) -> list[int]:
        """Return what the trainer's model writes after ids, the likeliest token each time."""
        written: list[int] = []
        while len(written) < count and not (written and written[-1] in ends):
            written.append(int(self.logits([[*ids, *written]])[0, -1].argmax()))
        return written

    def export(self, format: Any, out: Path, **options: Any) -> Path:
        """Export the model and return the export's folder."""
        folder = self.folder / "model"
        ExportModel(model=folder, tokenizer=self.tokenizer.folder, format=format, out=out, **options).run()
        return out


def make(shape: str, folder: Path, *, pattern: str = "gpt4") -> Small:
    """Make a small model: five layers, two of them with a short window where the architecture has them."""
    texts = list(evaluation_texts().values())
    tokenizer = train(
        folder, texts, vocab_size=VOCABULARY, pattern=pattern, special_tokens=NANOCHAT_SPECIAL_TOKENS
    )
    config = ModelConfig.from_depth(5, VOCABULARY, LENGTH, aspect_ratio=19, head_dim=24, **SHAPES[shape])
    model = build_model(config, torch.device("cpu"), backend="sdpa", seed=1)
    noise = torch.Generator().manual_seed(2)
    with torch.no_grad():  # the initial weights would hide half of the model
        if config.architecture == "nanosnake":
            model.embedding.mul_(8)  # the standard deviation that nanochat's answers were made with, 0.8
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=noise) * 0.1)
    write_model(folder / "model", model, Vocabulary.load(tokenizer.folder), FIGURES)
    return Small(model.eval(), tokenizer, folder)


def some_ids(count: int, seed: int = 0) -> list[int]:
    """Return any ids."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, VOCABULARY, (count,), generator=draw).tolist()
