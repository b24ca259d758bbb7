r"""Download one shard, resuming what an earlier run left; check it; then give it its final name.

In:  a URL of a parquet file, https, http or s3; from the environment HF_TOKEN and HF_ENDPOINT, or the credentials
     of S3, if they are needed.
Out: the parquet file and its metadata. While the download runs or after it was stopped, what has arrived is next to
     the output as .NAME.parquet.part (.NAME.parquet.part.json says of which file it is).

    python scripts/download_shard.py --output shard_00000.parquet --metadata shard_00000.json \
        --url https://huggingface.co/datasets/karpathy/fineweb-edu-100b-shuffle/resolve/main/shard_00000.parquet
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from nanosnake.files import NanosnakeError
from nanosnake.messages import log
from nanosnake.options import Word
from nanosnake.s3.place import Endpoint, Place
from nanosnake.sources.download import Download, Patience, fetch
from nanosnake.sources.download.checksums import check_sha256, look_up
from nanosnake.stages import Stage, main

if TYPE_CHECKING:
    from nanosnake.sources.shards import ShardMetadata


def check_url(url: str) -> str:
    """Return a URL, after checking that an s3:// URL names a place in a bucket.

    Raises:
        ValueError: if it does not.
    """
    return str(Place.parse(url)) if url.startswith("s3://") else url


@dataclass(frozen=True, kw_only=True)
class DownloadShard(Stage, Patience, Endpoint):
    """Download one shard and check it."""

    url: Annotated[str, Word(check_url, str)]
    """Complete URL of the file: https, http or s3."""
    revision: str | None = None
    """Revision of the URL, for the metadata."""
    output: Path
    """Parquet file to write."""
    metadata: Path
    """JSON file to write."""
    shard: str | None = None
    """Name in the metadata; the stem of --output if absent."""
    text_column: str = "text"
    """Column of the documents."""
    content: Literal["text", "conversations"] = "text"
    """What the documents are."""
    sha256: str | None = None
    """Expected SHA-256 of the file, 64 hexadecimal digits."""
    checksums: Path | None = None
    """Table of checksums as sha256sum writes it."""
    memory_mb: int | None = None
    """Megabytes that this process may use; a page that needs more is refused. Absent: the file's size is the limit."""
    allow_http_redirects: bool = False
    """Follow redirects from https to http."""

    def run(self) -> str | None:
        from nanosnake.sources import shards

        if self.sha256 is not None and self.checksums is not None:
            raise NanosnakeError("--sha256 and --checksums both set the expected checksum; give one of them")
        return shards.summary(download(self))


def wanted_sha256(options: DownloadShard) -> str | None:
    """Return the SHA-256 that the user expects, if any."""
    if options.sha256 is not None:
        return check_sha256(options.sha256, "--sha256")
    if options.checksums is not None:
        names = {unquote(urlsplit(options.url).path.rsplit("/", 1)[-1]), options.output.name}
        return look_up(options.checksums, sorted(names - {""}))
    return None


def download(options: DownloadShard) -> ShardMetadata:
    """Download a shard and write its metadata.

    Raises:
        NanosnakeError: if the file cannot be downloaded, is the wrong file, or is not a valid shard; then no file
            has the final name.
    """
    from nanosnake.sources import parquet, shards

    made: list[ShardMetadata] = []
    from_s3 = options.url.startswith("s3://")

    def accept(arrived: Download) -> None:
        facts = parquet.check_shard(
            arrived.path,
            options.text_column,
            options.content,
            name=arrived.url,
            memory_mb=options.memory_mb,
        )
        metadata = shards.ShardMetadata(
            **vars(facts),
            shard=options.shard or options.output.stem,
            source="s3" if from_s3 else "url",
            url=arrived.url,
            revision=arrived.revision,
            etag=arrived.etag,
            sha256=arrived.sha256,
            seconds=arrived.seconds,
            text_column=options.text_column,
        )
        metadata.write(options.metadata)
        made.append(metadata)

    common: dict[str, Any] = {"sha256": wanted_sha256(options), "patience": options, "accept": accept}
    if from_s3:
        from nanosnake.sources.download.objects import fetch_object  # takes a third of a second

        arrived = fetch_object(Place.parse(options.url), options.output, endpoint=options, **common)
    else:
        common |= {"revision": options.revision, "allow_http": options.allow_http_redirects}
        arrived = fetch(options.url, options.output, **common)
    checked = (
        f"sha256 as {arrived.sha256_from} says" if arrived.sha256_from else "no checksum to compare with"
    )
    speed = arrived.bytes / 1e6 / max(arrived.seconds, 1e-3)
    log(
        f"{options.output.stem}: downloaded in {arrived.seconds:,.1f} s ({speed:,.1f} MB/s), "
        f"revision {arrived.revision or 'unknown'}, {checked}"
    )
    return made[0]


if __name__ == "__main__":
    main(DownloadShard)
