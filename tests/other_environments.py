"""Environments of their own, for the versions of other libraries that ours does not have."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PRIVATE = ("VIRTUAL_ENV", "PYTHONPATH")


@dataclass(frozen=True)
class Environment:
    """A virtual environment with other packages."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, *packages: str) -> Environment:
        """Make an environment with packages, each given as `uv pip install` takes it."""
        uv = shutil.which("uv")
        assert uv is not None
        made = cls(folder)
        made._run(uv, "venv", "-q", str(folder), "--python", "3.11")
        made._run(uv, "pip", "install", "-q", "--python", str(folder / "bin/python"), *packages)
        return made

    def run(self, program: str, *arguments: str | Path, stdin: str = "") -> str:
        """Run a program of the environment, away from the network's hubs; return what it printed."""
        return self._run(str(self.folder / "bin" / program), *map(str, arguments), stdin=stdin)

    def _run(self, *command: str, stdin: str = "") -> str:
        variables = {name: value for name, value in os.environ.items() if name not in PRIVATE}
        variables |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(self.folder / "hub")}
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, env=variables
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout
