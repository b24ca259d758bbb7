r"""Publish the manifest of a tokenizer, after everything that it names.

In:  the manifest of what was made, and the receipts of what was published.
Out: manifest.json in the bucket and a copy of it: the manifest, reduced to the files that were published, and
     extended by published token shards, shards and models. Each file is first checked to be in the bucket.

    python scripts/publish_manifest.py --destination s3://bucket/prefix --manifest results/demo/bpe-4096/manifest.json \
        --receipts results/demo/bpe-4096/published --output results/demo/bpe-4096/published/manifest.json \
        --things tokenizer report 'tokens/train/shard_[00000-00003]'
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.files import read_json, write_json
from nanosnake.provenance.run_id import run_id
from nanosnake.publish.manifest import check_complete, expand_receipts, extend
from nanosnake.publish.receipts import key_of, read_receipt
from nanosnake.s3.place import AnyPlace, Endpoint
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class PublishManifest(Stage, Endpoint):
    """Publish the manifest of a tokenizer, after everything that it names."""

    destination: AnyPlace
    """s3://bucket/prefix."""
    manifest: Path
    """Manifest of what was made."""
    receipts: Path
    """Folder of the receipts."""
    output: Path
    """Copy of the published manifest to write."""
    things: tuple[str, ...]
    """Receipts, below their folder, runs of numbers as [0-3]."""

    def run(self) -> str | None:
        return publish(self)


def publish(options: PublishManifest) -> str:
    """Check that everything is in the bucket, write the manifest and send it; return a line for the log.

    Raises:
        NanosnakeError: if something is missing, or was recomputed since.
    """
    from nanosnake.publish.destination import Destination
    from nanosnake.s3.client import connect

    where = str(options.destination)
    published = [
        one
        for receipt in expand_receipts(options.receipts, options.things)
        for one in read_receipt(receipt, where)
    ]
    destination = Destination(connect(options), options, options.destination, run_id())
    there: dict[str, tuple[str, int]] = {}
    for dataset in sorted({one.key.partition("/")[0] for one in published}):
        there |= destination.etags(dataset)
    check_complete(published, there)
    write_json(options.output, extend(read_json(options.manifest), published, destination=where))
    _, sent = destination.publish(options.output, key_of(options.manifest))
    return (
        f"{options.destination.below(key_of(options.manifest))}: {len(published)} files, "
        f"{'sent' if sent else 'already there'}"
    )


if __name__ == "__main__":
    main(PublishManifest)
