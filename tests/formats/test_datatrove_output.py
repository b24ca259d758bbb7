"""What datatrove writes comes in as it is: JSON Lines by `kind: files`, parquet by `kind: local`."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from link_shard import LinkShard
from make_shards import MakeShards
from nanosnake.config import load

local = pytest.importorskip("datatrove.executor.local")
data = pytest.importorskip("datatrove.data")
filters = pytest.importorskip("datatrove.pipeline.filters")
writers = pytest.importorskip("datatrove.pipeline.writers")

TEXTS = [f"document {number}, it's long enough\nto stay: é 한국어" for number in range(20)]


def run(folder: Path, writer: object) -> None:
    """Run a pipeline of datatrove that drops short documents, as two tasks."""

    def read(_: object, rank: int = 0, world_size: int = 1) -> object:
        for number, text in enumerate([*TEXTS, "short"]):
            if number % world_size == rank:
                yield data.Document(text=text, id=str(number), metadata={"url": f"https://host/{number}"})

    keep = filters.LambdaFilter(lambda document: len(document.text) > 10)
    local.LocalPipelineExecutor(
        [read, keep, writer], tasks=2, workers=1, logging_dir=str(folder / "logs"), skip_completed=False
    ).run()


def config_of(kind: str, path: str, first: str, second: str) -> None:
    """Load a configuration with the files: names, formats and the text column are looked at while planning."""
    config = load(
        {
            "datasets": {"d": {"source": {"kind": kind, "path": path}, "train": first, "validation": second}},
            "tokenizers": {"t": {"dataset": "d", "vocab_size": 300}},
        }
    )
    assert config.datasets["d"].train_shards == [first]


def test_json_lines_of_datatrove(tmp_path: Path) -> None:
    run(tmp_path, writers.JsonlWriter(str(tmp_path / "out")))
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == ["00000.jsonl.gz", "00001.jsonl.gz"]
    config_of("files", str(tmp_path / "out"), "00000", "00001")
    texts = []
    for file in files:
        MakeShards(
            files=(str(file),),
            folder=tmp_path,
            shards=(file.name[:5],),
            records=tmp_path / "records.json",
            left_out=tmp_path / "left_out.jsonl",
        ).run()
        texts += pq.read_table(tmp_path / f"{file.name[:5]}.parquet")["text"].to_pylist()
    assert sorted(texts) == sorted(TEXTS)


def test_parquet_of_datatrove(tmp_path: Path) -> None:
    run(tmp_path, writers.ParquetWriter(str(tmp_path / "out")))
    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == ["000_00000.parquet", "000_00001.parquet"]
    config_of("local", str(tmp_path / "out"), "000_00000", "000_00001")
    rows = 0
    for file in files:
        LinkShard(
            input=file, output=tmp_path / file.name, metadata=(tmp_path / file.name).with_suffix(".json")
        ).run()
        table = pq.read_table(tmp_path / file.name)
        assert set(table["text"].to_pylist()) <= set(TEXTS)
        rows += len(table)
    assert rows == len(TEXTS)
