"""The plan of a mixture: the blocks that a model is trained on, in order; each is a run of documents of a shard.

A plan is made for one training run: it has the tokens that fill its rows. Each part has a budget, exact to the
token: whole passes over its blocks and, of a last pass, as many blocks as are left, the last one cut. Each pass has its
own order, and the blocks of all parts are spread evenly over the plan. The loader reads them in that order.

As JSON: `blocks` holds [shard, pass, first document, one past the last, tokens] for each, in order; a shard is a number
in `shards`. `parts` says what each part's budget came to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nanosnake.files import NanosnakeError, read_json, replacing
from nanosnake.sources.mixture import shares
from nanosnake.training.packing import EpochOrder
from nanosnake.training.shards import (
    BLOCK_TOKENS,
    Block,
    Planned,
    TokenShards,
    cut_blocks,
    find_shards,
)

LEAST_BLOCK = 1 << 14
BLOCKS = 1 << 12
"""About how many blocks a plan has, unless they would be larger than those of a plain data set."""
TRIES = 20


@dataclass(frozen=True)
class Part:
    """A part of a mixture: its token shards, by number, and what they hold."""

    name: str
    shards: range
    tokens: int
    bytes: int


@dataclass(frozen=True)
class Wanted:
    """What a plan is made for."""

    rows: int
    """Rows that the training takes."""
    length: int
    """Positions of a row."""
    seed: int
    """Seed of the order."""
    max_epochs: float | None
    """How often a part may be read."""
    block_tokens: int | None = None
    """Tokens of a block; None: as many as make some thousands of blocks."""


def parts_of(names: Sequence[str], words: Sequence[str]) -> list[Part]:
    """Return the parts of a mixture from the metadata next to their token shards; a word names the shards of each."""
    found, first = [], 0
    for name, word in zip(names, words, strict=True):
        paths = find_shards([word])
        facts = [read_json(path.with_suffix(".json")) for path in paths]
        tokens, size = (sum(int(fact[key]) for fact in facts) for key in ("tokens", "bytes"))
        found.append(Part(name, range(first, first + len(paths)), tokens, size))
        first += len(paths)
    return found


def budgets(parts: Sequence[Part], wanted: Mapping[str, Fraction], tokens: int) -> dict[str, int]:
    """Return the tokens of each part, so that their bytes have its share; they sum to `tokens`.

    Args:
        wanted: the shares of bytes, by part.
    """
    exact = {part.name: wanted[part.name] * Fraction(part.tokens, part.bytes) for part in parts}
    total = sum(exact.values())
    exact = {name: share / total * tokens for name, share in exact.items()}
    found = {name: int(share) for name, share in exact.items()}
    by_rest = sorted(exact, key=lambda name: (found[name] - exact[name], name))
    for name in by_rest[: tokens - sum(found.values())]:
        found[name] += 1
    return found


def check_repetition(parts: Sequence[Part], budget: Mapping[str, int], most: float | None) -> None:
    """Reject a budget that reads a part more often than allowed.

    Raises:
        NanosnakeError: names the part, its budget and what there is.
    """
    for part in parts:
        epochs = budget[part.name] / part.tokens
        if most is not None and epochs > most:
            raise NanosnakeError(
                f"the part {part.name} would be read {epochs:.2f} times: its budget is {budget[part.name]:,} tokens, and it "
                f"has {part.tokens:,}; max_epochs of the mixture is {most:g}. Give it a smaller share or more text, train "
                "on fewer tokens, or raise max_epochs"
            )


def make_plan(
    data: TokenShards,
    parts: Sequence[Part],
    given: Mapping[str, float | None],
    temperature: float | None,
    wanted: Wanted,
) -> dict[str, Any]:
    """Return the content of a plan file.

    A row may lose a position to a start token, so fewer tokens than positions fit: their number is lowered until
    the whole plan fits the rows of the training, few of which stay empty.
    """
    share = shares(given, {part.name: part.bytes for part in parts}, temperature)
    tokens = wanted.rows * (wanted.length - 1)
    for _ in range(TRIES):
        budget = budgets(parts, share, tokens)
        check_repetition(parts, budget, wanted.max_epochs)
        blocks = _blocks(data, parts, budget, wanted)
        data.planned = Planned(tuple(block for _, block in blocks), 0)
        over = EpochOrder(data, wanted.length, wanted.seed, 0).rows - wanted.rows
        if over <= 0:
            break
        tokens -= over * wanted.length
    else:
        raise NanosnakeError(
            f"no plan fits {wanted.rows:,} rows of {wanted.length:,} tokens: they are too few for {len(parts)} parts; train "
            "for more steps"
        )
    return {
        "rows": wanted.rows,
        "sequence_length": wanted.length,
        "seed": wanted.seed,
        "parts": [
            {
                **{key: value for key, value in asdict(part).items() if key != "shards"},
                "share": float(share[part.name]),
                "budget": budget[part.name],
                "epochs": budget[part.name] / part.tokens,
            }
            for part in parts
        ],
        "shards": [
            {"part": part.name, "shard": data.shards[number].path.stem, "digest": data.digests[number][1]}
            for part in parts
            for number in part.shards
        ],
        "blocks": [[block.shard, epoch, block.first, block.last, block.tokens] for epoch, block in blocks],
    }


def _blocks(
    data: TokenShards, parts: Sequence[Part], budget: Mapping[str, int], wanted: Wanted
) -> list[tuple[int, Block]]:
    """Return the passes and blocks of all parts in the order of the plan."""
    size = wanted.block_tokens or min(BLOCK_TOKENS, max(LEAST_BLOCK, sum(budget.values()) // BLOCKS))
    found: list[tuple[int, Block]] = []
    places: list[npt.NDArray[np.float64]] = []
    for number, part in enumerate(parts):
        rng = np.random.default_rng([wanted.seed, number])
        own = [block for shard in part.shards for block in cut_blocks(shard, data.shards[shard], size)]
        mine = list(_passes(own, budget[part.name], rng))
        found += mine
        places.append((np.arange(len(mine)) + rng.random(len(mine))) / max(1, len(mine)))
    return [found[at] for at in np.argsort(np.concatenate(places), kind="stable").tolist()]


def _passes(blocks: Sequence[Block], tokens: int, rng: np.random.Generator) -> list[tuple[int, Block]]:
    """Return passes and blocks of one part: as many tokens as are asked for."""
    found: list[tuple[int, Block]] = []
    epoch = 0
    while tokens:
        for at in rng.permutation(len(blocks)).tolist():
            if not tokens:
                break
            block = blocks[at]
            taken = min(tokens, block.tokens)
            found.append((epoch, Block(block.shard, block.first, block.last, taken)))
            tokens -= taken
        epoch += 1
    return found


def write_plan(path: Path, plan: Mapping[str, Any]) -> None:
    """Write a plan, a block a line."""
    lines = [json.dumps(block) for block in plan["blocks"]]
    rest = json.dumps({key: value for key, value in plan.items() if key != "blocks"}, indent=1)
    with replacing(path) as temporary:
        text = rest.removesuffix("\n}") + ',\n "blocks": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"
        temporary.write_text(text, encoding="utf-8")
