"""Lists of vocabulary sizes and patterns make a tokenizer for each combination."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nanosnake.config import Config, load
from nanosnake.files import NanosnakeError

DATASETS = {"demo": {"source": {"kind": "embedded", "shards": 2}, "train": [0], "validation": [1]}}


def config(tokenizers: dict[str, Any]) -> Config:
    return load({"datasets": DATASETS, "tokenizers": tokenizers})


def test_each_combination_is_named_after_what_differs() -> None:
    found = config(
        {"bpe": {"dataset": "demo", "vocab_size": [512, 1024], "pattern": ["gpt2", r"\w+"], "min_count": 2}}
    )
    assert list(found.tokenizers) == [
        *("bpe-gpt2-512", "bpe-gpt2-1024"),
        *("bpe-regex-87af34eb-512", "bpe-regex-87af34eb-1024"),
    ]
    one = found.tokenizers["bpe-gpt2-1024"]
    assert (one.vocab_size, one.pattern, one.min_count, one.sweep) == (1024, "gpt2", 2, "bpe")
    assert found.sweeps == {"bpe": list(found.tokenizers)}


def test_the_largest_of_a_pattern_is_trained() -> None:
    found = config(
        {
            "bpe": {"dataset": "demo", "vocab_size": [512, 2048, 1024], "pattern": ["gpt2", "nanochat"]},
            "alone": {"dataset": "demo", "vocab_size": 4096, "pattern": "gpt2"},
            "longer": {"dataset": "demo", "vocab_size": [4100, 5000], "base": "alone", "seeds": [" word"]},
        }
    )
    assert found.trained_as("bpe-gpt2-512") == "bpe-gpt2-2048"
    assert found.trained_as("bpe-nanochat-2048") == "bpe-nanochat-2048"
    assert found.trained_as("alone") == "alone"
    assert found.trained_as("longer-4100") == "longer-5000"
    assert found.tokenizers["alone"].sweep is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda bpe: bpe.update(vocab_size=[]),
            r"tokenizers\.bpe\.vocab_size: a list names at least one value",
        ),
        (
            lambda bpe: bpe.update(vocab_size=[512, 512]),
            r"tokenizers\.bpe\.vocab_size: a list names at least one",
        ),
        (lambda bpe: bpe.update(vocab_size=[512, 100]), r"tokenizers\.bpe-100\.vocab_size: 256 bytes and"),
        (lambda bpe: bpe.update(vocab_size=["many"]), r"tokenizers\.bpe-many\.vocab_size: "),
        (lambda bpe: bpe.update(sweep="x"), r"tokenizers\.bpe\.sweep: is set by lists"),
    ],
)
def test_a_wrong_list_is_named(change: Callable[[dict[str, Any]], None], message: str) -> None:
    bpe: dict[str, Any] = {"dataset": "demo", "vocab_size": [512]}
    change(bpe)
    with pytest.raises(NanosnakeError, match=message):
        config({"bpe": bpe})


def test_a_name_that_a_sweep_makes_too_is_refused() -> None:
    taken = {"dataset": "demo", "vocab_size": 600}
    sweep = {"dataset": "demo", "vocab_size": [512, 1024]}
    for tokenizers in ({"bpe-512": taken, "bpe": sweep}, {"bpe": sweep, "bpe-512": taken}):
        with pytest.raises(
            NanosnakeError, match=r"tokenizers\.bpe-512: the sweep 'bpe' makes a tokenizer of this name"
        ):
            config(tokenizers)
