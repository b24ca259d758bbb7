"""A mean over tasks is called CORE where it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from nanosnake.evaluation import tasks
from nanosnake.evaluation.items import Task
from nanosnake.evaluation.tasks import CORE, evaluate_tasks

RANKS: Any = SimpleNamespace(rank=0, world=1, device="cpu", sum=lambda value: value)


def evaluated(monkeypatch: pytest.MonkeyPatch, names: list[str], max_items: int = 0) -> dict[str, Any]:
    monkeypatch.setattr(tasks, "answer", lambda model, vocabulary, task, number, context: number == 0)
    made = [Task(name, "multiple_choice", 0, " ", 0.25, [{}, {}]) for name in names]
    model: Any = None
    return evaluate_tasks(model, model, made, RANKS, max_items=max_items)


def test_any_tasks_have_a_mean_without_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = evaluated(monkeypatch, ["word_order"])
    assert found["mean_centred"] == pytest.approx((0.5 - 0.25) / 0.75)
    assert "core" not in found
    assert "core" not in evaluated(monkeypatch, [*CORE, "word_order"])


def test_the_22_tasks_have_it_unless_items_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found = evaluated(monkeypatch, sorted(CORE))
    assert len(found["tasks"]) == 22
    assert found["core"] == found["mean_centred"] == pytest.approx(1 / 3)
    assert "core" not in evaluated(monkeypatch, sorted(CORE), max_items=1)


def test_clean_items_get_scores_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "answer", lambda model, vocabulary, task, number, context: number == 0)
    model: Any = None
    made = [Task(name, "multiple_choice", 0, " ", 0.5, [{}] * 4) for name in ("seen", "clean", "all_seen")]
    overlapping = {"seen": [0, 3], "all_seen": [0, 1, 2, 3]}
    rows = evaluate_tasks(model, model, made, RANKS, overlapping=overlapping)["tasks"]
    assert [row["accuracy"] for row in rows] == [0.25] * 3
    assert [(row["clean_items"], row.get("clean_accuracy")) for row in rows] == [(2, 0), (4, 0.25), (0, None)]
    assert rows[0]["clean_centred"] == -1
