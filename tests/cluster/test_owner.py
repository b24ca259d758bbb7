"""A Snakemake that is at work is told from one that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nanosnake.runs.owner import owners, sign
from nanosnake.slurm.jobs import settle

SIGN_AND_STAY = """
import sys, time
from pathlib import Path
from nanosnake.runs.owner import sign
print(sign(Path(sys.argv[1])), flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide SLURM's commands: these tests are not about its jobs."""
    monkeypatch.setenv("PATH", "")


def another(folder: Path) -> subprocess.Popen[str]:
    """Return a process that has said it hands in jobs of a folder, and stays."""
    scripts = str(Path(__file__).parents[2] / "scripts")
    process = subprocess.Popen(
        [sys.executable, "-c", SIGN_AND_STAY, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": scripts},
    )
    assert process.stdout
    assert str(process.pid) in process.stdout.readline()
    return process


def test_a_process_that_was_killed_is_known_to_be_gone_also_while_nobody_has_reaped_it(
    tmp_path: Path,
) -> None:
    process = another(tmp_path)
    (owner,) = owners(tmp_path).values()
    assert (owner.pid, owner.here, owner.alive) == (process.pid, True, True)
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not owner.alive
    process.wait()
    assert not owner.alive


def test_another_process_under_the_same_number_is_not_the_owner(tmp_path: Path) -> None:
    file = sign(tmp_path)
    file.write_text("12345")
    (owner,) = owners(tmp_path).values()
    assert not owner.alive


def test_the_locks_of_a_killed_process_are_taken_away_and_those_of_a_living_one_are_not(
    tmp_path: Path,
) -> None:
    unlocked: list[str] = []
    process = another(tmp_path)
    settle(tmp_path, unlock=lambda: unlocked.append("too early"))
    process.kill()
    process.wait()
    settle(tmp_path, unlock=lambda: unlocked.append("now"))
    settle(tmp_path, unlock=lambda: unlocked.append("too often"))
    assert unlocked == ["now"]
    assert owners(tmp_path) == {}


def test_a_container_that_shares_the_hosts_name_may_be_at_work(tmp_path: Path) -> None:
    """Its processes cannot be seen from here: that none bears the number means nothing."""
    file = sign(tmp_path)
    file.write_text("12345 run pid:[4026532000]")
    (owner,) = owners(tmp_path).values()
    assert (owner.here, owner.alive) == (False, True)


def test_a_process_on_another_host_is_taken_to_be_at_work(tmp_path: Path) -> None:
    file = sign(tmp_path)
    file.rename(file.with_name("elsewhere.4711"))
    settle(tmp_path, unlock=lambda: (_ for _ in ()).throw(AssertionError("unlocked")))
    (owner,) = owners(tmp_path).values()
    assert (owner.host, owner.pid, owner.alive) == ("elsewhere", 4711, True)
