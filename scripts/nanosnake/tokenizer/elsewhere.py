"""Tokenizers that were made elsewhere, to be compared with ours: what they encode to, and the bytes of their tokens.

A path is a `tokenizer.json`, a folder with one (as transformers writes it), or a `.tiktoken` file, whose split pattern
has to be named because the file does not contain it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import tokenizers

from nanosnake.crate import rustbpe
from nanosnake.files import NanosnakeError
from nanosnake.messages import named
from nanosnake.tokenizer.export import byte_characters
from nanosnake.tokenizer.folder import TOKENIZER_JSON, parse_ranks

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


@dataclass(frozen=True)
class Elsewhere:
    """A tokenizer from a file.

    Attributes:
        vocabulary: ids, added tokens included.
        tokens: bytes by id; b"" for added tokens and ids that name nothing.
        encode: texts to ids; special tokens within a text are ordinary text, and none is added.
        engine: the library that encodes.
    """

    name: str
    vocabulary: int
    tokens: Sequence[bytes]
    encode: Callable[[list[str]], list[list[int]]]
    engine: str


def load_elsewhere(name: str, path: Path, pattern: str | None = None) -> Elsewhere:
    """Return the tokenizer of a file or folder.

    Args:
        pattern: the split pattern of a `.tiktoken` file: gpt2, gpt4, gpt4o, nanochat or a regex.

    Raises:
        NanosnakeError: if there is none, or its kind is not known.
    """
    file = path / TOKENIZER_JSON if path.is_dir() else path
    if not file.is_file():
        raise NanosnakeError(
            f"{name}: {file} does not exist; name a tokenizer.json, its folder, or a .tiktoken file"
        )
    if file.suffix == ".tiktoken":
        if pattern is None:
            raise NanosnakeError(
                f"{name}: {file} does not say its split pattern; name it next to the path, as `pattern`"
            )
        return _of_ranks(name, file, pattern)
    return _of_json(name, file)


def _of_ranks(name: str, file: Path, pattern: str) -> Elsewhere:
    pairs = parse_ranks(file.read_bytes(), file)
    tokens = [b""] * (max((rank for _, rank in pairs), default=-1) + 1)
    for token, rank in pairs:
        tokens[rank] = token
    try:
        encoder = rustbpe.Encoder(tokens, pattern=pattern)
    except (rustbpe.InvalidValueError, rustbpe.PatternError) as error:
        raise NanosnakeError(f"{name}: {file}: {error}") from error
    return Elsewhere(name, len(tokens), tokens, named(f"rustbpe ({name})", encoder.encode_batch), "rustbpe")


def _of_json(name: str, file: Path) -> Elsewhere:
    try:
        loaded = named("tokenizers", tokenizers.Tokenizer.from_str)(file.read_text(encoding="utf-8"))
    except Exception as error:  # the library raises bare Exception
        raise NanosnakeError(f"{name}: {file}: the tokenizers library refuses it ({error})") from error
    loaded.encode_special_tokens = True
    loaded.no_padding()
    loaded.no_truncation()
    added = {token.content for token in loaded.get_added_tokens_decoder().values()}
    vocabulary = loaded.get_vocab(with_added_tokens=True)
    to_bytes = {character: byte for byte, character in enumerate(byte_characters())}
    is_byte_level = all(
        character in to_bytes for token in vocabulary if token not in added for character in token
    )
    tokens = [b""] * (max(vocabulary.values(), default=-1) + 1)
    for token, rank in vocabulary.items():
        if token not in added:
            tokens[rank] = bytes(to_bytes[c] for c in token) if is_byte_level else _plain(token)

    def encode(texts: list[str]) -> list[list[int]]:
        return [found.ids for found in loaded.encode_batch(texts, add_special_tokens=False)]

    return Elsewhere(name, len(tokens), tokens, named(f"tokenizers ({name})", encode), "tokenizers")


def _plain(token: str) -> bytes:
    """Return the bytes of a token that is written as text: SentencePiece's bar is a space, <0x0A> a byte."""
    if found := _BYTE.fullmatch(token):
        return bytes([int(found[1], 16)])
    return token.replace("\u2581", " ").encode()
