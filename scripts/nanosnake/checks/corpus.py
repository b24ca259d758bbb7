"""How a tokenizer cuts a whole training text, from the counts of its pre-tokens: exact, and no text is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nanosnake.crate import rustbpe
from nanosnake.files import NanosnakeError
from nanosnake.messages import named
from nanosnake.tokenizer.folder import TokenizerFolder
from nanosnake.tokenizer.merging import BYTES, last_parts

UNCUT = "(?s).+"
"""A pattern that leaves a text whole, since a pre-token has already been split off."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Some pre-tokens, their counts, and the ids that each is cut into.

    Attributes:
        counts: int64[n].
        ids: int64[m], those of all pre-tokens in a row.
        owners: int64[m], the index of the pre-token that an id belongs to.
    """

    pretokens: Sequence[bytes]
    counts: Ints
    ids: Ints
    owners: Ints


class Corpus:
    """A count file as a tokenizer cuts it; one record batch is in memory at a time."""

    def __init__(self, path: Path, tokenizer: TokenizerFolder) -> None:
        self.path = path
        self.tokens = tokenizer.tokens
        self._encode = named("rustbpe", rustbpe.Encoder(self.tokens, pattern=UNCUT).encode_batch)

    def batches(self) -> Iterator[Batch]:
        """Yield all pre-tokens.

        Raises:
            NanosnakeError: if it is not a count file.
        """
        try:
            with pa.memory_map(str(self.path)) as file, pa.ipc.open_file(file) as reader:
                for index in range(reader.num_record_batches):
                    batch = reader.get_batch(index)
                    pretokens = batch.column("pretoken").to_pylist()
                    counts = batch.column("count").to_numpy(zero_copy_only=False).astype(np.int64)
                    yield self._cut(pretokens, counts)
        except (pa.ArrowInvalid, KeyError) as error:
            raise NanosnakeError(
                f"{self.path}: not a counts file ({error}); delete it and count again"
            ) from error

    def _cut(self, pretokens: Sequence[bytes], counts: Ints) -> Batch:
        encoded = self._encode([pretoken.decode() for pretoken in pretokens], 1)
        lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
        ids = np.fromiter(chain.from_iterable(encoded), dtype=np.int64, count=int(lengths.sum()))
        return Batch(pretokens, counts, ids, np.repeat(np.arange(len(encoded)), lengths))

    @cached_property
    def uses(self) -> Ints:
        """How often each token occurs in the training text as it is cut: int64[tokens]."""
        uses = np.zeros(len(self.tokens), dtype=np.int64)
        for batch in self.batches():
            np.add.at(uses, batch.ids, batch.counts[batch.owners])
        return uses

    @cached_property
    def made(self) -> Ints:
        """How often each token is made while the text is merged, whether or not it is merged further: int64[tokens].

        A token that is merged further is used up once for every token that it is a part of, so the number made is the
        number left plus the number that its parents took.
        """
        made = self.uses.copy()
        parts = merge_parts(self.tokens)
        for rank in range(len(self.tokens) - 1, BYTES - 1, -1):
            for part in parts[rank]:
                made[part] += made[rank]
        return made


def merge_parts(tokens: Sequence[bytes]) -> list[tuple[int, ...]]:
    """Return the ids of the two tokens that each learned token is merged from; none for a byte."""
    ranks = {token: rank for rank, token in enumerate(tokens)}
    found: list[tuple[int, ...]] = []
    for rank, token in enumerate(tokens):
        pairs = [
            (left, right)
            for at in range(1, len(token))
            if (left := ranks.get(token[:at], rank)) < rank and (right := ranks.get(token[at:], rank)) < rank
        ]
        if len(pairs) > 1:
            parts = last_parts(token, rank, ranks)
            pairs = [(ranks[parts[0]], ranks[parts[1]])] if len(parts) == 2 else []
        found.append(pairs[0] if pairs else ())
    return found
