r"""Fetch the published files of a tokenizer or a model, for a node that does not share a disk with the workflow.

In:  s3://bucket/prefix/DATASET/TOKENIZER, or the same with /MODEL: a place whose manifest.json names every file with
     its sha256; credentials from the environment and the usual files.
Out: the files below --to, where they are in results/. A file that exists with the right sha256 is not fetched again;
     an interrupted download resumes. The manifest is put in place last.

    python scripts/fetch_published.py s3://bucket/prefix/demo/bpe-4096 --to results --only tokenizer tokens
    python scripts/train_model.py --tokenizer results/demo/bpe-4096/tokenizer \
        --train results/demo/bpe-4096/tokens/train --validation results/demo/bpe-4096/tokens/validation ...
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from nanosnake.files import NanosnakeError, read_json, sha256_file
from nanosnake.messages import log
from nanosnake.options import Positional, Word
from nanosnake.publish.manifest import MANIFEST
from nanosnake.publish.receipts import key_of
from nanosnake.s3.place import Endpoint, Place
from nanosnake.sources.download import Download, Patience
from nanosnake.sources.download.objects import fetch_object, patient_client
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class FetchPublished(Stage, Endpoint):
    """Fetch the published files of a tokenizer or a model."""

    source: Annotated[Place, Word(Place.parse, str), Positional]
    """s3://bucket/prefix/DATASET/TOKENIZER[/MODEL]."""
    to: Path
    """Local folder to use as results/."""
    only: tuple[str, ...] = ()
    """Folders: tokenizer, tokens, tokens/train, shards ..."""
    jobs: int = field(default=4, metadata={"ge": 1})
    """Files at a time."""

    def run(self) -> str | None:
        fetch(self)
        return None


@dataclass(frozen=True)
class Item:
    """A file to fetch."""

    key: str
    """Below the destination that was published to, and below the folder that is fetched to."""
    bytes: int
    sha256: str


def fetch(options: FetchPublished) -> list[Path]:
    """Fetch the files and return those that were not there yet.

    Raises:
        NanosnakeError: if there is no manifest, or a file cannot be fetched or has the wrong sha256.
    """
    patience = Patience()
    client = patient_client(options, patience)

    def get(place: Place, path: Path, sha256: str | None = None) -> Path:
        fetch_object(
            place, path, endpoint=options, sha256=sha256, patience=patience, accept=_any, client=client
        )
        return path

    newest = get(options.source.below(MANIFEST), options.to / f".{options.source.name}.{MANIFEST}")
    manifest = read_json(newest)
    here, items = items_of(manifest, options.source)
    root = Place(options.source.bucket, options.source.key.removesuffix(here).rstrip("/"))
    items = chosen(items, here, options.only)
    missing = [item for item in items if not is_there(options.to / item.key, item)]
    with ThreadPoolExecutor(options.jobs) as pool:
        try:
            fetched = list(
                pool.map(lambda item: get(root.below(item.key), options.to / item.key, item.sha256), missing)
            )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # running downloads finish, no others begin
            raise
    (options.to / here).mkdir(parents=True, exist_ok=True)
    newest.replace(options.to / here / MANIFEST)
    log(
        f"{options.to}: {len(fetched)} files fetched ({sum(item.bytes for item in missing) / 1e6:,.1f} MB), "
        f"{len(items) - len(fetched)} were there"
    )
    return fetched


def items_of(manifest: Any, source: Place) -> tuple[str, list[Item]]:
    """Return where a manifest is below the results, and the files that it names.

    Raises:
        NanosnakeError: if it is not a manifest, names a file outside the results, or was published elsewhere.
    """
    try:
        here = PurePosixPath(key_of(Path(manifest["path"]))).parent.as_posix()
        items = [
            Item(key_of(Path(entry["path"])), int(entry["bytes"]), str(entry["sha256"]))
            for entry in manifest["files"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise NanosnakeError(
            f"{source}/{MANIFEST}: not a manifest of published files ({type(error).__name__}: {error}); publish again"
        ) from error
    if not f"/{source.key}".endswith(f"/{here}"):
        raise NanosnakeError(
            f"{source}/{MANIFEST}: describes {here}, so the place must end with that path; publish it there"
        )
    return here, items


def chosen(items: list[Item], here: str, only: Sequence[str]) -> list[Item]:
    """Return the files below the named folders, which are next to the manifest or one folder up; all if none is named.

    Raises:
        NanosnakeError: if a folder has no file.
    """
    if not only:
        return items
    above = PurePosixPath(here).parent
    found: dict[Item, None] = {}
    for folder in only:
        inside = [
            item
            for item in items
            if any(PurePosixPath(item.key).is_relative_to(f"{top}/{folder}") for top in (here, above))
        ]
        if not inside:
            names = sorted({str(PurePosixPath(item.key.removeprefix(f"{here}/")).parent) for item in items})
            raise NanosnakeError(
                f"--only: nothing was published below {folder!r}; there are: {', '.join(names)}"
            )
        found |= dict.fromkeys(inside)
    return list(found)


def is_there(path: Path, item: Item) -> bool:
    """Return whether a file exists and is the right one."""
    return path.is_file() and path.stat().st_size == item.bytes and sha256_file(path) == item.sha256


def _any(download: Download) -> None:
    """Accept what has the right checksum."""


if __name__ == "__main__":
    main(FetchPublished)
