"""Judge a claim again, from the evaluations of its models and the record of its terms."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nanosnake import layout
from nanosnake.files import NanosnakeError, read_json
from nanosnake.ladders.claims import claim
from nanosnake.ladders.compare import Side, compare
from nanosnake.ladders.measure import measure, read_points
from nanosnake.ladders.preregistration import judge

TOLERANCE = 1e-6
"""Relative difference that another machine's arithmetic explains."""
SHOWN = 3
"""Values of a file that are printed at most."""


def problems(path: Path) -> Iterator[str]:
    """Yield a line for each figure of a claim, its comparison and its curves that differs from what is found again.

    Args:
        path: the claim, in its project, which is the working directory.

    Raises:
        NanosnakeError: if a file is missing that the claim was made from.
    """
    said = read_json(path)
    if not isinstance(said, dict) or not {"of", "at", "direction", "share"} <= said.get("terms", {}).keys():
        raise NanosnakeError(f"{path}: is not a claim; delete it and run Snakemake again")
    terms, name, dataset = said["terms"], path.stem, path.parents[1].name
    files = [_curve(ladder, dataset) for ladder in terms["of"]]
    curves = [read_json(file) for file in files]
    first, second = (
        Side.read(ladder, read_points(file)) for ladder, file in zip(terms["of"], files, strict=True)
    )
    found = compare(first, second, terms["at"])
    record = Path(layout.PREREGISTRATION.format(compared=name))
    yield from _some(path, said, claim(terms, found, judge(record, terms)))
    comparison = Path(layout.LADDER_COMPARISON.format(dataset=dataset, compared=name))
    yield from _some(comparison, read_json(comparison), found)
    for ladder, file, curve in zip(terms["of"], files, curves, strict=True):
        yield from _some(file, curve, measure(ladder, _models(curve)))


def summary(path: Path, differing: Sequence[str]) -> str:
    """Return the last line about a claim."""
    if differing:
        return (
            "does not follow from its models' evaluations and the record of its terms; `snakemake --forcerun "
            "measure_ladder compare_ladders` makes it again"
        )
    return f"{read_json(path)['verdict']}, judged again with the same result"


def _curve(ladder: str, dataset: str) -> Path:
    """Return the curve of a ladder, which may be of another data set than the claim."""
    for where in (dataset, "*"):
        for found in sorted(Path().glob(layout.LADDER_CURVE.format(dataset=where, ladder=ladder))):
            return found
    raise NanosnakeError(
        f"{layout.LADDER_CURVE.format(dataset=dataset, ladder=ladder)}: does not exist; go to the project's folder"
    )


def _models(curve: Mapping[str, Any]) -> list[Path]:
    """Return the folders of a curve's models."""
    used = [run["model"] for point in curve["points"] for run in point["runs"]]
    return [Path(folder) for folder in (*used, *(row["model"] for row in curve["left_out"]))]


def _some(file: Path, said: Any, found: Any) -> Iterator[str]:
    """Yield lines for the first values of a file that differ, and how many more there are."""
    lines = [f"{file}: {line}" for line in _differences(said, json.loads(json.dumps(found)))]
    yield from lines[:SHOWN]
    if len(lines) > SHOWN:
        yield f"{file}: {len(lines) - SHOWN:,} more values differ"


def _differences(said: Any, found: Any, key: str = "") -> Iterator[str]:
    """Yield a line for each value that differs."""
    if isinstance(said, dict) and isinstance(found, dict):
        for name in sorted(said.keys() | found.keys()):
            yield from _differences(said.get(name), found.get(name), f"{key}.{name}".lstrip("."))
    elif isinstance(said, list) and isinstance(found, list) and len(said) == len(found):
        for at, pair in enumerate(zip(said, found, strict=True)):
            yield from _differences(*pair, f"{key}[{at}]")
    elif not _same(said, found):
        yield f"{key} is {said!r}, judged again it is {found!r}"


def _same(said: Any, found: Any) -> bool:
    if isinstance(said, float) and isinstance(found, float):
        return math.isclose(said, found, rel_tol=TOLERANCE, abs_tol=1e-12)
    return bool(said == found)
