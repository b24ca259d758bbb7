"""What a host, a user or a redirect can write into a URL or a header: an answer or a message, nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import requests
from hypothesis import example, given
from hypothesis import strategies as st

from nanosnake.files import NanosnakeError
from nanosnake.s3.place import Place, check_endpoint_url
from nanosnake.sources.download import headers, hosts

PARTS = ["https://", "http://", "file://", "//", "a.example", "u:p@", ":80", ":0x", "/", "..", "?q=1", "#f", "\\",
         "\r\n", " ", "\t", "[::1]", "[", "%2e%2e", "\ud800", "Ⅸ", "s3://", "javascript:", "@", "data:,"]  # fmt: skip
URLS = st.text(max_size=30) | st.lists(st.sampled_from(PARTS) | st.text(max_size=4), max_size=6).map("".join)
LONG = "9" * 5000
VALUES = st.text(st.characters(max_codepoint=255), max_size=40) | st.sampled_from(
    [LONG, f"bytes 0-{LONG}/{LONG}", "bytes 0-9/10", "bytes */5", f'"r";r=0;t={LONG}', f"remaining=0, reset={LONG}",
     "Fri, 31 Dec 9999 23:59:59 -9999", "Mon, 01 Jan 0001 00:00:00 +2359", "1e400", "-1", "0x10", "٣", f"{LONG}.5",
     f"Mon, {LONG} Jan 2020 00:00:00 GMT", "Wed, 21 Oct 2015 07:28:00 GMT"]
)  # fmt: skip
HEADERS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("X-Linked-Size", "X-Linked-ETag", "X-Repo-Commit", "ETag", "Last-Modified", "Content-Length", "Content-Range", "Retry-After", "RateLimit"), VALUES),
)  # fmt: skip


@given(URLS)
@example("https://host:99999999999999/")
@example("https://[")
def test_any_text_as_a_url(text: str) -> None:
    try:
        parts = hosts.split(text, "the url")
    except NanosnakeError as error:
        assert str(error).startswith("the url ")  # noqa: PT017
        return
    assert parts.scheme in ("http", "https")
    assert parts.hostname
    assert parts.username is None
    assert parts.password is None
    assert hosts.origin(text)[0] == parts.scheme
    assert "?" not in hosts.shown(text)


@given(st.sampled_from(["https://host.example/a/b", "http://host.example/a"]), URLS)
def test_any_redirect(url: str, location: str) -> None:
    try:
        target = hosts.next_hop(url, location)
    except NanosnakeError:
        return
    assert urlsplit(target).scheme in ("http", "https")
    assert not (url.startswith("https:") and urlsplit(target).scheme == "http")
    assert urlsplit(target).username is None


@given(URLS)
def test_the_token_goes_to_its_own_origin_and_nowhere_else(target: str) -> None:
    token = hosts.HostToken("https://huggingface.co/x", {"HF_TOKEN": "secret"})
    try:
        request = requests.Request("GET", target).prepare()
    except (ValueError, requests.RequestException):
        return
    if request.url is None or not request.url.startswith(("http://", "https://")):
        return
    try:
        sent = token(request).headers.get("Authorization")
    except NanosnakeError:
        return
    parts = urlsplit(request.url)
    own = (parts.scheme, parts.hostname, parts.port or 443) == ("https", "huggingface.co", 443)
    assert (sent is not None) == own


@given(HEADERS)
def test_any_headers(found: dict[str, str]) -> None:
    linked = headers.linked(found)
    assert linked.size is None or linked.size >= 0
    assert linked.sha256 is None or len(linked.sha256) == 64
    length = headers.content_length(found)
    assert length is None or length >= 0
    assert all(number is None or number >= 0 for number in headers.content_range(found))
    wait = headers.wait_asked(found, datetime(2026, 1, 1, tzinfo=UTC))
    assert wait is None or wait >= 0
    validator = headers.validator(found)
    assert validator is None or not validator.startswith("W/")


@given(URLS | st.text(max_size=12).map("s3://bucket/{}".format))
def test_any_place_in_a_bucket(text: str) -> None:
    try:
        place = Place.parse(text)
    except ValueError:
        return
    assert Place.parse(str(place)) == place
    assert ".." not in place.key.split("/")
    assert not any(character in place.key for character in "\n\"'`\\ ?#\0")


@given(URLS)
def test_any_endpoint(text: str) -> None:
    try:
        assert check_endpoint_url(text) == text
    except ValueError:
        return
    assert urlsplit(text).username is None
