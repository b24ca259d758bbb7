"""One name for a run: made once, inherited by the processes that the run starts."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from nanosnake.provenance.run_id import RUN_VARIABLE, run_id


def test_a_run_has_one_name_which_its_processes_inherit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN_VARIABLE, "x")
    monkeypatch.delenv(RUN_VARIABLE)
    made = run_id()
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{8}", made)
    assert run_id() == made
    asked = subprocess.run(
        [sys.executable, "-c", "from nanosnake.provenance.run_id import run_id; print(run_id())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.strip() == made
