"""A stand-in for a Hugging Face host and the storage behind it: real HTTP servers on two ports of loopback.

The origin answers `/datasets/NS/NAME/resolve/REV/PATH` with a redirect to the storage, with the headers that
Hugging Face sends and a signed link that works once; or, `direct`, with the file itself. Faults are taken from
a queue of each server, one a request; `None` there means that one request goes well.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import ssl
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SIGNATURE = "planted-signature"


@dataclass
class Request:
    """What a server was asked."""

    method: str
    path: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0
    """Bytes of the body."""


@dataclass
class Answer:
    """What a server is about to send; faults change it."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    cut: int | None = None
    """Send so many bytes of the body, then do `ending`."""
    ending: Callable[[Handler], None] | None = None
    piece: int = 1 << 16
    pause: float = 0.0
    """Seconds between pieces."""


Fault = Callable[[Answer, "Server"], None]


class Handler(BaseHTTPRequestHandler):
    """One request. HTTP/1.1, so that a body that ends early is seen as such."""

    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_GET(self) -> None:
        """Answer as the server says."""
        owner = self.server.owner
        with owner.busy():
            self._answer(owner)

    def _answer(self, owner: Server) -> None:
        request = Request(self.command, self.path, dict(self.headers.items()))
        owner.requests.append(request)
        answer = owner.answer(request)
        fault = owner.faults.popleft() if owner.faults else None
        if fault is not None:
            fault(answer, owner)
        request.status = answer.status
        with contextlib.suppress(ConnectionError):
            self._send(request, answer)

    do_HEAD = do_GET

    def _send(self, request: Request, answer: Answer) -> None:
        if answer.status:
            self.send_response(answer.status)
            for name, value in ({"Content-Length": str(len(answer.body))} | answer.headers).items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
        if request.method == "HEAD":
            return
        end = len(answer.body) if answer.cut is None else min(answer.cut, len(answer.body))
        for start in range(0, end, answer.piece):
            piece = answer.body[start : min(start + answer.piece, end)]
            self.wfile.write(piece)
            request.sent += len(piece)
            if answer.pause and self.server.owner.stop.wait(answer.pause):
                break
        self.wfile.flush()
        if answer.ending is not None:
            self.close_connection = True
            answer.ending(self)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    owner: Server

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep what goes wrong here, for the test to look at; clients may go away as they like."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.owner.errors.append(error)


@dataclass
class Server:
    """One port. `content` maps a path to the bytes of its file."""

    content: dict[str, bytes] = field(default_factory=dict)
    faults: deque[Fault | None] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    active: int = 0
    peak: int = 0
    """Most requests that were answered at the same time."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    stop: threading.Event = field(default_factory=threading.Event)
    address: str = ""
    certificate: Path | None = None
    """Certificate and key, in one file; with it the server speaks TLS."""

    def answer(self, request: Request) -> Answer:
        """Return the right answer to a request."""
        raise NotImplementedError

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """Count the requests that are answered at the same time."""
        with self.lock:
            self.active += 1
            self.peak = max(self.peak, self.active)
        try:
            yield
        finally:
            with self.lock:
                self.active -= 1

    @property
    def sent(self) -> int:
        """Bytes of all bodies."""
        return sum(request.sent for request in self.requests)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Listen on a free port."""
        listener = _Listener(("127.0.0.1", 0), Handler)
        listener.owner = self
        scheme = "http"
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            listener.socket = context.wrap_socket(listener.socket, server_side=True)
            scheme = "https"
        self.address = f"{scheme}://127.0.0.1:{listener.server_address[1]}"
        thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.stop.set()
            listener.shutdown()
            listener.server_close()
            thread.join()


class Storage(Server):
    """The server behind the redirect: every link works once, ranges and If-Range as in RFC 9110."""

    def __init__(self) -> None:
        super().__init__()
        self.links: dict[str, str] = {}

    def link(self, path: str) -> str:
        """Return a signed link to a file."""
        signature = f"{SIGNATURE}-{len(self.links)}"
        self.links[signature] = path
        return f"{self.address}{path}?X-Amz-Signature={signature}"

    def answer(self, request: Request) -> Answer:
        """Return the file, or the part of it that is asked for."""
        path, _, query = request.path.partition("?")
        if self.links.pop(query.removeprefix("X-Amz-Signature="), None) != path:
            return Answer(403, {}, b"<Error>expired</Error>")
        return serve_file(self.content[path], request)


class Origin(Server):
    """The host that the user's URL names."""

    def __init__(self, storage: Storage) -> None:
        super().__init__()
        self.storage = storage
        self.direct = False
        """Whether files are served from here, as by any plain web server."""

    def answer(self, request: Request) -> Answer:
        """Redirect to the storage, or serve the file."""
        path = request.path.partition("?")[0]
        name = re.sub(r"/resolve/[^/]+/", "/resolve/main/", path)
        if name not in self.content:
            return Answer(404, {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
        body = self.content[name]
        if self.direct:
            return serve_file(body, request)
        self.storage.content[f"/blob{name}"] = body
        headers = {
            "X-Repo-Commit": COMMIT,
            "X-Linked-Size": str(len(body)),
            "X-Linked-ETag": f'"{hashlib.sha256(body).hexdigest()}"',
            "ETag": '"0123456789012345678901234567890123456789"',
            "Location": self.storage.link(f"/blob{name}"),
            "Accept-Ranges": "bytes",
        }
        return Answer(302, headers, b"Found. Redirecting")


def serve_file(body: bytes, request: Request) -> Answer:
    """Return a file as a plain web server does: whole, a range of it, or 416."""
    etag = f'"{hashlib.sha256(b"salt" + body).hexdigest()}"'  # looks like a checksum and is none
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))
    if asked is None or request.headers.get("If-Range", etag) != etag:
        return Answer(200, headers, body)
    first = int(asked[1])
    last = min(int(asked[2]), len(body) - 1) if asked[2] else len(body) - 1
    if first >= len(body):
        return Answer(416, headers | {"Content-Range": f"bytes */{len(body)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return Answer(206, headers, body[first : last + 1])


def status(code: int, **headers: str) -> Fault:
    """Answer with an error; `Retry_After="1"` gives the header `Retry-After: 1`."""

    def fault(answer: Answer, server: Server) -> None:
        answer.status, answer.body = code, b"secret words of the host"
        answer.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    return fault


def cut(after: int) -> Fault:
    """Close the connection in the middle of the body."""

    def fault(answer: Answer, server: Server) -> None:
        answer.cut = after
        answer.ending = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)

    return fault


def reset(after: int) -> Fault:
    """Reset the connection in the middle of the body."""

    def ending(handler: Handler) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()

    def fault(answer: Answer, server: Server) -> None:
        answer.cut, answer.ending = after, ending

    return fault


def hang_up(answer: Answer, server: Server) -> None:
    """Close the connection before any answer."""
    answer.status, answer.cut = 0, 0
    answer.ending = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)


def stall(after: int, seconds: float = 30.0) -> Fault:
    """Go silent in the middle of the body."""

    def ending(handler: Handler) -> None:
        handler.server.owner.stop.wait(seconds)

    def fault(answer: Answer, server: Server) -> None:
        answer.cut, answer.ending = after, ending

    return fault


def drip(piece: int, pause: float) -> Fault:
    """Send a few bytes at a time."""

    def fault(answer: Answer, server: Server) -> None:
        answer.piece, answer.pause = piece, pause

    return fault


def flip_bit(at: int) -> Fault:
    """Change one bit of the body."""

    def fault(answer: Answer, server: Server) -> None:
        body = bytearray(answer.body)
        body[at] ^= 1
        answer.body = bytes(body)

    return fault


def change(**headers: str) -> Fault:
    """Send other headers; an empty value leaves one out."""

    def fault(answer: Answer, server: Server) -> None:
        answer.headers |= {name.replace("_", "-"): value for name, value in headers.items()}

    return fault


def send_instead(body: bytes, *, code: int = 200, **headers: str) -> Fault:
    """Send another body with its own length."""

    def fault(answer: Answer, server: Server) -> None:
        answer.status, answer.body = code, body
        answer.headers.pop("Content-Range", None)
        change(**headers)(answer, server)

    return fault


def without_length(answer: Answer, server: Server) -> None:
    """Send the body with no length; its end is the end of the connection."""
    answer.headers |= {"Content-Length": "", "Connection": "close"}
    answer.ending = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)


def both(first: Fault, second: Fault) -> Fault:
    """Do two things to one answer."""

    def fault(answer: Answer, server: Server) -> None:
        first(answer, server)
        second(answer, server)

    return fault
