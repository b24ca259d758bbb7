"""Tokens that were never learned are found by their row of the head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nanosnake.evaluation.under_trained import count_tokens, similarity_to, under_trained
from nanosnake.files import NanosnakeError
from nanosnake.training.shards import Shard

NO_ENDS = np.zeros(0, dtype=np.uint64)


def head(counts: np.ndarray) -> np.ndarray:
    """Return a head whose rows leave the direction of unused ones the more, the more often they were right.

    The rows of its padding are as large as drawn ones are, and say nothing.
    """
    draw = np.random.default_rng(0)
    unused = draw.normal(size=256)
    learned = draw.normal(size=(len(counts), 256)) * 2
    share = (np.log1p(counts) / np.log1p(counts.max()))[:, None]
    rows = share * learned + (1 - share) * unused + draw.normal(size=learned.shape) * 0.05
    return np.concatenate([rows, draw.normal(size=(11, 256)) * 0.001])


def test_rare_tokens_are_ranked_first() -> None:
    counts = np.array([5000] * 60 + [0, 20, 0, 3] + [900] * 30)
    tokens = [b"%d" % at for at in range(len(counts))]
    tokens[61] = b" \xff"
    found = under_trained(head(counts), counts, tokens)
    assert (found["unseen"], found["few"], found["training_tokens"]) == (2, 2, int(counts.sum()))
    assert [(row["id"], row["count"]) for row in found["worst"][:2]] == [(63, 3), (61, 20)]
    assert found["worst"][1]["token"] == " \\xff"
    assert found["rank_correlation"] < -0.2
    assert set(np.argsort(-similarity_to(head(counts)[: len(counts)], counts == 0))[:2]) == {60, 62}


def test_what_cannot_be_ranked_is_counted_and_says_why() -> None:
    counts = np.array([5000] * 60 + [9])
    found = under_trained(head(counts), counts, [b"a"] * 61)
    assert (found["few"], found["not_ranked"]) == (
        1,
        "every token was seen, so that no row is known to be unused",
    )
    assert under_trained(None, counts, [b"a"] * 61)["not_ranked"] == "the head is the embedding"


def test_equal_counts_have_no_correlation() -> None:
    counts = np.array([7] * 20 + [0])
    assert under_trained(head(counts), counts, [b"a"] * 21)["rank_correlation"] == 0


def test_tokens_are_counted_over_shards() -> None:
    shards = [
        Shard(Path(name), np.array(ids, dtype="<u2"), NO_ENDS)
        for name, ids in (("a.ds", [1, 1, 3]), ("b.ds", [0, 3]))
    ]
    assert count_tokens(shards, 5).tolist() == [1, 2, 0, 2, 0]
    with pytest.raises(NanosnakeError, match=r"a\.ds: has the id 3, the vocabulary has 3"):
        count_tokens(shards, 3)
