"""Ladders make models, and a comparison names two of them."""

from __future__ import annotations

from typing import Any

import pytest

from nanosnake.config import Config, load
from nanosnake.files import NanosnakeError

SOURCE = {"kind": "embedded", "shards": 5}
CONFIG: dict[str, Any] = {
    "datasets": {
        "demo": {"source": SOURCE, "train": "0-2", "validation": [4]},
        "more": {"source": SOURCE, "train": "0-3", "validation": [4]},
        "other": {"source": SOURCE, "train": "0-2", "validation": [3]},
    },
    "tokenizers": {
        "small": {"dataset": "demo", "vocab_size": 1024},
        "large": {"dataset": "demo", "vocab_size": 2048},
    },
}
BASE = {"tokenizer": "small", "depths": [1, 2], "seeds": [1, 2], "options": {"steps": 3, "aspect_ratio": 32}}
WIDE = {"like": "base", "options": {"aspect_ratio": 48}}


def config(ladders: dict[str, Any], **others: Any) -> Config:
    return load({**CONFIG, "ladders": ladders, **others})


def refusal(ladders: dict[str, Any], **others: Any) -> str:
    with pytest.raises(NanosnakeError) as caught:
        config(ladders, **others)
    return str(caught.value)


def test_a_ladder_makes_a_model_for_each_depth_and_seed() -> None:
    found = config(
        {"base": BASE, "wide": WIDE, "tokens": {"like": "wide", "tokenizer": "large", "depths": [2]}}
    )
    assert found.members["base"] == ["base-d1-s1", "base-d1-s2", "base-d2-s1", "base-d2-s2"]
    assert found.members["tokens"] == ["tokens-d2-s1", "tokens-d2-s2"]
    one = found.models["tokens-d2-s2"]
    assert (one.tokenizer, one.shape.depth, one.shape.aspect_ratio) == ("large", 2, 48)
    assert (one.options.steps, one.options.seed, one.options.order_seed) == (3, 2, -1)


def test_a_model_of_a_ladder_may_be_written_in_models_too() -> None:
    written = {"tokenizer": "small", "depth": 2, "aspect_ratio": 32, "options": {"steps": 3, "seed": 1}}
    models = {"base-d2-s1": written, "next": {"from": "base-d2-s1", "options": {"steps": 3}}}
    found = config({"base": BASE}, models=models)
    assert found.members["base"] == ["base-d1-s1", "base-d1-s2", "base-d2-s1", "base-d2-s2"]
    assert len(found.models) == 5


def test_orders_have_seeds_of_their_own() -> None:
    found = config({"base": {**BASE, "depths": [1], "order_seeds": [7, 8]}})
    assert found.members["base"] == ["base-d1-s1-o7", "base-d1-s1-o8", "base-d1-s2-o7", "base-d1-s2-o8"]
    assert found.models["base-d1-s2-o7"].options.order_seed == 7


def test_a_model_that_exists_is_not_made_twice() -> None:
    known = {"tokenizer": "small", "depth": 2, "aspect_ratio": 32, "options": {"steps": 3, "seed": 1}}
    again = {"like": "base", "depths": [2, 3]}
    found = config({"base": BASE, "again": again}, models={"d2": {**known, "tasks": "resources/tasks"}})
    assert found.members["base"] == ["base-d1-s1", "base-d1-s2", "d2", "base-d2-s2"]
    assert found.members["again"] == ["d2", "base-d2-s2", "again-d3-s1", "again-d3-s2"]
    assert len(found.models) == 6


@pytest.mark.parametrize(
    ("ladders", "message"),
    [
        ({"wide": WIDE}, "ladders.wide.like: no ladder above it has this name; above it: none"),
        (
            {"wide": WIDE, "base": BASE},
            "ladders.wide.like: the ladder of this name is below this one; move it above",
        ),
        (
            {"base": {**BASE, "like": "wide"}, "wide": WIDE},
            "ladders.base.like: the ladder of this name is below this one; move it above, or leave `like` out",
        ),
        (
            {"base": BASE, "wide": {"like": "wide"}},
            "ladders.wide.like: is the ladder itself; name another one, above it; got 'wide'",
        ),
        ({"base": BASE, "wide": {"like": "bse"}}, "(did you mean 'base'?); above it: base; got 'bse'"),
        ({"base": {"depths": [1], "seeds": [1]}}, "ladders.base.tokenizer: this key is required and absent"),
        ({"base": {**BASE, "tokenizer": "smal"}}, "ladders.base.tokenizer: no tokenizer is named 'smal'"),
        ({"base": {**BASE, "dataset": "x"}}, "ladders.base.dataset: no dataset is named 'x'"),
        ({"base": {**BASE, "tasks": "nowhere"}}, "nowhere does not exist; got 'nowhere'"),
        ({"base": {**BASE, "seeds": [1, 1]}}, "ladders.base.seeds: names a value twice; got [1, 1]"),
        (
            {"base": {**BASE, "options": {"seed": 3}}},
            "ladders.base.options.seed: a ladder has a list for it: `seeds`, beside `options`; got 3",
        ),
        (
            {"base": {**BASE, "options": {"architecture": "llama", "window_pattern": "S"}}},
            "ladders.base.options.window_pattern: a llama has no windows; leave it out; got 'S'",
        ),
    ],
)
def test_a_wrong_ladder_is_refused(ladders: dict[str, Any], message: str) -> None:
    said = refusal(ladders)
    assert message in said
    assert "a mistake; nothing was run" in said, "it is said once"


def test_a_name_that_is_taken_is_refused() -> None:
    taken = {"base-d1-s1": {"tokenizer": "small", "depth": 3}}
    assert "makes a model of this name, and there is another one; got 'base-d1-s1'" in refusal(
        {"base": BASE}, models=taken
    )


@pytest.mark.parametrize(
    ("comparison", "message"),
    [
        (
            {"of": ["wide", "bas"]},
            "comparisons.c.of: no ladder is named 'bas'; defined: base, deep, elsewhere, few, same, wide",
        ),
        ({"of": ["base", "base"]}, "comparisons.c.of: compares 'base' with itself"),
        ({"of": ["base"]}, "comparisons.c.of: list should have at least 2 items"),
        (
            {"of": ["wide", "base"], "threshold": 0.5},
            "comparisons.c.threshold: write a percentage, such as 0.5%",
        ),
        ({"of": ["wide", "base"], "at": "depht"}, "comparisons.c.at: input should be 'compute' or 'depth'"),
        ({"of": ["base", "deep"]}, "comparisons.c.at: the curve of 'deep' needs two depths or more"),
        ({"of": ["base", "deep"], "at": "depth"}, "comparisons.c.at: the ladders have no depth in common"),
        (
            {"of": ["same", "base"]},
            "comparisons.c.of: compares models with themselves, because 'same' and 'base'",
        ),
        (
            {"of": ["base", "few"]},
            "comparisons.c.of: compares models with themselves, because 'base' and 'few'",
        ),
        ({"of": ["elsewhere", "base"]}, "comparisons.c.of: the two are evaluated on different text"),
    ],
)
def test_a_wrong_comparison_is_refused(comparison: dict[str, Any], message: str) -> None:
    ladders = {"base": BASE, "wide": WIDE, "deep": {"like": "base", "depths": [9]}}
    ladders |= {"same": {"like": "base"}, "few": {"like": "base", "depths": [1]}}
    ladders["elsewhere"] = {"like": "base", "dataset": "other"}
    assert message in refusal(ladders, comparisons={"c": {"threshold": "1%", **comparison}})


def test_data_can_be_compared_on_the_same_validation_text() -> None:
    ladders = {"base": BASE, "more": {"like": "base", "dataset": "more"}}
    found = config(ladders, comparisons={"c": {"of": ["more", "base"], "threshold": "0.25%"}})
    assert found.comparisons["c"].share == 0.0025
    assert found.dataset_of_ladder("more") == "more"


def test_names_of_both_kinds_of_comparison_differ() -> None:
    said = refusal(
        {"base": BASE, "wide": WIDE},
        comparisons={"c": {"of": ["wide", "base"], "threshold": "1%"}},
        tokenizer_comparisons={"c": {"tokenizers": ["small", "large"]}},
    )
    assert "comparisons.c: tokenizers are compared under this name; choose another one" in said
