r"""Publish the manifest of a tokenizer, after everything that it names.

In:  the manifest of what was made, and the receipts of what was published.
Out: manifest.json in the bucket and a copy of it: the manifest with its files cut to those that were published, and
     completed by the token shards, shards and models that were. Each is seen to stand in the bucket before.

    python scripts/publish_manifest.py --destination s3://bucket/prefix --manifest results/demo/bpe4k/manifest.json \
        --receipts results/demo/bpe4k/published --output results/demo/bpe4k/published/manifest.json \
        tokenizer report 'tokens/train/shard_[00000-00003]'
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake import cli
from nanosnake.files import read_json, write_json
from nanosnake.provenance.run_id import run_id
from nanosnake.publish.destination import Destination
from nanosnake.publish.manifest import check_complete, expand_receipts, extend
from nanosnake.publish.receipts import key_of, read_receipt
from nanosnake.s3.client import connect
from nanosnake.s3.place import Endpoint, Place, add_destination


@dataclass(frozen=True)
class Options:
    """What was made, what was published, and where the manifest goes."""

    destination: Place
    manifest: Path
    receipts: Path
    output: Path
    things: list[str]


def publish(options: Options, endpoint: Endpoint) -> None:
    """See that all is there, write the manifest and send it.

    Raises:
        NanosnakeError: if something is not there, or was made anew since.
    """
    where = str(options.destination)
    published = [
        one
        for receipt in expand_receipts(options.receipts, options.things)
        for one in read_receipt(receipt, where)
    ]
    destination = Destination(connect(endpoint), endpoint, options.destination, run_id())
    there: dict[str, tuple[str, int]] = {}
    for dataset in sorted({one.key.partition("/")[0] for one in published}):
        there |= destination.etags(dataset)
    check_complete(published, there)
    write_json(options.output, extend(read_json(options.manifest), published, destination=where))
    _, sent = destination.publish(options.output, key_of(options.manifest))
    cli.log(
        f"{options.destination.below(key_of(options.manifest))}: {len(published)} files, "
        f"{'sent' if sent else 'already there'}"
    )


def main(argv: list[str] | None = None) -> int:
    """Read the command line and publish the manifest."""
    parser = cli.parser(__doc__)
    add_destination(parser)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of what was made")
    parser.add_argument("--receipts", type=Path, required=True, help="folder of the receipts")
    parser.add_argument("--output", type=Path, required=True, help="copy of the published manifest to write")
    parser.add_argument("things", nargs="+", help="receipts, below their folder, runs of numbers as [0-3]")
    arguments = parser.parse_args(argv)
    publish(cli.fill(Options, arguments), cli.fill(Endpoint, arguments))
    return 0


if __name__ == "__main__":
    cli.run_main(main)
