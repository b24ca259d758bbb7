r"""Sum the pre-token counts of many shards into one table.

In:  count files of shards, in the order of the shards.
Out: one count file; with --max-chars, that of the documents a reader sees up to that many characters.

    python scripts/merge_counts.py --counts results/demo/counts/nanochat --shards 'shard_[00000-00003]' \
        --output merged.arrow

With --max-chars, shards are taken whole until the next one would pass the limit; that one is counted again
up to the document that crosses it (nanochat's rule), and the shards after it are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nanosnake.files import NanosnakeError
from nanosnake.messages import Progress, log
from nanosnake.stages import Names, Stage, main

if TYPE_CHECKING:
    from rustbpe import Counts


@dataclass(frozen=True, kw_only=True)
class MergeCounts(Stage):
    """Sum the pre-token counts of shards."""

    counts: Path
    """Folder of the count files."""
    shards: Names
    """Shards in order, such as 'shard_[00000-00239]'."""
    output: Path
    """Count file to write, Arrow."""
    max_chars: int | None = None
    """Stop after the document that takes the total past this many characters."""
    shard_folder: Path | None = None
    """Folder of the shards, for --max-chars."""
    min_count: int = 1
    """Leave out pre-tokens seen fewer times."""
    threads: int = 1
    """Threads."""

    def run(self) -> str | None:
        return merge(self)


def merge(options: MergeCounts) -> str:
    """Write the summed counts and return a line that says what they hold."""
    from nanosnake.crate import rustbpe

    paths = [options.counts / f"{shard}.arrow" for shard in options.shards]
    partial: list[Counts] = []
    if options.max_chars is not None:
        paths, partial = _limited(options, paths, options.max_chars)
    with Progress("merging counts") as progress:
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


def _limited(options: MergeCounts, paths: list[Path], limit: int) -> tuple[list[Path], list[Counts]]:
    """Return the shards that are taken whole, and the counts of the one that crosses the limit."""
    from nanosnake.crate import rustbpe
    from nanosnake.sources.unchanged import check_unchanged

    taken = 0
    for index, path in enumerate(paths):
        header = rustbpe.Counts.header(path)
        if taken + header["characters"] <= limit:
            taken += header["characters"]
            continue
        left_out = len(paths) - index - 1
        if left_out:
            log(
                f"{limit:,} characters are reached in {path.stem}; the {left_out} shards after it are not used"
            )
        if options.shard_folder is None:
            raise NanosnakeError("--max-chars needs --shard-folder: one shard is counted in part")
        shard = options.shard_folder / f"{path.stem}.parquet"
        check_unchanged(shard)
        counts = rustbpe.count_parquet(
            str(shard),
            pattern=header["pattern"],
            text_column=header["text_column"],
            doc_cap=header["doc_cap"],
            max_chars=limit - taken,
            threads=options.threads,
        )
        return paths[:index], [counts]
    return paths, []


if __name__ == "__main__":
    main(MergeCounts)
