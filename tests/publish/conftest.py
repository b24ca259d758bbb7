"""The S3 server, a bucket for each test, and a folder with something to publish."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from nanosnake.provenance.run_id import RUN_VARIABLE
from publish.server import Server

TINY = Path("results/tiny/bpe")
RUN = "20261122T000000Z-0badcafe"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that all tests share; none stops it."""
    server = Server(tmp_path_factory.mktemp("s3") / "server").start()
    yield server
    server.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server that the test may kill."""
    server = Server(tmp_path / "server").start()
    yield server
    server.kill()


@pytest.fixture
def bucket(server: Server) -> str:
    """The name of a bucket in which nothing is."""
    return make_bucket(server)


@pytest.fixture
def writer(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server, with the writer's credentials in the environment."""
    become(monkeypatch, server, "writer")
    return server


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, which is the working one, with the files of a tokenizer behind an open gate."""
    folder = tmp_path / "project"
    tokenizer = folder / TINY / "tokenizer"
    tokenizer.mkdir(parents=True)
    (folder / TINY / "gate.json").write_text('{"open": true}\n')
    for name in ("tokenizer.json", "meta.json", "tokenizer.tiktoken"):
        (tokenizer / name).write_text(f"{name}\n")
    (tokenizer / ".hidden.part").write_text("of a job that was killed\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv(RUN_VARIABLE, RUN)
    return folder


def make_bucket(server: Server) -> str:
    """Make a bucket and return its name."""
    name = f"test-{secrets.token_hex(6)}"
    server.client().create_bucket(Bucket=name)
    return name


def become(monkeypatch: pytest.MonkeyPatch, server: Server, name: str) -> None:
    """Put an identity's credentials into the environment."""
    for key, value in server.environment(name).items():
        monkeypatch.setenv(key, value)


def write_big(path: Path, megabytes: int, seed: int = 0) -> None:
    """Write random bytes."""
    draw = random.Random(seed)
    with path.open("wb") as stream:
        for _ in range(megabytes):
            stream.write(draw.randbytes(1 << 20))
