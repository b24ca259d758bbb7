"""A rule's record of what it has published: a small file that Snakemake knows as the rule's output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from nanosnake import layout
from nanosnake.files import NanosnakeError, read_json, write_json


@dataclass(frozen=True)
class Published:
    """An object in the bucket, and the file that it is a copy of."""

    path: str
    """As the rules name the file: below the working directory."""
    key: str
    """Below the destination."""
    bytes: int
    sha256: str
    etag: str
    version: str | None
    """The version, if the bucket keeps versions."""


def key_of(path: Path) -> str:
    """Return the name of a file in the bucket, below the destination.

    Raises:
        NanosnakeError: if the file is not below results/, which is what is published.
    """
    if path.is_absolute() or path.parts[:1] != (layout.RESULTS,) or ".." in path.parts or len(path.parts) < 2:
        raise NanosnakeError(
            f"{path}: not a file below {layout.RESULTS}/; run from the folder of the workflow"
        )
    return path.relative_to(layout.RESULTS).as_posix()


def write_receipt(output: Path, destination: str, published: Sequence[Published]) -> None:
    """Write a receipt."""
    write_json(output, {"destination": destination, "files": [asdict(one) for one in published]})


def read_receipt(path: Path, destination: str) -> list[Published]:
    """Return what a receipt says was published to a destination.

    Raises:
        NanosnakeError: if it is not a receipt, or is for another destination.
    """
    value = read_json(path)
    try:
        files = [Published(**one) for one in value["files"]]
        said = value["destination"]
    except (KeyError, TypeError) as error:
        raise NanosnakeError(
            f"{path}: not a receipt of publishing ({error}); delete it and run again"
        ) from error
    if said != destination:
        raise NanosnakeError(f"{path}: is for {said}, wanted {destination}; delete it and run again")
    return files
