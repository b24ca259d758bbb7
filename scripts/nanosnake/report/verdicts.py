"""The gate and its checks, read from their verdict files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nanosnake.checks import CHECKS, Failure, Verdict, read_verdict
from nanosnake.checks import Check as Spec
from nanosnake.report.tables import Table, from_records

Status = Literal["pass", "warn", "fail", "skipped"]

MOST_ROWS = 400
MOST_FAILURES = 20


@dataclass(frozen=True)
class Check:
    """One check with its verdict, ready to be shown."""

    spec: Spec
    verdict: Verdict
    figures: Table | None
    tables: Sequence[Table]

    @property
    def name(self) -> str:
        """The check's name, as in the configuration."""
        return self.spec.name

    @property
    def status(self) -> Status:
        """What the verdict means for the gate: a failure of a check that only warns is a warning."""
        if self.verdict.verdict == "skipped":
            return "skipped"
        return "fail" if self.verdict.blocks else "warn" if self.verdict.warns else "pass"

    @property
    def thresholds(self) -> Sequence[tuple[str, float]]:
        """Meaning and value of each threshold that is judged."""
        meanings = {key: threshold.meaning for key, threshold in self.spec.thresholds.items()}
        found = [(meanings.get(key, key), value) for key, value in self.verdict.thresholds.items()]
        for row, own in self.verdict.rows.items():
            mode = f", {own['mode']}" if own.get("mode") else ""
            found += [(f"{row}{mode}: {meanings.get(key, key)}", own[key]) for key in own if key != "mode"]
        return [(meaning, value) for meaning, value in found if value is not None]

    @property
    def failures(self) -> Sequence[Failure]:
        """The first failures."""
        return self.verdict.failures[:MOST_FAILURES]

    @property
    def more_failures(self) -> int:
        """How many failures are not shown."""
        return max(0, len(self.verdict.failures) - MOST_FAILURES)

    @property
    def extra(self) -> Mapping[str, Any]:
        """What only this check has."""
        return self.verdict.extra


@dataclass(frozen=True)
class Gate:
    """Whether the gate is open, and why."""

    open: bool
    checks: Sequence[Check]

    def count(self, status: Status) -> int:
        """Return the number of checks with one status."""
        return sum(check.status == status for check in self.checks)

    @property
    def headline(self) -> str:
        """One line: `gate open: 5 passed, 1 warning`; of a closed gate, the first failure with its figure too."""
        counts = [
            (self.count("fail"), "failed", "failed"),
            (self.count("pass"), "passed", "passed"),
            (self.count("warn"), "warning", "warnings"),
            (self.count("skipped"), "skipped", "skipped"),
        ]
        words = ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)
        if self.open:
            return f"gate open: {words or 'no check was run'}"
        first = next(check for check in self.checks if check.status == "fail")
        why = first.failures[0].message if first.failures else first.verdict.summary
        return f"gate closed by {first.name}: {why} ({words})"

    @property
    def status(self) -> Status:
        """The status of the whole: fail if closed, warn if a check warned, else pass."""
        return "fail" if not self.open else "warn" if self.count("warn") else "pass"

    def by_name(self, name: str) -> Check | None:
        """Return the check of that name, None if it was not run."""
        return next((check for check in self.checks if check.name == name), None)


def read_gate(paths: Sequence[Path]) -> Gate:
    """Read the verdict files, those that failed first; the gate is open if no blocking check failed.

    The gate's own file is not asked: there is none while the gate is closed, and then the report matters most.
    """
    order, worst = list(CHECKS), ("fail", "warn", "pass", "skipped")
    checks = sorted(
        map(read_check, paths), key=lambda check: (worst.index(check.status), order.index(check.name))
    )
    return Gate(all(check.status != "fail" for check in checks), checks)


def read_check(path: Path) -> Check:
    """Read one verdict file; its figures become a table whatever their columns are."""
    verdict = read_verdict(path)
    figures = from_records(f"Figures of the check {verdict.check}", verdict.figures, limit=MOST_ROWS)
    tables = [
        from_records(caption, rows, limit=MOST_ROWS) for caption, rows in verdict.tables.items() if rows
    ]
    return Check(CHECKS[verdict.check], verdict, figures if verdict.figures else None, tables)
