"""The `models` section: the depth, the shape, and every training option, from the trainer's own dataclasses."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, create_model

from nanosnake.config.base import FilePath, MadeModel, Model
from nanosnake.options import docstrings
from nanosnake.training.config import TrainOptions


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
    window_pattern: Annotated[str, Field(pattern="^[SL]+$")] = "SSSL"
    """Attention windows by layer, repeated: L whole context, S a quarter."""
    aspect_ratio: Annotated[int, Field(ge=1)] = 64
    """Width over depth."""
    head_dim: Annotated[int, Field(ge=2, multiple_of=2)] = 128
    """Dimension of an attention head."""
    kv_share: Annotated[int, Field(ge=0)] = 0
    """Query heads that share one key/value head; 0: three to five, where their number allows it."""
    options: TrainingOptions = Field(default_factory=TrainingOptions)
    """How it is trained."""
    follow_code: bool = False
    """Train again whenever the trainer's code has changed; else a finished model stays, and reports say so."""
    prompts: FilePath | None = None
    """File of prompts to write samples from, one a line."""
    tasks: FilePath | None = None
    """Folder of task files to evaluate on."""
    export: bool = False
    """Also write the model with its tokenizer as one folder for others to load."""
