"""A shard, the two servers that offer it, and a call that downloads it with little patience."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import random
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import download_shard
from download.stand_in import SIGNATURE, Origin, Storage
from nanosnake.files import NanosnakeError
from nanosnake.sources.download import partial_path
from nanosnake.stages import call

PATH = "/datasets/ns/name/resolve/main/data/shard_00007.parquet"
TOKEN = "hf_planted_secret"
HASTE = [
    *("--connect-timeout", "10", "--read-timeout", "10", "--min-speed", "1000"),
    *("--retries", "3", "--backoff", "0.02", "--lock-wait", "0.3"),
]


IMPATIENT = ("--read-timeout", "0.4")
"""For servers that go silent."""


def wait_for_bytes(partial: Path, size: int, process: subprocess.Popen[str]) -> None:
    """Wait until so much stands in the partial file that a process writes."""
    deadline = time.monotonic() + 60
    while not partial.exists() or partial.stat().st_size < size:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture(scope="session")
def parquet_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A shard of about 400 KB that does not compress."""
    draw = random.Random(0)
    texts = [draw.randbytes(500).hex() for _ in range(400)]
    path = tmp_path_factory.mktemp("shard") / "a.parquet"
    pq.write_table(pa.table({"text": texts}), path, row_group_size=100, compression="none")
    return path.read_bytes()


@dataclass
class Bench:
    """The two servers and a folder to download into."""

    origin: Origin
    storage: Storage
    body: bytes
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def output(self) -> Path:
        return self.folder / "shard_00007.parquet"

    @property
    def partial(self) -> Path:
        return partial_path(self.output)

    @property
    def metadata(self) -> dict[str, Any]:
        value = json.loads(self.output.with_suffix(".json").read_text())
        assert isinstance(value, dict)
        return value

    @property
    def url(self) -> str:
        return self.origin.address + PATH

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()

    def arguments(self, *more: str, url: str | None = None) -> list[str]:
        metadata = str(self.output.with_suffix(".json"))
        return [
            *("--url", url or self.url, "--output", str(self.output), "--metadata", metadata),
            *("--revision", "main", *HASTE, *more),
        ]

    def download(self, *more: str, url: str | None = None) -> None:
        """Download, and see that the file is right and nothing else is left."""
        assert call(download_shard.DownloadShard, self.arguments(*more, url=url)) == 0
        assert self.output.read_bytes() == self.body
        assert self.names() == ["shard_00007.json", "shard_00007.parquet"]

    def refusal(self, *more: str, url: str | None = None) -> str:
        """Download in vain, see that nothing stands under the final name, and return the error."""
        with pytest.raises(NanosnakeError) as caught:
            call(download_shard.DownloadShard, self.arguments(*more, url=url))
        trace = "".join(traceback.format_exception(caught.value))  # what --verbose shows
        assert SIGNATURE not in trace
        assert TOKEN not in trace
        assert not [name for name in self.names() if not name.startswith(".")]
        message = str(caught.value)
        assert "\n" not in message
        assert "secret words of the host" not in message
        return message

    def process(self, *more: str, **options: Any) -> subprocess.Popen[str]:
        """Start the script as a process of its own."""
        command = [sys.executable, download_shard.__file__, *self.arguments(*more)]
        return subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, **self.environment}, **options
        )

    def names(self) -> list[str]:
        """Names of all files in the folder."""
        return sorted(path.name for path in self.folder.iterdir()) if self.folder.exists() else []


@pytest.fixture
def bench(tmp_path: Path, parquet_bytes: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    for name in ("HF_TOKEN", "HF_ENDPOINT", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    storage = Storage()
    origin = Origin(storage)
    with contextlib.ExitStack() as stack:
        stack.enter_context(storage.running())
        stack.enter_context(origin.running())
        origin.content[PATH] = parquet_bytes
        yield Bench(origin, storage, parquet_bytes, tmp_path / "shards")
    assert origin.errors + storage.errors == []


@pytest.fixture
def secure(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Return the two servers, the first of which speaks TLS with a certificate that is trusted."""
    certificate = tmp_path / "certificate.pem"
    command: list[str | Path] = [
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
        *("-days", "1", "-batch", "-subj", "/CN=127.0.0.1"),
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", certificate, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    origin = Origin(bench.storage)
    origin.certificate = certificate
    origin.content = bench.origin.content
    with origin.running():
        yield dataclasses.replace(bench, origin=origin)
    assert origin.errors == []
