"""The partial file of a download: next to the final name, kept when a download ends early, locked while one runs.

    FOLDER/.NAME.part        the bytes that have arrived, from the first
    FOLDER/.NAME.part.json   of which file they are

Neither is an output of a rule, so that Snakemake leaves them alone and the next run resumes from there.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from nanosnake.files import NanosnakeError, sync, write_json
from nanosnake.messages import duration, log
from nanosnake.sources.download.headers import Linked
from nanosnake.sources.download.hosts import Origin

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""What file systems without locks answer."""


def partial_path(path: Path) -> Path:
    """Return the name of the partial file of `path`."""
    return path.with_name(f".{path.name}.part")


@dataclass(frozen=True)
class State:
    """Of which file the bytes are. No URL: a signed one would be a secret."""

    url_sha256: str
    commit: str | None = None
    """What the host of the URL said about the file."""
    linked_etag: str | None = None
    size: int | None = None
    validator: str | None = None
    """ETag or date that the host of the body gave, for If-Range."""
    validator_origin: str | None = None
    etag: str | None = None
    """ETag that the host of the body gave, for the metadata of a file that is complete when the next run begins."""

    def same_file(self, linked: Linked) -> bool:
        """Return whether what the host says now describes the same file."""
        pairs = (
            (self.commit, linked.commit),
            (self.linked_etag, linked.etag),
            (self.size, linked.size),
        )
        return all(mine is None or theirs is None or mine == theirs for mine, theirs in pairs)

    def same_content_for_sure(self, linked: Linked) -> bool:
        """Return whether the host gives the SHA-256 that the bytes began with."""
        return linked.sha256 is not None and self.linked_etag == linked.etag


class Partial:
    """The partial file of one download, opened and locked. A context manager.

    Args:
        path: the final name.
        url: where the file comes from.
        lock_wait: seconds to wait for another process that has it.
    """

    def __init__(self, path: Path, url: str, *, lock_wait: float) -> None:
        self.final = path
        self.path = partial_path(path)
        self.state_path = self.path.with_name(f"{self.path.name}.json")
        self.url_sha256 = hashlib.sha256(url.encode()).hexdigest()
        self.lock_wait = lock_wait
        self.stream: BinaryIO
        self.state: State | None = None

    def __enter__(self) -> Partial:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.stream = self._open_locked()
        self.state = self._read_state()
        if self.state is None:
            self.start_over()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stream.close()  # releases the lock

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return os.fstat(self.stream.fileno()).st_size

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        view = memoryview(data)
        while view:
            view = view[self.stream.write(view) :]

    def begin(self, state: State) -> None:
        """Note which file the next bytes are of, before the first of them is written."""
        if state != self.state:
            write_json(self.state_path, asdict(state))
            self.state = state

    def start_over(self) -> None:
        """Forget what is there."""
        self.state_path.unlink(missing_ok=True)
        self.state = None
        if self.size:
            self.stream.truncate(0)
        self.stream.seek(0)

    def remove(self) -> None:
        """Remove the file and what is known about it."""
        self.state_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the file its final name."""
        sync(self.path)
        self.path.replace(self.final)
        self.state_path.unlink(missing_ok=True)
        sync(self.final.parent)

    def _open_locked(self) -> BinaryIO:
        began = time.monotonic()
        said = False
        while True:
            stream = os.fdopen(
                os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b", buffering=0
            )
            try:
                if self._lock(stream) and self._is_still_there(stream):
                    stream.seek(0, os.SEEK_END)
                    return stream
            except BaseException:
                stream.close()
                raise
            stream.close()
            if time.monotonic() - began >= self.lock_wait:
                raise NanosnakeError(
                    f"{self.path}: another process downloads this file; wait until it ends, or stop it "
                    f"(`fuser {self.path}` names it), and run again"
                )
            if not said:
                said = True
                log(
                    f"{self.final.name}: another process downloads it; waiting up to {duration(self.lock_wait)}"
                )
            time.sleep(min(0.2, self.lock_wait))

    def _lock(self, stream: BinaryIO) -> bool:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            log(
                f"{self.path}: note: this file system has no locks; do not download the same file twice at once"
            )
        return True

    def _is_still_there(self, stream: BinaryIO) -> bool:
        """Return whether the locked file still has its name; the process before may have renamed it."""
        try:
            return os.path.samestat(os.fstat(stream.fileno()), self.path.stat())
        except FileNotFoundError:
            return False

    def _read_state(self) -> State | None:
        """Return what is known about the bytes; None if there are none or they are of something else."""
        if not self.size:
            return None
        try:
            state = State(**json.loads(self.state_path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        return state if state.url_sha256 == self.url_sha256 else None


def origin_text(origin: Origin) -> str:
    """Return an origin in the form in which a state keeps it."""
    scheme, host, port = origin
    return f"{scheme}://{host}:{port}"
