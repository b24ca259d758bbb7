"""The gate: whether it is open, and how the job, the final summary, the report and the index describe it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nanosnake.checks import NAMES
from nanosnake.checks.verdict import STATUSES, Status, Verdict, read_verdict

SHOWN = 5
"""How many failures of one check are printed; its verdict file lists more."""


@dataclass(frozen=True)
class Gate:
    """The verdicts on a tokenizer by their files, those that close the gate first."""

    verdicts: Mapping[Path, Verdict]

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Self:
        """Read verdict files.

        The gate's own file is not read: while the gate is closed, it does not exist, and the report matters most.
        """
        found = [(path, read_verdict(path)) for path in paths]
        found.sort(key=lambda pair: (STATUSES.index(pair[1].status), NAMES.index(pair[1].check)))
        return cls(dict(found))

    def named(self, status: Status) -> list[str]:
        """Return the checks of one status."""
        return [verdict.check for verdict in self.verdicts.values() if verdict.status == status]

    @property
    def open(self) -> bool:
        """Whether no blocking check failed."""
        return not self.named("fail")

    @property
    def status(self) -> Status:
        """The status of the whole: fail if closed, warn if a check warned, else pass."""
        return "fail" if not self.open else "warn" if self.named("warn") else "pass"

    @property
    def state(self) -> str:
        """In a few words: `gate CLOSED by compression; warnings: twins`."""
        words = "gate open" if self.open else f"gate CLOSED by {', '.join(self.named('fail'))}"
        warned = [verdict.check for verdict in self.verdicts.values() if verdict.warns]
        return f"{words}; warnings: {', '.join(warned)}" if warned else words

    @property
    def headline(self) -> str:
        """In one line: `gate open: 5 passed, 1 warning`; for a closed gate, also the first failure with its figure."""
        names: dict[Status, str] = {
            "fail": "failed",
            "pass": "passed",
            "warn": "warnings",
            "skipped": "skipped",
        }
        counts = {name: len(self.named(status)) for status, name in names.items()}
        words = ", ".join(
            f"{count} {name.removesuffix('s') if count == 1 else name}"
            for name, count in counts.items()
            if count
        )
        if self.open:
            return f"gate open: {words or 'no check was run'}"
        first = next(iter(self.verdicts.values()))
        why = first.failures[0].message if first.failures else first.summary
        return f"gate closed by {first.check}: {why} ({words})"

    def refusal(self, tokenizer: str) -> str:
        """Return what to print when the gate of a tokenizer stays closed."""
        lines = [f"{tokenizer}: the gate stays closed: {', '.join(self.named('fail'))} failed"]
        for path, verdict in self.verdicts.items():
            shown, more = verdict.blocking[:SHOWN], len(verdict.blocking) - SHOWN
            lines += [f"  {verdict.check}: {failure.message}" for failure in shown]
            if shown:
                what = f"{more:,} more of them" if more > 0 else "the figures"
                lines.append(f"  {verdict.check}: {what} in {path}")
        lines.append(
            "  next: change the tokenizer, or, if this is what you want, the check's threshold or its mode (block, warn, "
            "off) in the configuration, and run again"
        )
        return "\n".join(lines)
