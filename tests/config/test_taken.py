"""Tokenizers that were made elsewhere, bases and seeds, as the configuration names them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nanosnake.config import Config, Taken, load
from nanosnake.files import NanosnakeError

DATASETS = {"demo": {"source": {"kind": "embedded", "shards": 2}, "train": [0], "validation": [1]}}


def config(tokenizers: dict[str, Any], datasets: dict[str, Any] = DATASETS) -> Config:
    return load({"datasets": datasets, "tokenizers": tokenizers})


def write_tokenizer(folder: Path, **content: Any) -> Path:
    path = folder / "tokenizer.json"
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "<s>": 2}, "merges": []}
    level = {"type": "ByteLevel", "add_prefix_space": False}
    special = [{"id": 2, "content": "<s>", "special": True}]
    path.write_text(json.dumps({"model": model, "pre_tokenizer": level, "added_tokens": special, **content}))
    return path


def test_a_file_says_what_it_is(tmp_path: Path) -> None:
    found = config({"llama": {"path": str(write_tokenizer(tmp_path))}, "gpt4": {"path": "cl100k_base"}})
    llama, gpt4 = found.tokenizers["llama"], found.tokenizers["gpt4"]
    assert isinstance(llama, Taken)
    assert (llama.dataset, llama.pattern, llama.special_tokens) == ("demo", "gpt2", ["<s>"])
    assert llama.vocab_size == 3
    assert (gpt4.num_merges, gpt4.vocab_size, gpt4.special_tokens[0]) == (100_000, 100_261, "<|endoftext|>")
    assert found.trained_as("llama") == "llama"


def test_a_base_lends_its_pattern_whatever_it_is() -> None:
    found = config(
        {
            "bpe": {"dataset": "demo", "vocab_size": [512, 1024], "pattern": "gpt4"},
            "longer": {"dataset": "demo", "vocab_size": 2048, "base": "bpe-512"},
            "longest": {"dataset": "demo", "vocab_size": [4096, 8192], "base": "longer", "seeds": ["\n\n"]},
            "mine": {"dataset": "demo", "vocab_size": 60000, "base": "gpt2", "pattern": "gpt2"},
        }
    )
    patterns = {name: tokenizer.pattern for name, tokenizer in found.tokenizers.items()}
    assert set(patterns.values()) == {"gpt4", "gpt2"}
    assert patterns["mine"] == "gpt2"
    assert found.trained_as("longest-4096") == "longest-8192", "a sweep with a base is trained once"


@pytest.mark.parametrize(
    ("tokenizers", "message"),
    [
        ({"x": {"path": "nothing.json"}}, r"tokenizers\.x\.path: nothing\.json does not exist; name a"),
        (
            {"x": {"path": "gpt2", "special_tokens": ["<a>"]}},
            r"tokenizers\.x\.special_tokens: the file contains it",
        ),
        ({"x": {"path": "gpt2", "vocab_size": 5}}, r"tokenizers\.x\.vocab_size: the file contains it"),
        ({"x": {"path": "gpt2", "pattern": "gpt4"}}, r"tokenizers\.x\.path: gpt2 has its own split pattern"),
        ({"x": {"path": "gpt2", "bos": "<s>"}}, r"tokenizers\.x\.bos: is not among special_tokens"),
        ({"x": {"path": "gpt2", "seeds": ["a"]}}, r"tokenizers\.x\.seeds: unknown key"),
        ({"x": {"path": 5}}, r"tokenizers\.x\.path: .*string; got 5"),
        (
            {"x": {"dataset": "demo", "vocab_size": 999, "base": "bpe"}},
            r"tokenizers\.x\.base: bpe does not exist; .*; tokenizers here: x",
        ),
        (
            {"x": {"dataset": "demo", "vocab_size": 999, "base": "gpt2", "pattern": "gpt4"}},
            r"tokenizers\.x\.pattern: the base has the pattern 'gpt2'; leave out the key; got 'gpt4'",
        ),
        (
            {
                "x": {"dataset": "demo", "vocab_size": 999, "base": "y"},
                "y": {"dataset": "demo", "vocab_size": 999, "base": "x"},
            },
            r"tokenizers\.x\.base: goes round in a circle: x -> y -> x",
        ),
        (
            {"x": {"dataset": "demo", "vocab_size": 999, "seeds": ["two words"]}},
            r"tokenizers\.x\.seeds: the split pattern makes \['two', ' words'\] of 'two words'",
        ),
        (
            {"x": {"dataset": "demo", "vocab_size": 999, "seeds": ["a", "a"]}},
            r"tokenizers\.x\.seeds: 'a' is named twice",
        ),
    ],
)
def test_what_cannot_be_is_one_line(tokenizers: dict[str, Any], message: str) -> None:
    with pytest.raises(NanosnakeError, match=message) as raised:
        config(tokenizers)
    assert "mistake" in str(raised.value)


def test_what_cannot_be_converted_is_refused_before_anything_runs(tmp_path: Path) -> None:
    path = write_tokenizer(tmp_path, normalizer={"type": "NFC"})
    with pytest.raises(
        NanosnakeError, match=r"tokenizers\.x\.path: .*cannot be converted exactly: it changes"
    ):
        config({"x": {"path": str(path)}})
    with pytest.raises(
        NanosnakeError, match=r"tokenizers\.x\.base: .*cannot be converted exactly: it changes"
    ):
        config({"x": {"dataset": "demo", "vocab_size": 999, "base": str(path)}})


def test_of_several_data_sets_one_has_to_be_named() -> None:
    with pytest.raises(
        NanosnakeError, match=r"tokenizers\.x\.dataset: no dataset is named ''; defined: demo, more"
    ):
        config({"x": {"path": "gpt2"}}, {**DATASETS, "more": DATASETS["demo"]})
