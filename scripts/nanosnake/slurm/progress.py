"""Report when a job on the cluster begins to wait, begins to run, or ends: one line for each change."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from nanosnake.files import NanosnakeError
from nanosnake.slurm.jobs import Unfinished, unfinished


def changes(before: Iterable[Unfinished], now: Iterable[Unfinished]) -> list[str]:
    """Return a line for each job whose state has changed, in the order of their ids."""
    known = {job.id: job for job in before}
    current = {job.id: job for job in now}
    lines = {}
    for id, job in current.items():
        if id not in known or known[id].state != job.state:
            again = " again" if id in known and job.state == "PENDING" else ""
            lines[id] = (
                f"{job.id} {job.rule}: {job.state.lower()}{again}{f' on {job.nodes}' * bool(job.nodes)}"
            )
    for id, job in known.items():
        if id not in current:
            lines[id] = f"{job.id} {job.rule}: ended"
    return [lines[id] for id in sorted(lines, key=lambda id: (len(id), id))]


def watch(folder: Path, *, say: Callable[[str], None], every: float = 10.0) -> None:
    """Report changes of the jobs of a folder, from a thread that ends with this process.

    Args:
        folder: where Snakemake runs.
        say: is called with each line.
        every: seconds between questions to SLURM, one for all jobs.
    """

    def look() -> None:
        before: list[Unfinished] = []
        while True:
            time.sleep(every)
            try:
                now = unfinished(folder)
            except NanosnakeError:
                continue
            for line in changes(before, now):
                say(line)
            before = now

    threading.Thread(target=look, daemon=True).start()
