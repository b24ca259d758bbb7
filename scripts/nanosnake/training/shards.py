"""Token shards on disk: memory-mapped tokens and document ends, and the blocks that epochs are shuffled in.

A shard is `NAME.ds` (little-endian uint16 or uint32 tokens) next to `NAME.ds.index` (uint64 ends of documents, in
tokens) and, if they exist, `NAME.json` (counts and hashes) and `NAME.ds.mask` (uint8 for each token: 1 if
a model learns to predict it; only for conversations).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nanosnake.files import NanosnakeError, read_json, sha256_file
from nanosnake.layout import token_files
from nanosnake.naming import expand

BLOCK_TOKENS = 1 << 21
"""Neighbouring documents that stay together in the shuffle: 4 MiB of 16-bit tokens, read in one sweep."""


@dataclass(frozen=True)
class Shard:
    """One open token shard."""

    path: Path
    tokens: npt.NDArray[Any]
    """uint16 or uint32[tokens], memory-mapped."""
    ends: npt.NDArray[np.uint64]
    """uint64[documents], memory-mapped: one past the last token of each document."""
    learned: npt.NDArray[np.uint8] | None = None
    """uint8[tokens], memory-mapped: 1 for what a model learns to predict; None: all of it."""

    def start(self, document: int) -> int:
        """Return where the tokens of a document begin."""
        return int(self.ends[document - 1]) if document else 0

    def part(self, first: int, last: int, tokens: int | None = None) -> Shard:
        """Return the documents [first, last) alone; of their tokens the first ones, if a number is given.

        The ends stay those in the shard.
        """
        start = self.start(first)
        where = slice(start, self.start(last) if tokens is None else start + tokens)
        learned = None if self.learned is None else self.learned[where]
        return Shard(self.path, self.tokens[where], self.ends[first:last], learned)


@dataclass(frozen=True)
class Block:
    """A run of documents of one shard: [first, last) and their tokens; fewer where the last document is cut."""

    shard: int
    first: int
    last: int
    tokens: int


@dataclass(frozen=True)
class Planned:
    """The blocks of a mixture in their order, and the rows that the plan was made for."""

    blocks: tuple[Block, ...]
    rows: int
    digest: str = ""
    """16 hexadecimal digits of the plan."""
    sequence_length: int = 0
    """Positions of a row that the plan was made for."""


def find_shards(paths: Sequence[str | Path]) -> list[Path]:
    """Return the .ds files that are named or in the named folders, in the order given, folders sorted by name."""
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(path.glob("*.ds"))
            if not inside:
                raise NanosnakeError(
                    f"{path}: no .ds file in this folder; name the folder of the token shards"
                )
            found += inside
        else:
            found += [path.with_name(f"{name}.ds") for name in expand(path.name.removesuffix(".ds"))]
    if not found:
        raise NanosnakeError("no token shard given; name .ds files or their folder")
    return found


def open_shard(path: Path) -> Shard:
    """Memory-map a shard.

    Raises:
        NanosnakeError: if a file is missing, or sizes, ends and metadata contradict each other.
    """
    _, index, mask = token_files(path).values()
    for part in (path, index):
        if not part.is_file():
            raise NanosnakeError(f"{part}: no such file; make the token shards first")
    if index.stat().st_size % 8:
        raise NanosnakeError(
            f"{index}: {index.stat().st_size} bytes are not a whole number of uint64; recompute it"
        )
    ends = _mapped(index, "<u8")
    count, size = int(ends[-1]) if len(ends) else 0, path.stat().st_size
    if (count == 0 and len(ends)) or size not in (2 * count, 4 * count):
        raise NanosnakeError(
            f"{path}: {size} bytes, but {index.name} ends at token {count}: wanted 2 or 4 bytes per token; "
            "one of the two is cut off or from another run, recompute both"
        )
    metadata = path.with_suffix(".json")
    if metadata.is_file():
        said = read_json(metadata).get("tokens", count)
        if said != count:
            raise NanosnakeError(
                f"{metadata}: says {said} tokens, {index.name} says {count}; make the shard again"
            )
    dtype = "<u2" if size == 2 * count else "<u4"
    if mask.is_file() and mask.stat().st_size != count:
        raise NanosnakeError(
            f"{mask}: {mask.stat().st_size} bytes, but {path.name} has {count} tokens; make the shard again"
        )
    return Shard(path, _mapped(path, dtype), ends, _mapped(mask, "u1") if mask.is_file() else None)


def _mapped(path: Path, dtype: str) -> npt.NDArray[Any]:
    """Return a file's numbers, memory-mapped; what is empty cannot be."""
    return np.memmap(path, dtype=dtype, mode="r") if path.stat().st_size else np.zeros(0, dtype)


class TokenShards:
    """All shards of a split, in a fixed order.

    Args:
        paths: .ds files, or folders of them.
        plan: plan file of a mixture, whose parts the shards are; without it, an epoch has each token once.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        block_tokens: int = BLOCK_TOKENS,
        plan: Path | None = None,
    ) -> None:
        self.shards = [open_shard(path) for path in find_shards(paths)]
        self.planned = self._read_plan(plan) if plan else None
        self._own_blocks = [
            b for i, shard in enumerate(self.shards) for b in cut_blocks(i, shard, block_tokens)
        ]
        with_text = [s for s in self.shards if len(s.ends)]
        if not with_text:
            raise NanosnakeError(
                f"{self.shards[0].path}: neither it nor another token shard of the split holds a document; choose shards "
                "that do, or a larger fraction for validation"
            )
        self.tokens = sum(len(s.tokens) for s in self.shards)
        self.documents = sum(len(s.ends) for s in self.shards)
        self.bos = int(with_text[0].tokens[0])
        self.packed_rows: dict[tuple[int, int, int, bool], list[int]] = {}
        """Rows of each pool that packing has counted, by length, seed, epoch and whether it is shuffled."""

    @property
    def blocks(self) -> Sequence[Block]:
        """The blocks of an epoch, in the order of the plan if there is one."""
        return self._own_blocks if self.planned is None else self.planned.blocks

    def _read_plan(self, path: Path) -> Planned:
        said = read_json(path)
        theirs = [(row["shard"], row["digest"]) for row in said["shards"]]
        if theirs != list(self.digests):
            raise NanosnakeError(
                f"{path}: was made for other token shards than those given; make the plan again"
            )
        blocks = tuple(Block(shard, first, last, tokens) for shard, _, first, last, tokens in said["blocks"])
        return Planned(blocks, said["rows"], sha256_file(path)[:16], said["sequence_length"])

    def taken(self) -> Iterator[Shard]:
        """Yield what training reads: the shards or, by a plan, each block as a shard."""
        if self.planned is None:
            yield from self.shards
            return
        for block in self.planned.blocks:
            yield self.shards[block.shard].part(block.first, block.last, block.tokens)

    @property
    def are_conversations(self) -> bool:
        """Whether a model learns only a part of the tokens, the answers."""
        return any(shard.learned is not None for shard in self.shards)

    def longer_conversations(self, length: int) -> int:
        """Return how many conversations have more tokens than `length`."""
        return sum(
            int(np.count_nonzero(np.diff(shard.ends.astype(np.int64), prepend=0) > length))
            for shard in self.shards
            if shard.learned is not None
        )

    @property
    def learned_tokens(self) -> int:
        """Tokens of an epoch that a model learns to predict."""
        return sum(
            len(shard.tokens) if shard.learned is None else int(np.count_nonzero(shard.learned))
            for shard in self.taken()
        )

    def document(self, shard: int, token: int) -> int:
        """Return the number of the document that a token of a shard belongs to, counted over all shards."""
        before = sum(len(s.ends) for s in self.shards[:shard])
        return before + int(np.searchsorted(self.shards[shard].ends, np.uint64(token), side="right"))

    def one(self, document: int) -> Shard:
        """Return a document alone, by its number over all shards."""
        for shard in self.shards:
            if document < len(shard.ends):
                break
            document -= len(shard.ends)
        return shard.part(document, document + 1)

    def check(self, bos: int, vocab_size: int) -> None:
        """Reject shards of another tokenizer, as far as the first tokens show it."""
        for shard in filter(lambda shard: len(shard.ends), self.shards):
            first = int(shard.tokens[0])
            if first != bos:
                raise NanosnakeError(
                    f"{shard.path}: begins with token {first}, but the tokenizer's document start is {bos}; "
                    "these shards were made with another tokenizer, make them again"
                )
            largest = int(shard.tokens[: 1 << 16].max())
            if largest >= vocab_size:
                raise NanosnakeError(
                    f"{shard.path}: has token {largest}, but the vocabulary has {vocab_size}; "
                    "these shards were made with another tokenizer, make them again"
                )

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits that tell this data from other data."""
        said = "".join(content for _, content in self.digests) + (self.planned.digest if self.planned else "")
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @cached_property
    def digests(self) -> tuple[tuple[str, str], ...]:
        """The name of each shard and 16 hexadecimal digits of its content, in order.

        Taken from the JSON file next to a shard, if it has one.
        """
        return tuple((shard.path.stem, digest(shard.path)) for shard in self.shards)


def files_of(path: Path) -> dict[str, Path]:
    """Return the files of a token shard that decide what is trained on, by how `NAME.json` calls their hashes."""
    return {key: file for key, file in token_files(path).items() if file.is_file()}


def digest(path: Path) -> str:
    """Return 16 hexadecimal digits of the content of a token shard: its tokens, the ends of its documents, its mask."""
    facts = path.with_suffix(".json")
    said = read_json(facts) if facts.is_file() else {}
    hashes = [said.get(key) or sha256_file(file) for key, file in files_of(path).items()]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]


def cut_blocks(number: int, shard: Shard, block_tokens: int) -> list[Block]:
    """Cut a shard's documents into runs of about `block_tokens` tokens."""
    marks = np.arange(block_tokens, len(shard.tokens) + block_tokens, block_tokens, dtype=np.uint64)
    lasts = np.unique(np.minimum(np.searchsorted(shard.ends, marks) + 1, len(shard.ends)))
    blocks, first, start = [], 0, 0
    for last in lasts.tolist():
        end = int(shard.ends[last - 1])
        blocks.append(Block(number, first, last, end - start))
        first, start = last, end
    return blocks
