"""A plan as a table: what would be made, stage by stage, and why."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

from nanosnake.console.jobs import Job
from nanosnake.console.price import price
from nanosnake.console.times import Stage, Times, cores, how_far_off, wall_seconds
from nanosnake.messages import duration
from nanosnake.snakemake_internals import mark_of

WIDTH = 60
"""Characters of the reasons of a stage."""

CODE = ".cache/code/"
"""Inputs that represent the code of a stage."""

_PART = re.compile(r"; (?=[A-Z])")


def table(jobs: Sequence[Job], times: Times, *, names: bool = False) -> str:
    """Return the plan of some jobs: a line per stage, and how long it will take.

    Args:
        times: what earlier jobs took.
        names: add a line for each job.
    """
    made = times.stages(jobs)
    if not made:
        return "Nothing to be done: everything is up to date."
    rows = [("stage", "jobs", "time", "why")]
    for stage in made:
        time = ("~" if stage.guessed else "") + duration(stage.seconds)
        rows.append((stage.rule, f"{len(stage.jobs):,}", time, reasons(stage.jobs)))
    total = sum(len(stage.jobs) for stage in made)
    rows.append(("all", f"{total:,}", "", ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        f"{stage:<{widths[0]}}  {count:>{widths[1]}}  {time:>{widths[2]}}  {why}".rstrip()
        for stage, count, time, why in rows
    ]
    lines += ["", *_summary(made)]
    trained = [job.model for job in jobs if job.rule == "train_model"]
    if times.config is not None and (cost := price(times.config, trained)):
        lines.append(cost)
    if names:
        lines += ["", *(f"{job.name}: {reason(job)}" for job in jobs if job.log)]
    return "\n".join(lines)


def _summary(stages: Sequence[Stage]) -> Iterator[str]:
    seconds = wall_seconds(stages, cores())
    guessed = sum(stage.guessed for stage in stages)
    total = sum(len(stage.jobs) for stage in stages)
    basis = "by the records of earlier jobs here"
    if guessed == total:
        basis = "estimated from bytes and operations (~), because no such job has run here yet"
    elif guessed:
        have = "1 job (~) has none and is" if guessed == 1 else f"{guessed:,} jobs (~) have none and are"
        basis += f"; {have} estimated from bytes and operations"
    hours = sum(stage.gpu_seconds for stage in stages) / 3600
    gpus = f", {hours:,.1f} GPU-hours" if hours else ""
    yield f"About {duration(seconds)} on {cores()} cores{gpus}: {basis}."
    if past := how_far_off():
        yield f"Past accuracy: {past}."


def reasons(jobs: Iterable[Job]) -> str:
    """Return why jobs of a stage would run: each reason with its count, the most frequent first."""
    counted = Counter(map(reason, jobs)).most_common()
    if len(counted) == 1:
        return counted[0][0]
    words = [f"{count:,} {why}" for why, count in counted]
    text = "; ".join(words[:3])
    return text if len(words) <= 3 else f"{text}; and others"


def reason(job: Job) -> str:
    """Return why a job would run, in a few words."""
    parts = [part.partition(": ") for part in _PART.split(job.reason)]
    said = {head: rest for head, _, rest in parts}
    if "Forced execution" in said:
        return "was not finished" if any(mark_of(file).exists() for file in job.outputs) else "asked for"
    if "Missing output files" in said:
        return "new"
    if "Incomplete output files" in said:
        return "was not finished"
    files = [name for name in said.get("Updated input files", "").split(", ") if name]
    if any(CODE in name for name in files):
        return "code changed"
    found = []
    if any(head.startswith("Params have changed") for head in said):
        found.append("settings changed")
    if files:
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        found.append(f"{PurePath(files[0]).name}{more} changed")
    if "Set of input files has changed since last execution" in said and not files:
        found.append("other inputs")
    if "Code has changed since last execution" in said and not found:
        found.append("rule changed")
    if not found and "Input files updated by another job" in said:
        return "follows from the above"
    return ", ".join(found) or job.reason[:WIDTH] or "asked for"
