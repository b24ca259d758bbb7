"""What is wrong with a file ends the work with file, place and reason, or is left out and written down."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nanosnake.files import NanosnakeError
from nanosnake.sources.formats import stream, tables
from nanosnake.sources.formats.columns import Column
from nanosnake.sources.formats.peek import peek

from .reading import jsonl, read
from .test_reading import zstd

GOOD = [b'{"text": "one"}', b'{"text": "two"}', b'{"text": "three"}']

BAD_LINES = {
    "not JSON": (b"{'text': 'one'}", "Missing a name for object member"),
    "broken off": (b'{"text": "on', "Missing a closing quotation mark"),
    "an object over several lines": (b"{", "make JSON Lines of it with: jq -c ."),
    "null": (b"null", "not a JSON object"),
    "a list": (b'["one"]', "not a JSON object"),
    "two objects": (b'{"text": "a"} {"text": "b"}', "2 JSON objects in one line"),
    "an object and null": (b'{"text": "a"} null', "2 JSON objects in one line"),
    "not UTF-8": (b'{"text": "\xff"}', "not valid UTF-8"),
    "Latin-1": ('{"text": "naïve"}'.encode("latin-1"), "not valid UTF-8"),
    "a zero byte": (b'{"text": "a\0b"}', "a zero byte"),
    "half of a character": (b'{"text": "\\ud83d"}', "surrogate"),
    "a number": (b'{"text": 1}', "text is of type number, wanted: string"),
    "sometimes a list": (b'{"text": ["one", "two"]}', "text is of type array, wanted: string"),
    "a key twice": (b'{"text": "a", "text": "b"}', "the key 'text' is there twice"),
    "a key twice, once with an escape": (
        b'{"text": "a", "x": 1, "te\\u0078t": "b"}',
        "the key 'text' is there twice",
    ),
    "a key twice, once null": (b'{"text": null, "text": "b"}', "the key 'text' is there twice"),
}


@pytest.mark.parametrize("what", BAD_LINES)
@pytest.mark.parametrize("where", [0, 1, 3])
def test_a_bad_line(tmp_path: Path, what: str, where: int) -> None:
    line, reason = BAD_LINES[what]
    if where == 0 and not line.startswith(b"{"):
        return  # the file would look like something else
    lines = [*GOOD[:where], line, *GOOD[where:]]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(NanosnakeError) as stopped:
        read(path)
    assert f"{path}, line {where + 1}: " in str(stopped.value)
    assert reason in str(stopped.value)
    assert "on_error to skip" in str(stopped.value)
    assert list((tmp_path / "made").iterdir()) == []
    made = read(path, on_error="skip")
    assert made.texts == ["one", "two", "three"]
    assert made.lines == [number for number in (1, 2, 3, 4) if number != where + 1]
    (entry,) = made.left_out
    assert (entry["file"], entry["place"]) == (str(path), f"line {where + 1}")
    assert reason in entry["reason"]
    assert made.found["left_out"] == made.found["files"][0]["left_out"] == made.shards[0].left_out == 1


def test_bad_lines_among_many(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [json.dumps({"text": f"document {number} " * 20}).encode() for number in range(30_000)]
    wrong = {7, 8, 4_000, 29_999}
    path.write_bytes(b"\n".join(b"wrong" if number in wrong else line for number, line in enumerate(lines)))
    made = read(path, on_error="skip", shards=3)
    assert sorted(made.lines) == [number + 1 for number in range(30_000) if number not in wrong]
    assert [entry["place"] for entry in made.left_out] == [f"line {number + 1}" for number in sorted(wrong)]
    assert sum(shard.left_out for shard in made.shards) == len(wrong)


def test_what_is_odd_and_not_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [
        b'\xef\xbb\xbf{"text": "a BOM", "x": 1}\r\n',
        b"\n",
        b'  {"text": "mixed line ends", "x": "s"}  \n',
        b'{"text": null, "x": [1]}\r\n',
        b'{"x": {"text": 3}, "text": "zero \\u0000"}\n',
        b'{"text": "nested", "x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}\n",
        b'{"te\\u0078t": "an escape in the key"}\n',
        b'{"text": "not a number", "x": NaN}\n',
        b'{"text": "another key twice", "x": {"text": 1, "text": 2}, "x": "\\ud83d"}\n',
        b'{"x": 3}',
    ]
    path.write_bytes(b"".join(lines))
    made = read(path)
    odd = ["an escape in the key", "not a number", "another key twice"]
    assert made.texts == ["a BOM", "mixed line ends", None, "zero \0", "nested", *odd, None]
    assert made.lines == [1, 3, 4, 5, 6, 7, 8, 9, 10]
    assert made.shards[0].nulls == 2
    assert made.shards[0].parts[0]["span"] == [3, path.stat().st_size] or made.shards[0].parts[0]["span"] == (
        3,
        path.stat().st_size,
    )


TWICE_INSIDE = [
    b'{"meta": {"body": "a", "body": "b"}}',
    b'{"meta": {"body": "a", "b\\u006fdy": "b"}}',
    b'{"meta": {"body": "a"}, "meta": {"body": "b"}}',
    b'{"meta": {"body": "a"}, "meta": null}',
]


@pytest.mark.parametrize("line", TWICE_INSIDE)
def test_a_key_twice_inside_another(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.jsonl"
    good = jsonl({"meta": {"body": "one"}}, {"body": 2, "meta": {"body": "two", "meta": {"body": 3}}})
    path.write_bytes(good + line)
    made = read(path, column="meta.body", on_error="skip")
    assert made.texts == ["one", "two"]
    (entry,) = made.left_out
    assert entry["place"] == "line 3"
    assert "is there twice" in entry["reason"]


def test_a_wrong_column_is_told_at_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl({"body": "one", "meta": {"id": 1}}))
    with pytest.raises(
        NanosnakeError, match=r"line 1: no key 'text'; its keys are 'body', 'meta'; set the dataset's"
    ):
        read(path)
    with pytest.raises(NanosnakeError, match="no key 'body' inside 'meta'; its keys are 'id'"):
        read(path, column="meta.body")
    path.write_bytes(b"\xef\xbb\xbf\n \n" + path.read_bytes())
    with pytest.raises(NanosnakeError, match=r"line 3: no key 'text'; its keys are"):
        read(path)


@pytest.mark.parametrize(
    ("packing", "pack"), [("gz", gzip.compress), ("zst", zstd), ("bz2", bz2.compress), ("xz", lzma.compress)]
)
@pytest.mark.parametrize("damage", ["cut", "flipped", "rubbish after it"])
def test_damaged_compression(
    tmp_path: Path, packing: str, pack: Callable[[bytes], bytes], damage: str
) -> None:
    if (packing, damage) in (("zst", "flipped"), ("xz", "rubbish after it")):
        return  # Arrow's zstd writes no checksum, and Python passes over what follows xz
    data = b"".join(json.dumps({"text": f"document {number}"}).encode() + b"\n" for number in range(100_000))
    packed = pack(data)
    if damage == "flipped":
        packed = (
            packed[: len(packed) // 2]
            + bytes([packed[len(packed) // 2] ^ 255])
            + packed[len(packed) // 2 + 1 :]
        )
    packed = (
        packed[:-20]
        if damage == "cut"
        else packed + b"rubbish" * 9
        if damage == "rubbish after it"
        else packed
    )
    path = tmp_path / f"a.jsonl.{packing}"
    path.write_bytes(packed)
    with pytest.raises(
        NanosnakeError,
        match=r"the rest of the file: the compressed data \(.*\) is damaged or broken off|line \d+: ",
    ):
        read(path)
    made = read(path, on_error="skip")
    assert made.left_out[-1]["place"] == "the rest of the file"
    if damage != "flipped":  # a checksum comes after what it is of
        assert made.texts == [f"document {number}" for number in range(len(made.texts))]


@pytest.mark.parametrize(
    ("packing", "pack"), [("gz", gzip.compress), ("zst", zstd), ("bz2", bz2.compress), ("xz", lzma.compress)]
)
def test_a_small_compressed_file_that_is_broken_off(
    tmp_path: Path, packing: str, pack: Callable[[bytes], bytes]
) -> None:
    good, path = tmp_path / "good.jsonl", tmp_path / f"small.jsonl.{packing}"
    good.write_bytes(jsonl({"text": "one"}))
    path.write_bytes(pack(jsonl({"text": "two"}, {"text": "three"}))[:-5])
    peek(str(path), "jsonl", Column("text"))  # does not end the planning of a run that leaves it out
    with pytest.raises(NanosnakeError, match=rf"small.jsonl.{packing}, the rest of the file: .*broken off"):
        read(path)
    made = read(good, path, on_error="skip")
    assert made.texts == ["one"]
    assert [(entry["file"], entry["place"]) for entry in made.left_out] == [
        (str(path), "the rest of the file")
    ]
    assert made.found["files"][1]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("block", [1000, 1 << 24])
def test_rows_of_csv_before_the_damage_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(tables, "LONGEST_ROW", block)
    path = tmp_path / "a.csv.gz"
    rows = b"".join(b"%d,number %d\n" % (number, number * number) for number in range(200_000))
    path.write_bytes(gzip.compress(b"id,text\n" + rows)[:-2000])
    with pytest.raises(NanosnakeError, match=r"a.csv.gz, the rest of the file: .*broken off"):
        read(path)
    made = read(path, on_error="skip")
    (after,) = re.findall(r"after ([\d,]+) bytes", made.left_out[-1]["reason"])
    unpacked = int(after.replace(",", ""))
    assert made.texts == [f"number {number * number}" for number in range(len(made.texts))]
    assert 0 <= rows[: unpacked - 8].count(b"\n") - len(made.texts) <= 1


def test_an_open_quotation_mark_in_the_header_is_told_in_a_few_words(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,"text\n' + b"x,y\n" * 100_000)
    peek(str(path), "csv", Column("text"))
    with pytest.raises(NanosnakeError, match="no column 'text'; its columns are 'id', 'text") as refused:
        read(path)
    assert len(str(refused.value)) < 500


LOOKS: dict[str, tuple[str, bytes, str]] = {
    "parquet": ("a.jsonl", b"PAR1....", "like parquet"),
    "gzip inside gzip": ("a.jsonl.gz", gzip.compress(gzip.compress(b"{}")), "unpack it once more"),
    "not gzip": (
        "a.jsonl.gz",
        b'{"text": "a"}\n',
        "named as compressed with gzip, but it looks not compressed",
    ),
    "zstd for gzip": (
        "a.jsonl.gz",
        zstd(b"{}"),
        "named as compressed with gzip, but it looks compressed with zstd",
    ),
    "a web page": ("a.jsonl", b"<!DOCTYPE html><html>", "a web page"),
    "a JSON array": (
        "a.json",
        b'[\n {"text": "a"}]',
        "a JSON array; make JSON Lines of it with: jq -c '.[]'",
    ),
    "UTF-16": ("a.txt", "text".encode("utf-16"), "iconv -f UTF-16 -t UTF-8"),
    "a PDF": ("a.txt", b"%PDF-1.7", "a PDF"),
    "zip": ("a.csv", b"PK\x03\x04", "a zip archive"),
    "an LFS pointer": ("a.parquet", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    "binary": ("a.txt", b"text\0\1\2", "binary data"),
    "CSV as JSON": ("a.jsonl", b"id,text\n1,a\n", "text that is not JSON"),
    "text as parquet": ("a.parquet", b"id,text\n1,a\n", "like text"),
    "an empty table": ("a.parquet", b"", "the file is empty"),
    "an unknown name": ("a.dat", b"x", "the name does not say what the file is"),
}


@pytest.mark.parametrize("what", LOOKS)
def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, what: str) -> None:
    name, data, looks = LOOKS[what]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(NanosnakeError) as refused:
        read(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert looks in str(refused.value)


def test_text_may_begin_like_json(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("[[File:a.jpg|thumb]] a city\n")
    assert read(path).texts == ["[[File:a.jpg|thumb]] a city"]


BAD_ROWS: dict[str, tuple[bytes, str]] = {
    "a column too many": (b"3,a,b\n", "3 columns, where the header has 2"),
    "not UTF-8": (b"3,\xff\n", "not valid UTF-8"),
    "a zero byte": (b"3,a\0b\n", "a zero byte"),
}


@pytest.mark.parametrize("what", BAD_ROWS)
def test_a_bad_row_of_csv(tmp_path: Path, what: str) -> None:
    row, reason = BAD_ROWS[what]
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbfid,text\r\n1,one\n2,"a\n' + b"b" * 5000 + b'"\r\n' + row + b"4,four\n5,\n")
    with pytest.raises(NanosnakeError, match=r"a.csv, row 4: " + reason):
        read(path)
    made = read(path, on_error="skip")
    assert made.texts == ["one", "a\n" + "b" * 5000, "four", ""]
    assert made.lines == [2, 3, 5, 6]
    assert [entry["place"] for entry in made.left_out] == ["row 4"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"id,body\n1,a\n", "no column 'text'"),
        (b"text,text\na,b\n", "2 columns are named 'text'"),
        (b"", "the file is empty"),
        (b'id,text\n1,"never closed\n' + b"x,y\n" * 20_000_000, "a quotation mark is never closed"),
    ],
    ids=["wrong column", "column twice", "empty", "open quotation mark"],
)
def test_bad_csv(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    with pytest.raises(NanosnakeError, match=reason):
        read(path)


@pytest.mark.parametrize("documents", ["line", "blocks", "file"])
def test_bad_text(tmp_path: Path, documents: Any) -> None:
    path = tmp_path / "a.txt"
    start = b"fine " * 1000 + b"\n\n"
    for bad, reason in ((b"caf\xe9", "not valid UTF-8"), (b"a\0b", "a zero byte")):
        path.write_bytes(start + bad + b"\n\nend")
        with pytest.raises(NanosnakeError, match=reason):
            read(path, documents=documents)
        if documents != "file":
            made = read(path, documents=documents, on_error="skip")
            assert made.texts == ["fine " * 1000, "end"]
            assert made.lines == [1, 5]
            assert [entry["place"] for entry in made.left_out] == [
                "line 3" if documents == "line" else "the block at line 3"
            ]


def test_bad_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [1, 2], "body": ["a", "b"], "list": [["a"], []]}), path)
    with pytest.raises(NanosnakeError, match="column 'text' is of type int64"):
        read(path)
    with pytest.raises(NanosnakeError, match="column 'list' is of type list"):
        read(path, column="list")
    with pytest.raises(
        NanosnakeError, match=r"no column 'meta.body'; its columns are 'text', 'body', 'list'"
    ):
        read(path, column="meta.body")
    with pytest.raises(NanosnakeError, match="a template needs a list of messages"):
        read(path, column="list", template="{role}")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NanosnakeError, match=r"a.parquet: "):
        read(path, column="body")
    arrow = tmp_path / "a.arrow"
    table = pa.table({"text": ["one " * 1000, "two"]})
    with pa.OSFile(str(arrow), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    arrow.write_bytes(arrow.read_bytes()[:2000])
    with pytest.raises(NanosnakeError, match="damaged or broken off after row 0"):
        read(arrow)
    wrong = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff"))
    with (
        pa.OSFile(str(arrow), "wb") as sink,
        pa.ipc.new_file(sink, pa.schema([("text", pa.string())])) as writer,
    ):
        writer.write_table(pa.table({"text": wrong}))
    with pytest.raises(NanosnakeError, match=r"rows 1 to 1: column 'text': .*UTF8"):
        read(arrow)


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_a_table_with_a_column_twice(tmp_path: Path, ending: str) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    path = tmp_path / f"a.{ending}"
    if ending == "parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(NanosnakeError, match="2 columns are named 'text'; one is wanted"):
        read(path)


def test_conversations_that_are_not_what_the_template_asks_for(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        jsonl(
            {"chat": [{"role": "user", "content": "one"}]},
            {"chat": [{"role": "user", "content": [{"type": "text", "text": "parts"}]}]},
            {"chat": "text"},
        )
    )
    made = read(path, column="chat", template="{role}: {content}", on_error="skip")
    assert made.texts == ["user: one"]
    assert [entry["reason"] for entry in made.left_out] == [
        "chat.content is of type array, wanted: string",
        "chat is of type string, wanted: array",
    ]
    with pytest.raises(
        NanosnakeError, match="line 1: a message of 'chat' has none of the fields 'from', 'value'"
    ):
        read(path, column="chat", template="{from}: {value}")


def test_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{wrong\n" * 3)
    with pytest.raises(
        NanosnakeError,
        match=r"no document is left of 1 files \(3 could not be read, 0 were dropped.*on_error: stop",
    ):
        read(path, on_error="skip")
    path.write_bytes(b"")
    with pytest.raises(NanosnakeError, match="no document is left"):
        read(path)


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl({"text": "one"}))
    original = stream.Stream.sha256

    def growing(self: stream.Stream) -> str:
        with path.open("ab") as file:
            file.write(jsonl({"text": "two"}))
        return original(self)

    monkeypatch.setattr(stream.Stream, "sha256", growing)
    with pytest.raises(NanosnakeError, match="the file changed while it was read"):
        read(path)


@pytest.mark.parametrize("count", [2_000, pytest.param(100_000, marks=pytest.mark.nightly)])
def test_many_small_files(tmp_path: Path, count: int) -> None:
    files = [tmp_path / f"{number:06d}.txt" for number in range(count)]
    for number, file in enumerate(files):
        file.write_text(f"document {number}\n")
    made = read(*files, shards=4)
    assert sorted(filter(None, made.texts)) == sorted(f"document {number}" for number in range(count))
    assert [len(shard.parts) for shard in made.shards] == [len(rows) for rows in made.rows]


LONG_LINES = {  # file, options, what comes before the long line and after it, lines of what is kept
    "line": ("long.txt.zst", {"documents": "line"}, b"first\n\n", b"\n\nlast\n", [1, 5]),
    "blocks": ("long.txt.zst", {"documents": "blocks"}, b"first\n\n", b"\n\nlast\n", [1, 5]),
    "file": ("long.txt.zst", {"documents": "file"}, b"first\n\n", b"\n\nlast\n", []),
    "jsonl": ("long.jsonl.zst", {}, b'{"text": "first"}\n\n{"text": "', b'"}\n{"text": "last"}\n', [1, 4]),
}


@pytest.mark.parametrize("what", LONG_LINES)
def test_a_line_of_a_gigabyte_is_left_out_in_bounded_memory(tmp_path: Path, what: str) -> None:
    name, options, before, after, lines = LONG_LINES[what]
    path = tmp_path / name
    with pa.CompressedOutputStream(str(path), "zstd") as file:
        file.write(before)
        for _ in range(1024):
            file.write(b"x" * (1 << 20))
        file.write(after)
    code = (
        "import sys, json; from pathlib import Path; from formats.reading import read\n"
        "made = read(Path(sys.argv[1]), on_error='skip', **json.loads(sys.argv[2]))\n"
        "print(made.texts, made.lines, [entry['place'] for entry in made.left_out])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), json.dumps(options)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (700 << 20, 700 << 20)),
    )
    if lines:
        assert done.stdout == f"['first', 'last'] {lines} ['line 3']\n", done.stderr
    else:
        assert "no document is left" in done.stderr
