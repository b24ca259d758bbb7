"""The `models` section: the depth, the shape, and every training option, from the trainer's own dataclasses."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, create_model, model_validator

from nanosnake.config.base import FilePath, MadeModel, Model, wrong
from nanosnake.exports.formats import MODEL_FILES, ModelFormat
from nanosnake.options import docstrings
from nanosnake.training.config import Architecture, TrainOptions


def _options(kind: type) -> type[MadeModel]:
    """Return a model with the fields of a dataclass of plain values."""
    meanings = docstrings(kind)
    fields: dict[str, Any] = {
        field.name: (type(field.default), Field(field.default, description=meanings[field.name]))
        for field in dataclasses.fields(kind)
    }
    return create_model(kind.__name__, __base__=MadeModel, __doc__=kind.__doc__, **fields)


if TYPE_CHECKING:
    TrainingOptions = Any  # a type checker cannot see a model that is made at run time
else:
    TrainingOptions = _options(TrainOptions)


class GPT(Model):
    """A GPT on the tokens of one tokenizer. Depth is the dial; the rest follows from it or has a default."""

    tokenizer: str
    """Name of the tokenizer."""
    dataset: str | None = None
    """Name of the data set to train and evaluate on; the tokenizer's own if absent."""
    depth: Annotated[int, Field(ge=1, le=512)]
    """Layers; width, heads, learning rates, batch and horizon follow."""
    sequence_length: Annotated[int, Field(ge=16)] = 2048
    """Tokens of a row."""
    architecture: Architecture = "nanosnake"
    """nanosnake, or llama, which other tools load without code of ours."""
    window_pattern: Annotated[str, Field(pattern="^[SL]*$")] = ""
    """Attention windows by layer, repeated: L whole context, S a quarter; empty: SSSL, or L for a llama."""
    tied_head: bool = False
    """The head is the embedding (llama)."""
    aspect_ratio: Annotated[int, Field(ge=1)] = 64
    """Width over depth."""
    head_dim: Annotated[int, Field(ge=2, multiple_of=2)] = 128
    """Dimension of an attention head."""
    kv_share: Annotated[int, Field(ge=0)] = 0
    """Query heads that share one key/value head; 0: three to five, where their number allows it."""
    options: TrainingOptions = Field(default_factory=TrainingOptions)
    """How it is trained."""
    prompts: FilePath | None = None
    """File of prompts to write samples from, one a line."""
    tasks: FilePath | None = None
    """Folder of task files to evaluate on."""
    exports: Annotated[list[ModelFormat], Field(default_factory=list)]
    """Further formats, the tokenizer with them: a folder for transformers, a GGUF file for llama.cpp (llama)."""

    @model_validator(mode="after")
    def _architecture_has_it(self) -> Self:
        for format in self.exports:
            if (format, self.architecture) not in MODEL_FILES:
                others = ", ".join(a for f, a in MODEL_FILES if f == format)
                raise wrong("exports", self.exports, f"{format} is for architecture {others}")
        if self.architecture == "llama" and self.window_pattern not in ("", "L"):
            raise wrong("window_pattern", self.window_pattern, "a llama has no windows; leave it out")
        if self.tied_head and self.architecture != "llama":
            raise wrong("tied_head", True, "is for architecture llama")
        return self
