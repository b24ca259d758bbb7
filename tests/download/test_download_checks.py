"""What is compared with what was announced, and refused."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from download.conftest import PATH, Bench
from download.stand_in import COMMIT, change, cut, flip_bit, send_instead, status
from nanosnake.files import NanosnakeError
from nanosnake.sources.download.checksums import look_up

OTHER = "0" * 64


def as_parquet(**columns: object) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, row_group_size=10)
    return stream.getvalue()


def test_a_wrong_hash_twice(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    flipped = bytearray(bench.body)
    flipped[1000] ^= 1
    found = hashlib.sha256(flipped).hexdigest()
    bench.storage.faults.extend([flip_bit(1000)] * 9)
    message = bench.refusal()
    host = bench.origin.address.removeprefix("http://")
    assert message == (
        f"{bench.url}: its sha256 is {found}, wanted {bench.sha256} (from {host}), twice; nothing is kept. "
        "The file at the host is not the one that was described: check url, revision and checksum"
    )
    assert "removed, downloading once more" in capsys.readouterr().err
    assert len(bench.storage.requests) == 2
    assert bench.names() == []


def test_a_wrong_length_twice(bench: Bench) -> None:
    bench.storage.faults.extend([send_instead(b"x" * 1000)] * 9)
    assert (
        f"sends a file of 1000 bytes, {bench.origin.address.removeprefix('http://')} announced"
        in bench.refusal()
    )
    assert len(bench.storage.requests) == 2
    assert bench.names() == []


def test_more_bytes_than_announced(bench: Bench) -> None:
    """A body without a length that does not end where it should."""
    longer = send_instead(bench.body + b"x" * 100_000, Content_Length="", Connection="close")
    bench.storage.faults.extend([longer] * 9)
    assert f"sends more than the {len(bench.body)} bytes that were announced, twice" in bench.refusal()
    assert bench.names() == []


@pytest.mark.parametrize("direct", [False, True])
def test_the_checksum_that_was_given(bench: Bench, direct: bool, capsys: pytest.CaptureFixture[str]) -> None:
    bench.origin.direct = direct
    bench.download("--sha256", bench.sha256.upper())
    assert "sha256 as the checksum that was given says" in capsys.readouterr().err


def test_a_given_checksum_that_the_host_contradicts(bench: Bench) -> None:
    """Nothing is downloaded."""
    assert f"announces sha256 {bench.sha256}, wanted {OTHER}" in bench.refusal("--sha256", OTHER)
    assert bench.storage.requests == []


def test_a_given_checksum_and_a_host_that_gives_none(bench: Bench) -> None:
    bench.origin.direct = True
    message = bench.refusal("--sha256", OTHER)
    assert (
        f"its sha256 is {bench.sha256}, wanted {OTHER} (from the checksum that was given), twice" in message
    )
    assert len(bench.origin.requests) == 2


def test_a_git_hash_is_no_checksum(bench: Bench) -> None:
    bench.origin.faults.append(change(X_Linked_ETag='"0123456789012345678901234567890123456789"'))
    bench.download()
    assert bench.metadata["etag"] == "0123456789012345678901234567890123456789"


def test_another_commit_than_was_asked_for(bench: Bench) -> None:
    other = "f" * 40
    url = bench.url.replace("/main/", f"/{other}/")
    message = bench.refusal("--revision", other, url=url)
    assert f"answers for commit {COMMIT}, wanted revision {other}" in message
    bench.download("--revision", COMMIT)


def test_a_revision_that_moved_on_between_runs(bench: Bench) -> None:
    """What is there of the old file is not mixed with the new one."""
    new = bench.body
    bench.origin.content[PATH] = b"X" * len(new)
    bench.storage.faults.extend([cut(100_000), *[status(503)] * 9])
    bench.refusal()
    assert bench.partial.stat().st_size == 100_000
    bench.storage.faults.clear()
    bench.origin.content[PATH] = new
    bench.download()
    assert "Range" not in bench.storage.requests[-1].headers


def test_the_table_of_checksums(bench: Bench, tmp_path: Path) -> None:
    table = tmp_path / "SHA256SUMS"
    table.write_text(
        f"# ours\n{OTHER}  data/shard_00006.parquet\n\n{bench.sha256} *data/shard_00007.parquet\n"
    )
    bench.download("--checksums", str(table))


def test_tables_of_checksums_that_do_not_help(tmp_path: Path) -> None:
    table = tmp_path / "SHA256SUMS"
    for content, words in (
        ("", "has no line for a.parquet"),
        (f"{OTHER}  b.parquet\n", "has no line for a.parquet"),
        (f"{OTHER}  a.parquet\n{'1' * 64}  x/a.parquet\n", "has 2 different checksums for a.parquet"),
        (f"{OTHER}  a.parquet\na.parquet {OTHER}\n", "line 2: .* is not of the form that sha256sum writes"),
    ):
        table.write_text(content)
        with pytest.raises(NanosnakeError, match=words):
            look_up(table, ["a.parquet"])


def test_a_checksum_that_is_none(bench: Bench) -> None:
    assert bench.refusal("--sha256", "abc") == (
        "--sha256: 'abc' is not a SHA-256; wanted: 64 hexadecimal digits"
    )
    assert bench.origin.requests == []


@pytest.mark.parametrize("direct", [False, True], ids=["redirect", "direct"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<!DOCTYPE html><title>Sign in</title>", "not a readable parquet file (37 bytes; it is a web page"),
        (b"", "not a readable parquet file (0 bytes; it is empty)"),
        (b"PAR1" + bytes(1000), "it begins like one, but its end is missing or damaged"),
        (as_parquet(content=["a"]), "no column 'text'; its columns are 'content' (string)"),
        (as_parquet(text=[[1]]), "column 'text' is of type list;"),
        (as_parquet(text=[b"a"] * 15 + [b"\xff"]), "row group 1, row 5 of the group: not UTF-8"),
    ],
    ids=["html", "empty", "truncated", "no text column", "other type", "invalid UTF-8"],
)
def test_files_that_are_no_shards(bench: Bench, body: bytes, words: str, direct: bool) -> None:
    """The hash is right, the file is not: it is refused at once, and nothing is kept."""
    bench.origin.direct = direct
    bench.origin.content[PATH] = body
    message = bench.refusal()
    assert message.startswith(f"{bench.url}: ")
    assert words in message
    assert len(bench.origin.requests) == 1
    assert bench.names() == []


def test_a_shard_without_rows(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.body = bench.origin.content[PATH] = as_parquet(text=pa.array([], pa.string()))
    bench.download()
    assert bench.metadata["rows"] == bench.metadata["characters"] == 0
    assert "note: the shard holds no text at all" in capsys.readouterr().err


def test_nulls_and_empty_documents(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.body = bench.origin.content[PATH] = as_parquet(text=["a", None, "", ""])
    bench.download()
    assert (bench.metadata["nulls"], bench.metadata["empty"]) == (1, 2)
    assert "note: 1 rows are null and 2 are empty" in capsys.readouterr().err
