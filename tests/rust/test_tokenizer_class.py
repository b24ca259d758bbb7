"""`Tokenizer`, the drop-in for the public package rustbpe 0.1.0, and its training on parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rustbpe

import oracle

TEXTS = ["hello hello world hello", "world wor", "", "héllo wörld 123456"] * 5


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path, texts in zip(paths, [TEXTS[:7], TEXTS[7:]], strict=True):
        pq.write_table(pa.table({"body": texts}), path, row_group_size=3)
    return paths


def ranks(texts: list[str], vocab_size: int, pattern: str) -> list[tuple[bytes, int]]:
    merges = oracle.train(oracle.count(texts, pattern), vocab_size - 256)
    return [(token, rank) for rank, token in enumerate(oracle.token_bytes(merges))]


def test_before_training_it_knows_bytes() -> None:
    tokenizer = rustbpe.Tokenizer()
    assert tokenizer.vocab_size == 256
    assert tokenizer.get_pattern() == ""
    assert tokenizer.get_mergeable_ranks() == [(bytes([byte]), byte) for byte in range(256)]
    assert tokenizer.encode("hello") == []
    assert tokenizer.batch_encode(["a", "b"]) == [[], []]
    assert tokenizer.decode([104, 105]) == "hi"


@pytest.mark.parametrize("buffer_size", [1, 3, 8192])
def test_it_trains_on_an_iterator(buffer_size: int) -> None:
    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(iter(TEXTS), 270, buffer_size)
    assert tokenizer.get_pattern() == rustbpe.PATTERNS["gpt4"]
    assert tokenizer.get_mergeable_ranks() == ranks(TEXTS, 270, "gpt4")
    assert tokenizer.vocab_size == 270
    tokens = [token for token, _ in tokenizer.get_mergeable_ranks()]
    expected = [oracle.encode(text, tokens, "gpt4") for text in TEXTS]
    assert tokenizer.batch_encode(TEXTS) == expected
    assert [tokenizer.encode(text) for text in TEXTS] == expected
    assert [tokenizer.decode(ids) for ids in expected] == TEXTS


def test_it_stops_where_no_pair_is_left() -> None:
    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(["ab ab"], vocab_size=1000, pattern=r"\w+")
    assert tokenizer.get_pattern() == r"\w+"
    assert tokenizer.get_mergeable_ranks()[256:] == [(b"ab", 256)]
    tokenizer.train_from_iterator([], vocab_size=1000)
    assert tokenizer.vocab_size == 256


def test_it_trains_on_parquet(shards: list[Path]) -> None:
    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_parquet_file(parquet_path=shards[0], vocab_size=264, text_column="body")
    assert tokenizer.get_mergeable_ranks() == ranks(TEXTS[:7], 264, "gpt4")
    tokenizer.train_from_parquet_files(shards, 264, "nanochat", "body")
    assert tokenizer.get_mergeable_ranks() == ranks(TEXTS, 264, "nanochat")


@pytest.mark.parametrize("max_chars", [0, 30, 100, 150, 10**6])
def test_max_chars_runs_over_all_files(shards: list[Path], max_chars: int) -> None:
    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_parquet_files(shards, 264, text_column="body", doc_cap=12, max_chars=max_chars)
    assert tokenizer.get_mergeable_ranks() == ranks(oracle.limit(TEXTS, 12, max_chars), 264, "gpt4")


def failing() -> Iterator[str]:
    yield "abc abc"
    raise KeyError("no more")


def test_it_stays_as_it_was_when_training_fails(tmp_path: Path) -> None:
    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(TEXTS, 262)
    before = tokenizer.get_mergeable_ranks()
    with pytest.raises(rustbpe.InvalidValueError, match="vocab_size is 255; at least 256"):
        tokenizer.train_from_iterator(TEXTS, 255)
    with pytest.raises(rustbpe.InvalidValueError, match="buffer_size is 0"):
        tokenizer.train_from_iterator(TEXTS, 300, 0)
    with pytest.raises(KeyError, match="no more"):
        tokenizer.train_from_iterator(failing(), 300)
    with pytest.raises(TypeError, match="gave a bytes, only str"):
        tokenizer.train_from_iterator([b"abc"], 300)  # type: ignore[list-item]
    with pytest.raises(TypeError):
        tokenizer.train_from_iterator(5, 300)  # type: ignore[arg-type]
    with pytest.raises(rustbpe.PatternError, match=r"\("):
        tokenizer.train_from_iterator(TEXTS, 300, pattern="(")
    with pytest.raises(FileNotFoundError):
        tokenizer.train_from_parquet_file(tmp_path / "missing.parquet", 300)
    with pytest.raises(rustbpe.InvalidValueError, match="parquet_paths is empty"):
        tokenizer.train_from_parquet_files([], 300)
    assert tokenizer.get_mergeable_ranks() == before


def test_ids_that_mean_nothing_are_errors() -> None:
    tokenizer = rustbpe.Tokenizer()
    for _ in range(2):
        with pytest.raises(ValueError, match="Unknown token id: 9999"):
            tokenizer.decode([9999])
        with pytest.raises(UnicodeDecodeError):
            tokenizer.decode([200])
        with pytest.raises(OverflowError):
            tokenizer.decode([-1])
        tokenizer.train_from_iterator(TEXTS, 262)
