"""Two ladders with known bits per byte: differences, multipliers, intervals, and the pages that show them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from compare_ladders import CompareLadders
from make_ladder_report import MakeLadderReport
from measure_ladder import MeasureLadder
from nanosnake.evaluation import evidence
from nanosnake.files import NanosnakeError, read_json, write_json
from nanosnake.ladders import preregistration
from nanosnake.ladders.curve import curve_through
from nanosnake.training.config import ModelConfig, TrainOptions
from nanosnake.training.flops import flops_per_token

DOCUMENTS = 60
TOKENS = {1: 1_000_000, 2: 4_000_000, 3: 16_000_000, 4: 64_000_000}


def write_model(
    folder: Path, depth: int, seed: int, bits: float, *, length: int = 1000, tokens: int = 0
) -> Path:
    """Write what is left of a model that has so many bits per byte."""
    config = ModelConfig.from_depth(depth, 512, 128, aspect_ratio=32, head_dim=32)
    size = np.random.default_rng(0).integers(length // 2, length, DOCUMENTS)
    hard = np.random.default_rng(1).uniform(0.5, 1.5, DOCUMENTS)
    nats = size * hard * bits * math.log(2) * size.sum() / (size * hard).sum()
    names = [f"{number:03}" for number in range(DOCUMENTS)]
    folder.mkdir(parents=True)
    columns = dict(
        zip(evidence.SCHEMA.names, (names, size, size // 3, nats, ["text"] * DOCUMENTS), strict=True)
    )
    pq.write_table(pa.table(columns, schema=evidence.SCHEMA), folder / evidence.FILE)
    write_json(folder / evidence.EVALUATION, {"bits_per_byte": float(bits), "bytes": int(size.sum())})
    figures = {"tokens": tokens or TOKENS[depth], "parameters": 1000 * depth}
    options = TrainOptions(seed=seed).to_dict()
    said = {
        "figures": figures,
        "model": config.to_dict(),
        "options": options,
        "device": "cpu",
        "ranks": 1,
        "recipe": {"code": {}},
    }
    write_json(folder / "training.json", said)
    return folder


def curve(home: Path, name: str, bits: Mapping[int, Sequence[float]], **options: Any) -> Path:
    """Write the models of a ladder and measure it."""
    folders = [
        write_model(home / "results/demo/bpe" / f"{name}-d{depth}-s{seed}", depth, seed, value, **options)
        for depth, values in bits.items()
        for seed, value in enumerate(values, start=1)
    ]
    output = home / f"results/demo/ladders/{name}/curve.json"
    MeasureLadder(ladder=name, models=tuple(folders), output=output).run()
    return output


def compare(home: Path, first: Path, second: Path, **terms: Any) -> tuple[Any, Any]:
    """Compare two ladders; return the comparison and the claim."""
    of = [path.parent.name for path in (first, second)]
    said = {"of": of, "metric": "bits_per_byte", "direction": "lower", "threshold": "0.5%", "share": 0.005}
    said |= {"at": "compute", "models": {name: {f"{name}-d1-s1": {}} for name in of}, **terms}
    record = home / "history/claim.json"
    preregistration.record(record, said, [])
    outputs = {"output": home / "comparison.json", "claim": home / "claim.json"}
    CompareLadders(curves=(first, second), terms=said, preregistration=record, **outputs).run()
    return read_json(outputs["output"]), read_json(outputs["claim"])


BASE = {1: (2.0, 2.004), 2: (1.6, 1.603), 3: (1.3, 1.302)}


def scaled(by: float) -> dict[int, tuple[float, ...]]:
    return {depth: tuple(value * by for value in values) for depth, values in BASE.items()}


def test_the_curve_has_means_spread_and_flops(tmp_path: Path) -> None:
    found = read_json(curve(tmp_path, "base", BASE))
    assert [point["depth"] for point in found["points"]] == [1, 2, 3]
    first = found["points"][0]
    config = ModelConfig.from_depth(1, 512, 128, aspect_ratio=32, head_dim=32)
    assert first["flops"] == flops_per_token(config) * TOKENS[1]
    assert first["mean"] == pytest.approx(math.sqrt(2.0 * 2.004))
    assert first["low"] < first["mean"] < first["high"]
    assert first["spread"] == pytest.approx(0.004 / math.sqrt(2))
    assert found["noise"]["degrees_of_freedom"] == 3
    assert found["line"]["kind"] == "interpolation"
    assert found["line"]["why"].startswith("the power law through 3 depths; only 4 or more show")
    assert (found["left_out"], found["notes"]) == ([], [])


def test_enough_depths_are_fitted(tmp_path: Path) -> None:
    line = read_json(curve(tmp_path, "base", {**BASE, 4: (1.1, 1.101)}))["line"]
    assert line["kind"] == "power law"
    low, high = line["exponent_interval"]
    assert low <= line["exponent"] <= high


def test_what_cannot_be_used_is_left_out(tmp_path: Path) -> None:
    folders = [write_model(tmp_path / f"bpe/m{seed}", 1, seed, 2.0) for seed in (1, 2)]
    folders.append(write_model(tmp_path / "bpe/short", 2, 1, 2.0, length=500))
    folders.append(write_model(tmp_path / "bpe/none", 2, 2, 2.0))
    said = read_json(folders[3] / evidence.EVALUATION)
    write_json(folders[3] / evidence.EVALUATION, {**said, "bits_per_byte": None})
    output = tmp_path / "curve.json"
    MeasureLadder(ladder="base", models=tuple(folders), output=output).run()
    found = read_json(output)
    assert [Path(row["model"]).name for row in found["left_out"]] == ["short", "none"]
    assert "other text" in found["left_out"][0]["why"]
    assert found["line"] == {"kind": "none", "why": "one depth makes no curve"}
    with pytest.raises(NanosnakeError, match="no model can be used"):
        MeasureLadder(ladder="base", models=(folders[3],), output=output).run()


def test_a_better_ladder_is_supported(tmp_path: Path) -> None:
    base, better = curve(tmp_path, "base", BASE), curve(tmp_path, "better", scaled(0.98))
    found, claim = compare(tmp_path, better, base)
    overall = found["difference"]["overall"]
    assert overall["value"] == pytest.approx(-0.02, abs=2e-5)
    assert overall["over"] == [1, 2, 3]
    assert overall["low"] < -0.02 < overall["high"] < -0.015
    rows = found["multiplier"]["depths"]
    assert [row["extrapolated"] for row in rows] == [False, False, False]
    for row, (low, high) in zip(rows, ((1, 2), (2, 3), (2, 3)), strict=True):
        slope = math.log(BASE[high][0] / BASE[low][0]) / math.log(flops(high) / flops(low))
        assert math.log(row["value"]) == pytest.approx(math.log(0.98) / slope, rel=0.08)
        assert row["low"] < row["value"] < row["high"]
    assert (claim["verdict"], claim["preregistration"]["preregistered"]) == ("supported", True)
    assert claim["claim"] == "better has at least 0.5% lower bits per byte than base at equal compute"
    assert claim["n"]["documents"] == DOCUMENTS
    paired = found["paired"]
    assert [row["depth"] for row in paired] == [1, 2, 3]
    assert paired[0]["value"] == pytest.approx(-0.02 * (2.0 + 2.004) / 2)
    assert not paired[0]["within_noise"]


def flops(depth: int) -> float:
    config = ModelConfig.from_depth(depth, 512, 128, aspect_ratio=32, head_dim=32)
    return flops_per_token(config) * TOKENS[depth]


def test_within_noise_is_said_and_not_ranked(tmp_path: Path) -> None:
    base, same = curve(tmp_path, "base", BASE), curve(tmp_path, "same", scaled(0.9998))
    found, claim = compare(tmp_path, same, base)
    assert claim["verdict"] == "within noise"
    assert found["multiplier"]["overall"]["within_noise"]
    page = report(tmp_path, same, base)
    tiles = page[page.index('class="tiles"') : page.index("</header>")]
    assert tiles.count("<strong>within noise</strong>") == 2, "no figure that could be ranked"


def test_more_compute_alone_is_no_gain(tmp_path: Path) -> None:
    """The models of one curve, trained for longer, are compared at equal compute and at equal depth."""
    base = curve(tmp_path, "base", {1: (2.0, 2.001), 2: (1.5, 1.501), 3: (1.2, 1.201)})
    x, y = np.log([flops(depth) for depth in (1, 2, 3)]), np.log([2.0005, 1.5005, 1.2005])
    line = curve_through(x, y)
    bits = {depth: math.exp(line.log_bits(x[depth - 1] + math.log(2))) for depth in (1, 2)}
    home = tmp_path / "results/demo/bpe"
    folders = [
        write_model(home / f"long-d{depth}-s{seed}", depth, seed, bits[depth] * by, tokens=2 * TOKENS[depth])
        for depth in (1, 2)
        for seed, by in enumerate((0.999, 1.001))
    ]
    longer = tmp_path / "results/demo/ladders/long/curve.json"
    MeasureLadder(ladder="long", models=tuple(folders), output=longer).run()
    found, claim = compare(tmp_path, longer, base)
    assert claim["verdict"] == "within noise"
    assert found["multiplier"]["overall"]["value"] == pytest.approx(1, abs=0.01)
    assert compare(tmp_path, longer, base, at="depth")[1]["verdict"] == "supported"


def test_what_is_outside_of_the_curve_is_extrapolated(tmp_path: Path) -> None:
    base, good = curve(tmp_path, "base", BASE), curve(tmp_path, "good", scaled(0.7))
    found, _ = compare(tmp_path, good, base)
    rows = found["multiplier"]["depths"]
    assert [row["extrapolated"] for row in rows] == [False, True, True]
    assert found["multiplier"]["overall"]["over"] == [1]


def test_two_depths_support_a_claim_only_at_the_same_compute(tmp_path: Path) -> None:
    two = {depth: BASE[depth] for depth in (1, 2)}
    base = curve(tmp_path, "base", two)
    better = curve(tmp_path, "better", {depth: tuple(0.98 * one for one in two[depth]) for depth in two})
    found, claim = compare(tmp_path, better, base)
    assert found["line"]["why"].startswith("a straight line in logarithms between two depths")
    assert claim["verdict"] == "supported", "its points are those of the other ladder"
    between = tmp_path / "results/demo/ladders/between/curve.json"
    folders = [
        write_model(tmp_path / f"results/demo/bpe/b-d1-s{seed}", 1, seed, 1.7, tokens=3 * TOKENS[1])
        for seed in (1, 2)
    ]
    MeasureLadder(ladder="between", models=tuple(folders), output=between).run()
    found, claim = compare(tmp_path, between, base)
    assert found["line"]["misleads"]
    assert (claim["verdict"], claim["why"].endswith("give it three")) == ("not supported", True)


def test_one_seed_supports_nothing(tmp_path: Path) -> None:
    one = {depth: values[:1] for depth, values in BASE.items()}
    base = curve(tmp_path, "base", one)
    better = curve(tmp_path, "better", {depth: (values[0] * 0.9,) for depth, values in one.items()})
    found, claim = compare(tmp_path, better, base)
    assert found["difference"]["overall"]["low"] is None
    assert (claim["verdict"], claim["why"]) == (
        "not supported",
        "the noise is not known; train two seeds or more",
    )
    page = report(tmp_path, better, base)
    tiles = page[page.index('class="tiles"') : page.index("</header>")]
    assert tiles.count("<strong>not known</strong>") == 3, "no figure without an interval"
    assert "Each depth has one model only, so the noise is not known" in page


def test_other_documents_cannot_be_compared(tmp_path: Path) -> None:
    base, other = curve(tmp_path, "base", BASE), curve(tmp_path, "other", BASE, length=700)
    with pytest.raises(NanosnakeError, match=r"does not have the same documents.*same validation shards"):
        compare(tmp_path, other, base)


def report(home: Path, first: Path, second: Path) -> str:
    """Return the page of a comparison."""
    output = home / "results/demo/comparisons/claim/index.html"
    files = {"comparison": home / "comparison.json", "claim": home / "claim.json"}
    MakeLadderReport(dataset="demo", name="claim", curves=(first, second), output=output, **files).run()
    return output.read_text()


def test_the_pages(tmp_path: Path) -> None:
    base, better = curve(tmp_path, "base", BASE), curve(tmp_path, "better", scaled(0.98))
    compare(tmp_path, better, base)
    page = report(tmp_path, better, base)
    for words in (
        "supported: better has at least 0.5% lower",
        "\u22122.00%",
        "compute multiplier",
        "preregistered",
    ):
        assert words in page, words
    output = base.with_name("index.html")
    MakeLadderReport(dataset="demo", name="base", curves=(base,), output=output).run()
    page = output.read_text()
    assert "the line is an interpolation, not a fit: the power law through 3 depths" in page
    assert 'href="../../../../' not in page.replace('href="../../../index.html"', "")
    assert 'href="../../bpe/base-d1-s1/report/index.html"' in page
