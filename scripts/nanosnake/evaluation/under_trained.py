"""Tokens that a model never saw or hardly learned, from its training tokens and the rows of its head.

A token that is never in the training tokens is never right: training moves its row of the head one way only. A token
that was seen, and whose row points the same way, was hardly learned. This is the indicator of Land and Bartolo 2024
(arXiv:2405.05417) for an untied head, with the unseen tokens as those known to be unused. The vocabulary's padding
cannot serve for that: the loss gives it no gradient, and its rows keep their initial values.

It only ranks: what it ranks first still has to be tried on the model before drawing conclusions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nanosnake.files import NanosnakeError
from nanosnake.training.shards import Shard

FEW = 100
LISTED = 50
CHUNK = 1 << 24
"""Ids that are counted at a time."""

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def count_tokens(shards: Iterable[Shard], vocab_size: int) -> Counts:
    """Return how often each id is in token shards: int64[vocab_size].

    Raises:
        NanosnakeError: if a shard has an id that the vocabulary does not have.
    """
    counts = np.zeros(vocab_size, dtype=np.int64)
    for shard in shards:
        for at in range(0, len(shard.tokens), CHUNK):
            found = np.bincount(shard.tokens[at : at + CHUNK], minlength=vocab_size)
            if len(found) > vocab_size:
                raise NanosnakeError(
                    f"{shard.path}: has the id {len(found) - 1}, the vocabulary has {vocab_size:,}; "
                    "encode the shard again"
                )
            counts += found
    return counts


def under_trained(head: Floats | None, counts: Counts, tokens: Sequence[bytes]) -> dict[str, Any]:
    """Return how many tokens were not seen, and the seen ones whose rows are most like those of the unseen.

    Args:
        head: float[tokens or more, width]; None where it is the embedding, which other things than the loss of the
            next token move.
        counts: of each token in the training tokens.
        tokens: the bytes of each token.
    """
    seen = counts > 0
    found: dict[str, Any] = {
        "vocab_size": len(counts),
        "training_tokens": int(counts.sum()),
        "unseen": int((~seen).sum()),
        "few": int((seen & (counts < FEW)).sum()),
    }
    if head is None:
        return found | {"not_ranked": "the head is the embedding"}
    if seen.all():
        return found | {"not_ranked": "every token was seen, so that no row is known to be unused"}
    similarity = similarity_to(head[: len(counts)], ~seen)
    order = np.argsort(-similarity, kind="stable")
    worst = [
        {
            "token": tokens[at].decode("utf-8", errors="backslashreplace"),
            "id": int(at),
            "count": int(counts[at]),
            "similarity_to_unseen": float(similarity[at]),
        }
        for at in order[seen[order]][:LISTED]
    ]
    return found | {"rank_correlation": _rank_correlation(similarity[seen], counts[seen]), "worst": worst}


def similarity_to(rows: Floats, unused: npt.NDArray[np.bool_]) -> Floats:
    """Return the cosine of each row and the mean of the unused ones, the mean of all taken off first: float[tokens]."""
    rows = rows - rows.mean(axis=0)
    mean = rows[unused].mean(axis=0)
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(mean)
    similarity: Floats = rows @ mean / np.maximum(norms, np.finfo(np.float64).tiny)
    return similarity


def _rank_correlation(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> float:
    """Return Spearman's rank correlation; equal values have their mean rank. 0 where one does not vary."""
    a, b = (_ranks(values) for values in (first, second))
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean()) / spread if spread else 0.0


def _ranks(values: npt.NDArray[Any]) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean: Floats = (ends - counts + ends - 1) / 2
    return mean[inverse]
