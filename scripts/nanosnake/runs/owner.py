"""Which Snakemake runs the jobs of a folder, to tell a killed one from an active one.

Each run writes a file named after its host and process to `.snakemake/nanosnake`, and removes it when it ends, which a
killed run cannot do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from nanosnake.files import replacing
from nanosnake.messages import log
from nanosnake.provenance.run_id import run_id
from nanosnake.runs.orphans import born

OWNERS = Path(".snakemake/nanosnake")


@dataclass(frozen=True)
class Owner:
    """A Snakemake that has registered as running jobs."""

    host: str
    pid: int
    born: str
    """When the process began, in the kernel's ticks since the host's start: process ids are reused."""
    run: str = ""
    """The name of its run, which its jobs inherit."""
    space: str = ""
    """The kernel's name of its process-id namespace: containers of one host may have their own."""

    @property
    def here(self) -> bool:
        """Whether it ran on this host, where its process could be seen."""
        return self.host == socket.gethostname() and self.space in ("", _space())

    @property
    def alive(self) -> bool:
        """Whether it runs, as far as can be known: one on another host is assumed to run."""
        return not self.here or born(self.pid) == self.born

    def __str__(self) -> str:
        return f"process {self.pid} on {'this host' if self.here else f'host {self.host}'}"


def sign(folder: Path) -> Path:
    """Register this process as running the jobs of `folder`; return the file, which it removes at its end."""
    file = folder / OWNERS / f"{socket.gethostname()}.{os.getpid()}"
    with replacing(file) as temporary:
        temporary.write_text(f"{born(os.getpid())} {run_id()} {_space()}")
    return file


def _space() -> str:
    """Return the name of the process-id namespace; nothing if the kernel has none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def take_turn(folder: Path) -> int:
    """Wait until no other Snakemake plans in `folder`; return a handle; closing it, or a kill, ends the turn.

    Snakemake looks for locks and then writes its own; of two that look at the same time, both would find none.
    """
    file = folder / OWNERS / "turn"
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log(
            f"another run plans in {folder}, or waits for jobs of an earlier one; waiting until it has planned"
        )
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        pass  # some network file systems have no locks; Snakemake's own are left
    return handle


def owners(folder: Path) -> dict[Path, Owner]:
    """Return, by file, who has registered as running the jobs of `folder` and has not deregistered."""
    found = {}
    for file in sorted((folder / OWNERS).glob("*")):
        host, _, pid = file.name.rpartition(".")
        if not pid.isdigit():
            continue
        with contextlib.suppress(FileNotFoundError):  # it has just ended
            found[file] = Owner(host, int(pid), *file.read_text().split(" ", 2))
    return found
