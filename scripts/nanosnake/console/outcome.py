"""The final summary of a run: what it made, with the figures that matter; or, as the last line, why it failed."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from nanosnake import layout
from nanosnake.checks.gate import Gate
from nanosnake.config import Config
from nanosnake.console.board import BOARD
from nanosnake.console.jobs import Job
from nanosnake.console.times import Times
from nanosnake.files import NanosnakeError, read_json
from nanosnake.snakemake_internals import Planned, Run
from nanosnake.training.recipe import older_code

BASELINE = "gpt2"
"""The vocabulary that a tokenizer is compared with in its line."""

NAMED = 5
"""How many of the jobs that failed for the same cause are named."""


class Outcome:
    """Which of a run's targets were made, and which failed.

    Args:
        config: the configuration.
        run: the running Snakemake.
        trainer: what decides the trainer's result now, to report models that were trained by other code.
    """

    def __init__(self, config: Config, run: Run, trainer: Mapping[str, str]) -> None:
        self.config, self.run, self.began, self.folder = config, run, time.time(), Path.cwd()
        self.trainer = trainer
        BOARD.times = Times(config)

    def catch_up(self) -> None:
        """Write the page of all results if a killed run did not; a run with nothing to do never reaches its end."""
        for _ in _readable(_index):
            pass

    def start(self) -> None:
        """Pass the planned jobs to the run's display."""
        BOARD.expect([Job.of(job.fields) for job in self.run.planned() if job.state == "left"])

    def say(self) -> None:
        """Print the final summary on stderr. By then, Snakemake has left the run's folder."""
        here = Path.cwd()
        with contextlib.chdir(self.folder):
            planned = list(self.run.planned())
            parts = (
                lambda: self.made(planned),
                _index,
                lambda: failures(planned, self.began),
            )
            text = "\n".join(line for part in parts for line in _readable(part))
        if here != self.folder:  # paths are relative to the folder that the reader is in
            folder = self.folder.relative_to(here) if self.folder.is_relative_to(here) else self.folder
            text = re.sub(r"(?<![\w/.])(?=(?:results|logs)/)", f"{folder}/", text)
        if text:
            print(f"\n{text}", file=sys.stderr)

    def made(self, planned: Sequence[Planned]) -> Iterator[str]:
        """Yield a line for each data set, tokenizer and model that this run was about."""
        states = {output: job.state for job in planned for output in job.fields["output"]}
        for name in self.config.datasets:
            if states.get(table := layout.SHARD_TABLE.format(dataset=name)) == "made":
                yield f"{name}: {_lines(Path(table)) - 1:,} shards; see {table}"
        for name, tokenizer in self.config.tokenizers.items():
            yield from _tokenizer(
                name, layout.TOKENIZER.format(dataset=tokenizer.dataset, tokenizer=name), states
            )
        for name, model in self.config.models.items():
            dataset = self.config.dataset_of(name)
            folder = layout.MODEL.format(dataset=dataset, tokenizer=model.tokenizer, model=name)
            yield from model_line(name, folder, states)
            if f"{folder}/training.json" in states and (note := older_code(Path(folder), self.trainer)):
                yield f"{name}: {note}; --forcerun train_model trains it again"
        for name, comparison in self.config.comparisons.items():
            where = {"dataset": self.config.dataset_of_ladder(comparison.of[0]), "compared": name}
            if states.get(claim := layout.CLAIM.format(**where)) in ("made", "up to date"):
                found = read_json(claim)
                page = layout.LADDER_COMPARISON_PAGE.format(**where)
                yield f"{name}: {found['claim']}: {found['verdict']}, because {found['why']}; see {page}"


def _readable(part: Callable[[], Iterator[str]]) -> list[str]:
    """Return lines, or a note if a result cannot be read."""
    try:
        return list(part())
    except (NanosnakeError, OSError, KeyError, TypeError) as error:
        return [
            f"note: {error}"
            if isinstance(error, NanosnakeError)
            else f"note: a result cannot be read ({error!r})"
        ]


SHOWN = (
    *(layout.SHARD_TABLE, layout.FIGURES, layout.TOKENIZER_PAGE, layout.COMPARISON, layout.EVALUATION),
    *(layout.MODEL_PAGE, layout.LADDER_PAGE, layout.CLAIM),
)
"""Files that the page of all results shows or links to."""


def index_is_stale(project: Path) -> bool:
    """Return whether a result is newer than the page, for instance because the run that made it was killed."""
    page = project / layout.INDEX
    written = page.stat().st_mtime_ns if page.is_file() else 0
    found = (path for pattern in SHOWN for path in project.glob(re.sub(r"{\w+}", "*", pattern)))
    return any(path.stat().st_mtime_ns >= written for path in found)


def _index() -> Iterator[str]:
    """Write the page of all results if one of them is newer, and return a line that says where it is."""
    try:
        if not index_is_stale(Path()):
            return
        from nanosnake.report.index import (
            write_index,
        )  # takes as long as everything else at the start of a run

        if page := write_index(Path()):
            yield f"all results: {page}"
    except (NanosnakeError, OSError) as error:
        yield f"the page of all results was not written: {error}"


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _tokenizer(name: str, folder: str, states: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines about a tokenizer, if it is a target of this run."""
    mine = {path: state for path, state in states.items() if path.startswith(f"{folder}/")}
    made = f"{folder}/gate.json"
    if made not in mine:
        if tokens := [path for path in mine if path.endswith(".ds")]:
            yield f"{name}: {sum(mine[path] != 'left' for path in tokens):,} of {len(tokens):,} token shards exist"
        return
    known = [path for path in mine if "/checks/" in path and mine[path] in ("made", "up to date")]
    gate = Gate.read(path for path in map(Path, known) if path.exists())
    if gate.open and mine[made] not in ("made", "up to date"):
        yield f"{name}: not made{_older(Path(folder, 'figures.json'))}"
        return
    figures = _figures(Path(folder), mine)
    yield f"{name}: {figures}{gate.state}{_age(mine[made])}{_page(folder, mine)}"


def _figures(folder: Path, states: Mapping[str, str]) -> str:
    """Return a tokenizer's size and compression; nothing if they were not measured in its current state."""
    curve = folder / "curve.json"
    if states.get(str(curve)) not in ("made", "up to date"):
        return ""
    found = read_json(curve)
    points = {point["tokenizer"]: point for point in [*found["curve"], *found.get("baselines", [])]}
    own = found["curve"][-1]
    words = f"{read_json(folder / 'tokenizer/meta.json')['vocab_size']:,} tokens, {own['bytes_per_token']:.2f} bytes per token"
    if other := points.get(BASELINE):
        difference = own["bytes_per_token"] / other["bytes_per_token"] - 1
        better = "better" if difference > 0 else "worse"
        words += f" ({100 * abs(difference):.0f}% {better} than {BASELINE} with {other['vocabulary']:,})"
    return words + ", "


def model_line(name: str, folder: str, states: Mapping[str, str]) -> Iterator[str]:
    """Yield the line about a model, if it is a target of this run."""
    result = f"{folder}/evaluation.json"
    if result not in states:
        return
    if states[result] not in ("made", "up to date"):
        yield f"{name}: not trained{_older(Path(result))}"
        return
    found = read_json(Path(result))
    bits, compared = found["bits_per_byte"], dict(found["baselines"])
    if talks := found.get("talks"):  # of the answers alone, as the model that it began with needs for them
        *begun, own = [(row["model"], row["bits_per_byte"]) for row in talks["models"]]
        bits, compared = own[1], dict(begun)
    others = ", ".join(f"{other} {bits:.3f}" for other, bits in compared.items()) or "nothing to compare with"
    yield f"{name}: {bits:.3f} bits per byte ({others}){_age(states[result])}{_page(folder, states)}"


def _age(state: str) -> str:
    return " (nothing changed)" if state == "up to date" else ""


def _older(path: Path) -> str:
    """Note that a file is from an earlier run, if it exists."""
    if not path.exists():
        return ""
    when = datetime.fromtimestamp(path.stat().st_mtime)
    return f"; {path.parent} is from an earlier run, {when:%Y-%m-%d %H:%M}"


def _page(folder: str, states: Mapping[str, str]) -> str:
    page = f"{folder}/report/index.html"
    return f"; see {page}" if states.get(page) in ("made", "up to date") and Path(page).exists() else ""


@dataclass
class Failure:
    """Jobs that failed for the same cause."""

    cause: str
    jobs: list[Job] = field(default_factory=list)


def failures(planned: Sequence[Planned], began: float) -> Iterator[str]:
    """Yield why jobs failed: each cause once, and how many failed for it."""
    failed = [_job(job, began) for job in planned if job.state == "failed"]
    if not failed:
        return
    # in a batch, jobs that did not fail themselves have no message
    telling = [job for job in failed if job.explains_itself] or failed
    causes: dict[str, Failure] = {}
    for job in telling:
        causes.setdefault(_shape(job), Failure(job.cause)).jobs.append(job)
    left = (
        sum(job.state == "left" and bool(job.fields["log"]) for job in planned) + len(failed) - len(telling)
    )
    for failure in sorted(causes.values(), key=lambda failure: -len(failure.jobs)):
        first, *others = failure.jobs
        yield ""
        yield f"FAILED: {first.name}"
        if others:
            named = ", ".join(job.what or job.rule for job in others[:NAMED])
            yield f"  and {len(others):,} more for the same cause: {named}{', …' if len(others) > NAMED else ''}"
        if first.log and Path(first.log).exists():
            yield f"  log: {first.log}"
        yield "  " + failure.cause.replace("\n", "\n  ")
    if left:
        yield ""
        jobs = "1 job that depends on these was" if left == 1 else f"{left:,} jobs that depend on these were"
        yield f"{jobs} not run; finished results are kept. Fix the cause and run the same command again."


def _job(job: Planned, began: float) -> Job:
    """Return a failed job, with the scheduler's message if our logger received it."""
    found = Job.of(job.fields)
    found.began = began
    return BOARD.failed.get(found.number, found)


def _shape(job: Job) -> str:
    """Return a cause without what differs between jobs: the names in its wildcards, and numbers."""
    text = job.cause
    for word in sorted(job.what.split(), key=len, reverse=True):
        text = text.replace(word, "*")
    return job.rule + re.sub(r"\d+", "#", text)
