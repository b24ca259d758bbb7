r"""Make the report on one tokenizer: one HTML file that loads nothing and can be opened from disk.

In:  the tokenizer's folder, the verdict files of its checks, and whatever else there is: measured figures, the
     table of shards, the history, benchmark files, evaluation texts. A part whose files are
     not given is left out of the page.
Out: the page.

    python scripts/make_report.py --dataset demo --tokenizer results/demo/bpe-4096/tokenizer \
        --verdicts results/demo/bpe-4096/checks/*.json --curve results/demo/bpe-4096/vocabulary_curve.json \
        --shards results/demo/shards.csv --history history/demo/bpe-4096.jsonl --benchmarks logs/demo \
        --texts resources/texts --baseline-cache .cache/baselines --output results/demo/bpe-4096/report/index.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nanosnake.stages import Stage, main

if TYPE_CHECKING:
    from nanosnake.report.data import Report
    from nanosnake.report.segments import Encoding


@dataclass(frozen=True, kw_only=True)
class MakeReport(Stage):
    """Write the page of a tokenizer."""

    dataset: str
    """Name of the data set."""
    tokenizer: Path
    """Tokenizer folder."""
    verdicts: tuple[Path, ...] = ()
    """Verdict files."""
    curve: Path | None = None
    """Figures of measure_vocabulary_curve.py."""
    shards: tuple[Path, ...] = ()
    """Tables of the shards, CSV."""
    history: Path | None = None
    """Records of earlier runs, JSON lines; may not exist yet."""
    benchmarks: Path | None = None
    """Folder of the data set's benchmark files."""
    record: Path | None = None
    """Record of the job that learned the merges."""
    texts: tuple[Path, ...] = ()
    """Folders of evaluation texts."""
    baseline_cache: Path | None = None
    """Folder of the baselines; without it, none are shown."""
    output: Path
    """Page to write."""

    def run(self) -> str | None:
        from nanosnake.report.render import render, write_page
        from nanosnake.report.sections import draw, tokenizer_page
        from nanosnake.report.tables import format_size

        report = make(self)
        drawings = draw(report)
        page = tokenizer_page(report, drawings)
        size = write_page(
            render(page, report=report, drawings=drawings, benchmarks=report.benchmarks), self.output
        )
        return f"{self.output}: {format_size(size)}, {report.gate.headline}"


def make(options: MakeReport) -> Report:
    """Read the files and return what the page shows."""
    from nanosnake.report.data import Sources, gather
    from nanosnake.tokenizer.baselines import load_baselines
    from nanosnake.tokenizer.folder import load

    tokenizer = load(options.tokenizer)
    encodings: dict[str, Encoding] = {}
    notes: list[str] = []
    if tokenizer.problems:  # in that case the gate is closed, and the page says why
        notes.append(f"The vocabulary is unsound, so no text is cut with it: {tokenizer.problems[0]}.")
    else:
        encodings[tokenizer.name] = tokenizer.tiktoken()
    if encodings and options.texts and options.baseline_cache:
        found = load_baselines(options.baseline_cache)
        encodings.update(found.encodings)
        notes.extend(found.notes)
    sources = Sources(
        dataset=options.dataset,
        tokenizer=tokenizer.name,
        verdicts=tuple(options.verdicts),
        curve=options.curve,
        shards=options.shards,
        history=options.history,
        benchmarks=options.benchmarks,
        record=options.record,
        texts=options.texts if encodings else (),
    )
    return gather(sources, tokenizer, encodings, notes)


if __name__ == "__main__":
    main(MakeReport)
