"""Write a trained model, with its tokenizer, for another tool.

Reads the model's two files, the tokenizer's folder and, for the model card, evaluation.json next to the model if it
exists. Writes a folder that transformers loads, or a GGUF file for llama.cpp.

    python scripts/export_model.py --model model/d12 --tokenizer tokenizer --format transformers --out export/d12
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nanosnake.exports.formats import MODEL_FILES, ModelFormat
from nanosnake.files import read_json
from nanosnake.stages import Object, Stage, main


@dataclass(frozen=True, kw_only=True)
class ExportModel(Stage):
    """Write a model and its tokenizer for another tool."""

    model: Path
    """Folder with model.safetensors and model.json."""
    tokenizer: Path
    """The tokenizer's folder."""
    format: ModelFormat
    """Whose format."""
    out: Path
    """Folder to write."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Type of the weights."""
    settings: Object = field(default_factory=dict)
    """What the card says: names and settings of data set and tokenizer, and the model's name."""

    def run(self) -> str | None:
        return f"{self.out}: {', '.join(export_model(self))}"


def export_model(options: ExportModel) -> tuple[str, ...]:
    """Write the export; return the names of its files."""
    import torch

    from nanosnake.exports import gguf, transformers
    from nanosnake.training.export import read_model

    model = read_model(options.model, torch.device("cpu"))
    if options.format == "transformers":
        card = card_of(options)
        transformers.export(model, options.tokenizer, options.out, dtype=options.dtype, card=card)
    else:
        gguf.export(model, options.tokenizer, options.out, dtype=options.dtype)
    return MODEL_FILES[options.format, model.config.architecture]


def card_of(options: ExportModel) -> str:
    """Return the model card."""
    from nanosnake.exports.card import card
    from nanosnake.training.config import ModelConfig

    said = read_json(options.model / "model.json")
    evaluation: Mapping[str, Any] = {}
    if (options.model / "evaluation.json").is_file():
        evaluation = read_json(options.model / "evaluation.json")
    return card(ModelConfig.from_dict(said["model"]), options.settings, said["figures"], evaluation)


if __name__ == "__main__":
    main(ExportModel)
