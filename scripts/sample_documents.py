"""Sample documents of a split for the checks of tokenizers.

Inputs: shards (parquet). Output: JSON lines, one document each: split, shard, row, truncated, text.

    python scripts/sample_documents.py --folder results/demo/shards --shards 'shard_[00000-00003]' \\
        --split train --documents 200 --seed 0 --output results/demo/samples/train.jsonl
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake import cli, naming
from nanosnake.files import NanosnakeError
from nanosnake.sources.samples import MAX_CHARS, sample_documents, write_samples


@dataclass(frozen=True)
class Options:
    """What to sample, and where to write it."""

    folder: Path
    shards: str
    split: str
    documents: int
    seed: int
    text_column: str
    max_chars: int
    output: Path


def sample(options: Options) -> int:
    """Write the sample and return how many documents it has."""
    shards = [options.folder / f"{name}.parquet" for name in naming.expand(options.shards)]
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
            f"{options.folder}: the {options.split} shards {options.shards} hold no document that is not empty; "
            "name other shards"
        )
    write_samples(options.output, samples)
    return len(samples)


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--shards", required=True, help="names, runs as shard_[00000-00003], with commas")
    parser.add_argument("--split", required=True, choices=("train", "validation"))
    parser.add_argument("--documents", type=int, default=200, help="how many documents (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="which documents (default: 0)")
    parser.add_argument("--text-column", default="text", help="column of the documents (default: text)")
    parser.add_argument(
        "--max-chars", type=int, default=MAX_CHARS, help=f"characters of each, 0: all (default: {MAX_CHARS})"
    )
    parser.add_argument("--output", type=Path, required=True, help="JSON lines file to write")
    options = cli.fill(Options, parser.parse_args(argv))
    count = sample(options)
    cli.log(f"{options.output}: {count:,} of {options.documents:,} {options.split} documents wanted")
    return 0


if __name__ == "__main__":
    cli.run_main(main)
