"""Where objects stand: s3://bucket/key, and the endpoint that is asked for it."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

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
            ValueError: if it is not of that form, or names what only some tools can read again.
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
        """The folder that this stands in."""
        return Place(self.bucket, self.key.rpartition("/")[0])

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}".rstrip("/")


@dataclass(frozen=True)
class Endpoint:
    """Who is asked. No credentials: these come from the environment and the usual files."""

    endpoint_url: str | None = None
    """None for Amazon's own, or what AWS_ENDPOINT_URL_S3 says."""
    region: str | None = None
    path_style: bool = False
    """The bucket in the path and not in the host's name."""

    def options(self) -> list[str]:
        """Return the options of `add_endpoint` that say the same."""
        words = ["--endpoint-url", self.endpoint_url] if self.endpoint_url else []
        words += ["--region", self.region] if self.region else []
        return [*words, "--path-style"] if self.path_style else words

    @property
    def host(self) -> str:
        """The host, for messages."""
        return urlsplit(self.endpoint_url).netloc if self.endpoint_url else AMAZON


def check_endpoint_url(value: str) -> str:
    """Return a URL that can be an endpoint.

    Raises:
        ValueError: if it is none, or holds credentials.
    """
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an endpoint begins with https:// or http:// and names a host")
    if parts.username or parts.password:
        raise ValueError(
            "no credentials in a URL: they would stand in logs; use the environment or ~/.aws/credentials"
        )
    if _UNSAFE.search(value) or parts.path.strip("/"):
        raise ValueError("an endpoint is a scheme, a host and a port; the bucket stands in the s3:// URL")
    return value


def add_destination(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where to publish."""
    parser.add_argument("--destination", type=place_argument, required=True, help="s3://bucket/prefix")
    add_endpoint(parser)


def add_endpoint(parser: argparse.ArgumentParser) -> None:
    """Add the options of an endpoint."""
    parser.add_argument(
        "--endpoint-url", type=_endpoint_argument, help="of an S3-compatible server; Amazon's if absent"
    )
    parser.add_argument("--region", help="the usual places name it if absent")
    parser.add_argument("--path-style", action="store_true", help="the bucket stands in the path")


def place_argument(value: str) -> Place:
    """Return the place that an option of the command line names."""
    try:
        return Place.parse(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; got {value!r}") from None


def _endpoint_argument(value: str) -> str:
    try:
        return check_endpoint_url(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None  # not the value: it may hold a password
