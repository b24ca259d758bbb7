"""Altair charts as inline SVG that takes its colours from the page.

Colours are CSS variables (`var(--series-1)`, `currentColor`), so that one drawing serves the light scheme,
the dark scheme and paper. A chart is drawn twice, for a wide and for a narrow page; style.css shows one.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import altair
import vl_convert
from markupsafe import Markup

WIDE = 760
NARROW = 340
INK = "currentColor"
MUTED = "var(--muted)"
LINE = "var(--line)"
SERIES = tuple(f"var(--series-{number})" for number in range(1, 9))

DROPPED_ATTRIBUTES = {"class", "role", "pointer-events", "font-family", "version"}
DEFAULTS = {"opacity": "1", "stroke-width": "1", "stroke-miterlimit": "10"}

Draw = Callable[[int], altair.TopLevelMixin]
"""Makes a chart for a width in pixels."""


@dataclass(frozen=True)
class Figure:
    """A chart in both widths, with the sentence that replaces it where it cannot be seen."""

    name: str
    alternative: str
    wide: Markup
    narrow: Markup


def figure(name: str, alternative: str, draw: Draw) -> Figure:
    """Draw a chart for both widths."""
    return Figure(
        name,
        alternative,
        render(draw(WIDE), WIDE, f"{name}-wide", alternative),
        render(draw(NARROW), NARROW, f"{name}-narrow", alternative),
    )


def theme(width: int) -> dict[str, Any]:
    """The configuration that all charts share; names that would take up the width end in an ellipsis."""
    limit = 190 if width == WIDE else 108
    return {
        "aria": False,
        "background": None,
        "font": "sans-serif",
        # the reader's font may be wider than the one that the labels are measured with
        "padding": {"left": 12, "right": 8, "top": 4, "bottom": 4},
        "view": {"stroke": None},
        "axis": {
            "labelColor": INK,
            "titleColor": INK,
            "titleFontWeight": "normal",
            "titleFontSize": 12,
            "labelFontSize": 12,
            "labelLimit": limit,
            "gridColor": LINE,
            "domainColor": MUTED,
            "tickColor": MUTED,
            "labelPadding": 5,
            "titlePadding": 8,
        },
        "legend": {
            "labelColor": INK,
            "titleColor": INK,
            "labelFontSize": 12,
            "titleFontWeight": "normal",
            "labelLimit": limit,
            "symbolSize": 90,
        },
        "header": {"labelColor": INK, "titleColor": INK, "labelFontSize": 12, "labelLimit": limit},
        "text": {"color": INK, "fontSize": 11},
        "range": {"category": list(SERIES)},
    }


def render(chart: altair.TopLevelMixin, width: int, name: str, alternative: str) -> Markup:
    """Convert one chart to an inline `<svg>` element that holds only what the page needs."""
    spec = chart.to_dict()
    spec["config"] = theme(width)
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(spec))
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        tidy(element, name)
    prune(root)
    size = (root.attrib.pop("width"), root.attrib.pop("height"))
    root.set("style", f"max-width:{size[0]}px;aspect-ratio:{size[0]}/{size[1]}")
    root.set("role", "img")
    root.set("aria-label", alternative)
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=True))


def tidy(element: ElementTree.Element, name: str) -> None:
    """Drop attributes without a use here, and make ids unique in the page."""
    for key, value in list(element.attrib.items()):
        is_default = DEFAULTS.get(key) == value
        if key in DROPPED_ATTRIBUTES or key.startswith(("aria-", "{")) or is_default:
            del element.attrib[key]
        elif key == "id":
            element.set(key, f"{name}-{value}")
        elif "url(#" in value:
            element.set(key, value.replace("url(#", f"url(#{name}-"))


def prune(element: ElementTree.Element) -> None:
    """Remove what is not drawn: empty groups and paths, and what is marked as not displayed."""
    for child in list(element):
        prune(child)
        is_empty_group = child.tag == "g" and len(child) == 0
        is_empty_path = child.tag == "path" and (
            child.get("display") == "none" or child.get("d") in (None, "", "M0,0h0v0h0Z")
        )
        if is_empty_group or is_empty_path:
            element.remove(child)
