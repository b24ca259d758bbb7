"""Tokens that a model never saw or hardly learned, from its training tokens and its embeddings.

A model's vocabulary is padded, and no text has the ids of the padding: their rows of the head are what the head makes
of a token that is never right. A token whose row points the same way was not learned either. This is the indicator of
Land and Bartolo 2024 (arXiv:2405.05417) for a model with an untied head, with the padding as the known unused tokens.
It ranks; what it ranks first still has to be tried on the model before anything is said of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nanosnake.files import NanosnakeError

FEW = 100
LISTED = 50
CHUNK = 1 << 24
"""Ids that are counted at a time."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class UnderTrained:
    """What was found.

    Attributes:
        unseen, few: tokens that are never in the training tokens, and that are fewer than 100 times.
        similarity: of each token's row of the head to the mean row of the padding, float64[tokens]; nearer 1: less learned.
        rank_correlation: Spearman's, of similarity and count; below 0 where the indicator agrees with the counts.
    """

    counts: npt.NDArray[np.int64]
    similarity: Floats
    unseen: int
    few: int
    rank_correlation: float

    def worst(self, tokens: Sequence[bytes]) -> list[dict[str, Any]]:
        """Return a row for each of the least learned tokens."""
        from nanosnake.checks.engines import shown

        order = np.argsort(-self.similarity, kind="stable")[:LISTED]
        return [
            {
                "token": shown(tokens[at]),
                "id": int(at),
                "count": int(self.counts[at]),
                "similarity_to_unused": float(self.similarity[at]),
            }
            for at in order
        ]


def count_tokens(shards: Iterable[Path], vocab_size: int, *, dtype: str = "uint16") -> npt.NDArray[np.int64]:
    """Return how often each id is in token shards: int64[vocab_size].

    Raises:
        NanosnakeError: if a shard has an id that the vocabulary does not have.
    """
    counts = np.zeros(vocab_size, dtype=np.int64)
    for path in shards:
        ids = (
            np.memmap(path, dtype=np.dtype(dtype).newbyteorder("<"), mode="r") if path.stat().st_size else ()
        )
        for at in range(0, len(ids), CHUNK):
            found = np.bincount(ids[at : at + CHUNK], minlength=vocab_size)
            if len(found) > vocab_size:
                raise NanosnakeError(
                    f"{path}: has the id {len(found) - 1}, the vocabulary has {vocab_size:,}; encode the shard again"
                )
            counts += found
    return counts


def under_trained(head: Floats, counts: npt.NDArray[np.int64]) -> UnderTrained:
    """Compare the head's rows with those of the padding.

    Args:
        head: float[padded vocabulary, width]; the rows after `counts` are the padding.
        counts: of each token in the training tokens, int64[tokens].

    Raises:
        NanosnakeError: if there is no padding and every token was seen: there is nothing to compare with then.
    """
    rows = head - head[: len(counts)].mean(axis=0)
    reference = rows[len(counts) :] if len(head) > len(counts) else rows[: len(counts)][counts == 0]
    if not len(reference):
        raise NanosnakeError(
            "the vocabulary is not padded and every token was seen: no row is known to be unused"
        )
    mean = reference.mean(axis=0)
    norms = np.linalg.norm(rows[: len(counts)], axis=1) * np.linalg.norm(mean)
    similarity = rows[: len(counts)] @ mean / np.maximum(norms, np.finfo(np.float64).tiny)
    return UnderTrained(
        counts,
        similarity,
        int((counts == 0).sum()),
        int((counts < FEW).sum()),
        _rank_correlation(similarity, counts),
    )


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
