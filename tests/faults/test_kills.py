"""Whatever process is killed, and when: the ordinary command goes on, and what it makes is the same."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from faults.killing import kill_many
from faults.site import site


def seed() -> int:
    """Return the seed to replay, or a new one."""
    return int(os.environ.get("NANOSNAKE_KILL_SEED", random.SystemRandom().randrange(10_000)))


@pytest.mark.timeout(1500)
def test_ten_kills_change_nothing(tmp_path: Path) -> None:
    with site(tmp_path, small=True) as one:
        outcome = kill_many(one, kills=10, seed=seed(), each_round=10, haste=0.5)
    print(outcome)
    assert outcome.faults == []
    assert len(outcome.kills) == 10
    assert len({kill.kind for kill in outcome.kills}) >= 5


@pytest.mark.nightly
@pytest.mark.timeout(3 * 3600)
def test_a_hundred_kills_change_nothing(tmp_path: Path) -> None:
    with site(tmp_path) as one:
        outcome = kill_many(one, kills=100, seed=seed(), each_round=12)
    print(outcome)
    assert outcome.faults == []
    assert len(outcome.kills) == 100
