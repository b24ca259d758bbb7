"""Two ladders: how far apart their bits per byte are, and the compute multiplier, with intervals.

The compute multiplier of a depth is the FLOPs with which the second ladder's curve reaches the bits per byte of the
first one's models, divided by their own FLOPs: above 1, the first ladder gets more from the same computation. An
interval is over seeds (see `curve`) and over documents, which are drawn with replacement, the same for all models.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nanosnake.evaluation import evidence
from nanosnake.evaluation.evidence import Evidence
from nanosnake.files import NanosnakeError
from nanosnake.ladders.curve import (
    DRAWS,
    EDGE,
    SEED,
    Floats,
    Noise,
    Point,
    curve_through,
    interval,
    is_outside,
    kind_of_line,
)

MOST_GROUPS = 1_000
"""Groups of documents that are drawn; fewer documents are drawn one by one."""


@dataclass(frozen=True)
class Side:
    """A ladder in a comparison."""

    name: str
    points: Sequence[Point]
    """In the order of their FLOPs."""
    evidence: Sequence[Sequence[Evidence]]
    """Of each model of each point."""

    @classmethod
    def read(cls, name: str, points: Sequence[Point]) -> Side:
        """Read the evidence of a ladder's models."""
        found = [[Evidence.read(Path(run.model, evidence.FILE)) for run in point.runs] for point in points]
        return cls(name, points, found)

    @property
    def x(self) -> Floats:
        """Logarithms of FLOPs."""
        return np.log([point.flops for point in self.points])

    @property
    def y(self) -> Floats:
        """Means of the logarithms of bits per byte."""
        return np.array([point.logs.mean() for point in self.points])


At = Literal["compute", "depth"]


def compare(first: Side, second: Side, at: At) -> dict[str, Any]:
    """Return the comparison of two ladders.

    Args:
        at: whether bits per byte are compared at equal FLOPs or at equal depth.

    Raises:
        NanosnakeError: if they were evaluated on different documents.
    """
    noise = Noise.of([*first.points, *second.points])
    a, b = _draws(first, second, noise)
    effects = {"depth": _at_depth, "compute": _at_compute}[at](first, second, a, b)
    found: dict[str, Any] = {
        "of": [first.name, second.name],
        "at": at,
        "line": {
            **dict(zip(("kind", "why"), kind_of_line(len(second.points)), strict=True)),
            "misleads": at == "compute" and _misleads(first, second),
        },
        "noise": {"relative": noise.sd if noise.degrees else None, "degrees_of_freedom": noise.degrees},
        "documents": len(first.evidence[0][0].document),
        "difference": _summary(effects, noise, lambda value: math.expm1(value), still=0.0),
        "multiplier": None,
        "paired": list(_paired(first, second)),
    }
    if len(second.points) > 1:
        found["multiplier"] = _summary(_multipliers(first, second, a, b), noise, math.exp, still=1.0)
    return found


@dataclass(frozen=True)
class Effect:
    """One depth: a logarithm of a ratio, and its draws."""

    depth: int
    value: float
    draws: Floats
    extrapolated: bool


def _draws(first: Side, second: Side, noise: Noise) -> tuple[Floats, Floats]:
    """Return draws of the mean ln(bits per byte) of each point of the two, [draws, points] each."""
    random = np.random.default_rng(SEED)
    sides = (first, second)
    together = evidence.aligned([one for side in sides for point in side.evidence for one in point])
    if together is None:
        raise NanosnakeError(
            f"{first.name} and {second.name}: {evidence.FILE} of their models does not have the same documents, so their "
            "bits per byte cannot be compared; evaluate them on the same validation shards"
        )
    logs = _resampled(*together, random)
    found, column = [], 0
    for side in sides:
        off, _ = noise.draws(side.points, random)
        means = []
        for point in side.points:
            means.append(logs[:, column : column + len(point.runs)].mean(1))
            column += len(point.runs)
        found.append(np.stack(means, axis=1) + off)
    return found[0], found[1]


def _resampled(size: Floats, nats: Floats, random: np.random.Generator) -> Floats:
    """Return ln(bits per byte) of each model on drawn documents, [draws, models].

    Args:
        size: bytes of each document.
        nats: of each model and document.
    """
    groups = np.array_split(random.permutation(len(size)), min(len(size), MOST_GROUPS))
    group_size = np.array([size[group].sum() for group in groups])
    group_nats = np.array([nats[:, group].sum(1) for group in groups])
    counts = random.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=DRAWS)
    bits = (counts @ group_nats) / (counts @ group_size)[:, None] / math.log(2)
    return np.asarray(np.log(bits), dtype=np.float64)


def _at_depth(first: Side, second: Side, a: Floats, b: Floats) -> list[Effect]:
    """Compare models of equal depth."""
    places = {point.depth: at for at, point in enumerate(second.points)}
    return [
        Effect(
            point.depth,
            float(first.y[at] - second.y[places[point.depth]]),
            a[:, at] - b[:, places[point.depth]],
            extrapolated=False,
        )
        for at, point in enumerate(first.points)
        if point.depth in places
    ]


def _at_compute(first: Side, second: Side, a: Floats, b: Floats) -> list[Effect]:
    """Compare each point of the first with the curve of the second at the same FLOPs."""
    x, curve = second.x, curve_through(second.x, second.y)
    curves = [curve_through(x, y) for y in b]
    return [
        Effect(
            point.depth,
            float(first.y[at]) - curve.log_bits(flops),
            a[:, at] - np.array([one.log_bits(flops) for one in curves]),
            extrapolated=is_outside(x, flops),
        )
        for at, (point, flops) in enumerate(zip(first.points, first.x.tolist(), strict=True))
    ]


def _misleads(first: Side, second: Side) -> bool:
    """Return whether a point of the first is compared with a straight line far from its two ends.

    The line lies above the curve of the second, so the first seems better than it is.
    """
    if len(second.points) != 2:
        return False
    low, high = second.x
    far = EDGE * (high - low)
    return any(low + far < flops < high - far for flops in first.x)


def _multipliers(first: Side, second: Side, a: Floats, b: Floats) -> list[Effect]:
    """Return the logarithm of the compute multiplier of each point of the first."""
    x, curve = second.x, curve_through(second.x, second.y)
    curves = [curve_through(x, y) for y in b]
    found = []
    for at, (point, flops) in enumerate(zip(first.points, first.x.tolist(), strict=True)):
        needed = curve.log_flops(float(first.y[at]))
        draws = (
            np.array([one.log_flops(level) for one, level in zip(curves, a[:, at].tolist(), strict=True)])
            - flops
        )
        found.append(
            Effect(point.depth, needed - flops, draws, not math.isfinite(needed) or is_outside(x, needed))
        )
    return found


def _summary(effects: Sequence[Effect], noise: Noise, back: Any, *, still: float) -> dict[str, Any]:
    """Return the effect of each depth, and of all depths that need no extrapolation together, as ratios.

    Args:
        back: converts a logarithm to the reported value.
        still: the value that means no difference.
    """

    def said(value: float, draws: Floats, *, extrapolated: bool) -> dict[str, Any]:
        bounds = interval(draws) if noise.degrees else None
        low, high = (back(bound) for bound in bounds) if bounds else (None, None)
        within = None if low is None or high is None else low <= still <= high
        return {
            "value": back(value) if math.isfinite(value) else None,
            "low": low,
            "high": high,
            "within_noise": within,
            "extrapolated": extrapolated,
        }

    depths = [
        {"depth": one.depth, **said(one.value, one.draws, extrapolated=one.extrapolated)} for one in effects
    ]
    inside = [one for one in effects if not one.extrapolated] or list(effects)
    if not inside:
        return {"depths": [], "overall": None}
    overall = said(
        float(np.mean([one.value for one in inside])),
        np.mean([one.draws for one in inside], axis=0),
        extrapolated=inside[0].extrapolated,
    )
    return {"depths": depths, "overall": {**overall, "over": [one.depth for one in inside]}}


def _paired(first: Side, second: Side) -> Any:
    """Yield the paired difference per document of the models of equal depth, their nats averaged over seeds."""
    places = {point.depth: at for at, point in enumerate(second.points)}
    for at, point in enumerate(first.points):
        if point.depth in places:
            theirs = evidence.mean(second.evidence[places[point.depth]])
            found = evidence.difference(theirs, evidence.mean(first.evidence[at]))
            if found is not None:
                yield {
                    "depth": point.depth,
                    **{
                        key: getattr(found, key)
                        for key in ("value", "low", "high", "documents", "within_noise")
                    },
                }
