"""The pages of ladders and of comparisons of two, from `curve.json`, `comparison.json` and the claim."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanosnake.ladders.claims import NOISE, NOT_SUPPORTED, SUPPORTED
from nanosnake.report.ladder_charts import intervals, ladder_curves
from nanosnake.report.page import Page
from nanosnake.report.render import render
from nanosnake.report.svg import Figure
from nanosnake.report.tables import Column, Kind, Table, format_change, format_value
from nanosnake.report.visible import visible

Found = Mapping[str, Any]

STATUS = {SUPPORTED: "pass", NOISE: "warn", NOT_SUPPORTED: "fail"}
ALL = "all depths"

POINTS = (
    Column("ladder", "ladder"),
    Column("depth", "depth", "integer"),
    Column("parameters", "parameters", "integer"),
    Column("tokens", "tokens", "integer"),
    Column("flops", "FLOPs", "power"),
    Column("bits_per_byte", "bits per byte", "bits"),
    Column("low", "from", "bits"),
    Column("high", "to", "bits"),
    Column("runs", "models", "integer"),
    Column("spread", "standard deviation", "bits"),
    Column("spread_over_seeds", "over seeds", "bits"),
    Column("spread_over_orders", "over orders", "bits"),
)
MODELS = (
    Column("page", "model", "link"),
    Column("depth", "depth", "integer"),
    Column("seed", "seed", "integer"),
    Column("order_seed", "seed of the order", "integer"),
    Column("bits_per_byte", "bits per byte", "bits"),
)
LEFT_OUT = (Column("model", "model"), Column("why", "why it was left out"))
PAIRED = (
    Column("depth", "depth", "integer"),
    Column("value", "bits per byte", "bits"),
    Column("low", "from", "bits"),
    Column("high", "to", "bits"),
    Column("documents", "documents", "integer"),
    Column("within_noise", "within noise"),
)


@dataclass(frozen=True)
class Drawn:
    """The chart of one or two curves, and its description."""

    chart: Figure
    table: Table
    words: Sequence[str]
    left_out: Table | None


def ladder_page(dataset: str, curve: Found, output: Path) -> str:
    """Return the page of a ladder."""
    points, noise = curve["points"], curve["noise"]
    best = points[-1]
    page = Page(
        kind="Ladder",
        name=curve["ladder"],
        on=f"{', '.join(curve['tokenizers'])} on {dataset}",
        status="pass",
        headline=f"{best['mean']:.3f} bits per byte at depth {best['depth']}, {points[0]['mean']:.3f} at depth "
        f"{points[0]['depth']}",
        tiles=[
            ("depths", str(len(points)), ", ".join(str(point["depth"]) for point in points)),
            ("models", str(sum(len(point["runs"]) for point in points)), "of all depths and seeds"),
            ("noise", _share(noise["relative"]), f"standard deviation over seeds, {_degrees(noise)}"),
        ],
        sections=[("ladder_curve", "Bits per byte over FLOPs"), ("ladder_models", "Models")],
        links=[("../../../index.html", "all results")],
    )
    rows = [
        {
            **run,
            "depth": point["depth"],
            "page": {
                "href": os.path.relpath(Path(run["model"], "report/index.html"), output.parent),
                "text": Path(run["model"]).name,
            },
        }
        for point in points
        for run in point["runs"]
    ]
    apart = any(row["seed"] != row["order_seed"] for row in rows)
    columns = tuple(column for column in MODELS if apart or column.key != "order_seed")
    return render(page, drawn=draw([curve]), models=Table("Models of the ladder", columns, rows))


def comparison_page(
    dataset: str, name: str, curves: Sequence[Found], pages: Sequence[str], found: Found, claim: Found
) -> str:
    """Return the page of a comparison of two ladders.

    Args:
        pages: where the pages of the ladders are, from this one.
    """
    overall, multiplier = found["difference"]["overall"], (found["multiplier"] or {}).get("overall")
    tiles = [("bits per byte", *_tile(overall, percent=True))] if overall else []
    if multiplier:
        tiles.append(("compute multiplier", *_tile(multiplier, percent=False)))
    tiles.append(
        (
            "noise",
            _share(found["noise"]["relative"]),
            f"standard deviation over seeds, {_degrees(found['noise'])}",
        )
    )
    sections = [
        ("claim", "The claim", True),
        ("ladder_curve", "Bits per byte over FLOPs", True),
        ("multiplier", "Compute multiplier", found["multiplier"]),
        ("difference", "Difference in bits per byte", found["difference"]["depths"]),
        ("paired", "Document by document", found["paired"]),
    ]
    page = Page(
        kind="Comparison of ladders",
        name=name,
        on=dataset,
        status=STATUS[claim["verdict"]],
        headline=f"{claim['verdict']}: {claim['claim']}",
        tiles=tiles,
        sections=[(anchor, title) for anchor, title, present in sections if present],
        links=[
            ("../../../index.html", "all results"),
            *zip(pages, found["of"], strict=True),
        ],
    )
    effects = {
        "difference": effect("difference", found["difference"], "difference in bits per byte", 0.0, found),
        "multiplier": effect("multiplier", found["multiplier"], "compute multiplier", 1.0, found),
    }
    paired = Table(
        f"Bits per byte of {found['of'][0]} less those of {found['of'][1]}", PAIRED, found["paired"]
    )
    return render(
        page, drawn=draw(curves), claim=claim, facts=facts(claim), found=found, effects=effects, paired=paired
    )


def draw(curves: Sequence[Found]) -> Drawn:
    """Draw one or two curves."""
    names = [str(curve["ladder"]) for curve in curves]
    points = [
        {**point, "ladder": curve["ladder"], "bits_per_byte": point["mean"], "runs": len(point["runs"])}
        for curve in curves
        for point in curve["points"]
    ]
    lines = [{**row, "ladder": curve["ladder"]} for curve in curves for row in curve["line"].get("shown", [])]
    ends = [
        f"{visible(str(curve['ladder']))} goes from {curve['points'][0]['mean']:.3f} to {curve['points'][-1]['mean']:.3f}"
        for curve in curves
    ]
    words = f"Line chart of bits per byte over FLOPs: {'; '.join(ends)}. A table with all values follows."
    drawn = ladder_curves(
        [{key: row[key] for key in ("ladder", "flops", "bits_per_byte", "low", "high")} for row in points],
        lines,
        names,
        words,
    )
    shown = [column for column in POINTS if len(curves) > 1 or column.key != "ladder"]
    with_values = [column for column in shown if any(row.get(column.key) is not None for row in points)]
    left_out = [row for curve in curves for row in curve["left_out"]]
    return Drawn(
        chart=drawn,
        table=Table("Depths", tuple(with_values), points),
        words=[line for curve in curves for line in said(curve)],
        left_out=Table("Left out", LEFT_OUT, left_out) if left_out else None,
    )


def said(curve: Found) -> list[str]:
    """Describe the line through a ladder's points, with notes about it."""
    line, name = curve["line"], curve["ladder"]
    if line["kind"] == "power law":
        parts = [
            f"{key} {line[key]:.4g}{_between(line[f'{key}_interval'])}"
            for key in ("floor", "scale", "exponent")
        ]
        law = (
            f"bits per byte = floor + scale x (FLOPs / {format_value(line['unit_flops'], 'power')})^-exponent"
        )
        words = f"{name}: the line is a fitted power law, {law}, with {', '.join(parts)}."
    elif line["kind"] == "interpolation":
        words = f"{name}: the line is an interpolation, not a fit: {line['why']}."
    else:
        words = f"{name}: there is no line ({line['why']})."
    notes = list(curve["notes"])
    if curve["noise"]["relative"] is None:
        notes.append("Each depth has one model only, so the noise is not known, and there are no intervals.")
    return [words, *(f"{name}: {note}" for note in notes)]


@dataclass(frozen=True)
class DrawnEffect:
    """The chart and the table of a difference or of the multiplier."""

    chart: Figure
    table: Table


def effect(key: str, summary: Found | None, title: str, still: float, found: Found) -> DrawnEffect | None:
    """Draw an effect by depth and over all; None if there is none."""
    if not summary or not summary["depths"]:
        return None
    rows = [
        {"label": f"depth {row['depth']}{' *' if row['extrapolated'] else ''}", **row}
        for row in summary["depths"]
    ]
    over = summary["overall"]
    rows.append(
        {"label": ALL if len(over["over"]) == len(summary["depths"]) else _depths(over["over"]), **over}
    )
    shown = [row for row in rows if row["value"] is not None]
    kind: Kind = "small_change" if key == "difference" else "number"
    columns = (
        Column("label", "depth"),
        Column("value", title, kind),
        Column("low", "from", kind),
        Column("high", "to", kind),
        Column("within_noise", "within noise"),
        Column("extrapolated", "extrapolated"),
    )
    first, second = (visible(str(one)) for one in found["of"])
    parts = [f"{row['label']} {_value(row['value'], percent=key == 'difference')}" for row in shown]
    words = f"Dot chart of the {title} of {first} against {second} with intervals: {'; '.join(parts)}."
    return DrawnEffect(
        chart=intervals(key, shown, title, still, words, form="+.2~%" if key == "difference" else ".3~f"),
        table=Table(f"{title.capitalize()}, {found['of'][0]} against {found['of'][1]}", columns, rows),
    )


def facts(claim: Found) -> list[tuple[str, str]]:
    """Return the facts about a claim, in pairs."""
    n, registered = claim["n"], claim["preregistration"]
    models = " and ".join(f"{n['models'][name]} models of {name}" for name in claim["terms"]["of"])
    found = [
        ("claim", claim["claim"]),
        ("verdict", f"{claim['verdict']}: {claim['why']}"),
        ("n", f"{models}; {n['documents']:,} documents; {n['depths']} depths"),
        ("preregistered", f"{'yes' if registered['preregistered'] else 'no'}: {registered['why']}"),
    ]
    if registered["recorded"]:
        when = registered["recorded"].replace("T", " ").replace("+00:00", " UTC")
        found.append(("terms recorded", f"{when}; versions of the terms: {registered['versions']}"))
    return found


def _tile(effect: Found, *, percent: bool) -> tuple[str, str]:
    """Return a headline figure and its interval; no figure within noise, or without an interval."""
    if effect["value"] is None or effect["low"] is None:
        return "not known", "no interval"
    bounds = f"{_value(effect['low'], percent=percent)} to {_value(effect['high'], percent=percent)}"
    notes = [bounds, *(["extrapolated"] if effect["extrapolated"] else [])]
    if effect["within_noise"]:
        return "within noise", ", ".join(notes)
    return _value(effect["value"], percent=percent), ", ".join(notes)


def _value(value: float, *, percent: bool) -> str:
    return format_change(value, 2) if percent else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "not known" if value is None else f"{value:.2%}"


def _degrees(noise: Found) -> str:
    return f"{noise['degrees_of_freedom']} degrees of freedom"


def _depths(depths: Sequence[int]) -> str:
    return f"depths {', '.join(map(str, depths))}" if len(depths) > 1 else f"depth {depths[0]} alone"


def _between(bounds: Sequence[float] | None) -> str:
    return f" ({bounds[0]:.4g} to {bounds[1]:.4g})" if bounds else ""
