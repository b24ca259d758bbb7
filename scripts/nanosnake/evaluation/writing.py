"""Tasks that are answered by writing: the model goes on from the question, and the answer is found in what it wrote.

    {"kind": "generation", "few_shot": 5, "extract": "number_after_hashes", "stop": "\n\n", "max_tokens": 256,
     "items": [{"query": "Question: What is 3 + 4?\nAnswer:", "answer": "3 + 4 = 7\n#### 7"}]}

The likeliest token is taken each time, until one that ends a document or an answer, a text of `stop`, or `max_tokens`.
Both what is written and `answer` go through the rule `extract`; the two have to be equal.

If the tokenizer has nanochat's tokens for it, the model has a calculator: what it writes between <|python_start|> and
<|python_end|> is computed, and the result put behind it. Code that a model writes is never executed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nanosnake.evaluation.calculator import calculate
from nanosnake.evaluation.evaluate import generate
from nanosnake.evaluation.items import Answer, Task, extracted, question, solved
from nanosnake.files import NanosnakeError
from nanosnake.tokenizer.conversations import TURN, ends, render
from nanosnake.tokenizer.transformers import TOOL_TOKENS
from nanosnake.training.distributed import Ranks
from nanosnake.training.model import GPT
from nanosnake.training.vocabulary import Vocabulary

BATCH_TOKENS = 1 << 14
"""Tokens of the rows that are written side by side, at most."""


def conversation(vocabulary: Vocabulary, messages: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the ids of a conversation, up to where the assistant's answer begins.

    Raises:
        NanosnakeError: if the tokenizer lacks a special token that it needs.
    """
    try:
        ids, _ = render(
            messages, lambda text: vocabulary.encode(text)[1:], vocabulary.special, vocabulary.bos
        )
        return [*ids.tolist(), vocabulary.special[TURN["assistant"][0]]]
    except KeyError as error:
        raise NanosnakeError(
            f"a task has messages, for which the tokenizer needs the special token {error}; ask with query"
        ) from None


def write_answers(
    model: GPT, vocabulary: Vocabulary, task: Task, ranks: Ranks, *, context: int = 0
) -> dict[int, Answer]:
    """Return this rank's answers to a task, by the item's number; `context` is as in `answer_task`.

    Which items are written side by side does not depend on the number of ranks.
    """
    prompts = [_prompt(vocabulary, task, number)[-context:] for number in range(len(task.items))]
    found: dict[int, Answer] = {}
    for numbers in _batches([len(ids) + task.max_tokens for ids in prompts])[ranks.rank :: ranks.world]:
        rows = generate(
            model,
            [prompts[number] for number in numbers],
            tokens=task.max_tokens,
            ends=ends(vocabulary.special, vocabulary.bos),
            after=lambda written: _after(vocabulary, task, written),
        )
        for number, ids in zip(numbers, rows, strict=True):
            found[number] = judged(task, number, _text(vocabulary, ids))
    return found


def judged(task: Task, number: int, text: str) -> Answer:
    """Return the answer that a text gives to an item; what comes after a text of `stop` is left out."""
    text = text[: min((at for stop in task.stop if (at := text.find(stop)) >= 0), default=len(text))]
    expected = extracted(task.extract, task.items[number]["answer"])
    return Answer(text, str(expected), extracted(task.extract, text) == expected)


def _prompt(vocabulary: Vocabulary, task: Task, number: int) -> list[int]:
    item = task.items[number]
    if "messages" in item:
        return conversation(vocabulary, item["messages"])
    # a word and the space before it are one token: the model writes the delimiter's space
    return vocabulary.encode(f"{solved(task, number)}{question(item)}{task.delimiter}".rstrip(" "))


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Return the numbers of rows that are written side by side, rows of similar length together."""
    batches: list[list[int]] = [[]]
    for number in sorted(range(len(lengths)), key=lambda i: lengths[i]):
        if batches[-1] and lengths[number] * (len(batches[-1]) + 1) > BATCH_TOKENS:
            batches.append([])
        batches[-1].append(number)
    return batches


def _after(vocabulary: Vocabulary, task: Task, written: Sequence[int]) -> Sequence[int] | None:
    """Return what follows in any case: the calculator's result; None if a text of `stop` ends the answer."""
    if task.stop and any(stop in _text(vocabulary, written) for stop in task.stop):
        return None
    tool = [vocabulary.special.get(name, -1) for name in TOOL_TOKENS]
    if -1 in tool or written[-1] != tool[1]:
        return ()
    block = written[:-1]
    borders = [at for at, token in enumerate(block) if token in tool[:2]]
    if not borders or block[borders[-1]] != tool[0]:
        return ()
    result = calculate(_text(vocabulary, block[borders[-1] + 1 :]))
    return () if result is None else [tool[2], *vocabulary.encode(result)[1:], tool[3]]


def _text(vocabulary: Vocabulary, ids: Sequence[int]) -> str:
    """Return the text of ids with the names of special tokens."""
    return b"".join(vocabulary.tokens[i] for i in ids).decode("utf-8", errors="replace")
