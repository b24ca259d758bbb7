"""The `ladders` and `comparisons` sections: models of several depths and seeds, and claims about two ladders."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, WithJsonSchema, model_validator

from nanosnake.config.base import FilePath, Model, listed, nearest, unknown, wrong
from nanosnake.config.training import GPT, SET_BY_A_LADDER, LadderOptions, Tasks
from nanosnake.training.config import Shape

if TYPE_CHECKING:
    from nanosnake.config.models import Config

SHAPE = frozenset(field.name for field in dataclasses.fields(Shape))

NOT_DECISIVE = {"keep", "prompts", "tasks", "contamination", "exports", "follow_code"}
"""Keys of a model that its bits per byte do not depend on."""

Depths = Annotated[list[Annotated[int, Field(ge=1, le=512)]], Field(min_length=1)]
Seeds = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)]


class Ladder(Model):
    """Models that differ only in depth and seed: one for each combination, `{ladder}-d{depth}-s{seed}`."""

    like: str | None = None
    """Name of a ladder above this one: each option that is not set here is taken from it."""
    tokenizer: str | None = None
    """Name of the tokenizer."""
    dataset: str | None = None
    """Name of the data set to train and evaluate on; default: the tokenizer's."""
    depths: Depths | None = None
    """Numbers of layers."""
    seeds: Seeds | None = None
    """Seeds; two or more show how much results differ by chance."""
    order_seeds: Seeds | None = None
    """Seeds of the order of the data, each combined with each seed; if absent, the seed decides the order too."""
    options: LadderOptions = Field(default_factory=LadderOptions)
    """Any option of a model's shape or training, other than those that the lists set."""
    prompts: FilePath | None = None
    """File of prompts to write samples from, one a line."""
    tasks: Tasks = Field(default_factory=list)
    """Tasks to evaluate on: folders, files, names of `evaluation.published`, `core` for those of `evaluation.core`."""

    @model_validator(mode="before")
    @classmethod
    def _lists_are_no_options(cls, given: Any) -> Any:
        options = given.get("options") if isinstance(given, dict) else None
        for key in SET_BY_A_LADDER:
            if isinstance(options, dict) and key in options:
                raise wrong(
                    f"options.{key}", options[key], f"a ladder has a list for it: `{key}s`, beside `options`"
                )
        return given

    @model_validator(mode="after")
    def _each_is_named_once(self) -> Self:
        for key in ("depths", "seeds", "order_seeds"):
            values = getattr(self, key) or []
            if len(set(values)) < len(values):
                raise wrong(key, values, "names a value twice")
        return self

    @property
    def given(self) -> dict[str, Any]:
        """What was set, each option by itself."""
        return self.model_dump(exclude_unset=True, exclude={"like", "options"})

    @property
    def given_options(self) -> dict[str, Any]:
        """The options that were set."""
        found: dict[str, Any] = self.options.model_dump(exclude_unset=True)
        return found

    def models(self, name: str) -> Iterator[tuple[str, GPT]]:
        """Yield the models of a whole ladder, by depth.

        Raises:
            ValidationError: if a model cannot exist.
        """
        options = self.given_options
        shape = {key: value for key, value in options.items() if key in SHAPE}
        training = {key: value for key, value in options.items() if key not in SHAPE}
        common = {key: value for key, value in self.given.items() if key in GPT.model_fields}
        for depth, seed, order in product(self.depths or (), self.seeds or (), self.order_seeds or (None,)):
            seeds = {"seed": seed} | ({} if order is None else {"order_seed": order})
            made = f"{name}-d{depth}-s{seed}" + ("" if order is None else f"-o{order}")
            yield made, GPT(**{**common, **shape, "depth": depth, "options": {**training, **seeds}})


PERCENTAGE = {"type": "string", "pattern": r"^\d+(\.\d+)?%$"}


def _percentage(value: Any) -> Any:
    if not isinstance(value, str) or not re.match(PERCENTAGE["pattern"], value):
        raise ValueError("write a percentage, such as 0.5%")
    return value


class Comparison(Model):
    """Two ladders, and a claim about them."""

    of: Annotated[list[str], Field(min_length=2, max_length=2)]
    """Names of two ladders: the claim is about the first, compared with the second."""
    metric: Literal["bits_per_byte"] = "bits_per_byte"
    """What is compared."""
    direction: Literal["lower", "higher"] = "lower"
    """How the first ladder's metric is claimed to compare with the second's."""
    threshold: Annotated[str, BeforeValidator(_percentage), WithJsonSchema(PERCENTAGE)]
    """Smallest claimed difference, relative to the second ladder's metric, such as 0.5%."""
    at: Literal["compute", "depth"] = "compute"
    """What is held equal: the FLOPs of the training (the second ladder's curve is read at those of the first), or the
    depth."""

    @property
    def share(self) -> float:
        """The threshold as a number."""
        return float(self.threshold.rstrip("%")) / 100


def whole(ladders: Mapping[str, Ladder]) -> dict[str, Ladder]:
    """Return the ladders, completed with what they take from others by `like`.

    Raises:
        PydanticCustomError: if a ladder's `like` names none above it, or a key is missing.
    """
    found: dict[str, Ladder] = {}
    for name, ladder in ladders.items():
        if ladder.like == name:
            raise wrong(f"ladders.{name}.like", name, "is the ladder itself; name another one, above it")
        if ladder.like in ladders and ladder.like not in found:
            raise wrong(
                f"ladders.{name}.like",
                ladder.like,
                "the ladder of this name is below this one; move it above, or leave `like` out of one of the two",
            )
        if ladder.like is not None and ladder.like not in found:
            raise wrong(
                f"ladders.{name}.like",
                ladder.like,
                f"no ladder above it has this name{nearest(ladder.like, found)}; above it: {listed(found) or 'none'}",
            )
        base = found[ladder.like] if ladder.like is not None else Ladder()
        options = {**base.given_options, **ladder.given_options}
        one = Ladder(**{**base.given, **ladder.given}, options=options)
        for key in ("tokenizer", "depths", "seeds"):
            if getattr(one, key) is None:
                raise wrong(f"ladders.{name}.{key}", None, "this key is required and absent")
        found[name] = one
    return found


def ladder_models(
    ladders: Mapping[str, Ladder], models: Mapping[str, GPT]
) -> tuple[dict[str, GPT], dict[str, list[str]]]:
    """Return the models that ladders add to others, and the names of the models of each ladder.

    A model that equals another one in all that decides its training is not made twice.

    Raises:
        PydanticCustomError: if a name is taken by another model, or a model cannot exist.
    """
    known = {decisive(model): name for name, model in reversed(list(models.items()))}
    added: dict[str, GPT] = {}
    found: dict[str, list[str]] = {}
    for ladder_name, ladder in ladders.items():
        try:
            made = list(ladder.models(ladder_name))
        except ValidationError as error:
            detail = error.errors()[0]
            context = detail.get("ctx", {})
            raise wrong(
                f"ladders.{ladder_name}.options.{context.get('key', '')}".rstrip("."),
                context.get("value", detail["input"]),
                context.get("message", detail["msg"]),
            ) from None
        for name, model in made:
            settings = decisive(model)
            if settings not in known:
                if name in models or name in added:
                    raise wrong(
                        f"ladders.{ladder_name}", name, "makes a model of this name, and there is another one"
                    )
                known[settings], added[name] = name, model
            found.setdefault(ladder_name, []).append(known[settings])
    return added, found


def decisive(model: GPT) -> str:
    """Return a word that identifies a model by what decides its training, not by what it is evaluated on."""
    return model.model_dump_json(exclude=NOT_DECISIVE)


def comparison_problems(config: Config) -> Iterator[str]:
    """Find comparisons of ladders that cannot be made."""
    for name, comparison in config.comparisons.items():
        key = f"comparisons.{name}"
        if name in config.compared:
            yield f"{key}: tokenizers are compared under this name; choose another one"
        if missing := [one for one in comparison.of if one not in config.whole_ladders]:
            yield f"{key}.of: {unknown('ladder', missing[0], config.whole_ladders)}"
        else:
            yield from _difference_problems(config, key, comparison)


def _difference_problems(config: Config, key: str, comparison: Comparison) -> Iterator[str]:
    """Yield the reasons why two ladders cannot be compared."""
    first, second = (config.whole_ladders[one] for one in comparison.of)
    if comparison.of[0] == comparison.of[1]:
        yield f"{key}.of: compares {comparison.of[0]!r} with itself; name two ladders"
        return
    models = [set(config.members[one]) for one in comparison.of]
    if models[0] <= models[1] or models[1] <= models[0]:
        yield (
            f"{key}.of: compares models with themselves, because {comparison.of[0]!r} and {comparison.of[1]!r} have the "
            "same settings; give one of them other options"
        )
        return
    depths = [set(one.depths or ()) for one in (first, second)]
    if comparison.at == "depth" and not depths[0] & depths[1]:
        yield f"{key}.at: the ladders have no depth in common; use compute, or give them one; got 'depth'"
    if comparison.at == "compute" and len(depths[1]) < 2:
        yield (
            f"{key}.at: the curve of {comparison.of[1]!r} needs two depths or more; give it another one, or use depth; "
            "got 'compute'"
        )
    if first.tokenizer in config.tokenizers and second.tokenizer in config.tokenizers:
        names = [config.dataset_of_ladder(one) for one in comparison.of]
        if all(name in config.datasets for name in names) and _text(config, names[0]) != _text(
            config, names[1]
        ):
            yield (
                f"{key}.of: the two are evaluated on different text; use data sets with the same source and validation "
                f"shards; got {names[0]!r} and {names[1]!r}"
            )


def _text(config: Config, dataset: str) -> list[tuple[str, list[str]]]:
    """Return what a model of a data set is evaluated on: sources and shards, of a mixture those of its parts."""
    return [
        (config.source_of(part), config.datasets[part].validation_shards) for part in config.parts(dataset)
    ]
