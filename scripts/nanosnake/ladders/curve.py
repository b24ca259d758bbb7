"""The curve of a ladder: bits per byte over the FLOPs of the training, and how much seeds change it.

Noise is the standard deviation of ln(bits per byte) over the models of a depth, taken to be the same at all depths.
Intervals come from draws of the means given this noise; for a single mean, their distribution is Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DRAWS = 2_000
SEED = 1
"""Seed of the draws: the same files give the same intervals."""
PARAMETERS = 3
"""Numbers of a power law: it passes through as many points, and is fitted to more."""
EXPONENTS = np.outer((-1, 1), np.geomspace(0.01, 2, 60)).ravel()
FINER = np.geomspace(0.9, 1.1, 60)
"""Factors of the best exponent, which reach beyond its neighbours."""
EDGE = 0.1
"""How far outside a curve's points it may be read, as a fraction of its first or last segment, in logarithms."""


@dataclass(frozen=True)
class Run:
    """A model of a ladder."""

    model: str
    """Its folder."""
    seed: int
    order_seed: int
    bits_per_byte: float


@dataclass(frozen=True)
class Point:
    """The models of one depth."""

    depth: int
    parameters: int
    tokens: int
    flops: float
    runs: tuple[Run, ...]

    @cached_property
    def logs(self) -> Floats:
        """Natural logarithms of the models' bits per byte."""
        return np.log([run.bits_per_byte for run in self.runs])

    def spread_over(self, key: str, other: str) -> float | None:
        """Return the standard deviation of bits per byte over one seed, the other one kept; None if there is none."""
        groups: dict[int, list[float]] = {}
        for run in self.runs:
            groups.setdefault(getattr(run, other), []).append(run.bits_per_byte)
        degrees = sum(len(values) - 1 for values in groups.values())
        if not degrees:
            return None
        squares = sum(len(values) * float(np.var(values)) for values in groups.values())
        return math.sqrt(squares / degrees)


@dataclass(frozen=True)
class Noise:
    """How much ln(bits per byte) differs between models that differ only in seeds."""

    sd: float
    degrees: int
    """Degrees of freedom of `sd`; 0: not known."""

    @classmethod
    def of(cls, points: Sequence[Point]) -> Noise:
        """Return the noise of the models of some depths."""
        degrees = sum(len(point.runs) - 1 for point in points)
        squares = sum(len(point.runs) * float(np.var(point.logs)) for point in points)
        return cls(math.sqrt(squares / degrees) if degrees else math.nan, degrees)

    def draws(self, points: Sequence[Point], random: np.random.Generator) -> tuple[Floats, Floats]:
        """Return possible errors of the means, [draws, points], and the standard deviations that were drawn."""
        if not self.degrees:
            return np.zeros((DRAWS, len(points))), np.zeros(DRAWS)
        sd = self.sd * np.sqrt(self.degrees / random.chisquare(self.degrees, DRAWS))
        each = random.standard_normal((DRAWS, len(points))) * sd[:, None]
        return each / np.sqrt([len(point.runs) for point in points]), sd


class Curve(Protocol):
    """Bits per byte over FLOPs, as natural logarithms of both."""

    def log_bits(self, log_flops: float) -> float:
        """Return the bits per byte of a training; not a number where the curve has no value."""

    def log_flops(self, log_bits: float) -> float:
        """Return the training that has the bits per byte; not a number where none has."""


@dataclass(frozen=True)
class Interpolation:
    """Straight lines between points, in logarithms; the first and the last line are extended.

    They lie above a curve that flattens, as that of a ladder does, so they are for two points only.
    """

    x: Floats
    y: Floats

    def log_bits(self, log_flops: float) -> float:
        """See `Curve`."""
        at = int(np.clip(np.searchsorted(self.x, log_flops) - 1, 0, len(self.x) - 2))
        return float(self.y[at] + self._slope(at) * (log_flops - self.x[at]))

    def log_flops(self, log_bits: float) -> float:
        """See `Curve`; the least training, where several have them."""
        below = np.flatnonzero(self.y <= log_bits)
        at = len(self.x) - 2 if not len(below) else max(int(below[0]) - 1, 0)
        slope = self._slope(at)
        return float(self.x[at] + (log_bits - self.y[at]) / slope) if slope < 0 else math.nan

    def _slope(self, at: int) -> float:
        return float((self.y[at + 1] - self.y[at]) / (self.x[at + 1] - self.x[at]))


@dataclass(frozen=True)
class PowerLaw:
    """floor + scale x (FLOPs / unit)^-exponent."""

    floor: float
    scale: float
    exponent: float
    log_unit: float

    @classmethod
    def fit(cls, x: Floats, y: Floats) -> PowerLaw:
        """Return the least squares fit of bits per byte exp(y) at exp(x) FLOPs.

        For a given exponent the two other numbers follow by linear regression. Where a ladder gets steeper, in
        logarithms, its floor is negative, and perhaps its exponent: it is read between the points, not beyond them.
        """
        return cls._best(x, y, FINER * cls._best(x, y, EXPONENTS).exponent)

    @classmethod
    def _best(cls, x: Floats, y: Floats, exponents: Floats) -> PowerLaw:
        """Return the best fit with one of these exponents."""
        unit, bits = float(x.mean()), np.exp(y)
        powers = np.exp(-exponents[:, None] * (x - unit))
        middle = powers.mean(1, keepdims=True)
        scale = ((powers - middle) * bits).sum(1) / ((powers - middle) ** 2).sum(1)
        floor = bits.mean() - scale * middle[:, 0]
        errors = ((floor[:, None] + scale[:, None] * powers - bits) ** 2).sum(1)
        best = int(errors.argmin())
        return cls(float(floor[best]), float(scale[best]), float(exponents[best]), unit)

    def log_bits(self, log_flops: float) -> float:
        """See `Curve`."""
        bits = self.floor + self.scale * math.exp(-self.exponent * (log_flops - self.log_unit))
        return math.log(bits) if bits > 0 else math.nan

    def log_flops(self, log_bits: float) -> float:
        """See `Curve`."""
        falls = self.scale * self.exponent > 0
        above = (math.exp(log_bits) - self.floor) / self.scale if falls else -1.0
        return self.log_unit - math.log(above) / self.exponent if above > 0 else math.nan


def curve_through(x: Floats, y: Floats) -> Curve:
    """Return a power law, or straight lines where there are fewer points than it has numbers.

    Args:
        x: logarithms of FLOPs, rising.
        y: logarithms of bits per byte.
    """
    return PowerLaw.fit(x, y) if len(x) >= PARAMETERS else Interpolation(x, y)


def kind_of_line(points: int) -> tuple[str, str]:
    """Return the kind of the line through so many points, and what that means."""
    if points > PARAMETERS:
        return "power law", f"fitted to {points} depths"
    if points == PARAMETERS:
        return "interpolation", (
            f"the power law through {points} depths; only {PARAMETERS + 1} or more show how well it describes them"
        )
    if points == 2:
        return "interpolation", (
            "a straight line in logarithms between two depths; the curve of a ladder lies below it, and three depths "
            "would give a better one"
        )
    return "none", "one depth makes no curve"


def is_outside(x: Floats, value: float) -> bool:
    """Return whether a curve with points at x is read where it has no points nearby."""
    low, high = x[0] - EDGE * (x[1] - x[0]), x[-1] + EDGE * (x[-1] - x[-2])
    return not low <= value <= high


def interval(draws: Floats) -> tuple[float, float] | None:
    """Return the range in which 95% of the draws lie; None if more than a twentieth of them have no value."""
    known = draws[np.isfinite(draws)]
    if len(known) < 0.95 * len(draws):
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
