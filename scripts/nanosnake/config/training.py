"""The `models` section: the depth, the shape, and every training option, from the trainer's own dataclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_type_hints

from pydantic import BeforeValidator, ConfigDict, Field, create_model, model_validator

from nanosnake.config.base import FilePath, MadeModel, Model, wrong
from nanosnake.exports.formats import MODEL_FILES, ModelFormat
from nanosnake.files import NanosnakeError
from nanosnake.options import docstrings
from nanosnake.training.config import VOCAB_MULTIPLE, ModelConfig, Shape, TrainOptions
from nanosnake.training.schedule import steps_and_rows

SET_BY_A_LADDER = ("depth", "seed", "order_seed")
"""Options of a model for which a ladder has lists."""

Tasks = Annotated[
    list[FilePath],
    BeforeValidator(
        lambda value: [value] if isinstance(value, str) else value or [],
        json_schema_input_type=FilePath | list[FilePath] | None,
    ),
]
"""One place of tasks, or a list of them."""


def _options(name: str, *kinds: type, without: Sequence[str] = ()) -> type[MadeModel]:
    """Return a model with the fields of some dataclasses, which hold plain values, except some fields."""
    made: dict[str, Any] = {}
    for kind in kinds:
        meanings, types = docstrings(kind), get_type_hints(kind)
        for field in dataclasses.fields(kind):
            if field.name not in without:
                default = ... if field.default is dataclasses.MISSING else field.default
                made[field.name] = (
                    types[field.name],
                    Field(default, description=meanings[field.name], **field.metadata),
                )
    return create_model(name, __base__=MadeModel, __doc__=kinds[0].__doc__, **made)


if TYPE_CHECKING:  # a type checker cannot see a model that is built at run time
    TrainingOptions = Any
    LadderOptions = Any
    ShapeOptions = Model
else:
    TrainingOptions, ShapeOptions = _options("TrainOptions", TrainOptions), _options("Shape", Shape)
    LadderOptions = _options("LadderOptions", Shape, TrainOptions, without=SET_BY_A_LADDER)


def parse_parent(parent: str) -> tuple[str, int | None]:
    """Return the name and the step of `NAME@STEP`; None for the last step.

    Raises:
        ValueError: if what follows the @ is not a number.
    """
    name, at, step = parent.partition("@")
    return name, int(step) if at else None


class Contamination(Model):
    """Items of tasks that share 13 tokens in a row with the training text."""

    mode: Literal["block", "warn", "off"] = "warn"
    """block: too many of them stop the run before training; warn: they are reported; off: they are not looked for."""
    max_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Largest share of a task's items that may overlap."""


class GPT(ShapeOptions):
    """A GPT on the tokens of one tokenizer. Set the depth; the rest follows from it or has a default."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    tokenizer: str
    """Name of the tokenizer."""
    parent: Annotated[str | None, Field(alias="from")] = None
    """Name of the model whose weights this one begins with, or NAME@STEP for a step that it keeps; tokenizer and
    shape are taken from it."""
    dataset: str | None = None
    """Name of the data set to train and evaluate on; default: the parent's, else the tokenizer's."""
    options: TrainingOptions = Field(default_factory=TrainingOptions)
    """How it is trained."""
    keep: Annotated[list[Annotated[int, Field(ge=1)]], Field(default_factory=list)]
    """Steps after which the weights are kept, so that another model can begin with them: `from: NAME@STEP`."""
    follow_code: bool = False
    """Retrain whenever the trainer's code has changed; otherwise a finished model is kept, and reports say so."""
    prompts: FilePath | None = None
    """File of prompts to write samples from, one a line."""
    tasks: Tasks = Field(default_factory=list)
    """Tasks to evaluate on: folders, files, names of `evaluation.published`, `core` for those of `evaluation.core`."""
    contamination: Contamination = Contamination()
    """What to do about task items that also occur in the training text."""
    exports: Annotated[list[ModelFormat], Field(default_factory=list)]
    """Additional formats, with the tokenizer: a folder for transformers, a GGUF file for llama.cpp (llama only)."""

    @property
    def begins(self) -> tuple[str, int | None] | None:
        """The model that this one begins with, and the step if it is not the last; None for random weights."""
        return None if self.parent is None else parse_parent(self.parent)

    @property
    def shape(self) -> Shape:
        """The options of the shape."""
        return Shape(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Shape)})

    @model_validator(mode="after")
    def _architecture_has_it(self) -> Self:
        shape = self.shape
        for format in self.exports:
            if (format, shape.architecture) not in MODEL_FILES:
                others = ", ".join(a for f, a in MODEL_FILES if f == format)
                raise wrong("exports", self.exports, f"{format} is for architecture {others}")
        if shape.architecture == "llama" and shape.window_pattern not in ("", "L"):
            raise wrong("window_pattern", shape.window_pattern, "a llama has no windows; leave it out")
        if shape.tied_head and shape.architecture != "llama":
            raise wrong("tied_head", True, "is for architecture llama")
        return self

    @model_validator(mode="after")
    def _can_be_trained(self) -> Self:
        try:  # the trainer's own messages say what is wrong and what to do
            shape = ModelConfig.of_shape(self.shape, VOCAB_MULTIPLE)
        except NanosnakeError as error:
            raise ValueError(str(error)) from None
        try:
            steps_and_rows(shape, TrainOptions(**self.options.model_dump()))
        except NanosnakeError as error:
            raise wrong("options", self.options.model_dump(exclude_unset=True), str(error)) from None
        if self.options.steps and max(self.keep, default=0) > self.options.steps:
            raise wrong(
                "keep", self.keep, f"the training has {self.options.steps} steps; name none after them"
            )
        return self
