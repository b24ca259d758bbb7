"""Let a trained model continue a text.

    nanosnake sample results/demo/bpe-4096/tiny "The river"

The demo's model is so small that it writes nonsense.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from nanosnake.commands.subject import model_folder, tokenizer_folder
from nanosnake.files import NanosnakeError
from nanosnake.options import Positional
from nanosnake.stages import Stage

GROUPS = {
    "train": ("torch", "safetensors"),
    "serve": ("torch", "safetensors", "transformers", "starlette", "uvicorn"),
}
"""The packages of each group that a model needs to write."""


@dataclass(frozen=True, kw_only=True)
class Writing(Stage):
    """What the commands have in common that let a model write."""

    group: ClassVar[str] = "train"

    model: Annotated[Path, Positional]
    """A model's folder, with model.safetensors and model.json, or its name in this project."""
    tokenizer: Path | None = None
    """Tokenizer's folder; default: the one next to the model."""
    tokens: int = 64
    """Most tokens to write."""
    temperature: float = 0.8
    """0: always the most likely token; higher: more random."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to run."""
    seed: int | None
    """The same seed writes the same text; None: another text each time."""

    def __post_init__(self) -> None:
        packages = GROUPS[self.group]
        if absent := [name for name in packages if find_spec(name) is None]:
            raise NanosnakeError(
                f"the package {absent[0]} is not installed: uv sync --group {self.group}, or pip install "
                f"{' '.join(packages)}"
            )
        if self.tokens < 1 or not self.temperature >= 0:
            raise NanosnakeError(
                f"--tokens is {self.tokens} and --temperature {self.temperature:g}; use 1 or more, and 0 or more"
            )
        if not -(1 << 63) <= (self.seed or 0) < 1 << 63:
            raise NanosnakeError(f"--seed is {self.seed}; use a number of 63 bits")

    def folders(self) -> tuple[Path, Path]:
        """Return the folder of the model and that of its tokenizer.

        Raises:
            NanosnakeError: if there is none.
        """
        place = model_folder(self.model)
        beside = self.tokenizer or place
        tokenizer = tokenizer_folder(beside)
        if tokenizer is None:
            raise NanosnakeError(f"{beside}: has no tokenizer next to it; name one with --tokenizer")
        return place, tokenizer


@dataclass(frozen=True, kw_only=True)
class Sample(Writing):
    """Let a trained model continue a text."""

    prompts: Annotated[tuple[str, ...], Positional]
    """How each text begins."""
    seed: int = 1
    """The same seed writes the same text."""

    def run(self) -> None:
        from nanosnake.evaluation.evaluate import sample
        from nanosnake.training.distributed import choose_device
        from nanosnake.training.export import read_model
        from nanosnake.training.vocabulary import Vocabulary

        place, tokenizer = self.folders()
        model = read_model(place, choose_device(self.device))
        vocabulary = Vocabulary.load(tokenizer)
        for prompt in self.prompts:
            text = sample(
                model, vocabulary, prompt, tokens=self.tokens, temperature=self.temperature, seed=self.seed
            )
            print(prompt + text)
