"""The small workflow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.small import Small


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    """Return the workflow of a few jobs, in which nothing was made yet."""
    (tmp_path / "small").mkdir()
    workflow = Small(tmp_path / "small")
    yield workflow
    workflow.close()
