"""Tokens that were never learned are found by their row of the head."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nanosnake.evaluation.under_trained import count_tokens, under_trained
from nanosnake.files import NanosnakeError


def head(counts: np.ndarray, padding: int) -> np.ndarray:
    """Return a head whose rows leave the direction of unused ones the more, the more often they were right."""
    draw = np.random.default_rng(0)
    unused = draw.normal(size=32)
    learned = draw.normal(size=(len(counts) + padding, 32)) * 2
    share = np.concatenate([np.log1p(counts) / np.log1p(counts.max()), np.zeros(padding)])[:, None]
    return share * learned + (1 - share) * unused + draw.normal(size=learned.shape) * 0.05


def test_unseen_tokens_are_ranked_first() -> None:
    counts = np.array([5000] * 60 + [0, 20, 0] + [900] * 30)
    found = under_trained(head(counts, 11), counts)
    assert (found.unseen, found.few) == (2, 3)
    worst = found.worst([b"%d" % at for at in range(len(counts))])
    assert {row["id"] for row in worst[:2]} == {60, 62}
    assert worst[0]["count"] == 0
    assert worst[0]["token"] == f"'{worst[0]['id']}'"
    assert found.rank_correlation < -0.2


def test_without_padding_the_unseen_are_the_reference() -> None:
    counts = np.array([5000] * 60 + [0, 0] + [900] * 30)
    found = under_trained(head(counts, 0), counts)
    assert set(np.argsort(-found.similarity)[:2]) == {60, 61}
    with pytest.raises(NanosnakeError, match="no row is known to be unused"):
        under_trained(head(counts[:60], 0), counts[:60])


def test_equal_counts_have_no_correlation() -> None:
    counts = np.array([7] * 20)
    assert under_trained(head(counts, 4), counts).rank_correlation == 0


def test_tokens_are_counted_over_shards(tmp_path: Path) -> None:
    np.array([1, 1, 3], dtype="<u2").tofile(tmp_path / "a.ds")
    np.array([0, 3], dtype="<u2").tofile(tmp_path / "b.ds")
    (tmp_path / "c.ds").touch()
    paths = sorted(tmp_path.glob("*.ds"))
    assert count_tokens(paths, 5).tolist() == [1, 2, 0, 2, 0]
    with pytest.raises(NanosnakeError, match=r"a\.ds: has the id 3, the vocabulary has 3"):
        count_tokens(paths, 3)
