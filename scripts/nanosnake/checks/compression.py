"""Bytes per token and tokens per word, for every text and sample, against the baselines.

The relative difference to a baseline is (its tokens - ours) / its tokens: 0.1 means that ours are 10% fewer, -0.1 that
they are 10% more. Every row is judged separately: a row of the configuration's `rows` has its own thresholds and mode.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nanosnake.checks.engines import published_engine
from nanosnake.checks.material import Item, Subject
from nanosnake.checks.spec import Limits, Threshold, declare
from nanosnake.checks.verdict import Failure, Figure, Findings
from nanosnake.tokenizer import BASELINE_NAMES

if TYPE_CHECKING:
    import tiktoken

WORD = "a run of characters that are not white space"
"""The rule by which words are counted."""

RESAMPLES = 1000


def _losses() -> dict[str, Threshold]:
    """Return two thresholds for each baseline: on validation documents, and on every text."""
    found = {}
    for name in BASELINE_NAMES:
        found[f"max_loss_{name}"] = Threshold(
            None,
            f"most additional tokens that the validation documents may take, relative to {name} (0.1: 10% more)",
            least=-1,
            each=True,
        )
        found[f"max_text_loss_{name}"] = Threshold(
            None,
            f"most additional tokens that any one text may take, relative to {name} (0.1: 10% more)",
            least=-1,
        )
    return found


@dataclass(frozen=True)
class Row:
    """The figures of one text or sample.

    Attributes:
        document_bytes, document_tokens: of each document.
        baselines: tokens of each baseline.
    """

    item: Item
    document_bytes: Sequence[int]
    document_tokens: Sequence[int]
    words: int
    baselines: Mapping[str, int]

    @property
    def bytes(self) -> int:
        """UTF-8 bytes of all documents."""
        return sum(self.document_bytes)

    @property
    def tokens(self) -> int:
        """Our tokens."""
        return sum(self.document_tokens)

    @property
    def bytes_per_token(self) -> float:
        """The compression ratio."""
        return self.bytes / max(self.tokens, 1)

    @property
    def tokens_per_word(self) -> float:
        """The fertility."""
        return self.tokens / max(self.words, 1)

    def relative_difference(self, baseline: str) -> float:
        """Return how many fewer tokens we have, as a fraction of the baseline's."""
        return (self.baselines[baseline] - self.tokens) / max(self.baselines[baseline], 1)

    def figure(self, verdict: str | None) -> Figure:
        """Return the row of the table."""
        row: Figure = {
            "text": self.item.name,
            "kind": self.item.kind,
            "verdict": verdict,
            "bytes": self.bytes,
            "words": self.words,
            "tokens": self.tokens,
            "bytes_per_token": self.bytes_per_token,
            "tokens_per_word": self.tokens_per_word,
        }
        if len(self.document_bytes) > 1:
            low, high = ratio_interval(self.document_bytes, self.document_tokens)
            row |= {"bytes_per_token_low": low, "bytes_per_token_high": high}
        for name, tokens in self.baselines.items():
            row[f"tokens_{name}"] = tokens
            row[f"bytes_per_token_{name}"] = self.bytes / max(tokens, 1)
            row[f"tokens_per_word_{name}"] = tokens / max(self.words, 1)
            row[f"relative_difference_{name}"] = self.relative_difference(name)
        return row


@declare(
    title="Compression",
    meaning="bytes per token and tokens per word of each text, against gpt2, cl100k_base and o200k_base",
    mode="warn",
    good_for="knowing how much text fits into a context, and what a document costs, on text like these",
    not_for="saying which tokenizer makes the better model; the baselines have other sizes and other training text",
    needs=("samples", "baselines"),
    thresholds={
        "min_bytes_per_token": Threshold(
            2.0, "fewest bytes per token on the validation documents", each=True
        ),
        "min_text_bytes_per_token": Threshold(None, "fewest bytes per token on any one text"),
        "max_tokens_per_word": Threshold(None, "most tokens per word on the validation documents", each=True),
        **_losses(),
    },
    terms={
        "compression ratio": "UTF-8 bytes per token; the interval is where 95% of 1,000 resamples of the documents fall",
        "fertility": "tokens per word, a word being a run of characters that are not white space (Rust et al. 2021, "
        "arXiv:2012.15613); it says little in scripts that are written without blanks",
    },
)
def check(subject: Subject, thresholds: Limits) -> Findings:
    """Count the tokens of every item, compare, and judge each row."""
    rows = [_measure(subject, item) for item in subject.items]
    notes = list(subject.notes)
    validation = next((row for row in rows if is_validation(row.item)), None)
    if validation is None:
        notes.append("no validation documents were given, so the thresholds on them were not applied")
    notes += baseline_note(subject, thresholds)
    judged = [(row, list(_judgements(row, thresholds))) for row in rows]
    failures = [failure for _, found in judged for failure in found if failure]
    return Findings(
        _summary(rows, validation),
        [row.figure(_verdict(found)) for row, found in judged],
        failures,
        notes,
        key=_key(rows),
        extra={
            "baselines": {name: encoding.n_vocab for name, encoding in subject.baselines.items()},
            "word": WORD,
        },
    )


def is_validation(item: Item) -> bool:
    """Return whether an item is the sample of the validation split."""
    return item.kind == "sample" and item.name == "validation"


def count(name: str, encoding: tiktoken.Encoding, texts: list[str]) -> int:
    """Return how many tokens the texts have; special tokens within them are ordinary text."""
    return sum(map(len, published_engine(name, encoding).encode(texts)))


def ratio_interval(sizes: Sequence[int], tokens: Sequence[int]) -> tuple[float, float]:
    """Return the interval that holds 95% of the ratios of bytes to tokens of resampled documents."""
    import numpy as np

    drawn = np.random.default_rng(0).integers(len(sizes), size=(RESAMPLES, len(sizes)))
    ratios = np.asarray(sizes)[drawn].sum(1) / np.maximum(np.asarray(tokens)[drawn].sum(1), 1)
    low, high = np.percentile(ratios, [2.5, 97.5])
    return float(low), float(high)


def _measure(subject: Subject, item: Item) -> Row:
    return Row(
        item,
        [len(text.encode()) for text in item.texts],
        [len(ids) for ids in subject.engine.encode(item.texts)],
        sum(len(text.split()) for text in item.texts),
        {name: count(name, baseline, item.texts) for name, baseline in subject.baselines.items()},
    )


def _limit(limits: Limits, item: Item, name: str, text_name: str) -> float | None:
    """Return the threshold of an item: its own, else that of the validation documents or of any text."""
    if is_validation(item):
        return limits.of(item.name, name)
    if item.kind == "text" and text_name in limits:
        return limits.of(item.name, name, text_name)
    given: float | None = limits.rows.get(item.name, {}).get(name)
    return given


def _judgements(row: Row, limits: Limits) -> Iterator[Failure | None]:
    """Yield for each threshold that applies to a row: a failure, or None if it is met."""
    item, where, mode = row.item, row.item.where, limits.mode(row.item.name)
    least = _limit(limits, item, "min_bytes_per_token", "min_text_bytes_per_token")
    if least is not None:
        ratio = row.bytes_per_token
        message = f"{where}: {ratio:.3f} bytes per token, wanted at least {least:g}"
        yield Failure(item.name, ratio, message, mode) if ratio < least else None
    most = _limit(limits, item, "max_tokens_per_word", "")
    if most is not None:
        ratio = row.tokens_per_word
        message = f"{where}: {ratio:.3f} tokens per word, wanted at most {most:g}"
        yield Failure(item.name, ratio, message, mode) if ratio > most else None
    for name, tokens in row.baselines.items():
        most = _limit(limits, item, f"max_loss_{name}", f"max_text_loss_{name}")
        if most is None:
            continue
        loss = -row.relative_difference(name)
        message = f"{where}: {row.tokens:,} tokens, {loss:+.1%} against the {tokens:,} of {name}; wanted at most {most:+.1%}"
        yield Failure(item.name, loss, message, mode) if loss > most else None


def _verdict(judgements: Sequence[Failure | None]) -> str | None:
    """Return the verdict on a row, None if no threshold applies to it."""
    if not judgements:
        return None
    return "fail" if any(judgements) else "pass"


def baseline_note(subject: Subject, limits: Limits) -> Iterator[str]:
    """Yield a note for each baseline that is judged but not available."""
    for name in BASELINE_NAMES:
        given = {**limits, **{f"{row}.{key}": at[key] for row, at in limits.rows.items() for key in at}}
        judged = [key for key, value in given.items() if key.endswith(f"loss_{name}") and value is not None]
        if judged and name not in subject.baselines:
            yield f"{' and '.join(judged)} could not be applied without {name}"


def _summary(rows: list[Row], validation: Row | None) -> str:
    row = validation or rows[0]
    parts = [f"{row.bytes_per_token:.2f} bytes per token on {row.item.where}"]
    for name, tokens in row.baselines.items():
        parts.append(f"{name} {row.bytes / max(tokens, 1):.2f} ({row.relative_difference(name):+.1%})")
    return "; ".join(parts)


def _key(rows: list[Row]) -> dict[str, float]:
    """Return the figures for the history: both ratios of the samples, and bytes per token of the texts."""
    samples_last = sorted(rows, key=lambda row: row.item.kind == "sample")  # a text may be named like a split
    found = {f"bytes_per_token.{row.item.name}": row.bytes_per_token for row in samples_last}
    for row in rows:
        if row.item.kind == "sample":
            found[f"tokens_per_word.{row.item.name}"] = row.tokens_per_word
            for name in row.baselines:
                found[f"relative_difference.{row.item.name}.{name}"] = row.relative_difference(name)
    return found
