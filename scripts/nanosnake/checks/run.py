"""Run a check by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nanosnake.checks import CHECKS
from nanosnake.checks.material import Subject
from nanosnake.checks.verdict import Failure, Findings, Verdict, verdict_of
from nanosnake.files import NanosnakeError
from nanosnake.messages import Panicked


def run_check(name: str, mode: str, thresholds: Mapping[str, Any], subject: Subject) -> Verdict:
    """Return a check's verdict on a tokenizer.

    Args:
        name: one of CHECKS.
        mode: `block` or `warn`.
        thresholds: those that differ from the defaults; under `rows`, those of single rows.

    Raises:
        NanosnakeError: for an unknown threshold or row, or if the check could not run.
    """
    check = CHECKS[name]
    limits = check.limits(thresholds)
    try:
        findings = check.run(subject, limits)
    except Panicked as panic:
        return verdict_of(check, mode, limits, _panic(panic, subject), subject.tokenizer.hashes)
    rows = [str(next(iter(row.values()))) for row in findings.figures]
    if rows and (unknown := [row for row in limits.rows if row not in rows]):
        raise NanosnakeError(f"checks.{name}.rows.{unknown[0]}: no such row; there are: {', '.join(rows)}")
    return verdict_of(check, mode, limits, findings, subject.tokenizer.hashes)


def _panic(panic: Panicked, subject: Subject) -> Findings:
    """Return the findings of a check that a library's panic ended: one failure, which names text and engine."""
    places = [
        (item.name, document.label) for item, document in subject.documents() if document.text == panic.given
    ]
    item, label = places[0] if places else ("ids", "not a document")
    return Findings(
        f"{panic}; the check could not continue", failures=[Failure(item, None, f"{label}: {panic}")]
    )
