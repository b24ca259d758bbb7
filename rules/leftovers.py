"""A run on a cluster among others in the same folder: what a killed one left at work, and a summary in the end."""

from __future__ import annotations

import atexit
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from nanosnake import cli, cluster
from nanosnake.files import NanosnakeError


class Leftovers:
    """Keeps jobs of a killed Snakemake from being made twice, for one workflow."""

    def __init__(self, workflow: Any) -> None:
        self.workflow = workflow
        self.folder = Path.cwd()
        self.began = datetime.now()
        self.asked = False

    def settle(self, wildcards: Any) -> list[str]:
        """Return no file; before anything is planned, wait for what a killed Snakemake left at work.

        An input function of the target rules: it is called when Snakemake begins to plan a run, and what has
        ended by then counts as made.
        """
        if self.workflow.executor_plugin and self.workflow.is_main_process and not self.workflow.dryrun:
            self.asked = True
            cluster.settle(self.folder, unlock=self._unlock)
        return []

    def _unlock(self) -> None:
        self.workflow.persistence.unlock()
        Path(self.workflow.persistence.path, "locks").mkdir(exist_ok=True)  # unlock removes the folder too

    def start(self) -> None:
        """Say that this process hands in jobs, and what becomes of them; refuse while others are at work.

        Raises:
            NanosnakeError: if the targets were files, so that nothing was waited for, and there are such jobs.
        """
        if not self.asked and (jobs := cluster.leftovers(self.folder)):
            raise NanosnakeError(
                f"{len(jobs)} jobs of an earlier run still wait or run in {self.folder} and would be made twice "
                f"({jobs[0]}, …); nothing was started. Let them end: python scripts/cluster_jobs.py wait"
            )
        if not self.workflow.local_exec:
            atexit.register(cluster.sign(self.folder).unlink, missing_ok=True)
            if shutil.which("squeue"):
                cluster.watch(self.folder, say=cli.log)

    def summarize(self) -> None:
        """Print, as this process ends, a table of the jobs that the run handed to SLURM, if any."""
        if not self.workflow.local_exec and shutil.which("sacct"):
            atexit.register(self._print_summary)

    def _print_summary(self) -> None:
        try:
            print(cluster.summarize(self.folder, since=self.began), file=sys.stderr)
        except NanosnakeError as error:
            print(f"no summary of the jobs: {str(error).splitlines()[0]}", file=sys.stderr)
