"""Ids have no gap or duplicate, special tokens map both ways, and some text yields every learned token.

A learned token is yielded by a text in one of three ways, tried in this order:
- it was seen: some text or sampled document contains it;
- it is a piece: its bytes are text that the split pattern leaves whole, and a piece that is a token is that token;
- it merges: the merges, applied by rank to its own bytes, produce it. Any longer piece needs this too in order to
  contain the token, since merges within its bytes do not depend on what surrounds them.
A token that none of these yields wastes an id and a row of the model's embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from nanosnake.checks.engines import shown
from nanosnake.checks.material import Subject
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings
from nanosnake.messages import named

if TYPE_CHECKING:
    from nanosnake.tokenizer.folder import TokenizerFolder


@declare(
    title="Reachability",
    meaning="ids have no gap or duplicate, special tokens map both ways, and some text yields every token",
    mode="block",
    good_for="finding rows of the embedding that no text can train",
    not_for="how often a token is used; Residue and Vocabulary use say that",
    needs=("samples",),
    thresholds={"max_unreachable": Threshold(0, "most tokens that no text yields", whole=True)},
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Judge the ids, then look for a way to every learned token."""
    from nanosnake.tokenizer.folder import RANKS

    tokenizer = subject.tokenizer
    failures = [Failure("ids", None, f"{RANKS}: {problem}") for problem in tokenizer.problems]
    seen: set[int] = set()
    if not tokenizer.problems:
        failures += _wrong_special_tokens(tokenizer)
        failures += _other_tokens(tokenizer)
        engine = subject.engine
        for item in subject.items:
            seen.update(*engine.encode(item.texts))
    ways = _ways(tokenizer, seen)
    unreachable = sorted(rank for rank, way in ways.items() if way == "unreachable")
    counts = {way: list(ways.values()).count(way) for way in ("seen", "piece", "merges", "unreachable")}
    figures: list[Figure] = [{"text": f"learned tokens: {way}", "tokens": n} for way, n in counts.items()]
    allowed = thresholds["max_unreachable"]
    if allowed is not None and len(unreachable) > allowed:
        tokens = {rank: token for token, rank in tokenizer.ranks}
        failures += [
            Failure(f"token {rank}", rank, f"id {rank} is {shown(tokens[rank])}, which no text yields")
            for rank in unreachable
        ]
    summary = f"every one of {len(ways):,} learned tokens can be reached"
    if failures or unreachable:
        summary = f"{len(unreachable):,} of {len(ways):,} learned tokens cannot be reached"
        if unsound := sum(failure.item == "ids" for failure in failures):
            summary += f", and ids are unsound in {unsound:,} ways"
    return Findings(
        summary,
        figures,
        failures,
        key={"unreachable": len(unreachable), "seen": counts["seen"]},
        extra={"unreachable": unreachable[:1000]},
    )


def _wrong_special_tokens(tokenizer: TokenizerFolder) -> Iterator[Failure]:
    """Yield a failure for each special token that a library encodes or decodes as something else."""
    from nanosnake.tokenizer.trial import special_token_problems

    loaded = tokenizer.hugging_face()
    loaded.encode_special_tokens = False
    found = special_token_problems(tokenizer.special_tokens, tokenizer.tiktoken(), loaded, tokenizer.rust())
    for rank, problem in found:
        yield Failure("ids", rank, problem)


def _other_tokens(tokenizer: TokenizerFolder) -> Iterator[Failure]:
    """Yield a failure for each id that is another token in `tokenizer.json`."""
    from nanosnake.tokenizer.export import byte_characters
    from nanosnake.tokenizer.folder import RANKS, TOKENIZER_JSON

    characters = byte_characters()
    loaded = tokenizer.hugging_face()
    if loaded.get_vocab_size() != tokenizer.vocab_size:
        message = f"{TOKENIZER_JSON} has {loaded.get_vocab_size():,} tokens, wanted {tokenizer.vocab_size:,}"
        yield Failure("ids", loaded.get_vocab_size(), message)
    for rank, token in enumerate(tokenizer.tokens):
        wanted = "".join(characters[byte] for byte in token)
        if (found := loaded.id_to_token(rank)) != wanted:
            message = f"id {rank} is {found!r} in {TOKENIZER_JSON} and {wanted!r} ({shown(token)}) in {RANKS}"
            yield Failure("ids", rank, message)


def _ways(tokenizer: TokenizerFolder, seen: set[int]) -> dict[int, str]:
    """Return how each learned token is reached, by id."""
    ranks: dict[bytes, int] = {}
    for token, rank in tokenizer.ranks:
        ranks.setdefault(token, rank)
    split = None if tokenizer.problems else named("rustbpe", tokenizer.rust().split)
    ways = {}
    for token, rank in tokenizer.ranks:
        if len(token) < 2:
            continue
        if rank in seen:
            ways[rank] = "seen"
        elif split is not None and is_piece(token, split):
            ways[rank] = "piece"
        else:
            reached = merge(token, ranks) == [token] and ranks[token] == rank
            ways[rank] = "merges" if reached else "unreachable"
    return ways


def is_piece(token: bytes, split: Callable[[str], list[str]]) -> bool:
    """Return whether a token's bytes are text that the split pattern leaves whole."""
    try:
        text = token.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return split(text) == [text]


def merge(token: bytes, ranks: Mapping[bytes, int]) -> list[bytes]:
    """Return what merging by rank makes of a token's bytes: lowest rank first, then leftmost."""
    parts = [token[at : at + 1] for at in range(len(token))]
    while len(parts) > 1:
        pairs = ((ranks.get(parts[at] + parts[at + 1]), at) for at in range(len(parts) - 1))
        best = min(((rank, at) for rank, at in pairs if rank is not None), default=None)
        if best is None:
            break
        at = best[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts
