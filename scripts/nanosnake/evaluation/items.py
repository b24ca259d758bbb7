"""Task files and their items, read without PyTorch; tasks.py says what they hold."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError, create_model
from pydantic.dataclasses import dataclass as checked

from nanosnake.files import NanosnakeError, read_json
from nanosnake.tokenizer import conversations

_NUMBER = re.compile(r"-?\$?(?:\d[\d,]*(?:\.\d+)?|\.\d+)")
_AFTER_HASHES = re.compile(r"#### (-?[0-9.,]+)")

Text = Annotated[str, Field(min_length=1)]
Options = Annotated[list[str], Field(min_length=1)]
KINDS: dict[str, dict[str, Any]] = {
    "multiple_choice": {"choices": Options, "gold": int},
    "schema": {"context_options": Options, "continuation": str, "gold": int},
    "language_modeling": {"context": str, "continuation": str},
    "generation": {"answer": str},
}
"""What the items of each kind have."""
ASKING = ("multiple_choice", "generation")
"""Kinds whose items also have a `query`, or `messages` that end with the user's."""


@checked(frozen=True)
class Task:
    """One task file. Numbers may also be written as text."""

    name: str
    kind: Literal["multiple_choice", "schema", "language_modeling", "generation"]
    few_shot: NonNegativeInt
    """Solved items, drawn from the others, that precede each item."""
    delimiter: str
    """Between the question and its answer."""
    chance: Annotated[float, Field(ge=0, lt=1)]
    """Accuracy of guessing."""
    items: list[dict[str, Any]]
    extract: Literal["text", "first_line", "last_number", "number_after_hashes"] = "text"
    """How the answer is found in what was written."""
    stop: tuple[Text, ...] = ()
    """Texts that end the writing and are left out."""
    max_tokens: PositiveInt = 256
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
    """Read a task file.

    Raises:
        NanosnakeError: if it is not one, or an item is not of its kind.
    """
    said, known = _said(path), [*(field.name for field in fields(Task)), "data"]
    if unknown := sorted(said.keys() - known):  # a misspelt `few_shot` would silently be another score
        raise NanosnakeError(f"{path}: has the unknown key {unknown[0]!r}; use {', '.join(known)}")
    settings = {"few_shot": 0, "delimiter": " ", "chance": 0.0, **said, "name": path.stem}
    if isinstance(settings.get("stop"), str):
        settings["stop"] = [settings["stop"]]
    if said.get("items") is None and (data := data_file(path)):
        settings["items"] = _lines(data)
    try:
        task = TypeAdapter(Task).validate_python(settings)
        keys: dict[str, Any] = {key: (kind, ...) for key, kind in KINDS[task.kind].items()}
        item_of: Any = create_model("Item", query=(str, ""), messages=(list, []), **keys)
        create_model("Items", items=(list[item_of], ...))(items=task.items)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise NanosnakeError(f"{path}: {place}: {first['msg']}; got {first['input']!r:.200}") from None
    for number, item in enumerate(task.items):
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
        except conversations.WrongConversation as error:
            return f"has messages that do not end with a question: {error}"
        if task.few_shot:
            return "has messages, for which few_shot has to be 0; write solved items as earlier messages"
    if "gold" in item and not 0 <= int(item["gold"]) < len(prompts(task, item)):
        return f"has the gold {item['gold']}, but {len(prompts(task, item))} choices, counted from 0"
    if task.kind != "generation":
        return None
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


def right(task: Task, item: dict[str, Any]) -> tuple[str, str]:
    """Return the context and the continuation that are right."""
    return prompts(task, item)[int(item.get("gold", 0))]


def solved(task: Task, number: int) -> str:
    """Return the solved items that precede item `number`: the same ones in every run."""
    others = [i for i in range(len(task.items)) if i != number]
    text = ""
    for i in random.Random(1234 + number).sample(others, task.few_shot):
        context, continuation = right(task, task.items[i])
        text += f"{context}{task.delimiter}{continuation}\n\n"
    return text


def item_hash(item: dict[str, Any]) -> str:
    """Return the SHA-256 by which an item is known."""
    return hashlib.sha256(json.dumps(item, sort_keys=True).encode()).hexdigest()


def data_file(path: Path) -> Path | None:
    """Return the file that a task's items are in, where they are not in its own."""
    name = _said(path).get("data")
    return path.parent / str(name) if name else None


def _said(path: Path) -> dict[str, Any]:
    said = read_json(path)
    if not isinstance(said, dict):
        raise NanosnakeError(f"{path}: is not a JSON object; docs/training.md shows a task file")
    return said


def _lines(data: Path) -> list[Any]:
    """Return the items of a file of JSON Lines."""
    lines = data.read_bytes().split(b"\n")
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            found += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise NanosnakeError(f"{data}: line {number} is not JSON ({error}); correct it") from None
    return found
