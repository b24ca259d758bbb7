"""Re-hash what a manifest names, and report what differs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from nanosnake.closures import meaning
from nanosnake.files import NanosnakeError, read_json, sha256_file
from nanosnake.provenance.manifest import FORMAT, SEAL, seal_of

MAY_BE_GONE = ("shard", "tokens", "made")
"""Kinds of inputs that are recomputed when needed, and may be deleted when not."""

Say = Callable[[int, int], None]


@dataclass(frozen=True)
class Outcome:
    """What was found."""

    problems: tuple[str, ...]
    """A line for each difference."""
    files: int
    file_bytes: int
    inputs: int
    input_bytes: int
    gone: int
    """Inputs that were made by a rule and no longer exist."""
    looked_at_inputs: bool

    @property
    def summary(self) -> str:
        """The last line of the output: how much was checked, and the result."""
        parts = [f"{self.files:,} files, {self.file_bytes:,} bytes"]
        if self.looked_at_inputs:
            parts.append(f"made from {self.inputs:,} inputs, {self.input_bytes:,} bytes")
        if self.problems:
            one = len(self.problems) == 1
            parts.append(f"{len(self.problems):,} of these differ{'s' if one else ''}")
        else:
            parts.append("all as recorded")
        if self.gone:
            parts.append(f"{self.gone:,} more inputs were deleted since, which is allowed")
        return ", ".join(parts)


def verify(path: Path, *, inputs: bool = True, threads: int = 4, say: Say | None = None) -> Outcome:
    """Check everything that a manifest names.

    Args:
        path: the manifest.
        inputs: whether to check the inputs too, which exist only if the manifest is in its project.
        threads: how many files are hashed at once.
        say: called with the bytes that are done and their total.

    Raises:
        NanosnakeError: if it is not a manifest.
    """
    manifest = read_manifest(path)
    where = path.absolute().parent
    looked_at_inputs = inputs and in_place(path, manifest)
    entries = [Entry(where, manifest, entry, "") for entry in manifest["files"]]
    if looked_at_inputs:
        entries += [Entry(where, manifest, entry, entry["kind"]) for entry in manifest["inputs"]]
    problems = list(edited(path, manifest))
    present = []
    gone = 0
    for entry in entries:
        if entry.path.is_file():
            present.append(entry)
        elif entry.kind in MAY_BE_GONE:
            gone += 1
        else:
            problems.append(f"{entry.name}: missing")
    problems += mismatches(present, threads, say)
    own = [entry for entry in present if not entry.kind]
    others = [entry for entry in present if entry.kind]
    return Outcome(
        problems=tuple(problems),
        files=len(manifest["files"]),
        file_bytes=sum(entry.bytes for entry in own),
        inputs=len(others),
        input_bytes=sum(entry.bytes for entry in others),
        gone=gone,
        looked_at_inputs=looked_at_inputs,
    )


class Entry:
    """A file that a manifest names; `kind` is empty for the manifest's own files."""

    def __init__(self, where: Path, manifest: Mapping[str, Any], entry: Mapping[str, Any], kind: str) -> None:
        self.name = f"input {entry['path']}" if kind else str(entry["path"])
        self.bytes, self.sha256, self.kind = int(entry["bytes"]), str(entry["sha256"]), kind
        self.meaning = entry.get("meaning")
        from_manifest = os.path.relpath(entry["path"], PurePosixPath(manifest["path"]).parent)
        is_absolute = Path(entry["path"]).is_absolute()
        self.path = Path(entry["path"]) if is_absolute else Path(os.path.normpath(where / from_manifest))

    def problem(self, sha256: str) -> str | None:
        """Return the difference, if there is one."""
        size = self.path.stat().st_size
        if self.meaning is not None and sha256 != self.sha256 and meaning(self.path) == self.meaning:
            return None  # code in which only comments changed
        if size != self.bytes:
            return f"{self.name}: has {size:,} bytes, recorded were {self.bytes:,}"
        if sha256 != self.sha256:
            return f"{self.name}: SHA-256 is {sha256}, recorded was {self.sha256}"
        return None


def mismatches(entries: Sequence[Entry], threads: int, say: Say | None) -> list[str]:
    """Read all files and return the differences; a shard and the file that it links to are read once."""
    files: dict[tuple[int, int], Path] = {}
    keys = []
    for entry in entries:
        stat = entry.path.stat()
        keys.append((stat.st_dev, stat.st_ino))
        files.setdefault(keys[-1], entry.path)
    total, done, hashes = sum(path.stat().st_size for path in files.values()), 0, {}
    with ThreadPoolExecutor(threads) as pool:
        for (key, path), sha256 in zip(files.items(), pool.map(sha256_file, files.values()), strict=True):
            hashes[key] = sha256
            done += path.stat().st_size
            if say is not None:
                say(done, total)
    found = (entry.problem(hashes[key]) for entry, key in zip(entries, keys, strict=True))
    return [problem for problem in found if problem is not None]


def edited(path: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line if the manifest has changed since it was written."""
    found = seal_of(manifest)
    if manifest.get(SEAL) != found:
        yield f"{path}: was edited: its content has the SHA-256 {found}, its seal says {manifest.get(SEAL)}"


def in_place(path: Path, manifest: Mapping[str, Any]) -> bool:
    """Return whether a manifest is in its project, together with inputs that it was made from.

    A copy of all results has the same names of folders but none of the user's files and the code.
    """
    recorded = PurePosixPath(manifest["path"]).parts
    if path.absolute().parts[-len(recorded) :] != recorded:
        return False
    project = path.absolute().parents[len(recorded) - 1]
    own = [entry["path"] for entry in manifest["inputs"] if entry["kind"] not in MAY_BE_GONE]
    return any((project / name).exists() for name in own if not Path(name).is_absolute())


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the content of a manifest.

    Raises:
        NanosnakeError: if it is not a manifest; the message says what it is.
    """
    if not path.is_file():
        raise NanosnakeError(f"{path}: no such file; name a manifest.json written by a run of Snakemake")
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        seen = value.get("format") if isinstance(value, dict) else type(value).__name__
        raise NanosnakeError(
            f"{path}: is not a manifest that this version can read: its format is {seen!r}, wanted {FORMAT!r}"
        )
    missing = [key for key in ("path", "files", "inputs") if key not in value]
    if missing:
        raise NanosnakeError(
            f"{path}: has no {', '.join(missing)}: it was edited; run Snakemake again to write it"
        )
    return value
