"""Send a training run's metrics to TensorBoard, Weights & Biases or trackio, while it runs or afterwards.

    nanosnake track results/demo/bpe-4096/tiny --to tensorboard
    nanosnake track checkpoints/d12 --to wandb --project gpt --follow

Training only writes metrics.jsonl and needs no network; this command reads that file. Install the tracker first: pip
install tensorboard, wandb or trackio.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from nanosnake.files import NanosnakeError
from nanosnake.options import Positional
from nanosnake.stages import Stage

Rows = Iterator[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Track(Stage):
    """Send a training run's metrics to TensorBoard, Weights & Biases or trackio."""

    run_folder: Annotated[Path, Positional]
    """A model's folder, a folder of checkpoints, or a metrics.jsonl."""
    to: Literal["tensorboard", "wandb", "trackio"]
    """The tracker."""
    project: str = "nanosnake"
    """Project in wandb or trackio."""
    name: str = ""
    """Name of the run in the tracker; default: the folder's name."""
    logdir: Path = Path("runs")
    """Folder for TensorBoard's files, with one folder per run."""
    follow: bool = False
    """Keep waiting for more rows, until Ctrl-C."""
    every: float = field(default=5.0, metadata={"gt": 0})
    """Seconds between two checks of --follow."""

    def run(self) -> str:
        path = metrics_file(self.run_folder)
        folder = path.parent if path == self.run_folder else self.run_folder
        name = self.name or folder.resolve().name
        send, close = SINKS[self.to](self.project, name, self.logdir)
        sent = 0
        try:
            for row in following(path, self.every) if self.follow else new_rows(path, -1):
                values = {key: value for key, value in row.items() if key != "step"}
                send(values, row["step"])
                sent += 1
        except KeyboardInterrupt:
            pass
        finally:
            close()
        return f"{sent} rows of {path} sent to {self.to} as {name}"


def metrics_file(place: Path) -> Path:
    """Return the metrics table of a run; in a folder of checkpoints, the one written last.

    Raises:
        NanosnakeError: if there is none.
    """
    if place.is_file():
        return place
    found = list(place.rglob("metrics.jsonl"))
    if not found:
        raise NanosnakeError(
            f"{place}: has no metrics.jsonl; name a model's folder, or that of its checkpoints while it is trained"
        )
    return max(found, key=lambda path: path.stat().st_mtime)


def new_rows(path: Path, after: int) -> Rows:
    """Yield the rows of steps after `after`."""
    from nanosnake.training.metrics import read_rows

    yield from (row for row in read_rows(path) if row["step"] > after)


def following(path: Path, every: float) -> Rows:
    """Yield each step's row once, as they are written; a run that resumes from a checkpoint repeats none."""
    step = -1
    while True:
        for row in new_rows(path, step):
            step = row["step"]
            yield row
        time.sleep(every)


Send = Callable[[dict[str, Any], int], None]
Sink = tuple[Send, Callable[[], None]]


def _tracker(module: str, package: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise NanosnakeError(
            f"{package} cannot be used ({error}); pip install {package}, or choose another --to"
        ) from error


def tensorboard(project: str, name: str, logdir: Path) -> Sink:
    """Return what writes TensorBoard's files."""
    writer = _tracker("torch.utils.tensorboard", "tensorboard").SummaryWriter(str(logdir / name))

    def send(values: dict[str, Any], step: int) -> None:
        for key, value in values.items():
            writer.add_scalar(key, value, step)

    return send, writer.close


def wandb(project: str, name: str, logdir: Path) -> Sink:
    """Return what logs to Weights & Biases."""
    run = _tracker("wandb", "wandb").init(project=project, name=name)
    return lambda values, step: run.log(values, step=step), run.finish


def trackio(project: str, name: str, logdir: Path) -> Sink:
    """Return what logs to trackio."""
    module = _tracker("trackio", "trackio")
    module.init(project=project, name=name)
    return lambda values, step: module.log(values, step=step), module.finish


SINKS: dict[str, Callable[[str, str, Path], Sink]] = {
    "tensorboard": tensorboard,
    "wandb": wandb,
    "trackio": trackio,
}
