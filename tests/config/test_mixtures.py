"""A mixture names data sets and shares; what cannot be mixed is refused with its key."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from nanosnake.config import Config
from nanosnake.config import load as load_config
from nanosnake.files import NanosnakeError

PLAIN = {"source": {"kind": "embedded"}, "train": "0-3", "validation": 4}
RAW: dict[str, Any] = {
    "datasets": {
        "web": PLAIN,
        "french": {**PLAIN, "source": {"kind": "embedded", "language": "fr"}},
        "mix": {"source": {"kind": "mixture", "parts": {"web": 6, "french": 3.5}}},
    },
    "tokenizers": {"t": {"dataset": "mix", "vocab_size": 300}},
}


def load(changes: dict[str, Any]) -> Config:
    """Load the configuration with values at dotted keys."""
    raw = deepcopy(RAW)
    for key, value in changes.items():
        *path, last = key.split(".")
        section = raw
        for step in path:
            section = section.setdefault(step, {})
        section[last] = value
    return load_config(raw)


def test_a_mixture_has_no_shards_of_its_own() -> None:
    config = load({})
    assert config.parts("mix") == ["web", "french"]
    assert config.parts("web") == ["web"]
    assert config.datasets["mix"].train_shards == config.datasets["mix"].validation_shards == []
    assert config.sources == {"web": ["web"], "french": ["french"]}


def test_a_list_takes_a_temperature() -> None:
    config = load({"datasets.mix.source": {"kind": "mixture", "parts": ["web"], "temperature": 0.3}})
    mixture = config.mixture("mix")
    assert mixture is not None
    assert (mixture.part_names, mixture.shares, mixture.temperature) == (["web"], [], 0.3)


SOURCE = "datasets.mix.source"
BAD = [
    ({f"{SOURCE}.parts": {}}, [f"{SOURCE}.parts: write a share for each data set", "got {} (dict)"]),
    ({f"{SOURCE}.parts": "web"}, [f"{SOURCE}.parts: write a share for each data set"]),
    ({f"{SOURCE}.parts": {"web": 0}}, [f"{SOURCE}.parts: the share of web is 0; write a number above 0"]),
    ({f"{SOURCE}.parts": {"web": True}}, ["the share of web is True"]),
    ({f"{SOURCE}.parts": {1: 1}}, [f"{SOURCE}.parts: 1 is not the name of a data set"]),
    ({f"{SOURCE}.parts": ["web", "web"], f"{SOURCE}.temperature": 1}, ["'web' is named twice"]),
    (
        {f"{SOURCE}.parts": ["web"]},
        [f"{SOURCE}.temperature: parts is a list of names", "write a share for each"],
    ),
    ({f"{SOURCE}.temperature": 0.3}, [f"{SOURCE}.temperature: makes the shares; write parts as a list"]),
    ({f"{SOURCE}.parts": {"wep": 1}}, [f"{SOURCE}.parts: no dataset is named 'wep'", "did you mean 'web'?"]),
    (
        {"datasets.more": {"source": {"kind": "mixture", "parts": {"mix": 1}}}},
        ["datasets.more.source.parts: mix is a mixture itself; name its parts here"],
    ),
    (
        {"datasets.mix.train": 0},
        ["datasets.mix.train: a mixture has that of its parts; leave the key out; got 0"],
    ),
    ({"datasets.mix.text_column": "body"}, ["datasets.mix.text_column: a mixture has that of its parts"]),
    (
        {"datasets.late": {**PLAIN, "train": 4, "validation": 3}, f"{SOURCE}.parts": {"web": 1, "late": 1}},
        [f"{SOURCE}.parts: late trains on shard_00004, which web validates on"],
    ),
    (
        {"tokenizers.t.max_chars": 100},
        ["tokenizers.t.max_chars: mix is a mixture", "leave the key out", "got 100"],
    ),
    ({"tokenizers.t.shards": "0-1"}, ["tokenizers.t.shards: mix is a mixture"]),
    ({"tokenizers.t.text_column": "body"}, ["tokenizers.t.text_column: mix is a mixture"]),
]


@pytest.mark.parametrize(("changes", "said"), BAD)
def test_what_cannot_be_mixed_is_refused(changes: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(NanosnakeError) as caught:
        load(changes)
    message = str(caught.value)
    assert "a mistake; nothing was run" in message or "2 mistakes" in message, message
    for words in said:
        assert words in message


def test_a_data_set_that_is_no_mixture_names_its_shards() -> None:
    raw = deepcopy(RAW)
    del raw["datasets"]["web"]["validation"]
    with pytest.raises(NanosnakeError, match=r"datasets\.web\.validation: this key is required and absent"):
        load_config(raw)
