"""Shares become whole weights by the parts' sizes, and the weighted sum of counts is the count of repeated documents."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mix_counts
from nanosnake.crate import rustbpe
from nanosnake.sources import mixture
from nanosnake.stages import call

TEXTS = {
    "web": ["the cat sat on the mat", "a dog ran far", "", "the end"] * 5,
    "code": ["def f(x):\n    return x + 1", "for i in range(10):\n    print(i)"],
    "korean": ["고양이가 매트 위에 앉았다", "개가 멀리 달렸다 the"],
}


def count(folder: Path, name: str, texts: list[str], column: str = "text") -> Path:
    """Count texts as the workflow does."""
    pq.write_table(pa.table({column: pa.array(texts, pa.string())}), folder / f"{name}.parquet")
    counts = folder / f"{name}.arrow"
    rustbpe.count_parquet(folder / f"{name}.parquet", pattern="nanochat", text_column=column).write(counts)
    return counts


def options(folder: Path, *more: str) -> list[str]:
    counts = [str(count(folder, name, texts)) for name, texts in TEXTS.items()]
    outputs = ["--output", str(folder / "mixed.arrow"), "--record", str(folder / "mixed.json")]
    return ["--parts", *TEXTS, "--counts", *counts, *outputs, *more]


def test_merged_counts_are_those_of_the_documents_repeated(tmp_path: Path) -> None:
    assert call(mix_counts.MixCounts, options(tmp_path, "--shares", "6", "3", "1")) == 0
    record = json.loads((tmp_path / "mixed.json").read_text())
    weights = {row["part"]: row["weight"] for row in record["parts"]}
    assert len(set(weights.values())) == 3
    for row, share in zip(record["parts"], (0.6, 0.3, 0.1), strict=True):
        assert row["share_wanted"] == share
        assert row["share"] == pytest.approx(share, rel=float(mixture.TOLERANCE))
        assert row["bytes"] == sum(len(text.encode()) for text in TEXTS[row["part"]])
    repeated = [text for name, texts in TEXTS.items() for text in texts * weights[name]]
    assert (tmp_path / "mixed.arrow").read_bytes() == count(tmp_path, "repeated", repeated).read_bytes()


def test_parts_may_have_text_columns_of_their_own(tmp_path: Path) -> None:
    paths = [count(tmp_path, "a", ["x y"]), count(tmp_path, "b", ["y"], column="body")]
    rustbpe.merge_counts(paths, tmp_path / "sum.arrow", weights=[2, 3])
    assert rustbpe.Counts.header(tmp_path / "sum.arrow")["text_column"] == "text, body"
    with pytest.raises(rustbpe.InvalidValueError, match="different text column"):
        rustbpe.merge_counts(paths, tmp_path / "sum.arrow")


def test_a_temperature_of_0_gives_equal_shares(tmp_path: Path) -> None:
    assert call(mix_counts.MixCounts, options(tmp_path, "--temperature", "0")) == 0
    shares = [row["share"] for row in json.loads((tmp_path / "mixed.json").read_text())["parts"]]
    assert shares == pytest.approx([1 / 3] * 3, rel=1e-3)


def test_a_sum_over_64_bits_is_refused(tmp_path: Path) -> None:
    path = count(tmp_path, "a", ["cat cat cat"])
    with pytest.raises(rustbpe.InvalidValueError, match=r"a.arrow: .* more than 2\^64; use smaller weights"):
        rustbpe.merge_counts([path], tmp_path / "sum.arrow", weights=[2**63])
    assert not (tmp_path / "sum.arrow").exists()


def test_a_part_without_text_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = [str(count(tmp_path, "a", ["x"])), str(count(tmp_path, "b", [""]))]
    outputs = ["--output", str(tmp_path / "m.arrow"), "--record", str(tmp_path / "m.json")]
    with pytest.raises(mix_counts.NanosnakeError, match="b: its training shards hold no text"):
        call(mix_counts.MixCounts, ["--parts", "a", "b", "--shares", "1", "1", "--counts", *counts, *outputs])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 100), st.integers(1, 10**13)), min_size=1, max_size=5))
def test_weights_keep_shares_to_the_tolerance(parts: list[tuple[float, int]]) -> None:
    sizes = {str(number): size for number, (_, size) in enumerate(parts)}
    wanted = mixture.shares({str(number): share for number, (share, _) in enumerate(parts)}, sizes, None)
    assert sum(wanted.values()) == 1
    weights = mixture.weights(wanted, sizes)
    assert min(weights.values()) <= 1 / mixture.TOLERANCE
    for part, share in mixture.taken(weights, sizes).items():
        assert abs(share / wanted[part] - 1) <= mixture.TOLERANCE


def test_weights_are_the_smallest_that_do() -> None:
    sizes = {"a": 1000, "b": 500}
    assert mixture.weights({"a": Fraction(1, 2), "b": Fraction(1, 2)}, sizes) == {"a": 1, "b": 2}
    assert mixture.weights({"a": Fraction(3, 4), "b": Fraction(1, 4)}, sizes) == {"a": 3, "b": 2}


def test_a_temperature_is_the_power_of_the_size() -> None:
    shares = mixture.shares({"a": None, "b": None}, {"a": 1_000_000, "b": 1000}, 0.5)
    assert float(shares["a"] / shares["b"]) == pytest.approx(1000**0.5)
