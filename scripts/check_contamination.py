r"""Sum up which task items also occur in the training text, before a model is trained on it.

In:  the overlap files of each task, for all training shards.
Out: JSON: a row for each task. If the mode is `block` and a task has too many such items, no file is written and the
     exit status is 1.

    python scripts/check_contamination.py --mode warn --tasks word_order \\
        --overlap 'results/demo/bpe-4096/overlap/word_order/shard_[00000-00003].json' --output contamination.json
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nanosnake.files import NanosnakeError, write_json
from nanosnake.messages import log
from nanosnake.naming import expand
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class CheckContamination(Stage):
    """Sum up which task items also occur in the training text."""

    mode: Literal["block", "warn"] = "warn"
    """What happens if too many items overlap: the job fails (block), or a warning is printed (warn)."""
    max_share: float = 0.01
    """Largest share of a task's items that may overlap."""
    tasks: tuple[str, ...]
    """Task that each word of --overlap belongs to."""
    overlap: tuple[str, ...]
    """Overlap files, each word a folder and names in it."""
    output: Path
    """JSON file to write."""

    def run(self) -> str | None:
        rows = check_contamination(self)
        told = (f"{row['task']} {len(row['overlapping']):,} of {row['items']:,}" for row in rows)
        return f"items that share 13 tokens in a row with the training text: {', '.join(told)}"


def check_contamination(options: CheckContamination) -> list[dict[str, Any]]:
    """Write the verdict and return its rows.

    Raises:
        NanosnakeError: if a task has too many items that overlap, and the mode is block.
    """
    from nanosnake.evaluation.contamination import RUN, summed

    files: dict[str, list[Path]] = {}
    for task, word in zip(options.tasks, map(Path, options.overlap), strict=True):
        names = expand(word.name.removesuffix(".json"))
        files.setdefault(task, []).extend(word.with_name(f"{name}.json") for name in names)
    rows = [summed(task, paths) for task, paths in files.items()]
    failed = [
        f"{row['task']}: {len(row['overlapping']):,} of {row['items']:,} items share {RUN} tokens in a row with the "
        f"training text ({row['share']:.1%}); the limit is {options.max_share:.1%}"
        for row in rows
        if row["share"] > options.max_share
    ]
    if failed and options.mode == "block":
        raise NanosnakeError(
            "\n  ".join(["contamination: nothing is trained", *failed])
            + "\n  next: remove those documents from the text, or set the model's contamination.max_share or mode"
        )
    for message in failed:
        log(f"contamination: {message}")
    verdict = "fail" if failed else "pass"
    write_json(
        options.output,
        {"mode": options.mode, "max_share": options.max_share, "run": RUN, "verdict": verdict, "tasks": rows},
    )
    return rows


if __name__ == "__main__":
    main(CheckContamination)
