"""Compare two ladders and judge the claim about them.

In:  their curves, `nats.parquet` of their models, and the record of the claim's terms.
Out: the comparison and the claim as JSON.

    python scripts/compare_ladders.py --curves wide/curve.json base/curve.json --terms '{"of": ["wide", "base"], …}' \\
        --preregistration history/preregistrations/wide_vs_base.json --output comparison.json --claim claim.json
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.stages import Object, Stage, main


@dataclass(frozen=True, kw_only=True)
class CompareLadders(Stage):
    """Write a comparison and its claim."""

    curves: tuple[Path, ...]
    """`curve.json` of the two ladders, the one that the claim is about first."""
    terms: Object
    """Settings of the comparison, as in the configuration."""
    preregistration: Path
    """Record of the terms."""
    output: Path
    """JSON file of the comparison."""
    claim: Path
    """JSON file of the claim."""

    def run(self) -> str:
        from nanosnake.files import write_json
        from nanosnake.ladders.claims import claim
        from nanosnake.ladders.compare import Side, compare
        from nanosnake.ladders.measure import read_points
        from nanosnake.ladders.preregistration import judge

        first, second = (
            Side.read(name, read_points(curve))
            for name, curve in zip(self.terms["of"], self.curves, strict=True)
        )
        found = compare(first, second, self.terms["at"])
        judged = claim(self.terms, found, judge(self.preregistration, self.terms))
        write_json(self.output, found)
        write_json(self.claim, judged)
        return f"{self.claim}: {judged['claim']}: {judged['verdict']}"


if __name__ == "__main__":
    main(CompareLadders)
