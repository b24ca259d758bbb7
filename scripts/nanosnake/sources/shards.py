"""The metadata file next to a shard: where it came from and what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from nanosnake.files import NanosnakeError, read_json, write_json

Origin = Literal["embedded", "url", "local", "s3", "files"]


@dataclass(frozen=True)
class ShardFacts:
    """What a shard holds."""

    bytes: int
    """Size of the file."""
    rows: int
    row_groups: int
    characters: int
    """Unicode scalars in the text column."""
    nulls: int
    """Rows whose text is null."""
    empty: int
    """Rows whose text is the empty string."""


@dataclass(frozen=True, kw_only=True)
class ShardMetadata(ShardFacts):
    """What is known about a shard; None where it is not known."""

    shard: str
    source: Origin
    left_out: int = 0
    """Documents of its files that could not be read."""
    dropped: int = 0
    """Documents that a filter dropped."""
    sha256: str
    revision: str | None = None
    """The commit that the host named, else the revision that was asked for."""
    etag: str | None = None
    url: str | None = None
    """Where it was fetched, without the query of a signed link; `file:` and the path for a local file."""
    seconds: float | None = None
    """How long the download took."""
    text_column: str
    parts: Sequence[dict[str, Any]] = ()
    """Of which files a shard was made: file, sha256, first and last line, span of bytes, documents."""
    mtime_ns: int | None = None
    """When a local file was last written, as of linking: another time means another file."""

    def write(self, path: str | Path) -> None:
        """Write the metadata file."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: str | Path) -> ShardMetadata:
        """Read a metadata file.

        Raises:
            NanosnakeError: if it is not one; the message names the file and the keys.
        """
        value = read_json(path)
        wanted = set(cls.__dataclass_fields__)
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        if not isinstance(value, dict) or not needed <= set(value) <= wanted:
            seen = sorted(value) if isinstance(value, dict) else type(value).__name__
            raise NanosnakeError(
                f"{path}: not the metadata of a shard: its keys are {seen}, wanted: {sorted(wanted)}; "
                "delete the file and its shard and run again"
            )
        return cls(**value)


def summary(metadata: ShardMetadata) -> str:
    """Return the line for the log that says what a shard holds, with what is unusual in it."""
    line = (
        f"{metadata.shard}: {metadata.bytes / 1e6:,.1f} MB, {metadata.rows:,} rows in {metadata.row_groups:,} "
        f"row groups, {metadata.characters:,} characters, sha256 {metadata.sha256}"
    )
    if metadata.characters == 0:
        line += f"\n{metadata.shard}: note: the shard holds no text at all"
    elif metadata.nulls or metadata.empty:
        line += f"\n{metadata.shard}: note: {metadata.nulls:,} rows are null and {metadata.empty:,} are empty"
    if metadata.left_out or metadata.dropped:
        line += (
            f"\n{metadata.shard}: note: {metadata.left_out:,} documents could not be read and are left out, and a filter "
            f"dropped {metadata.dropped:,}"
        )
    return line
