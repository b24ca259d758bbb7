"""The jobs of a run, as Snakemake's log reports them."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nanosnake.files import NanosnakeError, read_json
from nanosnake.layout import record_of

TAIL = 1 << 16
"""How many bytes at the end of a log are read."""

ERROR = re.compile(r"^\S+: error: ", re.MULTILINE)
"""How a script's message begins in its log; see `nanosnake.process`."""


@dataclass
class Job:
    """A job that Snakemake plans or runs."""

    number: int
    rule: str
    what: str
    """What it makes: its wildcards."""
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    log: str = ""
    """Empty for a mere target."""
    threads: int = 1
    gpus: int = 0
    reason: str = ""
    began: float = field(default_factory=time.time)
    ended: float | None = None
    problem: str | None = None
    """The message of Snakemake or the scheduler, if it failed."""

    model: str = ""
    """The model that it is about, if any."""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Job:
        """Return the job of a log record's fields."""
        wildcards = fields.get("wildcards") or {}
        return cls(
            number=fields["jobid"],
            rule=fields["rule_name"],
            what=" ".join(str(value).strip("/") for value in wildcards.values()),
            model=str(wildcards.get("model", "")),
            inputs=list(fields.get("input") or ()),
            outputs=list(fields.get("output") or ()),
            gpus=gpus(fields.get("resources") or {}),
            log=next(iter(fields.get("log") or ()), ""),
            threads=int(fields.get("threads") or 1),
            reason=str(fields.get("reason") or ""),
        )

    @property
    def name(self) -> str:
        """The rule and what it makes."""
        return f"{self.rule} {self.what}".strip()

    @property
    def record(self) -> Path | None:
        """The record that its script leaves when it succeeds."""
        return Path(record_of(self.log)) if self.log else None

    @property
    def seconds(self) -> float:
        """How long it ran: by its record, else since it began, which on a cluster includes the queue."""
        seconds = recorded_seconds(self.record, since=self.began)
        return (self.ended or time.time()) - self.began if seconds is None else seconds

    @property
    def last_line(self) -> str:
        """The last line of its log that is no note on the one above: its figures, or how far it is."""
        lines = tail(self.log, since=self.began).replace("\r", "\n").strip().splitlines()
        return next((line for line in reversed(lines) if not line.startswith("  ")), "")

    @property
    def cause(self) -> str:
        """Why it failed: its script's own message, else the end of its log, else Snakemake's message."""
        text = tail(self.log, since=self.began).strip()
        if found := list(ERROR.finditer(text)):
            return text[found[-1].end() :]
        lines = text.splitlines()
        return "\n".join(lines[-12:]) if lines else (_short(self.problem) or "it left no log")

    @property
    def explains_itself(self) -> bool:
        """Whether its log holds a script's message."""
        return ERROR.search(tail(self.log, since=self.began)) is not None


def _short(problem: str | None) -> str:
    """Return a scheduler's message, without the call and the advice that follow it."""
    return re.split(r"\n\s*sbatch call:|For further error details", problem or "")[0].strip()


def gpus(resources: Any) -> int:
    """Return the GPUs that a job asks for: `gres="gpu:h200:4"` or `gpu=4`, on each of its nodes."""
    asked = re.search(r"gpu(?::\w+)?:(\d+)", str(resources.get("gres") or ""))
    each = int(asked[1]) if asked else int(resources.get("gpu") or 0)
    return each * int(resources.get("nodes") or 1)


def tail(name: str, *, since: float) -> str:
    """Return the end of a file that was written after a time; nothing if there is none."""
    path = Path(name)
    try:
        if not name or path.stat().st_mtime < since - 1:
            return ""
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - TAIL))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""


def recorded_seconds(record: Path | None, *, since: float = 0.0) -> float | None:
    """Return how long a job ran by its record; None if there is none, or only an older one."""
    try:
        if record is None or record.stat().st_mtime < since - 1:
            return None
        return float(read_json(record)["seconds"])
    except (NanosnakeError, OSError, KeyError, ValueError, TypeError):
        return None
