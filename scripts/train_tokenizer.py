"""Train a tokenizer: turn summed pre-token counts into a list of merges.

In:  one count file.
Out: an Arrow file with a row per merge: left id, right id, count of the pair when it was merged.

    python scripts/train_tokenizer.py --counts merged.arrow --merges 32503 --output merges.arrow
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.files import NanosnakeError
from nanosnake.messages import Progress, log
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class TrainTokenizer(Stage):
    """Learn merges from summed counts."""

    counts: Path
    """Count file."""
    merges: int
    """Merges to learn."""
    output: Path
    """Merges to write, Arrow."""
    threads: int = 1
    """Threads."""

    def run(self) -> str | None:
        return train(self)


def train(options: TrainTokenizer) -> str:
    """Write the merges and return a line that says how far the training went.

    Raises:
        NanosnakeError: if the text has fewer pairs to merge than asked for.
    """
    from nanosnake.crate import rustbpe

    needed = rustbpe.training_memory(str(options.counts), options.merges)
    log(f"{options.merges:,} merges over {options.counts} will take up to {needed / 1e6:,.0f} MB of memory")
    with Progress("merging", unit="merges") as progress:
        merges = rustbpe.train_merges(
            str(options.counts), options.merges, threads=options.threads, progress=progress
        )
    if len(merges) < options.merges:
        raise NanosnakeError(
            f"{options.counts}: the text gives {len(merges):,} merges and {options.merges:,} were asked for; "
            f"lower vocab_size by {options.merges - len(merges):,} or more, or train on more text"
        )
    merges.write(str(options.output))
    return f"{options.output}: {len(merges):,} merges"


if __name__ == "__main__":
    main(TrainTokenizer)
