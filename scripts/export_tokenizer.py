"""Export a tokenizer: tokenizer.json (Hugging Face), tokenizer_config.json, tokenizer.tiktoken, meta.json.

Inputs: merges and the counts that they were learned from (Arrow files), the shards' metadata files.
Outputs: the four files, in one folder; equal inputs give equal bytes.

    python scripts/export_tokenizer.py --name bpe4k --merges results/demo/bpe4k/merges.arrow \\
        --counts results/demo/counts/nanochat/merged/train.arrow --pattern nanochat --vocab-size 4096 \\
        --special-tokens '<|bos|>' --folder results/demo/shards --shards 'shard_[00000-00003]' \\
        --output results/demo/bpe4k/tokenizer
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake import cli, naming
from nanosnake.crate import rustbpe
from nanosnake.files import NanosnakeError, read_json
from nanosnake.tokenizer.export import Recipe, export, read_merges


@dataclass(frozen=True)
class Options:
    """What to export, and where to."""

    name: str
    merges: Path
    counts: Path
    pattern: str
    vocab_size: int
    special_tokens: tuple[str, ...]
    folder: Path
    shards: str
    output: Path


def export_tokenizer(options: Options) -> dict[str, Any]:
    """Write the artifacts and return the content of `meta.json`."""
    recipe = Recipe(
        name=options.name,
        pattern=options.pattern,
        vocab_size=options.vocab_size,
        special_tokens=options.special_tokens,
        shards=shard_hashes(options.folder, naming.expand(options.shards)),
    )
    counting = counting_facts(options.counts, recipe.regex)
    return export(
        read_merges(options.merges), Recipe(**{**vars(recipe), "counting": counting}), options.output
    )


def counting_facts(path: Path, regex: str) -> dict[str, Any]:
    """Return how the pre-tokens of a counts file were counted.

    Raises:
        NanosnakeError: if it was counted with another split pattern than `regex`.
    """
    facts: dict[str, Any] = {**rustbpe.Counts.header(path)}
    pattern = facts.pop("pattern")
    if pattern != regex:
        raise NanosnakeError(
            f"{path}: was counted with the pattern {pattern!r}, the tokenizer has {regex!r}; "
            "give the counts of its own pattern"
        )
    return facts


def shard_hashes(folder: Path, shards: Iterable[str]) -> list[dict[str, str]]:
    """Return name and SHA-256 of shards, from the metadata files beside them."""
    found = []
    for shard in shards:
        path = folder / f"{shard}.json"
        sha256 = read_json(path).get("sha256")
        if not sha256:
            raise NanosnakeError(f"{path}: has no sha256; delete the shard and this file, and get it again")
        found.append({"shard": shard, "sha256": sha256})
    return found


def main(argv: list[str] | None = None) -> int:
    """Read the command line and export the tokenizer."""
    parser = cli.parser(__doc__)
    parser.add_argument("--name", required=True, help="the tokenizer's name")
    parser.add_argument("--merges", type=Path, required=True, help="merges.arrow")
    parser.add_argument("--counts", type=Path, required=True, help="the counts the merges were learned from")
    parser.add_argument("--pattern", required=True, help="gpt2, gpt4, gpt4o, nanochat, or a regex")
    parser.add_argument("--vocab-size", type=int, required=True, help="bytes, merges and special tokens")
    parser.add_argument("--special-tokens", nargs="+", required=True, help="the first begins every document")
    parser.add_argument("--folder", type=Path, required=True, help="folder of the shards' metadata files")
    parser.add_argument("--shards", required=True, help="names, runs as shard_[00000-00003], with commas")
    parser.add_argument("--output", type=Path, required=True, help="folder to write into")
    arguments = parser.parse_args(argv)
    arguments.special_tokens = tuple(arguments.special_tokens)
    meta = export_tokenizer(cli.fill(Options, arguments))
    cli.log(f"{arguments.output}: {meta['vocab_size']:,} tokens, {meta['merges']:,} of them merges")
    return 0


if __name__ == "__main__":
    cli.run_main(main)
