"""What is known about a token shard, next to it: `NAME.json`, and datatrove's `.ds.metadata`, which says what tokenizer
wrote the shard and how many bytes a token takes.

datatrove's merger takes 2 bytes a token if the file is missing, and so silently halves the tokens of a large
vocabulary. nanotron's configuration takes tokenizer and size from the same line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nanosnake.files import NanosnakeError, replacing, write_json
from nanosnake.tokenizer.folder import TOKENIZER_JSON, TokenizerFolder

SUFFIX = ".metadata"


def metadata(tokenizer: str, token_bytes: int, tokens: int) -> str:
    """Return the content: `TOKENIZER|BYTES`, the number of tokens, and the same rounded for people.

    Args:
        tokenizer: where `AutoTokenizer.from_pretrained`, as nanotron calls it, finds the tokenizer.

    Raises:
        NanosnakeError: if the name has a bar or a line end, which both readers split at.
    """
    if "|" in tokenizer or tokenizer.splitlines() != [tokenizer]:
        raise NanosnakeError(
            f"--tokenizer: {tokenizer!r} has a bar or a line end, where datatrove and nanotron cut it; "
            "use a folder of another name"
        )
    return f"{tokenizer}|{token_bytes}\n{tokens}\n{_rounded(tokens)}"


def describe(shard: Path, tokenizer: TokenizerFolder, counts: Mapping[str, Any]) -> dict[str, Any]:
    """Write the metadata file next to a token shard, and NAME.json; return what the latter says.

    Args:
        counts: counts and hashes of the shard, its tokens among them.
    """
    token_bytes = 2 if tokenizer.token_type == "uint16" else 4
    content = metadata(str(tokenizer.folder), token_bytes, counts["tokens"])
    with replacing(shard.with_name(shard.name + SUFFIX)) as temporary:
        temporary.write_text(content, encoding="utf-8")
    facts = {
        **counts,
        "dtype": tokenizer.token_type,
        "bos_id": tokenizer.bos_id,
        "tokenizer": tokenizer.name,
        "tokenizer_sha256": tokenizer.hashes[TOKENIZER_JSON],
    }
    write_json(shard.with_suffix(".json"), facts)
    return facts


def _rounded(tokens: int) -> str:
    """Return three digits with a unit, as datatrove writes them: `12.3 MT`."""
    digits = int(math.log10(tokens)) if tokens else 0
    return f"{tokens / 1000 ** (digits // 3):.{2 - digits % 3}f} {['', *'kMGTPE'][digits // 3]}T"
