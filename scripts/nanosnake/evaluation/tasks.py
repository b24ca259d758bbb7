"""Multiple-choice and cloze tasks in the manner of CORE (DCLM, arXiv:2406.11794), read from a folder.

A task is a file `NAME.json`:

    {"kind": "multiple_choice", "few_shot": 5, "delimiter": " ", "chance": 0.25, "items": [...]}

    multiple_choice   {"query": str, "choices": [str, ...], "gold": int}: which choice continues the query
    schema            {"context_options": [str, ...], "continuation": str, "gold": int}: after which context
    language_modeling {"context": str, "continuation": str}: is every token of it the likeliest

`items` may be in a file of one JSON object per line, named in `data` instead. A choice is scored by its mean nats per
token; accuracy is also given centred, (accuracy - chance) / (1 - chance). The mean over the tasks of the centred
accuracy is called CORE only if the tasks are CORE's 22, complete and with the same names.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nanosnake.evaluation.core import CORE
from nanosnake.evaluation.evaluate import next_logits
from nanosnake.evaluation.items import Task, prompts
from nanosnake.files import NanosnakeError
from nanosnake.training.distributed import Ranks
from nanosnake.training.model import GPT
from nanosnake.training.vocabulary import Vocabulary


def _solved(task: Task, number: int) -> str:
    """Return the solved items that precede item `number`: the same ones in every run."""
    others = [i for i in range(len(task.items)) if i != number]
    text = ""
    for i in random.Random(1234 + number).sample(others, task.few_shot):
        example = task.items[i]
        context, continuation = prompts(task, example)[example.get("gold", 0)]
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

    A choice that other choices merely continue has no token of its own and no mean: as in nanochat, it is chosen only
    if it comes first.

    Args:
        context: how many tokens of a prompt the model sees, the last ones; 0: all.
    """
    item = task.items[number]
    solved = _solved(task, number)
    pairs = prompts(task, item)
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
    overlapping: Mapping[str, Sequence[int]] | None = None,
) -> dict[str, Any]:
    """Return {"mean_centred": mean centred accuracy, "tasks": [one row per task]}, and "core" where that is CORE.

    Items are shared by the ranks.

    Args:
        max_items: how many items of each task are used, the first ones, from which solved ones are drawn too; 0: all.
        context: how many tokens of a prompt the model sees, the last ones; 0: all.
        overlapping: by task, the items that the training text has too; the others get a separate accuracy.
    """
    table: list[dict[str, Any]] = []
    for whole in tasks:
        task = first_items(whole, max_items) if max_items else whole
        count = len(task.items)
        right = torch.zeros(count, dtype=torch.float64, device=ranks.device)
        for number in range(ranks.rank, count, ranks.world):
            right[number] = float(answer(model, vocabulary, task, number, context=context))
        answers = ranks.sum(right).tolist()
        row = {"task": task.name, "kind": task.kind, "items": count, **_accuracy(task, answers)}
        if overlapping is not None:
            left_out = set(overlapping.get(task.name, ()))
            clean = [given for number, given in enumerate(answers) if number not in left_out]
            row["clean_items"] = len(clean)
            row |= {f"clean_{name}": value for name, value in _accuracy(task, clean).items()} if clean else {}
        table.append(row)
    mean = sum(float(row["centred"]) for row in table) / len(table)
    is_core = {task.name for task in tasks} == CORE and not max_items
    return {"mean_centred": mean, "tasks": table} | ({"core": mean} if is_core else {})


def first_items(task: Task, count: int) -> Task:
    """Return a task with only its first items.

    Raises:
        NanosnakeError: if they are too few for the solved ones before each.
    """
    if count <= task.few_shot:
        raise NanosnakeError(
            f"{task.name}: {count} items are too few for {task.few_shot} solved ones before each; raise --max-items"
        )
    return replace(task, items=task.items[:count])


def _accuracy(task: Task, answers: Sequence[float]) -> dict[str, float]:
    accuracy = sum(answers) / len(answers)
    return {"accuracy": accuracy, "centred": (accuracy - task.chance) / (1.0 - task.chance)}
