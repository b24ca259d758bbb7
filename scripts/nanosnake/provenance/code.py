"""Which code ran: the commit of its repository, what differs from it, and the modules that were loaded."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[3]
"""Folder of the Snakefile that this library belongs to."""

CODE = ("Snakefile", "rules", "scripts", "rustbpe")
"""Where an untracked file counts as a change; elsewhere it does not, as in git."""

ATTEMPTS = 3
"""How often to run git, if something kills it."""


@dataclass(frozen=True)
class WorkTree:
    """The state of the repository that code is in."""

    commit: str | None
    """None if there is no repository; `problem` says why."""
    dirty: bool | None
    """Whether a tracked file differs from the commit, or an untracked file is among the code."""
    changes_sha256: str | None
    """SHA-256 of all that differs: two dirty trees with the same digest are the same."""
    problem: str | None

    def as_json(self) -> dict[str, Any]:
        """Return the fields."""
        return asdict(self)


def work_tree(folder: Path = REPOSITORY) -> WorkTree:
    """Return the state of the repository of `folder`; a missing repository or git is not an error."""
    try:
        status = _git(folder, "status", "--porcelain=v2", "--branch", "--untracked-files=no").splitlines()
        listed = _git(
            folder, "ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard", "--", *CODE
        )
    except (OSError, subprocess.SubprocessError) as error:
        return WorkTree(None, None, None, _why(error))
    names = [entry for entry in listed.split("\0") if entry]
    others = [name[2:] for name in names if name.startswith("? ")]
    if len(others) == len(names):
        return WorkTree(None, None, None, f"the repository around {folder} does not track its code")
    commit = status[0].removeprefix("# branch.oid ")
    if commit == "(initial)":
        return WorkTree(None, None, None, "the repository has no commit yet")
    if all(line.startswith("#") for line in status) and not others:
        return WorkTree(commit, False, None, None)
    return WorkTree(commit, True, _changes(folder, others), None)


def _changes(folder: Path, others: list[str]) -> str:
    """Return the digest of all that differs from the commit."""
    diff = ("diff", "HEAD", "--binary", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames")
    digest = hashlib.sha256(_git(folder, *diff).encode(errors="surrogateescape"))
    for name in sorted(others):
        digest.update(f"\0{name}\0".encode(errors="surrogateescape"))
        digest.update((folder / name).read_bytes() if (folder / name).is_file() else b"")
    return digest.hexdigest()


def _git(folder: Path, *arguments: str) -> str:
    """Return what git prints; it takes no lock, so that parallel jobs do not collide.

    If git was killed, for instance when memory ran out, it is run again: no answer says nothing about the repository.
    """
    for _ in range(ATTEMPTS):
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=60,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
        )
        if done.returncode >= 0:
            break
    done.check_returncode()
    return done.stdout


def _why(error: Exception) -> str:
    """Return why the repository could not be read, in one line."""
    said = getattr(error, "stderr", None)
    if said:
        return str(said).strip().splitlines()[0]
    return "git is not installed" if isinstance(error, FileNotFoundError) else str(error)


def loaded_files() -> dict[str, Path]:
    """Return our own files that this process has loaded, by name: the script, modules, the crate."""
    script = Path(sys.argv[0]).resolve()
    found = {script.name: script} if script.suffix == ".py" and script.is_file() else {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        is_crate = name.partition(".")[0] == "rustbpe" and str(file).endswith(".so")
        if file and (name.partition(".")[0] == "nanosnake" or is_crate):
            found[name] = Path(file)
    return found
