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


def test_a_ladder_that_gets_steeper_is_described_too() -> None:
    x = np.log(np.geomspace(1e12, 1e15, 5))
    y = 0.8 - 0.05 * (x - x[0]) - 0.002 * (x - x[0]) ** 2
    law = PowerLaw.fit(x, y)
    assert [law.log_bits(one) for one in x] == pytest.approx(y.tolist(), abs=2e-3)
    assert law.log_flops(law.log_bits(float(x[2]))) == pytest.approx(x[2])
    rising = PowerLaw.fit(x, -y)
    assert math.isnan(rising.log_flops(float(-y[2]))), "more training makes it worse"


def test_three_points_have_a_law_between_them() -> None:
    """A straight line would be 0.9% off: the ladder whose points lie between those of the other would seem better."""
    x = np.log([1e14, 5e14, 25e14])
    bits = lambda log_flops: 1 + 0.5 * math.exp(-0.35 * (log_flops - math.log(1e15)))  # noqa: E731
    y = np.log([bits(one) for one in x])
    law, between = curve_through(x, y), math.log(2.2e14)
    assert math.exp(law.log_bits(between)) == pytest.approx(bits(between), rel=1e-4)
    assert math.exp(Interpolation(x, y).log_bits(between)) > 1.009 * bits(between)


def test_two_points_are_joined() -> None:
    assert isinstance(curve_through(np.log([1e12, 1e13]), np.log([2.0, 1.5])), Interpolation)
    x, y = np.log([1e12, 1e13, 1e15]), np.log([2.0, 1.5, 1.0])
    joined = Interpolation(x, y)
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


@pytest.mark.parametrize("depths", [3, 4])
def test_ladders_of_one_curve_are_not_told_apart(depths: int) -> None:
    """Their points are at different FLOPs, and their noise is small: nothing but the line could tell them apart."""
    random = np.random.default_rng(3)
    ends = np.log([1e14, 1e14 * 5 ** (depths - 1)])
    x = [np.linspace(*(ends + shift), depths) for shift in (0.8, 0.0)]
    told = 0
    for _ in range(60):
        both = [
            [
                point(
                    at, *((0.6 + 0.9 * math.exp(-0.15 * (flops - 34.5))) * np.exp(random.normal(0, 5e-4, 2)))
                )
                for at, flops in enumerate(flops_of_all.tolist())
            ]
            for flops_of_all in x
        ]
        noise = Noise.of([*both[0], *both[1]])
        first, second = (
            np.array([one.logs.mean() for one in points]) + noise.draws(points, random)[0][:200]
            for points in both
        )
        inside = [at for at in range(depths) if not is_outside(x[1], x[0][at])]
        assert len(inside) == depths - 1
        curves = [curve_through(x[1], draw) for draw in second]
        off = np.array(
            [
                np.mean([mean[at] - curve.log_bits(x[0][at]) for at in inside])
                for mean, curve in zip(first, curves, strict=True)
            ]
        )
        found = interval(off)
        assert found is not None
        told += not found[0] <= 0 <= found[1]
    assert told <= 10, "about 3 of 60"


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
