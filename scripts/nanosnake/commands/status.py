"""Show what exists: data sets, tokenizers and models, their sizes, what is outdated, and what runs.

    nanosnake status
    nanosnake status --configfile config/fineweb-edu.yaml
    nanosnake status --watch

Results that no configuration describes any more are marked; `nanosnake clean` removes them. --watch follows a run in
progress, here or on a cluster, until it ends.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nanosnake import layout
from nanosnake.commands.workflow import configured, snakefile, snakemake, written
from nanosnake.config import Config, load
from nanosnake.console.board import PROGRESS
from nanosnake.console.handler import FILE_VARIABLE
from nanosnake.files import NanosnakeError, read_json
from nanosnake.messages import aligned, duration, log
from nanosnake.stages import Stage

STALE = 30.0
"""Seconds without a write after which a run counts as gone."""

SHOWN = 10
"""How many running jobs, and how many failed ones, are named."""

TOKENS = Path(layout.TOKENS).parts[-2]
"""The folder of the token shards in that of a tokenizer."""


@dataclass(frozen=True, kw_only=True)
class Status(Stage):
    """Show what exists, what is outdated, and what runs."""

    configfile: Path | None = None
    """The configuration; default: config/config.yaml, the demo."""
    directory: Path = Path()
    """Folder of the results."""
    watch: bool = False
    """Follow the run in progress until it ends."""
    every: float = field(default=2.0, metadata={"gt": 0})
    """Seconds between two updates of --watch."""

    def run(self) -> None:
        if not self.directory.is_dir():  # Snakemake would make it
            raise NanosnakeError(
                f"{self.directory}: no such folder; name that of the results with --directory"
            )
        if self.watch:
            watch(self.directory / PROGRESS, self.every)
            return
        outdated = self._outdated()
        with contextlib.chdir(self.directory):
            print(aligned(list(overview(self._config(), outdated))))
        if (state := running(self.directory / PROGRESS)) is not None:
            print(f"\nA run is on (process {state['process']}); nanosnake status --watch shows it.")

    def _config(self) -> Config:
        path = (self.configfile or snakefile().parent / "config/config.yaml").resolve()
        return load(written(path), origin=str(path))

    def _outdated(self) -> list[str]:
        """Return the files that a run would make."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "files.json")
            words = ["--dry-run", "--nolock", *configured(self.configfile, self.directory)]
            ended = snakemake(words, capture=True, environment={FILE_VARIABLE: str(file)})
            if ended.returncode:
                # a refusal is on stdout, the profile on stderr
                said = (ended.stdout + ended.stderr).splitlines()
                reason = "\n".join(line for line in said if not line.startswith("Using ")).strip()
                raise NanosnakeError(f"Snakemake cannot plan: {reason}")
            for line in ended.stderr.splitlines():
                if line.startswith("note: "):
                    log(line)
            return list(read_json(file))


def overview(config: Config, outdated: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each thing that is, or should be, in the results of the working directory."""
    wanted = expected(config)
    folders = wanted | {folder: kind for folder, kind in found().items() if folder not in wanted}
    to_do = Counter(_owner(path, folders) for path in outdated)
    yield ("folder", "what", "files", "size", "state")
    for folder, kind in sorted(folders.items()):
        files = [path for path in _files(Path(folder)) if _owner(str(path), folders) == folder]
        if not files and not to_do[folder]:
            continue  # token shards that no target asks for
        if folder not in wanted:
            state = "in no configuration"
        elif not to_do[folder]:
            state = "up to date"
        else:
            state = f"{to_do[folder]:,} files to make" if files else "not made"
        yield (folder, kind, f"{len(files):,}", _size(files), state)


def expected(config: Config) -> dict[str, str]:
    """Return the folders that a configuration describes, and what is in each."""
    folders = {f"{layout.RESULTS}/{name}": "data set, comparisons" for name in config.datasets}
    folders |= {layout.CORE_TASKS: "tasks", str(Path(layout.PUBLISHED_TASK).parent): "tasks"}
    folders |= {layout.SHARDS.format(source=source): "shards" for source in config.sources}
    for name, tokenizer in config.tokenizers.items():
        home = layout.TOKENIZER.format(dataset=tokenizer.dataset, tokenizer=name)
        folders[home] = "tokenizer"
        for part in config.parts(tokenizer.dataset):
            source = config.source_of(part)
            folders[layout.COUNTS.format(source=source, counting=tokenizer.counting)] = "counts"
            folders[f"{layout.TOKENIZER.format(dataset=part, tokenizer=name)}/{TOKENS}"] = "token shards"
    for name, model in config.models.items():
        dataset = config.dataset_of(name)
        folders[layout.MODEL.format(dataset=dataset, tokenizer=model.tokenizer, model=name)] = "model"
        for part in config.parts(dataset):
            folders[f"{layout.TOKENIZER.format(dataset=part, tokenizer=model.tokenizer)}/{TOKENS}"] = (
                "token shards"
            )
    return folders


def found() -> dict[str, str]:
    """Return the folders that exist, and what is in each."""
    any_ = dict.fromkeys(("source", "dataset", "counting", "tokenizer", "model"), "*")
    folders: dict[str, str] = {}
    for pattern, marks, kind in (
        (layout.SHARDS, ("*.parquet",), "shards"),
        (layout.COUNTS, ("*.arrow",), "counts"),
        (layout.TOKENIZER, ("merges.arrow", "tokenizer/meta.json"), "tokenizer"),
        (f"{layout.TOKENIZER}/{TOKENS}", ("*/*.ds",), "token shards"),
        (layout.MODEL, ("model.json", "metrics.jsonl"), "model"),
    ):
        for path in Path().glob(pattern.format(**any_)):
            if any(next(path.glob(mark), None) for mark in marks):
                folders[path.as_posix()] = kind
    return folders


def _owner(path: str, folders: Mapping[str, str]) -> str:
    """Return the innermost of some folders that a file is in."""
    return max((folder for folder in folders if path.startswith(f"{folder}/")), key=len, default="")


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []


def _size(files: Iterable[Path]) -> str:
    from nanosnake.report.tables import format_size

    return format_size(sum(path.stat().st_size for path in files))


def running(path: Path) -> dict[str, Any] | None:
    """Return the state of the run in progress; None if there is none."""
    try:
        state: dict[str, Any] = read_json(path)
    except (NanosnakeError, OSError):
        return None
    return state if time.time() - state["written"] < STALE and not state["ended"] else None


def watch(path: Path, every: float) -> None:
    """Show the run in progress repeatedly until it ends."""
    if (state := running(path)) is None:
        print("no run is on in this folder")
        return
    clear = "\x1b[2J\x1b[H" if sys.stdout.isatty() else ""
    while state is not None:
        print(f"{clear}{progress(state)}\n", flush=True)
        time.sleep(every)
        state = running(path)
    print("the run has ended; its last lines are where it was started")


def progress(state: Mapping[str, Any]) -> str:
    """Return the state of a run: jobs by stage, what runs, what failed, the time left."""
    columns = ("stage", "jobs", "done", "running", "failed")
    rows = [columns, *(tuple(str(stage[column]) for column in columns) for stage in state["rules"])]
    lines = [aligned(rows), ""]
    lines += [
        f"running {duration(time.time() - job['began'])}: {job['job']} ({job['log']})"
        for job in state["running"][:SHOWN]
    ]
    lines += [f"FAILED: {job['job']} ({job['log']})" for job in state["failed"][:SHOWN]]
    left = f", about {duration(state['left'])} left" if state["left"] else ""
    return "\n".join([*lines, f"running for {duration(time.time() - state['began'])}{left}"])
