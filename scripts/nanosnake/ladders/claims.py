"""Claims: whether a comparison shows what the configuration claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUPPORTED, NOT_SUPPORTED, NOISE = "supported", "not supported", "within noise"


def claim(
    terms: Mapping[str, Any], comparison: Mapping[str, Any], preregistration: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of `claims/NAME.json`.

    Args:
        terms: the settings of the comparison.
        comparison: what `compare` returned.
        preregistration: what `preregistration.judge` returned.
    """
    found = comparison["difference"]["overall"]
    verdict, why = judge(
        found, terms["direction"], terms["share"], line_misleads=comparison["line"]["misleads"]
    )
    first, second = terms["of"]
    return {
        "claim": (
            f"{first} has at least {terms['threshold']} {terms['direction']} {terms['metric'].replace('_', ' ')} than "
            f"{second} at equal {terms['at']}"
        ),
        "verdict": verdict,
        "why": why,
        "difference": found,
        "n": {
            "depths": len(found["over"]) if found else 0,
            "documents": comparison["documents"],
            "models": {one: len(models) for one, models in terms["models"].items()},
            "degrees_of_freedom": comparison["noise"]["degrees_of_freedom"],
        },
        "terms": terms,
        "preregistration": preregistration,
    }


def judge(
    found: Mapping[str, Any] | None, direction: str, threshold: float, *, line_misleads: bool = False
) -> tuple[str, str]:
    """Return the verdict on a relative difference with its interval, and why.

    Args:
        threshold: the least difference that is claimed, as a part of the second one's metric.
        line_misleads: whether the second one's curve is a straight line, read between two points.
    """
    if found is None or found["value"] is None:
        return NOT_SUPPORTED, "there is nothing to compare"
    if found["low"] is None:
        return NOT_SUPPORTED, "the noise is not known; train two seeds or more"
    sign = -1 if direction == "lower" else 1
    least, most = sorted((sign * found["low"], sign * found["high"]))
    if least <= 0 <= most:
        return NOISE, "the interval contains no difference at all"
    if most < 0:
        return NOT_SUPPORTED, "the difference is in the other direction"
    if found["extrapolated"]:
        return (
            NOT_SUPPORTED,
            "all depths need extrapolation; give the second ladder depths with as many FLOPs",
        )
    if line_misleads:
        return (
            NOT_SUPPORTED,
            "the second ladder has two depths, and its curve lies below the straight line between them; give it three",
        )
    if least >= threshold:
        return SUPPORTED, "the whole interval is beyond the threshold"
    if most < threshold:
        return NOT_SUPPORTED, "there is a difference, but it is smaller than the threshold"
    return NOT_SUPPORTED, "there is a difference, but it may be smaller than the threshold"
