"""Tables of the report: typed columns, numbers formatted with their units, rows from any flat records."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nanosnake.tokenizer import BASELINE_NAMES

Kind = Literal[
    "text",
    "link",
    "token",
    "hash",
    "integer",
    "number",
    "share",
    "change",
    "small_change",
    "size",
    "seconds",
    "bits",
    "power",
]

LABELS = {
    "bytes": "UTF-8 bytes",
    "ratio": "bytes per token",
    "fertility": "tokens per word",
    "relative_difference": "tokens saved",
    "relative_tokens": "tokens, relative",
    "single_bytes": "share of single bytes",
    "share_words_kept": "single-token retention rate",
    "share_inside": "share of ids that end inside a character",
}
SHARES = ("share", "single_bytes")
FIRST = ("task", "text", "kind", "documents", "bytes", "words", "tokens")
"""Columns that come first, in this order; files with sorted keys do not give their order."""
SIZE_STEPS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Column:
    """One column: where its values are in a record, its heading, and how they are written."""

    key: str
    label: str
    kind: Kind = "text"

    @property
    def numeric(self) -> bool:
        """True if the column is aligned to the right and sorted by number."""
        return self.kind not in ("text", "link", "token", "hash")


@dataclass(frozen=True)
class Table:
    """A caption, columns and rows; a row is a record with the columns' keys, absent values are left blank."""

    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[Mapping[str, Any]]
    note: str = field(default="")


def from_records(caption: str, records: Sequence[Mapping[str, Any]], *, limit: int = 0) -> Table:
    """Make a table of flat records whose keys are not known beforehand.

    What a row is about and its size come first, the rest in order of first appearance.

    Args:
        caption: what the table shows.
        records: the rows; nested values are written as they are.
        limit: the most rows to show, 0 for all; the note says what was left out.
    """
    found = dict.fromkeys(key for record in records for key in record)
    keys = [*(key for key in FIRST if key in found), *(key for key in found if key not in FIRST)]
    columns = tuple(
        Column(key, label(key), guess_kind(key, [record.get(key) for record in records])) for key in keys
    )
    shown = records[:limit] if limit else records
    note = f"The first {len(shown):,} of {len(records):,} rows." if len(shown) < len(records) else ""
    return Table(caption, columns, shown, note)


def label(key: str) -> str:
    """The heading of a column from its key; the name of a baseline at its end is kept as it is."""
    for name in BASELINE_NAMES:
        if key.endswith(("_" + name, "." + name)):
            return f"{label(key[: -len(name) - 1])}, {name}"
    return ", ".join(LABELS.get(part, part.replace("_", " ")) for part in key.split("."))


def guess_kind(key: str, values: Iterable[Any]) -> Kind:
    """Guess the kind of a column from its key and values."""
    if key == "token":
        return "token"
    present = [value for value in values if value is not None]
    if not present or not all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in present
    ):
        return "text"
    if key.startswith("relative_"):
        return "change"
    if key.startswith(SHARES):
        return "share"
    if all(isinstance(value, int) for value in present):
        return "integer"
    return "number"


def format_value(value: Any, kind: Kind) -> str:
    """Write one value as its column's kind asks; what is absent or not finite is a dash."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "\u2013"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    if kind == "size":
        return format_size(value)
    if kind == "share":
        return f"{value:.1%}"
    if kind == "change":
        return format_change(value)
    if kind == "small_change":
        return format_change(value, 2)
    if kind == "seconds":
        return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    if kind == "bits":
        return f"{value:.5f}".replace("-", "\u2212")
    if kind == "power":
        return f"{value:.2e}".replace("e+", "e")
    if kind == "integer" or isinstance(value, int):
        return f"{value:,.0f}"
    return (
        f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}" if abs(value) < 0.1 else f"{value:,.3f}"
    )


def format_change(value: float, digits: int = 1) -> str:
    """A relative difference in percent with its sign, a real minus among the digits."""
    return f"{value:+.{digits}%}".replace("-", "\u2212")


def format_size(value: float) -> str:
    """Bytes in decimal units: 1,234,567 is 1.23 MB."""
    size, step = float(value), 0
    while abs(size) >= 1000 and step < len(SIZE_STEPS) - 1:
        size, step = size / 1000, step + 1
    return f"{int(size)} B" if step == 0 else f"{size:.3g} {SIZE_STEPS[step]}"
