"""One bucket and prefix: what it holds, what has to be sent, and the check that it arrived."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.s3.transfer import TransferConfig, create_transfer_manager
from s3transfer.subscribers import BaseSubscriber

from nanosnake.files import NanosnakeError, sha256_file
from nanosnake.messages import Progress
from nanosnake.publish.receipts import Published, key_of
from nanosnake.s3.place import Endpoint, Place
from nanosnake.s3.problems import S3_ERRORS, explain, not_there, precondition_failed
from nanosnake.sources.download.headers import bare_etag

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PART = 16 << 20
"""Bytes of a part; a larger file goes in several. 10,000 parts are allowed, so files of up to 156 GiB; the
library takes larger parts for larger files."""

WRITES = ("PutObject", "CompleteMultipartUpload")
"""The requests that give an object its name."""


@dataclass(frozen=True)
class Found:
    """An object as the server describes it."""

    bytes: int
    sha256: str | None
    """From our own metadata; None for an object that another program wrote."""
    etag: str
    version: str | None


class Destination:
    """Where files are published.

    Args:
        client: made by `nanosnake.s3.client.connect`.
        endpoint: the server, for messages.
        place: bucket and prefix.
        run: name of this run, for the objects' metadata.
    """

    def __init__(self, client: S3Client, endpoint: Endpoint, place: Place, run: str) -> None:
        self.client, self.endpoint, self.place, self.run = client, endpoint, place, run

    def publish(self, path: Path, key: str | None = None) -> tuple[Published, bool]:
        """Make sure that the bucket holds a file; send it only if it is missing there or differs.

        Args:
            path: the file.
            key: its name below the destination; that of a file below results/ if None.

        Returns:
            What is there now, and whether it was sent.

        Raises:
            NanosnakeError: if it cannot be sent; nothing of it is visible then.
        """
        key = key or key_of(path)
        place = self.place.below(key)
        before = path.stat()
        sha256 = sha256_file(path)
        found = self.look(place)
        sent = not (found and (found.sha256, found.bytes) == (sha256, before.st_size))
        if sent:
            self._send(path, place, sha256, found)
            after = path.stat()
            if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
                raise NanosnakeError(f"{path}: changed while it was sent to {place}; run again")
            found = self.look(place)
        if found is None or (found.sha256, found.bytes) != (sha256, before.st_size):
            raise NanosnakeError(f"{place}: another program writes this object too; stop it and run again")
        return (
            Published(path.as_posix(), key, found.bytes, sha256, found.etag, found.version),
            sent,
        )

    def look(self, place: Place) -> Found | None:
        """Return the object at a place, or None."""
        try:
            answer = self.client.head_object(Bucket=place.bucket, Key=place.key)
        except S3_ERRORS as error:
            if not_there(error):
                return None
            problem = explain(error, self.endpoint, place, "read")
        else:
            return Found(
                bytes=answer["ContentLength"],
                sha256=answer["Metadata"].get("sha256"),
                etag=bare_etag(answer["ETag"]) or "",
                version=answer.get("VersionId"),
            )
        raise problem

    def etags(self, folder: str) -> dict[str, tuple[str, int]]:
        """Return ETag and size of all objects below a folder, by their key below the destination."""
        start = f"{self.place.below(folder).key}/"
        cut = len(start) - len(folder) - 1
        found: dict[str, tuple[str, int]] = {}
        try:
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.place.bucket, Prefix=start):
                for one in page.get("Contents", ()):
                    found[one["Key"][cut:]] = (bare_etag(one["ETag"]) or "", one["Size"])
        except S3_ERRORS as error:
            problem = explain(error, self.endpoint, self.place, "list")
        else:
            return found
        raise problem

    def _send(self, path: Path, place: Place, sha256: str, found: Found | None) -> None:
        """Send a file; on an error, the library deletes the parts that were sent.

        It replaces only the object that `found` describes: if another process has written the object in the meantime,
        the server refuses, and the caller checks what is there now.
        """
        extra = {
            "Metadata": {"sha256": sha256, "run-id": self.run},
            "ContentType": mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        }
        settings = TransferConfig(
            multipart_threshold=PART, multipart_chunksize=PART, preferred_transfer_client="classic"
        )
        size = path.stat().st_size
        try:
            with (
                Progress(place.name, size, unit="MB", scale=1e6) as progress,
                self._replacing(found),
                create_transfer_manager(self.client, settings) as manager,
            ):
                sending = manager.upload(
                    str(path), place.bucket, place.key, extra_args=extra, subscribers=[_Sent(progress)]
                )
                try:
                    sending.result()
                except BaseException:  # SystemExit among them, on SIGTERM
                    sending.cancel()
                    raise
            return
        except S3_ERRORS as error:
            if precondition_failed(error):
                return
            problem = explain(error, self.endpoint, place, "write")
        raise problem

    @contextmanager
    def _replacing(self, found: Found | None) -> Iterator[None]:
        """Add the condition to the requests that give an object its name; the transfer manager lacks it."""
        condition = {"IfMatch": f'"{found.etag}"'} if found else {"IfNoneMatch": "*"}

        def add(params: dict[str, Any], **_: object) -> None:
            params.update(condition)

        events = self.client.meta.events
        for name in WRITES:
            events.register(f"provide-client-params.s3.{name}", add)
        try:
            yield
        finally:
            for name in WRITES:
                events.unregister(f"provide-client-params.s3.{name}", add)


class _Sent(BaseSubscriber):
    """Tells a progress line of the bytes that were sent."""

    def __init__(self, progress: Progress) -> None:
        self.progress, self.done = progress, 0

    def on_progress(self, future: object, bytes_transferred: int, **_: object) -> None:
        self.done += bytes_transferred
        self.progress(self.done)
