"""Figures about the run itself: shards and their downloads, time and memory per rule, the history."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake.layout import RESERVED_IN_TOKENIZER
from nanosnake.provenance import history
from nanosnake.report.tables import Column, Table, label

MOST_SHARDS = 200
MOST_RUNS = 50
SHARED_FOLDERS = ("shards", "counts", "samples")
"""Folders of a dataset that all its tokenizers share."""

SHARD_COLUMNS = (
    Column("shard", "shard"),
    Column("split", "split"),
    Column("source", "source"),
    Column("bytes", "file size", "size"),
    Column("rows", "documents", "integer"),
    Column("row_groups", "row groups", "integer"),
    Column("characters", "characters", "integer"),
    Column("seconds", "seconds", "seconds"),
    Column("rate", "MB/s", "number"),
    Column("sha256", "SHA-256", "hash"),
)
BENCHMARK_COLUMNS = (
    Column("rule", "rule"),
    Column("jobs", "jobs", "integer"),
    Column("seconds", "seconds, sum", "seconds"),
    Column("longest", "seconds, longest job", "seconds"),
    Column("cpu", "CPU seconds, sum", "seconds"),
    Column("memory", "peak memory, MiB", "number"),
    Column("read", "read, MiB", "number"),
    Column("written", "written, MiB", "number"),
)


@dataclass(frozen=True)
class Shards:
    """The shards of the dataset."""

    records: Sequence[Mapping[str, Any]]
    table: Table
    by_split: Table
    downloaded: int


@dataclass(frozen=True)
class Benchmarks:
    """Time and memory per rule."""

    records: Sequence[Mapping[str, Any]]
    table: Table


@dataclass(frozen=True)
class History:
    """How figures moved from run to run."""

    points: Sequence[Mapping[str, Any]]
    """Long form: run (counted from 1), figure, value."""
    table: Table
    runs: int


def number(value: Any) -> float | None:
    """Read a number from a table's cell; None for an empty cell, a dash or a word."""
    try:
        result = float(value)
    except (TypeError, ValueError):
        return None
    return result if result == result and abs(result) != float("inf") else None


def whole(value: Any) -> int | None:
    """Read a whole number from a table's cell."""
    result = number(value)
    return None if result is None else int(result)


def read_shards(paths: Sequence[Path]) -> Shards:
    """Read the manifests of shards, `shards.csv`: of a data set, or of each part of a mixture."""
    records = []
    for path in paths:
        with path.open(encoding="utf-8", newline="") as stream:
            records += [shard_record(row) for row in csv.DictReader(stream)]
    note = f"The first {MOST_SHARDS} of {len(records):,} shards; all are in {paths[0].name}."
    table = Table(
        "Shards",
        tuple(column for column in SHARD_COLUMNS if any(record[column.key] for record in records)),
        records[:MOST_SHARDS],
        note if len(records) > MOST_SHARDS else "",
    )
    return Shards(records, table, split_totals(records), sum(1 for record in records if record["rate"]))


def shard_record(row: Mapping[str, Any]) -> dict[str, Any]:
    """Type one row of the manifest; seconds and rate (MB/s) are None if the shard was not downloaded."""
    record: dict[str, Any] = {key: row.get(key) or "" for key in ("shard", "split", "source", "sha256")}
    record.update({key: whole(row.get(key)) for key in ("bytes", "rows", "row_groups", "characters")})
    record.update(seconds=number(row.get("seconds")), rate=number(row.get("mb_per_second")))
    return record


def split_totals(records: Sequence[Mapping[str, Any]]) -> Table:
    """Sum the shards of each split."""
    splits: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        splits.setdefault(record["split"] or "all", []).append(record)
    columns = (
        Column("split", "split"),
        Column("shards", "shards", "integer"),
        Column("bytes", "file size", "size"),
        Column("rows", "documents", "integer"),
        Column("characters", "characters", "integer"),
    )
    return Table("Shards by split", columns, [{"split": name, **totals(of)} for name, of in splits.items()])


def totals(records: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Sum shards."""
    sums = {key: sum(record[key] or 0 for record in records) for key in ("bytes", "rows", "characters")}
    return {"shards": len(records), **sums}


def read_benchmarks(folder: Path, tokenizer: str) -> Benchmarks | None:
    """Read Snakemake's benchmark files of a dataset and sum them by rule; None if there are none.

    Args:
        folder: the dataset's folder of benchmark files; what is in the folders of other tokenizers, and of models, is left out.
        tokenizer: the tokenizer's name, which is that of its folder.
    """
    jobs: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for path in sorted(folder.rglob("*.tsv")):
        parts = path.relative_to(folder).parts
        if len(parts) > 1 and parts[0] not in (*SHARED_FOLDERS, tokenizer):
            continue
        if parts[0] == tokenizer and len(parts) > 2 and parts[1] not in RESERVED_IN_TOKENIZER:
            continue  # of a model
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                jobs[row.get("rule_name") or stage_of(parts, tokenizer)].append(
                    row | measured_by_itself(path)
                )
    records = [rule_record(rule, rows) for rule, rows in jobs.items()]
    records.sort(key=lambda record: -record["seconds"])
    return (
        Benchmarks(records, Table("Time and memory per rule", BENCHMARK_COLUMNS, records))
        if records
        else None
    )


def measured_by_itself(benchmark: Path) -> dict[str, Any]:
    """Return CPU time and memory from the job's record; empty if there is none.

    Snakemake samples a job twice a second: of a shorter job it sees only the shell, with 3 MiB. The record has what the
    operating system counted; for a job of many processes, only for one of them.
    """
    try:
        record = json.loads(benchmark.with_suffix(".json").read_text(encoding="utf-8"))
        return {"own_cpu": record["cpu_seconds"], "own_memory": record["peak_memory_bytes"] / (1 << 20)}
    except (OSError, ValueError, KeyError):
        return {}


def stage_of(parts: Sequence[str], tokenizer: str) -> str:
    """Name what a benchmark file is of by its path; only `--benchmark-extended` records the rule's name.

    Files that differ in their shard alone get the same name: `counts/nanochat/shard_00001.tsv` is of
    `counts/nanochat`, `shards/shard_00001.download.tsv` of `shards.download`, `bpe-4096/merges.tsv` of `merges`.
    """
    own = parts[1:] if parts[0] == tokenizer else parts
    stem, _, action = own[-1].removesuffix(".tsv").partition(".")
    return "/".join(own[:-1]) + (f".{action}" if action else "") if len(own) > 1 else stem


def rule_record(rule: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sum and maximise the benchmark rows of one rule."""

    def column(*keys: str) -> list[float]:
        """Return the largest of each row's values under these keys, where it has one."""
        found = ([value for key in keys if (value := number(row.get(key))) is not None] for row in rows)
        return [max(values) for values in found if values]

    return {
        "rule": rule,
        "jobs": len(rows),
        "seconds": sum(column("s")),
        "longest": max(column("s"), default=None),
        "cpu": sum(cpu) if (cpu := column("cpu_time", "own_cpu")) else None,
        "memory": max(column("max_rss", "own_memory"), default=None),
        "read": sum(read) if (read := column("io_in")) else None,
        "written": sum(written) if (written := column("io_out")) else None,
    }


def read_history(path: Path) -> History | None:
    """Read the history; None if there is no record yet."""
    records = history.read_history(path)
    if not records:
        return None
    shown = list(enumerate(records, start=1))[-MOST_RUNS:]
    points = [
        {"run": run, "figure": name, "value": value}
        for run, record in shown
        for name, value in flatten(record.get("figures", {}))
    ]
    return History(points, history_table(shown, points), len(records))


def flatten(record: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers of nested objects, their keys joined with dots."""
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, float(value)


CHANGES = {
    "vocab_size": "vocabulary size",
    "pattern_sha256": "pattern",
    "shards_sha256": "shards",
    "versions": "versions",
    "commit": "code",
}
"""Keys of a record that can explain a change of figures, and what to call them."""


def changed(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> str:
    """Return the differences between two records that can explain why their figures differ."""
    found = [words for key, words in CHANGES.items() if earlier.get(key) != later.get(key)]
    same = earlier.get("tokenizer_sha256") == later.get("tokenizer_sha256")
    return (", ".join(found) or "texts or settings of checks") + (
        "; the tokenizer is the same" if same else ""
    )


def history_table(
    records: Sequence[tuple[int, Mapping[str, Any]]], points: Sequence[Mapping[str, Any]]
) -> Table:
    """One row per run, one column per figure; the newest run comes first."""
    names = list(dict.fromkeys(point["figure"] for point in points))
    rows: dict[int, dict[str, Any]] = {}
    earlier: Mapping[str, Any] | None = None
    for run, record in records:
        facts = {key: record.get(key) for key in ("time", "commit", "vocab_size", "shards")}
        rows[run] = {
            "run": run,
            "changed": changed(earlier, record) if earlier else "the first record",
            **facts,
        }
        earlier = record
    for point in points:
        rows[point["run"]][point["figure"]] = point["value"]
    columns = (
        Column("run", "run", "integer"),
        Column("changed", "what changed"),
        Column("time", "time"),
        Column("commit", "commit", "hash"),
        Column("vocab_size", "vocabulary", "integer"),
        Column("shards", "shards", "integer"),
        *(Column(name, label(name), "number") for name in names),
    )
    return Table("Figures by run", columns, [rows[run] for run in sorted(rows, reverse=True)])
