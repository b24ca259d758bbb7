"""Downloads from S3: the same loop as over HTTP, with attempts that ask for an object and its ranges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import FlexibleChecksumError

from nanosnake.files import NanosnakeError
from nanosnake.s3.client import connect
from nanosnake.s3.place import AMAZON, Endpoint, Place
from nanosnake.s3.problems import S3_ERRORS, describe, passes, precondition_failed
from nanosnake.sources.download.body import PIECE, append
from nanosnake.sources.download.environment import check
from nanosnake.sources.download.headers import Linked, bare_etag
from nanosnake.sources.download.loop import Download, Wanted, receive
from nanosnake.sources.download.partial import Partial, State
from nanosnake.sources.download.problems import Mismatch, Patience, Retry

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


@dataclass
class ObjectAttempt:
    """One attempt at an object. After `run`, the partial file is as long as the object."""

    client: S3Client
    endpoint: Endpoint
    place: Place
    name: str
    """What the log calls the file."""
    sha256: str | None
    """The SHA-256 that the user expects, if any."""
    patience: Patience
    partial: Partial
    linked: Linked = field(default_factory=Linked)
    """What the server says about the object: version, size, and sha256 where the metadata tell it, else its ETag."""
    etag: str | None = None

    def run(self) -> None:
        """Ask for the object and append what comes.

        Raises:
            Retry: if another attempt may succeed.
            Mismatch: if the server sends more than it announced, or not what its checksum says.
            NanosnakeError: if asking again is useless.
        """
        self._describe()
        size = self.linked.size
        if self.partial.size == size and self.partial.state is not None:
            return  # an earlier attempt has fetched it all
        begin = State(self.partial.url_sha256, self.linked.commit, self.linked.etag, size)
        try:
            answer = self.client.get_object(
                Bucket=self.place.bucket,
                Key=self.place.key,
                IfMatch=f'"{self.etag}"',
                **({"Range": f"bytes={self.partial.size}-"} if self.partial.size else {}),  # type: ignore[arg-type]
            )
        except S3_ERRORS as error:
            problem = self._explain(error)
        else:
            self.partial.begin(begin)
            body, host = answer["Body"], self.endpoint.host
            with body:
                append(self.partial, lambda: self._piece(body.read), self.name, host, size, self.patience)
            return
        raise problem

    def _describe(self) -> None:
        """Ask what the object is; start over if the partial file is of another one."""
        try:
            answer = self.client.head_object(Bucket=self.place.bucket, Key=self.place.key)
        except S3_ERRORS as error:
            problem = self._explain(error)
        else:
            self.etag = bare_etag(answer["ETag"])
            said = answer["Metadata"].get("sha256")
            self.linked = Linked(answer.get("VersionId"), answer["ContentLength"], said or answer["ETag"])
            if self.sha256 and said and self.sha256 != said:
                raise NanosnakeError(
                    f"its metadata say sha256 {said}, wanted {self.sha256}: the object has changed, or the checksum is "
                    "of another; correct the checksum or the s3:// URL"
                )
            state = self.partial.state
            if (state and not state.same_file(self.linked)) or self.partial.size > answer["ContentLength"]:
                self.partial.start_over()
            return
        raise problem

    def _piece(self, read: Callable[[int], bytes]) -> bytes:
        try:
            return read(PIECE)
        except FlexibleChecksumError:
            problem: Exception = Mismatch(f"{self.endpoint.host} sends something else than its checksum says")
        except S3_ERRORS as error:
            problem = self._explain(error)
        raise problem

    def _explain(self, error: Exception) -> Exception:
        if precondition_failed(error):
            return Retry("the object changed while it was read; starting over")
        words = describe(error, self.endpoint, self.place, "read")
        return Retry(words) if passes(error) else NanosnakeError(words)


def fetch_object(
    place: Place,
    path: Path,
    *,
    endpoint: Endpoint,
    sha256: str | None = None,
    patience: Patience | None = None,
    accept: Callable[[Download], None],
    client: S3Client | None = None,
) -> Download:
    """Download an object to `path`, as `nanosnake.sources.download.fetch` does with a URL.

    Args:
        place: the object.
        path: the final name.
        endpoint: the server.
        sha256: expected hash of the content; else what the object's metadata say, if they do.
        patience: how long to wait for what.
        accept: called with the complete file; its NanosnakeError refuses and removes the file.
        client: of `endpoint`, to share among many objects.

    Raises:
        NanosnakeError: if the object cannot be fetched, or is not the right one.
    """
    patience = patience or Patience()
    check(endpoint.endpoint_url or f"https://{AMAZON}", ("AWS_CA_BUNDLE",))
    asked = client or patient_client(endpoint, patience)
    wanted = Wanted(str(place), endpoint.host, path, None, sha256 and sha256.lower())

    def attempt(partial: Partial) -> ObjectAttempt:
        return ObjectAttempt(asked, endpoint, place, path.stem, wanted.sha256, patience, partial)

    identity = f"{endpoint.endpoint_url or ''} {place}"
    return receive(wanted, attempt, identity=identity, patience=patience, accept=accept)


def patient_client(endpoint: Endpoint, patience: Patience) -> S3Client:
    """Return a client whose requests are tried once: the loop retries, and resumes where it was."""
    return connect(
        endpoint,
        connect_timeout=patience.connect_timeout,
        read_timeout=patience.read_timeout,
        attempts=1,
    )
