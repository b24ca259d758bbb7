"""Task files and their items, read without PyTorch; tasks.py says what they hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake.files import NanosnakeError, read_json

KINDS = {
    "multiple_choice": ("query", "choices", "gold"),
    "schema": ("context_options", "continuation", "gold"),
    "language_modeling": ("context", "continuation"),
}


@dataclass(frozen=True)
class Task:
    """One task file."""

    name: str
    kind: str
    few_shot: int
    """Solved items, drawn from the others, that precede each item."""
    delimiter: str
    """Between the question and its answer."""
    chance: float
    """Accuracy of guessing."""
    items: list[dict[str, Any]]


def load_tasks(folder: str | Path) -> list[Task]:
    """Read all task files of a folder, sorted by name."""
    tasks = [load_task(path) for path in sorted(Path(folder).glob("*.json"))]
    if not tasks:
        raise NanosnakeError(f"{folder}: no task file (NAME.json) in this folder; docs/training.md shows one")
    return tasks


def load_task(path: Path) -> Task:
    """Read a task file."""
    said = read_json(path)
    kind = said.get("kind")
    if kind not in KINDS:
        raise NanosnakeError(f"{path}: kind is {kind!r}; use {', '.join(KINDS)}")
    items = said.get("items")
    if items is None:
        lines = (path.parent / said["data"]).read_text(encoding="utf-8").splitlines()
        items = [json.loads(line) for line in lines if line.strip()]
    task = Task(
        path.stem,
        kind,
        int(said.get("few_shot", 0)),
        said.get("delimiter", " "),
        float(said.get("chance", 0)),
        items,
    )
    for number, item in enumerate(items):
        if missing := [key for key in KINDS[kind] if key not in item]:
            raise NanosnakeError(f"{path}: item {number} has no {missing[0]!r}; {kind} needs {KINDS[kind]}")
    if len(items) <= task.few_shot:
        raise NanosnakeError(
            f"{path}: {len(items)} items are too few for {task.few_shot} solved ones before each"
        )
    return task


def prompts(task: Task, item: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (context, continuation) for each answer to compare."""
    if task.kind == "multiple_choice":
        return [(item["query"], choice) for choice in item["choices"]]
    if task.kind == "schema":
        return [(context, item["continuation"]) for context in item["context_options"]]
    return [(item["context"].strip(), item["continuation"])]


def data_file(path: Path) -> Path | None:
    """Return the file that a task's items are in, where they are not in its own."""
    name = read_json(path).get("data")
    return path.parent / name if name else None
