"""Processes of jobs on this host whose Snakemake is gone.

A killed Snakemake leaves its jobs running, and so does a job's killed shell. The next run would make the same files at
the same time: two trainers would write into one folder of checkpoints. Snakemake forgets what such a job makes, so
nothing is lost if it is stopped; a trainer that is told to stop leaves a checkpoint.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from nanosnake.messages import log
from nanosnake.provenance.record import VARIABLE
from nanosnake.provenance.run_id import RUN_VARIABLE

PATIENCE = 120.0
"""Seconds that a job gets to end after it was told to stop: a trainer first writes a checkpoint."""


@dataclass(frozen=True)
class Orphan:
    """A process of a job."""

    pid: int
    born: str
    command: str
    """The script, without its arguments."""

    def __str__(self) -> str:
        return f"{self.command} (process {self.pid})"

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        if born(self.pid) == self.born:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:  # it has just ended
                return


def born(pid: int) -> str:
    """Return when a process began, in the kernel's ticks since the host's start; nothing if it has ended."""
    try:
        _, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    except OSError:
        return ""
    state, *fields = rest.split()
    return "" if state in "ZX" else fields[18]


def orphans(folder: Path, living: Collection[str]) -> list[Orphan]:
    """Return the processes of jobs in `folder` on this host that belong to none of the living runs.

    A process is one of a job if it works in the folder and its environment names a run and the log that a rule
    asks for; without /proc, none are found.
    """
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (place / "cwd").readlink() != folder.resolve():
                continue
            words = (place / "environ").read_bytes().split(b"\0")
            command = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended, or is another user's
            continue
        variables = dict(word.decode(errors="replace").partition("=")[::2] for word in words)
        run = variables.get(RUN_VARIABLE)
        if VARIABLE in variables and run and run not in living and (since := born(int(place.name))):
            names = [Path(word.decode(errors="replace")).name for word in command]
            script = next((name for name in names if name.endswith(".py")), names[0])
            found.append(Orphan(int(place.name), since, script))
    return sorted(found, key=lambda orphan: orphan.pid)


def stop_orphans(folder: Path, living: Collection[str], *, patience: float = PATIENCE) -> list[Orphan]:
    """Stop the jobs of a folder that belong to none of the living runs, wait until they are gone; return them."""
    found = orphans(folder, living)
    if not found:
        return []
    log(
        f"processes of jobs that no run waits for are still running here: {', '.join(map(str, found[:3]))}"
        f"{', …' if len(found) > 3 else ''}; stopping them, because their jobs will rerun"
    )
    for orphan in found:
        orphan.send(signal.SIGTERM)
    deadline = time.monotonic() + patience
    while left := orphans(folder, living):
        if time.monotonic() > deadline:
            for orphan in left:
                orphan.send(signal.SIGKILL)
        time.sleep(0.05)
    return found
