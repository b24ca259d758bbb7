"""Convert CORE's published bundle to task files, with the items in nanochat's order.

In:  the bundle (eval_bundle.zip): a URL with its SHA-256, a zip file, or a folder.
Out: a file NAME.json for each of the 22 tasks.

    python scripts/convert_core.py --bundle eval_bundle.zip --out results/_core
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.sources.download import Patience
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class ConvertCore(Stage, Patience):
    """Convert CORE's bundle to task files."""

    bundle: str
    """URL, zip file or folder of the bundle."""
    sha256: str | None = None
    """Expected SHA-256 of a download."""
    baselines: str = "corrected"
    """corrected: the bundle's random baselines with DCLM's corrections; bundle: without them, as in nanochat; or the
    path of a table in the same form."""
    out: Path
    """Folder to write the task files to."""

    def run(self) -> str:
        from nanosnake.evaluation.core import convert
        from nanosnake.sources.download import here

        with here(self.bundle, sha256=self.sha256, patience=self) as bundle:
            counts = convert(bundle, self.baselines, self.out)
        return f"{self.out}: {len(counts)} tasks, {sum(counts.values()):,} items"


if __name__ == "__main__":
    main(ConvertCore)
