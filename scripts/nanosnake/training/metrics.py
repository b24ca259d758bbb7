"""The metrics of a run: one JSON object per line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake.files import replacing


class Metrics:
    """Appends rows to a JSON Lines file.

    A run that resumes from step s drops the rows after s, so no step is in the table twice.
    """

    def __init__(self, path: Path | None, *, resume_step: int) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        if path is not None:
            self.rows = [row for row in read_rows(path) if row["step"] <= resume_step]
            with replacing(path) as temporary:
                temporary.write_text("".join(json.dumps(row) + "\n" for row in self.rows), encoding="utf-8")

    def add(self, row: dict[str, Any]) -> None:
        """Write one row; keys with no value are left out."""
        row = {key: value for key, value in row.items() if value is not None}
        self.rows.append(row)
        if self.path is not None:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")


@dataclass
class Spent:
    """What the steps of a run cost, over all attempts, without steps that were lost for lack of a checkpoint."""

    seconds: float = 0.0
    """Seconds of all steps except each attempt's first, which compiles."""
    steps: int = 0
    waited: float = 0.0
    """Seconds of those steps spent waiting for data."""
    attempts: int = 1

    def add(self, seconds: float, steps: int, waited: float) -> None:
        """Count some steps."""
        self.seconds, self.steps, self.waited = (
            self.seconds + seconds,
            self.steps + steps,
            self.waited + waited,
        )


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a table; a last line that a kill cut off is left out."""
    rows: list[dict[str, Any]] = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
    return rows
