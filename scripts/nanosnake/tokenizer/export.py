"""Write a tokenizer's artifacts: `tokenizer.json`, `tokenizer_config.json`, `tokenizer.tiktoken`, `meta.json`.

Ids: 0 to 255 are the bytes in their order, then the merges in theirs, then the special tokens.

`tokenizer.json` gives the ids that tiktoken gives, because of four settings that are easy to get wrong:
- the split keeps what the pattern matches and drops what it does not (`Removed`, inverted); with the usual
  `Isolated` unmatched text would become separate pieces, which tiktoken does not do;
- `ignore_merges`: a piece that is a token is that token, without merging, as in tiktoken;
- a text begins with the bos token, unless special tokens are turned off (`add_special_tokens=False`), because every
  training document began that way;
- the merges are the learned pairs. tiktoken joins any two neighbours whose bytes are a token, but a learned
  pair is the only way in which merging by rank arrives at its token, so both agree. Where merges were given, a
  token may be merged from tokens with higher ids, and that pair is written.
Its regex engine differs from ours and tiktoken's: nanosnake.tokenizer.oniguruma writes the pattern for it.

Equal inputs give equal bytes: none of the files contains times, hosts or paths. `meta.json` names the versions that
wrote them, since another version may write other bytes. When a tokenizer was made and how long it took is in the rules'
benchmark files and in the history, which are not outputs that others are compared with.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tokenizers

import nanosnake
from nanosnake.crate import rustbpe
from nanosnake.files import NanosnakeError, replacing, write_json
from nanosnake.messages import named
from nanosnake.tokenizer import oniguruma
from nanosnake.tokenizer.folder import META, RANKS, TOKENIZER_JSON
from nanosnake.tokenizer.merging import BYTES, as_merged
from nanosnake.tokenizer.transformers import TOKENIZER_CONFIG, Roles, begins_with, config_json


@dataclass(frozen=True)
class Recipe:
    """What a tokenizer is besides its merges.

    Attributes:
        name: the tokenizer's name.
        pattern: name of a split pattern (`gpt2`, `gpt4`, `gpt4o`, `nanochat`) or a regex.
        vocab_size: bytes, merges and special tokens.
        special_tokens: their texts, in the order of their ids.
        roles: which of them is what, as in `Roles.of`; by default the first begins every document and ends it.
        shards: names and SHA-256 of the shards that the merges were learned from.
        counting: how the pre-tokens were counted.
        given: how many of the first merges are those of another tokenizer or of seeds.
    """

    name: str
    pattern: str
    vocab_size: int
    special_tokens: Sequence[str]
    roles: Mapping[str, str | None] = field(default_factory=dict)
    shards: Sequence[Mapping[str, str]] = ()
    counting: Mapping[str, Any] = field(default_factory=dict)
    given: int = 0

    @property
    def regex(self) -> str:
        """The split pattern as a regex."""
        return str(rustbpe.PATTERNS.get(self.pattern, self.pattern))

    @property
    def pattern_name(self) -> str | None:
        """The split pattern's name, if it has one."""
        if self.pattern in rustbpe.PATTERNS:
            return self.pattern
        return next((name for name, regex in rustbpe.PATTERNS.items() if regex == self.pattern), None)

    @property
    def num_merges(self) -> int:
        """How many merges the vocabulary has room for."""
        return self.vocab_size - BYTES - len(self.special_tokens)


def export(merges: Sequence[tuple[int, int]], recipe: Recipe, folder: str | Path) -> dict[str, Any]:
    """Write the artifacts of a tokenizer into a folder and return the content of `meta.json`.

    Args:
        merges: learned pairs of ids in their order; more than the vocabulary has room for are left out, since
            a smaller vocabulary is a prefix of a larger one.

    Raises:
        NanosnakeError: if the merges are too few or unsound, or a special token cannot be one.
    """
    folder = Path(folder)
    if not recipe.special_tokens:
        raise NanosnakeError("special_tokens: is empty; name at least one, which begins every document")
    if len(merges) < recipe.num_merges:
        most = BYTES + len(merges) + len(recipe.special_tokens)
        raise NanosnakeError(
            f"tokenizers.{recipe.name}.vocab_size: {recipe.vocab_size:,} needs {recipe.num_merges:,} merges, the "
            f"text gave {len(merges):,}; set it to {most:,} or less, or learn from more text"
        )
    if recipe.num_merges < 0:
        least = BYTES + len(recipe.special_tokens)
        raise NanosnakeError(
            f"tokenizers.{recipe.name}.vocab_size: {recipe.vocab_size:,} has no room for {BYTES} bytes and "
            f"{len(recipe.special_tokens)} special tokens; set it to {least} or more"
        )
    merges = merges[: recipe.num_merges]
    tokens = token_bytes(merges)
    special_tokens = {text: len(tokens) + index for index, text in enumerate(recipe.special_tokens)}
    if len(special_tokens) < len(recipe.special_tokens):
        raise NanosnakeError(
            f"special_tokens: one is listed twice in {list(recipe.special_tokens)}; list each once"
        )
    roles = Roles.of(recipe.special_tokens, **recipe.roles)
    pairs = [*as_merged(merges[: recipe.given]), *merges[recipe.given :]]
    contents = {
        TOKENIZER_JSON: hugging_face_json(tokens, pairs, recipe.regex, special_tokens, roles.bos),
        TOKENIZER_CONFIG: config_json(recipe.special_tokens, roles),
        RANKS: b"".join(b"%s %d\n" % (base64.b64encode(token), rank) for rank, token in enumerate(tokens)),
    }
    _try_hugging_face(contents[TOKENIZER_JSON], recipe)
    for name, content in contents.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(content)
    meta = _meta(recipe, special_tokens, roles, contents)
    write_json(folder / META, meta)  # last: a folder without it is not a tokenizer
    return meta


def token_bytes(merges: Sequence[tuple[int, int]]) -> list[bytes]:
    """Return the bytes of every token that is not special; the index is the id.

    Raises:
        NanosnakeError: if a merge names a token that does not exist yet, or makes one that does.
    """
    tokens = [bytes([byte]) for byte in range(BYTES)]
    known = {token: rank for rank, token in enumerate(tokens)}
    for index, (left, right) in enumerate(merges):
        if max(left, right) >= len(tokens):
            raise NanosnakeError(
                f"merge {index} joins ids {left} and {right}, but only ids below {len(tokens)} exist then; the "
                "merges file is damaged: delete it and train again"
            )
        token = tokens[left] + tokens[right]
        if token in known:
            raise NanosnakeError(
                f"merge {index} ({left}, {right}) makes {token!r}, which is id {known[token]} already; the merges "
                "file is damaged: delete it and train again"
            )
        known[token] = len(tokens)
        tokens.append(token)
    return tokens


def byte_characters() -> list[str]:
    """Return the character that represents each byte in `tokenizer.json`, as in GPT-2.

    Bytes that are visible Latin-1 characters represent themselves; the others get U+0100 and up, in their order.
    """
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(BYTES) if byte not in set(visible)]
    characters = {byte: chr(byte) for byte in visible}
    characters |= {byte: chr(BYTES + index) for index, byte in enumerate(hidden)}
    return [characters[byte] for byte in range(BYTES)]


def hugging_face_json(
    tokens: Sequence[bytes],
    merges: Sequence[tuple[int, int]],
    regex: str,
    special_tokens: Mapping[str, int],
    bos: str,
) -> bytes:
    """Return the content of `tokenizer.json`."""
    characters = byte_characters()
    written = ["".join(characters[byte] for byte in token) for token in tokens]
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": rank,
                "content": text,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for text, rank in special_tokens.items()
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": oniguruma.translate(regex)},
                    "behavior": "Removed",
                    "invert": True,
                },
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
            ],
        },
        "post_processor": begins_with(bos, special_tokens[bos]),
        "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": {token: rank for rank, token in enumerate(written)},
            # as words, not as pairs, which only tokenizers 0.20 and newer reads: the alphabet of bytes has no blank
            "merges": [f"{written[left]} {written[right]}" for left, right in merges],
        },
    }
    return (json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _try_hugging_face(content: bytes, recipe: Recipe) -> None:
    """Raise NanosnakeError unless `tokenizers` loads the file, and with the special tokens' ids."""
    try:
        loaded = named("tokenizers", tokenizers.Tokenizer.from_str)(content.decode())
    except Exception as error:  # the library raises bare Exception
        raise NanosnakeError(
            f"tokenizers.{recipe.name}.pattern: the tokenizers library does not take {recipe.regex!r} ({error}); "
            "write the pattern without the construct that it names"
        ) from error
    if loaded.get_vocab_size() != recipe.vocab_size:
        learned = BYTES + recipe.num_merges
        clash = [text for text in recipe.special_tokens if (loaded.token_to_id(text) or 0) < learned]
        raise NanosnakeError(
            f"tokenizers.{recipe.name}.special_tokens: {clash} are learned tokens as well, and tokenizer.json "
            "cannot tell them apart; choose other texts, such as '<|bos|>'"
        )


def _meta(
    recipe: Recipe, special_tokens: Mapping[str, int], roles: Roles, contents: Mapping[str, bytes]
) -> dict[str, Any]:
    """Return the content of `meta.json`."""
    return {
        "name": recipe.name,
        "pattern": recipe.regex,
        "pattern_name": recipe.pattern_name,
        "vocab_size": recipe.vocab_size,
        "merges": recipe.num_merges,
        **({"given": recipe.given} if recipe.given else {}),
        "special_tokens": dict(special_tokens),
        "bos": roles.bos,
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in contents.items()
        },
        "shards": [dict(shard) for shard in recipe.shards],
        "counting": dict(recipe.counting),
        "versions": {
            "nanosnake": nanosnake.__version__,
            "rustbpe": rustbpe.__version__,
        },
    }
