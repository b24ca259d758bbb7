r"""Make the page on one model: what it learned, how the training went, what it writes. Loads nothing, as all pages.

In:  the model's folder with `training.json`, `metrics.jsonl` and `evaluation.json`, and, if wanted, the benchmark
     files of its jobs.
Out: the page.

    python scripts/make_model_report.py --dataset demo --tokenizer bpe4k --model results/demo/bpe4k/tiny \
        --benchmarks logs/demo/bpe4k/tiny --output results/demo/bpe4k/tiny/report/index.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake import cli
from nanosnake.report.model_sections import draw_model, model_page
from nanosnake.report.models import read_model
from nanosnake.report.render import render, write_page
from nanosnake.report.tables import format_size


@dataclass(frozen=True)
class Options:
    """The files that the page is made from, and the page."""

    dataset: str
    tokenizer: str
    model: Path
    benchmarks: Path | None
    output: Path


def make(options: Options) -> str:
    """Read the files and return the page."""
    model = read_model(options.dataset, options.tokenizer, options.model, options.benchmarks)
    return render(model_page(model), model=model, drawings=draw_model(model), benchmarks=model.benchmarks)


def main(argv: list[str] | None = None) -> int:
    """Read the command line and write the page."""
    parser = cli.parser(__doc__)
    parser.add_argument("--dataset", required=True, help="name of the dataset")
    parser.add_argument("--tokenizer", required=True, help="name of the tokenizer")
    parser.add_argument("--model", type=Path, required=True, help="folder of the model, which has its name")
    parser.add_argument("--benchmarks", type=Path, help="folder of the benchmark files of its jobs")
    parser.add_argument("--output", type=Path, required=True, help="page to write")
    options = cli.fill(Options, parser.parse_args(argv))
    size = write_page(make(options), options.output)
    cli.log(f"{options.output}: {format_size(size)}")
    return 0


if __name__ == "__main__":
    cli.run_main(main)
