"""The helpers of the command-line modules: exit codes, messages, progress lines."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nanosnake.messages import Progress, duration

SCRIPT = """
import sys, time
from nanosnake.messages import log
from nanosnake.process import run_main
from nanosnake.files import NanosnakeError, replacing

def main(argv):
    {body}
    return 0

run_main(main)
"""


def script(folder: Path, body: str) -> list[str]:
    path = folder / "some_script.py"
    path.write_text(SCRIPT.format(body=body))
    return [sys.executable, str(path)]


def run(folder: Path, body: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*script(folder, body), *arguments], capture_output=True, text=True, env={**os.environ, **variables}
    )


def test_success_prints_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "pass")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_code_of_main_is_the_exit_code(tmp_path: Path) -> None:
    assert run(tmp_path, "return 3").returncode == 3


def test_expected_error_is_one_message(tmp_path: Path) -> None:
    done = run(tmp_path, "raise NanosnakeError('a.json: no key \"x\"; add it')")
    assert done.returncode == 1
    assert done.stderr == 'some_script.py: error: a.json: no key "x"; add it\n'


def test_os_error_names_the_file(tmp_path: Path) -> None:
    done = run(tmp_path, "open('absent/file')")
    assert done.returncode == 1
    assert done.stderr == "some_script.py: error: absent/file: No such file or directory\n"


def test_full_disk(tmp_path: Path) -> None:
    done = run(tmp_path, "print('x', file=open('/dev/full', 'w'), flush=True)")
    assert done.returncode == 1
    assert done.stderr == "some_script.py: error: No space left on device; make room and run again\n"


def wait_for(path: Path) -> None:
    """Wait until a process has made a file."""
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells of the end of a parent on Linux alone")
def test_a_job_ends_with_its_shell(tmp_path: Path) -> None:
    """Without the variable that a rule sets, it is a person's, who may close the shell."""
    body = "open('begun', 'w').close(); time.sleep(3); open('made', 'w').close()"
    for number, variables in enumerate(({}, {"NANOSNAKE_LOG": "job.log"})):
        folder = tmp_path / str(number)
        folder.mkdir()
        python, path = script(folder, body)
        shell = subprocess.Popen(
            ["bash", "-c", f"'{python}' '{path}' 2> said; true"], cwd=folder, env={**os.environ, **variables}
        )
        wait_for(folder / "begun")
        shell.kill()
        shell.wait()
    wait_for(tmp_path / "0/made")
    time.sleep(0.5)
    assert (tmp_path / "1/said").read_text() == "some_script.py: error: stopped by SIGTERM\n"
    assert not (tmp_path / "1/made").exists()


def test_verbose_shows_the_traceback(tmp_path: Path) -> None:
    for done in (
        run(tmp_path, "raise NanosnakeError('wrong')", "--verbose"),
        run(tmp_path, "raise NanosnakeError('wrong')", NANOSNAKE_TRACEBACK="1"),
    ):
        assert done.returncode == 1
        assert "Traceback" in done.stderr
        assert done.stderr.endswith("some_script.py: error: wrong\n")


def test_a_defect_keeps_its_traceback(tmp_path: Path) -> None:
    done = run(tmp_path, "{}['key']")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "KeyError: 'key'" in done.stderr


@pytest.mark.parametrize(
    ("number", "code", "name"), [(signal.SIGINT, 130, "Ctrl-C"), (signal.SIGTERM, 143, "SIGTERM")]
)
def test_a_signal_removes_temporary_files(tmp_path: Path, number: int, code: int, name: str) -> None:
    body = f"""with replacing({str(tmp_path / "out" / "file")!r}) as temporary:
        temporary.write_text("half")
        log("ready")
        time.sleep(30)"""
    process = subprocess.Popen(script(tmp_path, body), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    assert list((tmp_path / "out").iterdir())
    process.send_signal(number)
    assert process.stderr.read() == f"some_script.py: error: stopped by {name}\n"
    assert process.wait() == code
    assert list((tmp_path / "out").iterdir()) == []


def test_a_signal_in_the_middle_of_a_line(tmp_path: Path) -> None:
    """Python refuses to write a line while it writes one, which the pipe, full and read by nobody, holds up."""
    (tmp_path / "out").mkdir()
    body = f"""open({str(tmp_path / "out/begun")!r}, "w").close()
    while True:
        log("x" * 1000)"""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(script(tmp_path, body), stderr=subprocess.PIPE, text=True, env=buffered)
    wait_for(tmp_path / "out/begun")
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 143
    assert said.endswith("some_script.py: error: stopped by SIGTERM\n")
    assert "Traceback" not in said


def test_a_reader_that_goes_away(tmp_path: Path) -> None:
    command = [*script(tmp_path, "print('x\\\\n' * 1_000_000)")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 1


def test_progress_line() -> None:
    progress = Progress("shard_00000", 100_000_000, unit="MB", scale=1e6, start=10_000_000)
    assert progress.line(30_000_000, 2.0) == "shard_00000: 30.0 of 100.0 MB (30%), 10.0 MB/s, 7 s left"
    assert progress.line(100_000_000, 9.0) == "shard_00000: 100.0 of 100.0 MB (100%), 10.0 MB/s"
    assert (
        Progress("counting", unit="documents").line(2500, 0.5)
        == "counting: 2,500 documents, 5,000 documents/s"
    )


def test_progress_in_a_log_is_a_line_now_and_then() -> None:
    stream = io.StringIO()
    with Progress("counting", 1000, every=0.05, stream=stream) as progress:
        for done in range(1000):
            progress(done, 1000)
            time.sleep(0.0002)
    lines = stream.getvalue().splitlines()
    assert 1 <= len(lines) <= 40
    assert all(line.startswith("counting: ") for line in lines)


def test_progress_on_a_terminal_rewrites_one_line() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with Progress("counting", 10, stream=stream) as progress:
        progress.shown -= 1
        progress(5)
        assert stream.getvalue().startswith("\rcounting: 5 of 10 (50%)")
    assert stream.getvalue().endswith(" \r")
    assert "\n" not in stream.getvalue()


def test_duration() -> None:
    assert [duration(s) for s in (0.4, 59.4, 60, 200, 7500)] == [
        "0 s",
        "59 s",
        "1 min 0 s",
        "3 min 20 s",
        "2 h 5 min",
    ]
