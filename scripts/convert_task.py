"""Convert a published data set, such as GSM8K, ARC or MMLU, to a task file.

In:  parquet files, by URL or path.
Out: the task file, with the items in nanochat's order.

    python scripts/convert_task.py --form gsm8k --files gsm8k/test.parquet --out tasks/gsm8k.json
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nanosnake.files import write_json
from nanosnake.sources.download import Patience
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class ConvertTask(Stage, Patience):
    """Convert a published data set to a task file."""

    form: Literal["gsm8k", "arc", "mmlu"]
    """What the rows are."""
    files: tuple[str, ...]
    """Parquet files, or their URLs."""
    sha256: tuple[str, ...] = ()
    """Expected SHA-256 of each download; none: the host's word is taken."""
    chat: bool = False
    """Ask in conversations, as nanochat does, instead of in text that a base model continues."""
    few_shot: int = 0
    """Number of solved items shown before each question."""
    max_items: int = 0
    """Number of items to ask, the first ones in nanochat's order; 0: all."""
    max_tokens: int = 512
    """Maximum length of a written answer, in tokens."""
    out: Path
    """Task file to write."""

    def run(self) -> str:
        from nanosnake.evaluation.items import load_task
        from nanosnake.evaluation.published import task_file
        from nanosnake.sources.download import here

        hashes = self.sha256 or [None] * len(self.files)
        with contextlib.ExitStack() as stack:
            paths = [
                stack.enter_context(here(place, sha256=sha256, patience=self))
                for place, sha256 in zip(self.files, hashes, strict=True)
            ]
            said = task_file(self.form, paths, chat=self.chat)
        said |= {"few_shot": self.few_shot, "max_tokens": self.max_tokens}
        write_json(self.out, {**said, "items": said["items"][: self.max_items or None]})
        return f"{self.out}: {len(load_task(self.out).items):,} items"


if __name__ == "__main__":
    main(ConvertTask)
