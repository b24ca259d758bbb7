"""What environment variables say about downloads: proxies, certificates, Hugging Face's endpoint."""

from __future__ import annotations

import importlib.util
import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from requests.utils import get_environ_proxies, select_proxy

from nanosnake.files import NanosnakeError
from nanosnake.sources.download import hosts

CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""What requests looks at; boto looks at AWS_CA_BUNDLE."""


def _proxy(url: str) -> str | None:
    return select_proxy(url, get_environ_proxies(url))


def proxy_variable(url: str) -> str | None:
    """Return the variable that names the proxy for a URL, None if there is no proxy for it."""
    if not _proxy(url):
        return None
    names = (f"{urlsplit(url).scheme}_proxy", "all_proxy")
    return next((word for name in names for word in (name, name.upper()) if os.environ.get(word)), None)


def check(url: str, certificates: Sequence[str] = CERTIFICATES) -> None:
    """Check that proxy and certificates can be used; values are not shown, since a proxy's may hold a password.

    Args:
        certificates: the variables that may name certificates of authorities; the first that is set counts.

    Raises:
        NanosnakeError: if not; it names the variable.
    """
    if proxy := _proxy(url):
        _check_proxy(proxy_variable(url) or "the system's setting", proxy)
    if urlsplit(url).scheme == "https" and (name := next(filter(os.environ.get, certificates), None)):
        _check_certificates(name, Path(os.environ[name]))


def _check_proxy(variable: str, proxy: str) -> None:
    wanted = "write http://HOST:PORT, or unset it"
    try:
        parts = urllib3.util.parse_url(proxy if "://" in proxy else f"http://{proxy}")
    except ValueError:
        raise NanosnakeError(f"{variable} is not the URL of a proxy; {wanted}") from None
    if not parts.host:
        raise NanosnakeError(f"{variable} names no host of a proxy; {wanted}")
    scheme = parts.scheme or ""
    if scheme in ("socks4", "socks4a", "socks5", "socks5h"):
        if importlib.util.find_spec("socks") is None:
            raise NanosnakeError(
                f"{variable} names a SOCKS proxy, which needs the package PySocks: install it (`uv pip install "
                "PySocks`), or name an http proxy"
            )
    elif scheme not in ("http", "https"):
        raise NanosnakeError(f"{variable} names a proxy with the scheme {scheme!r}; {wanted}")


def _check_certificates(variable: str, path: Path) -> None:
    wanted = "name a file of certificates in PEM, or unset it"
    if not path.exists():
        raise NanosnakeError(f"{variable}: {path} does not exist; {wanted}")
    try:
        if path.is_dir():
            ssl.create_default_context(capath=str(path))
        else:
            ssl.create_default_context(cafile=str(path))
    except (OSError, ValueError) as error:
        raise NanosnakeError(f"{variable}: {path} holds no certificates ({error}); {wanted}") from None


def asked(url: str, environment: Mapping[str, str]) -> str:
    """Return where to ask for a URL of Hugging Face: at HF_ENDPOINT, if it is set.

    Raises:
        NanosnakeError: if HF_HUB_OFFLINE forbids asking, or HF_ENDPOINT is not a URL.
    """
    endpoint = hosts.endpoint(environment)
    if hosts.origin(url) not in (hosts.origin(hosts.HUGGING_FACE), hosts.origin(endpoint, "HF_ENDPOINT")):
        return url
    if hosts.offline(environment):
        raise NanosnakeError(
            "HF_HUB_OFFLINE is set, so Hugging Face is not asked; unset it, or get the shards where there is a network "
            "(the target `shards`)"
        )
    if hosts.origin(url) != hosts.origin(hosts.HUGGING_FACE):
        return url
    parts = urlsplit(url)
    return f"{endpoint}{parts.path}{f'?{parts.query}' if parts.query else ''}"
