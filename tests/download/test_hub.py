"""Data sets of a hub by name: listed once, pinned to the commit that was found, checked by the hub's hashes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest

from download.conftest import Bench
from download.stand_in import COMMIT, Answer, Origin, Request, Storage
from nanosnake.files import NanosnakeError
from nanosnake.sources import hub
from workflow.project import Project

TOKEN = "hf_planted"
NAMES = [
    "README.md",
    "data/train-00000-of-00002.parquet",
    "data/train-00001-of-00002.parquet",
    "data/test-00000-of-00001.parquet",
    "sample/10BT/000.parquet",
    "sample/10BT/001.parquet",
    "extra/notes.jsonl",
]


class Hub(Origin):
    """A hub: its interface for data sets, beside the files."""

    def __init__(self, storage: Storage) -> None:
        super().__init__(storage)
        self.card: dict[str, object] = {}
        self.commit = COMMIT
        self.refusal: tuple[int, str] | None = None

    def answer(self, request: Request) -> Answer:
        """Answer a question about a data set as the hub does, and all else as its host of files does."""
        path, _, query = request.path.partition("?")
        asked = re.fullmatch(r"/api/datasets/(ns/name)/revision/([^/]+)", path)
        if (
            self.refusal
            and request.headers.get("authorization", request.headers.get("Authorization"))
            != f"Bearer {TOKEN}"
        ):
            status, code = self.refusal
            return Answer(status, {"X-Error-Code": code, "X-Error-Message": "words of the hub"}, b"{}")
        if not path.startswith("/api/"):
            return super().answer(request)
        if asked is None:
            return Answer(404, {"X-Error-Code": "RepoNotFound"}, b"{}")
        if asked[2] not in ("main", self.commit):
            return Answer(404, {"X-Error-Code": "RevisionNotFound"}, b"{}")
        assert query == "blobs=true" or query == "blobs=True"
        siblings: list[dict[str, object]] = []
        for name in NAMES:
            body = self.content.get(f"/datasets/ns/name/resolve/main/{name}", b"")
            entry: dict[str, object] = {"rfilename": name, "size": len(body), "blobId": "0" * 40}
            if name.endswith(".parquet"):
                entry["lfs"] = {
                    "sha256": hashlib.sha256(body).hexdigest(),
                    "size": len(body),
                    "pointerSize": 134,
                }
            siblings.append(entry)
        value = {
            "id": asked[1],
            "sha": self.commit,
            "private": False,
            "gated": False,
            "downloads": 1,
            "likes": 1,
            "tags": [],
            "cardData": self.card,
            "siblings": siblings,
        }
        return Answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())


@pytest.fixture
def site(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that HF_ENDPOINT names, with the files of NAMES; the working directory is empty."""
    found = Hub(bench.storage)
    with contextlib.ExitStack() as stack:
        stack.enter_context(found.running())
        for name in NAMES:
            found.content[f"/datasets/ns/name/resolve/main/{name}"] = bench.body
        monkeypatch.setenv("HF_ENDPOINT", found.address)
        (tmp_path / "work").mkdir()
        monkeypatch.chdir(tmp_path / "work")
        yield found


WANTED = hub.Wanted("ns/name", None, "train", None, "main")


def paths(wanted: hub.Wanted) -> list[str]:
    return [file.path for file in hub.listing(wanted).files]


def test_the_stand_in_answers_the_hubs_own_client(site: Hub) -> None:
    info = huggingface_hub.HfApi(endpoint=site.address).dataset_info(
        "ns/name", files_metadata=True, revision="main"
    )
    assert info.sha == COMMIT
    assert [file.rfilename for file in info.siblings or []] == NAMES


def test_files_are_found_by_the_hubs_rules_for_names(site: Hub) -> None:
    assert paths(WANTED) == NAMES[1:3]
    assert paths(replace(WANTED, split="test")) == NAMES[3:4]
    assert paths(replace(WANTED, files="sample/*/*.parquet")) == NAMES[4:6]
    assert paths(replace(WANTED, files="**/0*.parquet")) == NAMES[4:6]
    with pytest.raises(
        NanosnakeError,
        match=r"no parquet file belongs to split 'dev'.*data/train-00000.*refs/convert/parquet",
    ):
        hub.listing(replace(WANTED, split="dev"))


def test_files_are_found_by_the_card(site: Hub) -> None:
    site.card = {
        "configs": [
            {"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]},
            {"config_name": "sample-10BT", "data_files": [{"split": "train", "path": ["sample/10BT/*"]}]},
            {"config_name": "plain", "data_files": "data/*"},
        ]
    }
    assert paths(WANTED) == NAMES[1:3]
    assert paths(replace(WANTED, config="sample-10BT")) == NAMES[4:6]
    assert paths(replace(WANTED, config="plain")) == sorted(NAMES[1:4])
    with pytest.raises(NanosnakeError, match=r"no configuration 'other'.*default, plain, sample-10BT"):
        hub.listing(replace(WANTED, config="other"))
    with pytest.raises(NanosnakeError, match="no parquet file belongs to split 'test'"):
        hub.listing(replace(WANTED, split="test"))


def test_the_commit_is_pinned(site: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    first = hub.listing(WANTED)
    assert first.commit == COMMIT
    asked = len(site.requests)
    site.commit = "f" * 40
    assert hub.listing(WANTED) == first
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.listing(WANTED) == first
    assert len(site.requests) == asked
    with pytest.raises(NanosnakeError, match=r"HF_HUB_OFFLINE is set, and history/hub/.*does not exist"):
        hub.listing(replace(WANTED, split="test"))
    monkeypatch.delenv("HF_HUB_OFFLINE")
    (pin,) = Path("history/hub").iterdir()
    pin.unlink()
    assert hub.listing(WANTED).commit == "f" * 40


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (
            (403, "GatedRepo"),
            "the data set is gated: accept its terms at .*/datasets/ns/name, then set HF_TOKEN",
        ),
        ((401, "RepoNotFound"), "has no such data set, or it is private, for which HF_TOKEN is needed"),
        ((404, "RevisionNotFound"), "there is no revision 'main'"),
        ((403, ""), "did not list its files"),
    ],
)
def test_refusals(site: Hub, monkeypatch: pytest.MonkeyPatch, refusal: tuple[int, str], reason: str) -> None:
    site.refusal = refusal
    with pytest.raises(NanosnakeError, match=f"^ns/name: .*{reason}"):
        hub.listing(WANTED)
    assert not Path("history").exists()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert paths(WANTED) == NAMES[1:3]


def test_the_token_of_the_hubs_own_login_is_not_used(
    site: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("hf_of_the_login")
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    hub.listing(WANTED)
    assert [
        name for request in site.requests for name in request.headers if name.lower() == "authorization"
    ] == []


def test_a_hub_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(NanosnakeError, match=r"http://127.0.0.1:1 did not list its files"):
        hub.listing(WANTED)


@pytest.mark.parametrize("private", [False, True])
def test_a_run(
    site: Hub, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private: bool
) -> None:
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project")
    project.config["datasets"]["tiny"] = {
        "source": {"kind": "huggingface", "name": "ns/name"},
        "train": 0,
        "validation": 1,
    }
    if private:
        site.refusal = (401, "RepoNotFound")
        monkeypatch.setenv("HF_TOKEN", TOKEN)
    project.make("--", "shards")
    for shard in ("shard_00000", "shard_00001"):
        metadata = json.loads((project.folder / f"results/tiny/shards/{shard}.json").read_text())
        assert (metadata["sha256"], metadata["revision"]) == (bench.sha256, COMMIT)
        assert f"/datasets/ns/name/resolve/{COMMIT}/data/train-0" in metadata["url"]
    assert project.plan("--", "shards") == {}
    assert all("uthorization" not in "".join(request.headers) for request in bench.storage.requests)
    (project.folder / "results/tiny/shards/shard_00001.parquet").unlink()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    ended = project.snakemake("results/tiny/shards/shard_00001.parquet")
    assert ended.returncode != 0
    assert "HF_HUB_OFFLINE is set, so Hugging Face is not asked" in ended.stdout + ended.stderr
