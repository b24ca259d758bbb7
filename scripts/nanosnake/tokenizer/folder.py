"""A tokenizer folder: `tokenizer.json`, `tokenizer.tiktoken` and `meta.json`, as the export writes them.

    encoding = load_tiktoken("results/demo/bpe-4096/tokenizer")     # a tiktoken.Encoding
    encoding.encode_ordinary("Hello")

The files are compared with the hashes in `meta.json` first. Nothing here reads a pickle.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tiktoken
import tokenizers

from nanosnake.crate import rustbpe
from nanosnake.files import NanosnakeError, read_json
from nanosnake.messages import named

TOKENIZER_JSON = "tokenizer.json"
RANKS = "tokenizer.tiktoken"
META = "meta.json"
_AGAIN = "delete the folder and export the tokenizer again"


@dataclass(frozen=True)
class TokenizerFolder:
    """A tokenizer as its files describe it.

    Attributes:
        folder: where the files are.
        meta: the content of `meta.json`.
        hashes: SHA-256 of the files by name, `meta.json` among them.
        ranks: pairs of bytes and id in the order of `tokenizer.tiktoken`; not yet known to be sound.
    """

    folder: Path
    meta: Mapping[str, Any]
    hashes: Mapping[str, str]
    ranks: Sequence[tuple[bytes, int]]

    @property
    def name(self) -> str:
        """The tokenizer's name."""
        return str(self.meta["name"])

    @property
    def pattern(self) -> str:
        """The split pattern, a regex."""
        return str(self.meta["pattern"])

    @property
    def vocab_size(self) -> int:
        """Number of ids: bytes, merges and special tokens."""
        return int(self.meta["vocab_size"])

    @property
    def token_type(self) -> Literal["uint16", "uint32"]:
        """Type of an id in token shards."""
        return "uint16" if self.vocab_size <= 1 << 16 else "uint32"

    @property
    def special_tokens(self) -> dict[str, int]:
        """Ids of the special tokens by their text, in the order of the ids."""
        return dict(sorted(self.meta["special_tokens"].items(), key=lambda item: item[1]))

    @property
    def bos_id(self) -> int:
        """Id of the special token that begins every document."""
        return self.special_tokens[self.meta["bos"]]

    @cached_property
    def problems(self) -> list[str]:
        """What is unsound about the ids: gaps, duplicates, special tokens among the learned ones."""
        return list(_problems(self.ranks, self.special_tokens, self.vocab_size))

    @cached_property
    def tokens(self) -> list[bytes]:
        """The bytes of every token that is not special; the index is the id.

        Raises:
            NanosnakeError: if the ids are unsound.
        """
        if self.problems:
            raise NanosnakeError(f"{self.folder / RANKS}: {'; '.join(self.problems[:3])}; {_AGAIN}")
        return [token for token, _ in sorted(self.ranks, key=lambda pair: pair[1])]

    @cached_property
    def token_lengths(self) -> npt.NDArray[np.int32]:
        """Bytes of every token, for bits per byte: int32[vocab_size], 0 for special tokens."""
        lengths = np.zeros(self.vocab_size, dtype=np.int32)
        lengths[: len(self.tokens)] = [len(token) for token in self.tokens]
        return lengths

    def tiktoken(self) -> tiktoken.Encoding:
        """Return the tokenizer as a `tiktoken.Encoding`."""
        return tiktoken.Encoding(
            name=self.name,
            pat_str=self.pattern,
            mergeable_ranks={token: rank for rank, token in enumerate(self.tokens)},
            special_tokens=self.special_tokens,
            explicit_n_vocab=self.vocab_size,
        )

    def rust(self) -> rustbpe.Encoder:
        """Return the tokenizer as our own encoder."""
        return rustbpe.Encoder(self.tokens, pattern=self.pattern, special_tokens=self.special_tokens)

    def hugging_face(self) -> tokenizers.Tokenizer:
        """Return the tokenizer that the `tokenizers` library loads from `tokenizer.json`.

        Special tokens within a text are read as ordinary text, as `encode_ordinary` of tiktoken does; a
        tokenizer that is loaded without this function finds them.
        """
        path = self.folder / TOKENIZER_JSON
        try:
            loaded = named("tokenizers", tokenizers.Tokenizer.from_str)(path.read_text(encoding="utf-8"))
        except Exception as error:  # the library raises bare Exception
            raise NanosnakeError(f"{path}: the tokenizers library refuses it ({error}); {_AGAIN}") from error
        loaded.encode_special_tokens = True
        return loaded


def load(folder: str | Path) -> TokenizerFolder:
    """Return the tokenizer of a folder.

    Raises:
        NanosnakeError: if a file is missing, malformed, or not the one that `meta.json` was written with.
    """
    folder = Path(folder)
    meta_path = folder / META
    if not meta_path.is_file():
        raise NanosnakeError(
            f"{folder}: holds no {META}, so it is not a tokenizer folder; export the tokenizer"
        )
    meta = read_json(meta_path)
    wanted = ("name", "pattern", "vocab_size", "special_tokens", "bos", "files")
    if not isinstance(meta, dict) or (missing := [key for key in wanted if key not in meta]):
        lacks = f"lacks {', '.join(missing)}" if isinstance(meta, dict) else "is not a JSON object"
        raise NanosnakeError(f"{meta_path}: {lacks}; {_AGAIN}")
    if meta["bos"] not in meta["special_tokens"]:
        raise NanosnakeError(f"{meta_path}: bos is {meta['bos']!r}, which is not a special token; {_AGAIN}")
    contents = {META: meta_path.read_bytes()}
    for name in (TOKENIZER_JSON, RANKS):
        contents[name] = _read_verified(folder / name, meta["files"].get(name, {}))
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return TokenizerFolder(folder, meta, hashes, parse_ranks(contents[RANKS], folder / RANKS))


def load_tiktoken(folder: str | Path) -> tiktoken.Encoding:
    """Return the tokenizer of a folder as a `tiktoken.Encoding`.

    Raises:
        NanosnakeError: if a file is missing, malformed, changed, or its ids are unsound.
    """
    return load(folder).tiktoken()


def parse_ranks(content: bytes, path: Path) -> list[tuple[bytes, int]]:
    """Return the pairs of bytes and id of a `.tiktoken` file (`base64 rank` lines), in its order.

    Raises:
        NanosnakeError: if a line is malformed; the message names the line.
    """
    pairs = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            token, rank = line.split()
            pairs.append((base64.b64decode(token, validate=True), int(rank)))
        except (ValueError, binascii.Error):
            raise NanosnakeError(
                f"{path}: line {number} is {line[:60]!r}; wanted: base64, a space, an id"
            ) from None
    return pairs


def _read_verified(path: Path, facts: Mapping[str, Any]) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NanosnakeError(f"{path}: is missing; {_AGAIN}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != facts.get("sha256"):
        raise NanosnakeError(
            f"{path}: SHA-256 is {found} ({len(content):,} bytes), {META} says {facts.get('sha256')} "
            f"({facts.get('bytes')} bytes): the file was changed after the export; {_AGAIN}"
        )
    return content


def _problems(
    ranks: Sequence[tuple[bytes, int]], special_tokens: Mapping[str, int], vocab_size: int
) -> Iterator[str]:
    """Yield the reasons why ids and tokens do not map one to one."""
    by_bytes: dict[bytes, int] = {}
    owners: dict[int, str] = {}
    for token, rank in ranks:
        if not token:
            yield f"id {rank} is the empty token"
        if token in by_bytes:
            yield f"ids {by_bytes[token]} and {rank} are both {token!r}"
        by_bytes.setdefault(token, rank)
        if rank in owners:
            yield f"id {rank} is both {owners[rank]} and {token!r}"
        owners.setdefault(rank, repr(token))
    for text, rank in special_tokens.items():
        if rank in owners:
            yield f"id {rank} is both {owners[rank]} and the special token {text!r}"
        owners.setdefault(rank, f"the special token {text!r}")
    if outside := sorted(rank for rank in owners if not 0 <= rank < vocab_size):
        yield f"{len(outside)} ids are not below vocab_size {vocab_size}, the first {outside[0]}"
    if gaps := [rank for rank in range(vocab_size) if rank not in owners]:
        yield f"{len(gaps)} ids below vocab_size {vocab_size} name nothing, the first {gaps[0]}"
    if moved := [byte for byte in range(256) if by_bytes.get(bytes([byte])) != byte]:
        yield f"{len(moved)} bytes do not have themselves as id, the first 0x{moved[0]:02x}"
    if not special_tokens:
        return
    if learned := [rank for _, rank in ranks if rank > min(special_tokens.values())]:
        yield f"{len(learned)} learned tokens come after the first special token, the first {learned[0]}"
