"""Figures of a trained model, from the files that training and evaluation leave."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake.files import NanosnakeError, read_json
from nanosnake.report.measures import flatten
from nanosnake.report.tables import Column, Table

MOST_SAMPLES = 12
# parts of a series' name, in the order in which the panels stand, and the panel's title
SERIES = (
    ("loss", "loss, nats per token"),
    ("bpb", "bits per byte"),
    ("bits_per_byte", "bits per byte"),
    ("per_second", "tokens per second"),
    ("mfu", "MFU"),
    ("grad_norm", "gradient norm"),
    ("learning_rate", "learning rate"),
    ("lr", "learning rate"),
)


@dataclass(frozen=True)
class Model:
    """Curves over the steps, final figures and samples of text."""

    points: Sequence[Mapping[str, Any]]
    """Long form: `step`, `series`, `panel`, `value`."""
    figures: Table | None
    samples: Sequence[tuple[str, str]]
    """Prompt and continuation."""


def read_model(paths: Sequence[Path]) -> Model:
    """Read metrics (`.jsonl`, a record with `step` a line) and results (`.json`, figures and samples)."""
    points: list[dict[str, Any]] = []
    figures: list[dict[str, Any]] = []
    texts: list[tuple[str, str]] = []
    for path in paths:
        if path.suffix == ".jsonl":
            points.extend(step_points(path))
            continue
        record = read_json(path)
        figures.extend({"file": path.name, "figure": name, "value": value} for name, value in flatten(record))
        texts.extend(to_sample(sample) for sample in record.get("samples", []))
    columns = (Column("file", "file"), Column("figure", "figure"), Column("value", "value", "number"))
    return Model(
        points, Table("Figures of the model", columns, figures) if figures else None, texts[:MOST_SAMPLES]
    )


def step_points(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the known series of a metrics file in long form.

    Raises:
        NanosnakeError: if a line but the last is no JSON; a kill can leave the last one half written.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    for place, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            if place == len(lines):
                return
            raise NanosnakeError(
                f"{path}: line {place} is no JSON ({error}); train again or mend it"
            ) from error
        for name, value in flatten(record):
            panel = panel_of(name)
            if panel and "step" in record:
                yield {"step": record["step"], "series": name, "panel": panel, "value": value}


def panel_of(series: str) -> str | None:
    """The panel a series belongs to, None if the report does not draw it."""
    return next((title for part, title in SERIES if part in series), None)


def to_sample(sample: Any) -> tuple[str, str]:
    """Read one sample: an object with a prompt and a text, or the text alone."""
    if isinstance(sample, Mapping):
        text = sample.get("text", sample.get("completion", sample.get("continuation", "")))
        return str(sample.get("prompt", "")), str(text)
    return "", str(sample)
