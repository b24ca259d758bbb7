"""What a model answered to each item of its tasks: `answers.parquet`, next to `evaluation.json`.

A row for each item, in the order of the tasks: `task`, `item` (SHA-256 of the item as JSON with sorted keys), `asked` (the
question, without solved items), `expected`, `given` (what was written, or the choice that was taken), `right`, and
`nats`, the mean nats per token of each choice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nanosnake import layout
from nanosnake.evaluation.evidence import (
    EVALUATION,
    TOLERANCE,
    Difference,
    hash_problem,
    read_table,
    resampled,
    write_table,
)
from nanosnake.evaluation.items import Answer, Task, item_hash, right
from nanosnake.files import read_json

FILE = Path(layout.ANSWERS).name
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("task", "item", "asked", "expected", "given")),
        ("right", pa.bool_()),
        ("nats", pa.list_(pa.float64())),
    ]
)


def write(path: Path, tasks: Sequence[Task], answers: Sequence[Sequence[Answer]]) -> dict[str, Any]:
    """Write the answers to tasks; return how many there are, how many are right, and the file's hash."""
    rows = [
        {
            "task": task.name,
            "item": item_hash(item),
            "asked": right(task, item)[0],
            **vars(answer),
        }
        for task, given in zip(tasks, answers, strict=True)
        for item, answer in zip(task.items, given, strict=True)
    ]
    count = sum(bool(row["right"]) for row in rows)
    return {**write_table(path, pa.Table.from_pylist(rows, SCHEMA)), "items": len(rows), "right": count}


def read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each task.

    Raises:
        NanosnakeError: if the file is not one of ours.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for row in read_table(path, SCHEMA).to_pylist():
        found.setdefault(row["task"], []).append(row)
    return found


def problems(folder: Path) -> Iterator[str]:
    """Count the right answers of a model again, and yield a line for each task that `evaluation.json` has otherwise."""
    evaluation = read_json(folder / EVALUATION)
    said = {row["task"]: row["accuracy"] for row in evaluation.get("tasks", [])}
    found = {
        task: float(np.mean([row["right"] for row in rows])) for task, rows in read(folder / FILE).items()
    }
    for task in said.keys() | found.keys():
        if not math.isclose(said.get(task, math.nan), found.get(task, math.nan), rel_tol=TOLERANCE):
            yield f"{EVALUATION}: accuracy of {task} is {said.get(task)}, but {FILE} adds up to {found.get(task)}"
    yield from hash_problem(folder / FILE, evaluation.get("certificate", {}).get("answers", {}))


def differences(a: Path, b: Path) -> Iterator[tuple[str, Difference]]:
    """Yield the paired difference in accuracy, the second file's less the first's, of each task on the same items."""
    first, second = read(a), read(b)
    for task in first:
        pair = [sorted(rows.get(task, []), key=lambda row: row["item"]) for rows in (first, second)]
        one, other = ([row["item"] for row in rows] for rows in pair)
        if one == other and len(one) > 1:
            right = np.array([[row["right"] for row in rows] for rows in pair], dtype=np.float64)
            yield task, resampled(right[1] - right[0], np.ones(len(one)))
