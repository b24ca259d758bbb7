"""Checks of a parquet shard: what is allowed, what is refused, and what the refusal says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nanosnake.files import NanosnakeError
from nanosnake.sources.parquet import ShardFacts, check_shard

TEXTS = ["one", None, "", "zwei é", "\U0001f600 три", "x\0y"]
CHARACTERS = 3 + 0 + 0 + 6 + 5 + 3


def write(path: Path, column: pa.Array, *, name: str = "text", rows: int = 2, **options: object) -> Path:
    pq.write_table(pa.table({"id": range(len(column)), name: column}), path, row_group_size=rows, **options)
    return path


def refusal(path: Path, text_column: str = "text") -> str:
    """Return the one-line error for a file."""
    with pytest.raises(NanosnakeError) as caught:
        check_shard(path, text_column)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.binary(),
        pa.large_binary(),
        pa.binary_view(),
        pa.dictionary(pa.int32(), pa.string()),
        pa.dictionary(pa.int32(), pa.binary()),
    ],
    ids=str,
)
def test_every_kind_of_text_column(tmp_path: Path, kind: pa.DataType) -> None:
    column = pa.array(TEXTS)
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type).dictionary_encode()
    path = write(tmp_path / "a.parquet", column.cast(kind))
    assert check_shard(path, "text") == ShardFacts(
        bytes=path.stat().st_size, rows=6, row_groups=3, characters=CHARACTERS, nulls=1, empty=1
    )


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_every_compression(tmp_path: Path, compression: str) -> None:
    path = write(tmp_path / "a.parquet", pa.array(TEXTS), compression=compression)
    assert check_shard(path, "text").characters == CHARACTERS


def test_a_column_whose_name_holds_a_dot(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.array(TEXTS), name="a.b")
    assert check_shard(path, "a.b").characters == CHARACTERS


def test_no_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.array([], pa.string()))
    facts = check_shard(path, "text")
    assert (facts.rows, facts.characters, facts.nulls, facts.empty) == (0, 0, 0, 0)


def test_nothing_but_nulls_and_empty_documents(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.array([None, "", None], pa.string()))
    facts = check_shard(path, "text")
    assert (facts.rows, facts.characters, facts.nulls, facts.empty) == (3, 0, 2, 1)


def test_one_enormous_document(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.array(["é" * 20_000_000]))
    facts = check_shard(path, "text")
    assert (facts.rows, facts.characters) == (1, 20_000_000)


def test_memory_is_bounded(tmp_path: Path) -> None:
    """A row group of 400 MB of text is read in batches."""
    documents = pa.array([f"{row:07d} " * 2500 for row in range(2000)])
    schema = pa.schema({"text": pa.string()})
    with pq.ParquetWriter(tmp_path / "a.parquet", schema, use_dictionary=False) as writer:
        writer.write_table(pa.table([pa.concat_arrays([documents] * 10)], schema), row_group_size=20_000)
    code = (
        "import sys\nfrom nanosnake.sources.parquet import check_shard\n"
        "print(check_shard(sys.argv[1], 'text').characters)\n"
        "print([line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line][0])"
    )
    output = subprocess.check_output([sys.executable, "-c", code, str(tmp_path / "a.parquet")], text=True)
    characters, memory = map(int, output.split())
    assert characters == 400_000_000
    assert memory < 150_000  # kB


def test_absent_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.array(TEXTS), name="content")
    assert refusal(path) == (
        "no column 'text'; its columns are 'id' (int64), 'content' (string); set text_column to 'content'"
    )


def test_other_type(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.array([["a"], ["b"]]))
    assert refusal(path) == (
        "column 'text' is of type list; wanted: string, large_string, string_view, binary, "
        "large_binary, binary_view, or a dictionary of one of these; "
        "its columns are 'id' (int64), 'text' (list); "
        "no other column of this file holds text: use another file"
    )


def test_nested_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.array([{"body": "a"}, {"body": "b"}]), name="article")
    message = refusal(path, "article.body")
    assert message.startswith(
        "no column 'article.body' at the top level; a column inside 'article' cannot be the text column; "
    )
    assert "is of type struct;" in refusal(path, "article")


def test_column_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, names=["text", "text"]), path)
    assert refusal(path).startswith("2 columns are named 'text'; one is wanted; ")


@pytest.mark.parametrize("kind", [pa.binary(), pa.dictionary(pa.int32(), pa.binary())], ids=str)
def test_binary_that_is_no_text(tmp_path: Path, kind: pa.DataType) -> None:
    column = pa.array([b"a", b"b", b"c", b"ab\xff", b"d"])
    if pa.types.is_dictionary(kind):
        column = column.dictionary_encode()
    assert refusal(write(tmp_path / "a.parquet", column)) == (
        "row group 1, row 1 of the group: not UTF-8 at byte 2 of the document; repair or drop the row, "
        "or leave the shard out"
    )


def test_string_column_that_is_no_text(tmp_path: Path) -> None:
    """A writer that does not check leaves a column that says it is UTF-8 and is not."""
    column = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xc3"]).buffers())
    assert "row 1 of the group: not UTF-8 at byte 0 of the document" in refusal(
        write(tmp_path / "a.parquet", column)
    )


@pytest.mark.parametrize("checksums", [False, True], ids=["plain", "page checksums"])
def test_corrupt_row_group(tmp_path: Path, checksums: bool) -> None:
    path = write(
        tmp_path / "a.parquet",
        pa.array([f"document number {row} " * 50 for row in range(300)]),
        rows=100,
        compression="zstd",
        use_dictionary=False,
        write_page_checksum=checksums,
    )
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(1)
    data = bytearray(path.read_bytes())
    end = chunk.data_page_offset + chunk.total_compressed_size  # the page's header holds no text
    data[end - 60 : end - 40] = bytes(20)
    path.write_bytes(data)
    message = refusal(path)
    assert message.startswith("row group 1 cannot be read (")
    assert ("checksum mismatch" in message) == checksums
    assert message.endswith("); fetch or write the file again, or leave the shard out")


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "0 bytes; it is empty"),
        (b"<!DOCTYPE html><p>Sign in</p>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "it is a Git LFS pointer"),
        (b"\x1f\x8b\x08" + bytes(20), "it is compressed with gzip"),
        (b"plain words", "11 bytes; Invalid Parquet file"),
    ],
    ids=["empty", "html", "lfs", "gzip", "text"],
)
def test_no_parquet(tmp_path: Path, content: bytes, hint: str) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    message = refusal(path)
    assert message.startswith(f"not a readable parquet file ({len(content)} bytes; ")
    assert hint in message


def test_cut_short(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pa.array(TEXTS))
    path.write_bytes(path.read_bytes()[:-20])
    assert "it begins like one, but its end is missing or damaged" in refusal(path)


def test_the_name_for_messages(tmp_path: Path) -> None:
    path = tmp_path / ".a.parquet.part"
    path.write_bytes(b"")
    with pytest.raises(NanosnakeError, match=r"^shard_00000\.parquet: "):
        check_shard(path, "text", name="shard_00000.parquet")


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        check_shard(tmp_path / "absent.parquet", "text")


def write_encrypted(path: Path, *columns: str, plaintext_footer: bool) -> Path:
    import base64

    import pyarrow.parquet.encryption as encryption

    class Kms(encryption.KmsClient):  # type: ignore[misc]
        def __init__(self, connection: object) -> None:
            super().__init__()

        def wrap_key(self, key: bytes, name: str) -> bytes:
            return base64.b64encode(key)

    table = pa.table({"id": [1, 2], "text": ["a", "b"]})
    settings = encryption.EncryptionConfiguration(
        footer_key="of the footer",
        column_keys={"of columns": list(columns)},
        plaintext_footer=plaintext_footer,
    )
    properties = encryption.CryptoFactory(Kms).file_encryption_properties(
        encryption.KmsConnectionConfig(), settings
    )
    with pq.ParquetWriter(path, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    return path


def test_an_encrypted_file_is_called_that_with_the_key_it_would_need(tmp_path: Path) -> None:
    message = refusal(write_encrypted(tmp_path / "a.parquet", "text", plaintext_footer=False))
    assert message.startswith("the file is encrypted (keys: 'of the footer'")
    message = refusal(write_encrypted(tmp_path / "b.parquet", "text", plaintext_footer=True))
    assert message.startswith("the column 'text' is encrypted (keys: 'of columns', 'of the footer')")
    assert "encrypted parquet is not supported: write the text column without encryption" in message
    assert "damaged" not in message


def test_another_column_may_be_encrypted(tmp_path: Path) -> None:
    path = write_encrypted(tmp_path / "a.parquet", "id", plaintext_footer=True)
    assert check_shard(path, "text").characters == 2
