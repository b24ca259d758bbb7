r"""Publish files to S3, and write a receipt.

In:  files below results/, folders of such files, and the gate, which must be open: its file must exist. Credentials
     come from the environment and the usual files (docs/publish.md).
Out: objects s3://bucket/prefix/... with the files' sha256 and this run's name in their metadata, and the receipt.
     What is already there with the same sha256 is not sent again.

    python scripts/publish_files.py --destination s3://bucket/prefix --gate results/demo/bpe-4096/gate.json \
        --receipt results/demo/bpe-4096/published/tokenizer.json results/demo/bpe-4096/tokenizer
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from nanosnake.files import NanosnakeError
from nanosnake.messages import log
from nanosnake.options import Positional
from nanosnake.provenance.run_id import run_id
from nanosnake.publish.receipts import Published, write_receipt
from nanosnake.s3.place import AnyPlace, Endpoint
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class PublishFiles(Stage, Endpoint):
    """Publish files and write a receipt."""

    destination: AnyPlace
    """s3://bucket/prefix."""
    gate: Path
    """File that exists if the gate is open."""
    receipt: Path
    """JSON file to write."""
    sources: Annotated[tuple[Path, ...], Positional]
    """Files and folders below results/."""

    def run(self) -> str | None:
        published = publish(self)
        return f"{self.receipt}: {len(published)} files"


def publish(options: PublishFiles) -> list[Published]:
    """Publish the files and write the receipt.

    Raises:
        NanosnakeError: if the gate is not open, or a file cannot be published.
    """
    from nanosnake.publish.destination import Destination
    from nanosnake.s3.client import connect

    if not options.gate.is_file():
        raise NanosnakeError(f"{options.gate}: no such file: the gate is not open, so nothing is published")
    destination = Destination(connect(options), options, options.destination, run_id())
    published = []
    for path in files_of(options.sources):
        one, sent = destination.publish(path)
        log(f"{'sent' if sent else 'already there'}: {destination.place.below(one.key)}")
        published.append(one)
    write_receipt(options.receipt, str(options.destination), published)
    return published


def files_of(sources: Iterable[Path]) -> list[Path]:
    """Return the named files and the files in the named folders, each once, without hidden ones."""
    found: dict[Path, None] = {}
    for source in sources:
        inside = sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]
        found |= dict.fromkeys(path for path in inside if not path.name.startswith("."))
    return list(found)


if __name__ == "__main__":
    main(PublishFiles)
