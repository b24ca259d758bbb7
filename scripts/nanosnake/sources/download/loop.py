"""The loop of a download: attempts, waits, and the checks before the file gets its final name."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import requests

from nanosnake import __version__
from nanosnake.files import NanosnakeError, sha256_file
from nanosnake.messages import duration, log
from nanosnake.sources.download import hosts
from nanosnake.sources.download.attempt import HttpAttempt
from nanosnake.sources.download.environment import asked, check
from nanosnake.sources.download.headers import Linked, bare_etag
from nanosnake.sources.download.partial import Partial
from nanosnake.sources.download.problems import Mismatch, Patience, Retry

MIN_GAIN = 1 << 20
"""After this many new bytes, earlier failures no longer count."""


@dataclass(frozen=True)
class Download:
    """A file that has arrived, before it has its final name."""

    path: Path
    url: str
    """Without its query."""
    revision: str | None
    """The commit that the host named, else the revision that was asked for."""
    etag: str | None
    bytes: int
    sha256: str
    sha256_from: str | None
    """Who gave the expected SHA-256; None if nobody did."""
    seconds: float


class Attempt(Protocol):
    """One attempt at a file. After `run`, the partial file is as long as the host says it must be."""

    linked: Linked
    """What the host says about the file."""
    etag: str | None

    def run(self) -> None:
        """Ask for the file and append what comes; raises Retry, Mismatch or NanosnakeError."""


@dataclass(frozen=True)
class Wanted:
    """A file to fetch."""

    url: str
    """As it may be shown."""
    host: str
    """As messages name it."""
    path: Path
    """Its final name."""
    revision: str | None
    sha256: str | None
    """Expected SHA-256 of the content; else what the host announces."""


@dataclass
class _Fetch:
    wanted: Wanted
    patience: Patience
    sleep: Callable[[float], None]
    attempt: Callable[[Partial], Attempt]
    partial: Partial
    mismatches: int = 0

    def run(self) -> Download:
        """Try until the file is there or further attempts are useless."""
        began = time.monotonic()
        failures, best = 0, self.partial.size
        while True:
            attempt = self.attempt(self.partial)
            try:
                attempt.run()
                return self._verified(attempt, began)
            except Mismatch as problem:
                self._begin_again(problem)
            except Retry as problem:
                if self.partial.size >= best + MIN_GAIN:
                    failures, best = 0, self.partial.size
                failures += 1
                self._wait(problem, failures)

    def _verified(self, attempt: Attempt, began: float) -> Download:
        found = sha256_file(self.partial.path)
        announced = attempt.linked.sha256
        wanted = self.wanted.sha256 or announced
        given = "the checksum that was given" if self.wanted.sha256 else None
        source = given or (self.wanted.host if announced else None)
        if wanted is not None and found != wanted:
            raise Mismatch(f"its sha256 is {found}, wanted {wanted} (from {source})")
        return Download(
            path=self.partial.path,
            url=self.wanted.url,
            revision=attempt.linked.commit or self.wanted.revision,
            etag=bare_etag(attempt.linked.etag) or attempt.etag,
            bytes=self.partial.size,
            sha256=found,
            sha256_from=source if wanted else None,
            seconds=round(time.monotonic() - began, 3),
        )

    def _begin_again(self, problem: Mismatch) -> None:
        self.mismatches += 1
        if self.mismatches > 1:
            self.partial.remove()
            raise NanosnakeError(
                f"{problem}, twice; nothing is kept. The file at the host is not the one that was "
                "described: check url, revision and checksum"
            ) from None
        self.partial.start_over()
        log(f"{self.wanted.path.stem}: {problem}; removed, downloading once more")

    def _wait(self, problem: Retry, failures: int) -> None:
        patience = self.patience
        there = f"{self.partial.size / 1e6:,.1f} MB" if self.partial.size >= 50_000 else None
        kept = f" {there} are kept for the next run." if there else ""
        if failures > patience.retries:
            raise NanosnakeError(
                f"gave up after {failures} failures in a row; the last: {problem}.{kept} "
                "Run again later, or raise --retries"
            ) from None
        if problem.wait is not None and problem.wait > patience.longest_wait:
            raise NanosnakeError(
                f"{problem} and asks to wait for {duration(problem.wait)}, longer than --longest-wait "
                f"({duration(patience.longest_wait)}).{kept} Run again after that, with fewer downloads at a time"
            ) from None
        pause = (problem.wait or 0.0) + patience.pause(failures)
        going_on = f"resuming from {there}" if there else "trying again"
        log(
            f"{self.wanted.path.stem}: {problem}; {going_on} in {pause:.1f} s "
            f"({failures} of {patience.retries} retries)"
        )
        self.sleep(pause)


def fetch(
    url: str,
    path: Path,
    *,
    revision: str | None = None,
    sha256: str | None = None,
    allow_http: bool = False,
    patience: Patience | None = None,
    accept: Callable[[Download], None],
    environment: Mapping[str, str] = os.environ,
    sleep: Callable[[float], None] = time.sleep,
) -> Download:
    """Download a file to `path`.

    What arrives is kept in a partial file next to `path` (see partial.py). When it is complete and its size and
    checksum are right, `accept` looks at it; only then does it get its final name.

    Args:
        url: https or http; its host alone may see the token of HF_TOKEN, and only if that is Hugging Face.
        revision: the revision that the URL is of; a commit of 40 digits is compared with the host's word.
        sha256: expected hash of the content; else what the host announces.
        allow_http: whether a redirect may lead from https to http.
        accept: called with the complete file; its NanosnakeError refuses and removes the file.
        environment: where HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE are looked up.
        sleep: waits between attempts.

    Raises:
        NanosnakeError: if the file cannot be fetched, or is not the right one.
    """
    patience = patience or Patience()
    hosts.split(url, "the URL")
    identity, url = url, asked(url, environment)
    check(url)
    token = hosts.HostToken(url, environment)
    wanted = Wanted(hosts.shown(url), hosts.host(url), path, revision, sha256 and sha256.lower())
    with requests.Session() as session:
        session.auth = token
        session.headers["User-Agent"] = f"nanosnake/{__version__}"

        def attempt(partial: Partial) -> Attempt:
            return HttpAttempt(
                session, token, url, path.stem, revision, wanted.sha256, patience, partial, allow_http
            )

        return receive(wanted, attempt, identity=identity, patience=patience, accept=accept, sleep=sleep)


@contextlib.contextmanager
def here(place: str, *, sha256: str | None, patience: Patience) -> Iterator[Path]:
    """Yield the file or folder that a path or a URL names; what is behind a URL is here for as long as the block.

    Args:
        sha256: as in `fetch`.
    """
    if "://" not in place:
        yield Path(place)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, Path(urlsplit(place).path).name)
        fetch(place, path, sha256=sha256, patience=patience, accept=lambda arrived: None)
        yield path


def receive(
    wanted: Wanted,
    attempt: Callable[[Partial], Attempt],
    *,
    identity: str,
    patience: Patience,
    accept: Callable[[Download], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Download:
    """Make attempts until the file has arrived, is verified and accepted, then give it its name.

    Args:
        wanted: the file.
        attempt: makes one attempt that appends to the partial file.
        identity: what tells this file from others, so that another file's partial file is not continued.
        patience, accept, sleep: as in `fetch`.

    Raises:
        NanosnakeError: if the file cannot be fetched, or is not the right one.
    """
    path = wanted.path
    with Partial(path, identity, lock_wait=patience.lock_wait) as partial:
        run = _Fetch(wanted, patience, sleep, attempt, partial)
        if partial.size:
            log(f"{path.stem}: {partial.size / 1e6:,.1f} MB are there from an earlier run")
        try:
            download = run.run()
        except NanosnakeError as error:
            if not partial.size:
                partial.remove()
            raise NanosnakeError(f"{wanted.url}: {error}") from None
        try:
            accept(download)
        except NanosnakeError:
            partial.remove()
            raise
        partial.finish()
    return download
