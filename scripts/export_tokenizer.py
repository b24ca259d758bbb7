"""Export a tokenizer: tokenizer.json (Hugging Face), tokenizer_config.json, tokenizer.tiktoken, meta.json.

Inputs: merges and the counts that they were learned from (Arrow files), the shards' metadata files.
Outputs: the four files, in one folder; equal inputs give equal bytes.

    python scripts/export_tokenizer.py --name bpe-4096 --merges results/demo/bpe-4096/merges.arrow \\
        --counts results/demo/counts/nanochat/merged/train.arrow --pattern nanochat --vocab-size 4096 \\
        --special-tokens '<|bos|>' --shards 'results/demo/shards/shard_[00000-00003]' \\
        --output results/demo/bpe-4096/tokenizer
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake.files import NanosnakeError, read_json
from nanosnake.naming import expand
from nanosnake.stages import Stage, main


@dataclass(frozen=True, kw_only=True)
class ExportTokenizer(Stage):
    """Write the files of a tokenizer that other tools read."""

    name: str
    """The tokenizer's name."""
    merges: Path
    """Its merges, Arrow."""
    counts: Path
    """The counts that the merges were learned from."""
    pattern: str
    """Split pattern: gpt2, gpt4, gpt4o, nanochat, or a regex."""
    vocab_size: int
    """Bytes, merges and special tokens."""
    special_tokens: tuple[str, ...]
    """Special tokens, in the order of their ids."""
    bos: str | None = None
    """Special token that begins every document; the first if absent."""
    eos: str | None = None
    """Special token that ends generation; bos if absent."""
    pad: str | None = None
    """Special token that fills rows of a batch; eos if absent."""
    chat_template: Path | None = None
    """Jinja template of conversations; if absent, nanochat's, provided its special tokens exist."""
    shards: tuple[str, ...] = ()
    """Shards that it was trained on, each word a folder of metadata files and names in it, as in the example."""
    output: Path
    """Folder to write into."""

    def run(self) -> str | None:
        meta = export_tokenizer(self)
        return f"{self.output}: {meta['vocab_size']:,} tokens, {meta['merges']:,} of them merges"


def export_tokenizer(options: ExportTokenizer) -> dict[str, Any]:
    """Write the artifacts and return the content of `meta.json`."""
    from nanosnake.crate import rustbpe
    from nanosnake.tokenizer.export import Recipe, export

    merges = rustbpe.Merges.read(str(options.merges))
    template = options.chat_template
    recipe = Recipe(
        name=options.name,
        pattern=options.pattern,
        vocab_size=options.vocab_size,
        special_tokens=options.special_tokens,
        roles={
            "bos": options.bos,
            "eos": options.eos,
            "pad": options.pad,
            "chat_template": template.read_text(encoding="utf-8") if template else None,
        },
        shards=shard_hashes(options.shards),
        given=merges.given,
    )
    counting = counting_facts(options.counts, recipe.regex)
    return export(merges.pairs(), Recipe(**{**vars(recipe), "counting": counting}), options.output)


def counting_facts(path: Path, regex: str) -> dict[str, Any]:
    """Return how the pre-tokens of a counts file were counted.

    Raises:
        NanosnakeError: if it was counted with a split pattern other than `regex`.
    """
    from nanosnake.crate import rustbpe

    facts: dict[str, Any] = {**rustbpe.Counts.header(path)}
    pattern = facts.pop("pattern")
    if pattern != regex:
        raise NanosnakeError(
            f"{path}: was counted with the pattern {pattern!r}, but the tokenizer's is {regex!r}; "
            "use counts made with the tokenizer's pattern"
        )
    return facts


def shard_hashes(words: Sequence[str]) -> list[dict[str, str]]:
    """Return name and SHA-256 of shards, from the metadata files next to them; with folder names if several."""
    paths = [path.with_name(f"{name}.json") for path in map(Path, words) for name in expand(path.name)]
    several = len({path.parent for path in paths}) > 1
    found = []
    for path in paths:
        sha256 = read_json(path).get("sha256")
        if not sha256:
            raise NanosnakeError(
                f"{path}: has no sha256; delete the shard and this file, and fetch the shard again"
            )
        name = f"{path.parent}/{path.stem}" if several else path.stem
        found.append({"shard": name, "sha256": sha256})
    return found


if __name__ == "__main__":
    main(ExportTokenizer)
