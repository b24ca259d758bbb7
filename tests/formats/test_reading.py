"""Each format gives the documents that were written, and where each came from."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nanosnake.files import NanosnakeError, sha256_file
from nanosnake.sources.formats import stream
from nanosnake.sources.formats.convert import Reading
from nanosnake.sources.shards import ShardMetadata

from .reading import jsonl, read

TEXTS = ["one", "zwei é\nand a second line", "", "一二三 😀", 'quoted "so", with\ta tab', "end"]


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstd,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def written(folder: Path, ending: str, column: str = "text") -> Path:
    """Write TEXTS in a format."""
    path = folder / f"documents{ending}"
    table = pa.table({"id": list(range(len(TEXTS))), column: TEXTS})
    if ending == ".jsonl":
        path.write_bytes(jsonl(*({"id": number, column: text} for number, text in enumerate(TEXTS))))
    elif ending in (".csv", ".tsv"):
        delimiter = "," if ending == ".csv" else "\t"
        pa.csv.write_csv(table, path, pa.csv.WriteOptions(delimiter=delimiter))
    elif ending == ".arrow":
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=4)
    elif ending == ".stream.arrow":
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=4)
    else:
        pq.write_table(table, path, row_group_size=4)
    return path


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".tsv", ".arrow", ".stream.arrow", ".parquet"])
def test_each_format(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path, ending, "body")
    made = read(path, column="body")
    assert made.texts == TEXTS
    first = 2 if ending in (".csv", ".tsv") else 1  # the header is row 1
    assert made.lines == list(range(first, first + len(TEXTS)))
    assert {row["source_file"] for row in made.rows[0]} == {str(path)}
    (shard,) = made.shards
    assert (shard.rows, shard.empty, shard.text_column, shard.url) == (6, 1, "text", path.as_uri())
    (part,) = shard.parts
    assert (part["file"], part["sha256"], part["documents"]) == (str(path), sha256_file(path), 6)
    assert made.found["files"][0]["bytes"] == path.stat().st_size
    assert made.left_out == []


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_each_compression(tmp_path: Path, ending: str, packing: str) -> None:
    plain = written(tmp_path, ending).read_bytes()
    path = tmp_path / f"packed{ending}{packing}"
    middle = plain.index(b"\n") + 5
    path.write_bytes(PACKINGS[packing](plain[:middle]) + PACKINGS[packing](plain[middle:]))  # two members
    made = read(path)
    assert made.texts == TEXTS
    (part,) = made.shards[0].parts
    assert part["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert made.found["files"][0]["packing"] == {"": None, ".gz": "gzip", ".zst": "zstd"}.get(
        packing, packing[1:]
    )


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_text(tmp_path: Path, ends: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(ends.join([b"", b"one", b"two", b"", b" ", b"", b"three ", b"four"]))
    assert read(path, documents="line").texts == ["one", "two", " ", "three ", "four"]
    assert read(path, documents="line").lines == [2, 3, 5, 7, 8]
    blocks = read(path, documents="blocks")
    assert blocks.texts == ["one\ntwo", "three \nfour"]
    assert blocks.lines == [2, 7]
    assert read(path, documents="file").texts == ["\none\ntwo\n\n \n\nthree \nfour"]


@pytest.mark.parametrize("documents", ["line", "blocks", "file"])
def test_text_with_a_bom_and_mixed_line_ends(tmp_path: Path, documents: str) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\n\r\nthree\n")
    made = read(path, documents=documents)
    wanted = {
        "line": ["one", "two", "three"],
        "blocks": ["one\ntwo", "three"],
        "file": ["one\ntwo\n\nthree\n"],
    }
    assert made.texts == wanted[documents]


def test_blocks_do_not_depend_on_how_the_file_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = random.Random(3)
    lines = [numbers.choice(["", "", " \t", "é" * numbers.randrange(1, 30)]) for _ in range(3000)]
    path = tmp_path / "a.md"
    path.write_text("\n".join(lines), encoding="utf-8")
    wanted, block = [], []
    for number, line in enumerate([*lines, ""], 1):
        if line.strip():
            block.append((number, line))
        elif block:
            wanted.append((block[0][0], "\n".join(line for _, line in block)))
            block = []
    original = stream.lines
    for size in (1, 100, 4096):
        monkeypatch.setattr("nanosnake.sources.formats.lines.lines", lambda it, size=size: original(it, size))
        made = read(path, documents="blocks")
        assert list(zip(made.lines, made.texts, strict=True)) == wanted
        monkeypatch.undo()


def test_lines_do_not_depend_on_how_the_file_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = random.Random(5)
    texts = [f"{number} " + "é" * numbers.randrange(200) for number in range(500)]
    texts[100], texts[200], texts[300] = "long " * 900, "too long " * 1000, "NaN"
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b"\n".join(jsonl({"text": text, "x": float(text) if text == "NaN" else 1}) for text in texts)
    )
    monkeypatch.setattr(stream, "LONGEST", 5000)
    original = stream.lines
    for size in (1, 100, 3000):
        monkeypatch.setattr("nanosnake.sources.formats.lines.lines", lambda it, size=size: original(it, size))
        made = read(path, on_error="skip")
        assert made.texts == texts[:200] + texts[201:]
        assert made.lines == [1 + 2 * number for number in range(500) if number != 200]
        assert [entry["place"] for entry in made.left_out] == ["line 401"]


def test_a_column_in_a_column(tmp_path: Path) -> None:
    values = [{"body": "one", "n": 1}, None, {"body": None, "n": 2}, {"body": "two", "n": 3}]
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(*({"meta": value} for value in values)))
    assert read(path, column="meta.body").texts == ["one", None, None, "two"]
    table = tmp_path / "a.parquet"
    pq.write_table(pa.table({"meta": values}), table)
    assert read(table, column="meta.body").texts == ["one", None, None, "two"]
    named = tmp_path / "b.parquet"
    pq.write_table(pa.table({"meta": values, "meta.body": ["a", "b", "c", "d"]}), named)
    assert read(named, column="meta.body").texts == ["a", "b", "c", "d"]


@pytest.mark.parametrize("ending", [".jsonl", ".parquet", ".arrow"])
def test_conversations(tmp_path: Path, ending: str) -> None:
    chats = [
        [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "good day"}],
        None,
        [],
        [{"role": "tool", "content": None}],
    ]
    path = tmp_path / f"a{ending}"
    table = pa.table({"chat": chats})
    if ending == ".jsonl":
        path.write_bytes(jsonl(*({"chat": chat} for chat in chats)))
    elif ending == ".parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    made = read(path, column="chat", template="<{role}> {content}\n")
    assert made.texts == ["<user> hello\n<assistant> good day\n", None, "", "<tool> \n"]


def documents(count: int) -> list[str]:
    numbers = random.Random(1)
    return [f"{number} " + "word " * numbers.randrange(1, 200) for number in range(count)]


def test_shards_are_alike_and_each_document_is_in_one(tmp_path: Path) -> None:
    texts = documents(5000)
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    files[0].write_bytes(jsonl(*({"text": text} for text in texts[:1000])))
    files[1].write_bytes(jsonl(*({"text": text} for text in texts[1000:])))
    made = read(*files, shards=4)
    assert sorted(filter(None, made.texts)) == sorted(texts)
    sizes = [shard.characters for shard in made.shards]
    assert max(sizes) < 1.1 * min(sizes)
    for rows in made.rows:
        for row in rows:
            start = 0 if row["source_file"] == str(files[0]) else 1000
            assert row["text"] == texts[start + row["source_line"] - 1]


def test_validation_by_hash_is_stable_under_additions(tmp_path: Path) -> None:
    texts = documents(3000)
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(*({"text": text} for text in texts)))
    few = read(path, shards=2, fraction=0.1)
    more = tmp_path / "b.jsonl"
    more.write_bytes(
        jsonl(*({"text": text} for text in [*documents(3500)[3000:], *texts[::2], *texts[1::2]]))
    )
    many = read(more, shards=5, fraction=0.1)
    chosen = {row["text"] for row in few.rows[-1]}
    assert 220 < len(chosen) < 380
    assert chosen == {row["text"] for row in many.rows[-1]} & set(texts)
    assert not chosen & {row["text"] for rows in many.rows[:-1] for row in rows}


def test_a_shard_holds_the_same_bytes_however_often_it_is_made(tmp_path: Path) -> None:
    path = written(tmp_path, ".jsonl")
    assert [shard.sha256 for shard in read(path, shards=2).shards] == [
        shard.sha256 for shard in read(path, shards=2).shards
    ]


def test_a_filter_drops_documents_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prose_only.py").write_text(
        "def keep(texts):\n    return ['empty' if not text else 'long' if len(text) > 20 else None for text in texts]\n"
    )
    path = written(tmp_path, ".jsonl")
    made = read(path, filter="prose_only:keep")
    assert made.texts == ["one", "一二三 😀", "end"]
    assert made.found["dropped"] == {"empty": 1, "long": 2}
    assert made.shards[0].dropped == 3
    with pytest.raises(NanosnakeError, match="defines no function 'kept'"):
        read(path, filter="prose_only:kept")


def test_metadata_of_shards_that_were_not_made_of_files_is_read(tmp_path: Path) -> None:
    made = read(written(tmp_path, ".jsonl"))
    old = tmp_path / "old.json"
    text = (
        (tmp_path / "made" / "shard_0.json")
        .read_text()
        .replace('"dropped": 0,', "")
        .replace('"left_out": 0,', "")
    )
    old.write_text(text)
    assert ShardMetadata.read(old) == ShardMetadata.read(tmp_path / "made" / "shard_0.json")
    assert made.shards[0].left_out == 0


def test_reading_has_defaults() -> None:
    assert Reading.on_error == "stop"
