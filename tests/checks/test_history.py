"""A history only grows, by whole lines, and the same state twice in a row is one record."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nanosnake.provenance import history
from nanosnake.provenance.code import WorkTree


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history" / "demo" / "bpe.jsonl"


def test_records_read_back_oldest_first(path: Path) -> None:
    assert history.read_history(path) == []
    assert history.append(path, {"vocab_size": 300})
    assert history.append(path, {"vocab_size": 400})
    records = history.read_history(path)
    assert [record["vocab_size"] for record in records] == [300, 400]
    assert records[0]["time"].endswith("+00:00")


def test_the_same_state_in_a_row_is_one_record(path: Path) -> None:
    state = {"figures": {"ratio": 3.25}, "shards": (1, 2)}
    assert history.append(path, state)
    assert not history.append(path, state)
    assert history.append(path, {**state, "figures": {"ratio": 3.5}})
    assert history.append(path, state)
    assert len(history.read_history(path)) == 3


def test_another_commit_alone_is_no_new_state(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "commit", lambda: "a" * 40)
    assert history.append(path, {"x": 1})
    monkeypatch.setattr(history, "commit", lambda: "b" * 40)
    assert not history.append(path, {"x": 1})


@pytest.mark.parametrize("rest", [b'{"time": "2026', b"\xff\xfe\x00", b"[1, 2]"])
def test_a_line_that_was_cut_off_is_survived(path: Path, rest: bytes) -> None:
    history.append(path, {"x": 1})
    before = path.read_bytes()
    path.write_bytes(before + rest)
    assert [record["x"] for record in history.read_history(path)] == [1]
    assert history.append(path, {"x": 2})
    assert [record["x"] for record in history.read_history(path)] == [1, 2]
    assert path.read_bytes().startswith(before + rest + b"\n"), "what was there is kept"


def test_a_cut_line_does_not_hide_the_last_state(path: Path) -> None:
    history.append(path, {"x": 1})
    with path.open("ab") as stream:
        stream.write(b'{"x": 2')
    assert not history.append(path, {"x": 1})


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (WorkTree("a" * 40, False, None, None), "a" * 40),
        (WorkTree("a" * 40, True, "b" * 64, None), f"{'a' * 40}-dirty"),
        (WorkTree(None, None, None, "no repository"), None),
    ],
    ids=["clean", "dirty", "none"],
)
def test_a_record_names_the_commit(
    path: Path, monkeypatch: pytest.MonkeyPatch, tree: WorkTree, expected: str | None
) -> None:
    monkeypatch.setattr(history, "work_tree", lambda: tree)
    history.append(path, {"x": 1})
    assert history.read_history(path)[0]["commit"] == expected


def test_many_writers_at_once_lose_nothing(path: Path) -> None:
    code = (
        "import sys; from nanosnake.provenance import history\n"
        "for n in range(20): history.append(sys.argv[1], {'writer': sys.argv[2], 'n': n, 'pad': 'x' * 5000})"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), str(writer)]) for writer in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4
    found = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert len(found) == 80
    for writer in "0123":
        assert [record["n"] for record in found if record["writer"] == writer] == list(range(20))
