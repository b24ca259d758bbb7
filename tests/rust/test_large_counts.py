"""Counts above 2^32, made of small ones by summing a table with itself: nothing on the way is narrower than u64."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rustbpe

DOUBLINGS = 36
TEXTS = [
    "the cat and the hat",
    "they that hath",
    "a cat, another hat; 2024 2025",
    "日本語 日本 本日 été",
    "aaaaaaa aaa",
] * 7


def table(counts: object) -> dict[bytes, int]:
    columns = pa.table(counts).to_pydict()
    return dict(zip(columns["pretoken"], columns["count"], strict=True))


def doubled(path: Path, times: int) -> Path:
    """Sum a count file with itself so many times."""
    for number in range(times):
        out = path.with_name(f"{number}.arrow")
        rustbpe.merge_counts([path, path], out)
        path = out
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    shard = tmp_path / "shard.parquet"
    pq.write_table(pa.table({"text": TEXTS}), shard)
    rustbpe.count_parquet(shard, pattern="nanochat").write(tmp_path / "small.arrow")
    return tmp_path / "small.arrow"


@pytest.mark.parametrize("threads", [1, 4])
def test_merges_of_counts_above_32_bits_are_those_of_small_ones(small: Path, threads: int) -> None:
    large = doubled(small, DOUBLINGS)
    counts = rustbpe.Counts.read(large)
    few = table(rustbpe.Counts.read(small))
    assert table(counts) == {pretoken: count << DOUBLINGS for pretoken, count in few.items()}
    assert counts.pretokens == sum(few.values()) << DOUBLINGS
    assert counts.documents == len(TEXTS) << DOUBLINGS
    wanted = pa.table(rustbpe.train_merges(small, 60, threads=threads)).to_pydict()
    found = pa.table(rustbpe.train_merges(large, 60, threads=threads)).to_pydict()
    assert (found["left"], found["right"]) == (wanted["left"], wanted["right"])
    assert found["count"] == [count << DOUBLINGS for count in wanted["count"]]
    assert min(found["count"]) > 1 << 32


def test_a_sum_past_64_bits_is_refused_and_leaves_nothing(small: Path, tmp_path: Path) -> None:
    rustbpe.merge_counts([small], tmp_path / "copy.arrow")
    with pytest.raises(rustbpe.InvalidValueError, match=r"more than 2\^64"):
        doubled(tmp_path / "copy.arrow", 64)
    assert not list(tmp_path.glob(".*.part"))


def test_bytes_that_pass_64_bits_are_refused_so_that_pairs_cannot(tmp_path: Path) -> None:
    """The count of a long pre-token fits, its bytes do not; no pre-token has more pairs than bytes."""
    shard = tmp_path / "shard.parquet"
    pq.write_table(pa.table({"text": ["a" * 5000]}), shard)
    rustbpe.count_parquet(shard, pattern="nanochat").write(tmp_path / "one.arrow")
    most = doubled(tmp_path / "one.arrow", 51)
    assert len(rustbpe.train_merges(most, 10)) == 10
    with pytest.raises(rustbpe.InvalidValueError, match=r"documents or bytes add up to more than 2\^64"):
        rustbpe.merge_counts([most, most], tmp_path / "too_many.arrow")
    assert not (tmp_path / "too_many.arrow").exists()
