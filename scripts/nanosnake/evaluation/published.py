"""Tasks from published data sets: rows of parquet files become the items of a task file.

`FORMS` has how each data set's rows become items, as text that a base model goes on from, or as
a conversation in nanochat's words. The items are in the order in which nanochat asks them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nanosnake.files import NanosnakeError
from nanosnake.sources.formats.tables import first_line, open_parquet

ORDER_SEED = 42
"""Seed of nanochat's order of the items."""
LETTERS = "ABCDEFGHIJ"

Row = Mapping[str, Any]


def _asked(text: str) -> dict[str, Any]:
    """Return the question of a conversation."""
    return {"messages": [{"role": "user", "content": text}]}


def _gsm8k(row: Row, chat: bool) -> dict[str, Any]:
    question = row["question"]
    asked = _asked(question) if chat else {"query": f"Question: {question}\nAnswer:"}
    return {**asked, "answer": row["answer"]}


def _by_letter(question: str, letters: Sequence[str], choices: Sequence[str]) -> dict[str, Any]:
    """Return the question of a conversation that is answered by a letter."""
    options = "".join(f"- {choice}={letter}\n" for letter, choice in zip(letters, choices, strict=True))
    return _asked(
        f"Multiple Choice question: {question}\n{options}\nRespond only with the letter of the correct answer."
    )


def _arc(row: Row, chat: bool) -> dict[str, Any]:
    question, texts, labels = row["question"], row["choices"]["text"], row["choices"]["label"]
    gold = labels.index(row["answerKey"])
    if chat:
        return {**_by_letter(question, labels, texts), "choices": labels, "gold": gold}
    return {"query": f"Question: {question}\nAnswer:", "choices": texts, "gold": gold}


def _mmlu(row: Row, chat: bool) -> dict[str, Any]:
    question, texts = row["question"], row["choices"]
    letters = list(LETTERS[: len(texts)])
    gold = letters.index(LETTERS[row["answer"]])
    options = "".join(f"{letter}. {text}\n" for letter, text in zip(letters, texts, strict=True))
    query = f"{question.strip()}\n{options}Answer:"
    asked = _by_letter(question, letters, texts) if chat else {"query": query}
    return {**asked, "choices": letters, "gold": gold}


CHOICE = {"kind": "multiple_choice", "chance": 0.25}
FORMS: Mapping[str, tuple[Callable[[Row, bool], dict[str, Any]], Mapping[str, Any]]] = {
    "gsm8k": (_gsm8k, {"kind": "generation", "extract": "number_after_hashes", "chance": 0.0}),
    "arc": (_arc, CHOICE),
    "mmlu": (_mmlu, CHOICE),
}
"""By the kind of a data set: what makes an item of a row, as a conversation if its second argument says so; and what the
task file says besides its items."""


def task_file(form: str, files: Iterable[Path], *, chat: bool) -> dict[str, Any]:
    """Return the content of a task file.

    Raises:
        NanosnakeError: if a file is not parquet, or a row has another form.
    """
    _, settings = FORMS[form]
    items = [item for file in files for item in _items(form, file, chat=chat)]
    order = np.random.default_rng(ORDER_SEED).permutation(len(items)).tolist()
    stop = {"stop": "\n\n"} if settings["kind"] == "generation" and not chat else {}
    return {**settings, **stop, "items": [items[at] for at in order]}


def _items(form: str, file: Path, *, chat: bool) -> Iterable[dict[str, Any]]:
    item, _ = FORMS[form]
    try:
        with open_parquet(file) as reader:
            table = reader.read()
    except (OSError, pa.ArrowException) as error:
        raise NanosnakeError(f"{file}: cannot be read ({first_line(error)}); check the source") from None
    for number, row in enumerate(table.to_pylist()):
        try:
            yield item(row, chat)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise NanosnakeError(
                f"{file}: row {number} is not of the form {form} ({type(error).__name__}: {error}): {str(row)[:200]}; "
                "correct the form, or the source's config"
            ) from None
