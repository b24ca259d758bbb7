"""The job that made a file: Snakemake's notes on it, the record that its script wrote, and its benchmark.

For each output, Snakemake notes the rule, the inputs and the logs of the job that made it, to decide whether the output
is up to date. Only these notes say what a file was made from at the time.
"""

from __future__ import annotations

import ast
import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake import layout
from nanosnake.closures import read_closure
from nanosnake.snakemake_internals import NOTES, moved_since, note_name


@dataclass(frozen=True)
class Job:
    """A job that made files."""

    rule: str
    inputs: tuple[str, ...]
    code: tuple[str, ...]
    """Which of our files decided the result."""
    key: str
    """The same for all outputs of the job."""
    record: Mapping[str, Any]
    """What the script recorded about itself; empty if the record is gone."""
    benchmark: Mapping[str, Any]
    """What Snakemake measured; empty if the rule has no benchmark."""


class Jobs:
    """The jobs of a project, found by their outputs.

    Args:
        project: the folder that Snakemake runs in.
        code: the folder of the Snakefile, as seen from there.
    """

    def __init__(self, project: Path, code: str) -> None:
        self.project, self.code = project, code
        self._modules: dict[str, list[str]] = {}
        self._known: dict[str, Job | None] = {}
        self._records: dict[str, Mapping[str, Any]] = {}

    def of(self, path: str) -> Job | None:
        """Return the job that made a file; None if no rule made it, or Snakemake's notes are gone."""
        if path not in self._known:
            self._known[path] = self._find(path)
        return self._known[path]

    def _find(self, path: str) -> Job | None:
        note = self._json(self.project / NOTES / note_name(path))
        if not note.get("rule"):
            return None
        moved = moved_since(str(note.get("code")), self.code) or str
        inputs, code = self._split(map(moved, note.get("input") or ()))
        logs = [str(log) for log in note.get("log") or ()]
        log = next((log for log in logs if log.endswith(".log")), None)
        return Job(
            rule=str(note["rule"]),
            inputs=tuple(inputs),
            code=tuple(code),
            key=log or path,
            record=self._record(layout.record_of(log)) if log else {},
            benchmark=read_benchmark(self.project / Path(log).with_suffix(".tsv")) if log else {},
        )

    def _split(self, inputs: Iterable[str]) -> tuple[list[str], list[str]]:
        """Return a job's inputs and, separately, our own files, all of which one input names."""
        data, code = [], []
        for path in inputs:
            if path.startswith(f"{layout.CODE}/"):
                code += self._modules_of(path)
            elif (
                Path(path).parent != Path(layout.RECIPE).parent
            ):  # written while planning; training.json has the same
                data.append(path)
        return data, sorted(code)

    def _modules_of(self, path: str) -> list[str]:
        if path not in self._modules:
            file = self.project / path
            names = read_closure(file) if file.exists() else {}
            # crates and packages have a space in their names
            self._modules[path] = [str(Path(self.code, name)) for name in names if " " not in name]
        return self._modules[path]

    def _record(self, name: str) -> Mapping[str, Any]:
        if name not in self._records:
            self._records[name] = self._json(self.project / name)
        return self._records[name]

    def _json(self, path: Path) -> dict[str, Any]:
        """Return the content of a JSON file; nothing if it is absent or cut off."""
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return value if isinstance(value, dict) else {}


def read_benchmark(path: Path) -> dict[str, Any]:
    """Return what Snakemake measured of a job; threads and resources only with `--benchmark-extended`."""
    csv.field_size_limit(1 << 30)  # a column names all inputs
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            row = next(csv.DictReader(stream, delimiter="\t"), {})
    except OSError:
        return {}
    measured = ("s", "cpu_time", "max_rss", "io_in", "io_out", "mean_load", "threads")
    found: dict[str, Any] = {key: value for key in measured if (value := _number(row.get(key))) is not None}
    if row.get("resources"):
        granted = ast.literal_eval(row["resources"])
        found["resources"] = {
            key: value for key, value in sorted(granted.items()) if key != "tmpdir" and key[0] != "_"
        }
    return found


def _number(text: str | None) -> float | int | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return int(value) if value.is_integer() else value
