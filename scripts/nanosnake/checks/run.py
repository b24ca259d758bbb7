"""Run a check by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nanosnake.checks import agreement, compression, reachability, round_trip, token_lengths, vocabulary_use
from nanosnake.checks.engines import Panicked
from nanosnake.checks.material import Subject
from nanosnake.checks.spec import CHECKS
from nanosnake.checks.verdict import Failure, Findings, Verdict, verdict_of

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
    try:
        findings = FUNCTIONS[name](subject, filled)
    except Panicked as panic:
        findings = _panic(panic, subject)
    return verdict_of(spec, mode, filled, findings, subject.tokenizer.hashes)


def _panic(panic: Panicked, subject: Subject) -> Findings:
    """Return the findings of a check that a library's panic has ended: one failure, which names text and engine."""
    places = [
        (item.name, document.label) for item, document in subject.documents() if document.text == panic.text
    ]
    item, label = places[0] if places else ("ids", str(panic.text)[:80])
    return Findings(
        f"{panic}; the check could not go on", failures=[Failure(item, None, f"{label}: {panic}")]
    )
