"""The record of a job: written by the script itself, on the host it ran on, next to its log.

A rule names the log in NANOSNAKE_LOG; without that variable, as when a script is run by hand, nothing is
written. The record describes the state when the job ran: a result that is not recomputed keeps its record, whatever
the commit is now.
"""

from __future__ import annotations

import hashlib
import os
import platform
import resource
import socket
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nanosnake import __version__
from nanosnake.files import read_json, sha256_file, write_json
from nanosnake.layout import record_of
from nanosnake.provenance.code import loaded_files, work_tree
from nanosnake.provenance.run_id import run_id

VARIABLE = "NANOSNAKE_LOG"

ALWAYS = ("nanosnake-rustbpe", "snakemake")
WHERE_LOADED = ("altair", "boto3", "numpy", "pyarrow", "safetensors", "tiktoken", "tokenizers", "torch")
"""Packages whose version is recorded if the job has imported them."""


def recorded(main: Callable[[list[str] | None], int]) -> int:
    """Run a script's `main`, leave the record that its rule asks for, and return the code of `main`.

    A job that fails leaves no record, not even that of an earlier run. In a job of many processes, the first
    writes it.
    """
    log = os.environ.get(VARIABLE)
    if not log or os.environ.get("RANK", "0") != "0":
        return main(None)
    path = Path(record_of(log))
    path.unlink(missing_ok=True)
    record = Record(path)
    _of_this_job.append(record)
    code = main(None)
    if code == 0:
        record.write()
    return code


_of_this_job: list[Record] = []
"""The record of the job of this process, if its rule asks for one."""


def write_environment(path: Path) -> None:
    """Write this job's environment, for a later job that takes over its result; nothing if the job is not recorded."""
    for record in _of_this_job:
        write_json(path, record.environment())


def take_environment(path: Path) -> None:
    """Record the environment of the earlier job whose result this job takes over.

    That job may have been killed between its last result and its record. Without a file at `path`, the record
    has this job's environment.
    """
    for record in _of_this_job:
        if path.is_file():
            record.taken = read_json(path)


class Record:
    """What is known when a job begins; `write` adds what is known when it has succeeded."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.began = datetime.now(UTC)
        self.clock = time.monotonic()
        self.tree = work_tree()
        self.files: dict[str, str] = {}
        self.taken: dict[str, Any] | None = None
        self._hash_new_files()

    def write(self) -> None:
        """Write the record of a job that has succeeded."""
        write_json(self.path, {**self._job(), "environment": self.taken or self.environment()})

    def _hash_new_files(self) -> None:
        """Hash the files loaded since the last call, because files may change while a long job runs."""
        new = {name: path for name, path in loaded_files().items() if name not in self.files}
        self.files |= {name: sha256_file(path) for name, path in new.items()}

    def _job(self) -> dict[str, Any]:
        own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB on Linux
        return {
            "run": run_id(),
            "script": Path(sys.argv[0]).name,
            "arguments": sys.argv[1:],
            "began": self.began.isoformat(timespec="seconds"),
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self.clock, 3),
            "cpu_seconds": round(sum((own.ru_utime, own.ru_stime, children.ru_utime, children.ru_stime)), 3),
            "peak_memory_bytes": max(own.ru_maxrss, children.ru_maxrss) * unit,
            "scheduler_job": os.environ.get("SLURM_JOB_ID"),
        }

    def environment(self) -> dict[str, Any]:
        """Return what many jobs have in common; a manifest writes it once."""
        self._hash_new_files()
        lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(self.files.items()))
        return {
            "code": {
                **self.tree.as_json(),
                "loaded": sorted(self.files),
                "loaded_sha256": hashlib.sha256(lines.encode()).hexdigest(),
            },
            "versions": versions(),
            "host": {
                "name": socket.gethostname(),
                "system": platform.platform(),
                "machine": platform.machine(),
                "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
                "gpus": gpus(),
            },
        }


def versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of what the job has loaded."""
    found = {"python": platform.python_version(), "nanosnake": __version__}
    for name in (*ALWAYS, *(name for name in WHERE_LOADED if name in sys.modules)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # an environment for jobs need not hold Snakemake
            continue
    return found


def gpus() -> list[str]:
    """Return the names of the GPUs that this process has used, without importing PyTorch to find out."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return []
    return [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
