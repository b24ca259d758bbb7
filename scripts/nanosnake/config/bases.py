"""Settings of a tokenizer that follow from others: the split pattern of its base, the only data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nanosnake.config.base import find_path, wrong
from nanosnake.files import NanosnakeError
from nanosnake.tokenizer.conversion import header


def with_bases(tokenizers: Mapping[Any, Any], dataset: str | None) -> dict[Any, Any]:
    """Return the settings of every tokenizer, with the split pattern of its base.

    Args:
        dataset: the only data set, if there is only one.

    Raises:
        PydanticCustomError: if a base cannot be used, or has another pattern than the one named.
    """
    found = {}
    for name, settings in tokenizers.items():
        if isinstance(settings, Mapping) and "path" in settings and dataset is not None:
            settings = {"dataset": dataset, **settings}
        if isinstance(settings, Mapping) and isinstance(settings.get("base"), str):
            pattern = _pattern(name, tokenizers, (name,))
            if settings.get("pattern", pattern) != pattern and not settings["base"].endswith(".tiktoken"):
                raise wrong(
                    f"{name}.pattern",
                    settings["pattern"],
                    f"the base has the pattern {pattern!r}; leave out the key",
                )
            settings = {**settings, "pattern": pattern}
        found[name] = settings
    return found


def _pattern(name: Any, tokenizers: Mapping[Any, Any], seen: tuple[Any, ...]) -> Any:
    """Return the split pattern of a tokenizer, which is that of its base if it has one."""
    settings = tokenizers[name]
    base = settings.get("base")
    if base in seen:
        raise wrong(f"{seen[0]}.base", base, f"goes round in a circle: {' -> '.join([*seen, base])}")
    if isinstance(base, str) and isinstance(tokenizers.get(base), Mapping):
        return _pattern(base, tokenizers, (*seen, base))
    source = base if isinstance(base, str) else settings.get("path")
    if not isinstance(source, str):
        return settings.get("pattern", "nanochat")
    given = settings.get("pattern") if source.endswith(".tiktoken") else None
    try:
        return header(find_path(source), given).pattern
    except NanosnakeError as error:
        key = "path" if base is None else "base"
        raise wrong(
            f"{name}.{key}", source, f"{error}; tokenizers here: {', '.join(map(str, tokenizers))}"
        ) from error
