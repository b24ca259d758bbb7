"""Open the gate between a tokenizer and what is expensive, or say why it stays closed.

Inputs: the verdicts on a tokenizer, its folder. Output: gate.json, written only if no blocking check failed; else
this exits with 1 and names the check, the text, the figure and the next step. Warnings are printed.

    python scripts/decide_gate.py --tokenizer results/demo/bpe4k/tokenizer \\
        --verdicts results/demo/bpe4k/checks/*.json --output results/demo/bpe4k/gate.json
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nanosnake import cli
from nanosnake.checks.verdict import Verdict, read_verdict
from nanosnake.files import NanosnakeError, write_json
from nanosnake.tokenizer.folder import TokenizerFolder, load

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
            f"{verdict.check}: {failure.message}" for verdict in warned for failure in verdict.failures
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
        for failure in verdict.failures[:SHOWN]:
            lines.append(f"  {verdict.check}: {failure.message}")
        more = len(verdict.failures) - SHOWN
        lines.append(
            f"  {verdict.check}: {f'{more:,} more of them' if more > 0 else 'the figures'} in {path}"
        )
    lines.append(
        "  next: change the tokenizer, or, if this is what you want, the check's threshold or its mode (block, warn, "
        "off) in the configuration, and run again"
    )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Read the command line and decide."""
    parser = cli.parser(__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer folder")
    parser.add_argument("--verdicts", type=Path, nargs="*", required=True, help="verdict files")
    parser.add_argument("--output", type=Path, required=True, help="gate file to write")
    options = parser.parse_args(argv)
    options.output.unlink(missing_ok=True)  # a refusal leaves no open gate of an earlier run
    gate = decide(load(options.tokenizer), {path: read_verdict(path) for path in options.verdicts})
    write_json(options.output, gate)
    passed = list(gate["checks"].values()).count("pass")
    cli.log(f"{options.output}: open; {passed} of {len(gate['checks'])} checks passed")
    for warning in gate["warnings"]:
        cli.log(f"  warning: {warning}")
    return 0


if __name__ == "__main__":
    cli.run_main(main)
