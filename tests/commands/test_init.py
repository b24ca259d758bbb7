"""`nanosnake init` looks at data and proposes a configuration that Snakemake takes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from nanosnake.commands.__main__ import main
from nanosnake.commands.init import vocabulary
from nanosnake.config import load
from nanosnake.files import NanosnakeError


def write(path: Path, **columns: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def proposed(tmp_path: Path, *words: str) -> tuple[str, dict[str, object]]:
    """Return the proposal, as text and as YAML."""
    assert main(["init", str(tmp_path / "new"), "--data", str(tmp_path / "data"), *words]) == 0
    text = (tmp_path / "new/config.yaml").read_text()
    return text, yaml.safe_load(text)


def test_a_proposal_can_be_taken_and_says_why(tmp_path: Path) -> None:
    for n in range(3):
        write(tmp_path / f"data/part-{n}.parquet", id=["a"] * 50, story=["once upon a time " * 20] * 50)
    text, config = proposed(tmp_path)
    assert "story # the longest texts of id, story" in text
    assert "the last of 3 files by name" in text
    loaded = load(config, origin="test")
    assert loaded.datasets["mine"].train_shards == ["part-0", "part-1"]
    assert loaded.datasets["mine"].validation_shards == ["part-2"]
    with pytest.raises(NanosnakeError, match="is there already"):
        proposed(tmp_path)


def test_a_column_can_be_named(tmp_path: Path) -> None:
    for n in range(2):
        write(tmp_path / f"data/{n}.parquet", text=["x"], other=["y"])
    assert "text # by its name" in proposed(tmp_path)[0]
    (tmp_path / "new/config.yaml").unlink()
    assert "text_column: other" in proposed(tmp_path, "--text-column", "other")[0]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "is not a folder"),
        (["notes.txt", "a.csv"], "holds no .parquet file"),
        (["a.parquet"], "holds one parquet file"),
        (["a b.parquet", "c.parquet"], "rename it"),
    ],
)
def test_data_that_will_not_do(tmp_path: Path, files: list[str], words: str) -> None:
    for name in files:
        write(tmp_path / "data" / name, text=["x"])
    with pytest.raises(NanosnakeError, match=words):
        proposed(tmp_path)


@pytest.mark.parametrize(("characters", "size"), [(1_000_000, 2048), (100_000_000, 8192), (10**12, 65536)])
def test_more_text_gets_a_larger_vocabulary(characters: int, size: int) -> None:
    assert vocabulary(characters) == size
