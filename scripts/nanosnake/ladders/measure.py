"""`curve.json`: the results of a ladder's models, by depth."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from nanosnake import layout
from nanosnake.files import NanosnakeError, read_json
from nanosnake.ladders.curve import (
    SEED,
    Noise,
    Point,
    PowerLaw,
    Run,
    curve_through,
    interval,
    kind_of_line,
)

SHOWN = 60
"""Points of the fitted line."""


def measure(name: str, folders: Sequence[Path]) -> dict[str, Any]:
    """Return the content of `curve.json`.

    Raises:
        NanosnakeError: if no model of the ladder can be used.
    """
    known = [(folder, *_read(folder)) for folder in folders]
    text = Counter(_text(evaluation) for _, _, evaluation in known).most_common(1)[0][0]
    kept, left_out = [], []
    for folder, training, evaluation in known:
        bits = evaluation.get("bits_per_byte")
        why = None
        if not isinstance(bits, float) or not 0 < bits < math.inf:
            why = f"its bits per byte are {bits}"
        elif _text(evaluation) != text:
            why = "it was evaluated on other text than most models of the ladder"
        if why:
            left_out.append({"model": str(folder), "why": why})
        else:
            kept.append((folder, training, evaluation))
    if not kept:
        raise NanosnakeError(f"{name}: no model can be used: {left_out[0]['model']}: {left_out[0]['why']}")
    points = _points(kept)
    return {
        "ladder": name,
        "tokenizers": sorted({folder.parent.name for folder, _, _ in kept}),
        "points": list(_rows(points)),
        "noise": _noise(points),
        "line": _line(points),
        "left_out": left_out,
        "notes": list(_notes(kept)),
    }


def read_points(path: Path) -> list[Point]:
    """Return the points of a `curve.json`, in the order of their FLOPs.

    Raises:
        NanosnakeError: if it is of another version.
    """
    try:
        return [
            Point(
                **{key: row[key] for key in ("depth", "parameters", "tokens", "flops")},
                runs=tuple(Run(**run) for run in row["runs"]),
            )
            for row in read_json(path)["points"]
        ]
    except (KeyError, TypeError) as error:
        raise NanosnakeError(
            f"{path}: is not a curve of this version ({error}); delete it and run again"
        ) from error


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    return read_json(folder / "training.json"), read_json(folder / Path(layout.EVALUATION).name)


def _text(evaluation: Mapping[str, Any]) -> int:
    """Return what identifies the text that a model was evaluated on: its bytes, which no tokenizer changes."""
    return int(evaluation["bytes"])


def _points(models: Sequence[tuple[Path, Mapping[str, Any], Mapping[str, Any]]]) -> list[Point]:
    """Return the models by depth, in the order of their FLOPs."""
    from nanosnake.training.config import ModelConfig, TrainOptions
    from nanosnake.training.flops import flops_per_token

    depths: dict[int, list[Run]] = {}
    figures: dict[int, dict[str, Any]] = {}
    for folder, training, evaluation in models:
        config, options = ModelConfig.from_dict(training["model"]), TrainOptions(**training["options"])
        tokens = training["figures"]["tokens"]
        figures[config.depth] = {
            "parameters": training["figures"]["parameters"],
            "tokens": tokens,
            "flops": flops_per_token(config) * tokens,
        }
        run = Run(str(folder), options.seed, options.seed_of_order, evaluation["bits_per_byte"])
        depths.setdefault(config.depth, []).append(run)
    found = [Point(depth, **figures[depth], runs=tuple(runs)) for depth, runs in depths.items()]
    return sorted(found, key=lambda point: point.flops)


def _rows(points: Sequence[Point]) -> Iterator[dict[str, Any]]:
    noise = Noise.of(points)
    off, _ = noise.draws(points, np.random.default_rng(SEED))
    for at, point in enumerate(points):
        bits = np.exp(point.logs)
        mean = math.exp(float(point.logs.mean()))
        found = interval(mean * np.exp(off[:, at])) if noise.degrees else None
        yield {
            **asdict(point),
            "mean": mean,
            "low": found[0] if found else None,
            "high": found[1] if found else None,
            "spread": float(bits.std(ddof=1)) if len(bits) > 1 else None,
            "spread_over_seeds": point.spread_over("seed", "order_seed"),
            "spread_over_orders": point.spread_over("order_seed", "seed"),
        }


def _noise(points: Sequence[Point]) -> dict[str, Any]:
    """Return the relative standard deviation over models of one depth, from all depths."""
    noise = Noise.of(points)
    return {"relative": noise.sd if noise.degrees else None, "degrees_of_freedom": noise.degrees}


def _line(points: Sequence[Point]) -> dict[str, Any]:
    """Return the line through the points, its interval due to seeds, and its kind."""
    kind, why = kind_of_line(len(points))
    if kind == "none":
        return {"kind": kind, "why": why}
    x = np.log([point.flops for point in points])
    y = np.array([point.logs.mean() for point in points])
    noise = Noise.of(points)
    draws = [curve_through(x, y + off) for off in noise.draws(points, np.random.default_rng(SEED))[0]]
    curve = curve_through(x, y)
    shown = []
    for at in np.linspace(x[0], x[-1], SHOWN):
        row = {
            "flops": math.exp(at),
            "bits_per_byte": math.exp(curve.log_bits(at)),
            "low": None,
            "high": None,
        }
        found = interval(np.array([one.log_bits(at) for one in draws])) if noise.degrees else None
        shown.append(row | ({"low": math.exp(found[0]), "high": math.exp(found[1])} if found else {}))
    numbers: dict[str, Any] = {}
    if kind == "power law" and isinstance(curve, PowerLaw):
        numbers = _numbers(curve, [one for one in draws if isinstance(one, PowerLaw)], noise)
    return {"kind": kind, "why": why, **numbers, "shown": shown}


def _numbers(law: PowerLaw, draws: Sequence[PowerLaw], noise: Noise) -> dict[str, Any]:
    """Return the numbers of a power law, each with its interval."""
    found: dict[str, Any] = {"unit_flops": math.exp(law.log_unit)}
    for key in ("floor", "scale", "exponent"):
        found[key] = getattr(law, key)
        bounds = interval(np.array([getattr(one, key) for one in draws])) if noise.degrees else None
        found[f"{key}_interval"] = list(bounds) if bounds else None
    return found


def _notes(models: Sequence[tuple[Path, Mapping[str, Any], Mapping[str, Any]]]) -> Iterator[str]:
    """Yield what else differs between the models besides their seeds."""
    code = {json.dumps(training.get("recipe", {}).get("code"), sort_keys=True) for _, training, _ in models}
    if len(code) > 1:
        yield f"The models were trained by {len(code)} versions of the trainer's code."
    devices = sorted({str(training.get("device")) for _, training, _ in models})
    if len(devices) > 1:
        yield f"The models were trained on different devices: {', '.join(devices)}."
