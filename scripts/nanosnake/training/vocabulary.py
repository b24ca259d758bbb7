"""What training needs from a tokenizer: the bytes of each token, the special tokens, and conversion of text and ids.

Reads the tokenizer's folder (`tokenizer.tiktoken` and `meta.json`) with the standard library; only `encode` needs
tiktoken, which is imported when it is used.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nanosnake.files import NanosnakeError, read_json
from nanosnake.messages import named


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by id."""

    tokens: list[bytes]
    """Bytes of each token; of a special token, its name."""
    special: dict[str, int]
    """Ids of the special tokens, by name."""
    bos: int
    """Id of the token that begins a document."""
    pattern: str
    """The split pattern."""

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a tokenizer's folder."""
        folder = Path(folder)
        meta = read_json(folder / "meta.json")
        tokens: dict[int, bytes] = {}
        ranks = folder / "tokenizer.tiktoken"
        for number, line in enumerate(ranks.read_text(encoding="ascii").splitlines(), start=1):
            parts = line.split()
            if len(parts) != 2:
                raise NanosnakeError(
                    f"{ranks}:{number}: {line!r} is not 'base64 rank'; make the tokenizer again"
                )
            tokens[int(parts[1])] = base64.b64decode(parts[0])
        special = {str(name): int(token) for name, token in meta["special_tokens"].items()}
        tokens.update({token: name.encode() for name, token in special.items()})
        missing = sorted(set(range(len(tokens))) - tokens.keys())
        if missing or len(tokens) != meta["vocab_size"]:
            raise NanosnakeError(
                f"{folder}: meta.json says {meta['vocab_size']} tokens, {ranks.name} and the special "
                f"tokens make "
                f"{len(tokens)} (first id missing: {missing[:1]}); make the tokenizer again"
            )
        return cls([tokens[i] for i in range(len(tokens))], special, special[meta["bos"]], meta["pattern"])

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Bytes of each token; 0 for special tokens, which do not count in bits per byte."""
        lengths = np.array([len(token) for token in self.tokens], dtype=np.int64)
        lengths[list(self.special.values())] = 0
        return lengths

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Return the bytes of ids, special tokens left out."""
        special = set(self.special.values())
        return b"".join(self.tokens[i] for i in ids if i not in special)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; bytes that are not UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    @cached_property
    def _encoding(self) -> Any:
        try:
            import tiktoken
        except ImportError as error:
            raise NanosnakeError(
                "turning text into tokens needs tiktoken; install it, or leave out prompts and tasks"
            ) from error
        special = set(self.special.values())
        ranks = {token: i for i, token in enumerate(self.tokens) if i not in special}
        return tiktoken.Encoding("nanosnake", pat_str=self.pattern, mergeable_ranks=ranks, special_tokens={})

    def encode(self, text: str) -> list[int]:
        """Return the ids of a document: the start token, then the text's; special tokens in it are plain
        text."""
        return [self.bos, *named("tiktoken", self._encoding.encode_ordinary)(text)]
