"""Baselines come from caches, wheels or the network, verified, and one that cannot be had is a note."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from pathlib import Path

import pytest
import requests

from nanosnake.files import NanosnakeError
from nanosnake.tokenizer import baselines


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(url: str, **_: object) -> None:
        raise requests.ConnectTimeout(url)

    monkeypatch.setattr(requests, "get", refuse)
    monkeypatch.setenv(baselines.CACHE_VARIABLE, str(tmp_path / "tiktoken"))


@pytest.fixture
def no_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", absent)


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(file): (file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest())
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_all_come_from_the_wheels_and_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = baselines.load_baselines(tmp_path / "cache", network=False)
    assert found.notes == []
    sizes = {name: encoding.n_vocab for name, encoding in found.encodings.items()}
    assert sizes == {"gpt2": 50257, "cl100k_base": 100277, "o200k_base": 200019}
    assert found.encodings["gpt2"].encode_ordinary("hello world") == [31373, 995]
    assert found.encodings["cl100k_base"].encode_ordinary("hello world") == [15339, 1917]
    assert {file.name for file in (tmp_path / "cache").iterdir()} == {
        source.cache_name for source in baselines.SOURCES.values()
    }
    assert os.environ[baselines.CACHE_VARIABLE] == str(tmp_path / "tiktoken")


def test_our_cache_is_enough(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    baselines.load_baselines(tmp_path / "cache", names=["gpt2"], network=False)
    request.getfixturevalue("no_wheels")
    before = tree(tmp_path / "cache")
    assert baselines.load_baselines(tmp_path / "cache", names=["gpt2"], network=False).notes == []
    assert tree(tmp_path / "cache") == before


def test_tiktokens_cache_is_used_and_left_alone(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    baselines.load_baselines(tmp_path / "tiktoken", names=["cl100k_base"], network=False)
    request.getfixturevalue("no_wheels")
    wrong = tmp_path / "tiktoken" / baselines.SOURCES["gpt2"].cache_name
    wrong.write_bytes(b"not a vocabulary")
    before = tree(tmp_path / "tiktoken")
    found = baselines.load_baselines(tmp_path / "ours", names=["gpt2", "cl100k_base"], network=False)
    assert list(found.encodings) == ["cl100k_base"]
    assert "wrong SHA-256" in found.notes[0]
    assert tree(tmp_path / "tiktoken") == before


def test_a_damaged_file_in_our_cache_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "cache" / baselines.SOURCES["gpt2"].cache_name
    path.parent.mkdir()
    path.write_bytes(b"damaged")
    assert baselines.load_baselines(tmp_path / "cache", names=["gpt2"], network=False).notes == []
    assert hashlib.sha256(path.read_bytes()).hexdigest() == baselines.SOURCES["gpt2"].sha256


@pytest.mark.usefixtures("no_wheels")
def test_a_missing_baseline_is_a_note_that_says_why_and_what_to_do(tmp_path: Path) -> None:
    found = baselines.load_baselines(tmp_path / "cache")
    assert found.encodings == {}
    assert len(found.notes) == 3
    note = found.notes[0]
    assert note.startswith("baseline gpt2 is not available: ")
    for reason in (
        "our cache",
        "tiktoken's cache",
        "mlx-whisper is not installed",
        "network: ConnectTimeout",
    ):
        assert reason in note
    assert "uv sync --group baselines" in note
    assert baselines.SOURCES["gpt2"].cache_name in note
    assert not (tmp_path / "cache").exists()


@pytest.mark.usefixtures("no_wheels")
def test_offline_does_not_touch_the_network(tmp_path: Path) -> None:
    found = baselines.load_baselines(tmp_path / "cache", names=["gpt2"], network=False)
    assert "downloads are turned off" in found.notes[0]


class Response:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def raise_for_status(self) -> None:
        return

    def iter_content(self, size: int) -> list[bytes]:
        return [self.content[at : at + size] for at in range(0, len(self.content), size)]


def test_the_network_comes_last_with_timeouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    source = baselines.SOURCES["gpt2"]
    assert baselines.fetch(source, tmp_path / "first", network=False) is None
    content = (tmp_path / "first" / source.cache_name).read_bytes()
    request.getfixturevalue("no_wheels")
    asked: list[tuple[str, object]] = []

    def get(url: str, timeout: object, stream: bool) -> Response:
        asked.append((url, timeout))
        assert stream
        return Response(content)

    monkeypatch.setattr(requests, "get", get)
    assert baselines.load_baselines(tmp_path / "second", names=["gpt2"]).notes == []
    assert asked == [(source.url, baselines.TIMEOUT)]
    monkeypatch.setattr(requests, "get", lambda *_, **__: Response(b"<html>blocked</html>"))
    reasons = baselines.fetch(source, tmp_path / "third", network=True)
    assert reasons is not None
    assert "wrong SHA-256" in reasons[-1]


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NanosnakeError, match="'gpt5' is unknown; allowed: gpt2, cl100k_base, o200k_base"):
        baselines.load_baselines(tmp_path, names=["gpt5"])
