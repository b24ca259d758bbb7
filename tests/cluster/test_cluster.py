"""The throw-away cluster itself: a test run that was killed keeps no later one from its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from cluster import cluster as slurm

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(300), pytest.mark.usefixtures("_able")]


def test_what_a_killed_run_left_is_stopped_by_the_next() -> None:
    folder = Path(tempfile.mkdtemp(prefix="slurm."))  # not below tmp_path, which the database may not enter
    program = [sys.executable, slurm.__file__, str(folder)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert running.stdout.readline().startswith("PARTITION")
        assert str(folder) in (slurm.missing() or "")  # it runs: nobody may take it away
        daemons = [int(file.read_text()) for file in folder.glob("run/*.pid")]
        running.send_signal(signal.SIGKILL)
    assert len(daemons) == len(slurm.NODES) + 4
    assert all(slurm.alive(pid) for pid in daemons)
    assert slurm.missing() is None

    slurm.stop_what_was_left()
    assert not any(slurm.alive(pid) for pid in daemons)
    assert not folder.exists()
    assert not any((slurm.SYSTEM / name).is_symlink() for name in slurm.CONFIGURATION)
    assert slurm.HOSTS_LINE not in slurm.HOSTS.read_text()


def test_a_machine_of_a_real_cluster_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slurm.conf").write_text("ClusterName=theirs\n")
    monkeypatch.setattr(slurm, "SYSTEM", tmp_path)
    assert slurm.missing() == (
        f"{tmp_path}/slurm.conf exists: this machine belongs to a cluster, which the tests would disturb"
    )
