"""Snakemake's log as one line per finished job, with its figures, and on a terminal a progress bar below."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from nanosnake.console.board import BOARD
from nanosnake.console.jobs import Job
from nanosnake.console.plan import table
from nanosnake.console.times import remember
from nanosnake.files import write_json
from nanosnake.messages import duration

EVERY = 0.5
"""Seconds between two looks at the logs of running jobs."""

BLOCKS = 24
"""Characters of the bar itself."""

NAMES_VARIABLE = "NANOSNAKE_PLAN_JOBS"
"""Environment variable that makes a dry run also print a line for each job."""

FILE_VARIABLE = "NANOSNAKE_PLAN_FILE"
"""Environment variable with a file to which a dry run writes the outputs of its jobs, as JSON."""

SAID_ELSEWHERE = (
    "Building DAG of jobs",
    "Using profile",
    "host:",
    "Using workflow specific profile",
    "Assuming unrestricted shared filesystem",
    "At least one job did not complete",
    "WorkflowError:\nAt least one job did not complete",
    "RuleException:\nCalledProcessError",
    "No SLURM account given, trying to guess",  # the executor prints this whatever its options
    "No account was given, not able to get a SLURM account",
    "Unable to guess SLURM account",
    "Exiting because a job execution failed",
)
"""Beginnings of lines that tell a user nothing, or that the final summary explains better."""

NOTHING_LEFT = (
    "Nothing to be done: of the jobs to run, --until or --omit-from leave none. A rule that they name may be up to date, "
    "or not part of this configuration"
)
"""What a run says whose plan has jobs of which its options leave none; Snakemake then prints an empty table."""

_REFUSAL = re.compile(r"WorkflowError(?: in file .*?, line \d+)?:\n(.*?)\n  File .*, in refuse", re.DOTALL)
"""How Snakemake prints the message of our `refuse`; the file and the line do not help the reader."""


class LogHandler(LogHandlerBase):
    """Prints Snakemake's log in our own form."""

    def __post_init__(self) -> None:
        self.stream: TextIO = sys.stdout if self.common_settings.stdout else sys.stderr
        self.terminal = self.stream.isatty() and not self.common_settings.dryrun
        self.board = BOARD
        self.planned: list[Job] = []
        """Jobs of a dry run."""
        self.started = False
        self.width = 0
        self.drawing = threading.RLock()
        self.ended = threading.Event()
        self.ticker = threading.Thread(target=self._tick, daemon=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Handle one record of the log."""
        try:
            self._take(record, getattr(record, "event", None))
        except Exception:
            self.handleError(record)

    def _take(self, record: logging.LogRecord, event: LogEvent | None) -> None:
        fields = record.__dict__
        match event:
            case LogEvent.WORKFLOW_STARTED:
                self.started = True
            case LogEvent.RUN_INFO:
                self.board.plan(fields.get("stats") or {})
                if not self.board.total and not self.common_settings.dryrun:
                    self._print(NOTHING_LEFT)
            case LogEvent.JOB_INFO if self.common_settings.dryrun:
                self.planned.append(Job.of(fields))
            case LogEvent.JOB_INFO:
                self._start(Job.of(fields))
            case LogEvent.SHELLCMD:
                if self.common_settings.printshellcmds and (command := fields.get("shellcmd")):
                    self._print(command)
            case LogEvent.JOB_FINISHED:
                self._finish(fields["job_id"])
            case LogEvent.JOB_ERROR:
                self._fail(fields["jobid"], fields.get("rule_msg"))
            case None | LogEvent.ERROR:
                self._other(record)

    def _start(self, job: Job) -> None:
        if (
            not self.ticker.is_alive() and not self.ended.is_set()
        ):  # the first job: by now the Snakefile has provided more
            estimate = f", about {duration(self.board.estimate)}" if self.board.estimate else ""
            jobs = "job" if self.board.total == 1 else "jobs"
            self._print(f"{self.board.total:,} {jobs}{estimate}")
            self.ticker.start()
        self.board.start(job)

    def _finish(self, number: int) -> None:
        job = self.board.finish(number)
        if job is not None and job.log:
            self._print(self._line(job, _figure(job)))

    def _fail(self, number: int, problem: str | None) -> None:
        job = self.board.fail(number, problem)
        if job is not None:
            first = (job.cause.splitlines() or [""])[0]
            self._print(self._line(job, f"FAILED: {first}"))

    def _line(self, job: Job, figure: str) -> str:
        total = f"{self.board.total:,}"
        place = f"{self.board.count:>{len(total)},}/{total}"
        rules = max(map(len, self.board.planned), default=0)
        seconds = job.seconds
        took = f"{seconds:.1f} s" if seconds < 10 else duration(seconds)
        return f"{place}  {job.rule:<{rules}}  {job.what:<28}  {took:>9}  {figure}".rstrip()

    def _other(self, record: logging.LogRecord) -> None:
        message = _REFUSAL.sub(r"\1", record.getMessage() if record.msg else "")
        if not message.strip() or message.startswith(SAID_ELSEWHERE):
            return
        if message.startswith("This was a dry-run") and not self.planned:
            message = NOTHING_LEFT
        during = self.started and not message.startswith("Nothing to be done")
        if record.levelno >= logging.WARNING or not during:
            self._print(message)

    def _print(self, text: str) -> None:
        """Print lines above the bar."""
        with self.drawing:
            if self.terminal:
                columns = shutil.get_terminal_size().columns
                text = (
                    "\n".join(_cut(line, columns - 1) for line in text.splitlines()) if self.started else text
                )
            self._clear()
            self.stream.write(text + "\n")
            self._draw()
            self.stream.flush()

    def _clear(self) -> None:
        if self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.width = 0

    def _draw(self) -> None:
        """Draw the bar: jobs, time left, and the progress of the job that has run longest."""
        if not (self.terminal and self.board.planned) or self.ended.is_set():
            return
        done, total = self.board.count, self.board.total
        full = BLOCKS * done // max(total, 1)
        text = f"{'━' * full}{'─' * (BLOCKS - full)} {done:,} of {total:,} jobs"
        if failed := len(self.board.failed):
            text += f", {failed:,} failed"
        if left := self.board.seconds_left():
            text += f", {duration(left)} left"
        if running := sorted(self.board.running.values(), key=lambda job: job.began):
            text += f" · {running[0].name}"
            if line := running[0].last_line:
                text += f": {line}"
        text = text[: shutil.get_terminal_size().columns - 1]
        self.width = len(text)
        self.stream.write(text)

    def _tick(self) -> None:
        """Redraw the bar, and write the state of the run for others, until it ends."""
        while not self.ended.wait(EVERY):
            with self.drawing:
                self._clear()
                self._draw()
                self.stream.flush()
            self.board.write()

    def close(self) -> None:
        """End the bar, or print the plan of a dry run."""
        if not self.ended.is_set():
            self.ended.set()
            with self.drawing:
                self._clear()
                if self.planned:
                    self.stream.write(self._plan() + "\n")
                self.stream.flush()
            if self.common_settings.dryrun and (path := os.environ.get(FILE_VARIABLE)):
                write_json(Path(path), [output for job in self.planned for output in job.outputs])
            if self.ticker.is_alive():
                self.board.write(ended=True)
                if not self.board.failed and self.board.count == self.board.total:
                    remember(self.board.estimate, time.time() - self.board.began, self.board.total)
        super().close()

    def _plan(self) -> str:
        """Return the plan of a dry run, in the form that `nanosnake plan` was asked for."""
        return table(self.planned, self.board.times, names=bool(os.environ.get(NAMES_VARIABLE)))

    @property
    def writes_to_stream(self) -> bool:
        """This plugin writes to stderr, or in a dry run to stdout."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """It writes no file of its own."""
        return False

    @property
    def has_filter(self) -> bool:
        """It decides itself what is printed."""
        return True

    @property
    def has_formatter(self) -> bool:
        """It formats itself."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It draws no graph."""
        return False


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _figure(job: Job) -> str:
    """Return the figures of a job that has ended, without the name of what it made."""
    head, separator, rest = job.last_line.partition(": ")
    return rest if separator and " " not in head else job.last_line
