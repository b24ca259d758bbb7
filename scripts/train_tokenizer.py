"""Train a tokenizer: turn summed pre-token counts into a list of merges.

In:  one count file.
Out: an Arrow file with a row per merge: left id, right id, count of the pair when it was merged; and a JSON file
     that says when the training began and ended. Times stand apart, so that equal counts give equal merges.

    python scripts/train_tokenizer.py --counts merged.arrow --merges 32503 --output merges.arrow --times training.json
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from nanosnake import cli
from nanosnake.crate import rustbpe
from nanosnake.files import NanosnakeError, write_json


@dataclass(frozen=True)
class Options:
    """What to train on, and how far."""

    counts: Path
    merges: int
    output: Path
    times: Path
    threads: int


def train(options: Options) -> str:
    """Write the merges and return a line that says how far the training went.

    Raises:
        NanosnakeError: if the text has fewer pairs to merge than asked for.
    """
    began = datetime.now(UTC)
    needed = rustbpe.training_memory(str(options.counts), options.merges)
    cli.log(
        f"{options.merges:,} merges over {options.counts} will take up to {needed / 1e6:,.0f} MB of memory"
    )
    with cli.Progress("merging", unit="merges") as progress:
        merges = rustbpe.train_merges(
            str(options.counts), options.merges, threads=options.threads, progress=progress
        )
    if len(merges) < options.merges:
        raise NanosnakeError(
            f"{options.counts}: the text gives {len(merges):,} merges and {options.merges:,} were asked for; "
            f"lower vocab_size by {options.merges - len(merges):,} or more, or train on more text"
        )
    merges.write(str(options.output))
    ended = datetime.now(UTC)
    times = {
        "began": began.isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds"),
        "seconds": round((ended - began).total_seconds(), 3),
        "merges": len(merges),
    }
    write_json(options.times, times)
    return f"{len(merges):,} merges in {times['seconds']} s"


def main(argv: list[str] | None = None) -> int:
    """Read the command line and train."""
    parser = cli.parser(__doc__)
    parser.add_argument("--counts", type=Path, required=True)
    parser.add_argument("--merges", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--times", type=Path, required=True, help="JSON file to write: when it was trained")
    parser.add_argument("--threads", type=int, default=1)
    cli.log(train(cli.fill(Options, parser.parse_args(argv))))
    return 0


if __name__ == "__main__":
    cli.run_main(main)
