"""List, wait for, cancel or summarize the jobs that Snakemake submitted to SLURM from this folder.

python scripts/cluster_jobs.py list       # those that are pending or running
python scripts/cluster_jobs.py wait       # until all have ended; their work is kept
python scripts/cluster_jobs.py cancel
python scripts/cluster_jobs.py summary    # the last run's jobs by rule: times, CPU and memory used
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from nanosnake import slurm
from nanosnake.options import Positional
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class ClusterJobs(Stage):
    """List, wait for, cancel or summarize the jobs that Snakemake submitted to SLURM."""

    action: Annotated[Literal["list", "wait", "cancel", "summary"], Positional]
    """What to do."""
    folder: Path = Path()
    """Where Snakemake runs."""

    def run(self) -> str | None:
        if self.action == "summary":
            return slurm.summarize(self.folder)
        if self.action == "wait":
            slurm.wait(self.folder, say=print)
            return None
        act = slurm.cancel if self.action == "cancel" else slurm.unfinished
        for job in act(self.folder):
            print(job)
        return None


if __name__ == "__main__":
    main(ClusterJobs)
