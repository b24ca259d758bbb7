"""A workflow of a few jobs that end when a file appears, under the project's own handling of locks and leftovers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from nanosnake.provenance.run_id import RUN_VARIABLE
from workflow.project import REPOSITORY

SNAKEFILE = """\
import sys

from nanosnake.provenance.run_id import run_id
from nanosnake.snakemake_internals import Run
from nanosnake.workflow.leftovers import Leftovers

run_id()
leftovers = Leftovers(Run(workflow), settle=lambda: None, begin=lambda: None)


rule left:
    input:
        leftovers.settle,
        "made/left",


rule right:
    input:
        leftovers.settle,
        "made/right",


rule both:
    default_target: True
    input:
        leftovers.settle,
        "made/left",
        "made/right",


rule make:
    output:
        "made/{name}",
    params:
        python=sys.executable,
    shell:
        "echo {wildcards.name} >> begun; NANOSNAKE_LOG=log {params.python:q} wait.py {wildcards.name};"
        " echo whole > {output}"


onstart:
    leftovers.start()


onerror:
    leftovers.stop_what_is_left()
"""

WAIT = """\
import sys, time
from pathlib import Path
while not Path("release." + sys.argv[1]).exists():
    time.sleep(0.05)
"""


class Small:
    """The workflow in a folder. `made/left` waits for `release.left`, `made/right` for `release.right`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("rules", "profiles/default"):
            shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "Snakefile").write_text(SNAKEFILE)
        (folder / "wait.py").write_text(WAIT)
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Snakemake; what it prints goes to a file of its own, see `printed`."""
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        environment = {name: value for name, value in os.environ.items() if name != RUN_VARIABLE}
        with (self.folder / f"printed.{len(self.processes)}").open("wb") as stream:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def printed(self, process: subprocess.Popen[bytes]) -> str:
        """Return what a Snakemake has printed."""
        return (self.folder / f"printed.{self.processes.index(process)}").read_text()

    def begun(self) -> list[str]:
        """Return the jobs that have begun, in order."""
        file = self.folder / "begun"
        return file.read_text().split() if file.exists() else []

    def release(self, *names: str) -> None:
        """Let jobs end."""
        for name in names:
            (self.folder / f"release.{name}").touch()

    def close(self) -> None:
        """Let all end that is still at work."""
        self.release("left", "right")
        for process in self.processes:
            process.kill()
            process.wait()


def wait_until(true: Callable[[], object], what: str, seconds: float = 90) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still not: {what}"
        time.sleep(0.05)
