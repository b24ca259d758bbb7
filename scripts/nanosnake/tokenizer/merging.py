"""How merges turn bytes into tokens, and merges that make given texts.

Within the bytes of a token, merging does what it does to these bytes alone. So only one pair ever makes a token: the
two parts that are left of its bytes when all earlier merges are done (`last_parts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nanosnake.files import NanosnakeError

BYTES = 256
Pairs = Sequence[tuple[int, int]]


def tokens_of(pairs: Pairs) -> list[bytes]:
    """Return the bytes of every token that merges make, after those of the 256 bytes; the index is the id."""
    tokens = [bytes([byte]) for byte in range(BYTES)]
    for left, right in pairs:
        tokens.append(tokens[left] + tokens[right])
    return tokens


def last_parts(token: bytes, rank: int, ranks: Mapping[bytes, int]) -> list[bytes]:
    """Return what merges of ranks below `rank` leave of a token's bytes: lowest first, then leftmost; two at least."""
    parts = [token[at : at + 1] for at in range(len(token))]
    while len(parts) > 2:
        best, at = min((ranks.get(parts[at] + parts[at + 1], rank), at) for at in range(len(parts) - 1))
        if best >= rank:
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def never_merged(pairs: Pairs) -> list[bytes]:
    """Return the tokens that merging in order never makes: a piece that is such a token, or later tokens, become it."""
    tokens = tokens_of(pairs)
    ranks = {token: rank for rank, token in enumerate(tokens)}
    made = zip(tokens[BYTES:], pairs, strict=True)
    return [
        token
        for token, (left, right) in made
        if last_parts(token, ranks[token], ranks) != [tokens[left], tokens[right]]
    ]


def as_merged(pairs: Pairs) -> list[tuple[int, int]]:
    """Return the pair that merging makes each token of; it may be of tokens with higher ids.

    A token that merging never makes keeps its pair, which no text ever has side by side.
    """
    tokens = tokens_of(pairs)
    ranks = {token: rank for rank, token in enumerate(tokens)}
    found = list(pairs)
    for token in never_merged(pairs):
        parts = last_parts(token, len(tokens), ranks)
        if len(parts) == 2:
            found[ranks[token] - BYTES] = (ranks[parts[0]], ranks[parts[1]])
    return found


def with_seeds(pairs: Pairs, seeds: Sequence[str]) -> list[tuple[int, int]]:
    """Return merges with more of them at the end, so that each seed is a token.

    A seed is merged with the existing merges, then its first two parts become a token, and so on until it is one token.
    """
    ranks = {token: rank for rank, token in enumerate(tokens_of(pairs))}
    found = list(pairs)
    for seed in map(str.encode, seeds):
        while seed not in ranks:
            first, second, *_ = last_parts(seed, len(ranks), ranks)
            found.append((ranks[first], ranks[second]))
            ranks[first + second] = len(ranks)
    return found


def no_room(merges: int, given: int) -> NanosnakeError:
    """Return the error of a vocabulary that is too small for its base and its seeds."""
    return NanosnakeError(
        f"vocab_size has room for {merges:,} merges, and base and seeds need {given:,}; raise vocab_size by "
        f"{given - merges:,} or more"
    )
