"""Small real tokenizers for tests: counted, trained and exported as the workflow does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import rustbpe

import export_tokenizer
from nanosnake.files import sha256_file, write_json
from nanosnake.stages import call
from nanosnake.tokenizer.folder import META, TokenizerFolder, load

TEXTS = Path(__file__).parents[1] / "resources" / "texts"
SPECIAL_TOKENS = ["<|bos|>", "<|user_start|>", "<|user_end|>"]

CHAT_TOKENS = [
    *("<|bos|>", "<|user_start|>", "<|user_end|>", "<|assistant_start|>", "<|assistant_end|>"),
    *("<|python_start|>", "<|python_end|>", "<|output_start|>", "<|output_end|>"),
]
"""nanochat's special tokens."""


def evaluation_texts() -> dict[str, str]:
    """Return the evaluation texts by name."""
    return {path.stem: path.read_bytes().decode() for path in sorted(TEXTS.glob("*.txt"))}


def train(
    folder: Path,
    texts: Sequence[str],
    *,
    vocab_size: int = 600,
    pattern: str = "nanochat",
    special_tokens: Sequence[str] = SPECIAL_TOKENS,
    name: str = "tiny",
) -> TokenizerFolder:
    """Train a tokenizer on the texts, export it to `folder`/tokenizer, and load it."""
    shards = folder / "shards"
    shards.mkdir(parents=True)
    pq.write_table(pa.table({"text": texts}), shards / "shard_00000.parquet")
    write_json(shards / "shard_00000.json", {"sha256": sha256_file(shards / "shard_00000.parquet")})
    counts, merges = folder / "counts.arrow", folder / "merges.arrow"
    rustbpe.count_parquet(str(shards / "shard_00000.parquet"), pattern=pattern).write(str(counts))
    rustbpe.train_merges(str(counts), vocab_size - 256 - len(special_tokens)).write(str(merges))
    arguments = arguments_of_export(folder, vocab_size, pattern, special_tokens, name)
    assert call(export_tokenizer.ExportTokenizer, arguments) == 0
    return load(folder / "tokenizer")


def arguments_of_export(
    folder: Path, vocab_size: int, pattern: str, special_tokens: Sequence[str], name: str = "tiny"
) -> list[str]:
    """Return the command line that exports what `train` left in `folder`."""
    return [
        *("--name", name, "--merges", str(folder / "merges.arrow"), "--counts", str(folder / "counts.arrow")),
        *("--pattern", pattern, "--vocab-size", str(vocab_size), "--special-tokens", *special_tokens),
        *("--shards", str(folder / "shards/shard_00000")),
        *("--output", str(folder / "tokenizer")),
    ]


def damage(folder: Path, name: str, change: Callable[[bytes], bytes]) -> TokenizerFolder:
    """Change a file of a tokenizer folder, and `meta.json` with it, as if it had been exported so."""
    path = folder / name
    path.write_bytes(change(path.read_bytes()))
    meta = json.loads((folder / META).read_text())
    meta["files"][name] = {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
    write_json(folder / META, meta)
    return load(folder)
