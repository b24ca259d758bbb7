"""The metadata file beside a shard: where it came from and what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from nanosnake.files import NanosnakeError, read_json, write_json
from nanosnake.sources.parquet import ShardFacts

Origin = Literal["embedded", "url", "local", "s3", "files"]


@dataclass(frozen=True)
class ShardMetadata:
    """What is known of a shard; None where it is not known."""

    shard: str
    source: Origin
    url: str | None
    """Where it was fetched, without the query of a signed link; `file:` and the path for a local file."""
    revision: str | None
    """The commit that the host named, else the revision that was asked for."""
    etag: str | None
    bytes: int
    sha256: str
    rows: int
    row_groups: int
    characters: int
    """Unicode scalars in the text column."""
    nulls: int
    """Rows whose text is null: no documents."""
    empty: int
    """Rows whose text is the empty string: documents of no characters."""
    seconds: float | None
    """How long the download took."""
    text_column: str
    left_out: int = 0
    """Documents of its files that could not be read."""
    dropped: int = 0
    """Documents that a filter dropped."""
    parts: Sequence[dict[str, Any]] = ()
    """Of which files a shard was made: file, sha256, first and last line, span of bytes, documents."""

    def write(self, path: str | Path) -> None:
        """Write the metadata file."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: str | Path) -> ShardMetadata:
        """Read a metadata file.

        Raises:
            NanosnakeError: if it is not one; it names the file and the keys.
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


def of_file(
    facts: ShardFacts,
    *,
    shard: str,
    source: Origin,
    sha256: str,
    text_column: str,
    url: str | None = None,
    revision: str | None = None,
    etag: str | None = None,
    seconds: float | None = None,
    left_out: int = 0,
    dropped: int = 0,
    parts: Sequence[dict[str, Any]] = (),
) -> ShardMetadata:
    """Return the metadata of a shard that was checked."""
    return ShardMetadata(
        shard=shard,
        source=source,
        url=url,
        revision=revision,
        etag=etag,
        bytes=facts.bytes,
        sha256=sha256,
        rows=facts.rows,
        row_groups=facts.row_groups,
        characters=facts.characters,
        nulls=facts.nulls,
        empty=facts.empty,
        seconds=seconds,
        text_column=text_column,
        left_out=left_out,
        dropped=dropped,
        parts=parts,
    )


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
