"""Downloads that end well, whatever happens on the way, and those that cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from download import stand_in
from download.conftest import IMPATIENT, PATH, Bench
from download.stand_in import COMMIT, Fault, both, change, cut, flip_bit, reset, send_instead, stall, status
from nanosnake.sources.download import loop

HALF = 200_000


def test_through_a_redirect(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.download()
    assert bench.metadata | {"seconds": 0} == {
        "shard": "shard_00007",
        "source": "url",
        "url": bench.url,
        "revision": COMMIT,
        "etag": bench.sha256,
        "bytes": len(bench.body),
        "sha256": bench.sha256,
        "rows": 400,
        "row_groups": 4,
        "characters": 400_000,
        "nulls": 0,
        "empty": 0,
        "left_out": 0,
        "dropped": 0,
        "parts": [],
        "mtime_ns": None,
        "seconds": 0,
        "text_column": "text",
    }
    assert 0 < bench.metadata["seconds"] < 10
    assert bench.output.stat().st_mode == bench.output.with_suffix(".json").stat().st_mode
    for server in (bench.origin, bench.storage):
        assert [request.headers["Accept-Encoding"] for request in server.requests] == ["identity"]
        assert "Range" not in server.requests[0].headers
    first, second = capsys.readouterr().err.splitlines()
    assert f"revision {COMMIT}, sha256 as {bench.origin.address.removeprefix('http://')} says" in first
    assert "400 rows in 4 row groups, 400,000 characters" in second


def test_from_a_plain_web_server(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Its ETag looks like a SHA-256 and is none."""
    bench.origin.direct = True
    bench.download()
    assert bench.metadata["revision"] == "main"
    assert len(bench.metadata["etag"]) == 64
    assert bench.metadata["etag"] != bench.sha256
    assert "no checksum to compare with" in capsys.readouterr().err


def test_a_server_that_tells_no_length(bench: Bench) -> None:
    bench.origin.direct = True
    bench.origin.faults.append(stand_in.without_length)
    bench.download()


AT_ORIGIN: dict[str, Fault] = {
    "429": status(429),
    "503": status(503),
    "500": status(500),
    "hung up": stand_in.hang_up,
}
STALLS = [stall(HALF), stall(0)]
AT_STORAGE: dict[str, Fault] = {
    **AT_ORIGIN,
    "refused link": status(403),
    "cut": cut(HALF),
    "cut at once": cut(0),
    "reset": reset(HALF),
    "stalled": STALLS[0],
    "stalled at once": STALLS[1],
    "flipped bit": flip_bit(HALF),
    "too short": send_instead(b"x" * 1000),
    "too long": send_instead(b"x" * 1_000_000),
    "no length, and cut": both(stand_in.without_length, cut(HALF)),
}


@pytest.mark.parametrize("fault", AT_ORIGIN.values(), ids=AT_ORIGIN)
def test_one_fault_at_the_origin(bench: Bench, fault: Fault) -> None:
    bench.origin.faults.append(fault)
    bench.download()
    assert len(bench.origin.requests) == 2


@pytest.mark.parametrize("fault", AT_STORAGE.values(), ids=AT_STORAGE)
def test_one_fault_at_the_storage(bench: Bench, fault: Fault) -> None:
    """A new signed link is asked for: the stand-in's links work once."""
    bench.storage.faults.append(fault)
    bench.download(*(IMPATIENT if fault in STALLS else ()))
    assert len(bench.origin.requests) == len(bench.storage.requests) == 2


def test_the_rest_and_no_more_is_asked_for(bench: Bench) -> None:
    bench.storage.faults.extend([cut(100_000), reset(50_000)])
    bench.download()
    first, second, third = bench.storage.requests
    assert "Range" not in first.headers
    assert second.headers["Range"] == "bytes=100000-"
    assert second.headers["If-Range"] == third.headers["If-Range"]
    assert [request.status for request in bench.storage.requests] == [200, 206, 206]
    kept = int(third.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 100_000 <= kept <= 150_000  # a reset can take what the socket still held
    assert third.sent == len(bench.body) - kept
    assert not any("Range" in request.headers for request in bench.origin.requests)


def test_a_storage_with_other_etags(bench: Bench) -> None:
    """The host gives the checksum, so the rest may come from another server of the storage."""
    bench.storage.faults.extend([cut(HALF), change(ETag='"of another server"')])
    bench.download()
    assert bench.storage.sent == len(bench.body)


def test_ranges_that_are_ignored(bench: Bench) -> None:
    bench.storage.faults.extend([cut(HALF), send_instead(bench.body)])
    bench.download()
    assert bench.storage.sent == HALF + len(bench.body)


def test_another_range_than_was_asked_for(bench: Bench) -> None:
    wrong = change(Content_Range=f"bytes 0-{len(bench.body) - 1}/{len(bench.body)}")
    bench.storage.faults.extend([cut(HALF), wrong])
    bench.download()


def test_a_file_that_changes_between_attempts(bench: Bench) -> None:
    """Without a checksum, If-Range keeps two files from being mixed."""
    bench.origin.direct = True
    bench.origin.content[PATH] = b"X" * len(bench.body)
    bench.origin.faults.append(cut_and_replace(bench))
    bench.download()
    assert [request.status for request in bench.origin.requests] == [200, 200]
    assert "If-Range" in bench.origin.requests[1].headers


def cut_and_replace(bench: Bench) -> Fault:
    """Break off, and offer another file from then on."""

    def fault(answer: stand_in.Answer, server: stand_in.Server) -> None:
        cut(HALF)(answer, server)
        server.content[PATH] = bench.body

    return fault


def test_a_server_that_ignores_if_range(bench: Bench) -> None:
    """It sends the rest of another file; its ETag gives it away."""
    bench.origin.direct = True
    bench.origin.faults.extend([cut(HALF), change(ETag='"of another file"')])
    bench.download()
    assert [request.status for request in bench.origin.requests] == [200, 206, 200]


def test_many_cuts_with_progress_in_between(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only failures without progress count."""
    monkeypatch.setattr(loop, "MIN_GAIN", 10_000)
    bench.storage.faults.extend([cut(30_000)] * 10)
    bench.download("--retries", "1")
    assert bench.storage.sent == len(bench.body)


def test_a_trickle_is_as_good_as_nothing(bench: Bench) -> None:
    bench.storage.faults.append(stand_in.drip(10, 0.05))
    bench.download(*IMPATIENT)
    assert 0 < bench.storage.requests[0].sent < 1000


FOREVER: dict[str, tuple[Callable[[Bench], list[Fault | None]], str]] = {
    "503": (lambda bench: [status(503)] * 9, "answered 503"),
    "hung up": (lambda bench: [stand_in.hang_up] * 9, "the connection to 127.0.0.1:"),
    "cut": (lambda bench: [cut(10)] * 9, "broke off."),
    "stalled": (lambda bench: [stall(10)] * 9, "sent nothing for 0.4 s"),
}


@pytest.mark.parametrize(("faults", "reason"), FOREVER.values(), ids=FOREVER)
def test_giving_up(bench: Bench, faults: Callable[[Bench], list[Fault | None]], reason: str) -> None:
    bench.storage.faults.extend(faults(bench))
    message = bench.refusal(*(IMPATIENT if "nothing" in reason else ()))
    assert message.startswith(f"{bench.url}: gave up after 4 failures in a row; the last: ")
    assert reason in message
    assert message.endswith("Run again later, or raise --retries")
    assert len(bench.storage.requests) == 4


def test_nobody_listens(bench: Bench) -> None:
    message = bench.refusal(url="http://127.0.0.1:9/a.parquet")
    assert "the connection to 127.0.0.1:9 failed: Connection refused" in message
    assert bench.names() == []


def test_what_has_arrived_is_kept(bench: Bench) -> None:
    bench.storage.faults.extend([cut(HALF), *[status(503)] * 9])
    assert "0.2 MB are kept for the next run" in bench.refusal()
    assert bench.partial.read_bytes() == bench.body[:HALF]
    bench.storage.faults.clear()
    bench.download()
    assert bench.storage.requests[-1].sent == len(bench.body) - HALF


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (status(404), "no such file at"),
        (status(404, X_Error_Code="EntryNotFound"), "no such file in the dataset at"),
        (status(404, X_Error_Code="RevisionNotFound"), "no such revision at"),
        (status(404, X_Error_Code="RepoNotFound"), "no such dataset at"),
        (status(410), "(410); check the dataset's url, revision and shard numbers"),
        (status(401), "wants a login (401); only Hugging Face tokens"),
        (status(403), "wants a login (403)"),
        (status(403, X_Error_Code="GatedRepo"), "the dataset is gated (403): accept its terms"),
        (status(418), "answered 418, which is not a file"),
        (status(302), "answered 302 and names no place"),
        (status(304), "answered 304, which is not a file"),
    ],
)
def test_answers_that_end_it(bench: Bench, fault: Fault, words: str) -> None:
    bench.origin.faults.append(fault)
    message = bench.refusal()
    assert message.startswith(f"{bench.url}: ")
    assert words in message
    assert len(bench.origin.requests) == 1
    assert bench.names() == []


def test_a_file_that_is_not_there_behind_the_redirect(bench: Bench) -> None:
    bench.storage.faults.append(status(404))
    assert "no such file at" in bench.refusal()


def test_compressed_though_asked_not_to(bench: Bench) -> None:
    bench.storage.faults.append(change(Content_Encoding="gzip"))
    assert "sends the file compressed (gzip)" in bench.refusal()
