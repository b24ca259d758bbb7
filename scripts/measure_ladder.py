"""Put the models of a ladder on a curve: bits per byte over FLOPs, with the spread over seeds.

In:  the folders of the models, with `training.json` and `evaluation.json`.
Out: the curve as JSON.

    python scripts/measure_ladder.py --ladder base --output results/demo/ladders/base/curve.json \\
        --models results/demo/bpe/base-d2-s1 results/demo/bpe/base-d2-s2
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class MeasureLadder(Stage):
    """Write the curve of a ladder."""

    ladder: str
    """Name of the ladder."""
    models: tuple[Path, ...]
    """Folders of its models."""
    output: Path
    """JSON file to write."""

    def run(self) -> str:
        from nanosnake.files import write_json
        from nanosnake.ladders.measure import measure

        found = measure(self.ladder, self.models)
        write_json(self.output, found)
        return f"{self.output}: {len(found['points'])} depths, {len(self.models)} models"


if __name__ == "__main__":
    main(MeasureLadder)
