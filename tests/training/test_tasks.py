"""A mean over tasks is called CORE where it is; clean items have scores of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nanosnake.evaluation.items import Answer, Task, load_task
from nanosnake.evaluation.tasks import CORE, task_scores
from nanosnake.files import write_json


def scored(names: list[str], items: int = 2, **options: Any) -> dict[str, Any]:
    """Return the scores of tasks of which the first item is answered rightly."""
    made = [Task(name, "multiple_choice", 0, " ", 0.25, [{}] * items) for name in names]
    given = [[Answer("b" if number else "a", "a", number == 0) for number in range(items)] for _ in names]
    return task_scores(made, given, **options)


def test_any_tasks_have_a_mean_without_that_name() -> None:
    found = scored(["word_order"])
    assert found["mean_centred"] == pytest.approx((0.5 - 0.25) / 0.75)
    assert "core" not in found


def test_the_22_tasks_have_it_unless_items_are_left_out() -> None:
    found = scored(sorted(CORE))
    assert len(found["tasks"]) == 22
    assert found["core"] == found["mean_centred"] == pytest.approx(1 / 3)
    assert "core" not in scored(sorted(CORE), whole=False)
    assert "core" not in scored(sorted(CORE)[1:])


def test_other_tasks_beside_them_do_not_change_it() -> None:
    made = [Task(name, "multiple_choice", 0, " ", 0.25, [{}]) for name in [*sorted(CORE), "word_order"]]
    given = [[Answer("a", "a", task.name in CORE)] for task in made]
    found = task_scores(made, given)
    assert found["core"] == 1
    assert found["mean_centred"] == pytest.approx((22 - 1 / 3) / 23)


def test_clean_items_get_scores_of_their_own() -> None:
    overlapping = {"seen": [0, 3], "all_seen": [0, 1, 2, 3]}
    rows = scored(["seen", "clean", "all_seen"], 4, overlapping=overlapping)["tasks"]
    assert [row["accuracy"] for row in rows] == [0.25] * 3
    assert [(row["clean_items"], row.get("clean_accuracy")) for row in rows] == [(2, 0), (4, 0.25), (0, None)]
    assert rows[0]["clean_centred"] == pytest.approx(-1 / 3)


def test_numbers_of_a_task_file_may_be_texts(tmp_path: Path) -> None:
    item = {"query": "a", "choices": ["b", "c"], "gold": 0}
    said = {"kind": "multiple_choice", "few_shot": "1", "chance": "0.5", "items": [item, item]}
    write_json(tmp_path / "t.json", said)
    task = load_task(tmp_path / "t.json")
    assert (task.few_shot, task.chance, task.max_tokens) == (1, 0.5, 256)
