"""The list of all that was published: written last, so that a reader finds everything that it names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nanosnake.files import NanosnakeError
from nanosnake.naming import expand
from nanosnake.provenance.manifest import sealed
from nanosnake.publish.receipts import Published

MANIFEST = "manifest.json"


def extend(manifest: dict[str, Any], published: Sequence[Published], *, destination: str) -> dict[str, Any]:
    """Return the manifest with `files` reduced to what was published, and extended by it.

    Raises:
        NanosnakeError: if a file was recomputed after it was published.
    """
    known = {entry["path"]: entry for entry in manifest.get("files", ())}
    files = []
    for one in sorted(published, key=lambda one: one.path):
        entry = known.get(one.path, {})
        if entry.get("sha256", one.sha256) != one.sha256:
            raise NanosnakeError(
                f"{one.path}: published with sha256 {one.sha256}, the manifest says {entry['sha256']}; run again"
            )
        files.append({"job": None, **entry, "path": one.path, "bytes": one.bytes, "sha256": one.sha256})
    return sealed({**manifest, "files": files, "published": {"destination": destination}})


def expand_receipts(folder: Path, words: Iterable[str]) -> list[Path]:
    """Return the receipts that words such as `tokens/train/shard_[00000-00239]` name."""
    found = []
    for word in words:
        inside, _, names = word.rpartition("/")
        found += [folder / inside / f"{name}.json" for name in expand(names)]
    return found


def check_complete(published: Iterable[Published], there: dict[str, tuple[str, int]]) -> None:
    """Check that everything published is still in the bucket as it was sent.

    Raises:
        NanosnakeError: if an object is gone or has changed; the message names the first ones.
    """
    bad = [one.key for one in published if there.get(one.key) != (one.etag, one.bytes)]
    if bad:
        names = ", ".join(bad[:3]) + (f" and {len(bad) - 3} more" if len(bad) > 3 else "")
        raise NanosnakeError(
            f"published objects are gone or were changed since: {names}; delete the receipts in the folder "
            "published/ and run again, which sends what is missing"
        )
