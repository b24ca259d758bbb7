"""Task files and their items, read without PyTorch; tasks.py says what they hold."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nanosnake.files import NanosnakeError, read_json
from nanosnake.tokenizer import conversations

KINDS = {
    "multiple_choice": ("choices", "gold"),
    "schema": ("context_options", "continuation", "gold"),
    "language_modeling": ("context", "continuation"),
    "generation": ("answer",),
}
ASKING = ("multiple_choice", "generation")
"""Kinds whose items also have a `query`, or `messages` that end with the user's."""

_NUMBER = re.compile(r"-?\$?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")
_AFTER_HASHES = re.compile(r"#### (-?[0-9.,]+)")
NUMBERS = {"few_shot": int, "chance": float, "max_tokens": int}
"""Keys of a task file whose values may also be written as text."""
EXTRACT = ("text", "first_line", "last_number", "number_after_hashes")
"""How the answer is found in what was written."""


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
    extract: str = "text"
    """How the answer is found in what was written: one of EXTRACT."""
    stop: tuple[str, ...] = ()
    """Texts that end the writing and are left out."""
    max_tokens: int = 256
    """Tokens that are written at most."""


@dataclass(frozen=True)
class Answer:
    """What a model answered to an item."""

    given: str
    """What it wrote, or the choice that it took."""
    expected: str
    right: bool
    nats: tuple[float, ...] = ()
    """Mean nats per token of each choice."""


def load_tasks(places: Sequence[str | Path]) -> list[Task]:
    """Read task files, and all of those in folders, sorted by name.

    Raises:
        NanosnakeError: if a folder has none, or two have the same name.
    """
    tasks: dict[str, Task] = {}
    for place in map(Path, places):
        files = sorted(place.glob("*.json")) if place.is_dir() else [place]
        if not files:
            raise NanosnakeError(
                f"{place}: no task file (NAME.json) in this folder; docs/training.md shows one"
            )
        for file in files:
            if file.stem in tasks:
                raise NanosnakeError(f"{file}: there is another task called {file.stem}; rename one of them")
            tasks[file.stem] = load_task(file)
    return list(tasks.values())


def load_task(path: Path) -> Task:
    """Read a task file."""
    said = read_json(path)
    kind = said.get("kind")
    if kind not in KINDS:
        raise NanosnakeError(f"{path}: kind is {kind!r}; use {', '.join(KINDS)}")
    settings = {"few_shot": 0, "delimiter": " ", "chance": 0.0, **said, "name": path.stem}
    settings |= {key: number(settings[key]) for key, number in NUMBERS.items() if key in settings}
    stop = said.get("stop", ())
    settings["stop"] = (stop,) if isinstance(stop, str) else tuple(stop)
    if said.get("items") is None:
        lines = (path.parent / said["data"]).read_text(encoding="utf-8").splitlines()
        settings["items"] = [json.loads(line) for line in lines if line.strip()]
    task = Task(**{field.name: settings[field.name] for field in fields(Task) if field.name in settings})
    if task.extract not in EXTRACT:
        raise NanosnakeError(f"{path}: extract is {task.extract!r}; use {', '.join(EXTRACT)}")
    for number, item in enumerate(task.items):
        if missing := [key for key in KINDS[kind] if key not in item]:
            raise NanosnakeError(f"{path}: item {number} has no {missing[0]!r}; {kind} needs {KINDS[kind]}")
        if problem := _problem(task, item):
            raise NanosnakeError(f"{path}: item {number} {problem}")
    if len(task.items) <= task.few_shot:
        raise NanosnakeError(
            f"{path}: {len(task.items)} items are too few for {task.few_shot} solved ones before each"
        )
    return task


def _problem(task: Task, item: dict[str, Any]) -> str | None:
    """Return what is wrong with the question or the answer of an item, if anything."""
    if task.kind in ASKING and ("query" in item) == ("messages" in item):
        return "needs either a 'query' or 'messages'"
    if "messages" in item:
        if task.kind not in ASKING:
            return f"has messages, which only {' and '.join(ASKING)} take"
        try:
            conversations.check([*item["messages"], {"role": "assistant", "content": "what comes next"}])
        except (TypeError, conversations.WrongConversation) as error:
            return f"has messages that do not end with a question: {error}"
        if task.few_shot:
            return "has messages, for which few_shot has to be 0; write solved items as earlier messages"
    if task.kind != "generation":
        return None
    if not isinstance(item["answer"], str):
        return f"has the answer {item['answer']!r}, which is not text; put quotes around it"
    found = extracted(task.extract, item["answer"])
    return (
        f"has the answer {item['answer']!r}, in which {task.extract} finds nothing" if found is None else None
    )


def extracted(rule: str, text: str) -> str | None:
    """Return the answer that a rule finds in a text, in the form in which answers are compared; None: it has none.

    Commas and dollar signs are left out of numbers. After `####` no dollar sign may come, as in GSM8K's own code.
    """
    if rule == "number_after_hashes":
        found = _AFTER_HASHES.search(text)
        return found[1].replace(",", "") if found else None
    if rule == "last_number":
        numbers = _NUMBER.findall(text)
        return numbers[-1].replace(",", "").replace("$", "") if numbers else None
    text = text.strip()
    return (text.splitlines()[0].rstrip() if rule == "first_line" else text) if text else None


def question(item: dict[str, Any]) -> str:
    """Return what an item asks, of a conversation its last message."""
    return str(item["messages"][-1]["content"] if "messages" in item else item["query"])


def prompts(task: Task, item: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (context, continuation) for each answer to compare; for a written one, the question and its answer."""
    if task.kind == "multiple_choice":
        return [(question(item), choice) for choice in item["choices"]]
    if task.kind == "schema":
        return [(context, item["continuation"]) for context in item["context_options"]]
    if task.kind == "generation":
        return [(question(item), item["answer"])]
    return [(item["context"].strip(), item["continuation"])]


def solved(task: Task, number: int) -> str:
    """Return the solved items that precede item `number`: the same ones in every run."""
    others = [i for i in range(len(task.items)) if i != number]
    text = ""
    for i in random.Random(1234 + number).sample(others, task.few_shot):
        example = task.items[i]
        context, continuation = prompts(task, example)[example.get("gold", 0)]
        text += f"{context}{task.delimiter}{continuation}\n\n"
    return text


def item_hash(item: dict[str, Any]) -> str:
    """Return the SHA-256 by which an item is known."""
    return hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()


def data_file(path: Path) -> Path | None:
    """Return the file that a task's items are in, where they are not in its own."""
    name = read_json(path).get("data")
    return path.parent / name if name else None
