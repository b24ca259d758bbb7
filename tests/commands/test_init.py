"""`nanosnake init` looks at data and proposes a configuration that Snakemake takes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from nanosnake.commands.__main__ import main
from nanosnake.commands.init import CHECKOUT, vocabulary
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
    with pytest.raises(NanosnakeError, match="exists already"):
        proposed(tmp_path)


def test_a_column_can_be_named(tmp_path: Path) -> None:
    for n in range(2):
        write(tmp_path / f"data/{n}.parquet", text=["x"], other=["y"])
    assert "text # by its name" in proposed(tmp_path)[0]
    (tmp_path / "new/config.yaml").unlink()
    assert "text_column: other" in proposed(tmp_path, "--text-column", "other")[0]


def test_files_of_other_kinds_are_cut_into_shards(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    rows = [json.dumps({"id": n, "body": f"text number {n}"}) for n in range(100)]
    (tmp_path / "data/all.jsonl").write_text("\n".join(rows))
    _, config = proposed(tmp_path)
    dataset = load(config, origin="test").datasets["mine"]
    assert (dataset.text_column, dataset.train_shards[-1], dataset.validation_shards) == (
        "body",
        "shard_00009",
        ["validation"],
    )


@pytest.mark.parametrize("ending", ["jsonl", "csv", "jsonl.gz"])
def test_more_is_looked_at_than_the_first_bytes(tmp_path: Path, ending: str) -> None:
    (tmp_path / "data").mkdir()
    rows = [("n" * 5000, "")] * 3 + [("n", "once upon a time " * 10_000)]
    if ending == "csv":
        data = "id,story\n" + "".join(f"{number},{story}\n" for number, story in rows)
    else:
        data = "".join(json.dumps({"id": number, "story": story or None}) + "\n" for number, story in rows)
    packed = gzip.compress(data.encode()) if ending.endswith("gz") else data.encode()
    (tmp_path / f"data/all.{ending}").write_bytes(packed)
    assert "story # the longest texts of id, story" in proposed(tmp_path)[0]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_text_inside_of_another_column_is_found(tmp_path: Path, ending: str) -> None:
    (tmp_path / "data").mkdir()
    rows = [{"url": f"http://x/{n}", "meta": {"body": "once upon a time " * 9}} for n in range(2000)]
    for name in ("a", "b"):
        path = tmp_path / f"data/{name}.{ending}"
        if ending == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    text, config = proposed(tmp_path)
    assert "meta.body # the longest texts of url, meta.body" in text
    assert load(config, origin="test").datasets["mine"].source.kind == "files"
    if ending == "parquet":
        assert "# 2 files, 4,000 documents, about 612,000 characters" in text
    (tmp_path / "new/config.yaml").unlink()
    named, _ = proposed(tmp_path, "--text-column", "meta.body")
    assert text.replace("the longest texts of url, meta.body", "as you said") == named


def test_a_table_that_commas_do_not_separate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/all.csv").write_text("id;text\n1;a\n", encoding="utf-8-sig")
    with pytest.raises(NanosnakeError, match="its header is a single column, 'id;text'; values have to be"):
        proposed(tmp_path)


def test_empty_files_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.jsonl").touch()
    (tmp_path / "data/b.jsonl").write_text('{"story": "once"}\n')
    assert "text_column: story" in proposed(tmp_path)[0]


@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
def test_arrow_files_and_streams(tmp_path: Path, new: Callable[..., pa.RecordBatchWriter]) -> None:
    (tmp_path / "data").mkdir()
    table = pa.table({"no": ["once", "twice"]})
    with new(str(tmp_path / "data/a.arrow"), table.schema) as writer:
        writer.write_table(table)
    assert 'text_column: "no"' in proposed(tmp_path)[0]


def test_a_compressed_file_that_is_broken_off_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/all.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n')[:-5])
    with pytest.raises(NanosnakeError, match=r"all.jsonl.gz: the compressed data \(gzip\) is damaged"):
        proposed(tmp_path)


def test_plain_text_and_conversations(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for book, documents in (("a\r\n\r\nb\r\n", "blocks"), ("a\nb\n", "line")):
        (tmp_path / "data/book.txt").write_text(book)
        assert f"documents: {documents}" in proposed(tmp_path)[0]
        (tmp_path / "new/config.yaml").unlink()
    (tmp_path / "data/book.txt").unlink()
    for who, what in (("role", "content"), ("from", "value")):
        turns = [{who: "user", what: "hi"}]
        (tmp_path / "data/chat.jsonl").write_text(json.dumps({"messages": turns}) + "\n{}\n")
        text, config = proposed(tmp_path)
        (tmp_path / "new/config.yaml").unlink()
        assert "text_column: messages # the only column of text" in text
        assert load(config, origin="test").datasets["mine"].source.template == f"{{{who}}}: {{{what}}}\n"
    (tmp_path / "data/chat.jsonl").unlink()
    for name in ("a", "b"):
        pq.write_table(pa.Table.from_pylist([{"messages": turns}]), tmp_path / f"data/{name}.parquet")
    assert 'template: "{from}: {value}\\n"' in proposed(tmp_path)[0]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "does not exist"),
        (["a.doc", "b.pdf"], "holds no file of text that can be read by its name"),
        (["a.parquet", "b.csv"], "holds files of several kinds"),
        (["a.parquet.gz"], "parquet cannot be read while it is compressed with gzip; unpack it"),
        (["empty.txt"], "holds empty files only"),
    ],
)
def test_data_that_will_not_do(tmp_path: Path, files: list[str], words: str) -> None:
    for name in files:
        path = tmp_path / "data" / name
        write(path, text=["x"])
        if name.endswith(".gz"):
            path.write_bytes(gzip.compress(path.read_bytes()))
        if name.startswith("empty"):
            path.write_bytes(b"")
    with pytest.raises(NanosnakeError, match=words):
        proposed(tmp_path)


def test_the_results_are_not_put_among_the_text(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.txt").write_text("one\n" * 50)
    with pytest.raises(NanosnakeError, match="so the results would be read as text"):
        main(["init", str(tmp_path / "data/new"), "--data", str(tmp_path / "data")])


def test_plain_text_has_no_columns(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.txt").write_text("one\n" * 50)
    with pytest.raises(NanosnakeError, match=r"--text-column body: .* holds plain text"):
        proposed(tmp_path, "--text-column", "body")


@pytest.mark.parametrize("name", ["a{b", "A.PARQUET", "a.txt.parquet"])
def test_names_that_a_configuration_writes_otherwise(tmp_path: Path, name: str) -> None:
    """Braces of a path are fields there, and a folder of `kind: local` has files named .parquet."""
    data = tmp_path / "data" / name if "{" in name else tmp_path / "data"
    for file in (name if "{" not in name else "a.parquet", "b.parquet"):
        write(data / file, text=["x"] * 20)
    assert main(["init", str(tmp_path / "new"), "--data", str(data)]) == 0
    source = load(yaml.safe_load((tmp_path / "new/config.yaml").read_text())).datasets["mine"]
    found = source.source.files if source.source.kind == "files" else source.locations.values()
    assert len(found) == 2


def test_a_column_with_a_line_break_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.csv").write_text('"a\nb",text\nfoo,bar baz\n')
    assert proposed(tmp_path)[1]["datasets"]["mine"]["text_column"] == "text"  # type: ignore[index]


def test_the_command_works_outside_of_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`uv run` knows a project by the working directory alone."""
    write(tmp_path / "data/a.parquet", text=["x"] * 20)
    monkeypatch.chdir(tmp_path)
    proposed(tmp_path)
    assert (
        f"uv run --project {CHECKOUT} snakemake --cores all --snakefile {CHECKOUT}" in capsys.readouterr().err
    )


@pytest.mark.parametrize(("characters", "size"), [(1_000_000, 2048), (100_000_000, 8192), (10**12, 65536)])
def test_more_text_gets_a_larger_vocabulary(characters: int, size: int) -> None:
    assert vocabulary(characters) == size
