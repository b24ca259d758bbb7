"""The checks with their verdicts, ready to be shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nanosnake.checks import CHECKS
from nanosnake.checks.spec import Check as Spec
from nanosnake.checks.verdict import Failure, Verdict
from nanosnake.report.tables import Table, from_records

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


def shown(verdict: Verdict) -> Check:
    """Return a check as the page shows it; its figures become a table whatever their columns are."""
    figures = from_records(f"Figures of the check {verdict.check}", verdict.figures, limit=MOST_ROWS)
    tables = [
        from_records(caption, rows, limit=MOST_ROWS) for caption, rows in verdict.tables.items() if rows
    ]
    return Check(CHECKS[verdict.check], verdict, figures if verdict.figures else None, tables)
