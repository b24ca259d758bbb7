"""Which Snakemake hands in the jobs of a folder, so that one that was killed is told from one that is at work.

Each run on a cluster leaves a file named after its host and process in `.snakemake/nanosnake`, and takes it away
when it ends; a killed one cannot.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(".snakemake/nanosnake")


@dataclass(frozen=True)
class Owner:
    """A Snakemake that said it hands in jobs."""

    host: str
    pid: int
    born: str
    """When the process began, in the kernel's ticks since the host's start: numbers of processes come again."""

    @property
    def here(self) -> bool:
        """Whether it ran on this host."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether it runs, as far as can be known: one on another host is taken to run."""
        return not self.here or _born(self.pid) == self.born


def _born(pid: int) -> str:
    """Return when a process began; nothing where it has ended."""
    try:
        _, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    except OSError:
        return ""
    state, *fields = rest.split()
    return "" if state in "ZX" else fields[18]


def sign(folder: Path) -> Path:
    """Say that this process hands in the jobs of `folder`; return the file, which it removes in the end."""
    file = folder / FOLDER / f"{socket.gethostname()}.{os.getpid()}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_born(os.getpid()))
    return file


def owners(folder: Path) -> dict[Path, Owner]:
    """Return who said that it hands in the jobs of `folder`, and did not take it back, by file."""
    found = {}
    for file in sorted((folder / FOLDER).glob("*")):
        host, _, pid = file.name.rpartition(".")
        if pid.isdigit():
            found[file] = Owner(host, int(pid), file.read_text())
    return found
