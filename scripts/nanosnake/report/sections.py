"""The charts and tables of each section of the page, from the collected figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nanosnake.messages import duration
from nanosnake.report import charts
from nanosnake.report.data import Report
from nanosnake.report.measures import History
from nanosnake.report.page import Page
from nanosnake.report.svg import Figure
from nanosnake.report.tables import Column, Table, label
from nanosnake.report.visible import visible
from nanosnake.tokenizer import BASELINE_NAMES

MOST_PANELS = 8


@dataclass(frozen=True)
class Drawings:
    """The charts of a report; None if there is nothing to draw."""

    compression: Figure | None
    compression_table: Table | None
    curve: Figure | None
    lengths: Figure
    history: Figure | None
    shards: Figure | None
    benchmarks: Figure | None


def draw(report: Report) -> Drawings:
    """Draw everything for which there are figures."""
    rows = compression_rows(report)
    names = list(dict.fromkeys([report.tokenizer, *(row["tokenizer"] for row in rows)]))
    return Drawings(
        compression=charts.compression_bars(rows, names) if rows else None,
        compression_table=compression_table(rows) if rows else None,
        curve=charts.vocabulary_curve(report.curve.points, report.tokenizer) if report.curve else None,
        lengths=charts.length_bars(report.tokens.lengths),
        history=draw_history(report.history) if report.history and report.history.runs > 1 else None,
        shards=charts.shard_figure(report.shards.records) if report.shards else None,
        benchmarks=charts.benchmark_figure(report.benchmarks.records) if report.benchmarks else None,
    )


def tokenizer_page(report: Report, drawings: Drawings) -> Page:
    """The frame of the page."""
    sections = (
        ("run", "What was run", True),
        ("gate", "Gate and checks", True),
        ("curve", "Compression against vocabulary size", report.curve),
        ("compression", "Compression against the baselines", drawings.compression),
        ("lengths", "Token lengths", True),
        ("tokens", "Frequent and long tokens", True),
        ("texts", "Texts cut into tokens", report.samples),
        ("history", "History", report.history),
        ("shards", "Shards", report.shards),
        ("benchmarks", "Time and memory", report.benchmarks),
    )
    return Page(
        kind="Tokenizer report",
        name=report.tokenizer,
        on=report.dataset,
        status=report.gate.status,
        headline=report.gate.headline,
        tiles=tiles(report),
        sections=[(anchor, title) for anchor, title, present in sections if present],
        links=[("../../../index.html", "all results")],
    )


def compression_rows(report: Report) -> list[dict[str, Any]]:
    """The figures of the compression check in long form, a row for each text and tokenizer."""
    rows = []
    checks = report.gate.verdicts.values()
    for figure in next((found.figures for found in checks if found.check == "compression"), ()):
        for name in (report.tokenizer, *BASELINE_NAMES):
            suffix = "" if name == report.tokenizer else f"_{name}"
            if (ratio := figure.get(f"bytes_per_token{suffix}")) is None:
                continue
            rows.append(
                {
                    "text": figure["text"],
                    "tokenizer": name,
                    "bytes": figure.get("bytes"),
                    "tokens": figure.get(f"tokens{suffix}"),
                    "ratio": ratio,
                    "fertility": figure.get(f"tokens_per_word{suffix}"),
                    "difference": figure.get(f"relative_difference{suffix}"),
                }
            )
    return rows


def compression_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One row a text and tokenizer."""
    columns = (
        Column("text", "text"),
        Column("tokenizer", "tokenizer"),
        Column("bytes", "UTF-8 bytes", "integer"),
        Column("tokens", "tokens", "integer"),
        Column("ratio", "bytes per token", "number"),
        Column("fertility", "tokens per word", "number"),
        Column("difference", "tokens saved by ours", "change"),
    )
    used = tuple(column for column in columns if any(row.get(column.key) is not None for row in rows))
    return Table("Compression by text and tokenizer", used, rows)


def tiles(report: Report) -> list[tuple[str, str, str]]:
    """The headline figures of the report."""
    facts, tokens = report.facts, report.tokens
    found = [
        ("vocabulary", f"{facts.vocabulary_size:,}", f"{len(facts.special_tokens)} of them special tokens"),
    ]
    if report.curve:
        last = [point for point in report.curve.points if point["prefix"]][-1]
        value = f"{last['bytes_per_token']:.2f}"
        found.append(("bytes per token", value, "on validation documents"))
    found.append(("longest token", f"{tokens.most_bytes} bytes", f"the median is {tokens.median_bytes}"))
    if report.shards:
        characters = sum(record["characters"] or 0 for record in report.shards.records)
        found.append(("shards", f"{len(report.shards.records):,}", f"{format_count(characters)} characters"))
    if report.benchmarks:
        seconds = sum(record["seconds"] for record in report.benchmarks.records)
        jobs = sum(record["jobs"] for record in report.benchmarks.records)
        found.append(("time of all jobs", duration(seconds), f"in {jobs:,} jobs"))
    return found


def format_count(count: int) -> str:
    """A count in millions or billions where it is large."""
    for size, word in ((10**9, "billion"), (10**6, "million")):
        if count >= size:
            return f"{count / size:,.1f} {word}"
    return f"{count:,}"


def draw_history(history: History) -> Figure | None:
    """A panel for each of the figures that matter most."""
    series: dict[str, list[float]] = {}
    for point in history.points:
        series.setdefault(point["figure"], []).append(point["value"])
    names = sorted(series, key=lambda name: history_place(name, series[name]))[:MOST_PANELS]
    rows = [
        {"run": point["run"], "value": point["value"], "series": "value", "panel": figure_label(name)}
        for name in names
        for point in history.points
        if point["figure"] == name
    ]
    if not rows:
        return None
    parts = [
        f"{visible(figure_label(name))} {series[name][0]:,.4g} to {series[name][-1]:,.4g}" for name in names
    ]
    words = f"Line charts over {history.runs} records, first to last shown: {'; '.join(parts)}."
    return charts.panels("history", rows, "run", "record", words, whole_steps=True)


def figure_label(name: str) -> str:
    """The title of a figure of the history, without the check that found it: `bytes per token, validation`."""
    return label(name.partition(".")[2] or name)


def history_place(name: str, values: Sequence[float]) -> tuple[bool, bool]:
    """Figures on validation documents come first, then those that moved, then the others, each as recorded."""
    return ("validation" not in name, len(set(values)) == 1)
