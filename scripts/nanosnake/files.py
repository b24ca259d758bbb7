"""Files that are whole or absent: write next to the final name, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHUNK = 1 << 20
PART = ".part"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class NanosnakeError(Exception):
    """An error that a user can act on; scripts print its text alone and exit with 1."""


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` when the block succeeds.

    No half-written file ever has the final name: an exception removes the temporary file; after a kill it keeps a name
    that begins with a dot, and the next write of the file removes it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PART, dir=path.parent)
    temporary = Path(name)
    try:
        _lock(handle)
        _remove_abandoned(path)
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)  # mkstemp makes files that only their owner can read
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        if error.filename is None and error.errno in NO_ROOM:  # the error of a write does not name the file
            error.filename = str(path)
        raise
    finally:
        os.close(handle)
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder next to `path`, which replaces `path` when the block succeeds."""
    temporary = path.with_name(f".{path.name}{PART}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    yield temporary
    shutil.rmtree(path, ignore_errors=True)
    temporary.replace(path)
    sync(path.parent)


def hard_link(source: Path, path: Path) -> None:
    """Give a file a second name, replacing what had it before; a copy if the file system has no links."""
    with replacing(path) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copy2(source, temporary)


def _remove_abandoned(path: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote `path`: those that nobody locks."""
    made = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}{re.escape(PART)}")
    for name in os.listdir(path.parent):  # noqa: PTH208  (names alone: folders hold thousands of shards)
        if not made.fullmatch(name):
            continue
        with contextlib.suppress(OSError), (path.parent / name).open("rb") as stream:
            if _lock(stream.fileno()):
                (path.parent / name).unlink()


def _lock(handle: int) -> bool:
    """Lock an open file until it is closed or the process ends; return False if it cannot be locked."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # by another, or the file system has no locks
        return False
    return True


def sync(path: Path) -> None:
    """Force a file, or the names in a folder, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def version(path: str | Path) -> tuple[int, int, int]:
    """Return what changes when a file is replaced or written to: inode, size and time."""
    status = Path(path).stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def sha256_file(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_json(path: str | Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        NanosnakeError: if the file is not JSON; the message names the file and the place.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise NanosnakeError(f"{path}: not a JSON file ({error}); delete it and run again") from error


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, so that equal values give equal bytes."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def write_if_changed(path: str | Path, text: str) -> None:
    """Write `text` unless the file already holds it, so its modification time is that of the last change."""
    path = Path(path)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
