"""Several runs in one folder, one after a kill or two at once: no file is made by two."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from faults.killing import processes
from faults.small import Small, wait_until
from nanosnake.provenance.record import VARIABLE
from nanosnake.provenance.run_id import RUN_VARIABLE
from nanosnake.runs.orphans import orphans, stop_orphans
from nanosnake.runs.owner import take_turn

WAIT_FOR_EVER = "import signal, sys, time; signal.signal(15, getattr(signal, sys.argv[1])); print(flush=True); time.sleep(90)"


def test_of_two_that_start_at_once_one_is_told_of_the_other(small: Small) -> None:
    first, second = small.start(), small.start()
    wait_until(
        lambda: None not in (first.poll(), second.poll()) or len(small.begun()) == 2, "both jobs have begun"
    )
    wait_until(lambda: {first.poll(), second.poll()} == {None, 1}, "one of the two has ended")
    at_work, refused = (first, second) if first.poll() is None else (second, first)
    assert (
        f"another run makes files that this one needs (process {at_work.pid} on this host)"
        in small.printed(refused)
    )
    assert "Traceback" not in small.printed(refused)
    small.release("left", "right")
    assert at_work.wait(60) == 0, small.printed(at_work)
    assert sorted(small.begun()) == ["left", "right"]
    again = small.start()
    assert again.wait(60) == 0
    assert "Nothing to be done" in small.printed(again)


def test_one_plans_after_the_other(small: Small) -> None:
    """Snakemake looks for locks and then writes its own: two that look at once would both find none."""
    turn = take_turn(small.folder)
    run = small.start("left")
    wait_until(lambda: "another run plans in" in small.printed(run), "it says that it waits")
    time.sleep(1)
    assert small.begun() == []
    assert not list((small.folder / ".snakemake/locks").glob("*"))
    os.close(turn)
    wait_until(small.begun, "it has planned")
    small.release("left")
    assert run.wait(60) == 0, small.printed(run)


def test_who_makes_other_files_is_let_alone_and_stays_protected_when_the_first_ends(small: Small) -> None:
    """Snakemake itself removes the locks of all when one ends."""
    left = small.start("left")
    wait_until(lambda: small.begun() == ["left"], "the left one has begun")
    right = small.start("right")
    wait_until(lambda: small.begun() == ["left", "right"], "the right one has begun")
    small.release("left")
    assert left.wait(60) == 0, small.printed(left)
    refused = small.start("both")
    assert refused.wait(60) == 1
    assert f"(process {right.pid} on this host)" in small.printed(refused)
    small.release("right")
    assert right.wait(60) == 0, small.printed(right)
    assert not list((small.folder / ".snakemake/locks").glob("*"))


def waiting(folder: Path) -> list[int]:
    """Return the processes that jobs of the small workflow have started."""
    commands = processes(folder)
    return [pid for pid, command in commands.items() if "wait.py" in command and "bash -c" not in command]


def test_after_a_kill_the_ordinary_command_stops_what_is_left_and_goes_on(small: Small) -> None:
    killed = small.start()
    wait_until(lambda: len(waiting(small.folder)) == 2, "both jobs are at work")
    left = waiting(small.folder)
    killed.kill()
    killed.wait()
    again = small.start()
    wait_until(lambda: len(small.begun()) == 4, "both jobs have begun again")
    assert not [pid for pid in left if pid in processes(small.folder)]
    said = small.printed(again)
    assert "jobs that no run waits for are still running here: wait.py (process " in said
    small.release("left", "right")
    assert again.wait(60) == 0, small.printed(again)


def test_a_job_that_outlives_its_shell_is_stopped_before_the_run_ends(small: Small) -> None:
    run = small.start("left")
    wait_until(small.begun, "the job has begun")
    # the oldest: those that it forks for its pipeline look like itself at first
    shell = min(pid for pid, command in processes(small.folder).items() if "bash -c" in command)
    os.kill(shell, signal.SIGKILL)
    assert run.wait(60) == 1
    assert processes(small.folder) == {}
    assert not (small.folder / "made/left").exists()


def test_without_our_profile_the_message_names_the_flag(small: Small) -> None:
    """`rerun-incomplete` stands in profiles/default."""
    killed = small.start("left")
    wait_until(small.begun, "the job has begun")
    (small.folder / "made").mkdir(exist_ok=True)
    (small.folder / "made/left").write_text("hal")
    killed.kill()
    killed.wait()
    small.release("left")
    plain = small.start("left", "--workflow-profile", "none")
    assert plain.wait(60) == 1
    assert "--rerun-incomplete" in small.printed(plain)
    ordinary = small.start("left")
    assert ordinary.wait(60) == 0, small.printed(ordinary)
    assert (small.folder / "made/left").read_text() == "whole\n"


@pytest.mark.parametrize(("handler", "patience"), [("SIG_DFL", 30.0), ("SIG_IGN", 0.5)])
def test_only_processes_of_jobs_whose_run_is_gone_are_stopped(
    tmp_path: Path, handler: str, patience: float
) -> None:
    def process(folder: Path, **variables: str) -> subprocess.Popen[bytes]:
        folder.mkdir(exist_ok=True)
        plain = {name: value for name, value in os.environ.items() if name not in (VARIABLE, RUN_VARIABLE)}
        made = subprocess.Popen(
            [sys.executable, "-c", WAIT_FOR_EVER, handler],
            cwd=folder,
            env={**plain, **variables},
            stdout=subprocess.PIPE,
        )
        assert made.stdout
        made.stdout.readline()
        return made

    job = {VARIABLE: "job.log", RUN_VARIABLE: "gone"}
    gone = process(tmp_path / "here", **job)
    others = [
        process(tmp_path / "here", **{**job, RUN_VARIABLE: "living"}),
        process(tmp_path / "elsewhere", **job),
        process(tmp_path / "here", **{RUN_VARIABLE: "gone"}),
        process(tmp_path / "here"),
    ]
    try:
        assert [orphan.pid for orphan in orphans(tmp_path / "here", {"living"})] == [gone.pid]
        stop_orphans(tmp_path / "here", {"living"}, patience=patience)
        assert gone.wait(10) == (-signal.SIGTERM if handler == "SIG_DFL" else -signal.SIGKILL)
        assert [one.poll() for one in others] == [None] * 4
    finally:
        for one in (gone, *others):
            one.kill()
            one.wait()
    assert Counter(one.returncode for one in others) == {-signal.SIGKILL: 4}
