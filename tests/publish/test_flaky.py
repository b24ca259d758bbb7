"""A way to the S3 server that is slow, busy, or cuts answers off: all arrives, or nothing is there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import download_shard
from download.proxy import Proxy
from nanosnake.stages import call
from publish.conftest import TINY, write_big
from publish.server import Server
from publish.test_publish import KEYS, objects, publish, unfinished


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Iterator[contextlib.ExitStack]:
    """Where a proxy can be put in between, until the test ends."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with contextlib.ExitStack() as stack:
        yield stack


def test_a_slow_and_busy_server_gets_everything(
    writer: Server, bucket: str, made: Path, through: contextlib.ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = TINY / "tokenizer/big.bin"
    write_big(big, 20)  # in several parts
    proxy = Proxy(busy_every=3, pause=0.05)
    with monkeypatch.context() as environment:
        environment.setenv("http_proxy", through.enter_context(proxy.running()))
        publish(writer, bucket)
    assert proxy.asked > 10
    sent = {key.removeprefix("prefix/") for key in objects(writer, bucket)}
    assert sent == {*KEYS, "tiny/bpe/tokenizer/big.bin"}
    body = writer.client().get_object(Bucket=bucket, Key="prefix/tiny/bpe/tokenizer/big.bin")["Body"].read()
    assert body == big.read_bytes()
    assert not unfinished(writer, bucket)


@pytest.mark.parametrize(
    ("cuts", "lies"), [(2, False), (1, True)], ids=["breaks off twice", "says that was all"]
)
def test_a_shard_arrives_whole_through_a_proxy_that_truncates(
    writer: Server,
    bucket: str,
    tmp_path: Path,
    through: contextlib.ExitStack,
    monkeypatch: pytest.MonkeyPatch,
    cuts: int,
    lies: bool,
) -> None:
    source, output = tmp_path / "source.parquet", tmp_path / "shards/a.parquet"
    write_big(source.with_suffix(".bin"), 1)
    text = source.with_suffix(".bin").read_bytes().hex()
    pq.write_table(pa.table({"text": [text]}), source, compression="none", use_dictionary=False)
    writer.client().upload_file(str(source), bucket, "a.parquet")
    proxy = Proxy(cuts=cuts, lies=lies)
    monkeypatch.setenv("http_proxy", through.enter_context(proxy.running()))
    files = ["--output", str(output), "--metadata", str(output.with_suffix(".json"))]
    patience = ["--retries", "3", "--backoff", "0.02"]
    url = ["--url", f"s3://{bucket}/a.parquet", *writer.options_of_endpoint()]
    assert call(download_shard.DownloadShard, [*url, *files, *patience]) == 0
    assert output.read_bytes() == source.read_bytes()
    assert proxy.cuts == 0
