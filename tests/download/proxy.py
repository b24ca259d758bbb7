"""A proxy on loopback that is slow, busy, holds files up, or passes on only their beginnings."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PASSED_ON = 100_000
"""Bytes of a body that get through."""


class Handler(BaseHTTPRequestHandler):
    """Ask the host that a request names, and pass on what it answers."""

    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_GET(self) -> None:
        """Pass on one request and its answer."""
        proxy = self.server.proxy
        sent = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if proxy.is_busy():
            self._send(503, [], b"")
            return
        proxy.wait(self.command)
        status, headers, body = self._ask(sent)
        if self.command == "HEAD":
            self._send(status, headers, b"")
            return
        cut = status in (200, 206) and len(body) > PASSED_ON and proxy.cuts > 0
        proxy.cuts -= cut
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        length = PASSED_ON if cut and proxy.lies else len(body)
        self._send(status, [*headers, ("Content-Length", str(length))], body[:PASSED_ON] if cut else body)
        self.close_connection |= cut

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def _ask(self, sent: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        parts = urlsplit(self.path)
        host = http.client.HTTPConnection(str(parts.hostname), parts.port)
        headers = {
            name: value for name, value in self.headers.items() if name not in ("Expect", "Connection")
        }
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        host.request(self.command, path, body=sent or None, headers=headers)
        answer = host.getresponse()
        body = answer.read()
        host.close()
        passed_on = [(name, value) for name, value in answer.getheaders() if name != "Transfer-Encoding"]
        return answer.status, passed_on, body

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        proxy = self.server.proxy
        time.sleep(proxy.pause)
        self.send_response(status)
        for name, value in headers or [("Content-Length", "0")]:
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            if proxy.download is None or len(body) <= proxy.download:
                self.wfile.write(body)
                return
            self.wfile.write(body[: proxy.download])
            proxy.hold()
            self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    proxy: Proxy

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients may go away as they like."""


@dataclass
class Proxy:
    """A proxy on loopback."""

    cuts: int = 0
    """How many bodies it cuts off; then it passes on everything."""
    lies: bool = False
    """Whether it says that the part is all there is."""
    busy_every: int = 0
    """Every so many requests are answered with 503, and not passed on."""
    pause: float = 0.0
    """Seconds before each answer."""
    uploads: int | None = None
    """How many bodies that clients send it passes on at once; it holds the others until `released` is set. None: all."""
    download: int | None = None
    """How many bytes of a longer body it passes on before it holds that until `released` is set, and then breaks off."""
    asked: int = 0
    holds: threading.Event = field(default_factory=threading.Event)
    """Set once it holds one."""
    released: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_busy(self) -> bool:
        """Count a request, and return whether it is refused."""
        with self.lock:
            self.asked += 1
            return bool(self.busy_every) and self.asked % self.busy_every == 0

    def wait(self, command: str) -> None:
        """Wait with a request that has to be held until it may go on."""
        if self.uploads is None or command != "PUT":
            return
        with self.lock:
            self.uploads -= 1
            passed_on = self.uploads >= 0
        if not passed_on:
            self.hold()

    def hold(self) -> None:
        """Say that it holds something, and wait until it may go on."""
        self.holds.set()
        self.released.wait(60)

    @contextlib.contextmanager
    def running(self) -> Iterator[str]:
        """Listen on a free port, and return the proxy's URL."""
        listener = _Listener(("127.0.0.1", 0), Handler)
        listener.proxy = self
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.server_address[1]}"
        finally:
            self.released.set()
            listener.shutdown()
            listener.server_close()
            thread.join()


@contextlib.contextmanager
def held_up(proxy: Proxy, command: Sequence[str], **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command behind a proxy, hold it up where the proxy does, until the block ends; then wait for its end.

    Without it, a fast server or a busy machine may be done before a test comes to interrupt the command.
    """
    with proxy.running() as url:
        through = {"http_proxy": url, "no_proxy": "", "NO_PROXY": ""}
        environment = {**os.environ, **variables, **through}
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        try:
            assert proxy.holds.wait(60), "nothing came that would have been held up"
            yield process
            proxy.released.set()
            process.wait(timeout=120)
        finally:
            process.kill()
