"""A file is whole or absent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nanosnake.files import NanosnakeError, read_json, replacing, sha256_file, write_json


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_leaves_nothing_under_the_final_name(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from nanosnake.files import replacing\n"
        "with replacing(sys.argv[1]) as t:\n    t.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "out.txt"
    ended = subprocess.run([sys.executable, "-c", program, path], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not path.exists()
    with replacing(path) as at_work, replacing(path) as temporary:
        temporary.write_text("whole")
        at_work.write_text("whole too")
    assert path.read_text() == "whole too"
    assert list(tmp_path.iterdir()) == [
        path
    ]  # neither of them removed the other's, both that of the killed one


def test_a_new_file_has_the_permissions_of_an_ordinary_one(tmp_path: Path) -> None:
    with replacing(tmp_path / "made") as temporary:
        temporary.touch()
    (tmp_path / "plain").touch()
    assert os.stat(tmp_path / "made").st_mode == os.stat(tmp_path / "plain").st_mode  # noqa: PTH116


def test_equal_values_give_equal_bytes(tmp_path: Path) -> None:
    write_json(tmp_path / "a", {"x": 1, "y": [1.5, None, "ü"]})
    write_json(tmp_path / "b", {"y": [1.5, None, "ü"], "x": 1})
    assert sha256_file(tmp_path / "a") == sha256_file(tmp_path / "b")
    assert read_json(tmp_path / "a") == {"x": 1, "y": [1.5, None, "ü"]}


def test_what_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "cut.json").write_text('{"a": ')
    with pytest.raises(NanosnakeError, match=r"cut\.json.*delete it"):
        read_json(tmp_path / "cut.json")
