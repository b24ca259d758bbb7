r"""Sum the pre-token counts of many shards into one table.

In:  count files of shards, in the order of the shards.
Out: one count file; with --max-chars the sum of what a reader meets before it has seen that many characters.

    python scripts/merge_counts.py --counts results/demo/counts/nanochat --shards 'shard_[00000-00003]' \
        --output merged.arrow

With --max-chars, shards are taken whole until the next one would pass the limit; that one is counted again
up to the document that crosses it (nanochat's rule), and the shards after it are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake import cli
from nanosnake.crate import rustbpe
from nanosnake.files import NanosnakeError
from nanosnake.naming import expand


@dataclass(frozen=True)
class Options:
    """Which counts to sum."""

    counts: Path
    shards: list[str]
    output: Path
    max_chars: int | None
    shard_folder: Path | None
    min_count: int
    threads: int


def merge(options: Options) -> str:
    """Write the summed counts and return a line that says what they hold."""
    paths = [options.counts / f"{shard}.arrow" for shard in options.shards]
    partial: list[rustbpe.Counts] = []
    if options.max_chars is not None:
        paths, partial = _limited(options, paths, options.max_chars)
    with cli.Progress("merging counts") as progress:
        totals = rustbpe.merge_counts(
            [str(path) for path in paths],
            str(options.output),
            extra=partial,
            min_count=options.min_count,
            threads=options.threads,
            progress=progress,
        )
    return (
        f"{len(paths) + len(partial)} shards: {totals['documents']:,} documents, {totals['characters']:,} characters, "
        f"{totals['pretokens']:,} pre-tokens, {totals['unique']:,} unique"
    )


def _limited(options: Options, paths: list[Path], limit: int) -> tuple[list[Path], list[rustbpe.Counts]]:
    """Return the shards that are taken whole, and the counts of the one that crosses the limit."""
    taken = 0
    for index, path in enumerate(paths):
        header = rustbpe.Counts.header(path)
        if taken + header["characters"] <= limit:
            taken += header["characters"]
            continue
        left_out = len(paths) - index - 1
        if left_out:
            cli.log(
                f"{limit:,} characters are reached in {path.stem}; the {left_out} shards after it are not used"
            )
        if options.shard_folder is None:
            raise NanosnakeError("--max-chars needs --shard-folder: one shard is counted in part")
        counts = rustbpe.count_parquet(
            str(options.shard_folder / f"{path.stem}.parquet"),
            pattern=header["pattern"],
            text_column=header["text_column"],
            doc_cap=header["doc_cap"],
            max_chars=limit - taken,
            threads=options.threads,
        )
        return paths[:index], [counts]
    return paths, []


def main(argv: list[str] | None = None) -> int:
    """Read the command line and merge."""
    parser = cli.parser(__doc__)
    parser.add_argument("--counts", type=Path, required=True, help="folder of the count files")
    parser.add_argument(
        "--shards", type=expand, required=True, help="names in order, such as 'shard_[00000-00239]'"
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--max-chars", type=int)
    parser.add_argument("--shard-folder", type=Path, help="folder of the shards, for --max-chars")
    parser.add_argument("--min-count", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    cli.log(merge(cli.fill(Options, parser.parse_args(argv))))
    return 0


if __name__ == "__main__":
    cli.run_main(main)
