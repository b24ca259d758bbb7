r"""Count the pre-tokens of one shard.

In:  a parquet file with a text column.
Out: an Arrow file of pre-tokens and their counts, sorted by bytes, with totals in its metadata.

    python scripts/count_pretokens.py --shard results/demo/shards/shard_00000.parquet --text-column text \
        --pattern nanochat --output counts.arrow
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake import cli
from nanosnake.crate import rustbpe


@dataclass(frozen=True)
class Options:
    """What to count and how."""

    shard: Path
    text_column: str
    pattern: str
    doc_cap: int
    output: Path
    threads: int


def count(options: Options) -> str:
    """Write the counts of a shard and return a line that says what was found."""
    with cli.Progress(f"counting {options.shard.name}", unit="MB", scale=1e6) as progress:
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


def main(argv: list[str] | None = None) -> int:
    """Read the command line and count."""
    parser = cli.parser(__doc__)
    parser.add_argument("--shard", type=Path, required=True)
    parser.add_argument("--text-column", required=True)
    parser.add_argument("--pattern", required=True, help="gpt2, gpt4, gpt4o, nanochat, or a regex")
    parser.add_argument("--doc-cap", type=int, default=0, help="characters per document, 0 for all")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    cli.log(count(cli.fill(Options, parser.parse_args(argv))))
    return 0


if __name__ == "__main__":
    cli.run_main(main)
