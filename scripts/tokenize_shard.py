r"""Encode one shard: every document, each begun by the tokenizer's first special token.

In:  a parquet file, a tokenizer folder.
Out: NAME.ds (little-endian uint16 or uint32 tokens), NAME.ds.index (uint64 ends of documents, in tokens),
     NAME.json (counts and hashes).

    python scripts/tokenize_shard.py --shard results/demo/shards/shard_00000.parquet --text-column text \
        --tokenizer results/demo/bpe4k/tokenizer --output tokens/shard_00000.ds
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nanosnake import cli
from nanosnake.crate import rustbpe
from nanosnake.files import write_json
from nanosnake.tokenizer.folder import TOKENIZER_JSON, load


@dataclass(frozen=True)
class Options:
    """What to encode, with what, and where to."""

    shard: Path
    text_column: str
    tokenizer: Path
    output: Path
    threads: int


def tokenize(options: Options) -> dict[str, Any]:
    """Write the three files of a token shard and return the facts of the JSON file."""
    tokenizer = load(options.tokenizer)
    dtype: Literal["uint16", "uint32"] = "uint16" if tokenizer.vocab_size <= 1 << 16 else "uint32"
    with cli.Progress(f"encoding {options.shard.name}", unit="MB", scale=1e6) as progress:
        written = rustbpe.encode_parquet(
            str(options.shard),
            str(options.output),
            f"{options.output}.index",
            encoder=tokenizer.rust(),
            text_column=options.text_column,
            bos_id=tokenizer.bos_id,
            dtype=dtype,
            threads=options.threads,
            progress=progress,
        )
    facts = {
        "tokens": written["tokens"],
        "documents": written["documents"],
        "bytes": written["bytes"],
        "sha256": written["sha256"],
        "index_sha256": written["index_sha256"],
        "dtype": dtype,
        "bos_id": tokenizer.bos_id,
        "tokenizer": tokenizer.name,
        "tokenizer_sha256": tokenizer.hashes[TOKENIZER_JSON],
    }
    write_json(options.output.with_suffix(".json"), facts)
    return facts


def main(argv: list[str] | None = None) -> int:
    """Read the command line and encode."""
    parser = cli.parser(__doc__)
    parser.add_argument("--shard", type=Path, required=True, help="the parquet file")
    parser.add_argument("--text-column", required=True)
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer folder")
    parser.add_argument("--output", type=Path, required=True, help="the .ds file")
    parser.add_argument("--threads", type=int, default=1)
    options = cli.fill(Options, parser.parse_args(argv))
    facts = tokenize(options)
    cli.log(
        f"{options.output}: {facts['documents']:,} documents, {facts['tokens']:,} tokens, "
        f"{facts['bytes'] / max(facts['tokens'], 1):.3f} bytes per token"
    )
    return 0


if __name__ == "__main__":
    cli.run_main(main)
