"""How long jobs will take: from the records of earlier jobs, else from the size of their inputs."""

from __future__ import annotations

import json
import os
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from nanosnake.config import Config
from nanosnake.console.jobs import Job, recorded_seconds
from nanosnake.console.price import USUAL_GPU, speed, training_flops
from nanosnake.files import NanosnakeError, read_json

LOGS = Path("logs")
ESTIMATES = LOGS / "estimates.jsonl"
"""A line for each run: how long it was expected to take, and how long it took."""

ONE_LIKE_NO_OTHER = ("train_model",)
"""Stages whose jobs differ so much that the time of one says nothing about another."""

KEPT = 20
"""How many earlier runs are considered."""

PER_GB = {
    "link_shard": 20.0,
    "download_shard": 100.0,
    "count_pretokens": 40.0,
    "tokenize_shard": 60.0,
    "merge_counts": 30.0,
    "train_tokenizer": 60.0,
}
"""Seconds per gigabyte of parquet, for stages whose time grows with it."""
SMALL = 2.0
"""Seconds of a job of any other stage, and of the start of each."""

SHARD_BYTES = 1e8
"""Bytes of a shard that does not exist yet."""

COUNTS_SHARE = 0.05
"""Size of a shard's counts, as a share of the shard's bytes."""

CPU_FLOPS = 2e10
"""Floating-point operations per second that training reaches on a CPU core."""


def guess(job: Job, config: Config | None) -> float:
    """Estimate the seconds of a job without an earlier one to go by, from bytes or operations."""
    if job.rule in ("train_model", "evaluate_model") and config is not None and job.model in config.models:
        reached = speed(USUAL_GPU, job.gpus) if job.gpus else CPU_FLOPS * cores()
        seconds = (training_flops(config, job.model) or 0.0) / reached
        return SMALL + seconds * (1 if job.rule == "train_model" else 0.05)
    shards = [name for name in job.inputs if name.endswith((".parquet", ".arrow"))] or job.outputs
    sizes = [_size(name, config) for name in shards]
    return SMALL + PER_GB.get(job.rule, 0.0) * sum(sizes) / 1e9


def _size(name: str, config: Config | None) -> float:
    """Return the bytes of a file; of a missing one, a shard's usual size."""
    try:
        return Path(name).stat().st_size
    except OSError:
        sources = {dataset.source.kind for dataset in config.datasets.values()} if config else set()
        shard = 5e5 if sources == {"embedded"} else SHARD_BYTES
        return shard * (COUNTS_SHARE if name.endswith(".arrow") else 1)


@dataclass
class Stage:
    """The jobs of one rule in a plan."""

    rule: str
    jobs: list[Job] = field(default_factory=list)
    seconds: float = 0.0
    """Total seconds, one job after the other."""
    guessed: int = 0
    """How many jobs have no earlier one to go by."""
    gpu_seconds: float = 0.0


class Times:
    """How long jobs took in this project.

    Args:
        config: the configuration, for guesses.
    """

    def __init__(self, config: Config | None = None) -> None:
        self.config = config

    @cached_property
    def _by_rule(self) -> Mapping[str, float]:
        """The median seconds of each script's jobs, by its name without `.py`."""
        found: dict[str, list[float]] = defaultdict(list)
        for path in LOGS.rglob("*.json") if LOGS.is_dir() else ():
            try:
                record = read_json(path)
                found[Path(record["script"]).stem].append(float(record["seconds"]))
            except (NanosnakeError, OSError, KeyError, ValueError, TypeError):
                continue
        return {script: statistics.median(seconds) for script, seconds in found.items()}

    def of(self, job: Job) -> tuple[float, bool]:
        """Return the seconds that a job will take, and whether that is a guess."""
        seconds = recorded_seconds(job.record) if self._by_rule else None
        if seconds is None:
            seconds = None if job.rule in ONE_LIKE_NO_OTHER else self._by_rule.get(job.rule)
        return (guess(job, self.config), True) if seconds is None else (seconds, False)

    def stages(self, jobs: Iterable[Job]) -> list[Stage]:
        """Return the jobs of a plan by rule, in the order in which the rules come first; targets are left out."""
        found: dict[str, Stage] = {}
        for job in jobs:
            if not job.log:
                continue
            stage = found.setdefault(job.rule, Stage(job.rule))
            stage.jobs.append(job)
            seconds, guessed = self.of(job)
            stage.seconds += seconds
            stage.guessed += guessed
            stage.gpu_seconds += seconds * job.gpus
        return list(found.values())


def wall_seconds(stages: Sequence[Stage], cores: int) -> float:
    """Return how long the stages take in turn, each with as many jobs at a time as the cores allow."""
    total = 0.0
    for stage in stages:
        slots = max(1, cores // max(job.threads for job in stage.jobs)) if stage.jobs else 1
        total += stage.seconds / min(slots, max(len(stage.jobs), 1))
    return total


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def remember(estimated: float, took: float, jobs: int) -> None:
    """Note how long a run was expected to take and how long it took."""
    line = json.dumps({"estimated": round(estimated, 1), "took": round(took, 1), "jobs": jobs})
    try:
        ESTIMATES.parent.mkdir(parents=True, exist_ok=True)
        with ESTIMATES.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
    except OSError:
        return


def how_far_off() -> str:
    """Describe how far earlier estimates were off; empty if there are none."""
    try:
        lines = ESTIMATES.read_text(encoding="utf-8").splitlines()[-KEPT:]
        ratios = sorted(
            run["took"] / run["estimated"] for run in map(json.loads, lines) if run["estimated"] > 0
        )
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    if not ratios:
        return ""
    runs = "the last run" if len(ratios) == 1 else f"the last {len(ratios)} runs"
    spread = f"{ratios[0]:.1f}" if len(ratios) == 1 else f"{ratios[0]:.1f} to {ratios[-1]:.1f}"
    return f"{runs} took {spread} times as long as estimated"
