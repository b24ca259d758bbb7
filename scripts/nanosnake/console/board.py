"""The state of a run: its jobs, which of them run, have ended or failed, and how long it will take."""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nanosnake.console.jobs import Job
from nanosnake.console.times import Times, cores, wall_seconds
from nanosnake.files import write_json

PROGRESS = Path(".snakemake/nanosnake/progress.json")
"""What `nanosnake status --watch` reads."""


class Board:
    """Keeps the jobs of one run."""

    def __init__(self) -> None:
        self.began = time.time()
        self.total = 0
        self.planned: dict[str, int] = {}
        """Jobs of each rule."""
        self.running: dict[int, Job] = {}
        self.failed: dict[int, Job] = {}
        self.done: Counter[str] = Counter()
        self.spent: defaultdict[str, float] = defaultdict(float)
        """Seconds of the finished jobs of each rule."""
        self.times = Times()
        self.each: dict[str, float] = {}
        """Seconds of a job of each rule, as estimated before the run."""
        self.estimate = 0.0

    def plan(self, stats: Mapping[str, int]) -> None:
        """Note how many jobs each rule has, unless `expect`, which counts no mere targets, came first.

        Snakemake's messages come through a queue, on a busy machine after the call.
        """
        if not self.each:
            self.planned = {rule: count for rule, count in stats.items() if rule != "total"}
            self.total = sum(self.planned.values())

    def expect(self, jobs: Sequence[Job]) -> None:
        """Note the jobs themselves: how long they should take, and which are mere targets, which make nothing."""
        stages = self.times.stages(jobs)
        self.each = {stage.rule: stage.seconds / len(stage.jobs) for stage in stages}
        self.planned = {stage.rule: len(stage.jobs) for stage in stages}
        self.total = sum(self.planned.values())
        self.estimate = wall_seconds(stages, cores())

    def start(self, job: Job) -> None:
        """Note that a job begins, or waits on a cluster; also called for retries."""
        self.failed.pop(job.number, None)
        self.running[job.number] = job

    def finish(self, number: int) -> Job | None:
        """Note that a job has succeeded; return it."""
        job = self.running.pop(number, None)
        if job is not None:
            job.ended = time.time()
            self.failed.pop(number, None)
            if job.log:
                self.done[job.rule] += 1
                self.spent[job.rule] += job.seconds
        return job

    def fail(self, number: int, problem: str | None) -> Job | None:
        """Note that a job has failed; return it the first time."""
        job = self.running.pop(number, None)
        if job is not None:
            job.ended, job.problem = time.time(), problem
            self.failed[number] = job
        return job

    @property
    def count(self) -> int:
        """Jobs that have succeeded."""
        return sum(self.done.values())

    def seconds_left(self) -> float:
        """Estimate how long the rest will take, from this run's jobs or earlier ones, as many at a time as so far."""
        now = time.time()
        each = {rule: self.spent[rule] / self.done[rule] for rule in self.planned if self.done[rule]}
        each = self.each | each
        left = sum(each.get(rule, 0.0) * (count - self.done[rule]) for rule, count in self.planned.items())
        left -= sum(min(now - job.began, each.get(job.rule, 0.0)) for job in list(self.running.values()))
        work, passed = sum(self.spent.values()), now - self.began
        return max(left, 0.0) / (max(1.0, work / passed) if work > 60 else 1.0)

    def write(self, *, ended: bool = False) -> None:
        """Write the state for `status --watch` in another terminal."""
        rules = [
            {
                "stage": rule,
                "jobs": count,
                "done": self.done[rule],
                "running": sum(job.rule == rule for job in self.running.values()),
                "failed": sum(job.rule == rule for job in self.failed.values()),
            }
            for rule, count in self.planned.items()
        ]
        state: dict[str, Any] = {
            "process": os.getpid(),
            "began": self.began,
            "written": time.time(),
            "ended": ended,
            "left": self.seconds_left(),
            "rules": rules,
            "running": [
                {"job": job.name, "began": job.began, "log": job.log} for job in self.running.values()
            ],
            "failed": [{"job": job.name, "log": job.log} for job in self.failed.values()],
        }
        try:
            write_json(PROGRESS, state)
        except OSError:  # a full disk is reported elsewhere
            return


BOARD = Board()
"""The run of this process: Snakemake's logger fills it, and the final summary reads it."""
