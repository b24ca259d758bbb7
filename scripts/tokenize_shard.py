r"""Encode one shard: all documents, each after the tokenizer's first special token.

In:  a parquet file, a tokenizer folder.
Out: NAME.ds (little-endian uint16 or uint32 tokens), NAME.ds.index (uint64 ends of documents, in tokens),
     NAME.ds.metadata (tokenizer and bytes per token, for datatrove), NAME.json (counts and hashes).

    python scripts/tokenize_shard.py --shard results/demo/shards/shard_00000.parquet --text-column text \
        --tokenizer results/demo/bpe-4096/tokenizer --output tokens/shard_00000.ds
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake.messages import Progress
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class TokenizeShard(Stage):
    """Encode the documents of one shard."""

    shard: Path
    """The parquet file."""
    text_column: str
    """Column of the documents."""
    tokenizer: Path
    """Tokenizer folder."""
    output: Path
    """Token file to write, .ds."""
    threads: int = 1
    """Threads."""

    def run(self) -> str | None:
        facts = tokenize(self)
        return (
            f"{self.output}: {facts['documents']:,} documents, {facts['tokens']:,} tokens, "
            f"{facts['bytes'] / max(facts['tokens'], 1):.3f} bytes per token"
        )


def tokenize(options: TokenizeShard) -> dict[str, Any]:
    """Write the four files of a token shard and return the facts of the JSON file."""
    from nanosnake.crate import rustbpe
    from nanosnake.sources.unchanged import check_unchanged
    from nanosnake.tokenizer import datatrove
    from nanosnake.tokenizer.folder import load

    check_unchanged(options.shard)
    tokenizer = load(options.tokenizer)
    with Progress(f"encoding {options.shard.name}", unit="MB", scale=1e6) as progress:
        written = rustbpe.encode_parquet(
            str(options.shard),
            str(options.output),
            f"{options.output}.index",
            encoder=tokenizer.rust(),
            text_column=options.text_column,
            bos_id=tokenizer.bos_id,
            dtype=tokenizer.token_type,
            threads=options.threads,
            progress=progress,
        )
    counts = {key: value for key, value in written.items() if key != "nulls"}
    return datatrove.describe(options.output, tokenizer, counts)


if __name__ == "__main__":
    main(TokenizeShard)
