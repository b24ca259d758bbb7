"""Lists in a tokenizer's settings: one tokenizer for each combination, named after its values."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from nanosnake.config.base import wrong
from nanosnake.crate import rustbpe
from nanosnake.naming import short_hash

KEYS = ("pattern", "vocab_size")
"""Settings that may be lists, in the order in which they are part of a name."""


def expand(tokenizers: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the settings of every tokenizer; lists become one tokenizer for each combination.

    `bpe: {vocab_size: [8192, 16384]}` becomes `bpe-8192` and `bpe-16384`, each with `sweep: bpe`.

    Raises:
        PydanticCustomError: if a list is empty or names something twice, or a name is taken.
    """
    found: dict[Any, Any] = {}
    for name, settings in tokenizers.items():
        for made, one in _combinations(name, settings).items():
            if made in found or (made != name and made in tokenizers):
                raise wrong(str(made), settings, f"the sweep {name!r} makes a tokenizer of this name too")
            found[made] = one
    return found


def _combinations(name: Any, settings: Any) -> dict[Any, Any]:
    """Return the settings of one tokenizer by name: itself, or those of its sweep."""
    if not isinstance(settings, Mapping):
        return {name: settings}
    if settings.get("sweep") is not None:
        raise wrong(f"{name}.sweep", settings["sweep"], "is set by lists; give vocab_size or pattern a list")
    keys = [key for key in KEYS if isinstance(settings.get(key), list)]
    for key in keys:
        values = settings[key]
        if not values or any(values.count(value) > 1 for value in values):
            raise wrong(f"{name}.{key}", values, "a list names at least one value, and each once")
    if not keys:
        return {name: settings}
    found = {}
    for values in itertools.product(*(settings[key] for key in keys)):
        made = "-".join([str(name), *map(_word, keys, values)])
        found[made] = {**settings, **dict(zip(keys, values, strict=True)), "sweep": str(name)}
    return found


def _word(key: str, value: Any) -> str:
    """Return a value as a part of a name: a regex by its hash."""
    is_regex = key == "pattern" and str(value) not in rustbpe.PATTERNS
    return f"regex-{short_hash(str(value))}" if is_regex else str(value)
