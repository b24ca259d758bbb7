"""The result of a check: the findings of its function, and the verdict file that the gate and the report read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from nanosnake.checks import NAMES
from nanosnake.checks.spec import MODES, Check, Limits
from nanosnake.files import NanosnakeError, read_json

Figure = dict[str, str | int | float | None]
"""One row of a check's table: flat, the first column names the text or sample."""

VERDICTS = ("pass", "fail", "skipped")
Status = Literal["fail", "warn", "pass", "skipped"]
STATUSES = ("fail", "warn", "pass", "skipped")
"""The worst first."""
SHOWN_FAILURES = 50


@dataclass(frozen=True)
class Failure:
    """One violation of a threshold.

    Attributes:
        item: the text, sampled document or token.
        figure: what was found.
        message: one sentence for people, with the figure, the threshold and where to look.
        mode: what this failure does (`block`, `warn`); None: what the check does.
    """

    item: str
    figure: float | None
    message: str
    mode: str | None = None


@dataclass(frozen=True)
class Findings:
    """What a check's function returns.

    Attributes:
        summary: one line for people.
        figures: a table, one flat row per text or sample.
        failures: empty if all thresholds are met.
        notes: what could not be done, and how to enable it.
        key: the figures that the history keeps, by name.
        tables: further tables by their captions, such as the worst tokens.
        extra: what only this check has, such as histograms.
        measured: False if there was nothing to look at; then the check neither passes nor fails.
    """

    summary: str
    figures: Sequence[Figure] = ()
    failures: Sequence[Failure] = ()
    notes: Sequence[str] = ()
    key: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, Sequence[Figure]] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    measured: bool = True


def not_measured(*notes: str) -> Findings:
    """Return the findings of a check that had nothing to look at, with notes on what it needs."""
    return Findings("not measured", notes=notes, measured=False)


@dataclass(frozen=True)
class Verdict:
    """A verdict file. `extra` holds `key` (figures for the history) and `tokenizer` (hashes of its files)."""

    check: str
    mode: str
    verdict: str
    summary: str
    thresholds: Mapping[str, float | None] = field(default_factory=dict)
    figures: Sequence[Figure] = ()
    failures: Sequence[Failure] = ()
    notes: Sequence[str] = ()
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    tables: Mapping[str, Sequence[Figure]] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def blocking(self) -> list[Failure]:
        """The failures that close the gate."""
        return [failure for failure in self.failures if (failure.mode or self.mode) == "block"]

    @property
    def warnings(self) -> list[Failure]:
        """The failures that are only shown."""
        return [failure for failure in self.failures if (failure.mode or self.mode) == "warn"]

    @property
    def blocks(self) -> bool:
        """Whether this verdict closes the gate."""
        return bool(self.blocking)

    @property
    def warns(self) -> bool:
        """Whether this verdict warns."""
        return bool(self.warnings)

    @property
    def status(self) -> Status:
        """The verdict as the gate sees it: a failure that only warns is a warning."""
        if self.verdict == "skipped":
            return "skipped"
        return "fail" if self.blocks else "warn" if self.warns else "pass"

    def as_json(self) -> dict[str, Any]:
        """Return the content of the verdict file."""
        return dataclasses.asdict(self)


def verdict_of(
    check: Check,
    mode: str,
    limits: Limits,
    findings: Findings,
    tokenizer: Mapping[str, str],
) -> Verdict:
    """Return the verdict on findings; a check whose mode is off has none and is `skipped` elsewhere.

    Args:
        limits: every threshold of the check, with defaults filled in.
        tokenizer: SHA-256 of the tokenizer's files by name, so that the gate can recognize a stale verdict.
    """
    failures = [failure for failure in findings.failures if failure.mode != "off"]
    failures.sort(
        key=lambda failure: (failure.mode or mode) != "block"
    )  # the list is cut, but the gate needs these failures
    notes = list(findings.notes)
    if len(failures) > SHOWN_FAILURES:
        notes.append(f"{len(failures):,} failures, of which the first {SHOWN_FAILURES} are listed")
    return Verdict(
        check=check.name,
        mode=mode,
        verdict="fail" if failures else "pass" if findings.measured else "skipped",
        summary=findings.summary,
        thresholds=dict(limits),
        figures=list(findings.figures),
        failures=failures[:SHOWN_FAILURES],
        notes=notes,
        rows=limits.rows,
        tables=findings.tables,
        extra={**findings.extra, "key": dict(findings.key), "tokenizer": dict(tokenizer)},
    )


def skipped(check: Check) -> Verdict:
    """Return the verdict of a check that the configuration turns off."""
    return Verdict(check.name, "off", "skipped", f"{check.title} is turned off in the configuration")


def read_verdict(path: str | Path) -> Verdict:
    """Return a verdict file's content.

    Raises:
        NanosnakeError: if it is not a verdict of a known check.
    """
    raw = read_json(path)
    try:
        fields = {**raw, "failures": [Failure(**failure) for failure in raw["failures"]]}
        found = Verdict(**fields)
        sound = found.check in NAMES and found.mode in MODES and found.verdict in VERDICTS
    except (TypeError, KeyError):
        sound = False
    if not sound:
        raise NanosnakeError(f"{path}: not a verdict of a check; delete it and run its check again")
    return found
