r"""Publish files to S3, and write a receipt.

In:  files below results/, folders of such files, and the gate that has to be open: its file has to be there.
     Credentials come from the environment and the usual files (docs/publish.md).
Out: objects s3://bucket/prefix/... with the files' sha256 and this run's name in their metadata, and the receipt.
     What already stands there with the same sha256 is not sent again.

    python scripts/publish_files.py --destination s3://bucket/prefix --gate results/demo/bpe4k/gate.json \
        --receipt results/demo/bpe4k/published/tokenizer.json results/demo/bpe4k/tokenizer
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake import cli
from nanosnake.files import NanosnakeError
from nanosnake.provenance.run_id import run_id
from nanosnake.publish.destination import Destination
from nanosnake.publish.receipts import Published, write_receipt
from nanosnake.s3.client import connect
from nanosnake.s3.place import Endpoint, Place, add_destination


@dataclass(frozen=True)
class Options:
    """What to publish, where to, and the receipt."""

    destination: Place
    gate: Path
    receipt: Path
    sources: list[Path]


def publish(options: Options, endpoint: Endpoint) -> list[Published]:
    """Publish the files and write the receipt.

    Raises:
        NanosnakeError: if the gate is not open, or a file cannot be published.
    """
    if not options.gate.is_file():
        raise NanosnakeError(f"{options.gate}: no such file: the gate is not open, so nothing is published")
    destination = Destination(connect(endpoint), endpoint, options.destination, run_id())
    published = []
    for path in files_of(options.sources):
        one, sent = destination.publish(path)
        cli.log(f"{'sent' if sent else 'already there'}: {destination.place.below(one.key)}")
        published.append(one)
    write_receipt(options.receipt, str(options.destination), published)
    return published


def files_of(sources: list[Path]) -> list[Path]:
    """Return the files that are named or stand in folders that are named, each once, without hidden ones."""
    found: dict[Path, None] = {}
    for source in sources:
        inside = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
        found |= dict.fromkeys(path for path in inside if not path.name.startswith("."))
    return list(found)


def main(argv: list[str] | None = None) -> int:
    """Read the command line and publish."""
    parser = cli.parser(__doc__)
    add_destination(parser)
    parser.add_argument("--gate", type=Path, required=True, help="file that stands there if the gate is open")
    parser.add_argument("--receipt", type=Path, required=True, help="JSON file to write")
    parser.add_argument("sources", type=Path, nargs="+", help="files and folders below results/")
    arguments = parser.parse_args(argv)
    publish(cli.fill(Options, arguments), cli.fill(Endpoint, arguments))
    return 0


if __name__ == "__main__":
    cli.run_main(main)
