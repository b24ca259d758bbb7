"""A table of a run's jobs by rule: how long they waited and ran, and how much of what they asked for they used."""

from __future__ import annotations

import re
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from nanosnake.messages import aligned
from nanosnake.slurm.jobs import ask
from nanosnake.snakemake_internals import SLURM_RUN, slurm_rule

FIELDS = "JobID,JobName,Comment,State,Submit,Start,Elapsed,AllocCPUS,TotalCPU,ReqMem,MaxRSS,WorkDir"
UNITS = {"K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2}
CLOCKS = timedelta(minutes=5)
"""How far the clocks of two hosts may be apart: SLURM's own limit."""
HEADER = ("rule", "jobs", "failed", "queued", "ran", "CPU used", "memory used")


@dataclass
class Record:
    """What accounting knows about one job."""

    run: str
    rule: str
    state: str
    submitted: datetime
    queued: float | None
    """Seconds from submission to start."""
    ran: float
    """Seconds from start to end."""
    cpus: int
    cpu: float
    """CPU seconds, all steps."""
    requested_mb: float
    peak_mb: float = field(default=0.0)


def seconds(text: str) -> float:
    """Return the seconds of SLURM's `1-02:03:04`, `02:03:04` or `03:04.567`."""
    days, _, clock = text.rpartition("-")
    total = 0.0
    for part in clock.split(":"):
        total = total * 60 + float(part or 0)
    return total + 86400 * int(days or 0)


def megabytes(text: str) -> float:
    """Return the MiB of SLURM's `328492K` or `600M`; 0 where it says nothing."""
    match = re.match(r"([\d.]+)([KMGT]?)", text)
    return float(match[1]) * UNITS.get(match[2], 1 / 1024**2) if match else 0.0


def parse(lines: Iterable[str], folder: Path) -> list[Record]:
    """Return the jobs of a folder from what `sacct --parsable2 --format=FIELDS` prints."""
    records: dict[str, Record] = {}
    for line in lines:
        job, name, comment, state, submit, start, elapsed, cpus, cpu, requested, peak, workdir = line.split(
            "|"
        )
        main, _, step = job.partition(".")
        if step:
            if main in records:
                records[main].peak_mb = max(records[main].peak_mb, megabytes(peak))
        elif SLURM_RUN.fullmatch(name) and Path(workdir).resolve() == folder.resolve():
            submitted = datetime.fromisoformat(submit)
            started = None if start in ("Unknown", "None", "") else datetime.fromisoformat(start)
            records[job] = Record(
                run=name,
                rule=slurm_rule(comment).split(" ")[0],
                state=state.split(" ")[0],
                submitted=submitted,
                queued=(started - submitted).total_seconds() if started else None,
                ran=seconds(elapsed),
                cpus=int(cpus or 0),
                cpu=seconds(cpu),
                requested_mb=megabytes(requested),
            )
    return list(records.values())


def clock(value: float) -> str:
    """Return seconds as `h:mm:ss`."""
    return str(timedelta(seconds=round(value)))


def percent(part: float, whole: float) -> str:
    """Return a share as a percentage; a dash if the whole is 0."""
    return f"{100 * part / whole:.0f}%" if whole else "-"


def table(records: Iterable[Record]) -> list[tuple[str, ...]]:
    """Return a header and a row for each rule: medians of the times, shares of what was asked for."""
    rules: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        rules[record.rule].append(record)
    rows: list[tuple[str, ...]] = [HEADER]
    for rule, jobs in sorted(rules.items()):
        waits = [job.queued for job in jobs if job.queued is not None]
        rows.append(
            (
                rule,
                str(len(jobs)),
                str(sum(job.state not in ("COMPLETED", "RUNNING", "PENDING") for job in jobs)),
                clock(statistics.median(waits)) if waits else "-",
                clock(statistics.median(job.ran for job in jobs)),
                percent(sum(job.cpu for job in jobs), sum(job.ran * job.cpus for job in jobs)),
                percent(max(job.peak_mb for job in jobs), max(job.requested_mb for job in jobs)),
            )
        )
    return rows


def records(folder: Path, *, days: int = 30, patience: float = 5.0) -> list[Record]:
    """Return the accounting data of the last run in a folder; empty if there are none.

    Args:
        folder: where Snakemake ran.
        days: how far back to look.
        patience: seconds to wait for accounting to hear that the last jobs have ended.
    """
    since = f"{datetime.now() - timedelta(days=days):%Y-%m-%d}"
    command = ("sacct", "--parsable2", "--noheader", f"--starttime={since}", f"--format={FIELDS}")
    end = time.monotonic() + patience
    while True:
        found = parse(ask(*command).splitlines(), folder)
        run = max(found, key=lambda record: record.submitted).run if found else ""
        last = [record for record in found if record.run == run]
        if time.monotonic() > end or not any(record.state == "RUNNING" for record in last):
            return last
        time.sleep(0.5)


def summarize(folder: Path, *, since: datetime | None = None) -> str:
    """Return the table of the last run in a folder, with a word before it.

    Args:
        folder: where Snakemake ran.
        since: leave out a run whose jobs were all submitted before this time.
    """
    last = records(folder)
    if not last or (since and max(record.submitted for record in last) < since - CLOCKS):
        return "SLURM's accounting knows of no job of this run"
    return f"jobs on the cluster, median times:\n{aligned(table(last))}"
