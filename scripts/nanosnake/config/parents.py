"""Models that begin with the weights of others, and what conversations need: mistakes that no section can see alone."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticCustomError

from nanosnake.config.base import unknown, wrong
from nanosnake.config.training import parse_parent
from nanosnake.tokenizer import conversations
from nanosnake.training.config import Shape

if TYPE_CHECKING:
    from nanosnake.config.models import Config

INHERITED = ("tokenizer", *(field.name for field in dataclasses.fields(Shape)))
"""Keys of a model that are those of the model that it begins with."""
DEFAULTS = {field.name: field.default for field in dataclasses.fields(Shape)}


def with_parents(models: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the settings of every model, with tokenizer and shape, and data set if it has none, of the one it begins with.

    Raises:
        PydanticCustomError: if there is no such model, or a model sets another shape than it begins with.
    """
    found: dict[Any, Any] = {}

    def whole(name: Any, seen: tuple[Any, ...]) -> Any:
        settings = models[name]
        if name in found or not isinstance(settings, Mapping) or not isinstance(settings.get("from"), str):
            return found.get(name, settings)

        def problem(message: str, key: str = "from") -> PydanticCustomError:
            return wrong(f"{name}.{key}", settings[key], message)

        try:
            parent, step = parse_parent(settings["from"])
        except ValueError:
            raise problem("write NAME, or NAME@STEP with a number") from None
        if parent in seen:
            raise problem(f"goes round in a circle: {' -> '.join([*seen, parent])}")
        if parent not in models:
            of_a_ladder = re.search(r"-d\d+-s\d+", parent)
            hint = "; write a ladder's model in models too: by its name and with its settings, it is trained once"
            raise problem(unknown("model", parent, models) + (hint if of_a_ladder else ""))
        begins = whole(parent, (*seen, parent))
        if not isinstance(begins, Mapping):
            return settings
        kept = begins.get("keep")
        if step is not None and step not in (kept if isinstance(kept, list) else ()):
            raise problem(f"{parent} does not keep step {step}; name it in its keep")
        for key in INHERITED:
            theirs = begins.get(key, DEFAULTS.get(key))
            if key in settings and settings[key] != theirs:
                raise problem(f"{parent} has {theirs!r}, and its weights fit nothing else", key)
        return {**{key: begins[key] for key in (*INHERITED, "dataset") if key in begins}, **settings}

    for name in models:
        found[name] = whole(name, (name,))
    return found


def conversation_problems(config: Config) -> Iterator[str]:
    """Find tokenizers that learn from conversations, and those that cannot render them."""
    talks = {name for name in config.datasets if config.has_conversations(name)}
    for name, tokenizer in config.tokenizers.items():
        if tokenizer.dataset in talks:
            yield (
                f"tokenizers.{name}.dataset: {tokenizer.dataset} has conversations, and a tokenizer learns from text; "
                "define a data set of the same files with a template, or name another"
            )
    for name, model in config.models.items():
        own = config.tokenizers.get(model.tokenizer)
        dataset = config.dataset_of(name) if own else model.dataset
        if model.options.epochs and dataset in config.datasets and config.mixture(str(dataset)):
            yield (
                f"models.{name}.options.epochs: is {model.options.epochs}, but {dataset} is a mixture, whose plan says "
                "how often each part is read; give steps"
            )
        if model.dataset not in talks or own is None:
            continue
        if problem := conversations.problem(model.tokenizer, own.special_tokens):
            yield f"models.{name}.dataset: {problem}"
        if own.chat_template is not None:
            yield (
                f"models.{name}.dataset: conversations are rendered in nanochat's form, and {model.tokenizer} has a "
                "chat_template of its own; leave that key out"
            )
