"""What shards, count files and arguments can have wrong with them: one clear error each, and no half-written file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import rustbpe

BYTES = [bytes([byte]) for byte in range(256)]


def write(path: Path, column: object, **options: object) -> Path:
    """Write a shard with one text column."""
    pq.write_table(pa.table({"text": column}), path, **options)
    return path


def count(path: Path, **options: object) -> rustbpe.Counts:
    return rustbpe.count_parquet(path, pattern="gpt4", **options)


def encode(path: Path, folder: Path, **options: object) -> dict[str, object]:
    encoder = rustbpe.Encoder(BYTES, pattern="gpt4")
    return dict(
        rustbpe.encode_parquet(
            path, folder / "t.ds", folder / "t.ds.index", encoder=encoder, bos_id=256, **options
        )
    )


STRINGS = ["one two", None, "", "three ünï"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(STRINGS, pa.string()),
        pa.array(STRINGS, pa.large_string()),
        pa.array(STRINGS, pa.string_view()),
        pa.array(STRINGS, pa.string()).dictionary_encode(),
        pa.array([None if text is None else text.encode() for text in STRINGS], pa.binary()),
        pa.array([None if text is None else text.encode() for text in STRINGS], pa.large_binary()),
        pa.chunked_array([STRINGS[:1], STRINGS[1:]]),
    ],
    ids=lambda column: str(column.type),
)
@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_every_kind_of_text_column_is_read(tmp_path: Path, column: pa.Array, codec: str) -> None:
    path = write(tmp_path / "s.parquet", column, compression=codec)
    counts = count(path)
    assert dict(zip(*pa.table(counts).to_pydict().values(), strict=True)) == {
        b"one": 1, b" two": 1, b"three": 1, " ünï".encode(): 1,
    }  # fmt: skip
    assert (counts.documents, counts.nulls, counts.characters, counts.bytes) == (3, 1, 16, 18)
    written = encode(path, tmp_path)
    assert (written["documents"], written["nulls"], written["tokens"]) == (3, 1, 18 + 3)


@pytest.mark.parametrize("options", [{}, {"use_dictionary": False}, {"data_page_version": "2.0"},
                                     {"use_dictionary": False, "column_encoding": "DELTA_BYTE_ARRAY"},
                                     {"use_dictionary": False, "column_encoding": "DELTA_LENGTH_BYTE_ARRAY"},
                                     {"data_page_size": 100, "write_page_index": True}], ids=str)  # fmt: skip
def test_every_encoding_is_read(tmp_path: Path, options: dict[str, object]) -> None:
    texts = [f"document {number} of many" for number in range(5000)]
    nulls = [None if number % 7 == 0 else text for number, text in enumerate(texts)]
    for column in [
        texts,
        nulls,
        pa.table({"text": texts}, schema=pa.schema([pa.field("text", pa.string(), False)]))["text"],
    ]:
        path = write(tmp_path / "s.parquet", column, row_group_size=1300, **options)
        kept = [text for text in (column if isinstance(column, list) else texts) if text is not None]
        counts = count(path)
        assert (counts.documents, counts.bytes) == (len(kept), sum(map(len, kept)))
        assert counts.nulls == 5000 - len(kept)


def empty_shards(folder: Path) -> list[Path]:
    """A shard without rows, without row groups, with only nulls, and with only empty documents."""
    schema = pa.schema([("text", pa.string())])
    with pq.ParquetWriter(folder / "groups.parquet", schema):
        pass
    return [
        folder / "groups.parquet",
        write(folder / "rows.parquet", pa.array([], pa.string())),
        write(folder / "nulls.parquet", pa.array([None, None], pa.string())),
        write(folder / "empty.parquet", ["", ""]),
    ]


def test_empty_shards_give_empty_results(tmp_path: Path) -> None:
    for path, documents, nulls in zip(empty_shards(tmp_path), [0, 0, 0, 2], [0, 0, 2, 0], strict=True):
        counts = count(path, max_chars=10)
        assert (counts.documents, counts.nulls, len(counts)) == (documents, nulls, 0)
        counts.write(path.with_suffix(".arrow"))
        assert encode(path, tmp_path)["tokens"] == documents
        assert (tmp_path / "t.ds.index").stat().st_size == 8 * documents
        with pa.ipc.open_file(path.with_suffix(".arrow")) as reader:
            assert reader.read_all().num_rows == 0
    files = sorted(tmp_path.glob("*.arrow"))
    assert rustbpe.merge_counts(files, tmp_path / "m.arrow")["documents"] == 2
    merges = rustbpe.train_merges(tmp_path / "m.arrow", 10)
    assert len(merges) == 0
    merges.write(tmp_path / "merges.arrow")
    assert len(rustbpe.Merges.read(tmp_path / "merges.arrow")) == 0


def test_one_enormous_document(tmp_path: Path) -> None:
    text = "some words and more of them\n" * 1_500_000
    path = write(tmp_path / "s.parquet", [text, "end"], compression="zstd")
    counts = count(path)
    assert (counts.documents, counts.bytes, counts.pretokens) == (2, len(text) + 3, 7 * 1_500_000 + 1)
    assert encode(path, tmp_path)["tokens"] == len(text) + 3 + 2


@pytest.mark.parametrize(
    ("column", "seen"),
    [
        (pa.array([1, 2]), "int64"),
        (pa.array([1.5]), "double"),
        (pa.array([True]), "boolean"),
        (pa.array([b"abcd"], pa.binary(4)), "fixed_len_byte_array"),
        (pa.array([None, None]), "unknown"),
    ],
    ids=lambda value: str(getattr(value, "type", value)),
)
def test_a_column_of_another_type_is_refused(tmp_path: Path, column: pa.Array, seen: str) -> None:
    path = write(tmp_path / "s.parquet", column)
    with pytest.raises(rustbpe.FileFormatError) as error:
        count(path)
    message = str(error.value)
    assert message.startswith(f"{path}: column 'text' is of type ")
    assert seen in message.lower()
    assert "wanted: string, large_string, string_view" in message


def test_missing_and_nested_columns_are_refused_with_the_columns_listed(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    pq.write_table(pa.table({"doc": [{"text": "a"}], "tags": [["a"]], "id": [1], "body": ["b"]}), path)
    for column, reason in [
        ("doc", "column 'doc' is of type struct;"),
        ("tags", "column 'tags' is of type list;"),
        ("text", "no column 'text';"),
        (
            "doc.text",
            "no column 'doc.text' at the top level; a column inside 'doc' cannot be the text column;",
        ),
        ("element", "no column 'element';"),
    ]:
        with pytest.raises(rustbpe.ColumnError) as error:
            count(path, text_column=column)
        assert str(error.value).startswith(f"{path}: {reason}")
        columns = "'doc' (struct), 'tags' (list), 'id' (int64), 'body' (string)"
        assert f"its columns are {columns}; set text_column to 'body'" in str(error.value)
    assert count(path, text_column="body").documents == 1


@pytest.mark.parametrize("nulls", [False, True])
def test_a_document_that_is_not_utf8_is_named(tmp_path: Path, nulls: bool) -> None:
    column: list[bytes | None] = [b"fine"] * 3000
    column[2500] = b"bad \xff byte"
    if nulls:
        column[10] = column[2400] = None
    path = write(tmp_path / "s.parquet", column, row_group_size=1000)
    for call in [lambda: count(path), lambda: count(path, max_chars=10**9), lambda: encode(path, tmp_path)]:
        with pytest.raises(rustbpe.FileFormatError) as error:
            call()
        assert str(error.value).startswith(f"{path}: row group 2, row 500 of the group: not UTF-8 at byte 4")
    assert [file.name for file in tmp_path.iterdir()] == ["s.parquet"]
    assert count(path, max_chars=100).documents == 26


def damage(path: Path, row_group: int, *, zeros: int = 0) -> Path:
    """Overwrite the middle of a row group's pages."""
    chunk = pq.ParquetFile(path).metadata.row_group(row_group).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    with path.open("r+b") as file:
        file.seek(start if zeros else start + chunk.total_compressed_size // 2)
        file.write(b"\0" * zeros or os.urandom(64))
    return path


@pytest.mark.parametrize("zeros", [0, 200])
@pytest.mark.parametrize("codec", ["snappy", "gzip", "zstd"])
def test_a_corrupt_row_group_is_named(tmp_path: Path, codec: str, zeros: int) -> None:
    texts = [f"document {number} {number * 7919 % 10007}" for number in range(4000)]
    path = write(tmp_path / "s.parquet", texts, row_group_size=1000, compression=codec, use_dictionary=False)
    damage(path, 2, zeros=zeros)
    for call in [lambda: count(path), lambda: count(path, max_chars=10**9), lambda: encode(path, tmp_path)]:
        with pytest.raises(rustbpe.FileFormatError) as error:
            call()
        assert str(error.value).startswith(f"{path}: row group 2"), error.value
    assert [file.name for file in tmp_path.iterdir()] == ["s.parquet"]


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.parquet", ["text"] * 100).read_bytes()
    path = tmp_path / "s.parquet"
    for content in [b"", b"PAR1", b"not parquet at all", whole[:-1], whole[: len(whole) // 2], b"PAR1" * 9]:
        path.write_bytes(content)
        with pytest.raises(rustbpe.FileFormatError) as error:
            count(path)
        assert str(error.value).startswith(f"{path}: not a readable parquet file ({len(content)} bytes; ")
    path.write_bytes(whole[4:])
    with pytest.raises(rustbpe.FileFormatError, match="row group 0 cannot be read"):
        count(path)
    with pytest.raises(FileNotFoundError) as missing:
        count(tmp_path / "missing.parquet")
    assert missing.value.filename == str(tmp_path / "missing.parquet")
    with pytest.raises(IsADirectoryError):
        count(tmp_path)


def test_count_files_that_are_damaged_or_foreign_are_refused(tmp_path: Path) -> None:
    shard = write(tmp_path / "s.parquet", [f"word{number}" for number in range(50_000)])
    good = tmp_path / "good.arrow"
    count(shard).write(good)
    whole = good.read_bytes()
    bad = tmp_path / "bad.arrow"
    readers: list[Callable[[], object]] = [
        lambda: rustbpe.Counts.read(bad),
        lambda: rustbpe.merge_counts([good, bad], tmp_path / "out.arrow"),
        lambda: rustbpe.train_merges(bad, 10),
    ]
    table = pa.table(rustbpe.Counts.read(good))
    damaged = bytearray(whole)
    damaged[len(whole) // 2 : len(whole) // 2 + 32] = b"\xff" * 32
    foreign = [
        b"", b"ARROW1\0\0", whole[:-1], whole[:-500], whole[: len(whole) // 2], whole[8:], bytes(damaged), shard.read_bytes(),
        ipc(table.replace_schema_metadata(None)),
        ipc(table.replace_schema_metadata({**table.schema.metadata, b"format": b"other.1"})),
        ipc(table.replace_schema_metadata({**table.schema.metadata, b"documents": b"many"})),
        ipc(table.replace_schema_metadata({**table.schema.metadata, b"unique": b"7"})),
        ipc(table.slice(1)),
        ipc(table.take(list(range(len(table)))[::-1])),
        ipc(pa.concat_tables([table.slice(0, 10), table.slice(0, len(table) - 10)])),
        ipc(table.rename_columns(["token", "count"])),
        ipc(table.set_column(1, "count", table["count"].cast(pa.int64()))),
    ]  # fmt: skip
    for content in foreign:
        bad.write_bytes(content)
        for read in readers:
            with pytest.raises(rustbpe.FileFormatError) as error:
                read()
            assert str(error.value).startswith(f"{bad}: not a sound count file"), error.value
    assert not list(tmp_path.glob("out*")) + list(tmp_path.glob(".out*"))


def ipc(table: pa.Table) -> bytes:
    """A table as an Arrow IPC file."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def test_merges_files_that_are_damaged_or_foreign_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "s.parquet", ["abcabcabc" * 9])
    count(tmp_path / "s.parquet").write(tmp_path / "c.arrow")
    rustbpe.train_merges(tmp_path / "c.arrow", 5).write(tmp_path / "good.arrow")
    whole = (tmp_path / "good.arrow").read_bytes()
    table = pa.ipc.open_file(tmp_path / "good.arrow").read_all()
    bad = tmp_path / "bad.arrow"
    for content, reason in [
        (b"", "no Arrow file"), (whole[:-9], "no Arrow file"), ((tmp_path / "c.arrow").read_bytes(), "its format is"),
        (ipc(table.slice(1)), "merge 0 takes the tokens"), (ipc(table.select(["left", "right"])), "its columns are"),
    ]:  # fmt: skip
        bad.write_bytes(content)
        with pytest.raises(rustbpe.FileFormatError, match=reason) as error:
            rustbpe.Merges.read(bad)
        assert str(error.value).startswith(f"{bad}: not a sound merges file")


def test_counts_that_were_made_differently_are_not_summed(tmp_path: Path) -> None:
    write(tmp_path / "s.parquet", ["some text"])
    pq.write_table(pa.table({"body": ["some text"]}), tmp_path / "b.parquet")
    first = tmp_path / "first.arrow"
    other = tmp_path / "other.arrow"
    count(tmp_path / "s.parquet").write(first)
    for counts, what in [
        (rustbpe.count_parquet(tmp_path / "s.parquet", pattern="gpt2"), "pattern"),
        (rustbpe.count_parquet(tmp_path / "s.parquet", pattern="gpt4", doc_cap=5), "doc_cap"),
        (rustbpe.count_parquet(tmp_path / "b.parquet", pattern="gpt4", text_column="body"), "text column"),
    ]:
        counts.write(other)
        with pytest.raises(rustbpe.InvalidValueError) as error:
            rustbpe.merge_counts([first, other], tmp_path / "out.arrow")
        assert str(error.value).startswith(f"{first} and {other} were counted with different {what}")
        with pytest.raises(ValueError, match=rf"extra\[0\] were counted with different {what}"):
            rustbpe.merge_counts([first], tmp_path / "out.arrow", extra=[counts])
    with pytest.raises(rustbpe.InvalidValueError, match="no count files to merge"):
        rustbpe.merge_counts([], tmp_path / "out.arrow")
    assert not (tmp_path / "out.arrow").exists()


def test_arguments_that_cannot_be_right_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet", ["text"])
    with pytest.raises(rustbpe.PatternError, match=r"\[a"):
        rustbpe.count_parquet(path, pattern="[a")
    encoder = rustbpe.Encoder([*BYTES, *(b"x%d" % number for number in range(70_000))], pattern="gpt4")
    small = rustbpe.Encoder(BYTES, pattern="gpt4")
    out, index = tmp_path / "t.ds", tmp_path / "t.ds.index"
    with pytest.raises(rustbpe.InvalidValueError, match="largest token id is 70255 and does not fit uint16"):
        rustbpe.encode_parquet(path, out, index, encoder=encoder, bos_id=0)
    with pytest.raises(rustbpe.InvalidValueError, match="largest token id is 65536 and does not fit uint16"):
        rustbpe.encode_parquet(path, out, index, encoder=small, bos_id=65_536)
    with pytest.raises(rustbpe.InvalidValueError, match='dtype is "int8"; allowed are "uint16" and "uint32"'):
        rustbpe.encode_parquet(path, out, index, encoder=small, bos_id=0, dtype="int8")  # type: ignore[arg-type]
    assert rustbpe.encode_parquet(path, out, index, encoder=encoder, bos_id=0, dtype="uint32")["tokens"] == 5
    with pytest.raises(
        rustbpe.InvalidValueError, match='"<a>" has the id 97, which is a token\'s; use 256 or more'
    ):
        rustbpe.Encoder(BYTES, pattern="gpt4", special_tokens={"<a>": 97})
    with pytest.raises(rustbpe.InvalidValueError, match="have the same id 300"):
        rustbpe.Encoder(BYTES, pattern="gpt4", special_tokens={"<a>": 300, "<b>": 300})
    with pytest.raises(rustbpe.InvalidValueError):
        rustbpe.Encoder(BYTES[:-1], pattern="gpt4")
    with pytest.raises(rustbpe.InvalidValueError, match="id 256 is not in the vocabulary"):
        small.decode([256])
    assert issubclass(rustbpe.InvalidValueError, rustbpe.RustbpeError)
    assert issubclass(rustbpe.InvalidValueError, ValueError)


def test_an_output_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = write(tmp_path / "s.parquet", ["text"])
    counts = count(path)
    with pytest.raises(FileNotFoundError) as error:
        counts.write(tmp_path / "no" / "c.arrow")
    assert error.value.filename == str(tmp_path / "no" / "c.arrow")
    counts.write(tmp_path / "c.arrow")
    before = (tmp_path / "c.arrow").read_bytes()
    with pytest.raises(rustbpe.FileFormatError):
        rustbpe.merge_counts([tmp_path / "c.arrow", path], tmp_path / "c.arrow")
    assert (tmp_path / "c.arrow").read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["c.arrow", "s.parquet"]
    assert (tmp_path / "c.arrow").stat().st_mode & 0o777 == (tmp_path / "s.parquet").stat().st_mode & 0o777


def test_lines_of_json_need_a_key_and_bytes_in_one_piece() -> None:
    with pytest.raises(rustbpe.InvalidValueError, match="no key is given"):
        rustbpe.JsonLines(b"{}", [])
    with pytest.raises(rustbpe.InvalidValueError, match="not contiguous"):
        rustbpe.JsonLines(memoryview(b"{}{}")[::2], ["text"])
