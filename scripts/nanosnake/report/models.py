"""What the page of a model shows, from the files that training and evaluation leave."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake.closures import read_closure
from nanosnake.evaluation import answers
from nanosnake.files import NanosnakeError, read_json
from nanosnake.report.measures import Benchmarks, flatten, read_benchmarks
from nanosnake.report.tables import Column, Table, from_records, label
from nanosnake.training.recipe import older_code

SERIES = {
    "loss": "loss, nats per token",
    "bits_per_byte": "bits per byte, validation",
    "tokens_per_second": "tokens per second",
    "mfu": "MFU",
    "gradient_norm": "gradient norm",
    "learning_rate": "learning rate",
    "data_wait": "share of the time spent waiting for data",
}
"""Keys of a metrics row that are drawn, and the titles of their panels."""

BASELINES = {
    "order_0": "token frequencies alone",
    "zlib": "zlib -9",
    "lzma": "lzma, extreme",
}
"""What a model has to beat on the same text: its name in `evaluation.json`, and on the page."""

MOST_CHARACTERS = 300
"""Of a question or an answer on the page."""


@dataclass(frozen=True)
class ModelReport:
    """All that the page of a model shows."""

    dataset: str
    tokenizer: str
    name: str
    scores: Sequence[Mapping[str, Any]]
    """Bits per byte: `label`, `bits_per_byte`, the model first."""
    bytes: int
    """Size of the text that they were measured on."""
    parts: Table | None
    """Scores on the validation text of each part of a mixture."""
    tasks: Table | None
    mean_centred: float | None
    """Mean over tasks of the accuracy above chance, as a fraction of the possible accuracy above chance."""
    core: float | None
    """The same over CORE's tasks, if they are among them."""
    answers: Table | None
    """Some items that were answered correctly, and some that were not."""
    points: Sequence[Mapping[str, Any]]
    """Curves in long form: `step`, `series`, `panel`, `value`."""
    samples: Sequence[tuple[str, str]]
    """Prompt and continuation."""
    talks: Mapping[str, Any] | None
    """Answers in held-out conversations, beside those of the model that it began with."""
    facts: Sequence[tuple[str, str]]
    under_trained: Mapping[str, Any] | None
    """Tokens that were not seen in training or hardly learned."""
    figures: Mapping[str, Any]
    """Of the training run: steps, tokens, tokens per second and so on."""
    settings: Table
    benchmarks: Benchmarks | None

    @property
    def bits_per_byte(self) -> float:
        """Of the model on the validation text."""
        return float(self.scores[0]["bits_per_byte"])

    @property
    def beaten(self) -> list[str]:
        """The baselines that need more bits."""
        return [row["label"] for row in self.scores[1:] if row["bits_per_byte"] > self.bits_per_byte]


def read_model(
    dataset: str, tokenizer: str, folder: Path, benchmarks: Path | None, trainer: Path | None = None
) -> ModelReport:
    """Read what training and evaluation wrote to a model's folder, which has the model's name.

    Args:
        benchmarks: the folder of the benchmark files of its jobs.
        trainer: the closure of the trainer, to report if other code has trained the model.
    """
    older = older_code(folder, read_closure(trainer)) if trainer else None
    training, evaluation = read_json(folder / "training.json"), read_json(folder / "evaluation.json")
    bits, size = {folder.name: evaluation["bits_per_byte"]}, evaluation["bytes"]
    bits |= {
        words: evaluation["baselines"][name]
        for name, words in BASELINES.items()
        if name in evaluation["baselines"]  # of conversations there are none
    }
    if talks := evaluation.get("talks"):  # of the answers alone: a mixture is validated on text too
        bits = {row["model"]: row["bits_per_byte"] for row in reversed(talks["models"])}
        size = talks["bytes"]
    tasks, parts = evaluation.get("tasks"), evaluation.get("parts")
    return ModelReport(
        dataset=dataset,
        tokenizer=tokenizer,
        name=folder.name,
        scores=[{"label": name, "bits_per_byte": value} for name, value in bits.items()],
        bytes=size,
        parts=from_records("Validation text of each part of the mixture", parts) if parts else None,
        tasks=from_records("Tasks", tasks) if tasks else None,
        mean_centred=evaluation.get("mean_centred"),
        core=evaluation.get("core"),
        answers=some_answers(folder / answers.FILE) if tasks else None,
        points=sorted(
            step_points(folder / "metrics.jsonl"), key=lambda point: list(SERIES).index(point["series"])
        ),
        talks=talks,
        samples=[(str(sample["prompt"]), str(sample["text"])) for sample in evaluation["samples"]],
        facts=[
            ("device", f"{training['ranks']} x {training['device']}"),
            *((name, str(version)) for name, version in training["versions"].items()),
            *([("code", older)] if older else []),
        ],
        under_trained=evaluation.get("under_trained"),
        figures=training["figures"],
        settings=settings_table(training),
        benchmarks=read_benchmarks(benchmarks, folder.name) if benchmarks else None,
    )


def some_answers(path: Path) -> Table:
    """The first item of each task that was answered correctly, and the first that was not."""
    rows = []
    for task, given in answers.read(path).items():
        for right in (True, False):
            if found := next((row for row in given if row["right"] is right), None):
                texts = {key: shortened(found[key]) for key in ("asked", "expected", "given")}
                rows.append({"task": task, "answer": "right" if right else "wrong", **texts})
    return from_records("An item of each task that was answered correctly, and one that was not", rows)


def shortened(text: str) -> str:
    """The end of a long question or answer, which is the part that matters."""
    return text if len(text) <= MOST_CHARACTERS else f"…{text[-MOST_CHARACTERS:]}"


def settings_table(training: Mapping[str, Any]) -> Table:
    """Every setting of the model and of its training, as it was used."""
    rows = [
        {"part": part, "setting": label(name), "value": value}
        for part in ("model", "options")
        for name, value in training[part].items()
    ]
    columns = (Column("part", "part"), Column("setting", "setting"), Column("value", "value"))
    return Table("Settings", columns, rows)


def figures_table(figures: Mapping[str, Any]) -> Table:
    """The figures of a training run."""
    rows = [
        {"figure": label(name), "value": int(value) if value.is_integer() else value}
        for name, value in flatten(figures)
    ]
    return Table("Figures of the run", (Column("figure", "figure"), Column("value", "value", "number")), rows)


def step_points(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the known series of a metrics file in long form.

    Raises:
        NanosnakeError: if a line is not JSON.
    """
    for place, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise NanosnakeError(
                f"{path}: line {place} is not JSON ({error}); delete the file and train again"
            ) from error
        for name, panel in SERIES.items():
            if record.get(name) is not None:
                yield {"step": record["step"], "series": name, "panel": panel, "value": record[name]}
