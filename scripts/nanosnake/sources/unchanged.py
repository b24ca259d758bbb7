"""A local file that became a shard is read only while it is still the file that was checked."""

from __future__ import annotations

from pathlib import Path

from nanosnake.files import NanosnakeError, read_json


def check_unchanged(shard: Path) -> None:
    """Check that a linked shard has the size and the time that were recorded when it was linked.

    Raises:
        NanosnakeError: if the file of that name has changed since.
    """
    metadata = shard.with_suffix(".json")
    if not shard.is_symlink() or not metadata.is_file():
        return
    said, stat = read_json(metadata), shard.stat()
    then, now = (said["bytes"], said.get("mtime_ns")), (stat.st_size, stat.st_mtime_ns)
    if then[1] is not None and then != now:
        raise NanosnakeError(
            f"{shard.resolve()}: is not the file that became the shard {shard.stem}: it has {now[0]:,} bytes and the "
            f"time {now[1]} ns, recorded were {then[0]:,} and {then[1]}; run Snakemake again, which links it again "
            "(in a copy of the project, whose links lead to the first one: with --forcerun link_shard)"
        )
