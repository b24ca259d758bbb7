"""The script as a process: killed, stopped, twice at once, with a full disk; and what a user reads."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from typing import Any

import pytest

import download_shard
from download.conftest import TOKEN, Bench, wait_for_bytes
from download.stand_in import COMMIT, cut, drip, stall, status
from nanosnake.files import NanosnakeError, write_json
from nanosnake.messages import Progress
from nanosnake.sources.download import body
from nanosnake.sources.download.partial import Partial
from nanosnake.stages import call


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("direct", [False, True], ids=["redirect", "direct"])
def test_stopped_in_the_middle(bench: Bench, number: int, direct: bool) -> None:
    """The next run transfers the rest and no more."""
    bench.origin.direct = direct
    server = bench.origin if direct else bench.storage
    server.faults.append(drip(20_000, 0.05))
    process = bench.process()
    wait_for_bytes(bench.partial, 100_000, process)
    process.send_signal(number)
    _, log = process.communicate()
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    assert "Traceback" not in log
    assert bench.names() == [".shard_00007.parquet.part", ".shard_00007.parquet.part.json"]
    kept = bench.partial.stat().st_size
    assert kept >= 100_000
    bench.download()
    again = server.requests[-1]
    assert again.headers["Range"] == f"bytes={kept}-"
    assert again.headers["If-Range"]
    assert (again.status, again.sent) == (206, len(bench.body) - kept)


def leave_partial(bench: Bench, size: int) -> None:
    """Leave what a run leaves that was stopped after `size` bytes."""
    server = bench.origin if bench.origin.direct else bench.storage
    server.faults.append(cut(size))
    bench.origin.faults.extend([None] * (not bench.origin.direct) + [status(404)])
    bench.refusal()
    bench.origin.faults.clear()
    server.requests.clear()
    assert bench.partial.stat().st_size == size


def test_stopped_before_the_name(bench: Bench) -> None:
    """All bytes are there: none is transferred again."""
    leave_partial(bench, 100_000)
    bench.partial.write_bytes(bench.body)
    bench.download()
    assert bench.storage.requests == []


def test_stopped_before_the_name_on_a_plain_server(bench: Bench) -> None:
    """It answers 416 to a range that begins at the end, and says the size; the metadata are those of any run."""
    bench.origin.direct = True
    bench.download()
    wanted = bench.metadata["etag"]
    for name in bench.names():
        (bench.folder / name).unlink()
    leave_partial(bench, 100_000)
    bench.partial.write_bytes(bench.body)
    bench.download()
    assert [request.status for request in bench.origin.requests] == [416]
    assert bench.metadata["etag"] == wanted is not None


@pytest.mark.parametrize("direct", [False, True], ids=["redirect", "direct"])
def test_a_partial_file_that_is_too_long(bench: Bench, direct: bool) -> None:
    bench.origin.direct = direct
    leave_partial(bench, 100_000)
    bench.partial.write_bytes(bench.body + b"x")
    bench.download()


@pytest.mark.parametrize("direct", [False, True], ids=["redirect", "direct"])
def test_a_partial_file_of_unknown_origin(bench: Bench, direct: bool) -> None:
    """Bytes without the note of which file they are, or with one that says nothing, are not used."""
    bench.origin.direct = direct
    for note in (None, {"url_sha256": "0" * 64}, {"other": 1}, [1]):
        bench.folder.mkdir(exist_ok=True)
        bench.partial.write_bytes(b"y" * 1000)
        if note is not None:
            write_json(bench.partial.with_name(f"{bench.partial.name}.json"), note)
        bench.download()
        bench.output.unlink()


def test_damaged_bytes_in_the_partial_file(bench: Bench) -> None:
    """The checksum finds them; the file is fetched once more from the start."""
    leave_partial(bench, 100_000)
    bench.partial.write_bytes(b"z" * 100_000)
    bench.download()
    assert [request.status for request in bench.storage.requests] == [206, 200]


def test_two_at_once(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.storage.faults.append(stall(50_000, 60))
    process = bench.process("--read-timeout", "60")
    wait_for_bytes(bench.partial, 50_000, process)
    message = bench.refusal()
    assert message.startswith(f"{bench.partial}: another process downloads this file; wait until it ends")
    assert "another process downloads it; waiting up to 0 s" in capsys.readouterr().err
    assert bench.partial.stat().st_size == 50_000
    process.kill()
    process.communicate()
    bench.download()


def test_the_lock_of_a_file_that_was_renamed(bench: Bench) -> None:
    """Whoever waited for the lock of a file that has its final name now opens a new partial file."""
    with Partial(bench.output, bench.url, lock_wait=0) as first:
        first.append(b"a")
        first.finish()
        with Partial(bench.output, bench.url, lock_wait=0) as second:
            assert second.size == 0
    assert bench.output.read_bytes() == b"a"


def test_a_full_disk(bench: Bench) -> None:
    bench.folder.mkdir()
    bench.partial.symlink_to("/dev/full")
    message = bench.refusal()
    assert message.startswith(
        f"{bench.url}: {bench.partial}: {os.strerror(errno.ENOSPC)}, 0.4 MB more are needed"
    )
    assert message.endswith("make room and run again: what has arrived is kept")


def test_a_disk_that_would_be_full(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before the download and not at its end."""
    usage = shutil.disk_usage(bench.folder.parent)._replace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert "0.4 MB are needed and 0.1 MB are free" in bench.refusal()
    assert bench.names() == []


def test_what_a_user_reads(bench: Bench) -> None:
    bench.environment = {"HF_TOKEN": TOKEN, "HF_ENDPOINT": bench.origin.address}
    bench.storage.faults.extend([cut(100_000), status(503, Retry_After="0")])
    process = bench.process("--backoff", "0")
    _, log = process.communicate()
    assert process.returncode == 0
    cut_off, refused, done, facts = log.splitlines()
    storage = bench.storage.address.removeprefix("http://")
    assert cut_off == (
        f"shard_00007: the connection to {storage} broke off; resuming from 0.1 MB in 0.0 s (1 of 3 retries)"
    )
    assert refused == (f"shard_00007: {storage} answered 503; resuming from 0.1 MB in 0.0 s (2 of 3 retries)")
    assert done.startswith("shard_00007: downloaded in ")
    assert f"revision {COMMIT}, sha256 as {bench.origin.address.removeprefix('http://')} says" in done
    assert facts == (
        f"shard_00007: 0.4 MB, 400 rows in 4 row groups, 400,000 characters, sha256 {bench.sha256}"
    )


def test_what_a_user_reads_in_the_end(bench: Bench) -> None:
    url = bench.url.replace("00007", "99999")
    command = [sys.executable, download_shard.__file__, *bench.arguments(url=url)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"download_shard.py: error: {url}: no such file in the dataset at "
        f"{bench.origin.address.removeprefix('http://')} (404); "
        "check the dataset's url, revision and shard numbers\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--retries", "-1"], "--retries: got -1, wanted a finite number, 0 or more"),
        (["--read-timeout", "0"], "--read-timeout: got 0.0, wanted a finite number, above 0"),
        (["--backoff", "nan"], "--backoff: got nan, wanted a finite number, 0 or more"),
    ],
)
def test_numbers_that_make_no_sense(bench: Bench, arguments: list[str], said: str) -> None:
    with pytest.raises(NanosnakeError, match=said):
        call(download_shard.DownloadShard, bench.arguments(*arguments))


def test_what_is_no_number(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call(download_shard.DownloadShard, bench.arguments("--longest-wait", "x"))
    assert "argument --longest-wait: invalid float value: 'x'" in capsys.readouterr().err


def test_progress_in_a_log(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Talkative(Progress):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options, every=0.01)

    monkeypatch.setattr(body, "Progress", Talkative)
    bench.storage.faults.append(drip(50_000, 0.03))
    bench.download()
    lines = [line for line in capsys.readouterr().err.splitlines() if "%" in line]
    assert len(lines) >= 3
    assert all(line.startswith("shard_00007: 0.") and " of 0.4 MB (" in line for line in lines)
    assert re.search(r" MB/s, \d+ s left$", lines[0])
