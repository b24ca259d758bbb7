"""Mistakes in a mixture that show only together with its parts or with a tokenizer that learns from it."""

from __future__ import annotations

from collections.abc import Iterator

from nanosnake.config.base import unknown
from nanosnake.config.models import Config


def mixture_problems(config: Config) -> Iterator[str]:
    """Find parts that do not exist, are mixtures themselves, or are trained on what another validates on."""
    for name in config.datasets:
        mixture = config.mixture(name)
        if mixture is None:
            continue
        key = f"datasets.{name}.source.parts"
        plain = [other for other in config.datasets if config.mixture(other) is None]
        for part in mixture.part_names:
            if part not in config.datasets:
                yield f"{key}: {unknown('dataset', part, plain)}"
            elif part not in plain:
                yield f"{key}: {part} is a mixture itself; name its parts here, each with its share of this mixture"
        if set(mixture.part_names) <= set(plain):
            yield from _leaks(config, name, key)
    for name, tokenizer in config.tokenizers.items():
        if tokenizer.dataset in config.datasets and config.mixture(tokenizer.dataset):
            for key in ("shards", "max_chars", "text_column"):
                if (value := getattr(tokenizer, key)) is not None:
                    yield (
                        f"tokenizers.{name}.{key}: {tokenizer.dataset} is a mixture, all of whose parts are counted; "
                        f"leave the key out, or define parts with fewer shards or another text_column; got {value!r}"
                    )


def _leaks(config: Config, name: str, key: str) -> Iterator[str]:
    """Find a shard that one part trains on and another validates on."""
    trained = {
        (config.source_of(part), shard): part
        for part in config.parts(name)
        for shard in config.datasets[part].train_shards
    }
    for part in config.parts(name):
        for shard in config.datasets[part].validation_shards:
            if other := trained.get((config.source_of(part), shard)):
                yield (
                    f"{key}: {other} trains on {shard}, which {part} validates on; remove it from one, or every "
                    "figure on validation text is too good"
                )
                break
