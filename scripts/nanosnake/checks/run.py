"""Run a check by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nanosnake.checks import agreement, compression, reachability, round_trip, token_lengths, vocabulary_use
from nanosnake.checks.material import Subject
from nanosnake.checks.spec import CHECKS
from nanosnake.checks.verdict import Findings, Verdict, verdict_of

Check = Callable[[Subject, Mapping[str, float | None]], Findings]

# imported by name, not by importlib: the files that decide a result are found through imports
FUNCTIONS: dict[str, Check] = {
    "round_trip": round_trip.check,
    "agreement": agreement.check,
    "reachability": reachability.check,
    "compression": compression.check,
    "token_lengths": token_lengths.check,
    "vocabulary_use": vocabulary_use.check,
}


def run_check(name: str, mode: str, thresholds: Mapping[str, float | None], subject: Subject) -> Verdict:
    """Return a check's verdict on a tokenizer.

    Args:
        name: one of CHECKS.
        mode: `block` or `warn`.
        thresholds: those that are not the default.

    Raises:
        NanosnakeError: for an unknown threshold, or if the check could not run.
    """
    spec = CHECKS[name]
    filled = spec.filled(thresholds)
    return verdict_of(spec, mode, filled, FUNCTIONS[name](subject, filled), subject.tokenizer.hashes)
