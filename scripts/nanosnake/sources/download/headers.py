"""What hosts say in their headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SHA256 = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_NUMBER = r"\d{1,18}"
"""No file has more bytes, no host asks for more seconds; int() refuses numbers of thousands of digits."""
_CONTENT_RANGE = re.compile(rf"bytes (?:({_NUMBER})-({_NUMBER})|\*)/({_NUMBER}|\*)", re.ASCII)


@dataclass(frozen=True)
class Linked:
    """What the host of the URL says about the file behind its redirect; None where it says nothing.

    Only this host's word counts: the storage behind it has its own ETags, which can look like a SHA-256 but are not.
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
    return Linked(
        commit=headers.get("X-Repo-Commit", "").strip() or None,
        size=_number(headers.get("X-Linked-Size", "")),
        etag=bare_etag(headers.get("X-Linked-ETag")),
    )


def bare_etag(value: str | None) -> str | None:
    """Return an ETag without its quotes and weakness mark."""
    return (value or "").strip().removeprefix("W/").strip('"') or None


def validator(headers: Mapping[str, str]) -> str | None:
    """Return what may be used in If-Range: a strong ETag with its quotes, or the date of the last change."""
    etag = headers.get("ETag", "").strip()
    if etag and not etag.startswith("W/"):
        return etag
    return headers.get("Last-Modified", "").strip() or None


def content_length(headers: Mapping[str, str]) -> int | None:
    """Return the length of the body in bytes, if it is given."""
    return _number(headers.get("Content-Length", ""))


def _number(value: str) -> int | None:
    """Return a number that is not negative, or None for anything else."""
    return int(value) if re.fullmatch(_NUMBER, value.strip(), re.ASCII) else None


def content_range(headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return first byte and total size of a Content-Range header; None for what it does not say."""
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
    if re.fullmatch(rf"{_NUMBER}(\.{_NUMBER})?", value, re.ASCII):
        return float(value)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - now).total_seconds(), 0.0)


def _rate_limit(value: str) -> float | None:
    newer = rf";\s*r\s*=\s*0+\b[^,]*;\s*t\s*=\s*({_NUMBER})(?!\d)"
    resets = [int(seconds) for seconds in re.findall(newer, value, re.ASCII)]
    older = re.search(rf"\bremaining\s*=\s*0\b.*\breset\s*=\s*({_NUMBER})(?!\d)", value, re.ASCII)
    if older:
        resets.append(int(older[1]))
    return float(max(resets)) if resets else None
