"""Let a trained model continue a text.

    nanosnake sample results/demo/bpe-4096/tiny "The river"

The demo's model is so small that it writes nonsense.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from nanosnake.commands.subject import model_folder, tokenizer_folder
from nanosnake.files import NanosnakeError
from nanosnake.options import Positional
from nanosnake.stages import Stage


@dataclass(frozen=True, kw_only=True)
class Sample(Stage):
    """Let a trained model continue a text."""

    model: Annotated[Path, Positional]
    """A model's folder, with model.safetensors and model.json, or its name in this project."""
    prompts: Annotated[tuple[str, ...], Positional]
    """How each text begins."""
    tokenizer: Path | None = None
    """Tokenizer's folder; default: the one next to the model."""
    tokens: int = 64
    """Most tokens to write."""
    temperature: float = 0.8
    """0: always the most likely token; higher: more random."""
    seed: int = 1
    """The same seed writes the same text."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to run."""

    def run(self) -> None:
        place = model_folder(self.model)
        folder = self.tokenizer or tokenizer_folder(place)
        if folder is None:
            raise NanosnakeError(f"{place}: has no tokenizer next to it; name one with --tokenizer")
        try:
            from nanosnake.evaluation.evaluate import sample
            from nanosnake.training.distributed import choose_device
            from nanosnake.training.export import read_model
            from nanosnake.training.vocabulary import Vocabulary
        except ImportError:
            raise NanosnakeError(
                "sampling needs PyTorch: uv sync --group train, or pip install torch safetensors"
            ) from None
        model = read_model(place, choose_device(self.device))
        vocabulary = Vocabulary.load(folder)
        for prompt in self.prompts:
            text = sample(
                model, vocabulary, prompt, tokens=self.tokens, temperature=self.temperature, seed=self.seed
            )
            print(prompt + text)
