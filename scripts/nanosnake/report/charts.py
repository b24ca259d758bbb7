"""The charts of the report: each function takes rows and returns a drawing with its alternative text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any

import altair as alt

from nanosnake.report.svg import INK, SERIES, Figure, figure
from nanosnake.report.tables import format_size
from nanosnake.report.visible import visible

Rows = Sequence[Mapping[str, Any]]

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
BAR_STEP = 13
MOST_BARS = 40
LONGEST_LENGTH = 40
LEGEND_SYMBOL, LEGEND_LETTER = 24, 8
"""Pixels of a legend's entry: its symbol, which is also the gap between two, and one letter."""
LINE_OFFSETS, POINT_OFFSETS = (-14, 18), (-14, 18, -30)
"""Pixels from a point down to its name; what is close together must not overlap."""


def data(rows: Rows) -> alt.Data:
    """Rows as a chart's data; control characters in texts are replaced by visible ones."""
    shown = [
        {key: visible(value) if isinstance(value, str) else value for key, value in row.items()}
        for row in rows
    ]
    return alt.Data(values=shown)  # type: ignore[no-untyped-call]


def fitted(chart: Any, width: int) -> Any:
    """Make a single or layered chart fill the width, labels included."""
    return chart.properties(width=width, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))


def series_scale(names: Sequence[str]) -> alt.Scale:
    """One colour for each name, in order."""
    return alt.Scale(domain=[visible(name) for name in names], range=list(SERIES[: len(names)]))


def compression_bars(rows: Rows, tokenizers: Sequence[str]) -> Figure:
    """Bytes per token for each text, a bar for each tokenizer; rows have `text`, `tokenizer`, `ratio`."""
    rows = [row for row in rows if row["tokenizer"] in tokenizers]
    ours = {row["text"]: row["ratio"] for row in rows if row["tokenizer"] == tokenizers[0]}
    texts = sorted({row["text"] for row in rows}, key=lambda text: -ours.get(text, 0.0))
    order = [visible(name) for name in tokenizers]
    entry = 2 * LEGEND_SYMBOL + LEGEND_LETTER * max(map(len, order))

    def draw(width: int) -> Any:
        base = alt.Chart(data(rows)).encode(
            y=alt.Y(
                "text:N",
                sort=[visible(text) for text in texts],
                title=None,
                axis=alt.Axis(ticks=False, domain=False),
            ),
            yOffset=alt.YOffset("tokenizer:N", sort=order),
            x=alt.X("ratio:Q", title="bytes per token", axis=alt.Axis(tickCount=5)),
        )
        bars = base.mark_bar(stroke=INK, strokeWidth=0.5).encode(
            color=alt.Color(
                "tokenizer:N",
                scale=series_scale(tokenizers),
                sort=order,
                legend=alt.Legend(
                    title=None, orient="top", columns=max(1, width // entry), columnPadding=LEGEND_SYMBOL
                ),
            )
        )
        values = base.mark_text(align="left", dx=4, fontSize=10, color=INK).encode(
            text=alt.Text("ratio:Q", format=".2f")
        )
        height = alt.Step(BAR_STEP, **{"for": "offset"})
        return fitted(bars + values, width).properties(height=height)

    return figure("compression", compression_words(rows, tokenizers), draw)


def compression_words(rows: Rows, tokenizers: Sequence[str]) -> str:
    """The bars in words: the range of each tokenizer."""
    parts = []
    for name in tokenizers:
        values = [(row["ratio"], row["text"]) for row in rows if row["tokenizer"] == name]
        if values:
            low, high = min(values), max(values)
            parts.append(
                f"{visible(name)} from {low[0]:.2f} ({visible(low[1])}) to {high[0]:.2f} ({visible(high[1])})"
            )
    return f"Bar chart of bytes per token for each text: {'; '.join(parts)}. A table with all values follows."


def vocabulary_curve(points: Rows, name: str) -> Figure:
    """Bytes per token against vocabulary size on a logarithmic axis, baselines as single points.

    Args:
        points: those with `prefix` are joined, or, if they have a `line`, those of the same line.
        name: of the tokenizer that has the first colour, and of the line where points do not name theirs.
    """
    names = list(dict.fromkeys([name, *(point["tokenizer"] for point in points)]))
    ours: dict[str, list[Mapping[str, Any]]] = {}
    for point in sorted(points, key=lambda point: point["vocabulary"]):
        if point["prefix"]:
            ours.setdefault(point.get("line", name), []).append(point)
    single = [point for point in points if not point["prefix"]]
    named = [
        *zip((line[-1] for line in ours.values()), cycle(LINE_OFFSETS), strict=False),
        *zip(single, cycle(POINT_OFFSETS), strict=False),
    ]

    def draw(width: int) -> Any:
        most = width // 16  # letters; a longer name would leave no room for the curve

        def short(name: str) -> str:
            return name if len(name) <= most else f"…{name[1 - most :]}"  # names of a sweep differ at the end

        x = alt.X(
            "vocabulary:Q",
            scale=alt.Scale(type="log", nice=False, padding=24),
            title="vocabulary size, without special tokens",
            axis=alt.Axis(values=curve_ticks(points, width), format=","),
        )
        domain = room_around([point["bytes_per_token"] for point in points])
        y = alt.Y("bytes_per_token:Q", scale=alt.Scale(domain=domain, nice=False), title="bytes per token")
        lines = [
            alt.Chart(data(line)).mark_line(color=SERIES[at % len(SERIES)], strokeWidth=2).encode(x=x, y=y)
            for at, line in enumerate(ours.values())
        ]
        dots = (
            alt.Chart(data(points))
            .mark_point(filled=True, size=80, opacity=1, stroke=INK, strokeWidth=0.5)
            .encode(
                x=x,
                y=y,
                color=alt.Color("tokenizer:N", scale=series_scale(names), legend=None),
                shape=alt.Shape("tokenizer:N", scale=shape_scale(names), legend=None),
            )
        )
        texts = [
            alt.Chart(
                data([{**point, "label": f"{short(point['tokenizer'])} {point['bytes_per_token']:.2f}"}])
            )
            .mark_text(dy=offset, align="right", dx=8)
            .encode(x=x, y=y, text="label:N")
            for point, offset in named
        ]
        return fitted(alt.layer(*lines, dots, *texts), width).properties(height=300)

    others = "; ".join(
        f"{visible(point['tokenizer'])} {point['bytes_per_token']:.2f} at {point['vocabulary']:,}"
        for point in single
    )
    words = "; ".join(
        f"{visible(line)} goes from {found[0]['bytes_per_token']:.2f} bytes per token at "
        f"{found[0]['vocabulary']:,} tokens to {found[-1]['bytes_per_token']:.2f} at {found[-1]['vocabulary']:,}"
        for line, found in ours.items()
    )
    words = f"Line chart: {words}"
    return figure("curve", f"{words}. Single points: {others}." if others else f"{words}.", draw)


def shape_scale(names: Sequence[str]) -> alt.Scale:
    """One shape for each name, in order."""
    return alt.Scale(domain=[visible(name) for name in names], range=list(SHAPES[: len(names)]))


def curve_ticks(points: Rows, width: int) -> list[int]:
    """Powers of two among the points; fewer on a narrow page, the sizes themselves if there are none."""
    low = min(point["vocabulary"] for point in points)
    high = max(point["vocabulary"] for point in points)
    ticks = [1 << power for power in range(8, 25) if low <= 1 << power <= high] or [low]
    return spread(ticks, 10 if width > 500 else 4)


def spread(values: Sequence[int], most: int) -> list[int]:
    """Keep at most `most` of the values, evenly spread from the first one."""
    return list(values[:: math.ceil(len(values) / most)])


def room_around(values: Sequence[float]) -> list[float]:
    """The range of an axis: the values with a tenth of their range on both sides, or of one value's size."""
    low, high = min(values), max(values)
    room = (high - low) / 10 or abs(low) / 10 or 1.0
    return [low - room, high + room]


def length_bars(lengths: Rows) -> Figure:
    """How many tokens have how many bytes; all tokens longer than 40 bytes share the last bar."""
    short = [dict(row) for row in lengths if row["bytes"] < LONGEST_LENGTH]
    rest = sum(row["tokens"] for row in lengths if row["bytes"] >= LONGEST_LENGTH)
    top = max(row["bytes"] for row in lengths)
    rows = short + ([{"bytes": LONGEST_LENGTH, "tokens": rest}] if rest else [])

    def draw(width: int) -> Any:
        last = min(top, LONGEST_LENGTH)
        step = (1 if last <= 20 else 2) if width > 500 else (2 if last <= 14 else 4)
        ending = f"datum.value == {LONGEST_LENGTH} ? '\u2265 {LONGEST_LENGTH}' : datum.label"
        axis = alt.Axis(values=list(range(step, last + 1, step)), labelExpr=ending, grid=False, format="d")
        size = max(3.0, (width - 90) / (last + 1) - 2)
        chart = (
            alt.Chart(data(rows))
            .mark_bar(size=size, color=SERIES[0])
            .encode(
                x=alt.X(
                    "bytes:Q",
                    title="bytes in the token",
                    axis=axis,
                    scale=alt.Scale(domain=[0.4, last + 0.6], nice=False),
                ),
                y=alt.Y("tokens:Q", title="tokens", axis=alt.Axis(tickCount=5, format="~s")),
            )
        )
        return fitted(chart, width).properties(height=220)

    peak = max(rows, key=lambda row: row["tokens"])
    words = (
        f"Bar chart of tokens by length: most tokens, {peak['tokens']:,}, have {peak['bytes']} bytes; "
        f"the longest has {top}."
    )
    return figure("lengths", words, draw)


def panels(name: str, rows: Rows, x: str, x_title: str, words: str, *, whole_steps: bool) -> Figure:
    """Small line charts, one for each `panel`, with a line for each `series`; rows have `x`, `value` too."""
    titles = list(dict.fromkeys(row["panel"] for row in rows))

    def draw(width: int) -> Any:
        columns = 2 if width > 500 else 1
        inner = (width - 100 * columns) / columns + (20 if columns == 1 else 0)
        charts = [panel(title, [row for row in rows if row["panel"] == title], inner) for title in titles]
        return alt.concat(*charts, columns=columns, spacing={"row": 22, "column": 30}).resolve_scale(
            color="independent", shape="independent"
        )

    def panel(title: str, shown: Rows, inner: float) -> Any:
        names = list(dict.fromkeys(str(row["series"]) for row in shown))
        steps = sorted({row[x] for row in shown})
        axis = alt.Axis(values=spread(steps, 6), format="d") if whole_steps else alt.Axis(tickCount=6)
        many = len(shown) > 60 * len(names)
        legend = alt.Legend(title=None, orient="bottom", columns=1) if len(names) > 1 else None
        return (
            alt.Chart(data(shown))
            .mark_line(strokeWidth=1.5, point=False if many else alt.OverlayMarkDef(size=40, filled=True))
            .encode(
                x=alt.X(
                    f"{x}:Q", title=x_title, axis=axis, scale=alt.Scale(zero=False, nice=False, padding=8)
                ),
                y=alt.Y(
                    "value:Q",
                    title=None,
                    scale=alt.Scale(domain=room_around([row["value"] for row in shown]), nice=True),
                    axis=alt.Axis(tickCount=4),
                ),
                color=alt.Color("series:N", scale=series_scale(names), legend=legend),
                **({"shape": alt.Shape("series:N", legend=legend)} if len(names) > 1 and not many else {}),
            )
            .properties(
                width=inner,
                height=120,
                title=alt.TitleParams(
                    visible(title),
                    anchor="start",
                    color=INK,
                    fontSize=12,
                    fontWeight="normal",
                    offset=8,
                    limit=inner,
                ),
            )
        )

    return figure(name, words, draw)


def ranked_bars(name: str, rows: Rows, measures: Sequence[tuple[str, str]], words: str) -> Figure:
    """Horizontal bars by `label`, in the order of the rows, one panel for each measure (key and title)."""
    order = [visible(str(row["label"])) for row in rows]

    def draw(width: int) -> Any:
        columns = len(measures) if width > 500 else 1
        longest = max((len(text) for text in order), default=0)
        room = min(longest * 7 + 20, 230 if columns > 1 else 140)
        inner = max(110, (width - room - 70 - 40 * (columns - 1)) / columns)
        charts = [
            bars(key, title, inner, show_labels=place == 0 or columns == 1)
            for place, (key, title) in enumerate(measures)
        ]
        return alt.concat(*charts, columns=columns, spacing={"row": 18, "column": 24})

    def bars(key: str, title: str, inner: float, *, show_labels: bool) -> Any:
        base = alt.Chart(data([row for row in rows if row.get(key) is not None])).encode(
            y=alt.Y(
                "label:N",
                sort=order,
                title=None,
                scale=alt.Scale(domain=order),
                axis=alt.Axis(ticks=False, domain=False, labels=show_labels),
            ),
            x=alt.X(f"{key}:Q", title=title, axis=alt.Axis(tickCount=4, format=",.3~r")),
        )
        text = base.mark_text(align="left", dx=4, fontSize=10, color=INK).encode(
            text=alt.Text(f"{key}:Q", format=",.3r")
        )
        return (base.mark_bar(color=SERIES[0]) + text).properties(width=inner, height=alt.Step(20))

    return figure(name, words, draw)


def histograms(name: str, measures: Sequence[tuple[str, Sequence[float]]], words: str) -> Figure:
    """Histograms of shards, a panel for each measure, if there are too many shards for a bar each."""

    def draw(width: int) -> Any:
        columns = len(measures) if width > 500 else 1
        inner = (width - 60) / columns - 50
        charts = [
            alt.Chart(data([{"value": value} for value in values]))
            .mark_bar(color=SERIES[0])
            .encode(
                x=alt.X(
                    "value:Q",
                    bin=alt.Bin(maxbins=30),
                    title=title,
                    axis=alt.Axis(labelOverlap="parity", labelSeparation=10),
                ),
                y=alt.Y("count():Q", title="shards", axis=alt.Axis(tickMinStep=1, tickCount=5)),
            )
            .properties(width=inner, height=150)
            for title, values in measures
        ]
        return alt.concat(*charts, columns=columns, spacing={"row": 18, "column": 24})

    return figure(name, words, draw)


def shard_figure(records: Rows) -> Figure:
    """Sizes of the shards and their download rates: a bar for each, or histograms if there are many."""
    rows = [
        {
            "label": record["shard"],
            "size": record["bytes"] / 1e6,
            "characters": (record["characters"] or 0) / 1e6,
            "rate": record["rate"],
        }
        for record in records
        if record["bytes"]
    ]
    measures = [("size", "file size, MB"), ("characters", "characters, millions")]
    if any(row["rate"] for row in rows):
        measures.append(("rate", "download, MB/s"))
    words = shard_words(records)
    if len(rows) <= MOST_BARS:
        return ranked_bars("shards", rows, measures, f"Bar chart: {words}")
    values = [(title, [row[key] for row in rows if row[key] is not None]) for key, title in measures]
    return histograms("shards", values, f"Histograms: {words}")


def shard_words(records: Rows) -> str:
    """The shards in words: their sizes, and how fast they came."""
    sizes = [record["bytes"] for record in records if record["bytes"]]
    words = (
        f"{len(sizes):,} shards from {format_size(min(sizes))} to {format_size(max(sizes))}, "
        f"{format_size(sum(sizes))} in all"
    )
    if rates := sorted(record["rate"] for record in records if record["rate"]):
        middle = rates[len(rates) // 2]
        words += f"; downloads from {rates[0]:.3g} to {rates[-1]:.3g} MB/s, the median is {middle:.3g}"
    return f"{words}."


def benchmark_figure(records: Rows) -> Figure:
    """Seconds and peak memory of each rule."""
    rows = [
        {"label": record["rule"], "seconds": record["seconds"], "memory": record["memory"]}
        for record in records
    ]
    total = sum(record["seconds"] for record in records)
    top = rows[0]
    words = (
        f"Bar chart of {len(rows)} rules, {total:,.1f} seconds in all; most, {top['seconds']:,.1f} seconds, goes "
        f"to {visible(str(top['label']))}."
    )
    return ranked_bars(
        "benchmarks", rows, [("seconds", "seconds, all jobs"), ("memory", "peak memory, MiB")], words
    )
