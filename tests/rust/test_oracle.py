"""The crate against the oracle: random texts, patterns and sizes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rustbpe
import tiktoken
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import oracle

PATTERNS = [*oracle.PATTERNS, r"\S+|\s+", r"[a-z]+", r"(?s:.+)"]
"""The known ones, and some that have no scanner; the second last drops text."""

LETTERS = st.text("abc ", max_size=80)
"""Few letters: many merges, many ties, overlapping pairs."""
WORDS = st.lists(
    st.sampled_from(
        [
            "the",
            " the",
            " cat",
            "'s",
            "'LL",
            " 123",
            "4",
            "\n",
            " \n ",
            "  ",
            "été",
            "한국",
            "👩‍💻",
            "...",
            "\t",
        ]
    ),
    max_size=40,
).map("".join)
ANY = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=60)
"""Without what this Python's Unicode has not assigned: newer tables of the regex engines make letters of it."""
TEXTS = st.lists(LETTERS | WORDS | ANY, max_size=8)
PATTERN = st.sampled_from(PATTERNS)
SIZE = st.integers(0, 60)

fair = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def regex(pattern: str) -> str:
    return oracle.PATTERNS.get(pattern, pattern)


def write_shard(path: Path, texts: list[str], group: int = 3) -> Path:
    table = pa.table({"text": pa.array(texts, pa.string())})
    pq.write_table(table, path, row_group_size=group)
    return path


def as_dict(counts: object) -> dict[bytes, int]:
    table = pa.table(counts)
    return dict(zip(table["pretoken"].to_pylist(), table["count"].to_pylist(), strict=True))


def as_merges(merges: object) -> list[oracle.Merge]:
    table = pa.table(merges)
    columns = [table[name].to_pylist() for name in ("left", "right", "count")]
    return list(zip(*columns, strict=True))


def test_the_crate_names_the_same_patterns() -> None:
    assert rustbpe.PATTERNS == oracle.PATTERNS


@fair
@given(TEXTS, PATTERN, SIZE, st.integers(1, 5))
def test_training_on_texts(texts: list[str], pattern: str, size: int, buffer_size: int) -> None:
    tokenizer = rustbpe.Tokenizer()
    tokenizer.train_from_iterator(iter(texts), 256 + size, buffer_size=buffer_size, pattern=regex(pattern))
    tokens = oracle.token_bytes(oracle.train(oracle.count(texts, pattern), size))
    assert tokenizer.get_mergeable_ranks() == [(token, rank) for rank, token in enumerate(tokens)]
    assert tokenizer.vocab_size == len(tokens)
    for text in texts:
        ids = oracle.encode(text, tokens, pattern)
        assert tokenizer.encode(text) == ids
        assert oracle.decode(ids, tokens) == b"".join(oracle.split(text, pattern))
    assert tokenizer.batch_encode(texts) == [oracle.encode(text, tokens, pattern) for text in texts]


@fair
@given(TEXTS, PATTERN, st.integers(0, 9), st.none() | st.integers(0, 120), st.sampled_from([1, 2, 16]))
def test_counting_a_shard(
    tmp_path: Path, texts: list[str], pattern: str, doc_cap: int, max_chars: int | None, threads: int
) -> None:
    shard = write_shard(tmp_path / "shard.parquet", texts)
    counts = rustbpe.count_parquet(
        shard, pattern=regex(pattern), doc_cap=doc_cap, max_chars=max_chars, threads=threads
    )
    taken = oracle.limit(texts, doc_cap, max_chars)
    expected = oracle.count(texts, pattern, doc_cap, max_chars)
    assert as_dict(counts) == expected
    assert list(as_dict(counts)) == sorted(expected)
    assert (counts.documents, counts.characters) == (len(taken), sum(map(len, taken)))
    assert counts.bytes == sum(len(text.encode()) for text in taken)
    assert (counts.pretokens, counts.unique) == (expected.total(), len(expected))


@fair
@given(st.lists(TEXTS, min_size=1, max_size=3), PATTERN, SIZE, st.sampled_from([1, 2, 16]), st.randoms())
def test_training_on_merged_counts_in_any_order(
    tmp_path: Path, shards: list[list[str]], pattern: str, size: int, threads: int, random: object
) -> None:
    paths = []
    for number, texts in enumerate(shards):
        shard = write_shard(tmp_path / f"shard_{number}.parquet", texts)
        paths.append(tmp_path / f"shard_{number}.arrow")
        rustbpe.count_parquet(shard, pattern=regex(pattern), threads=threads).write(paths[-1])
    random.shuffle(paths)  # type: ignore[attr-defined]
    merged = tmp_path / "merged.arrow"
    rustbpe.merge_counts(paths, merged, threads=threads)
    expected = oracle.count([text for texts in shards for text in texts], pattern)
    assert as_dict(rustbpe.Counts.read(merged)) == expected
    merges = rustbpe.train_merges(merged, size, threads=threads)
    assert as_merges(merges) == oracle.train(expected, size)
    assert merges.token_bytes() == oracle.token_bytes(oracle.train(expected, size))


@fair
@given(TEXTS, ANY | WORDS, PATTERN, SIZE)
def test_encoding_as_the_oracle_and_as_tiktoken(texts: list[str], text: str, pattern: str, size: int) -> None:
    tokens = oracle.token_bytes(oracle.train(oracle.count(texts, pattern), size))
    encoder = rustbpe.Encoder(tokens, pattern=regex(pattern))
    ranks = {token: rank for rank, token in enumerate(tokens)}
    encoding = tiktoken.Encoding("t", pat_str=regex(pattern), mergeable_ranks=ranks, special_tokens={})
    for one in (*texts, text, text * 3):
        ids = oracle.encode(one, tokens, pattern)
        assert encoder.encode(one) == ids == encoding.encode_ordinary(one)
        assert encoder.count(one) == len(ids)
        assert encoder.decode_bytes(ids) == oracle.decode(ids, tokens)
        assert [piece.encode() for piece in encoder.split(one)] == oracle.split(one, pattern)


@pytest.mark.parametrize("threads", [1, 2, 16])
def test_a_larger_corpus_of_real_text(tmp_path: Path, threads: int) -> None:
    # enough pre-tokens for several row groups, tables that grow, and a floor for the pairs
    source = Path(oracle.__file__).read_text()
    lines = [line * (1 + number % 5) for number, line in enumerate(source.splitlines())]
    shard = write_shard(tmp_path / "shard.parquet", lines, group=17)
    counts = rustbpe.count_parquet(shard, pattern=regex("nanochat"), threads=threads)
    counts.write(tmp_path / "counts.arrow")
    expected = oracle.count(lines, "nanochat")
    assert as_dict(counts) == expected
    assert as_merges(rustbpe.train_merges(tmp_path / "counts.arrow", 150, threads=threads)) == oracle.train(
        expected, 150
    )
