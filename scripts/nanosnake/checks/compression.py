"""Bytes per token and tokens per word, for every text and sample, against the baselines.

A word is a run of characters that are not white space (Python's `str.split`); in scripts that are written without
blanks, such as Chinese or Thai, tokens per word says little. The relative difference to a baseline is
(its tokens - ours) / its tokens: 0.1 means that ours are 10% fewer, -0.1 that they are 10% more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import tiktoken

from nanosnake.checks.engines import Engine, rustbpe_engine
from nanosnake.checks.material import Item, Subject
from nanosnake.checks.spec import BASELINE_NAMES
from nanosnake.checks.verdict import Failure, Figure, Findings

WORD = "a run of characters that are not white space"
"""The rule by which words are counted."""


@dataclass(frozen=True)
class Row:
    """The figures of one text or sample."""

    item: Item
    bytes: int
    words: int
    tokens: int
    baselines: Mapping[str, int]
    """Tokens of each baseline."""

    @property
    def bytes_per_token(self) -> float:
        """The compression ratio."""
        return self.bytes / max(self.tokens, 1)

    @property
    def tokens_per_word(self) -> float:
        """The fertility."""
        return self.tokens / max(self.words, 1)

    def relative_difference(self, baseline: str) -> float:
        """Return by which part our tokens are fewer than the baseline's."""
        return (self.baselines[baseline] - self.tokens) / max(self.baselines[baseline], 1)

    def loss(self, baseline: str) -> float:
        """Return by which part of the baseline's our tokens are more."""
        return -self.relative_difference(baseline)

    def figure(self) -> Figure:
        """Return the row of the table."""
        row: Figure = {
            "text": self.item.name,
            "kind": self.item.kind,
            "bytes": self.bytes,
            "words": self.words,
            "tokens": self.tokens,
            "bytes_per_token": self.bytes_per_token,
            "tokens_per_word": self.tokens_per_word,
        }
        for name, tokens in self.baselines.items():
            row[f"tokens_{name}"] = tokens
            row[f"bytes_per_token_{name}"] = self.bytes / max(tokens, 1)
            row[f"tokens_per_word_{name}"] = tokens / max(self.words, 1)
            row[f"relative_difference_{name}"] = self.relative_difference(name)
        return row


def check(subject: Subject, thresholds: Mapping[str, float | None]) -> Findings:
    """Count the tokens of every item and compare."""
    engine = rustbpe_engine(subject.tokenizer)
    rows = []
    for item in subject.items:
        rows.append(
            Row(
                item,
                item.bytes,
                sum(len(text.split()) for text in item.texts),
                sum(map(len, engine.encode(item.texts))),
                {name: count(name, baseline, item.texts) for name, baseline in subject.baselines.items()},
            )
        )
    notes = list(subject.notes)
    validation = next(
        (row for row in rows if row.item.kind == "sample" and row.item.name == "validation"), None
    )
    if validation is None:
        notes.append("no validation documents were given, so the thresholds on them were not applied")
    for name in BASELINE_NAMES:
        judged = [key for key in (f"max_loss_{name}", f"max_text_loss_{name}") if thresholds[key] is not None]
        if judged and name not in subject.baselines:
            notes.append(f"{' and '.join(judged)} could not be applied without {name}")
    failures = list(_failures(rows, validation, thresholds))
    return Findings(
        _summary(rows, validation),
        [row.figure() for row in rows],
        failures,
        notes,
        key=_key(rows),
        extra={
            "baselines": {name: encoding.n_vocab for name, encoding in subject.baselines.items()},
            "word": WORD,
        },
    )


def count(name: str, encoding: tiktoken.Encoding, texts: list[str]) -> int:
    """Return how many tokens the texts have; special tokens within them are ordinary text."""
    engine = Engine(name, encoding.encode_ordinary_batch, encoding.decode_bytes)
    return sum(map(len, engine.encode(texts)))


def _failures(
    rows: list[Row], validation: Row | None, thresholds: Mapping[str, float | None]
) -> Iterator[Failure]:
    """Yield a failure for each threshold that is not kept."""
    texts = [row for row in rows if row.item.kind == "text"]
    judged: list[tuple[str, list[Row]]] = [("", [validation] if validation else []), ("text_", texts)]
    for prefix, judged_rows in judged:
        least = thresholds[f"min_{prefix}bytes_per_token"]
        for row in judged_rows:
            where = _where(row)
            if least is not None and row.bytes_per_token < least:
                message = f"{where}: {row.bytes_per_token:.3f} bytes per token, wanted at least {least:g}"
                yield Failure(row.item.name, row.bytes_per_token, message)
            for name in row.baselines:
                most = thresholds[f"max_{prefix}loss_{name}"]
                if most is not None and row.loss(name) > most:
                    message = (
                        f"{where}: {row.tokens:,} tokens, {row.loss(name):+.1%} against the "
                        f"{row.baselines[name]:,} of {name}; wanted at most {most:+.1%}"
                    )
                    yield Failure(row.item.name, row.loss(name), message)
    most = thresholds["max_tokens_per_word"]
    if validation and most is not None and validation.tokens_per_word > most:
        message = (
            f"{_where(validation)}: {validation.tokens_per_word:.3f} tokens per word, wanted at most {most:g}"
        )
        yield Failure(validation.item.name, validation.tokens_per_word, message)


def _where(row: Row) -> str:
    return f"{row.item.name} {'documents' if row.item.kind == 'sample' else 'text'}"


def _summary(rows: list[Row], validation: Row | None) -> str:
    row = validation or rows[0]
    parts = [f"{row.bytes_per_token:.2f} bytes per token on {_where(row)}"]
    for name, tokens in row.baselines.items():
        parts.append(f"{name} {row.bytes / max(tokens, 1):.2f} ({row.relative_difference(name):+.1%})")
    return "; ".join(parts)


def _key(rows: list[Row]) -> dict[str, float]:
    """Return what the history keeps: both ratios of the samples, bytes per token of the texts."""
    samples_last = sorted(rows, key=lambda row: row.item.kind == "sample")  # a text may be named like a split
    found = {f"bytes_per_token.{row.item.name}": row.bytes_per_token for row in samples_last}
    for row in rows:
        if row.item.kind == "sample":
            found[f"tokens_per_word.{row.item.name}"] = row.tokens_per_word
            for name in row.baselines:
                found[f"relative_difference.{row.item.name}.{name}"] = row.relative_difference(name)
    return found
