"""The manifest: what each published file was made from, by which job, where and when.

A manifest is JSON:

- `format`, `path`: its own format, and where it is, as the rules name it. Files are found relative to it, so that a
  folder that was copied elsewhere can be verified too.
- `run`: id of the run that wrote it, when, and for which dataset, tokenizer and part.
- `config`: the settings with every default.
- `files`: `path`, `bytes`, `sha256`, and `job`, a place in the list of jobs or null.
- `inputs`: `path`, `bytes`, `sha256`, `kind` of what the files were made from; of code, `meaning` too, a digest
  that comments and formatting do not change.
- `jobs`: each with its rule, script, arguments, inputs, outputs, times, figures, and places in the two lists below.
- `environments`: commit and state of the code, versions, host. `code`: lists of our own files.
- `seal`: SHA-256 of all the rest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from nanosnake.closures import meaning
from nanosnake.files import NanosnakeError, read_json, sha256_file
from nanosnake.layout import TOKEN_HASHES
from nanosnake.provenance.jobs import Job, Jobs
from nanosnake.provenance.run_id import run_id
from nanosnake.provenance.words import code_words

FORMAT = "nanosnake.manifest.1"
SEAL = "seal"

Kind = Literal["given", "code", "shard", "tokens", "made"]
"""Kinds of inputs: the user's own, our code, a shard, a token shard, another file that a rule made."""


@dataclass(frozen=True)
class Subject:
    """What a manifest describes."""

    path: str
    """Path of the manifest."""
    files: tuple[str, ...]
    dataset: str
    tokenizer: str
    part: str
    """tokenizer, tokens, or the model's name."""
    config: Mapping[str, Any]
    code: str
    """Folder of the Snakefile, as the rules name it; files below its `scripts` and `rustbpe` are code."""


def build(subject: Subject, project: Path) -> dict[str, Any]:
    """Return the manifest of files that exist.

    Args:
        subject: what the manifest describes.
        project: the folder that all paths are relative to.

    Raises:
        NanosnakeError: if a file is missing.
    """
    hashes = Hashes(project)
    walk = Walk(subject, Jobs(project, subject.code), hashes)
    files = [walk.file(path) for path in sorted(subject.files)]
    inputs = sorted(walk.inputs(), key=lambda entry: str(entry["path"]))
    return sealed(
        {
            "format": FORMAT,
            "path": subject.path,
            "run": {
                "id": run_id(),
                "made": datetime.now(UTC).isoformat(timespec="seconds"),
                "dataset": subject.dataset,
                "tokenizer": subject.tokenizer,
                "part": subject.part,
            },
            "config": subject.config,
            "files": files,
            "inputs": inputs,
            "jobs": walk.jobs,
            "environments": walk.environments,
            "code": walk.code,
        }
    )


def sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the manifest with the digest of its content, which replaces an earlier one."""
    content = {key: value for key, value in manifest.items() if key != SEAL}
    return {**content, SEAL: seal_of(content)}


def seal_of(manifest: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest's content, independent of white space and the order of keys."""
    content = {key: value for key, value in manifest.items() if key != SEAL}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


HASHES_NEXT_TO = {".parquet": "sha256", **{ending: key for key, ending in TOKEN_HASHES.items()}}
"""Keys of the hashes that a JSON file next to a file has, by the file's ending."""


class Hashes:
    """Sizes and hashes of files; hashes taken when a file was made are reused."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self._by_file: dict[tuple[int, int], str] = {}

    def of(self, path: str) -> dict[str, Any]:
        """Return path, size and SHA-256 of a file.

        Raises:
            NanosnakeError: if there is no such file.
        """
        try:
            stat = (self.project / path).stat()
        except FileNotFoundError:
            raise NanosnakeError(f"{path}: is missing; run Snakemake again to make it") from None
        key = (stat.st_dev, stat.st_ino)  # a linked shard and its target are the same file
        if key not in self._by_file:
            self._by_file[key] = self._noted(path) or sha256_file(self.project / path)
        return {"path": path, "bytes": stat.st_size, "sha256": self._by_file[key]}

    def _noted(self, path: str) -> str | None:
        """Return the hash that the JSON file next to a shard or a token shard holds."""
        for ending, key in HASHES_NEXT_TO.items():
            facts = self.project / (path.removesuffix(ending) + ".json")
            if path.endswith(ending) and facts.is_file():
                noted: str | None = read_json(facts).get(key)
                return noted
        return None


class Walk:
    """Follows files to the jobs that made them, and these to their inputs, up to what no rule made."""

    def __init__(self, subject: Subject, found: Jobs, hashes: Hashes) -> None:
        self.subject, self.found, self.hashes = subject, found, hashes
        self.jobs: list[dict[str, Any]] = []
        self.environments: list[Mapping[str, Any]] = []
        self.code: list[list[str]] = []
        self._numbers: dict[str, int] = {}
        self._direct: set[str] = set()
        """Inputs of the jobs that made the subject's files: they are hashed, whatever they are."""
        self._others: set[str] = set()
        self._code: set[str] = set()

    def file(self, path: str) -> dict[str, Any]:
        """Return the entry of one of the subject's files."""
        job = self.found.of(path)
        if job is not None:
            self._direct.update(job.inputs)
        return {**self.hashes.of(path), "job": self._number(path)}

    def inputs(self) -> Iterator[dict[str, Any]]:
        """Yield the entries of what the files were made from, after all files were followed.

        Intermediate files, such as counts of single shards, are named by their jobs but not hashed; nor are files that a
        rule made and somebody has deleted since.
        """
        for path in self._code:
            yield {**self.hashes.of(path), "kind": "code", "meaning": meaning(self.hashes.project / path)}
        for path in (self._direct | self._others) - set(self.subject.files):
            kind = self.kind(path)
            if kind == "given" or (
                (self.hashes.project / path).is_file() and (kind != "made" or path in self._direct)
            ):
                yield {**self.hashes.of(path), "kind": kind}

    def kind(self, path: str) -> Kind:
        """Return what an input is."""
        if self.found.of(path) is None:
            return "given"
        if path.endswith(".parquet"):
            return "shard"
        return "tokens" if path.endswith(tuple(TOKEN_HASHES.values())) else "made"

    def _number(self, path: str) -> int | None:
        """Return the place of the job that made a file, after following its inputs; None if nothing is known."""
        pending = [path]
        while pending:
            current = pending.pop()
            job = self.found.of(current)
            if job is None:
                continue
            if job.key in self._numbers:
                outputs = self.jobs[self._numbers[job.key]]["outputs"]
                outputs.extend({current} - set(outputs))
                continue
            self._numbers[job.key] = len(self.jobs)
            self.jobs.append(self._entry(job, current))
            self._others.update(job.inputs)
            self._code.update(job.code)
            pending.extend(job.inputs)
        job = self.found.of(path)
        return None if job is None else self._numbers[job.key]

    def _entry(self, job: Job, output: str) -> dict[str, Any]:
        """Return what the manifest says about a job."""
        own = {key: value for key, value in job.record.items() if key != "environment"}
        environment = job.record.get("environment")
        return {
            "rule": job.rule,
            "outputs": [output],
            "inputs": list(job.inputs),
            "code": place(self.code, list(job.code)),
            "environment": None if environment is None else place(self.environments, environment),
            **own,
            "benchmark": job.benchmark,
        }


def place(table: list[Any], value: Any) -> int:
    """Return the place of a value in a table; a new value is added."""
    if value not in table:
        table.append(value)
    return table.index(value)


def unrecorded(manifest: Mapping[str, Any]) -> list[str]:
    """Return the files without a record of how they were made."""
    jobs = manifest["jobs"]
    return [
        entry["path"]
        for entry in manifest["files"]
        if entry["job"] is None or jobs[entry["job"]]["environment"] is None
    ]


def states(manifest: Mapping[str, Any]) -> Iterable[str]:
    """Return, in words, each state of the code that the files came from."""
    codes = [environment["code"] for environment in manifest["environments"]]
    return sorted(set(map(code_words, codes)))
