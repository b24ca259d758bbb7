"""Documents are sampled the same way for the same seed, spread out, and without reading more than is needed."""

from __future__ import annotations

import collections
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sample_documents as script
from nanosnake.files import NanosnakeError
from nanosnake.sources import samples
from nanosnake.stages import call


def shard(
    folder: Path, number: int, texts: list[str | None], *, rows: int = 10, column: str = "text"
) -> Path:
    path = folder / f"shard_{number:05d}.parquet"
    pq.write_table(pa.table({column: pa.array(texts, pa.string())}), path, row_group_size=rows)
    return path


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    return [shard(tmp_path, n, [f"shard {n} document {row}" for row in range(100)]) for n in range(3)]


def sample(shards: list[Path], documents: int = 30, seed: int = 0) -> list[samples.Sample]:
    return samples.sample_documents(shards, split="train", documents=documents, seed=seed)


def test_the_same_seed_takes_the_same_documents(shards: list[Path]) -> None:
    first = sample(shards)
    assert len(first) == 30
    assert first == sample(shards)
    assert first != sample(shards, seed=1)


def test_documents_are_where_the_sample_says(shards: list[Path]) -> None:
    for found in sample(shards):
        assert found.text == f"shard {int(found.shard[-5:])} document {found.row}"
        assert not found.truncated


def test_shards_and_row_groups_share_the_sample(shards: list[Path]) -> None:
    found = sample(shards, 60)
    by_shard = collections.Counter(document.shard for document in found)
    assert set(by_shard.values()) == {20}
    groups = {(document.shard, document.row // 10) for document in found}
    assert len(groups) == 3 * samples.MOST_ROW_GROUPS


def test_no_document_is_taken_twice(shards: list[Path]) -> None:
    found = sample(shards, 250)
    assert len(found) == 250
    assert len({(document.shard, document.row) for document in found}) == 250


def test_all_documents_if_there_are_fewer(shards: list[Path]) -> None:
    assert len(sample(shards, 1000)) == 300


def test_nulls_and_empty_documents_are_passed_over_and_made_up_for(tmp_path: Path) -> None:
    sparse = [None, "", None, "one", "", None] * 5
    paths = [shard(tmp_path, 0, sparse), shard(tmp_path, 1, ["full"] * 50), shard(tmp_path, 2, [])]
    found = sample(paths, 20)
    assert collections.Counter(document.text for document in found)["full"] >= 15
    assert all(document.text for document in found)


def test_one_more_shard_changes_at_most_one_choice() -> None:
    names = [f"shard_{n:05d}" for n in range(1000)]
    before, after = (set(samples.choose_shards(names[:n], 0)) for n in (999, 1000))
    assert len(before) == len(after) == samples.MOST_SHARDS
    assert len(before - after) <= 1


def test_only_the_chosen_shards_are_opened(tmp_path: Path) -> None:
    names = [f"shard_{n:05d}" for n in range(100)]
    for name in samples.choose_shards(names, 0):
        shard(tmp_path, int(name[-5:]), ["text"] * 5)
    found = sample([tmp_path / f"{name}.parquet" for name in names], 16)
    assert len({document.shard for document in found}) == samples.MOST_SHARDS


def test_long_documents_are_cut_and_say_so(tmp_path: Path) -> None:
    path = shard(tmp_path, 0, ["한" * 100])
    cut = samples.sample_documents([path], split="train", documents=1, seed=0, max_chars=7)
    assert [(document.text, document.truncated) for document in cut] == [("한" * 7, True)]
    whole = samples.sample_documents([path], split="train", documents=1, seed=0, max_chars=0)
    assert whole[0].text == "한" * 100


def test_a_file_of_samples_reads_back(tmp_path: Path) -> None:
    odd = [
        samples.Sample("train", "s", row, False, text)
        for row, text in enumerate(["a\u2028b\r\n", "\x85", "\n"])
    ]
    for name in ("one.jsonl", "two.jsonl"):
        samples.write_samples(tmp_path / name, odd)
    assert list(samples.read_samples(tmp_path / "one.jsonl")) == odd
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


def test_a_broken_file_of_samples_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"split": "train"}\n')
    with pytest.raises(NanosnakeError, match=r"train\.jsonl: line 1 is not a sampled document"):
        list(samples.read_samples(path))


def test_a_wrong_column_is_named(tmp_path: Path) -> None:
    path = shard(tmp_path, 0, ["x"], column="content")
    with pytest.raises(NanosnakeError, match="no column 'text'"):
        sample([path])


def test_a_shard_named_twice_is_refused(shards: list[Path]) -> None:
    with pytest.raises(NanosnakeError, match="name each shard once"):
        sample([shards[0], shards[0]])


def test_command_line(tmp_path: Path, shards: list[Path]) -> None:
    output = tmp_path / "samples" / "train.jsonl"
    arguments = ["--folder", str(tmp_path), "--shards", "shard_[00000-00002]", "--split", "train"]
    assert call(script.SampleDocuments, [*arguments, "--documents", "5", "--output", str(output)]) == 0
    assert list(samples.read_samples(output)) == sample(shards, 5)


def test_shards_without_documents_are_an_error(tmp_path: Path) -> None:
    shard(tmp_path, 0, [None, ""])
    arguments = ["--folder", str(tmp_path), "--shards", "shard_00000", "--split", "validation"]
    with pytest.raises(NanosnakeError, match="hold only empty documents"):
        call(script.SampleDocuments, [*arguments, "--output", str(tmp_path / "validation.jsonl")])
    assert not (tmp_path / "validation.jsonl").exists()
