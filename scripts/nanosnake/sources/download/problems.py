"""What can go wrong with a download, in words that contain no token and no signed link."""

from __future__ import annotations

import errno
import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

import requests
import urllib3

from nanosnake.files import NanosnakeError


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait for what."""

    connect_timeout: float = 10.0
    """Seconds to wait for a connection."""
    read_timeout: float = 60.0
    """Seconds to wait for the next byte."""
    min_speed: float = 1000.0
    """Bytes a second; slower than this over a read timeout counts as broken off."""
    retries: int = 8
    """Failures in a row, without new bytes in between, before giving up."""
    backoff: float = 1.0
    """Seconds; the wait after the first failure is drawn from 0 to this, and the bound doubles with each failure."""
    backoff_cap: float = 60.0
    """Seconds; the largest such bound."""
    longest_wait: float = 900.0
    """Seconds; a host that asks to wait for longer ends the download."""
    lock_wait: float = 60.0
    """Seconds to wait for another process that downloads the same file."""

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(Patience)):
            value = getattr(self, name)
            if not (value > 0 if "timeout" in name else value >= 0) or value == math.inf:
                least = "above 0" if "timeout" in name else "0 or more"
                raise NanosnakeError(
                    f"--{name.replace('_', '-')}: got {value}, wanted a finite number, {least}"
                )

    def pause(self, failures: int) -> float:
        """Return the wait after so many failures in a row: full jitter, so that many jobs spread out."""
        return random.uniform(0, min(self.backoff_cap, self.backoff * 2.0 ** (failures - 1)))


class Retry(Exception):
    """An attempt failed in a way that another one can fix.

    Args:
        message: what happened.
        wait: seconds that the host asks to wait for.
    """

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class Mismatch(Exception):
    """What came is not what was announced; one more attempt from the first byte may fix it."""


TRANSPORT_ERRORS = (requests.RequestException, urllib3.exceptions.HTTPError)
"""What the two libraries raise. Their texts hold URLs with signatures: never print them."""

_PROXY_ERRORS = (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError)
_CONNECT_TIMEOUTS = (requests.exceptions.ConnectTimeout, urllib3.exceptions.ConnectTimeoutError)
_READ_TIMEOUTS = (requests.exceptions.ReadTimeout, urllib3.exceptions.ReadTimeoutError)


def explain_transport(error: Exception, host: str, patience: Patience, proxy: str | None = None) -> Exception:
    """Return the error to raise for an error of the connection: Retry, or NanosnakeError if it will stay so.

    Args:
        proxy: the variable that names the proxy, if there is one.
    """
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return NanosnakeError(
            f"the certificate of {host} cannot be verified; if your site has its own authority, name its file "
            "in REQUESTS_CA_BUNDLE"
        )
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return NanosnakeError(f"a URL of {host} is not valid ({type(error).__name__}); correct it")
    if isinstance(error, _PROXY_ERRORS):
        named = f"the proxy{f' that {proxy} names' if proxy else ''}"
        if refused := re.search(r"Tunnel connection failed: (4\d\d)", str(error)):
            return NanosnakeError(_proxy_refused(int(refused[1]), named, host))
        return Retry(f"{named} did not connect to {host}")
    if isinstance(error, _CONNECT_TIMEOUTS):
        return Retry(f"no connection to {host} within {patience.connect_timeout:g} s")
    if isinstance(error, _READ_TIMEOUTS):
        return Retry(f"{host} sent nothing for {patience.read_timeout:g} s")
    reason = _system_reason(error)
    if reason is None:
        return Retry(f"the connection to {host} broke off")
    return Retry(f"the connection to {host} failed: {reason}")


def _proxy_refused(status: int, named: str, host: str) -> str:
    if status == 407:
        return f"{named} wants a login (407): write it as http://USER:PASSWORD@HOST:PORT"
    return f"{named} does not let through to {host} ({status}): ask who runs it, or take the host out with NO_PROXY"


def _system_reason(error: BaseException) -> str | None:
    """Return the operating system's words for the innermost cause."""
    open_errors: list[object] = [error]
    seen: set[int] = set()
    found: str | None = None
    while open_errors:
        current = open_errors.pop()
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, OSError) and isinstance(current.strerror, str):
            found = current.strerror
        reason = getattr(current, "reason", None)
        open_errors.extend([*current.args, reason, current.__cause__, current.__context__])
    return found


def explain_status(
    status: int,
    headers: Mapping[str, str],
    host: str,
    *,
    token_sent: bool,
    behind_redirect: bool,
    wait: float | None,
    proxy: str | None = None,
) -> Exception:
    """Return the error to raise for an answer that is not a file; `proxy` as for `explain_transport`."""
    if status == 407:
        return NanosnakeError(
            _proxy_refused(status, f"the proxy that {proxy} names" if proxy else host, host)
        )
    if status == 429:
        return Retry(f"{host} limits the rate of requests (429)", wait)
    if status >= 500 or status in (408, 425):
        return Retry(f"{host} answered {status}", wait)
    if behind_redirect and status in (400, 401, 403):
        return Retry(f"{host} refused the link that it was given ({status}); links expire")
    code = headers.get("X-Error-Code", "")
    if code == "GatedRepo":
        return NanosnakeError(
            f"the dataset is gated ({status}): accept its terms on its page at {host}, then set HF_TOKEN to a token "
            f"of that account{' (the one that is set was refused)' if token_sent else ''}"
        )
    if status in (401, 403):
        return NanosnakeError(_refused(status, host, token_sent))
    if status in (404, 410):
        missing = {
            "RepoNotFound": "no such dataset",
            "RevisionNotFound": "no such revision",
            "EntryNotFound": "no such file in the dataset",
        }.get(code, "no such file")
        return NanosnakeError(
            f"{missing} at {host} ({status}); check the dataset's url, revision and shard numbers"
        )
    return NanosnakeError(f"{host} answered {status}, which is not a file; check the dataset's url")


def _refused(status: int, host: str, token_sent: bool) -> str:
    if token_sent:
        return (
            f"{host} refused HF_TOKEN ({status}): it may have expired or may not read this dataset, or the dataset "
            "does not exist; make a token with read access at https://huggingface.co/settings/tokens"
        )
    if host == "huggingface.co":
        return (
            f"{host} wants a login ({status}): the dataset is private or gated, or does not exist; check its name, "
            "or set HF_TOKEN to a token that may read it"
        )
    return f"{host} wants a login ({status}); only Hugging Face tokens (HF_TOKEN, HF_ENDPOINT) are supported: use a public URL"


def explain_disk(error: OSError, path: str, missing: int | None) -> Exception:
    """Return the error to raise for a write that failed."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return error
    wanted = f", {missing / 1e6:,.1f} MB more are needed" if missing else ""
    return NanosnakeError(
        f"{path}: {error.strerror}{wanted}; make room and run again: what has arrived is kept"
    )
