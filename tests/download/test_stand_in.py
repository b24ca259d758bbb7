"""The stand-in is true: Hugging Face's own client downloads from it."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest

from download.conftest import TOKEN, Bench
from download.stand_in import COMMIT


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    return tmp_path / "cache"


def hub_download(bench: Bench, cache: Path, file: str = "data/shard_00007.parquet") -> Path:
    return Path(
        huggingface_hub.hf_hub_download(
            "ns/name", file, repo_type="dataset", endpoint=bench.origin.address, cache_dir=cache, token=TOKEN
        )
    )


def test_hugging_faces_own_client(bench: Bench, cache: Path) -> None:
    path = hub_download(bench, cache)
    assert path.read_bytes() == bench.body
    assert COMMIT in path.parts
    assert path.resolve().name == bench.sha256  # it took X-Linked-ETag for the name of the blob
    assert bench.origin.requests[0].method == "HEAD"
    assert all("Authorization" not in request.headers for request in bench.storage.requests)


def test_a_file_that_is_not_there(bench: Bench, cache: Path) -> None:
    with pytest.raises(huggingface_hub.errors.EntryNotFoundError):
        hub_download(bench, cache, "data/absent.parquet")
