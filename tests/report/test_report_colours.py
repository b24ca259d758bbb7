"""Colours of the charts are told apart by people who lack one kind of cone, in both schemes."""

from __future__ import annotations

import itertools
import re

import numpy as np
import numpy.typing as npt
import pytest

from nanosnake.report.render import asset
from nanosnake.tokenizer import BASELINE_NAMES

Vector = npt.NDArray[np.float64]

# Machado, Oliveira, Fernandes 2009, severity 1.0, for linear RGB
SIGHT = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = TO_XYZ.sum(axis=1)
LEAST_DIFFERENCE = 10.0
"""In CIELAB; 2.3 is what a trained eye just sees when two colours touch."""


def linear(colour: str) -> Vector:
    """Return linear RGB of `#rrggbb`."""
    parts = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def lab(rgb: Vector) -> Vector:
    """Return CIELAB of linear RGB."""
    ratio = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def schemes() -> list[dict[str, str]]:
    """Return the colours of the light and of the dark scheme."""
    blocks = re.findall(r":root \{(.*?)\}", asset("style.css"), re.DOTALL)
    return [dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6});", block)) for block in blocks]


def closest(colours: list[str], sight: Vector) -> float:
    """Return the least difference between two of the colours."""
    seen = [lab(sight @ linear(colour)) for colour in colours]
    return min(float(np.linalg.norm(one - other)) for one, other in itertools.combinations(seen, 2))


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
def test_bars_of_tokenizers_differ_for_every_kind_of_sight(scheme: dict[str, str], sight: str) -> None:
    used = [scheme[f"--series-{number}"] for number in range(1, len(BASELINE_NAMES) + 2)]
    assert closest(used, SIGHT[sight]) >= LEAST_DIFFERENCE


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
def test_neighbouring_tints_of_a_text_differ_for_every_kind_of_sight(
    scheme: dict[str, str], sight: str
) -> None:
    tints = [scheme[f"--tint-{number}"] for number in (1, 2, 3, 4)]
    for one, other in zip(tints, tints[1:] + tints[:1], strict=True):
        assert closest([one, other], SIGHT[sight]) >= 3
