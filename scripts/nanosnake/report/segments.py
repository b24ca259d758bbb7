"""Texts cut into tokens, ready to be shown: one excerpt, one panel per tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nanosnake.messages import Panicked, named
from nanosnake.report.visible import Run, hex_bytes, runs


class Encoding(Protocol):
    """The methods needed of a tokenizer; `tiktoken.Encoding` has them."""

    def encode_ordinary(self, text: str) -> list[int]: ...

    def decode_single_token_bytes(self, token: int) -> bytes: ...


@dataclass(frozen=True)
class Piece:
    """Consecutive tokens whose bytes together are whole characters."""

    ids: tuple[int, ...]
    runs: tuple[Run, ...]
    parts: tuple[str, ...]
    """The bytes of each token in hex where a character is split over several tokens, else empty."""


@dataclass(frozen=True)
class Panel:
    """One excerpt as one tokenizer cuts it."""

    tokenizer: str
    pieces: tuple[Piece, ...]
    tokens: int
    bytes_per_token: float
    problem: str = ""
    """Why it could not be cut."""


@dataclass(frozen=True)
class Sample:
    """One excerpt and its panels; the first panel is this report's tokenizer."""

    text: str
    characters: int
    bytes: int
    whole: bool
    panels: tuple[Panel, ...]


def pieces(tokens: Iterable[tuple[int, bytes]]) -> Iterator[Piece]:
    """Group tokens until their bytes are valid UTF-8, so that a split character is still shown as itself."""
    ids: list[int] = []
    parts: list[bytes] = []
    for token, data in tokens:
        ids.append(token)
        parts.append(data)
        try:
            text = b"".join(parts).decode("utf-8")
        except UnicodeDecodeError:
            continue
        yield Piece(tuple(ids), tuple(runs(text)), tuple(map(hex_bytes, parts)) if len(parts) > 1 else ())
        ids, parts = [], []
    if parts:
        yield Piece(tuple(ids), (), tuple(map(hex_bytes, parts)))


def panel(name: str, encoding: Encoding, text: str) -> Panel:
    """Cut `text` with one tokenizer."""
    try:
        ids = named("tiktoken", encoding.encode_ordinary)(text)
    except Panicked as panic:  # the page is written all the same, because its verdicts report the problem too
        return Panel(name, (), 0, 0.0, str(panic))
    shown = tuple(pieces((token, encoding.decode_single_token_bytes(token)) for token in ids))
    return Panel(name, shown, len(ids), len(text.encode()) / len(ids) if ids else 0.0)


def samples(
    texts: Mapping[str, str], encodings: Mapping[str, Encoding], *, max_characters: int
) -> Sequence[Sample]:
    """Cut the first `max_characters` characters of each text with each tokenizer.

    The texts that the first tokenizer compresses best come first.
    """
    result = []
    for name, text in texts.items():
        excerpt = text[:max_characters]
        if not excerpt:
            continue
        panels = tuple(panel(label, encoding, excerpt) for label, encoding in encodings.items())
        whole = len(excerpt) == len(text)
        result.append(Sample(name, len(excerpt), len(excerpt.encode()), whole, panels))
    return sorted(result, key=lambda sample: -sample.panels[0].bytes_per_token)
