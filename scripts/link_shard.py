r"""Make a shard from a local parquet file: check it, then link to it; nothing is copied.

In:  a parquet file anywhere.
Out: a symbolic link to its absolute path, and a metadata file.

    python scripts/link_shard.py --input /data/corpus/part-7.parquet --text-column text \
        --output part-7.parquet --metadata part-7.json
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nanosnake.files import PART, NanosnakeError, sha256_file, sync, version
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class LinkShard(Stage):
    """Check a local parquet file and link to it."""

    input: Path
    """The parquet file."""
    output: Path
    """Link to make."""
    metadata: Path
    """JSON file to write."""
    shard: str | None = None
    """Name in the metadata; the stem of --output if absent."""
    text_column: str = "text"
    """Column of the documents."""
    content: Literal["text", "conversations"] = "text"
    """What the documents are."""
    sha256: str | None = None
    """Expected SHA-256 of the file."""
    memory_mb: int | None = None
    """Megabytes that this process may use; a page that needs more is refused. Absent: the file's size is the limit."""

    def run(self) -> str | None:
        return link(self)


def link(options: LinkShard) -> str:
    """Check a file, write its metadata, link to it, and return a line that describes it.

    Raises:
        NanosnakeError: if the file is not a valid shard, has the wrong sha256, or changes during the check.
    """
    from nanosnake.sources import parquet, shards

    target = Path(os.path.abspath(options.input))  # noqa: PTH100  (links in the path stay: they may be moved on purpose)
    if not target.exists():
        raise NanosnakeError(f"{target}: no such file; the shard {options.output.name} needs it")
    if options.output.exists() and options.output.samefile(target) and not options.output.is_symlink():
        raise NanosnakeError(f"{target}: the shard would be a link to itself; give another --output")
    before = version(target)
    facts = parquet.check_shard(target, options.text_column, options.content, memory_mb=options.memory_mb)
    sha256 = sha256_file(target)
    if options.sha256 is not None and sha256 != options.sha256.lower():
        raise NanosnakeError(
            f"{target}: its sha256 is {sha256}, wanted {options.sha256.lower()}; "
            "put the right file there, or correct the checksum"
        )
    if version(target) != before:
        raise NanosnakeError(f"{target}: the file changed while it was read; run again when it is complete")
    metadata = shards.ShardMetadata(
        **vars(facts),
        shard=options.shard or options.output.stem,
        source="local",
        url=target.as_uri(),
        sha256=sha256,
        text_column=options.text_column,
        mtime_ns=before[-1],
    )
    metadata.write(options.metadata)
    replace_link(options.output, target)
    return shards.summary(metadata)


def replace_link(path: Path, target: Path) -> None:
    """Make `path` a symbolic link to `target`, whatever was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}{PART}")
    temporary.unlink(missing_ok=True)  # left by a process that was killed
    temporary.symlink_to(target)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink()
        raise
    sync(path.parent)


if __name__ == "__main__":
    main(LinkShard)
