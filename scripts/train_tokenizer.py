"""Train a tokenizer: turn summed pre-token counts into a list of merges.

In:  one count file; with --base also the merges of another tokenizer, which come first.
Out: an Arrow file with a row per merge: left id, right id, count of the pair when it was merged.

    python scripts/train_tokenizer.py --counts merged.arrow --merges 32503 --output merges.arrow
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.files import NanosnakeError
from nanosnake.messages import Progress, log
from nanosnake.stages import Stage, Texts, main


@dataclass(frozen=True, kw_only=True)
class TrainTokenizer(Stage):
    """Learn merges from summed counts."""

    counts: Path
    """Count file."""
    merges: int
    """Merges in total."""
    base: Path | None = None
    """Merges that come first, Arrow."""
    seeds: Texts = ()
    """Tokens whose merges come next, a JSON list."""
    output: Path
    """Merges to write, Arrow."""
    threads: int = 1
    """Threads."""

    def run(self) -> str | None:
        return train(self)


def train(options: TrainTokenizer) -> str:
    """Write the merges and return a line that says how far the training went.

    Raises:
        NanosnakeError: if the text has fewer pairs to merge than asked for, or the first merges are not available.
    """
    from nanosnake.crate import rustbpe
    from nanosnake.tokenizer.merging import no_room

    start = first_merges(options)
    if len(start) > options.merges:
        raise no_room(options.merges, len(start))
    needed = rustbpe.training_memory(str(options.counts), options.merges)
    log(f"{options.merges:,} merges over {options.counts} will take up to {needed / 1e6:,.0f} MB of memory")
    with Progress("merging", unit="merges") as progress:
        merges = rustbpe.train_merges(
            str(options.counts), options.merges, start=start, threads=options.threads, progress=progress
        )
    if len(merges) < options.merges:
        raise NanosnakeError(
            f"{options.counts}: the text gives {len(merges):,} merges, but {options.merges:,} were requested; "
            f"lower vocab_size by {options.merges - len(merges):,} or more, or train on more text"
        )
    merges.write(str(options.output))
    given = f", {merges.given:,} of them given" if merges.given else ""
    return f"{options.output}: {len(merges):,} merges{given}"


def first_merges(options: TrainTokenizer) -> list[tuple[int, int]]:
    """Return the merges that are not learned: those of the base, then those that make the seeds.

    Raises:
        NanosnakeError: if the base cannot be extended.
    """
    from nanosnake.crate import rustbpe
    from nanosnake.tokenizer.merging import never_merged, with_seeds

    base = rustbpe.Merges.read(options.base).pairs() if options.base else []
    if options.merges > len(base) and (whole := never_merged(base)):
        raise NanosnakeError(
            f"{options.base}: cannot be extended, because no merges lead to {len(whole):,} of its tokens, such as "
            f"{whole[0]!r}: new merges could make them a second time"
        )
    return with_seeds(base, options.seeds)


if __name__ == "__main__":
    main(TrainTokenizer)
