"""Show what a run would make, stage by stage: how many jobs, how long they take, and why they are needed.

    nanosnake plan
    nanosnake plan --configfile config/fineweb-edu.yaml
    nanosnake plan --configfile my/config.yaml --directory my tokens
    nanosnake plan --jobs

Times are from earlier jobs in this folder; a time with ~ is estimated from bytes and operations. `snakemake -n` prints
the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from nanosnake.commands.workflow import configured, snakemake
from nanosnake.console.handler import NAMES_VARIABLE
from nanosnake.options import Positional
from nanosnake.stages import Stage


@dataclass(frozen=True, kw_only=True)
class Plan(Stage):
    """Show what a run would make, why, and how long it takes."""

    targets: Annotated[tuple[str, ...], Positional] = ()
    """What to make: all, shards, tokens, reports, or files; all if absent."""
    configfile: Path | None = None
    """The configuration; config/config.yaml, the demo, if absent."""
    directory: Path | None = None
    """Where the results are; the working directory if absent."""
    jobs: bool = False
    """A line for each job too."""

    def run(self) -> int:
        words = ["--dry-run", *self.targets, *configured(self.configfile, self.directory)]
        return snakemake(words, environment={NAMES_VARIABLE: "1"} if self.jobs else None).returncode
