"""A trained model on disk: `model.safetensors` and `model.json`, and the loader of the two.

`model.json`: {"format": "nanosnake.model.2", "model": the configuration, "tokenizer": {vocab_size, bos,
special_tokens}, "step", "figures"}. docs/training.md describes each tensor. The architecture (value
embeddings, smear, learnt residual scalars, windows) is not in any class of `transformers`, so a file in its
format could not be loaded without our code; this layout is explicit instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nanosnake.files import NanosnakeError, read_json, replacing, write_json
from nanosnake.training.config import ModelConfig
from nanosnake.training.model import GPT, build_model
from nanosnake.training.tensors import read_tensors, write_tensors
from nanosnake.training.vocabulary import Vocabulary

FORMAT = "nanosnake.model.2"
WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"


def write_model(folder: Path, model: GPT, vocabulary: Vocabulary, figures: dict[str, Any]) -> None:
    """Write a model's two files."""
    with replacing(folder / WEIGHTS) as temporary:
        write_tensors(temporary, weights_of(model), {"format": FORMAT})
    write_json(
        folder / DESCRIPTION,
        {
            "format": FORMAT,
            "model": model.config.to_dict(),
            "tokenizer": {
                "vocab_size": len(vocabulary),
                "bos": vocabulary.bos,
                "special_tokens": vocabulary.special,
            },
            "figures": figures,
        },
    )


def weights_of(model: GPT) -> dict[str, Tensor]:
    """Return a model's weights by name."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def read_model(folder: Path, device: torch.device, *, backend: str = "sdpa") -> GPT:
    """Load the model in a folder for evaluation.

    Raises:
        NanosnakeError: if the files have another format, or tensors are missing or have another shape.
    """
    description = folder / DESCRIPTION
    said = read_json(description)
    if said.get("format") != FORMAT:
        raise NanosnakeError(f"{description}: format is {said.get('format')!r}, wanted {FORMAT!r}")
    model = build_model(ModelConfig.from_dict(said["model"]), device, backend=backend)
    fill(model, folder)
    return model.eval()


def fill(model: GPT, folder: Path) -> None:
    """Load the weights of the model in a folder into one of the same form.

    Raises:
        NanosnakeError: if it is another model, or tensors are missing or of another shape.
    """
    weights, description = folder / WEIGHTS, folder / DESCRIPTION
    config = ModelConfig.from_dict(read_json(description)["model"])
    if config != model.config:
        raise NanosnakeError(
            f"{description}: describes another model ({config}) than is trained ({model.config})"
        )
    tensors = read_tensors(weights)
    wanted = {name: tuple(p.shape) for name, p in model.named_parameters()}
    found = {name: tuple(t.shape) for name, t in tensors.items()}
    if wanted != found:
        names = sorted(n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n))
        raise NanosnakeError(
            f"{weights}: {names[0]} is {found.get(names[0])}, {description.name} wants "
            f"{wanted.get(names[0])}; "
            "the two files are not of the same model"
        )
    model.load_state_dict(tensors)
