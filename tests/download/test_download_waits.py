"""How long is waited, and for what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from download.conftest import Bench
from download.stand_in import Fault, status
from nanosnake.files import NanosnakeError
from nanosnake.sources.download import Download, Patience, fetch
from nanosnake.sources.download.headers import Linked, content_range, linked, validator, wait_asked

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": " 1.5 "}, 1.5),
        ({"Retry-After": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30),
        ({"Retry-After": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"RateLimit": '"resolvers";r=0;t=55'}, 55),
        ({"RateLimit": '"api"; r=0; t=3, "resolvers";r=0;t=55'}, 55),
        ({"RateLimit": '"resolvers";r=12;t=55'}, None),
        ({"RateLimit": '"api";r=3;t=50, "resolvers";r=0;t=4'}, 4),
        ({"RateLimit": "limit=100, remaining=0, reset=50"}, 50),
        ({"RateLimit": "limit=100, remaining=10, reset=50"}, None),
        ({"Retry-After": "60", "RateLimit": '"resolvers";r=0;t=55'}, 60),
        ({"Retry-After": "10", "RateLimit": '"resolvers";r=0;t=55'}, 55),
    ],
)
def test_what_a_host_asks_for(headers: dict[str, str], wait: float | None) -> None:
    assert wait_asked(headers, NOW) == wait


def waits(bench: Bench, fault: Fault, patience: Patience | None = None) -> list[float]:
    """Return the waits of a download that meets a fault three times."""
    found: list[float] = []
    bench.origin.faults.extend([fault] * 3)
    fetch(
        bench.url,
        bench.output,
        patience=patience or Patience(),
        accept=lambda download: None,
        sleep=found.append,
    )
    assert bench.output.read_bytes() == bench.body
    return found


@pytest.mark.parametrize("code", [429, 503])
@pytest.mark.parametrize(
    ("headers", "least"),
    [({"Retry_After": "7"}, 7), ({"RateLimit": '"resolvers";r=0;t=55'}, 55)],
)
def test_the_host_is_obeyed(bench: Bench, code: int, headers: dict[str, str], least: float) -> None:
    """With some jitter on top, so that many jobs do not come back in the same instant."""
    found = waits(bench, status(code, **headers))
    assert len(found) == 3
    assert all(least <= wait <= least + 4 for wait in found)
    assert len(set(found)) == 3


def test_without_a_word_of_the_host(bench: Bench) -> None:
    found = waits(bench, status(503), Patience(backoff=10))
    assert all(0 <= wait <= 10 * 2**number for number, wait in enumerate(found))
    assert len(set(found)) == 3


def test_the_random_wait_is_bounded() -> None:
    patience = Patience(backoff=1, backoff_cap=8)
    for failures, bound in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (500, 8)):
        drawn = [patience.pause(failures) for _ in range(200)]
        assert 0 <= min(drawn) < bound / 4
        assert bound * 3 / 4 < max(drawn) <= bound


def test_a_host_that_asks_for_too_much(bench: Bench) -> None:
    bench.origin.faults.append(status(429, Retry_After="7200"))
    with pytest.raises(NanosnakeError, match=r"\(429\) and asks to wait for 2 h 0 min, longer than"):
        fetch(bench.url, bench.output, accept=lambda download: None, sleep=lambda seconds: None)
    assert bench.names() == []


def test_accept_sees_the_file_before_it_has_its_name(bench: Bench) -> None:
    seen: list[Download] = []

    def accept(download: Download) -> None:
        assert not bench.output.exists()
        assert download.path.read_bytes() == bench.body
        seen.append(download)

    assert fetch(bench.url, bench.output, accept=accept) is seen[0]
    assert bench.output.read_bytes() == bench.body


def test_linked_headers() -> None:
    commit, sha256 = "c" * 40, "AB" * 32
    said = linked({"X-Repo-Commit": commit, "X-Linked-Size": "12", "X-Linked-ETag": f'"{sha256}"'})
    assert said == Linked(commit, 12, sha256)
    assert said.sha256 == sha256.lower()
    assert linked({"X-Linked-ETag": f'W/"{"a" * 40}"', "X-Linked-Size": "many"}) == Linked(
        None, None, "a" * 40
    )
    assert linked({"X-Linked-ETag": "a" * 40}).sha256 is None
    assert linked({"ETag": "a" * 64}) == Linked()


def test_validators() -> None:
    date = "Sun, 22 Nov 2026 11:00:00 GMT"
    assert validator({"ETag": '"a"', "Last-Modified": date}) == '"a"'
    assert validator({"ETag": 'W/"a"', "Last-Modified": date}) == date
    assert validator({"ETag": 'W/"a"'}) is None


def test_content_range() -> None:
    assert content_range({"Content-Range": "bytes 5-9/10"}) == (5, 10)
    assert content_range({"Content-Range": "bytes 5-9/*"}) == (5, None)
    assert content_range({"Content-Range": "bytes */10"}) == (None, 10)
    assert content_range({"Content-Range": "lines 5-9/10"}) == (None, None)
