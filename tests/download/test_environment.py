"""A cause in the environment is named, with its variable, at once; no value of it is shown."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from download.conftest import PATH, Bench
from nanosnake.files import NanosnakeError
from nanosnake.sources.download import Download, Patience, fetch
from nanosnake.sources.download.environment import proxy_variable

SECRET = "planted"
HASTE = Patience(connect_timeout=5, read_timeout=5, retries=2, backoff=0.01)
VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def get(bench: Bench, url: str, **environment: str) -> Download:
    return fetch(url, bench.output, patience=HASTE, accept=lambda download: None, environment=environment)


def refusal(bench: Bench, url: str, **environment: str) -> str:
    with pytest.raises(NanosnakeError) as caught:
        get(bench, url, **environment)
    assert SECRET not in str(caught.value)
    return str(caught.value)


PROXIES = [
    (
        "ALL_PROXY",
        f"socks5h://u:{SECRET}@127.0.0.1:1",
        "ALL_PROXY names a SOCKS proxy, which needs the package PySocks",
    ),
    ("https_proxy", f"http://{SECRET}[bad", "https_proxy is not the URL of a proxy"),
    ("HTTPS_PROXY", "127.0.0.1:99999", "HTTPS_PROXY is not the URL of a proxy"),
    ("HTTPS_PROXY", "http://", "HTTPS_PROXY names no host"),
    ("HTTPS_PROXY", "ftp://127.0.0.1:1", "HTTPS_PROXY names a proxy with the scheme 'ftp'"),
    ("REQUESTS_CA_BUNDLE", "/no/such", "REQUESTS_CA_BUNDLE: /no/such does not exist"),
    ("CURL_CA_BUNDLE", __file__, "CURL_CA_BUNDLE: "),
]


@pytest.mark.parametrize(("name", "value", "words"), PROXIES)
def test_a_variable_that_cannot_be_used_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    message = refusal(bench, "https://huggingface.co/x.parquet")
    assert words in message
    assert "; write http://HOST:PORT" in message or "PySocks" in message or "certificates" in message


def test_a_proxy_that_is_not_for_this_host_is_not_looked_at(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "ftp://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert proxy_variable(bench.url) is None
    assert get(bench, bench.url).sha256 == bench.sha256


@pytest.fixture
def refusing() -> Iterator[ThreadingHTTPServer]:
    """Return a proxy that answers everything with its `code`, and keeps what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(codes[0])

        do_CONNECT = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    asked: list[str] = []
    codes = [407]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.codes = asked, codes  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("scheme", "code", "words"),
    [
        ("http", 407, "wants a login (407): write it as http://USER:PASSWORD@HOST:PORT"),
        ("https", 407, "wants a login (407): write it as http://USER:PASSWORD@HOST:PORT"),
        ("https", 403, "does not let through to example.invalid (403)"),
    ],
)
def test_a_proxy_that_refuses_is_named_and_not_asked_again(
    bench: Bench, refusing: Any, monkeypatch: pytest.MonkeyPatch, scheme: str, code: int, words: str
) -> None:
    monkeypatch.setenv(f"{scheme}_proxy", f"http://u:{SECRET}@127.0.0.1:{refusing.server_address[1]}")
    refusing.codes[0] = code
    message = refusal(bench, f"{scheme}://example.invalid/x.parquet")
    assert f"the proxy that {scheme}_proxy names {words}" in message
    assert len(refusing.asked) == 1


def test_hugging_face_is_asked_at_the_endpoint(bench: Bench) -> None:
    download = get(bench, f"https://huggingface.co{PATH}?x=1", HF_ENDPOINT=f"{bench.origin.address}/")
    assert bench.origin.requests[0].path == f"{PATH}?x=1"
    assert download.url == bench.url
    assert download.sha256 == bench.sha256


def test_other_hosts_are_asked_themselves(bench: Bench) -> None:
    assert get(bench, bench.url, HF_ENDPOINT="https://example.invalid").sha256 == bench.sha256


@pytest.mark.parametrize("value", ["1", "true", "ON", "Yes"])
def test_offline_asks_nobody_of_hugging_face(bench: Bench, value: str) -> None:
    assert "HF_HUB_OFFLINE is set" in refusal(bench, f"https://huggingface.co{PATH}", HF_HUB_OFFLINE=value)
    at_endpoint = {"HF_HUB_OFFLINE": value, "HF_ENDPOINT": bench.origin.address}
    assert "HF_HUB_OFFLINE is set" in refusal(bench, bench.url, **at_endpoint)
    assert bench.origin.requests == []
    assert get(bench, bench.url, HF_HUB_OFFLINE=value).sha256 == bench.sha256
    assert get(bench, bench.url, HF_HUB_OFFLINE="0", HF_ENDPOINT=bench.origin.address).sha256 == bench.sha256
