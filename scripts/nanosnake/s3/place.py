"""Where objects are: s3://bucket/key, and the endpoint that is asked for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from nanosnake.options import Word

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\"'`\\<>?#]")
AMAZON = "s3.amazonaws.com"


@dataclass(frozen=True)
class Place:
    """A bucket and a key in it, or the beginning that keys share; the key is empty for a whole bucket."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, url: str) -> Place:
        """Return the place that s3://bucket/key names; a slash at the end means nothing.

        Raises:
            ValueError: if it is not of that form, or names what only some tools can read back.
        """
        scheme, _, rest = url.partition("://")
        bucket, _, key = rest.partition("/")
        if scheme != "s3" or not _BUCKET.fullmatch(bucket):
            raise ValueError(
                "write s3://bucket/prefix, where a bucket's name has 3 to 63 letters, digits, '.', '_', '-'"
            )
        key = key.rstrip("/")
        if _UNSAFE.search(key) or any(part in ("", ".", "..") for part in key.split("/") if key):
            raise ValueError("a key has no blanks, quotes or '?', no empty part and no '..'")
        return cls(bucket, key)

    def below(self, name: str) -> Place:
        """Return the place of `name`, which may have folders, below this one."""
        return Place.parse(f"{self}/{name}")

    @property
    def parent(self) -> Place:
        """The folder that this is in."""
        return Place(self.bucket, self.key.rpartition("/")[0])

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}".rstrip("/")


def check_endpoint_url(value: str) -> str:
    """Return a URL that can be an endpoint.

    Raises:
        ValueError: if it is not one, or holds credentials.
    """
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an endpoint begins with https:// or http:// and names a host")
    if parts.username or parts.password:
        raise ValueError(
            "no credentials in a URL: they would appear in logs; use the environment or ~/.aws/credentials"
        )
    if _UNSAFE.search(value) or parts.path.strip("/"):
        raise ValueError("an endpoint is a scheme, a host and a port; the bucket belongs in the s3:// URL")
    return value


AnyPlace = Annotated[Place, Word(Place.parse, str)]
"""An option that names a place, s3://bucket/key."""


@dataclass(frozen=True)
class Endpoint:
    """The server to use. No credentials: these come from the environment and the usual files."""

    endpoint_url: Annotated[str, Word(check_endpoint_url, str, secret=True)] | None = None
    """URL of an S3-compatible server; Amazon's, or what AWS_ENDPOINT_URL_S3 says, if absent."""
    region: str | None = None
    """Region of the bucket; the usual places name it if absent."""
    path_style: bool = False
    """Put the bucket in the path instead of the host name."""

    @property
    def host(self) -> str:
        """The host, for messages."""
        return urlsplit(self.endpoint_url).netloc if self.endpoint_url else AMAZON
