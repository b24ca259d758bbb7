"""Trainer and encoder as one would write them down: slow, and easy to see to be right.

All tests that ask what the right merges or ids are ask this module. It takes nothing from the crate.

Rules. Pre-tokens are the matches of the split pattern from left to right. Tokens 0 to 255 are the bytes. Each
merge takes the two neighbouring tokens with the highest count (overlapping occurrences counted each), of
several the smallest (left, right), and replaces them in every pre-token from left to right; merge i makes
token 256 + i; training stops when no pre-token has two tokens left. Encoding joins, as long as there is one,
the two neighbouring tokens that make the token of lowest rank, the leftmost such.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import regex  # type: ignore[import-untyped]

PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "gpt4": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+",
    "gpt4o": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "nanochat": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]++[\r\n]*"
    r"|\s*[\r\n]|\s+(?!\S)|\s+",
}
"""Names and regexes of the known split patterns."""


Merge = tuple[int, int, int]
"""Two tokens that become one, and how often they stood side by side then."""


def split(text: str, pattern: str) -> list[bytes]:
    """The pre-tokens of a text, by a pattern's name or regex; text that no match covers is dropped."""
    found = regex.finditer(PATTERNS.get(pattern, pattern), text)
    return [match.group().encode() for match in found if match.group()]


def limit(texts: Iterable[str], doc_cap: int = 0, max_chars: int | None = None) -> list[str]:
    """The documents that training reads: the first `doc_cap` characters of each (0: all), until their running
    total is more than `max_chars`; the document that crosses it is the last one."""
    taken: list[str] = []
    total = 0
    for text in texts:
        if max_chars is not None and total > max_chars:
            break
        taken.append(text[:doc_cap] if doc_cap else text)
        total += len(taken[-1])
    return taken


def count(
    texts: Iterable[str], pattern: str, doc_cap: int = 0, max_chars: int | None = None
) -> Counter[bytes]:
    """How often each pre-token occurs in the texts."""
    return Counter(piece for text in limit(texts, doc_cap, max_chars) for piece in split(text, pattern))


def train(counts: Mapping[bytes, int], num_merges: int) -> list[Merge]:
    """The merges that counted pre-tokens lead to, at most `num_merges`."""
    words = [(list(pretoken), n) for pretoken, n in counts.items()]
    merges: list[Merge] = []
    while len(merges) < num_merges:
        pairs: Counter[tuple[int, int]] = Counter()
        for tokens, n in words:
            for pair in pairwise(tokens):
                pairs[pair] += n
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] == 0:
            break
        merges.append((*best, pairs[best]))
        words = [(replace(tokens, best, 255 + len(merges)), n) for tokens, n in words]
    return merges


def replace(tokens: Sequence[int], pair: tuple[int, int], new: int) -> list[int]:
    """The tokens with each occurrence of a pair, from left to right and without overlap, made one token."""
    out: list[int] = []
    at = 0
    while at < len(tokens):
        if tuple(tokens[at : at + 2]) == pair:
            out.append(new)
            at += 2
        else:
            out.append(tokens[at])
            at += 1
    return out


def token_bytes(merges: Iterable[Merge]) -> list[bytes]:
    """The bytes of each token: index = id."""
    tokens = [bytes([byte]) for byte in range(256)]
    for merge in merges:
        tokens.append(tokens[merge[0]] + tokens[merge[1]])
    return tokens


def encode_pretoken(pretoken: bytes, ranks: Mapping[bytes, int]) -> list[int]:
    """The ids of one pre-token: its parts, joined in the order of the ranks of what the joins make."""
    parts = [bytes([byte]) for byte in pretoken]
    while True:
        joins = [(ranks[a + b], at) for at, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]
        if not joins:
            return [ranks[part] for part in parts]
        at = min(joins)[1]
        parts[at : at + 2] = [parts[at] + parts[at + 1]]


def encode(text: str, tokens: Sequence[bytes], pattern: str) -> list[int]:
    """The ids of a text; `tokens` are the bytes of each token by id, special tokens left out."""
    ranks = {token: rank for rank, token in enumerate(tokens)}
    return [rank for pretoken in split(text, pattern) for rank in encode_pretoken(pretoken, ranks)]


def decode(ids: Iterable[int], tokens: Sequence[bytes]) -> bytes:
    """The bytes that ids stand for."""
    return b"".join(tokens[rank] for rank in ids)
