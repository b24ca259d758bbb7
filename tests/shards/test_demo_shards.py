"""The demo corpus: every document in one shard, the same bytes every time, clear refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import make_demo_shard
from nanosnake.files import NanosnakeError, sha256_file
from nanosnake.sources import demo
from nanosnake.stages import call
from nanosnake.tokenizer import conversations

OF = 4


def make(folder: Path, shard: int, *more: str) -> Path:
    output = folder / f"shard_{shard:05d}.parquet"
    arguments = ["--shard", str(shard), "--of", str(OF), "--output", str(output)]
    assert (
        call(
            make_demo_shard.MakeDemoShard, [*arguments, "--metadata", str(output.with_suffix(".json")), *more]
        )
        == 0
    )
    return output


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("demo")
    return [make(folder, shard) for shard in range(OF)]


def test_each_document_stands_in_one_shard(shards: list[Path]) -> None:
    rows = [row for shard in shards for row in pq.read_table(shard).to_pylist()]
    wanted = json.loads(demo.find_corpus("wikipedia", "en").read_text(encoding="utf-8"))
    assert len(rows) == len(wanted) == 10_033
    for row in rows:
        article = wanted.pop(row["title"])
        assert row["text"] == f"{article['title']}\n{article['extract']}"
        assert (row["topic"], row["description"]) == (article["topic"], article["description"])
    assert wanted == {}


def test_shards_are_alike(shards: list[Path]) -> None:
    metadata = [json.loads(shard.with_suffix(".json").read_text()) for shard in shards]
    mean = sum(each["characters"] for each in metadata) / OF
    assert all(abs(each["characters"] / mean - 1) < 0.05 for each in metadata)
    assert max(each["rows"] for each in metadata) - min(each["rows"] for each in metadata) <= 1
    assert all(each["row_groups"] > 1 for each in metadata)


def test_metadata(shards: list[Path]) -> None:
    texts = pq.read_table(shards[1], columns=["text"])["text"].to_pylist()
    assert json.loads(shards[1].with_suffix(".json").read_text()) == {
        "shard": "shard_00001",
        "source": "embedded",
        "url": None,
        "revision": None,
        "etag": None,
        "bytes": shards[1].stat().st_size,
        "sha256": sha256_file(shards[1]),
        "rows": len(texts),
        "row_groups": 5,
        "characters": sum(map(len, texts)),
        "nulls": 0,
        "empty": 0,
        "left_out": 0,
        "dropped": 0,
        "parts": [],
        "mtime_ns": None,
        "seconds": None,
        "text_column": "text",
    }


def test_the_same_bytes_every_time(shards: list[Path], tmp_path: Path) -> None:
    again = make(tmp_path, 2)
    assert again.read_bytes() == shards[2].read_bytes()
    assert again.with_suffix(".json").read_bytes() == shards[2].with_suffix(".json").read_bytes()


@pytest.mark.parametrize(("language", "documents"), [("fr", 9_000), ("es", 6_000)])
def test_other_languages(tmp_path: Path, language: str, documents: int) -> None:
    shard = make(tmp_path, 0, "--language", language)
    assert pq.read_metadata(shard).num_rows > documents // OF


@pytest.mark.parametrize(("shard", "of"), [(4, 4), (-1, 4), (0, 0), (0, 20_000)])
def test_a_shard_that_is_not_there(tmp_path: Path, shard: int, of: int) -> None:
    output = tmp_path / "out" / "a.parquet"
    with pytest.raises(NanosnakeError, match=rf"--shard {shard} --of {of}: wanted 0 <= shard < of <= 10033"):
        call(
            make_demo_shard.MakeDemoShard,
            ["--shard", str(shard), "--of", str(of), "--output", str(output), "--metadata", f"{output}.json"],
        )
    assert not output.parent.exists()


def test_a_language_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--shard=0", "--of=4", "--language=de", "--output=a.parquet", "--metadata=a.json"]
    with pytest.raises(SystemExit):
        call(make_demo_shard.MakeDemoShard, words)
    assert "argument --language: invalid choice: 'de' (choose from" in capsys.readouterr().err


def test_the_package_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(demo.PACKAGES, "wikipedia", "no_such_package")
    with pytest.raises(NanosnakeError, match="install it with: uv sync --group demo"):
        demo.find_corpus("wikipedia", "en")


@pytest.mark.parametrize(
    ("corpus", "name", "content"),
    [
        ("wikipedia", "summaries_en-us.json", '{"a": {"title": "A"}}'),
        ("chatterbot", "english/a.yml", "talks: []"),
        ("chatterbot", "english/a.yml", "conversations: ["),
    ],
)
def test_another_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, corpus: str, name: str, content: str
) -> None:
    path = tmp_path / "no_corpus" / "data" / name
    path.parent.mkdir(parents=True)
    path.write_text(content)
    (tmp_path / "no_corpus" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(demo.PACKAGES, corpus, "no_corpus")
    with pytest.raises(NanosnakeError, match="not the demo corpus"):
        demo.read_documents(corpus, "en")


def test_conversations(tmp_path: Path) -> None:
    rows = [
        row
        for shard in range(OF)
        for row in pq.read_table(make(tmp_path, shard, "--corpus", "chatterbot")).to_pylist()
    ]
    talks = [conversations.parse(row["text"]) for row in rows]  # each is one that can be learnt from
    assert len(talks) == len({row["text"] for row in rows}) > 800
    assert {"food", "trivia"} <= {row["topic"] for row in rows}
    said = [message["content"] for talk in talks for message in talk]
    assert "Who was the 37th President of the United States?" in said
