"""Vocabularies in the formats that the other implementations read."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from nanosnake.files import replacing
from nanosnake.tokenizer.export import hugging_face_json

GPT4_SPELLING = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
HUGGING_FACE_SPELLING = {"gpt4": GPT4_SPELLING, "nanochat": GPT4_SPELLING.replace("{1,3}", "{1,2}")}
"""The split patterns as Hugging Face's files have them; fastokens has a scanner for the first."""


def write_ranks(tokens: Path, ranks: Path) -> None:
    """Writes tokens (a line of hexadecimal digits each, by id) as a tiktoken file."""
    lines = [bytes.fromhex(line) for line in tokens.read_text().split()]
    ranks.write_text(
        "".join(f"{base64.b64encode(token).decode()} {rank}\n" for rank, token in enumerate(lines))
    )


def write_hugging_face(ranks: Mapping[bytes, int], pattern: str, target: Path) -> None:
    """Writes a tokenizer.json that splits as such files usually do."""
    tokens = sorted(ranks, key=lambda token: ranks[token])
    regex, bos = HUGGING_FACE_SPELLING[pattern], "<|bos|>"
    content = json.loads(hugging_face_json(tokens, merges_of(ranks), regex, {bos: len(tokens)}, bos))
    content["post_processor"] = None  # would put the bos token before each text
    content["pre_tokenizer"]["pretokenizers"][0] |= {
        "pattern": {"Regex": regex},
        "behavior": "Isolated",
        "invert": False,
    }
    with replacing(target) as partial:
        partial.write_text(json.dumps(content, ensure_ascii=False))


def merges_of(ranks: Mapping[bytes, int]) -> list[tuple[int, int]]:
    """The pairs that make the tokens, in order: for each token, the last two parts that its bytes merge into."""
    merges = []
    for token, rank in sorted(ranks.items(), key=lambda item: item[1]):
        parts = [bytes([byte]) for byte in token]
        while len(parts) > 2:
            pairs = [(ranks.get(parts[i] + parts[i + 1], rank), i) for i in range(len(parts) - 1)]
            lowest, at = min(pairs)
            if lowest >= rank:
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        if len(parts) == 2:
            merges.append((ranks[parts[0]], ranks[parts[1]]))
    return merges
