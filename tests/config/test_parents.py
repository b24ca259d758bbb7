"""Models that begin with others, and data sets of conversations: what they inherit, and which mistakes are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nanosnake import config as configuration
from nanosnake.files import NanosnakeError

Raw = dict[str, Any]


@pytest.fixture
def raw(tmp_path: Path) -> Raw:
    talks = tmp_path / "talks.jsonl"
    talks.write_text(
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n' * 2
    )
    embedded = {"kind": "embedded", "shards": 2}
    return {
        "datasets": {
            "demo": {"source": embedded, "train": 0, "validation": 1},
            "talks": {
                "source": {"kind": "files", "path": str(talks), "shards": 2},
                "content": "conversations",
                "train": 0,
                "validation": 1,
            },
        },
        "tokenizers": {"bpe": {"dataset": "demo", "vocab_size": 512, "pattern": "nanochat"}},
        "models": {
            "chat": {"from": "mid", "dataset": "talks", "options": {"epochs": 1.0}},
            "mid": {"from": "base", "options": {"steps": 5, "warmdown": 1.0}},
            "base": {"tokenizer": "bpe", "depth": 2, "head_dim": 32, "dataset": "demo"},
        },
    }


def test_a_model_has_the_tokenizer_and_the_shape_of_the_one_that_it_begins_with(raw: Raw) -> None:
    found = configuration.load(raw)
    for name in ("chat", "mid"):
        assert found.models[name].shape == found.models["base"].shape
        assert found.models[name].tokenizer == "bpe"
    assert [found.dataset_of(name) for name in ("chat", "mid", "base")] == ["talks", "demo", "demo"]
    assert found.models["mid"].options.seed == 1, "options are the model's own"


def test_the_defaults_of_a_shape_may_be_written_too(raw: Raw) -> None:
    raw["models"]["mid"].update(sequence_length=2048, architecture="nanosnake", depth=2)
    assert configuration.load(raw).models["mid"].shape == configuration.load(raw).models["base"].shape


def test_a_model_that_others_begin_with_may_be_one_of_a_ladder(raw: Raw) -> None:
    raw["models"]["base"].update(keep=[3], contamination={"mode": "off"}, options={"steps": 5})
    raw["models"]["mid"]["from"] = "base@3"
    raw["ladders"] = {
        "lad": {
            "tokenizer": "bpe",
            "dataset": "demo",
            "depths": [2, 4],
            "seeds": [1],
            "options": {"steps": 5, "head_dim": 32},
        }
    }
    found = configuration.load(raw)
    assert found.members["lad"] == ["base", "lad-d4-s1"]
    assert set(found.models) == {"base", "mid", "chat", "lad-d4-s1"}


def model(name: str, **values: object) -> Callable[[Raw], None]:
    return lambda raw: raw["models"][name].update(values)


def talks(**values: object) -> Callable[[Raw], None]:
    return lambda raw: raw["datasets"]["talks"].update(values)


def source(**values: object) -> Callable[[Raw], None]:
    return lambda raw: raw["datasets"]["talks"]["source"].update(values)


def tokenizer(**values: object) -> Callable[[Raw], None]:
    return lambda raw: raw["tokenizers"]["bpe"].update(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            model("chat", **{"from": "bass"}),
            "models.chat.from: no model is named 'bass'; defined: base, chat, mid (did",
        ),
        (
            model("chat", **{"from": "lad-d2-s1"}),
            "defined: base, chat, mid; write a ladder's model in models too: by its name and with its settings, it is trained once",
        ),
        (model("base", **{"from": "chat"}), "goes round in a circle: chat -> mid -> base -> chat"),
        (model("mid", depth=3), "models.mid.depth: base has 2, and its weights fit nothing else; got 3"),
        (model("mid", sequence_length=64), "models.mid.sequence_length: base has 2048"),
        (model("mid", tokenizer="other"), "models.mid.tokenizer: base has 'bpe'"),
        (model("chat", **{"from": 3}), "models.chat.from"),
        (
            model("chat", **{"from": "mid@3"}),
            "models.chat.from: mid does not keep step 3; name it in its keep; got 'mid@3'",
        ),
        (model("chat", **{"from": "mid@last"}), "models.chat.from: write NAME, or NAME@STEP with a number"),
        (model("mid", keep=[0]), "models.mid.keep"),
        (
            model("mid", keep=[3, 6]),
            "models.mid.keep: the training has 5 steps; name none after them; got [3, 6]",
        ),
        (
            lambda raw: (model("mid", keep=3)(raw), model("chat", **{"from": "mid@3"})(raw))[0],
            "models.chat.from: mid does not keep step 3",
        ),
        (
            lambda raw: (
                raw["datasets"].update(
                    mix={"source": {"kind": "mixture", "parts": {"demo": 1, "talks": 1}}},
                ),
                model("chat", dataset="mix")(raw),
            )[0],
            "models.chat.options.epochs: is 1.0, but mix is a mixture, whose plan says how often",
        ),
        (
            model("base", architecture="llama", exports=["gguf"]),
            "models.base.exports: llama.cpp knows few split patterns, and not this tokenizer's",
        ),
        (model("chat", parent="mid"), "models.chat.parent: unknown key"),
        (tokenizer(dataset="talks"), "tokenizers.bpe.dataset: talks has conversations"),
        (tokenizer(special_tokens=["<|bos|>"]), "need the special token <|user_start|>, which bpe lacks"),
        (talks(content="talks"), "datasets.talks.content"),
        (talks(content="text"), "datasets.talks.text_column"),
        (talks(max_tokens=3), "datasets.talks.max_tokens"),
        (talks(text_column="talk"), "no key 'talk'; its keys are 'messages'"),
        (
            source(format="csv"),
            "conversations are lists of messages in JSON Lines, Arrow or parquet; got 'csv'",
        ),
        (source(template="{role}"), "datasets.talks.source.template"),
        (
            lambda raw: raw["datasets"]["demo"].update(max_tokens=100),
            "datasets.demo.max_tokens: is for conversations; leave it out; got 100",
        ),
        (
            lambda raw: raw["datasets"]["demo"]["source"].update(corpus="chatterbot"),
            "datasets.demo.content: set conversations for corpus chatterbot, and for no other",
        ),
        (
            lambda raw: raw["datasets"]["talks"]["source"].update(kind="local"),
            "datasets.talks.source.shards: unknown key",
        ),
    ],
)
def test_a_mistake_is_named_with_its_key(raw: Raw, change: Callable[[Raw], None], message: str) -> None:
    change(raw)
    with pytest.raises(NanosnakeError) as raised:
        configuration.load(raw)
    assert message in str(raised.value)
