"""How long jobs will take: by the records of earlier ones, else by what their inputs hold."""

from __future__ import annotations

import json
import os
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from nanosnake.console.jobs import Job, recorded_seconds
from nanosnake.files import read_json

LOGS = Path("logs")
ESTIMATES = LOGS / "estimates.jsonl"
"""A line for each run: how long it was to take, and how long it took."""

KEPT = 20
"""Runs that are looked back on."""

RATES = {
    "make_demo_shard": 1.0,
    "link_shard": 2.0,
    "download_shard": 15.0,
    "count_pretokens": 5.0,
    "tokenize_shard": 7.0,
    "merge_counts": 60.0,
    "train_tokenizer": 60.0,
    "train_model": 3600.0,
    "evaluate_model": 300.0,
}
"""Seconds of a job that nothing is known of, for shards of 250 MB of text; those of any other are SMALL."""
SMALL = 2.0


@dataclass
class Stage:
    """The jobs of one rule in a plan."""

    rule: str
    jobs: list[Job] = field(default_factory=list)
    seconds: float = 0.0
    """Of all of them, one after the other."""
    guessed: int = 0
    """How many have no earlier job to go by."""


class Times:
    """Knows how long jobs took in this project."""

    @cached_property
    def _by_rule(self) -> Mapping[str, float]:
        """The median seconds of each script's jobs, by its name without `.py`."""
        found: dict[str, list[float]] = defaultdict(list)
        for path in LOGS.rglob("*.json") if LOGS.is_dir() else ():
            try:
                record = read_json(path)
                found[Path(record["script"]).stem].append(float(record["seconds"]))
            except (OSError, KeyError, ValueError, TypeError):
                continue
        return {script: statistics.median(seconds) for script, seconds in found.items()}

    def of(self, job: Job) -> tuple[float, bool]:
        """Return the seconds that a job will take, and whether that is a guess."""
        seconds = recorded_seconds(job.record)
        if seconds is None:
            return self.rule(job.rule), job.rule not in self._by_rule
        return seconds, False

    def rule(self, rule: str) -> float:
        """Return the seconds of a job of a rule, if no more is known of it."""
        return self._by_rule.get(rule, RATES.get(rule, SMALL))

    def stages(self, jobs: Iterable[Job]) -> list[Stage]:
        """Return the jobs of a plan by rule, in the order in which the rules come first."""
        found: dict[str, Stage] = {}
        for job in jobs:
            stage = found.setdefault(job.rule, Stage(job.rule))
            stage.jobs.append(job)
            if job.logs:  # a target makes nothing
                seconds, guess = self.of(job)
                stage.seconds += seconds
                stage.guessed += guess
        return list(found.values())


def wall_seconds(stages: Sequence[Stage], cores: int) -> float:
    """Return how long stages take one after the other, each with as many jobs at a time as there are cores for."""
    total = 0.0
    for stage in stages:
        slots = max(1, cores // max(job.threads for job in stage.jobs)) if stage.jobs else 1
        total += stage.seconds / min(slots, max(len(stage.jobs), 1))
    return total


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def remember(estimated: float, took: float, jobs: int) -> None:
    """Note how long a run was to take and how long it took."""
    line = json.dumps({"estimated": round(estimated, 1), "took": round(took, 1), "jobs": jobs})
    try:
        ESTIMATES.parent.mkdir(parents=True, exist_ok=True)
        with ESTIMATES.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")
    except OSError:
        return


def how_far_off() -> str:
    """Return how far earlier estimates were off, in words; nothing where there are none."""
    try:
        lines = ESTIMATES.read_text(encoding="utf-8").splitlines()[-KEPT:]
        ratios = sorted(run["took"] / run["estimated"] for run in map(json.loads, lines) if run["estimated"] > 0)
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    if not ratios:
        return ""
    runs = "the last run" if len(ratios) == 1 else f"the last {len(ratios)} runs"
    spread = f"{ratios[0]:.1f}" if len(ratios) == 1 else f"{ratios[0]:.1f} to {ratios[-1]:.1f}"
    return f"{runs} took {spread} times as long as estimated"
