"""The charts of ladders: bits per byte over FLOPs, and intervals by depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from nanosnake.report.charts import data, fitted, room_around, series_scale, shape_scale
from nanosnake.report.svg import INK, MUTED, Figure, figure
from nanosnake.report.visible import visible

Rows = Sequence[Mapping[str, Any]]
POWERS = "replace(datum.label, '+', '')"
"""1e12 instead of 1e+12."""
NO_SIGN_OF_0 = "datum.value === 0 ? replace(datum.label, '+', '') : datum.label"


def ladder_curves(points: Rows, lines: Rows, names: Sequence[str], words: str) -> Figure:
    """Bits per byte over FLOPs, of one ladder or two.

    Args:
        points: `ladder`, `flops`, `bits_per_byte` of each depth, `low` and `high` where they are known.
        lines: the same of the lines through them.
    """

    def draw(width: int) -> Any:
        x = alt.X(
            "flops:Q",
            scale=alt.Scale(type="log", nice=False, padding=24),
            title="FLOPs of the training",
            axis=alt.Axis(
                format="~e", labelExpr=POWERS, tickCount=6 if width > 500 else 3, labelOverlap=True
            ),
        )
        values = [
            row[key] for row in points for key in ("bits_per_byte", "low", "high") if row.get(key) is not None
        ]
        scale = alt.Scale(domain=room_around(values), nice=False)
        y = alt.Y("bits_per_byte:Q", scale=scale, title="bits per byte")
        colour = alt.Color(
            "ladder:N",
            scale=series_scale(names),
            legend=alt.Legend(title=None, orient="top", symbolOpacity=1) if len(names) > 1 else None,
        )
        layers = []
        bounded = [row for row in lines if row.get("low") is not None]
        if bounded:
            band = alt.Chart(data(bounded)).mark_area(opacity=0.15, clip=True)
            layers.append(
                band.encode(
                    x=x, y=alt.Y("low:Q", scale=scale, title="bits per byte"), y2="high:Q", color=colour
                )
            )
        if lines:
            layers.append(
                alt.Chart(data(lines)).mark_line(strokeWidth=1.5, clip=True).encode(x=x, y=y, color=colour)
            )
        if known := [row for row in points if row.get("low") is not None]:
            bars = alt.Chart(data(known)).mark_rule(strokeWidth=1.5)
            layers.append(
                bars.encode(
                    x=x, y=alt.Y("low:Q", scale=scale, title="bits per byte"), y2="high:Q", color=colour
                )
            )
        dots = alt.Chart(data(points)).mark_point(
            filled=True, size=70, opacity=1, stroke=INK, strokeWidth=0.5
        )
        shape = alt.Shape(
            "ladder:N",
            scale=shape_scale(names),
            legend=alt.Legend(title=None, orient="top", symbolOpacity=1) if len(names) > 1 else None,
        )
        layers.append(dots.encode(x=x, y=y, color=colour, shape=shape))
        return fitted(alt.layer(*layers), width).properties(height=320)

    return figure("ladder", words, draw)


def intervals(name: str, rows: Rows, title: str, still: float, words: str, *, form: str) -> Figure:
    """A dot with its interval for each row, and a line where there is no difference.

    Args:
        rows: `label`, `value`, `extrapolated`, and `low` and `high` where they are known. An interval of what is
            extrapolated may reach beyond the chart, which is as wide as the other rows need.
        still: the value of no difference.
        form: how values are written, in d3's words.
    """
    order = [visible(str(row["label"])) for row in rows]

    def draw(width: int) -> Any:
        known = [row for row in rows if row.get("low") is not None]
        within = [row for row in known if not row["extrapolated"]]
        values = [
            still,
            *(row["value"] for row in rows),
            *(row[key] for row in within or known for key in ("low", "high")),
        ]
        x = alt.X(
            "value:Q",
            title=title,
            scale=alt.Scale(domain=room_around(values), nice=False),
            axis=alt.Axis(tickCount=6 if width > 500 else 4, format=form, labelExpr=NO_SIGN_OF_0),
        )
        y = alt.Y("label:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False))
        layers = [alt.Chart(data([{"value": still}])).mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x=x)]
        if known:
            bars = alt.Chart(data(known)).mark_rule(strokeWidth=1.5, color="var(--series-1)", clip=True)
            layers.append(bars.encode(x=alt.X("low:Q", title=title), x2="high:Q", y=y))
        dots = alt.Chart(data(rows)).mark_point(filled=True, size=70, opacity=1, color="var(--series-1)")
        layers.append(dots.encode(x=x, y=y))
        return fitted(alt.layer(*layers), width).properties(height=alt.Step(28))

    return figure(name, words, draw)
