"""The record that a script leaves of its own run: only where one is asked for, and only of a run that ended well."""

from __future__ import annotations

import json
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nanosnake import __version__

SCRIPTS = Path(__file__).parents[2] / "scripts"
SCRIPT = f"""
import sys
sys.path.insert(0, {str(SCRIPTS)!r})

from nanosnake.files import NanosnakeError
from nanosnake.process import run_main

def main(argv):
    {{body}}

if __name__ == "__main__":
    run_main(main)
"""


def run(folder: Path, body: str, *arguments: str, **variables: str) -> dict[str, Any] | None:
    """Run a script that asks for a record; return the record, None if there is none."""
    script, record = folder / "some_script.py", folder / "logs/record.json"
    script.write_text(SCRIPT.format(body=body))
    environment = {**os.environ, "NANOSNAKE_LOG": str(record.with_suffix(".log")), **variables}
    subprocess.run(
        [sys.executable, str(script), *arguments], env=environment, capture_output=True, check=False
    )
    return json.loads(record.read_text()) if record.exists() else None


def test_a_record_says_what_ran_where_and_when(tmp_path: Path) -> None:
    record = run(tmp_path, "import pyarrow; return 0", "--threads", "2", NANOSNAKE_RUN_ID="this-run")
    assert record is not None
    assert (record["script"], record["arguments"]) == ("some_script.py", ["--threads", "2"])
    assert record["run"] == "this-run"
    assert record["began"] <= record["ended"]
    assert record["began"].endswith("+00:00")
    assert 0 < record["cpu_seconds"] < 60
    assert 1e6 < record["peak_memory_bytes"] < 1e10
    environment = record["environment"]
    assert environment["host"]["name"] == socket.gethostname()
    assert environment["versions"]["python"] == platform.python_version()
    assert environment["versions"]["nanosnake"] == __version__
    assert {"nanosnake-rustbpe", "snakemake", "pyarrow"} <= environment["versions"].keys()
    assert "torch" not in environment["versions"], "it was not loaded"
    assert {"commit", "dirty", "changes_sha256", "loaded", "loaded_sha256", "problem"} == environment[
        "code"
    ].keys()


def test_what_was_loaded_on_the_way_is_hashed_too(tmp_path: Path) -> None:
    hashes = []
    for body in ("return 0", "return 0", "import nanosnake.naming; return 0"):
        record = run(tmp_path, body)
        assert record is not None
        hashes.append(record["environment"]["code"]["loaded_sha256"])
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("body", ["return 1", "raise NanosnakeError('no')", "raise ValueError('a defect')"])
def test_a_run_that_fails_leaves_none_and_takes_the_old_one_away(tmp_path: Path, body: str) -> None:
    assert run(tmp_path, "return 0") is not None
    assert run(tmp_path, body) is None


def test_of_many_processes_the_first_writes_it(tmp_path: Path) -> None:
    assert run(tmp_path, "return 0", RANK="1") is None
    assert run(tmp_path, "return 0", RANK="0") is not None


def test_by_hand_nothing_is_written(tmp_path: Path) -> None:
    assert run(tmp_path, "return 0", NANOSNAKE_LOG="") is None
    assert [path.name for path in tmp_path.iterdir()] == ["some_script.py"]
