r"""Find the items of a task that a token shard also contains: those that share 13 tokens in a row with it.

In:  a token shard, the tokenizer that made it, a task file.
Out: JSON: how many items there are, how many are shorter than that, and the number of shared runs of each that has any.

    python scripts/find_overlap.py --tokens results/demo/bpe-4096/tokens/train/shard_00000.ds \\
        --tokenizer results/demo/bpe-4096/tokenizer --task resources/tasks/word_order.json --output overlap.json
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanosnake.files import write_json
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class FindOverlap(Stage):
    """Find the items of a task that a token shard also contains."""

    packages = ("tiktoken",)

    tokens: Path
    """Token shard."""
    tokenizer: Path
    """Folder of the tokenizer."""
    task: Path
    """Task file."""
    output: Path
    """JSON file to write."""

    def run(self) -> str | None:
        from nanosnake.evaluation.contamination import RUN, find_overlap, item_tokens
        from nanosnake.evaluation.items import load_task
        from nanosnake.training.shards import open_shard
        from nanosnake.training.vocabulary import Vocabulary

        task, vocabulary = load_task(self.task), Vocabulary.load(self.tokenizer)
        items = [item_tokens(task, number, vocabulary) for number in range(len(task.items))]
        found = find_overlap(open_shard(self.tokens), items)
        short = sum(len(ids) < RUN for ids in items)
        write_json(self.output, {"items": len(items), "too_short": short, "run": RUN, "overlapping": found})
        return f"{self.output}: {len(found):,} of {len(items):,} items overlap"


if __name__ == "__main__":
    main(FindOverlap)
