"""Take a smaller tokenizer's merges from a larger one: its first merges, as training the smaller one would find them.

In:  the merges of a larger vocabulary of the same counts, an Arrow file.
Out: an Arrow file with the first of them.

    python scripts/cut_merges.py --larger results/demo/bpe-65536/merges.arrow --merges 8183 --output merges.arrow
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.files import NanosnakeError, replacing
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class CutMerges(Stage):
    """Cut merges from those of a larger vocabulary."""

    larger: Path
    """Merges of the larger vocabulary, Arrow."""
    merges: int
    """Merges to keep."""
    output: Path
    """Merges to write, Arrow."""

    def run(self) -> str | None:
        return cut(self)


def cut(options: CutMerges) -> str:
    """Write the first merges and return a line that says how many.

    Raises:
        NanosnakeError: if there are fewer merges, or a base and seeds alone give more.
    """
    import pyarrow as pa

    from nanosnake.tokenizer.merging import no_room

    with pa.ipc.open_file(str(options.larger)) as reader:
        table = reader.read_all()
    if len(table) < options.merges:
        raise NanosnakeError(
            f"{options.larger}: has {len(table):,} merges, wanted {options.merges:,}; delete it and train again"
        )
    given = int((table.schema.metadata or {}).get(b"given", 0))
    if given > options.merges:
        raise no_room(options.merges, given)
    kept = table.slice(0, options.merges).combine_chunks()
    with (
        replacing(options.output) as temporary,
        pa.ipc.new_file(
            str(temporary), kept.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")
        ) as writer,
    ):
        writer.write_table(kept)
    return f"{options.output}: the first {options.merges:,} of {len(table):,} merges"


if __name__ == "__main__":
    main(CutMerges)
