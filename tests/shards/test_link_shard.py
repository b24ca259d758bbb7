"""A local file becomes a shard: a checked link with a metadata file, or nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import link_shard
from nanosnake.files import NanosnakeError, sha256_file
from nanosnake.sources.unchanged import check_unchanged
from nanosnake.stages import call

SCRIPT = link_shard.__file__


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus" / "part 7.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table({"body": ["one", "", None, "zwei é"]}), path, row_group_size=2)
    return path


def link(source: Path, output: Path, *more: str) -> int:
    metadata = output.with_suffix(".json")
    return call(
        link_shard.LinkShard,
        ["--input", str(source), "--output", str(output), "--metadata", str(metadata), *more],
    )


def test_link_and_metadata(corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "results" / "part 7.parquet"
    assert link(corpus, output, "--text-column", "body") == 0
    assert output.is_symlink()
    assert output.readlink() == corpus
    assert json.loads(output.with_suffix(".json").read_text()) == {
        "shard": "part 7",
        "source": "local",
        "url": corpus.as_uri(),
        "revision": None,
        "etag": None,
        "bytes": corpus.stat().st_size,
        "sha256": sha256_file(corpus),
        "rows": 4,
        "row_groups": 2,
        "characters": 9,
        "nulls": 1,
        "empty": 1,
        "left_out": 0,
        "dropped": 0,
        "parts": [],
        "seconds": None,
        "text_column": "body",
        "mtime_ns": corpus.stat().st_mtime_ns,
    }
    assert sorted(path.name for path in output.parent.iterdir()) == ["part 7.json", "part 7.parquet"]


def test_a_relative_path_and_an_old_link(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "results" / "a.parquet"
    output.parent.mkdir()
    output.symlink_to(tmp_path / "gone.parquet")
    monkeypatch.chdir(corpus.parent)
    assert link(Path(corpus.name), output, "--text-column", "body", "--shard", "other") == 0
    assert output.readlink() == corpus
    assert json.loads(output.with_suffix(".json").read_text())["shard"] == "other"


def test_the_right_checksum(corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.parquet"
    assert link(corpus, output, "--text-column", "body", "--sha256", sha256_file(corpus).upper()) == 0


def test_refusals_leave_nothing(corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "results" / "a.parquet"
    other = tmp_path / "words.txt"
    other.write_text("words")
    for source, more, message in (
        (tmp_path / "absent.parquet", [], "no such file; the shard a.parquet needs it"),
        (corpus, [], "no column 'text'; its columns are 'body' \\(string\\)"),
        (corpus, ["--text-column", "body", "--sha256", "0" * 64], "its sha256 is .*, wanted 000"),
        (other, [], "not a readable parquet file"),
    ):
        with pytest.raises(NanosnakeError, match=f"^{source}: {message}"):
            link(source, output, *more)
        assert not output.parent.exists()


def test_a_link_to_itself(corpus: Path) -> None:
    content = corpus.read_bytes()
    with pytest.raises(NanosnakeError, match="a link to itself"):
        link(corpus, corpus, "--text-column", "body")
    assert corpus.read_bytes() == content


def test_the_script_prints_one_message(corpus: Path, tmp_path: Path) -> None:
    command = [sys.executable, SCRIPT, "--input", str(corpus), "--output", str(tmp_path / "a.parquet")]
    done = subprocess.run(
        [*command, "--metadata", str(tmp_path / "a.json")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"link_shard.py: error: {corpus}: no column 'text'; its columns are 'body' (string); "
        "set text_column to 'body'\n"
    )


def test_a_file_that_changed_under_its_name_is_not_read(corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "results" / "part 7.parquet"
    assert link(corpus, output, "--text-column", "body") == 0
    check_unchanged(output)
    when = corpus.stat().st_mtime_ns
    os.utime(corpus, ns=(when - 10**9, when - 10**9))
    with pytest.raises(NanosnakeError, match="is not the file that became the shard part 7: it has"):
        check_unchanged(output)
    os.utime(corpus, ns=(when, when))
    check_unchanged(output)
    corpus.write_bytes(corpus.read_bytes() + b"1")
    os.utime(corpus, ns=(when, when))
    with pytest.raises(NanosnakeError, match="recorded were"):
        check_unchanged(output)
