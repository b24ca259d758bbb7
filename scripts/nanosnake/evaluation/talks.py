"""What a model answers in held-out conversations, and what the model that it began with answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from nanosnake.evaluation.evaluate import generate, scores
from nanosnake.tokenizer.conversations import ends
from nanosnake.training.model import GPT
from nanosnake.training.shards import TokenShards
from nanosnake.training.vocabulary import Vocabulary

CONVERSATIONS = 32
"""Conversations that are answered, drawn evenly."""
TOKENS = 48
"""Tokens of an answer, at most."""
SHOWN = 8
"""Conversations whose answers are kept."""


def conversations_of(data: TokenShards) -> list[int]:
    """Return the numbers of the documents that are conversations; a mixture has texts too."""
    talks = np.repeat(
        [shard.learned is not None for shard in data.shards], [len(s.ends) for s in data.shards]
    )
    return np.flatnonzero(talks).tolist()


def first_answers(data: TokenShards, most: int = CONVERSATIONS) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the beginning of a conversation up to its first answer, and that answer, for some of them."""
    talks = conversations_of(data)
    for chosen in np.unique(np.linspace(0, len(talks) - 1, most).round().astype(int)).tolist():
        one = data.one(talks[chosen])
        learned, ids = np.asarray(one.learned), one.tokens.tolist()
        begin = int(np.argmax(learned))
        end = begin + int(np.argmin(np.append(learned[begin:], 0)))
        yield ids[:begin], ids[begin:end]


def compare(
    models: Mapping[str, tuple[GPT, Tensor]], vocabulary: Vocabulary, data: TokenShards
) -> dict[str, Any]:
    """Return how well models answer held-out conversations, the first answer of each: figures, and some answers.

    Args:
        models: by name, each with what `evaluate_documents` returns; the one that another began with comes first.
    """
    held_out, talks = list(first_answers(data)), conversations_of(data)
    prompts = [prompt for prompt, _ in held_out]
    stops = ends(vocabulary.special, vocabulary.bos)
    figures = []
    samples: list[dict[str, Any]] = [
        {"asked": vocabulary.decode(prompt), "expected": vocabulary.decode(answer), "written": {}}
        for prompt, answer in held_out[:SHOWN]
    ]
    for name, (model, sums) in models.items():
        rows = generate(model, prompts, tokens=TOKENS, ends=stops)
        answers = scores(sums[talks])
        figures.append(
            {
                "model": name,
                "bits_per_byte": answers.bits_per_byte,
                "ended": float(np.mean([len(row) < TOKENS for row in rows])),
                "mean_tokens": float(np.mean([len(row) for row in rows])),
            }
        )
        for sample, row in zip(samples, rows, strict=False):
            sample["written"][name] = vocabulary.decode(row)
    return {
        "conversations": len(held_out),
        "bytes": answers.bytes,
        "most_tokens": TOKENS,
        "models": figures,
        "samples": samples,
    }
