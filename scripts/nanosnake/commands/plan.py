"""Show what a run would make, stage by stage: how many jobs, how long they take, and why they are needed.

    nanosnake plan
    nanosnake plan --configfile config/fineweb-edu.yaml
    nanosnake plan --configfile my/config.yaml --directory my tokens
    nanosnake plan --jobs
    nanosnake plan --configfile config/climbmix.yaml --gpu H100 --rate 2.5

Times come from earlier jobs in this folder; a time with ~ is estimated from bytes and operations. `snakemake -n` prints
the same plan. For training that takes minutes or more on a GPU, it also estimates the hours on one GPU and on eight.
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
    """What to make: all, shards, tokens, reports, or files; default: all."""
    configfile: Path | None = None
    """The configuration; default: config/config.yaml, the demo."""
    directory: Path | None = None
    """Folder of the results; default: the working directory."""
    jobs: bool = False
    """Also print a line for each job."""
    gpu: str = USUAL_GPU
    """GPU to estimate the price of training for."""
    rate: float | None = None
    """Price of that GPU per hour, in any currency; the estimate then includes the cost."""

    def run(self) -> int:
        speed(self.gpu, 1)
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise NanosnakeError(f"--rate {self.rate:g}: give what one GPU costs for an hour, above 0")
        environment = {GPU_VARIABLE: self.gpu}
        environment |= {NAMES_VARIABLE: "1"} if self.jobs else {}
        environment |= {RATE_VARIABLE: str(self.rate)} if self.rate else {}
        words = ["--dry-run", *self.targets, *configured(self.configfile, self.directory)]
        return snakemake(words, environment=environment).returncode
