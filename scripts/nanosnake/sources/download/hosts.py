"""Which hosts are asked, and which of them sees the token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urljoin, urlsplit

import requests

from nanosnake.files import NanosnakeError

HUGGING_FACE = "https://huggingface.co"
MAX_REDIRECTS = 10

Origin = tuple[str, str, int]
"""Scheme, host, port: what a token is bound to."""


def split(url: str, what: str) -> SplitResult:
    """Return the parts of a URL that may be asked.

    Args:
        what: where the URL comes from, for the error.

    Raises:
        NanosnakeError: if it is not http or https, names no host, or carries a name and password.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is not a number
    except ValueError as error:
        raise NanosnakeError(f"{what} is not a URL; correct it") from error
    if parts.scheme not in ("http", "https"):
        raise NanosnakeError(f"{what} has the scheme {parts.scheme!r}; only https and http are followed")
    if not parts.hostname:
        raise NanosnakeError(f"{what} names no host; write https://host/path")
    if parts.username is not None or parts.password is not None:
        raise NanosnakeError(
            f"{what} carries a user name or password, which would appear in logs and metadata; remove it"
        )
    return parts


def origin(url: str, what: str = "the URL") -> Origin:
    """Return scheme, host and port of a URL."""
    parts = split(url, what)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, (parts.hostname or "").lower(), port


def host(url: str) -> str:
    """Return the host of a URL as it is shown, with its port if that is not the usual one."""
    scheme, name, port = origin(url)
    return name if port == (443 if scheme == "https" else 80) else f"{name}:{port}"


def shown(url: str) -> str:
    """Return a URL as it may appear in logs and metadata: the query, which can hold a signature, is cut off."""
    parts = urlsplit(url)
    return parts._replace(query="", fragment="").geturl()


def next_hop(url: str, location: str, *, allow_http: bool = False) -> str:
    """Return the URL that a redirect leads to.

    Args:
        url: what was asked.
        location: what the answer says.
        allow_http: whether it may lead from https to http.

    Raises:
        NanosnakeError: if it leads to another scheme than http and https, or from https to http where that is not allowed.
    """
    what = f"the redirect of {host(url)}"
    try:
        target = urljoin(url, location)
    except ValueError as error:
        raise NanosnakeError(f"{what} is not a URL; check the dataset's url") from error
    parts = split(target, what)
    if urlsplit(url).scheme == "https" and parts.scheme == "http" and not allow_http:
        raise NanosnakeError(
            f"{host(url)} redirects from https to http ({parts.hostname}), where anyone could change the file; "
            "it is not followed: check the dataset's url, or allow it with allow_http_redirects in its source"
        )
    return target


def endpoint(environment: Mapping[str, str]) -> str:
    """Return the address of the Hugging Face hub."""
    return environment.get("HF_ENDPOINT", "").strip().rstrip("/") or HUGGING_FACE


def offline(environment: Mapping[str, str]) -> bool:
    """Return whether the hub must not be asked."""
    return environment.get("HF_HUB_OFFLINE", "").strip().upper() in ("1", "ON", "YES", "TRUE")


class HostToken(requests.auth.AuthBase):
    """Puts the Hugging Face token into requests to one origin, and nothing into all others.

    As the session's authentication it also keeps requests from sending what ~/.netrc says.
    """

    def __init__(self, url: str, environment: Mapping[str, str]) -> None:
        allowed = {origin(HUGGING_FACE)}
        allowed.add(origin(endpoint(environment), "HF_ENDPOINT"))
        mine = origin(url)
        self.origin: Origin | None = mine if mine in allowed else None
        self.token = environment.get("HF_TOKEN", "").strip()
        if self.token and not re.fullmatch(r"[\x21-\x7e]+", self.token):
            raise NanosnakeError(
                "HF_TOKEN holds characters that cannot be in a token (it is not shown here); set it again"
            )

    def goes_to(self, url: str) -> bool:
        """Return whether a request for this URL carries the token."""
        return bool(self.token) and self.origin is not None and origin(url) == self.origin

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.pop("Authorization", None)
        if request.url is not None and self.goes_to(request.url):
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request

    def __repr__(self) -> str:
        return "HostToken()"
