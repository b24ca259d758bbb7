"""The stubs say what the module has, and the module imports quickly."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest


def test_stubs_match_the_module() -> None:
    allowed = Path(__file__).with_name("stubtest_allowed.txt")
    command = [sys.executable, "-m", "mypy.stubtest", "rustbpe", "--allowlist", str(allowed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_stubs_are_in_the_package() -> None:
    files = {str(file) for file in importlib.metadata.files("nanosnake-rustbpe") or []}
    assert {"rustbpe/__init__.pyi", "rustbpe/py.typed"} <= files


def test_import_takes_under_20_ms() -> None:
    script = (
        "import time, sys\nstart = time.process_time()\nimport rustbpe\nprint(time.process_time() - start)\n"
        "assert 'numpy' not in sys.modules and 'pyarrow' not in sys.modules"
    )
    seconds = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        seconds.append(float(done.stdout))
    assert min(seconds) < 0.02


@pytest.mark.parametrize("name", ["PatternError", "FileFormatError", "InvalidValueError"])
def test_exceptions_have_one_base(name: str) -> None:
    import rustbpe

    assert issubclass(getattr(rustbpe, name), rustbpe.RustbpeError)
    # code for the public package catches ValueError where a pattern or an id is wrong
    assert issubclass(getattr(rustbpe, name), ValueError) == (name != "FileFormatError")
    assert getattr(rustbpe, name).__module__ == "rustbpe"


def test_the_names_of_patterns_come_in_one_order() -> None:
    program = "import rustbpe; print(list(rustbpe.PATTERNS))"
    runs = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
        for _ in range(4)
    }
    assert len(runs) == 1
