"""The charts and tables of each section of a model's page, from the collected figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nanosnake.report import charts
from nanosnake.report.models import ModelReport, figures_table
from nanosnake.report.page import Page
from nanosnake.report.svg import Figure
from nanosnake.report.tables import Column, Table, format_size, from_records, label
from nanosnake.report.visible import visible

MOST_POINTS = 400


def draw_model(model: ModelReport) -> dict[str, Figure | Table | None]:
    """Return the charts and tables of a model's page by name; None without figures for one."""
    parts = [f"{visible(str(row['label']))} {row['bits_per_byte']:.3f}" for row in model.scores]
    words = f"Bar chart of bits per byte, lower is better: {', '.join(parts)}."
    columns = (Column("label", "what"), Column("bits_per_byte", "bits per byte", "number"))
    talks, benchmarks = model.talks, model.benchmarks
    return {
        "scores": charts.ranked_bars("scores", model.scores, [("bits_per_byte", "bits per byte")], words),
        "scores_table": Table("Bits per byte of the validation text", columns, model.scores),
        "curves": draw_curves(model.points) if model.points else None,
        "figures": figures_table(model.figures),
        "talks": from_records("Answers in held-out conversations", talks["models"]) if talks else None,
        "written": written_answers(talks) if talks else None,
        "under_trained": hardly_learned(model.under_trained) if model.under_trained else None,
        "benchmarks": charts.benchmark_figure(benchmarks.records) if benchmarks else None,
    }


def model_page(model: ModelReport) -> Page:
    """The frame of the page."""
    beaten = model.beaten
    if len(beaten) == len(model.scores) - 1:
        status, verdict = "pass", "fewer than every baseline"
    elif beaten:
        status, verdict = "warn", f"fewer than {' and '.join(beaten)} only"
    else:
        status, verdict = "fail", "no fewer than the baselines"
    sections = (
        ("scores", "What it learned", True),
        ("curves", "The training run", model.points),
        ("answers", "Answers", model.talks),
        ("tasks", "Tasks", model.tasks),
        ("writing", "Samples", model.samples),
        ("under_trained", "Tokens hardly learned", model.under_trained),
        ("settings", "Settings", True),
        ("benchmarks", "Time and memory", model.benchmarks),
    )
    return Page(
        kind="Model report",
        name=model.name,
        on=f"{model.tokenizer} on {model.dataset}",
        status=status,
        headline=f"{model.bits_per_byte:.3f} bits per byte, {verdict}",
        tiles=tiles(model),
        sections=[(anchor, title) for anchor, title, present in sections if present],
        links=[("../../../../index.html", "all results"), ("../../report/index.html", model.tokenizer)],
    )


def tiles(model: ModelReport) -> list[tuple[str, str, str]]:
    """The headline figures."""
    figures = model.figures
    found = [
        (
            "bits per byte",
            f"{model.bits_per_byte:.3f}",
            f"on {format_size(model.bytes)} of {'answers' if model.talks else 'validation text'}",
        ),
        ("parameters", f"{figures['parameters'] / 1e6:,.1f} M", "of them all"),
        ("trained on", f"{count_of(figures['tokens'])} tokens", f"in {figures['steps']:,} steps"),
    ]
    if figures["tokens_per_second"] is not None:  # not known for a run with nothing left to train
        found.append(("speed", f"{figures['tokens_per_second']:,.0f}", "tokens per second"))
    name, mean = ("tasks", model.mean_centred) if model.core is None else ("CORE", model.core)
    if mean is not None:
        found.append((name, f"{mean:.3f}", "accuracy above chance; 1 is perfect"))
    return found


def count_of(number: int) -> str:
    """A number in millions, if it is one."""
    return f"{number / 1e6:,.1f} M" if number >= 100_000 else f"{number:,}"


def written_answers(talks: Mapping[str, Any]) -> Table:
    """Some conversations with the answer of each model, side by side."""
    keys = ("asked", "expected", *(row["model"] for row in talks["models"]))
    rows = [{**sample, **sample["written"]} for sample in talks["samples"]]
    return Table("What they answer", tuple(Column(key, label(key)) for key in keys), rows)


def hardly_learned(found: Mapping[str, Any]) -> Table | None:
    """The seen tokens that the indicator ranks first, if it could rank any."""
    rows = found.get("worst")
    return from_records("Seen tokens whose rows are most like those of unseen ones", rows) if rows else None


def draw_curves(points: Sequence[Mapping[str, Any]]) -> Figure:
    """A panel for each known series of a training run."""
    last = {point["series"]: point for point in points}
    parts = [f"{visible(name)} ends at {point['value']:,.4g}" for name, point in last.items()]
    words = f"Line charts over training steps: {'; '.join(parts)}."
    return charts.panels("curves", thin(points), "step", "step", words, whole_steps=False)


def thin(points: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Keep at most MOST_POINTS points of each series, evenly spread, the last one among them."""
    by_series: dict[str, list[Mapping[str, Any]]] = {}
    for point in points:
        by_series.setdefault(point["series"], []).append(point)
    kept: list[Mapping[str, Any]] = []
    for rows in by_series.values():
        stride = -(-len(rows) // MOST_POINTS)
        kept.extend(rows[(len(rows) - 1) % stride :: stride])
    return kept
