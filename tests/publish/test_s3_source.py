"""Shards from a bucket: checked as every download is, resumed by ranges, and through the whole workflow."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import download_shard
from download.conftest import wait_for_bytes
from download.proxy import Proxy, held_up
from nanosnake.files import NanosnakeError, sha256_file
from nanosnake.sources.download import partial_path
from nanosnake.stages import call
from publish.conftest import make_bucket, write_big
from publish.server import Server
from workflow.project import Project, write_shard

Capture = pytest.CaptureFixture[str]
HASTE = ["--retries", "1", "--backoff", "0.02", "--connect-timeout", "5"]


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """A shard that a test may put into a bucket."""
    path = tmp_path / "source.parquet"
    write_shard(path, seed=1)
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where the shard is to stand."""
    return tmp_path / "shards/shard_00007.parquet"


def arguments(server: Server, url: str, output: Path, *more: str) -> list[str]:
    """Return the command line of a download."""
    metadata = str(output.with_suffix(".json"))
    files = ["--url", url, "--output", str(output), "--metadata", metadata]
    return [*files, *HASTE, *server.options_of_endpoint(), *more]


def left(output: Path) -> list[str]:
    """Return the names of the files beside an output."""
    return sorted(path.name for path in output.parent.iterdir()) if output.parent.exists() else []


def test_a_shard_arrives_with_its_metadata(writer: Server, bucket: str, shard: Path, output: Path) -> None:
    answer = writer.client().put_object(Bucket=bucket, Key="a/b.parquet", Body=shard.read_bytes())
    url = f"s3://{bucket}/a/b.parquet"
    assert call(download_shard.DownloadShard, arguments(writer, url, output)) == 0
    assert output.read_bytes() == shard.read_bytes()
    metadata = json.loads(output.with_suffix(".json").read_text())
    assert (metadata["source"], metadata["url"]) == ("s3", url)
    assert metadata["etag"] == answer["ETag"].strip('"')
    assert metadata["sha256"] == sha256_file(shard)
    assert metadata["rows"] == 150
    assert left(output) == ["shard_00007.json", "shard_00007.parquet"]


def test_the_checksum_in_the_metadata_is_compared(
    writer: Server, bucket: str, shard: Path, output: Path, capsys: Capture
) -> None:
    url = f"s3://{bucket}/b.parquet"

    def put(sha256: str) -> None:
        metadata = {"sha256": sha256}
        writer.client().put_object(Bucket=bucket, Key="b.parquet", Body=shard.read_bytes(), Metadata=metadata)

    put("0" * 64)
    with pytest.raises(NanosnakeError, match=r"its sha256 is .*, twice; nothing is kept"):
        call(download_shard.DownloadShard, arguments(writer, url, output))
    assert left(output) == []
    put(sha256_file(shard))
    with pytest.raises(NanosnakeError, match=r"its metadata say sha256 .*, wanted 1111"):
        call(download_shard.DownloadShard, arguments(writer, url, output, "--sha256", "1" * 64))
    assert call(download_shard.DownloadShard, arguments(writer, url, output)) == 0
    assert "sha256 as 127.0.0.1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "column", "message"),
    [
        ("absent.parquet", "text", "has no such object; check the s3:// URL"),
        ("bad.parquet", "text", "not a readable parquet file .*web page"),
        ("good.parquet", "txt", "txt"),
    ],
)
def test_what_is_no_shard_is_refused(
    writer: Server, bucket: str, shard: Path, output: Path, key: str, column: str, message: str
) -> None:
    writer.client().put_object(Bucket=bucket, Key="bad.parquet", Body=b"<html>no</html>" * 10)
    writer.client().put_object(Bucket=bucket, Key="good.parquet", Body=shard.read_bytes())
    with pytest.raises(NanosnakeError, match=message):
        call(
            download_shard.DownloadShard,
            arguments(writer, f"s3://{bucket}/{key}", output, "--text-column", column),
        )
    assert left(output) == []


@contextlib.contextmanager
def held_download(server: Server, url: str, output: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the script as a process, and hold it up when some bytes have arrived, until the block ends."""
    command = [sys.executable, download_shard.__file__, *arguments(server, url, output)]
    with held_up(Proxy(download=8 << 20), command, **server.environment()) as process:
        wait_for_bytes(partial_path(output), 1 << 20, process)
        yield process


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """A shard of over 100 MB: one with a long document that does not compress."""
    path = tmp_path / "big.parquet"
    write_big(path.with_suffix(".bin"), 60)
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = path.with_suffix(".bin").read_bytes().hex()
    pq.write_table(pa.table({"text": [text]}), path, compression="none", use_dictionary=False)
    assert path.stat().st_size > 100_000_000
    return path


def test_a_stopped_download_goes_on_unless_the_object_has_changed(
    writer: Server, bucket: str, big: Path, output: Path, capsys: Capture
) -> None:
    client, url = writer.client(), f"s3://{bucket}/big.parquet"
    client.upload_file(str(big), bucket, "big.parquet")
    for change in (False, True):
        with held_download(writer, url, output) as process:
            process.send_signal(signal.SIGKILL)
        arrived = partial_path(output).stat().st_size
        assert arrived < big.stat().st_size
        assert not output.exists()
        if change:
            client.put_object(Bucket=bucket, Key="big.parquet", Body=big.read_bytes()[:-1])
            with pytest.raises(NanosnakeError, match="parquet"):
                call(download_shard.DownloadShard, arguments(writer, url, output))
            continue
        capsys.readouterr()
        assert call(download_shard.DownloadShard, arguments(writer, url, output)) == 0
        assert f"{arrived / 1e6:,.1f} MB are there from an earlier run" in capsys.readouterr().err
        assert sha256_file(output) == sha256_file(big)
        output.unlink()


def test_a_server_that_dies_in_the_middle_is_waited_for(own_server: Server, big: Path, output: Path) -> None:
    bucket = make_bucket(own_server)
    own_server.client().upload_file(str(big), bucket, "big.parquet")
    with held_download(own_server, f"s3://{bucket}/big.parquet", output) as process:
        own_server.kill()
    said = process.stderr.read() if process.stderr else ""
    assert process.returncode == 1, said
    assert "gave up after 2 failures in a row" in said
    assert "MB are kept for the next run" in said
    own_server.start_again(bucket, "big.parquet")
    environment = {**os.environ, **own_server.environment()}
    command = [sys.executable, download_shard.__file__]
    again = subprocess.run(
        [*command, *arguments(own_server, f"s3://{bucket}/big.parquet", output)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert "are there from an earlier run" in again.stderr
    assert sha256_file(output) == sha256_file(big)


@pytest.mark.parametrize("listed", [False, True], ids=["template", "list"])
def test_a_dataset_in_a_bucket_is_made_by_the_workflow(
    writer: Server, bucket: str, tmp_path: Path, listed: bool
) -> None:
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project")
    names = ["shard_00000", "shard_00001", "shard_00002"]
    for name, file in zip(names, ("a", "b", "held_out"), strict=True):
        writer.client().upload_file(
            str(project.folder / f"data/{file}.parquet"), bucket, f"in/{name}.parquet"
        )
    template = f"s3://{bucket}/in/shard_{{shard:05d}}.parquet"
    urls = [f"s3://{bucket}/in/{name}.parquet" for name in names]
    project.config["datasets"]["tiny"] = {
        "source": {
            **{"kind": "s3", "url": urls if listed else template},
            **{"endpoint_url": writer.url, "region": "us-east-1", "path_style": True},
        },
        "train": "*" if listed else "0-1",
        "validation": "shard_00002" if listed else 2,
    }
    project.make("shards")
    with (project.folder / "results/tiny/shards.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["shard"] for row in table] == names
    assert [row["split"] for row in table] == ["train", "train", "validation"]
    for row, file in zip(table, ("a", "b", "held_out"), strict=True):
        assert row["sha256"] == sha256_file(project.folder / f"data/{file}.parquet")
    assert project.plan("--", "shards") == {}
