"""What hosts say in their headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


@dataclass(frozen=True)
class Linked:
    """What the host of the URL says of the file behind its redirect; None where it says nothing.

    Only this host's word counts: the storage behind it has ETags of its own, which can look like a SHA-256
    and are none.
    """

    commit: str | None = None
    size: int | None = None
    etag: str | None = None

    @property
    def sha256(self) -> str | None:
        """The SHA-256 of the content: an ETag of 64 digits. One of 40 is git's hash of a small file."""
        return self.etag.lower() if self.etag and _SHA256.fullmatch(self.etag) else None

    def completed_by(self, other: Linked) -> Linked:
        """Return this with what only `other` knows added."""
        return Linked(
            commit=self.commit or other.commit,
            size=other.size if self.size is None else self.size,
            etag=self.etag or other.etag,
        )


def linked(headers: Mapping[str, str]) -> Linked:
    """Read the headers with which Hugging Face describes the file that it redirects to."""
    size = headers.get("X-Linked-Size", "").strip()
    return Linked(
        commit=headers.get("X-Repo-Commit", "").strip() or None,
        size=int(size) if size.isascii() and size.isdigit() else None,
        etag=bare_etag(headers.get("X-Linked-ETag")),
    )


def bare_etag(value: str | None) -> str | None:
    """Return an ETag without its quotes and weakness mark."""
    return (value or "").strip().removeprefix("W/").strip('"') or None


def validator(headers: Mapping[str, str]) -> str | None:
    """Return what may stand in If-Range: a strong ETag with its quotes, or the date of the last change."""
    etag = headers.get("ETag", "").strip()
    if etag and not etag.startswith("W/"):
        return etag
    return headers.get("Last-Modified", "").strip() or None


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the length of the body in bytes, if it is told."""
    value = headers.get("Content-Length", "").strip()
    return int(value) if value.isascii() and value.isdigit() else None


def content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return first byte and total size of a Content-Range header; None for what it does not tell."""
    match = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if match is None:
        return None, None
    first, _, total = match.groups()
    return (int(first) if first else None), (int(total) if total != "*" else None)


def wait_asked(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that a host asks to wait for, the longest that any of its headers names.

    Known are Retry-After with seconds or a date, and RateLimit as Hugging Face sends it
    (`"resolvers";r=0;t=55`: none left, new ones in 55 s) or in the older form (`remaining=0, reset=55`).
    """
    waits = [
        wait
        for wait in (
            _retry_after(headers.get("Retry-After", ""), now or datetime.now(UTC)),
            _rate_limit(headers.get("RateLimit", "")),
        )
        if wait is not None
    ]
    return max(waits, default=None)


def _retry_after(value: str, now: datetime) -> float | None:
    value = value.strip()
    if re.fullmatch(r"\d+(\.\d+)?", value, re.ASCII):
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - now).total_seconds(), 0.0)


def _rate_limit(value: str) -> float | None:
    resets = [int(t) for r, t in re.findall(r";\s*r\s*=\s*(\d+)[^,]*;\s*t\s*=\s*(\d+)", value) if int(r) == 0]
    older = re.search(r"\bremaining\s*=\s*0\b.*\breset\s*=\s*(\d+)", value)
    if older:
        resets.append(int(older[1]))
    return float(max(resets)) if resets else None
