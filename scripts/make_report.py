r"""Make the report on one tokenizer: one HTML file that loads nothing and can be opened from disk.

In:  the tokenizer's folder, the verdict files of its checks, and whatever else there is: measured figures, the
     table of shards, the history, benchmark files, evaluation texts. A part whose files are
     not given is left out of the page.
Out: the page.

    python scripts/make_report.py --dataset demo --tokenizer results/demo/bpe4k/tokenizer \
        --verdicts results/demo/bpe4k/checks/*.json --curve results/demo/bpe4k/vocabulary_curve.json \
        --shards results/demo/shards.csv --history history/demo/bpe4k.jsonl --benchmarks logs/demo \
        --texts resources/texts --baseline-cache .cache/baselines --output results/demo/bpe4k/report/index.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake import cli
from nanosnake.report.data import Report, Sources, gather
from nanosnake.report.render import render, write_page
from nanosnake.report.sections import draw, tokenizer_page
from nanosnake.report.segments import Encoding
from nanosnake.report.tables import format_size
from nanosnake.tokenizer.baselines import load_baselines
from nanosnake.tokenizer.folder import load


@dataclass(frozen=True)
class Options:
    """The files that the report is made from, and the page."""

    dataset: str
    tokenizer: Path
    verdicts: list[Path]
    curve: Path | None
    shards: Path | None
    history: Path | None
    benchmarks: Path | None
    texts: Path | None
    baseline_cache: Path | None
    output: Path


def make(options: Options) -> Report:
    """Read the files and return what the page shows."""
    tokenizer = load(options.tokenizer)
    encodings: dict[str, Encoding] = {}
    notes: list[str] = []
    if tokenizer.problems:  # the gate is closed then, and the page says why
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
        texts=options.texts if encodings else None,
    )
    return gather(sources, tokenizer, encodings, notes)


def main(argv: list[str] | None = None) -> int:
    """Read the command line and write the page."""
    parser = cli.parser(__doc__)
    parser.add_argument("--dataset", required=True, help="name of the dataset")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer folder")
    parser.add_argument("--verdicts", type=Path, nargs="*", default=[], help="verdict files")
    parser.add_argument("--curve", type=Path, help="figures of measure_vocabulary_curve.py")
    parser.add_argument("--shards", type=Path, help="table of the shards, CSV")
    parser.add_argument("--history", type=Path, help="records of earlier runs, JSON lines; may not exist yet")
    parser.add_argument("--benchmarks", type=Path, help="folder of the dataset's benchmark files")
    parser.add_argument("--texts", type=Path, help="folder of evaluation texts")
    parser.add_argument(
        "--baseline-cache", type=Path, help="folder of the baselines; without it, none are shown"
    )
    parser.add_argument("--output", type=Path, required=True, help="page to write")
    options = cli.fill(Options, parser.parse_args(argv))
    report = make(options)
    drawings = draw(report)
    page = render(
        tokenizer_page(report, drawings), report=report, drawings=drawings, benchmarks=report.benchmarks
    )
    size = write_page(page, options.output)
    cli.log(f"{options.output}: {format_size(size)}, {report.gate.headline}")
    return 0


if __name__ == "__main__":
    cli.run_main(main)
