"""Collect a tokenizer's figures, and append them to its history.

Inputs: the tokenizer folder and the verdicts on it. Output: figures.json with the inputs and the figures, but no times,
so equal inputs give equal bytes. The history is not an output: Snakemake would delete it before it runs the rule.

    python scripts/record_figures.py --dataset demo --tokenizer results/demo/bpe-4096/tokenizer \\
        --verdicts results/demo/bpe-4096/checks/*.json --history history/demo/bpe-4096.jsonl \\
        --output results/demo/bpe-4096/figures.json
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nanosnake.files import write_json
from nanosnake.stages import Stage, main

if TYPE_CHECKING:
    from nanosnake.tokenizer.folder import TokenizerFolder


def collect(dataset: str, tokenizer: TokenizerFolder, verdicts: Sequence[Path]) -> dict[str, Any]:
    """Return a record for the history: what the tokenizer was made from, and its figures."""
    from nanosnake.checks.verdict import read_verdict
    from nanosnake.tokenizer.folder import TOKENIZER_JSON

    found = [read_verdict(path) for path in verdicts]
    meta = tokenizer.meta
    shards = "".join(f"{shard['sha256']}  {shard['shard']}\n" for shard in meta.get("shards", ()))
    return {
        "dataset": dataset,
        "tokenizer": tokenizer.name,
        "vocab_size": tokenizer.vocab_size,
        "pattern_name": meta.get("pattern_name"),
        "pattern_sha256": _digest(tokenizer.pattern),
        "shards": len(meta.get("shards", ())),
        "shards_sha256": _digest(shards),
        "tokenizer_sha256": tokenizer.hashes[TOKENIZER_JSON],
        "versions": dict(meta.get("versions", {})),
        "checks": {verdict.check: verdict.verdict for verdict in found},
        "figures": {
            f"{verdict.check}.{name}": value
            for verdict in found
            for name, value in verdict.extra.get("key", {}).items()
        },
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class RecordFigures(Stage):
    """Collect the figures of a tokenizer and add them to its history."""

    dataset: str
    """The data set's name."""
    tokenizer: Path
    """Tokenizer folder."""
    verdicts: tuple[Path, ...]
    """Verdict files."""
    history: Path
    """JSON lines file to append to."""
    output: Path
    """JSON file to write."""

    def run(self) -> str | None:
        from nanosnake.provenance import history
        from nanosnake.tokenizer.folder import load

        state = collect(self.dataset, load(self.tokenizer), self.verdicts)
        new = history.append(self.history, state)
        write_json(self.output, state)
        return f"{self.history}: {'one record added' if new else 'unchanged since its last record'}"


if __name__ == "__main__":
    main(RecordFigures)
