"""Downloads as jobs of the workflow: resumed by the next run, a few at a time, listed in one table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from download.conftest import Bench
from download.stand_in import COMMIT, cut, drip
from nanosnake.files import sha256_file
from workflow.project import Project, write_shard

TEMPLATE = "/datasets/ns/name/resolve/{revision}/shard_{shard:05d}.parquet"
SHARDS = "results/tiny/shards"


@pytest.fixture
def project(bench: Bench, tmp_path: Path) -> Project:
    """A project whose dataset is three shards on the stand-in."""
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project")
    for number in range(3):
        path = TEMPLATE.format(revision="main", shard=number)
        bench.origin.content[path] = bench.body
    url = bench.origin.address + TEMPLATE
    project.config["datasets"]["tiny"] = {
        "source": {"kind": "url", "url": url, "shards": 3},
        "train": "0-1",
        "validation": 2,
    }
    project.config["downloads"] = {"retries": 0}
    return project


def test_one_at_a_time_into_one_table(bench: Bench, project: Project) -> None:
    bench.storage.faults.extend([drip(100_000, 0.05)] * 3)
    project.make("--resources", "downloads=1", "--", "shards")
    assert bench.storage.peak == 1
    with (project.folder / "results/tiny/shards.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [(row["shard"], row["split"]) for row in table] == [
        ("shard_00000", "train"),
        ("shard_00001", "train"),
        ("shard_00002", "validation"),
    ]
    assert {(row["sha256"], row["revision"]) for row in table} == {(bench.sha256, COMMIT)}
    for row in table:
        shard = project.folder / SHARDS / f"{row['shard']}.parquet"
        assert shard.read_bytes() == bench.body
        assert json.loads(shard.with_suffix(".json").read_text())["sha256"] == bench.sha256
    assert project.plan("--", "shards") == {}


def test_a_failed_download_goes_on_in_the_next_run(bench: Bench, project: Project) -> None:
    """Snakemake removes the outputs of a failed job; the partial file is none of them."""
    bench.storage.faults.append(cut(100_000))
    ended = project.snakemake(f"{SHARDS}/shard_00001.parquet")
    assert ended.returncode != 0
    assert "gave up after 1 failures in a row; the last: the connection to 127.0.0.1:" in ended.stderr
    assert sorted(path.name for path in (project.folder / SHARDS).iterdir()) == [
        ".shard_00001.parquet.part",
        ".shard_00001.parquet.part.json",
    ]
    project.make(f"{SHARDS}/shard_00001.parquet")
    assert (project.folder / SHARDS / "shard_00001.parquet").read_bytes() == bench.body
    assert bench.storage.requests[-1].sent == len(bench.body) - 100_000


def test_a_shard_that_changes_on_the_server_between_two_runs(
    bench: Bench, project: Project, tmp_path: Path
) -> None:
    """What was downloaded stays as it is; once its file is removed, all that depends on it is made anew."""
    until = ("--until", "merge_counts")
    project.make(*until)
    asked = len(bench.origin.requests)
    write_shard(tmp_path / "new.parquet", seed=1)
    path = TEMPLATE.format(revision="main", shard=1)
    bench.origin.content[path] = (tmp_path / "new.parquet").read_bytes()
    assert project.plan(*until) == {}
    project.make(*until)
    assert len(bench.origin.requests) == asked
    (project.folder / SHARDS / "shard_00001.parquet").unlink()
    assert project.plan(*until) == {"download_shard": 1, "count_pretokens": 1, "merge_counts": 1}
    project.make(*until)
    metadata = json.loads((project.folder / SHARDS / "shard_00001.json").read_text())
    assert metadata["sha256"] == sha256_file(tmp_path / "new.parquet")
    assert project.plan(*until) == {}


def test_a_redirect_to_http_that_the_configuration_allows(
    secure: Bench, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secure.origin.certificate))
    source = project.config["datasets"]["tiny"]["source"]
    source["url"] = secure.origin.address + TEMPLATE
    shard = f"{SHARDS}/shard_00001.parquet"
    ended = project.snakemake(shard)
    assert ended.returncode != 0
    assert "allow it with allow_http_redirects in its source" in ended.stderr
    source["allow_http_redirects"] = True
    project.make(shard)
    assert (project.folder / shard).read_bytes() == secure.body


def test_a_list_of_urls_goes_by_file_names(bench: Bench, project: Project) -> None:
    names = (
        "part-1f3a.parquet",
        "part-9c0d.parquet",
    )  # as writers name files: by hashes, which no template numbers
    for name in names:
        bench.origin.content[f"/files/{name}"] = bench.body
    project.config["datasets"]["tiny"] = {
        "source": {"kind": "url", "url": [f"{bench.origin.address}/files/{name}" for name in names]},
        "train": "part-1f3a",
        "validation": "part-9c0d",
    }
    project.make("--", "shards")
    for name in names:
        assert (project.folder / SHARDS / name).read_bytes() == bench.body
    assert project.plan("--", "shards") == {}
