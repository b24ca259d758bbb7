"""A run among others in the same folder: what a killed one left behind, who else is at work, and a summary."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from snakemake.exceptions import WorkflowError

from nanosnake import cli, runs, slurm
from nanosnake.files import NanosnakeError
from nanosnake.runs.disk import cannot_write


class Leftovers:
    """Keeps files from being made twice, by jobs of a killed Snakemake or by two that are at work."""

    def __init__(self, workflow: Any) -> None:
        self.workflow = workflow
        self.folder = Path.cwd()
        self.began = datetime.now()
        self.asked = False
        self.turn: int | None = None

    def settle(self, wildcards: Any) -> list[str]:
        """Return no file; before anything is planned, deal with what a killed Snakemake left at work.

        An input function of the target rules: it is called when Snakemake begins to plan a run, and what a cluster
        has ended by then counts as made.
        """
        run = self.workflow.executor_plugin and self.workflow.is_main_process and not self.workflow.dryrun
        if run and not self.asked:
            self.asked = True
            try:
                self.turn = runs.take_turn(self.folder)
                slurm.settle(self.folder, unlock=self._unlock)
                self._sign()
            except OSError as error:
                raise WorkflowError(cannot_write(error)) from None
            if self.workflow.execution_settings.lock:
                share_locks(self.workflow.persistence, self.folder)
        return []

    def _unlock(self) -> None:
        locks = Path(self.workflow.persistence.path, "locks")
        shutil.rmtree(locks, ignore_errors=True)
        locks.mkdir()

    def _sign(self) -> None:
        """Say that this process has jobs made, until it ends."""
        atexit.register(runs.sign(self.folder).unlink, missing_ok=True)

    def start(self) -> None:
        """Let others plan, now that Snakemake's locks stand; say what becomes of jobs on a slurm.

        Raises:
            NanosnakeError: if the targets were files, so that nothing was waited for, and there are such jobs.
        """
        if not self.asked:
            if jobs := slurm.leftovers(self.folder):
                raise NanosnakeError(
                    f"{len(jobs)} jobs of an earlier run still wait or run in {self.folder} and would be made twice "
                    f"({jobs[0]}, …); nothing was started. Let them end: python scripts/cluster_jobs.py wait"
                )
            self._stop_orphans()
            self._sign()
        if self.turn is not None:
            os.close(self.turn)
            self.turn = None
        if not self.workflow.local_exec and shutil.which("squeue"):
            slurm.watch(self.folder, say=cli.log)

    def stop_what_is_left(self) -> None:
        """Stop processes of failed jobs that outlived them, such as workers whose launcher was killed."""
        if self.workflow.local_exec:
            self._stop_orphans()

    def _stop_orphans(self) -> None:
        runs.stop_orphans(self.folder, {owner.run for owner in others(self.folder)})

    def summarize(self) -> None:
        """Print, as this process ends, a table of the jobs that the run handed to SLURM, if any."""
        if not self.workflow.local_exec and shutil.which("sacct"):
            atexit.register(self._print_summary)

    def _print_summary(self) -> None:
        try:
            print(slurm.summarize(self.folder, since=self.began), file=sys.stderr)
        except NanosnakeError as error:
            print(f"no summary of the jobs: {str(error).splitlines()[0]}", file=sys.stderr)


def others(folder: Path) -> list[runs.Owner]:
    """Return who else has jobs made in a folder, as far as can be known."""
    known = runs.owners(folder).values()
    return [owner for owner in known if owner.alive and not (owner.here and owner.pid == os.getpid())]


def share_locks(persistence: Any, folder: Path) -> None:
    """Let a run that is refused say who is at work, and one that ends leave the locks of others.

    Snakemake itself removes all locks of the folder then, also those of a run that goes on.
    """
    lock = persistence.lock

    @contextmanager
    def lock_or_name_the_others() -> Iterator[None]:
        if persistence.locked and (at_work := others(folder)):
            raise WorkflowError(
                f"another run makes files that this one needs ({', '.join(map(str, at_work))}); nothing was started. "
                "Wait until it ends, or stop it, and run the same command again. If there is no such process any "
                f"more, remove what it left in {folder / runs.OWNERS} and use --unlock"
            )
        with ExitStack() as stack:
            try:
                stack.enter_context(lock())
            except OSError as error:
                raise WorkflowError(cannot_write(error)) from None
            yield

    def remove_own() -> None:
        for file in persistence._lockfile.values():
            Path(file).unlink(missing_ok=True)
        persistence._lockfile.clear()

    persistence.lock = lock_or_name_the_others
    if hasattr(persistence, "_lockfile"):  # where locks stand in a database, each removes its own
        persistence._delete_locks = remove_own
