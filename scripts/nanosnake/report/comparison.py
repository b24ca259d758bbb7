"""What the page that compares tokenizers shows: figures of each on the same texts, and of each against the first."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from nanosnake.checks.compression import ratio_interval
from nanosnake.checks.material import Item
from nanosnake.report import charts
from nanosnake.report.page import Page
from nanosnake.report.svg import SERIES, Figure
from nanosnake.report.tables import Table, format_change, from_records
from nanosnake.report.visible import token_text

WIDTHS = (768, 2048)
"""Widths of models for which the parameters of one embedding are given."""

REPEATS = 3
MOST_WORDS = 40
Row = dict[str, str | int | float | None]


@dataclass(frozen=True)
class Contestant:
    """A tokenizer that is compared.

    Attributes:
        tokens: bytes of each token by id; b"" for special tokens and ids that are not used.
        encode: texts to ids; special tokens within a text are ordinary text.
        engine: the library that encodes.
        ours: whether it was made here, so it is known which sizes come from one training.
    """

    name: str
    vocabulary: int
    tokens: Sequence[bytes]
    encode: Callable[[list[str]], list[list[int]]]
    engine: str = "rustbpe"
    ours: bool = True


@dataclass(frozen=True)
class Comparison:
    """All that the page shows; the first tokenizer is what the others are compared with."""

    dataset: str
    name: str
    names: Sequence[str]
    headline: str
    texts: Table
    against: Table
    cost: Table
    sizes: Table
    overlap: Table
    cuts: Table
    words: Table
    bars: Figure
    """For as many tokenizers as there are colours."""
    drawn: int
    """Number of these tokenizers."""
    curve: Figure | None
    """Sizes from the same training; None unless there are at least two."""
    notes: Sequence[str]


def compare(
    dataset: str,
    name: str,
    contestants: Sequence[Contestant],
    items: Sequence[Item],
    notes: Sequence[str] = (),
) -> Comparison:
    """Measure every tokenizer on every item.

    Args:
        items: samples and texts; the validation sample decides the headline.
    """
    encoded = {one.name: {item.name: one.encode(item.texts) for item in items} for one in contestants}
    sample = next((item for item in items if item.name == "validation"), items[0])
    texts = list(_texts(contestants, items, encoded))
    against = list(_against(contestants, items, encoded))
    first = contestants[0]
    bars = [
        {"text": row["text"], "tokenizer": row["tokenizer"], "ratio": row["bytes_per_token"]} for row in texts
    ]
    names = [one.name for one in contestants]
    return Comparison(
        dataset=dataset,
        name=name,
        names=names,
        headline=_headline(first.name, sample, against),
        texts=from_records("Bytes per token of each text", texts),
        against=from_records(
            f"Tokens against {first.name}", [row for row in against if row["kind"] == "sample"] or against
        ),
        cost=from_records("What a vocabulary costs", [_cost(one, sample, encoded) for one in contestants]),
        sizes=from_records("What a larger vocabulary buys", list(_sizes(contestants, sample, encoded))),
        overlap=from_records(
            "Share of the row's tokens that the column has too", list(_overlap(contestants))
        ),
        cuts=from_records(f"Borders shared with {first.name}", list(_cuts(contestants, items, encoded))),
        words=from_records("Words that are cut differently", list(_words(contestants, sample))),
        bars=charts.compression_bars(bars, names[: len(SERIES)]),
        drawn=len(names[: len(SERIES)]),
        curve=_curve(name, contestants, sample, encoded),
        notes=notes,
    )


def comparison_page(found: Comparison) -> Page:
    """The frame of the page."""
    return Page(
        kind="Comparison of tokenizers",
        name=found.name,
        on=found.dataset,
        status="pass",
        headline=found.headline,
        tiles=[("tokenizers", str(len(found.names)), ", ".join(found.names))],
        sections=[
            ("compared_texts", "Compression"),
            ("compared_cost", "Cost"),
            ("compared_vocabularies", "Vocabularies"),
            ("compared_cuts", "Where text is cut"),
        ],
    )


def _headline(first: str, sample: Item, against: Sequence[Row]) -> str:
    """One line: how many tokens the others need on the sample, and whether the difference is beyond noise."""
    parts = []
    for row in against:
        if row["text"] == sample.name:
            change = format_change(float(row["relative_tokens"] or 0))
            parts.append(
                f"{row['tokenizer']} {change}{'' if row['told_apart'] == 'yes' else ' (within noise)'}"
            )
    return f"tokens on {sample.where} against {first}: {', '.join(parts) or 'nothing to compare with'}"


def _lines(contestants: Sequence[Contestant]) -> list[list[Contestant]]:
    """Return lists of our tokenizers by size, in which all tokens of each are among those of the next larger one."""
    lines: list[list[Contestant]] = []
    for one in sorted((one for one in contestants if one.ours), key=lambda one: one.vocabulary):
        tokens = set(one.tokens)
        line = next((line for line in lines if set(line[-1].tokens) <= tokens), None)
        if line is None:
            lines.append(line := [])
        line.append(one)
    return lines


def _curve(
    name: str, contestants: Sequence[Contestant], sample: Item, encoded: Mapping[str, Any]
) -> Figure | None:
    """Draw each line of several sizes, and the others as points."""
    lines = [line for line in _lines(contestants) if len(line) > 1]
    if not lines:
        return None
    named = {one.name: name if len(lines) == 1 else line[-1].name for line in lines for one in line}
    points = [
        {
            "tokenizer": one.name,
            "vocabulary": sum(map(bool, one.tokens)),
            "bytes_per_token": sample.bytes / max(sum(map(len, encoded[one.name][sample.name])), 1),
            "prefix": one.name in named,
            "line": named.get(one.name),
        }
        for one in contestants
    ]
    return charts.vocabulary_curve(points, contestants[0].name)


def _texts(
    contestants: Sequence[Contestant], items: Sequence[Item], encoded: Mapping[str, Any]
) -> Iterator[Row]:
    for item in items:
        sizes = [len(text.encode()) for text in item.texts]
        for one in contestants:
            counts = [len(ids) for ids in encoded[one.name][item.name]]
            row: Row = {"text": item.name, "kind": item.kind, "tokenizer": one.name, "bytes": sum(sizes)}
            row |= {"tokens": sum(counts), "bytes_per_token": sum(sizes) / max(sum(counts), 1)}
            if len(sizes) > 1:
                row["bytes_per_token_low"], row["bytes_per_token_high"] = ratio_interval(sizes, counts)
            yield row


def _against(
    contestants: Sequence[Contestant], items: Sequence[Item], encoded: Mapping[str, Any]
) -> Iterator[Row]:
    """Yield the tokens of each tokenizer over those of the first, on the same documents."""
    first, *others = contestants
    for item in items:
        base = [len(ids) for ids in encoded[first.name][item.name]]
        for one in others:
            counts = [len(ids) for ids in encoded[one.name][item.name]]
            row: Row = {"text": item.name, "kind": item.kind, "tokenizer": one.name}
            row["relative_tokens"] = sum(counts) / max(sum(base), 1) - 1
            if len(base) > 1:
                low, high = ratio_interval(counts, base)
                row |= {"relative_tokens_low": low - 1, "relative_tokens_high": high - 1}
                row["told_apart"] = "yes" if low > 1 or high < 1 else "no"
            yield row


def _cost(one: Contestant, sample: Item, encoded: Mapping[str, Any]) -> Row:
    tokens = sum(map(len, encoded[one.name][sample.name]))
    row: Row = {"tokenizer": one.name, "vocabulary": one.vocabulary}
    row |= {f"embedding_parameters_{width}": one.vocabulary * width for width in WIDTHS}
    row["tokens_per_kilobyte"] = tokens / max(sample.bytes / 1000, 1)
    row |= {"engine": one.engine, "megabytes_per_cpu_second": _speed(one, sample)}
    return row


def _speed(one: Contestant, sample: Item) -> float:
    """Return the megabytes of text that one thread encodes in a second of CPU time, the best of some repeats."""
    best = float("inf")
    for _ in range(REPEATS):
        began = time.process_time()
        one.encode(sample.texts)
        best = min(best, time.process_time() - began)
    return sample.bytes / 1e6 / max(best, 1e-9)


def _sizes(contestants: Sequence[Contestant], sample: Item, encoded: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the tokenizers of each line by size, with what each saves over the next smaller one of its line."""
    others = [[one] for one in sorted(contestants, key=lambda one: one.vocabulary) if not one.ours]
    for line in [*_lines(contestants), *others]:
        smaller: tuple[int, int] | None = None
        for one in line:
            tokens = sum(map(len, encoded[one.name][sample.name]))
            row: Row = {"tokenizer": one.name, "vocabulary": one.vocabulary, "tokens": tokens}
            if smaller is not None:
                row["times_smaller_vocabulary"] = one.vocabulary / smaller[0]
                row["relative_tokens"] = tokens / max(smaller[1], 1) - 1
                row[f"further_parameters_{WIDTHS[0]}"] = (one.vocabulary - smaller[0]) * WIDTHS[0]
            yield row
            smaller = (one.vocabulary, tokens)


def _overlap(contestants: Sequence[Contestant]) -> Iterator[Row]:
    sets = {one.name: {token for token in one.tokens if len(token) > 1} for one in contestants}
    for name, tokens in sets.items():
        row: Row = {"tokenizer": name, "learned_tokens": len(tokens)}
        for other, theirs in sets.items():
            row[f"share_in.{other}"] = len(tokens & theirs) / max(len(tokens), 1)
        yield row


def _borders(one: Contestant, ids: Sequence[int], size: int) -> set[int]:
    """Return the bytes of a text, which has `size` of them, at which a token ends."""
    ends, at = (
        set(),
        size - sum(len(one.tokens[id_]) for id_ in ids),
    )  # below 0 because of a space that was put before the text
    for id_ in ids:
        at += len(one.tokens[id_])
        ends.add(at)
    return ends


def _cuts(
    contestants: Sequence[Contestant], items: Sequence[Item], encoded: Mapping[str, Any]
) -> Iterator[Row]:
    """Yield, for each item and tokenizer, how many borders it shares with the first."""
    first, *others = contestants
    for item in items:
        sizes = [len(text.encode()) for text in item.texts]
        base = list(map(_borders, repeat(first), encoded[first.name][item.name], sizes))
        for one in others:
            theirs = list(map(_borders, repeat(one), encoded[one.name][item.name], sizes))
            both = sum(len(a & b) for a, b in zip(base, theirs, strict=True))
            total, own = (sum(map(len, borders)) for borders in (base, theirs))
            yield {
                "text": item.name,
                "tokenizer": one.name,
                "share_of_first": both / max(total, 1),
                "share_of_own": both / max(own, 1),
            }


def _words(contestants: Sequence[Contestant], sample: Item) -> Iterator[Row]:
    """Yield the most frequent words of a sample that the tokenizers do not all cut at the same places."""
    counts = Counter(f" {word}" for text in sample.texts for word in text.split())
    words = [word for word, _ in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))]
    ways = {one.name: one.encode(words) for one in contestants}
    shown = 0
    for at, word in enumerate(words):
        cut = {
            one.name: "|".join(token_text(one.tokens[id_]) for id_ in ways[one.name][at])
            for one in contestants
        }
        if len(set(cut.values())) > 1:
            yield {"text": word, "count": counts[word], **cut}
            shown += 1
        if shown == MOST_WORDS:
            return
