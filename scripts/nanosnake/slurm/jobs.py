"""Jobs of a folder that still wait or run, whoever started them.

A Snakemake that is killed leaves its jobs behind, and the next one knows nothing about them: it would submit them a
second time, and two jobs would write the same file.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nanosnake.files import NanosnakeError
from nanosnake.messages import log
from nanosnake.runs.orphans import stop_orphans
from nanosnake.runs.owner import Owner, owners
from nanosnake.snakemake_internals import SLURM_RUN, slurm_rule


@dataclass(frozen=True)
class Unfinished:
    """A job that waits or runs."""

    id: str
    state: str
    rule: str
    """Rule or group, with the wildcards."""
    nodes: str = ""
    """Where it runs."""

    def __str__(self) -> str:
        return f"{self.id} {self.rule} ({self.state.lower()})"


def ask(*command: str) -> str:
    """Return what one of SLURM's commands prints.

    Raises:
        NanosnakeError: if it fails or takes more than a minute.
    """
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NanosnakeError(f"{command[0]}: no answer from SLURM ({error}); try again later") from error
    if ended.returncode:
        raise NanosnakeError(f"{command[0]} failed: {ended.stderr.strip()}; is SLURM's controller up?")
    return ended.stdout


def unfinished(folder: Path) -> list[Unfinished]:
    """Return the jobs that Snakemake submitted from `folder` and that have not ended; none without SLURM."""
    if shutil.which("squeue") is None:
        return []
    lines = ask("squeue", "--me", "--noheader", "--format=%A|%T|%j|%N|%k|%Z").splitlines()
    jobs = []
    for line in lines:
        job, state, name, nodes, rest = line.split("|", 4)
        comment, _, workdir = rest.rpartition("|")
        if SLURM_RUN.fullmatch(name) and Path(workdir).resolve() == folder.resolve():
            jobs.append(Unfinished(job, state, slurm_rule(comment), nodes))
    return jobs


def leftovers(folder: Path, *, quiet: bool = False) -> list[Unfinished]:
    """Return the jobs of a folder that have not ended, as `unfinished` does; none if SLURM does not answer.

    A workstation may have SLURM's commands but no cluster; `quiet` suppresses the note about that.
    """
    try:
        return unfinished(folder)
    except NanosnakeError as error:
        if not quiet:
            log(f"note: jobs of an earlier run were not looked for: {str(error).splitlines()[0]}")
        return []


def settle(folder: Path, *, unlock: Callable[[], None], local: bool = False, every: float = 10.0) -> None:
    """Make sure that nothing left by a killed Snakemake still runs in a folder, and remove its locks.

    What waits or runs on a cluster is waited for; processes on this host are stopped. While another Snakemake is at
    work there, its jobs and locks are left alone.

    Args:
        folder: where Snakemake runs.
        unlock: removes Snakemake's locks.
        local: whether this run's own jobs run on this host; then a cluster that does not answer needs no message.
        every: seconds between questions to SLURM.

    Raises:
        NanosnakeError: if jobs are running that a Snakemake on another host has submitted.
    """
    known = owners(folder)
    living = {file: owner for file, owner in known.items() if owner.alive}
    if not any(owner.here for owner in living.values()):
        _await_cluster(folder, living, every, local)
    stop_orphans(folder, {owner.run for owner in living.values()})
    if known and not living:
        unlock()
        for file in known:
            file.unlink(missing_ok=True)


def _await_cluster(folder: Path, living: Mapping[Path, Owner], every: float, local: bool) -> None:
    """Wait for the cluster's jobs of a folder where no Snakemake is at work on this host."""
    jobs = leftovers(folder, quiet=local)
    if jobs and living:
        file, owner = next(iter(living.items()))
        raise NanosnakeError(
            f"{len(jobs)} jobs wait or run in {folder}, submitted by Snakemake on host {owner.host} (process "
            f"{owner.pid}), which may be at work; nothing was started. If it is gone, remove "
            f"{file} and run the same command again: it waits for these jobs and continues"
        )
    if jobs:
        log(
            f"{len(jobs)} jobs of an earlier run, whose Snakemake is gone, still wait or run; what they make counts "
            "as made. Waiting for them; to stop them instead: python scripts/cluster_jobs.py cancel"
        )
        wait(folder, every=every, say=log)


def cancel(folder: Path) -> list[Unfinished]:
    """Cancel the folder's jobs and wait until they have ended; return them."""
    jobs = unfinished(folder)
    if jobs:
        ask("scancel", *(job.id for job in jobs))
        wait(folder, every=1.0)
    return jobs


def wait(folder: Path, *, every: float = 10.0, say: Callable[[str], None] = lambda line: None) -> None:
    """Wait until no job of the folder is left.

    Args:
        folder: where Snakemake ran.
        every: seconds between questions to SLURM.
        say: is called with a line whenever the number of jobs changes.
    """
    before = -1
    while jobs := unfinished(folder):
        if len(jobs) != before:
            before = len(jobs)
            say(f"{before} jobs left: " + ", ".join(map(str, jobs[:3])) + (", …" if before > 3 else ""))
        time.sleep(every)
