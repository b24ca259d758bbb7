r"""Sum the pre-token counts of the parts of a mixture, each taken a whole number of times.

In:  a count file of each part, and its share of the bytes of text.
Out: one count file, as if each part's documents were repeated by its weight; and a JSON file with the weights: what
     was requested, how it was rounded, and the result.

    python scripts/mix_counts.py --parts web korean --shares 9 1 \
        --counts results/web/counts/nanochat/merged/train.arrow results/korean/counts/nanochat/merged/train.arrow \
        --output merged.arrow --record merged.json
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake.files import NanosnakeError, write_json
from nanosnake.messages import Progress
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class MixCounts(Stage):
    """Sum the pre-token counts of a mixture's parts."""

    parts: tuple[str, ...]
    """Names of the parts."""
    shares: tuple[float, ...] = ()
    """Share of each part, of the bytes of text; in any unit."""
    temperature: float | None = None
    """Instead of shares: a part's share is its bytes to this power."""
    counts: tuple[Path, ...]
    """Count file of each part."""
    output: Path
    """Count file to write, Arrow."""
    record: Path
    """JSON file to write: the weights, and their result."""
    min_count: int = 1
    """Leave out pre-tokens whose weighted sum is smaller."""
    threads: int = 1
    """Threads."""

    def run(self) -> str | None:
        rows = mix(self)
        told = (f"{row['part']} x {row['weight']:,} ({float(row['share']):.2%})" for row in rows)
        return f"{self.output}: {', '.join(told)} of the bytes"


def mix(options: MixCounts) -> list[dict[str, Any]]:
    """Write the weighted sum and its record; return a row for each part."""
    from nanosnake.crate import rustbpe
    from nanosnake.sources import mixture

    given = dict.fromkeys(options.parts, 1.0)
    if options.temperature is None:
        given = dict(zip(options.parts, options.shares, strict=True))
    headers = {
        part: rustbpe.Counts.header(path) for part, path in zip(options.parts, options.counts, strict=True)
    }
    sizes = {part: int(header["bytes"]) for part, header in headers.items()}
    if empty := [part for part, size in sizes.items() if not size]:
        raise NanosnakeError(
            f"{empty[0]}: its training shards hold no text, so it cannot have a share; remove it from the mixture"
        )
    wanted = mixture.shares(given, sizes, options.temperature)
    weights = mixture.weights(wanted, sizes)
    with Progress("summing counts") as progress:
        totals = rustbpe.merge_counts(
            [str(path) for path in options.counts],
            str(options.output),
            weights=[weights[part] for part in options.parts],
            min_count=options.min_count,
            threads=options.threads,
            progress=progress,
        )
    shares = mixture.taken(weights, sizes)
    rows = [
        {
            "part": part,
            "documents": headers[part]["documents"],
            "bytes": sizes[part],
            "share_wanted": float(wanted[part]),
            "weight": weights[part],
            "share": float(shares[part]),
        }
        for part in options.parts
    ]
    write_json(options.record, {"parts": rows, "sums": {**totals}, "largest_possible": 2**64 - 1})
    return rows


if __name__ == "__main__":
    main(MixCounts)
