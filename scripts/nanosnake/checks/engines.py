"""The three readers of a tokenizer's files, behind one face: rustbpe, tiktoken, tokenizers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from nanosnake.tokenizer.folder import TokenizerFolder


@dataclass(frozen=True)
class Engine:
    """One library that reads the tokenizer.

    Attributes:
        name: the library's name.
        encode: texts to ids; special tokens within a text are ordinary text.
        decode: ids to bytes.
    """

    name: str
    encode: Callable[[list[str]], list[list[int]]]
    decode: Callable[[Sequence[int]], bytes]


def rustbpe_engine(tokenizer: TokenizerFolder) -> Engine:
    """Return our own encoder."""
    rust = tokenizer.rust()
    return Engine("rustbpe", rust.encode_batch, lambda ids: rust.decode_bytes(list(ids)))


def tiktoken_engine(tokenizer: TokenizerFolder) -> Engine:
    """Return tiktoken with the tokenizer's ranks."""
    encoding = tokenizer.tiktoken()
    return Engine("tiktoken", encoding.encode_ordinary_batch, encoding.decode_bytes)


def hugging_face_engine(tokenizer: TokenizerFolder) -> Engine:
    """Return tokenizers with the tokenizer's `tokenizer.json`."""
    loaded = tokenizer.hugging_face()

    def encode(texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in loaded.encode_batch(texts, add_special_tokens=False)]

    def decode(ids: Sequence[int]) -> bytes:
        return loaded.decode(ids, skip_special_tokens=False).encode()

    return Engine("tokenizers", encode, decode)


def all_engines(tokenizer: TokenizerFolder) -> list[Engine]:
    """Return all three."""
    return [rustbpe_engine(tokenizer), tiktoken_engine(tokenizer), hugging_face_engine(tokenizer)]


def shown(token: bytes, most: int = 40) -> str:
    """Return a token's bytes for people: as text where they are text, in quotes, shortened."""
    try:
        text = repr(token.decode("utf-8"))
    except UnicodeDecodeError:
        text = repr(token)
    return text if len(text) <= most else f"{text[: most - 1]}… ({len(token):,} bytes)"
