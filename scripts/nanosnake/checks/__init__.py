"""Checks of a tokenizer: each a module with `check(subject, thresholds) -> Findings`, told apart by name."""

from nanosnake.checks.spec import BASELINE_NAMES, CHECKS, MODES, CheckSpec, Threshold
from nanosnake.checks.verdict import Failure, Findings, Verdict, read_verdict

__all__ = [
    "BASELINE_NAMES",
    "CHECKS",
    "MODES",
    "CheckSpec",
    "Failure",
    "Findings",
    "Threshold",
    "Verdict",
    "read_verdict",
]
