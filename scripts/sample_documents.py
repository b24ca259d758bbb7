"""Sample documents of a split for the checks of tokenizers.

Inputs: shards (parquet). Output: JSON lines, one document each: split, shard, row, truncated, text.

    python scripts/sample_documents.py --folder results/demo/shards --shards 'shard_[00000-00003]' \\
        --split train --documents 200 --seed 0 --output results/demo/samples/train.jsonl
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nanosnake.files import NanosnakeError
from nanosnake.stages import Names, Stage, main


@dataclass(frozen=True, kw_only=True)
class SampleDocuments(Stage):
    """Draw documents of a split."""

    folder: Path
    """Folder of the shards."""
    shards: Names
    """Shards to draw from."""
    split: Literal["train", "validation"]
    """Kept with each document."""
    documents: int = 200
    """Documents to draw."""
    seed: int = 0
    """Seed that decides which documents."""
    text_column: str = "text"
    """Column of the documents."""
    max_chars: int = 100_000
    """Characters kept of each document; 0: all."""
    output: Path
    """JSON lines file to write."""

    def run(self) -> str | None:
        count = sample(self)
        return f"{self.output}: {count:,} of {self.documents:,} {self.split} documents wanted"


def sample(options: SampleDocuments) -> int:
    """Write the sample and return how many documents it has."""
    from nanosnake.sources.samples import sample_documents, write_samples
    from nanosnake.sources.unchanged import check_unchanged

    shards = [options.folder / f"{name}.parquet" for name in options.shards]
    for shard in shards:
        check_unchanged(shard)
    samples = sample_documents(
        shards,
        split=options.split,
        documents=options.documents,
        seed=options.seed,
        text_column=options.text_column,
        max_chars=options.max_chars,
    )
    if not samples:
        raise NanosnakeError(
            f"{options.folder}: the {options.split} shards ({options.shards[0]}, …) hold only empty documents; "
            "name other shards"
        )
    write_samples(options.output, samples)
    return len(samples)


if __name__ == "__main__":
    main(SampleDocuments)
