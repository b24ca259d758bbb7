"""The micro-batch by the GPU's memory: the estimate, the tries, and what is said where nothing fits."""

from __future__ import annotations

import pytest
import torch

from nanosnake.files import NanosnakeError
from nanosnake.training import fit
from nanosnake.training.config import ModelConfig
from nanosnake.training.distributed import Ranks

DEPTH_12 = ModelConfig.from_depth(12, 32_768, 2048)


@pytest.mark.parametrize(("gigabytes", "rows"), [(8, 4), (12, 8), (16, 16), (24, 32), (80, 128), (141, 128)])
def test_rows_by_memory(gigabytes: int, rows: int) -> None:
    assert fit.estimate(DEPTH_12, 256, gigabytes * 1e9) == rows


def test_a_cpu_gets_what_its_caches_bear() -> None:
    assert fit.estimate(DEPTH_12, 256, 0.0) == 4
    assert fit.estimate(DEPTH_12, 3, 0.0) == 3


def test_what_runs_out_of_memory_is_tried_with_fewer_rows(ranks: Ranks) -> None:
    tried = []

    def tries(rows: int) -> None:
        tried.append(rows)
        if rows > 10:
            raise torch.OutOfMemoryError("no room")

    assert fit.largest_that_runs(64, 96, tries, ranks, DEPTH_12) == 8
    assert tried == [48, 32, 24, 16, 12, 8]


def test_where_nothing_fits_the_largest_depth_is_said(ranks: Ranks, monkeypatch: pytest.MonkeyPatch) -> None:
    def tries(rows: int) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(fit, "available", lambda device: 3e9)
    with pytest.raises(NanosnakeError, match=r"depth 12 .* 2\.8 GiB .* a depth of \d should fit"):
        fit.largest_that_runs(1, 256, tries, ranks, DEPTH_12)
    assert 0 < fit.largest_depth(DEPTH_12, 3e9) < 12
    assert fit.largest_depth(DEPTH_12, 1e9) == 0
