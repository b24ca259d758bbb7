"""Collect what a report shows from the files of a run; all but the tokenizer itself may be missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake.checks.gate import Gate
from nanosnake.checks.material import read_texts
from nanosnake.files import read_json
from nanosnake.provenance.words import code_words
from nanosnake.report.measures import (
    Benchmarks,
    History,
    Shards,
    read_benchmarks,
    read_history,
    read_shards,
)
from nanosnake.report.segments import Encoding, Sample, samples
from nanosnake.report.tables import Column, Table
from nanosnake.report.verdicts import Check, shown
from nanosnake.report.visible import token_text
from nanosnake.tokenizer.folder import TokenizerFolder

EXCERPT_CHARACTERS = 700
MOST_TOKENS = 30
COUNTING_LABELS = {
    "text_column": "text column",
    "doc_cap": "limit of characters per document",
    "max_chars": "limit of characters in all",
    "min_count": "least count of a pre-token",
    "documents": "documents",
    "characters": "characters",
    "bytes": "UTF-8 bytes",
    "pretokens": "pre-tokens",
    "unique": "different pre-tokens",
}

FILE_COLUMNS = (
    Column("file", "file"),
    Column("bytes", "size", "size"),
    Column("sha256", "SHA-256", "token"),
)
TOKEN_COLUMNS = (
    Column("rank", "rank", "integer"),
    Column("token", "token", "token"),
    Column("id", "id", "integer"),
    Column("bytes", "bytes", "integer"),
    Column("count", "count", "integer"),
    Column("share", "share", "share"),
)


@dataclass(frozen=True)
class Sources:
    """The files a report is made from; None or an empty tuple where there are none."""

    dataset: str
    tokenizer: str
    verdicts: tuple[Path, ...] = ()
    curve: Path | None = None
    shards: Sequence[Path] = ()
    history: Path | None = None
    benchmarks: Path | None = None
    record: Path | None = None
    """Record of the job that learned the merges."""
    texts: Sequence[Path] = ()


@dataclass(frozen=True)
class Facts:
    """Settings of the tokenizer, from its metadata file."""

    pattern_name: str
    pattern: str
    vocabulary_size: int
    merges: int
    special_tokens: Sequence[tuple[str, int]]
    files: Table
    shards: Sequence[tuple[str, str]]
    versions: Sequence[tuple[str, str]]
    counting: Sequence[tuple[str, str]]
    """The training text and how it was counted, in words."""
    learned: Sequence[tuple[str, str]]
    """When and where the merges were learned, and by which code; empty if there is no record of it."""


@dataclass(frozen=True)
class Tokens:
    """The vocabulary itself."""

    lengths: Sequence[Mapping[str, int]]
    """How many tokens have how many bytes: `bytes`, `tokens`."""
    length_table: Table
    longest: Table
    frequent: Table | None
    mean_bytes: float
    median_bytes: int
    most_bytes: int


@dataclass(frozen=True)
class Curve:
    """Compression of the sampled validation documents against vocabulary size."""

    points: Sequence[Mapping[str, Any]]
    """`tokenizer`, `vocabulary` (without special tokens), `tokens`, `bytes_per_token`, `prefix` (bool)."""
    table: Table
    documents: int
    bytes: int
    notes: Sequence[str]


@dataclass(frozen=True)
class Report:
    """All that the page shows."""

    dataset: str
    tokenizer: str
    facts: Facts
    gate: Gate
    checks: Sequence[Check]
    tokens: Tokens
    curve: Curve | None
    samples: Sequence[Sample]
    shards: Shards | None
    history: History | None
    benchmarks: Benchmarks | None
    notes: Sequence[str]


def gather(
    sources: Sources,
    tokenizer: TokenizerFolder,
    encodings: Mapping[str, Encoding],
    notes: Sequence[str] = (),
) -> Report:
    """Read everything the report shows.

    Args:
        sources: where the files are.
        tokenizer: the tokenizer's folder; if it is unsound, the gate reports that.
        encodings: this tokenizer first, then the available baselines; they cut the texts.
        notes: what else the reader must know, such as a baseline that is not available.
    """
    figures = read_json(sources.curve) if sources.curve else {}
    texts = read_texts(*sources.texts)
    gate = Gate.read(sources.verdicts)
    return Report(
        dataset=sources.dataset,
        tokenizer=sources.tokenizer,
        facts=read_facts(
            tokenizer.meta,
            sources.record,
        ),
        gate=gate,
        checks=list(map(shown, gate.verdicts.values())),
        tokens=describe_tokens(tokenizer.ranks, figures.get("frequent", []), figures.get("tokens", 0)),
        curve=read_curve(figures) if figures else None,
        samples=samples(
            {item.name: item.texts[0] for item in texts}, encodings, max_characters=EXCERPT_CHARACTERS
        ),
        shards=read_shards(sources.shards) if sources.shards else None,
        history=read_history(sources.history) if sources.history else None,
        benchmarks=read_benchmarks(sources.benchmarks, sources.tokenizer) if sources.benchmarks else None,
        notes=notes,
    )


def read_facts(metadata: Mapping[str, Any], record: Path | None) -> Facts:
    """Read the settings from the tokenizer's metadata and the record of the job that learned it."""
    files = [{"file": name, **facts} for name, facts in sorted(metadata.get("files", {}).items())]
    return Facts(
        pattern_name=str(metadata.get("pattern_name") or ""),
        pattern=str(metadata["pattern"]),
        vocabulary_size=int(metadata["vocab_size"]),
        merges=int(metadata["merges"]),
        special_tokens=sorted(metadata.get("special_tokens", {}).items(), key=lambda item: item[1]),
        files=Table("Files of the tokenizer", FILE_COLUMNS, files),
        shards=[(str(shard["shard"]), str(shard["sha256"])) for shard in metadata.get("shards", [])],
        versions=sorted((str(name), str(version)) for name, version in metadata.get("versions", {}).items()),
        counting=read_counting(metadata.get("counting", {})),
        learned=read_learned(record) if record is not None and record.is_file() else [],
    )


def read_learned(record: Path) -> list[tuple[str, str]]:
    """Read when, where and by which code the merges were learned."""
    found = read_json(record)
    environment = found["environment"]
    when = str(found["ended"]).replace("T", " ").replace("+00:00", " UTC")
    return [
        ("learned", f"{when}, on {environment['host']['name']}"),
        ("code", code_words(environment["code"])),
    ]


def read_counting(counting: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Read how the training text was counted; a limit of 0 or none means no limit."""
    found = []
    for key, words in COUNTING_LABELS.items():
        value = counting.get(key, "")
        if key in ("doc_cap", "max_chars") and key in counting and value in (None, "", "0", 0):
            found.append((words, "none"))
        elif value not in (None, ""):
            found.append((words, f"{int(value):,}" if str(value).isdigit() else str(value)))
    return found


def describe_tokens(
    ranks: Sequence[tuple[bytes, int]], frequent: Sequence[Mapping[str, Any]], total: int
) -> Tokens:
    """Count lengths, find the longest tokens, name the most frequent of the sample.

    Args:
        ranks: pairs of bytes and id.
        frequent: `id` and `count` of the tokens that occur most.
        total: tokens of the sample in which they were counted.
    """
    sizes = sorted(len(data) for data, _ in ranks)
    lengths = [{"bytes": size, "tokens": count} for size, count in sorted(Counter(sizes).items())]
    longest = sorted(ranks, key=lambda pair: (-len(pair[0]), pair[1]))[:MOST_TOKENS]
    by_id = {token: data for data, token in ranks}
    often = sorted(frequent, key=lambda entry: (-entry["count"], entry["id"]))[:MOST_TOKENS]
    rows = [
        {
            **token_row(place, entry["id"], by_id[entry["id"]]),
            "count": entry["count"],
            "share": entry["count"] / total,
        }
        for place, entry in enumerate(often, start=1)
    ]
    columns = {column.key: column for column in TOKEN_COLUMNS}
    plain = tuple(columns[key] for key in ("rank", "token", "id", "bytes"))
    counted = tuple(columns[key] for key in ("rank", "token", "id", "count", "share"))
    length_columns = (Column("bytes", "bytes", "integer"), Column("tokens", "tokens", "integer"))
    longest_rows = [token_row(place, token, data) for place, (data, token) in enumerate(longest, start=1)]
    return Tokens(
        lengths=lengths,
        length_table=Table("Tokens by length", length_columns, lengths),
        longest=Table("The longest tokens", plain, longest_rows),
        frequent=Table("The most frequent tokens", counted, rows) if rows else None,
        mean_bytes=sum(sizes) / len(sizes),
        median_bytes=sizes[len(sizes) // 2],
        most_bytes=sizes[-1],
    )


def token_row(place: int, token: int, data: bytes) -> dict[str, Any]:
    """One token as a row of a table."""
    return {"rank": place, "token": token_text(data), "id": token, "bytes": len(data)}


def read_curve(figures: Mapping[str, Any]) -> Curve:
    """Read the points that `measure_vocabulary_curve.py` measured."""
    points = [*({**point, "prefix": True} for point in figures["curve"]), *figures.get("baselines", [])]
    rows = [{"prefix": False, **point} for point in points]
    columns = (
        Column("tokenizer", "tokenizer"),
        Column("vocabulary", "vocabulary size", "integer"),
        Column("tokens", "tokens", "integer"),
        Column("bytes_per_token", "bytes per token", "number"),
    )
    return Curve(
        points=rows,
        table=Table("Bytes per token by vocabulary size", columns, rows),
        documents=int(figures.get("documents", 0)),
        bytes=int(figures.get("bytes", 0)),
        notes=[str(note) for note in figures.get("notes", [])],
    )
