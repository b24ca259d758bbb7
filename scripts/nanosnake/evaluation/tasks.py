"""Multiple-choice and cloze tasks in the manner of CORE (DCLM, arXiv:2406.11794), read from a folder.

A task is a file `NAME.json`:

    {"kind": "multiple_choice", "few_shot": 5, "delimiter": " ", "chance": 0.25, "items": [...]}

    multiple_choice   {"query": str, "choices": [str, ...], "gold": int}: which choice continues the query
    schema            {"context_options": [str, ...], "continuation": str, "gold": int}: after which context
    language_modeling {"context": str, "continuation": str}: is every token of it the likeliest

`items` may stand in a file of one JSON object a line, named in `data` instead. A choice is scored by its mean
nats per token; accuracy is also given centred, (accuracy - chance) / (1 - chance). The mean over the tasks of the
centred accuracy is called CORE only where the tasks are CORE's 22, whole and named as there.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nanosnake.evaluation.core import CORE
from nanosnake.evaluation.evaluate import next_logits
from nanosnake.files import NanosnakeError, read_json
from nanosnake.training.distributed import Ranks
from nanosnake.training.model import GPT
from nanosnake.training.vocabulary import Vocabulary

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
    """Solved items, drawn from the others, that stand before each item."""
    delimiter: str
    """Between the question and its answer."""
    chance: float
    """Accuracy of guessing."""
    items: list[dict[str, Any]]


def load_tasks(folder: str | Path) -> list[Task]:
    """Read all task files of a folder, sorted by name."""
    tasks = [_load(path) for path in sorted(Path(folder).glob("*.json"))]
    if not tasks:
        raise NanosnakeError(f"{folder}: no task file (NAME.json) in this folder; docs/training.md shows one")
    return tasks


def _load(path: Path) -> Task:
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


def _prompts(task: Task, item: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (context, continuation) for each answer that is to be compared."""
    if task.kind == "multiple_choice":
        return [(item["query"], choice) for choice in item["choices"]]
    if task.kind == "schema":
        return [(context, item["continuation"]) for context in item["context_options"]]
    return [(item["context"].strip(), item["continuation"])]


def _solved(task: Task, number: int) -> str:
    """Return the solved items that stand before item `number`: the same ones in every run."""
    others = [i for i in range(len(task.items)) if i != number]
    text = ""
    for i in random.Random(1234 + number).sample(others, task.few_shot):
        example = task.items[i]
        context, continuation = _prompts(task, example)[example.get("gold", 0)]
        text += f"{context}{task.delimiter}{continuation}\n\n"
    return text


def _scored_from(task: Task, rows: Sequence[Sequence[int]], before: Sequence[int]) -> list[int]:
    """Return the first token of each row that counts.

    Where contexts are equal: after the tokens that all rows begin with. Where continuations are equal
    (schema): the tokens that all rows end with. Tokens, not characters, decide: a token may span the border.
    """
    if task.kind == "language_modeling":
        shared = _common([rows[0], before])
        return [shared]
    if task.kind == "schema":
        tail = _common([row[::-1] for row in rows])
        return [len(row) - tail for row in rows]
    return [_common(rows)] * len(rows)


def _common(rows: Sequence[Sequence[int]]) -> int:
    count = 0
    for column in zip(*rows, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count


def answer(model: GPT, vocabulary: Vocabulary, task: Task, number: int, *, context: int = 0) -> bool:
    """Return whether the model answers an item rightly.

    A choice that other choices only go on from has no token of its own and no mean: as in nanochat, it is chosen if it
    comes first, and never else.

    Args:
        context: the model sees so many tokens of a prompt, its last; 0: all.
    """
    item = task.items[number]
    solved = _solved(task, number)
    pairs = _prompts(task, item)
    whole = [vocabulary.encode(f"{solved}{c}{task.delimiter}{a}") for c, a in pairs]
    before = vocabulary.encode(f"{solved}{pairs[0][0]}{task.delimiter}".rstrip())
    firsts = _scored_from(task, whole, before)
    rows = [row[-context:] for row in whole]  # of 0 tokens: all
    firsts = [
        max(1, first - (len(full) - len(row))) for first, full, row in zip(firsts, whole, rows, strict=True)
    ]
    logits = next_logits(model, rows)[0]
    if task.kind == "language_modeling":
        predicted = logits[0, firsts[0] - 1 : len(rows[0]) - 1].argmax(-1).tolist()
        return list(rows[0][firsts[0] :]) == list(predicted)
    nats = [
        _mean_nats(logits[i], row, first) for i, (row, first) in enumerate(zip(rows, firsts, strict=True))
    ]
    return nats.index(min(nats)) == int(item["gold"])


def _mean_nats(logits_TV: Tensor, row: Sequence[int], first: int) -> float:
    targets = torch.tensor(row[first:], dtype=torch.long, device=logits_TV.device)
    return float(F.cross_entropy(logits_TV[first - 1 : len(row) - 1], targets))


def evaluate_tasks(
    model: GPT,
    vocabulary: Vocabulary,
    tasks: Sequence[Task],
    ranks: Ranks,
    *,
    max_items: int = 0,
    context: int = 0,
) -> dict[str, Any]:
    """Return {"mean_centred": mean centred accuracy, "tasks": [one row per task]}, and "core" where that is CORE.

    Items are shared by the ranks.

    Args:
        max_items: the first so many items of each task, from which solved ones are drawn too; 0: all.
        context: tokens of a prompt that the model sees, its last; 0: all.
    """
    table: list[dict[str, Any]] = []
    for whole in tasks:
        task = first_items(whole, max_items) if max_items else whole
        count = len(task.items)
        right = torch.zeros(1, dtype=torch.float64, device=ranks.device)
        for number in range(ranks.rank, count, ranks.world):
            right += float(answer(model, vocabulary, task, number, context=context))
        accuracy = float(ranks.sum(right)) / count
        centred = (accuracy - task.chance) / (1.0 - task.chance)
        table.append(
            {"task": task.name, "kind": task.kind, "items": count, "accuracy": accuracy, "centred": centred}
        )
    mean = sum(float(row["centred"]) for row in table) / len(table)
    is_core = {task.name for task in tasks} == CORE and not max_items
    return {"mean_centred": mean, "tasks": table} | ({"core": mean} if is_core else {})


def first_items(task: Task, count: int) -> Task:
    """Return a task with its first items alone.

    Raises:
        NanosnakeError: if they are too few for the solved ones before each.
    """
    if count <= task.few_shot:
        raise NanosnakeError(
            f"{task.name}: {count} items are too few for {task.few_shot} solved ones before each; raise --max-items"
        )
    return replace(task, items=task.items[:count])
