"""A proxy in between that passes on only the beginning of a file."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from download.conftest import Bench

PASSED_ON = 100_000
"""Bytes of a body that get through."""


class Handler(BaseHTTPRequestHandler):
    """Ask the host that a request names, and pass on what it answers."""

    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_GET(self) -> None:
        """Pass on one answer; a redirect has no body to speak of."""
        parts = urlsplit(self.path)
        host = http.client.HTTPConnection(str(parts.hostname), parts.port)
        headers = {name: value for name, value in self.headers.items() if not name.startswith("Proxy-")}
        host.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers=headers)
        answer = host.getresponse()
        body = answer.read()
        host.close()
        proxy = self.server.proxy
        proxy.asked += 1
        cut = answer.status in (200, 206) and len(body) > PASSED_ON and proxy.cuts > 0
        if cut:
            proxy.cuts -= 1
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name != "Content-Length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(PASSED_ON if cut and proxy.lies else len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body[:PASSED_ON] if cut else body)
        self.close_connection = cut

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    proxy: Proxy


@dataclass
class Proxy:
    """A proxy on loopback."""

    cuts: int
    """How many bodies it cuts off; then it passes on everything."""
    lies: bool
    """Whether it says that the part is all there is."""
    asked: int = 0
    listener: _Listener = field(init=False)

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Listen on a free port, and return the proxy's URL."""
        self.listener = _Listener(("127.0.0.1", 0), Handler)
        self.listener.proxy = self
        thread = threading.Thread(target=self.listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{self.listener.server_address[1]}"
        finally:
            self.listener.shutdown()
            self.listener.server_close()
            thread.join()


@pytest.fixture
def through(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[contextlib.ExitStack]:
    """Where a proxy can be put in between, until the test ends."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("lies", [False, True], ids=["breaks off", "says that was all"])
def test_a_file_arrives_whole_once_the_proxy_lets_it(
    bench: Bench, through: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch, lies: bool
) -> None:
    proxy = Proxy(cuts=1, lies=lies)
    monkeypatch.setenv("http_proxy", through.enter_context(proxy.running()))
    bench.download()
    assert proxy.asked == 4  # each time the redirect too
    assert proxy.cuts == 0


def test_what_got_through_is_kept_for_the_next_run(
    bench: Bench, through: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Proxy(cuts=1000, lies=False)
    monkeypatch.setenv("http_proxy", through.enter_context(proxy.running()))
    assert "broke off. 0.4 MB are kept for the next run" in bench.refusal()
    bench.download()
    assert bench.storage.requests[-1].sent == len(bench.body) - 4 * PASSED_ON


@pytest.mark.parametrize(
    ("direct", "words"),
    [
        (False, "sends a file of 100000 bytes, 127.0.0.1:"),  # and the size that the host announced
        (True, "not a parquet file"),  # a plain server's word is not known to be another's
    ],
    ids=["redirect", "direct"],
)
def test_a_part_that_is_said_to_be_all_is_found_out(
    bench: Bench, through: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch, direct: bool, words: str
) -> None:
    bench.origin.direct = direct
    proxy = Proxy(cuts=1000, lies=True)
    monkeypatch.setenv("http_proxy", through.enter_context(proxy.running()))
    assert words in bench.refusal()
    assert bench.names() == []
    proxy.cuts = 0
    bench.download()
