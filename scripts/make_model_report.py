r"""Make the page on one model: what it learned, how training went, what it writes. It is one self-contained file.

In:  the model's folder with `training.json`, `metrics.jsonl` and `evaluation.json`, and, if wanted, the benchmark
     files of its jobs.
Out: the page.

    python scripts/make_model_report.py --dataset demo --tokenizer bpe-4096 --model results/demo/bpe-4096/tiny \
        --benchmarks logs/demo/bpe-4096/tiny --output results/demo/bpe-4096/tiny/report/index.html
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class MakeModelReport(Stage):
    """Write the page of a model."""

    dataset: str
    """Name of the data set."""
    tokenizer: str
    """Name of the tokenizer."""
    model: Path
    """Folder of the model; its name is the model's."""
    benchmarks: Path | None = None
    """Folder of the benchmark files of its jobs."""
    trainer: Path | None = None
    """File that describes the trainer's current code, to report if the model was trained by other code."""
    output: Path
    """Page to write."""

    def run(self) -> str | None:
        from nanosnake.report.render import write_page
        from nanosnake.report.tables import format_size

        size = write_page(make(self), self.output)
        return f"{self.output}: {format_size(size)}"


def make(options: MakeModelReport) -> str:
    """Read the files and return the page."""
    from nanosnake.report.model_sections import draw_model, model_page
    from nanosnake.report.models import read_model
    from nanosnake.report.render import render

    model = read_model(options.dataset, options.tokenizer, options.model, options.benchmarks, options.trainer)
    return render(model_page(model), model=model, drawings=draw_model(model), benchmarks=model.benchmarks)


if __name__ == "__main__":
    main(MakeModelReport)
