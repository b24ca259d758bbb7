"""Figures of a trained model, from the files that training and evaluation leave."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake.files import NanosnakeError, read_json
from nanosnake.report.measures import flatten
from nanosnake.report.tables import Column, Table, label

MOST_SAMPLES = 12
SERIES = {
    "loss": "loss, nats per token",
    "bits_per_byte": "bits per byte, validation",
    "tokens_per_second": "tokens per second",
    "mfu": "MFU",
    "gradient_norm": "gradient norm",
    "learning_rate": "learning rate",
    "data_wait": "share of the time spent waiting for data",
}
"""Keys of a row that are drawn, and the titles of their panels."""


@dataclass(frozen=True)
class Model:
    """Curves over the steps, final figures and samples of text."""

    points: Sequence[Mapping[str, Any]]
    """Long form: `step`, `series`, `panel`, `value`."""
    figures: Table | None
    samples: Sequence[tuple[str, str]]
    """Prompt and continuation."""


def read_model(paths: Sequence[Path]) -> Model:
    """Read metrics (`.jsonl`, a row for a step) and results (`.json`: figures, and samples of text)."""
    points: list[dict[str, Any]] = []
    figures: list[dict[str, Any]] = []
    texts: list[tuple[str, str]] = []
    for path in paths:
        if path.suffix == ".jsonl":
            points.extend(step_points(path))
            continue
        record = read_json(path)
        found = flatten(record.get("figures", record))
        figures.extend({"file": path.name, "figure": label(name), "value": value} for name, value in found)
        texts.extend((str(sample["prompt"]), str(sample["text"])) for sample in record.get("samples", []))
    columns = (Column("file", "file"), Column("figure", "figure"), Column("value", "value", "number"))
    return Model(
        points, Table("Figures of the model", columns, figures) if figures else None, texts[:MOST_SAMPLES]
    )


def step_points(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the known series of a metrics file in long form.

    Raises:
        NanosnakeError: if a line other than the last is no JSON; a kill can leave the last one half written.
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
        for name, panel in SERIES.items():
            if name in record:
                yield {"step": record["step"], "series": name, "panel": panel, "value": record[name]}
