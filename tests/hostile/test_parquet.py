"""Hostile shards: each ends in a named exception that names the file, within the memory that the rules declare."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from hostile.parquet_by_hand import (
    DELTA_BYTE_ARRAY,
    DELTA_LENGTH,
    RLE_DICTIONARY,
    Page,
    equal_lengths,
    file,
    levels,
    nested,
    plain,
    varint,
    zigzag,
)

REPOSITORY = Path(__file__).resolve().parents[2]
MB = 1 << 20


def declared_mb(rule: str, file_mb: float) -> float:
    """Return the `mem_mb` that a rule asks for at its first attempt, as it stands in its file."""
    rules = "".join(path.read_text() for path in (REPOSITORY / "rules").glob("*.smk"))
    text = re.search(rf"^rule {rule}:.*?mem_mb=(.*?),\n", rules, re.DOTALL | re.MULTILINE)
    assert text is not None
    numbers = [float(number) for number in re.findall(r"(?<![a-z_])\d+(?:\.\d+)?", text[1])]
    return numbers[0] + (numbers[1] * file_mb if len(numbers) > 1 else 0)


def test_what_the_rules_declare_is_found() -> None:
    assert declared_mb("download_shard", 100) == 500
    assert declared_mb("count_pretokens", 0) >= 500
    assert declared_mb("tokenize_shard", 100) > declared_mb("tokenize_shard", 0)


def expanding(codec: str, claimed: int | None = None) -> bytes:
    """A page of 600 MB of one letter, packed; it claims its size, or another."""
    text = b"a" * MB
    page = levels(1) + plain([text * 600])
    whole = pa.Codec(codec, compression_level=1) if codec in ("gzip", "brotli", "zstd") else pa.Codec(codec)
    packed = whole.compress(page, asbytes=True)
    return file([Page(packed, claimed or len(page), 1)], rows=1, codec=codec)


def one_page(data: bytes, values: int, **claims: Any) -> bytes:
    return file([Page(data, claims.pop("uncompressed", len(data)), values, **claims)], rows=values)


def dictionary(entries: int, text: bytes, rows: int, *, claimed: int | None = None) -> bytes:
    """Rows that all name the last entry of a dictionary."""
    page = plain([b""] * (entries - 1) + [text])
    width = max((entries - 1).bit_length(), 1)
    run = varint(rows << 1) + (entries - 1).to_bytes(-(-width // 8), "little")
    indices = levels(rows) + bytes([width]) + run
    packed = pa.compress(page, codec="zstd", asbytes=True)
    return file(
        [
            Page(packed, len(page), claimed or entries, dictionary=True),
            Page(pa.compress(indices, codec="zstd", asbytes=True), len(indices), rows, RLE_DICTIONARY),
        ],
        rows=rows,
        codec="zstd",
    )


def first_changes(number: int, first: int, delta: int) -> bytes:
    """Lengths in the encoding DELTA_BINARY_PACKED: one, then others that differ from it by `delta`."""
    head = varint(128) + varint(1) + varint(number) + zigzag(first)
    block = zigzag(0) + b"\x20" + struct.pack("<i", delta) + bytes(127 * 4)
    return head + block + (zigzag(0) + b"\0") * (-(-(number - 1) // 128) - 1)


def shared_prefixes(number: int, length: int) -> bytes:
    """Texts that are each the one before it: one long text, and lengths of what they share."""
    return (
        levels(number)
        + first_changes(number, 0, length)
        + first_changes(number, length, -length)
        + b"a" * length
    )


TWO = levels(2) + plain([b"one", b"two"])
NULLS = 20_000_000

HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a page of 600 MB, zstd": (lambda: expanding("zstd"), "takes 629145"),
    "a page of 600 MB, gzip": (lambda: expanding("gzip"), "takes 629145"),
    "a page of 600 MB that claims 1 kB, gzip": (lambda: expanding("gzip", 1000), "expands to more than the 1000"),
    "a page of 600 MB that claims 1 kB, brotli": (lambda: expanding("brotli", 1000), "expands to more than"),
    "a page of 600 MB that claims 1 kB, lz4": (lambda: expanding("lz4", 1000), "expands to more than"),
    "a page of 600 MB that claims 1 kB, zstd": (lambda: expanding("zstd", 1000), "cannot be read"),
    "a page that claims 2 GB and holds 20 bytes": (
        lambda: file([Page(pa.compress(TWO, codec="snappy", asbytes=True), 2**31 - 1, 2)], rows=2, codec="snappy"),
        "takes 2147483647 bytes",
    ),
    "a page that is cut off": (lambda: one_page(TWO, 2, compressed=500_000), "claims 500000 bytes where"),
    "a page of a negative size": (lambda: one_page(TWO, 2, compressed=-1), "header is damaged"),
    "a page of other size": (
        lambda: file([Page(pa.compress(TWO, codec="snappy", asbytes=True), 50, 2)], rows=2, codec="snappy"),
        "claims 50 bytes and holds 20",
    ),
    "more texts than the page holds": (lambda: one_page(TWO, 2_000_000_000), "cannot be read"),
    "more rows than there are": (lambda: file([Page(TWO, len(TWO), 2)], rows=1 << 50), "ends after 2 of its"),
    "fewer rows than none": (lambda: file([Page(TWO, len(TWO), 2)], rows=-2), "claims -2 rows|damaged"),
    "fewer rows than there are": (lambda: file([Page(TWO, len(TWO), 2)], rows=1), "more than its 1 rows"),
    "a dictionary of two billion entries": (
        lambda: dictionary(3, b"text", 10, claimed=2**31 - 1), "takes 68719476"
    ),
    "two billion lengths": (
        lambda: one_page(levels(10) + varint(128) + varint(4) + varint(1 << 31) + b"\0" * 99, 10, encoding=DELTA_LENGTH),
        "lengths of a page's texts are damaged",
    ),
    "lengths of two billion bytes": (
        lambda: one_page(levels(10) + equal_lengths(10, 2**31 - 1), 10, encoding=DELTA_LENGTH), "cannot be read"
    ),
    "20,000 texts of 1 MB that share their beginning": (
        lambda: one_page(shared_prefixes(20_000, MB), 20_000, encoding=DELTA_BYTE_ARRAY), "bytes of memory where"
    ),
    "a length of 4 GB": (
        lambda: one_page(levels(1) + b"\xff\xff\xff\xff", 1), "cannot be read"
    ),
}  # fmt: skip


def probe(path: Path) -> dict[str, Any]:
    """Return how the readers ended, each by itself, and the memory of the process they ran in."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "scripts")}
    command = [sys.executable, str(REPOSITORY / "tests/hostile/probe.py"), str(path), str(path.parent)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert done.returncode == 0, f"ended with {done.returncode}: {done.stderr[-2000:]}"
    return dict(json.loads(done.stdout))


def assert_within_memory(answers: dict[str, Any], path: Path) -> None:
    rules = ["download_shard", "link_shard", "count_pretokens", "tokenize_shard", "sample_documents"]
    least = min(declared_mb(rule, path.stat().st_size / 1e6) for rule in rules)
    assert answers["mb"] < least, answers


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_shard_ends_in_a_named_exception(tmp_path: Path, name: str) -> None:
    make, words = HOSTILE[name]
    path = tmp_path / "shard.parquet"
    path.write_bytes(make())
    answers = probe(path)
    for reader in ("count", "encode", "sample", "check"):
        exception, message = answers[reader]
        assert exception in ("FileFormatError", "NanosnakeError"), answers
        assert message.startswith(f"{path}: row group 0 cannot be read ("), answers
        assert re.search(words, message), answers
        assert "fetch or write the file again" in message
    refused_at_once = name == "fewer rows than none"  # the footer itself cannot be right
    assert answers["footer"][0] == ("FileFormatError" if refused_at_once else "read")
    assert_within_memory(answers, path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["shard.parquet"]


@pytest.mark.parametrize("depth", [50, 20_000])
def test_deep_nesting_beside_the_text(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "shard.parquet"
    path.write_bytes(file([Page(TWO, len(TWO), 2)], rows=2, schema=nested(depth)))
    answers = probe(path)
    for reader in ("count", "encode", "sample", "check", "footer"):
        exception, message = answers[reader]
        assert exception in ("FileFormatError", "NanosnakeError"), answers
        assert message.startswith(f"{path}: "), answers


def test_what_is_large_and_right_is_read_within_the_same_memory(tmp_path: Path) -> None:
    text = b"one and two " * (MB // 12)
    for name, content, documents in [
        ("a long text named 300 times", dictionary(2, text, 300), 300),
        ("nothing but nulls", one_page(levels(NULLS, defined=False), NULLS), NULLS),
    ]:
        path = tmp_path / "shard.parquet"
        path.write_bytes(content)
        answers = probe(path)
        assert answers["sample"] == ["read", documents], name
        assert answers["check"][1]["rows"] == documents, name
        assert answers["encode"][1]["documents"] + answers["encode"][1]["nulls"] == documents, name
        assert_within_memory(answers, path)


def test_one_text_of_60_mb_is_read_within_what_the_rules_declare(tmp_path: Path) -> None:
    path = tmp_path / "shard.parquet"
    page = levels(1) + plain([b"some words of text and 012 " * (60 * MB // 27)])
    path.write_bytes(
        file([Page(pa.compress(page, codec="zstd", asbytes=True), len(page), 1)], rows=1, codec="zstd")
    )
    answers = probe(path)
    assert answers["encode"][1]["bytes"] == len(page) - len(levels(1)) - 4
    assert answers["mb"] < declared_mb("count_pretokens", 0), answers


def test_one_pretoken_of_60_mb_is_counted_and_encoded(tmp_path: Path) -> None:
    path = tmp_path / "shard.parquet"
    page = levels(1) + plain([b"a" * (60 * MB)])
    path.write_bytes(
        file([Page(pa.compress(page, codec="zstd", asbytes=True), len(page), 1)], rows=1, codec="zstd")
    )
    answers = probe(path)
    assert answers["count"] == ["read", 1]
    assert answers["encode"][1]["bytes"] == 60 * MB
    assert answers["mb"] < declared_mb("count_pretokens", 0), answers


@pytest.mark.parametrize(
    ("script", "options"),
    [
        ("count_pretokens.py", ["--pattern", "gpt4", "--output", "out.arrow", "--shard"]),
        ("link_shard.py", ["--output", "linked.parquet", "--metadata", "linked.json", "--input"]),
    ],
)
def test_a_script_says_it_in_one_line(tmp_path: Path, script: str, options: list[str]) -> None:
    path = tmp_path / "shard.parquet"
    path.write_bytes(expanding("zstd"))
    command = [
        sys.executable,
        str(REPOSITORY / "scripts" / script),
        *options,
        str(path),
        "--text-column",
        "text",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{script}: error: {path}: row group 0 cannot be read (a page of it takes ")
    assert done.stderr.count("\n") == 1
    assert sorted(file.name for file in tmp_path.iterdir()) == ["shard.parquet"]


def test_a_regex_that_explodes_names_itself_and_the_document(tmp_path: Path) -> None:
    import pyarrow.parquet as pq
    import rustbpe

    path = tmp_path / "shard.parquet"
    pq.write_table(pa.table({"text": ["fine", "fine", "a" * 5000]}), path, row_group_size=2)
    pattern = r"(?:a|a)+(?=c)(?<=c)b"
    encoder = rustbpe.Encoder([bytes([byte]) for byte in range(256)], pattern=pattern)
    out = tmp_path / "t.ds"
    calls: list[Callable[[], object]] = [
        lambda: rustbpe.count_parquet(path, pattern=pattern),
        lambda: rustbpe.encode_parquet(path, out, tmp_path / "t.index", encoder=encoder, bos_id=256),
    ]
    for call in calls:
        with pytest.raises(rustbpe.PatternError) as error:
            call()
        message = str(error.value)
        assert message.startswith(
            f'split pattern "{pattern}": {path}: row group 1, row 0 of the group: gave up'
        )
        assert "5000 bytes" in message
        assert "use a pattern that backtracks less, or leave the document out" in message


@pytest.mark.parametrize(
    "pattern", ["(" * 100_000, "a{1000}{1000}{1000}", "(?=a{1000}){1000}b{1000}{1000}", "[" * 9999]
)
def test_a_regex_that_cannot_be_compiled_is_refused(pattern: str) -> None:
    code = "import sys, rustbpe\ntry: rustbpe.Encoder([bytes([b]) for b in range(256)], pattern=sys.stdin.read())\n"
    code += "except rustbpe.PatternError as error: print(str(error)[:200])\nelse: print('compiled')"
    done = subprocess.run(
        [sys.executable, "-c", code], input=pattern, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("split pattern") or done.stdout == "compiled\n"
