"""Uploads that end early: nothing is visible under the final name, and the next run sends what is missing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

import publish_files
from download.proxy import Proxy, held_up
from nanosnake.files import NanosnakeError, sha256_file
from publish.conftest import TINY, become, make_bucket
from publish.server import PLANTED, Server
from publish.test_publish import objects, publish, unfinished

BIG = TINY / "tokenizer/big.bin"
KEY = "prefix/tiny/bpe/tokenizer/big.bin"


@contextlib.contextmanager
def holding(server: Server, bucket: str) -> Iterator[subprocess.Popen[str]]:
    """Start the script on a large file, and hold it up when some parts of it are sent, until the block ends."""
    command = [
        *(sys.executable, publish_files.__file__, "--destination", f"s3://{bucket}/prefix"),
        *(*server.options_of_endpoint(), "--gate", str(TINY / "gate.json")),
        *("--receipt", str(TINY / "published/big.json"), str(BIG)),
    ]
    with held_up(Proxy(uploads=3), command) as process:
        assert unfinished(server, bucket)
        yield process


def write_long(path: Path) -> None:
    """Write a file that goes in many parts."""
    path.touch()
    os.truncate(path, 250 << 20)


def check_sent(server: Server, bucket: str) -> None:
    """See that the object is the file."""
    (one,) = publish(server, bucket, BIG)
    assert one["sha256"] == sha256_file(BIG)
    body = server.client().get_object(Bucket=bucket, Key=KEY)
    assert body["ContentLength"] == BIG.stat().st_size
    assert body["Metadata"]["sha256"] == one["sha256"]


@pytest.mark.parametrize(
    ("number", "replaced"),
    [(signal.SIGTERM, False), (signal.SIGINT, True), (signal.SIGKILL, False), (signal.SIGKILL, True)],
)
def test_a_publisher_that_is_stopped_leaves_what_was_there(
    writer: Server, bucket: str, made: Path, number: signal.Signals, replaced: bool
) -> None:
    if replaced:
        BIG.write_bytes(b"before")
        publish(writer, bucket, BIG)
    before = objects(writer, bucket)
    write_long(BIG)
    with holding(writer, bucket) as process:
        process.send_signal(number)
        time.sleep(1)  # until it has been told; the parts under way are waited for
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130}.get(number, -number)
    assert objects(writer, bucket) == before
    assert not (TINY / "published/big.json").exists()
    # what nobody could take back stays out of sight, until the bucket's own rule removes it
    assert len(unfinished(writer, bucket)) == (number == signal.SIGKILL)
    check_sent(writer, bucket)


def test_a_server_that_dies_in_the_middle_shows_nothing(
    own_server: Server, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, own_server, "writer")
    bucket = make_bucket(own_server)
    publish(own_server, bucket)
    write_long(BIG)
    with holding(own_server, bucket) as process:
        own_server.kill()
    assert process.returncode == 1
    said = process.stderr.read() if process.stderr else ""
    last = said.splitlines()[-1]
    assert last.startswith("publish_files.py: error: s3://")
    assert re.search(r"broke off; no half-written|the proxy did not connect to 127\.0\.0\.1:\d+", last), said
    assert PLANTED not in said
    assert "Traceback" not in said
    own_server.start_again(bucket, "prefix/tiny/bpe/tokenizer/meta.json")
    assert KEY not in objects(own_server, bucket)
    check_sent(own_server, bucket)
    receipt = json.loads((TINY / "published/tokenizer.json").read_text())
    assert receipt["files"][0]["etag"].endswith("-16")


def test_a_server_without_room_is_said(tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server whose volumes are full fails to write; nobody can know that before."""
    full = Server(tmp_path / "full", "-volume.max=2", "-master.volumeSizeLimitMB=1").start()
    try:
        become(monkeypatch, full, "writer")
        bucket = make_bucket(full)
        fill(full, bucket)
        write_long(BIG)
        for source in (TINY / "tokenizer/meta.json", BIG):
            with pytest.raises(
                NanosnakeError, match=r"\(InternalError\), .*; its disk may be full"
            ) as caught:
                publish(full, bucket, source)
            assert str(caught.value).startswith(f"s3://{bucket}/prefix/tiny/bpe/tokenizer/{source.name}: ")
        assert not [key for key in objects(full, bucket) if key.startswith("prefix")]
        assert unfinished(full, bucket) == []
    finally:
        full.kill()


def fill(server: Server, bucket: str) -> None:
    """Write until the server refuses."""
    client, deadline = server.client(), time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            client.put_object(Bucket=bucket, Key=f"filler-{time.monotonic()}", Body=b"x" * 2_000_000)
        except ClientError:
            return
        time.sleep(0.5)
    raise AssertionError("the server takes ever more")
