"""The last lines of a run: what the gates and the models came to."""

from __future__ import annotations

import sys
from pathlib import Path

from nanosnake import layout
from nanosnake.checks.verdict import read_verdict
from nanosnake.files import read_json
from nanosnake.workflow.models import Models
from nanosnake.workflow.tokenizers import Tokenizers


def say_verdicts(tokenizers: Tokenizers, models: Models) -> None:
    """Print the state of each gate and the score of each model."""
    for name in tokenizers.config.tokenizers:
        folder = Path(tokenizers.home(name))
        found = [read_verdict(path) for path in sorted(folder.glob("checks/*.json"))]
        verdicts = [verdict for verdict in found if verdict.check in tokenizers.checks()]
        blocking = [verdict.check for verdict in verdicts if verdict.blocks]
        warnings = [verdict.check for verdict in verdicts if verdict.warns]
        if blocking:
            state = f"gate CLOSED by {', '.join(blocking)}"
        else:
            state = "gate open" if (folder / "gate.json").exists() else "gate not reached"
        warned = f"; warnings: {', '.join(warnings)}" if warnings else ""
        print(f"{name}: {state}{warned}; see {folder}/report/index.html", file=sys.stderr)
    for result in map(Path, models.each(layout.EVALUATION)):
        if result.exists():
            evaluation = read_json(result)
            others = ", ".join(f"{name} {bits:.3f}" for name, bits in evaluation["baselines"].items())
            print(
                f"{result.parent.name}: {evaluation['bits_per_byte']:.3f} bits per byte ({others});"
                f" see {result.parent}/report/index.html",
                file=sys.stderr,
            )
