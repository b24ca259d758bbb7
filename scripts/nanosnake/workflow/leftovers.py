"""A run among others in the same folder: what a killed run left behind, which others are active, and a summary."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from nanosnake import runs, slurm
from nanosnake.files import NanosnakeError
from nanosnake.messages import log
from nanosnake.runs.disk import cannot_write
from nanosnake.snakemake_internals import Run, refuse


class Leftovers:
    """Keeps files from being made twice, by jobs of a killed Snakemake or by two runs at once.

    Args:
        settle: what else to do before anything is planned, if no other run is active.
        begin: what else to do before the first job.
    """

    def __init__(self, run: Run, *, settle: Callable[[], None], begin: Callable[[], None]) -> None:
        self.run, self.settle_results, self.begin = run, settle, begin
        self.folder = Path.cwd()
        self.began = datetime.now()
        self.asked = False
        self.turn: int | None = None

    def settle(self, wildcards: object) -> list[str]:
        """Return no file; before anything is planned, deal with what a killed Snakemake left running.

        An input function of the target rules: Snakemake calls it when it begins to plan a run. Files that a cluster has
        finished by then count as made.

        Raises:
            NanosnakeError: if another run may be active in the folder.
        """
        if self.run.makes_files and not self.asked:
            self.asked = True
            try:
                self.turn = runs.take_turn(self.folder)
                slurm.settle(self.folder, unlock=self.run.unlock, local=self.run.is_local)
                self._sign()
                if not others(self.folder):
                    self.settle_results()
            except OSError as error:
                refuse(cannot_write(error))
            self.run.share_locks(self._refusal, cannot_write)
        return []

    def _refusal(self) -> str | None:
        at_work = ", ".join(map(str, others(self.folder)))
        return at_work and (
            f"another run makes files that this one needs ({at_work}); nothing was started. Wait until it ends, or stop "
            f"it, and run the same command again. If that process no longer exists, remove what it left in "
            f"{self.folder / runs.OWNERS} and use --unlock"
        )

    def _sign(self) -> None:
        """Register this process as running jobs, until it ends."""
        atexit.register(runs.sign(self.folder).unlink, missing_ok=True)

    def start(self) -> None:
        """Let others plan, now that Snakemake's locks are in place; say what becomes of jobs on SLURM.

        Raises:
            NanosnakeError: if there are such jobs and the targets were files, for which nothing was waited for.
        """
        if not self.asked:
            if jobs := slurm.leftovers(self.folder, quiet=self.run.is_local):
                raise NanosnakeError(
                    f"{len(jobs)} jobs of an earlier run still wait or run in {self.folder} and would be made twice "
                    f"({jobs[0]}, …); nothing was started. Let them end: python scripts/cluster_jobs.py wait"
                )
            self._stop_orphans()
            self._sign()
        self.begin()
        if self.turn is not None:
            os.close(self.turn)
            self.turn = None
        if self.run.executor == "slurm":
            slurm.check(self.run.submissions())
            self.run.give_up_where(slurm.hopeless)
        if not self.run.is_local and shutil.which("squeue"):
            slurm.watch(self.folder, say=log)

    def stop_what_is_left(self) -> None:
        """Stop processes of failed jobs that outlived them, such as workers whose launcher was killed."""
        if self.run.is_local:
            self._stop_orphans()

    def _stop_orphans(self) -> None:
        runs.stop_orphans(self.folder, {owner.run for owner in others(self.folder)})

    def summarize(self) -> None:
        """Print, as this process ends, a table of the jobs that the run submitted to SLURM, if any."""
        if not self.run.is_local and shutil.which("sacct"):
            atexit.register(self._print_summary)

    def _print_summary(self) -> None:
        try:
            print(slurm.summarize(self.folder, since=self.began), file=sys.stderr)
        except NanosnakeError as error:
            print(f"no summary of the jobs: {str(error).splitlines()[0]}", file=sys.stderr)


def others(folder: Path) -> list[runs.Owner]:
    """Return the other runs with jobs in a folder, as far as can be known."""
    known = runs.owners(folder).values()
    return [owner for owner in known if owner.alive and not (owner.here and owner.pid == os.getpid())]
