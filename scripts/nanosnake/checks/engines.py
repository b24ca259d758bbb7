"""The three readers of a tokenizer's files, behind one interface: rustbpe, tiktoken, tokenizers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nanosnake.messages import named

if TYPE_CHECKING:
    import tiktoken

    from nanosnake.tokenizer.folder import TokenizerFolder


@dataclass(frozen=True)
class Engine:
    """One library that reads the tokenizer.

    Attributes:
        name: the library's name.
        encoder: texts to ids; special tokens within a text are ordinary text.
        decoder: ids to bytes.
    """

    name: str
    encoder: Callable[[list[str]], list[list[int]]]
    decoder: Callable[[Sequence[int]], bytes]

    def encode(self, texts: list[str]) -> list[list[int]]:
        """Return the ids of texts.

        Raises:
            Panicked: with the text, if the library panics on one.
        """
        return named(self.name, self.encoder)(texts)

    def decode(self, ids: Sequence[int]) -> bytes:
        """Return the bytes of ids.

        Raises:
            Panicked: if the library panics on them.
        """
        return named(self.name, self.decoder)(ids)


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


def published_engine(name: str, encoding: tiktoken.Encoding) -> Engine:
    """Return the engine of a published vocabulary, which is tiktoken."""

    def encode(texts: list[str]) -> list[list[int]]:
        # one by one: a batch starts threads each time, which costs more than it saves on short texts
        return [encoding.encode_ordinary(text) for text in texts]

    return Engine(f"tiktoken ({name})", encode, encoding.decode_bytes)


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
