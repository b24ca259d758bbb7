"""Reads one file by every reader of shards and says, as JSON, how each ended and how much memory all of it took.

python tests/hostile/probe.py FILE FOLDER
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import rustbpe

from nanosnake.files import NanosnakeError
from nanosnake.sources.parquet import check_shard


def ended(read: Callable[[], object]) -> list[object]:
    """Return the name of the exception, or "read", and the words or the result."""
    try:
        return ["read", read()]
    except (NanosnakeError, rustbpe.RustbpeError) as error:
        return [type(error).__name__, str(error)]


def main(path: Path, folder: Path) -> None:
    """Read the file by all readers, one thread each, as the rules do."""
    encoder = rustbpe.Encoder([bytes([byte]) for byte in range(256)], pattern="gpt4")
    out, index = folder / "t.ds", folder / "t.ds.index"
    readers: dict[str, Callable[[], object]] = {
        "count": lambda: len(rustbpe.count_parquet(path, pattern="gpt4", threads=1)),
        "encode": lambda: rustbpe.encode_parquet(path, out, index, encoder=encoder, bos_id=256, threads=1),
        "sample": lambda: sum(1 for _ in rustbpe.Documents(path, 0)),
        "footer": lambda: len(rustbpe.row_groups(path)),
        "check": lambda: vars(check_shard(path, "text", memory_mb=500)),
    }
    answers: dict[str, object] = {name: ended(read) for name, read in readers.items()}
    # not ru_maxrss, which begins with the size of the process that started this one
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    answers["mb"] = int(status["VmHWM"].split()[0]) * 1024 / 1e6
    print(json.dumps(answers))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
