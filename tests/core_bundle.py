"""A small bundle of the form in which CORE's tasks are published: 22 tasks of all kinds, with made-up items."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from nanosnake.evaluation.core import CORE

KINDS = ("multiple_choice", "schema", "language_modeling")
FEW = (0, 3, 10)
DELIMITERS = (" ", "\nAnswer: ", "")
ITEMS = 14
WORDS = [
    "the",
    "river",
    "runs",
    "past",
    "an",
    "old",
    "town",
    "where",
    "people",
    "sell",
    "fish",
    "and",
    "bread",
    "on",
    "market",
    "days",
    "in",
    "spring",
]


def write_bundle(folder: Path, go_on: Callable[[str], str] = lambda text: " on") -> Path:
    """Write the bundle and return its folder.

    Args:
        go_on: what a model writes after a text: half of the continuations that it has to predict.

    Among the items: prompts longer than the model's row, choices that others go on from, spaces around contexts.
    """
    draw = random.Random(7)
    tasks = []
    (folder / "eval_data/made").mkdir(parents=True)
    for number, label in enumerate(sorted(CORE)):
        kind = KINDS[number % 3]
        uri = f"made/{label}.jsonl"
        lines = [json.dumps(_item(kind, draw, go_on), ensure_ascii=False) for _ in range(ITEMS)]
        (folder / "eval_data" / uri).write_text("\n".join(lines) + "\n", encoding="utf-8")
        task: dict[str, Any] = {"label": label, "dataset_uri": uri, "icl_task_type": kind}
        task["num_fewshot"] = [FEW[number // 3 % 3]]
        if delimiter := DELIMITERS[number // 9 % 3]:
            task["continuation_delimiter"] = delimiter
        tasks.append(task)
    (folder / "core.yaml").write_text(yaml.safe_dump({"icl_tasks": tasks}), encoding="utf-8")
    rows = [
        f"{label},{25 if KINDS[n % 3] == 'multiple_choice' else 0}" for n, label in enumerate(sorted(CORE))
    ]
    table = "\n".join(["Eval Task,Random baseline", *rows]) + "\n"
    (folder / "eval_meta_data.csv").write_text(table, encoding="utf-8")
    return folder


def _text(draw: random.Random, most: int = 12) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(3, most)))


def _item(kind: str, draw: random.Random, go_on: Callable[[str], str]) -> dict[str, Any]:
    if kind == "multiple_choice":
        choices = [_text(draw, 6) for _ in range(4)]
        if draw.random() < 0.3:
            choices[draw.randrange(2)] = choices[2] + " and more"
        if draw.random() < 0.2:
            choices = [choices[0], choices[0] + " again"]
        return {"query": _text(draw), "choices": choices, "gold": draw.randrange(len(choices))}
    if kind == "schema":
        start = _text(draw)
        options = [f"{start} {word}" for word in draw.sample(WORDS, 2)]
        return {"context_options": options, "continuation": _text(draw, 8), "gold": draw.randrange(2)}
    context, predicted = _text(draw), draw.random() < 0.5
    continuation = draw.choice(WORDS) if not predicted else "on"
    if predicted:
        others = random.Random(context)
        for text in (context, *(_text(others) for _ in range(12))):
            if (written := go_on(text)).startswith(" "):  # what the delimiter's space belongs to
                context, continuation = text, written.strip()
                break
    spaces = draw.choice(("", " ", "\n")), draw.choice(("", " "))
    return {"context": f"{spaces[0]}{context}{spaces[1]}", "continuation": continuation}
