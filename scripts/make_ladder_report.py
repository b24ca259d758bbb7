"""Make the page of a ladder, or of a comparison of two. Like all pages, it is one self-contained file.

In:  one curve; or two, with their comparison and the claim about them.
Out: the page.

    python scripts/make_ladder_report.py --dataset demo --name base --curves results/demo/ladders/base/curve.json \\
        --output results/demo/ladders/base/index.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class MakeLadderReport(Stage):
    """Write the page of a ladder or of a comparison."""

    dataset: str
    """Name of the data set."""
    name: str
    """Name of the ladder, or of the comparison."""
    curves: tuple[Path, ...]
    """`curve.json` of the ladders."""
    comparison: Path | None = None
    """`comparison.json` of two ladders."""
    claim: Path | None = None
    """`claim.json`, the verdict on the claim about them."""
    output: Path
    """Page to write."""

    def run(self) -> str:
        import os

        from nanosnake.files import read_json
        from nanosnake.report.ladders import comparison_page, ladder_page
        from nanosnake.report.render import write_page
        from nanosnake.report.tables import format_size

        curves = [read_json(path) for path in self.curves]
        if self.comparison and self.claim:
            found, claim = read_json(self.comparison), read_json(self.claim)
            pages = [
                os.path.relpath(path.with_name("index.html"), self.output.parent) for path in self.curves
            ]
            text = comparison_page(self.dataset, self.name, curves, pages, found, claim)
        else:
            text = ladder_page(self.dataset, curves[0], self.output)
        return f"{self.output}: {format_size(write_page(text, self.output))}"


if __name__ == "__main__":
    main(MakeLadderReport)
