"""Export a trained model: its weights in one type, its description and its tokenizer, in one folder.

Reads the model's two files and the tokenizer's folder; writes model.safetensors, model.json, tokenizer.json,
tokenizer.tiktoken and meta.json. `nanosnake.training.export.read_model` loads the model; any safetensors
reader loads the weights, whose layout docs/training.md describes.

    python scripts/export_model.py --model model/d12 --tokenizer tokenizer --out export/d12 --dtype bfloat16
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nanosnake.files import read_json, replacing
from nanosnake.stages import Stage, main

TOKENIZER_FILES = ("tokenizer.json", "tokenizer.tiktoken", "meta.json")


@dataclass(frozen=True, kw_only=True)
class ExportModel(Stage):
    """Put a model and its tokenizer in one folder for others to load."""

    model: Path
    """Folder with model.safetensors and model.json."""
    tokenizer: Path
    """The tokenizer's folder."""
    out: Path
    """Folder to write."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Type of the weights."""

    def run(self) -> str | None:
        return "\n".join(map(str, export_model(self)))


def export_model(options: ExportModel) -> list[Path]:
    """Write the export; return its files."""
    import torch

    from nanosnake.training.export import TYPES, read_model, write_model
    from nanosnake.training.vocabulary import Vocabulary

    description = options.model / "model.json"
    model = read_model(options.model / "model.safetensors", description, torch.device("cpu"))
    tensors = {name: parameter.detach() for name, parameter in model.named_parameters()}
    written = [options.out / "model.safetensors", options.out / "model.json"]
    write_model(
        written[0],
        written[1],
        model.config,
        tensors,
        Vocabulary.load(options.tokenizer),
        read_json(description)["figures"],
        dtype=TYPES[options.dtype],
    )
    for name in TOKENIZER_FILES:
        source = options.tokenizer / name
        if not source.is_file():
            continue
        with replacing(options.out / name) as temporary:
            temporary.write_bytes(source.read_bytes())
        written.append(options.out / name)
    return written


if __name__ == "__main__":
    main(ExportModel)
