"""When a finished model is the one that is asked for."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from nanosnake.training.recipe import DECISIVE, Recipe, in_few_words, older_code, sized


def recipe(**changes: Any) -> Recipe:
    known = Recipe(
        options={"depth": 4, "steps": 10, "matrix_lr": 0.02},
        given=frozenset({"depth", "steps"}),
        data={"train": (("a", "11"), ("b", "22")), "validation": (("v", "33"),)},
        code={"scripts/train_model.py": "1", "scripts/nanosnake/training/model.py": "2"},
    )
    return dataclasses.replace(known, **changes)


def options(**changes: Any) -> dict[str, Any]:
    return {**recipe().options, **changes}


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (recipe(), []),
        (recipe(options=options(steps=12)), ["steps from 10 to 12"]),
        (recipe(options=options(steps=0), given=frozenset({"depth"})), ["steps from 10 to 0"]),
        (recipe(options=options(matrix_lr=0.03)), []),  # another default
        (
            recipe(options=options(matrix_lr=0.03), given=frozenset({"matrix_lr"})),
            ["matrix_lr from 0.02 to 0.03"],
        ),
        (recipe(given=frozenset({"depth", "steps", "matrix_lr"})), []),  # a default, spelled out
        (recipe(options=options(new=1)), []),  # a new option at its default
        (recipe(options=options(new=1), given=frozenset({"new"})), ["new from nothing to 1"]),
        (recipe(options={"depth": 4, "matrix_lr": 0.02}), []),  # an option that went
    ],
)
def test_what_counts_as_other_options(now: Recipe, expected: list[str]) -> None:
    assert now.changed_options(recipe()) == expected
    assert now.is_made(recipe(), follow_code=False) == (not expected)


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ([2, 4], [4, 2], []),
        ([2, 4], [2], []),
        ([2], [], []),
        ([2], [2, 4], ["keep from [2] to [2, 4]"]),
        (None, [2], ["keep from None to [2]"]),
    ],
)
def test_a_model_that_kept_more_steps_is_kept(then: Any, now: list[int], expected: list[str]) -> None:
    before, after = (recipe(options=options(keep=steps), given=frozenset({"keep"})) for steps in (then, now))
    assert after.changed_options(before) == expected


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ({"window_pattern": "SSSL", "kv_share": 3, "order_seed": 7}, []),
        ({"window_pattern": "SL"}, ["window_pattern from SSSL to SL"]),
        ({"kv_share": 1}, ["kv_share from 3 to 1"]),
        ({"order_seed": 8}, ["order_seed from 7 to 8"]),
        ({"seed": 8}, ["seed from 7 to 8", "order_seed from 7 to 8"]),
    ],
)
def test_what_follows_from_other_options_may_be_spelled_out(
    spelled: dict[str, Any], expected: list[str]
) -> None:
    shape = {"depth": 12, "aspect_ratio": 64, "head_dim": 128, "kv_share": 0, "window_pattern": ""}
    then = recipe(options={**shape, "architecture": "nanosnake", "seed": 7, "order_seed": -1})
    now = dataclasses.replace(
        then, options={**then.options, **spelled}, given=frozenset({*spelled, "order_seed"})
    )
    assert now.changed_options(then) == expected
    assert then.changed_options(now) == [
        " ".join([name, "from", new, "to", old])
        for name, _, old, _, new in (words.split() for words in expected)
    ]
    assert (now.key == then.key) == (not expected)


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        ((("a", "11"), ("b", "22")), []),
        ((("x", "11"), ("y", "22")), []),  # other names of the same
        ((("a", "11"), ("b", "99")), ["train: b"]),
        ((("a", "11"),), ["train: b"]),
        ((("b", "22"), ("a", "11")), ["train: another order"]),
    ],
)
def test_what_counts_as_other_data(train: tuple[tuple[str, str], ...], expected: list[str]) -> None:
    now = recipe(data={**recipe().data, "train": train})
    assert now.changed_data(recipe()) == expected
    assert now.is_made(recipe(), follow_code=False) == (not expected)


def test_code_counts_only_where_it_is_followed(tmp_path: Path) -> None:
    now = recipe(code={"scripts/train_model.py": "9", "scripts/nanosnake/training/model.py": "2"})
    assert now.is_made(recipe(), follow_code=False)
    assert not now.is_made(recipe(), follow_code=True)
    assert now.key == recipe().key
    assert now.code_key != recipe().code_key
    (tmp_path / "training.json").write_text(json.dumps({"recipe": recipe().to_json()}))
    assert older_code(tmp_path, now.code) == "trained by older code (train_model.py)"
    assert older_code(tmp_path, recipe().code) is None


def test_a_recipe_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "training.json").write_text(json.dumps({"recipe": recipe().to_json()}, sort_keys=True))
    assert Recipe.of_result(tmp_path) == recipe()


@pytest.mark.parametrize("pairs", [[["r", "1"]], [["r", "1"], ["tokens", "320"]]])
def test_the_size_of_a_vocabulary_is_known_of_earlier_models_too(
    tmp_path: Path, pairs: list[list[str]]
) -> None:
    summary = {"recipe": {**recipe().to_json(), "data": {"vocabulary": pairs}}, "model": {"vocab_size": 320}}
    (tmp_path / "training.json").write_text(json.dumps(summary))
    then = Recipe.of_result(tmp_path)
    assert then is not None
    assert then.data["vocabulary"] == sized((("r", "1"),), 320)
    more = recipe(data={"vocabulary": sized((("r", "1"),), 321)})
    assert not more.is_made(then, follow_code=False)


@pytest.mark.parametrize("text", ["", "{}", '{"recipe": 1}', '{"recipe": {"options": {}}}', "[]"])
def test_a_model_that_keeps_no_recipe_has_none(tmp_path: Path, text: str) -> None:
    assert Recipe.of_result(tmp_path) is None
    (tmp_path / "training.json").write_text(text)
    assert Recipe.of_result(tmp_path) is None


def test_log_lines_and_checkpoints_decide_nothing() -> None:
    assert not {"log_every", "checkpoint_every", "checkpoint_keep"} & set(DECISIVE)
    assert {"depth", "kv_share", "steps", "seed"} <= set(DECISIVE)


def test_many_names_are_said_in_few_words() -> None:
    assert in_few_words(["a", "b"]) == "a, b"
    assert in_few_words("abcde") == "a, b, c and 2 more"
