"""One attempt at a download: redirects followed by hand, then the body, appended to the partial file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import requests
import urllib3

from nanosnake.files import NanosnakeError
from nanosnake.sources.download import headers as header
from nanosnake.sources.download import hosts
from nanosnake.sources.download.body import PIECE, append
from nanosnake.sources.download.environment import proxy_variable
from nanosnake.sources.download.headers import Linked
from nanosnake.sources.download.partial import Partial, State, origin_text
from nanosnake.sources.download.problems import (
    TRANSPORT_ERRORS,
    Mismatch,
    Patience,
    Retry,
    explain_status,
    explain_transport,
)

REDIRECTS = (301, 302, 303, 307, 308)


@dataclass
class HttpAttempt:
    """One attempt. After `run`, the partial file is as long as the host says it must be."""

    session: requests.Session
    token: hosts.HostToken
    url: str
    name: str
    """What the log calls the file."""
    revision: str | None
    sha256: str | None
    """The SHA-256 that the user expects, if any."""
    patience: Patience
    partial: Partial
    allow_http: bool = False
    """Whether redirects may lead from https to http."""
    linked: Linked = field(default_factory=Linked)
    """What the host of the URL says about the file."""
    etag: str | None = None
    """The ETag of the body's host."""

    def run(self) -> None:
        """Ask for the file and append what comes.

        Raises:
            Retry: if another attempt may succeed.
            Mismatch: if what the host sends is not what it announced.
            NanosnakeError: if asking again is useless.
        """
        url = self.url
        for _ in range(hosts.MAX_REDIRECTS + 1):
            with self._get(url) as answer:
                if hosts.origin(url) == hosts.origin(self.url):
                    self._take_note(answer.headers)
                if answer.status_code not in REDIRECTS:
                    self._take_body(answer, url)
                    return
                if self._is_complete():
                    return
                location = answer.headers.get("Location")
                if not location:
                    raise NanosnakeError(
                        f"{hosts.host(url)} answered {answer.status_code} and names no place; check the dataset's url"
                    )
                url = hosts.next_hop(url, location, allow_http=self.allow_http)
        raise NanosnakeError(
            f"{hosts.host(self.url)} leads through more than {hosts.MAX_REDIRECTS} redirects; check the dataset's url"
        )

    def _get(self, url: str) -> requests.Response:
        headers = {"Accept-Encoding": "identity", **self._range_headers(url)}
        try:
            return self.session.get(
                url,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=(self.patience.connect_timeout, self.patience.read_timeout),
            )
        except TRANSPORT_ERRORS as error:
            problem = explain_transport(error, hosts.host(url), self.patience, proxy_variable(url))
        raise problem  # outside the handler: the first error's text holds the URL

    def _range_headers(self, url: str) -> dict[str, str]:
        """Return the headers that ask for the rest, if it is sure to be the rest of the same file."""
        state = self.partial.state
        if state is None or not self.partial.size:
            return {}
        headers = {"Range": f"bytes={self.partial.size}-"}
        if state.validator and state.validator_origin == origin_text(hosts.origin(url)):
            return headers | {"If-Range": state.validator}
        # another server of the same storage has other ETags; the checksum at the end decides
        return headers if state.same_content_for_sure(self.linked) else {}

    def _take_note(self, headers: Mapping[str, str]) -> None:
        """Note what the host says about the file; start over if the partial file is of another one."""
        self.linked = header.linked(headers).completed_by(self.linked)
        announced = self.linked.sha256
        if self.sha256 and announced and self.sha256 != announced:
            raise NanosnakeError(
                f"{hosts.host(self.url)} announces sha256 {announced}, wanted {self.sha256}: the file has changed, or "
                "the checksum is of another; correct the checksum or name the revision that it is for"
            )
        commit = self.linked.commit
        if (
            commit
            and self.revision
            and re.fullmatch(r"[0-9a-f]{40}", self.revision)
            and commit != self.revision
        ):
            raise NanosnakeError(
                f"{hosts.host(self.url)} answers for commit {commit}, wanted revision {self.revision}; check the url"
            )
        state = self.partial.state
        if state and not state.same_file(self.linked):
            self.partial.start_over()
        if self.linked.size is not None and self.partial.size > self.linked.size:
            self.partial.start_over()

    def _is_complete(self) -> bool:
        """Return whether an earlier attempt has brought all of the file that the host describes."""
        state = self.partial.state
        return (
            bool(state and state.same_content_for_sure(self.linked)) and self.partial.size == self.linked.size
        )

    def _take_body(self, answer: requests.Response, url: str) -> None:
        status = answer.status_code
        if status == 200:
            self.partial.start_over()  # the whole file, though the rest may have been asked for
            total = header.content_length(answer.headers)
        elif status == 206:
            total = self._check_rest(answer)
        elif status == 416:
            self._out_of_range(answer)
            return
        else:
            raise explain_status(
                status,
                answer.headers,
                hosts.host(url),
                token_sent=self.token.goes_to(url),
                behind_redirect=hosts.origin(url) != hosts.origin(self.url),
                wait=header.wait_asked(answer.headers),
                proxy=proxy_variable(url),
            )
        if answer.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
            raise NanosnakeError(
                f"{hosts.host(url)} sends the file compressed ({answer.headers['Content-Encoding']}) though it was asked "
                "not to; use another url"
            )
        self.etag = header.bare_etag(answer.headers.get("ETag"))
        total = self._agreed_size(total, url)
        self._note_state(answer, url, total)
        body, host = answer.raw, hosts.host(url)
        append(self.partial, lambda: self._piece(body, host), self.name, host, total, self.patience)

    def _agreed_size(self, total: int | None, url: str) -> int | None:
        announced = self.linked.size
        if announced is not None and total is not None and announced != total:
            raise Mismatch(
                f"{hosts.host(url)} sends a file of {total} bytes, {hosts.host(self.url)} announced {announced}"
            )
        return total if announced is None else announced

    def _check_rest(self, answer: requests.Response) -> int | None:
        """Return the total size if the answer is the rest of the partial file."""
        first, total = header.content_range(answer.headers)
        state = self.partial.state
        known = state.size if state else None
        now = header.validator(answer.headers)
        changed = state and now and state.validator and now != state.validator
        if state and state.same_content_for_sure(self.linked):
            changed = False  # the same content from another server of the storage
        if first != self.partial.size or (None not in (known, total) and known != total) or changed:
            self.partial.start_over()
            raise Retry("the host sent another part than was asked for; starting over")
        return total

    def _out_of_range(self, answer: requests.Response) -> None:
        """Deal with 416: the partial file is complete, or is useless."""
        _, total = header.content_range(answer.headers)
        if total is None or total != self.partial.size:
            self.partial.start_over()
            raise Retry("the host has no such range; starting over")
        self.etag = self.partial.state.etag if self.partial.state else None

    def _note_state(self, answer: requests.Response, url: str, total: int | None) -> None:
        validator = header.validator(answer.headers)
        self.partial.begin(
            State(
                url_sha256=self.partial.url_sha256,
                commit=self.linked.commit,
                linked_etag=self.linked.etag,
                size=total,
                validator=validator,
                validator_origin=origin_text(hosts.origin(url)) if validator else None,
                etag=self.etag,
            )
        )

    def _piece(self, body: urllib3.BaseHTTPResponse, host: str) -> bytes:
        try:
            return body.read1(PIECE, decode_content=False) or b""
        except TRANSPORT_ERRORS as error:
            problem = explain_transport(error, host, self.patience)
        raise problem
