r"""Download one shard, resuming what an earlier run has left; check it; then give it its name.

In:  a URL of a parquet file, https, http or s3; from the environment HF_TOKEN and HF_ENDPOINT, or the credentials
     of S3, if they are needed.
Out: the parquet file and its metadata. While the download runs or after it was stopped, what has arrived
     stands beside the output as .NAME.parquet.part (and .NAME.parquet.part.json, of which file it is).

    python scripts/download_shard.py --output shard_00000.parquet --metadata shard_00000.json \
        --url https://huggingface.co/datasets/karpathy/fineweb-edu-100b-shuffle/resolve/main/shard_00000.parquet
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from nanosnake import cli
from nanosnake.s3.place import Endpoint, Place, add_endpoint, place_argument
from nanosnake.sources import parquet, shards
from nanosnake.sources.download import Download, Patience, fetch
from nanosnake.sources.download.checksums import check_sha256, look_up


@dataclass(frozen=True)
class Options:
    """What to download, and where to."""

    url: str
    revision: str | None
    output: Path
    metadata: Path
    shard: str | None
    text_column: str
    sha256: str | None
    checksums: Path | None
    memory_mb: int | None
    allow_http_redirects: bool


def wanted_sha256(options: Options) -> str | None:
    """Return the SHA-256 that the user wants the file to have, if any."""
    if options.sha256 is not None:
        return check_sha256(options.sha256, "--sha256")
    if options.checksums is not None:
        names = {unquote(urlsplit(options.url).path.rsplit("/", 1)[-1]), options.output.name}
        return look_up(options.checksums, sorted(names - {""}))
    return None


def download(options: Options, patience: Patience, endpoint: Endpoint) -> shards.ShardMetadata:
    """Download a shard and write its metadata; `endpoint` is who is asked for an s3:// URL.

    Raises:
        NanosnakeError: if it cannot be had, is not the right file, or does not fit; nothing stands under the
            final name then.
    """
    made: list[shards.ShardMetadata] = []
    from_s3 = options.url.startswith("s3://")

    def accept(arrived: Download) -> None:
        facts = parquet.check_shard(
            arrived.path, options.text_column, name=arrived.url, memory_mb=options.memory_mb
        )
        metadata = shards.of_file(
            facts,
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

    sha256 = wanted_sha256(options)
    if from_s3:
        from nanosnake.sources.download.objects import fetch_object  # takes a third of a second

        arrived = fetch_object(
            Place.parse(options.url),
            options.output,
            endpoint=endpoint,
            sha256=sha256,
            patience=patience,
            accept=accept,
        )
    else:
        arrived = fetch(
            options.url,
            options.output,
            revision=options.revision,
            sha256=sha256,
            allow_http=options.allow_http_redirects,
            patience=patience,
            accept=accept,
        )
    checked = (
        f"sha256 as {arrived.sha256_from} says" if arrived.sha256_from else "no checksum to compare with"
    )
    speed = arrived.bytes / 1e6 / max(arrived.seconds, 1e-3)
    cli.log(
        f"{options.output.stem}: downloaded in {arrived.seconds:,.1f} s ({speed:,.1f} MB/s), "
        f"revision {arrived.revision or 'unknown'}, {checked}"
    )
    return made[0]


def main(argv: list[str] | None = None) -> int:
    """Read the command line and download the shard."""
    parser = cli.parser(__doc__)
    parser.add_argument("--url", type=url, required=True, help="the URL of the file, complete")
    parser.add_argument("--revision", help="the revision that the URL is of, for the metadata")
    parser.add_argument("--output", type=Path, required=True, help="parquet file to write")
    parser.add_argument("--metadata", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--shard", help="name in the metadata; the stem of --output if absent")
    parser.add_argument("--text-column", default="text")
    sums = parser.add_mutually_exclusive_group()
    sums.add_argument("--sha256", help="what the file's SHA-256 has to be, 64 hexadecimal digits")
    sums.add_argument("--checksums", type=Path, help="table of checksums as sha256sum writes it")
    parser.add_argument(
        "--allow-http-redirects", action="store_true", help="follow redirects from https to http"
    )
    parquet.add_memory(parser)
    add_endpoint(parser)
    add_patience(parser)
    arguments = parser.parse_args(argv)
    metadata = download(
        cli.fill(Options, arguments), cli.fill(Patience, arguments), cli.fill(Endpoint, arguments)
    )
    cli.log(shards.summary(metadata))
    return 0


def add_patience(parser: argparse.ArgumentParser) -> None:
    """Add an option for each field of `Patience`."""
    helps = {
        "connect_timeout": "seconds to wait for a connection",
        "read_timeout": "seconds to wait for the next byte",
        "min_speed": "bytes a second; slower than this over --read-timeout counts as broken off",
        "retries": "failures in a row, without progress in between, that are borne",
        "backoff": "seconds; bound of the random wait after the first failure, doubled with each one",
        "backoff_cap": "seconds; the largest such bound",
        "longest_wait": "seconds; a host that asks to wait for longer ends the download",
        "lock_wait": "seconds to wait for another process that downloads the same file",
    }
    for field in dataclasses.fields(Patience):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=count if field.name == "retries" else timeout if "timeout" in field.name else seconds,
            default=field.default,
            help=f"{helps[field.name]} (default {field.default:g})",
        )


def url(text: str) -> str:
    """Return a URL of the command line; one that begins with s3:// has to name an object."""
    if text.startswith("s3://"):
        place_argument(text)
    return text


def seconds(text: str) -> float:
    """Return a number of the command line that is not negative."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise ValueError(text)
    return value


def timeout(text: str) -> float:
    """Return a number of the command line that is above zero."""
    value = seconds(text)
    if value == 0:
        raise ValueError(text)
    return value


def count(text: str) -> int:
    """Return a whole number of the command line that is not negative."""
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


if __name__ == "__main__":
    cli.run_main(main)
