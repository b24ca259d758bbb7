"""Data sets of files in other forms: declared before anything runs, read once, followed to the tokenizer's manifest."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from nanosnake import config as configuration
from nanosnake.files import NanosnakeError
from workflow.project import Project


def write_lines(folder: Path) -> list[str]:
    """Write the texts of the project's shards as JSON Lines, one file of them compressed; return them all."""
    texts = []
    for path in sorted((folder / "data").glob("*.parquet")):
        some = pq.read_table(path)["text"].to_pylist()
        data = "".join(json.dumps({"body": text}) + "\n" for text in some).encode()
        target = folder / "lines" / f"{path.stem}.jsonl"
        target.parent.mkdir(exist_ok=True)
        if path.stem == "b":
            target.with_suffix(".jsonl.gz").write_bytes(gzip.compress(data))
        else:
            target.write_bytes(data)
        texts += some
    return texts


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    write_lines(tmp_path)
    project.config["datasets"]["tiny"] = {
        "source": {"kind": "files", "path": "lines"},
        "text_column": "body",
        "train": ["a", "b"],
        "validation": "held_out",
    }
    return project


def test_each_file_is_a_shard(project: Project) -> None:
    project.make("results/tiny/bpe/merges.arrow", "results/tiny/shards.csv")
    with (project.folder / "results/tiny/shards.csv").open(newline="") as stream:
        table = {row["shard"]: row for row in csv.DictReader(stream)}
    assert {name: (row["split"], row["source"], row["rows"]) for name, row in table.items()} == {
        "a": ("train", "files", "150"),
        "b": ("train", "files", "150"),
        "held_out": ("validation", "files", "150"),
    }
    with (project.folder / "lines/a.jsonl").open("a") as file:
        file.write("wrong\n")
    ended = project.snakemake("results/tiny/bpe/merges.arrow")
    assert ended.returncode != 0
    assert "lines/a.jsonl, line 151: not a JSON object, which begins with {" in ended.stderr + ended.stdout
    project.config["datasets"]["tiny"]["source"]["on_error"] = "skip"
    project.make("results/tiny/shards.csv")
    with (project.folder / "results/tiny/shards.csv").open(newline="") as stream:
        assert [row["left_out"] for row in csv.DictReader(stream)] == ["1", "0", "0"]


def test_files_become_shards_together_and_documents_are_split_by_a_hash(project: Project) -> None:
    texts = write_lines(project.folder)
    project.config["datasets"]["tiny"] |= {
        "source": {"kind": "files", "path": "lines", "shards": 3},
        "train": "0-2",
        "validation": {"fraction": 0.2, "by": "hash"},
    }
    assert project.plan("--", "shards")["make_shards_of_tiny"] == 1
    project.make("--", "shards")
    folder = project.folder / "results/tiny/shards"
    names = ["shard_00000", "shard_00001", "shard_00002", "validation"]
    shards = [pq.read_table(folder / f"{name}.parquet")["text"].to_pylist() for name in names]
    assert sorted(text for shard in shards for text in shard) == sorted(texts)
    assert 50 < len(shards[-1]) < 130
    assert project.plan("--", "shards") == {}


@pytest.mark.parametrize("shards", [None, 2])
def test_a_template_has_braces(project: Project, shards: int | None) -> None:
    folder = project.folder / "chats"
    folder.mkdir()
    names = ["a.jsonl", "b.jsonl"]
    for name in names:
        chat = [{"role": "user", "content": name}, {"role": "assistant", "content": "yes"}]
        (folder / name).write_text(json.dumps({"chat": chat}) + "\n")
    project.config["datasets"]["tiny"] = {
        "source": {"kind": "files", "path": "chats", "template": "{role}: {content}\n", "shards": shards},
        "text_column": "chat",
        "train": [0] if shards else ["a"],
        "validation": 1 if shards else "b",
    }
    project.make("results/tiny/shards.csv")
    made = sorted((project.folder / "results/tiny/shards").glob("*.parquet"))
    texts = [text for path in made for text in pq.read_table(path)["text"].to_pylist()]
    assert sorted(texts) == [f"user: {name}\nassistant: yes\n" for name in sorted(names)]


def refused(value: dict[str, Any]) -> str:
    with pytest.raises(NanosnakeError) as error:
        configuration.load(value)
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"text_column": "text"},
            "datasets.tiny.text_column: .*a.jsonl, line 1: no key 'text'; its keys are 'body'",
        ),
        (
            {"source": {"kind": "files", "path": "nowhere"}},
            "datasets.tiny.source.path: no such file or folder",
        ),
        (
            {"source": {"kind": "local", "path": "lines"}},
            "source.path: .*for files of other kinds set kind: files",
        ),
        ({"source": {"kind": "files", "path": "test.yaml"}}, "source.path: .*does not say what the file is"),
        (
            {"validation": {"fraction": 0.1, "by": "hash"}},
            "datasets.tiny.validation: .*set kind: files and shards",
        ),
        ({"validation": {"fraction": 2, "by": "hash"}}, "datasets.tiny.validation.fraction: "),
        (
            {"source": {"kind": "files", "path": "lines", "filter": "nowhere:keep"}},
            "source.filter: .*no file nowhere.py",
        ),
        ({"source": {"kind": "files", "path": "lines", "template": "{}"}}, "source.template: "),
        ({"source": {"kind": "files", "path": "lines", "shards": 2}}, "datasets.tiny.validation: "),
    ],
)
def test_mistakes_are_told_while_planning(
    project: Project, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(project.folder)
    (project.folder / "test.yaml").touch()
    project.config["datasets"]["tiny"] |= change
    assert re.search(message, refused(project.config)), refused(project.config)


def test_a_wrong_text_column_of_local_parquet_is_told_while_planning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path)
    monkeypatch.chdir(tmp_path)
    project.config["datasets"]["tiny"]["text_column"] = "body"
    assert "datasets.tiny.text_column: data/a.parquet: no column 'body'" in refused(project.config)
