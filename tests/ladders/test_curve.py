"""Curves of ladders: what is read from them is what they were made of, and intervals are as wide as noise says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nanosnake.ladders.curve import (
    DRAWS,
    Interpolation,
    Noise,
    Point,
    PowerLaw,
    Run,
    curve_through,
    interval,
    is_outside,
)


def point(depth: int, *bits: float, flops: float = 1e12) -> Point:
    """Return a depth with one model for each figure."""
    runs = tuple(Run(f"m{seed}", seed, seed, value) for seed, value in enumerate(bits))
    return Point(depth, 1000, 1000, flops, runs)


def test_a_power_law_is_found_again() -> None:
    x = np.log(np.geomspace(1e12, 1e16, 6))
    y = np.log(0.6 + 0.9 * np.exp(-0.2 * (x - x.mean())))
    law = curve_through(x, y)
    assert isinstance(law, PowerLaw)
    assert (law.floor, law.scale) == pytest.approx((0.6, 0.9), rel=0.05)
    assert law.exponent == pytest.approx(0.2, rel=0.05)
    assert law.log_flops(law.log_bits(math.log(3e14))) == pytest.approx(math.log(3e14))
    assert math.isnan(law.log_flops(math.log(0.5))), "below its floor"


def test_a_floor_is_not_below_0() -> None:
    x = np.log(np.geomspace(1e12, 1e15, 5))
    law = PowerLaw.fit(x, np.log(3.0 - 0.03 * (x - x[0]) ** 2))
    assert law.floor == 0


def test_few_points_are_joined() -> None:
    x, y = np.log([1e12, 1e13, 1e15]), np.log([2.0, 1.5, 1.0])
    joined = curve_through(x, y)
    assert isinstance(joined, Interpolation)
    assert [joined.log_bits(value) for value in x] == pytest.approx(y.tolist())
    assert [joined.log_flops(value) for value in y] == pytest.approx(x.tolist())
    assert joined.log_bits(math.log(1e14)) == pytest.approx((math.log(1.5) + math.log(1.0)) / 2)
    assert joined.log_flops(math.log(3.0)) < x[0]
    assert joined.log_flops(math.log(0.9)) > x[-1]
    assert math.isnan(Interpolation(x, y[::-1].copy()).log_flops(math.log(3.0))), (
        "more training makes it worse"
    )


def test_what_is_outside() -> None:
    x = np.log([1e12, 1e13, 1e14])
    assert [is_outside(x, math.log(flops)) for flops in (1e11, 9e11, 1e13, 1.1e14, 2e14)] == [
        *(True, False, False, False, True)
    ]


def test_noise_is_pooled_over_depths() -> None:
    noise = Noise.of([point(1, 1.0, 1.1), point(2, 0.8, 0.9, 0.85), point(4, 0.7)])
    logs = [np.log([1.0, 1.1]), np.log([0.8, 0.9, 0.85])]
    squares = sum(float(((one - one.mean()) ** 2).sum()) for one in logs)
    assert noise.degrees == 3
    assert noise.sd == pytest.approx(math.sqrt(squares / 3))
    alone = Noise.of([point(1, 1.0)])
    assert (alone.degrees, math.isnan(alone.sd)) == (0, True)
    assert not alone.draws([point(1, 1.0)], np.random.default_rng(1))[0].any()


def test_the_interval_of_a_mean_is_students() -> None:
    points = [point(1, 1.0, 1.02, 0.99)]
    noise = Noise.of(points)
    found = interval(noise.draws(points, np.random.default_rng(1))[0][:, 0])
    assert found is not None
    half = 4.303 * noise.sd / math.sqrt(3)  # t of two degrees of freedom
    assert found == pytest.approx((-half, half), rel=0.25)


def test_no_interval_where_many_draws_have_no_value() -> None:
    draws = np.linspace(0, 1, DRAWS)
    assert interval(draws) is not None
    draws[: DRAWS // 10] = math.nan
    assert interval(draws) is None


def test_spread_over_seeds_and_over_orders() -> None:
    runs = [Run("m", seed, order, 1 + 0.1 * seed + 0.01 * order) for seed in (1, 2) for order in (1, 2, 3)]
    one = Point(1, 1, 1, 1.0, tuple(runs))
    assert one.spread_over("seed", "order_seed") == pytest.approx(0.1 / math.sqrt(2))
    assert one.spread_over("order_seed", "seed") == pytest.approx(0.01)
    assert point(1, 1.0, 1.2).spread_over("order_seed", "seed") is None


def test_intervals_hold_what_they_say() -> None:
    """Of pairs of ladders that differ by chance alone, about one in twenty is told apart."""
    random = np.random.default_rng(5)
    told = 0
    for _ in range(200):
        both = [
            [
                point(depth, *(bits * np.exp(random.normal(0, 0.003, 2))))
                for depth, bits in enumerate((2.0, 1.6), 1)
            ]
            for _ in range(2)
        ]
        noise = Noise.of([*both[0], *both[1]])
        means = [
            np.array([one.logs.mean() for one in points]) + noise.draws(points, random)[0] for points in both
        ]
        found = interval((means[0] - means[1]).mean(1))
        assert found is not None
        told += not found[0] <= 0 <= found[1]
    assert 2 <= told <= 20
