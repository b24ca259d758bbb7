"""One cluster for all tests; where SLURM is not installed they are skipped, in CI that is an error."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import cluster as slurm


@pytest.fixture(autouse=True, scope="module")
def _snakemakes_own_output() -> Iterator[None]:
    """These tests read what the executor says, which our logger leaves out; tests elsewhere read our logger."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NANOSNAKE_OUTPUT", "snakemake")
        yield


@pytest.fixture(scope="session")
def _able() -> None:
    """Skip where no cluster can be started; in CI that is an error."""
    if reason := slurm.missing():
        if os.environ.get("NANOSNAKE_REQUIRE_ALL") == "1":
            pytest.fail(f"SLURM: {reason}")
        pytest.skip(f"SLURM: {reason}")


@pytest.fixture(scope="session")
def cluster(_able: None) -> Iterator[slurm.Cluster]:
    """Start a throw-away cluster, and stop it by process id."""
    with tempfile.TemporaryDirectory(prefix="slurm.") as folder, slurm.running(Path(folder)) as cluster:
        yield cluster
