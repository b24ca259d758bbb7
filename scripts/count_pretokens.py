r"""Count the pre-tokens of one shard.

In:  a parquet file with a text column.
Out: an Arrow file of pre-tokens and their counts, sorted by bytes, with totals in its metadata.

    python scripts/count_pretokens.py --shard results/demo/shards/shard_00000.parquet --text-column text \
        --pattern nanochat --output counts.arrow
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.messages import Progress
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class CountPretokens(Stage):
    """Count the pre-tokens of one shard."""

    shard: Path
    """The parquet file."""
    text_column: str
    """Column of the documents."""
    pattern: str
    """Split pattern: gpt2, gpt4, gpt4o, nanochat, or a regex."""
    doc_cap: int = 0
    """Characters of each document; 0 for all."""
    output: Path
    """Count file to write, Arrow."""
    threads: int = 1
    """Threads."""

    def run(self) -> str | None:
        return count(self)


def count(options: CountPretokens) -> str:
    """Write the counts of a shard and return a line that says what was found."""
    from nanosnake.crate import rustbpe
    from nanosnake.sources.unchanged import check_unchanged

    check_unchanged(options.shard)
    with Progress(f"counting {options.shard.name}", unit="MB", scale=1e6) as progress:
        counts = rustbpe.count_parquet(
            str(options.shard),
            pattern=options.pattern,
            text_column=options.text_column,
            doc_cap=options.doc_cap,
            threads=options.threads,
            progress=progress,
        )
    counts.write(str(options.output))
    return (
        f"{options.shard.name}: {counts.documents:,} documents, {counts.characters:,} characters, "
        f"{counts.pretokens:,} pre-tokens, {counts.unique:,} unique"
    )


if __name__ == "__main__":
    main(CountPretokens)
