"""A history of figures: one JSON line per state, in a file outside the outputs that only ever grows.

A record is a state (the tokenizer, its inputs and figures; no times) with two facts about the run that saw it: `time`
(UTC) and `commit` (of the repository, null if unknown). The same state twice in a row is one record.

Lines are appended whole, under a lock; a line that a crash cut off remains in the file and is skipped.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nanosnake.provenance.code import work_tree

Record = dict[str, Any]
FACTS = ("time", "commit")
"""Keys of a record that are not part of the state."""


def read_history(path: str | Path) -> list[Record]:
    """Return the records of a history, oldest first; none if there is no such file."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        return []
    return _records(content)


def append(path: str | Path, state: Mapping[str, Any]) -> bool:
    """Append a record of `state`; return False if the last record is of the same state."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
    with os.fdopen(handle, "rb+", buffering=0) as stream:
        with contextlib.suppress(
            OSError
        ):  # some network file systems have no locks; the append is whole there too
            fcntl.flock(stream, fcntl.LOCK_EX)
        content = stream.read() or b""
        records = _records(content)
        state = json.loads(json.dumps(state))  # the state as it will be read back
        if records and {key: value for key, value in records[-1].items() if key not in FACTS} == state:
            return False
        record = {"time": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit(), **state}
        line = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        if content and not content.endswith(b"\n"):
            line = b"\n" + line  # the previous line was cut off: do not append ours to it
        stream.write(line)
        os.fsync(stream.fileno())
    return True


def commit() -> str | None:
    """Return the commit of the repository that this code is in, with `-dirty` if files differ from it."""
    tree = work_tree()
    return f"{tree.commit}-dirty" if tree.dirty else tree.commit


def _records(content: bytes) -> list[Record]:
    records = []
    for line in content.split(b"\n"):
        with contextlib.suppress(ValueError):  # an empty line, or one that was cut off
            record = json.loads(line)
            if isinstance(record, dict):
                records.append(record)
    return records
