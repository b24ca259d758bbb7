"""The table of what is there: each folder by what it is, and what belongs to no configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from nanosnake.commands.__main__ import main
from nanosnake.commands.status import overview
from nanosnake.commands.workflow import written
from nanosnake.config import load
from nanosnake.files import NanosnakeError

CONFIG = {
    "datasets": {
        "web": {"source": {"kind": "embedded", "shards": 4}, "train": "0-2", "validation": 3},
        "talks": {"source": {"kind": "embedded", "shards": 8}, "train": "0-6", "validation": 7},
    },
    "tokenizers": {"bpe": {"dataset": "web", "vocab_size": 300}},
    "models": {"small": {"tokenizer": "bpe", "dataset": "talks", "depth": 2}},
}


@pytest.mark.parametrize(
    ("text", "words"), [(None, "no such file"), ("datasets: {web: {train: 0}}", r"datasets\.web\.source: ")]
)
def test_what_is_wrong_with_a_configuration_is_told(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "c.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(NanosnakeError, match=rf"c\.yaml: (.|\n)*{words}"):
        main(["status", "--directory", str(tmp_path), "--configfile", str(path)])


@pytest.mark.parametrize(
    "command", [["status", "--configfile"], ["plan", "--configfile"], ["clean", "--configfiles"]]
)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: caf\xe9", "cannot be read as a configuration"),
        (b"a:\n\tb: 1", "cannot be read as a configuration"),
        (b"", "has no keys"),
        (b"- a", "has no keys"),
    ],
)
def test_a_file_that_is_no_configuration_is_named(
    tmp_path: Path, command: list[str], content: bytes, words: str
) -> None:
    """Snakemake does not name the file, or shows a traceback."""
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(NanosnakeError, match=rf"c\.yaml: {words}"):
        main([*command, str(tmp_path / "c.yaml")])


def test_a_configuration_may_be_json_with_tabs(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{\n\t"datasets": {}}')
    assert written(tmp_path / "c.json") == {"datasets": {}}


@pytest.mark.parametrize("command", ["status", "plan"])
def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(
        "os.access", lambda path, mode: Path(path) != tmp_path
    )  # root may write where modes forbid it
    with pytest.raises(NanosnakeError, match=f"{tmp_path}: cannot be written"):
        main([command, "--directory", str(tmp_path)])


def put(*paths: str) -> None:
    for name in paths:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("12345")


def test_a_model_on_another_data_set_is_in_the_configuration_and_what_is_not_there_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put("results/web/bpe/merges.arrow", "results/web/bpe/tokenizer/meta.json")
    put("results/talks/bpe/small/model.json", "results/talks/bpe/small/metrics.jsonl")
    put("results/talks/bpe/tokens/train/a.ds", "results/talks/old/tokens/train/a.ds")
    put("results/web/old/merges.arrow")
    outdated = ["results/talks/bpe/small/model.json", "results/web/shards/shard_00000.parquet"]
    heads, *rows = overview(load(CONFIG), outdated)
    assert heads == ("folder", "what", "files", "size", "state")
    assert rows == [
        ("results/talks/bpe/small", "model", "2", "10 B", "1 files to make"),
        ("results/talks/bpe/tokens", "token shards", "1", "5 B", "up to date"),
        ("results/talks/old/tokens", "token shards", "1", "5 B", "in no configuration"),
        ("results/web/bpe", "tokenizer", "2", "10 B", "up to date"),
        ("results/web/old", "tokenizer", "1", "5 B", "in no configuration"),
        ("results/web/shards", "shards", "0", "0 B", "not made"),
    ]


def test_what_belongs_to_a_whole_data_set_is_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put("results/web/samples/train.jsonl", "results/web/claims/claim.json", "results/web/bpe/merges.arrow")
    _, *rows = overview(load(CONFIG), ["results/web/claims/claim.json", "results/_tasks/arc.json"])
    assert rows == [
        ("results/_tasks", "tasks", "0", "0 B", "not made"),
        ("results/web", "data set, comparisons", "2", "10 B", "1 files to make"),
        ("results/web/bpe", "tokenizer", "1", "5 B", "up to date"),
    ]
