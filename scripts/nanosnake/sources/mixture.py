"""Shares of the parts of a mixture: as the configuration gives them, and what they become in whole numbers.

A share is of UTF-8 bytes of text, for the tokenizer as for the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

TOLERANCE = Fraction(1, 1000)
"""Relative error that a share may have after rounding."""


def shares(
    given: Mapping[str, float | None], sizes: Mapping[str, int], temperature: float | None
) -> dict[str, Fraction]:
    """Return the share of each part; they add up to 1.

    Args:
        given: the shares by part, in any unit; ignored if there is a temperature.
        sizes: bytes of each part.
        temperature: a share is the size to this power: 1 for shares as the sizes are, 0 for equal ones.
    """
    if temperature is None:
        wanted = {part: Fraction(str(share)) for part, share in given.items()}
    else:
        wanted = {part: Fraction(float(sizes[part]) ** temperature) for part in given}
    total = sum(wanted.values())
    return {part: share / total for part, share in wanted.items()}


def weights(wanted: Mapping[str, Fraction], sizes: Mapping[str, int]) -> dict[str, int]:
    """Return how many times each part is taken: the smallest whole numbers that give the shares to TOLERANCE.

    Args:
        wanted: the shares; they add up to 1.
        sizes: bytes of each part.
    """
    times = {part: share / sizes[part] for part, share in wanted.items()}
    least = min(times.values())
    smallest = 0
    while True:  # at 1 / TOLERANCE, no weight is rounded by more than half of that
        smallest += 1
        found = {part: round(smallest * each / least) for part, each in times.items()}
        if all(
            abs(share - wanted[part]) <= TOLERANCE * wanted[part]
            for part, share in taken(found, sizes).items()
        ):
            return found


def taken(weighted: Mapping[str, int], sizes: Mapping[str, int]) -> dict[str, Fraction]:
    """Return the shares that weights give."""
    total = sum(weight * sizes[part] for part, weight in weighted.items())
    return {part: Fraction(weight * sizes[part], total) for part, weight in weighted.items()}
