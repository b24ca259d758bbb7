"""Collect a tokenizer's figures, and append them to its history.

Inputs: the tokenizer folder and the verdicts on it. Output: figures.json: what, from what, figures, without times,
so that equal inputs give equal bytes. The history is no output: Snakemake would delete it before it runs the rule.

    python scripts/record_figures.py --dataset demo --tokenizer results/demo/bpe4k/tokenizer \\
        --verdicts results/demo/bpe4k/checks/*.json --history history/demo/bpe4k.jsonl \\
        --output results/demo/bpe4k/figures.json
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nanosnake import cli
from nanosnake.checks.verdict import read_verdict
from nanosnake.files import write_json
from nanosnake.provenance import history
from nanosnake.tokenizer.folder import TOKENIZER_JSON, TokenizerFolder, load


def collect(dataset: str, tokenizer: TokenizerFolder, verdicts: Sequence[Path]) -> dict[str, Any]:
    """Return the state that a record of the history holds."""
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


def main(argv: list[str] | None = None) -> int:
    """Read the command line, write the figures, append the record."""
    parser = cli.parser(__doc__)
    parser.add_argument("--dataset", required=True, help="the dataset's name")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer folder")
    parser.add_argument("--verdicts", type=Path, nargs="*", required=True, help="verdict files")
    parser.add_argument("--history", type=Path, required=True, help="JSON lines file to append to")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(argv)
    state = collect(options.dataset, load(options.tokenizer), options.verdicts)
    new = history.append(options.history, state)
    write_json(options.output, state)
    cli.log(
        f"{options.history}: {'one record more' if new else 'unchanged, the state is that of its last record'}"
    )
    return 0


if __name__ == "__main__":
    cli.run_main(main)
