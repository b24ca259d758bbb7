"""Tasks: multiple choice and cloze in the manner of CORE (DCLM, arXiv:2406.11794), and those answered by writing.

A task is a file `NAME.json`:

    {"kind": "multiple_choice", "few_shot": 5, "delimiter": " ", "chance": 0.25, "items": [...]}

    multiple_choice   {"query": str, "choices": [str, ...], "gold": int}: which choice continues the query
    schema            {"context_options": [str, ...], "continuation": str, "gold": int}: after which context
    language_modeling {"context": str, "continuation": str}: is every token of it the likeliest
    generation        {"query": str, "answer": str}: is the answer in what the model writes; see writing.py

In place of a query, an item may have `messages`, a conversation that ends with the user's message. `items` may be in a file of one JSON object per line, named in `data` instead. A choice is scored by its mean nats per
token; accuracy is also given centred, (accuracy - chance) / (1 - chance). The mean of the centred accuracy over CORE's 22
tasks is called CORE if they are all there, complete and with the same names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nanosnake.evaluation.core import CORE
from nanosnake.evaluation.evaluate import next_logits
from nanosnake.evaluation.items import Answer, Task, prompts, solved
from nanosnake.evaluation.writing import conversation, write_answers
from nanosnake.files import NanosnakeError
from nanosnake.training.distributed import Ranks
from nanosnake.training.model import GPT
from nanosnake.training.vocabulary import Vocabulary


def _scored_from(task: Task, rows: Sequence[Sequence[int]], before: Sequence[int]) -> list[int]:
    """Return the first token of each row that counts.

    Where contexts are equal: after the tokens that all rows begin with. Where continuations are equal
    (schema): the tokens that all rows end with. Tokens, not characters, decide: a token may span the border.
    """
    if task.kind == "language_modeling":
        return [_common([rows[0], before])]
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


def answer(model: GPT, vocabulary: Vocabulary, task: Task, number: int, *, context: int = 0) -> Answer:
    """Return what the model answers to an item by choice; `context` is as in `answer_task`.

    A choice that other choices merely continue has no token of its own and no mean: as in nanochat, it is chosen only
    if it comes first.
    """
    item = task.items[number]
    pairs = prompts(task, item)
    if "messages" in item:
        before = conversation(vocabulary, item["messages"])
        whole = [before + vocabulary.encode(choice)[1:] for choice in item["choices"]]
    else:
        examples = solved(task, number)
        whole = [vocabulary.encode(f"{examples}{c}{task.delimiter}{a}") for c, a in pairs]
        before = vocabulary.encode(f"{examples}{pairs[0][0]}{task.delimiter}".rstrip())
    firsts = _scored_from(task, whole, before)
    rows = [row[-context:] for row in whole]  # of 0 tokens: all
    firsts = [
        max(1, first - (len(full) - len(row))) for first, full, row in zip(firsts, whole, rows, strict=True)
    ]
    logits = next_logits(model, rows)
    if task.kind == "language_modeling":
        predicted = logits[0, firsts[0] - 1 : len(rows[0]) - 1].argmax(-1).tolist()
        right = list(rows[0][firsts[0] :]) == list(predicted)
        return Answer(vocabulary.decode(predicted), item["continuation"], right)
    nats = [
        _mean_nats(logits[i], row, first) for i, (row, first) in enumerate(zip(rows, firsts, strict=True))
    ]
    chosen, gold = nats.index(min(nats)), int(item["gold"])
    texts = item["context_options"] if task.kind == "schema" else item["choices"]
    return Answer(texts[chosen], texts[gold], chosen == gold, tuple(nats))


def _mean_nats(logits_TV: Tensor, row: Sequence[int], first: int) -> float:
    targets = torch.tensor(row[first:], dtype=torch.long, device=logits_TV.device)
    return float(F.cross_entropy(logits_TV[first - 1 : len(row) - 1], targets))


def answer_task(
    model: GPT, vocabulary: Vocabulary, task: Task, ranks: Ranks, *, context: int = 0
) -> list[Answer]:
    """Return the answers to all items of a task, which the ranks share.

    Args:
        context: how many tokens of a prompt the model sees, the last ones; 0: all.
    """
    if task.kind == "generation":
        found = write_answers(model, vocabulary, task, ranks, context=context)
    else:
        numbers = range(ranks.rank, len(task.items), ranks.world)
        found = {number: answer(model, vocabulary, task, number, context=context) for number in numbers}
    everyone = {number: given for part in ranks.gather(found) for number, given in part.items()}
    return [everyone[number] for number in range(len(task.items))]


def task_scores(
    tasks: Sequence[Task],
    answers: Sequence[Sequence[Answer]],
    *,
    overlapping: Mapping[str, Sequence[int]] | None = None,
    whole: bool = True,
) -> dict[str, Any]:
    """Return {"mean_centred": mean centred accuracy, "tasks": [one row per task]}, and "core" if CORE is among them.

    Args:
        answers: to the items of each task.
        overlapping: by task, the items that the training text has too; the others get a separate accuracy.
        whole: whether these are all items of each task.
    """
    table: list[dict[str, Any]] = []
    for task, given in zip(tasks, answers, strict=True):
        row = {"task": task.name, "kind": task.kind, "items": len(given), **_accuracy(task, given)}
        if overlapping is not None:
            left_out = set(overlapping.get(task.name, ()))
            clean = [one for number, one in enumerate(given) if number not in left_out]
            row["clean_items"] = len(clean)
            row |= {f"clean_{name}": value for name, value in _accuracy(task, clean).items()} if clean else {}
        table.append(row)
    result = {"mean_centred": _mean(table), "tasks": table}
    of_core = [row for row in table if row["task"] in CORE]
    return result | ({"core": _mean(of_core)} if len(of_core) == len(CORE) and whole else {})


def _mean(table: Sequence[Mapping[str, Any]]) -> float:
    return sum(float(row["centred"]) for row in table) / len(table)


def first_items(task: Task, count: int) -> Task:
    """Return a task with only its first items.

    Raises:
        NanosnakeError: if they are too few for the solved ones before each.
    """
    if count <= task.few_shot:
        raise NanosnakeError(
            f"{task.name}: {count} items are too few for {task.few_shot} solved ones before each; raise max_items"
        )
    return replace(task, items=task.items[:count])


def _accuracy(task: Task, answers: Sequence[Answer]) -> dict[str, float]:
    accuracy = sum(answer.right for answer in answers) / len(answers)
    return {"accuracy": accuracy, "centred": (accuracy - task.chance) / (1.0 - task.chance)}
