"""The table of all shards of a dataset."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import pytest

import list_shards
from nanosnake.files import NanosnakeError, write_json
from nanosnake.sources.shards import ShardMetadata
from nanosnake.stages import call


def metadata(name: str, **more: object) -> ShardMetadata:
    values = {
        "shard": name,
        "source": "url",
        "url": f"https://host/{name}.parquet",
        "revision": "c0ffee",
        "etag": '"abc"',
        "bytes": 2_000_000,
        "sha256": "0" * 64,
        "rows": 10,
        "row_groups": 2,
        "characters": 1_000,
        "nulls": 0,
        "empty": 1,
        "seconds": 0.5,
        "text_column": "text",
    }
    return ShardMetadata(**(values | more))  # type: ignore[arg-type]


def list_all(folder: Path, train: str, validation: str) -> list[dict[str, str]]:
    output = folder / "shards.csv"
    arguments = ["--folder", str(folder), "--train", train, "--validation", validation]
    assert call(list_shards.ListShards, [*arguments, "--output", str(output)]) == 0
    with output.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_row_for_each_shard_in_the_order_given(tmp_path: Path) -> None:
    for name in ("shard_00000", "shard_00001", "shard_00007", "shard_00009"):
        metadata(name).write(tmp_path / f"{name}.json")
    table = list_all(tmp_path, "shard_[00000-00001],shard_00009", "shard_00007")
    assert [(row["shard"], row["split"]) for row in table] == [
        ("shard_00000", "train"),
        ("shard_00001", "train"),
        ("shard_00009", "train"),
        ("shard_00007", "validation"),
    ]
    assert table[0] == {
        "shard": "shard_00000",
        "split": "train",
        "source": "url",
        "bytes": "2000000",
        "rows": "10",
        "row_groups": "2",
        "characters": "1000",
        "nulls": "0",
        "empty": "1",
        "left_out": "0",
        "dropped": "0",
        "sha256": "0" * 64,
        "revision": "c0ffee",
        "etag": '"abc"',
        "url": "https://host/shard_00000.parquet",
        "seconds": "0.5",
        "mb_per_second": "4.0",
    }


def test_unknown_values_are_empty(tmp_path: Path) -> None:
    for name in ("a", "b"):
        metadata(name, url=None, revision=None, etag=None, seconds=None).write(tmp_path / f"{name}.json")
    row = list_all(tmp_path, "a", "b")[0]
    assert [row[key] for key in ("url", "revision", "etag", "seconds", "mb_per_second")] == [""] * 5


def test_shards_of_two_revisions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The dataset moved on while its shards were downloaded: said, and no error."""
    metadata("a").write(tmp_path / "a.json")
    metadata("b").write(tmp_path / "b.json")
    list_all(tmp_path, "a", "b")
    assert "note: " not in capsys.readouterr().err
    metadata("b", revision="decade").write(tmp_path / "b.json")
    list_all(tmp_path, "a", "b")
    assert "note: the shards are from 2 revisions (c0ffee, decade)" in capsys.readouterr().err


def test_thousands_of_shards(tmp_path: Path) -> None:
    for number in range(3000):
        name = f"shard_{number:05d}"
        (tmp_path / f"{name}.json").write_text(json.dumps(asdict(metadata(name))))
    assert len(list_all(tmp_path, "shard_[00000-02998]", "shard_02999")) == 3000


def test_a_shard_without_metadata(tmp_path: Path) -> None:
    metadata("a").write(tmp_path / "a.json")
    with pytest.raises(NanosnakeError, match=r"b\.json: no metadata file of the shard b"):
        list_all(tmp_path, "a", "b")
    assert not (tmp_path / "shards.csv").exists()


def test_metadata_of_another_shard(tmp_path: Path) -> None:
    metadata("a").write(tmp_path / "b.json")
    with pytest.raises(NanosnakeError, match=r"b\.json: describes the shard 'a', wanted 'b'"):
        list_all(tmp_path, "b", "b")


@pytest.mark.parametrize("content", [{"shard": "a"}, [1], "text"])
def test_a_file_that_is_no_metadata(tmp_path: Path, content: object) -> None:
    write_json(tmp_path / "a.json", content)
    with pytest.raises(NanosnakeError, match=r"a\.json: not the metadata of a shard"):
        list_all(tmp_path, "a", "a")
