"""Show what a run would make, stage by stage: how many jobs, how long they take, and why they are needed.

    nanosnake plan
    nanosnake plan --configfile config/fineweb-edu.yaml
    nanosnake plan --configfile my/config.yaml --directory my tokens
    nanosnake plan --jobs
    nanosnake plan --configfile config/climbmix.yaml --gpu H100 --rate 2.5

Times are from earlier jobs in this folder; a time with ~ is estimated from bytes and operations. `snakemake -n` prints
the same. Training that takes minutes or more on a GPU is priced in hours, on one GPU and on eight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from nanosnake.commands.workflow import configured, snakemake
from nanosnake.console.handler import NAMES_VARIABLE
from nanosnake.console.price import GPU_VARIABLE, RATE_VARIABLE, USUAL_GPU, speed
from nanosnake.files import NanosnakeError
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
    gpu: str = USUAL_GPU
    """The GPU that the price of training is for."""
    rate: float | None = None
    """What one such GPU costs for an hour, in any currency; the price is then in money too."""

    def run(self) -> int:
        speed(self.gpu, 1)
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise NanosnakeError(f"--rate {self.rate:g}: give what one GPU costs for an hour, above 0")
        environment = {GPU_VARIABLE: self.gpu}
        environment |= {NAMES_VARIABLE: "1"} if self.jobs else {}
        environment |= {RATE_VARIABLE: str(self.rate)} if self.rate else {}
        words = ["--dry-run", *self.targets, *configured(self.configfile, self.directory)]
        return snakemake(words, environment=environment).returncode
