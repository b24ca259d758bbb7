"""Open the gate between a tokenizer and the expensive stages, or say why it stays closed.

Inputs: the verdicts on a tokenizer, its folder. Output: gate.json, written only if no blocking check failed; otherwise
the script exits with 1 and names the check, the text, the figure and the next step. Warnings are printed.

    python scripts/decide_gate.py --tokenizer results/demo/bpe-4096/tokenizer \\
        --verdicts results/demo/bpe-4096/checks/*.json --output results/demo/bpe-4096/gate.json
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nanosnake.files import NanosnakeError, write_json
from nanosnake.stages import Stage, main

if TYPE_CHECKING:
    from nanosnake.checks.gate import Gate
    from nanosnake.tokenizer.folder import TokenizerFolder


def decide(tokenizer: TokenizerFolder, gate: Gate) -> dict[str, Any]:
    """Return the content of gate.json.

    Raises:
        NanosnakeError: if a blocking check failed, a check has two verdicts, or one is about other files.
    """
    names = [verdict.check for verdict in gate.verdicts.values()]
    if twice := {name for name in names if names.count(name) > 1}:
        raise NanosnakeError(
            f"--verdicts: the check {min(twice)} has two verdicts; name one verdict file for each check"
        )
    for path, verdict in gate.verdicts.items():
        if verdict.verdict != "skipped" and verdict.extra.get("tokenizer") != dict(tokenizer.hashes):
            raise NanosnakeError(
                f"{path}: is about other tokenizer files than those in {tokenizer.folder}; delete it and run the "
                f"check {verdict.check} again"
            )
    if not gate.open:
        raise NanosnakeError(gate.refusal(tokenizer.name))
    warned = [verdict for verdict in gate.verdicts.values() if verdict.warns]
    return {
        "open": True,
        "failed": [],
        "warned": [verdict.check for verdict in warned],
        "warnings": [
            f"{verdict.check}: {failure.message}" for verdict in warned for failure in verdict.warnings
        ],
        "checks": {verdict.check: verdict.verdict for verdict in gate.verdicts.values()},
        "tokenizer": dict(tokenizer.hashes),
    }


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
        from nanosnake.checks.gate import Gate
        from nanosnake.tokenizer.folder import load

        self.output.unlink(missing_ok=True)  # a refusal removes the open gate of an earlier run
        gate = Gate.read(self.verdicts)
        content = decide(load(self.tokenizer), gate)
        write_json(self.output, content)
        return "\n".join(
            [f"{self.output}: {gate.headline}", *(f"  warning: {warning}" for warning in content["warnings"])]
        )


if __name__ == "__main__":
    main(DecideGate)
