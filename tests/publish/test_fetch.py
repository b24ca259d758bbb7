"""Fetching what was published, as a training node without a shared disk does."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fetch_published
from download.conftest import wait_for_bytes
from download.proxy import Proxy, held_up
from nanosnake.files import NanosnakeError, sha256_file
from nanosnake.sources.download import partial_path
from nanosnake.stages import call
from publish.conftest import RUN, TINY, become, make_bucket, write_big
from publish.server import Server
from publish.test_publish import publish, publish_the_manifest

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def published(writer: Server, bucket: str, made: Path) -> str:
    """The place of a tokenizer that was published, with token shards."""
    return publish_all(writer, bucket, made)


def publish_all(server: Server, bucket: str, made: Path) -> str:
    """Publish a tokenizer, its shards and the manifest; return the place."""
    for name, content in {
        "train/a": b"\1\0" * 900,
        "train/b": b"\2\0" * 800,
        "validation/c": b"\3\0",
    }.items():
        path = made / TINY / f"tokens/{name}.ds"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    shard = made / "results/tiny/shards/a.parquet"
    shard.parent.mkdir()
    shard.write_bytes(b"PAR1")
    (made / TINY / "manifest.json").write_text(
        json.dumps({"path": str(TINY / "manifest.json"), "run": {"id": RUN}, "files": []})
    )
    publish(server, bucket, TINY / "tokenizer", TINY / "tokens", Path("results/tiny/shards/a.parquet"))
    publish_the_manifest(server, bucket)
    return f"s3://{bucket}/prefix/tiny/bpe"


def fetch(server: Server, place: str, to: Path, *more: str) -> None:
    """Run the script."""
    assert (
        call(fetch_published.FetchPublished, [place, "--to", str(to), *server.options_of_endpoint(), *more])
        == 0
    )


def files(folder: Path) -> list[str]:
    """Return the names of all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_everything_arrives_where_it_stands_in_the_results(
    server: Server,
    published: str,
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    become(monkeypatch, server, "reader")  # reading is all the right that a node needs
    to = tmp_path / "node/results"
    fetch(server, published, to)
    names = files(to)
    assert names == [
        "tiny/bpe/manifest.json",
        *(f"tiny/bpe/tokenizer/{name}" for name in ("meta.json", "tokenizer.json", "tokenizer.tiktoken")),
        *(f"tiny/bpe/tokens/{name}.ds" for name in ("train/a", "train/b", "validation/c")),
        "tiny/shards/a.parquet",
    ]
    for name in names[1:]:
        assert (to / name).read_bytes() == (made / "results" / name).read_bytes()
    capsys.readouterr()
    fetch(server, published, to)
    assert "0 files fetched (0.0 MB), 7 were there" in capsys.readouterr().err
    (to / "tiny/bpe/tokens/train/a.ds").write_bytes(b"\\9\0" * 900)  # the same size
    fetch(server, published, to)
    assert "1 files fetched" in capsys.readouterr().err
    assert (to / "tiny/bpe/tokens/train/a.ds").read_bytes() == b"\1\0" * 900


@pytest.mark.parametrize(
    ("only", "count"),
    [(["tokenizer"], 3), (["tokens/train"], 2), (["tokenizer", "tokens"], 6), (["shards"], 1)],
)
def test_only_what_is_asked_for(
    server: Server, published: str, tmp_path: Path, only: list[str], count: int
) -> None:
    fetch(server, published, tmp_path / "node", "--only", *only)
    assert len(files(tmp_path / "node")) == count + 1


def test_a_folder_that_was_not_published_is_said(server: Server, published: str, tmp_path: Path) -> None:
    with pytest.raises(
        NanosnakeError, match=r"nothing was published below 'models'; there are: tiny/shards, token"
    ):
        fetch(server, published, tmp_path / "node", "--only", "models")
    with pytest.raises(NanosnakeError, match="--jobs is 0; use 1 or more"):
        fetch(server, published, tmp_path / "node", "--jobs", "0")
    with pytest.raises(NanosnakeError, match=r"bpe/x/manifest\.json: .* has no such object"):
        fetch(server, f"{published}/x", tmp_path / "node")


def test_an_object_that_is_not_what_the_manifest_names_is_refused(
    server: Server, bucket: str, published: str, tmp_path: Path
) -> None:
    server.client().put_object(Bucket=bucket, Key="prefix/tiny/bpe/tokens/train/a.ds", Body=b"\4\0" * 900)
    with pytest.raises(NanosnakeError, match=r"train/a\.ds: its sha256 is .*, twice; nothing is kept"):
        fetch(server, published, tmp_path / "node", "--only", "tokens")
    assert "tiny/bpe/tokens/train/a.ds" not in files(tmp_path / "node")


@pytest.mark.parametrize("path", ["results/../../x", "/etc/x", "elsewhere/x", "results"])
def test_a_manifest_cannot_write_elsewhere(
    server: Server, bucket: str, tmp_path: Path, path: str, writer: Server
) -> None:
    manifest: dict[str, Any] = {
        "path": "results/d/t/manifest.json",
        "files": [{"path": path, "bytes": 1, "sha256": "0" * 64}],
    }
    server.client().put_object(Bucket=bucket, Key="p/d/t/manifest.json", Body=json.dumps(manifest).encode())
    with pytest.raises(NanosnakeError, match="not a file below results/"):
        fetch(server, f"s3://{bucket}/p/d/t", tmp_path / "node")
    assert files(tmp_path / "node") == [".t.manifest.json"]


def test_a_fetch_that_was_killed_goes_on(
    own_server: Server, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    become(monkeypatch, own_server, "writer")
    big = made / TINY / "tokens/train/big.ds"
    big.parent.mkdir(parents=True)
    write_big(big, 110)
    place = publish_all(own_server, make_bucket(own_server), made)
    to = tmp_path / "node"
    command = [sys.executable, fetch_published.__file__, place, "--to", str(to)]
    part = partial_path(to / "tiny/bpe/tokens/train/big.ds")
    with held_up(Proxy(download=8 << 20), [*command, *own_server.options_of_endpoint()]) as process:
        wait_for_bytes(part, 1 << 20, process)
        process.send_signal(signal.SIGKILL)
    assert 0 < part.stat().st_size < 110 << 20
    ended = subprocess.run(
        [*command, *own_server.options_of_endpoint()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "big: " in ended.stderr
    assert "MB are there from an earlier run" in ended.stderr
    assert sha256_file(to / "tiny/bpe/tokens/train/big.ds") == sha256_file(big)
