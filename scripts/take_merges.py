"""Take the merges of a tokenizer that was made elsewhere, if ours then gives the same tokens for every text.

In:  a tokenizer.json, its folder, a .tiktoken file, or the name of a published vocabulary.
Out: an Arrow file of merges, with counts of 0: training on it counts them.

    python scripts/take_merges.py --source vendor/llama --output given.arrow
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class TakeMerges(Stage):
    """Take merges from elsewhere."""

    packages = ("tiktoken",)

    source: str
    """A tokenizer.json, its folder, a .tiktoken file, or gpt2, cl100k_base, o200k_base."""
    pattern: str
    """Its split pattern: a name or a regex."""
    baseline_cache: Path = Path(".cache/baselines")
    """Where published vocabularies are kept."""
    output: Path
    """Merges to write, Arrow."""

    def run(self) -> str | None:
        from nanosnake.tokenizer.conversion import convert, write_merges

        pairs = convert(self.source, self.pattern, self.baseline_cache)
        write_merges(pairs, self.pattern, self.output)
        return f"{self.output}: {len(pairs):,} merges"


if __name__ == "__main__":
    main(TakeMerges)
