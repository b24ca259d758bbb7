"""Open the gate between a tokenizer and what is expensive, or say why it stays closed.

Inputs: the verdicts on a tokenizer, its folder. Output: gate.json, written only if no blocking check failed; else
this exits with 1 and names the check, the text, the figure and the next step. Warnings are printed.

    python scripts/decide_gate.py --tokenizer results/demo/bpe4k/tokenizer \\
        --verdicts results/demo/bpe4k/checks/*.json --output results/demo/bpe4k/gate.json
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nanosnake.files import NanosnakeError, write_json
from nanosnake.stages import Stage, main

if TYPE_CHECKING:
    from nanosnake.checks.verdict import Verdict
    from nanosnake.tokenizer.folder import TokenizerFolder

SHOWN = 5
"""How many failures of one check are printed; all stand in its verdict file."""


def decide(tokenizer: TokenizerFolder, verdicts: Mapping[Path, Verdict]) -> dict[str, Any]:
    """Return the content of gate.json.

    Raises:
        NanosnakeError: if a blocking check failed, or a verdict is of other tokenizer files or stands twice.
    """
    names = [verdict.check for verdict in verdicts.values()]
    if twice := {name for name in names if names.count(name) > 1}:
        raise NanosnakeError(
            f"--verdicts: {min(twice)} is judged twice; name one verdict file for each check"
        )
    for path, verdict in verdicts.items():
        if verdict.verdict != "skipped" and verdict.extra.get("tokenizer") != dict(tokenizer.hashes):
            raise NanosnakeError(
                f"{path}: is a verdict on other files than those in {tokenizer.folder}; delete it and run the "
                f"check {verdict.check} again"
            )
    if blocking := {path: verdict for path, verdict in verdicts.items() if verdict.blocks}:
        raise NanosnakeError(_refusal(tokenizer, blocking))
    warned = [verdict for verdict in verdicts.values() if verdict.warns]
    return {
        "open": True,
        "failed": [],
        "warned": [verdict.check for verdict in warned],
        "warnings": [
            f"{verdict.check}: {failure.message}" for verdict in warned for failure in verdict.warnings
        ],
        "checks": {verdict.check: verdict.verdict for verdict in verdicts.values()},
        "tokenizer": dict(tokenizer.hashes),
    }


def _refusal(tokenizer: TokenizerFolder, blocking: Mapping[Path, Verdict]) -> str:
    """Return what to print when the gate stays closed."""
    lines = [
        f"{tokenizer.name}: the gate stays closed: {', '.join(v.check for v in blocking.values())} failed"
    ]
    for path, verdict in blocking.items():
        for failure in verdict.blocking[:SHOWN]:
            lines.append(f"  {verdict.check}: {failure.message}")
        more = len(verdict.blocking) - SHOWN
        lines.append(
            f"  {verdict.check}: {f'{more:,} more of them' if more > 0 else 'the figures'} in {path}"
        )
    lines.append(
        "  next: change the tokenizer, or, if this is what you want, the check's threshold or its mode (block, warn, "
        "off) in the configuration, and run again"
    )
    return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class DecideGate(Stage):
    """Open the gate, unless a check that blocks has failed."""

    tokenizer: Path
    """Tokenizer folder."""
    verdicts: tuple[Path, ...]
    """Verdict files."""
    output: Path
    """Gate file to write."""

    def run(self) -> str | None:
        from nanosnake.checks.verdict import read_verdict
        from nanosnake.tokenizer.folder import load

        self.output.unlink(missing_ok=True)  # a refusal leaves no open gate of an earlier run
        gate = decide(load(self.tokenizer), {path: read_verdict(path) for path in self.verdicts})
        write_json(self.output, gate)
        passed = list(gate["checks"].values()).count("pass")
        lines = [f"{self.output}: open; {passed} of {len(gate['checks'])} checks passed"]
        return "\n".join([*lines, *(f"  warning: {warning}" for warning in gate["warnings"])])


if __name__ == "__main__":
    main(DecideGate)
